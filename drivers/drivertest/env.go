package drivertest

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
)

// NewEnv returns what a driver of that name is made with in a test: a log that goes to the test's, an empty Store in
// memory, a directory that is not there yet, and the machine's clock, trusted.
func NewEnv(t testing.TB, name string) hearth.Env {
	out := &testLog{t: t}
	t.Cleanup(out.end)
	return hearth.Env{
		Name:  name,
		Dir:   t.TempDir() + "/" + name,
		Log:   slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Store: NewStore(),
		Now:   func() (time.Time, bool) { return time.Now(), true },
	}
}

// testLog writes to the test's log until the test ends, and nowhere after that.
type testLog struct {
	mu sync.Mutex
	t  testing.TB
}

func (l *testLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.t != nil {
		l.t.Log(strings.TrimSpace(string(line)))
	}
	return len(line), nil
}

func (l *testLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t = nil
}

// NewStore returns an empty one.
func NewStore() *Store { return &Store{values: map[string][]byte{}} }

// A Store is a hearth.Store in memory.
type Store struct {
	mu     sync.Mutex
	values map[string][]byte
	puts   int
	fail   error
}

// Fail has every Put from now on return err, nil to end that.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// Clone returns another Store with the same entries.
func (s *Store) Clone() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Store{values: maps.Clone(s.values)}
}

// Len returns how many entries there are.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.values)
}

// Get implements hearth.Store.
func (s *Store) Get(key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.values[key]), nil
}

// Put implements hearth.Store.
func (s *Store) Put(key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.puts++
	s.values[key] = append([]byte{}, value...)
	return nil
}

// Delete implements hearth.Store.
func (s *Store) Delete(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, key)
	return nil
}

// Each implements hearth.Store.
func (s *Store) Each(each func(key string, value []byte) error) error {
	s.mu.Lock()
	values := maps.Clone(s.values)
	s.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if err := each(key, bytes.Clone(values[key])); err != nil {
			return err
		}
	}
	return nil
}

// Puts returns how often something was written.
func (s *Store) Puts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts
}

// goroutines are the stacks of all that run, by their number.
type goroutines map[string]string

func running() goroutines {
	buffer := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buffer, true)
		if n < len(buffer) {
			buffer = buffer[:n]
			break
		}
		buffer = make([]byte, 2*len(buffer))
	}
	all := goroutines{}
	for _, stack := range strings.Split(string(buffer), "\n\n") {
		if fields := strings.Fields(stack); len(fields) > 1 {
			all[fields[1]] = stack
		}
	}
	return all
}

// since returns the stacks of those that did not run before.
func (g goroutines) since(before goroutines) string {
	var stacks []string
	for number, stack := range g {
		if _, old := before[number]; !old {
			stacks = append(stacks, stack)
		}
	}
	return strings.Join(stacks, "\n\n")
}

// awaitGone waits until nothing runs that did not run before, and returns what is left after patience.
func awaitGone(before goroutines, patience time.Duration) (left string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if left = running().since(before); left == "" {
			return ""
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return left
		}
	}
}
