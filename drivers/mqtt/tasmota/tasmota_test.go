package tasmota

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"hearth"
	"hearth/drivers/mqtt/dialect/dialecttest"
)

const kettle = hearth.ID("test:" + mac)

// names lists a device's properties, with ! at those that can be set.
func names(t testing.TB, bus *dialecttest.Bus, id hearth.ID) string {
	t.Helper()
	dev, ok := bus.Device(id)
	if !ok {
		t.Fatalf("%s is not announced", id)
	}
	var list []string
	for _, p := range dev.Properties {
		if p.Writable {
			list = append(list, p.Name+"!")
		} else {
			list = append(list, p.Name)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestWhatDevicesAre(t *testing.T) {
	type m = map[string]any
	tests := map[string]struct {
		changes m
		sensors string
		kind    hearth.Type
		want    string // beside rssi and uptime
	}{
		"plug":            {nil, noSensors, "outlet", "on!"},
		"switch":          {m{"md": "Sonoff Basic"}, noSensors, "switch", "on!"},
		"two relays":      {m{"md": "Sonoff Dual", "rl": []int{1, 1, 0}}, noSensors, "switch", "on! on_2!"},
		"simple light":    {m{"rl": []int{2}}, noSensors, "light", "on!"},
		"dimmer":          {m{"rl": []int{2}, "lt_st": 1}, noSensors, "light", "brightness! on! transition!"},
		"white":           {m{"rl": []int{2}, "lt_st": 2}, noSensors, "light", "brightness! color_temperature! on! transition!"},
		"colour":          {m{"rl": []int{2}, "lt_st": 3}, noSensors, "light", "brightness! color_hue! color_saturation! on! transition!"},
		"colour, white":   {m{"rl": []int{2}, "lt_st": 5, "lk": 1}, noSensors, "light", "brightness! color_hue! color_saturation! color_temperature! on! transition!"},
		"two lights":      {m{"rl": []int{2, 2}, "lt_st": 5, "lk": 0}, noSensors, "light", "brightness! brightness_2! color_hue! color_saturation! color_temperature_2! on! on_2! transition!"},
		"channels":        {m{"rl": []int{2, 2, 2}, "lt_st": 3, "so.68": 1}, noSensors, "light", "brightness! brightness_2! brightness_3! on! on_2! on_3! transition!"},
		"Tuya dimmer":     {m{"rl": []int{2}, "lt_st": 1, "ty": 1}, noSensors, "light", "brightness! on!"},
		"shutter":         {m{"rl": []int{3, 3}, "sho": []int{0}, "sht": [][]int{{0, 0, 0}}}, noSensors, "cover", "movement! position!"},
		"shutter, relay":  {m{"rl": []int{3, 3, 1}, "sho": []int{0}}, noSensors, "cover", "movement! on! position!"},
		"two shutters":    {m{"rl": []int{3, 3, 3, 3}, "sht": [][]int{{-90, 90, 15}, {0, 0, 0}}}, noSensors, "cover", "movement! movement_2! position! position_2! tilt!"},
		"fan":             {m{"rl": []int{2, 0, 0, 0}, "if": 1}, noSensors, "fan", "fan_speed! on!"},
		"button":          {m{"rl": []int{0}, "btn": []int{1, 0}, "so.73": 1}, noSensors, "button", "button"},
		"buttons":         {m{"rl": []int{0}, "btn": []int{1, 0, 1}, "so.73": 1}, noSensors, "button", "button_1 button_3"},
		"buttons untold":  {m{"btn": []int{1, 1}}, noSensors, "outlet", "on!"},
		"switch input":    {m{"rl": []int{0}, "swc": []int{1, -1}, "so.114": 1}, noSensors, "button", "switch"},
		"door":            {m{"rl": []int{0}, "swc": []int{-1, 2, 15}, "swn": []any{nil, "Open", "Switch3"}, "so.114": 1}, noSensors, "button", "open switch_3"},
		"pressed switch":  {m{"rl": []int{0}, "swc": []int{5, 0}, "so.114": 1}, noSensors, "button", "button_switch_1 button_switch_2 switch_1"},
		"battery":         {m{"rl": []int{0}, "bat": 1, "dslp": 1}, noSensors, "other", "battery"},
		"energy":          {nil, `{"sn":{"Time":"2026-11-23T10:00:00","ENERGY":{"TotalStartTime":"2024-01-05T12:34:56","Total":12.345,"Yesterday":0.1,"Today":0.2,"Power":60,"ApparentPower":70,"ReactivePower":30,"Factor":0.86,"Voltage":231,"Current":0.3}},"ver":1}`, "outlet", "current energy energy_today energy_yesterday on! power power_apparent power_factor power_reactive voltage"},
		"three phases":    {m{"rl": []int{0}}, `{"sn":{"ENERGY":{"Total":[1,2,3],"Power":[10,20,30],"Voltage":[230,231,232],"Frequency":50}},"ver":1}`, "meter", "energy energy_l1 energy_l2 energy_l3 frequency power power_l1 power_l2 power_l3 voltage_l1 voltage_l2 voltage_l3"},
		"tariffs":         {m{"rl": []int{0}}, `{"sn":{"ENERGY":{"Total":3,"TotalTariff":[1,2],"ExportTariff":[0,0],"ExportActive":0}}}`, "meter", "energy energy_exported energy_exported_t1 energy_exported_t2 energy_t1 energy_t2"},
		"climate":         {m{"rl": []int{0}}, `{"sn":{"BME280":{"Temperature":20.1,"Humidity":44.2,"DewPoint":7.5,"Pressure":1001.2,"SeaPressure":1013},"PressureUnit":"hPa","TempUnit":"C"}}`, "sensor", "dew_point humidity pressure sea_pressure temperature"},
		"many of one":     {m{"rl": []int{0}}, `{"sn":{"DS18B20-1":{"Id":"0000018A1234","Temperature":20.1},"DS18B20-2":{"Id":"0000018A5678","Temperature":null},"AM2301":{"Temperature":21,"Humidity":40},"TempUnit":"C"}}`, "sensor", "humidity temperature temperature_2 temperature_3"},
		"air":             {m{"rl": []int{0}}, `{"sn":{"SCD30":{"CarbonDioxide":612,"eCO2":600},"PMS5003":{"CF1":1,"PM1":1,"PM2.5":2,"PM10":3,"PB0.3":400},"SGP30":{"TVOC":5}}}`, "sensor", "cf1 co2 eco2 pm1 pm10 pm25 pms5003_pb0_3 voc"},
		"analog":          {m{"rl": []int{0}}, `{"sn":{"ANALOG":{"A0":512,"Temperature1":20.5,"Temperature2":21.5,"CTEnergy1":{"Power":2300}},"SR04":{"Distance":12.5},"BH1750":{"Illuminance":300},"ESP32":{"Temperature":40.1},"TempUnit":"C"}}`, "sensor", "analog_a0 device_temperature distance illuminance power temperature temperature_2"},
		"wind":            {m{"rl": []int{0}}, `{"sn":{"TX23":{"Speed":{"Act":14.8,"Avg":8.5},"Dir":{"Card":"WSW","Deg":247.5}},"SpeedUnit":"km/h"}}`, "sensor", "tx23_avg tx23_deg wind_speed"},
		"contacts":        {m{"rl": []int{0}}, `{"sn":{"MCP230XX":{"D0":"ON","D1":"OFF"},"COUNTER":{"C1":7}}}`, "sensor", "counter_c1 mcp230_xx_d0 mcp230_xx_d1"},
		"no usable names": {m{"rl": []int{0}}, `{"sn":{"温度":{"湿":1},"X":{"":2,"a b\n,c=d":3}}}`, "sensor", "x x_a_b_c_d"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, bus := with(t, change(tt.changes), tt.sensors)
			want := strings.Fields(tt.want + " rssi uptime")
			slices.Sort(want)
			if got := names(t, bus, kettle); got != strings.Join(want, " ") {
				t.Errorf("it has\n%s, want\n%s", got, strings.Join(want, " "))
			}
			if dev, _ := bus.Device(kettle); dev.Type != tt.kind || dev.Name != "Kettle" || dev.Firmware != "14.2.0" || dev.Vendor != "Tasmota" {
				t.Errorf("it is %+v", dev)
			}
			if bus.Value(kettle, "reachable") != hearth.BoolOf(true) {
				t.Error("it is not reachable")
			}
			if bus.Announced() != 1 {
				t.Errorf("announced %d times", bus.Announced())
			}
		})
	}
}

func TestWhatDevicesSay(t *testing.T) {
	type m = map[string]any
	n, on, off := hearth.NumberOf, hearth.BoolOf(true), hearth.BoolOf(false)
	lamp := change(m{"rl": []int{2}, "lt_st": 5, "lk": 1})
	tests := map[string]struct {
		config, sensors string
		topic, payload  string
		want            map[string]hearth.Value
	}{
		"state": {base, noSensors, "tele/kettle/STATE", `{"Time":"2026-11-23T11:00:00","Uptime":"1T02:03:04","UptimeSec":93784,"Heap":25,"SleepMode":"Dynamic","Sleep":50,"LoadAvg":19,"MqttCount":1,"POWER":"ON","Wifi":{"AP":1,"SSId":"home","BSSId":"7C:DD:90:D4:30:43","Channel":7,"Mode":"11n","RSSI":62,"Signal":-69,"LinkCount":1,"Downtime":"0T00:00:05"}}`,
			m2v("on", on, "uptime", n(93784), "rssi", n(-69))},
		"result":          {base, noSensors, "stat/kettle/RESULT", `{"POWER":"OFF"}`, m2v("on", off)},
		"numbered":        {change(m{"rl": []int{1, 1}}), noSensors, "stat/kettle/RESULT", `{"POWER2":"ON"}`, m2v("on_2", on)},
		"plain":           {change(m{"rl": []int{1, 1}}), noSensors, "stat/kettle/POWER2", `ON`, m2v("on_2", on)},
		"own words":       {change(m{"state": []string{"AUS", "AN", "UM", "HALT"}}), noSensors, "stat/kettle/RESULT", `{"POWER":"AN"}`, m2v("on", on)},
		"another's words": {base, noSensors, "stat/kettle/RESULT", `{"POWER":"perhaps"}`, nil},
		"Status 11":       {base, noSensors, "stat/kettle/STATUS11", `{"StatusSTS":{"Time":"2026-11-23T11:00:00","UptimeSec":12,"POWER":"OFF"}}`, m2v("on", off, "uptime", n(12))},
		"lamp": {lamp, noSensors, "tele/kettle/STATE", `{"POWER":"ON","Dimmer":40,"Color":"660000FF00","HSBColor":"120,99,40","White":0,"CT":370,"Channel":[0,40,0,0,0],"Scheme":0,"Fade":"OFF","Speed":1,"LedTable":"ON"}`,
			m2v("on", on, "brightness", n(40), "color_hue", n(120), "color_saturation", n(99), "color_temperature", n(2703))},
		"coldest, warmest":  {lamp, noSensors, "tele/kettle/STATE", `{"CT":153}`, m2v("color_temperature", n(6536))},
		"beyond the range":  {lamp, noSensors, "tele/kettle/STATE", `{"CT":600,"Dimmer":101,"HSBColor":"400,5,5"}`, m2v("color_temperature", n(2000), "color_saturation", n(5))},
		"two lights":        {change(m{"rl": []int{2, 2}, "lt_st": 5}), noSensors, "tele/kettle/STATE", `{"POWER1":"ON","Dimmer1":10,"POWER2":"OFF","Dimmer2":20,"HSBColor":"1,2,10","CT":200}`, m2v("on", on, "brightness", n(10), "on_2", off, "brightness_2", n(20), "color_hue", n(1), "color_saturation", n(2), "color_temperature_2", n(5000))},
		"shutter":           {change(m{"rl": []int{3, 3}}), noSensors, "stat/kettle/RESULT", `{"Shutter1":{"Position":30,"Direction":1,"Target":70,"Tilt":0}}`, m2v("position", n(30))},
		"shutter, inverted": {change(m{"rl": []int{3, 3}, "sho": []int{1}}), noSensors, "tele/kettle/SENSOR", `{"Shutter1":{"Position":30,"Direction":0,"Target":30}}`, m2v("position", n(70))},
		"tilt":              {change(m{"rl": []int{3, 3}, "sht": [][]int{{-90, 90, 15}}}), noSensors, "stat/kettle/STATUS10", `{"StatusSNS":{"Shutter1":{"Position":0,"Tilt":45}}}`, m2v("position", n(0), "tilt", n(75))},
		"fan":               {change(m{"if": 1, "rl": []int{2}}), noSensors, "stat/kettle/RESULT", `{"FanSpeed":2}`, m2v("fan_speed", n(67))},
		"battery":           {change(m{"bat": 1}), noSensors, "tele/kettle/STATE", `{"BatteryPercentage":83}`, m2v("battery", n(83))},
		"energy":            {base, noSensors, "tele/kettle/SENSOR", `{"Time":"2026-11-23T11:00:00","ENERGY":{"Total":12.5,"Today":0.25,"Period":3,"Power":60,"Factor":0.86,"Voltage":231,"Current":0.302}}`, m2v("energy", n(12.5), "energy_today", n(0.25), "power", n(60), "power_factor", n(0.86), "voltage", n(231), "current", n(0.302))},
		"phases":            {base, noSensors, "tele/kettle/SENSOR", `{"ENERGY":{"Power":[10,20.5,-3],"Voltage":[230,231,232]}}`, m2v("power", n(27.5), "power_l1", n(10), "power_l2", n(20.5), "power_l3", n(-3), "voltage_l1", n(230), "voltage_l2", n(231), "voltage_l3", n(232))},
		"Fahrenheit":        {base, noSensors, "tele/kettle/SENSOR", `{"SI7021":{"Temperature":68,"Humidity":40},"TempUnit":"F"}`, m2v("temperature", n(20), "humidity", n(40))},
		"mmHg":              {base, noSensors, "tele/kettle/SENSOR", `{"BMP280":{"Temperature":20.5,"Pressure":750},"PressureUnit":"mmHg","TempUnit":"C"}`, m2v("temperature", n(20.5), "pressure", n(999.918))},
		"unit changed":      {base, `{"sn":{"SI7021":{"Temperature":20},"TempUnit":"C"}}`, "tele/kettle/SENSOR", `{"SI7021":{"Temperature":68},"TempUnit":"F"}`, m2v("temperature", n(20))},
		"wind":              {base, noSensors, "tele/kettle/SENSOR", `{"TX23":{"Speed":{"Act":36}},"SpeedUnit":"km/h"}`, m2v("wind_speed", n(10))},
		"broken sensor":     {base, `{"sn":{"DS18B20":{"Temperature":20},"TempUnit":"C"}}`, "tele/kettle/SENSOR", `{"DS18B20":{"Temperature":null},"TempUnit":"C"}`, nil},
		"switch":            {change(m{"swc": []int{1}, "so.114": 1}), noSensors, "stat/kettle/RESULT", `{"Switch1":{"Action":"ON"}}`, m2v("switch", on)},
		"switch, later":     {change(m{"swc": []int{1}, "so.114": 1}), noSensors, "tele/kettle/SENSOR", `{"Switch1":"OFF"}`, m2v("switch", off)},
		"named switch":      {change(m{"swc": []int{2}, "swn": []string{"Open"}, "so.114": 1}), noSensors, "stat/kettle/RESULT", `{"Open":{"Action":"ON"}}`, m2v("open", on)},
		"button":            {change(m{"btn": []int{1}, "so.73": 1}), noSensors, "stat/kettle/RESULT", `{"Button1":{"Action":"DOUBLE"}}`, m2v("button", hearth.TextOf("double"))},
		"button, swapped":   {change(m{"btn": []int{1}, "so.73": 1, "so.11": 1}), noSensors, "stat/kettle/RESULT", `{"Button1":{"Action":"DOUBLE"}}`, m2v("button", hearth.TextOf("single"))},
		"released":          {change(m{"btn": []int{1}, "so.73": 1}), noSensors, "stat/kettle/RESULT", `{"Button1":{"Action":"CLEAR"}}`, m2v("button", hearth.TextOf("release"))},
		"answers by name":   {change(m{"so.4": 1, "rl": []int{2}, "lt_st": 1}), noSensors, "stat/kettle/DIMMER", `{"POWER":"ON","Dimmer":12}`, m2v("on", on, "brightness", n(12))},
		"no JSON":           {base, noSensors, "stat/kettle/RESULT", `{"POWER":`, nil},
		"other kinds":       {lamp, noSensors, "stat/kettle/RESULT", `{"POWER":{},"Dimmer":[1],"HSBColor":7,"CT":"x","Wifi":3,"UptimeSec":null}`, nil},
		"a spoilt RESULT":   {base, noSensors, "tele/kettle/SENSOR", `{"ENERGY":"x","TempUnit":5,"A":{"B":{"C":{"D":[[1]]}}}}`, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d, bus := with(t, tt.config, tt.sensors)
			before := len(bus.Readings())
			if !bus.Say(d, tt.topic, tt.payload) {
				t.Fatalf("%s is not listened to: %v", tt.topic, bus.Filters())
			}
			got := map[string]hearth.Value{}
			for _, r := range bus.Readings()[before:] {
				got[r.Property] = r.Value
				if !r.Time.IsZero() {
					t.Errorf("%s has the device's time, which has no zone", r.Property)
				}
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("it says\n%v, want\n%v", got, tt.want)
			}
		})
	}
}

func m2v(pairs ...any) map[string]hearth.Value {
	m := map[string]hearth.Value{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1].(hearth.Value)
	}
	return m
}

func TestCommands(t *testing.T) {
	type m = map[string]any
	n, on, off := hearth.NumberOf, hearth.BoolOf(true), hearth.BoolOf(false)
	lamp := change(m{"rl": []int{2}, "lt_st": 5, "lk": 1})
	tests := map[string]struct {
		config string
		set    map[string]hearth.Value
		topic  string
		want   string
	}{
		"on":               {base, m2v("on", on), "POWER1", "ON"},
		"own words":        {change(m{"state": []string{"AUS", "AN"}}), m2v("on", off), "POWER1", "OFF"},
		"second":           {change(m{"rl": []int{1, 1}}), m2v("on_2", on), "POWER2", "ON"},
		"both":             {change(m{"rl": []int{1, 1}}), m2v("on", off, "on_2", on), "Backlog", "POWER1 OFF;POWER2 ON"},
		"brightness":       {lamp, m2v("brightness", n(39.6)), "Dimmer", "40"},
		"on, bright, warm": {lamp, m2v("on", on, "brightness", n(40), "color_temperature", n(2700)), "Backlog", "CT 370;Dimmer 40;POWER1 ON"},
		"coldest":          {lamp, m2v("color_temperature", n(6536)), "CT", "153"},
		"colour":           {lamp, m2v("color_hue", n(120), "color_saturation", n(80)), "Backlog", "HSBColor1 120;HSBColor2 80"},
		"all of a colour":  {lamp, m2v("on", on, "brightness", n(50), "color_hue", n(120), "color_saturation", n(80)), "Backlog", "HSBColor 120,80,50;POWER1 ON"},
		"slowly":           {lamp, m2v("brightness", n(50), "transition", n(3)), "Backlog", "Fade2 1;Speed2 12;Dimmer 50"},
		"at once":          {lamp, m2v("on", off, "transition", n(0)), "Backlog", "Fade2 0;POWER1 OFF"},
		"slowly, fixed":    {change(m{"rl": []int{2}, "lt_st": 1, "so.117": 1}), m2v("brightness", n(50), "transition", n(3)), "Backlog", "Fade2 1;Speed2 6;Dimmer 50"},
		"second light":     {change(m{"rl": []int{2, 2}, "lt_st": 4}), m2v("brightness_2", n(30)), "Dimmer2", "30"},
		"channel":          {change(m{"rl": []int{2, 2}, "lt_st": 2, "so.68": 1}), m2v("brightness_2", n(30)), "Channel2", "30"},
		"Tuya":             {change(m{"rl": []int{2}, "lt_st": 1, "ty": 1}), m2v("brightness", n(30)), "Dimmer3", "30"},
		"position":         {change(m{"rl": []int{3, 3}}), m2v("position", n(70)), "ShutterPosition1", "70"},
		"inverted":         {change(m{"rl": []int{3, 3}, "sho": []int{1}}), m2v("position", n(70)), "ShutterPosition1", "30"},
		"open":             {change(m{"rl": []int{3, 3, 3, 3}}), m2v("movement_2", hearth.TextOf("open")), "ShutterOpen2", ""},
		"stop":             {change(m{"rl": []int{3, 3}}), m2v("movement", hearth.TextOf("stop")), "ShutterStop1", ""},
		"tilt":             {change(m{"rl": []int{3, 3}, "sht": [][]int{{-90, 90, 15}}}), m2v("tilt", n(75)), "ShutterTilt1", "45"},
		"fan":              {change(m{"if": 1, "rl": []int{2}}), m2v("fan_speed", n(67)), "FanSpeed", "2"},
		"fan, a little":    {change(m{"if": 1, "rl": []int{2}}), m2v("fan_speed", n(5)), "FanSpeed", "1"},
		"fan off":          {change(m{"if": 1, "rl": []int{2}}), m2v("fan_speed", n(0)), "FanSpeed", "0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, bus := with(t, tt.config, noSensors)
				synctest.Wait()
				bus.Take()
				plug(d, bus, map[string]any{"Dimmer": 10.0, "HSBColor": "0,0,10", "CT": 200.0})
				if err := d.Do(t.Context(), hearth.Command{Device: kettle, Set: tt.set}); err != nil {
					t.Fatal(err)
				}
				want := dialecttest.Published{Topic: "cmnd/kettle/" + tt.topic, Payload: tt.want}
				if got := bus.Take(); len(got) != 1 || got[0] != want {
					t.Errorf("published %v, want %v", got, want)
				}
				if d.waiter.Waiting() != 0 {
					t.Error("it still waits")
				}
			})
		})
	}
}

func TestCommandsThatFail(t *testing.T) {
	on := m2v("on", hearth.BoolOf(true))
	tests := map[string]struct {
		id      hearth.ID
		set     map[string]hearth.Value
		prepare func(*Dialect, *dialecttest.Bus)
		code    string
	}{
		"another's":   {"test:other", on, nil, hearth.CodeNoDevice},
		"no property": {kettle, m2v("tilt", hearth.NumberOf(1)), nil, hearth.CodeNoDevice},
		"read only":   {kettle, m2v("rssi", hearth.NumberOf(1)), nil, hearth.CodeReadOnly},
		"silence":     {kettle, on, nil, hearth.CodeUnknownOutcome},
		"offline":     {kettle, on, func(d *Dialect, bus *dialecttest.Bus) { bus.Say(d, "tele/kettle/LWT", "Offline") }, hearth.CodeOffline},
		"no broker":   {kettle, on, func(d *Dialect, _ *dialecttest.Bus) { d.Silence() }, hearth.CodeOffline},
		"another topic": {kettle, on, func(d *Dialect, bus *dialecttest.Bus) {
			bus.Answer(says(d, bus, "tele/kettle/STATE", `{"POWER":"ON"}`))
		}, hearth.CodeUnknownOutcome},
		"refused": {kettle, on, func(d *Dialect, bus *dialecttest.Bus) {
			bus.Answer(says(d, bus, "stat/kettle/RESULT", `{"Command":"Unknown"}`))
		}, hearth.CodeFailed},
		"retained": {kettle, on, func(d *Dialect, bus *dialecttest.Bus) {
			bus.Answer(func(dialecttest.Published) error {
				bus.Keep(d, "stat/kettle/RESULT", `{"POWER":"ON"}`)
				return nil
			})
		}, hearth.CodeUnknownOutcome},
		"broker goes": {kettle, on, func(d *Dialect, bus *dialecttest.Bus) {
			bus.Answer(func(dialecttest.Published) error { d.Silence(); return nil })
		}, hearth.CodeUnknownOutcome},
		"removed": {kettle, on, func(d *Dialect, bus *dialecttest.Bus) {
			bus.Answer(says(d, bus, "tasmota/discovery/"+mac+"/config", ""))
		}, hearth.CodeNoDevice},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, bus := with(t, base, noSensors)
				synctest.Wait()
				if tt.prepare != nil {
					tt.prepare(d, bus)
				}
				err := d.Do(t.Context(), hearth.Command{Device: tt.id, Set: tt.set})
				if !errors.Is(err, &hearth.Error{Code: tt.code}) {
					t.Errorf("it answered %v, want %s", err, tt.code)
				}
			})
		})
	}
}

func says(d *Dialect, bus *dialecttest.Bus, topic, payload string) func(dialecttest.Published) error {
	return func(dialecttest.Published) error { bus.Say(d, topic, payload); return nil }
}

func TestTopics(t *testing.T) {
	tests := map[string]struct {
		full, topic   string
		prefixes      []string
		state, result string // "": refused
	}{
		"usual":         {"%prefix%/%topic%/", "kettle", nil, "tele/kettle/STATE", "stat/kettle/RESULT"},
		"no slash":      {"%prefix%/%topic%", "kettle", nil, "tele/kettle/STATE", "stat/kettle/RESULT"},
		"turned around": {"%topic%/%prefix%/", "kitchen/kettle", nil, "kitchen/kettle/tele/STATE", "kitchen/kettle/stat/RESULT"},
		"own prefixes":  {"home/%prefix%/%topic%/x/", "k", []string{"do", "said", "say"}, "home/say/k/x/STATE", "home/said/k/x/RESULT"},
		"host and id":   {"%prefix%/%hostname%/%id%/%topic%/", "k", nil, "tele/tasmota-ABCDEF-3567/ABCDEF/k/STATE", "stat/tasmota-ABCDEF-3567/ABCDEF/k/RESULT"},
		"one prefix":    {"%prefix%/%topic%/", "k", []string{"cmnd", "tasmota", "tasmota"}, "tasmota/k/STATE", "tasmota/k/RESULT"},
		"wildcard":      {"%prefix%/%topic%/", "#", nil, "", ""},
		"plus":          {"%prefix%/+/%topic%/", "x", nil, "", ""},
		"no prefix":     {"x/%topic%/", "x", nil, "", ""},
		"no topic":      {"%prefix%/", "x", nil, "", ""},
		"system":        {"%prefix%/%topic%/", "x", []string{"$SYS", "stat", "tele"}, "", ""},
		"its own voice": {"%prefix%/%topic%/", "x", []string{"a", "a", "b"}, "", ""},
		"too long":      {"%prefix%/%topic%/", strings.Repeat("x", 2000), nil, "", ""},
		"two prefixes":  {"%prefix%/%topic%/", "x", []string{"a", "b"}, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			changes := map[string]any{"ft": tt.full, "t": tt.topic}
			if tt.prefixes != nil {
				changes["tp"] = tt.prefixes
			}
			d, bus := with(t, change(changes), noSensors)
			if tt.state == "" {
				if _, ok := bus.Device(kettle); ok || len(bus.Filters()) != 1 {
					t.Errorf("it is taken in, listening to %v", bus.Filters())
				}
				return
			}
			bus.Say(d, tt.state, `{"POWER":"ON"}`)
			if bus.Value(kettle, "on") != hearth.BoolOf(true) {
				t.Errorf("its state is not heard: %v", bus.Filters())
			}
			bus.Say(d, tt.result, `{"POWER":"OFF"}`)
			if bus.Value(kettle, "on") != hearth.BoolOf(false) {
				t.Errorf("its results are not heard: %v", bus.Filters())
			}
		})
	}
}

// TestLife follows a device from its first announcement to its removal.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, bus := started(t)
		config, sensors := "tasmota/discovery/"+mac+"/config", "tasmota/discovery/"+mac+"/sensors"
		bus.Keep(d, config, base)
		if bus.Announced() != 0 {
			t.Error("announced before its sensors are known")
		}
		bus.Keep(d, sensors, noSensors)
		synctest.Wait()
		asked := bus.Take()
		if len(asked) != 3 || asked[0].Topic != "cmnd/kettle/STATE" || asked[1] != (dialecttest.Published{Topic: "cmnd/kettle/STATUS", Payload: "0"}) || asked[2].Topic != "cmnd/kettle/TelePeriod" {
			t.Errorf("asked %v", asked)
		}
		bus.Keep(d, "tele/kettle/LWT", "Online")
		synctest.Wait()
		if again := bus.Take(); len(again) != 0 {
			t.Errorf("asked again at once: %v", again)
		}
		bus.Say(d, "tele/kettle/LWT", "Offline")
		bus.Say(d, "tele/kettle/LWT", "Online")
		synctest.Wait()
		if again := bus.Take(); len(again) != 3 {
			t.Errorf("after a restart asked %v", again)
		}

		bus.Keep(d, config, change(map[string]any{"t": "boiler", "dn": "Boiler"})) // another topic and name
		if dev, _ := bus.Device(kettle); dev.Name != "Boiler" {
			t.Errorf("it is %+v", dev)
		}
		if bus.Wants("stat/kettle/RESULT") || !bus.Wants("stat/boiler/RESULT") {
			t.Errorf("listening to %v", bus.Filters())
		}

		d.Silence()
		announced := bus.Announced()
		d.Connected(t.Context())
		if bus.Announced() != announced+1 {
			t.Error("not announced again after a reconnect")
		}
		bus.Keep(d, config, change(map[string]any{"t": "boiler", "dn": "Boiler"}))
		synctest.Wait()
		if again := bus.Take(); len(again) < 3 {
			t.Errorf("not asked again after a reconnect: %v", again)
		}

		bus.Say(d, config, "")
		bus.Say(d, sensors, "")
		if _, ok := bus.Device(kettle); ok || len(bus.Filters()) != 1 || len(d.devices) != 0 || len(d.bases) != 0 {
			t.Errorf("it is still there, listening to %v", bus.Filters())
		}
		d.Silence()
	})
}

// TestNamesStay has a sensor come that sorts before those that are known, and a restart of the gateway.
func TestNamesStay(t *testing.T) {
	env, bus := dialecttest.New(t, "test")
	cfg := change(map[string]any{"rl": []int{0}})
	for _, sensors := range []string{
		`{"sn":{"DS18B20":{"Temperature":20},"TempUnit":"C"}}`,
		`{"sn":{"AM2301":{"Temperature":30},"DS18B20":{"Temperature":20},"TempUnit":"C"}}`,
	} {
		d := New(env)
		ctx, cancel := context.WithCancel(t.Context())
		d.Connected(ctx)
		bus.Keep(d, "tasmota/discovery/"+mac+"/config", cfg)
		bus.Keep(d, "tasmota/discovery/"+mac+"/sensors", sensors)
		bus.Say(d, "tele/kettle/SENSOR", `{"DS18B20":{"Temperature":21},"TempUnit":"C"}`)
		if bus.Value(kettle, "temperature") != hearth.NumberOf(21) {
			t.Errorf("the first sensor has lost its name: %s", names(t, bus, kettle))
		}
		cancel()
		d.Silence()
	}
	if got := names(t, bus, kettle); got != "rssi temperature temperature_2 uptime" {
		t.Error(got)
	}
}

// TestSleeper has a device that is away most of the time.
func TestSleeper(t *testing.T) {
	d, bus := with(t, change(map[string]any{"dslp": 1, "bat": 1}), noSensors)
	bus.Say(d, "tele/kettle/LWT", "Offline")
	if bus.Value(kettle, "reachable") != hearth.BoolOf(true) {
		t.Error("a device that sleeps is told to be gone")
	}
}

func TestRetainedPresses(t *testing.T) {
	d, bus := with(t, change(map[string]any{"btn": []int{1}, "so.73": 1, "swc": []int{0}, "so.114": 1}), noSensors)
	bus.Keep(d, "stat/kettle/RESULT", `{"Button1":{"Action":"SINGLE"},"Switch1":{"Action":"TOGGLE"}}`)
	for _, property := range []string{"button", "button_switch"} {
		if v := bus.Value(kettle, property); !v.IsZero() {
			t.Errorf("an old press came as %s %v", property, v)
		}
	}
	bus.Say(d, "stat/kettle/RESULT", `{"Switch1":{"Action":"TOGGLE"}}`)
	if bus.Value(kettle, "button_switch") != hearth.TextOf("single") {
		t.Error("a press was not told")
	}
}

func TestSharedTopic(t *testing.T) {
	d, bus := with(t, base, noSensors)
	for i := range 20 { // replaced devices whose announcements stayed
		other := fmt.Sprintf("AABBCC%06X", i)
		bus.Keep(d, "tasmota/discovery/"+other+"/config", change(map[string]any{"mac": other}))
		bus.Keep(d, "tasmota/discovery/"+other+"/sensors", noSensors)
	}
	bus.Keep(d, "tasmota/discovery/AABBCC000000/config", "")
	bus.Say(d, "stat/kettle/RESULT", `{"POWER":"ON"}`)
	if bus.Value(kettle, "on") != hearth.BoolOf(true) {
		t.Error("the device is not heard any more")
	}
	if n := len(d.bases["stat/kettle/"]); n > sameTopic {
		t.Errorf("%d devices share a topic", n)
	}
}
