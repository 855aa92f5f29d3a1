package buffer

import (
	"context"
	"sync"
	"testing"
	"time"

	"hearth"
)

// TestConcurrently lets everybody at the buffer at once; the race detector watches.
func TestConcurrently(t *testing.T) {
	b := open(t, Options{Cap: 512 << 10, Targets: []string{"cloud", "influx"}})
	ctx, cancel := context.WithCancel(t.Context())
	var running, writers sync.WaitGroup
	running.Go(func() {
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	const each = 30_000
	for writer := range 3 {
		writers.Go(func() {
			random := newRandom(uint64(writer))
			for i := range each {
				r := number(writer, "p", random.NormFloat64(), start.Add(time.Duration(i)*time.Millisecond))
				for b.Append(r) != nil { // busy: the disk does not keep up
					if err := b.Flush(); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for _, target := range []string{"cloud", "influx"} {
		running.Go(func() { consume(ctx, t, b, target) })
	}
	running.Go(func() {
		for ctx.Err() == nil {
			if l := b.Ledger("cloud"); l.Dropped+l.Backlog > l.Produced {
				t.Errorf("ledger %v", l)
			}
			_ = b.Stats()
			b.keep()
			if _, err := b.History("sim:0001", "p", start, start.Add(time.Minute), 10); err != nil {
				t.Error(err)
			}
			if err := b.Replay(start.Add(20*time.Second), func(hearth.Reading) {}); err != nil {
				t.Error(err)
			}
			if err := b.Repair("boot", start); err != nil {
				t.Error(err)
			}
		}
	})
	writers.Wait()
	if err := b.Flush(); err != nil {
		t.Error(err)
	}
	cancel()
	running.Wait()
	if got := b.Stats(); got.Produced != 3*each || got.Damaged > 0 {
		t.Errorf("%+v", got)
	}
	for _, target := range []string{"cloud", "influx"} {
		drain(t, b, target)
		balanced(t, b, target)
	}
}

// consume takes and acknowledges, and now and then starts over a little earlier.
func consume(ctx context.Context, t *testing.T, b *Buffer, target string) {
	for turned := uint64(0); ctx.Err() == nil; {
		committed := b.Committed()
		block, ok, err := b.Next(target)
		if err == nil && ok {
			err = b.Acknowledge(target, block.Seq)
		}
		if err == nil && block.Seq > turned+50 {
			turned = block.Seq
			err = b.Rewind(target, block.Seq-20)
		}
		if err != nil {
			t.Error(err)
			return
		}
		if ok {
			continue
		}
		select {
		case <-committed:
		case <-ctx.Done():
		}
	}
}
