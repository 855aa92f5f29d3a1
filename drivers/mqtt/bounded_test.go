package mqtt

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// stream is a connection that only reads.
type stream struct {
	net.Conn
	io.Reader
}

func (s stream) Read(p []byte) (int, error) { return s.Reader.Read(p) }

// publishPacket is a PUBLISH with a body of that many bytes.
func publishPacket(size int) []byte {
	head := []byte{0x30}
	for n := size; ; {
		c := byte(n & 0x7f)
		if n >>= 7; n > 0 {
			head = append(head, c|0x80)
			continue
		}
		head = append(head, c)
		break
	}
	return append(head, strings.Repeat("x", size)...)
}

func TestBounded(t *testing.T) {
	short, long, ack := publishPacket(100), publishPacket(1001), []byte{0x90, 3, 0, 1, 0}
	tests := map[string]struct {
		in, out []byte
		refused int
		err     error
	}{
		"all short":   {append(append([]byte{}, short...), ack...), append(append([]byte{}, short...), ack...), 0, nil},
		"one long":    {bytes.Join([][]byte{short, long, ack}, nil), bytes.Join([][]byte{short, ack}, nil), 1, nil},
		"long first":  {bytes.Join([][]byte{long, long, short}, nil), short, 2, nil},
		"just right":  {publishPacket(1000), publishPacket(1000), 0, nil},
		"empty":       {[]byte{0xd0, 0}, []byte{0xd0, 0}, 0, nil},
		"cut":         {long[:500], nil, 1, io.EOF},
		"cut in head": {[]byte{0x30, 0x80}, nil, 0, io.EOF},
		"bad length":  {[]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0xff}, nil, 1, io.EOF},
		"nothing":     {nil, nil, 0, nil},
		"long ack":    {append([]byte{0x90, 0xff, 0xff, 0xff, 0x7f}, make([]byte, 200)...), nil, 0, errPacket},
	}
	for name, tt := range tests {
		for way, reader := range map[string]io.Reader{"whole": bytes.NewReader(tt.in), "byte by byte": iotest.OneByteReader(bytes.NewReader(tt.in))} {
			refused := 0
			got, err := io.ReadAll(newBounded(stream{Reader: reader}, 1000, func(int) { refused++ }))
			if !bytes.Equal(got, tt.out) || refused != tt.refused || err != nil && tt.err == nil {
				t.Errorf("%s, %s: %d bytes, %d refused, %v", name, way, len(got), refused, err)
			}
		}
	}
}

func FuzzBounded(f *testing.F) {
	f.Add(publishPacket(10))
	f.Add(append(publishPacket(200), 0xd0, 0))
	f.Fuzz(func(t *testing.T, in []byte) {
		skipped := 0
		got, _ := io.ReadAll(newBounded(stream{Reader: bytes.NewReader(in)}, 100, func(size int) { skipped += size }))
		if len(got) > len(in) || skipped == 0 && !bytes.HasPrefix(in, got) {
			t.Errorf("%x became %x", in, got)
		}
	})
}
