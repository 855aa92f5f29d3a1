package zigbee

import (
	"context"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// A stick that runs out of memory drops what it has to tell. Who came to the network or moved in that time would stay
// unknown until it speaks again, so the routers are asked afterwards whom they hear.
const (
	lossQuiet    = 5 * time.Second // without another loss: then there is room for questions
	lossPatience = time.Minute     // with a stick that goes on losing, before it is asked all the same
	catchUpPause = time.Minute     // between the end of one catching up and the next
)

// losses are what the radio said it has dropped since what was missed was last asked for.
type losses struct {
	first, last time.Time // zero: none
	joinable    bool      // when one of them was told: devices could join
	catching    bool
	caughtUp    time.Time
}

// note takes the radio's word that something was dropped.
func (l *losses) note(now time.Time, joinable bool) {
	if l.first.IsZero() {
		l.first = now
	}
	l.last, l.joinable = now, l.joinable || joinable
}

func (l *losses) due(now time.Time) bool {
	return !l.first.IsZero() && !l.catching && now.Sub(l.caughtUp) >= catchUpPause &&
		(now.Sub(l.last) >= lossQuiet || now.Sub(l.first) >= lossPatience)
}

// joinable reports whether devices may join somewhere in the network; d.mu is held.
func (s *session) joinable() bool {
	if s.pairing.open() {
		return true
	}
	for _, dev := range s.d.devices {
		if dev.pairing.open() {
			return true
		}
	}
	return false
}

// careLosses asks for what was missed when it is time; d.mu is held.
func (s *session) careLosses(now time.Time) {
	if !s.losses.due(now) || s.d.mesh.running {
		return
	}
	c := &catchUp{s: s, joinable: s.losses.joinable || s.joinable(), doubts: map[router]bool{}}
	if s.tasks.start(c.run) {
		s.losses = losses{catching: true}
	}
}

// catchUp is one time of asking for what was missed.
type catchUp struct {
	s        *session
	joinable bool
	doubts   map[router]bool // address pairs to be believed only when the device itself says the same
	met      int
}

func (c *catchUp) run() {
	s := c.s
	ctx, cancel := context.WithTimeout(s.ctx, scanTime)
	defer cancel()
	s.log.Info("the stick has dropped messages: the routers are asked who is there")
	sc := s.newScan()
	sc.each = c.hears
	sc.run()
	for doubt := range c.doubts {
		if !pause(ctx, scanPause) {
			break
		}
		c.settle(doubt)
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.losses.catching, s.losses.caughtUp = false, time.Now()
	if s.ctx.Err() == nil {
		s.log.Info("the routers have told who is there", "new", c.met, "asked_again", len(c.doubts))
	}
}

// hears takes whom a router hears. A new device is met if it could come in when something was dropped, for tables keep
// those that have left for a while. For the same reason nobody is moved by hearsay, and nobody sent away or taken back:
// who is banned or removed is dealt with when it speaks.
func (c *catchUp) hears(n zdo.Neighbor) {
	const nobody, everybody = radio.IEEE(0), ^radio.IEEE(0)
	s := c.s
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if n.NWK == radio.Coordinator || n.NWK >= radio.BroadcastRouters || n.Relationship == zdo.PreviousChild ||
		n.IEEE == s.d.network.Coordinator || s.d.banned[n.IEEE] || s.d.removed[n.IEEE] {
		return
	}
	known, holder := s.d.devices[n.IEEE], s.d.byNWK[n.NWK]
	named := n.IEEE != nobody && n.IEEE != everybody
	switch {
	case named && known != nil && known.NWK == n.NWK, !named && holder != nil:
	case known == nil && !c.joinable:
	case named && known == nil && holder == nil:
		c.met++
		s.located(n.IEEE, n.NWK)
	case len(c.doubts) < mostNodes:
		c.doubts[router{n.IEEE, n.NWK}] = true
	}
}

// settle asks an address whose it is. A known device that has it is taken as one that has come back.
func (c *catchUp) settle(doubt router) {
	s := c.s
	s.askStranger(doubt.nwk)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	dev := s.d.devices[doubt.ieee]
	if dev == nil || dev.NWK != doubt.nwk || s.d.byNWK[doubt.nwk] != dev {
		return
	}
	s.arrived(doubt.ieee, doubt.nwk, announceWait)
}
