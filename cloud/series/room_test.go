package series

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"hearth"
)

// A store whose disk is nearly full takes no writes, which are to be tried again, until there is room.
func TestDiskNearlyFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), Options{})
		usage := vfs.DiskUsage{TotalBytes: 100 << 30, AvailBytes: mostKept}
		s.room.usage = func() (vfs.DiskUsage, error) { return usage, nil }
		w := Write{Home: "h", Points: []Point{{Series: "cpu", Field: "v", Time: 1, Value: hearth.NumberOf(1)}}}
		for _, step := range []struct {
			total, free uint64
			full        bool
		}{{100 << 30, mostKept, false}, {100 << 30, mostKept - 1, true}, {100 << 30, 1 << 30, false}, {keptPart << 20, 1<<20 - 1, true}, {keptPart << 20, 1 << 20, false}} {
			usage = vfs.DiskUsage{TotalBytes: step.total, AvailBytes: step.free}
			time.Sleep(lookPause)
			var coded *hearth.Error
			if _, err := s.Write(w); (err != nil) != step.full || errors.As(err, &coded) {
				t.Errorf("%d of %d bytes free: %v", step.free, step.total, err)
			}
		}
	})
}
