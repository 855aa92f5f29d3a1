package expose

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hearth"
)

func TestOutgoing(t *testing.T) {
	type vector struct {
		set  map[string]any
		now  map[string]any
		want string
	}
	xyLamp := mains(endpoint(1, 0x0102, []uint16{6, 8, 0x300})).knowing(facts("1/0300/400a", 0x08))
	hueLamp := mains(endpoint(1, 0x0102, []uint16{6, 8, 0x300})).knowing(facts("1/0300/400a", 0x01))
	lowFan := mains(endpoint(1, 0x0301, []uint16{0x202})).knowing(facts("1/0202/0001", 1))
	for _, test := range []struct {
		name    string
		of      Description
		vectors []vector
	}{
		{"plug", meteringPlug(), []vector{
			{map[string]any{"on": true}, nil, "1/0006 010001"},
			{map[string]any{"on": false}, nil, "1/0006 010000"},
			{map[string]any{"identify": true}, nil, "1/0003 0100000a00"},
			{map[string]any{"identify": false}, nil, "1/0003 0100000000"},
			{map[string]any{"refresh": true}, nil, "1/0006 0000000000, 1/0b04 0000000b0505050805, 1/0702 0000000000"},
			{map[string]any{"refresh": false}, nil, ""},
		}},
		{"two gangs", mains(endpoint(1, 0x0100, []uint16{6}), endpoint(2, 0x0100, []uint16{6})), []vector{
			{map[string]any{"on_2": true}, nil, "2/0006 010001"},
			{map[string]any{"on": true, "on_2": false}, nil, "1/0006 010001, 2/0006 010000"},
		}},
		{"dimmer", dimmer(), []vector{
			{map[string]any{"on": true}, nil, "1/0006 010001"},
			{map[string]any{"brightness": 50}, nil, "1/0008 0100047f0000"},
			{map[string]any{"brightness": 0.1}, nil, "1/0008 010004010000"},
			{map[string]any{"brightness": 0}, nil, "1/0008 010004000000"},
			{map[string]any{"brightness": 100, "transition": 2.5}, nil, "1/0008 010004fe1900"},
			{map[string]any{"on": true, "brightness": 40, "transition": 1}, nil, "1/0008 010004660a00"},
			{map[string]any{"on": false, "brightness": 0}, nil, "1/0008 010004000000"},
			{map[string]any{"on": false, "transition": 3}, nil, "1/0008 010004001e00"},
			{map[string]any{"on": true, "transition": 3}, map[string]any{"brightness": 40}, "1/0008 010004661e00"},
			{map[string]any{"on": true, "transition": 3}, nil, "1/0008 010004fe1e00"},
			{map[string]any{"on": true, "transition": 0}, nil, "1/0006 010001"},
			{map[string]any{"brightness": 100, "transition": 6553}, nil, "1/0008 010004fefaff"},
		}},
		{"white bulb", whiteBulb(), []vector{
			{map[string]any{"color_temperature": 2700}, nil, "1/0300 01000a72010000"},
			{map[string]any{"color_temperature": 2700, "transition": 1}, nil, "1/0300 01000a72010a00"},
			{map[string]any{"color_temperature": 2700}, map[string]any{"on": false}, "1/0300 01000a72010000"}, // it has no options
			{map[string]any{"on": true, "brightness": 40, "color_temperature": 4000}, nil, "1/0008 010004660000, 1/0300 01000afa000000"},
		}},
		{"colour bulb", colorBulb(), []vector{
			{map[string]any{"color_temperature": 2700}, map[string]any{"on": false}, "1/0300 01000a720100000101"},
			{map[string]any{"color_temperature": 2700}, map[string]any{"on": true}, "1/0300 01000a72010000"},
			{map[string]any{"color_temperature": 2700, "on": true}, map[string]any{"on": false}, "1/0006 010001, 1/0300 01000a72010000"},
			{map[string]any{"color_temperature": 2700, "on": false}, nil, "1/0300 01000a720100000101, 1/0006 010000"},
			{map[string]any{"color_x": 0.5, "color_y": 0.25}, nil, "1/0300 010007008000400000"},
			{map[string]any{"color_x": 0.5}, map[string]any{"color_y": 0.25}, "1/0300 010007008000400000"},
			{map[string]any{"color_x": 1, "color_y": 0}, nil, "1/0300 010007fffe00000000"},
			{map[string]any{"color_hue": 180, "color_saturation": 100}, nil, "1/0300 0100430080fe0000"},
			{map[string]any{"color_hue": 360, "color_saturation": 0}, nil, "1/0300 010043feff000000"},
			{map[string]any{"color_hue": 180}, map[string]any{"color_saturation": 50}, "1/0300 01004300807f0000"},
			{map[string]any{"color_hue": 180}, nil, "1/0300 0100430080fe0000"},
			{map[string]any{"color_saturation": 50}, map[string]any{"color_hue": 180}, "1/0300 01004300807f0000"},
			{map[string]any{"on": true, "brightness": 100, "color_hue": 180, "color_saturation": 100, "transition": 1}, nil, "1/0008 010004fe0a00, 1/0300 0100430080fe0a00"},
			{map[string]any{"power_on_behavior": "previous"}, nil, "1/0006 0000020340" + "30ff"},
			{map[string]any{"power_on_behavior": "off"}, nil, "1/0006 0000020340" + "3000"},
		}},
		{"lamp of xy", xyLamp, []vector{{map[string]any{"color_hue": 0, "color_saturation": 100}, nil, "1/0300 010007d7a37b540000"}}}, // 0.64, 0.33
		{"lamp of hue", hueLamp, []vector{{map[string]any{"color_x": 0.64, "color_y": 0.33}, nil, "1/0300 01000600fe0000"}}},          // red
		{"plain hue", hueLamp, []vector{{map[string]any{"color_hue": 120, "color_saturation": 100}, nil, "1/0300 01000655fe0000"}}},   // a third of 254
		{"blind", blind(), []vector{
			{map[string]any{"position": 70}, nil, "1/0102 0100051e"},
			{map[string]any{"position": 100, "tilt": 0}, nil, "1/0102 01000500, 1/0102 01000864"},
			{map[string]any{"movement": "open"}, nil, "1/0102 010000"},
			{map[string]any{"movement": "close"}, nil, "1/0102 010001"},
			{map[string]any{"movement": "stop"}, nil, "1/0102 010002"},
		}},
		{"lock", frontDoor(), []vector{
			{map[string]any{"lock": "locked"}, nil, "1/0101 01000000"},
			{map[string]any{"lock": "unlocked"}, nil, "1/0101 01000100"},
		}},
		{"radiator valve", radiatorValve(), []vector{
			{map[string]any{"target_temperature": 21.5}, nil, "1/0201 0000021200" + "296608"},
			{map[string]any{"hvac_mode": "heat"}, nil, "1/0201 0000021c00" + "3004"},
			{map[string]any{"hvac_mode": "heat", "target_temperature": 21.5, "local_temperature_calibration": -1.5}, nil,
				"1/0201 0000021c00" + "3004" + "1200" + "296608" + "1000" + "28f1"},
			{map[string]any{"child_lock": true}, nil, "1/0204 0000020100" + "3001"},
		}},
		{"air conditioner", airConditioner(), []vector{
			{map[string]any{"target_temperature": 20}, nil, "1/0201 0000021200" + "29d007"},
			{map[string]any{"hvac_mode": "cool", "target_temperature": 26}, nil, "1/0201 0000021c00" + "30031100" + "29280a"},
			{map[string]any{"hvac_mode": "fan_only"}, nil, "1/0201 0000021c00" + "3007"},
			{map[string]any{"fan_speed": 50}, nil, "1/0202 0000020000" + "3002"},
			{map[string]any{"fan_speed": 0}, nil, "1/0202 0000020000" + "3000"},
			{map[string]any{"fan_mode": "auto"}, nil, "1/0202 0000020000" + "3005"},
		}},
		{"fan of two speeds", lowFan, []vector{
			{map[string]any{"fan_speed": 50}, nil, "1/0202 0000020000" + "3001"},
			{map[string]any{"fan_speed": 51}, nil, "1/0202 0000020000" + "3003"},
		}},
		{"siren", sirenDevice(), []vector{
			{map[string]any{"alarm": true}, nil, "1/0502 010000" + "17f0003203"},
			{map[string]any{"alarm": true, "alarm_mode": "fire", "alarm_volume": "low", "alarm_strobe": false, "alarm_duration": 300}, nil, "1/0502 010000" + "202c010000"},
			{map[string]any{"alarm": false}, nil, "1/0502 010000" + "0000000000"},
			{map[string]any{"squawk": "armed"}, nil, "1/0502 010001" + "09"},
			{map[string]any{"squawk": "disarmed"}, nil, "1/0502 010001" + "19"},
		}},
		{"controller", controller(), []vector{
			{map[string]any{"fan_voltage": 1}, nil, "1/000d 0000025500" + "390000803f"},
			{map[string]any{"binary_output": true}, nil, "1/0010 0000025500" + "1001"},
			{map[string]any{"multistate_output": 3}, nil, "1/0013 0000025500" + "210300"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, v := range test.vectors {
				requests, err := New(test.of, nil).Outgoing(wished(v.set), nowIs(v.now))
				if got := sent(requests); err != nil || got != v.want {
					t.Errorf("%v\nis sent as %s, %v; want %s", v.set, got, err, v.want)
				}
				for _, r := range requests {
					if !r.Answer {
						t.Errorf("%v: the answer is not waited for", v.set)
					}
				}
			}
		})
	}
}

func TestConfirm(t *testing.T) {
	for _, test := range []struct {
		of      Description
		set     map[string]any
		want    string
		settles time.Duration
	}{
		{meteringPlug(), map[string]any{"on": true}, "1/0006[0000]", 0},
		{dimmer(), map[string]any{"on": true, "brightness": 40, "transition": 2}, "1/0008[0000] 1/0006[0000]", 2 * time.Second},
		{whiteBulb(), map[string]any{"color_temperature": 2700}, "1/0300[0008 0007]", 0},
		{colorBulb(), map[string]any{"color_hue": 180}, "1/0300[0008 0003 0004 4000 0001 0007]", 0},
		{blind(), map[string]any{"position": 10}, "1/0102[0008 0009]", 0},
		{blind(), map[string]any{"movement": "stop"}, "1/0102[0008 0009]", 0},
		{frontDoor(), map[string]any{"lock": "locked"}, "1/0101[0000]", 0},
		{radiatorValve(), map[string]any{"hvac_mode": "heat", "target_temperature": 20}, "1/0201[001c] 1/0201[0012]", 0},
		{sirenDevice(), map[string]any{"alarm": true}, "", 0},
		{meteringPlug(), map[string]any{"identify": true}, "", 0},
	} {
		requests, err := New(test.of, nil).Outgoing(wished(test.set), nil)
		if got := confirms(requests); err != nil || got != test.want {
			t.Errorf("%v is read back by %s, %v; want %s", test.set, got, err, test.want)
		}
		if requests[0].Settles != test.settles {
			t.Errorf("%v settles in %v, want %v", test.set, requests[0].Settles, test.settles)
		}
	}
}

func TestWishesThatCannotBe(t *testing.T) {
	for _, test := range []struct {
		of         Description
		set        map[string]any
		code, says string
	}{
		{dimmer(), map[string]any{"on": false, "brightness": 40}, hearth.CodeBadValue, "a lamp that is off"},
		{dimmer(), map[string]any{"on": true, "brightness": 0}, hearth.CodeBadValue, "a lamp that is on"},
		{dimmer(), map[string]any{"transition": 2}, hearth.CodeBadValue, "give on, brightness or a colour"},
		{dimmer(), map[string]any{"brightness": 101}, hearth.CodeBadValue, "0 to 100"},
		{dimmer(), map[string]any{"brightness": "much"}, hearth.CodeBadValue, "takes a number"},
		{dimmer(), map[string]any{"power": 1}, hearth.CodeNoDevice, "no property power"},
		{meteringPlug(), map[string]any{"power": 1}, hearth.CodeReadOnly, "only be read"},
		{colorBulb(), map[string]any{"color_temperature": 2700, "color_x": 0.3, "color_y": 0.3}, hearth.CodeBadValue, "one colour"},
		{colorBulb(), map[string]any{"color_hue": 100, "color_x": 0.3, "color_y": 0.3}, hearth.CodeBadValue, "one colour"},
		{colorBulb(), map[string]any{"color_x": 0.3}, hearth.CodeBadValue, "only together"},
		{colorBulb(), map[string]any{"color_temperature": 1000}, hearth.CodeBadValue, "2000 to 6536"},
		{colorBulb(), map[string]any{"power_on_behavior": "sometimes"}, hearth.CodeBadValue, "one of"},
		{blind(), map[string]any{"position": 10, "movement": "stop"}, hearth.CodeBadValue, "or movement"},
		{frontDoor(), map[string]any{"lock": "jammed"}, hearth.CodeBadValue, "locked or unlocked"},
		{frontDoor(), map[string]any{"open": true}, hearth.CodeReadOnly, "only be read"},
		{sirenDevice(), map[string]any{"alarm_volume": "low"}, hearth.CodeBadValue, "give alarm"},
		{airConditioner(), map[string]any{"fan_speed": 10, "fan_mode": "low"}, hearth.CodeBadValue, "one speed"},
		{radiatorValve(), map[string]any{"target_temperature": 31}, hearth.CodeBadValue, "5 to 30"},
		{radiatorValve(), map[string]any{"hvac_mode": "cool"}, hearth.CodeBadValue, "off, heat, auto"},
		{remoteControl(), map[string]any{"button_on": "single"}, hearth.CodeReadOnly, "only be read"},
	} {
		requests, err := New(test.of, nil).Outgoing(wished(test.set), nil)
		var coded *hearth.Error
		if !errors.As(err, &coded) || coded.Code != test.code || !strings.Contains(coded.Message, test.says) || requests != nil {
			t.Errorf("%v: %v, %v; want %s: …%s…", test.set, requests, err, test.code, test.says)
		}
	}
}

// What one wish makes stale does not last: a lamp that was faded to nothing is at 0 % until it comes on.
func TestDimmedToNothing(t *testing.T) {
	m := New(dimmer(), nil)
	if _, err := m.Outgoing(wished(map[string]any{"brightness": 0}), nil); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		cluster uint16
		frame   string
		want    string
		reads   int
	}{
		{0x0008, "18 01 0a 0000 20 33", "brightness=20.1", 0},       // on its way
		{0x0006, "18 01 0a 0000 10 00", "on=false brightness=0", 0}, // there
		{0x0008, "18 01 01 0000 00 20 fe", "", 0},                   // what it will be again
		{0x0006, "18 01 0a 0000 10 01", "on=true", 1},
		{0x0008, "18 01 01 0000 00 20 fe", "brightness=100", 0},
		{0x0006, "18 01 0a 0000 10 00", "on=false", 0},
	} {
		said := hears(t, m, 1, step.cluster, step.frame)
		if told(said) != step.want || len(said.Reads) != step.reads {
			t.Errorf("%04x %s says %s and reads %v, want %s", step.cluster, step.frame, told(said), said.Reads, step.want)
		}
	}
}

// A fan has fewer speeds than a percentage: that which was asked for is what it is said to have.
func TestSpeedAskedFor(t *testing.T) {
	m := New(airConditioner(), nil)
	steps := []struct {
		ask   float64
		frame string
		want  string
	}{
		{-1, "18 01 0a 0000 30 02", "fan_mode=\"medium\" fan_speed=67"},
		{50, "18 01 0a 0000 30 02", "fan_mode=\"medium\" fan_speed=50"},
		{-1, "18 01 0a 0000 30 03", "fan_mode=\"high\" fan_speed=100"},
		{-1, "18 01 0a 0000 30 05", "fan_mode=\"auto\""},
	}
	for _, s := range steps {
		if s.ask >= 0 {
			if _, err := m.Outgoing(wished(map[string]any{"fan_speed": s.ask}), nil); err != nil {
				t.Fatal(err)
			}
		}
		if got := told(hears(t, m, 1, 0x0202, s.frame)); got != s.want {
			t.Errorf("%s says %s, want %s", s.frame, got, s.want)
		}
	}
}

// A lamp that was faded to off comes on as it was: it may think that the last step of the fade was its level.
func TestFadedLampsComeBack(t *testing.T) {
	m := New(dimmer(), nil)
	ask := func(now map[string]any, set map[string]any, want string) {
		t.Helper()
		requests, err := m.Outgoing(wished(set), nowIs(now))
		if got := sent(requests); err != nil || got != want {
			t.Errorf("%v is sent as %s, %v; want %s", set, got, err, want)
		}
	}
	lit, faint := map[string]any{"on": true, "brightness": 40}, map[string]any{"on": false, "brightness": 0.4}
	ask(lit, map[string]any{"on": false, "transition": 1}, "1/0008 010004000a00")
	hears(t, m, 1, 0x0006, "18 01 01 0000 00 10 01") // read while it fades
	hears(t, m, 1, 0x0006, "18 01 0a 0000 10 00")
	ask(faint, map[string]any{"on": false, "transition": 1}, "1/0008 010004000a00")
	ask(faint, map[string]any{"on": true}, "1/0008 010004660000")
	ask(faint, map[string]any{"on": true}, "1/0006 010001")
	ask(lit, map[string]any{"brightness": 0}, "1/0008 010004000000")
	ask(faint, map[string]any{"on": true, "transition": 2}, "1/0008 010004661400")
	ask(lit, map[string]any{"on": false, "transition": 1}, "1/0008 010004000a00")
	hears(t, m, 1, 0x0006, "18 01 0a 0000 10 00")
	hears(t, m, 1, 0x0006, "18 01 0a 0000 10 01") // by another hand
	ask(faint, map[string]any{"on": true}, "1/0006 010001")
}
