package downlink

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"hearth"
)

// check fills a command in and says why it cannot be taken.
func (d *Downlink) check(home string, cmd *hearth.Command) error {
	now := d.o.Now()
	cmd.Issued = hearth.Time{Time: now.UTC()}
	if cmd.ID == "" {
		cmd.ID = hearth.NewCommandID()
	}
	if cmd.Deadline.IsZero() {
		cmd.Deadline = hearth.Time{Time: now.Add(DefaultDeadline).UTC()}
	}
	switch {
	case len(cmd.ID) > hearth.MaxID || strings.ContainsFunc(cmd.ID, func(r rune) bool { return !unicode.IsPrint(r) }):
		return hearth.Errorf(hearth.CodeBadValue, "a command's id is at most %d printable bytes", hearth.MaxID)
	case !cmd.Deadline.After(now):
		return hearth.Errorf(hearth.CodeBadValue, "the deadline %s has passed", cmd.Deadline.UTC().Format(hearth.TimeForm))
	case cmd.Deadline.Sub(now) > MaxDeadline:
		return hearth.Errorf(hearth.CodeBadValue, "the deadline is more than %d days away", MaxDeadline/(24*time.Hour))
	}
	device, ok := d.o.Device(home, cmd.Device)
	if !ok {
		return hearth.Errorf(hearth.CodeNoDevice, "the home has no such device")
	}
	if err := device.CheckSet(cmd.Set); err != nil {
		return err
	}
	if body, err := json.Marshal(cmd); err != nil || len(body) > maxPayload {
		return hearth.Errorf(hearth.CodeBadValue, "a command is at most %d bytes", maxPayload)
	}
	return nil
}

// supersede ends the commands not yet sent all of whose properties cmd sets, and refuses cmd if too many are under way.
func (d *Downlink) supersede(ctx context.Context, tx *sql.Tx, home string, cmd hearth.Command, now time.Time) ([]hearth.Record, error) {
	var open int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM commands WHERE home = $1 AND due > 0`, home).Scan(&open); err != nil {
		return nil, err
	}
	if open >= maxOpen {
		return nil, hearth.Errorf(hearth.CodeBusy, "%d commands of this home are under way already", open)
	}
	rows, err := d.query(ctx, tx, `SELECT home, n, steps, record FROM commands WHERE home = $1 AND device = $2 AND state = $3 AND due > 0 ORDER BY n`,
		home, string(cmd.Device), string(hearth.Accepted))
	if err != nil {
		return nil, err
	}
	var superseded []hearth.Record
	for _, r := range rows {
		if !covers(cmd.Set, r.Set) || !r.Advance(hearth.Superseded, true, now, nil) {
			continue
		}
		if err := d.update(ctx, tx, r); err != nil {
			return nil, err
		}
		superseded = append(superseded, r.Record)
	}
	return superseded, nil
}

// covers reports whether newer sets every property that older does.
func covers(newer, older map[string]hearth.Value) bool {
	for name := range maps.Keys(older) {
		if _, ok := newer[name]; !ok {
			return false
		}
	}
	return true
}

// Command returns one; code not_found if there is none.
func (d *Downlink) Command(ctx context.Context, home, id string) (hearth.Record, error) {
	r, found, err := d.one(ctx, d.db, home, strings.ToValidUTF8(id, "\uFFFD"))
	if err == nil && !found {
		err = hearth.Errorf(hearth.CodeNotFound, "the home has no such command")
	}
	return r.Record, err
}

// Commands returns a home's commands, newest first, at most 1000; an empty device or state is any.
func (d *Downlink) Commands(ctx context.Context, home string, device hearth.ID, state hearth.State) ([]hearth.Record, error) {
	rows, err := d.query(ctx, d.db, `SELECT home, n, steps, record FROM commands
		WHERE home = $1 AND ($2 = '' OR device = $2) AND ($3 = '' OR state = $3) ORDER BY n DESC LIMIT $4`,
		home, strings.ToValidUTF8(string(device), "\uFFFD"), string(state), maxPage)
	records := make([]hearth.Record, 0, len(rows))
	for _, r := range rows {
		records = append(records, r.Record)
	}
	return records, err
}

// After returns what a home's gateway has not answered finally, in order, from number after on; it is sent by that. At
// most 1000 records: ask again after the last one for the rest.
func (d *Downlink) After(ctx context.Context, home string, after uint64) ([]hearth.Numbered, error) {
	defer d.lock(home).Unlock()
	rows, err := d.send(ctx, home, after)
	list := make([]hearth.Numbered, 0, len(rows))
	for _, r := range rows {
		list = append(list, r.Numbered)
	}
	return list, err
}

// send reads the home's open commands and stores that they are sent. The home is locked.
func (d *Downlink) send(ctx context.Context, home string, after uint64) ([]row, error) {
	var open, changed []row
	err := retryMoved(func() error {
		return d.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
			rows, err := d.query(ctx, tx, `SELECT home, n, steps, record FROM commands WHERE home = $1 AND n > $2 AND due > 0 ORDER BY n LIMIT $3`,
				home, int64(min(after, 1<<62)), maxPage)
			if err != nil {
				return err
			}
			open, changed = open[:0], changed[:0]
			now := d.o.Now()
			for _, r := range rows {
				if timeUp(&r.Record, now) || r.Advance(hearth.Sent, false, now, nil) {
					if err := d.update(ctx, tx, r); err != nil {
						return err
					}
					changed = append(changed, r)
				}
				if !r.Final {
					open = append(open, r)
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("sending the commands of %s: %w", home, err)
	}
	for _, r := range changed {
		d.changed(home, r.Record)
	}
	return open, nil
}

// deliver publishes a home's open commands; fresh are only those not sent before.
func (d *Downlink) deliver(ctx context.Context, home string, fresh bool) error {
	defer d.lock(home).Unlock()
	return d.deliverLocked(ctx, home, fresh)
}

func (d *Downlink) deliverLocked(ctx context.Context, home string, fresh bool) error {
	rows, err := d.send(ctx, home, 0)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !fresh || r.steps < len(r.History) {
			d.publish(home, r.Command)
		}
	}
	return nil
}

// deliverStranded sends what was stored for a home at the moment its gateway came.
func (d *Downlink) deliverStranded(ctx context.Context) error {
	rows, err := d.query(ctx, d.db, `SELECT home, n, steps, record FROM commands WHERE due > 0 AND state = $1`, string(hearth.Accepted))
	if err != nil {
		return err
	}
	homes := map[string]bool{}
	for _, r := range rows {
		homes[r.home] = true
	}
	for _, home := range slices.Sorted(maps.Keys(homes)) {
		if !d.isLive(home) {
			continue
		}
		if err := d.deliver(ctx, home, true); err != nil {
			return err
		}
	}
	return nil
}

// changed tells everybody who wants to know.
func (d *Downlink) changed(home string, r hearth.Record) {
	d.noteChange(home, r)
	if !d.o.Accounts.Shared() {
		d.latest.put(home, r)
	}
	d.wakeWaiting(home, r.ID)
	d.o.Changed(home, r)
}

// wakeWaiting has those look who wait for a command.
func (d *Downlink) wakeWaiting(home, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if waiting := d.waiting[home+"/"+id]; waiting != nil {
		close(waiting)
		delete(d.waiting, home+"/"+id)
	}
}

// Wait returns a command when it is final, or as it is when ctx ends.
func (d *Downlink) Wait(ctx context.Context, home, id string) (hearth.Record, error) {
	for {
		changed := d.watch(home, id)
		record, err := d.newest(context.WithoutCancel(ctx), home, id)
		if err != nil || record.Final {
			d.wakeWaiting(home, id) // it changes no more, so nobody else does
			return record, err
		}
		if ctx.Err() != nil {
			return record, nil
		}
		var look <-chan time.Time
		if d.o.Accounts.Shared() { // it may move on through another receiver
			look = time.After(time.Second)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-look:
		}
	}
}

// newest returns a command as it is, from memory if it moved on lately.
func (d *Downlink) newest(ctx context.Context, home, id string) (hearth.Record, error) {
	if record, ok := d.latest.get(home, id); ok {
		return record, nil
	}
	return d.Command(ctx, home, id)
}

func (d *Downlink) watch(home, id string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := home + "/" + id
	if d.waiting[key] == nil {
		d.waiting[key] = make(chan struct{})
	}
	return d.waiting[key]
}
