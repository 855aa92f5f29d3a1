package zigbee

import (
	"strings"
	"testing"

	"hearth/settings"
)

func TestConfigFromAFile(t *testing.T) {
	var c Config
	err := settings.Parse("edge.yaml", []byte(`
port: /dev/serial/by-id/usb-stick
adapter: ezsp
flow: hardware
power: 9
network: {channel: 20, pan_id: 0x1a62, extended_pan_id: "dd00112233445566", replace: "dddddddddddddddd"}
`), &c)
	if err != nil || c.Network.PAN != (hexNumber{0x1a62, true}) || c.Network.Channel != 20 || *c.Power != 9 || c.Flow != "hardware" {
		t.Errorf("read %+v (%v)", c, err)
	}
	for file, want := range map[string]string{
		"port: /dev/ttyUSB0\nnetwork: {channel: 9}":       "11 to 26",
		"port: /dev/ttyUSB0\nnetwork: {pan_id: 0xffff}":   "pan_id",
		"port: /dev/ttyUSB0\nnetwork: {pan_id: yes}":      "0x1a62",
		"port: /dev/ttyUSB0\nnetwork: {adopt: 12}":        "16 hex digits",
		"port: /dev/ttyUSB0\nadapter: deconz":             "ezsp",
		"port: /dev/ttyUSB0\nnetwork: {extended_pan: dd}": "extended_pan",
		"adapter: znp": "port",
	} {
		var c Config
		if err := settings.Parse("edge.yaml", []byte(file), &c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want something about %s", file, err, want)
		}
	}
}
