package edge

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// parts run together and are stopped together. Unlike an errgroup's, they are waited for only so long: a stop must not
// hang on one of them.
type parts struct {
	ctx    context.Context
	cancel context.CancelFunc
	failed chan<- error // takes the first failure of all parts of the gateway
	all    sync.WaitGroup
}

func newParts(failed chan<- error) *parts {
	ctx, cancel := context.WithCancel(context.Background())
	return &parts{ctx: ctx, cancel: cancel, failed: failed}
}

// run starts one part. It fails with an error, with a panic, and by ending before it was asked to.
func (p *parts) run(name string, fn func(context.Context) error) {
	p.all.Go(func() {
		err := guarded(p.ctx, fn)
		if err == nil && p.ctx.Err() == nil {
			err = errors.New("ended by itself")
		}
		if err == nil {
			return
		}
		select {
		case p.failed <- fmt.Errorf("%s: %w", name, err):
		default: // the first failure is the one to know
		}
	})
}

func guarded(ctx context.Context, fn func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(ctx)
}

// stop reports whether all parts ended in time.
func (p *parts) stop(limit time.Duration) bool {
	p.cancel()
	return waited(&p.all, limit)
}

func waited(all *sync.WaitGroup, limit time.Duration) bool {
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
