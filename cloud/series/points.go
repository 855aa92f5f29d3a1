package series

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"hearth"
)

// scratch is room that Writes use in turn.
type scratch struct {
	of      []*one   // the series of each point, nil for a refused one
	groups  []*one   // each series once
	lasts   []sample // the last sample of each group
	samples []sample
	chunk   []byte
	packer  packer
}

func newScratch() *scratch { return new(scratch) }

func (s *Store) giveBack(x *scratch) {
	clear(x.samples) // their texts are of the request
	clear(x.lasts)
	if cap(x.samples) <= 1<<14 {
		s.scratch.Put(x)
	}
}

// rows is 1, but for the mark of a repaired time, which is stored like a point and counted as nothing.
func (p *Point) rows() int {
	if p.Field == hearth.ClockField && strings.HasPrefix(p.Series, hearth.Measurement+",") {
		return 0
	}
	return 1
}

func rowsOf(points []Point) (rows int) {
	for i := range points {
		rows += points[i].rows()
	}
	return rows
}

// blocks puts the points into one block per day, and new series into the table. It returns how many points it refused,
// and whether one of them because the home has too many series.
func (s *Store) blocks(h *home, c *change, x *scratch, points []Point) (refused int, excess bool, err error) {
	x.of, x.groups, x.lasts = x.of[:0], x.groups[:0], x.lasts[:0]
	next := 0
	for i := range points {
		o, full, err := s.seriesOf(h, c, &points[i], &next)
		if err != nil {
			return 0, false, err
		}
		if o == nil {
			refused += points[i].rows()
			excess = excess || full
		} else if o.fresh++; o.fresh == 1 {
			x.groups = append(x.groups, o)
		}
		x.of = append(x.of, o)
	}
	x.samples = slices.Grow(x.samples[:0], len(points))[:len(points)]
	at := int32(0)
	for _, o := range x.groups {
		o.at = at
		at += o.fresh
		o.fresh = 0
	}
	for i, o := range x.of {
		if o != nil {
			x.samples[o.at+o.fresh] = sample{points[i].Time, points[i].Value}
			o.fresh++
		}
	}
	for _, o := range x.groups {
		group := inOrder(x.samples[o.at : o.at+o.fresh])
		o.fresh = 0
		x.lasts = append(x.lasts, group[len(group)-1])
		c.appendGroup(x, o.id, group)
	}
	return refused, excess, c.setBlocks(h)
}

// seriesOf finds the series of a point, or makes it: first at next, which it sets to the place in h.order behind, since
// the points of a home mostly come in the order in which they came the first time. It returns nil for a point that is
// refused; full says that it would have been one series too many.
func (s *Store) seriesOf(h *home, c *change, p *Point, next *int) (found *one, full bool, err error) {
	if *next >= len(h.order) {
		*next = 0
	}
	if at := *next; at < len(h.order) && !p.Value.IsZero() && h.order[at].name.field == p.Field && h.order[at].name.series == p.Series {
		*next = at + 1
		return h.order[at], false, nil
	}
	if p.Value.IsZero() || len(p.Series)+len(p.Field) > maxNameLength {
		return nil, false, nil
	}
	name := seriesName{p.Series, p.Field}
	if o := h.find(name); o != nil {
		at, _ := h.placeOf(o.id)
		*next = at + 1
		return o, false, nil
	}
	if len(h.order) >= s.options.MaxSeries || c.record.nextSeries == math.MaxUint32 {
		return nil, true, nil
	}
	c.record.nextSeries++
	o := &one{id: c.record.nextSeries, name: s.keep(h, p.Series, p.Field)}
	h.mu.Lock()
	h.add(o)
	h.mu.Unlock()
	value := binary.AppendUvarint(nil, uint64(len(p.Series)))
	value = append(append(value, p.Series...), p.Field...)
	return o, false, c.batch.Set(seriesKey(kindSeries, c.record.number, o.id), value, nil)
}

// inOrder sorts samples by time and keeps the latest given of those with the same time. It changes and returns its
// argument.
func inOrder(samples []sample) []sample {
	for i := 1; ; i++ {
		if i >= len(samples) {
			return samples
		}
		if samples[i].t <= samples[i-1].t {
			break
		}
	}
	slices.SortStableFunc(samples, func(a, b sample) int {
		switch {
		case a.t < b.t:
			return -1
		case a.t > b.t:
			return 1
		}
		return 0
	})
	kept := 0
	for i := range samples {
		if kept > 0 && samples[kept-1].t == samples[i].t {
			kept--
		}
		samples[kept] = samples[i]
		kept++
	}
	return samples[:kept]
}

// appendGroup adds the points of one series to the blocks of their days.
func (c *change) appendGroup(x *scratch, id uint32, samples []sample) {
	for len(samples) > 0 {
		day, midnight := dayOf(samples[0].t)
		n := 1
		for n < len(samples) && samples[n].t-midnight < dayLength {
			n++
		}
		at := slices.IndexFunc(c.days, func(d dayBlock) bool { return d.day == day })
		if at < 0 {
			at = len(c.days)
			c.days = append(c.days, dayBlock{day: day, block: []byte{blockVersion}})
		}
		x.chunk = x.packer.appendChunk(x.chunk[:0], samples[:n], midnight)
		c.days[at].block = appendToBlock(c.days[at].block, id, x.chunk)
		samples = samples[n:]
	}
}

func (c *change) setBlocks(h *home) error {
	for _, d := range c.days {
		if err := c.batch.Set(dataKey(d.day, c.record.number, 0, c.record.nextWrite), d.block, nil); err != nil {
			return err
		}
		if h.dirty[d.day] == nil {
			if err := c.batch.Set(dirtyKey(c.record.number, d.day), []byte(h.name), nil); err != nil {
				return err
			}
		}
	}
	c.record.nextWrite++
	return nil
}
