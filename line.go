package hearth

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// Readings travel as line protocol, one line per device and time, in milliseconds:
//
//	hearth,device=radio:00158d0001a2b3c4 temperature=21.5,humidity=40.2 1732300000123
//
// A field clock="repaired" marks a time that was worked out after the fact. Gap records are lines of hearth_gap.
const (
	Measurement    = "hearth"
	GapMeasurement = "hearth_gap"
	ClockField     = "clock"
	ClockRepaired  = "repaired" // the only value of ClockField
)

var tagEscapes = strings.NewReplacer(",", `\,`, "=", `\=`, " ", `\ `)

// AppendLines appends readings as line protocol to dst: neighbours with the same device, time and mark share a line.
// A non-empty home is added as a tag, for a database that is not ours. Two readings of one property must not have the
// same time.
func AppendLines(dst []byte, readings []Reading, home string) ([]byte, error) {
	var enc lineprotocol.Encoder
	enc.SetPrecision(lineprotocol.Millisecond)
	enc.SetBuffer(dst)
	for i := 0; i < len(readings); {
		first := readings[i]
		enc.StartLine(Measurement)
		enc.AddTag("device", string(first.Device))
		if home != "" {
			enc.AddTag("home", home)
		}
		if first.Repaired {
			enc.AddField(ClockField, lineprotocol.MustNewValue(ClockRepaired))
		}
		for ; i < len(readings) && sameLine(first, readings[i]); i++ {
			if v, ok := lineprotocol.NewValue(readings[i].Value.any()); ok {
				enc.AddField(readings[i].Property, v)
			}
		}
		enc.EndLine(first.Time)
	}
	return enc.Bytes(), enc.Err()
}

func sameLine(a, b Reading) bool {
	return a.Device == b.Device && a.Repaired == b.Repaired && a.Time.Equal(b.Time)
}

func (v Value) any() any {
	switch v.kind {
	case Bool:
		return v.Bool()
	case Number:
		return v.number
	case Text:
		return v.text
	}
	return nil
}

// AppendGap appends g as a line: hearth_gap count=120,reason="cap",to=1732300009000 1732300000123.
func AppendGap(dst []byte, g Gap, home string) []byte {
	dst = append(dst, GapMeasurement...)
	if home != "" {
		dst = append(append(dst, ",home="...), tagEscapes.Replace(home)...)
	}
	return fmt.Appendf(dst, " count=%d,reason=%q,to=%d %d\n", g.Count, g.Reason, g.To.UnixMilli(), g.From.UnixMilli())
}

// A Line is one line of line protocol, of any measurement. Its byte slices are valid until the next line is read.
type Line struct {
	Measurement []byte
	Tags        []Tag // sorted by key, as they come
	Fields      []Field
	Time        int64 // unix nanoseconds
}

// A Tag is one key and value of a line's series.
type Tag struct{ Key, Value []byte }

// A Field is one value of a line. Whole numbers are read as Number.
type Field struct {
	Key   []byte
	Value Value
}

// Limits of one line, which bound what the few bytes of a packed one can ask of memory.
const (
	maxTags   = 1000
	maxFields = 10_000
)

// DecodeLines reads line protocol line by line; each is called for the good ones, bad with the line's number (from 1)
// for the others. precision is ns, us (or u), ms, s, m or h, "" being ns; a line without a time gets now.
func DecodeLines(body []byte, precision string, now time.Time, each func(*Line), bad func(number int, err error)) error {
	unit, err := Precision(precision)
	if err != nil {
		return err
	}
	dec := lineprotocol.NewDecoderWithBytes(body)
	var line Line
	for number := 1; dec.Next(); number++ {
		if err := line.decode(dec, unit, now); err != nil {
			var at *lineprotocol.DecodeError
			if errors.As(err, &at) {
				bad(int(at.Line), at.Err)
			} else {
				bad(number, err)
			}
			continue
		}
		each(&line)
	}
	return nil
}

// Precision returns the unit that line protocol calls by that name: ns, us (or u), ms, s, m or h, "" being ns.
func Precision(name string) (time.Duration, error) {
	switch name {
	case "", "ns", "n":
		return time.Nanosecond, nil
	case "us", "u", "µ":
		return time.Microsecond, nil
	case "ms":
		return time.Millisecond, nil
	case "s":
		return time.Second, nil
	case "m":
		return time.Minute, nil
	case "h":
		return time.Hour, nil
	}
	return 0, Errorf(CodeBadValue, "precision %q: want ns, us, ms, s, m or h", clip(name))
}

func (l *Line) decode(dec *lineprotocol.Decoder, unit time.Duration, now time.Time) (err error) {
	l.Tags, l.Fields = l.Tags[:0], l.Fields[:0]
	if l.Measurement, err = dec.Measurement(); err != nil {
		return err
	}
	for {
		key, value, err := dec.NextTag()
		if err != nil {
			return err
		}
		if key == nil {
			break
		}
		if len(l.Tags) == maxTags {
			return fmt.Errorf("more than %d tags", maxTags)
		}
		l.Tags = append(l.Tags, Tag{key, value})
	}
	for {
		key, value, err := dec.NextField()
		if err != nil {
			return err
		}
		if key == nil {
			break
		}
		if len(l.Fields) == maxFields {
			return fmt.Errorf("more than %d fields", maxFields)
		}
		field := Field{Key: key, Value: valueOf(value)}
		if field.Value.IsZero() {
			return fmt.Errorf("field %q is not a finite number", clip(string(key)))
		}
		l.Fields = append(l.Fields, field)
	}
	stamp, err := dec.TimeBytes()
	if err != nil {
		return err
	}
	l.Time, err = nanoseconds(stamp, unit, now)
	return err
}

func nanoseconds(stamp []byte, unit time.Duration, now time.Time) (int64, error) {
	if len(stamp) == 0 {
		return now.UnixNano(), nil
	}
	n, err := strconv.ParseInt(string(stamp), 10, 64)
	if limit := (math.MaxInt64 - 1) / int64(unit); err != nil || n > limit || n < -limit {
		return 0, fmt.Errorf("time %q does not fit", clip(string(stamp)))
	}
	return n * int64(unit), nil
}

func valueOf(v lineprotocol.Value) Value {
	switch v.Kind() {
	case lineprotocol.Bool:
		return BoolOf(v.BoolV())
	case lineprotocol.Float:
		return NumberOf(v.FloatV())
	case lineprotocol.Int:
		return NumberOf(float64(v.IntV()))
	case lineprotocol.Uint:
		return NumberOf(float64(v.UintV()))
	}
	return TextOf(v.StringV())
}

// Tag returns the value of that tag, nil if the line has none.
func (l *Line) Tag(key string) []byte {
	for _, t := range l.Tags {
		if string(t.Key) == key {
			return t.Value
		}
	}
	return nil
}

// Readings appends the line's readings to dst; none if the line is of another measurement.
func (l *Line) Readings(dst []Reading) []Reading {
	if string(l.Measurement) != Measurement {
		return dst
	}
	first := len(dst)
	device, at, repaired := ID(l.Tag("device")), time.Unix(0, l.Time).UTC(), false
	for _, f := range l.Fields {
		if string(f.Key) == ClockField {
			repaired = f.Value.text == ClockRepaired
			continue
		}
		dst = append(dst, Reading{Device: device, Property: string(f.Key), Value: f.Value, Time: at})
	}
	for i := first; repaired && i < len(dst); i++ {
		dst[i].Repaired = true
	}
	return dst
}

// Gap returns the gap record that the line is, if it is one.
func (l *Line) Gap() (Gap, bool) {
	if string(l.Measurement) != GapMeasurement {
		return Gap{}, false
	}
	g := Gap{From: Time{time.Unix(0, l.Time).UTC()}}
	for _, f := range l.Fields {
		switch string(f.Key) {
		case "count":
			g.Count = int64(f.Value.number)
		case "reason":
			g.Reason = f.Value.text
		case "to":
			g.To = Time{time.UnixMilli(int64(f.Value.number)).UTC()}
		}
	}
	return g, true
}
