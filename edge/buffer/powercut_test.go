//go:build linux

package buffer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// cannot skips the test loudly where a person lacks what it takes; CI has it, and must not pass the test over.
func cannot(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %v: CI runs this test", what, err)
	}
	t.Skipf("NOT TESTED: a power cut takes root, to mount an image, and mkfs.ext4: %s: %v", what, err)
}

// mountImage mounts an ext4 image.
func mountImage(t *testing.T, image string) string {
	t.Helper()
	out, err := exec.Command("losetup", "-f", "--show", image).Output()
	if err != nil {
		cannot(t, "losetup", err)
	}
	device, dir := strings.TrimSpace(string(out)), t.TempDir()
	t.Cleanup(func() { _ = exec.Command("losetup", "-d", device).Run() })
	if err := syscall.Mount(device, dir, "ext4", 0, ""); err != nil {
		cannot(t, "mount", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// TestPowerCut copies a disk while it is written, without a sync: only what the device was given is in the copy.
// Everything that was flushed, dropped and told before is there, and it is no damage.
func TestPowerCut(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 24<<20); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("mkfs.ext4", "-q", image).Run(); err != nil {
		cannot(t, "mkfs.ext4", err)
	}
	o := Options{Dir: filepath.Join(mountImage(t, image), "buffer"), Cap: 1 << 20, Targets: []string{"cloud"}}
	b := open(t, o)
	cloud := newReceiver(t)
	w := &ledgerWorld{T: t, o: o, b: b, cloud: cloud, random: newRandom(9)}
	for round := range 12 {
		for range 6 {
			w.noise(1 + w.random.IntN(900))
			w.send("cloud", cloud, w.random.IntN(4), false)
		}
		before := b.Ledger("cloud")
		copied := filepath.Join(t.TempDir(), fmt.Sprint(round))
		data, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied, data, 0o600); err != nil {
			t.Fatal(err)
		}
		cut := o
		cut.Dir = filepath.Join(mountImage(t, copied), "buffer")
		after := open(t, cut)
		cloud.sync(after, "cloud")
		balanced(t, after, "cloud")
		if got := after.Ledger("cloud"); got != before || after.Stats().Damaged > 0 {
			t.Errorf("after a power cut %v, %+v; before %v", got, after.Stats(), before)
		}
		drain(t, after, "cloud")
		if err := after.Close(); err != nil {
			t.Error(err)
		}
	}
}
