package cloud

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestRemovedHomesAreErasedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var erased []string
		var fails error
		failing := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			fails = err
		}
		e := newErasure(func(home string) error {
			mu.Lock()
			defer mu.Unlock()
			if fails == nil {
				erased = append(erased, home)
			}
			return fails
		}, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.run(ctx) }()
		erase := func(home string, want error) {
			t.Helper()
			if err := e.home(ctx, home); !errors.Is(err, want) {
				t.Errorf("%s: %v", home, err)
			}
		}
		has := func(want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(erased, want) {
				t.Errorf("erased %q, want %q", erased, want)
			}
		}
		erase("a", nil)
		has("a")
		full := errors.New("the disk is full")
		failing(full)
		erase("refused", full)
		time.Sleep(2 * eraseAgain)
		has("a")
		failing(nil)
		time.Sleep(eraseAgain)
		has("a", "a")
		time.Sleep(10 * eraseAgain)
		erase("b", nil)
		has("a", "a", "b")
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		has("a", "a", "b", "b")
	})
}
