package expose

import (
	"math"
	"testing"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// reflected has a device do what it was asked for, as the standard has it, and say so: the report of its attributes.
func reflected(t *testing.T, requests []Request) (endpoint uint8, cluster uint16, frame zcl.Frame) {
	t.Helper()
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	r := requests[0]
	p := r.Frame.Payload
	report := func(attributes ...zcl.Attribute) zcl.Frame { return zcl.ReportAttributes(attributes...) }
	word := func(at int) uint64 { return uint64(p[at]) | uint64(p[at+1])<<8 }
	uint16Of := func(id uint16, n uint64) zcl.Attribute {
		return zcl.Attribute{ID: id, Value: zcl.UintOf(zcl.Uint16, n)}
	}
	uint8Of := func(id uint16, n byte) zcl.Attribute {
		return zcl.Attribute{ID: id, Value: zcl.UintOf(zcl.Uint8, uint64(n))}
	}
	switch {
	case r.Frame.Global:
		attributes, err := zcl.ParseWriteAttributes(p)
		if err != nil {
			t.Fatal(err)
		}
		frame = report(attributes...)
	case r.Cluster == zcl.ClusterLevelControl:
		frame = report(uint8Of(0, p[0]))
	case r.Cluster == zcl.ClusterWindowCovering && r.Frame.Command == zcl.CmdWindowCoveringGoToTiltPercentage:
		frame = report(uint8Of(9, p[0]))
	case r.Cluster == zcl.ClusterWindowCovering:
		frame = report(uint8Of(8, p[0]))
	case r.Frame.Command == zcl.CmdColorControlMoveToColorTemperature:
		frame = report(uint16Of(7, word(0)))
	case r.Frame.Command == zcl.CmdColorControlMoveToColor:
		frame = report(uint16Of(3, word(0)), uint16Of(4, word(2)))
	case r.Frame.Command == zcl.CmdColorControlEnhancedMoveToHueAndSaturation:
		frame = report(uint16Of(0x4000, word(0)), uint8Of(1, p[2]))
	case r.Frame.Command == zcl.CmdColorControlMoveToHueAndSaturation:
		frame = report(uint8Of(0, p[0]), uint8Of(1, p[1]))
	default:
		t.Fatalf("nobody does %04x %v", r.Cluster, r.Frame)
	}
	return r.Endpoint, r.Cluster, frame
}

// Every number that can be written comes back, if the device does it, as near as home wants it: half a percent of the range.
func TestNumbersSurvive(t *testing.T) {
	together := map[string]string{"color_x": "color_y", "color_y": "color_x", "color_hue": "color_saturation", "color_saturation": "color_hue"}
	hueLamp := mains(endpoint(1, 0x0102, []uint16{6, 8, 0x300})).knowing(facts("1/0300/400a", 0x01))
	tested := map[string]bool{}
	for _, d := range []Description{colorBulb(), whiteBulb(), hueLamp, dimmer(), blind(), radiatorValve(), airConditioner(), controller()} {
		m := New(d, nil)
		for _, p := range m.Device("radio:1").Properties {
			if p.Kind != hearth.Number || !p.Writable || p.WriteOnly {
				continue
			}
			if d.Facts["1/0300/400a"] == 0x01 && (p.Name == "color_x" || p.Name == "color_y") {
				continue // a lamp of hues cannot show all points
			}
			tested[p.Name] = true
			for i := 0; i <= 1000; i++ {
				v := *p.Min + (*p.Max-*p.Min)*float64(i)/1000
				if p.Name == "brightness" && v == 0 {
					continue // that is being off: see TestDimmedToNothing
				}
				set := map[string]hearth.Value{p.Name: hearth.NumberOf(v)}
				if other := together[p.Name]; other != "" {
					set[other] = hearth.NumberOf(0.3)
				}
				requests, err := m.Outgoing(set, nil)
				if err != nil {
					t.Fatalf("%s %v: %v", p.Name, v, err)
				}
				endpoint, cluster, frame := reflected(t, requests)
				said := m.Incoming(Incoming{Endpoint: endpoint, Cluster: cluster, Frame: frame})
				back, ok := 0.0, false
				for _, s := range said.Values {
					if s.Property == p.Name {
						back, ok = s.Value.Number(), true
					}
				}
				resolution := 0.005 * (*p.Max - *p.Min)
				if p.Name == "multistate_output" {
					resolution = 0.5
				}
				if !ok || math.Abs(back-v) > resolution+1e-9 {
					t.Fatalf("%s %v comes back as %v (%v)", p.Name, v, back, ok)
				}
			}
		}
	}
	if len(tested) < 10 {
		t.Errorf("only %v were tested", keys(tested))
	}
}

func TestAllLevelsSurvive(t *testing.T) {
	for level := 1; level <= 254; level++ {
		if back := levelOf(percent(float64(level))); int(back) != level {
			t.Errorf("level %d is %v %%, and that is level %d", level, percent(float64(level)), back)
		}
	}
}

func TestAllMiredsSurvive(t *testing.T) {
	m := New(whiteBulb(), nil)
	for mireds := 50; mireds <= 1000; mireds++ {
		requests, err := m.Outgoing(map[string]hearth.Value{"color_temperature": hearth.NumberOf(kelvinOf(float64(mireds)))}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p := requests[0].Frame.Payload; int(p[0])|int(p[1])<<8 != mireds {
			t.Errorf("%d mired are %v K, and those are %d mired", mireds, kelvinOf(float64(mireds)), int(p[0])|int(p[1])<<8)
		}
	}
}
