package zigbee

import (
	"context"
	"time"

	"hearth/drivers/zigbee/radio"
)

// careEvery is how often the session looks what is due. All that waits for a time is looked at here.
const careEvery = time.Second

// pollsAtOnce bounds how many polls begin in one round: they are not to fill the air.
const pollsAtOnce = 8

// care does what is due until the session ends.
func (s *session) care() {
	tick := time.NewTicker(careEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
			s.careOnce(time.Now())
		}
	}
}

func (s *session) careOnce(now time.Time) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.closePairing(now)
	s.forgetStrangers()
	if !s.changed.IsZero() && now.Sub(s.changed) > keepPause {
		s.changed = time.Time{}
		s.tasks.start(s.keepDirty)
	}
	if now.Sub(s.looked) > lookEvery {
		s.looked = now
		s.tasks.start(s.lookAtDefinitions)
	}
	if !s.up {
		return
	}
	s.careDevices(now)
	s.careUpdates(now)
	s.careLosses(now)
	if s.backup.due(now) {
		s.tasks.start(s.makeBackup)
	}
}

func (s *session) careDevices(now time.Time) {
	polled := 0
	for _, dev := range s.d.devices {
		s.clear(dev, now)
		if s.lookAfter(dev, now) && now.Sub(s.pinged) >= pingSpacing {
			s.pinged = now
			s.ping(dev)
		}
		if !dev.interviewing && !dev.Sleeper && dev.unfinished() && !dev.next.IsZero() && now.After(dev.next) {
			s.interviewLater(dev, 0)
		}
		if polled < pollsAtOnce {
			polled += s.pollDue(dev, now)
		}
	}
}

const saveTime = 15 * time.Second

// saveFound writes down a network that is about to be overwritten, as far as the stick tells it.
func (s *session) saveFound(ctx context.Context, r radio.Radio, found *radio.Network) {
	ctx, cancel := context.WithTimeout(ctx, saveTime)
	defer cancel()
	b, err := r.Backup(ctx)
	if err != nil { // some firmwares tell it only while it is up
		if _, err = r.Up(ctx, radio.Plan{}); err == nil {
			b, err = r.Backup(ctx)
		}
	}
	if err == nil {
		b.Source, b.Made = backupSource, s.d.now()
		err = s.d.writeFile("network-"+found.Extended.String()+".json", b)
	}
	if err != nil {
		s.log.Warn("the network on the stick could not be saved before it is overwritten", "extended_pan_id", found.Extended, "error", err)
	}
}
