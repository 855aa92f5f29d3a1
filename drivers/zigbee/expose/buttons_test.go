package expose

import (
	"testing"
	"time"
)

func TestButtons(t *testing.T) {
	// Every button that there can be, so that none has to be learnt first.
	all := facts("1/0006>button", 1, "1/0006>button_on", 1, "1/0008>button_up", 1, "1/0008>button_level", 1, "1/0005>button_3", 1, "1/0005>button_left", 1,
		"1/0005>button_right", 1, "1/0300>button_warmer", 1, "1/0300>button_cooler", 1, "1/0300>button_hue_up", 1, "1/0300>button_color", 1,
		"1/0300>button_color_temperature", 1, "1/0102>button_open", 1, "1/0501>button_disarm", 1, "1/0501>button_fire", 1, "1/0501>button_panic", 1)
	m := New(battery(endpoint(1, 0x0820, nil, 5, 6, 8, 0x102, 0x300, 0x501)).knowing(all), nil)
	for _, test := range []struct {
		cluster     uint16
		frame, want string
	}{
		{0x0006, "01 01 01", "button_on=\"single\""},
		{0x0006, "01 01 00", "button_off=\"single\""},
		{0x0006, "01 01 40 00 00", "button_off=\"single\""},
		{0x0006, "01 01 02", "button=\"single\""},
		{0x0006, "01 01 fd 00", "button=\"single\""},
		{0x0006, "01 01 fd 01", "button=\"double\""},
		{0x0006, "01 01 fd 02", "button=\"hold\""},
		{0x0006, "01 01 fd 09", ""},
		{0x0006, "01 01 fd", ""},
		{0x0006, "09 01 01", ""}, // the other way
		{0x0008, "01 01 06 00 2b 0500", "button_up=\"single\""},
		{0x0008, "01 01 02 01 2b 0500", "button_down=\"single\""},
		{0x0008, "01 01 05 00 53", "button_up=\"hold\""},
		{0x0008, "01 01 07", "button_up=\"release\""},
		{0x0008, "01 01 07", ""},
		{0x0008, "01 01 01 01 53", "button_down=\"hold\""},
		{0x0008, "01 01 03", "button_down=\"release\""},
		{0x0008, "01 01 04 80 0000", "button_level=\"single\""},
		{0x0008, "01 01 06", ""},
		{0x0005, "01 01 05 0100 03", "button_3=\"single\""},
		{0x0005, "01 01 04 0100 03", "button_3=\"hold\""},
		{0x0005, "01 01 05 0100", ""},
		{0x0005, "05 7c11 01 07 01010d00", "button_left=\"single\""},
		{0x0005, "05 7c11 01 07 00010d00", "button_right=\"single\""},
		{0x0005, "05 7c11 01 07 02000000", ""}, // with a held toggle
		{0x0005, "05 7c11 01 08 010d", "button_left=\"hold\""},
		{0x0005, "05 7c11 01 09 e803", "button_left=\"release\""},
		{0x0005, "05 7c11 01 08 000d", "button_right=\"hold\""},
		{0x0005, "05 7c11 01 09 e803", "button_right=\"release\""},
		{0x0300, "01 01 4c 01 4500 0a00 9900 f401", "button_warmer=\"single\""},
		{0x0300, "01 01 4c 03 4500 0a00 9900 f401", "button_cooler=\"single\""},
		{0x0300, "01 01 4b 01 4500 9900 f401", "button_warmer=\"hold\""},
		{0x0300, "01 01 4b 00 4500 9900 f401", "button_warmer=\"release\""},
		{0x0300, "01 01 01 01 10", "button_hue_up=\"hold\""},
		{0x0300, "01 01 47", "button_hue_up=\"release\""},
		{0x0300, "01 01 07 0080 0040 0a00", "button_color=\"single\""},
		{0x0300, "01 01 0a 7201 0a00", "button_color_temperature=\"single\""},
		{0x0102, "01 01 00", "button_open=\"single\""},
		{0x0102, "01 01 01", "button_close=\"single\""},
		{0x0102, "01 01 02", "button_stop=\"single\""},
		{0x0501, "01 01 00 00 00 00", "button_disarm=\"single\""},
		{0x0501, "01 01 00 03 04 31323334 00", "button_arm_all=\"single\""},
		{0x0501, "01 01 02", "button_emergency=\"single\""},
		{0x0501, "01 01 03", "button_fire=\"single\""},
		{0x0501, "01 01 04", "button_panic=\"single\""},
		{0x0501, "01 01 00 09", ""},
		{0x0501, "01 01 00", ""},
	} {
		if got := told(hears(t, m, 1, test.cluster, test.frame)); got != test.want {
			t.Errorf("%04x %s\nsays %s, want %s", test.cluster, test.frame, got, test.want)
		}
	}
}

func TestButtonsThatAreKnown(t *testing.T) {
	toggles := battery(endpoint(1, 0x0000, nil, 6), endpoint(2, 0x0000, nil, 6), endpoint(3, 0x0000, nil, 6))
	for _, test := range []struct {
		name string
		of   Description
		want string
	}{
		{"one that only toggles has no on and off", battery(endpoint(1, 0x0000, nil, 6)).knowing(facts("1/0006>button", 1)), "button:m"},
		{"one that also switches on", battery(endpoint(1, 0x0000, nil, 6)).knowing(facts("1/0006>button", 1, "1/0006>button_on", 1)), "button_on:m button_off:m button:m"},
		{"three that toggle", toggles.knowing(facts("1/0006>button", 1, "2/0006>button", 1, "3/0006>button", 1)), "button_1:m button_2:m button_3:m"},
		{"a lamp that was heard to command", mains(endpoint(1, 0x0100, []uint16{6}, 8)).knowing(facts("1/0008>button_up", 1)), "on:w button_up:m refresh:o"},
	} {
		if got := offered(New(test.of, nil)); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestKeypadsAreAnswered(t *testing.T) {
	m := New(battery(endpoint(1, 0x0401, []uint16{1}, 0x501)), nil)
	for _, test := range []struct{ frame, want string }{
		{"01 07 07", "1/0501 1907" + "0500000000"},
		{"01 08 00 03 04 31323334 00", "1/0501 1908" + "0003"},
		{"01 09 07", "1/0501 1909" + "0503000000"},
		{"01 0a 00 00 00 00", "1/0501 190a" + "0000"},
		{"01 0b 00 07 00 00", ""},
		{"01 0c 02", ""},
	} {
		if got := sent(hears(t, m, 1, 0x0501, test.frame).Replies); got != test.want {
			t.Errorf("%s is answered %s, want %s", test.frame, got, test.want)
		}
	}
}

// A motion sensor that switches lamps on for a while has seen something for that while.
func TestMotionBySwitching(t *testing.T) {
	m := New(battery(endpoint(1, 0x0850, []uint16{0, 1}, 6)), nil)
	if got := bound(m); got != "1/0006 1/0001" {
		t.Errorf("bound %s", got)
	}
	said := hears(t, m, 1, 0x0006, "01 01 42 00 0807 0000")
	if got := told(said); got != "occupancy=true" || said.Values[0].Clears != 180*time.Second {
		t.Errorf("said %s for %v", got, said.Values[0].Clears)
	}
	if got := told(hears(t, m, 1, 0x0006, "01 01 42")); got != "" {
		t.Errorf("half a command says %s", got)
	}
	if got := told(hears(t, m, 1, 0x0006, "01 01 00")); got != "occupancy=false" {
		t.Errorf("switching off says %s", got)
	}
	both := New(battery(endpoint(1, 0x0107, []uint16{0x406}, 6)), nil)
	if said := hears(t, both, 1, 0x0006, "01 01 01"); said.Changed != nil || told(said) != "" {
		t.Errorf("one that tells what it sees is heard twice: %s", told(said))
	}
}
