package replica

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts/postgrestest"
	"hearth/cloud/series"
)

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

var names = func() (names []string) {
	for i := range 25 {
		names = append(names, fmt.Sprintf("hearth,device=radio:00158d00010000%d", 10+i))
	}
	return names
}()

const (
	benchHomes = 256
	benchRows  = 500
)

// noisy is a batch of readings as they are: with jitter, and no two homes alike.
func noisy(home string, seq uint64) series.Write {
	w := batch(home, seq, benchRows)
	random := rand.New(rand.NewPCG(seq, uint64(home[len(home)-1])<<16|uint64(home[len(home)-2])<<8|uint64(home[len(home)-3])))
	for i := range w.Points {
		p := &w.Points[i]
		p.Series = names[i%len(names)]
		p.Time = testDay + int64(seq)*20*60e9 + int64(i/len(names))*60e9 + random.Int64N(1000)*1e6
		p.Value = hearth.NumberOf(math.Round(2100+300*random.NormFloat64()) / 100)
	}
	return w
}

// load has so many homes write batches of 500 points at once until it has written total of them, each through the next
// of the stores, and reports points a second.
func load(b *testing.B, total int, stores ...interface {
	Write(series.Write) (series.Outcome, error)
}) {
	var batches atomic.Int64
	var all sync.WaitGroup
	cpu, began := cpuSeconds(), time.Now()
	for home := range benchHomes {
		all.Go(func() {
			name := fmt.Sprintf("home-%03d", home)
			for seq := uint64(1); batches.Add(1) <= int64(total); seq++ {
				if _, err := stores[(home+int(seq))%len(stores)].Write(noisy(name, seq)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	points := float64(total * benchRows)
	b.ReportMetric(points/took.Seconds(), "points/s")
	b.ReportMetric(points/(cpuSeconds()-cpu), "points/cpu-s")
	b.ReportMetric(float64(benchHomes)*took.Seconds()*1000/float64(total), "ms/write")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLog sets the log of writes beside the store alone, on the same disk; -benchtime 1x. PostgreSQL's own work is
// not in points/cpu-s.
func BenchmarkLog(b *testing.B) {
	const total = 4000
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			store, err := series.Open(b.TempDir(), series.Options{})
			if err != nil {
				b.Fatal(err)
			}
			load(b, total, store)
			if err := store.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, receivers := range []int{1, 2} {
		b.Run(fmt.Sprintf("receivers=%d", receivers), func(b *testing.B) {
			for b.Loop() {
				database := postgrestest.Start(b).Database(b)
				list := make([]interface {
					Write(series.Write) (series.Outcome, error)
				}, receivers)
				var first *receiver
				for i := range list {
					first = newReceiver(b, database).start()
					list[i] = first
				}
				load(b, total, list...)
				stats := first.Stats()
				b.ReportMetric(float64(stats.Appended)/float64(stats.Groups), "writes/group")
				var bytes int64
				if err := first.books.DB().QueryRow(`SELECT sum(length(body)) FROM write_log`).Scan(&bytes); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(bytes)/float64(total*benchRows), "B/point")
			}
		})
	}
}
