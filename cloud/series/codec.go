package series

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"

	"hearth"
)

// A chunk is a stretch of one series within one UTC day, its times strictly ascending:
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

// appendChunk encodes samples: at least one, of one day, times strictly ascending, no zero values.
func appendChunk(dst []byte, samples []sample, midnight int64) []byte {
	dst = append(dst, chunkVersion)
	dst = binary.AppendUvarint(dst, uint64(len(samples)))
	dst = appendTimes(dst, samples, midnight)
	for len(samples) > 0 {
		n := runLength(samples)
		dst = appendRun(dst, samples[:n])
		samples = samples[n:]
	}
	return dst
}

func appendTimes(dst []byte, samples []sample, midnight int64) []byte {
	code := byte(3)
	for i := range samples {
		for (samples[i].t-midnight)%timeUnit(code) != 0 {
			code--
		}
	}
	unit := timeUnit(code)
	first := (samples[0].t - midnight) / unit
	last := (samples[len(samples)-1].t - midnight) / unit
	form := len(dst)
	dst = append(dst, code)
	dst = binary.AppendUvarint(dst, uint64(first))
	dst = binary.AppendUvarint(dst, uint64(last-first))
	guess := bestGuess(samples, midnight, unit)
	dst[form] |= guess << 2
	g := guesser{guess: guess, span: last - first, rest: int64(len(samples) - 1)}
	return appendSized(dst, func(dst []byte) []byte {
		for i := 1; i < len(samples); i++ {
			at := (samples[i].t-midnight)/unit - first
			dst = binary.AppendVarint(dst, at-g.next())
			g.saw(at)
		}
		return dst
	})
}

// A guesser foretells the times of a chunk, as distances from the first one.
type guesser struct {
	guess      byte
	span, rest int64 // from the first point to the last, and how many points that is
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

func (g *guesser) next() int64 {
	switch g.guess {
	case guessMean:
		return g.at + g.span/g.rest
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
func bestGuess(samples []sample, midnight, unit int64) byte {
	if len(samples) < 8 || len(samples) > maxGrid {
		return guessLast
	}
	first := (samples[0].t - midnight) / unit
	span := (samples[len(samples)-1].t-midnight)/unit - first
	best, least := byte(guessLast), math.MaxInt
	for guess := byte(guessLast); guess <= guessGrid; guess++ {
		g := guesser{guess: guess, span: span, rest: int64(len(samples) - 1)}
		cost := 0
		for i := 1; i < len(samples); i++ {
			at := (samples[i].t-midnight)/unit - first
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

func appendRun(dst []byte, run []sample) []byte {
	switch run[0].v.Kind() {
	case hearth.Bool:
		return appendBools(dst, run)
	case hearth.Text:
		return appendTexts(dst, run)
	}
	if exponent, ok := commonExponent(run); ok {
		return appendDecimals(dst, run, exponent)
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
	words := make(map[string]uint64)
	var order []string
	for i := range run {
		text := run[i].v.Text()
		if _, known := words[text]; !known {
			words[text] = uint64(len(order))
			order = append(order, text)
		}
	}
	dst = binary.AppendUvarint(append(dst, runText), uint64(len(run)))
	dst = binary.AppendUvarint(dst, uint64(len(order)))
	for _, word := range order {
		dst = binary.AppendUvarint(dst, uint64(len(word)))
		dst = append(dst, word...)
	}
	for i := range run {
		dst = binary.AppendUvarint(dst, words[run[i].v.Text()])
	}
	return dst
}

// commonExponent finds the smallest exponent with which every value is a whole number, and comes back bit by bit.
func commonExponent(run []sample) (exponent int, ok bool) {
	for i := range run {
		for ; !isDecimal(run[i].v.Number(), exponent); exponent++ {
			if exponent == maxExponent {
				return 0, false
			}
		}
	}
	for i := range run {
		if !isDecimal(run[i].v.Number(), exponent) {
			return 0, false
		}
	}
	return exponent, true
}

func isDecimal(f float64, exponent int) bool {
	scaled := math.RoundToEven(f * powerOfTen(exponent))
	return math.Abs(scaled) < maxDecimal &&
		math.Float64bits(float64(int64(scaled))/powerOfTen(exponent)) == math.Float64bits(f)
}

func appendDecimals(dst []byte, run []sample, exponent int) []byte {
	dst = binary.AppendUvarint(append(dst, runDecimal), uint64(len(run)))
	dst = append(dst, byte(exponent))
	power := powerOfTen(exponent)
	low, high, sum := int64(math.MaxInt64), int64(math.MinInt64), int64(0)
	for i := range run {
		n := int64(math.RoundToEven(run[i].v.Number() * power))
		low, high, sum = min(low, n), max(high, n), sum+n
	}
	dst = binary.AppendVarint(dst, low)
	dst = binary.AppendVarint(dst, high)
	dst = binary.AppendVarint(dst, sum)
	before := int64(0)
	for i := range run {
		n := int64(math.RoundToEven(run[i].v.Number() * power))
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
