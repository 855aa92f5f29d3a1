package hearth_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth"
)

// These benchmarks measure the programs from outside; `make bench` prints them beside their limits.

// BenchmarkReady is the time from start to `ready`. Limit: 50 ms, with an empty and with a full buffer.
func BenchmarkReady(b *testing.B) {
	b.Run("empty", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			d := loneGateway(b, b.TempDir(), "")
			b.StartTimer()
			d.start()
			b.StopTimer()
			d.kill()
			b.StartTimer()
		}
	})
	b.Run("backlog", func(b *testing.B) {
		data := b.TempDir()
		d := loneGateway(b, data, "  toy: {type: sim, devices: 500, interval: 200ms}\ninflux: {url: \"http://127.0.0.1:9\", database: none}\n")
		f := d.face(b)
		d.start()
		eventually(b, "a backlog", func() bool {
			var st status
			f.call(b, "GET", "/api/v1/status", nil, &st)
			return st.Buffer.Produced > 30_000
		})
		d.kill()
		for b.Loop() {
			d.start()
			b.StopTimer()
			d.kill()
			b.StartTimer()
		}
	})
}

// BenchmarkMemory is the resident memory after a quiet while. Limits: 25 MB idle, 40 MB with 100 devices.
func BenchmarkMemory(b *testing.B) {
	for _, devices := range []int{0, 100} {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			for b.Loop() {
				drivers := ""
				if devices > 0 {
					drivers = fmt.Sprintf("  toy: {type: sim, devices: %d}\n", devices)
				}
				d := loneGateway(b, b.TempDir(), drivers)
				f := d.face(b)
				d.start()
				quiet := time.After(20 * time.Second)
				<-quiet
				b.ReportMetric(float64(memory(b, d.cmd.Process.Pid))/1e6, "MB-rss")
				f.call(b, "GET", "/api/v1/devices", nil, nil)
				d.kill()
			}
		})
	}
}

// BenchmarkCommandThroughTheCloud is the time from PUT at the receiver to the record confirmed by the device's report;
// the simulated lamp itself takes its time to answer, which BenchmarkCommandAtTheGateway shows.
func BenchmarkCommandThroughTheCloud(b *testing.B) {
	s := newSpine(b, toy)
	benchCommands(b, s.receiver, "/api/v1/homes/"+s.home)
}

// BenchmarkCommandAtTheGateway is the same at the gateway's own door.
func BenchmarkCommandAtTheGateway(b *testing.B) {
	s := newSpine(b, toy)
	benchCommands(b, s.gateway, "/api/v1")
}

func benchCommands(b *testing.B, f face, path string) {
	var lamp hearth.DeviceView
	eventually(b, "the light", func() (ok bool) { lamp, ok = device(b, f, path+"/devices", "light"); return ok })
	var trips []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		if code := f.call(b, "PUT", path+"/devices/"+string(lamp.ID)+"/properties/on", map[string]bool{"value": i%2 == 0}, nil); code != 200 {
			b.Fatalf("answered %d", code)
		}
		trips = append(trips, time.Since(began))
	}
	slices.Sort(trips)
	b.ReportMetric(float64(trips[len(trips)/2].Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(trips[len(trips)*99/100].Microseconds())/1e3, "p99-ms")
}

// BenchmarkBinary is the size of the programs for this machine; `make cross` prints the others. Limit: 20 MB the gateway.
func BenchmarkBinary(b *testing.B) {
	for b.Loop() {
		for _, name := range []string{"hearth-edge", "hearth-cloud"} {
			info, err := os.Stat(program(b, name))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(info.Size())/1e6, "MB-"+name)
		}
	}
}

// processorTime is what a process has used, from proc(5).
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100
}

func loneGateway(b *testing.B, data, drivers string) *daemon {
	b.Helper()
	d := newDaemon(b, "hearth-edge", fmt.Sprintf("data: %s\nweb: {listen: %q}\nbuffer: {commit: 1s}\ndrivers:\n%s", data, freeAddress(b), drivers))
	return d
}

// face makes a token and returns the daemon's API with it.
func (d *daemon) face(t testing.TB) face {
	t.Helper()
	config, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(config), `web: {listen: "`)
	address, _, _ := strings.Cut(rest, `"`)
	token := run(t, d.name, "token", "add", "-config", d.config, "-name", "face-"+strconv.FormatInt(time.Now().UnixNano(), 36), "-scope", "admin")
	return face{"http://" + address, strings.TrimSpace(token)}
}

func memory(t testing.TB, pid int) (bytes int64) {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib * 1024
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
