package series

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hearth"
)

// The load of NUMBERS.md: homes of 25 series in 500-point batches, a reading a minute and series with some jitter,
// 10 % of the batches three days late, 5 % sent twice.
const (
	benchSeries  = 25
	benchBatch   = 500
	benchPerHome = 20 // of a series in one batch
	benchJitter  = 20 // ms
)

func benchPoints(points []Point, seed uint64, home, batch int) []Point {
	random := rand.New(rand.NewPCG(seed, uint64(home)<<32|uint64(batch)))
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration((batch-batch/10)*benchPerHome) * time.Minute)
	if batch%10 == 9 {
		start = start.Add(-72 * time.Hour)
	}
	points = points[:0]
	for i := range benchPerHome {
		at := start.Add(time.Duration(i) * time.Minute)
		for one := range benchSeries {
			t := at.Add(time.Duration(one)*time.Second + time.Duration(random.IntN(benchJitter))*time.Millisecond)
			points = append(points, Point{Series: benchName(one), Field: "value", Time: t.UnixNano(), Value: benchValue(random, one, t)})
		}
	}
	return points
}

func benchName(one int) string { return "hearth,device=radio:00158d00010000" + strconv.Itoa(10+one) }

func benchValue(random *rand.Rand, one int, t time.Time) hearth.Value {
	day := float64(t.Unix()%86400) / 86400
	switch one % 5 {
	case 0: // a temperature
		return hearth.NumberOf(math.Round(2100+300*math.Sin(2*math.Pi*day)+3*random.NormFloat64()) / 100)
	case 1: // a counter
		return hearth.NumberOf(float64(t.Unix()/60*3+random.Int64N(3)) / 1000)
	case 2: // a power
		return hearth.NumberOf(math.Round(1000+50*random.NormFloat64()) / 10)
	case 3: // a door
		return hearth.BoolOf(random.IntN(20) == 0)
	}
	return hearth.NumberOf(float64(100 + random.IntN(8)))
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// residentMB reads one figure of this process: VmHWM (the peak) or VmRSS.
func residentMB(which string) float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, which+":"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// fill writes the whole load with so many writers and returns how many points it wrote.
func fill(tb testing.TB, s *Store, homes, batches, writers int) int {
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			var points []Point
			for batch := range batches {
				for home := w; home < homes; home += writers {
					points = benchPoints(points, 1, home, batch)
					if err := benchWrite(s, home, batch, points); err != nil {
						tb.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	return homes * batches * benchBatch
}

func benchWrite(s *Store, home, batch int, points []Point) error {
	rows := uint64(batch+1) * benchBatch
	write := Write{
		Home: benchHome(home), Points: points, Batch: &hearth.BatchID{Epoch: "4f9a", Seq: uint64(batch + 1)},
		Ledger: &hearth.Ledger{Produced: rows, Backlog: benchBatch, Durable: uint64(batch)},
	}
	if _, err := s.Write(write); err != nil {
		return err
	}
	if (home+batch)%20 == 0 {
		if again, err := s.Write(write); err != nil || !again.Duplicate {
			return fmt.Errorf("sent twice: %+v, %w", again, err)
		}
	}
	return nil
}

func benchHome(home int) string { return fmt.Sprintf("home-%04d", home) }

func directorySize(tb testing.TB, dir string) (size int64) {
	err := filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return size
}

// BenchmarkReceiver is the table of NUMBERS.md in one run; -benchtime=1x. HEARTH_BENCH_BATCHES=17 makes it the 17
// million points there, the default is a quarter. A merge right after the load counts for merged/cpu-s.
func BenchmarkReceiver(b *testing.B) {
	const homes = 2000
	batches := 4
	if n, err := strconv.Atoi(os.Getenv("HEARTH_BENCH_BATCHES")); err == nil {
		batches = n
	}
	for b.Loop() {
		dir := b.TempDir()
		s, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		generating := -cpuSeconds()
		var points []Point
		for home := range 200 {
			points = benchPoints(points, 1, home, 0)
		}
		generating = (generating + cpuSeconds()) / 200 / benchBatch
		cpu, began := cpuSeconds(), time.Now()
		total := fill(b, s, homes, batches, 64)
		wrote := time.Since(began).Seconds()
		cpu = cpuSeconds() - cpu
		b.ReportMetric(float64(total)/wrote, "points/s")
		b.ReportMetric(float64(total)/(cpu-generating*float64(total)), "points/cpu-s")
		cpu = cpuSeconds()
		if err := s.mergeAll(b.Context(), func(*dirtyDay) bool { return true }); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(total)/(cpuSeconds()-cpu), "merged/cpu-s")
		b.ReportMetric(residentMB("VmHWM"), "peak-MB")
		if err := s.db.Compact(b.Context(), []byte{0}, []byte{0xff}, true); err != nil {
			b.Fatal(err)
		}
		reads(b, s, homes, batches)
		b.ReportMetric(residentMB("VmHWM"), "peak-after-compaction-MB")
		tables := float64(s.db.Metrics().Total().TablesSize)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(tables/float64(total), "B/point")
		b.ReportMetric(float64(directorySize(b, dir))/float64(total), "B/point-with-log")
	}
}

// reads reports the median of a day in 300 buckets, and of the last values of a home.
func reads(b *testing.B, s *Store, homes, batches int) {
	random := rand.New(rand.NewPCG(1, 2))
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var day, last []time.Duration
	for range 1000 {
		home := benchHome(random.IntN(homes))
		began := time.Now()
		history, err := s.History(home, benchName(5*random.IntN(5)), "value", from, from.Add(24*time.Hour), 300)
		if err != nil || len(history.Points) < 10 {
			b.Fatal(len(history.Points), err)
		}
		day = append(day, time.Since(began))
		began = time.Now()
		if points, err := s.Last(home); err != nil || len(points) != benchSeries {
			b.Fatal(len(points), err)
		}
		last = append(last, time.Since(began))
	}
	slices.Sort(day)
	slices.Sort(last)
	b.ReportMetric(float64(day[500].Microseconds())/1000, "day-p50-ms")
	b.ReportMetric(float64(last[500].Microseconds())/1000, "last-p50-ms")
}
