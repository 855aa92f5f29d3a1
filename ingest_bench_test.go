package hearth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"hearth"
)

// The load: homes of 25 series that report once a minute, with some jitter, in requests of 500 rows; a tenth of them
// comes three days late, a twentieth twice. HEARTH_BENCH_HOMES and HEARTH_BENCH_BATCHES change its size,
// HEARTH_BENCH_AT_ONCE how many requests are under way at the same time.
const (
	pourRows = 500
	minutes  = 20 // in one request
)

// BenchmarkIngest is what the same gzip bodies over HTTP cost a receiver and, where HEARTH_E2E is set, InfluxDB and
// VictoriaMetrics, which have to hold every row in the end. A 204 of the receiver is on disk. bytes/row is what lies on
// disk some minutes later: HEARTH_BENCH_MINUTES=13 waits until the receiver has merged days that are at rest, too.
func BenchmarkIngest(b *testing.B) {
	load := newLoad(b)
	b.Run("hearth-cloud", func(b *testing.B) {
		address, data := freeAddress(b), b.TempDir()
		d := newDaemon(b, "hearth-cloud", fmt.Sprintf("data: %s\nweb: {listen: %q}\nmqtt: {listen: \"\"}\ningest: {rate: 0}\n", data, address))
		d.start()
		admin := strings.TrimSpace(run(b, "hearth-cloud", "token", "add", "-config", d.config, "-name", "bench", "-scope", "admin"))
		f := face{"http://" + address, admin}
		tokens := make([]string, load.homes)
		for home := range tokens {
			tokens[home] = joinHome(b, f, home)
		}
		load.pour(b, d.cmd.Process.Pid, data, f.base+"/api/v2/write?precision=ms", func(req *http.Request, home, batch int) {
			req.Header.Set("Authorization", "Token "+tokens[home])
			req.Header.Set(hearth.HeaderBatch, hearth.BatchID{Epoch: "bench", Seq: uint64(batch + 1)}.String())
			req.Header.Set(hearth.HeaderLedger, hearth.Ledger{Produced: uint64(batch+1) * pourRows, Backlog: pourRows, Durable: uint64(batch)}.String())
		})
	})
	b.Run("influxdb", func(b *testing.B) {
		base, dir, pid := startInflux(b)
		resp, err := http.PostForm(base+"/query", map[string][]string{"q": {"CREATE DATABASE hearth"}})
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
		load.pour(b, pid, dir, base+"/write?db=hearth&precision=ms", nil)
		load.holds(b, influxRows(b, base))
	})
	b.Run("victoria-metrics", func(b *testing.B) {
		base, dir, pid := startVictoria(b)
		load.pour(b, pid, dir, base+"/write?db=hearth&precision=ms", nil)
		load.holds(b, victoriaCount(b, base))
	})
}

// victoriaCount counts all rows, also those that it has twice.
func victoriaCount(b *testing.B, base string) int64 {
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	body := fetch(b, base, "/api/v1/query", url.Values{"query": {`sum(count_over_time({__name__=~"hearth_.+"}[30d]))`}})
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Data.Result) != 1 {
		b.Fatalf("%v: %s", err, body)
	}
	rows, err := strconv.ParseInt(fmt.Sprint(answer.Data.Result[0].Value[1]), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return rows
}

// joinHome makes a home and returns its gateway's token.
func joinHome(b *testing.B, f face, n int) string {
	var added struct {
		Code string `json:"claim_code"`
	}
	var joined struct{ Token string }
	if code := f.call(b, "POST", "/api/v1/homes", map[string]string{"name": fmt.Sprint("Home ", n)}, &added); code != http.StatusCreated {
		b.Fatalf("adding a home answered %d", code)
	}
	if code := f.call(b, "POST", "/api/v1/claim", map[string]string{"code": added.Code}, &joined); code != http.StatusOK {
		b.Fatalf("claiming it answered %d", code)
	}
	return joined.Token
}

// A load is made before anything is measured.
type load struct {
	homes, batches, atOnce int

	begin  time.Time
	bodies [][]byte // of the homes' first batches, then of their second ones …
}

func newLoad(b *testing.B) load {
	l := load{homes: fromEnv("HEARTH_BENCH_HOMES", 2000), batches: fromEnv("HEARTH_BENCH_BATCHES", 17), atOnce: fromEnv("HEARTH_BENCH_AT_ONCE", 32)}
	l.begin = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -10) // VictoriaMetrics drops what is older than a month
	l.bodies = make([][]byte, l.homes*l.batches)
	var group errgroup.Group
	group.SetLimit(2)
	for batch := range l.batches {
		group.Go(func() error {
			w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails on a level that is none
			for home := range l.homes {
				var err error
				if l.bodies[batch*l.homes+home], err = l.body(w, home, batch); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return l
}

func fromEnv(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func (l load) body(w *gzip.Writer, home, batch int) ([]byte, error) {
	random := rand.New(rand.NewPCG(uint64(home), uint64(batch)))
	start := l.begin.Add(time.Duration((batch-batch/10)*minutes) * time.Minute)
	if batch%10 == 9 {
		start = start.Add(-72 * time.Hour)
	}
	readings := make([]hearth.Reading, 0, pourRows)
	for minute := range minutes {
		for one := range pourRows / minutes {
			at := start.Add(time.Duration(minute)*time.Minute + time.Duration(one)*time.Second + time.Duration(random.IntN(20))*time.Millisecond)
			readings = append(readings, hearth.Reading{
				Device: hearth.ID(fmt.Sprintf("home%d:meter-%d", home, one/5)), Property: []string{"temperature", "energy", "power", "contact", "lqi"}[one%5],
				Value: loadValue(random, one%5, at), Time: at,
			})
		}
	}
	lines, err := hearth.AppendLines(nil, readings, "")
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w.Reset(&packed)
	if _, err := w.Write(lines); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func loadValue(random *rand.Rand, kind int, at time.Time) hearth.Value {
	day := float64(at.Unix()%86400) / 86400
	switch kind {
	case 0:
		return hearth.NumberOf(math.Round(2100+300*math.Sin(2*math.Pi*day)+3*random.NormFloat64()) / 100)
	case 1:
		return hearth.NumberOf(float64(at.Unix()/60*3+random.Int64N(3)) / 1000)
	case 2:
		return hearth.NumberOf(math.Round(1000+50*random.NormFloat64()) / 10)
	case 3:
		return hearth.BoolOf(random.IntN(20) == 0)
	}
	return hearth.NumberOf(float64(100 + random.IntN(8)))
}

// pour sends the load b.N times over; each home's requests come one after the other. sign makes a request a home's.
func (l load) pour(b *testing.B, pid int, dir, url string, sign func(req *http.Request, home, batch int)) {
	if b.N != 1 {
		b.Fatal("the load is sent once: use -benchtime 1x")
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: l.atOnce}}
	before := processorTime(b, pid)
	b.ResetTimer()
	var group errgroup.Group
	for first := range l.atOnce {
		group.Go(func() error {
			for i, body := range l.bodies {
				home, batch := i%l.homes, i/l.homes
				if home%l.atOnce != first {
					continue
				}
				times := 1
				if (home+batch)%20 == 0 {
					times = 2
				}
				for range times {
					if err := post(client, url, body, func(req *http.Request) {
						if sign != nil {
							sign(req, home, batch)
						}
					}); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	rows := float64(len(l.bodies)) * pourRows
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(rows/(processorTime(b, pid)-before).Seconds(), "rows/cpu-s")
	b.ReportMetric(float64(memory(b, pid))/1e6, "MB-rss")
	time.Sleep(time.Duration(fromEnv("HEARTH_BENCH_MINUTES", 2)) * time.Minute)
	b.ReportMetric(float64(directorySize(b, dir))/rows, "bytes/row")
	b.ReportMetric(rows/(processorTime(b, pid)-before).Seconds(), "rows/cpu-s-with-merges")
}

// holds fails where a database has fewer rows than it was sent.
func (l load) holds(b *testing.B, rows int64) {
	if sent := int64(len(l.bodies)) * pourRows; rows < sent {
		b.Errorf("it holds %d rows of %d", rows, sent)
	}
}

func post(client *http.Client, url string, body []byte, sign func(*http.Request)) error {
	req, err := http.NewRequest("POST", url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Encoding", "gzip")
	sign(req)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}

func directorySize(b *testing.B, dir string) (size int64) {
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // it may have gone meanwhile
		}
		if info, err := entry.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return size
}
