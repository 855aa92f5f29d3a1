package uplink

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"hearth"
	"hearth/edge/home"
)

const (
	maxListing   = 4 << 20
	maxPages     = 100
	fetchSpacing = 5 * time.Second
	maxLive      = 1024 // live values waiting for a slow link; more are dropped, the buffer has them
	maxUnacked   = 64
	statusEvery  = 30 * time.Second
	statusLook   = 5 * time.Second
	unknownTopic = 0x80 // granted for a subscription that is refused
)

// connection is one life of the link.
type connection struct {
	*link
	client  mqtt.Client
	lost    chan error
	doubted chan struct{} // somebody says that the gateway is offline
	under   chan pending  // answers that the broker has not confirmed yet
	events  *home.Subscription
}

// greet subscribes and says that the gateway is there.
func (c *connection) greet(ctx context.Context) error {
	do := hearth.TopicDo(c.me.Home)
	t := c.client.Subscribe(do, 1, func(_ mqtt.Client, m mqtt.Message) { c.answers.accept(m.Payload(), m.Retained()) })
	if err := await(ctx, t, c.lost, ackTime); err != nil {
		return fmt.Errorf("subscribing to %s: %w", do, err)
	}
	if granted, ok := t.(*mqtt.SubscribeToken); ok && granted.Result()[do] == unknownTopic {
		return &fault{refused: true, err: fmt.Errorf("the broker does not let this gateway subscribe to %s: claim it again", do)}
	}
	online := hearth.TopicOnline(c.me.Home)
	own := c.client.Subscribe(online, 1, c.contradict)
	if err := await(ctx, own, c.lost, ackTime); err != nil {
		return fmt.Errorf("subscribing to %s: %w", online, err)
	}
	if err := await(ctx, c.online("true"), c.lost, ackTime); err != nil {
		return fmt.Errorf("saying that the gateway is online: %w", err)
	}
	return nil
}

func (c *connection) online(state string) mqtt.Token {
	return c.client.Publish(hearth.TopicOnline(c.me.Home), 1, true, state)
}

// contradict answers the last will of an earlier connection, which a broker may publish after the new one is up.
func (c *connection) contradict(_ mqtt.Client, m mqtt.Message) {
	if string(m.Payload()) == "false" && !m.Retained() {
		select {
		case c.doubted <- struct{}{}:
		default:
		}
	}
}

// leave says goodbye as far as the link still carries it.
func (c *connection) leave() {
	c.events.Close()
	if c.client.IsConnectionOpen() {
		c.online("false").WaitTimeout(quiesce * time.Millisecond)
	}
	c.client.Disconnect(quiesce)
}

// watch returns when the link breaks.
func (c *connection) watch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-c.lost:
			return fmt.Errorf("the link broke: %w", err)
		case <-c.doubted:
			c.online("true")
		}
	}
}

// list asks for the commands that wait, now and whenever the dispatcher could not keep up.
func (c *connection) list(ctx context.Context) error {
	var wait pace
	for {
		l, err := c.fetch(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			c.r.opt.Log.Warn("asking for the commands that wait; trying again", "error", err)
			c.r.asks.close()
			if !sleep(ctx, wait.next(err)) {
				return ctx.Err()
			}
			continue
		}
		wait.reset()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c.answers.lists <- l:
		}
		if !sleep(ctx, fetchSpacing) {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.answers.again:
		}
	}
}

// fetch reads the receiver's list, page by page in case it comes in pages.
func (c *connection) fetch(ctx context.Context) (listing, error) {
	l := listing{mark: c.answers.box.mark()}
	after := uint64(0)
	for range maxPages {
		var page []json.RawMessage
		path := homePath(c.me.Home, "/commands?after="+strconv.FormatUint(after, 10))
		if err := c.r.asks.getJSON(ctx, path, maxListing, &page); err != nil {
			return l, err
		}
		before := after
		for _, raw := range page {
			o, number, err := parseListed(raw)
			if err != nil {
				c.r.opt.Log.Warn("an entry of the receiver's list is no command and was ignored", "error", err)
				continue
			}
			after = max(after, number)
			l.orders = append(l.orders, o)
		}
		if after == before {
			return l, nil
		}
	}
	return l, nil
}

func parseListed(raw []byte) (order, uint64, error) {
	cmd, err := parseCommand(raw)
	if err != nil {
		return order{}, 0, err
	}
	var beside struct {
		N     uint64       `json:"n"`
		State hearth.State `json:"state"`
	}
	if err := json.Unmarshal(raw, &beside); err != nil {
		return order{}, 0, err
	}
	return order{Command: cmd, state: beside.State}, beside.N, nil
}

// pending is an answer on its way.
type pending struct {
	answer answer
	token  mqtt.Token
}

// say publishes answers; several may be on their way at once.
func (c *connection) say(ctx context.Context) error {
	for {
		a, ok := c.answers.box.take()
		if !ok {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-c.answers.box.ready:
			}
			continue
		}
		payload, err := json.Marshal(a.Result)
		if err != nil {
			return fmt.Errorf("writing the answer to command %s: %w", a.Result.ID, err)
		}
		t := c.client.Publish(hearth.TopicDone(c.me.Home), 1, false, payload)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c.under <- pending{a, t}:
		}
	}
}

// confirm waits for the broker's word for each answer, in order.
func (c *connection) confirm(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p := <-c.under:
			if err := await(ctx, p.token, nil, ackTime); err != nil {
				return fmt.Errorf("answering command %s: %w", p.answer.Result.ID, err)
			}
			if err := c.answers.box.delivered(p.answer); err != nil {
				c.r.opt.Log.Error("forgetting an answer that has arrived", "error", err)
			}
		}
	}
}

// live publishes readings as they come. They are only for whoever looks now: what a slow link cannot take is dropped.
func (c *connection) live(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-c.events.C():
			if e.Kind != home.KindReading {
				continue
			}
			if err := c.publishReading(ctx, e.Reading); err != nil {
				return err
			}
		}
	}
}

func (c *connection) publishReading(ctx context.Context, r hearth.Reading) error {
	live := hearth.LiveReading{Value: r.Value}
	if !r.Untrusted {
		live.Time = hearth.Time{Time: r.Time}
	}
	payload, err := json.Marshal(live)
	if err != nil {
		return fmt.Errorf("writing a live value: %w", err)
	}
	t := c.client.Publish(hearth.TopicReading(c.me.Home, r.Device, r.Property), 0, false, payload)
	if err := await(ctx, t, nil, 2*writeTime); err != nil {
		return fmt.Errorf("publishing a live value: %w", err)
	}
	return nil
}

// tell publishes the gateway's status when something in it changes that a person would want to know, and now and then.
func (c *connection) tell(ctx context.Context) error {
	if c.r.opt.Status == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	look := time.NewTicker(statusLook)
	defer look.Stop()
	var gist string
	var said time.Time
	for {
		payload, now, err := statusOf(c.r.opt.Status())
		if err != nil {
			return err
		}
		if now != gist || time.Since(said) >= statusEvery {
			t := c.client.Publish(hearth.TopicEvent(c.me.Home, "status"), 0, false, payload)
			if err := await(ctx, t, nil, 2*writeTime); err != nil {
				return fmt.Errorf("publishing the status: %w", err)
			}
			gist, said = now, time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
}

// statusOf returns the status as JSON, and its gist: what in it is news when it changes.
func statusOf(v any) (payload []byte, gist string, err error) {
	payload, err = json.Marshal(v)
	if err != nil {
		return nil, "", fmt.Errorf("writing the status: %w", err)
	}
	var parts struct {
		Clock   struct{ Trusted bool }
		Drivers []struct{ Name, State, Error string }
		Targets []struct{ Name, State, Error string }
	}
	if err := json.Unmarshal(payload, &parts); err != nil {
		return nil, "", fmt.Errorf("reading the status: %w", err)
	}
	return payload, fmt.Sprint(parts), nil
}
