package expose

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestShared(t *testing.T) {
	twoRelays := mains(endpoint(1, 0x0100, []uint16{0, 4, 6}), endpoint(2, 0x0100, []uint16{0, 4, 6}))
	for _, test := range []struct {
		name     string
		d        Description
		endpoint uint8
		want     string // word=property
	}{
		{"colour bulb", colorBulb(), 1, "brightness=brightness color_hue=color_hue color_saturation=color_saturation color_temperature=color_temperature " +
			"color_x=color_x color_y=color_y on=on power_on_behavior=power_on_behavior transition=transition"},
		{"first relay", twoRelays, 1, "on=on"},
		{"second relay", twoRelays, 2, "on=on_2"},
		{"no such endpoint", twoRelays, 3, ""},
		{"blind", blind(), 1, "movement=movement position=position tilt=tilt"},
		{"contact", contactSensor(), 1, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			shared := New(test.d, nil).Shared(test.endpoint)
			var got []string
			for _, word := range slices.Sorted(maps.Keys(shared)) {
				got = append(got, word+"="+shared[word].Name)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("it takes %s, want %s", got, test.want)
			}
		})
	}
}
