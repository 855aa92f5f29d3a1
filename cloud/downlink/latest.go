package downlink

import (
	"slices"
	"sync"

	"hearth"
)

// mostLatest is how many records are remembered: more than are under way while somebody waits for them.
const mostLatest = 4096

// latest remembers the records that moved on last, so that neither who waits for one nor the answer to one has to read
// the table again. It may be behind the table: what is stored because of it is stored only if the table says the same.
type latest struct {
	mu      sync.Mutex
	records map[string]hearth.Record // by home and command
	order   []string                 // a ring of their keys
	next    int
}

func (l *latest) put(home string, r hearth.Record) {
	r.History = slices.Clip(r.History) // what is appended to a copy is nobody else's
	key := home + "/" + r.ID
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.records == nil {
		l.records, l.order = map[string]hearth.Record{}, make([]string, mostLatest)
	}
	if _, known := l.records[key]; !known {
		delete(l.records, l.order[l.next])
		l.order[l.next] = key
		l.next = (l.next + 1) % mostLatest
	}
	l.records[key] = r
}

func (l *latest) get(home, id string) (hearth.Record, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.records[home+"/"+id]
	return r, ok
}

func (l *latest) drop(home, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.records != nil {
		delete(l.records, home+"/"+id)
	}
}
