package fake

import (
	"bufio"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// The files testdata/znp-*.txt are what went over the line between zigbee-herdsman and the stick, as in testdata/ezsp-*.txt.
// TestZNPRecord makes them anew:
//
//	HEARTH_E2E=record go test -run ZNPRecord ./drivers/zigbee/fake

func znpRecording(chip, part string) string {
	return filepath.Join("testdata", "znp-"+strings.ToLower(chip)+"-"+part+".txt")
}

func recordedZNP(chip string) StickOptions {
	return StickOptions{Protocol: ZNP, Chip: chip, IEEE: 0x00124b0123456789}
}

func TestZNPRecord(t *testing.T) {
	if os.Getenv("HEARTH_E2E") != "record" {
		t.Skip("SKIPPED: HEARTH_E2E=record records testdata/znp-*.txt anew")
	}
	for _, chip := range []string{"CC2652", "CC2531"} {
		t.Run(chip, func(t *testing.T) {
			h := &household{t: t, adapter: "zstack", folder: t.TempDir(), mesh: NewMesh(MeshOptions{Seed: recordedSeed})}
			t.Cleanup(h.mesh.Close)
			h.plug(recordedZNP(chip))
			d, err := h.mesh.Add("lamp", familyModel(t, "light-hue-color"))
			if err != nil {
				t.Fatal(err)
			}
			h.family = []*Device{d}
			var life, restore recorder
			life.watch(h.stick)
			h.startZNP("reset")
			h.pair()
			h.ask(d, 11, "command", "cluster", "genOnOff", "command", "on")
			h.ask(d, 11, "bind", "cluster", "genLevelCtrl")
			h.ask(d, 11, "report", "cluster", "genLevelCtrl", "items", []any{
				map[string]any{"attribute": "currentLevel", "minimumReportInterval": 0, "maximumReportInterval": 3600, "reportableChange": 1},
			})
			h.ask(d, 11, "command", "cluster", "genLevelCtrl", "command", "moveToLevel", "payload", map[string]int{"level": 77, "transtime": 0})
			h.ask(d, 11, "neighbours")
			h.host.quit()
			h.startZNP("resumed")
			h.stop() // which makes a backup
			life.write(t, znpRecording(chip, "life"))

			h.mesh, h.stick = NewMesh(MeshOptions{Seed: recordedSeed}), nil
			t.Cleanup(h.mesh.Close)
			h.plug(recordedZNP(chip))
			restore.watch(h.stick)
			h.startZNP("restored")
			h.host.quit()
			restore.write(t, znpRecording(chip, "restore"))
		})
	}
}

// A piece is what went over the line at once.
type piece struct {
	fromHost bool
	bytes    []byte
}

func readPieces(t *testing.T, file string) (pieces []piece) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		part := strings.Fields(lines.Text())
		if len(part) != 3 {
			t.Fatalf("%s: %q", file, lines.Text())
		}
		pieces = append(pieces, piece{part[1] == ">", unhex(t, part[2])})
	}
	return pieces
}

// timeless is a frame without the time stamp that incoming messages have.
func timeless(frame []byte) string {
	at := map[[2]byte]int{{mtAREQ | mtAF, 0x81}: 11, {mtAREQ | mtAF, 0x82}: 20}[[2]byte{frame[0], frame[1]}]
	if at > 0 {
		frame = append([]byte{}, frame...)
		copy(frame[2+at:], []byte{0, 0, 0, 0})
	}
	return hex.EncodeToString(frame)
}

// TestZNPRecorded plays what a real host said to the stick, and wants the same answers.
func TestZNPRecorded(t *testing.T) {
	for _, chip := range []string{"CC2652", "CC2531"} {
		for _, part := range []string{"life", "restore"} {
			t.Run(chip+" "+part, func(t *testing.T) {
				pieces := readPieces(t, znpRecording(chip, part))
				synctest.Test(t, func(t *testing.T) { replayZNP(t, chip, part, pieces) })
			})
		}
	}
}

func replayZNP(t *testing.T, chip, part string, pieces []piece) {
	m := NewMesh(MeshOptions{Seed: recordedSeed})
	defer m.Close()
	var d *Device
	h := newMT(t, m, recordedZNP(chip))
	defer h.close()
	if part == "life" {
		var err error
		if d, err = m.Add("lamp", familyModel(t, "light-hue-color")); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	frames := 0
	for _, p := range pieces {
		if p.fromHost {
			h.out <- p.bytes
			synctest.Wait()
			continue
		}
		frame := p.bytes[2 : len(p.bytes)-1]
		if frame[0] == mtAREQ|mtZDO && frame[1] == 0xca && d != nil { // the lamp came
			d.Pair(0)
			d = nil
			synctest.Wait()
		}
		want = append(want, timeless(frame))
		frames++
		for len(h.frames) > 0 && len(want) > 0 {
			if got := timeless(<-h.frames); got != want[0] {
				t.Fatalf("frame %d:\ngot  %s\nwant %s", frames-len(want)+1, got, want[0])
			}
			want = want[1:]
		}
	}
	if len(want) > 0 || frames < 300 {
		t.Errorf("%d frames, the last %d of them did not come", frames, len(want))
	}
}
