package fake

import (
	"strconv"
	"strings"
	"time"

	"hearth/drivers/zigbee/radio"
)

// EZSPOptions say how an EZSP stick's firmware and board behave where real ones differ.
type EZSPOptions struct {
	Board            EZSPBoard // what the board does when its host comes
	SentAfterAnswer  bool      // messageSentHandler comes after the device's answer, not before it
	MuteWhenFailed   bool      // an ASH link that has failed says nothing any more, instead of ERROR after each frame
	NoAddressToken   bool      // the address can be written once and for all only, not into a token that can be rewritten
	KeyTable         int       // entries, 0: 12
	APSMessages      int       // unicasts that may be under way, 0: 32
	SmallHeap        bool      // tables cannot be made larger
	UnsecuredRejoins bool      // devices come back without the network key; trustCenterJoinHandler says so
}

// An EZSPBoard is what the host hears before the firmware is ready.
type EZSPBoard int

// The boards.
const (
	BoardQuiet       EZSPBoard = iota // one RSTACK for each RST
	BoardResetsTwice                  // the adapter's reset line restarts the chip once more, a moment after the first RST
	BoardCrashFirst                   // an ERROR (watchdog) comes before the RSTACK
	BoardPowerFirst                   // an RSTACK (power on) comes before the one that was asked for
)

// ezspSecondReset is when BoardResetsTwice does.
const ezspSecondReset = 150 * time.Millisecond

// An ezsp is EmberZNet on a network co-processor: what the host is told, and what the firmware remembers. The air is the
// mesh's.
type ezsp struct {
	stick    *Stick
	options  EZSPOptions
	version  uint8 // of the protocol
	release  [4]uint8
	commands map[uint16]func(*ezsp, *ezspCall)
	link     ashLink
	twice    bool // BoardResetsTwice has done so since it got power
	ezspRAM
}

// ezspRAM is what a reset wipes.
type ezspRAM struct {
	agreed   bool  // on the version
	sequence uint8 // of the host's last command

	config   map[uint8]uint16
	policies map[uint8]uint16
	values   map[uint8][]byte

	endpoints         []endpointDescription
	groups            []ezspGroup
	addresses         []ezspAddress
	started           bool // networkInit or formNetwork was called
	security          ezspSecurity
	counters          ezspKeyCounters
	transient         []ezspTransientKey
	opened            *event // ends the permission to join
	scanning          bool
	nextAPS           uint8
	underway          int // unicasts that want an APS acknowledgement
	broadcasts        []time.Time
	fragments         map[ezspFragmentID]*ezspFragments
	waitAnswer        map[radio.NWK][]func() // what SentAfterAnswer holds back
	incomingFragments map[ezspFragmentID]*ezspIncomingFragments
	removing          map[uint8]bool     // sequence numbers of the stack's own ZDO requests
	recorded          map[radio.NWK]bool // a route record was given to the host
	routing           bool               // the stick is a concentrator
	tally             [42]uint16         // counters of readCounters
}

// An ezspCall is a command of the host and its response.
type ezspCall struct {
	in   ezspReader
	out  ezspWriter
	mute bool // no response
}

// An ezspCommand is one that there is in the versions since to until, 0 without an end.
type ezspCommand struct {
	id           uint16
	since, until uint8
	run          func(*ezsp, *ezspCall)
}

func newEZSP(s *Stick) firmware {
	e := &ezsp{stick: s, options: s.options.EZSP}
	e.release = parseRelease(s.options.Firmware)
	e.version = e.protocol()
	e.commands = map[uint16]func(*ezsp, *ezspCall){}
	for _, table := range [][]ezspCommand{configCommands(), networkCommands(), securityCommands(), messageCommands(), tableCommands(), tokenCommands(), refusedCommands()} {
		for _, c := range table {
			if e.version >= c.since && (c.until == 0 || e.version <= c.until) {
				e.commands[c.id] = c.run
			}
		}
	}
	e.link = ashLink{
		time:           &s.mesh.timeline,
		muteWhenFailed: e.options.MuteWhenFailed,
		out:            e.onLine,
		deliver:        e.command,
		restart:        e.askedToRestart,
	}
	return e
}

// refusedCommands are those that a firmware has for what no coordinator does here: joining other networks, test tones, raw
// frames, bootloading, touchlink.
func refusedCommands() (refused []ezspCommand) {
	for _, id := range []uint16{
		0x0014, 0x001f, 0x0021, 0x0042, 0x0050, 0x0051, 0x0067, 0x006c, 0x0083, 0x0084, 0x0085, 0x0086, 0x0087, 0x0088, 0x0089, 0x008a, 0x0090,
		0x0096, 0x009c, 0x00a9, 0x00b4, 0x00f7,
	} {
		refused = append(refused, ezspCommand{id: id, run: func(_ *ezsp, c *ezspCall) {
			c.in.rest = nil
			c.out.status(statusInvalidState)
		}})
	}
	return refused
}

func parseRelease(version string) (release [4]uint8) {
	if version == "" {
		version = "7.4.4.0"
	}
	for i, part := range strings.SplitN(version, ".", 4) {
		n, _ := strconv.ParseUint(part, 10, 8)
		release[i] = uint8(n)
	}
	return release
}

// protocol is the version of EZSP that a release of EmberZNet speaks.
func (e *ezsp) protocol() uint8 {
	protocol := uint8(8)
	for _, step := range []struct{ major, minor, protocol uint8 }{
		{7, 1, 9}, {7, 2, 10}, {7, 3, 12}, {7, 4, 13}, {8, 0, 14}, {8, 1, 16}, {8, 2, 17}, {9, 0, 18}, {9, 1, 19},
	} {
		if e.release[0] > step.major || e.release[0] == step.major && e.release[1] >= step.minor {
			protocol = step.protocol
		}
	}
	return protocol
}

func (e *ezsp) askedToRestart() {
	switch e.options.Board {
	case BoardCrashFirst:
		e.link.fail(ResetWatchdog)
	case BoardPowerFirst:
		e.link.start(ResetPowerOn)
	case BoardResetsTwice:
		if !e.twice {
			e.twice = true
			e.stick.mesh.after(ezspSecondReset, func() {
				if e.stick.powered {
					e.stick.start(Asked)
				}
			})
		}
	}
	e.stick.start(Asked)
}

func (e *ezsp) boot(cause Cause) {
	e.link.off()
	e.twice = e.twice && cause != PowerOn
	e.ezspRAM = ezspRAM{
		values:            map[uint8][]byte{},
		policies:          map[uint8]uint16{},
		fragments:         map[ezspFragmentID]*ezspFragments{},
		waitAnswer:        map[radio.NWK][]func(){},
		incomingFragments: map[ezspFragmentID]*ezspIncomingFragments{},
		removing:          map[uint8]bool{},
		recorded:          map[radio.NWK]bool{},
	}
	e.config = e.defaultConfig()
	e.countBoot()
	e.link.start(map[Cause]byte{PowerOn: ResetPowerOn, Asked: ResetSoftware, Watchdog: ResetWatchdog, Pin: ResetExternal}[cause])
}

// onLine gives the host a frame of the link. Those that only acknowledge can get lost.
func (e *ezsp) onLine(k ashKind, b []byte) {
	if k == ashKindACK {
		e.stick.say(receipt, func() { e.stick.write(b) })
		return
	}
	e.stick.write(b)
}

func (e *ezsp) host(b []byte) { e.link.input(b) }

// command answers a frame of the host.
func (e *ezsp) command(data []byte) {
	header, params, ok := parseEZSPHeader(data)
	if !ok {
		return
	}
	e.sequence = header.sequence
	call := &ezspCall{in: ezspReader{rest: params}, out: ezspWriter{version: e.version}}
	run, known := e.commands[header.id]
	switch {
	case header.id != 0 && (!e.agreed || header.legacy):
		call.invalid(&header, ezspVersionNotSet)
	case !known:
		call.invalid(&header, ezspInvalidFrameID)
	default:
		run(e, call)
	}
	if call.in.short {
		e.stick.log.Warn("a command of the host is too short", "frame", header.id, "bytes", len(params))
	}
	if call.mute {
		return
	}
	var control byte
	if full, starved := e.link.overflowed(), e.stick.faults.told(); full || starved {
		control = ezspOverflow
		e.tally[countOverflow]++
	}
	frame := append(header.append(nil, control), call.out.b...)
	e.stick.say(answer, func() { e.link.send(frame, false) })
}

// invalid answers with invalidCommand.
func (c *ezspCall) invalid(h *ezspHeader, why ezspConfigStatus) {
	h.id = 0x0058
	if c.out.version >= 14 && !h.legacy {
		c.out.u32(uint32(why))
		return
	}
	c.out.u8(uint8(why))
}

// callback tells the host something that it has not asked for.
func (e *ezsp) callback(k kind, id uint16, fill func(w *ezspWriter)) {
	w := ezspWriter{version: e.version}
	fill(&w)
	header := ezspHeader{sequence: e.sequence, id: id}
	e.stick.say(k, func() { e.link.send(append(header.append(nil, ezspCallback), w.b...), true) })
}

// later runs fn when the command that asks for it has been answered, unless the firmware restarts before.
func (e *ezsp) later(fn func()) { e.stick.after(ezspPause, fn) }

// ezspPause is how long the stack takes for what needs no air.
const ezspPause = 5 * time.Millisecond

func (e *ezsp) air(event any) {
	switch event := event.(type) {
	case radio.Message:
		e.incoming(event)
	case arrival:
		e.arrived(event)
	case departure:
		e.departed(event)
	}
}

// stackStatus tells what became of the network.
func (e *ezsp) stackStatus(s ezspStatus) {
	e.callback(indication, 0x0019, func(w *ezspWriter) { w.status(s) })
}
