package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hearth"
	"hearth/cloud/series"
)

const (
	lookEvery  = time.Second // how long a group may lie there that nobody told of
	retryPause = time.Second
)

// applyAll applies the log as it grows until ctx ends. An error means that this receiver cannot go on.
func (r *Replica) applyAll(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case at := <-r.mine:
			err = r.applyOwn(ctx, at)
		case <-r.wake:
			err = r.applyNew(ctx, maxNumber)
		case <-look.C:
			err = r.applyNew(ctx, maxNumber)
		}
		if ctx.Err() != nil {
			return nil
		}
		var lost *strayed
		switch {
		case err == nil:
			r.caughtUp()
		case errors.As(err, &lost), errors.Is(err, series.ErrUnknownWire), errors.Is(err, errNoGroup):
			return fmt.Errorf("applying the log of writes: %w", err)
		default:
			r.o.Log.Error("applying the log of writes: it is tried again", "err", err)
			if !pause(ctx, retryPause) {
				return nil
			}
			r.poke()
		}
	}
}

// caughtUp lets writes in again when nothing of this process waits to be applied.
func (r *Replica) caughtUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.own) == 0 {
		r.late.Store(false)
	}
}

// applyOwn applies a group of this process, which is still in memory, after what others put before it.
func (r *Replica) applyOwn(ctx context.Context, at position) error {
	now, _ := r.at()
	if now.n+1 < at.n {
		if err := r.applyNew(ctx, at.n-1); err != nil {
			return err
		}
		now, _ = r.at()
	}
	if now.n+1 != at.n {
		return nil // it was read back already
	}
	return r.apply(ctx, logged{position: at}, r.o.Applied)
}

// applyNew applies what is in the log up to that number.
func (r *Replica) applyNew(ctx context.Context, to uint64) error {
	for {
		now, _ := r.at()
		if now.n >= to {
			return nil
		}
		groups, err := r.log.read(ctx, now.n+1, to)
		if err != nil || len(groups) == 0 {
			return err
		}
		for _, g := range groups {
			if err := r.apply(ctx, g, r.o.Applied); err != nil {
				return err
			}
		}
	}
}

// A strayed error says that the log does not go on from where the store is.
type strayed struct{ why string }

func (e *strayed) Error() string {
	return e.why + ". Stop this receiver, move its directory series away, and restore there a backup of a receiver that goes on (hearth-cloud backup, restore). " +
		"Where none does, stop all of them, have the log begin anew (TRUNCATE write_log; UPDATE write_head SET n = 0, mark = '', prev = ''), and start the one whose readings are to stay first"
}

// apply does what is in a group, the next one. Applied is told of what others put there.
func (r *Replica) apply(ctx context.Context, g logged, applied func(series.Write, series.Outcome)) error {
	now, _ := r.at()
	switch {
	case g.n != now.n+1:
		return &strayed{fmt.Sprintf("the log of writes goes on at %d, but this receiver needs what came after %d: it was away for too long", g.n, now.n)}
	case g.prev != now.mark:
		return &strayed{fmt.Sprintf("the log of writes in PostgreSQL is not the one that this receiver took part in: after %d they differ, as after the database was set back", now.n)}
	}
	own := r.takeOwn(g.mark)
	entries, err := r.entries(g, own)
	if err != nil {
		return fmt.Errorf("reading group %d: %w", g.n, err)
	}
	for i := now.part; i < len(entries); i++ {
		next := place{n: now.n, mark: now.mark, part: i + 1}
		if i == len(entries)-1 {
			next = place{n: g.n, mark: g.mark}
		}
		if own != nil && own[i].taken.CompareAndSwap(false, true) {
			outcome, err := r.doEntry(ctx, own[i].entry, next)
			own[i].done <- result{outcome, err}
		} else if err := r.doOther(ctx, entries[i], next, applied); err != nil {
			return fmt.Errorf("reading group %d: %w", g.n, err)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
	return nil
}

// entries are what the group holds: as this process has it in memory, or unpacked.
func (r *Replica) entries(g logged, own []*pending) ([]entry, error) {
	if own == nil {
		return r.log.packer.unpack(g.body)
	}
	entries := make([]entry, 0, len(own))
	for _, p := range own {
		entries = append(entries, entry{kind: p.kind, body: p.body})
	}
	return entries, nil
}

// doOther does an entry that nobody here waits for.
func (r *Replica) doOther(ctx context.Context, packed entry, next place, applied func(series.Write, series.Outcome)) error {
	e, err := parseEntry(packed.kind, packed.body)
	if err != nil {
		return err
	}
	outcome, err := r.doEntry(ctx, e, next)
	if err == nil && e.kind == entryWrite && applied != nil {
		applied(e.write, outcome)
	}
	return nil
}

// doEntry does one entry and keeps that the store is at next then, trying for as long as it takes: nothing may be left
// out. The error is one with a code, which the entry comes to on all receivers.
func (r *Replica) doEntry(ctx context.Context, e entry, next place) (series.Outcome, error) {
	for {
		outcome, err := r.tryEntry(e, []byte(next.String()))
		var coded *hearth.Error
		if err == nil || errors.As(err, &coded) {
			r.moveTo(next)
			r.count.applied.Add(1)
			r.late.Store(false)
			return outcome, err
		}
		r.o.Log.Error("a write could not be applied: it is tried again, and nothing else is stored until then", "home", e.write.Home, "err", err)
		if !pause(ctx, retryPause) {
			return outcome, err
		}
	}
}

func (r *Replica) tryEntry(e entry, place []byte) (series.Outcome, error) {
	switch e.kind {
	case entryWrite:
		e.write.Place = place
		outcome, err := r.store.Write(e.write)
		if outcome.Ahead || errors.Is(err, &hearth.Error{Code: hearth.CodeBadValue}) {
			return outcome, errors.Join(r.store.SetPlace(place), err)
		}
		return outcome, err
	case entryDelete:
		if err := r.store.DeleteHome(e.write.Home); err != nil {
			return series.Outcome{}, err
		}
	}
	return series.Outcome{}, r.store.SetPlace(place)
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Recent visits the groups of writes after that number that are applied here, in order, until each returns false. What
// the store refused is left out; what it had already is not.
func (r *Replica) Recent(ctx context.Context, after uint64, each func(n uint64, writes []series.Write) bool) error {
	for {
		at, _ := r.at()
		if after >= at.n {
			return nil
		}
		groups, err := r.log.read(ctx, after+1, at.n)
		if err != nil || len(groups) == 0 {
			return err
		}
		for _, g := range groups {
			writes, err := r.writesOf(g)
			if err != nil {
				return fmt.Errorf("reading group %d: %w", g.n, err)
			}
			if !each(g.n, writes) {
				return nil
			}
			after = g.n
		}
	}
}

func (r *Replica) writesOf(g logged) (writes []series.Write, err error) {
	entries, err := r.log.packer.unpack(g.body)
	if err != nil {
		return nil, err
	}
	for _, packed := range entries {
		e, err := parseEntry(packed.kind, packed.body)
		if err != nil {
			return nil, err
		}
		if e.kind != entryWrite {
			continue
		}
		if e.write.Points, err = r.store.Known(e.write.Home, e.write.Points); err != nil {
			return nil, err
		}
		writes = append(writes, e.write)
	}
	return writes, nil
}

// RecentSpan returns the numbers of the oldest group that is in the log and of the newest that is applied here.
func (r *Replica) RecentSpan(ctx context.Context) (oldest, newest uint64, err error) {
	at, _ := r.at()
	err = r.log.db.QueryRowContext(ctx, `SELECT COALESCE(min(n), 0) FROM write_log`).Scan(&oldest)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the beginning of the log of writes: %w", err)
	}
	return oldest, at.n, nil
}
