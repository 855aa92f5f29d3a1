package expose

import (
	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// fan is the Fan Control cluster (ZCL 6.4): a few speeds, and modes in which it finds its speed itself.
type fan struct {
	endpoint    uint8
	speed, mode *slot
	asked       float64 // the speed asked for last: the mode that stands for it is told as just that
}

func fanModes() map[float64]string {
	return map[float64]string{0: "off", 1: "low", 2: "medium", 3: "high", 4: "on", 5: "auto", 6: "smart"}
}

func buildFan(b *builder, e Endpoint) {
	const cluster = zcl.ClusterFanControl
	b.ask(e.ID, cluster, zcl.AttrFanControlFanModeSequence)
	f := &fan{endpoint: e.ID, asked: -1}
	f.speed = b.slot(e.ID, word("fan_speed").AsWritable())
	options := []string{"off", "low", "medium", "high", "on", "auto", "smart"}
	f.mode = b.slot(e.ID, word("fan_mode").OneOf(options...).AsWritable())
	b.report(f.speed, cluster, zcl.AttrFanControlFanMode, atOnce())
	b.part(e.ID, cluster).together = f.heard
	medium := int(b.factOr(e.ID, cluster, zcl.AttrFanControlFanModeSequence, 0))%2 == 0
	b.act(func(w wish) ([]Request, error) { return f.carry(w, medium) }, f.speed, f.mode)
}

// speedMode returns the mode that stands for a speed; without a medium one there are two.
func speedMode(speed float64, medium bool) float64 {
	switch {
	case speed <= 0:
		return 0
	case medium && speed <= 34, !medium && speed <= 50:
		return 1
	case medium && speed <= 67:
		return 2
	}
	return 3
}

func (f *fan) heard(attributes []zcl.Attribute, h *hearing) {
	for _, a := range attributes {
		if a.ID != zcl.AttrFanControlFanMode {
			continue
		}
		n := float64(a.Value.Uint())
		h.say(f.mode, named(fanModes())(a.Value))
		speed, has := map[float64]float64{0: 0, 1: 33, 2: 67, 3: 100, 4: 100}[n]
		switch {
		case !has:
		case f.asked >= 0 && (speedMode(f.asked, true) == n || speedMode(f.asked, false) == n):
			h.say(f.speed, hearth.NumberOf(f.asked))
		default:
			h.say(f.speed, hearth.NumberOf(speed))
		}
	}
}

func (f *fan) carry(w wish, medium bool) ([]Request, error) {
	speed, bySpeed := w.of(f.speed)
	mode, byMode := w.of(f.mode)
	if bySpeed && byMode {
		return nil, hearth.Errorf(hearth.CodeBadValue, "a fan has one speed: give fan_speed or fan_mode")
	}
	n := speedMode(speed.Number(), medium)
	f.asked = speed.Number()
	if byMode {
		var err error
		if n, err = numbered(fanModes())(mode); err != nil {
			return nil, err
		}
		f.asked = -1
	}
	t := target{endpoint: f.endpoint, cluster: zcl.ClusterFanControl, attribute: attribute{zcl.AttrFanControlFanMode, 0}}
	return []Request{t.write(zcl.UintOf(zcl.Enum8, uint64(n)))}, nil
}
