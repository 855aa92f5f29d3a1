package fake

import (
	"bytes"
	"strconv"
	"time"

	"hearth/drivers/zigbee/radio"
)

// Monitor and Test (TI SWRA198): how Z-Stack firmware and its host share a UART. This file is its frames and which request
// goes where; znp_*.go are the subsystems.

// The parts of a command's first byte.
const (
	mtSREQ = 0x20
	mtAREQ = 0x40
	mtSRSP = 0x60

	mtRPC    = 0x00
	mtSYS    = 0x01
	mtAF     = 0x04
	mtZDO    = 0x05
	mtUTIL   = 0x07
	mtAppCNF = 0x0f
)

const (
	mtStart   = 0xfe
	mtMaxData = 250
)

// Statuses of the firmware.
const (
	znpSuccess         = 0x00
	znpFailure         = 0x01
	znpInvalidParam    = 0x02
	znpNVCreated       = 0x09
	znpNVFailed        = 0x0a
	znpNVBadLength     = 0x0c
	znpBufferFull      = 0x11
	znpAPSNoAck        = 0xb7
	znpDuplicate       = 0xb8
	znpInvalidRequest  = 0xc2
	znpNoRoute         = 0xcd
	znpChannelAccess   = 0xe1
	znpNoAck           = 0xe9
	znpExpired         = 0xf0
	znpErrorSubsystem  = 0x01
	znpErrorCommand    = 0x02
	znpErrorLength     = 0x04
	znpStateHold       = 0
	znpStateStarting   = 8
	znpStateCoordinate = 9
)

// A znpChip is what differs between the two generations.
type znpChip struct {
	product, major, minor, maint uint8
	revision                     uint32
	aligned                      bool // structures in memory are padded
	extended                     bool // has the extended non-volatile memory
	addresses                    int  // room in the address manager
	keys                         int  // room for trust centre link keys
	inFlight                     int  // messages without a confirm
}

func newChip(o StickOptions) znpChip {
	chip := znpChip{
		product: 1, major: 2, minor: 7, maint: 1, revision: 20240710, aligned: true, extended: true,
		addresses: 257, keys: 200, inFlight: 48,
	}
	if o.Chip == "CC2531" {
		chip = znpChip{product: 2, major: 2, minor: 7, maint: 2, revision: 20211115, addresses: 62, keys: 40, inFlight: 10}
	}
	if n, err := strconv.ParseUint(o.Firmware, 10, 32); err == nil {
		chip.revision = uint32(n)
	}
	return chip
}

// znp is Z-Stack firmware. What is not in the stick's memory is gone after boot.
type znp struct {
	stick *Stick
	chip  znpChip

	booting bool
	reason  byte // of the restart, as the host is told

	in    []byte // of a frame that has not come whole
	state uint8
	began time.Time

	primary      uint32 // channels to form on
	installOnly  bool   // lets in only whose install code it knows
	callbacks    map[uint16]bool
	allCallbacks bool
	groups       map[znpGroup]string
	associated   []znpChild
	inFlight     int
	huge         map[uint32][]byte // incoming messages that wait to be fetched
	outgoing     *znpOutgoing      // a message that is coming in pieces
	zdoSequence  uint8
	savedCounter uint32
	forming      bool
}

type znpGroup struct {
	endpoint uint8
	group    uint16
}

func newZNP(s *Stick) firmware { return &znp{stick: s, chip: newChip(s.options)} }

// boot implements firmware.
func (z *znp) boot(cause Cause) {
	*z = znp{
		stick: z.stick, chip: z.chip, booting: true,
		callbacks: map[uint16]bool{}, groups: map[znpGroup]string{}, huge: map[uint32][]byte{},
	}
	z.reason = map[Cause]byte{PowerOn: 0, Asked: 0, Watchdog: 2, Pin: 1}[cause]
	switch o := z.stick.options; {
	case o.Bootloader && cause == PowerOn:
		z.stick.after(bootloaderTime, z.run)
	case o.Boot > 0:
		z.stick.after(o.Boot, z.run)
	default:
		z.run()
	}
}

// The bootloader of the old chips waits for a byte before it runs the firmware, or for a minute.
const (
	bootloaderTime = time.Minute
	bootloaderSkip = 0xef
)

// run begins the firmware, and says so.
func (z *znp) run() {
	if !z.booting {
		return
	}
	z.booting, z.began = false, time.Now()
	z.initialise()
	z.indicate(mtSYS, 0x80, z.reason, 2, z.chip.product, z.chip.major, z.chip.minor, z.chip.maint)
}

// host takes bytes. What does not begin with the start byte is skipped, a frame with a wrong checksum too.
func (z *znp) host(b []byte) {
	if z.booting {
		if z.stick.options.Bootloader && bytes.IndexByte(b, bootloaderSkip) >= 0 {
			z.stick.after(z.stick.options.Boot, z.run)
		}
		return
	}
	z.in = append(z.in, b...)
	for len(z.in) > 0 {
		if z.in[0] != mtStart || len(z.in) > 1 && z.in[1] > mtMaxData {
			z.in = z.in[1:]
			continue
		}
		if len(z.in) < 5 || len(z.in) < 5+int(z.in[1]) {
			return
		}
		end := 4 + int(z.in[1])
		if checksum(z.in[1:end]) == z.in[end] {
			frame := append([]byte(nil), z.in[2:end]...)
			z.in = z.in[end+1:]
			z.request(frame[0], frame[1], frame[2:])
			continue
		}
		z.in = z.in[end+1:]
	}
}

func checksum(b []byte) (sum byte) {
	for _, c := range b {
		sum ^= c
	}
	return sum
}

func (z *znp) write(first, command byte, data []byte) {
	frame := append([]byte{mtStart, byte(len(data)), first, command}, data...)
	z.stick.write(append(frame, checksum(frame[1:])))
}

// indicate says something that the host did not ask for.
func (z *znp) indicate(subsystem, command byte, data ...byte) {
	z.stick.say(indication, func() { z.write(mtAREQ|subsystem, command, data) })
}

// respond answers the request under way.
func (z *znp) respond(subsystem, command byte, data ...byte) {
	z.stick.say(answer, func() { z.write(mtSRSP|subsystem, command, data) })
}

// request carries out one. The firmware does not look at lengths: what is missing reads as 0.
func (z *znp) request(first, command byte, data []byte) {
	subsystem, kind := first&0x1f, first&0xe0
	a := &arguments{b: data}
	known := false
	switch {
	case kind == mtAREQ && subsystem == mtSYS && command == 0x00:
		z.resetRequest()
		return
	case kind != mtSREQ:
		return
	case subsystem == mtSYS:
		known = z.sys(command, a)
	case subsystem == mtAF:
		known = z.af(command, a)
	case subsystem == mtZDO:
		known = z.zdo(command, a)
	case subsystem == mtUTIL:
		known = z.util(command, a)
	case subsystem == mtAppCNF:
		known = z.appCNF(command, a)
	default:
		z.respond(mtRPC, 0, znpErrorSubsystem, first, command)
		return
	}
	if !known {
		z.respond(mtRPC, 0, znpErrorCommand, first, command)
	}
}

// resetRequest restarts the firmware at the host's wish.
func (z *znp) resetRequest() {
	z.stick.after(0, func() { z.stick.start(Asked) })
}

// air implements firmware.
func (z *znp) air(e any) {
	switch e := e.(type) {
	case radio.Message:
		if e.Profile == 0 {
			z.incomingZDO(e)
			return
		}
		z.incoming(e)
	case arrival:
		z.arrived(e)
	case departure:
		z.departed(e)
	}
}

// outcomes are the firmware's numbers for them.
func znpStatus(o Outcome) byte {
	switch o {
	case BufferFull:
		return znpBufferFull
	case NoAck:
		return znpNoAck
	case NoRoute:
		return znpNoRoute
	case ChannelAccess:
		return znpChannelAccess
	case Expired:
		return znpExpired
	case NoAPSAck:
		return znpAPSNoAck
	}
	return znpSuccess
}
