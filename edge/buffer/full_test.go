//go:build linux

package buffer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// small mounts a file system of so many bytes. It takes root; CI has it, and must not pass this test over.
func small(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("mounting a small disk: %v: CI runs this test as root", err)
		}
		t.Skipf("NOT TESTED: a full disk takes root to mount a small one: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error("unmounting:", err)
		}
	})
	return dir
}

// hog fills the disk up to so many free bytes, as a log would.
func hog(t *testing.T, dir string, free int64) {
	t.Helper()
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		t.Fatal(err)
	}
	n := int64(stat.Bavail)*int64(stat.Bsize) - free
	if n <= 0 {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, "hog"), make([]byte, n), 0o600); err != nil {
		t.Fatal(err)
	}
}

func appendNoise(t *testing.T, b *Buffer, random *rand.Rand, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		r := number(i%20, fmt.Sprintf("p%d", random.IntN(1<<20)), float64(i), start.Add(time.Duration(i)*time.Millisecond))
		if err := b.Append(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullDiskDropsTheOldest(t *testing.T) {
	dir := small(t, 2<<20)
	o := Options{Dir: filepath.Join(dir, "buffer"), Cap: 64 << 20, Targets: []string{"cloud"}} // more than there is
	b := open(t, o)
	b.segmentSize = 256 << 10
	random, n := rand.New(rand.NewPCG(1, 1)), 0
	for ; n < 250_000; n += 500 {
		appendNoise(t, b, random, n, 500)
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
		balanced(t, b, "cloud")
	}
	l := b.Ledger("cloud")
	if l.Produced != uint64(n) || l.Dropped == 0 || l.Backlog == 0 {
		t.Fatalf("%d readings, ledger %v", n, l)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	b = open(t, o)
	if got := b.Ledger("cloud"); got != l {
		t.Errorf("after a restart %v, before %v", got, l)
	}
	values, gaps := drain(t, b, "cloud")
	balanced(t, b, "cloud")
	lost := 0
	for _, g := range gaps {
		lost += int(g.Count)
		if g.Reason != "cap" {
			t.Errorf("gap %+v", g)
		}
	}
	if len(values)+lost != n || b.Stats().Damaged > 0 {
		t.Errorf("%d values and gaps of %d of %d readings; %+v", len(values), lost, n, b.Stats())
	}
}

func TestFullDiskKeepsReadingsQueued(t *testing.T) {
	dir := small(t, 3<<20)
	b := open(t, Options{Dir: filepath.Join(dir, "buffer"), Targets: []string{"cloud"}})
	fill(t, b, 0, 400)
	hog(t, dir, 0)
	random := rand.New(rand.NewPCG(2, 2))
	appendNoise(t, b, random, 1000, 60_000)
	err := b.Flush()
	before := b.Ledger("cloud")
	balanced(t, b, "cloud")
	if err == nil {
		t.Fatalf("60000 readings went onto a full disk: %v", before)
	}
	if err := os.Remove(filepath.Join(dir, "hog")); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	values, gaps := drain(t, b, "cloud")
	balanced(t, b, "cloud")
	lost := 0
	for _, g := range gaps {
		lost += int(g.Count)
	}
	if l := b.Ledger("cloud"); len(values)+lost != 60_400 || l.Produced != 60_400 || b.Stats().Damaged > 0 {
		t.Errorf("%d values, gaps of %d, ledger %v, %+v", len(values), lost, l, b.Stats())
	}
}

func TestFullDiskFromTheStart(t *testing.T) {
	dir := small(t, 1<<20)
	hog(t, dir, 8<<10)
	b := open(t, Options{Dir: dir, Targets: []string{"cloud"}})
	appendNoise(t, b, rand.New(rand.NewPCG(3, 3)), 0, 500)
	if err := b.Flush(); err == nil {
		t.Fatal("500 readings went onto a full disk")
	}
	if err := os.Remove(filepath.Join(dir, "hog")); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if values, gaps := drain(t, b, "cloud"); len(values) != 500 || len(gaps) != 0 {
		t.Errorf("%d values, gaps %v", len(values), gaps)
	}
}
