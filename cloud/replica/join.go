package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hearth"
)

// join finds out where the store is in the log, and that the log goes on from there. A log that has no beginning yet
// begins with what the first receiver has; a store that is empty may follow from the beginning if the first one was
// empty, too, and nothing was trimmed.
func (r *Replica) join(ctx context.Context) error {
	kept, err := r.store.Place()
	if err != nil {
		return err
	}
	head, err := r.log.head(ctx)
	if err != nil {
		return err
	}
	if head.n == 0 {
		begun, err := r.begin(ctx)
		if err != nil || begun {
			return err
		}
	}
	if kept != nil {
		at, err := parsePlace(kept)
		if err != nil {
			return err
		}
		if at.n > 0 || at.part > 0 {
			return r.goOn(ctx, at)
		}
	}
	return r.follow(ctx, kept)
}

// begin makes this store the one that the log begins with. Its mark is kept before: a receiver that is killed in between
// knows by it that the beginning was its own.
func (r *Replica) begin(ctx context.Context) (bool, error) {
	empty, err := r.store.Empty()
	if err != nil {
		return false, err
	}
	start := place{mark: newMark()}
	if err := errors.Join(r.store.SetPlace([]byte(start.String())), r.store.Flush()); err != nil {
		return false, err
	}
	beginning := entry{kind: entryBegin, empty: empty}
	beginning.encode()
	body := r.log.packer.pack(func(yield func(byte, []byte) bool) { yield(beginning.kind, beginning.body) }, 1)
	begun, err := r.log.begin(ctx, start.mark, r.millis(), body)
	if err != nil || !begun {
		return false, err
	}
	r.o.Log.Info("this receiver is the first one: the others begin with what it has")
	return true, r.settle(place{n: 1, mark: start.mark})
}

// settle keeps a place that is not reached by a write.
func (r *Replica) settle(at place) error {
	r.moveTo(at)
	return errors.Join(r.store.SetPlace([]byte(at.String())), r.store.Flush())
}

// follow joins a log that somebody else began, or this receiver itself when it was killed. kept is the place of a store
// that wanted to begin it.
func (r *Replica) follow(ctx context.Context, kept []byte) error {
	first, err := r.log.read(ctx, 1, 1)
	if err != nil {
		return err
	}
	whole, theirsEmpty := len(first) == 1, false
	if whole {
		if at, err := parsePlace(kept); kept != nil && err == nil && at.mark == first[0].mark {
			return r.settle(place{n: 1, mark: at.mark})
		}
		entries, err := r.log.packer.unpack(first[0].body)
		if err != nil {
			return err
		}
		if len(entries) == 1 {
			beginning, err := parseEntry(entries[0].kind, entries[0].body)
			if err != nil {
				return err
			}
			theirsEmpty = beginning.empty
		}
	}
	empty, err := r.store.Empty()
	switch {
	case err != nil:
		return err
	case !empty:
		return hearth.Errorf(hearth.CodeConflict, "this receiver has readings of its own, which the others know nothing of: move its directory series away, and restore a backup of another receiver in its place (hearth-cloud backup there, restore here)")
	case !theirsEmpty:
		return hearth.Errorf(hearth.CodeConflict, "this receiver has no readings, but the others have some from before the log of writes in PostgreSQL: restore a backup of one of them here first (hearth-cloud backup there, restore here)")
	}
	return r.settle(place{})
}

// goOn makes sure that the log goes on from where the store is.
func (r *Replica) goOn(ctx context.Context, at place) error {
	r.moveTo(at)
	head, err := r.log.head(ctx)
	if err != nil {
		return err
	}
	if at.n > head.n || at.n == head.n && at.mark != head.mark {
		return &strayed{fmt.Sprintf("the log of writes in PostgreSQL ends at %d and is not the one that this receiver took part in, up to %d: the database was set back", head.n, at.n)}
	}
	if at.n == head.n {
		return nil
	}
	next, err := r.log.read(ctx, at.n+1, at.n+1)
	switch {
	case err != nil:
		return err
	case len(next) == 0:
		return &strayed{fmt.Sprintf("the log of writes no longer has what came after %d, where this receiver was: it was away for too long", at.n)}
	case next[0].prev != at.mark:
		return &strayed{fmt.Sprintf("the log of writes in PostgreSQL is not the one that this receiver took part in: after %d they differ, as after the database was set back", at.n)}
	}
	return nil
}

// catchUp applies what is in the log already.
func (r *Replica) catchUp(ctx context.Context) error {
	told := time.Now()
	for {
		at, _ := r.at()
		head, err := r.log.head(ctx)
		if err != nil {
			return err
		}
		if at.n >= head.n {
			return r.store.Flush()
		}
		groups, err := r.log.read(ctx, at.n+1, head.n)
		if err != nil {
			return err
		}
		if len(groups) == 0 {
			return &strayed{fmt.Sprintf("the log of writes no longer has what came after %d", at.n)}
		}
		for _, g := range groups {
			if err := r.apply(ctx, g, nil); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			r.o.Log.Info("taking over what the other receivers took", "behind", head.n-at.n)
		}
	}
}
