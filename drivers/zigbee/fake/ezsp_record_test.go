package fake

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The files testdata/ezsp-*.txt are what went over the line between zigbee-herdsman and the stick: a line for each piece,
// with the microseconds since the beginning, ">" from the host or "<" to it, and the bytes. TestEZSPRecord makes them anew:
//
//	HEARTH_E2E=record go test -run EZSPRecord ./drivers/zigbee/fake

// recordedSeed is the seed of their mesh.
const recordedSeed = 11

type recordedSession struct{ adapter, firmware string }

func (s recordedSession) file(part string) string {
	return filepath.Join("testdata", fmt.Sprintf("ezsp-%s-%s.txt", s.firmware, part))
}

func (s recordedSession) stick() StickOptions {
	return StickOptions{Protocol: EZSP, Firmware: s.firmware, IEEE: 0x0123456789abcdef}
}

func recordedSessions() []recordedSession {
	return []recordedSession{{"ezsp", "6.10.3"}, {"ember", "7.4.4"}, {"ember", "9.1.0"}}
}

// A recorder writes down what goes over a line.
type recorder struct {
	mu    sync.Mutex
	text  bytes.Buffer
	start time.Time
}

func (r *recorder) watch(s *Stick) {
	r.start = time.Now()
	s.Watch(func(fromHost bool, b []byte) {
		r.mu.Lock()
		defer r.mu.Unlock()
		arrow := "<"
		if fromHost {
			arrow = ">"
		}
		fmt.Fprintf(&r.text, "%d %s %x\n", time.Since(r.start).Microseconds(), arrow, b)
	})
}

func (r *recorder) write(t *testing.T, file string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := os.WriteFile(file, r.text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEZSPRecord(t *testing.T) {
	if os.Getenv("HEARTH_E2E") != "record" {
		t.Skip("SKIPPED: HEARTH_E2E=record records testdata/ezsp-*.txt anew")
	}
	for _, session := range recordedSessions() {
		t.Run(session.firmware, func(t *testing.T) {
			h := &household{t: t, adapter: session.adapter, folder: t.TempDir(), mesh: NewMesh(MeshOptions{Seed: recordedSeed})}
			t.Cleanup(h.mesh.Close)
			h.plug(session.stick())
			var form, lamp, restore recorder
			form.watch(h.stick)
			h.start("reset")
			h.host.do("permit", "seconds", 254)
			h.host.do("permit", "seconds", 0)
			h.host.do("backup")
			h.stop()
			h.start("resumed")
			h.stop()
			form.write(t, session.file("form"))

			h.start("resumed")
			lamp.watch(h.stick)
			model, _ := testModels()
			d, err := h.mesh.Add("lamp", model)
			if err != nil {
				t.Fatal(err)
			}
			h.family = []*Device{d}
			h.pair()
			h.control()
			h.stop()
			lamp.write(t, session.file("lamp"))

			h.plug(session.stick())
			restore.watch(h.stick)
			h.start("restored")
			h.stop()
			restore.write(t, session.file("restore"))
		})
	}
}

// A recordedFrame is a frame of a recording.
type recordedFrame struct {
	at       time.Duration
	fromHost bool
	frame    []byte // without checksum and stuffing, the data still whitened
}

// data takes the whitening off; nil: it is no data frame.
func (f recordedFrame) data() []byte {
	if ashKindOf(f.frame) != ashKindData {
		return nil
	}
	data := bytes.Clone(f.frame[1:])
	ashRandomize(data)
	return data
}

// readRecorded reads a recording. Every frame in it must be whole, and the same when it is encoded again.
func readRecorded(t *testing.T, file string) (frames []recordedFrame) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var decoders [2]ashDecoder
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		part := strings.Fields(lines.Text())
		if len(part) != 3 {
			t.Fatalf("%s:%d: %q", file, n, lines.Text())
		}
		at, err := strconv.Atoi(part[0])
		if err != nil {
			t.Fatalf("%s:%d: %v", file, n, err)
		}
		b, err := hex.DecodeString(part[2])
		if err != nil {
			t.Fatalf("%s:%d: %v", file, n, err)
		}
		fromHost, decoder := part[1] == ">", &decoders[0]
		if fromHost {
			decoder = &decoders[1]
		}
		for _, c := range b {
			frame, whole, end := decoder.push(c)
			if !end {
				continue
			}
			frame = bytes.Clone(frame)
			if !whole || ashKindOf(frame) == ashInvalid || !bytes.Contains(b, ashEncode(frame)) {
				t.Errorf("%s:%d: % x", file, n, frame)
			}
			frames = append(frames, recordedFrame{time.Duration(at) * time.Microsecond, fromHost, frame})
		}
	}
	return frames
}

// TestEZSPRecorded plays what a real host said to the stick, at the same times, and wants the same answers.
func TestEZSPRecorded(t *testing.T) {
	for _, session := range recordedSessions() {
		for _, part := range []string{"form", "restore"} {
			t.Run(session.firmware+" "+part, func(t *testing.T) {
				frames := readRecorded(t, session.file(part))
				synctest.Test(t, func(t *testing.T) { replay(t, session, frames) })
			})
		}
	}
}

func replay(t *testing.T, session recordedSession, frames []recordedFrame) {
	m := NewMesh(MeshOptions{Seed: recordedSeed})
	t.Cleanup(m.Close)
	s, err := NewStick(m, session.stick())
	if err != nil {
		t.Fatal(err)
	}
	h := hostOf(t, s)
	defer h.close()
	start, commands := time.Now(), 0
	var got, want []string
	life := func() { // what came after the host had gone is not in the recording
		pass(0)
		if got = append(got, h.drain()...); len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			t.Errorf("callbacks:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		got, want = nil, nil
	}
	for i, f := range frames {
		time.Sleep(time.Until(start.Add(f.at)))
		synctest.Wait()
		data := f.data()
		switch {
		case f.fromHost && ashKindOf(f.frame) == ashKindRST:
			life()
			h.begin()
			h.out <- ashEncode([]byte{ashRST})
			h.expect(ashRSTACK, ashVersion, ResetSoftware)
		case f.fromHost && data != nil:
			commands++
			answer := answerTo(frames[i+1:], data[0])
			if said := h.raw(data); !bytes.Equal(said, answer) {
				t.Errorf("command %d, % x:\ngot  % x\nwant % x", commands, data, said, answer)
			}
		case data != nil && data[1]&ezspCallback != 0:
			want = append(want, fmt.Sprintf("% x", data[3:]))
		}
		got = append(got, h.drain()...)
	}
	pass(time.Second)
	life()
	if commands < 30 {
		t.Errorf("only %d commands", commands)
	}
}

// answerTo is the recorded answer to the command with that sequence number.
func answerTo(frames []recordedFrame, sequence byte) []byte {
	for _, f := range frames {
		if data := f.data(); data != nil && !f.fromHost && data[0] == sequence && data[1]&ezspCallback == 0 {
			return data
		}
	}
	return nil
}

// raw sends a command as it was recorded and returns the whole answer.
func (h *testHost) raw(data []byte) []byte {
	h.t.Helper()
	h.say(data)
	select {
	case said := <-h.answers:
		return append(said.header.append(nil, said.control), said.params...)
	case <-time.After(time.Minute):
		h.t.Fatalf("no answer to % x", data)
		return nil
	}
}

// drain takes the callbacks that have come, less their header's sequence number and control.
func (h *testHost) drain() (all []string) {
	for len(h.said) > 0 {
		said := <-h.said
		all = append(all, fmt.Sprintf("% x", append([]byte{byte(said.header.id), byte(said.header.id >> 8)}, said.params...)))
	}
	return all
}

// TestEZSPRecordedLamp reads the recording of a lamp that is paired and switched: each command of the host is one that the
// firmware knows, and everything the firmware says of messages has the length it should have.
func TestEZSPRecordedLamp(t *testing.T) {
	for _, session := range recordedSessions() {
		m := NewMesh(MeshOptions{})
		s, err := NewStick(m, StickOptions{Protocol: EZSP, Firmware: session.firmware})
		if err != nil {
			t.Fatal(err)
		}
		firmware := s.firmware.(*ezsp)
		h := &testHost{t: t, version: firmware.version}
		seen := map[uint16]int{}
		for _, f := range readRecorded(t, session.file("lamp")) {
			header, params, ok := parseEZSPHeader(f.data())
			if !ok {
				continue
			}
			seen[header.id]++
			if _, known := firmware.commands[header.id]; f.fromHost && !known {
				t.Errorf("%s: command %#04x", session.firmware, header.id)
			}
			switch {
			case !f.fromHost && header.id == 0x0045:
				h.parseIncoming(&ezspReader{rest: params})
			case !f.fromHost && header.id == 0x003f:
				h.parseSent(&ezspReader{rest: params})
			}
		}
		for _, id := range []uint16{0x0022, 0x0024, 0x0034, 0x003f, 0x0045} {
			if seen[id] == 0 {
				t.Errorf("%s: %#04x does not come", session.firmware, id)
			}
		}
		m.Close()
	}
}
