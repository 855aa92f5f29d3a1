package hap

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/brutella/hap/characteristic"
)

const mostItems = 4096 // of one request

// result is one item of a response.
type result struct {
	AID    uint64  `json:"aid"`
	IID    uint64  `json:"iid"`
	Value  *any    `json:"value,omitempty"`
	Status *Status `json:"status,omitempty"`

	Type        string   `json:"type,omitempty"`
	Permissions []string `json:"perms,omitempty"`
	Event       *bool    `json:"ev,omitempty"`
	meta
}

func (s *Server) accessories() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return []byte(`{"accessories":[]}`)
	}
	out := s.db.appendJSON(make([]byte, 0, s.db.size))
	s.db.size = len(out) + len(out)/16
	return out
}

// find returns the published characteristic, nil where there is none.
func (s *Server) find(k key) *item {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	return s.db.items[k]
}

// parseIDs reads id=1.2,1.3.
func parseIDs(text string) ([]key, bool) {
	var keys []key
	for part := range strings.SplitSeq(text, ",") {
		a, i, ok := strings.Cut(part, ".")
		aid, err1 := strconv.ParseUint(a, 10, 64)
		iid, err2 := strconv.ParseUint(i, 10, 64)
		if !ok || err1 != nil || err2 != nil || len(keys) >= mostItems {
			return nil, false
		}
		keys = append(keys, key{aid, iid})
	}
	return keys, true
}

// readValues answers GET /characteristics (section 6.7.4).
func (c *conn) readValues(ctx context.Context, query url.Values) response {
	keys, ok := parseIDs(query.Get("id"))
	if !ok {
		return badRequest
	}
	want := func(what string) bool { v := query.Get(what); return v == "1" || v == "true" }
	results := make([]result, len(keys))
	failed := false
	for n, k := range keys {
		results[n] = result{AID: k.aid, IID: k.iid}
		status := c.readValue(ctx, &results[n], want)
		results[n].Status = &status
		failed = failed || status != OK
	}
	return listed(results, failed)
}

func (c *conn) readValue(ctx context.Context, r *result, want func(string) bool) Status {
	i := c.s.find(key{r.AID, r.IID})
	if i == nil {
		return NotFound
	}
	if want("meta") {
		r.meta = metaOf(i.c)
	}
	if want("perms") {
		r.Permissions = i.c.Permissions
	}
	if want("type") {
		r.Type = strings.ToUpper(i.c.Type)
	}
	if !i.readable {
		return WriteOnly
	}
	status := c.s.asks().Read(ctx, i.a, i.c)
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if want("ev") {
		subscribed := c.queue.subs[i.key]
		r.Event = &subscribed
	}
	if status == OK {
		value := i.shown()
		r.Value = &value
	}
	return status
}

// listed is 200 or 207: with a status for each item as soon as one of them failed.
func listed(results []result, failed bool) response {
	status := http.StatusMultiStatus
	if !failed {
		status = http.StatusOK
		for n := range results {
			results[n].Status = nil
		}
	}
	body, err := json.Marshal(struct {
		Characteristics []result `json:"characteristics"`
	}{results})
	if err != nil {
		return response{status: http.StatusInternalServerError}
	}
	return response{status: status, kind: contentJSON, body: body}
}

// isIdentify is the characteristic that lets an accessory show itself (section 9.45).
func isIdentify(i *item) bool { return i.c.Type == characteristic.TypeIdentify }
