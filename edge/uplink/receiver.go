package uplink

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/sync/errgroup"

	"hearth"
)

// receiver is the target cloud: one loop that drains the buffer, and beside it the link and the inventory, which have
// connections of their own.
type receiver struct {
	opt    *Options
	status status
	writes *client
	asks   *client
}

func newReceiver(o *Options) *receiver {
	return &receiver{
		opt:    o,
		writes: newClient(o, o.Cloud.URL, o.Cloud.Token, "receiver"),
		asks:   newClient(o, o.Cloud.URL, o.Cloud.Token, "receiver"),
	}
}

func (r *receiver) run(ctx context.Context) error {
	defer r.writes.close()
	defer r.asks.close()
	me, ok := r.identify(ctx)
	if !ok {
		return nil
	}
	box, err := openOutbox(r.opt.Store)
	if err != nil {
		return err
	}
	devices := newInventory(r, me)
	answers := newDispatcher(r, box, devices)
	connection := newLink(r, me, answers, devices)
	batches := newDrain(r, me)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { batches.run(ctx); return nil })
	group.Go(func() error { devices.run(ctx); return nil })
	group.Go(func() error { answers.run(ctx); return nil })
	group.Go(func() error { connection.run(ctx); return nil })
	return group.Wait()
}

// identify returns this gateway's place at the receiver, asking for what is not configured. false: ctx ended.
func (r *receiver) identify(ctx context.Context) (hearth.Whoami, bool) {
	c := r.opt.Cloud
	if c.Home != "" && c.TokenName != "" {
		return hearth.Whoami{Home: c.Home, TokenName: c.TokenName, MQTT: c.MQTT}, true
	}
	var wait pace
	for {
		var me hearth.Whoami
		err := r.asks.getJSON(ctx, "/api/v1/whoami", maxReply, &me)
		if err == nil {
			err = checkWhoami(&me)
		}
		if ctx.Err() != nil {
			return me, false
		}
		if err == nil {
			if c.MQTT != "" {
				me.MQTT = c.MQTT
			}
			return me, true
		}
		r.failed("asking the receiver who this gateway is", err)
		r.asks.close()
		if !sleep(ctx, wait.next(err)) {
			return me, false
		}
	}
}

func checkWhoami(me *hearth.Whoami) error {
	switch {
	case me.Home == "":
		return &fault{refused: true, err: fmt.Errorf("the token belongs to no home: put the token of a gateway into token_file, or claim this gateway")}
	case me.Scope != "" && !me.Scope.Allows(hearth.ScopeWrite):
		return &fault{refused: true, err: fmt.Errorf("the token's scope is %s: put the token of a gateway into token_file, or claim this gateway", clip(string(me.Scope)))}
	}
	return checkHome(me.Home)
}

// failed shows a failure, and logs it when it is news.
func (r *receiver) failed(doing string, err error) {
	if r.status.failed(err) {
		r.opt.Log.Warn("the receiver cannot be served now; everything is kept", "while", doing, "error", err)
	}
}

func homePath(home, rest string) string { return "/api/v1/homes/" + url.PathEscape(home) + rest }

// put sends v as the whole of what is at path.
func (c *client) put(ctx context.Context, path string, body []byte) error {
	r, err := c.do(ctx, http.MethodPut, path, body, maxReply, "Content-Type", "application/json")
	if err != nil {
		return err
	}
	if r.status >= 300 || r.status < 200 {
		return r.fault()
	}
	return nil
}
