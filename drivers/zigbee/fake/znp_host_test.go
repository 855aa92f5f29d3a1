package fake

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
)

// A mtHost is the host's end of MT for tests, on a line in memory. Its time is that of synctest.
type mtHost struct {
	t      *testing.T
	mesh   *Mesh
	stick  *Stick
	line   net.Conn
	frames chan []byte // without start, length and checksum
	out    chan []byte
	aside  [][]byte // indications that came
	unplug context.CancelFunc
	served chan error
}

// newMT is a host at a stick on a mesh without delays.
func newMT(t *testing.T, m *Mesh, o StickOptions) *mtHost {
	t.Helper()
	o.Protocol = ZNP
	s, err := NewStick(m, o)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	h := &mtHost{
		t: t, mesh: m, stick: s, line: ours, frames: make(chan []byte, 1000), out: make(chan []byte, 100), unplug: cancel,
		served: make(chan error, 1),
	}
	go func() { h.served <- s.Serve(ctx, theirs) }()
	go func() {
		for b := range h.out {
			if _, err := ours.Write(b); err != nil {
				return
			}
		}
	}()
	go h.listen()
	synctest.Wait()
	return h
}

func (h *mtHost) close() {
	h.unplug()
	_ = h.line.Close()
	close(h.out)
	if err := <-h.served; err != nil {
		h.t.Errorf("served: %v", err)
	}
}

// listen takes the stick's frames: they must be whole.
func (h *mtHost) listen() {
	defer close(h.frames)
	var in []byte
	b := make([]byte, 4096)
	for {
		n, err := h.line.Read(b)
		if err != nil {
			return
		}
		in = append(in, b[:n]...)
		in = in[max(bytes.IndexByte(in, mtStart), 0):]
		for len(in) >= 5 && in[0] == mtStart && len(in) >= 5+int(in[1]) {
			end := 4 + int(in[1])
			if checksum(in[1:end]) == in[end] {
				h.frames <- slices.Clone(in[2:end])
			} else {
				h.frames <- nil
			}
			in = in[end+1:]
		}
	}
}

func mtFrame(first, command byte, data ...byte) []byte {
	b := append([]byte{mtStart, byte(len(data)), first, command}, data...)
	return append(b, checksum(b[1:]))
}

// do asks for something and returns the data of the answer; nil if there is none.
func (h *mtHost) do(subsystem, command byte, data ...byte) []byte {
	h.t.Helper()
	h.out <- mtFrame(mtSREQ|subsystem, command, data...)
	synctest.Wait()
	var answer []byte
	for len(h.frames) > 0 {
		switch f := <-h.frames; {
		case f == nil:
			h.t.Error("a broken frame")
		case f[0]&0xe0 == mtSRSP && answer == nil:
			if f[0] == mtSRSP|subsystem && f[1] == command {
				answer = append([]byte{}, f[2:]...)
			} else {
				answer = f
			}
		case f[0]&0xe0 == mtSRSP:
			h.t.Errorf("a second answer: % x", f)
		default:
			h.aside = append(h.aside, f)
		}
	}
	return answer
}

// want is do with the answer in hex digits.
func (h *mtHost) want(subsystem, command byte, data, answer string) {
	h.t.Helper()
	if got := hex.EncodeToString(h.do(subsystem, command, unhex(h.t, data)...)); got != strings.ReplaceAll(answer, " ", "") {
		h.t.Errorf("request %02x %02x %s: %s, want %s", subsystem, command, data, got, answer)
	}
}

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// said takes the indications of a command that have come, without their header.
func (h *mtHost) said(subsystem, command byte) (all [][]byte) {
	h.t.Helper()
	synctest.Wait()
	for len(h.frames) > 0 {
		if f := <-h.frames; f != nil {
			h.aside = append(h.aside, f)
		}
	}
	h.aside = slices.DeleteFunc(h.aside, func(f []byte) bool {
		match := f[0] == mtAREQ|subsystem && f[1] == command
		if match {
			all = append(all, f[2:])
		}
		return match
	})
	return all
}

func (h *mtHost) wantSaid(subsystem, command byte, want ...string) {
	h.t.Helper()
	var got []string
	for _, b := range h.said(subsystem, command) {
		got = append(got, hex.EncodeToString(b))
	}
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], " ", "")
	}
	if !slices.Equal(got, want) {
		h.t.Errorf("indications %02x %02x: %v, want %v", subsystem, command, got, want)
	}
}

// write puts a value into an item of the memory, which it makes if it must.
func (h *mtHost) write(id uint16, value ...byte) {
	h.t.Helper()
	at := binary.LittleEndian.AppendUint16(nil, id)
	h.do(mtSYS, 0x07, append(append(slices.Clone(at), byte(len(value)), 0, byte(len(value))), value...)...)
	if got := h.do(mtSYS, 0x09, append(append(at, 0, byte(len(value))), value...)...); !bytes.Equal(got, []byte{0}) {
		h.t.Errorf("writing item %04x: % x", id, got)
	}
}

// form makes the network 1a62 on channel 15 as hosts do.
func (h *mtHost) form() {
	h.t.Helper()
	h.write(nvStartup, 3)
	chip := h.firmware().chip
	h.out <- mtFrame(mtAREQ|mtSYS, 0x00, 1)
	h.wantSaid(mtSYS, 0x80, fmt.Sprintf("00 02 %02x 02 07 %02x", chip.product, chip.maint))
	h.write(nvPAN, 0x62, 0x1a)
	h.write(nvUseExtended, unhex(h.t, "7766554433221 1dd")...)
	h.write(nvPreconfigured, unhex(h.t, "01030507090b0d0f00020406080a0c0d")...)
	h.write(nvDirectZDO, 1)
	h.want(mtAppCNF, 0x08, "01 00800000", "00")
	h.want(mtAppCNF, 0x08, "00 00000000", "00")
	h.want(mtAppCNF, 0x05, "04", "00")
	time.Sleep(h.stick.options.Forming)
	states := h.said(mtZDO, 0xc0)
	if len(states) == 0 || states[len(states)-1][0] != znpStateCoordinate {
		h.t.Fatalf("states % x", states)
	}
	h.want(mtAF, 0x00, "01 0401 0500 00 00 00 00", "00")
	h.aside = nil
}

func (h *mtHost) firmware() *znp { return h.stick.firmware.(*znp) }

// mtBubble runs a test with a formed stick in the time of synctest.
func mtBubble(t *testing.T, o StickOptions, test func(t *testing.T, h *mtHost)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := NewMesh(MeshOptions{Seed: 9})
		defer m.Close()
		o.IEEE = 0x00124b001e17efa8
		h := newMT(t, m, o)
		defer h.close()
		h.form()
		test(t, h)
	})
}

// pair lets a device of the family in at the stick.
func (h *mtHost) pair(model string) *Device {
	h.t.Helper()
	m := familyModel(h.t, model)
	m.Direct = true
	d, err := h.mesh.Add(model, m)
	if err != nil {
		h.t.Fatal(err)
	}
	h.want(mtZDO, 0x36, "02 fcff 3c 00", "00")
	d.Pair(0)
	h.want(mtZDO, 0x36, "02 fcff 00 00", "00")
	if !d.Joined() {
		h.t.Fatalf("%s did not join", model)
	}
	return d
}

// le is a network address as it goes over the line.
func le(address radio.NWK) string {
	return hex.EncodeToString(binary.LittleEndian.AppendUint16(nil, uint16(address)))
}

func leIEEE(address radio.IEEE) string {
	return hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, uint64(address)))
}
