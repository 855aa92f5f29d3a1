package hap

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const benchLamps = 149

// TestMain is also the server of the benchmark, so that it is a process of its own like its peer.
func TestMain(m *testing.M) {
	if address := os.Getenv("HAP_BENCH_SERVER"); address != "" {
		if err := benchServer(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func benchServer(address string) error {
	s, err := New(Options{Name: "Bench", PIN: testPIN, SetupID: "SWZ1", Store: newMemory(), Handler: &hands{}})
	if err != nil {
		return err
	}
	if err := s.Publish(home(1 + benchLamps)); err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { io.Copy(io.Discard, os.Stdin); cancel() }() // until whoever started it is gone
	return s.Serve(ctx, l)
}

// BenchmarkServer measures this server and hap-nodejs, each with a bridge and 149 lamps in a process of its own, with the
// same controller; last the peer's figures divided by ours. Goals: ten times quicker to start, and never slower.
func BenchmarkServer(b *testing.B) {
	node, folder := needPeers(b)
	figures := make(map[string]map[string]float64)
	for name, command := range map[string]func(address string) *exec.Cmd{
		"hearth": func(address string) *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "HAP_BENCH_SERVER="+address)
			return cmd
		},
		"hap-nodejs": func(address string) *exec.Cmd {
			_, port, _ := net.SplitHostPort(address)
			cmd := exec.Command(node, "server.js", b.TempDir(), port, strconv.Itoa(benchLamps))
			cmd.Dir = folder
			return cmd
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				figures[name] = benchOne(b, command)
			}
			for what, value := range figures[name] {
				b.ReportMetric(value, what)
			}
		})
	}
	b.Run("ratio", func(b *testing.B) {
		for b.Loop() {
		}
		for what, value := range figures["hearth"] {
			b.ReportMetric(figures["hap-nodejs"][what]/value, what+"-ratio")
		}
	})
}

func benchOne(b *testing.B, command func(string) *exec.Cmd) map[string]float64 {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	w := &world{t: b, address: l.Addr().String()}
	l.Close()
	cmd := command(w.address)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { in.Close(); cmd.Process.Kill(); cmd.Wait() }()
	eventually(b, "the server answers", func() bool {
		nc, err := net.Dial("tcp", w.address)
		if err != nil {
			return false
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(5 * time.Second))
		nc.Write(request("GET", "/accessories", "", nil))
		head := make([]byte, 12)
		_, err = io.ReadFull(nc, head)
		return err == nil && string(head) == "HTTP/1.1 470"
	})
	figures := map[string]float64{"start-ms": ms(time.Since(began))}
	k := w.pair("11111111-2222-3333-4444-555555555555")
	quiet := time.After(2 * time.Second)
	<-quiet
	figures["idle-MB"] = resident(b, cmd.Process.Pid)
	var verifies []time.Duration
	for range 100 {
		began := time.Now()
		c := w.session(k)
		verifies = append(verifies, time.Since(began))
		c.nc.Close()
	}
	quantiles(figures, "verify", verifies)
	phones := make([]*client, 10)
	for n := range phones {
		phones[n] = w.session(k)
	}
	lamps := benchIDs(b, phones[0])
	quantiles(figures, "database", benchReads(phones[0]))
	quantiles(figures, "write", benchWrites(b, phones[0], lamps))
	quantiles(figures, "event", benchEvents(b, phones, lamps[0]))
	figures["ten-MB"] = resident(b, cmd.Process.Pid)
	return figures
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

func quantiles(figures map[string]float64, what string, trips []time.Duration) {
	slices.Sort(trips)
	figures[what+"-p50-ms"] = ms(trips[len(trips)/2])
	figures[what+"-p99-ms"] = ms(trips[len(trips)*99/100])
}

// benchIDs finds the lamps' On in the server's database.
func benchIDs(b *testing.B, c *client) (lamps []key) {
	var database struct {
		Accessories []struct {
			AID      uint64
			Services []struct {
				Characteristics []struct {
					IID  uint64
					Type string
				}
			}
		}
	}
	m := c.do(200, "GET", "/accessories", "")
	if err := json.Unmarshal(m.body, &database); err != nil {
		b.Fatal(err)
	}
	for _, a := range database.Accessories {
		for _, s := range a.Services {
			for _, c := range s.Characteristics {
				if c.Type == "25" {
					lamps = append(lamps, key{a.AID, c.IID})
				}
			}
		}
	}
	if len(lamps) != benchLamps {
		b.Fatalf("%d lamps", len(lamps))
	}
	return lamps
}

func benchReads(c *client) (trips []time.Duration) {
	for range 50 {
		began := time.Now()
		c.do(200, "GET", "/accessories", "")
		trips = append(trips, time.Since(began))
	}
	return trips
}

func benchWrites(b *testing.B, c *client, lamps []key) (trips []time.Duration) {
	for n := range 1000 {
		lamp := lamps[n%len(lamps)]
		began := time.Now()
		c.put(204, `{"characteristics":[{"aid":%d,"iid":%d,"value":%v}]}`, lamp.aid, lamp.iid, n/len(lamps)%2 == 0)
		trips = append(trips, time.Since(began))
	}
	return trips
}

// benchEvents is the time from a write of one controller until each of nine others knows.
func benchEvents(b *testing.B, phones []*client, lamp key) (trips []time.Duration) {
	for _, c := range phones[1:] {
		c.subscribe(lamp.aid, lamp.iid)
	}
	phones[0].put(204, `{"characteristics":[{"aid":%d,"iid":%d,"value":true}]}`, lamp.aid, lamp.iid)
	time.Sleep(500 * time.Millisecond)
	for _, c := range phones[1:] {
		for c.in.Buffered() > 0 {
			c.next(time.Second)
		}
		c.nc.SetReadDeadline(time.Now())
		c.next(10 * time.Millisecond)
		c.events = nil
	}
	var mu sync.Mutex
	for n := range 40 {
		began := time.Now()
		var heard sync.WaitGroup
		for _, c := range phones[1:] {
			heard.Go(func() {
				m, err := c.event(5 * time.Second)
				trip := time.Since(began)
				if err != nil || m.proto != "EVENT/1.0" {
					b.Errorf("event %d: %v %v", n, m, err)
				}
				mu.Lock()
				trips = append(trips, trip)
				mu.Unlock()
			})
		}
		phones[0].put(204, `{"characteristics":[{"aid":%d,"iid":%d,"value":%v}]}`, lamp.aid, lamp.iid, n%2 == 1)
		heard.Wait()
		time.Sleep(300 * time.Millisecond)
	}
	return trips
}

func resident(b *testing.B, pid int) float64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(kb)[0])
			return float64(n) / 1000
		}
	}
	return 0
}

// BenchmarkSeal is what a database of 150 accessories costs to encrypt.
func BenchmarkSeal(b *testing.B) {
	s := &sealer{aead: newAEAD(make([]byte, 32))}
	text := make([]byte, 200<<10)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		s.seal(text)
	}
}
