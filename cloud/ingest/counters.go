package ingest

import (
	"sync/atomic"

	"hearth/api"
)

// Counters count since the start.
type Counters struct {
	Rows       atomic.Uint64 // stored
	Writes     atomic.Uint64 // stored, batches and plain ones
	Duplicates atomic.Uint64 // batches that were there already
	Ahead      atomic.Uint64 // batches beyond the next one
	Bad        atomic.Uint64 // rows refused
	Throttled  atomic.Uint64 // writes answered 429
	Failed     atomic.Uint64 // writes that could not be stored
	Durable    api.Histogram // how long it took until they were on disk
}
