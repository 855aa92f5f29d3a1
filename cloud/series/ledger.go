package series

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"hearth"
)

// The ledger says of every row a home ever produced where it is. Within one epoch (one life of a gateway's buffer):
//
//   - good(s), bad(s): rows of the seqs up to s that the receiver stored or refused. It knows them for every seq it
//     has; D is its last one.
//   - P, Dr, B, K: the gateway's snapshot: produced, dropped, backlog, and the last seq it knows to be durable. Its
//     own account is P = A + B + Dr, where A are the rows it holds for delivered.
//
// The snapshot lags: the gateway sends it before it knows what becomes of the batch it comes with, and a reply may be
// lost. Rows of the seqs K+1…D are in its backlog although they are here, so they are taken out of it; those of them
// that were refused are dropped, which the gateway does not know yet:
//
//	received   = good(D)
//	on_gateway = B − (good(D) − good(K)) − (bad(D) − bad(K))
//	dropped    = Dr + (bad(D) − bad(K)) + untold
//	unexplained = P − received − dropped − on_gateway  =  A − good(K) − untold
//
// So unexplained does not depend on how far the snapshot lags: it compares what the gateway holds for delivered with
// what arrived. It is 0 for an honest gateway, positive where rows vanished, negative where rows arrived that the
// gateway does not own up to.
//
// untold: when the reply naming refused rows is lost, and the gateway learns from Sync alone that they are durable, it
// counts them as delivered for ever. Then A exceeds good(K), by no more than the bad rows of the seqs it learned of
// since the last snapshot: so much of an excess is put down to that, and any more is not.
//
// A gateway that gave a row up (the cap) and then learns that it had arrived after all must take it out of its dropped;
// one that does not has a negative unexplained.
//
// Epochs add up. When a new one begins, the buffer of the old one is gone, and what was on_gateway then becomes
// unexplained, because nobody accounts for it. A gap record of the new epoch does: rows in its gaps beyond what the
// epoch itself counts as dropped explain as many of them and become dropped. An old epoch that comes back (a buffer
// thought lost) goes on where it stopped and takes its on_gateway back.
//
// A plain write counts as produced and received alike. Ledger, points and batch numbers are one atomic write; a
// receiver restored from a backup has the ledger of that moment, its Sync answers lower, and the gateway's resending
// and its next snapshot bring both in line again.
type epochRecord struct {
	name    string
	index   uint32 // in the keys of its seqs
	durable uint64
	good    uint64
	bad     uint64
	gaps    uint64 // rows told by gap records

	reported bool // a snapshot has come; until then what arrived is all there is
	snapshot hearth.Ledger
	goodAtK  uint64
	badAtK   uint64
	untold   uint64
}

// Counts are rows. Of an hour they are changes: on_gateway and unexplained may be negative there.
type Counts struct {
	Produced    int64 `json:"produced"`
	Received    int64 `json:"received"`
	Duplicate   int64 `json:"duplicate"`
	Dropped     int64 `json:"dropped"`
	OnGateway   int64 `json:"on_gateway"`
	Unexplained int64 `json:"unexplained"`
}

// HourCounts are the changes of one hour of receipt.
type HourCounts struct {
	Hour hearth.Time `json:"hour"`
	Counts
}

// A LedgerReport is a home's account, as of the last thing its gateway said.
type LedgerReport struct {
	AsOf  hearth.Time  `json:"as_of"` // null before the first write
	Total Counts       `json:"total"`
	Hours []HourCounts `json:"hours"` // only those in which something changed, oldest first
}

func (c Counts) plus(d Counts, sign int64) Counts {
	c.Produced += sign * d.Produced
	c.Received += sign * d.Received
	c.Duplicate += sign * d.Duplicate
	c.Dropped += sign * d.Dropped
	c.OnGateway += sign * d.OnGateway
	c.Unexplained += sign * d.Unexplained
	return c
}

// counts is the epoch's account by the rules above.
func (e *epochRecord) counts() Counts {
	if !e.reported {
		return Counts{Produced: int64(e.good + e.bad), Received: int64(e.good), Dropped: int64(e.bad)}
	}
	newGood, newBad := int64(e.good-e.goodAtK), int64(e.bad-e.badAtK)
	c := Counts{
		Produced:  int64(e.snapshot.Produced),
		Received:  int64(e.good),
		Dropped:   int64(e.snapshot.Dropped) + newBad + int64(e.untold),
		OnGateway: int64(e.snapshot.Backlog) - newGood - newBad,
	}
	c.Unexplained = c.Produced - c.Received - c.Dropped - c.OnGateway
	return c
}

// excess is how many rows its gap records tell beyond its own drops.
func (e *epochRecord) excess() int64 {
	return max(0, int64(e.gaps)-e.counts().Dropped)
}

// take makes l the epoch's snapshot. goodAtK and badAtK are the rows up to l.Durable. The caller has made sure that no
// newer one overtook it.
func (e *epochRecord) take(l hearth.Ledger, goodAtK, badAtK uint64) {
	delivered := int64(l.Produced) - int64(l.Backlog) - int64(l.Dropped)
	excuse := int64(badAtK)
	if e.reported && badAtK >= e.badAtK {
		excuse = int64(badAtK - e.badAtK)
	} else {
		e.untold = 0
	}
	slack := delivered - int64(goodAtK) - int64(e.untold)
	e.untold = uint64(int64(e.untold) + min(max(slack, -int64(e.untold)), excuse))
	e.reported, e.snapshot, e.goodAtK, e.badAtK = true, l, goodAtK, badAtK
}

// totals adds up all epochs of a home.
func totals(r *homeRecord, past []epochRecord) Counts {
	sum := r.base.plus(r.epoch.counts(), 1)
	excess, left := r.epoch.excess(), int64(0)
	for i := range past {
		c := past[i].counts()
		left += c.OnGateway
		c.Unexplained, c.OnGateway = c.Unexplained+c.OnGateway, 0
		sum = sum.plus(c, 1)
		excess += past[i].excess()
	}
	told := min(excess, max(left, 0))
	sum.Dropped += told
	sum.Unexplained -= told
	return sum
}

// rowsUpTo returns the rows of the epoch's seqs up to seq. Counts older than keptSeqs are no longer known by the seq;
// the oldest known ones stand for them.
func (s *Store) rowsUpTo(home uint32, e *epochRecord, seq uint64) (good, bad uint64, err error) {
	switch {
	case seq == 0:
		return 0, 0, nil
	case seq >= e.durable:
		return e.good, e.bad, nil
	case e.reported && seq == e.snapshot.Durable:
		return e.goodAtK, e.badAtK, nil
	}
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: seqKey(home, e.index, seq), UpperBound: seqKey(home, e.index, e.durable+1),
	})
	if err != nil {
		return 0, 0, fmt.Errorf("reading the rows up to a seq: %w", err)
	}
	defer it.Close()
	if !it.First() {
		return e.good, e.bad, it.Error()
	}
	r := reader{data: it.Value()}
	good, bad = r.uvarint(), r.uvarint()
	if r.bad {
		return 0, 0, fmt.Errorf("reading the rows up to seq %d: %w", seq, errCorrupt)
	}
	return good, bad, nil
}

// Ledger returns the home's account: with neither from nor to, the total since the home's first row and all hours
// that are kept; else the hours that begin in [from's hour, to) and their sum, a zero end meaning open.
func (s *Store) Ledger(home string, from, to time.Time) (LedgerReport, error) {
	report := LedgerReport{Hours: []HourCounts{}}
	leave, err := s.enter()
	if err != nil {
		return report, err
	}
	defer leave()
	h, err := s.homes.acquire(home)
	if err != nil {
		return report, err
	}
	defer s.homes.release(h)
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.record.asOf != 0 {
		report.AsOf = hearth.Time{Time: time.UnixMilli(h.record.asOf).UTC()}
	}
	first, last := hourOf(from), hourOf(to)
	if !to.Truncate(time.Hour).Equal(to) {
		last++
	}
	lower, upper := homeKey(kindHour, h.record.number), after(homeKey(kindHour, h.record.number))
	if !from.IsZero() {
		lower = hourKey(h.record.number, first)
	}
	if !to.IsZero() {
		upper = hourKey(h.record.number, max(first, last))
	}
	if report.Hours, err = s.hours(lower, upper); err != nil {
		return report, fmt.Errorf("reading the ledger of home %s: %w", home, err)
	}
	if from.IsZero() && to.IsZero() {
		report.Total = totals(&h.record, h.past)
		return report, nil
	}
	for _, hour := range report.Hours {
		report.Total = report.Total.plus(hour.Counts, 1)
	}
	return report, nil
}

func (s *Store) hours(lower, upper []byte) ([]HourCounts, error) {
	hours := []HourCounts{}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return hours, err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		counts, err := parseCounts(it.Value())
		if err != nil {
			return hours, err
		}
		hour := int64(binary.BigEndian.Uint64(it.Key()[homeKeyLength:]) ^ 1<<63)
		hours = append(hours, HourCounts{Hour: hearth.Time{Time: time.Unix(hour*3600, 0).UTC()}, Counts: counts})
	}
	return hours, it.Error()
}

func hourOf(t time.Time) int64 { return t.Truncate(time.Hour).Unix() / 3600 }

// find returns where in past the epoch of that name is, or -1.
func find(past []epochRecord, name string) int {
	return slices.IndexFunc(past, func(e epochRecord) bool { return e.name == name })
}
