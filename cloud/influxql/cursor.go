package influxql

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/influxdata/influxql"

	"hearth"
)

// A sample is one value at one time.
type sample struct {
	t int64
	v datum
}

// How much a cursor reads at once: little at first, since many queries want one point, then more. Those that are read
// side by side share what all of them may keep.
const (
	firstBatch = 512
	mostBatch  = 8192
	leastBatch = 64
	sharedKept = 256 << 10
	firstSpan  = int64(time.Minute)
	mostSpan   = int64(30 * 24 * time.Hour)
)

// A cursor reads one field of one series in the order of time, or against it, a batch at a time, so that many of them
// can be read side by side.
type cursor struct {
	run           *run
	home          string
	series, field string
	typ           influxql.DataType // what it is to be cast to
	kind          hearth.Kind       // values of other kinds are passed over
	from, to      int64             // what is not read yet, [from, to)
	desc          bool

	most  int // of a batch
	batch int
	span  int64
	buf   []sample
	at    int
	ended bool
}

// peek returns the next sample, nil at the end.
func (c *cursor) peek() *sample {
	for c.at == len(c.buf) {
		if c.ended || c.run.err != nil {
			return nil
		}
		c.buf, c.at = c.buf[:0], 0
		if c.desc {
			c.readBack()
		} else {
			c.readOn()
		}
	}
	return &c.buf[c.at]
}

func (c *cursor) read(from, to int64, most int) {
	err := c.run.server.o.Source.Points(c.home, c.series, c.field, time.Unix(0, from), time.Unix(0, to), func(t int64, v hearth.Value) bool {
		if v.Kind() == c.kind {
			c.buf = append(c.buf, sample{t, stored(v).cast(c.typ)})
		}
		return c.run.scan() && len(c.buf) < most
	})
	c.failed(err)
}

func (c *cursor) failed(err error) {
	if err != nil {
		c.run.fail(fmt.Errorf("reading %s %s: %w", c.series, c.field, err))
	}
}

func (c *cursor) readOn() {
	c.batch = min(max(4*c.batch, firstBatch), c.most)
	c.read(c.from, c.to, c.batch)
	if len(c.buf) < c.batch {
		c.ended = true
		return
	}
	c.from = c.buf[len(c.buf)-1].t + 1
	c.ended = c.from >= c.to
}

// readBack reads a stretch before what was read and turns it round. A stretch that holds too much is tried shorter.
func (c *cursor) readBack() {
	c.span = max(c.span, firstSpan)
	var start int64
	for {
		start = c.from
		if left := c.to - c.from; left > c.span || left < 0 { // below 0: more than an int64 holds
			start = c.to - c.span
		}
		c.read(start, c.to, 4*c.most)
		if len(c.buf) < 4*c.most || c.run.err != nil {
			break
		}
		c.buf, c.span = c.buf[:0], c.span/8
	}
	slices.Reverse(c.buf)
	switch {
	case len(c.buf) == 0: // a silence may last for years
		c.span = min(16*c.span, math.MaxInt64/32)
	case len(c.buf) < firstBatch:
		c.span = min(4*c.span, mostSpan)
	}
	c.to = start
	c.ended = c.to <= c.from
}

// A row is what several fields of one series have at one time.
type row struct {
	t    int64
	vals []datum // in the order they were asked for; good until the next row
}

// rows are read one after another.
type rows interface {
	next() (row, bool)
}

// seriesRows joins cursors of one series: a row for every time at which one of the leading ones has a value.
type seriesRows struct {
	cursors []*cursor // each field once
	leading int       // how many of them make rows; those behind them are only looked at
	slots   []int     // for each value asked for: its cursor, or -1
	fixed   []datum   // for each value asked for: what it is where there is no cursor, a tag or nothing
	desc    bool

	filter func(vals []datum) bool // over the cursors; nil: every row
	now    []datum                 // of the cursors at this time
	vals   []datum
}

func (s *seriesRows) next() (row, bool) {
	for {
		t, ok := s.time()
		if !ok {
			return row{}, false
		}
		for i, c := range s.cursors {
			s.now[i] = datum{}
			p := c.peek()
			for i >= s.leading && p != nil && (p.t < t) != s.desc && p.t != t {
				c.at++
				p = c.peek()
			}
			if p != nil && p.t == t {
				s.now[i] = p.v
				c.at++
			}
		}
		if s.filter != nil && !s.filter(s.now) {
			continue
		}
		for i, slot := range s.slots {
			if slot >= 0 {
				s.vals[i] = s.now[slot]
			}
		}
		return row{t, s.vals}, true
	}
}

// time is that of the next row.
func (s *seriesRows) time() (t int64, ok bool) {
	for _, c := range s.cursors[:s.leading] {
		if p := c.peek(); p != nil && (!ok || (p.t < t) != s.desc) {
			t, ok = p.t, true
		}
	}
	return t, ok
}

// oneField is seriesRows where there is nothing to join: most queries.
type oneField struct {
	cursor *cursor
	vals   [1]datum
}

func (o *oneField) next() (row, bool) {
	p := o.cursor.peek()
	if p == nil {
		return row{}, false
	}
	o.cursor.at++
	o.vals[0] = p.v
	return row{p.t, o.vals[:]}, true
}

// each hands out all rows without keeping them, which is quicker for who wants them all.
func (o *oneField) each(visit func(row) bool) bool {
	c := o.cursor
	if c.desc || c.at < len(c.buf) {
		return false
	}
	c.ended = true
	err := c.run.server.o.Source.Points(c.home, c.series, c.field, time.Unix(0, c.from), time.Unix(0, c.to), func(t int64, v hearth.Value) bool {
		if v.Kind() != c.kind {
			return c.run.scan()
		}
		o.vals[0] = stored(v).cast(c.typ)
		return c.run.scan() && visit(row{t, o.vals[:]})
	})
	c.failed(err)
	return true
}

// merged reads several rows as one, in the order of time; at the same time by their texts, then in the order given.
type merged struct {
	heads []head // a heap
	desc  bool
}

type head struct {
	rows  rows
	row   row
	order int
}

func mergeRows(all []rows, desc bool) rows {
	if len(all) == 1 {
		return all[0]
	}
	m := &merged{desc: desc}
	for i, one := range all {
		if r, ok := one.next(); ok {
			m.heads = append(m.heads, head{one, r, i})
		}
	}
	for i := len(m.heads)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return &merging{merged: m}
}

// merging hands out the first head; it moves on only when asked again, since a row is good until then.
type merging struct {
	*merged
	given bool
}

func (m *merging) next() (row, bool) {
	if m.given {
		first := &m.heads[0]
		var ok bool
		if first.row, ok = first.rows.next(); !ok {
			last := len(m.heads) - 1
			m.heads[0] = m.heads[last]
			m.heads = m.heads[:last]
		}
		m.down(0)
	}
	m.given = len(m.heads) > 0
	if !m.given {
		return row{}, false
	}
	return m.heads[0].row, true
}

func (m *merged) down(i int) {
	for {
		least := i
		for _, child := range []int{2*i + 1, 2*i + 2} {
			if child < len(m.heads) && m.before(&m.heads[child], &m.heads[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heads[i], m.heads[least] = m.heads[least], m.heads[i]
		i = least
	}
}

func (m *merged) before(a, b *head) bool {
	if a.row.t != b.row.t {
		return (a.row.t < b.row.t) != m.desc
	}
	for i, x := range a.row.vals {
		y := b.row.vals[i]
		if x.kind != text || y.kind != text {
			break
		}
		if x.str != y.str {
			return (x.str < y.str) != m.desc
		}
	}
	return (a.order < b.order) != m.desc
}
