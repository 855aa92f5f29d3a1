package zigbee

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// What is read of the Basic cluster: in pieces, since some devices answer nothing where they do not know all.
func basicAttributes() [][]uint16 {
	return [][]uint16{
		{zcl.AttrBasicManufacturerName, zcl.AttrBasicModelIdentifier, zcl.AttrBasicPowerSource},
		{zcl.AttrBasicApplicationVersion, zcl.AttrBasicDateCode, zcl.AttrBasicSWBuildID},
	}
}

// basic reads make and model. A device that has told its model by itself need not answer.
func (i *interview) basic(ctx context.Context) error {
	answered := false
	for _, attributes := range basicAttributes() {
		ok, err := i.step(ctx, func(ctx context.Context) error { return i.askBasic(ctx, attributes) })
		if err != nil {
			return err
		}
		answered = answered || ok
	}
	for _, attribute := range basicAttributes()[0][:2] {
		if answered && !i.done(func() bool { return i.dev.Model == "" || i.dev.Vendor == "" }) {
			break
		}
		ok, err := i.step(ctx, func(ctx context.Context) error { return i.askBasic(ctx, []uint16{attribute}) })
		if err != nil {
			return err
		}
		answered = answered || ok
	}
	i.learn(func(dev *device) { dev.BasicRead = answered || dev.Model != "" })
	return nil
}

func (i *interview) askBasic(ctx context.Context, attributes []uint16) error {
	i.s.d.mu.Lock()
	endpoint := i.dev.basicEndpoint()
	i.s.d.mu.Unlock()
	results, err := i.s.readNow(ctx, i.dev, expose.Read{Endpoint: endpoint, Cluster: zcl.ClusterBasic, Attributes: attributes})
	if err != nil {
		return err
	}
	i.learn(func(dev *device) {
		for _, r := range results {
			if r.Status == zcl.Success {
				dev.learnBasic(r.ID, r.Value)
			}
		}
	})
	return nil
}

// basicEndpoint is where the Basic cluster is asked; d.mu is held.
func (dev *device) basicEndpoint() uint8 {
	for _, e := range dev.Endpoints {
		if slices.Contains(e.In, zcl.ClusterBasic) {
			return e.ID
		}
	}
	if len(dev.Endpoints) > 0 {
		return dev.Endpoints[0].ID
	}
	return 1
}

// learnBasic takes what the Basic cluster says, and reports whether that is news; d.mu is held.
func (dev *device) learnBasic(attribute uint16, v zcl.Value) bool {
	before := [4]string{dev.Vendor, dev.Model, dev.Firmware, dev.DateCode}
	power := dev.Power
	text := tidy(v.Text())
	switch attribute {
	case zcl.AttrBasicManufacturerName:
		dev.Vendor = cmp.Or(text, dev.Vendor)
	case zcl.AttrBasicModelIdentifier:
		dev.Model = cmp.Or(text, dev.Model)
	case zcl.AttrBasicDateCode:
		dev.DateCode = cmp.Or(text, dev.DateCode)
	case zcl.AttrBasicSWBuildID:
		dev.Firmware = cmp.Or(text, dev.Firmware)
	case zcl.AttrBasicApplicationVersion:
		if n, ok := v.Number(); ok && dev.Firmware == "" {
			dev.Firmware = strconv.Itoa(int(n))
		}
	case zcl.AttrBasicPowerSource:
		if n, ok := v.Number(); ok {
			dev.Power = uint8(n)
		}
	}
	return before != [4]string{dev.Vendor, dev.Model, dev.Firmware, dev.DateCode} || power != dev.Power
}

// learnFrom takes what a device says of itself before it was asked: some never answer, and tell their model when they
// join; d.mu is held.
func (s *session) learnFrom(dev *device, m radio.Message, f zcl.Frame) {
	if m.Cluster != zcl.ClusterBasic || !f.Global || f.Command != zcl.CommandReportAttributes {
		return
	}
	attributes, _ := zcl.ParseReport(f.Payload) // what could be read before trouble is good
	news := false
	for _, a := range attributes {
		news = dev.learnBasic(a.ID, a.Value) || news
	}
	if news {
		dev.remodel()
		s.announceDevice(dev)
		s.touch(dev)
	}
}
