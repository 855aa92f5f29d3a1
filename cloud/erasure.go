package cloud

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// eraseAgain is longer than a receiver may believe a token that is gone, and than a write may take.
const eraseAgain = 30 * time.Second

// An erasure deletes the readings of homes that are removed, and once more later: what a gateway sent meanwhile to a
// receiver that had not heard of it yet.
type erasure struct {
	erase func(home string) error
	log   *slog.Logger

	mu    sync.Mutex
	later map[string]time.Time // when homes are erased again
}

func newErasure(erase func(home string) error, log *slog.Logger) *erasure {
	return &erasure{erase: erase, log: log, later: map[string]time.Time{}}
}

// home deletes a home's readings for good.
func (e *erasure) home(_ context.Context, home string) error {
	if err := e.erase(home); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.later[home] = time.Now().Add(eraseAgain)
	return nil
}

// run erases again until ctx ends, and what is left then at once.
func (e *erasure) run(ctx context.Context) error {
	tick := time.NewTicker(eraseAgain / 10)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			e.again(time.Now().Add(eraseAgain))
			return nil
		case now := <-tick.C:
			e.again(now)
		}
	}
}

// again erases those that are due.
func (e *erasure) again(now time.Time) {
	e.mu.Lock()
	var due []string
	for home, at := range e.later {
		if !now.Before(at) {
			due = append(due, home)
		}
	}
	e.mu.Unlock()
	for _, home := range due {
		if err := e.erase(home); err != nil {
			e.log.Error("the readings of a removed home could not be erased; it is tried again", "home", home, "err", err)
			continue
		}
		e.mu.Lock()
		delete(e.later, home)
		e.mu.Unlock()
	}
}
