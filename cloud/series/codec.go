package series

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"

	"hearth"
)

// A chunk is a stretch of one series within one UTC day, its times strictly ascending (of one point alone, see single.go):
//
//	version      1 byte
//	count        uvarint
//	form         1 byte: the unit, the coarsest of ns, µs, ms, s that holds every time exactly, and from bit 2 on
//	             the guess
//	first, span  uvarint: the first time since midnight, and from there to the last, in units
//	length       uvarint: bytes of the times that follow
//	times        for every further point how far it is from the guess (zigzag): guessLast expects the distance the
//	             point before had, guessMean the mean distance, guessGrid a place on an even grid from first to last,
//	             as of a device that is asked by a steady clock
//	runs         until every point has its value; neighbours of one kind share a run of at most maxRun
//
// and a run is one of
//
//	runBool      count, how many are true, one bit each
//	runDecimal   count, exponent (1 byte), min, max, sum, first value, distances; integers × 10^-exponent, zigzag
//	runFloat     count, min, max, sum (8 bytes each), then XOR with the value before, without its zero bytes
//	runText      count, number of words, the words, one index each: the dictionary of this chunk
//
// A dictionary lives in its chunk and not beside it, so that a chunk can be read, moved or lost by itself. Neither
// chunks nor blocks carry a checksum: Pebble's CRC32C over every table block and log record covers them. What passes
// that and still does not decode to the last byte is never served (see setAside).
const (
	chunkVersion = 1
	runBool      = 1
	runDecimal   = 2
	runFloat     = 3
	runText      = 4
	maxRun       = 1024
	maxExponent  = 12
	maxDecimal   = 1 << 51 // below it v*10^e rounds to the one integer that gives v back
	dayLength    = int64(24 * 3600 * 1e9)
)

var errCorrupt = errors.New("chunk does not decode")

// sample is one point of a series that is known from the context.
type sample struct {
	t int64 // unix nanoseconds
	v hearth.Value
}

// summary is what a chunk's head says without decoding the rest. Without numbers, numeric is false.
type summary struct {
	count         int
	first, last   int64
	numeric       bool
	min, max, sum float64
}

// timeUnit returns the nanoseconds of the unit in a chunk's form.
func timeUnit(form byte) int64 {
	return [...]int64{1, 1e3, 1e6, 1e9}[form&3]
}

func powerOfTen(exponent int) float64 {
	return [maxExponent + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12}[exponent]
}

// dayOf returns the number of the UTC day since 1970 and the unix nanoseconds of its midnight. The midnight of the
// first day that an int64 can tell lies outside of it and wraps round; differences from it are still right.
func dayOf(t int64) (day int32, midnight int64) {
	d := t / dayLength
	if t%dayLength < 0 {
		d--
	}
	return int32(d), d * dayLength
}

// A packer encodes chunks. It keeps room from one to the next, and is for one goroutine.
type packer struct {
	offsets []int64 // of the times from midnight, in units
	whole   []int64 // the values of a run × 10^exponent
}

// appendChunk encodes samples: at least one, of one day, times strictly ascending, no zero values.
func (p *packer) appendChunk(dst []byte, samples []sample, midnight int64) []byte {
	if len(samples) == 1 {
		return p.appendSingle(dst, samples[0], midnight)
	}
	dst = append(dst, chunkVersion)
	dst = binary.AppendUvarint(dst, uint64(len(samples)))
	dst = p.appendTimes(dst, samples, midnight)
	for len(samples) > 0 {
		n := runLength(samples)
		dst = p.appendRun(dst, samples[:n])
		samples = samples[n:]
	}
	return dst
}

func (p *packer) appendTimes(dst []byte, samples []sample, midnight int64) []byte {
	p.offsets = slices.Grow(p.offsets[:0], len(samples))[:len(samples)]
	code := byte(3)
	for !inUnits(p.offsets, samples, midnight, timeUnit(code)) {
		code--
	}
	first, last := p.offsets[0], p.offsets[len(samples)-1]
	for i := range p.offsets {
		p.offsets[i] -= first
	}
	guess := bestGuess(p.offsets)
	dst = append(dst, code|guess<<2)
	dst = binary.AppendUvarint(dst, uint64(first))
	dst = binary.AppendUvarint(dst, uint64(last-first))
	return appendSized(dst, func(dst []byte) []byte {
		g := newGuesser(guess, last-first, len(samples))
		for _, at := range p.offsets[1:] {
			dst = binary.AppendVarint(dst, at-g.next())
			g.saw(at)
		}
		return dst
	})
}

// inUnits puts the times since midnight into dst, in units; false if one is not whole.
func inUnits(dst []int64, samples []sample, midnight, unit int64) bool {
	for i := range samples {
		t := samples[i].t - midnight
		n := t / unit
		if n*unit != t {
			return false
		}
		dst[i] = n
	}
	return true
}

// A guesser foretells the times of a chunk, as distances from the first one.
type guesser struct {
	guess      byte
	span, rest int64 // from the first point to the last, and how many points that is
	mean       int64 // span by rest
	at         int64 // the time of the point before
	distance   int64 // what it was from the one before that
	seen       int64
}

const (
	guessLast = 0
	guessMean = 1
	guessGrid = 2
	maxGrid   = 1 << 16 // points; with more of them seen × span would not fit
)

func newGuesser(guess byte, span int64, points int) guesser {
	rest := int64(points - 1)
	return guesser{guess: guess, span: span, rest: rest, mean: span / max(rest, 1)}
}

func (g *guesser) next() int64 {
	switch g.guess {
	case guessMean:
		return g.at + g.mean
	case guessGrid:
		return (g.seen + 1) * g.span / g.rest
	}
	return g.at + g.distance
}

func (g *guesser) saw(at int64) {
	g.at, g.distance = at, at-g.at
	g.seen++
}

// bestGuess finds the guess that leaves the fewest bits; a few points are not worth the search.
func bestGuess(offsets []int64) byte {
	if len(offsets) < 8 || len(offsets) > maxGrid {
		return guessLast
	}
	best, least := byte(guessLast), math.MaxInt
	for guess := byte(guessLast); guess <= guessGrid && least > 0; guess++ {
		g := newGuesser(guess, offsets[len(offsets)-1], len(offsets))
		cost := 0
		for _, at := range offsets[1:] {
			off := at - g.next()
			cost += bits.Len64(uint64(off<<1) ^ uint64(off>>63))
			g.saw(at)
		}
		if cost < least {
			best, least = guess, cost
		}
	}
	return best
}

// appendSized appends what fill appends, with its length before it.
func appendSized(dst []byte, fill func([]byte) []byte) []byte {
	const room = 1
	start := len(dst)
	dst = fill(append(dst, 0))
	size := len(dst) - start - room
	if size < 0x80 {
		dst[start] = byte(size)
		return dst
	}
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(size))
	dst = append(dst, head[:n-room]...)
	copy(dst[start+n:], dst[start+room:len(dst)-(n-room)])
	copy(dst[start:], head[:n])
	return dst
}

func runLength(samples []sample) int {
	kind := samples[0].v.Kind()
	n := 1
	for n < len(samples) && n < maxRun && samples[n].v.Kind() == kind {
		n++
	}
	return n
}

func (p *packer) appendRun(dst []byte, run []sample) []byte {
	switch run[0].v.Kind() {
	case hearth.Bool:
		return appendBools(dst, run)
	case hearth.Text:
		return appendTexts(dst, run)
	}
	if exponent, ok := p.decimals(run); ok {
		return appendDecimals(dst, p.whole, exponent)
	}
	return appendFloats(dst, run)
}

func appendBools(dst []byte, run []sample) []byte {
	dst = binary.AppendUvarint(append(dst, runBool), uint64(len(run)))
	trues := 0
	for i := range run {
		trues += int(run[i].v.Number())
	}
	dst = binary.AppendUvarint(dst, uint64(trues))
	for i := 0; i < len(run); i += 8 {
		var packed byte
		for j := i; j < min(i+8, len(run)); j++ {
			packed |= byte(run[j].v.Number()) << (j - i)
		}
		dst = append(dst, packed)
	}
	return dst
}

func appendTexts(dst []byte, run []sample) []byte {
	var words dictionary
	for i := range run {
		words.index(run[i].v.Text())
	}
	dst = binary.AppendUvarint(append(dst, runText), uint64(len(run)))
	dst = binary.AppendUvarint(dst, uint64(len(words.order)))
	for _, word := range words.order {
		dst = binary.AppendUvarint(dst, uint64(len(word)))
		dst = append(dst, word...)
	}
	for i := range run {
		dst = binary.AppendUvarint(dst, words.index(run[i].v.Text()))
	}
	return dst
}

// A dictionary numbers words in the order in which they come.
type dictionary struct {
	order []string
	known map[string]uint64 // once there are more than a few
}

func (d *dictionary) index(word string) uint64 {
	const few = 8
	if d.known == nil {
		if at := slices.Index(d.order, word); at >= 0 {
			return uint64(at)
		}
		if len(d.order) == few {
			d.known = make(map[string]uint64, 2*few)
			for i, w := range d.order {
				d.known[w] = uint64(i)
			}
		}
	} else if at, ok := d.known[word]; ok {
		return at
	}
	at := uint64(len(d.order))
	d.order = append(d.order, word)
	if d.known != nil {
		d.known[word] = at
	}
	return at
}

// decimals finds the smallest exponent with which every value is a whole number that gives it back bit by bit, and puts
// these numbers into p.whole.
func (p *packer) decimals(run []sample) (exponent int, ok bool) {
	p.whole = slices.Grow(p.whole[:0], len(run))[:len(run)]
	from := 0 // the numbers before it are of a smaller exponent
	for i := range run {
		for !isDecimal(run[i].v.Number(), exponent, &p.whole[i]) {
			if exponent == maxExponent {
				return 0, false
			}
			exponent++
			from = i
		}
	}
	for i := range run[:from] {
		if !isDecimal(run[i].v.Number(), exponent, &p.whole[i]) {
			return 0, false
		}
	}
	return exponent, true
}

func isDecimal(f float64, exponent int, whole *int64) bool {
	power := powerOfTen(exponent)
	scaled := math.RoundToEven(f * power)
	if !(math.Abs(scaled) < maxDecimal) {
		return false
	}
	*whole = int64(scaled)
	return math.Float64bits(float64(*whole)/power) == math.Float64bits(f)
}

func appendDecimals(dst []byte, whole []int64, exponent int) []byte {
	dst = binary.AppendUvarint(append(dst, runDecimal), uint64(len(whole)))
	dst = append(dst, byte(exponent))
	low, high, sum := int64(math.MaxInt64), int64(math.MinInt64), int64(0)
	for _, n := range whole {
		low, high, sum = min(low, n), max(high, n), sum+n
	}
	dst = binary.AppendVarint(dst, low)
	dst = binary.AppendVarint(dst, high)
	dst = binary.AppendVarint(dst, sum)
	before := int64(0)
	for _, n := range whole {
		dst = binary.AppendVarint(dst, n-before)
		before = n
	}
	return dst
}

func appendFloats(dst []byte, run []sample) []byte {
	dst = binary.AppendUvarint(append(dst, runFloat), uint64(len(run)))
	low, high, sum := math.Inf(1), math.Inf(-1), 0.0
	for i := range run {
		f := run[i].v.Number()
		low, high, sum = min(low, f), max(high, f), sum+f
	}
	for _, f := range []float64{low, high, sum} {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
	}
	before := uint64(0)
	for i := range run {
		value := math.Float64bits(run[i].v.Number())
		dst = appendTrimmed(dst, value^before)
		before = value
	}
	return dst
}

// appendTrimmed writes how many zero bytes x begins and ends with (a nibble each), and the bytes between.
func appendTrimmed(dst []byte, x uint64) []byte {
	if x == 0 {
		return append(dst, 0x80)
	}
	lead, trail := 0, 0
	for ; x>>(56-8*lead) == 0; lead++ {
	}
	for ; byte(x>>(8*trail)) == 0; trail++ {
	}
	dst = append(dst, byte(lead<<4|trail))
	for shift := 8 * trail; shift < 64-8*lead; shift += 8 {
		dst = append(dst, byte(x>>shift))
	}
	return dst
}
