package buffer

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"hearth"
)

// History returns one property of one device over [from, to) in at most so many points: what is held, acknowledged or
// not, and what is still queued; readings whose clock is not trusted yet stand at their provisional time. Gaps are
// what was lost of all devices in that time, for any target. A text property has no points.
func (b *Buffer) History(device hearth.ID, property string, from, to time.Time, points int) (hearth.History, error) {
	d := hearth.NewDownsampler(from, to, points)
	b.mu.Lock()
	end := b.next
	for i := range b.queue {
		if r := &b.queue[i]; r.Device == device && r.Property == property {
			d.Add(r.Time, r.Value)
		}
	}
	b.mu.Unlock()
	unpack, err := newUnpacker()
	if err != nil {
		return hearth.History{}, err
	}
	defer unpack.zstd.Close()
	low, high := from.UnixMilli(), to.UnixMilli()
	f := newFinder(device, property)
	err = b.scan(0, func(a about) bool { return a.Newest >= low && a.Oldest < high }, func(found *block) error {
		if found.seq >= end {
			return errStop
		}
		if found.last < low || found.first >= high || !found.mayHold(string(device)) {
			return nil
		}
		lines, err := unpack.unpack(found)
		if err != nil {
			return err
		}
		f.each(lines, func(ms int64, v hearth.Value) { d.Add(time.UnixMilli(ms), v) })
		return nil
	})
	if err != nil {
		return hearth.History{}, fmt.Errorf("reading history: %w", err)
	}
	return hearth.History{Points: d.Points(), Gaps: b.gapsWithin(from, to)}, nil
}

func (b *Buffer) gapsWithin(from, to time.Time) []hearth.Gap {
	b.mu.Lock()
	defer b.mu.Unlock()
	gaps := []hearth.Gap{}
	add := func(g hearth.Gap) {
		if g.Count > 0 && g.From.Before(to) && !g.To.Before(from) {
			gaps = append(gaps, g)
		}
	}
	for _, g := range b.gone {
		if g.Reason != "" {
			add(g.gap(g.Reason, g.After-g.Before))
		}
	}
	for _, g := range b.gaps {
		add(g)
	}
	slices.SortStableFunc(gaps, func(a, c hearth.Gap) int { return cmp.Compare(a.From.UnixNano(), c.From.UnixNano()) })
	return gaps
}

// Replay calls each for every reading that is held since then, oldest commit first, and then for what is queued. It
// ends at an error of each's.
func (b *Buffer) Replay(since time.Time, each func(hearth.Reading)) error {
	b.mu.Lock()
	end, queued := b.next, slices.Clone(b.queue)
	b.mu.Unlock()
	unpack, err := newUnpacker()
	if err != nil {
		return err
	}
	defer unpack.zstd.Close()
	low := since.UnixMilli()
	var readings []hearth.Reading
	err = b.scan(0, func(a about) bool { return a.Newest >= low }, func(found *block) error {
		if found.seq >= end {
			return errStop
		}
		if found.last < low {
			return nil
		}
		if readings, err = unpack.readings(readings[:0], found); err != nil {
			return err
		}
		for _, r := range readings {
			if !r.Time.Before(since) {
				each(r)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	for _, r := range queued {
		if !r.Time.Before(since) {
			each(r)
		}
	}
	return nil
}

// A finder finds one property of one device in lines as hearth.AppendLines writes them, without decoding the others:
// a line break within a text is escaped, so every one ends a line.
type finder struct {
	line     []byte // how the device's lines begin
	property []byte
}

func newFinder(device hearth.ID, property string) finder {
	return finder{line: []byte(hearth.Measurement + ",device=" + string(device) + " "), property: []byte(property)}
}

// each calls fn for every value that is no text.
func (f finder) each(lines []byte, fn func(ms int64, v hearth.Value)) {
	for at := 0; at < len(lines); {
		next := bytes.Index(lines[at:], f.line)
		if next < 0 {
			return
		}
		at += next
		if at > 0 && lines[at-1] != '\n' { // within a text
			at++
			continue
		}
		end := bytes.IndexByte(lines[at:], '\n')
		if end < 0 {
			end = len(lines) - at
		}
		if value, ms, ok := f.field(lines[at+len(f.line) : at+end]); ok {
			fn(ms, value)
		}
		at += end
	}
}

// field finds the property among "key=value,key=value time".
func (f finder) field(rest []byte) (value hearth.Value, ms int64, ok bool) {
	for len(rest) > 0 && rest[0] != ' ' {
		equals := bytes.IndexByte(rest, '=')
		if equals < 0 {
			return value, 0, false
		}
		key := rest[:equals]
		rest = rest[equals+1:]
		length := fieldLength(rest)
		if bytes.Equal(key, f.property) {
			value, ok = fieldValue(rest[:length])
		}
		if rest = rest[length:]; len(rest) > 0 && rest[0] == ',' {
			rest = rest[1:]
		}
	}
	if !ok {
		return value, 0, false
	}
	ms, err := strconv.ParseInt(string(bytes.TrimSpace(rest)), 10, 64)
	return value, ms, err == nil
}

// fieldLength returns how long the value is that rest begins with; a text may hold what ends others.
func fieldLength(rest []byte) int {
	if len(rest) == 0 || rest[0] != '"' {
		if n := bytes.IndexAny(rest, ", "); n >= 0 {
			return n
		}
		return len(rest)
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(rest)
}

func fieldValue(text []byte) (hearth.Value, bool) {
	switch string(text) {
	case "true":
		return hearth.BoolOf(true), true
	case "false":
		return hearth.BoolOf(false), true
	}
	n, err := strconv.ParseFloat(string(text), 64)
	return hearth.NumberOf(n), err == nil
}
