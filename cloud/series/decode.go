package series

import (
	"encoding/binary"
	"math"
	"slices"

	"hearth"
)

// reader takes apart bytes that may be anything. After the first thing that does not fit, bad stays true and every
// answer is zero.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) fail() { r.data, r.bad = nil, true }

func (r *reader) byte() byte {
	if len(r.data) == 0 {
		r.fail()
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

func (r *reader) uvarint() uint64 {
	if len(r.data) > 0 && r.data[0] < 0x80 {
		return uint64(r.byte())
	}
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.fail()
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) float() float64 {
	b := r.bytes(8)
	if r.bad {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

// chunkHead is a chunk taken apart so far that its times and values can be read side by side.
type chunkHead struct {
	summary
	unit, start int64 // start: the first time since midnight, in units
	guess       byte
	times       reader
	runs        reader
}

func readHead(data []byte, midnight int64) (chunkHead, error) {
	var h chunkHead
	r := reader{data: data}
	version, count, form := r.byte(), r.uvarint(), r.byte()
	first, span := r.uvarint(), r.uvarint()
	h.times.data = r.bytes(r.uvarint())
	h.runs.data = r.data
	h.unit, h.guess = timeUnit(form), form>>2
	perDay := uint64(dayLength / h.unit)
	if r.bad || version != chunkVersion || h.guess > guessGrid || count == 0 || count-1 > uint64(len(h.times.data)) ||
		first >= perDay || span >= perDay-first || h.guess == guessGrid && count > maxGrid {
		return chunkHead{}, errCorrupt
	}
	h.count, h.start = int(count), int64(first)
	h.first = midnight + h.start*h.unit
	h.last = midnight + int64(first+span)*h.unit
	h.readSummary()
	return h, nil
}

// readSummary looks at the first run; only a chunk of one numeric run has a summary.
func (h *chunkHead) readSummary() {
	r := h.runs
	kind, count := r.byte(), r.uvarint()
	if count != uint64(h.count) {
		return
	}
	switch kind {
	case runBool:
		trues := r.uvarint()
		h.max, h.sum = min(float64(trues), 1), float64(trues)
		if trues == count {
			h.min = 1
		}
		h.numeric = trues <= count
	case runDecimal:
		exponent := r.byte()
		if exponent > maxExponent {
			return
		}
		power := powerOfTen(int(exponent))
		h.min, h.max, h.sum = float64(r.varint())/power, float64(r.varint())/power, float64(r.varint())/power
		h.numeric = true
	case runFloat:
		h.min, h.max, h.sum = r.float(), r.float(), r.float()
		h.numeric = !math.IsNaN(h.sum) && !math.IsInf(h.sum, 0)
	}
	h.numeric = h.numeric && !r.bad
}

// readSummaryOf returns what the head of a chunk says.
func readSummaryOf(data []byte, midnight int64) (summary, error) {
	if isSingle(data) {
		s, err := readSingle(data, midnight)
		return summarySingle(s), err
	}
	h, err := readHead(data, midnight)
	return h.summary, err
}

// decodeChunk appends the chunk's samples to dst. An error means that nothing of it may be believed; dst is then
// returned as it was.
func decodeChunk(dst []sample, data []byte, midnight int64) ([]sample, error) {
	if isSingle(data) {
		s, err := readSingle(data, midnight)
		if err != nil {
			return dst, err
		}
		return append(dst, s), nil
	}
	h, err := readHead(data, midnight)
	if err != nil {
		return dst, err
	}
	held := len(dst)
	if dst = h.appendTimes(dst); h.times.bad {
		return dst[:held], errCorrupt
	}
	for rest := dst[held:]; len(rest) > 0; {
		n := h.runs.run(rest)
		if h.runs.bad {
			return dst[:held], errCorrupt
		}
		rest = rest[n:]
	}
	if len(h.times.data) > 0 || len(h.runs.data) > 0 || dst[len(dst)-1].t != h.last {
		return dst[:held], errCorrupt
	}
	return dst, nil
}

func (h *chunkHead) appendTimes(dst []sample) []sample {
	dst = append(dst, sample{t: h.first})
	dst = slices.Grow(dst, h.count-1)
	g := newGuesser(h.guess, (h.last-h.first)/h.unit, h.count)
	for range h.count - 1 {
		at := g.next() + h.times.varint()
		if at <= g.at || at > g.span {
			h.times.fail()
			return dst
		}
		dst = append(dst, sample{t: h.first + at*h.unit})
		g.saw(at)
	}
	return dst
}

// run reads one run into the values of dst and returns how many it held.
func (r *reader) run(dst []sample) int {
	kind, count := r.byte(), r.uvarint()
	if r.bad || count == 0 || count > uint64(len(dst)) || count > maxRun {
		r.fail()
		return 0
	}
	dst = dst[:count]
	switch kind {
	case runBool:
		r.bools(dst)
	case runDecimal:
		r.decimals(dst)
	case runFloat:
		r.floats(dst)
	case runText:
		r.texts(dst)
	default:
		r.fail()
	}
	return int(count)
}

func (r *reader) bools(dst []sample) {
	trues := r.uvarint()
	bits := r.bytes(uint64(len(dst)+7) / 8)
	if r.bad {
		return
	}
	for i := range dst {
		on := bits[i/8]>>(i%8)&1 == 1
		dst[i].v = hearth.BoolOf(on)
		if on {
			trues--
		}
	}
	if trues != 0 {
		r.fail()
	}
}

func (r *reader) decimals(dst []sample) {
	exponent := r.byte()
	if exponent > maxExponent {
		r.fail()
		return
	}
	power := powerOfTen(int(exponent))
	low, high, sum := r.varint(), r.varint(), r.varint()
	n := int64(0)
	for i := range dst {
		n += r.varint()
		if n < low || n > high {
			r.fail()
			return
		}
		sum -= n
		dst[i].v = hearth.NumberOf(float64(n) / power)
	}
	if sum != 0 {
		r.fail()
	}
}

func (r *reader) floats(dst []sample) {
	r.bytes(3 * 8)
	bits := uint64(0)
	for i := range dst {
		bits ^= r.trimmed()
		dst[i].v = hearth.NumberOf(math.Float64frombits(bits))
		if dst[i].v.IsZero() {
			r.fail()
			return
		}
	}
}

func (r *reader) trimmed() uint64 {
	head := int(r.byte())
	lead, trail := head>>4, head&15
	if lead+trail > 8 {
		r.fail()
		return 0
	}
	var x uint64
	for i, b := range r.bytes(uint64(8 - lead - trail)) {
		x |= uint64(b) << (8 * (trail + i))
	}
	return x
}

func (r *reader) texts(dst []sample) {
	count := r.uvarint()
	if count > uint64(len(dst)) {
		r.fail()
		return
	}
	words := make([]hearth.Value, count)
	for i := range words {
		words[i] = hearth.TextOf(string(r.bytes(r.uvarint())))
	}
	for i := range dst {
		word := r.uvarint()
		if word >= count {
			r.fail()
			return
		}
		dst[i].v = words[word]
	}
}
