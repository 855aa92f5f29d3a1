package mqtt

import (
	"bufio"
	"errors"
	"io"
	"net"
)

// maxPacket is how long a packet may be; a longer message is passed over as it comes in, and never in memory.
const maxPacket = 16 << 20

// bounded is a connection on which no message is too long: the client library has no limit of its own.
type bounded struct {
	net.Conn
	from    *bufio.Reader
	most    int
	tooLong func(size int)

	head []byte // of the packet, not yet passed on
	rest int    // of its body
}

func newBounded(conn net.Conn, most int, tooLong func(size int)) *bounded {
	return &bounded{Conn: conn, from: bufio.NewReaderSize(conn, 16<<10), most: most, tooLong: tooLong}
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	for len(b.head) == 0 && b.rest == 0 {
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	n, err := b.from.Read(p[:min(len(p), b.rest)])
	b.rest -= n
	return n, err
}

const (
	typePublish = 3
	maxControl  = 64 << 10 // of every other packet, of which the library makes room for all it is promised
)

var errPacket = errors.New("the broker sends a packet that is too long for its kind")

// next reads a fixed header (MQTT 3.1.1, section 2.2): type and flags, and the length in one to four bytes.
func (b *bounded) next() error {
	first, err := b.from.ReadByte()
	if err != nil {
		return err
	}
	head, size := []byte{first}, 0
	for shift := 0; shift < 28; shift += 7 {
		c, err := b.from.ReadByte()
		if err != nil {
			return err
		}
		head = append(head, c)
		size |= int(c&0x7f) << shift
		if c&0x80 == 0 {
			break
		}
	}
	if first>>4 != typePublish && size > maxControl {
		return errPacket
	}
	if first>>4 != typePublish || size <= b.most {
		b.head, b.rest = head, size
		return nil
	}
	b.tooLong(size)
	_, err = io.CopyN(io.Discard, b.from, int64(size))
	return err
}
