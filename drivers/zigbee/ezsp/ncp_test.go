package ezsp

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
)

// An ncp is a stick at the other end of the line, just good enough to play scenes with. It has an ASH of its own.
type ncp struct {
	t       *testing.T
	conn    net.Conn
	version uint8

	mu       sync.Mutex
	out, in  uint8 // ASH numbers
	agreed   bool
	running  bool // the network is up
	stored   *parameters
	key      radio.Key
	sequence uint8
	counter  uint32
	hashed   radio.Key
	own      radio.IEEE
	tokens   map[uint32][]byte // NVM3
	custom   []byte            // the manufacturer's token of the address
	heard    []heard
	on       map[command]func(body []byte) []byte // instead of the usual answer; nil: silence
	resets   int
	mute     bool // does not even acknowledge, but can be reset
	deaf     bool // not even that
}

type heard struct {
	command command
	body    []byte
}

func (n *ncp) wide() bool    { return n.version >= 14 }
func (n *ncp) managed() bool { return n.version >= 13 }

// sl32 has the numbers of sl_status_t for those of EmberStatus.
var sl32 = map[uint8]uint32{
	0: 0, 0x18: 0x19, 0x66: 0xc02, 0x70: 2, 0x72: 0xc03, 0x74: 0x38, 0x90: 0x15, 0x91: 0x16, 0x93: 0x17, 0x9b: 0xc17, 0x9d: 0xc19, 0xb1: 0x27, 0x03: 0x2d,
}

// status writes an EmberStatus as this version does.
func (n *ncp) status(ember uint8, more ...byte) []byte {
	if n.wide() {
		return append(binary.LittleEndian.AppendUint32(nil, sl32[ember]), more...)
	}
	return append([]byte{ember}, more...)
}

func (n *ncp) managedStatus(sl uint32) []byte { return binary.LittleEndian.AppendUint32(nil, sl) }

// serve answers until the line ends.
func (n *ncp) serve() {
	var frame []byte
	escaped := false
	b := make([]byte, 1024)
	for {
		count, err := n.conn.Read(b)
		for _, c := range b[:count] {
			switch {
			case c == 0x1a:
				frame, escaped = nil, false
			case c == 0x7e:
				n.take(frame)
				frame = nil
			case c == 0x7d:
				escaped = true
			case escaped:
				frame, escaped = append(frame, c^0x20), false
			default:
				frame = append(frame, c)
			}
		}
		if err != nil {
			return
		}
	}
}

func (n *ncp) take(b []byte) {
	if len(b) < 3 || crc16(b[:len(b)-2]) != binary.BigEndian.Uint16(b[len(b)-2:]) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	control, data := b[0], scramble(b[1:len(b)-2])
	switch {
	case n.deaf:
	case control == 0xc0:
		n.resets++
		n.restart(0x0b)
	case n.mute:
	case control&0x80 == 0:
		n.in = control>>4 + 1&7
		n.frame(0x80|n.in, nil)
		n.ezsp(data)
	}
}

// restart begins anew, as after a reset; n.mu is held.
func (n *ncp) restart(code byte) {
	n.out, n.in, n.agreed, n.running = 0, 0, false, false
	n.write([]byte{0x1a})
	n.frame(0xc1, []byte{2, code})
}

func (n *ncp) write(b []byte) {
	if _, err := n.conn.Write(b); err != nil && n.t.Context().Err() == nil {
		n.t.Log(err)
	}
}

func (n *ncp) frame(control byte, data []byte) {
	body := append([]byte{control}, data...)
	body = binary.BigEndian.AppendUint16(body, crc16(body))
	var line []byte
	for _, c := range body {
		if slices.Contains([]byte{0x7e, 0x7d, 0x11, 0x13, 0x18, 0x1a}, c) {
			line = append(line, 0x7d, c^0x20)
		} else {
			line = append(line, c)
		}
	}
	n.write(append(line, 0x7e))
}

func (n *ncp) data(b []byte) {
	n.frame(n.out<<4|n.in, scramble(b))
	n.out = (n.out + 1) & 7
}

func scramble(b []byte) []byte {
	out, r := make([]byte, len(b)), byte(0x42)
	for i := range b {
		out[i] = b[i] ^ r
		if carry := r & 1; carry == 1 {
			r = r>>1 ^ 0xb8
		} else {
			r >>= 1
		}
	}
	return out
}

func crc16(b []byte) uint16 {
	sum := uint16(0xffff)
	for _, c := range b {
		for bit := 7; bit >= 0; bit-- {
			top := sum>>15 ^ uint16(c>>bit&1)
			sum <<= 1
			if top == 1 {
				sum ^= 0x1021
			}
		}
	}
	return sum
}

// ezsp works off a command; n.mu is held.
func (n *ncp) ezsp(b []byte) {
	if len(b) < 5 || b[2] != 1 { // the legacy header
		if len(b) == 4 && b[2] == 0 {
			n.heard = append(n.heard, heard{0xffff, b[3:]})
			n.data(append([]byte{b[0], 0x80, 0}, n.versionAnswer()...))
		}
		return
	}
	c, body := command(binary.LittleEndian.Uint16(b[3:])), b[5:]
	n.heard = append(n.heard, heard{c, slices.Clone(body)})
	reply := func(c command, body []byte) {
		n.data(append([]byte{b[0], 0x80, 1, byte(c), byte(c >> 8)}, body...))
	}
	if c != cmdVersion && !n.agreed {
		reply(cmdInvalidCommand, []byte{0x30})
		return
	}
	if special, ok := n.on[c]; ok {
		if answer := special(body); answer != nil {
			reply(c, answer)
		}
		return
	}
	answer, known := n.answer(c, body)
	if !known {
		reply(cmdInvalidCommand, []byte{0x31})
		return
	}
	reply(c, answer)
	n.aftermath(c, body)
}

func (n *ncp) versionAnswer() []byte { return []byte{n.version, 2, 0x30, 0x74} }

// say sends a callback; n.mu is held.
func (n *ncp) say(c command, body []byte) {
	n.data(append([]byte{0xff, 0x90, 1, byte(c), byte(c >> 8)}, body...))
}

// tell sends a callback from a test.
func (n *ncp) tell(c command, body []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.say(c, body)
}

func (n *ncp) answer(c command, body []byte) (answer []byte, known bool) {
	le := binary.LittleEndian
	switch c {
	case cmdVersion:
		n.agreed = body[0] == n.version
		return n.versionAnswer(), true
	case cmdNop:
		return []byte{}, true
	case cmdGetValue:
		return n.status(0, 7, 0x9a, 1, 7, 4, 3, 0, 0xaa), body[0] == valueVersionInfo
	case cmdGetConfiguration:
		return n.status(0, 4, 0), true
	case cmdGetEUI64:
		return le.AppendUint64(nil, uint64(n.own)), true
	case cmdNetworkInit:
		if n.stored == nil {
			return n.status(0x93), true
		}
		return n.status(0), true
	case cmdGetNetworkParameters:
		if !n.running {
			return n.status(0x93), true
		}
		return n.stored.append(append(n.status(0), nodeCoordinator)), true
	case cmdGetCurrentSecurity:
		return n.status(0, 0x84, 0, 1, 2, 3, 4, 5, 6, 7, 8), true
	case cmdGetChildData:
		return n.status(0x93), true
	case cmdMaximumPayloadLength:
		return []byte{82}, true
	case cmdSetSourceRouteDiscovery, cmdLookupNodeID:
		return []byte{0xfe, 0xff, 0, 0}, true
	case cmdClearTransientKeys, cmdSetManufacturerCode:
		return []byte{}, true
	case cmdSendUnicast, cmdSendMulticast, cmdSendBroadcast:
		return n.status(0, 0x77), true
	case cmdGetMfgToken:
		return append([]byte{byte(len(n.custom))}, n.custom...), true
	case cmdGetTokenData:
		if token, ok := n.tokens[le.Uint32(body)]; ok {
			return append(le.AppendUint32(n.status(0), uint32(len(token))), token...), n.version >= 9
		}
		return n.status(0x03), n.version >= 9
	case cmdGetKey, cmdGetKeyTableEntry, cmdAddOrUpdateKey, cmdAddTransientKey, cmdExportKey, cmdExportLinkKey, cmdImportLinkKey,
		cmdImportTransientKey, cmdGetNetworkKeyInfo:
		return n.keyAnswer(c, body)
	case cmdSetChildData:
		return n.status(0), n.version >= 9
	}
	return n.status(0), true // the setters
}

func (n *ncp) keyAnswer(c command, body []byte) (answer []byte, known bool) {
	le := binary.LittleEndian
	network := n.key
	switch c {
	case cmdGetKey:
		answer = append(n.status(0), 0x0f, 0, body[0])
		if body[0] == 1 {
			network = n.hashed
		}
		answer = le.AppendUint32(le.AppendUint32(append(answer, network[:]...), n.counter), 9)
		return append(append(answer, n.sequence), make([]byte, 8)...), !n.managed()
	case cmdExportKey:
		if body[0] == 2 {
			network = n.hashed
		}
		if n.wide() {
			return append(append(n.managedStatus(0), network[:]...), body[:18]...), true
		}
		return append(slices.Clone(network[:]), n.managedStatus(0)...), n.managed()
	case cmdGetNetworkKeyInfo:
		return le.AppendUint32(append(n.managedStatus(0), 1, 0, n.sequence, 0), n.counter), n.managed()
	case cmdExportLinkKey:
		if n.wide() {
			return append(n.managedStatus(0x2d), make([]byte, 46)...), true
		}
		return append(make([]byte, 36), n.managedStatus(0x2d)...), n.managed()
	case cmdImportLinkKey, cmdImportTransientKey:
		return n.managedStatus(0), n.managed()
	case cmdGetKeyTableEntry:
		return append(n.status(0x03), make([]byte, 36)...), !n.managed()
	}
	return n.status(0), !n.managed()
}

// aftermath is what follows a command.
func (n *ncp) aftermath(c command, body []byte) {
	state := func(up bool) {
		n.running = up
		n.say(sayStackStatus, n.status(map[bool]uint8{true: 0x90, false: 0x91}[up]))
	}
	switch c {
	case cmdNetworkInit:
		if n.stored != nil {
			state(true)
		}
	case cmdLeaveNetwork:
		n.stored = nil
		state(false)
	case cmdSetInitialSecurity:
		copy(n.hashed[:], body[2:])
		copy(n.key[:], body[18:])
		n.sequence = body[34]
		if binary.LittleEndian.Uint16(body)&0x1000 == 0 {
			n.counter = 0
		}
	case cmdSetValue:
		if body[0] == valueNWKFrameCounter {
			n.counter = binary.LittleEndian.Uint32(body[2:])
		}
	case cmdFormNetwork:
		r := &reader{rest: body}
		p := r.parameters()
		n.stored = &p
		state(true)
	case cmdSetTokenData:
		n.tokens[binary.LittleEndian.Uint32(body)] = body[12:]
		n.own = radio.IEEE(binary.LittleEndian.Uint64(body[12:]))
	case cmdSetMfgToken:
		n.custom = body[2:]
		n.own = radio.IEEE(binary.LittleEndian.Uint64(body[2:]))
	case cmdSendUnicast:
		tagAt := 14
		tag := uint16(body[tagAt])
		if n.wide() {
			tag = binary.LittleEndian.Uint16(body[tagAt:])
		}
		n.say(sayMessageSent, n.sent(0, tag, 0))
	}
}

// sent writes messageSentHandler.
func (n *ncp) sent(kind uint8, tag uint16, ember uint8) []byte {
	aps := apsFrame{profile: 0x104, cluster: 6, source: 1, target: 1, sequence: 0x77}
	if n.wide() {
		b := append(n.status(ember), kind, 0x34, 0x12)
		return append(binary.LittleEndian.AppendUint16(aps.append(b), tag), 0)
	}
	b := aps.append([]byte{kind, 0x34, 0x12})
	return append(b, byte(tag), ember, 0)
}

// commands returns what was heard since it was last asked, without those named.
func (n *ncp) commands() []heard {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.heard
	n.heard = nil
	return h
}

// find returns the bodies of all such commands among those.
func find(list []heard, c command) (bodies [][]byte) {
	for _, h := range list {
		if h.command == c {
			bodies = append(bodies, h.body)
		}
	}
	return bodies
}

// with changes the stick while it runs.
func (n *ncp) with(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

// A scene is a radio with a stick, in a bubble of its own time.
type scene struct {
	*testing.T
	ctx    context.Context
	radio  *Radio
	stick  *ncp
	ended  chan error
	stop   func()
	mu     sync.Mutex
	events []radio.Event
}

var (
	testKey    = radio.Key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	testHashed = radio.Key{0xaa, 0xbb}
)

const (
	testOwn      radio.IEEE = 0x00124b0001020304
	testExtended radio.IEEE = 0xdd11223344556677
)

func stored() *parameters {
	return &parameters{extended: testExtended, pan: 0x1a62, power: 8, channel: 15, updateID: 3, channels: channelsAll}
}

// every plays a scene with sticks of all kinds of versions.
func every(t *testing.T, play func(s *scene)) {
	for _, version := range []uint8{8, 9, 10, 12, 13, 14, 16, 18} {
		t.Run(fmt.Sprint("EZSP ", version), func(t *testing.T) { on(t, version, play) })
	}
}

// on plays a scene with a stick of that version, that has a network.
func on(t *testing.T, version uint8, play func(s *scene)) {
	synctest.Test(t, func(t *testing.T) {
		host, other := net.Pipe()
		s := &scene{
			T: t, ended: make(chan error, 1), radio: New(host, slog.New(slog.DiscardHandler)),
			stick: &ncp{
				t: t, conn: other, version: version, stored: stored(), key: testKey, sequence: 2, counter: 0x10000, hashed: testHashed, own: testOwn,
				tokens: map[uint32][]byte{}, custom: slices.Repeat([]byte{0xff}, 8), on: map[command]func([]byte) []byte{},
			},
		}
		s.ctx, s.stop = context.WithCancel(t.Context())
		go func() {
			s.ended <- s.radio.Run(s.ctx, func(e radio.Event) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.events = append(s.events, e)
			})
		}()
		go s.stick.serve()
		defer func() {
			s.stop()
			synctest.Wait()
			other.Close()
			synctest.Wait()
		}()
		play(s)
	})
}

// connect and resume bring the network up.
func (s *scene) resume() radio.Network {
	s.Helper()
	if _, err := s.radio.Connect(s.ctx); err != nil {
		s.Fatal(err)
	}
	n, err := s.radio.Up(s.ctx, radio.Plan{})
	if err != nil {
		s.Fatal(err)
	}
	return n
}

// take returns the events since it was last asked.
func (s *scene) take() []radio.Event {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.events
	s.events = nil
	return events
}

// within runs something and returns how long it took on the scene's clock.
func (s *scene) within(do func() error) (time.Duration, error) {
	began := time.Now()
	err := do()
	return time.Since(began), err
}
