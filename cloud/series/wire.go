package series

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"hearth"
)

// A Write on its way into a log of writes, or out of one:
//
//	version   1 byte
//	flags     1 byte: wireBatch, wireLedger, wireReceived; wireMillis: the times of points are whole milliseconds
//	home      length, bytes
//	received  zigzag: unix milliseconds           (wireReceived)
//	batch     epoch (length, bytes), seq          (wireBatch)
//	ledger    produced, dropped, backlog, durable (wireLedger)
//	bad       uvarint
//	gaps      count, and each: from, to (zigzag, unix nanoseconds), count (zigzag), reason (length, bytes)
//	points    count, and each:
//	            name<<3 | kind: name 0 is a new one, whose series and field (length, bytes each) follow; n is the nth new one
//	            time: what it is after the point before (zigzag, nanoseconds or milliseconds)
//	            a decimal: its digits as a whole number (zigzag) × 13 + how many of them are behind the point; another
//	            number: its bits XOR those of the last such number of that name, bytes reversed, so that zeros at the
//	            end cost nothing; a text: length, bytes
//
// The points keep their order: among those of one time the last one wins.
const wireVersion = 1

const (
	wireBatch    = 1
	wireLedger   = 2
	wireReceived = 4
	wireMillis   = 8
)

const (
	wireNone = iota // a point without a value, which is counted as refused
	wireFalse
	wireTrue
	wireNumber
	wireText
	wireDecimal
)

const exponents = maxExponent + 1

// ErrUnknownWire says that a Write was encoded by a newer version.
var ErrUnknownWire = errors.New("a write of a newer version")

var errNoWrite = errors.New("no write")

// AppendWrite encodes w, all but its Place.
func AppendWrite(dst []byte, w *Write) []byte {
	flags := byte(0)
	if w.Batch != nil {
		flags |= wireBatch
	}
	if w.Ledger != nil {
		flags |= wireLedger
	}
	if !w.Received.IsZero() {
		flags |= wireReceived
	}
	unit := int64(1)
	if !slices.ContainsFunc(w.Points, func(p Point) bool { return p.Time%int64(time.Millisecond) != 0 }) {
		flags, unit = flags|wireMillis, int64(time.Millisecond)
	}
	dst = appendText(append(dst, wireVersion, flags), w.Home)
	if flags&wireReceived != 0 {
		dst = binary.AppendVarint(dst, w.Received.UnixMilli())
	}
	if w.Batch != nil {
		dst = binary.AppendUvarint(appendText(dst, w.Batch.Epoch), w.Batch.Seq)
	}
	if l := w.Ledger; l != nil {
		for _, n := range []uint64{l.Produced, l.Dropped, l.Backlog, l.Durable} {
			dst = binary.AppendUvarint(dst, n)
		}
	}
	dst = binary.AppendUvarint(dst, w.Bad)
	dst = binary.AppendUvarint(dst, uint64(len(w.Gaps)))
	for _, g := range w.Gaps {
		dst = binary.AppendVarint(dst, g.From.UnixNano())
		dst = binary.AppendVarint(dst, g.To.UnixNano())
		dst = binary.AppendVarint(dst, g.Count)
		dst = appendText(dst, g.Reason)
	}
	return appendPoints(dst, w.Points, unit)
}

// wireName is a name that was given its number.
type wireName struct {
	number uint64
	before uint64 // the bits of its last number that is no decimal
}

func appendPoints(dst []byte, points []Point, unit int64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(points)))
	names := make(map[seriesName]*wireName, 32)
	at := int64(0)
	for i := range points {
		p := &points[i]
		kind, digits := wireKind(p.Value)
		name := names[seriesName{p.Series, p.Field}]
		if name == nil {
			name = &wireName{number: uint64(len(names) + 1)}
			names[seriesName{p.Series, p.Field}] = name
			dst = appendText(appendText(binary.AppendUvarint(dst, kind), p.Series), p.Field)
		} else {
			dst = binary.AppendUvarint(dst, name.number<<3|kind)
		}
		dst = binary.AppendVarint(dst, p.Time/unit-at)
		at = p.Time / unit
		switch kind {
		case wireDecimal:
			dst = binary.AppendUvarint(dst, digits)
		case wireNumber:
			value := math.Float64bits(p.Value.Number())
			dst = binary.AppendUvarint(dst, bits.ReverseBytes64(value^name.before))
			name.before = value
		case wireText:
			dst = appendText(dst, p.Value.Text())
		}
	}
	return dst
}

// wireKind tells how a value is written; digits are those of a decimal.
func wireKind(v hearth.Value) (kind, digits uint64) {
	switch v.Kind() {
	case hearth.Bool:
		if v.Bool() {
			return wireTrue, 0
		}
		return wireFalse, 0
	case hearth.Text:
		return wireText, 0
	case hearth.Number:
		var n int64
		for e := range exponents {
			if isDecimal(v.Number(), e, &n) {
				return wireDecimal, uint64(n<<1^n>>63)*exponents + uint64(e)
			}
		}
		return wireNumber, 0
	}
	return wireNone, 0
}

func decimalOf(digits uint64) hearth.Value {
	n := digits / exponents
	return hearth.NumberOf(float64(int64(n>>1)^-int64(n&1)) / powerOfTen(int(digits%exponents)))
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// ParseWrite decodes what AppendWrite encoded. ErrUnknownWire: a newer version did.
func ParseWrite(data []byte) (Write, error) {
	r := reader{data: data}
	version, flags := r.byte(), r.byte()
	if !r.bad && version > wireVersion {
		return Write{}, fmt.Errorf("%w: %d, this hearth-cloud knows up to %d", ErrUnknownWire, version, wireVersion)
	}
	if version != wireVersion || flags > wireBatch|wireLedger|wireReceived|wireMillis {
		return Write{}, errNoWrite
	}
	w := Write{Home: r.text()}
	if flags&wireReceived != 0 {
		w.Received = time.UnixMilli(r.varint()).UTC()
	}
	if flags&wireBatch != 0 {
		w.Batch = &hearth.BatchID{Epoch: r.text(), Seq: r.uvarint()}
	}
	if flags&wireLedger != 0 {
		w.Ledger = &hearth.Ledger{Produced: r.uvarint(), Dropped: r.uvarint(), Backlog: r.uvarint(), Durable: r.uvarint()}
	}
	w.Bad = r.uvarint()
	w.Gaps = r.gaps()
	unit := int64(1)
	if flags&wireMillis != 0 {
		unit = int64(time.Millisecond)
	}
	w.Points = r.points(unit)
	if r.bad || len(r.data) > 0 || w.Home == "" {
		return Write{}, errNoWrite
	}
	return w, nil
}

func (r *reader) text() string { return string(r.bytes(r.uvarint())) }

// The least that one of them takes, which bounds what their count may ask of memory.
const (
	wireLeastGap   = 4
	wireLeastPoint = 2
)

func (r *reader) gaps() []hearth.Gap {
	count := r.uvarint()
	if count > uint64(len(r.data))/wireLeastGap {
		r.fail()
	}
	if r.bad || count == 0 {
		return nil
	}
	gaps := make([]hearth.Gap, 0, count)
	for range count {
		gaps = append(gaps, hearth.Gap{From: timeOf(r.varint()), To: timeOf(r.varint()), Count: r.varint(), Reason: r.text()})
	}
	return gaps
}

func (r *reader) points(unit int64) []Point {
	count := r.uvarint()
	if count > uint64(len(r.data))/wireLeastPoint {
		r.fail()
	}
	if r.bad || count == 0 {
		return nil
	}
	type known struct {
		series, field string
		before        uint64
	}
	points, names, at := make([]Point, 0, count), []known{}, int64(0)
	for range count {
		head := r.uvarint()
		number := head >> 3
		if number == 0 {
			names = append(names, known{series: r.text(), field: r.text()})
			number = uint64(len(names))
		}
		if r.bad || number > uint64(len(names)) {
			r.fail()
			return nil
		}
		name := &names[number-1]
		at += r.varint()
		p := Point{Series: name.series, Field: name.field, Time: at * unit}
		switch head & 7 {
		case wireNone:
		case wireFalse, wireTrue:
			p.Value = hearth.BoolOf(head&7 == wireTrue)
		case wireNumber:
			name.before ^= bits.ReverseBytes64(r.uvarint())
			p.Value = hearth.NumberOf(math.Float64frombits(name.before))
		case wireDecimal:
			p.Value = decimalOf(r.uvarint())
		case wireText:
			p.Value = hearth.TextOf(r.text())
		default:
			r.fail()
			return nil
		}
		points = append(points, p)
	}
	return points
}
