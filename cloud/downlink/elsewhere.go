package downlink

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hearth"
)

const (
	settled    = 300 * time.Millisecond // how long a receiver may take to tell of its own changes
	overlap    = 5 * time.Second        // how far receivers' clocks may be apart, with the time that a transaction takes
	rememberIt = time.Minute            // how long a change that was told of is remembered; longer than overlap
	mostAtOnce = 20_000                 // changes looked at in one second
)

// elsewhere is for receivers that share a database: it finds the commands that another one moved on, so that those who
// listen here hear of them, too.
type elsewhere struct {
	since int64 // unix ms; 0: nothing was looked for yet

	mu   sync.Mutex
	told map[string]told // by home and command
}

// told is how far a command was when this receiver told of it.
type told struct {
	steps int
	final bool
	at    time.Time
}

// note remembers what this receiver tells of, and reports whether it is news.
func (e *elsewhere) note(home, id string, now told) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.told == nil {
		e.told = map[string]told{}
	}
	before := e.told[home+"/"+id]
	known := before.steps > now.steps || before.steps == now.steps && (before.final || !now.final)
	if known {
		now.steps, now.final = before.steps, before.final
	}
	e.told[home+"/"+id] = now
	return !known
}

func (e *elsewhere) forget(before time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, told := range e.told {
		if told.at.Before(before) {
			delete(e.told, key)
		}
	}
}

// lookElsewhere tells of the commands that other receivers moved on since it last looked.
func (d *Downlink) lookElsewhere(ctx context.Context) error {
	e, now := &d.elsewhere, d.o.Now()
	first := e.since == 0
	if first {
		e.since = now.UnixMilli()
	}
	found, err := d.db.QueryContext(ctx, `SELECT home, id, steps, due, changed FROM commands WHERE changed >= $1 AND changed <= $2 ORDER BY changed LIMIT $3`,
		e.since-overlap.Milliseconds(), now.Add(-settled).UnixMilli(), mostAtOnce)
	if err != nil {
		return fmt.Errorf("looking for what other receivers changed: %w", err)
	}
	defer found.Close()
	type key struct{ home, id string }
	var news []key
	for found.Next() {
		var k key
		var due, changed int64
		is := told{at: now}
		if err := found.Scan(&k.home, &k.id, &is.steps, &due, &changed); err != nil {
			return fmt.Errorf("looking for what other receivers changed: %w", err)
		}
		is.final = due == 0
		if e.note(k.home, k.id, is) && !first {
			news = append(news, k)
		}
		e.since = max(e.since, changed)
	}
	if err := found.Err(); err != nil {
		return fmt.Errorf("looking for what other receivers changed: %w", err)
	}
	e.forget(now.Add(-rememberIt))
	for _, k := range news {
		r, found, err := d.one(ctx, d.db, k.home, k.id)
		if err != nil {
			return err
		}
		if found {
			d.tellElsewhere(k.home, r.Record)
		}
	}
	return nil
}

// seenElsewhere tells of a record that was to be moved on and had moved already: several receivers hear an answer, and
// one of them stores it.
func (d *Downlink) seenElsewhere(home string, r hearth.Record) {
	if d.o.Accounts.Shared() && d.elsewhere.note(home, r.ID, d.toldOf(r)) {
		d.tellElsewhere(home, r)
	}
}

func (d *Downlink) tellElsewhere(home string, r hearth.Record) {
	d.wakeWaiting(home, r.ID)
	d.o.Elsewhere(home, r)
}

func (d *Downlink) toldOf(r hearth.Record) told {
	return told{steps: len(r.History), final: r.Final, at: d.o.Now()}
}

// noteChange remembers that this receiver tells of a record.
func (d *Downlink) noteChange(home string, r hearth.Record) {
	if d.o.Accounts.Shared() {
		d.elsewhere.note(home, r.ID, d.toldOf(r))
	}
}
