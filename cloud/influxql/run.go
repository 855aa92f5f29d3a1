package influxql

import (
	"context"
	"errors"
	"time"

	"hearth"
)

// A run is one request under way: what it may read, and how much it has read.
type run struct {
	ctx    context.Context
	server *Server
	token  hearth.Token
	now    time.Time

	homes    map[string]string         // database to home, those that were asked for
	catalogs map[string]*catalog       // by home
	matched  map[string][]*measurement // by home and what a source names

	scanned int
	held    int   // points in memory until their group is answered
	kept    int   // rows of subqueries, in memory to the end
	err     error // the first that happened: cursors end when there is one
}

func newRun(ctx context.Context, s *Server, token hearth.Token) *run {
	return &run{
		ctx: ctx, server: s, token: token, now: s.o.Now().UTC(),
		homes: map[string]string{}, catalogs: map[string]*catalog{}, matched: map[string][]*measurement{},
	}
}

// fail keeps the first error.
func (r *run) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// scan counts a point that was read, and reports whether to go on.
func (r *run) scan() bool {
	r.scanned++
	if r.scanned&1023 == 0 {
		r.check()
	}
	return r.err == nil
}

// check ends a run that took too long or read too much.
func (r *run) check() {
	switch {
	case r.scanned > r.server.limits.scanned:
		r.fail(r.server.limits.errScanned())
	case r.ctx.Err() != nil:
		if errors.Is(r.ctx.Err(), context.DeadlineExceeded) {
			r.fail(r.server.limits.errTime())
		}
		r.fail(r.ctx.Err())
	}
}

// hold counts points that stay in memory, and reports whether to go on.
func (r *run) hold(n int) bool {
	if r.held += n; r.held+r.kept > r.server.limits.held {
		r.fail(r.server.limits.errHeld())
	}
	return r.err == nil
}

// keep is hold for what stays to the end of the query.
func (r *run) keep(n int) bool {
	r.kept += n
	return r.hold(0)
}

// fewBuckets reports whether a series may have so many windows.
func (r *run) fewBuckets(n int64) bool {
	if n > int64(r.server.limits.buckets) {
		r.fail(r.server.limits.errBuckets(n))
	}
	return r.err == nil
}

// release takes back what hold counted since the mark.
func (r *run) release(mark int) { r.held = mark }
