package downlink

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

// publishers is how many homes' commands are published at the same time where a broker elsewhere confirms each.
const publishers = 16

// An Order is a command for a home; Job is of what it is a part, under the name that people know and under one that is
// unique on this receiver. Audit, unless it has no action, is kept with a new command; its home and words are filled
// in.
type Order struct {
	Home    string
	Command hearth.Command
	Job     Job
	Audit   accounts.AuditEntry
}

// A Job names what gave a command beside others.
type Job struct{ ID, Key string }

// Given is what became of an order: a record, fresh unless it was there before, or an error with a code.
type Given struct {
	Record hearth.Record
	Fresh  bool
	Err    error
}

// Do stores a command and puts it on its way if the home's gateway is there. An empty ID or Deadline is filled in. The
// same id with the same content returns the record that is there. Errors, without a record: no_device, read_only,
// bad_value, conflict (the id with other content), busy (too many under way). For audit see Order.
func (d *Downlink) Do(ctx context.Context, home string, cmd hearth.Command, audit accounts.AuditEntry) (hearth.Record, error) {
	order := Order{Home: home, Command: cmd, Audit: audit}
	if cmd.ID != "" {
		if record, found, err := d.same(ctx, d.db, order); found || err != nil {
			return record, err
		}
	}
	given, err := d.DoAll(ctx, []Order{order})
	if err != nil {
		return hearth.Record{}, err
	}
	return given[0].Record, given[0].Err
}

// A taking is an order while it is being stored.
type taking struct {
	Order
	*Given
	named      bool // it came with an id, which a command may have already
	superseded []hearth.Record
}

// DoAll is Do for many orders in one transaction: what each came to, in their order. An error means that none was
// stored; the same orders may be given again.
func (d *Downlink) DoAll(ctx context.Context, orders []Order) ([]Given, error) {
	given, takings := make([]Given, len(orders)), make([]*taking, 0, len(orders))
	for i, order := range orders {
		named := order.Command.ID != ""
		if given[i].Err = d.check(order.Home, &order.Command); given[i].Err == nil {
			takings = append(takings, &taking{Order: order, Given: &given[i], named: named})
		}
	}
	if len(takings) == 0 {
		return given, nil
	}
	// Receivers that share a database lock homes' rows in the same order.
	slices.SortStableFunc(takings, func(a, b *taking) int { return cmp.Compare(a.Home, b.Home) })
	defer d.lockAll(takings)()
	err := retryMoved(func() error {
		return d.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
			for _, t := range takings {
				if err := d.take(ctx, tx, t); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("storing commands: %w", err)
	}
	d.taken(ctx, takings)
	return given, nil
}

// lockAll locks the homes of takings and returns what unlocks them.
func (d *Downlink) lockAll(takings []*taking) (unlock func()) {
	places := map[int]bool{}
	for _, t := range takings {
		places[d.place(t.Home)] = true
	}
	sorted := slices.Sorted(maps.Keys(places))
	for _, i := range sorted {
		d.locks[i].Lock()
	}
	return func() {
		for _, i := range sorted {
			d.locks[i].Unlock()
		}
	}
}

// take stores one order. An error with a code is the order's own and leaves the transaction as it was before.
func (d *Downlink) take(ctx context.Context, tx *sql.Tx, t *taking) error {
	now := d.o.Now()
	*t.Given, t.superseded = Given{}, nil
	n, err := d.number(ctx, tx, t.Home) // this also makes those wait who give this home a command through another receiver
	if err == nil && t.named {
		var found bool
		if t.Record, found, err = d.same(ctx, tx, t.Order); found {
			return nil
		}
	}
	if err == nil {
		t.superseded, err = d.supersede(ctx, tx, t.Home, t.Command, now)
	}
	if isRefusal(err) {
		t.Err = err
		return nil
	}
	if err != nil {
		return err
	}
	t.Fresh = true
	t.Record = hearth.Record{
		Command: t.Command, Job: t.Job.ID, State: hearth.Accepted,
		History: []hearth.Step{{State: hearth.Accepted, Time: hearth.Time{Time: now.UTC()}}},
	}
	if d.isLive(t.Home) {
		t.Record.Advance(hearth.Sent, false, now, nil)
	}
	if err := d.insert(ctx, tx, t, n); err != nil || t.Audit.Action == "" {
		return err
	}
	entry := t.Audit
	entry.Home, entry.Detail = t.Home, api.WordsOf(t.Command)
	return d.o.Accounts.AuditIn(ctx, tx, entry)
}

// taken tells of what was stored and puts it on its way. The homes are locked.
func (d *Downlink) taken(ctx context.Context, takings []*taking) {
	homes := map[string][]*taking{}
	for _, t := range takings {
		if !t.Fresh {
			continue
		}
		for _, old := range t.superseded {
			d.changed(t.Home, old)
		}
		d.changed(t.Home, t.Record)
		homes[t.Home] = append(homes[t.Home], t)
	}
	places := make(chan struct{}, publishers)
	var all sync.WaitGroup
	defer all.Wait()
	for home, list := range homes {
		if d.o.External == nil || len(homes) == 1 {
			d.sendOff(ctx, home, list)
			continue
		}
		places <- struct{}{}
		all.Go(func() {
			d.sendOff(ctx, home, list)
			<-places
		})
	}
}

func (d *Downlink) sendOff(ctx context.Context, home string, list []*taking) {
	late := false
	for _, t := range list {
		if t.Record.State == hearth.Sent {
			d.publish(home, t.Record.Command)
		} else {
			late = true
		}
	}
	if !late || !d.isLive(home) {
		return
	}
	// It came while this was stored, and may have asked just before.
	if err := d.deliverLocked(ctx, home, true); err != nil {
		d.o.Log.Error("commands could not be delivered; it is tried again", "home", home, "err", err)
	}
}

// Cancel ends the commands of a job that were not sent yet, in the name of somebody, and returns how many.
func (d *Downlink) Cancel(ctx context.Context, job Job, by string) (int, error) {
	const atOnce = 200
	for count := 0; ; {
		var ended []row
		err := retryMoved(func() error {
			return d.o.Accounts.Tx(ctx, func(tx *sql.Tx) (err error) {
				now := d.o.Now()
				ended, err = d.query(ctx, tx, `SELECT home, n, steps, record FROM commands WHERE job = $1 AND job <> '' AND state = $2 AND due > 0 ORDER BY home, n LIMIT $3`,
					job.Key, string(hearth.Accepted), atOnce)
				for i := range ended {
					why := &hearth.Error{Code: hearth.CodeCancelled, Message: "its job was cancelled by " + by}
					if err == nil && ended[i].Advance(hearth.Superseded, true, now, why) {
						err = d.update(ctx, tx, ended[i])
					}
				}
				return err
			})
		})
		if err != nil {
			return count, fmt.Errorf("cancelling the commands of job %s: %w", job.ID, err)
		}
		for _, r := range ended {
			d.changed(r.home, r.Record)
		}
		if count += len(ended); len(ended) == 0 {
			return count, nil
		}
	}
}

func retryMoved(fn func() error) error {
	for {
		if err := fn(); !errors.Is(err, errMoved) {
			return err
		}
	}
}

// same looks for a command that has the id already.
func (d *Downlink) same(ctx context.Context, q asker, o Order) (hearth.Record, bool, error) {
	r, found, err := d.one(ctx, q, o.Home, o.Command.ID)
	if err != nil || !found {
		return hearth.Record{}, false, err
	}
	if !r.Same(o.Command) || o.Job.ID != "" && r.Job != o.Job.ID {
		return hearth.Record{}, false, hearth.Errorf(hearth.CodeConflict, "there is a command %s already, and it asks for something else", o.Command.ID)
	}
	return r.Record, true, nil
}
