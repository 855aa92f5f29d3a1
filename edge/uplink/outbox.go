package uplink

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"hearth"
)

const (
	maxHeld   = 1000 // final answers kept on disk; the oldest goes first
	maxQueued = 1000 // answers waiting for the link; the oldest that is not final goes first
)

// answer is what the receiver is told of one of its commands.
type answer struct {
	Number uint64        `json:"n"` // the order in which answers were given
	Result hearth.Result `json:"result"`

	// Refused says that the home knows nothing of the command, so this is all that keeps it from being carried out
	// when it comes again.
	Refused bool `json:"refused,omitempty"`
}

// outbox holds answers until the receiver has them. A final one is on disk before it is said.
type outbox struct {
	store hearth.Store
	ready chan struct{} // something is queued

	mu    sync.Mutex
	next  uint64
	held  map[string]answer // final ones, by command id; as on disk
	queue []answer
}

func openOutbox(store hearth.Store) (*outbox, error) {
	b := &outbox{store: store, ready: make(chan struct{}, 1), held: map[string]answer{}}
	var broken []string
	err := store.Each(func(key string, data []byte) error {
		var a answer
		if json.Unmarshal(data, &a) != nil || a.Result.ID != key {
			broken = append(broken, key)
			return nil
		}
		b.held[key] = a
		b.next = max(b.next, a.Number)
		return nil
	})
	for _, key := range broken {
		err = cmp.Or(err, store.Delete(key))
	}
	if err != nil {
		return nil, fmt.Errorf("reading the answers not yet delivered: %w", err)
	}
	return b, nil
}

// say queues what has become of a command.
func (b *outbox) say(result hearth.Result, refused bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	a := answer{Number: b.next, Result: result, Refused: refused}
	var err error
	if result.Final {
		err = b.hold(a)
	}
	b.enqueue(a)
	return err
}

// known returns the refusal of a command that the home does not know.
func (b *outbox) known(id string) (hearth.Result, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.held[id]
	return a.Result, ok && a.Refused
}

// holds reports whether a final answer to that command is kept.
func (b *outbox) holds(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.held[id]
	return ok
}

func (b *outbox) hold(a answer) error {
	for len(b.held) >= maxHeld {
		if err := b.forget(b.sorted()[0].Result.ID); err != nil {
			return err
		}
	}
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("writing the answer to command %s: %w", a.Result.ID, err)
	}
	b.held[a.Result.ID] = a
	if err := b.store.Put(a.Result.ID, data); err != nil {
		return fmt.Errorf("keeping the answer to command %s: %w", a.Result.ID, err)
	}
	return nil
}

func (b *outbox) forget(id string) error {
	delete(b.held, id)
	if err := b.store.Delete(id); err != nil {
		return fmt.Errorf("forgetting the answer to command %s: %w", id, err)
	}
	return nil
}

func (b *outbox) sorted() []answer {
	list := make([]answer, 0, len(b.held))
	for _, a := range b.held {
		list = append(list, a)
	}
	slices.SortFunc(list, func(x, y answer) int { return cmp.Compare(x.Number, y.Number) })
	return list
}

func (b *outbox) enqueue(a answer) {
	if len(b.queue) >= maxQueued {
		passing := slices.IndexFunc(b.queue, func(a answer) bool { return !a.Result.Final })
		b.queue = slices.Delete(b.queue, max(passing, 0), max(passing, 0)+1)
	}
	b.queue = append(b.queue, a)
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take returns the next answer to say.
func (b *outbox) take() (answer, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return answer{}, false
	}
	a := b.queue[0]
	b.queue = b.queue[1:]
	return a, true
}

// delivered notes that the broker has an answer. A refusal is kept until the receiver no longer lists its command.
func (b *outbox) delivered(a answer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if held, ok := b.held[a.Result.ID]; !ok || held.Number != a.Number || held.Refused {
		return nil
	}
	return b.forget(a.Result.ID)
}

// mark returns the number of the last answer given.
func (b *outbox) mark() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

// settle is for a fresh link: of the answers up to mark, those whose command the receiver does not list any more have
// arrived; the others are said again.
func (b *outbox) settle(listed map[string]bool, mark uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	b.queue = slices.DeleteFunc(b.queue, func(a answer) bool { return a.Number <= mark })
	later := b.queue
	b.queue = nil
	for _, a := range b.sorted() {
		switch {
		case a.Number > mark:
		case listed[a.Result.ID]:
			b.enqueue(a)
		default:
			err = cmp.Or(err, b.forget(a.Result.ID))
		}
	}
	for _, a := range later {
		b.enqueue(a)
	}
	return err
}
