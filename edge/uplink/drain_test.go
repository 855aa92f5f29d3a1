package uplink

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
)

func (g *gateway) cloudOptions() Options {
	o := g.options()
	o.Cloud = &Cloud{URL: "http://" + strings.TrimSuffix(cloudAddr, ":80"), Token: secret, Home: homeID, TokenName: "gateway-h1", MQTT: "mqtt://localhost:1", Insecure: true}
	return o
}

// drained waits until the receiver has everything.
func (g *gateway) drained(limit time.Duration) {
	g.t.Helper()
	within(g.t, limit, "the backlog is drained", func() bool { return g.buffer.Target(TargetCloud).Backlog == 0 })
}

// balanced checks that every row is stored once and accounted for.
func (g *gateway) balanced(f *fakeReceiver, dropped uint64) {
	g.t.Helper()
	rows, twice := f.count()
	l := g.buffer.Ledger(TargetCloud)
	if twice > 0 {
		g.t.Errorf("%d rows were stored twice", twice)
	}
	if l.Dropped != dropped {
		g.t.Errorf("dropped %d rows, want %d", l.Dropped, dropped)
	}
	if unexplained := int64(l.Produced) - int64(rows) - int64(l.Backlog) - int64(l.Dropped); unexplained != 0 {
		g.t.Errorf("unexplained %d: %+v, received %d", unexplained, l, rows)
	}
	if s := g.buffer.Target(TargetCloud); s.Acknowledged != uint64(rows) {
		g.t.Errorf("acknowledged %d, received %d", s.Acknowledged, rows)
	}
}

// withReceiver returns a gateway and the receiver that it reaches.
func withReceiver(t *testing.T) (*fakeReceiver, *gateway) {
	n := newMemNet()
	f := newFakeReceiver(t)
	f.serve(n.listen(cloudAddr))
	return f, newGateway(t, n, TargetCloud)
}

func TestEveryRowArrivesOnceWhateverGoesWrong(t *testing.T) {
	tests := []struct {
		name   string
		faults []string
		limit  time.Duration
		least  time.Duration // it must not be done before
	}{
		{"nothing", nil, 10 * time.Second, 0},
		{"500", []string{"500"}, time.Minute, 0},
		{"503 with a pause", []string{"503 30"}, 2 * time.Minute, 30 * time.Second},
		{"503 with a date", []string{"503 Mon, 02 Jan 2040 15:04:05 GMT"}, 2 * time.Hour, time.Hour},
		{"503 with nonsense", []string{"503 soon"}, time.Minute, 0},
		{"429", []string{"429 5", "", "429 5"}, time.Minute, 10 * time.Second},
		{"413", []string{"413"}, time.Minute, 0},
		{"400", []string{"400", "400"}, time.Minute, 0},
		{"400 to everything for a while", slices.Repeat([]string{"400"}, 12), 20 * time.Minute, 0},
		{"hang", []string{"hang"}, 3 * time.Minute, 20 * time.Second},
		{"reset", []string{"reset", "reset", "", "reset"}, time.Minute, 0},
		{"slow", []string{"slow"}, time.Minute, 20 * time.Second},
		{"stored, answer lost", []string{"lost", "", "lost"}, time.Minute, 0},
		{"hotel", []string{"portal", "redirect"}, 5 * time.Minute, 0},
		{"all of them", []string{"500", "", "lost", "hang", "reset", "", "429 1", "slow", "portal", "lost", "400", "lost"}, 20 * time.Minute, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, g := withReceiver(t)
				defer g.close()
				f.faults = tt.faults
				g.produce(5, 7)
				start := time.Now()
				g.start(g.cloudOptions())
				g.drained(tt.limit)
				if took := time.Since(start); took < tt.least {
					t.Errorf("done after %s, before the receiver allowed it", took)
				}
				g.produce(1, 3) // and it goes on
				g.drained(tt.limit)
				g.balanced(f, 0)
			})
		})
	}
}

func TestAnOutageIsRetriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := withReceiver(t)
		defer g.close()
		g.net.set(true)
		u := g.start(g.cloudOptions())
		for range 24 {
			g.produce(1, 10)
			<-time.After(time.Hour)
		}
		if got := u.Targets()[0]; got.State != stateWaiting || got.Backlog != 240 || !strings.Contains(got.Error, "refused") {
			t.Errorf("while away: %+v", got)
		}
		g.net.set(false)
		g.drained(90 * time.Second)
		g.balanced(f, 0)
		within(t, time.Minute, "idle", func() bool { return u.Targets()[0].State == stateIdle })
	})
}

func TestARestoredReceiverGetsTheRowsAgain(t *testing.T) {
	tests := []struct {
		name   string
		change func(*fakeReceiver)
	}{
		{"from a backup", func(f *fakeReceiver) { f.restore(2) }},
		{"by an empty one", func(f *fakeReceiver) { f.restore(0); f.epoch = "" }},
		{"by one that knows an earlier buffer", func(f *fakeReceiver) { f.restore(0); f.epoch, f.durable = "older", 77 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, g := withReceiver(t)
				defer g.close()
				g.start(g.cloudOptions())
				g.produce(5, 10)
				g.drained(time.Minute)
				f.set(tt.change)
				g.produce(1, 10)
				g.drained(time.Minute)
				g.balanced(f, 0)
				f.set(tt.change) // and while there is nothing to send
				within(t, askIdle+time.Minute, "it is noticed", func() bool { rows, _ := f.count(); return rows == 60 })
				g.balanced(f, 0)
			})
		})
	}
}

func TestABlockThatIsRefusedForGoodBecomesAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := withReceiver(t)
		defer g.close()
		g.start(g.cloudOptions())
		f.set(func(f *fakeReceiver) { f.refuse = 2 })
		g.produce(3, 10)
		g.drained(5 * time.Minute)
		g.balanced(f, 10)
		f.set(func(f *fakeReceiver) {
			if len(f.gaps) != 1 || f.gaps[0].Count != 10 || f.gaps[0].Reason != hearth.GapRejected {
				t.Errorf("gaps at the receiver: %+v", f.gaps)
			}
		})
		if parked := g.buffer.Parked(); len(parked) != 1 || parked[0].Seq != 2 || parked[0].Rows != 10 {
			t.Errorf("parked: %+v", parked)
		}
	})
}

func TestWhatTheGatewayNoLongerHoldsBecomesAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		f := newFakeReceiver(t)
		f.serve(n.listen(cloudAddr))
		g := newGatewayWithCap(t, n, 1<<18, TargetCloud)
		defer g.close()
		g.produce(600, 200)
		lost := g.buffer.Ledger(TargetCloud).Dropped
		if lost == 0 {
			t.Fatal("nothing was dropped by the cap")
		}
		g.start(g.cloudOptions())
		g.drained(5 * time.Minute)
		g.balanced(f, lost)
		f.set(func(f *fakeReceiver) {
			var told int64
			for _, gap := range f.gaps {
				told += gap.Count
			}
			if told != int64(lost) || f.gaps[0].Reason != hearth.GapCap {
				t.Errorf("%d rows were lost, told: %+v", lost, f.gaps)
			}
		})
	})
}

func TestLinesThatTheReceiverRefusesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := withReceiver(t)
		defer g.close()
		f.bad = func(row string) bool { return strings.HasSuffix(row, "3000") }
		g.start(g.cloudOptions())
		g.produce(3, 10)
		g.drained(time.Minute)
		if f.rejected == 0 {
			t.Fatal("nothing was refused")
		}
		g.balanced(f, f.rejected)
	})
}

func TestARefusedTokenKeepsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := withReceiver(t)
		defer g.close()
		f.token = "another"
		u := g.start(g.cloudOptions())
		g.produce(2, 10)
		within(t, time.Minute, "refused", func() bool { return u.Targets()[0].State == stateRefused })
		if got := u.Targets()[0]; !strings.Contains(got.Error, "claim this gateway again") || strings.Contains(got.Error, secret) || got.Backlog != 20 {
			t.Errorf("status: %+v", got)
		}
		f.set(func(f *fakeReceiver) { f.token = secret })
		g.drained(3 * time.Minute)
		g.balanced(f, 0)
	})
}

func TestATokenAloneIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := withReceiver(t)
		defer g.close()
		o := g.cloudOptions()
		o.Cloud.Home, o.Cloud.TokenName, o.Cloud.MQTT = "", "", ""
		g.net.set(true)
		g.start(o)
		<-time.After(time.Hour)
		g.net.set(false)
		g.produce(2, 10)
		g.drained(3 * time.Minute)
		g.balanced(f, 0)
	})
}

func TestTimeIsLearntWhileTheClockIsNotTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := withReceiver(t)
		defer g.close()
		g.setTrusted(false)
		u := g.start(g.cloudOptions())
		start := time.Now()
		within(t, 2*time.Minute, "it asks again and again", func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			return len(f.syncs) >= 5
		})
		if took := time.Since(start); took < 30*time.Second || took > time.Minute {
			t.Errorf("five questions in %s, want one each 10 s", took)
		}
		if got := u.Targets()[0]; got.State != stateWaiting || !strings.Contains(got.Error, "clock") {
			t.Errorf("status: %+v", got)
		}
		offers := g.offered()
		if len(offers) < 5 {
			t.Fatalf("%d offers", len(offers))
		}
		for _, o := range offers {
			if o.source != "receiver" || o.uncertainty > 10*time.Millisecond {
				t.Errorf("offer %+v", o)
			}
		}
		g.setTrusted(true)
		g.produce(1, 10)
		g.drained(time.Minute)
	})
}

func TestARestartGoesOnWhereTheReceiverIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := withReceiver(t)
		defer g.close()
		for range 4 {
			f.set(func(f *fakeReceiver) { f.faults = []string{"", "", "lost"} })
			g.start(g.cloudOptions())
			g.produce(5, 10)
			within(t, time.Minute, "the fault", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.faults) == 0 })
			g.stop()
		}
		g.start(g.cloudOptions())
		g.drained(time.Minute)
		g.balanced(f, 0)
	})
}

func TestEveryRowArrivesOnceOverRealSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := newFakeReceiver(t)
	f.serve(l)
	g := newGateway(t, nil, TargetCloud)
	defer g.close()
	g.produce(20, 10)
	o := g.cloudOptions()
	o.Cloud.URL = "http://" + l.Addr().String()
	g.start(o)
	for {
		if rows, twice := f.count(); rows == 200 {
			if twice > 0 {
				t.Errorf("%d rows were stored twice", twice)
			}
			return
		}
		select {
		case <-f.stored:
		case <-t.Context().Done():
			t.Fatal("not drained")
		}
	}
}

func BenchmarkDrain(b *testing.B) {
	const rows = 100_000
	for b.Loop() {
		b.StopTimer()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		g := newGateway(b, nil, TargetCloud)
		g.produce(rows/200, 200)
		done := make(chan struct{})
		mux := http.NewServeMux()
		mux.HandleFunc("GET /api/v1/homes/{home}/sync", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"epoch":"","durable":0}`) })
		mux.HandleFunc("POST /api/v2/write", func(w http.ResponseWriter, r *http.Request) {
			id := r.Header.Get(hearth.HeaderBatch)
			w.Header().Set(hearth.HeaderDurable, id)
			w.WriteHeader(http.StatusNoContent)
			if strings.HasSuffix(id, fmt.Sprintf("/%d", rows/200)) {
				close(done)
			}
		})
		server := &http.Server{Handler: mux}
		go func() { _ = server.Serve(l) }()
		o := g.cloudOptions()
		o.Cloud.URL = "http://" + l.Addr().String()
		b.StartTimer()
		g.start(o)
		<-done
		b.StopTimer()
		g.close()
		server.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}
