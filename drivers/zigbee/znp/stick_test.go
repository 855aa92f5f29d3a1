package znp

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"hearth/drivers/zigbee/radio"
)

// A stick is the other end of a line: as much of Z-Stack as the sequences need, with the faults of a test.
type stick struct {
	line net.Conn

	mu      sync.Mutex
	product byte
	aligned bool
	silent  bool // a bootloader that waits
	state   byte
	own     radio.IEEE
	items   map[uint16][]byte
	tables  map[uint16][][]byte
	running radio.Network // in RAM
	known   []byte        // endpoints
	asked   []frame       // all requests
	junk    []byte        // all that was no frame
	channel byte          // of BDB_SET_CHANNEL

	before func(s *stick, f frame) bool // sees a request first, and may answer it
	onJunk func(s *stick)
	writes sync.Mutex
}

const ownAddress radio.IEEE = 0x00124b0001020304

func newStick(product byte, aligned bool) *stick {
	s := &stick{product: product, aligned: aligned, own: ownAddress, items: map[uint16][]byte{}, tables: map[uint16][][]byte{}}
	s.items[itemAddress] = appendIEEE(nil, ownAddress)
	s.items[itemNetworkKey] = make([]byte, map[bool]int{true: 24, false: 21}[aligned])
	s.items[itemSeed] = []byte("a seed of 16 b..")
	s.items[itemConcentrator] = []byte{0}
	return s
}

// layOut makes what the firmware makes when it forms a network.
func (s *stick) layOut() {
	length := addressLength(s.aligned)
	empty := addressRow{nwk: radio.BroadcastAll, ieee: ^radio.IEEE(0)}
	trust := trustRow{attribute: keyDefault}.bytes(trustLength + len(padded(nil, length-11)))
	owners := 2 + 3*ownerLength(s.aligned)
	s.items[itemLinkKeys] = make([]byte, owners)
	if s.product == product3x0 {
		empty.use = 0xff
		s.tables = map[uint16][][]byte{}
		for range 20 {
			s.tables[1] = append(s.tables[1], empty.bytes(length))
			s.tables[4] = append(s.tables[4], slices.Clone(trust))
		}
		for range 3 {
			s.tables[6] = append(s.tables[6], make([]byte, keyLength))
		}
		for range 5 {
			s.tables[7] = append(s.tables[7], make([]byte, 12))
		}
		return
	}
	s.items[itemDevices] = nil
	for i := range uint16(20) {
		s.items[itemDevices] = append(s.items[itemDevices], empty.bytes(length)...)
		s.items[tableOfTrust().first+i] = slices.Clone(trust)
	}
	for i := range uint16(3) {
		s.items[tableOfKeys().first+i] = make([]byte, keyLength)
	}
	s.items[tableOfCounters().first] = make([]byte, 12)
	s.items[tableOfCounters().last] = make([]byte, 12)
}

// start does what the firmware does at a start: it goes on with the network in memory, or makes one.
func (s *stick) start() {
	if s.items[itemNIB] == nil {
		s.layOut()
		base := nib(make([]byte, map[bool]int{true: nibLengthAligned, false: nibLength}[s.aligned]))
		base.become(radio.Backup{SecurityLevel: 5, Network: radio.Network{
			PAN: binary.LittleEndian.Uint16(s.items[itemPAN]), Extended: readIEEE(s.items[itemExtendedPAN]), Channel: s.channel,
		}})
		s.items[itemNIB] = base
		s.items[itemActiveKey] = append([]byte{0}, s.items[itemKey]...)
		s.items[itemAlternateKey] = slices.Clone(s.items[itemActiveKey])
	}
	base := nib(s.items[itemNIB])
	s.running = radio.Network{PAN: base.pan(), Extended: base.extended(), Channel: base.channel(), Key: radio.Key(s.items[itemActiveKey][1:])}
	s.state = deviceCoordinator
	s.say(kindIndication, zdoStateChange, 8)
	s.say(kindIndication, zdoStateChange, deviceCoordinator)
}

func (s *stick) reset() {
	if base := nib(s.items[itemNIB]); s.state == deviceCoordinator && base != nil { // it keeps what it runs
		base.become(radio.Backup{Network: s.running, SecurityLevel: 5})
	}
	s.state, s.running, s.known = 0, radio.Network{}, nil
	s.own = readIEEE(s.items[itemAddress])
	if option := s.items[itemStartup]; len(option) > 0 && option[0] == clearNetwork {
		delete(s.items, itemNIB)
		s.tables = map[uint16][][]byte{}
	}
	s.say(kindIndication, sysResetHappens, 0, 2, s.product, 2, 7, 1)
}

func (s *stick) say(kind byte, c command, data ...byte) { s.raw(appendFrame(nil, kind, c, data)) }

func (s *stick) raw(b []byte) {
	s.writes.Lock()
	defer s.writes.Unlock()
	_, _ = s.line.Write(b)
}

// serve answers until the line is closed.
func (s *stick) serve() {
	var received []byte
	chunk := make([]byte, 512)
	for {
		n, err := s.line.Read(chunk)
		if err != nil {
			return
		}
		received = append(received, chunk[:n]...)
		for len(received) > 0 {
			if received[0] != startOfFrame {
				s.mu.Lock()
				s.junk = append(s.junk, received[0])
				if s.onJunk != nil {
					s.onJunk(s)
				}
				s.mu.Unlock()
				received = received[1:]
				continue
			}
			if len(received) < 2 || len(received) < int(received[1])+frameAround {
				break
			}
			length := int(received[1]) + frameAround
			f := frame{received[2] & kindMask, command(received[2]&^kindMask)<<8 | command(received[3]), slices.Clone(received[4 : length-1])}
			received = received[length:]
			s.mu.Lock()
			if !s.silent {
				s.asked = append(s.asked, f)
				if s.before == nil || !s.before(s, f) {
					s.answer(f)
				}
			}
			s.mu.Unlock()
		}
	}
}

func (s *stick) reply(f frame, data ...byte) { s.say(kindAnswer, f.command, data...) }

func (s *stick) answer(f frame) {
	in := reader{b: f.data}
	switch f.command {
	case sysReset:
		s.reset()
	case sysPing:
		s.reply(f, 0x79, 0x05)
	case sysVersion:
		s.reply(f, append32([]byte{2, s.product, 2, 7, 1}, 20240710)...)
	case sysGetAddress:
		s.reply(f, appendIEEE(nil, s.own)...)
	case utilDeviceInfo:
		s.reply(f, append(appendIEEE([]byte{0}, s.own), 0, 0, 7, s.state, 0)...)
	case sysItemLength, sysItemRead, sysItemWrite, sysItemInit, sysItemDelete:
		s.item(f, &in)
	case sysTableLength, sysTableRead, sysTableWrite:
		s.table(f, &in)
	case cnfSetChannels:
		if in.uint8() == 1 {
			mask := in.uint32()
			for s.channel = 11; mask>>s.channel&1 == 0; s.channel++ {
			}
		}
		s.reply(f, 0)
	case cnfCommission, zdoStartup:
		s.reply(f, 0)
		s.start()
	case zdoNetworkInfo:
		b := append16([]byte{0, 0, s.state}, s.running.PAN)
		b = appendIEEE(append(b, 0, 0), s.running.Extended)
		s.reply(f, append(appendIEEE(b, 0), s.running.Channel)...)
	case zdoActiveEndpoints:
		s.reply(f, 0)
		s.say(kindIndication, zdoActiveEndpointsAre, append([]byte{0, 0, 0, 0, 0, byte(len(s.known))}, s.known...)...)
	case afRegister:
		if slices.Contains(s.known, f.data[0]) {
			s.reply(f, statusDuplicate)
			return
		}
		s.known = append(s.known, f.data[0])
		s.reply(f, 0)
	case zdoFindGroup:
		s.reply(f, 1, 0, 0, 0)
	case afRequest:
		s.reply(f, 0)
		s.say(kindIndication, afConfirm, 0, f.data[3], f.data[6])
	default:
		s.reply(f, 0)
	}
}

func (s *stick) item(f frame, in *reader) {
	id := in.uint16()
	value, exists := s.items[id]
	switch f.command {
	case sysItemLength:
		s.reply(f, append16(nil, uint16(len(value)))...)
	case sysItemRead:
		at := int(in.uint16())
		if !exists || at >= len(value) {
			s.reply(f, 2, 0)
			return
		}
		piece := value[at:min(at+246, len(value))]
		s.reply(f, append([]byte{0, byte(len(piece))}, piece...)...)
	case sysItemWrite:
		at, length := int(in.uint16()), int(in.uint16())
		if !exists || at+length > len(value) {
			s.reply(f, 2)
			return
		}
		copy(value[at:], in.take(length))
		s.reply(f, 0)
	case sysItemInit:
		length := int(in.uint16())
		s.items[id] = padded(slices.Clone(in.take(int(in.uint8()))), length)
		s.reply(f, statusItemCreated)
	case sysItemDelete:
		delete(s.items, id)
		s.reply(f, 0)
	}
}

func (s *stick) table(f frame, in *reader) {
	if s.product != product3x0 {
		s.say(kindAnswer, rpcError, 2, kindRequest|byte(f.command>>8), byte(f.command))
		return
	}
	_ = in.uint8()
	rows, index := s.tables[in.uint16()], int(in.uint16())
	switch {
	case f.command == sysTableLength && index >= len(rows):
		s.reply(f, 0)
	case f.command == sysTableLength:
		s.reply(f, byte(len(rows[index])))
	case index >= len(rows):
		s.reply(f, 0x0a)
	case f.command == sysTableRead:
		s.reply(f, append([]byte{0, byte(len(rows[index]))}, rows[index]...)...)
	default:
		at, length := int(in.uint16()), int(in.uint8())
		copy(rows[index][at:], in.take(length))
		s.reply(f, 0)
	}
}

// count returns how often a command was asked.
func (s *stick) count(c command) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.asked {
		if f.command == c {
			n++
		}
	}
	return n
}

// A rig is a radio on a line with a stick.
type rig struct {
	*Radio
	stick  *stick
	ctx    context.Context
	events chan radio.Event
	ended  chan error
}

// port is one end of a pipe, with modem lines if set is.
type port struct {
	net.Conn
	set func(dtr, rts bool)
}

func (p port) SetLines(dtr, rts bool) error {
	if p.set != nil {
		p.set(dtr, rts)
	}
	return nil
}

func newRig(t *testing.T, s *stick) *rig { return newRigWithLines(t, s, nil) }

func newRigWithLines(t *testing.T, s *stick, lines func(dtr, rts bool)) *rig {
	t.Helper()
	ours, theirs := net.Pipe()
	s.line = theirs
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	r := &rig{
		Radio: New(port{ours, lines}, slog.New(slog.NewTextHandler(io.Discard, nil))), stick: s, ctx: ctx,
		events: make(chan radio.Event, 100), ended: make(chan error, 1),
	}
	go s.serve()
	go func() { r.ended <- r.Run(ctx, func(e radio.Event) { r.events <- e }) }()
	t.Cleanup(func() {
		cancel()
		_ = theirs.Close()
		_ = ours.Close()
	})
	return r
}

// up connects and resumes the network of a stick that has one.
func up(t *testing.T, s *stick) *rig {
	t.Helper()
	if s.items[itemNIB] == nil {
		s.withNetwork()
	}
	r := newRig(t, s)
	if _, err := r.Connect(r.ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Up(r.ctx, radio.Plan{}); err != nil {
		t.Fatal(err)
	}
	return r
}

var someNetwork = radio.Network{PAN: 0x1a62, Extended: 0xdd11223344556677, Channel: 15, Key: radio.Key([]byte("0123456789abcdef"))}

// withNetwork gives the stick a network as if it had been formed earlier.
func (s *stick) withNetwork() {
	discarding, other := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, other) }()
	s.line = discarding
	s.items[itemPAN] = append16(nil, someNetwork.PAN)
	s.items[itemExtendedPAN] = appendIEEE(nil, someNetwork.Extended)
	s.items[itemKey] = slices.Clone(someNetwork.Key[:])
	s.items[itemConfigured] = []byte{configured}
	s.channel = someNetwork.Channel
	s.start()
	s.state = 0
	_ = discarding.Close()
}

func (r *rig) event(t *testing.T) radio.Event {
	t.Helper()
	select {
	case e := <-r.events:
		return e
	case <-time.After(time.Minute):
		t.Fatal("no event came")
		return nil
	}
}
