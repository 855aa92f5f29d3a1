package zigbee

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// The coordinator's own properties. Devices are named by their address or id.
const (
	propertyPairing     = "pairing"      // seconds for which devices may join; 0 closes
	propertyChannel     = "channel"      // setting it moves the whole network
	propertyInstallCode = "install_code" // what the label says, or "<address> <code>": that device will join with the key it stands for
	propertyBan         = "ban"          // that device is sent away, now and whenever it comes back
	propertyAllow       = "allow"        // a banned one may join again
	propertyPAN         = "pan_id"
	propertyExtended    = "extended_pan_id"
	propertyDevices     = "devices"
	propertyResets      = "resets" // of the stick by itself, since the line was opened
)

// announceCoordinator tells home of the stick and its network; d.mu is held.
func (s *session) announceCoordinator() {
	n := s.d.network
	pairing, _ := hearth.Word(propertyPairing)
	text := func(name string) hearth.Property { return hearth.Property{Name: name, Kind: hearth.Text} }
	told := func(name string) hearth.Property {
		return hearth.Property{Name: name, Kind: hearth.Text, Writable: true, WriteOnly: true}
	}
	count := func(name string) hearth.Property {
		return hearth.Property{Name: name, Kind: hearth.Number, UnitCode: "1"}
	}
	s.announce(hearth.Device{
		ID: n.id(s.d.env), Name: "Zigbee coordinator", Type: "coordinator", Firmware: s.firmware,
		Properties: []hearth.Property{
			pairing.AsWritable(), count(propertyChannel).AsWritable().Within(11, 26),
			text(propertyPAN), text(propertyExtended), count(propertyDevices), count(propertyResets),
			told(propertyInstallCode), told(propertyBan), told(propertyAllow),
		},
	})
	if !s.up {
		return
	}
	s.tellCoordinator(propertyPairing, hearth.NumberOf(s.pairing.told()))
	s.tellCoordinator(propertyChannel, hearth.NumberOf(float64(n.Channel)))
	s.tellCoordinator(propertyPAN, hearth.TextOf(fmt.Sprintf("0x%04x", n.PAN)))
	s.tellCoordinator(propertyExtended, hearth.TextOf(n.Extended.String()))
	s.tellCoordinator(propertyResets, hearth.NumberOf(float64(s.restarts)))
	s.reportCount()
}

// tellCoordinator reports a property of the coordinator; d.mu is held.
func (s *session) tellCoordinator(property string, v hearth.Value) {
	if s.d.network != nil {
		s.report(hearth.Reading{Device: s.d.network.id(s.d.env), Property: property, Value: v})
	}
}

// reportCount tells home how many devices there are; d.mu is held.
func (s *session) reportCount() {
	s.tellCoordinator(propertyDevices, hearth.NumberOf(float64(len(s.d.devices))))
}

// doCoordinator carries out a command to the coordinator, one property after the other.
func (s *session) doCoordinator(ctx context.Context, cmd hearth.Command) error {
	for _, property := range slices.Sorted(maps.Keys(cmd.Set)) {
		v := cmd.Set[property]
		var err error
		switch property {
		case propertyPairing:
			err = s.permit(ctx, uint8(min(v.Number(), 254)))
		case propertyChannel:
			err = s.move(ctx, uint8(v.Number()))
		case propertyInstallCode:
			err = s.trust(ctx, v.Text())
		case propertyBan:
			err = s.ban(v.Text(), true)
		case propertyAllow:
			err = s.ban(v.Text(), false)
		default:
			err = hearth.Errorf(hearth.CodeReadOnly, "%s of the coordinator can only be read", property)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pairing is how long devices may join.
type pairing struct {
	seconds uint8
	until   time.Time
}

func (p pairing) open() bool { return time.Now().Before(p.until) }

// told is what home is told: how long the window was opened for, or 0.
func (p pairing) told() float64 {
	if !p.open() {
		return 0
	}
	return float64(p.seconds)
}

// left is how many seconds remain, rounded up.
func (p pairing) left() uint8 {
	return uint8((max(time.Until(p.until), 0) + time.Second - 1) / time.Second)
}

// permit lets devices join anywhere in the network, 0 closes it.
func (s *session) permit(ctx context.Context, seconds uint8) error {
	r, err := s.ready(ctx)
	if err != nil {
		return err
	}
	if err := r.Permit(ctx, seconds); err != nil {
		return fmt.Errorf("letting devices join: %w", err)
	}
	s.tellRouters(ctx, seconds)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.pairing = pairing{seconds, time.Now().Add(time.Duration(seconds) * time.Second)}
	s.tellCoordinator(propertyPairing, hearth.NumberOf(float64(seconds)))
	for _, dev := range s.d.devices { // what was said to one router alone holds no more
		s.closeRouter(dev)
	}
	s.log.Info("devices may join", "seconds", seconds)
	return nil
}

// closeRouter tells home that devices may no longer join at one router; d.mu is held.
func (s *session) closeRouter(dev *device) {
	if dev.pairing.seconds > 0 {
		dev.pairing = pairing{}
		s.report(hearth.Reading{Device: dev.id, Property: propertyPairing, Value: hearth.NumberOf(0)})
	}
}

// tellRouters has the routers do the same as the coordinator. One that misses it is no place to join, no more.
func (s *session) tellRouters(ctx context.Context, seconds uint8) {
	err := s.traffic.Send(ctx, radio.Message{
		Address: radio.BroadcastRouters, Cluster: zdo.ClusterPermitJoiningRequest,
		Data: zdo.PermitJoiningRequest{Sequence: s.sequence(), Seconds: seconds, TrustCentre: true}.Append(nil),
	})
	if err != nil {
		s.log.Warn("the routers were not told whether devices may join", "error", err)
	}
}

// closePairing tells home when the window has closed; d.mu is held. The radio and the routers close it by themselves.
func (s *session) closePairing(now time.Time) {
	if s.pairing.seconds > 0 && !now.Before(s.pairing.until) {
		s.pairing = pairing{}
		s.tellCoordinator(propertyPairing, hearth.NumberOf(0))
	}
	for _, dev := range s.d.devices {
		if !now.Before(dev.pairing.until) {
			s.closeRouter(dev)
		}
	}
}

// reopen lets devices join for as long as they still may, after the stick has restarted.
func (s *session) reopen(ctx context.Context, r radio.Radio) {
	s.d.mu.Lock()
	left := s.pairing.left()
	for _, dev := range s.d.devices {
		if at := dev.pairing.left(); at > 0 { // the stick no longer knows that it is to let in who comes through that router
			s.background(dev, func(ctx context.Context) error { return s.permitAt(ctx, dev, at) })
		}
	}
	s.d.mu.Unlock()
	if left == 0 {
		return
	}
	if err := r.Permit(ctx, left); err != nil {
		s.log.Warn("devices can no longer join after the stick's restart: open the network again", "error", err)
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		s.pairing.until = time.Now()
	}
}

// permitAt lets devices join at one router only.
func (s *session) permitAt(ctx context.Context, dev *device, seconds uint8) error {
	err := zdoStatus(s.traffic.ZDO(ctx, dev, zdo.ClusterPermitJoiningRequest, func(sequence uint8) []byte {
		return zdo.PermitJoiningRequest{Sequence: sequence, Seconds: seconds, TrustCentre: true}.Append(nil)
	}))
	if err != nil {
		return err
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	dev.pairing = pairing{seconds, time.Now().Add(time.Duration(seconds) * time.Second)}
	s.report(hearth.Reading{Device: dev.id, Property: propertyPairing, Value: hearth.NumberOf(float64(seconds))})
	return nil
}

// move takes the network to another channel.
func (s *session) move(ctx context.Context, channel uint8) error {
	r, err := s.ready(ctx)
	if err != nil {
		return err
	}
	s.d.mu.Lock()
	next := *s.d.network
	s.d.mu.Unlock()
	if next.Channel != channel {
		if err := r.Move(ctx, channel); err != nil {
			return fmt.Errorf("changing the channel: %w", err)
		}
		s.log.Info("the network moves to another channel: devices that sleep follow within hours", "from", next.Channel, "to", channel)
		next.Channel = channel
		next.UpdateID++
		if err := s.d.keepNetwork(next); err != nil {
			return err
		}
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.backup.wanted(true)
	s.tellCoordinator(propertyChannel, hearth.NumberOf(float64(channel)))
	return nil
}

// trust has a device join with the key that its install code stands for.
func (s *session) trust(ctx context.Context, text string) error {
	device, code, err := s.d.installCode(text)
	if err != nil {
		return err
	}
	r, err := s.ready(ctx)
	if err != nil {
		return err
	}
	if err := r.Trust(ctx, device, code.Key()); err != nil {
		return fmt.Errorf("keeping the key of an install code: %w", err)
	}
	return nil
}

// installCode reads what a label says, or a device's address and its code.
func (d *driver) installCode(text string) (radio.IEEE, radio.InstallCode, error) {
	code, err := radio.ParseInstallCode(text)
	if err == nil && code.Device != 0 {
		return code.Device, code, nil
	}
	address, rest, ok := strings.Cut(strings.TrimSpace(text), " ")
	if !ok {
		if err == nil {
			err = fmt.Errorf("it does not say whose it is: write the device's address before it, as in \"00158d0001a2b3c4 83FE…\"")
		}
		return 0, code, hearth.Errorf(hearth.CodeBadValue, "%v", err)
	}
	device, err := d.addressOf(address)
	if err != nil {
		return 0, code, err
	}
	if code, err = radio.ParseInstallCode(rest); err != nil {
		return 0, code, hearth.Errorf(hearth.CodeBadValue, "%v", err)
	}
	return device, code, nil
}

// addressOf reads a device's id or address.
func (d *driver) addressOf(text string) (radio.IEEE, error) {
	text = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(text), d.env.Name+":"))
	ieee, err := radio.ParseIEEE(strings.TrimPrefix(strings.ReplaceAll(text, ":", ""), "0x"))
	if err != nil {
		return 0, hearth.Errorf(hearth.CodeBadValue, "%v, as in %s", err, d.env.ID("00158d0001a2b3c4"))
	}
	return ieee, nil
}

// ban sends a device away for good, or takes that back.
func (s *session) ban(text string, banned bool) error {
	ieee, err := s.d.addressOf(text)
	if err != nil {
		return err
	}
	if err := s.d.setBanned(ieee, banned); err != nil || !banned {
		return err
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	dev := s.d.devices[ieee]
	if dev == nil {
		return nil
	}
	nwk := dev.NWK
	s.forget(dev)
	if nwk != radio.Unknown {
		s.tasks.start(func() { s.sendAway(s.ctx, ieee, nwk) })
	}
	return nil
}

// setBanned keeps whether a device may be in the network.
func (d *driver) setBanned(ieee radio.IEEE, banned bool) error {
	d.mu.Lock()
	if banned {
		d.banned[ieee] = true
	} else {
		delete(d.banned, ieee)
	}
	list := slices.Sorted(maps.Keys(d.banned))
	d.mu.Unlock()
	return d.put(bannedKey, list)
}

// markRemoved keeps whether a device that was removed has yet to be told so.
func (d *driver) markRemoved(ieee radio.IEEE, untold bool) error {
	d.mu.Lock()
	was := d.removed[ieee]
	if untold {
		d.removed[ieee] = true
	} else {
		delete(d.removed, ieee)
	}
	list := slices.Sorted(maps.Keys(d.removed))
	d.mu.Unlock()
	if was == untold {
		return nil
	}
	return d.put(removedKey, list)
}

// unwelcome sends a device away that is banned, or was removed while it did not listen; d.mu is held.
func (s *session) unwelcome(ieee radio.IEEE, nwk radio.NWK) bool {
	if !s.d.banned[ieee] && !s.d.removed[ieee] {
		return false
	}
	s.log.Info("a device that was banned or removed is sent away", "ieee", ieee)
	s.tasks.start(func() { s.sendAway(s.ctx, ieee, nwk) })
	return true
}

// sendAway asks a device to leave that is not wanted.
func (s *session) sendAway(ctx context.Context, ieee radio.IEEE, nwk radio.NWK) {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	err := s.askToLeave(ctx, &passerby{nwk})
	if err == nil {
		err = s.d.markRemoved(ieee, false)
	}
	if err != nil && s.ctx.Err() == nil {
		s.log.Warn("a device that is not wanted was asked to leave", "ieee", ieee, "error", err)
	}
}
