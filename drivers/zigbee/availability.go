package zigbee

import (
	"context"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/zcl"
)

// A device on mains power that says nothing for so long is asked for a sign of life; one that gives none is asked
// again, ever less often. A battery device is given the time that its own rhythm allows.
const (
	pingAfter     = 10 * time.Minute
	pingAgain     = 30 * time.Second // the second ping, which decides; the pause doubles from there
	longestPing   = 30 * time.Minute
	pingTime      = 15 * time.Second
	pingsToLose   = 2
	passive       = 25 * time.Hour
	shortest      = 2 * time.Hour // of what a battery device is given, however often it spoke so far
	gapsToLearn   = 8
	patience      = 4           // times the longest gap
	firstPings    = time.Minute // after the start, for devices that have not been heard since
	pingSpacing   = 3 * time.Second
	qualityPause  = 10 * time.Minute // between two readings of the link's quality,
	qualityChange = 25               // or at once for so much,
	qualityLeast  = 30 * time.Second // yet not more often than this
)

type reach int

const (
	reachUnknown reach = iota
	reachable
	unreachable
)

// presence is when a device was heard and what follows from it.
type presence struct {
	reach   reach
	heard   time.Time // in this session; zero if not yet
	gaps    int
	longest time.Duration // between two messages; decays slowly

	nextPing time.Time // when a sign of life is asked for; zero: as long after heard as pingAfter says
	pings    int       // in vain
	pinging  bool
	quality  uint8
	measured time.Time
}

// revive keeps what was learned and forgets what only this session knew.
func (p *presence) revive() {
	*p = presence{reach: p.reach, gaps: p.gaps, longest: p.longest}
}

// present notes that a device was heard; d.mu is held. quality 0 is none.
func (s *session) present(dev *device, quality uint8) {
	now := time.Now()
	if gap := now.Sub(dev.heard); !dev.heard.IsZero() && gap > time.Second {
		dev.gaps++
		dev.longest = max(gap, dev.longest-dev.longest/64)
	}
	dev.heard, dev.nextPing, dev.pings = now, time.Time{}, 0
	s.reached(dev, reachable)
	s.measure(dev, quality, now)
	s.traffic.Awake(dev)
	s.spokeForGroups(dev)
	if !dev.interviewing && dev.unfinished() && (dev.away || !now.Before(dev.next)) {
		s.interviewLater(dev, 0)
	}
}

func (s *session) measure(dev *device, quality uint8, now time.Time) {
	change, since := int(quality)-int(dev.quality), now.Sub(dev.measured)
	if quality == 0 || since < qualityLeast || since < qualityPause && max(change, -change) < qualityChange {
		return
	}
	dev.quality, dev.measured = quality, now
	s.report(hearth.Reading{Device: dev.id, Property: "link_quality", Value: hearth.NumberOf(float64(quality))})
}

// reached tells home whether a device can be reached, when that has changed; d.mu is held.
func (s *session) reached(dev *device, to reach) {
	if dev.reach == to {
		return
	}
	if dev.reach != reachUnknown || to == unreachable {
		s.log.Info("a device's reach has changed", "device", dev.id, "reachable", to == reachable)
	}
	dev.reach = to
	s.report(hearth.Reading{Device: dev.id, Property: "reachable", Value: hearth.BoolOf(to == reachable)})
	s.heardInGroups(dev)
}

// unanswered notes that a device did not answer; d.mu is held. The first time it is asked again soon.
func (s *session) unanswered(dev *device) {
	if dev.Sleeper {
		return
	}
	if dev.pings++; dev.pings >= pingsToLose {
		s.reached(dev, unreachable)
	}
	dev.nextPing = time.Now().Add(min(pingAgain<<min(dev.pings-1, 10), longestPing))
}

// lookAfter marks a sleeper that has been silent for too long, and reports whether the device is to be pinged now; d.mu
// is held.
func (s *session) lookAfter(dev *device, now time.Time) bool {
	since := dev.heard
	if since.IsZero() {
		since = s.started
	}
	if dev.Sleeper {
		allowed := passive
		if dev.gaps >= gapsToLearn {
			allowed = min(max(patience*dev.longest, shortest), passive)
		}
		if now.Sub(since) > allowed {
			s.reached(dev, unreachable)
		}
		return false
	}
	due := dev.nextPing
	switch {
	case !due.IsZero():
	case dev.heard.IsZero():
		due = s.started.Add(firstPings)
	default:
		due = dev.heard.Add(pingAfter)
	}
	return !dev.pinging && !dev.interviewing && dev.EndpointsRead && now.After(due)
}

// ping asks a device for a sign of life: its version of the ZCL, which every endpoint with a Basic cluster has; d.mu is held.
func (s *session) ping(dev *device) {
	read := expose.Read{Endpoint: dev.basicEndpoint(), Cluster: zcl.ClusterBasic, Attributes: []uint16{zcl.AttrBasicZCLVersion}}
	dev.pinging = s.tasks.start(func() {
		ctx, cancel := context.WithTimeout(s.ctx, pingTime)
		defer cancel()
		err := s.read(ctx, dev, read)
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		dev.pinging = false
		if err != nil && isSilence(err) && s.up && s.ctx.Err() == nil {
			s.unanswered(dev)
		}
	})
}
