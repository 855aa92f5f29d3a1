package series

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The part of a disk that writes leave free: Pebble merges its tables there, and cannot go on once it can write nothing.
const (
	keptPart  = 20        // one of so many parts, …
	mostKept  = 256 << 20 // … but no more bytes than that
	lookPause = 100 * time.Millisecond
)

// errNoRoom says that a write was refused because the disk is nearly full.
var errNoRoom = errors.New("the disk is nearly full: make room on it, nothing is stored until then")

// A room tells whether the disk has room for more.
type room struct {
	usage  func() (vfs.DiskUsage, error)
	looked atomic.Int64 // unix ns
	full   atomic.Bool
}

func (r *room) check(now time.Time) error {
	if last := r.looked.Load(); now.UnixNano()-last >= int64(lookPause) || now.UnixNano() < last {
		r.looked.Store(now.UnixNano())
		usage, err := r.usage()
		if err != nil {
			return fmt.Errorf("asking how much room the disk has: %w", err)
		}
		r.full.Store(usage.AvailBytes < min(usage.TotalBytes/keptPart, mostKept))
	}
	if r.full.Load() {
		return errNoRoom
	}
	return nil
}
