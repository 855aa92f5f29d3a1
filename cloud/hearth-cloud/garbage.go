package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How much garbage may lie about before it is collected: as much as is in use while that is little, since to collect is
// dear then; but not so with the connections of thousands of homes, where it would be most of the memory.
const (
	garbageRoom  = 32 << 20 // bytes
	leastGarbage = 40       // percent of what is in use
	mostGarbage  = 100
)

// garbagePercent is how much garbage may lie about, in percent of so many bytes in use.
func garbagePercent(inUse uint64) int {
	return int(min(mostGarbage, max(leastGarbage, garbageRoom*100/max(inUse, 1))))
}

// boundGarbage sets the collector by what is in use until ctx ends, unless GOGC says how it is to be.
func boundGarbage(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	used := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for percent := mostGarbage; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(used)
		if now := garbagePercent(used[0].Value.Uint64() + used[1].Value.Uint64()); now != percent {
			percent = now
			debug.SetGCPercent(percent)
		}
	}
}
