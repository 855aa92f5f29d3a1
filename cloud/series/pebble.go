package series

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
)

type counter = atomic.Uint64

const (
	defaultCache    = 32 << 20
	defaultMemTable = 8 << 20
)

func pebbleOptions(o Options, log *slog.Logger) *pebble.Options {
	p := &pebble.Options{
		CacheSize:                   o.Cache,
		MemTableSize:                o.MemTable,
		MemTableStopWritesThreshold: 3,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      logger{log},
		L0CompactionThreshold:       8, // blocks soon become chunks: to sort them early is work for nothing
		MaxOpenFiles:                500,
		WALMinSyncInterval:          func() time.Duration { return syncInterval },
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
	}
	if p.CacheSize <= 0 {
		p.CacheSize = defaultCache
	}
	if p.MemTableSize == 0 {
		p.MemTableSize = defaultMemTable
	}
	p.TargetFileSizes[0] = 4 << 20
	for i := range p.Levels {
		p.Levels[i].BlockSize = 16 << 10
	}
	p.ApplyCompressionSettings(compression)
	return p
}

// syncInterval is how long the log waits after one fsync for the next, so that more writers share it. Who writes alone
// does not wait: the last one is longer ago.
const syncInterval = time.Millisecond

// compression packs hard only what is at the bottom and stays. Zstd's third level is the first one that, without cgo,
// packs bytes that are unevenly spread but never repeat, as those of chunks are.
func compression() pebble.DBCompressionSettings {
	levels := pebble.DBCompressionFastest
	levels.Name = "series"
	levels.Levels[len(levels.Levels)-1] = sstable.ZstdCompression
	return levels
}

// logger gives Pebble's messages to slog.
type logger struct{ log *slog.Logger }

// Infof implements pebble.Logger. Pebble tells every compaction; that is for a developer.
func (l logger) Infof(format string, args ...any) { l.log.Debug(fmt.Sprintf(format, args...)) }

// Errorf implements pebble.Logger.
func (l logger) Errorf(format string, args ...any) { l.log.Error(fmt.Sprintf(format, args...)) }

// Fatalf implements pebble.Logger. Pebble calls it where it cannot go on, as when its log can no longer be written,
// and does not expect it to return: nothing that is not on disk may be acknowledged.
func (l logger) Fatalf(format string, args ...any) {
	panic("series store: " + fmt.Sprintf(format, args...))
}
