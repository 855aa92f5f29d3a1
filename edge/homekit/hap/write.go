package hap

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"
)

const (
	writeTime  = 9 * time.Second // a controller gives up at about ten
	writeGrace = 500 * time.Millisecond
	longestTTL = 10 * time.Minute
)

// prepared is a timed write that was announced (section 6.7.2.4).
type prepared struct {
	pid   *uint64
	until time.Time
}

// prepare answers PUT /prepare.
func (c *conn) prepare(body []byte) response {
	var request struct {
		TTL *uint64 `json:"ttl"` // milliseconds
		PID *uint64 `json:"pid"`
	}
	if json.Unmarshal(body, &request) != nil || request.TTL == nil || request.PID == nil || *request.TTL == 0 {
		return badRequest
	}
	ttl := longestTTL
	if *request.TTL < uint64(longestTTL/time.Millisecond) {
		ttl = time.Duration(*request.TTL) * time.Millisecond
	}
	c.prepared = prepared{request.PID, time.Now().Add(ttl)}
	return response{status: http.StatusOK, kind: contentJSON, body: []byte(`{"status":0}`)}
}

// execute says whether a write with a pid is the one that was prepared, in time. A pid counts once.
func (c *conn) execute(pid uint64) bool {
	p := c.prepared
	if p.pid == nil || *p.pid != pid {
		return false
	}
	c.prepared = prepared{}
	return time.Now().Before(p.until)
}

// flag is a JSON boolean that some controllers write as a number.
type flag bool

func (f *flag) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "1":
		*f = true
		return nil
	case "0":
		*f = false
		return nil
	}
	return json.Unmarshal(text, (*bool)(f))
}

type writeRequest struct {
	Characteristics []writeItem `json:"characteristics"`
	PID             *uint64     `json:"pid"`
}

type writeItem struct {
	AID      uint64          `json:"aid"`
	IID      uint64          `json:"iid"`
	Value    json.RawMessage `json:"value"`
	Event    *flag           `json:"ev"`
	Response flag            `json:"r"`
}

// pending is an item of a request on its way to the handler.
type pending struct {
	item    *item
	value   any
	version uint64 // of the item's value before
	result  *result
	answer  bool // with the value in the response
}

// writeValues answers PUT /characteristics (section 6.7.2).
func (c *conn) writeValues(ctx context.Context, body []byte) response {
	var request writeRequest
	if json.Unmarshal(body, &request) != nil || len(request.Characteristics) == 0 || len(request.Characteristics) > mostItems {
		return badRequest
	}
	timed := false
	if request.PID != nil {
		timed = c.execute(*request.PID)
	}
	results := make([]result, len(request.Characteristics))
	accessories := make(map[uint64][]pending)
	for n, w := range request.Characteristics {
		results[n] = result{AID: w.AID, IID: w.IID}
		status := Invalid
		if request.PID == nil || timed {
			status = c.take(w, &results[n], timed, accessories)
		}
		results[n].Status = &status
	}
	c.hand(ctx, accessories, timed)
	failed := false
	for n := range results {
		failed = failed || *results[n].Status != OK || results[n].Value != nil
	}
	if !failed {
		return response{status: http.StatusNoContent}
	}
	return listed(results, true)
}

// take checks one item and puts it with the others of its accessory.
func (c *conn) take(w writeItem, r *result, timed bool, accessories map[uint64][]pending) Status {
	i := c.s.find(key{w.AID, w.IID})
	if i == nil {
		return NotFound
	}
	if w.Event == nil && w.Value == nil {
		return Invalid
	}
	if w.Event != nil {
		if !i.observable {
			return NoEvents
		}
		c.s.subscribe(c, i.key, bool(*w.Event))
	}
	if w.Value == nil {
		return OK
	}
	if !i.writable {
		return ReadOnly
	}
	if i.timed && !timed {
		return Invalid
	}
	value, ok := i.limits.written(w.Value)
	if !ok {
		return Invalid
	}
	accessories[w.AID] = append(accessories[w.AID], pending{item: i, value: value, result: r, answer: bool(w.Response)})
	return OK
}

// hand gives each accessory its values, all accessories at once, and waits for their statuses.
func (c *conn) hand(ctx context.Context, accessories map[uint64][]pending, timed bool) {
	if len(accessories) == 0 {
		return
	}
	c.s.writing(c, accessories)
	defer c.s.written(c)
	server := ctx.Done()
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	type done struct {
		aid      uint64
		statuses []Status
	}
	results := make(chan done, len(accessories)) // a handler that comes too late blocks nobody
	for aid, values := range accessories {
		go func() { results <- done{aid, c.s.handle(ctx, values, c.controller, timed)} }()
	}
	late := time.NewTimer(writeTime + writeGrace)
	defer late.Stop()
	waiting := make(map[uint64]bool)
	for aid := range accessories {
		waiting[aid] = true
	}
	for len(waiting) > 0 {
		select {
		case d := <-results:
			delete(waiting, d.aid)
			for n, p := range accessories[d.aid] {
				c.settle(p, d.statuses[n])
			}
			continue
		case <-late.C:
		case <-server:
		}
		for aid := range waiting {
			for _, p := range accessories[aid] {
				c.settle(p, TimedOut)
			}
		}
		return
	}
}

// handle calls the handler for one accessory.
func (s *Server) handle(ctx context.Context, values []pending, controller string, timed bool) []Status {
	statuses := make([]Status, len(values))
	var writes []Write
	var at []int
	for n, p := range values {
		if isIdentify(p.item) {
			if p.value == true {
				s.asks().Identify(p.item.a)
			}
			continue
		}
		writes, at = append(writes, Write{p.item.c, p.value, timed, controller}), append(at, n)
	}
	if len(writes) == 0 {
		return statuses
	}
	answers := s.asks().Write(ctx, values[0].item.a, writes)
	for n, index := range at {
		statuses[index] = OutOfReach
		if n < len(answers) {
			statuses[index] = answers[n]
		}
	}
	return statuses
}

// settle is the end of one item: its status, and its value in the cache.
func (c *conn) settle(p pending, status Status) {
	*p.result.Status = status
	if status != OK {
		return
	}
	if !isIdentify(p.item) {
		c.s.accepted(c, p)
	}
	if p.answer {
		c.s.mu.Lock()
		value := p.item.value
		c.s.mu.Unlock()
		p.result.Value = &value
	}
}

// bodyOf is the body of an event: one value each.
func bodyOf(items []result) []byte {
	body, err := json.Marshal(struct {
		Characteristics []result `json:"characteristics"`
	}{items})
	if err != nil {
		panic("hap: " + err.Error()) // values are of five types
	}
	return bytes.TrimSpace(body)
}
