package zigbee

import (
	"context"
	"encoding/binary"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/traffic"
	"hearth/drivers/zigbee/zcl"
)

// What the coordinator itself is asked by devices: the time, what it is, whether somebody waits for a sleeper that
// checks in, whether there is firmware.

// zigbeeEpoch is where the ZCL's UTC time begins.
func zigbeeEpoch() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// Commands of the clusters that are served here.
const (
	checkIn         = 0x00 // Poll Control, from the device; its answer has the same number
	fastPollStop    = 0x01
	fastPollQuarter = 40 // quarters of a second for which a sleeper listens when something waits for it
)

// serve answers what a device asks the coordinator, and reports whether it was such; d.mu is held.
func (s *session) serve(dev *device, m radio.Message, f zcl.Frame) bool {
	if m.Group || m.Target.Broadcast() {
		return false
	}
	switch {
	case f.Global && f.Command == zcl.CommandReadAttributes && !f.ToClient:
		s.answerRead(dev, m, f)
	case m.Cluster == zcl.ClusterPollControl && !f.Global && f.ToClient && f.Command == checkIn:
		s.answerCheckIn(dev, m, f)
	case m.Cluster == zcl.ClusterOTA && !f.Global && !f.ToClient:
		s.serveFirmware(dev, m, f)
	default:
		return false
	}
	return true
}

func (s *session) answerRead(dev *device, m radio.Message, f zcl.Frame) {
	ids, err := zcl.ParseReadAttributes(f.Payload)
	if err != nil {
		s.reply(dev, m, zcl.DefaultResponse(f.Command, zcl.MalformedCommand).InReplyTo(f))
		return
	}
	results := make([]zcl.AttributeResult, len(ids))
	for i, id := range ids {
		results[i] = s.ownAttribute(m.Cluster, id)
	}
	s.reply(dev, m, zcl.ReadAttributesResponse(results...).InReplyTo(f))
}

// ownAttribute is an attribute of the coordinator: enough of Basic and Time for devices that want a clock.
func (s *session) ownAttribute(cluster, id uint16) zcl.AttributeResult {
	now, trusted := s.d.env.Now()
	seconds := uint64(now.Sub(zigbeeEpoch()) / time.Second)
	_, offset := now.Local().Zone()
	value := func(v zcl.Value) zcl.AttributeResult { return zcl.AttributeResult{ID: id, Value: v} }
	switch {
	case cluster == zcl.ClusterBasic && id == zcl.AttrBasicZCLVersion:
		return value(zcl.UintOf(zcl.Uint8, 8))
	case cluster == zcl.ClusterBasic && id == zcl.AttrBasicManufacturerName:
		return value(zcl.TextOf("Hearth"))
	case cluster == zcl.ClusterBasic && id == zcl.AttrBasicPowerSource:
		return value(zcl.UintOf(zcl.Enum8, 1))
	case cluster != zcl.ClusterTime || !trusted:
		return zcl.AttributeResult{ID: id, Status: zcl.UnsupportedAttribute}
	case id == zcl.AttrTimeTime:
		return value(zcl.UintOf(zcl.UTCTime, seconds))
	case id == zcl.AttrTimeTimeStatus:
		return value(zcl.UintOf(zcl.Bitmap8, 0x03)) // master, synchronised
	case id == zcl.AttrTimeTimeZone:
		return value(zcl.IntOf(zcl.Int32, int64(offset)))
	case id == zcl.AttrTimeStandardTime, id == zcl.AttrTimeLocalTime:
		return value(zcl.UintOf(zcl.Uint32, uint64(int64(seconds)+int64(offset))))
	}
	return zcl.AttributeResult{ID: id, Status: zcl.UnsupportedAttribute}
}

// answerCheckIn has a sleeper listen for a while if something waits for it (ZCL 3.16.5.4).
func (s *session) answerCheckIn(dev *device, m radio.Message, f zcl.Frame) {
	wanted := dev.asks > 0 || dev.interviewing
	payload := []byte{0}
	if wanted {
		payload[0] = 1
	}
	payload = binary.LittleEndian.AppendUint16(payload, fastPollQuarter)
	s.reply(dev, m, zcl.ClusterCommand(checkIn, payload...).InReplyTo(f))
	if !wanted {
		return
	}
	to := traffic.Target{Local: m.Local, Remote: m.Remote, Cluster: m.Cluster}
	s.tasks.start(func() {
		if !s.untilAsked(dev) {
			return
		}
		ctx, cancel := context.WithTimeout(s.ctx, backgroundTime)
		defer cancel()
		if err := s.traffic.Tell(ctx, dev, to, zcl.ClusterCommand(fastPollStop)); err != nil {
			s.log.Debug("a sleeper was not told that it may sleep", "device", dev.id, "error", err)
		}
	})
}

// untilAsked waits until nothing waits for the device any more, and reports whether that was while it still listens.
func (s *session) untilAsked(dev *device) bool {
	const look = 500 * time.Millisecond
	for range fastPollQuarter / 4 * int(time.Second/look) {
		if !pause(s.ctx, look) {
			return false
		}
		s.d.mu.Lock()
		busy := dev.asks > 0 || dev.interviewing
		s.d.mu.Unlock()
		if !busy {
			return true
		}
	}
	return false
}
