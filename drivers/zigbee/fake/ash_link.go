package fake

import (
	"slices"
	"time"
)

// Figures of the firmware's end (UG101 5).
const (
	ashAckDelay    = 20 * time.Millisecond
	ashAckFirst    = 1600 * time.Millisecond
	ashAckMin      = 400 * time.Millisecond
	ashAckMax      = 3200 * time.Millisecond
	ashAckTimeouts = 4
	ashWindow      = 5
	ashHostBusy    = time.Second // how long a host that said "not ready" is spared without saying it again

	// ashBuffers is how many callbacks wait for the host. What comes when there are so many is lost, and the host is
	// told so in the next response.
	ashBuffers = 64
)

// An ashLink is the firmware's end of ASH. It lives under the lock of its timeline, which out, deliver and restart are
// called with.
type ashLink struct {
	time    *timeline
	out     func(kind ashKind, b []byte) // to the host
	deliver func(data []byte)            // a frame of the host has come
	restart func()                       // the host has sent RST: the firmware starts anew, and calls start

	// How the link fails for good: with an ERROR after each frame that still comes, as UG101 has it, or in silence.
	muteWhenFailed bool

	decoder   ashDecoder
	connected bool // RSTACK was sent and no ERROR after it
	failed    byte // the code of the ERROR that was sent, 0 if none

	expected  uint8 // the number of the host's next frame
	rejecting bool  // a NAK was sent and the frame it asks for has not come
	ackOwed   *event

	next      uint8     // the number of our next frame
	unacked   []ashSent // in order; the first has number next-len
	responses [][]byte
	callbacks [][]byte
	lost      bool // a callback found no room
	hostBusy  *event
	retry     *event
	patience  time.Duration
	timeouts  int
}

type ashSent struct {
	data   []byte
	at     time.Time
	resent bool
}

// start forgets everything and says that the firmware has restarted.
func (l *ashLink) start(code byte) {
	l.quiet()
	l.decoder = ashDecoder{}
	l.connected, l.failed = true, 0
	l.expected, l.rejecting = 0, false
	l.next, l.patience, l.timeouts = 0, ashAckFirst, 0
	l.short(ashRSTACK, ashVersion, code)
}

// fail is the end until the host sends RST.
func (l *ashLink) fail(code byte) {
	l.quiet()
	l.connected, l.failed = false, code
	l.short(ashERROR, ashVersion, code)
}

// off is what happens to the link when the power goes.
func (l *ashLink) off() {
	l.quiet()
	l.connected, l.failed = false, 0
}

func (l *ashLink) quiet() {
	for _, e := range []**event{&l.ackOwed, &l.hostBusy, &l.retry} {
		l.time.stop(*e)
		*e = nil
	}
	l.unacked, l.responses, l.callbacks, l.lost = nil, nil, nil, false
}

// send queues a frame for the host. Responses go before callbacks. It reports whether there was room.
func (l *ashLink) send(data []byte, callback bool) bool {
	switch {
	case !l.connected:
		return false
	case !callback:
		l.responses = append(l.responses, slices.Clone(data))
	case len(l.callbacks) >= ashBuffers:
		l.lost = true
		return false
	default:
		l.callbacks = append(l.callbacks, slices.Clone(data))
	}
	l.pump()
	return true
}

// overflowed tells once that callbacks were lost.
func (l *ashLink) overflowed() bool {
	lost := l.lost
	l.lost = false
	return lost
}

// input takes what came from the host.
func (l *ashLink) input(b []byte) {
	for _, c := range b {
		frame, whole, end := l.decoder.push(c)
		if !end {
			continue
		}
		if !whole {
			if len(frame) > 0 && frame[0]&0x80 == 0 {
				l.reject()
			}
			continue
		}
		l.received(frame)
	}
}

func (l *ashLink) received(frame []byte) {
	kind := ashKindOf(frame)
	if kind == ashKindRST {
		l.restart()
		return
	}
	if !l.connected {
		if l.failed != 0 && !l.muteWhenFailed {
			l.short(ashERROR, ashVersion, l.failed)
		}
		return
	}
	switch kind {
	case ashKindData, ashKindACK, ashKindNAK:
	default:
		l.reject()
		return
	}
	if !l.acknowledged(frame[0] & 7) {
		l.reject()
		return
	}
	switch kind {
	case ashKindData:
		l.data(frame)
	case ashKindNAK:
		l.hostReady(frame[0]&ashNotReady == 0)
		l.resend()
	case ashKindACK:
		l.hostReady(frame[0]&ashNotReady == 0)
	}
	l.pump()
}

func (l *ashLink) data(frame []byte) {
	resent := frame[0]&ashResent != 0
	if frame[0]>>4&7 != l.expected {
		if resent {
			l.oweAck(0) // it missed our acknowledgement
		} else {
			l.reject()
		}
		return
	}
	l.rejecting = false
	l.expected = (l.expected + 1) & 7
	if resent {
		l.oweAck(0)
	} else {
		l.oweAck(ashAckDelay)
	}
	data := slices.Clone(frame[1:])
	ashRandomize(data)
	l.deliver(data)
}

// reject asks for the frame that is missing, once.
func (l *ashLink) reject() {
	if !l.connected || l.rejecting {
		return
	}
	l.rejecting = true
	l.time.stop(l.ackOwed)
	l.ackOwed = nil
	l.short(ashNAK | l.expected)
}

// oweAck acknowledges soon, unless a frame of ours does it before.
func (l *ashLink) oweAck(delay time.Duration) {
	if l.ackOwed != nil {
		if delay > 0 {
			return
		}
		l.time.stop(l.ackOwed)
	}
	l.ackOwed = l.time.after(delay, func() {
		l.ackOwed = nil
		l.short(ashACK | l.expected)
	})
}

// acknowledged takes the number of the frame that the host expects. False: that frame was never sent.
func (l *ashLink) acknowledged(number uint8) bool {
	oldest := l.next - uint8(len(l.unacked))
	n := int((number - oldest) & 7)
	if n > len(l.unacked) {
		return false
	}
	if n == 0 {
		return true
	}
	if last := l.unacked[n-1]; !last.resent {
		took := time.Since(last.at)
		l.patience = min(max(l.patience*7/8+took/2, ashAckMin), ashAckMax)
	}
	l.unacked, l.timeouts = l.unacked[n:], 0
	l.await()
	return true
}

func (l *ashLink) hostReady(ready bool) {
	l.time.stop(l.hostBusy)
	l.hostBusy = nil
	if !ready {
		l.hostBusy = l.time.after(ashHostBusy, func() {
			l.hostBusy = nil
			l.pump()
		})
	}
}

// pump sends what waits, as far as the window goes.
func (l *ashLink) pump() {
	for l.connected && len(l.unacked) < ashWindow {
		var data []byte
		switch {
		case len(l.responses) > 0:
			data, l.responses = l.responses[0], l.responses[1:]
		case len(l.callbacks) > 0 && l.hostBusy == nil:
			data, l.callbacks = l.callbacks[0], l.callbacks[1:]
		default:
			return
		}
		l.unacked = append(l.unacked, ashSent{data: data, at: time.Now()})
		l.frame(l.next, data, 0)
		l.next = (l.next + 1) & 7
		if l.retry == nil {
			l.await()
		}
	}
}

// resend sends all again that is not acknowledged.
func (l *ashLink) resend() {
	for i := range l.unacked {
		l.unacked[i].at, l.unacked[i].resent = time.Now(), true
		l.frame((l.next-uint8(len(l.unacked))+uint8(i))&7, l.unacked[i].data, ashResent)
	}
	l.await()
}

// await is patient with the host, and then not.
func (l *ashLink) await() {
	l.time.stop(l.retry)
	l.retry = nil
	if len(l.unacked) == 0 {
		return
	}
	l.retry = l.time.after(l.patience, func() {
		l.retry = nil
		l.timeouts++
		if l.timeouts >= ashAckTimeouts {
			l.fail(errorAckTimeouts)
			return
		}
		l.patience = min(l.patience*2, ashAckMax)
		l.resend()
	})
}

func (l *ashLink) frame(number uint8, data []byte, resent byte) {
	l.time.stop(l.ackOwed)
	l.ackOwed = nil
	frame := append([]byte{number<<4 | resent | l.expected}, data...)
	ashRandomize(frame[1:])
	l.out(ashKindData, ashEncode(frame))
}

func (l *ashLink) short(frame ...byte) {
	b := ashEncode(frame)
	if frame[0] == ashRSTACK {
		b = append([]byte{ashCancel}, b...)
	}
	l.out(ashKindOf(frame), b)
}
