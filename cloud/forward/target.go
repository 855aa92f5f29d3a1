package forward

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	leaseLife  = 20 * time.Second
	leaseEvery = 5 * time.Second
	saveEvery  = 5 * time.Second
	lifeEvery  = 15 * time.Second
	idle       = time.Second               // until the log is looked at again
	margin     = time.Minute               // what a database had so long before it was last seen alive is on its disk
	gatherOf   = 20_000                    // points read at once
	firstPause = time.Second               // after a fault …
	lastPause  = time.Minute               // … and after many
	parkedMost = 1000                      // refused lines kept for a person to look at
	parkedText = 4 << 10                   // bytes of one
	marksMost  = int(margin/lifeEvery) + 3 // positions that are remembered
)

// A cursor is how far a target is.
type cursor struct {
	sent uint64 // everything up to there was acknowledged
	safe uint64 // … and up to there is on its disk for certain
	life string // since when it ran then; "": not known
}

// A mark is how far a target was at a time at which it was alive.
type mark struct {
	at   time.Time
	sent uint64
}

// A target is one other database, and where the way there has got to. All but its counters belongs to run.
type target struct {
	f      *Forward
	peer   *peer
	key    string // names it in SQL
	count  counters
	cursor cursor
	marks  []mark // since it was found alive in this life, oldest first

	leads    bool
	asked    time.Time // when the lease was asked for
	saved    time.Time
	savedAs  cursor
	lifeAt   time.Time // when life was asked for
	doubtful bool      // it was away, or was last spoken to in another life of this receiver

	proven  bool // it has stored lines since the start, so a refusal is about the lines
	largest int  // bytes of one request; smaller after a 413
	text    text
}

func newTarget(f *Forward, of Target) *target {
	return &target{f: f, peer: newPeer(of, f.o.Version), key: of.name(), largest: maxRequest}
}

// run sends what there is to send whenever this receiver is the one to do it, until ctx ends.
func (t *target) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		sent, err := t.step(ctx)
		wait := idle
		switch {
		case ctx.Err() != nil:
			continue
		case err != nil:
			t.failed(err)
			wait, pause = pause/2+rand.N(pause), min(2*pause, lastPause)
		case sent:
			wait, pause = 0, firstPause
		case !t.leads:
			wait = leaseEvery
		}
		if wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
			timer.Stop()
		}
	}
	t.peer.http.CloseIdleConnections()
	if t.leads {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := t.save(last); err != nil {
			t.f.o.Slog.Warn("how far a target of forward is was not stored: some is sent again", "target", t.key, "err", err)
		}
	}
}

func (t *target) failed(err error) {
	t.doubtful = true
	t.proven = false
	t.count.mu.Lock()
	fresh := t.count.up || t.count.err == ""
	t.count.up, t.count.err = false, err.Error()
	t.count.mu.Unlock()
	if fresh {
		t.f.o.Slog.Warn("a target of forward cannot be served now; what it misses is kept", "target", t.key, "err", err)
	}
}

func (t *target) well() {
	t.count.mu.Lock()
	defer t.count.mu.Unlock()
	if t.count.err != "" {
		t.f.o.Slog.Info("a target of forward is served again", "target", t.key)
	}
	t.count.up, t.count.err = true, ""
}

// lacks counts what the target does not have yet of a log that goes up to newest.
func (t *target) lacks(newest uint64) {
	t.count.mu.Lock()
	defer t.count.mu.Unlock()
	t.count.behind = newest - min(newest, t.cursor.sent)
}

// step sends the next few portions; false: there is nothing to do.
func (t *target) step(ctx context.Context) (sent bool, err error) {
	if err := t.lead(ctx); err != nil || !t.leads {
		return false, err
	}
	oldest, newest, err := t.f.o.Log.Span(ctx)
	if err != nil {
		return false, err
	}
	t.lacks(newest) // before a target that is away ends this
	if err := t.look(ctx); err != nil {
		return false, err
	}
	t.within(oldest, newest)
	portions, err := t.f.o.Log.Read(ctx, t.cursor.sent, gatherOf)
	if err != nil {
		return false, err
	}
	if len(portions) == 0 {
		t.well()
		return false, t.saveNow(ctx, false)
	}
	if err := t.send(ctx, portions); err != nil {
		return false, err
	}
	t.cursor.sent = portions[len(portions)-1].N
	t.well()
	t.lacks(newest)
	return true, t.saveNow(ctx, false)
}

// lead asks whether this receiver is the one that sends.
func (t *target) lead(ctx context.Context) error {
	now := t.f.o.Now()
	if t.leads && now.Sub(t.asked) < leaseEvery {
		return nil
	}
	leads, err := t.f.o.Accounts.Lease(ctx, "forward "+t.key, leaseLife)
	if err != nil {
		return err
	}
	t.asked = now
	if leads && !t.leads {
		if t.cursor, err = t.load(ctx); err != nil {
			return err
		}
		t.savedAs, t.marks, t.doubtful, t.lifeAt = t.cursor, nil, true, time.Time{}
	}
	t.leads = leads
	t.count.mu.Lock()
	t.count.leads = leads
	if !leads {
		t.count.up, t.count.err, t.count.behind = false, "", 0 // whoever leads knows
	}
	t.count.mu.Unlock()
	return nil
}

// look finds out whether the target lost what it acknowledged last, and goes back if it may have.
func (t *target) look(ctx context.Context) error {
	now := t.f.o.Now()
	if !t.doubtful && now.Sub(t.lifeAt) < lifeEvery {
		return nil
	}
	life, err := t.peer.life(ctx)
	if err != nil {
		return err
	}
	anew := life != t.cursor.life || life == "" && t.doubtful
	if anew && t.cursor.sent > t.cursor.safe {
		t.f.o.Slog.Info("a target of forward may have lost what it was sent last, which is sent again", "target", t.key, "portions", t.cursor.sent-t.cursor.safe)
		t.count.rewinds.Add(1)
		t.cursor.sent = t.cursor.safe
	}
	if anew {
		t.marks = nil
	}
	t.lifeAt, t.doubtful, t.cursor.life = now, false, life
	t.marks = append(t.marks, mark{now, t.cursor.sent})
	for len(t.marks) > 1 && !t.marks[1].at.After(now.Add(-margin)) {
		t.marks = t.marks[1:]
	}
	if !t.marks[0].at.After(now.Add(-margin)) {
		t.cursor.safe = t.marks[0].sent
	}
	return t.saveNow(ctx, anew)
}

// within keeps the cursor inside the log: some of it may be gone, and a log restored from a backup ends earlier.
func (t *target) within(oldest, newest uint64) {
	before := max(oldest, 1) - 1
	switch {
	case t.cursor.sent > newest:
		t.f.o.Slog.Warn("the log of writes ends before what a target of forward has, as after a backup was restored: it is sent all of it again", "target", t.key)
		t.cursor, t.marks = cursor{sent: before, safe: before, life: t.cursor.life}, nil
	case t.cursor.sent < before:
		if t.cursor.sent > 0 {
			t.count.missed.Add(before - t.cursor.sent)
			t.f.o.Slog.Error("a target of forward was away for longer than series.log, so it misses something: take it from the data of the homes", "target", t.key, "portions", before-t.cursor.sent)
		}
		t.cursor.sent = before
	}
	t.cursor.safe = max(t.cursor.safe, min(before, t.cursor.sent))
}

// send brings portions to the target, whole or not at all.
func (t *target) send(ctx context.Context, portions []Portion) error {
	t.text.reset(t.peer.NumbersOnly)
	for i := range portions {
		for j := range portions[i].Writes {
			t.text.add(&portions[i].Writes[j])
		}
	}
	p := &parcel{text: &t.text, todo: t.text.split(maxLines, t.largest)}
	if err := t.deliver(ctx, p); err != nil {
		return err
	}
	t.count.points.Add(uint64(t.text.points))
	t.count.texts.Add(uint64(t.text.texts))
	return t.park(ctx, p.refused)
}

// load reads the cursor.
func (t *target) load(ctx context.Context) (c cursor, err error) {
	err = t.f.db.QueryRowContext(ctx, `SELECT sent, safe, life FROM forwards WHERE target = $1`, t.key).Scan(&c.sent, &c.safe, &c.life)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return c, fmt.Errorf("reading how far a target of forward is: %w", err)
	}
	return c, nil
}

// saveNow stores the cursor if it is time to, or must is true.
func (t *target) saveNow(ctx context.Context, must bool) error {
	if !must && t.f.o.Now().Sub(t.saved) < saveEvery {
		return nil
	}
	return t.save(ctx)
}

func (t *target) save(ctx context.Context) error {
	if t.cursor == t.savedAs {
		return nil
	}
	err := t.f.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO forwards (target, sent, safe, life) VALUES ($1, $2, $3, $4)
			ON CONFLICT (target) DO UPDATE SET sent = excluded.sent, safe = excluded.safe, life = excluded.life`,
			t.key, int64(t.cursor.sent), int64(t.cursor.safe), t.cursor.life)
		return err
	})
	if err != nil {
		return fmt.Errorf("storing how far a target of forward is: %w", err)
	}
	t.saved, t.savedAs = t.f.o.Now(), t.cursor
	return nil
}

// park keeps lines that the target refused where a person can look at them; of many, the last ones.
func (t *target) park(ctx context.Context, lines []refused) error {
	if len(lines) == 0 {
		return nil
	}
	t.count.parked.Add(uint64(len(lines)))
	t.f.o.Slog.Warn("a target of forward refused lines, which are parked", "target", t.key, "lines", len(lines), "first", clip(lines[0].line, 200), "reason", lines[0].reason)
	lines = lines[max(0, len(lines)-parkedMost):]
	err := t.f.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		last := int64(0)
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(max(n), 0) FROM forward_parked WHERE target = $1`, t.key).Scan(&last); err != nil {
			return err
		}
		for i, r := range lines {
			_, err := tx.ExecContext(ctx, `INSERT INTO forward_parked (target, n, time, line, reason) VALUES ($1, $2, $3, $4, $5)`,
				t.key, last+int64(i)+1, t.f.o.Now().UnixMilli(), clip(r.line, parkedText), clip(r.reason, parkedText))
			if err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM forward_parked WHERE target = $1 AND n <= $2`, t.key, last+int64(len(lines))-parkedMost)
		return err
	})
	if err != nil {
		return fmt.Errorf("parking refused lines: %w", err)
	}
	return nil
}
