package fake

import (
	"encoding/binary"
	"time"

	"hearth/drivers/zigbee/zcl"
)

// A CheckIn is the Poll Control of a sleeping model (ZCL 3.16): it says now and then that it is awake, and stays so for as
// long as its host asks.
type CheckIn struct {
	Every time.Duration `yaml:"every"` // 0: as its check-in interval says
}

type checkIn struct {
	device *Device
	model  *CheckIn
	asked  bool // it waits for the answer
	since  *membership
}

func newCheckIn(d *Device, m *CheckIn) *checkIn { return &checkIn{device: d, model: m} }

func (c *checkIn) joined() {
	if c.since != c.device.member {
		c.since = c.device.member
		c.again(c.device.member)
	}
}

func (c *checkIn) endpoint() *endpoint {
	for _, e := range c.device.endpoints {
		if e.cluster(zcl.ClusterPollControl) != nil {
			return e
		}
	}
	return nil
}

func (c *checkIn) again(member *membership) {
	e := c.endpoint()
	if e == nil {
		return
	}
	every := c.model.Every
	if every == 0 {
		every = time.Duration(e.number(zcl.ClusterPollControl, zcl.AttrPollControlCheckInInterval)) * time.Second / 4
	}
	if every <= 0 {
		return
	}
	c.device.mesh.after(every, func() {
		if c.device.member != member {
			return
		}
		f := zcl.ClusterResponse(zcl.CmdPollControlCheckIn)
		f.NoDefaultResponse = false
		c.asked = c.device.toBound(e.model.ID, zcl.ClusterPollControl, f) > 0
		c.again(member)
	})
}

// hear takes the answer to a check-in, and what sets the intervals.
func (c *checkIn) hear(e *endpoint, cluster uint16, f zcl.Frame) bool {
	if cluster != zcl.ClusterPollControl || f.Global || f.ToClient {
		return false
	}
	p := f.Payload
	switch {
	case f.Command == zcl.CmdPollControlCheckInResponse && len(p) >= 3:
		if c.asked && p[0] != 0 {
			quarters := float64(binary.LittleEndian.Uint16(p[1:]))
			if quarters == 0 {
				quarters = e.number(zcl.ClusterPollControl, zcl.AttrPollControlFastPollTimeout)
			}
			c.device.awakeUntil = time.Now().Add(time.Duration(quarters) * time.Second / 4)
			c.device.mesh.after(0, c.device.poll)
		}
		c.asked = false
	case f.Command == zcl.CmdPollControlFastPollStop:
		c.device.awakeUntil = time.Now()
	case f.Command == zcl.CmdPollControlSetLongPollInterval && len(p) >= 4:
		e.set(zcl.ClusterPollControl, zcl.AttrPollControlLongPollInterval, float64(binary.LittleEndian.Uint32(p)))
	case f.Command == zcl.CmdPollControlSetShortPollInterval && len(p) >= 2:
		e.set(zcl.ClusterPollControl, zcl.AttrPollControlShortPollInterval, float64(binary.LittleEndian.Uint16(p)))
	}
	return false
}
