package expose

import (
	"strings"
	"testing"

	"hearth"
)

// Devices as they describe themselves, used by several tests.

func colorBulb() Description {
	return mains(endpoint(1, 0x010d, []uint16{0, 3, 4, 5, 6, 8, 0x300, 0x1000}, 0x19)).knowing(facts(
		"1/0300/400a", 0x1f, "1/0300/400b", 153, "1/0300/400c", 500, "1/0300/000f", 0, "1/0006/4003", 255))
}

func whiteBulb() Description {
	return mains(endpoint(1, 0x010c, []uint16{0, 3, 4, 5, 6, 8, 0x300}, 0x19)).knowing(facts(
		"1/0300/400a", 0x10, "1/0300/400b", 50, "1/0300/400c", 1000))
}

func dimmer() Description { return mains(endpoint(1, 0x0101, []uint16{0, 3, 6, 8})) }

func meteringPlug() Description {
	return mains(endpoint(1, 0x0051, []uint16{0, 3, 4, 5, 6, 0x702, 0xb04}, 0x19)).knowing(facts(
		"1/0b04/050b", 10, "1/0b04/0505", 2300, "1/0b04/0508", 100, "1/0b04/0601", 10, "1/0b04/0603", 1000, "1/0b04/0605", 10,
		"1/0702/0302", 1000, "1/0702/0301", 1, "1/0702/0000", 1, "1/0702/0400", 1))
}

func threePhaseMeter() Description {
	return mains(endpoint(1, 0x0053, []uint16{0, 0x702, 0xb04})).knowing(facts(
		"1/0b04/050b", 1, "1/0b04/090b", 1, "1/0b04/0a0b", 1, "1/0b04/0505", 1, "1/0b04/0905", 1, "1/0b04/0a05", 1,
		"1/0b04/0508", 1, "1/0b04/0908", 1, "1/0b04/0a08", 1, "1/0b04/0304", 1, "1/0b04/0300", 50, "1/0b04/0510", 1,
		"1/0b04/0602", 1, "1/0b04/0603", 100, "1/0b04/0400", 1, "1/0b04/0401", 10, "1/0702/0000", 1, "1/0702/0001", 1, "1/0702/0303", 0x2b))
}

func climateSensor() Description {
	return battery(endpoint(1, 0x0302, []uint16{0, 1, 3, 0x402, 0x405, 0x20}, 0x19))
}

func radiatorValve() Description {
	return battery(endpoint(1, 0x0301, []uint16{0, 1, 3, 0x20, 0x201, 0x204}, 0xa, 0x19)).knowing(facts(
		"1/0201/001b", 2, "1/0201/0015", 500, "1/0201/0016", 3000, "1/0201/0008", 0, "1/0201/001c", 4, "1/0201/0012", 2000, "1/0201/0010", 0))
}

func airConditioner() Description {
	return mains(endpoint(1, 0x0301, []uint16{0, 0x201, 0x202})).knowing(facts(
		"1/0201/001b", 4, "1/0201/0003", 700, "1/0201/0004", 3000, "1/0201/0005", 1600, "1/0201/0006", 3200,
		"1/0201/0011", 2600, "1/0201/0012", 2000, "1/0201/001c", 3, "1/0201/0029", 0, "1/0202/0001", 2))
}

func remoteControl() Description {
	return battery(endpoint(1, 0x0820, []uint16{0, 1, 3, 0x1000}, 3, 4, 5, 6, 8, 0x300))
}

func contactSensor() Description {
	return battery(endpoint(1, 0x0402, []uint16{0, 1, 3, 0x500}, 0x19)).knowing(facts("1/0500/0001", 0x15))
}

func blind() Description {
	return mains(endpoint(1, 0x0202, []uint16{0, 3, 4, 5, 6, 8, 0x102})).knowing(facts("1/0102/0000", 8, "1/0102/0008", 0, "1/0102/0009", 0))
}

func frontDoor() Description {
	return battery(endpoint(1, 0x000a, []uint16{0, 1, 3, 9, 0x101})).knowing(facts("1/0101/0003", 1))
}

func sirenDevice() Description {
	return mains(endpoint(1, 0x0403, []uint16{0, 3, 0x500, 0x502})).knowing(facts("1/0500/0001", 0x225))
}

func controller() Description {
	d := mains(endpoint(1, 0x0000, []uint16{0xc, 0xd, 0xf, 0x10, 0x12, 0x13}), endpoint(2, 0x0000, []uint16{0xc})).knowing(facts(
		"1/000c/0075", 62, "1/000d/0045", 0, "1/000d/0041", 10, "1/0013/004a", 4))
	d.Texts = map[string]string{"1/000d/001c": "Fan Voltage", "1/000f/001c": "Power", "2/000c/001c": "Tank level!"}
	return d
}

func TestDevices(t *testing.T) {
	for _, test := range []struct {
		name       string
		of         Description
		as         hearth.Type
		properties string
	}{
		{"colour bulb", colorBulb(), "light", "on:w brightness:w color_temperature:w color_x:w color_y:w color_hue:w color_saturation:w transition:o power_on_behavior:w identify:o refresh:o"},
		{"white bulb", whiteBulb(), "light", "on:w brightness:w color_temperature:w transition:o identify:o refresh:o"},
		{"dimmer", dimmer(), "light", "on:w brightness:w transition:o identify:o refresh:o"},
		{"plug", meteringPlug(), "outlet", "on:w power voltage current energy identify:o refresh:o"},
		{"plug before it was read", mains(endpoint(1, 0x0051, []uint16{0, 6, 0x702, 0xb04})), "outlet", "on:w power voltage current energy refresh:o"},
		{"three phases", threePhaseMeter(), "meter", "power frequency power_l1 voltage_l1 current_l1 power_factor_l1 power_l2 voltage_l2 current_l2 power_l3 voltage_l3 current_l3 energy energy_exported refresh:o"},
		{"power from the meter alone", mains(endpoint(1, 0x0051, []uint16{6, 0x702})), "outlet", "on:w energy power refresh:o"},
		{"meter of its own endpoint", mains(endpoint(1, 0x0051, []uint16{6}), endpoint(2, 0x0051, []uint16{0x702, 0xb04})), "outlet", "on:w power voltage current energy refresh:o"},
		{"two gangs", mains(endpoint(1, 0x0100, []uint16{0, 6}), endpoint(2, 0x0100, []uint16{6})), "light", "on:w on_2:w refresh:o"},
		{"two sockets on odd endpoints", mains(endpoint(11, 0x010a, []uint16{6, 0xb04}), endpoint(13, 0x010a, []uint16{6, 0xb04})), "outlet",
			"on:w on_2:w power voltage current power_2 voltage_2 current_2 refresh:o"},
		{"a number is an endpoint's in all names", mains(endpoint(1, 0x0100, []uint16{6}), endpoint(2, 0x0100, []uint16{6, 0x402}), endpoint(3, 0x0100, []uint16{6, 0x402})), "light",
			"on:w on_2:w on_3:w temperature_2 temperature_3 refresh:o"},
		{"climate", climateSensor(), "sensor", "temperature humidity battery identify:o"},
		{"battery on every endpoint", battery(endpoint(1, 0x0302, []uint16{1, 0x402}), endpoint(2, 0x0302, []uint16{1, 0x402})), "sensor", "temperature temperature_2 battery"},
		{"radiator valve", radiatorValve(), "thermostat", "temperature target_temperature:w hvac_mode:w hvac_action pi_heating_demand local_temperature_calibration:w child_lock:w battery identify:o"},
		{"air conditioner", airConditioner(), "thermostat", "temperature target_temperature:w hvac_mode:w hvac_action fan_speed:w fan_mode:w refresh:o"},
		{"thermometer in a thermostat", mains(endpoint(1, 0x0301, []uint16{0x201, 0x402})), "thermostat", "temperature target_temperature:w hvac_mode:w refresh:o"},
		{"remote", remoteControl(), "button", "battery identify:o button_on:m button_off:m button_up:m button_down:m"},
		{"two remotes", battery(endpoint(1, 0x0000, nil, 6), endpoint(2, 0x0000, nil, 6)), "button", "button_on:m button_off:m button_on_2:m button_off_2:m"},
		{"lamp that could command others", mains(endpoint(1, 0x0100, []uint16{6}, 6, 8)), "light", "on:w refresh:o"},
		{"keypad", battery(endpoint(1, 0x0401, []uint16{1, 0x500}, 0x501)).knowing(facts("1/0500/0001", 0x21d)), "button",
			"button:m tamper battery_low battery button_disarm:m button_arm_day:m button_arm_night:m button_arm_all:m button_emergency:m"},
		{"contact", contactSensor(), "sensor", "open tamper battery_low battery identify:o"},
		{"zone of a type not known yet", battery(endpoint(1, 0x0402, []uint16{0x500})), "sensor", "tamper battery_low"},
		{"motion that switches", battery(endpoint(1, 0x0850, []uint16{0, 1, 3}, 3, 4, 6, 0x19)), "sensor", "battery identify:o occupancy"},
		{"siren", sirenDevice(), "siren", "alarm:o alarm_mode:o alarm_volume:o alarm_strobe:o alarm_duration:o squawk:o tamper battery_low identify:o refresh:o"},
		{"blind", blind(), "cover", "position:w tilt:w movement:o identify:o refresh:o"},
		{"cover without a position", mains(endpoint(1, 0x0202, []uint16{0x102})).knowing(facts("1/0102/0000", 0)), "cover", "movement:o"},
		{"lock", frontDoor(), "lock", "lock:w action:m open battery identify:o"},
		{"fan", mains(endpoint(1, 0x0301, []uint16{0, 6, 0x202})), "fan", "on:w fan_speed:w fan_mode:w refresh:o"},
		{"controller", controller(), "sensor", "analog_input fan_voltage:w binary_input_power binary_output:w multistate_input multistate_output:w tank_level refresh:o"},
		{"repeater", mains(endpoint(1, 0x0008, []uint16{0, 3})), "other", "identify:o"},
		{"unknown clusters", mains(endpoint(1, 0x1234, []uint16{0, 0xfc00, 0xfe12}, 0x19)), "other", ""},
		{"nothing", Description{}, "other", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := New(test.of, nil)
			d := m.Device("radio:00158d0001a2b3c4")
			if err := d.Check(); err != nil {
				t.Error(err)
			}
			if got := offered(m); got != test.properties {
				t.Errorf("properties\n%s, want\n%s", got, test.properties)
			}
			if d.Type != test.as {
				t.Errorf("type %s, want %s", d.Type, test.as)
			}
		})
	}
}

func TestNames(t *testing.T) {
	anonymous := dimmer()
	anonymous.Vendor, anonymous.Model = "", ""
	twice := dimmer()
	twice.Vendor, twice.Model = "IKEA", "IKEA bulb"
	for _, test := range []struct {
		of   Description
		want string
	}{
		{dimmer(), "Acme M1 b3c4"},
		{anonymous, "Dimmable light b3c4"},
		{twice, "IKEA bulb b3c4"},
		{Description{IEEE: 1}, "Device 0001"},
	} {
		if got := New(test.of, nil).Device("radio:1").Name; got != test.want {
			t.Errorf("%s %s is called %q, want %q", test.of.Vendor, test.of.Model, got, test.want)
		}
	}
}

func TestLimitsAreTheDevicesOwn(t *testing.T) {
	for _, test := range []struct {
		of        Description
		property  string
		low, high float64
	}{
		{colorBulb(), "color_temperature", 2000, 6536},
		{whiteBulb(), "color_temperature", 1000, 20000},
		{mains(endpoint(1, 0x010c, []uint16{6, 8, 0x300})).knowing(facts("1/0300/400b", 0, "1/0300/400c", 65279)), "color_temperature", 2000, 6536},
		{radiatorValve(), "target_temperature", 5, 30},
		{airConditioner(), "target_temperature", 7, 32},
		{mains(endpoint(1, 0x0301, []uint16{0x201})), "target_temperature", 5, 35},
		{controller(), "fan_voltage", 0, 10},
		{controller(), "multistate_output", 0, 4},
	} {
		p, ok := New(test.of, nil).Device("radio:1").Property(test.property)
		if !ok || *p.Min != test.low || *p.Max != test.high {
			t.Errorf("%s: %v to %v, want %v to %v", test.property, *p.Min, *p.Max, test.low, test.high)
		}
	}
}

func TestUnits(t *testing.T) {
	d := New(controller(), nil).Device("radio:1")
	if p, _ := d.Property("analog_input"); p.Unit != "°C" || p.UnitCode != "Cel" {
		t.Errorf("analog_input is in %q (%q)", p.Unit, p.UnitCode)
	}
	modes, _ := New(radiatorValve(), nil).Device("radio:1").Property("hvac_mode")
	if got := strings.Join(modes.Options, " "); got != "off heat auto" {
		t.Errorf("a radiator valve has the modes %s", got)
	}
	modes, _ = New(airConditioner(), nil).Device("radio:1").Property("hvac_mode")
	if got := strings.Join(modes.Options, " "); got != "off heat cool auto dry fan_only" {
		t.Errorf("an air conditioner has the modes %s", got)
	}
}
