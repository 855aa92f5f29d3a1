package series

import (
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"hearth"
)

// History returns one series of a home over [from, to) in at most points buckets, and the home's gaps that overlap
// it. A home or series that is not known has no points; texts are counted in none. Where stored readings do not
// decode, a gap of reason damaged stands for them.
func (s *Store) History(home, series, field string, from, to time.Time, points int) (hearth.History, error) {
	history := hearth.History{Points: []hearth.Bucket{}, Gaps: []hearth.Gap{}}
	if !from.Before(to) {
		return history, nil
	}
	down := hearth.NewDownsampler(from, to, points)
	v := visit{
		whole: func(c summary) bool {
			return down.AddSpan(timeOf(c.first).Time, timeOf(c.last).Time, c.min, c.sum, c.max, int64(c.count))
		},
		point: func(p sample) bool {
			down.Add(time.Unix(0, p.t), p.v)
			return true
		},
		damaged: func(first, last int64) {
			history.Gaps = append(history.Gaps, hearth.Gap{From: timeOf(first), To: timeOf(last), Reason: hearth.GapDamaged})
		},
	}
	if err := s.visit(home, seriesName{series, field}, from, to, v, &history.Gaps); err != nil {
		return hearth.History{Points: []hearth.Bucket{}, Gaps: []hearth.Gap{}}, fmt.Errorf("reading the history of home %s: %w", home, err)
	}
	history.Points = down.Points()
	return history, nil
}

// Points visits the points of one series of a home over [from, to) in the order of time, each time once, until each
// returns false. What does not decode is passed over and logged.
func (s *Store) Points(home, series, field string, from, to time.Time, each func(t int64, v hearth.Value) bool) error {
	v := visit{
		whole:   func(summary) bool { return false },
		point:   func(p sample) bool { return each(p.t, p.v) },
		damaged: func(int64, int64) {},
	}
	if err := s.visit(home, seriesName{series, field}, from, to, v, nil); err != nil {
		return fmt.Errorf("reading points of home %s: %w", home, err)
	}
	return nil
}

// visit is who reads a series. Per chunk, whole may take it by its summary; else point gets its points, and false
// ends the reading.
type visit struct {
	whole   func(summary) bool
	point   func(sample) bool
	damaged func(first, last int64)
}

func (s *Store) visit(name string, which seriesName, from, to time.Time, v visit, gaps *[]hearth.Gap) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	h, err := s.homes.acquire(name)
	if err != nil {
		return err
	}
	defer s.homes.release(h)
	h.mu.RLock()
	number, one := h.record.number, h.find(which)
	h.mu.RUnlock()
	if number == 0 {
		return nil
	}
	first, end := nanosecond(from), nanosecond(to)
	if gaps != nil {
		if *gaps, err = s.gaps(number, first, end); err != nil {
			return err
		}
	}
	if one == nil || first >= end {
		return nil
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindData}, UpperBound: []byte{kindData + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	c := &cursor{visit: v, store: s, it: it, home: number, series: one.id, first: first, end: end}
	return c.days()
}

// nanosecond returns t in unix nanoseconds, the nearest there is for a time beyond them.
func nanosecond(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// gaps returns the home's gaps that overlap [first, end). One without length counts where it begins.
func (s *Store) gaps(home uint32, first, end int64) ([]hearth.Gap, error) {
	gaps := []hearth.Gap{}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: gapKey(home, first, 0), UpperBound: after(homeKey(kindGap, home))})
	if err != nil {
		return gaps, err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		g, err := parseGapRecord(it.Value())
		if err != nil {
			return gaps, err
		}
		from, to := g.From.UnixNano(), g.To.UnixNano()
		if from < end && (to > first || from >= first) {
			gaps = append(gaps, g)
		}
	}
	return gaps, it.Error()
}

// cursor reads one series. Everything it sees is of one moment.
type cursor struct {
	visit
	store        *Store
	it           *pebble.Iterator
	home, series uint32
	first, end   int64

	day      int32
	midnight int64
	blocks   []sample // the points of the day's blocks, in order
	chunk    []sample
	united   []sample
	stopped  bool
}

func (c *cursor) days() error {
	day, _ := dayOf(c.first)
	last, _ := dayOf(c.end - 1)
	for ; day <= last && !c.stopped; day++ {
		c.it.SeekGE(dataPrefix(day, c.home))
		if !c.it.Valid() {
			break
		}
		found, home, _, _, ok := parseDataKey(c.it.Key())
		switch {
		case !ok:
			return errCorrupt
		case home > c.home: // nothing of this home up to and with that day
			day = found
			continue
		case home < c.home: // nothing before that day, which the next turn looks at
			day = found - 1
			continue
		}
		day = found
		if day > last {
			break
		}
		c.day, c.midnight = day, int64(day)*dayLength
		c.readBlocks()
		c.readChunks()
	}
	return c.it.Error()
}

// inside reports whether the iterator stands on a key of that series (0: a block) and this day.
func (c *cursor) inside(series uint32) (n uint64, ok bool) {
	if !c.it.Valid() {
		return 0, false
	}
	day, home, id, n, ok := parseDataKey(c.it.Key())
	return n, ok && day == c.day && home == c.home && id == series
}

func (c *cursor) readBlocks() {
	c.blocks = c.blocks[:0]
	for ; ; c.it.Next() {
		if _, ok := c.inside(0); !ok {
			break
		}
		broken := eachInBlock(c.it.Value(), func(id uint32, chunk []byte) {
			if id != c.series {
				return
			}
			var err error
			if c.blocks, err = decodeChunk(c.blocks, chunk, c.midnight); err != nil {
				c.lost(c.midnight, c.midnight+dayLength)
			}
		})
		if broken != nil {
			c.lost(c.midnight, c.midnight+dayLength)
		}
	}
	c.blocks = inOrder(c.blocks)
	for len(c.blocks) > 0 && c.blocks[0].t < c.first {
		c.blocks = c.blocks[1:]
	}
}

func (c *cursor) lost(first, end int64) {
	c.store.damaged.Add(1)
	c.store.log.Error("stored readings do not decode and are left out", "day", timeOf(c.midnight).Format("2006-01-02"))
	c.damaged(max(first, c.first), min(end, c.end))
}

// readChunks goes through the day's chunks, with the points of blocks laid over them.
func (c *cursor) readChunks() {
	if _, ok := c.inside(c.series); !ok {
		c.it.SeekGE(dataKey(c.day, c.home, c.series, 0))
	}
	for ; !c.stopped; c.it.Next() {
		start, ok := c.inside(c.series)
		if !ok {
			break
		}
		begins := c.midnight + int64(start)
		if begins >= c.end {
			break
		}
		c.emitBlocks(begins)
		c.readChunk(begins, c.it.Value())
	}
	c.emitBlocks(math.MaxInt64)
}

// emitBlocks emits the points of blocks before that time.
func (c *cursor) emitBlocks(before int64) {
	for len(c.blocks) > 0 && c.blocks[0].t < before && !c.stopped {
		c.emit(c.blocks[0])
		c.blocks = c.blocks[1:]
	}
}

func (c *cursor) readChunk(begins int64, data []byte) {
	head, err := readSummaryOf(data, c.midnight)
	if err != nil || head.first != begins {
		c.lost(begins, c.midnight+dayLength)
		return
	}
	if head.last < c.first {
		return
	}
	over := 0
	for over < len(c.blocks) && c.blocks[over].t <= head.last {
		over++
	}
	if over == 0 && head.numeric && head.first >= c.first && head.last < c.end && c.whole(head) {
		return
	}
	if c.chunk, err = decodeChunk(c.chunk[:0], data, c.midnight); err != nil {
		c.lost(head.first, head.last+1)
		return
	}
	points := c.chunk
	if over > 0 {
		c.united = overlay(c.united[:0], c.chunk, c.blocks[:over])
		points, c.blocks = c.united, c.blocks[over:]
	}
	for i := range points {
		if c.stopped {
			return
		}
		c.emit(points[i])
	}
}

func (c *cursor) emit(p sample) {
	if p.t < c.first || p.t >= c.end {
		return
	}
	c.stopped = !c.point(p)
}
