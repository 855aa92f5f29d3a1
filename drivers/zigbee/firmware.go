package zigbee

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/ota"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/traffic"
	"hearth/drivers/zigbee/zcl"
)

// firmware is what devices are updated with, and how far that is. It outlives a break of the line: devices go on asking.
type firmware struct {
	library  *ota.Library
	server   *ota.Server
	checking atomic.Bool
}

const firmwareDir = "firmware"

func newFirmware(env hearth.Env, cfg Config) *firmware {
	source := ota.Source{Dir: filepath.Join(env.Dir, firmwareDir), Index: cfg.Firmware.Index}
	if cfg.Firmware.Dir != "" {
		source.Dir = cfg.path(cfg.Firmware.Dir)
	}
	if source.Index != "" && !strings.Contains(source.Index, "://") {
		source.Index = cfg.path(source.Index)
	}
	library := ota.NewLibrary(source, env.Log)
	now := func() time.Time { t, _ := env.Now(); return t }
	return &firmware{library: library, server: ota.NewServer(library, now, env.Log)}
}

// The properties in which a device with an updater shows how far its update is.
const (
	propertyUpdate   = "firmware_update"
	propertyProgress = "firmware_progress"
	updateIdle       = "idle"
)

func updateProperties() []hearth.Property {
	update, _ := hearth.Word(propertyUpdate)
	progress, _ := hearth.Word(propertyProgress)
	return []hearth.Property{
		update.OneOf(updateIdle, ota.Fetching, ota.Offered, ota.Waiting, ota.Downloading, ota.Restarting, ota.Done, ota.Aborted, ota.Failed),
		progress,
	}
}

// updating is what was last told of a device's update, and asked for its sake.
type updating struct {
	state   string
	percent int
	stop    context.CancelFunc // ends the answer to the device's last question
	asked   time.Time          // for its version
}

// updater returns the endpoint whose firmware a device can fetch; d.mu is held.
func (dev *device) updater() (endpoint uint8, ok bool) {
	i := slices.IndexFunc(dev.Endpoints, func(e expose.Endpoint) bool { return slices.Contains(e.Out, zcl.ClusterOTA) })
	if i < 0 {
		return 0, false
	}
	return dev.Endpoints[i].ID, true
}

// serveFirmware answers a device's question about firmware; d.mu is held. A new question is the end of the answer to the
// one before: pieces of an image take their time.
func (s *session) serveFirmware(dev *device, m radio.Message, f zcl.Frame) {
	f.Payload = bytes.Clone(f.Payload)
	asking := ota.Device{IEEE: dev.IEEE, Vendor: dev.Vendor, Model: dev.Model}
	ctx, cancel := context.WithCancel(s.ctx)
	if dev.updating.stop != nil {
		dev.updating.stop()
	}
	dev.updating.stop = cancel
	dev.asks++
	started := s.tasks.start(func() {
		defer cancel()
		s.answerFirmware(ctx, dev, m, asking, f)
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		dev.asks--
	})
	if !started {
		dev.asks--
		cancel()
	}
}

func (s *session) answerFirmware(ctx context.Context, dev *device, m radio.Message, asking ota.Device, f zcl.Frame) {
	replies, err := s.d.firmware.server.Handle(asking, f)
	if err != nil {
		s.log.Debug("a device's question about firmware cannot be read", "device", dev.id, "error", err)
		replies = []ota.Reply{{Frame: zcl.DefaultResponse(f.Command, zcl.MalformedCommand).InReplyTo(f)}}
	} else if len(replies) == 0 {
		replies = []ota.Reply{{Frame: zcl.DefaultResponse(f.Command, zcl.UnsupportedClusterCommand).InReplyTo(f)}}
	}
	s.d.mu.Lock()
	s.tellUpdate(dev)
	s.d.mu.Unlock()
	to := traffic.Target{Local: m.Local, Remote: m.Remote, Profile: m.Profile, Cluster: m.Cluster}
	began := time.Now()
	for _, r := range replies {
		if !pause(ctx, r.After-time.Since(began)) {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, backgroundTime)
		err := s.traffic.Reply(ctx, dev, to, r.Frame)
		cancel()
		if err != nil {
			s.log.Debug("an answer about firmware did not reach the device", "device", dev.id, "error", err)
			return // it asks again
		}
	}
}

// tellUpdate tells home how far a device's update is, when that has changed; d.mu is held. With new firmware the device
// may be another one: it is asked anew.
func (s *session) tellUpdate(dev *device) {
	if _, shown := dev.told.Property(propertyUpdate); !shown {
		return
	}
	state, percent := updateIdle, 0
	if u, ok := s.d.firmware.server.Upgrade(dev.IEEE); ok {
		state = u.State
		if u.Size > 0 {
			percent = int(uint64(u.Bytes) * 100 / uint64(u.Size))
		}
	}
	was := &dev.updating
	if state != was.state {
		s.report(hearth.Reading{Device: dev.id, Property: propertyUpdate, Value: hearth.TextOf(state)})
	}
	if state != updateIdle && (percent != was.percent || was.state == "") {
		s.report(hearth.Reading{Device: dev.id, Property: propertyProgress, Value: hearth.NumberOf(float64(percent))})
	}
	if state == ota.Done && was.state != state && was.state != "" {
		dev.recheck = true
		s.interviewLater(dev, 0)
	}
	was.state, was.percent = state, percent
}

// How the version of a device that restarts with new firmware is asked for.
const (
	bootTime     = 3 * time.Second // from its announcement on
	versionAfter = time.Minute     // when it does not announce itself; again and again
)

// careUpdates looks after the updates under way; d.mu is held.
func (s *session) careUpdates(now time.Time) {
	server := s.d.firmware.server
	server.Sweep()
	for _, u := range server.Upgrades() {
		dev := s.d.devices[u.Device]
		if dev == nil {
			server.Abort(u.Device)
			continue
		}
		s.tellUpdate(dev)
		if u.State == ota.Restarting && s.d.now().Sub(u.Heard.Time) > versionAfter && now.Sub(dev.updating.asked) > versionAfter {
			s.askVersion(dev)
		}
	}
}

// updateBack asks a device that came back whether it has its new firmware; d.mu is held.
func (s *session) updateBack(dev *device) {
	if u, ok := s.d.firmware.server.Upgrade(dev.IEEE); ok && u.State == ota.Restarting && time.Since(dev.updating.asked) > bootTime {
		s.askVersion(dev)
	}
}

// askVersion asks a device for the version of its firmware; d.mu is held. One that does not tell is made to ask what
// there is for it, and says it then.
func (s *session) askVersion(dev *device) {
	endpoint, ok := dev.updater()
	if !ok {
		return
	}
	dev.updating.asked = time.Now()
	s.background(dev, func(ctx context.Context) error {
		if !pause(ctx, bootTime) {
			return ctx.Err()
		}
		version, err := s.readVersion(ctx, dev, endpoint)
		switch {
		case err == nil:
			s.d.firmware.server.Restarted(dev.IEEE, &version)
			s.d.mu.Lock()
			defer s.d.mu.Unlock()
			s.tellUpdate(dev)
			return nil
		case isSilence(err):
			return err
		}
		return s.traffic.Tell(ctx, dev, traffic.Target{Remote: endpoint, Cluster: zcl.ClusterOTA}, ota.Notify())
	})
}

func (s *session) readVersion(ctx context.Context, dev *device, endpoint uint8) (uint32, error) {
	f := zcl.ReadAttributes(zcl.AttrOTACurrentFileVersion)
	f.ToClient, f.NoDefaultResponse = true, true
	answer, err := s.traffic.Request(ctx, dev, traffic.Target{Remote: endpoint, Cluster: zcl.ClusterOTA}, f)
	if err != nil {
		return 0, err
	}
	results, err := zcl.ParseReadAttributesResponse(answer.Payload)
	if err != nil || len(results) == 0 {
		return 0, cmp.Or(err, errors.New("the device does not say which firmware it has"))
	}
	n, ok := results[0].Value.Number()
	if results[0].Status != zcl.Success || !ok {
		return 0, &traffic.StatusError{Command: f.Command, Status: results[0].Status}
	}
	return uint32(n), nil
}

// refreshFirmware reads which images there are.
func (s *session) refreshFirmware() {
	if err := s.d.firmware.library.Refresh(s.ctx); err != nil && s.ctx.Err() == nil {
		s.log.Warn("not all of the firmware can be used", "error", err)
	}
}

// checkFirmware reads which images there are, and has devices that have not said yet which firmware they have say it.
func (s *session) checkFirmware() {
	defer s.d.firmware.checking.Store(false)
	s.refreshFirmware()
	s.d.mu.Lock()
	var unknown []*device
	for _, dev := range s.d.devices {
		_, updates := dev.updater()
		if _, _, known := s.d.firmware.server.Known(dev.IEEE); updates && !known && !dev.Sleeper && dev.reach != unreachable {
			unknown = append(unknown, dev)
		}
	}
	s.d.mu.Unlock()
	for _, dev := range unknown {
		if s.ctx.Err() != nil {
			return
		}
		s.notify(s.ctx, dev, backgroundTime)
	}
}

// notify makes a device ask what there is for it. One that is not told asks some day by itself.
func (s *session) notify(ctx context.Context, dev *device, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s.d.mu.Lock()
	endpoint, _ := dev.updater()
	s.d.mu.Unlock()
	err := s.traffic.Tell(ctx, dev, traffic.Target{Remote: endpoint, Cluster: zcl.ClusterOTA}, ota.Notify())
	if err != nil && s.ctx.Err() == nil {
		s.log.Debug("a device was not told that there is firmware for it", "device", dev.id, "error", err)
	}
}

// Times of an update's beginning.
const (
	saysVersion = 8 * time.Second // for a device to say which firmware it has
	looksFor    = 200 * time.Millisecond
	wakes       = 10 * time.Minute // for a sleeper to be told; it asks by itself too
)

// update begins the update of a device, which then goes on by itself. force passes the guard of the battery.
func (s *session) update(ctx context.Context, dev *device, force bool) error {
	s.d.mu.Lock()
	_, updates := dev.updater()
	battery, err := dev.charge()
	s.d.mu.Unlock()
	switch {
	case !updates:
		return hearth.Errorf(hearth.CodeConflict, "%s cannot be updated over the network", dev.id)
	case force:
		battery = nil
	case err != nil:
		return err
	}
	image, err := s.imageFor(ctx, dev)
	if err != nil {
		return err
	}
	if err := s.d.firmware.server.Approve(dev.IEEE, image, battery); err != nil {
		return err
	}
	if !s.tasks.start(func() { s.offer(dev, image) }) {
		err := hearth.Errorf(hearth.CodeBusy, "too much goes on at once: try again later")
		s.d.firmware.server.Fail(dev.IEEE, err)
		return err
	}
	return nil
}

// charge returns what a device's battery has left in percent, nil if it has none or never tells; driver.mu is held.
func (dev *device) charge() (*float64, error) {
	if _, tells := dev.told.Property("battery"); dev.Mains || !tells {
		return nil, nil
	}
	v, ok := dev.values["battery"]
	if !ok {
		return nil, hearth.Errorf(hearth.CodeFailed, "%s has not said yet how full its battery is: wait until it does, or force the update", dev.id)
	}
	left := v.Number()
	return &left, nil
}

// imageFor returns the newest image for a device, which is asked for what it has if it has not said so yet.
func (s *session) imageFor(ctx context.Context, dev *device) (ota.Image, error) {
	query, newer, known := s.d.firmware.server.Known(dev.IEEE)
	if !known {
		ctx, cancel := context.WithTimeout(ctx, saysVersion)
		defer cancel()
		s.notify(ctx, dev, saysVersion)
		for !known && pause(ctx, looksFor) {
			query, newer, known = s.d.firmware.server.Known(dev.IEEE)
		}
	}
	switch {
	case !known:
		return ota.Image{}, hearth.Errorf(hearth.CodeOffline, "%s has not said which firmware it has: wake it, or try again later", dev.id)
	case newer == nil:
		return ota.Image{}, hearth.Errorf(hearth.CodeConflict, "there is no newer firmware for %s than 0x%08x, which it has", dev.id, query.Version)
	}
	return *newer, nil
}

// offer fetches an image and has the device come for it.
func (s *session) offer(dev *device, image ota.Image) {
	tell := func() {
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		s.tellUpdate(dev)
	}
	tell()
	defer tell()
	image, err := s.d.firmware.library.Fetch(s.ctx, image)
	if err == nil {
		err = s.d.firmware.server.Offer(dev.IEEE, image)
	}
	if err != nil {
		s.log.Warn("an update cannot begin", "device", dev.id, "error", err)
		s.d.firmware.server.Fail(dev.IEEE, err)
		return
	}
	s.log.Info("a device is offered other firmware", "device", dev.id, "version", fmt.Sprintf("0x%08x", image.Version))
	tell()
	limit := backgroundTime
	if dev.Sleepy() {
		limit = wakes
	}
	s.notify(s.ctx, dev, limit)
}
