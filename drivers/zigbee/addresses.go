package zigbee

import (
	"context"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/traffic"
	"hearth/drivers/zigbee/zdo"
)

// Devices change their network address without a word that always arrives. Who does not acknowledge any more is looked
// for by a broadcast, which the device itself or its parent answers; the answer is taken by located.

// searchPause is between two searches for the same device: each floods the network.
const searchPause = 30 * time.Second

// lost looks for a device that nobody acknowledges for. It is called by traffic and does not wait.
func (s *session) lost(p traffic.Peer) {
	dev, ok := p.(*device)
	if !ok {
		return
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if time.Since(dev.searched) < searchPause {
		return
	}
	dev.searched = time.Now()
	s.tasks.start(func() { s.search(dev) })
}

func (s *session) search(dev *device) {
	ctx, cancel := context.WithTimeout(s.ctx, backgroundTime)
	defer cancel()
	s.log.Info("a device does not acknowledge: looking for its address", "device", dev.id)
	err := s.traffic.Send(ctx, radio.Message{
		Address: radio.BroadcastAwake, Cluster: zdo.ClusterNWKAddressRequest,
		Data: zdo.NWKAddressRequest{Sequence: s.sequence(), IEEE: dev.IEEE}.Append(nil),
	})
	if err != nil {
		s.log.Debug("the search for a device was not sent", "device", dev.id, "error", err)
	}
}

// resumeDevices goes on with what is not finished, gently, when the network is up; d.mu is held. strange says that the
// network may have members that are not known here: they are taken from what the stick knows.
func (s *session) resumeDevices(strange bool) {
	wait := resumeAfter
	for _, dev := range s.d.devices {
		if dev.Bound != s.d.network.Coordinator && dev.Setup != "" {
			s.log.Info("a device reports to another coordinator: its bindings are made anew", "device", dev.id, "bound", dev.Bound)
			dev.Setup = ""
			s.touch(dev)
		}
		if dev.known() && dev.Setup != "" && dev.Setup != setupIncomplete && dev.Setup != fingerprint(dev.model.Setup()) {
			dev.Setup = "" // this version wants more of it than the one that set it up
			s.touch(dev)
		}
		if dev.unfinished() && !dev.Sleeper {
			s.interviewLater(dev, wait)
			wait += resumeSpacing
		}
	}
	if strange {
		s.tasks.start(s.meetMembers)
	}
}

const (
	resumeAfter   = 2 * time.Second
	resumeSpacing = 500 * time.Millisecond
)

// meetMembers makes known who the stick says belongs to its network.
func (s *session) meetMembers() {
	ctx, cancel := context.WithTimeout(s.ctx, backupTime)
	defer cancel()
	r, err := s.ready(ctx)
	if err != nil {
		return
	}
	b, err := r.Backup(ctx)
	if err != nil {
		s.log.Warn("the stick does not tell who belongs to its network: devices are found when they speak", "error", err)
		return
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	for _, member := range b.Devices {
		if member.IEEE == 0 || member.IEEE == s.d.network.Coordinator || member.NWK == radio.Unknown || member.NWK == radio.Coordinator {
			continue
		}
		if dev, isNew := s.meet(member.IEEE, member.NWK); isNew {
			s.interviewLater(dev, resumeAfter)
		}
	}
}
