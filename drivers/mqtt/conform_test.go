package mqtt_test

import (
	"testing"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/mqtt"
	"hearth/drivers/mqtt/dialect/dialecttest"
)

// conform runs the conformance suite with one device of a dialect on a real broker.
func conform(t *testing.T, dialect string, peer func() dialecttest.Peer, cmd hearth.Command) {
	drivertest.Run(t, drivertest.Subject{
		New: func(t *testing.T, env hearth.Env) drivertest.Rig {
			broker := dialecttest.NewMosquitto(t)
			broker.Connect(peer())
			driver, err := mqtt.New(env, mqtt.Config{Broker: "mqtt://" + broker.Address, Dialects: []string{dialect}})
			if err != nil {
				t.Fatal(err)
			}
			return drivertest.Rig{Driver: driver}
		},
		Devices: []hearth.ID{cmd.Device},
		Command: cmd,
	})
}

// TestShelly has a dimmer.
func TestShelly(t *testing.T) {
	conform(t, "shelly", shellyDimmer, hearth.Command{
		Device: "test:" + shellyID, Set: map[string]hearth.Value{"on": hearth.BoolOf(true), "brightness": hearth.NumberOf(40)},
	})
}

// TestTasmota has a lamp.
func TestTasmota(t *testing.T) {
	conform(t, "tasmota", tasmotaLamp, hearth.Command{Device: "test:DC4F22A1B2C3", Set: map[string]hearth.Value{
		"on": hearth.BoolOf(true), "brightness": hearth.NumberOf(40), "color_temperature": hearth.NumberOf(4000),
	}})
}
