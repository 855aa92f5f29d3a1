package shelly

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

const (
	maxCalls    = 8192 // that wait for an answer
	maxCommands = 8    // of them, commands to one device
)

// A call is a request that was sent and what is done with its answer.
type call struct {
	prefix string
	device *device // nil: who is behind the prefix is what is asked
	method string
	params map[string]any
	since  time.Time
	then   func(reply)  // in Handle, with d.mu held; or
	answer chan<- reply // of a command, with room for one
}

// A reply is what came of a call.
type reply struct {
	result json.RawMessage
	err    error
}

// request makes a call known and returns what is to be published; d.mu is held.
func (d *Dialect) request(c *call) (topic string, payload []byte, id int64, err error) {
	if len(d.calls) >= maxCalls {
		d.prune(c.since)
	}
	if len(d.calls) >= maxCalls {
		return "", nil, 0, hearth.Errorf(hearth.CodeBusy, "too many calls wait for an answer")
	}
	d.last++
	data, err := json.Marshal(struct {
		ID     int64          `json:"id"`
		Source string         `json:"src"`
		Method string         `json:"method"`
		Params map[string]any `json:"params,omitempty"`
	}{d.last, d.src, c.method, c.params})
	if err != nil {
		return "", nil, 0, err
	}
	d.calls[d.last] = c
	return c.prefix + "/rpc", data, d.last, nil
}

// ask makes a call whose answer somebody in Handle takes; d.mu is held.
func (d *Dialect) ask(c *call) {
	if topic, payload, _, err := d.request(c); err == nil {
		d.asker.Ask(topic, payload)
	}
}

// prune gives up questions that nobody answered.
func (d *Dialect) prune(now time.Time) {
	for id, c := range d.calls {
		if c.answer == nil && now.Sub(c.since) > askAgain {
			delete(d.calls, id)
		}
	}
}

// answered takes in an answer.
func (d *Dialect) answered(m dialect.Message) {
	var said struct {
		ID     json.RawMessage `json:"id"`
		Source string          `json:"src"`
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code    int64  `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	var id int64
	if dialect.ReadJSON(m.Payload, &said) != nil || json.Unmarshal(said.ID, &id) != nil {
		return
	}
	c := d.calls[id]
	if c == nil || c.device != nil && said.Source != "" && said.Source != c.device.name {
		return
	}
	delete(d.calls, id)
	r := reply{result: said.Result}
	if said.Error != nil {
		r.err = d.refusal(said.Source, c.method, said.Error.Code, said.Error.Message)
	}
	switch {
	case c.answer != nil:
		d.reachable(c.device, true)
		c.answer <- r
	case c.then != nil:
		c.then(r)
	default:
		d.met(c.prefix, r, m)
	}
}

// refusal is an error of the device in the house's codes.
func (d *Dialect) refusal(id, method string, code int64, message string) error {
	message = dialect.Name(message)
	if code == 401 {
		d.once.Warn(d.log, "401 "+id, "a Shelly wants a password over MQTT, which its firmware does not take there: switch authentication off on the device, or update it", "id", dialect.Clip(id, 80))
		return hearth.Errorf(hearth.CodeFailed, "%s wants a password, which it does not take over MQTT: switch authentication off on the device, or update it", dialect.Clip(id, 80))
	}
	ours := hearth.CodeFailed
	switch code {
	case -103: // invalid argument
		ours = hearth.CodeBadValue
	case -105, 404: // no such component, no such method
		ours = hearth.CodeNoDevice
	case -108: // resource exhausted
		ours = hearth.CodeBusy
	case -114: // what is behind the device is not there
		ours = hearth.CodeOffline
	}
	return hearth.Errorf(ours, "%s refused %s: %s (%d)", dialect.Clip(id, 80), method, message, code)
}

// command makes one call for a command and waits for its answer.
func (d *Dialect) command(ctx context.Context, dev *device, method string, params map[string]any) error {
	answer := make(chan reply, 1)
	d.mu.Lock()
	if !d.live {
		d.mu.Unlock()
		return dialect.Offline()
	}
	now, _ := d.env.Now()
	topic, payload, id, err := d.request(&call{prefix: dev.prefix, device: dev, method: method, params: params, since: now, answer: answer})
	d.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		d.mu.Lock()
		delete(d.calls, id)
		d.mu.Unlock()
	}()
	if err := d.env.Bus.Publish(ctx, topic, payload, false); err != nil {
		return err
	}
	timer := time.NewTimer(answerLimit)
	defer timer.Stop()
	select {
	case r := <-answer:
		return r.err
	case <-timer.C:
	case <-ctx.Done():
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return ctx.Err()
		}
	}
	return hearth.Errorf(hearth.CodeUnknownOutcome, "%s was sent %s and did not answer", dev.id, method)
}
