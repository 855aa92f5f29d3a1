package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// SQLite has one writer at a time, and what is dear about a transaction is to wait until it is on disk. So those that
// come while one is under way wait together, and are committed together: each is a savepoint, so that one that fails
// leaves the others as they are, and all are told of their success when the whole is on disk.

const (
	mostTogether = 64                   // transactions that are committed together
	crowd        = 4                    // so many in one group show that more will come …
	gathering    = 3 * time.Millisecond // … so soon: most of a commit's price is the same for one and for many
)

// A turn is one transaction that waits.
type turn struct {
	do     func(*sql.Tx) error
	err    error
	reason any       // of a panic
	wake   chan bool // true: it is over; false: the one that waits is to lead the next group
}

// turns is the queue.
type turns struct {
	mu      sync.Mutex
	led     bool // a group is under way
	waiting []*turn
	crowded time.Time // when a crowd was committed, if the last group was one
}

// enter reports whether t is to lead a group at once; otherwise it is woken.
func (q *turns) enter(t *turn) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.led {
		q.waiting = append(q.waiting, t)
		return false
	}
	q.led = true
	return true
}

// leave takes t out, unless its group is under way.
func (q *turns) leave(t *turn) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range q.waiting {
		if w == t {
			q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// group returns those who go with their leader, which is the first.
func (q *turns) group(leader *turn) []*turn {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), mostTogether-1)
	group := append([]*turn{leader}, q.waiting[:n]...)
	q.waiting = append([]*turn(nil), q.waiting[n:]...)
	return group
}

// gather waits for others where there was a crowd just before, unless there is one already.
func (q *turns) gather() {
	q.mu.Lock()
	wait, full := time.Until(q.crowded.Add(gathering)), len(q.waiting) >= mostTogether-1
	q.mu.Unlock()
	if wait > 0 && !full {
		time.Sleep(wait)
	}
}

// next has the next one lead, if there is one, after a group of so many.
func (q *turns) next(size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.crowded = time.Time{}
	if size >= crowd {
		q.crowded = time.Now()
	}
	if q.led = len(q.waiting) > 0; q.led {
		first := q.waiting[0]
		q.waiting = q.waiting[1:]
		first.wake <- false
	}
}

// take runs do in a transaction that others may share.
func (a *Accounts) take(ctx context.Context, do func(*sql.Tx) error) error {
	t := &turn{do: do, wake: make(chan bool, 1)}
	if !a.turns.enter(t) {
		var over bool
		select {
		case over = <-t.wake:
		case <-ctx.Done():
			if a.turns.leave(t) {
				return ctx.Err()
			}
			over = <-t.wake
		}
		if over {
			return t.result()
		}
	}
	a.turns.gather()
	group := a.turns.group(t)
	a.together(group)
	a.turns.next(len(group))
	for _, other := range group[1:] {
		other.wake <- true
	}
	return t.result()
}

func (t *turn) result() error {
	if t.reason != nil {
		panic(t.reason)
	}
	return t.err
}

// run carries t out; a panic is the affair of who waits for it.
func (t *turn) run(tx *sql.Tx) {
	defer func() {
		if t.reason = recover(); t.reason != nil {
			t.err = fmt.Errorf("a transaction panicked: %v", t.reason)
		}
	}()
	t.err = t.do(tx)
}

// together commits a group in one transaction.
func (a *Accounts) together(group []*turn) {
	err := a.inOne(group)
	for _, t := range group {
		if t.err == nil {
			t.err = err
		}
	}
}

// inOne returns what went wrong for all of the group.
func (a *Accounts) inOne(group []*turn) error {
	tx, err := a.writer.BeginTx(context.Background(), nil) // it is not one request's
	if err != nil {
		return a.noted(err)
	}
	for _, t := range group {
		if err := a.within(tx, t, len(group) == 1); err != nil {
			return errors.Join(a.noted(err), ignoreDone(tx.Rollback()))
		}
	}
	return a.noted(tx.Commit())
}

// within runs t so that its failure undoes nothing else. It returns an error if that did not succeed.
func (a *Accounts) within(tx *sql.Tx, t *turn, alone bool) error {
	if alone {
		t.run(tx)
		return t.err
	}
	if _, err := tx.Exec("SAVEPOINT turn"); err != nil {
		return err
	}
	t.run(tx)
	if t.err != nil {
		_ = a.noted(t.err)
		if _, err := tx.Exec("ROLLBACK TO turn"); err != nil {
			return err
		}
	}
	_, err := tx.Exec("RELEASE turn")
	return err
}
