// Package influxql answers InfluxDB 1.x's /query over the homes' series, so that Grafana's InfluxQL data source, Home
// Assistant and the influx command line work unchanged. The language is parsed by InfluxData's own parser; what a
// statement means is InfluxDB 1.6's, checked against that server by differential tests.
//
// A database is a home. A SELECT goes one way: compile checks it, tracks finds the series that it reads, cursors read
// them in the order of time, reducers and transforms make points of them, and join puts the points into rows, which the
// answer writes as they come. A subquery's rows are the tracks of the query around it.
package influxql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

// Limits of a request before it is run.
const (
	maxQuery   = 64 << 10  // bytes of q, and of params
	maxBody    = 256 << 10 // bytes of a form
	maxNesting = 100       // open parentheses
	maxColumns = 20_000    // columns that wildcards may become
)

// limits are what one query may use. What goes beyond them is answered with an error that names the limit.
type limits struct {
	time    time.Duration
	scanned int           // points read
	held    int           // points in memory at once
	buckets int           // of GROUP BY time, in each series
	answer  int           // bytes of an answer that is not chunked
	stalled time.Duration // without a piece of the answer taken by the client
}

func usualLimits() limits {
	return limits{time: 30 * time.Second, scanned: 50_000_000, held: 2_000_000, buckets: 100_000, answer: 64 << 20, stalled: 10 * time.Second}
}

// Limits on queries together.
const (
	perPayer    = 4   // queries of one home's or person's tokens that run at once
	waiting     = 100 // of them that wait for their turn; one more is answered 429
	allTogether = 16  // queries that run at once
)

// A Source is where readings are kept: *series.Store is one.
type Source interface {
	// Last returns the last value of every series of a home.
	Last(home string) ([]series.Point, error)

	// Points visits the points of one series of a home over [from, to) in the order of time, until each returns false.
	Points(home, series, field string, from, to time.Time, each func(t int64, v hearth.Value) bool) error
}

// Homes are what tokens see: *accounts.Accounts is one.
type Homes interface {
	Home(ctx context.Context, id string) (accounts.Home, error)
	NamedHome(ctx context.Context, token hearth.Token, idOrName string) (accounts.Home, error)
	Visible(ctx context.Context, token hearth.Token) ([]accounts.Home, error)
}

// Options are what a Server is made of.
type Options struct {
	Source Source
	Homes  Homes

	// Admit finds the token of a request, or answers it in InfluxDB's form and returns false.
	Admit func(w http.ResponseWriter, r *http.Request) (hearth.Token, bool)

	Retention time.Duration    // how long readings are kept, for SHOW RETENTION POLICIES; 0: for good
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger     // nil is silent
}

// A Server serves /query.
type Server struct {
	o      Options
	limits limits
	places *places
}

// New returns a Server.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{o: o, limits: usualLimits(), places: newPlaces()}
}

// errNoDatabase says that a token sees several homes, and none was named. In InfluxDB's words, which clients know.
var errNoDatabase = errors.New("database name required")

// exceeded says which limit a query was stopped by, in InfluxDB's words where it has any, and what to do.
func exceeded(limit, is, instead string) error {
	return fmt.Errorf("%s limit exceeded: a query may %s: ask for %s", limit, is, instead)
}

func (l limits) errTime() error {
	return exceeded("query-timeout", fmt.Sprintf("take %s", l.time), "a shorter time or fewer series")
}

func (l limits) errScanned() error {
	return exceeded("max-select-point", fmt.Sprintf("read %d points", l.scanned), "a shorter time or fewer series")
}

func (l limits) errHeld() error {
	return exceeded("memory", fmt.Sprintf("hold %d points", l.held), "a shorter time, a longer interval or fewer series")
}

func (l limits) errBuckets(n int64) error {
	return exceeded(fmt.Sprintf("max-select-buckets (%d/%d)", n, l.buckets), fmt.Sprintf("have %d intervals", l.buckets), "a shorter time or a longer interval")
}

func (l limits) errAnswer() error {
	return exceeded("response", fmt.Sprintf("be answered with %d bytes", l.answer), "less, or with chunked=true")
}
