package ezsp

import (
	"context"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// Frame implements ash.Handler.
func (l *listener) Frame(b []byte) {
	f, _, ok := parseFrame(b)
	if !ok {
		l.log.Debug("the stick said something that is no EZSP", "bytes", len(b))
		return
	}
	l.mu.Lock()
	l.spoke = time.Now()
	l.mu.Unlock()
	if f.control&controlOverflow != 0 {
		l.overflowed(time.Now())
	}
	if !l.answered(f) {
		l.said(f)
	}
}

// overflowed tells the driver that the firmware had to drop something, and complains of it, seldom enough.
func (l *listener) overflowed(now time.Time) {
	const pause = time.Minute
	if l.warned.IsZero() || now.Sub(l.warned) > pause {
		l.warned = now
		l.log.Warn("the stick has run out of memory and has dropped messages: there is too much traffic in the network")
	}
	if l.inPhase(rising) {
		l.handle(radio.Missed{})
	}
}

// said takes what the firmware says without being asked.
func (l *listener) said(f frame) {
	switch f.command {
	case sayStackStatus:
		in := &reader{rest: f.body}
		if s := l.speaks().status(in); !in.short {
			l.state(s)
		}
	case sayMessageSent:
		l.report(f.body)
	case saySenderEUI64:
		if in := (&reader{rest: f.body}); !l.speaks().wide() {
			l.sender = in.ieee()
		}
	case sayMessage:
		l.message(f.body)
	case sayTrustCentreJoin:
		l.joining(f.body)
	case sayRouteRecord:
		in := &reader{rest: f.body}
		if nwk, ieee := in.nwk(), in.ieee(); !in.short {
			l.locate(nwk, ieee)
		}
	case sayIDConflict:
		in := &reader{rest: f.body}
		l.log.Warn("two devices have the same network address; one of them takes another", "address", in.nwk())
	}
}

// state takes a change of the network.
func (l *listener) state(s status) {
	l.log.Debug("the network changes its state", "status", s.raw)
	l.see(s)
	switch s.means {
	case networkDown:
		if l.inPhase(up) {
			l.lost("the firmware has left the network")
		}
	case panChanged:
		l.log.Warn("the network has another PAN id now: a neighbour had the same")
	case networkClosed:
		l.unpretend()
	}
}

// message takes one that was received.
func (l *listener) message(body []byte) {
	m, ok := l.speaks().arrived(body)
	if m.ieee == 0 {
		m.ieee = l.sender
	}
	l.sender = 0
	if !ok || !l.inPhase(rising) || m.kind == incomingMulticastLoopback || m.kind == incomingBroadcastLoopback {
		return
	}
	if m.kind == incomingBroadcast && m.sender == radio.Coordinator {
		return // our own, repeated by a router
	}
	l.locate(m.sender, m.ieee)
	if m.aps.options&apsFragment != 0 {
		whole, acknowledge := l.pieces.add(m, time.Now())
		if acknowledge {
			l.acknowledge(m)
		}
		if whole == nil {
			return
		}
		m.data = whole
	}
	if m.aps.profile == profileZDO && m.aps.cluster == zdo.ClusterDeviceAnnounce {
		l.announced(m)
	}
	l.handle(m.message())
}

func (m arrival) message() radio.Message {
	out := radio.Message{
		Address: m.sender, Local: m.aps.target, Remote: m.aps.source, Profile: m.aps.profile, Cluster: m.aps.cluster,
		Sequence: m.aps.sequence, Data: m.data, LQI: m.lqi, RSSI: m.rssi,
	}
	switch m.kind {
	case incomingMulticast:
		out.Group, out.Target = true, radio.NWK(m.aps.group)
	case incomingBroadcast:
		out.Target = radio.BroadcastAwake // the firmware does not say which
		if target := radio.NWK(m.aps.group); target.Broadcast() {
			out.Target = target
		}
	}
	return out
}

// announced tells the firmware to be patient with a device that sleeps.
func (l *listener) announced(m arrival) {
	a, err := zdo.ParseDeviceAnnounce(m.data)
	if err != nil || a.Capability.RxOnWhenIdle() {
		return
	}
	l.later("being patient with a device that sleeps", func(ctx context.Context) error {
		_, err := l.call(ctx, cmdSetExtendedTimeout, putBool(putIEEE(nil, a.IEEE), true))
		return err
	})
}

// joining takes what the trust centre sees.
func (l *listener) joining(body []byte) {
	in := &reader{rest: body}
	nwk, ieee, update, decision, parent := in.nwk(), in.ieee(), in.u8(), in.u8(), in.nwk()
	switch {
	case in.short || !l.inPhase(rising):
	case update == updateLeft:
		l.addresses.forget(ieee)
		l.handle(radio.Left{NWK: nwk, IEEE: ieee})
	case decision == decisionDenyJoin:
		l.log.Info("a device was not let in", "device", ieee)
	default:
		if parent >= radio.BroadcastRouters {
			parent = radio.Unknown
		}
		l.mu.Lock()
		delete(l.trusted, ieee)
		l.mu.Unlock()
		l.pretend(ieee)
		l.addresses.put(nwk, ieee)
		l.handle(radio.Joined{NWK: nwk, IEEE: ieee, Parent: parent})
	}
}

// locate learns which network address a device has. One that has moved in silence is told like one that has come back.
func (l *listener) locate(nwk radio.NWK, ieee radio.IEEE) {
	if nwk >= radio.BroadcastRouters || ieee == 0 || ieee == everyone || !l.inPhase(rising) {
		return
	}
	if l.addresses.put(nwk, ieee) {
		l.handle(radio.Joined{NWK: nwk, IEEE: ieee, Parent: radio.Unknown})
	}
}

// An addressBook knows the network addresses of devices.
type addressBook struct{ of map[radio.IEEE]radio.NWK }

const maxAddresses = 1024 // when there are more it begins anew

// put keeps an address, and reports whether the device had another one.
func (a *addressBook) put(nwk radio.NWK, ieee radio.IEEE) (moved bool) {
	old, known := a.of[ieee]
	if !known && len(a.of) >= maxAddresses || a.of == nil {
		a.of = map[radio.IEEE]radio.NWK{}
	}
	a.of[ieee] = nwk
	return known && old != nwk
}

func (a *addressBook) forget(ieee radio.IEEE) { delete(a.of, ieee) }

// pretend makes the stick one of Lumi's while a device of theirs joins: many leave again if it is not.
func (l *listener) pretend(ieee radio.IEEE) {
	const lumiOld, lumiNew = 0x04cf8c, 0x54ef44
	if maker := ieee >> 40; maker != lumiOld && maker != lumiNew {
		l.unpretend()
		return
	}
	l.saysToBe(true)
}

func (l *listener) unpretend() { l.saysToBe(false) }

func (l *listener) saysToBe(lumi bool) {
	l.mu.Lock()
	same := l.lumi == lumi
	l.lumi = lumi
	l.mu.Unlock()
	if same {
		return
	}
	code := uint16(manufacturerSiliconLabs)
	if lumi {
		code = manufacturerLumi
	}
	l.later("saying whose the stick is", func(ctx context.Context) error {
		_, err := l.call(ctx, cmdSetManufacturerCode, put16(nil, code))
		return err
	})
}
