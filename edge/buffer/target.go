package buffer

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"hearth"
)

// A cursor is what is known of one target: everything up to Seq is settled with it, either acknowledged or dropped for
// good. All other figures of its ledger follow from that, so that they add up at every moment:
//
//	dropped = settled as dropped + what is gone beyond Seq; acknowledged = Rows - settled as dropped
type cursor struct {
	Seq     uint64       `json:"seq"`
	Rows    uint64       `json:"rows"` // of the epoch up to Seq
	Settled []settlement `json:"settled,omitempty"`
	// Told are the ranges of gone seqs for which a gap record was handed out, on their first. It is on disk before
	// the record is handed out: of what is gone and not told, a target that says it is beyond must have had the rows
	// themselves.
	Told    []stretch `json:"told,omitempty"`
	High    uint64    `json:"high"` // the highest Seq ever: what is gone below it was lost by the receiver
	Version uint64    `json:"version"`
	At      int64     `json:"at,omitempty"` // unix ms of the last acknowledgement
}

// A stretch is a range of seqs, both ends included.
type stretch struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

func (s stretch) compare(seq uint64) int { return cmp.Compare(s.First, seq) }

// A settlement says how many rows up to Seq were dropped for good in all.
type settlement struct {
	Seq  uint64 `json:"seq"`
	Rows uint64 `json:"rows"`
}

const (
	maxSettled = 256 // remembered for a rewind; older ones are merged
	maxTold    = 256
	maxParked  = 100
	maxGaps    = 500
	maxLine    = 2000    // bytes of a parked line
	maxSkip    = 1 << 20 // seqs that a receiver may be ahead
)

func (c *cursor) dropped() uint64 {
	if len(c.Settled) == 0 {
		return 0
	}
	return c.Settled[len(c.Settled)-1].Rows
}

func (c *cursor) settle(seq, rows uint64) {
	if rows == 0 {
		return
	}
	c.Settled = append(c.Settled, settlement{seq, c.dropped() + rows})
	c.Settled = c.Settled[max(0, len(c.Settled)-maxSettled):]
}

// toldRows counts the rows of gone seqs in (from, to] whose gap the target was told.
func (c *cursor) toldRows(list []*gone, from, to uint64) uint64 {
	var sum uint64
	for _, told := range c.Told {
		for _, g := range list {
			first, last := max(told.First, g.First, from+1), min(told.Last, g.Last, to)
			if first <= last {
				sum += g.through(last) - g.through(first-1)
			}
		}
	}
	return sum
}

// advance moves the cursor forward; rows is what the epoch holds up to seq, refused what the target did not take.
func (c *cursor) advance(list []*gone, seq, rows, refused uint64) {
	lost := c.toldRows(list, c.Seq, seq)
	rows = max(rows, c.Rows)
	c.settle(seq, min(lost+refused, rows-c.Rows))
	c.Seq, c.Rows, c.High = seq, rows, max(c.High, seq)
	c.Version++
}

// rewind moves it back.
func (c *cursor) rewind(list []*gone, seq, rows uint64) {
	rows = min(rows, c.Rows)
	var base settlement
	for _, s := range c.Settled {
		if s.Seq <= seq {
			base = s
		}
	}
	c.Settled = slices.DeleteFunc(c.Settled, func(s settlement) bool { return s.Seq > seq })
	lost := c.toldRows(list, base.Seq, seq)
	if base.Rows < rows {
		c.settle(seq, min(lost, rows-base.Rows))
	} else if len(c.Settled) > 0 {
		c.Settled = []settlement{{seq, rows}}
	}
	c.Told = slices.DeleteFunc(c.Told, func(told stretch) bool { return told.First > seq })
	c.Seq, c.Rows = seq, rows
	c.Version++
}

// tell returns the stretch that the gap record of a gone seq covers, where it begins, and whether it is a new one.
func (c *cursor) tell(g *gone, seq uint64) (told stretch, start bool) {
	at, known := slices.BinarySearchFunc(c.Told, seq, stretch.compare)
	if known {
		return c.Told[at], false
	}
	if at > 0 && c.Told[at-1].Last >= seq {
		return c.Told[at-1], false
	}
	told = stretch{seq, g.Last}
	if at < len(c.Told) {
		told.Last = min(told.Last, c.Told[at].First-1)
	}
	c.Told = slices.Insert(c.Told, at, told)
	c.Told = c.Told[max(0, len(c.Told)-maxTold):]
	c.Version++
	return told, true
}

// Block is what one seq has for a target.
type Block struct {
	Seq  uint64
	Rows int // 0 for what is gone: gap records are not counted
	// Body is zstd of line protocol, in ms: readings, or the gap record of a range that is gone, on its first seq.
	// nil where there is nothing to say; the seq must be sent all the same where seqs are sent.
	Body        []byte
	First, Last time.Time
}

// Rejected is what a target refused: so many rows of a block, or one line of it.
type Rejected struct {
	Seq         uint64
	Rows        int
	First, Last time.Time
	Line        string // for a person to look at
	Reason      string
}

// Next returns the block after the target's cursor. false: there is nothing to send, also while it waits for the clock.
func (b *Buffer) Next(target string) (Block, bool, error) {
	b.mu.Lock()
	c, err := b.target(target)
	if err != nil {
		b.mu.Unlock()
		return Block{}, false, err
	}
	after := c.Seq
	b.mu.Unlock()
	blocks, err := b.Peek(target, after, 1)
	if err != nil || len(blocks) == 0 {
		return Block{}, false, err
	}
	return blocks[0], true, nil
}

func (b *Buffer) target(name string) (*cursor, error) {
	if c := b.targets[name]; c != nil && slices.Contains(b.names, name) {
		return c, nil
	}
	return nil, hearth.Errorf(hearth.CodeNotFound, "the buffer has no target %s", name)
}

// Acknowledge says that everything up to seq is durable at the target, less what it rejected: that is dropped, with a
// gap, and parked. A receiver that has more than was known (it names a seq that was never handed out) is believed.
// The cursor is saved within seconds, with the next commit, and on Close.
func (b *Buffer) Acknowledge(target string, seq uint64, rejected ...Rejected) error {
	if err := b.skipTo(seq); err != nil {
		return fmt.Errorf("acknowledging %d: %w", seq, err)
	}
	rows, err := b.through(seq)
	if err != nil {
		return fmt.Errorf("acknowledging %d: %w", seq, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c, err := b.target(target)
	if err != nil {
		return err
	}
	var refused uint64
	for _, r := range rejected {
		if r.Seq > c.Seq && r.Seq <= seq {
			refused += uint64(max(r.Rows, 0))
			b.park(r)
		}
	}
	now := b.o.Now()
	if c.At = now.UnixMilli(); seq > c.Seq {
		c.advance(b.gone, seq, rows, refused)
	}
	b.dirty = true
	return nil
}

// skipTo makes room for what a receiver has and this gateway lost without a trace: its seqs must not be used again,
// for the receiver would take what they hold for duplicates.
func (b *Buffer) skipTo(seq uint64) error {
	b.mu.Lock()
	ahead := seq >= b.next
	b.mu.Unlock()
	if !ahead {
		return nil
	}
	b.disk.Lock() // no commit may be under way
	defer b.disk.Unlock()
	b.mu.Lock()
	next := b.next
	if seq >= next && seq-next < maxSkip {
		b.leap(seq + 1)
	}
	b.mu.Unlock()
	if seq >= next && seq-next >= maxSkip {
		return hearth.Errorf(hearth.CodeConflict, "there is no block %d: the last one is %d", seq, next-1)
	}
	b.o.Log.Error("a receiver has more than this gateway remembers; going on after it", "seq", seq, "remembered", next-1)
	return b.save()
}

// leap leaves out the seqs up to next, as lost; mu is held.
func (b *Buffer) leap(next uint64) {
	if next <= b.next {
		return
	}
	now := b.o.Now().UnixMilli()
	b.gone = addGone(b.gone, &gone{First: b.next, Last: next - 1, Before: b.produced, After: b.produced, From: now, To: now, Reason: hearth.GapDamaged})
	b.next, b.dirty = next, true
}

func (b *Buffer) park(r Rejected) {
	r.Line = r.Line[:min(len(r.Line), maxLine)]
	b.parked = append(b.parked, r)
	b.parked = slices.Clone(b.parked[max(0, len(b.parked)-maxParked):])
	from, to := hearth.Time{Time: r.First.UTC()}, hearth.Time{Time: r.Last.UTC()}
	if n := len(b.gaps); n > 0 && from.Sub(b.gaps[n-1].To.Time).Abs() < time.Minute {
		last := &b.gaps[n-1]
		if last.To.Before(to.Time) {
			last.To = to
		}
		if from.Before(last.From.Time) {
			last.From = from
		}
		last.Count += int64(r.Rows)
		return
	}
	b.gaps = append(b.gaps, hearth.Gap{From: from, To: to, Count: int64(r.Rows), Reason: hearth.GapRejected})
	b.gaps = slices.Clone(b.gaps[max(0, len(b.gaps)-maxGaps):])
}

// Parked returns the last 100 things that targets refused, oldest first.
func (b *Buffer) Parked() []Rejected {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.parked)
}

// Rewind says that the target has only what is up to seq: what is held after it is handed out once more, and what is
// not becomes a gap. A seq beyond the cursor is an acknowledgement.
func (b *Buffer) Rewind(target string, seq uint64) error {
	rows, err := b.through(seq)
	if err != nil {
		return fmt.Errorf("rewinding to %d: %w", seq, err)
	}
	b.disk.Lock()
	b.mu.Lock()
	c, err := b.target(target)
	if err == nil && seq < c.Seq {
		c.rewind(b.gone, seq, rows)
		b.announce()
		b.mu.Unlock()
		err = b.save() // so that what a commit carries along never has to take back what this file says
		b.disk.Unlock()
		return err
	}
	b.mu.Unlock()
	b.disk.Unlock()
	if err != nil {
		return err
	}
	return b.Acknowledge(target, seq)
}

// outdone takes over a newer cursor that was carried along with a commit, which leaves out what the state file has.
func (c *cursor) outdone(newer cursor) {
	settled, told := c.Settled, c.Told
	*c = newer
	if len(c.Settled) > 0 {
		settled = slices.DeleteFunc(settled, func(s settlement) bool { return s.Seq >= c.Settled[0].Seq })
		c.Settled = append(settled, c.Settled...)
	}
	for _, one := range told {
		if at, known := slices.BinarySearchFunc(c.Told, one.First, stretch.compare); !known {
			c.Told = slices.Insert(c.Told, at, one)
		}
	}
}

// Ledger returns one snapshot of the account with a target; zero for one that is not known.
func (b *Buffer) Ledger(target string) hearth.Ledger {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, err := b.target(target)
	if err != nil {
		return hearth.Ledger{}
	}
	ahead := goneAfter(b.gone, c.Seq, c.Rows)
	return hearth.Ledger{Produced: b.produced, Dropped: c.dropped() + ahead, Backlog: b.produced - c.Rows - ahead, Durable: c.Seq}
}

// TargetStats is a target's account in rows.
type TargetStats struct {
	Acknowledged, Dropped, Backlog uint64
	LastAcknowledged               time.Time // zero if never
}

// Target returns one snapshot of a target's account; zero for one that is not known.
func (b *Buffer) Target(target string) TargetStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, err := b.target(target)
	if err != nil {
		return TargetStats{}
	}
	ahead := goneAfter(b.gone, c.Seq, c.Rows)
	s := TargetStats{Acknowledged: c.Rows - c.dropped(), Dropped: c.dropped() + ahead, Backlog: b.produced - c.Rows - ahead}
	if c.At > 0 {
		s.LastAcknowledged = time.UnixMilli(c.At).UTC()
	}
	return s
}

// Peek returns up to max blocks after a seq at or beyond the target's cursor, in order and without a hole. It stops
// before a block that waits for the clock.
func (b *Buffer) Peek(target string, after uint64, max int) ([]Block, error) {
	blocks, told, err := b.peek(target, after, max)
	if err != nil {
		return nil, fmt.Errorf("reading blocks after %d: %w", after, err)
	}
	if told {
		b.disk.Lock()
		err = b.save()
		b.disk.Unlock()
	}
	if err != nil {
		return nil, fmt.Errorf("noting a gap before it is sent: %w", err)
	}
	return blocks, nil
}

func (b *Buffer) peek(target string, after uint64, limit int) (blocks []Block, told bool, err error) {
	for seq := after + 1; len(blocks) < limit; { // every seq below b.next is either held or gone
		b.mu.Lock()
		c, err := b.target(target)
		if err != nil || seq >= b.next {
			b.mu.Unlock()
			return blocks, told, err
		}
		if g := goneAt(b.gone, seq); g != nil {
			block, start := b.tombstone(c, g, seq)
			b.mu.Unlock()
			if block.Body, err = b.gapBody(block.Body); err != nil {
				return nil, false, err
			}
			blocks, told, seq = append(blocks, block), told || start, seq+1
			continue
		}
		b.mu.Unlock()
		more, waits, err := b.held(seq, limit-len(blocks))
		if err != nil {
			return nil, false, err
		}
		if waits {
			return append(blocks, more...), told, nil
		}
		blocks, seq = append(blocks, more...), seq+uint64(len(more))
	}
	return blocks, told, nil
}

// held returns blocks that are held from seq on, up to where something is gone; waits: the next one is untrusted.
func (b *Buffer) held(from uint64, limit int) (blocks []Block, waits bool, err error) {
	err = b.scan(from, nil, func(found *block) error {
		if found.seq != from+uint64(len(blocks)) {
			return errStop
		}
		if waits = found.untrusted(); waits {
			return errStop
		}
		blocks = append(blocks, Block{
			Seq: found.seq, Rows: found.rows, Body: slices.Clone(found.payload),
			First: time.UnixMilli(found.first).UTC(), Last: time.UnixMilli(found.last).UTC(),
		})
		if len(blocks) == limit {
			return errStop
		}
		return nil
	})
	return blocks, waits, err
}

// tombstone returns what to send for a seq that is gone, its body not yet packed: on the first seq that the target
// does not know of, the gap; mu is held. start: the target was not told yet.
func (b *Buffer) tombstone(c *cursor, g *gone, seq uint64) (block Block, start bool) {
	block = Block{Seq: seq, First: time.UnixMilli(g.From).UTC(), Last: time.UnixMilli(g.To).UTC()}
	if g.After == g.Before {
		return block, false
	}
	told, start := c.tell(g, seq)
	b.dirty = b.dirty || start
	if told.First != seq {
		return block, start // an earlier seq tells it
	}
	rows := g.through(told.Last) - g.through(seq-1)
	if rows == 0 {
		return block, start
	}
	reason := g.Reason
	switch {
	case reason == "" && seq <= c.High:
		reason = hearth.GapLost
	case reason == "":
		reason = hearth.GapCap
	}
	block.Body = hearth.AppendGap(nil, g.gap(reason, rows), "")
	return block, start
}

func (b *Buffer) gapBody(line []byte) ([]byte, error) {
	if line == nil {
		return nil, nil
	}
	p, err := newPacker() // rare, and the other one belongs to whoever commits
	if err != nil {
		return nil, err
	}
	return p.zstdOf(line), nil
}
