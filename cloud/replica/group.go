package replica

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"hearth/cloud/series"
)

// A group is what one receiver put into the log at once: groupVersion, and a zstd frame of
//
//	count
//	for each entry: its kind (1 byte), length, bytes: of a write what series.AppendWrite makes, of a deletion the
//	name of the home, of a beginning one byte that says whether the store was empty
const groupVersion = 1

const (
	entryWrite  = 1
	entryDelete = 2
	entryBegin  = 3 // the log begins, with what the receiver that began it had
)

const (
	groupEntries = 512     // of one group at the most …
	groupBytes   = 4 << 20 // … and about so many bytes, unpacked
	groupMost    = 96 << 20
)

var errNoGroup = errors.New("no group of writes")

// An entry is one thing that is done on all receivers.
type entry struct {
	kind  byte
	write series.Write // of a deletion only its Home
	body  []byte
	empty bool // of a beginning
}

func (e *entry) encode() {
	switch e.kind {
	case entryWrite:
		e.body = series.AppendWrite(nil, &e.write)
	case entryDelete:
		e.body = []byte(e.write.Home)
	case entryBegin:
		e.body = []byte{0}
		if e.empty {
			e.body[0] = 1
		}
	}
}

func parseEntry(kind byte, body []byte) (e entry, err error) {
	e.kind = kind
	switch kind {
	case entryWrite:
		e.write, err = series.ParseWrite(body)
	case entryDelete:
		e.write.Home = string(body)
	case entryBegin:
		e.empty = string(body) == "\x01"
	default:
		err = fmt.Errorf("%w: an entry of kind %d", series.ErrUnknownWire, kind)
	}
	return e, err
}

// A packer packs and unpacks groups.
type packer struct {
	zip   *zstd.Encoder
	unzip *zstd.Decoder
}

func newPacker() (*packer, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("packing writes: %w", err)
	}
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(groupMost))
	if err != nil {
		return nil, fmt.Errorf("unpacking writes: %w", err)
	}
	return &packer{zip: zip, unzip: unzip}, nil
}

func (p *packer) pack(bodies func(yield func(kind byte, body []byte) bool), count int) []byte {
	plain := binary.AppendUvarint(nil, uint64(count))
	for kind, body := range bodies {
		plain = binary.AppendUvarint(append(plain, kind), uint64(len(body)))
		plain = append(plain, body...)
	}
	return p.zip.EncodeAll(plain, []byte{groupVersion})
}

// unpack returns the entries of a group, each to be parsed in its turn: they refer to one large piece of memory.
func (p *packer) unpack(data []byte) ([]entry, error) {
	if len(data) == 0 {
		return nil, errNoGroup
	}
	if data[0] > groupVersion {
		return nil, fmt.Errorf("%w: a group of version %d", series.ErrUnknownWire, data[0])
	}
	if data[0] != groupVersion {
		return nil, errNoGroup
	}
	plain, err := p.unzip.DecodeAll(data[1:], nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoGroup, err)
	}
	count, n := binary.Uvarint(plain)
	if n <= 0 || count > uint64(len(plain)) {
		return nil, errNoGroup
	}
	plain = plain[n:]
	entries := make([]entry, 0, min(count, groupEntries))
	for range count {
		if len(plain) == 0 {
			return nil, errNoGroup
		}
		kind := plain[0]
		length, n := binary.Uvarint(plain[1:])
		if n <= 0 || length > uint64(len(plain)-1-n) {
			return nil, errNoGroup
		}
		body := plain[1+n:][:length]
		plain = plain[1+n+int(length):]
		entries = append(entries, entry{kind: kind, body: body})
	}
	if len(plain) > 0 {
		return nil, errNoGroup
	}
	return entries, nil
}
