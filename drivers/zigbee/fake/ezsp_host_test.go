package fake

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
)

// A testHost is the host's end of EZSP for tests: one command at a time, every frame acknowledged at once. It lives in
// the time of synctest, on a line in memory.
type testHost struct {
	t       *testing.T
	stick   *Stick
	line    net.Conn
	version uint8
	frames  chan []byte // what is not a data frame
	answers chan ezspSaid
	said    chan ezspSaid // callbacks, in order
	out     chan []byte
	command uint8
	unplug  func()
	served  chan error

	mu     sync.Mutex
	next   uint8 // of our frames
	heard  uint8 // that we expect
	deaf   bool  // acknowledges nothing
	resent int   // frames that came again
}

// mute makes the host acknowledge nothing, or end that.
func (h *testHost) mute(on bool) {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deaf = on
}

func (h *testHost) again() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.resent
}

// begin makes both sides count from 0, as they do after a reset.
func (h *testHost) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next, h.heard = 0, 0
}

// An ezspSaid is a frame of the firmware.
type ezspSaid struct {
	control byte
	header  ezspHeader
	params  []byte
}

// testStick is a stick of that firmware with a host at it.
func testStick(t *testing.T, o StickOptions) *testHost {
	t.Helper()
	m := NewMesh(MeshOptions{Seed: 7})
	t.Cleanup(m.Close)
	o.Protocol = EZSP
	s, err := NewStick(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return hostOf(t, s)
}

// hostOf connects to a stick. The test must call close.
func hostOf(t *testing.T, s *Stick) *testHost {
	t.Helper()
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	h := &testHost{
		t: t, stick: s, line: ours, version: s.firmware.(*ezsp).version,
		frames: make(chan []byte, 100), answers: make(chan ezspSaid, 10), said: make(chan ezspSaid, 1000), out: make(chan []byte, 100),
		served: make(chan error, 1), unplug: cancel,
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
	return h
}

func (h *testHost) close() {
	h.t.Helper()
	h.unplug()
	h.line.Close()
	if err := <-h.served; err != nil {
		h.t.Errorf("Serve: %v", err)
	}
	close(h.out)
}

func (h *testHost) listen() {
	var d ashDecoder
	b := make([]byte, 256)
	for {
		n, err := h.line.Read(b)
		if err != nil {
			return
		}
		for _, c := range b[:n] {
			if frame, whole, _ := d.push(c); whole {
				h.take(slices.Clone(frame))
			}
		}
	}
}

func (h *testHost) take(frame []byte) {
	switch ashKindOf(frame) {
	case ashKindData:
		if !h.accept(frame[0]) {
			return
		}
		data := frame[1:]
		ashRandomize(data)
		h.dispatch(data)
	case ashKindACK:
	case ashKindRSTACK:
		h.begin()
		h.frames <- frame
	default:
		h.frames <- frame
	}
}

// accept acknowledges a data frame, if it is the one that is due.
func (h *testHost) accept(control byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if control&ashResent != 0 {
		h.resent++
	}
	if h.deaf || control>>4&7 != h.heard {
		return false
	}
	h.heard = (h.heard + 1) & 7
	h.out <- ashEncode([]byte{ashACK | h.heard})
	return true
}

func (h *testHost) dispatch(data []byte) {
	said := ezspSaid{control: data[1]}
	header, params, ok := parseEZSPHeader(data)
	if !ok {
		h.t.Errorf("% x is no frame", data)
		return
	}
	said.header, said.params = header, params
	if said.control&ezspCallback != 0 {
		h.said <- said
		return
	}
	h.answers <- said
}

// expect waits for a frame that carries no data.
func (h *testHost) expect(frame ...byte) {
	h.t.Helper()
	select {
	case got := <-h.frames:
		if !slices.Equal(got, frame) {
			h.t.Errorf("heard % x, want % x", got, frame)
		}
	case <-time.After(time.Minute):
		h.t.Fatalf("waited in vain for % x", frame)
	}
}

// reset restarts the firmware and agrees on the version.
func (h *testHost) reset() {
	h.t.Helper()
	h.begin()
	h.out <- append([]byte{ashCancel}, ashEncode([]byte{ashRST})...)
	h.expect(ashRSTACK, ashVersion, ResetSoftware)
	h.agree()
}

func (h *testHost) agree() {
	h.t.Helper()
	said := h.exchange(ezspHeader{legacy: true}, []byte{4})
	if !said.header.legacy || len(said.params) != 4 || said.params[0] != h.version {
		h.t.Fatalf("version: %+v", said)
	}
	if said = h.exchange(ezspHeader{}, []byte{h.version}); said.header.legacy || said.params[0] != h.version || said.params[1] != 2 {
		h.t.Fatalf("version: %+v", said)
	}
}

// exchange sends a command and waits for its answer.
func (h *testHost) exchange(header ezspHeader, params []byte) ezspSaid {
	h.t.Helper()
	h.command++
	header.sequence = h.command
	h.send(header, params)
	select {
	case said := <-h.answers:
		if said.header.sequence != h.command || said.control&0x80 == 0 {
			h.t.Errorf("the answer to %#04x is %+v", header.id, said)
		}
		return said
	case <-time.After(time.Minute):
		h.t.Fatalf("no answer to %#04x", header.id)
		return ezspSaid{}
	}
}

func (h *testHost) send(header ezspHeader, params []byte) {
	var data []byte
	if header.legacy {
		data = append([]byte{header.sequence, 0, byte(header.id)}, params...)
	} else {
		data = append(binary.LittleEndian.AppendUint16([]byte{header.sequence, 0, ezspExtended}, header.id), params...)
	}
	h.say(data)
}

// say sends a data frame.
func (h *testHost) say(data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	frame := append([]byte{h.next<<4 | h.heard}, data...)
	h.next = (h.next + 1) & 7
	ashRandomize(frame[1:])
	h.out <- ashEncode(frame)
}

// ask is exchange for a command that exists.
func (h *testHost) ask(id uint16, write func(w *ezspWriter)) *ezspReader {
	h.t.Helper()
	w := ezspWriter{version: h.version}
	if write != nil {
		write(&w)
	}
	said := h.exchange(ezspHeader{id: id}, w.b)
	if said.header.id != id {
		h.t.Fatalf("the answer to %#04x is %#04x % x", id, said.header.id, said.params)
	}
	return &ezspReader{rest: said.params}
}

// status reads a status in the form of the version.
func (h *testHost) status(r *ezspReader) uint32 {
	if h.version >= 14 {
		return r.u32()
	}
	return uint32(r.u8())
}

// wantStatus compares, whatever the version calls it.
func (h *testHost) wantStatus(r *ezspReader, want ezspStatus) {
	h.t.Helper()
	expected := uint32(want)
	if h.version < 14 {
		expected = uint32(want.ember())
	}
	if got := h.status(r); got != expected {
		h.t.Errorf("status %#x, want %#x", got, expected)
	}
}

// callback waits for one of that id and drops those before it.
func (h *testHost) callback(id uint16) *ezspReader {
	h.t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case said := <-h.said:
			if said.header.id == id {
				return &ezspReader{rest: said.params}
			}
		case <-late:
			h.t.Fatalf("no callback %#04x", id)
		}
	}
}

// quiet drops what was said and not asked for so far.
func (h *testHost) quiet() {
	for {
		select {
		case <-h.said:
		default:
			return
		}
	}
}

var testNetwork = ezspNetworkParameters{
	extended: 0xdd11223344556677, pan: 0x1a62, power: 5, channel: 15, channels: 0x07fff800,
}

var (
	testNetworkKey = radio.Key{1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13}
	testLinkKey    = radio.Key{0xaa, 0xbb, 0xcc, 0xdd, 5: 1, 15: 0xee}
)

// form makes the network of the tests, as hosts do: security, policies, an endpoint, the network.
func (h *testHost) form(bits uint16) {
	h.t.Helper()
	for id, decision := range map[byte]byte{policyTrustCenter: 3, policyKeyRequest: decisionCurrentKey} {
		h.wantConfig(h.ask(0x0055, func(w *ezspWriter) { w.bytes([]byte{id, decision}) }), ezspConfigOK)
	}
	h.endpoint()
	h.wantStatus(h.ask(0x0068, func(w *ezspWriter) {
		w.u16(bits)
		w.key(testLinkKey)
		w.key(testNetworkKey)
		w.u8(0)
		w.ieee(0)
	}), statusOK)
	h.wantStatus(h.ask(0x001e, func(w *ezspWriter) { w.network(testNetwork) }), statusOK)
	h.wantStatus(h.callback(0x0019), statusNetworkUp)
}

// endpoint registers the one of home automation.
func (h *testHost) endpoint() {
	h.t.Helper()
	h.wantConfig(h.ask(0x0002, func(w *ezspWriter) {
		w.u8(1)
		w.list(0x0104, 0x0005)
		w.bytes([]byte{0, 1, 2})
		w.list(0x0000, 0x0006, 0x0500)
	}), ezspConfigOK)
}

func (h *testHost) wantConfig(r *ezspReader, want ezspConfigStatus) {
	h.t.Helper()
	expected := uint32(want)
	if h.version >= 14 && want != ezspConfigOK {
		expected = uint32(statusEZSPError)
	}
	if got := h.status(r); got != expected {
		h.t.Errorf("status %#x, want %#x", got, expected)
	}
}

// usualSecurity are the bits that hosts set when they form.
const usualSecurity = 0x0004 | securityHashed | securityHaveKey | securityHaveNetwork | 0x0800

// eachVersion runs the test with every dialect of EZSP.
func eachVersion(t *testing.T, run func(t *testing.T, firmware string)) {
	for _, firmware := range []string{"6.10.3", "7.2.0", "7.3.1", "7.4.4", "8.0.2", "8.2.0", "9.1.0"} {
		t.Run(fmt.Sprintf("EmberZNet %s", firmware), func(t *testing.T) { run(t, firmware) })
	}
}
