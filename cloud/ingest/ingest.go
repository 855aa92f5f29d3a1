// Package ingest takes data in: batches of gateways, and plain writes in InfluxDB's own forms, v1 and v2.
package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

// Limits. MB is 10⁶ bytes.
const (
	maxBody   = 25_000_000 // of a plain write, also unpacked
	maxBatch  = 4 << 20    // of a batch, unpacked
	maxActive = 4          // writes of one home at once
	burst     = 10 * time.Second
	chunk     = 20_000 // rows of a plain write stored at once

	keptRows = 4096    // rows, …
	keptBody = 1 << 20 // … and bytes of a body, that room is kept for between requests

	memory     = 256 << 20 // bytes of bodies in memory, all homes together
	memoryWait = 5 * time.Second
)

// A Store takes writes: *series.Store, or *replica.Replica where several receivers keep the same. After an error without
// a code the sender is asked to try again.
type Store interface {
	Write(series.Write) (series.Outcome, error)
}

// Options are what an Ingest is made with.
type Options struct {
	Store    Store
	Accounts *accounts.Accounts
	Check    func(*http.Request, string) (hearth.Token, error) // finds the token of a secret; see api.Auth

	Live func(Arrival) // is told what was stored; it must be quick

	Rate    int64 // unpacked bytes a second that one home may write; 0: no limit
	Drain   int64 // bytes of bodies a second at which all homes together send what piled up; 0: no limit
	Version string
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger
}

// An Arrival is what one request brought, now durable. Its slices are good during the call that tells of it.
type Arrival struct {
	Home     string
	Readings []hearth.Reading // of devices; what else was written is not among them
	Gaps     []hearth.Gap
	Ledger   *hearth.Ledger // the gateway's account, before it knew of this; nil for a plain write
	Rows     uint64         // of that account's backlog that are settled now
}

// Ingest serves the write paths.
type Ingest struct {
	o      Options
	memory *semaphore.Weighted
	count  Counters
	drain  *drainer

	parsers sync.Pool // *parser
	buffers sync.Pool // *bytes.Buffer, of bodies
	zstds   sync.Pool // *zstd.Decoder
	gzips   sync.Pool // *gzip.Reader

	mu     sync.Mutex
	homes  map[string]*quota
	tokens map[string]*rate.Limiter // of those that send readings one by one
}

// A quota is one home's share of the receiver.
type quota struct {
	limiter *rate.Limiter
	active  int
}

// New returns an Ingest.
func New(o Options) *Ingest {
	if o.Now == nil {
		o.Now = time.Now
	}
	in := &Ingest{o: o, memory: semaphore.NewWeighted(memory), drain: newDrainer(o.Drain, o.Now), homes: map[string]*quota{}, tokens: map[string]*rate.Limiter{}}
	in.parsers.New = func() any { return new(parser) }
	in.buffers.New = func() any { return new(bytes.Buffer) }
	return in
}

// Counters returns what it has done so far.
func (in *Ingest) Counters() *Counters { return &in.count }

// WriteV1 serves POST /write.
func (in *Ingest) WriteV1(w http.ResponseWriter, r *http.Request) { in.serve(w, r, formV1, "db") }

// WriteV2 serves POST /api/v2/write: plain writes, and batches where the headers of the batch protocol are given.
func (in *Ingest) WriteV2(w http.ResponseWriter, r *http.Request) { in.serve(w, r, formV2, "bucket") }

func (in *Ingest) serve(w http.ResponseWriter, r *http.Request, form form, bucket string) {
	home, refused := in.admit(r, bucket)
	if refused != nil {
		form.fail(w, refused)
		return
	}
	batch, ledger, err := headers(r.Header)
	if err != nil {
		form.fail(w, refuse(http.StatusBadRequest, "invalid", "%v", err))
		return
	}
	q, refused := in.begin(home)
	if refused != nil {
		in.count.Throttled.Add(1)
		form.fail(w, refused)
		return
	}
	defer in.end(q)
	limit := int64(maxBody)
	if batch != nil {
		limit = maxBatch
	}
	body, release, refused := in.body(w, r, q, limit)
	defer release()
	if refused != nil {
		form.fail(w, refused)
		return
	}
	p := in.parsers.Get().(*parser)
	defer in.giveBack(p)
	p.reset(home, r.URL.Query().Get("precision"), in.o.Now())
	if batch != nil {
		travelled := r.ContentLength
		if travelled < 0 {
			travelled = int64(len(body))
		}
		in.storeBatch(w, p, body, batch, ledger, travelled)
		return
	}
	in.storePlain(w, p, body, form)
}

// giveBack keeps a parser's room for the next request, unless it is large.
func (in *Ingest) giveBack(p *parser) {
	if cap(p.points) <= keptRows {
		p.taken()
		in.parsers.Put(p)
	}
}

// headers reads those of the batch protocol: none of them, or both and well formed.
func headers(h http.Header) (*hearth.BatchID, *hearth.Ledger, error) {
	id, account := h.Values(hearth.HeaderBatch), h.Values(hearth.HeaderLedger)
	if len(id) == 0 && len(account) == 0 {
		return nil, nil, nil
	}
	if len(id) != 1 || len(account) != 1 {
		return nil, nil, fmt.Errorf("a batch has one header %s and one %s", hearth.HeaderBatch, hearth.HeaderLedger)
	}
	batch, err := hearth.ParseBatchID(id[0])
	if err != nil {
		return nil, nil, fmt.Errorf("%s %w", hearth.HeaderBatch, err)
	}
	if batch.Seq == 0 {
		return nil, nil, fmt.Errorf("%s %s: seq counts from 1", hearth.HeaderBatch, batch)
	}
	ledger, err := hearth.ParseLedger(account[0])
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", hearth.HeaderLedger, err)
	}
	return &batch, &ledger, nil
}

func (in *Ingest) storeBatch(w http.ResponseWriter, p *parser, body []byte, batch *hearth.BatchID, ledger *hearth.Ledger, travelled int64) {
	if refused := p.parse(body, nil); refused != nil {
		formV2.fail(w, refused)
		return
	}
	outcome, refused := in.store(p, series.Write{Home: p.home, Points: p.points, Gaps: p.gaps, Batch: batch, Ledger: ledger, Bad: p.badRows})
	if refused != nil {
		formV2.fail(w, refused)
		return
	}
	w.Header().Set(hearth.HeaderDurable, outcome.Durable.String())
	settled := p.rows() + p.badRows
	tellRate(w.Header(), in.drain.share(p.home, ledger.Backlog-min(settled, ledger.Backlog), travelled))
	if outcome.Ahead {
		in.count.Ahead.Add(1)
		formV2.fail(w, refuse(http.StatusConflict, "conflict", "batch %s is beyond the next one: go on after %s", batch, outcome.Durable))
		return
	}
	if outcome.Bad > 0 {
		w.Header().Set(hearth.HeaderRejected, fmt.Sprint(outcome.Bad))
	}
	w.WriteHeader(http.StatusNoContent)
	arrival := Arrival{Home: p.home, Ledger: ledger, Rows: settled}
	if outcome.Duplicate {
		in.count.Duplicates.Add(1)
		in.o.Live(arrival)
		return
	}
	if outcome.Bad > 0 {
		in.count.Bad.Add(outcome.Bad)
		in.o.Log.Warn("rows of a batch were refused", "home", p.home, "batch", batch.String(), "rows", outcome.Bad, "first", p.bad[0])
	}
	arrival.Readings, arrival.Gaps = p.readings, p.gaps
	in.stored(arrival, p.rows()-outcome.Refused)
}

// storePlain stores in pieces, so that a large body costs little memory; each piece is durable when the next begins.
func (in *Ingest) storePlain(w http.ResponseWriter, p *parser, body []byte, form form) {
	badSoFar := uint64(0)
	refused := p.parse(body, func() *refusal {
		if len(p.points) == 0 && len(p.gaps) == 0 && p.badRows == badSoFar {
			return nil
		}
		rows := p.rows()
		outcome, refused := in.store(p, series.Write{Home: p.home, Points: p.points, Gaps: p.gaps, Bad: p.badRows - badSoFar})
		if refused != nil {
			return refused
		}
		p.badRows += outcome.Refused
		p.goodLines -= int(min(outcome.Refused, uint64(p.goodLines))) // by rows: which lines they were of is not known
		in.stored(Arrival{Home: p.home, Readings: p.readings, Gaps: p.gaps}, rows-outcome.Refused)
		badSoFar = p.badRows
		p.taken()
		return nil
	})
	switch {
	case refused != nil:
		form.fail(w, refused)
	case p.badRows > 0:
		in.count.Bad.Add(p.badRows)
		in.o.Log.Warn("lines of a write were refused", "home", p.home, "rows", p.badRows, "first", p.bad[0])
		form.partial(w, p.goodLines, p.bad)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// store writes; rows that the store takes no more series for are named with the parser's bad ones.
func (in *Ingest) store(p *parser, w series.Write) (series.Outcome, *refusal) {
	began := time.Now()
	outcome, err := in.o.Store.Write(w)
	in.count.Durable.Observe(time.Since(began))
	switch {
	case errors.Is(err, &hearth.Error{Code: hearth.CodeBusy}):
		p.name(err.Error())
	case err != nil:
		return outcome, in.storeFailed(p.home, err)
	case outcome.Refused > 0:
		p.name(fmt.Sprintf("%d rows have a value that cannot be stored", outcome.Refused))
	}
	return outcome, nil
}

func (in *Ingest) stored(a Arrival, rows uint64) {
	in.count.Rows.Add(rows)
	in.count.Writes.Add(1)
	in.o.Live(a)
}

// storeFailed tells the log what it was, and the client only that it is temporary: data must wait, not be thrown away.
func (in *Ingest) storeFailed(home string, err error) *refusal {
	in.count.Failed.Add(1)
	in.o.Log.Error("a write could not be stored", "home", home, "err", err)
	return later(refuse(http.StatusServiceUnavailable, "unavailable", "it could not be stored: try again later"), 5*time.Second)
}

// begin takes one of the home's places. One that wrote more than its share so far waits, and nothing of what it sends
// meanwhile is read; whose body is read once has it stored, too.
func (in *Ingest) begin(home string) (*quota, *refusal) {
	in.mu.Lock()
	defer in.mu.Unlock()
	q := in.homes[home]
	if q == nil {
		q = &quota{limiter: rate.NewLimiter(rate.Inf, 0)}
		if in.o.Rate > 0 {
			q.limiter = rate.NewLimiter(rate.Limit(in.o.Rate), int(in.o.Rate)*int(burst/time.Second))
		}
		in.homes[home] = q
	}
	if q.active >= maxActive {
		return nil, later(refuse(http.StatusTooManyRequests, "too many requests", "this home has %d writes under way already", maxActive), time.Second)
	}
	if wait := q.debt(in.o.Now()); wait > 0 {
		return nil, later(refuse(http.StatusTooManyRequests, "too many requests", "this home writes more than %d bytes a second", in.o.Rate), wait)
	}
	q.active++
	return q, nil
}

// end gives the place back.
func (in *Ingest) end(q *quota) {
	in.mu.Lock()
	defer in.mu.Unlock()
	q.active--
}

// charge notes n bytes of the home.
func (q *quota) charge(now time.Time, n int) {
	for most := q.limiter.Burst(); n > 0 && most > 0; n -= most {
		q.limiter.ReserveN(now, min(n, most))
	}
}

// debt is how long it takes until what the home wrote is within its rate.
func (q *quota) debt(now time.Time) time.Duration {
	if q.limiter.Limit() == rate.Inf {
		return 0
	}
	return time.Duration(-q.limiter.TokensAt(now) / float64(q.limiter.Limit()) * float64(time.Second))
}

// admit finds out which home a request writes to.
func (in *Ingest) admit(r *http.Request, bucket string) (string, *refusal) {
	token, refused := in.identify(r)
	if refused != nil {
		return "", refused
	}
	if !token.Scope.Allows(hearth.ScopeWrite) {
		return "", refuse(http.StatusForbidden, "forbidden", "the token %s may not write: it has scope %s", token.Name, token.Scope)
	}
	if token.Home != "" {
		return token.Home, in.mayWrite(r, token, token.Home)
	}
	name := r.URL.Query().Get(bucket)
	if name == "" {
		return "", refuse(http.StatusBadRequest, "invalid", "the token %s belongs to no single home: name one in %s=, by id or name", token.Name, bucket)
	}
	home, err := in.o.Accounts.NamedHome(r.Context(), token, name)
	if end := strings.LastIndexByte(name, '/'); end > 0 && errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound}) {
		home, err = in.o.Accounts.NamedHome(r.Context(), token, name[:end]) // of 1.8's bucket=database/policy
	}
	switch {
	case errors.Is(err, &hearth.Error{Code: hearth.CodeConflict}):
		return "", refuse(http.StatusBadRequest, "invalid", "%s=%s: %v", bucket, clip(name), err)
	case errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound}):
		// Telegraf keeps what it could not write after these two words of InfluxDB 1's, and throws it away after others.
		return "", refuse(http.StatusBadRequest, "invalid", "database not found: %s=%s is no home's id or name", bucket, clip(name))
	case err != nil:
		return "", in.storeFailed(clip(name), err)
	}
	return home.ID, in.mayWrite(r, token, home.ID)
}

// mayWrite refuses a person's token in a home where the person may do less than elsewhere.
func (in *Ingest) mayWrite(r *http.Request, token hearth.Token, home string) *refusal {
	scope, err := in.o.Accounts.Scope(r.Context(), token, home)
	switch {
	case errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound}):
		return refuse(http.StatusForbidden, "forbidden", "the token %s may not write there any more", token.Name)
	case err != nil:
		return in.storeFailed(home, err)
	case !scope.Allows(hearth.ScopeWrite):
		return refuse(http.StatusForbidden, "forbidden", "the token %s may not write there: it has scope %s", token.Name, scope)
	}
	return nil
}

func (in *Ingest) identify(r *http.Request) (hearth.Token, *refusal) {
	secret, refused := secretOf(r)
	if refused != nil {
		return hearth.Token{}, refused
	}
	token, err := in.o.Check(r, secret)
	switch {
	case err == nil:
		return token, nil
	case errors.Is(err, &hearth.Error{Code: hearth.CodeBusy}):
		return hearth.Token{}, later(refuse(http.StatusTooManyRequests, "too many requests", "%v", err), time.Minute)
	case !errors.Is(err, &hearth.Error{Code: hearth.CodeUnknownToken}):
		return hearth.Token{}, later(refuse(http.StatusServiceUnavailable, "unavailable", "it cannot be told just now whose token this is: try again later"), 5*time.Second)
	}
	return hearth.Token{}, refuse(http.StatusUnauthorized, "unauthorized", "unauthorized access")
}

// acquire waits a little for room in memory.
func (in *Ingest) acquire(ctx context.Context, n int64) *refusal {
	ctx, cancel := context.WithTimeout(ctx, memoryWait)
	defer cancel()
	if err := in.memory.Acquire(ctx, n); err != nil {
		return later(refuse(http.StatusServiceUnavailable, "unavailable", "too many writes at once: try again later"), 2*time.Second)
	}
	return nil
}
