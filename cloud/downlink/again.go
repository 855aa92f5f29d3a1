package downlink

import (
	"context"
	"maps"
	"slices"
	"time"

	"hearth"
)

const (
	answerTime = 15 * time.Second // how long a gateway that is there may say nothing of a command before it gets it again
	lookBack   = time.Minute      // how far a receiver that has just come looks for such commands
)

// publishAgain publishes once more what was sent to gateways that are there and stayed unanswered: a receiver may have
// died after it stored the command, or the broker have lost it. A gateway knows an id it has carried out and answers
// again. What came after for the same device is newer, so an older command is left alone: its outcome stays unknown.
func (d *Downlink) publishAgain(ctx context.Context) error {
	now := d.o.Now()
	from, to := max(d.lookedAt, now.Add(-lookBack).UnixMilli()), now.Add(-answerTime).UnixMilli()
	rows, err := d.unanswered(ctx, "", from, to)
	if err != nil {
		return err
	}
	homes := map[string]bool{}
	for _, r := range rows {
		homes[r.home] = d.isLive(r.home)
	}
	for _, home := range slices.Sorted(maps.Keys(homes)) {
		if !homes[home] {
			continue // it asks when it comes
		}
		if err := d.publishAgainTo(ctx, home, from, to); err != nil {
			return err
		}
	}
	d.lookedAt = to
	return nil
}

func (d *Downlink) publishAgainTo(ctx context.Context, home string, from, to int64) error {
	defer d.lock(home).Unlock() // nothing newer is published meanwhile
	rows, err := d.unanswered(ctx, home, from, to)
	if err != nil {
		return err
	}
	for _, r := range rows {
		d.o.Log.Warn("a command is published again: the gateway is there and has not answered", "home", home, "command", r.ID)
		d.publish(home, r.Command)
	}
	return nil
}

// unanswered reads the commands of a home, or of all, that were sent between two times, unix ms, and are the newest of
// their device.
func (d *Downlink) unanswered(ctx context.Context, home string, from, to int64) ([]row, error) {
	return d.query(ctx, d.db, `SELECT home, n, steps, record FROM commands c WHERE changed > $1 AND changed <= $2 AND due > 0 AND state = $3 AND ($4 = '' OR home = $4)
		AND NOT EXISTS (SELECT 1 FROM commands newer WHERE newer.home = c.home AND newer.device = c.device AND newer.n > c.n) ORDER BY home, n`,
		from, to, string(hearth.Sent), home)
}
