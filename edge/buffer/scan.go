package buffer

import (
	"errors"
	"slices"

	"hearth"
)

const maxRescues = 64 // of one scan: more than there are segments to set aside at once

// view is what there was at one moment.
type view struct {
	segments []*segment
	about    []about
	gone     []*gone
}

// look takes a view; mu is held.
func (b *Buffer) look() view {
	v := view{segments: b.segments, gone: b.gone, about: make([]about, len(b.segments))}
	for i, s := range b.segments {
		v.about[i] = s.about
	}
	return v
}

// scan calls each for the blocks that are held, from a seq on, in order, passing over segments that want refuses. It
// ends without an error at errStop. What it finds damaged is set aside, and it goes on with what could be saved.
func (b *Buffer) scan(from uint64, want func(about) bool, each func(*block) error) error {
	var err error
	for range maxRescues {
		b.mu.Lock()
		v := b.look()
		b.mu.Unlock()
		var bad *segment
		from, bad, err = v.scan(from, want, each)
		if bad == nil {
			break
		}
		b.disk.Lock()
		failed := b.rescue(bad, err)
		b.disk.Unlock()
		if failed != nil {
			return failed
		}
	}
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// scan returns where to go on, and which segment is damaged, if one is.
func (v view) scan(from uint64, want func(about) bool, each func(*block) error) (uint64, *segment, error) {
	for i, s := range v.segments {
		a := v.about[i]
		if a.Next <= from || want != nil && !want(a) {
			continue
		}
		from = max(from, a.First)
		var stopped error
		err := s.read(func(t *tree) error {
			err := t.blocks(from, func(found block) error {
				if found.seq >= a.Next {
					return errStop
				}
				if !covered(v.gone, from, found.seq-1) {
					return damagef("block %d is missing", from)
				}
				from = found.seq
				if goneAt(v.gone, found.seq) == nil {
					if stopped = each(&found); stopped != nil {
						return errStop
					}
				}
				from++
				return nil
			})
			if err == nil && stopped == nil && !covered(v.gone, from, a.Next-1) {
				err = damagef("block %d is missing", from)
			}
			return err
		})
		switch {
		case errors.Is(stopped, errDamaged): // each met damage inside the block
			return from, s, stopped
		case stopped != nil:
			return from, nil, stopped
		case errors.Is(err, errDamaged):
			return from, s, err
		case err != nil:
			return from, nil, err
		}
		from = a.Next
	}
	return from, nil, nil
}

// covered reports whether all seqs from first to last are gone; none at all are.
func covered(list []*gone, first, last uint64) bool {
	for first <= last {
		g := goneAt(list, first)
		if g == nil {
			return false
		}
		first = g.Last + 1
	}
	return true
}

// through returns the rows of the epoch up to and including seq.
func (b *Buffer) through(seq uint64) (uint64, error) {
	for range maxRescues {
		b.mu.Lock()
		v, next, produced := b.look(), b.next, b.produced
		b.mu.Unlock()
		if seq == 0 {
			return 0, nil
		}
		if seq >= next-1 {
			return produced, nil
		}
		if g := goneAt(v.gone, seq); g != nil {
			return g.through(seq), nil
		}
		i := slices.IndexFunc(v.about, func(a about) bool { return a.First <= seq && seq < a.Next })
		if i >= 0 && v.about[i].Next == seq+1 {
			return v.about[i].After, nil
		}
		rows, found := uint64(0), false
		err := b.scan(seq, nil, func(one *block) error {
			rows, found = one.after(), one.seq == seq
			return errStop
		})
		if err != nil || found {
			return rows, err
		}
	}
	return 0, hearth.Errorf(hearth.CodeFailed, "block %d can no longer be found", seq)
}
