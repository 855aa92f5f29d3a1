package fake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"hearth/drivers/zigbee/radio"
)

// A Protocol is what a stick speaks to its host.
type Protocol string

// The protocols.
const (
	ZNP  Protocol = "znp"  // Texas Instruments Z-Stack, monitor and test
	EZSP Protocol = "ezsp" // Silicon Labs EmberZNet over ASH
)

// StickOptions say what a stick is.
type StickOptions struct {
	Protocol   Protocol
	Chip       string        // ZNP: "CC2652" (the default, Z-Stack 3.x.0) or "CC2531" (3.0.x, without memory alignment)
	Firmware   string        // ZNP: its build date, "20240710"; EZSP: its version, "7.4.4"; "" is a recent one
	IEEE       radio.IEEE    // 0: made of the mesh's seed
	Baud       int           // paces what the stick says; 0: as fast as the host reads
	Memory     *Memory       // nil: a blank one
	Forming    time.Duration // ZNP: how long it takes to form a network
	Boot       time.Duration // ZNP: how long the firmware takes to start
	Bootloader bool          // ZNP: with power, it starts after a minute, or when it gets the byte 0xef
	EZSP       EZSPOptions   // EZSP: what differs from firmware to firmware and from board to board
	Log        *slog.Logger
}

// A firmware is what runs on a stick: one of the two protocols. All its methods are called with the mesh's lock held,
// and it may call everything unexported of its Stick and Mesh from them.
type firmware interface {
	// boot starts the firmware: at power on and after every reset. What was not in the stick's memory is forgotten (what
	// it had asked of after has been taken back), the network is down, and the host is told as the protocol has it.
	boot(cause Cause)

	// host takes what the host sent, in the pieces in which the line brought it.
	host(b []byte)

	// air takes what came in from the network: a radio.Message as a driver would get it, an arrival, a departure.
	air(e any)

	// linkKey is the key that the trust centre has for a device that wants in: the one it was told (install code), else
	// the usual one; false if it lets nobody in with that. With fresh set the device is in and asks for a key of its own,
	// which the firmware makes, stores and returns.
	linkKey(device radio.IEEE, fresh bool) (radio.Key, bool)
}

// A Cause says why a firmware boots.
type Cause int

// The causes.
const (
	PowerOn  Cause = iota
	Asked          // by the host
	Watchdog       // by itself
	Pin            // the reset line
)

// A kind of what a stick says to its host, for the faults.
type kind int

const (
	answer     kind = iota // to a request of the host: SRSP, EZSP response
	confirm                // what became of a message: AF_DATA_CONFIRM, messageSentHandler
	indication             // what the host did not ask for
	receipt                // that a frame of the host has come, where the link itself says so
	kinds
)

// A Stick is a coordinator of a mesh. It has power from the beginning; what it says while nobody serves it is lost.
type Stick struct {
	options  StickOptions
	mesh     *Mesh
	memory   *Memory
	log      *slog.Logger
	firmware firmware
	faults   Faults

	powered   bool
	boots     int // to tell what an earlier life has asked for
	endpoints []endpointDescription
	network   *radio.Network // nil while it is down
	counter   uint32         // of frames sent with the network key
	permit    permission
	aps       uint8 // counter

	path          string        // what ServeTTY calls it
	socketChanged chan struct{} // closed and replaced when it is plugged in or out

	line    *line // to the host, nil while nobody serves it
	lost    int   // pieces the host was too slow for
	hostLog func(fromHost bool, b []byte)
}

// NewStick plugs a stick into the mesh's air: from now on it is the coordinator, if it forms or has a network.
func NewStick(m *Mesh, o StickOptions) (*Stick, error) {
	s := &Stick{options: o, mesh: m, memory: o.Memory, log: o.Log, socketChanged: make(chan struct{})}
	s.faults.stick = s
	if s.memory == nil {
		s.memory = NewMemory()
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	switch o.Protocol {
	case ZNP:
		s.firmware = newZNP(s)
	case EZSP:
		s.firmware = newEZSP(s)
	default:
		return nil, fmt.Errorf("making a stick: protocol %q: want %s or %s", o.Protocol, ZNP, EZSP)
	}
	m.do(func() {
		if s.options.IEEE == 0 {
			s.options.IEEE = m.newIEEE(0x00124b)
		}
		m.sticks = append(m.sticks, s)
		s.start(PowerOn)
	})
	return s, nil
}

// Memory is what survives its resets.
func (s *Stick) Memory() *Memory { return s.memory }

// IEEE is the address the stick was made with; a host may have written another one into its memory.
func (s *Stick) IEEE() radio.IEEE { return s.options.IEEE }

// Lost is how many pieces of what the stick said found no place, as the host read too slowly or was not there.
func (s *Stick) Lost() (n int) {
	s.mesh.do(func() { n = s.lost })
	return n
}

// Watch calls fn with every byte that goes over the line in either direction, as it goes; nil ends it. It is for
// recordings. fn must be quick and must not call the stick.
func (s *Stick) Watch(fn func(fromHost bool, b []byte)) { s.mesh.do(func() { s.hostLog = fn }) }

// Network is the network that the stick runs, and false while it runs none.
func (s *Stick) Network() (n radio.Network, up bool) {
	s.mesh.do(func() {
		if s.network != nil {
			n, up = *s.network, true
		}
	})
	return n, up
}

// Reset restarts the firmware, as if by itself.
func (s *Stick) Reset(cause Cause) {
	s.mesh.do(func() {
		if s.powered {
			s.start(cause)
		}
	})
}

// Unplug takes the power away: Serve returns, and the network has no coordinator. Plug gives it back.
func (s *Stick) Unplug() {
	s.mesh.do(func() {
		if s.powered {
			s.otherSocket()
		}
		s.powered = false
		s.boots++
		s.down()
		if s.line != nil {
			s.line.end(errUnplugged)
			s.line = nil // who plugs it in again at once finds it free
		}
	})
}

// Plug gives the stick power again.
func (s *Stick) Plug() {
	s.mesh.do(func() {
		if !s.powered {
			s.otherSocket()
			s.start(PowerOn)
		}
	})
}

func (s *Stick) otherSocket() {
	close(s.socketChanged)
	s.socketChanged = make(chan struct{})
}

var errUnplugged = errors.New("the stick was unplugged")

// Serve is a host at the stick's line: it returns when ctx ends (nil), the line breaks or the stick is unplugged. If rw
// is an io.Closer it is closed then. A second host at the same time is refused.
func (s *Stick) Serve(ctx context.Context, rw io.ReadWriter) error {
	l, err := s.attach(rw)
	if err != nil {
		return err
	}
	var once sync.Once
	closeLine := func() {
		once.Do(func() {
			if c, ok := rw.(io.Closer); ok {
				_ = c.Close()
			}
		})
	}
	defer closeLine()
	stop := context.AfterFunc(ctx, func() { l.end(nil) })
	defer stop()
	written := make(chan struct{})
	go func() {
		defer close(written)
		l.end(l.write(rw, s.options.Baud))
	}()
	go func() {
		<-l.ended
		closeLine()
	}()
	b := make([]byte, 4096)
	for {
		n, err := rw.Read(b)
		if n > 0 {
			s.fromHost(b[:n])
		}
		if err != nil {
			l.end(err)
			break
		}
	}
	<-written
	s.mesh.do(func() {
		if s.line == l {
			s.line = nil
		}
	})
	if ctx.Err() != nil || errors.Is(l.why, io.EOF) {
		return nil
	}
	return l.why
}

func (s *Stick) attach(rw io.ReadWriter) (l *line, err error) {
	s.mesh.do(func() {
		switch {
		case !s.powered:
			err = errUnplugged
		case s.line != nil:
			err = errors.New("the stick has a host already")
		default:
			l = newLine()
			s.line = l
		}
	})
	return l, err
}

func (s *Stick) fromHost(b []byte) {
	s.mesh.do(func() {
		if s.hostLog != nil {
			s.hostLog(true, b)
		}
		if s.powered && !s.faults.silent() {
			s.firmware.host(b)
		}
	})
}

// start boots the firmware with all of its earlier life forgotten.
func (s *Stick) start(cause Cause) {
	s.powered = true
	s.boots++
	s.down()
	s.endpoints, s.faults.hung, s.faults.starved, s.faults.dropped = nil, false, false, false
	s.firmware.boot(cause)
}

// after is the mesh's, but what was asked for before a reset does not happen after it.
func (s *Stick) after(d time.Duration, fn func()) *event {
	life := s.boots
	return s.mesh.after(d, func() {
		if s.boots == life {
			fn()
		}
	})
}

// say lets the firmware say one thing to its host, unless a fault keeps it from it or makes it late. What fn writes is one
// message, wherever the protocol puts it into frames.
func (s *Stick) say(k kind, fn func()) {
	lost, late := s.faults.saying(k)
	switch {
	case lost:
	case late > 0:
		s.after(late, fn)
	default:
		fn()
	}
}

// write puts bytes on the line to the host, with the faults of a line: they are one frame.
func (s *Stick) write(frame []byte) {
	if s.line == nil || s.faults.silent() {
		s.lost++
		return
	}
	for _, piece := range s.faults.onLine(frame) {
		if !s.line.put(piece) {
			s.lost++
			continue
		}
		if s.hostLog != nil {
			s.hostLog(false, piece)
		}
	}
}
