package buffer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"hearth"
)

// A block is what one seq stands for: at most maxRows readings as compressed line protocol, and what must be known of
// them without unpacking. In a segment it is one value of one key:
//
//	magic 4 | crc32c of all that follows 4 | length of all 4 | version 1 | flags 1 | rows 2 | seq 8 | rows before 8 |
//	first ms 8 | last ms 8 | generation 4 | unpacked bytes 4 | filter bytes 2 | boot bytes 1 | 0 |
//	filter | boot | provisional anchor, ns 8, if there is a boot | payload
//
// "Rows before" counts all rows of the epoch before this block: so a lost block's rows are known from its neighbour.
// Seq and length are in it so that blocks can be found in a file whose pages make no sense any more.
type block struct {
	seq, before uint64
	rows        int
	first, last int64 // unix ms
	generation  uint32
	flags       byte
	raw         int    // bytes of the payload unpacked
	filter      []byte // which devices may be in it
	boot        string // of an untrusted block
	anchor      int64  // of an untrusted block: the provisional anchor its times rest on, unix ns
	payload     []byte // zstd of line protocol
}

const (
	maxRows      = 200
	maxRaw       = 4 << 20 // what a receiver takes
	maxFilter    = 256
	maxBoot      = 64
	headerBytes  = 60
	blockMagic   = "HBk1"
	blockVersion = 1
	// maxValue is what fits on one page beside its headers: larger values cost whole pages more.
	maxValue = pageSize - pageHeader - pageElement - keyBytes
	keyBytes = 8

	flagUntrusted = 1
	flagRepaired  = 2
)

func castagnoli(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

func (b *block) untrusted() bool { return b.flags&flagUntrusted != 0 }
func (b *block) after() uint64   { return b.before + uint64(b.rows) }

func (b *block) append(dst []byte) []byte {
	start, order := len(dst), binary.LittleEndian
	dst = append(dst, blockMagic...)
	dst = append(dst, make([]byte, 8)...) // crc and length, once known
	dst = append(dst, blockVersion, b.flags)
	dst = order.AppendUint16(dst, uint16(b.rows))
	dst = order.AppendUint64(dst, b.seq)
	dst = order.AppendUint64(dst, b.before)
	dst = order.AppendUint64(dst, uint64(b.first))
	dst = order.AppendUint64(dst, uint64(b.last))
	dst = order.AppendUint32(dst, b.generation)
	dst = order.AppendUint32(dst, uint32(b.raw))
	dst = order.AppendUint16(dst, uint16(len(b.filter)))
	dst = append(dst, byte(len(b.boot)), 0)
	dst = append(dst, b.filter...)
	if b.boot != "" {
		dst = append(dst, b.boot...)
		dst = order.AppendUint64(dst, uint64(b.anchor))
	}
	dst = append(dst, b.payload...)
	order.PutUint32(dst[start+8:], uint32(len(dst)-start))
	order.PutUint32(dst[start+4:], castagnoli(dst[start+8:]))
	return dst
}

// decodeBlock reads what append wrote, from data that may be anything. The block refers to data.
func decodeBlock(data []byte) (block, error) {
	order := binary.LittleEndian
	if len(data) < headerBytes || string(data[:4]) != blockMagic || uint64(order.Uint32(data[8:])) != uint64(len(data)) {
		return block{}, damagef("no block")
	}
	if order.Uint32(data[4:]) != castagnoli(data[8:]) {
		return block{}, damagef("a block's checksum is wrong")
	}
	if data[12] != blockVersion {
		return block{}, damagef("a block of version %d", data[12])
	}
	b := block{
		flags: data[13], rows: int(order.Uint16(data[14:])), seq: order.Uint64(data[16:]), before: order.Uint64(data[24:]),
		first: int64(order.Uint64(data[32:])), last: int64(order.Uint64(data[40:])), generation: order.Uint32(data[48:]),
		raw: int(order.Uint32(data[52:])),
	}
	filter, boot, rest := int(order.Uint16(data[56:])), int(data[58]), data[headerBytes:]
	need := filter + boot
	if boot > 0 {
		need += 8
	}
	if need > len(rest) || b.rows == 0 || b.rows > maxRows || b.raw > maxRaw || b.seq == 0 || b.first > b.last {
		return block{}, damagef("a block's header makes no sense")
	}
	b.filter, rest = rest[:filter], rest[filter:]
	if boot > 0 {
		b.boot, b.anchor, rest = string(rest[:boot]), int64(order.Uint64(rest[boot:])), rest[boot+8:]
	}
	b.payload = rest
	return b, nil
}

// The filter of a block is a Bloom filter of the devices in it, one byte for each, three bits set: a device that
// seldom speaks is found without unpacking every block.
func filterOf(devices int) []byte { return make([]byte, min(devices, maxFilter)) }

func filterBits(device string, size int) [3]uint32 {
	sum, bits := castagnoli([]byte(device)), uint32(size)*8
	second := sum*0x9E3779B1>>7 | 1
	return [3]uint32{sum % bits, (sum + second) % bits, (sum + 2*second) % bits}
}

func filterAdd(filter []byte, device string) {
	for _, bit := range filterBits(device, len(filter)) {
		filter[bit/8] |= 1 << (bit % 8)
	}
}

func (b *block) mayHold(device string) bool {
	if len(b.filter) == 0 {
		return true
	}
	for _, bit := range filterBits(device, len(b.filter)) {
		if b.filter[bit/8]&(1<<(bit%8)) == 0 {
			return false
		}
	}
	return true
}

// An unpacker unpacks payloads, one at a time.
type unpacker struct {
	zstd *zstd.Decoder
	buf  []byte
}

func newUnpacker() (*unpacker, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(2*maxRaw))
	return &unpacker{zstd: d}, err
}

// unpack returns the lines of a block, valid until the next call. The block's checksum was good: that it does not
// unpack is no damage, and setting its segment aside would not help.
func (u *unpacker) unpack(b *block) ([]byte, error) {
	if cap(u.buf) < b.raw {
		u.buf = make([]byte, 0, max(b.raw, 64<<10))
	}
	out, err := u.zstd.DecodeAll(b.payload, u.buf[:0])
	if err == nil && len(out) != b.raw {
		err = fmt.Errorf("%d bytes instead of %d", len(out), b.raw)
	}
	if err != nil {
		return nil, fmt.Errorf("unpacking block %d: %w", b.seq, err)
	}
	return out, nil
}

// readings returns the readings of a block, appended to dst.
func (u *unpacker) readings(dst []hearth.Reading, b *block) ([]hearth.Reading, error) {
	lines, err := u.unpack(b)
	if err != nil {
		return dst, err
	}
	first, wrong := len(dst), error(nil)
	err = hearth.DecodeLines(lines, "ms", time.Time{}, func(l *hearth.Line) { dst = l.Readings(dst) },
		func(n int, err error) { wrong = fmt.Errorf("line %d of block %d: %w", n, b.seq, err) })
	if err = errors.Join(err, wrong); err != nil {
		return dst[:first], err
	}
	for i := first; b.untrusted() && i < len(dst); i++ {
		dst[i].Untrusted = true
	}
	return dst, nil
}

// A packer makes blocks of readings; what it needs for that is kept and reused.
type packer struct {
	zstd   *zstd.Encoder
	raw    []byte
	sorted []hearth.Reading
	lines  map[lineKey]int
	device map[hearth.ID]int
	order  []int
}

type lineKey struct {
	ms       int64
	device   int // its place among the block's devices
	repaired bool
}

func newPacker() (*packer, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	return &packer{zstd: e, lines: make(map[lineKey]int), device: make(map[hearth.ID]int)}, err
}

// pack fills in what a block says about readings, and the readings. They must be at most maxRows, with times.
func (p *packer) pack(b *block, readings []hearth.Reading) error {
	p.sort(readings)
	raw, err := hearth.AppendLines(p.raw[:0], p.sorted, "")
	if err != nil {
		return err
	}
	p.raw, b.raw, b.rows = raw, len(raw), len(readings)
	b.first, b.last = readings[0].Time.UnixMilli(), readings[0].Time.UnixMilli()
	b.filter = filterOf(len(p.device))
	for _, r := range readings {
		b.first, b.last = min(b.first, r.Time.UnixMilli()), max(b.last, r.Time.UnixMilli())
	}
	for device := range p.device {
		filterAdd(b.filter, string(device))
	}
	b.payload = p.zstd.EncodeAll(raw, make([]byte, 0, len(raw)/4+64))
	return nil
}

// sort brings the readings of one device together, and those of one line: device by device as they first appear, the
// lines of each as they came. That is what shares lines, and packs best.
func (p *packer) sort(readings []hearth.Reading) {
	clear(p.lines)
	clear(p.device)
	p.order = p.order[:0]
	for _, r := range readings {
		device, known := p.device[r.Device]
		if !known {
			device = len(p.device)
			p.device[r.Device] = device
		}
		key := lineKey{r.Time.UnixMilli(), device, r.Repaired}
		line, known := p.lines[key]
		if !known {
			line = len(p.lines)
			p.lines[key] = line
		}
		p.order = append(p.order, device<<16|line<<8|len(p.order)) // each below maxRows
	}
	slices.Sort(p.order)
	p.sorted = p.sorted[:0]
	for _, rank := range p.order {
		p.sorted = append(p.sorted, readings[rank&0xFF])
	}
}

// zstdOf packs a line that is no block, as a gap record.
func (p *packer) zstdOf(line []byte) []byte { return bytes.Clone(p.zstd.EncodeAll(line, nil)) }
