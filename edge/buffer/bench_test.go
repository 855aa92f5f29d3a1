//go:build linux

package buffer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
)

// A home is 50 devices of three numbers each that change as numbers in a home do.
type homeOf50 struct {
	random *rand.Rand
	values [150]float64
	n      int
}

func newHome() *homeOf50 { return &homeOf50{random: newRandom(42)} }

func (h *homeOf50) next(at time.Time) hearth.Reading {
	i := h.n % len(h.values)
	h.n++
	h.values[i] += float64(h.random.IntN(21)-10) / 10
	return number(i/3, [3]string{"temperature", "humidity", "power"}[i%3], 20+float64(int(h.values[i]*10))/10, at)
}

// disk mounts an ext4 of its own where that is possible, so that the bytes that reach the device can be counted; else
// it is a directory, and written returns 0.
func disk(b *testing.B) (dir string, written func() uint64) {
	b.Helper()
	dir = b.TempDir()
	image := filepath.Join(b.TempDir(), "image")
	none := func() uint64 { return 0 }
	if err := os.WriteFile(image, nil, 0o600); err != nil || os.Truncate(image, 1<<30) != nil {
		return dir, none
	}
	if exec.Command("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image).Run() != nil {
		return dir, none
	}
	out, err := exec.Command("losetup", "-f", "--show", image).Output()
	if err != nil {
		return dir, none
	}
	device := strings.TrimSpace(string(out))
	b.Cleanup(func() { _ = exec.Command("losetup", "-d", device).Run() })
	if syscall.Mount(device, dir, "ext4", 0, "") != nil {
		return dir, none
	}
	b.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	root, err := os.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = root.Close() })
	return dir, func() uint64 {
		if err := unix.Syncfs(int(root.Fd())); err != nil {
			b.Fatal(err)
		}
		data, err := os.ReadFile("/sys/block/" + filepath.Base(device) + "/stat")
		if err != nil {
			b.Fatal(err)
		}
		sectors, err := strconv.ParseUint(strings.Fields(string(data))[6], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		return sectors * 512
	}
}

func report(b *testing.B, rows int, device uint64, own uint64) {
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "readings/s")
	b.ReportMetric(float64(device)/float64(rows), "device-B/reading")
	if own > 0 {
		b.ReportMetric(float64(own)/float64(rows), "counted-B/reading")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDurable is the table of NUMBERS.md: durable readings per second and bytes that reach the device.
func BenchmarkDurable(b *testing.B) {
	for _, per := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("buffer/%d", per), func(b *testing.B) {
			dir, written := disk(b)
			buffer := open(b, Options{Dir: filepath.Join(dir, "buffer"), Targets: []string{"cloud"}})
			home, at := newHome(), start
			fill(b, buffer, 0, 1000)
			before, own, rows := written(), buffer.Stats().Written, 0
			for b.Loop() {
				for range per {
					at = at.Add(7 * time.Millisecond)
					if err := buffer.Append(home.next(at)); err != nil {
						b.Fatal(err)
					}
				}
				if err := buffer.Flush(); err != nil {
					b.Fatal(err)
				}
				rows += per
			}
			report(b, rows, written()-before, buffer.Stats().Written-own)
		})
		b.Run(fmt.Sprintf("limit/%d", per), func(b *testing.B) { limit(b, per) })
	}
}

// limit is what no store can beat: the same blocks, appended to a file whose room is there already, and fdatasync.
func limit(b *testing.B, per int) {
	dir, written := disk(b)
	const size = 64 << 20
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, size)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	p, err := newPacker()
	if err != nil {
		b.Fatal(err)
	}
	home, at, offset, rows, before := newHome(), start, int64(0), 0, written()
	readings := make([]hearth.Reading, 0, per)
	for b.Loop() {
		readings = readings[:0]
		for range per {
			at = at.Add(7 * time.Millisecond)
			readings = append(readings, home.next(at))
		}
		raw, err := hearth.AppendLines(nil, readings, "")
		if err != nil {
			b.Fatal(err)
		}
		data := p.zstdOf(raw)
		if offset+int64(len(data)) > size {
			offset = 0
		}
		if _, err := f.WriteAt(data, offset); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		offset += int64(len(data))
		rows += per
	}
	report(b, rows, written()-before, 0)
}

// BenchmarkLoad is a commit after each 10 readings while others come: what is queued shares an fsync.
func BenchmarkLoad(b *testing.B) {
	buffer := open(b, Options{Targets: []string{"cloud"}})
	home, at, rows := newHome(), start, 0
	for b.Loop() {
		for range 10_000 {
			at = at.Add(7 * time.Millisecond)
			if err := buffer.Append(home.next(at)); err != nil {
				b.Fatal(err)
			}
			rows++
		}
		if err := buffer.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "readings/s")
}

// BenchmarkDrain takes all there is, block by block, as the uplink does, and acknowledges each.
func BenchmarkDrain(b *testing.B) {
	dir, written := disk(b)
	buffer := open(b, Options{Dir: filepath.Join(dir, "buffer"), Targets: []string{"cloud"}})
	day(b, buffer, 200_000)
	in, before, rows := buffer.Stats().Written, written(), 0
	for b.Loop() {
		for {
			block, ok, err := buffer.Next("cloud")
			if err != nil {
				b.Fatal(err)
			}
			if !ok {
				break
			}
			if err := buffer.Acknowledge("cloud", block.Seq); err != nil {
				b.Fatal(err)
			}
			rows += block.Rows
		}
		b.StopTimer()
		if err := buffer.Rewind("cloud", 0); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "readings/s")
	b.ReportMetric(float64(written()-before)/float64(rows), "device-B/reading")
	b.ReportMetric(float64(in)/200_000, "in-B/reading")
}

// day appends a home's readings, n of them, 98 in each commit, as with the default pause at ten a second.
func day(b *testing.B, buffer *Buffer, n int) {
	b.Helper()
	home, at := newHome(), start
	for i := range n {
		at = at.Add(102 * time.Millisecond)
		if err := buffer.Append(home.next(at)); err != nil {
			b.Fatal(err)
		}
		if i%98 == 97 || i == n-1 {
			buffer.disk.Lock()
			err := buffer.commit()
			buffer.disk.Unlock()
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkHistory asks for 24 hours of one property of a home with 50 devices, 850 000 rows, in 300 points.
func BenchmarkHistory(b *testing.B) {
	dir := "/dev/shm"
	if _, err := os.Stat(dir); err != nil {
		dir = b.TempDir()
	}
	dir, err := os.MkdirTemp(dir, "buffer")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	buffer := open(b, Options{Dir: dir, Targets: []string{"cloud"}})
	day(b, buffer, 850_000)
	for _, device := range []hearth.ID{"sim:0007", "sim:nothing"} {
		b.Run(string(device), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h, err := buffer.History(device, "temperature", start, start.Add(24*time.Hour), 300)
				if err != nil || device == "sim:0007" && len(h.Points) < 290 {
					b.Fatal(len(h.Points), err)
				}
			}
		})
	}
}

// BenchmarkOpen opens a full buffer of 512 MiB, of which nothing has been sent.
func BenchmarkOpen(b *testing.B) {
	dir := full(b)
	for b.Loop() {
		buffer, err := Open(Options{Dir: dir, Cap: 1 << 30, Targets: []string{"cloud"}})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if size := buffer.Stats().Bytes; size < 500<<20 {
			b.Fatal(size)
		}
		if err := buffer.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func full(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	buffer, err := Open(Options{Dir: dir, Cap: 1 << 30, Targets: []string{"cloud"}})
	if err != nil {
		b.Fatal(err)
	}
	random, noise := newRandom(1), make([]byte, 700)
	for i := 0; i%30_000 != 0 || buffer.Stats().Bytes < 512<<20; i++ {
		for j := range noise {
			noise[j] = byte('0' + random.IntN(64))
		}
		r := hearth.Reading{Device: "sim:1", Property: "note", Value: hearth.TextOf(string(noise)), Time: start.Add(time.Duration(i) * time.Second)}
		if err := buffer.Append(r); err != nil {
			b.Fatal(err)
		}
		if i%30_000 == 29_999 {
			if err := buffer.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := buffer.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}
