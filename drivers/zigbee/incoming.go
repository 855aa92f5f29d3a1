package zigbee

import (
	"bytes"
	"context"
	"hash/maphash"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/traffic"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// Bounds of what is kept of devices that are not known well yet; the oldest message goes first, and a stranger beyond
// them is not asked who it is until others have answered.
const (
	keptMessages = 12
	maxStrangers = 32
)

// handle takes what comes from the radio. It works in the radio's goroutine, so it waits for nothing.
func (s *session) handle(e radio.Event) {
	switch e := e.(type) {
	case radio.Message:
		s.heard(e)
	case radio.Joined:
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		s.arrived(e.IEEE, e.NWK, announceWait)
	case radio.Left:
		s.left(e)
	case radio.Missed:
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		s.losses.note(time.Now(), s.joinable())
	case radio.Reset:
		s.wentDown(e.Reason)
	}
}

func (s *session) heard(m radio.Message) {
	if m.Profile == 0 {
		s.heardZDO(m)
		return
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	dev := s.d.byNWK[m.Address]
	if dev == nil {
		s.traffic.Heard(m)
		s.meetStranger(m)
		return
	}
	s.present(dev, m.LQI)
	if !s.traffic.Heard(m) {
		s.understand(dev, m)
	}
}

// heardZDO takes what a device's ZDO says: addresses are believed from whomever, since all of it is signed with the
// network's key.
func (s *session) heardZDO(m radio.Message) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if dev := s.d.byNWK[m.Address]; dev != nil {
		s.present(dev, m.LQI)
	}
	switch m.Cluster {
	case zdo.ClusterDeviceAnnounce:
		if a, err := zdo.ParseDeviceAnnounce(m.Data); err == nil {
			s.announced(a)
		}
		return
	case zdo.ClusterNWKAddressResponse, zdo.ClusterIEEEAddressResponse:
		if r, err := zdo.ParseAddressResponse(m.Data); err == nil && r.Status == zdo.Success && r.NWK != radio.Coordinator {
			s.located(r.IEEE, r.NWK)
		}
	case zdo.ClusterNodeDescriptorResponse, zdo.ClusterSimpleDescriptorResponse:
		if known := s.d.byNWK[m.Address]; known == nil {
			s.meetStranger(radio.Message{Address: m.Address})
		}
	}
	s.traffic.Heard(m)
}

// announced takes a device's word that it is there; d.mu is held.
func (s *session) announced(a zdo.DeviceAnnounce) {
	dev := s.arrived(a.IEEE, a.NWK, 0)
	if dev == nil || dev.NodeRead {
		return
	}
	dev.Sleeper, dev.Mains, dev.Router = !a.Capability.RxOnWhenIdle(), a.Capability.Mains(), a.Capability.FullFunction()
	dev.sleeps.Store(dev.Sleeper)
	s.touch(dev)
}

// announceWait is how long a device that has just joined gets to announce itself before it is asked anything: it may
// still be waiting for the network's key.
const announceWait = 3 * time.Second

// arrived takes a device in that has come to the network, or back; d.mu is held. It is nil for one that may not.
func (s *session) arrived(address radio.IEEE, nwk radio.NWK, wait time.Duration) *device {
	if nwk == radio.Coordinator || s.d.network != nil && address == s.d.network.Coordinator {
		return nil
	}
	switch {
	case s.d.removed[address] && !s.d.banned[address] && s.pairing.open(): // somebody wants it back
		s.tasks.start(func() { s.complain("keeping which devices were removed", s.d.markRemoved(address, false)) })
	case s.unwelcome(address, nwk):
		return nil
	}
	dev, isNew := s.meet(address, nwk)
	s.present(dev, 0)
	s.updateBack(dev)
	first := time.Since(dev.joined) > rejoinPause
	dev.joined = time.Now()
	switch {
	case !dev.known() || isNew:
		s.interviewLater(dev, wait)
	case first || wait == 0 && s.pairing.open():
		s.rejoined(dev, wait)
	}
	s.adopt(nwk, dev)
	return dev
}

// rejoinPause is within which a second word of the same arrival is no news.
const rejoinPause = 30 * time.Second

// located takes the pair of addresses that somebody has named; d.mu is held.
func (s *session) located(address radio.IEEE, nwk radio.NWK) {
	if s.d.network != nil && address == s.d.network.Coordinator || s.unwelcome(address, nwk) {
		return
	}
	dev, isNew := s.meet(address, nwk)
	if isNew || !dev.known() {
		s.interviewLater(dev, 0)
	}
	s.adopt(nwk, dev)
}

// A stranger is a network address that something came from, before it is known whose it is.
type stranger struct {
	messages []keptMessage
	asked    time.Time
}

// meetStranger keeps what an unknown address has said and asks whose it is; d.mu is held.
func (s *session) meetStranger(m radio.Message) {
	if m.Address == radio.Coordinator || m.Address == radio.Unknown || m.Address.Broadcast() {
		return
	}
	who := s.strangers[m.Address]
	if who == nil {
		if len(s.strangers) >= maxStrangers {
			return
		}
		who = &stranger{}
		s.strangers[m.Address] = who
	}
	if len(m.Data) > 0 {
		who.messages = keep(who.messages, keptMessage{m, s.d.now()})
	}
	if time.Since(who.asked) < strangerPause {
		return
	}
	who.asked = time.Now()
	nwk := m.Address
	s.tasks.start(func() { s.askStranger(nwk) })
}

// Strangers are asked once a minute while they speak, and forgotten when they no longer do.
const strangerPause = time.Minute

// A keptMessage waits until it is known whose it is, or what it means.
type keptMessage struct {
	radio.Message
	at time.Time
}

func keep(messages []keptMessage, m keptMessage) []keptMessage {
	m.Data = bytes.Clone(m.Data)
	if len(messages) >= keptMessages {
		messages = slices.Delete(messages, 0, 1)
	}
	return append(messages, m)
}

func (s *session) askStranger(nwk radio.NWK) {
	ctx, cancel := context.WithTimeout(s.ctx, strangerPause/2)
	defer cancel()
	_, err := s.traffic.ZDO(ctx, &passerby{nwk}, zdo.ClusterIEEEAddressRequest, func(sequence uint8) []byte {
		return zdo.IEEEAddressRequest{Sequence: sequence, NWK: nwk}.Append(nil)
	}) // what it answers was taken by located
	if err != nil {
		s.log.Debug("an unknown device does not say who it is", "nwk", nwk, "error", err)
	}
}

// passerby is an address that is no known device's.
type passerby struct{ nwk radio.NWK }

// Address implements traffic.Peer.
func (p *passerby) Address() radio.NWK { return p.nwk }

// Sleepy implements traffic.Peer.
func (p *passerby) Sleepy() bool { return false }

// adopt gives a device what was heard from its address before it was known; d.mu is held.
func (s *session) adopt(nwk radio.NWK, dev *device) {
	who := s.strangers[nwk]
	if who == nil {
		return
	}
	delete(s.strangers, nwk)
	for _, m := range who.messages {
		s.present(dev, m.LQI)
		s.understand(dev, m.Message)
	}
}

// forgetStrangers drops those that have fallen silent; d.mu is held.
func (s *session) forgetStrangers() {
	for nwk, who := range s.strangers {
		if time.Since(who.asked) > 2*strangerPause {
			delete(s.strangers, nwk)
		}
	}
}

// left takes a device's word, or its parent's, that it is gone.
func (s *session) left(e radio.Left) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	dev := s.d.devices[e.IEEE]
	if dev == nil {
		return
	}
	if e.Rejoins {
		s.log.Info("a device leaves and will be back", "device", dev.id)
		return
	}
	s.forget(dev)
}

// seenFrame is enough of a frame to know it again: radios and relays repeat.
type seenFrame struct {
	print uint64
	press uint64 // the print without the number of the APS layer, of what a remote control sends; 0 for the rest
	at    time.Time
}

const (
	rememberedFrames = 8
	repeatTime       = 5 * time.Second        // as long as an APS retransmission comes behind the first
	pressAgain       = 500 * time.Millisecond // a remote control that sends a press anew numbers it anew below ZCL only
)

// Bits of a ZCL frame's first byte.
const (
	frameType      = 0x03
	clusterCommand = 0x01
	fromServer     = 0x08
)

// repeated reports whether the device has said just this, with the same numbers, a moment ago; d.mu is held.
func (s *session) repeated(dev *device, m radio.Message) bool {
	var h maphash.Hash
	h.SetSeed(s.seed)
	_, _ = h.Write([]byte{m.Remote, byte(m.Cluster), byte(m.Cluster >> 8)})
	_, _ = h.Write(m.Data)
	now := time.Now()
	seen := seenFrame{at: now}
	if len(m.Data) > 0 && m.Data[0]&(frameType|fromServer) == clusterCommand {
		seen.press = h.Sum64()
	}
	_ = h.WriteByte(m.Sequence)
	seen.print = h.Sum64()
	for _, other := range dev.recent {
		age := now.Sub(other.at)
		if other.print == seen.print && age < repeatTime || seen.press != 0 && other.press == seen.press && age < pressAgain {
			return true
		}
	}
	dev.recent[dev.recentAt] = seen
	dev.recentAt = (dev.recentAt + 1) % rememberedFrames
	return false
}

// understand takes a ZCL message of a device and tells home what it means; d.mu is held.
func (s *session) understand(dev *device, m radio.Message) {
	if s.repeated(dev, m) {
		return
	}
	f, err := zcl.ParseFrame(m.Data)
	if err != nil {
		s.log.Debug("a device said what cannot be read", "device", dev.id, "cluster", m.Cluster, "error", err)
		return
	}
	if dev.heardByGroup(m, f) {
		s.acknowledge(dev, m, f)
		return
	}
	dev.said.hear(m, f)
	if dev.unfinished() {
		s.learnFrom(dev, m, f)
	}
	said := s.means(dev, m, f)
	if said.Changed != nil {
		dev.Description = *said.Changed
		dev.remodel()
		s.announceDevice(dev)
		s.touch(dev)
	}
	if told := s.tell(dev, said.Values, time.Time{}); !told && !dev.known() {
		dev.kept = keep(dev.kept, keptMessage{m, s.d.now()})
	}
	s.follow(dev, m, f, said)
	if len(said.Replies) == 0 && !s.serve(dev, m, f) {
		s.acknowledge(dev, m, f)
	}
}

// means has the model say what a message means; d.mu is held.
func (s *session) means(dev *device, m radio.Message, f zcl.Frame) expose.Said {
	return dev.model.Incoming(expose.Incoming{
		Endpoint: m.Remote, Group: groupOf(m), Cluster: m.Cluster, Frame: f, Now: s.d.now(),
	})
}

// tell tells home what a device has said, at that time (zero: now), and reports whether there was something to tell;
// d.mu is held. What the device was not announced with, or what cannot be, is left out.
func (s *session) tell(dev *device, values []expose.SaidValue, at time.Time) bool {
	readings := make([]hearth.Reading, 0, len(values))
	for _, v := range values {
		p, ok := dev.told.Property(v.Property)
		if !ok || p.WriteOnly {
			continue
		}
		if err := p.Accepts(v.Value); err != nil {
			s.log.Debug("a device said what cannot be", "device", dev.id, "error", err)
			continue
		}
		if !p.Momentary {
			dev.values[v.Property] = v.Value
		}
		dev.clearLater(v)
		reading := hearth.Reading{Device: dev.id, Property: v.Property, Value: v.Value, Time: at}
		dev.grant(reading)
		readings = append(readings, reading)
	}
	s.report(readings...)
	s.heardInGroups(dev)
	if len(readings) > 0 && dev.confirm != nil {
		dev.confirm.heard()
	}
	return len(readings) > 0
}

// clearLater has a true fall back to false if the device never takes it back; driver.mu is held.
func (dev *device) clearLater(v expose.SaidValue) {
	delete(dev.clears, v.Property)
	if v.Clears == 0 || !v.Value.Bool() {
		return
	}
	if dev.clears == nil {
		dev.clears = map[string]time.Time{}
	}
	dev.clears[v.Property] = time.Now().Add(v.Clears)
}

// clear tells home what has fallen back to false; d.mu is held.
func (s *session) clear(dev *device, now time.Time) {
	for property, at := range dev.clears {
		if now.After(at) {
			s.tell(dev, []expose.SaidValue{{Property: property, Value: hearth.BoolOf(false)}}, time.Time{})
		}
	}
}

// follow does what a message asks for; d.mu is held.
func (s *session) follow(dev *device, m radio.Message, f zcl.Frame, said expose.Said) {
	for _, reply := range said.Replies {
		reply.Frame.Sequence = f.Sequence
		s.background(dev, func(ctx context.Context) error { return s.answer(ctx, dev, m.Local, reply) })
	}
	for _, read := range said.Reads {
		s.background(dev, func(ctx context.Context) error { return s.read(ctx, dev, read) })
	}
}

func groupOf(m radio.Message) uint16 {
	if m.Group {
		return uint16(m.Target)
	}
	return 0
}

// acknowledge sends the default response that a device wants for what needs no other answer (ZCL 2.5.12.2); d.mu is
// held.
func (s *session) acknowledge(dev *device, m radio.Message, f zcl.Frame) {
	if f.NoDefaultResponse || m.Group || m.Target.Broadcast() || f.Global && f.Command != zcl.CommandReportAttributes {
		return
	}
	answer := zcl.DefaultResponse(f.Command, zcl.Success).InReplyTo(f)
	s.reply(dev, m, answer)
}

// reply answers a device; d.mu is held.
func (s *session) reply(dev *device, m radio.Message, answer zcl.Frame) {
	to := traffic.Target{Local: m.Local, Remote: m.Remote, Profile: m.Profile, Cluster: m.Cluster}
	s.background(dev, func(ctx context.Context) error { return s.traffic.Reply(ctx, dev, to, answer) })
}

const backgroundTime = 30 * time.Second

// background does something with a device that nobody waits for, unless too much goes on; d.mu is held.
func (s *session) background(dev *device, do func(context.Context) error) (started bool) {
	dev.asks++
	started = s.tasks.start(func() {
		ctx, cancel := context.WithTimeout(s.ctx, backgroundTime)
		defer cancel()
		err := do(ctx)
		s.d.mu.Lock()
		dev.asks--
		s.d.mu.Unlock()
		if err != nil && s.ctx.Err() == nil {
			s.log.Debug("a device was not reached", "device", dev.id, "error", err)
		}
	})
	if !started {
		dev.asks--
		s.log.Debug("too much goes on at once: something was not asked of a device", "device", dev.id)
	}
	return started
}
