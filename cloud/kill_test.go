package cloud_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearth"
	"hearth/cloud"
	"hearth/cloud/series"
)

const childData = "HEARTH_TEST_CHILD_DATA"

// TestMain makes this binary a receiver where TestKill starts it as one.
func TestMain(m *testing.M) {
	dir := os.Getenv(childData)
	if dir == "" {
		os.Exit(m.Run())
	}
	c := config(dir)
	c.Ingest.Rate = 0
	err := cloud.Run(context.Background(), c, cloud.Options{
		Log:   slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Ready: func(address string) { fmt.Println("ready", address) },
		Link:  func(url string) { fmt.Println("link", url) },
	})
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A child is a receiver in a process of its own.
type child struct {
	*receiver
	process *exec.Cmd
}

func spawn(t *testing.T, dir, owner string) *child {
	t.Helper()
	c := &child{receiver: &receiver{t: t, owner: owner}, process: exec.Command(os.Args[0])}
	c.process.Env = append(os.Environ(), childData+"="+dir)
	c.process.Stderr = os.Stderr
	out, err := c.process.StdoutPipe()
	c.must(err)
	c.must(c.process.Start())
	t.Cleanup(c.kill)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "link":
			_, c.owner, _ = strings.Cut(rest, "token=")
		case "ready":
			c.url = "http://" + rest
			return c
		}
	}
	t.Fatal("the child did not start")
	return nil
}

// kill ends it as a power cut ends the process: it has no say.
func (c *child) kill() {
	if c.process.ProcessState == nil {
		_ = c.process.Process.Kill() // it may have ended
		_ = c.process.Wait()
	}
}

const rowsPerBatch = 50

// Whatever was acknowledged before a kill is there after it, to the row, and the account explains all of it.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	c := spawn(t, dir, "")
	writers := make([]*writer, 8)
	for i := range writers {
		writers[i] = &writer{Claim: c.claim(fmt.Sprint("home ", i)), start: time.Now().Add(-24 * time.Hour).UnixMilli()}
	}
	for round := range 3 {
		target := uint64(20 * (round + 1)) // batches of the slowest, under way when the end comes
		var all sync.WaitGroup
		for _, w := range writers {
			all.Go(func() { w.write(c.url) })
		}
		tick := time.NewTicker(2 * time.Millisecond)
		for range tick.C {
			if slowest(writers) >= target {
				break
			}
		}
		tick.Stop()
		c.kill()
		all.Wait()
		c = spawn(t, dir, c.owner)
		for _, w := range writers {
			w.check(c)
		}
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(files) == 0 {
		t.Error(files, err)
	}
}

// A writer is a gateway that sends one batch after the other as fast as it can.
type writer struct {
	hearth.Claim
	start int64
	acked atomic.Uint64 // batches
}

func slowest(writers []*writer) uint64 {
	least := writers[0].acked.Load()
	for _, w := range writers {
		least = min(least, w.acked.Load())
	}
	return least
}

func (w *writer) write(url string) {
	for {
		seq := w.acked.Load() + 1
		var body strings.Builder
		for i := range rowsPerBatch {
			fmt.Fprintf(&body, "hearth,device=radio:1 temperature=%d %d\n", i, w.start+int64(seq)*rowsPerBatch+int64(i))
		}
		req, err := http.NewRequest("POST", url+"/api/v2/write?precision=ms", strings.NewReader(body.String()))
		if err != nil {
			return
		}
		req.Header.Set("Authorization", "Token "+w.Token)
		req.Header.Set(hearth.HeaderBatch, hearth.BatchID{Epoch: "e", Seq: seq}.String())
		req.Header.Set(hearth.HeaderLedger, hearth.Ledger{Produced: seq * rowsPerBatch, Backlog: rowsPerBatch, Durable: seq - 1}.String())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return // killed
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			return
		}
		w.acked.Store(seq)
	}
}

func (w *writer) check(c *child) {
	c.t.Helper()
	base := "/api/v1/homes/" + w.Home
	var sync hearth.Sync
	c.want(200, c.ask("GET", base+"/sync", w.Token, "", &sync))
	acked := w.acked.Load()
	if sync.Durable < acked || sync.Durable > acked+1 {
		c.t.Errorf("%s: %d batches were acknowledged, %d are durable", w.Name, acked, sync.Durable)
	}
	w.acked.Store(sync.Durable)
	rows := int64(sync.Durable * rowsPerBatch)
	var report series.LedgerReport
	c.want(200, c.ask("GET", base+"/ledger", c.owner, "", &report))
	if want := (series.Counts{Produced: rows, Received: rows}); report.Total != want {
		c.t.Errorf("%s: the ledger is %+v, want %+v", w.Name, report.Total, want)
	}
	resp, text := c.raw("GET", fmt.Sprintf("%s/history?device=radio:1&property=temperature&from=%d&to=%d&points=1", base, w.start, w.start+rows+rowsPerBatch), c.owner, "")
	c.want(200, resp)
	if want := fmt.Sprintf(",%d]],", rows); !strings.Contains(string(text), want) {
		c.t.Errorf("%s: the history is %s, want %d rows", w.Name, text, rows)
	}
}
