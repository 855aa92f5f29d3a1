package downlink

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

// How much one token may publish.
const (
	commandRate, commandBurst = 20, 200  // commands a second
	directRate, directBurst   = 50, 1000 // messages of devices without a gateway
	ratesKept                 = 10_000   // tokens that are remembered
)

// byBroker is who gave a command where another broker let somebody in whose name it does not tell.
const byBroker = "mqtt"

// A Direct takes what devices without a gateway say. An error with a code says why it is refused; once there is none,
// what they said is durable.
type Direct interface {
	Announce(ctx context.Context, home string, id hearth.ID, a hearth.Announcement) (hearth.DeviceView, error)
	Report(ctx context.Context, token hearth.Token, home string, readings []hearth.DirectReading) error
}

// command gives what an application published as a command. Its record, like any other's, is told as it moves on; one
// that is refused has none, and the refusal is told in its place.
func (d *Downlink) command(ctx context.Context, m message) error {
	var given api.GiveCommand
	by := cmp.Or(m.token.Name, byBroker)
	err := d.rates.take("command", m, commandRate, commandBurst)
	if err == nil {
		err = parse(m.payload, &given)
	}
	if err == nil {
		_, err = d.Do(ctx, m.home, given.Command(by), accounts.AuditEntry{Who: by, Action: "giveCommand", About: string(given.Device), Address: m.address})
	}
	if isRefusal(err) {
		d.Tell(m.home, api.EventCommand, hearth.Refusal{ID: clip(given.ID, hearth.MaxID), Device: given.Device, By: by, Error: hearth.ErrorOf(err)})
	}
	return err
}

// direct takes what a device without a gateway published on direct/<address>/announce or report, and tells it on
// direct/<address>/refused what was wrong.
func (d *Downlink) direct(ctx context.Context, m message) error {
	address, kind, ok := strings.Cut(m.rest, "/")
	id := hearth.ID(hearth.DirectDriver + ":" + address)
	if !ok || id.Check() != nil || d.o.Direct == nil || kind != "announce" && kind != "report" {
		return hearth.Errorf(hearth.CodeBadValue, "want hearth/<home>/direct/<address>/announce or report; an address has letters, digits and . _ : @ -")
	}
	err := d.rates.take("direct", m, directRate, directBurst)
	switch {
	case err != nil:
	case kind == "announce":
		err = d.announce(ctx, m, id)
	default:
		err = d.report(ctx, m, id)
	}
	if isRefusal(err) {
		d.tell(tiding{hearth.TopicDirect(m.home, address, "refused"), 1, hearth.DirectRefusal{About: kind, Error: hearth.ErrorOf(err)}})
	}
	return err
}

func (d *Downlink) announce(ctx context.Context, m message, id hearth.ID) error {
	var a hearth.Announcement
	if err := parse(m.payload, &a); err != nil {
		return err
	}
	view, err := d.o.Direct.Announce(ctx, m.home, id, a)
	if err == nil {
		d.o.Log.Debug("a device without a gateway announced itself", "home", m.home, "device", view.ID)
	}
	return err
}

func (d *Downlink) report(ctx context.Context, m message, id hearth.ID) error {
	var readings []hearth.DirectReading
	if err := parse(m.payload, &readings); err != nil {
		return err
	}
	for i := range readings {
		if readings[i].Device != "" && readings[i].Device != id {
			return hearth.Errorf(hearth.CodeBadValue, "the topic is that of %s, not of %s", id, clip(string(readings[i].Device), hearth.MaxID))
		}
		readings[i].Device = id
	}
	return d.o.Direct.Report(ctx, m.token, m.home, readings)
}

// parse reads one message as JSON; what is none is code bad_value, as is what the types say of a wrong value.
func parse(payload []byte, into any) error {
	if len(payload) > maxPayload {
		return hearth.Errorf(hearth.CodeBadValue, "%d bytes: a message has at most %d", len(payload), maxPayload)
	}
	err := json.Unmarshal(payload, into)
	var coded *hearth.Error
	if err != nil && !errors.As(err, &coded) {
		err = hearth.Errorf(hearth.CodeBadValue, "the message is not the JSON it has to be: %v", err)
	}
	return err
}

// isRefusal reports whether err is one that its sender can do something about.
func isRefusal(err error) bool {
	var coded *hearth.Error
	return errors.As(err, &coded)
}

// rates hold each token, or each home where the token is not known, to what one may publish.
type rates struct {
	now func() time.Time

	mu   sync.Mutex
	kept map[string]*rate.Limiter
}

func newRates(now func() time.Time) *rates { return &rates{now: now, kept: map[string]*rate.Limiter{}} }

// take counts one message; code busy if it is one too many.
func (r *rates) take(kind string, m message, each rate.Limit, burst int) error {
	key := kind + " " + cmp.Or(m.token.Hash, m.home)
	r.mu.Lock()
	limiter := r.kept[key]
	if limiter == nil {
		if len(r.kept) >= ratesKept {
			clear(r.kept)
		}
		limiter = rate.NewLimiter(each, burst)
		r.kept[key] = limiter
	}
	r.mu.Unlock()
	if !limiter.AllowN(r.now(), 1) {
		return hearth.Errorf(hearth.CodeBusy, "more than %.0f messages a second: send fewer", float64(each))
	}
	return nil
}
