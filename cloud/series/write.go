package series

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"hearth"
)

// Blocks of one day wait for the merge until there are mergeBlocks of them or mergeBytes; at stallBlocks the next
// Write merges them itself, so that a merge that cannot keep up slows its writers down instead of piling up.
const (
	mergeBlocks = 48
	mergeBytes  = 128 << 10
	stallBlocks = 8 * mergeBlocks
)

// Write stores one request. When it returns without an error, or with one of CodeBusy, everything that Outcome speaks
// of is on disk and survives a power cut; after any other error it is unknown how much of it is, and the same Write is
// to be tried again. Within one series the later write of the same time wins.
//
// CodeBusy: the home has too many series. The rows of those that are known are stored, the others are counted in
// Outcome.Refused and dropped in the ledger; there is no use in sending them again.
func (s *Store) Write(w Write) (Outcome, error) {
	leave, err := s.enter()
	if err != nil {
		return Outcome{}, err
	}
	defer leave()
	if w.Home == "" {
		return Outcome{}, hearth.Errorf(hearth.CodeBadValue, "a write names no home")
	}
	if err := s.room.check(time.Now()); err != nil {
		return Outcome{}, err
	}
	h, err := s.hold(w.Home)
	if err != nil {
		return Outcome{}, err
	}
	defer s.letGo(h)
	outcome, err := s.write(h, w)
	if err != nil {
		if !errors.Is(err, &hearth.Error{Code: hearth.CodeBusy}) {
			s.discard(h)
		}
		return outcome, fmt.Errorf("writing to home %s: %w", w.Home, err)
	}
	return outcome, nil
}

// write does a Write; the caller holds h.writing.
func (s *Store) write(h *home, w Write) (Outcome, error) {
	c := change{record: h.record, past: h.past, place: w.Place, received: w.Received, sync: pebble.Sync}
	if c.received.IsZero() {
		c.received = s.now()
	}
	if c.place != nil {
		c.sync = pebble.NoSync
	}
	if w.Batch != nil {
		outcome, err := s.place(&c, w)
		switch {
		case err != nil || outcome.Ahead:
			return outcome, err
		case outcome.Duplicate:
			c.sync = pebble.NoSync
			return outcome, s.commit(h, &c)
		}
	}
	if err := s.numberHome(&c.record); err != nil {
		return Outcome{}, err
	}
	c.batch = s.db.NewBatchWithSize(len(w.Points)*8 + 1024)
	defer c.batch.Close()
	scratch := s.scratch.Get().(*scratch)
	defer s.giveBack(scratch)
	refused, excess, err := s.blocks(h, &c, scratch, w.Points)
	if err != nil {
		return Outcome{}, err
	}
	outcome := Outcome{Bad: w.Bad + uint64(refused), Refused: uint64(refused)}
	good := uint64(rowsOf(w.Points) - refused)
	if err := c.gaps(w.Gaps); err != nil {
		return Outcome{}, err
	}
	if w.Batch == nil {
		c.record.base.Produced += int64(good + outcome.Bad)
		c.record.base.Received += int64(good)
		c.record.base.Dropped += int64(outcome.Bad)
	} else if err := s.count(&c, w, good, outcome.Bad); err != nil {
		return Outcome{}, err
	} else {
		outcome.Durable = *w.Batch
	}
	if s.recent != nil {
		done, err := s.recent.put(c.batch, &w, scratch.of, c.received)
		defer done()
		if err != nil {
			return Outcome{}, err
		}
	}
	if err := s.commit(h, &c); err != nil {
		return Outcome{}, err
	}
	s.written(h, &c, scratch)
	if excess {
		return outcome, hearth.Errorf(hearth.CodeBusy, "the home already has %d series, no more are taken (%d rows refused)",
			s.options.MaxSeries, refused)
	}
	return outcome, nil
}

// change is what a Write is about to make of a home.
type change struct {
	batch  *pebble.Batch // nil for a duplicate
	record homeRecord
	past   []epochRecord // replaced, never changed
	turned bool          // past is another one
	hour   HourCounts
	days   []dayBlock

	place    []byte    // in a log of writes; nil: none
	received time.Time // when it came
	sync     *pebble.WriteOptions

	forgotten []uint32 // indexes of the epochs that are no longer in past
}

type dayBlock struct {
	day   int32
	block []byte
}

// place decides what the batch is to the home: a duplicate (and then counts it), ahead, or next. For the next one it
// makes its epoch the current one.
func (s *Store) place(c *change, w Write) (Outcome, error) {
	id := *w.Batch
	if id.Epoch == "" || id.Seq == 0 {
		return Outcome{}, hearth.Errorf(hearth.CodeBadValue, "batch %s: want a named epoch and a seq from 1", id)
	}
	epoch, at := &c.record.epoch, -1
	if epoch.name != id.Epoch {
		if at = find(c.past, id.Epoch); at < 0 {
			epoch = &epochRecord{name: id.Epoch}
		} else {
			epoch = &c.past[at]
		}
	}
	outcome := Outcome{Durable: hearth.BatchID{Epoch: id.Epoch, Seq: epoch.durable}}
	switch {
	case id.Seq > epoch.durable+1:
		outcome.Ahead = true
	case id.Seq <= epoch.durable:
		outcome.Duplicate = true
		c.record.base.Duplicate += int64(uint64(rowsOf(w.Points)) + w.Bad)
		var err error
		if outcome.Bad, err = s.badOf(c.record.number, epoch, id.Seq); err != nil {
			return outcome, err
		}
		// A batch sent again may come with a snapshot that a newer one overtook; one that is next cannot.
		if at < 0 && w.Ledger != nil && (!epoch.reported || w.Ledger.Produced >= epoch.snapshot.Produced) {
			return outcome, s.report(&c.record, *w.Ledger, nil)
		}
	case epoch != &c.record.epoch:
		c.turn(*epoch, at)
	}
	return outcome, nil
}

// turn makes epoch the current one: a new one, or the one at that place of past.
func (c *change) turn(epoch epochRecord, at int) {
	past := slices.Clone(c.past)
	if at >= 0 {
		past = slices.Delete(past, at, at+1)
	} else {
		c.record.nextEpoch++
		epoch.index = c.record.nextEpoch
	}
	if c.record.epoch.name != "" {
		past = append(past, c.record.epoch)
	}
	for len(past) > maxEpochs {
		c.forgotten = append(c.forgotten, past[0].index)
		counts := past[0].counts()
		counts.Unexplained, counts.OnGateway = counts.Unexplained+counts.OnGateway, 0
		c.record.base = c.record.base.plus(counts, 1)
		past = past[1:]
	}
	c.record.epoch, c.past, c.turned = epoch, past, true
}

// badOf returns how many rows of that seq were refused.
func (s *Store) badOf(home uint32, e *epochRecord, seq uint64) (uint64, error) {
	_, before, err := s.rowsUpTo(home, e, seq-1)
	if err != nil {
		return 0, err
	}
	_, upTo, err := s.rowsUpTo(home, e, seq)
	if err != nil || before > upTo {
		return 0, err
	}
	return upTo - before, nil
}

// known is what is known of the rows up to a seq that is not on disk yet.
type known struct{ seq, good, bad uint64 }

// report takes a snapshot of the gateway into the current epoch.
func (s *Store) report(r *homeRecord, l hearth.Ledger, k *known) error {
	if k != nil && l.Durable == k.seq {
		r.epoch.take(l, k.good, k.bad)
		return nil
	}
	good, bad, err := s.rowsUpTo(r.number, &r.epoch, l.Durable)
	if err != nil {
		return err
	}
	r.epoch.take(l, good, bad)
	return nil
}

// count adds the rows of the next batch to its epoch.
func (s *Store) count(c *change, w Write, good, bad uint64) error {
	e := &c.record.epoch
	before := known{seq: e.durable, good: e.good, bad: e.bad}
	e.durable = w.Batch.Seq
	e.good += good
	e.bad += bad
	for _, g := range w.Gaps {
		e.gaps += uint64(max(0, g.Count))
	}
	rows := binary.AppendUvarint(binary.AppendUvarint(nil, e.good), e.bad)
	if err := c.batch.Set(seqKey(c.record.number, e.index, e.durable), rows, nil); err != nil {
		return err
	}
	if e.durable%(keptSeqs/8) == 0 && e.durable > keptSeqs {
		from, to := seqKey(c.record.number, e.index, 0), seqKey(c.record.number, e.index, e.durable-keptSeqs)
		if err := c.batch.DeleteRange(from, to, nil); err != nil {
			return err
		}
	}
	if w.Ledger == nil {
		return nil
	}
	return s.report(&c.record, *w.Ledger, &before)
}

func (c *change) gaps(gaps []hearth.Gap) error {
	for _, g := range gaps {
		key := gapKey(c.record.number, g.To.UnixNano(), c.record.nextWrite)
		if err := c.batch.Set(key, appendGapRecord(nil, g), nil); err != nil {
			return err
		}
		c.record.nextWrite++
	}
	return nil
}

// numberHome gives a home its number at its first write. Numbers are never used twice, so nothing a deleted home may
// have left behind comes back.
func (s *Store) numberHome(r *homeRecord) error {
	if r.number != 0 {
		return nil
	}
	s.numbering.Lock()
	defer s.numbering.Unlock()
	number, err := s.nextNumber()
	if err != nil {
		return err
	}
	if err := s.db.Set([]byte{kindCounter}, binary.BigEndian.AppendUint32(nil, number+1), pebble.NoSync); err != nil {
		return err
	}
	r.number, r.nextWrite = number, 1
	return nil
}

// nextNumber returns the number that the next new home gets.
func (s *Store) nextNumber() (uint32, error) {
	data, err := s.get([]byte{kindCounter})
	if err != nil || len(data) != 4 {
		return 1, err
	}
	return binary.BigEndian.Uint32(data), nil
}

// commit writes the change, with the ledger of the hour and the home's record, and makes it visible.
func (s *Store) commit(h *home, c *change) error {
	if c.batch == nil {
		c.batch = s.db.NewBatch()
		defer c.batch.Close()
	}
	c.record.asOf = c.received.UnixMilli()
	if err := s.countHour(h, c, c.received); err != nil {
		return err
	}
	if c.place != nil {
		if err := c.batch.Set([]byte{kindPlace}, c.place, nil); err != nil {
			return err
		}
	}
	if c.turned {
		if err := c.batch.Set(homeKey(kindEpochs, c.record.number), appendEpochs(nil, c.past), nil); err != nil {
			return err
		}
	}
	for _, index := range c.forgotten {
		prefix := seriesKey(kindSeq, c.record.number, index)
		if err := c.batch.DeleteRange(prefix, after(prefix), nil); err != nil {
			return err
		}
	}
	if err := c.batch.Set(nameKey(h.name), c.record.append(nil), nil); err != nil {
		return err
	}
	if err := c.batch.Commit(c.sync); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.record, h.past, h.hour = c.record, c.past, c.hour
	return nil
}

func (s *Store) countHour(h *home, c *change, now time.Time) error {
	c.hour = h.hour
	hour := hourOf(now)
	if start := time.Unix(hour*3600, 0).UTC(); !c.hour.Hour.Time.Equal(start) {
		c.hour = HourCounts{Hour: hearth.Time{Time: start}}
		data, err := s.get(hourKey(c.record.number, hour))
		if err != nil {
			return err
		}
		if data != nil {
			if c.hour.Counts, err = parseCounts(data); err != nil {
				return fmt.Errorf("ledger of hour %d: %w", hour, err)
			}
		}
	}
	changed := totals(&c.record, c.past).plus(totals(&h.record, h.past), -1)
	if changed == (Counts{}) {
		return nil
	}
	c.hour.Counts = c.hour.Counts.plus(changed, 1)
	return c.batch.Set(hourKey(c.record.number, hour), c.hour.Counts.append(nil), nil)
}

// written brings the memory up to date with what is now on disk, and has full days merged.
func (s *Store) written(h *home, c *change, x *scratch) {
	now := s.now()
	full, stalled := false, []int32(nil)
	h.mu.Lock()
	for i, o := range x.groups {
		o.see(x.lasts[i])
	}
	for _, d := range c.days {
		waiting := h.dirty[d.day]
		if waiting == nil {
			waiting = new(dirtyDay)
			h.dirty[d.day] = waiting
		}
		waiting.blocks++
		waiting.bytes += len(d.block)
		waiting.touched = now
		full = full || waiting.full()
		if waiting.blocks >= stallBlocks {
			stalled = append(stalled, d.day)
		}
	}
	h.mu.Unlock()
	for _, day := range stalled {
		if err := s.merge(h, day); err != nil {
			s.log.Error("merging readings into their chunks", "home", h.name, "error", err)
		}
	}
	if full {
		select {
		case s.backlog <- h.name:
		default:
		}
	}
}

func (d *dirtyDay) full() bool { return d.blocks >= mergeBlocks || d.bytes >= mergeBytes }
