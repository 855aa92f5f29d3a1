package buffer

import (
	"cmp"
	"slices"
	"time"

	"hearth"
)

// gone is a range of seqs whose blocks are no longer held, or must never be sent. For a target that lacks them it is
// a tombstone: they count as dropped, and are sent as a gap record.
type gone struct {
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
	Before uint64 `json:"before"` // rows of the epoch before First and after Last
	After  uint64 `json:"after"`
	From   int64  `json:"from"` // unix ms
	To     int64  `json:"to"`
	Reason string `json:"reason,omitempty"` // "" when every target had them
	// Counts are the rows of each seq, at most maxRows, for a target that turns out to have some of them. Without
	// them, rows are spread evenly.
	Counts []byte `json:"counts,omitempty"`
}

const (
	maxGone   = 64       // ranges; beyond, neighbours are merged and lose their counts
	maxCounts = 16 << 10 // seqs of a range that grows by merging and keeps them
)

// through returns the rows of the epoch up to and including seq, which is in the range or just before it.
func (g *gone) through(seq uint64) uint64 {
	switch {
	case seq < g.First:
		return g.Before
	case seq >= g.Last:
		return g.After
	case len(g.Counts) == 0:
		return g.Before + (g.After-g.Before)*(seq-g.First+1)/(g.Last-g.First+1)
	}
	sum := g.Before
	for _, n := range g.Counts[:min(seq-g.First+1, uint64(len(g.Counts)))] {
		sum += uint64(n)
	}
	return min(sum, g.After)
}

func (g *gone) gap(reason string, rows uint64) hearth.Gap {
	return hearth.Gap{
		From: hearth.Time{Time: time.UnixMilli(g.From).UTC()}, To: hearth.Time{Time: time.UnixMilli(g.To).UTC()},
		Count: int64(rows), Reason: reason,
	}
}

// goneAt returns the range that holds seq, nil if it is held.
func goneAt(list []*gone, seq uint64) *gone {
	i, found := slices.BinarySearchFunc(list, seq, func(g *gone, seq uint64) int {
		switch {
		case g.Last < seq:
			return -1
		case g.First > seq:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return list[i]
}

// goneAfter counts the rows that are gone beyond a cursor with so many rows up to it.
func goneAfter(list []*gone, cursor, rows uint64) uint64 {
	var sum uint64
	for _, g := range list {
		if g.Last > cursor && g.After > max(g.Before, rows) {
			sum += g.After - max(g.Before, rows)
		}
	}
	return sum
}

// without cuts what is already gone out of a range that goes now, so that nothing is counted twice.
func without(list []*gone, g *gone) []*gone {
	var pieces []*gone
	rest := *g
	for _, old := range list {
		if old.Last < rest.First || old.First > rest.Last {
			continue
		}
		if old.First > rest.First {
			pieces = append(pieces, rest.cut(rest.First, old.First-1, rest.Before, old.Before))
		}
		if old.Last >= rest.Last {
			return pieces
		}
		rest = *rest.cut(old.Last+1, rest.Last, old.After, rest.After)
	}
	return append(pieces, &rest)
}

func (g *gone) cut(first, last, before, after uint64) *gone {
	part := *g
	part.First, part.Last, part.Before, part.After, part.Counts = first, last, before, max(before, after), nil
	if uint64(len(g.Counts)) == g.Last-g.First+1 {
		part.Counts = g.Counts[first-g.First : last-g.First+1]
	}
	return &part
}

// addGone returns the list with a range more. Neighbours that nobody lacks become one; when there are too many, others
// that are alike do, too.
func addGone(list []*gone, g *gone) []*gone {
	list = slices.Clone(list)
	for _, piece := range without(list, g) {
		at, _ := slices.BinarySearchFunc(list, piece.First, func(g *gone, seq uint64) int { return cmp.Compare(g.First, seq) })
		list = slices.Insert(list, at, piece)
	}
	for i := 1; i < len(list); {
		if one := list[i-1].join(list[i], len(list) > maxGone); one != nil {
			list = slices.Delete(list, i, i+1)
			list[i-1] = one
			continue
		}
		i++
	}
	return list
}

// splitAt cuts a range in two behind seq, where a cursor remembers how many rows there are up to it: that is how many
// were acknowledged, and an even spread would say otherwise.
func splitAt(list []*gone, seq, rows uint64) []*gone {
	g := goneAt(list, seq)
	if g == nil || seq == g.Last || len(g.Counts) > 0 || rows < g.Before || rows > g.After {
		return list
	}
	at := slices.Index(list, g)
	return slices.Replace(slices.Clone(list), at, at+1, g.cut(g.First, seq, g.Before, rows), g.cut(seq+1, g.Last, rows, g.After))
}

// join returns two neighbours as one, nil if they are better kept apart.
func (g *gone) join(next *gone, pressed bool) *gone {
	if g.Last+1 != next.First || g.After != next.Before || g.Reason != next.Reason {
		return nil
	}
	one := &gone{First: g.First, Last: next.Last, Before: g.Before, After: next.After, From: min(g.From, next.From), To: max(g.To, next.To), Reason: g.Reason}
	if len(g.Counts) > 0 && len(next.Counts) > 0 && len(g.Counts)+len(next.Counts) <= maxCounts {
		one.Counts = slices.Concat(g.Counts, next.Counts)
	}
	if pressed || g.Reason == "" && (one.Counts != nil || len(g.Counts)+len(next.Counts) == 0) {
		return one
	}
	return nil
}
