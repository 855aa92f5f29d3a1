package fake

import (
	"time"
)

// Faults are what a stick does wrong, each of them so many times, and then no more.
type Faults struct {
	stick *Stick

	hung     bool
	starved  bool       // there is no memory for what comes from the network
	dropped  bool       // some of it was lost, and the host has not been told so
	lose     [kinds]int // by kind: so many are not said
	late     [kinds]int // and so many come late
	lateness time.Duration
	corrupt  int
	junk     [][]byte // goes out before the next frames
	failing  []failing
}

// A failing is a delivery that fails: to one device, or to any.
type failing struct {
	device  *Device
	outcome Outcome
	times   int
}

// silent reports whether the firmware hangs: it neither hears its host nor says anything.
func (f *Faults) silent() bool { return f.hung }

// saying reports what becomes of one thing that the firmware has to say.
func (f *Faults) saying(k kind) (lost bool, late time.Duration) {
	if f.starved && k == indication {
		f.dropped = true
		return true, 0
	}
	if f.lose[k] > 0 {
		f.lose[k]--
		return true, 0
	}
	if f.late[k] > 0 {
		f.late[k]--
		return false, f.lateness
	}
	return false, 0
}

// told reports whether indications were dropped, once.
func (f *Faults) told() bool {
	dropped := f.dropped
	f.dropped = false
	return dropped
}

// onLine is what goes over the line instead of a frame.
func (f *Faults) onLine(frame []byte) (pieces [][]byte) {
	if len(f.junk) > 0 {
		pieces = append(pieces, f.junk[0])
		f.junk = f.junk[1:]
	}
	if f.corrupt > 0 && len(frame) > 0 {
		f.corrupt--
		broken := append([]byte(nil), frame...)
		broken[f.stick.mesh.random.IntN(len(broken))] ^= byte(1 << f.stick.mesh.random.IntN(8))
		return append(pieces, broken)
	}
	return append(pieces, frame)
}

// delivery reports whether the delivery to the device (or to none) fails, and how.
func (f *Faults) delivery(d *Device) (Outcome, bool) {
	for i := range f.failing {
		x := &f.failing[i]
		if x.device != nil && x.device != d {
			continue
		}
		x.times--
		outcome := x.outcome
		if x.times <= 0 {
			f.failing = append(f.failing[:i], f.failing[i+1:]...)
		}
		return outcome, true
	}
	return Delivered, false
}

// refuses takes a failure for want of room, if that is the next: the firmware tells it at once.
func (f *Faults) refuses(d *Device) bool {
	for _, x := range f.failing {
		if x.device == nil || x.device == d {
			if x.outcome != BufferFull {
				return false
			}
			_, refused := f.delivery(d)
			return refused
		}
	}
	return false
}

// Hang stops the firmware for so long: it neither hears nor speaks. What happens meanwhile is lost.
func (s *Stick) Hang(d time.Duration) {
	s.mesh.do(func() {
		s.faults.hung = true
		s.after(d, func() { s.faults.hung = false })
	})
}

// Starve leaves the firmware without memory for what comes from the network, for so long. It is lost, and an EZSP stick
// says so in the next answer to its host.
func (s *Stick) Starve(d time.Duration) {
	s.mesh.do(func() {
		s.faults.starved = true
		s.after(d, func() { s.faults.starved = false })
	})
}

// LoseAnswers keeps the firmware from answering the next requests of its host.
func (s *Stick) LoseAnswers(times int) { s.lose(answer, times) }

// LoseConfirms keeps the firmware from telling what became of the next messages.
func (s *Stick) LoseConfirms(times int) { s.lose(confirm, times) }

// LoseIndications keeps the firmware from telling of the next things from the network.
func (s *Stick) LoseIndications(times int) { s.lose(indication, times) }

// LoseReceipts keeps the link from acknowledging the next frames of the host by themselves (ASH).
func (s *Stick) LoseReceipts(times int) { s.lose(receipt, times) }

func (s *Stick) lose(k kind, times int) { s.mesh.do(func() { s.faults.lose[k] += times }) }

// DelayAnswers makes the firmware answer the next requests late.
func (s *Stick) DelayAnswers(by time.Duration, times int) { s.delay(answer, by, times) }

// DelayConfirms makes the firmware tell late what became of the next messages.
func (s *Stick) DelayConfirms(by time.Duration, times int) { s.delay(confirm, by, times) }

func (s *Stick) delay(k kind, by time.Duration, times int) {
	s.mesh.do(func() { s.faults.late[k], s.faults.lateness = s.faults.late[k]+times, by })
}

// Corrupt turns one bit of each of the next frames.
func (s *Stick) Corrupt(frames int) { s.mesh.do(func() { s.faults.corrupt += frames }) }

// Junk puts bytes on the line before the next frame.
func (s *Stick) Junk(b []byte) { s.mesh.do(func() { s.faults.junk = append(s.faults.junk, b) }) }

// Noise puts bytes on the line now.
func (s *Stick) Noise(b []byte) {
	s.mesh.do(func() {
		if s.line != nil && s.line.put(b) && s.hostLog != nil {
			s.hostLog(false, b)
		}
	})
}

// Fail makes the next messages to a device fail that way; nil: to any. With BufferFull the stick refuses them at once.
func (s *Stick) Fail(d *Device, outcome Outcome, times int) {
	s.mesh.do(func() { s.faults.failing = append(s.faults.failing, failing{d, outcome, times}) })
}

// LoseRoute makes messages to the device fail for want of a route until one is discovered.
func (d *Device) LoseRoute() { d.mesh.do(func() { d.lostRoute = true }) }

// Mute keeps the device's next announcement from the air.
func (d *Device) Mute() { d.mesh.do(func() { d.mute = true }) }

// Stay keeps the device on its channel when the network moves to another one.
func (d *Device) Stay() { d.mesh.do(func() { d.stays = true }) }

// Echo sends the device's next message so many times more, as lost acknowledgements make it.
func (d *Device) Echo(times int) { d.mesh.do(func() { d.echoes = times }) }
