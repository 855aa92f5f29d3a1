package homeassistant

import (
	"testing"
	"testing/synctest"
)

// TestStandIns has what EMS-ESP announces: values whose template has a stand-in for what is not there, beside an
// availability in the same message that says so; percentages of all kinds as power factors; differences in kelvin.
func TestStandIns(t *testing.T) {
	const (
		dev   = `"dev":{"ids":["ems-esp-boiler"],"name":"ems-esp Boiler"}`
		avty  = `"avty":[{"t":"ems-esp/boiler_data","val_tpl":"{{'online' if value_json['outdoortemp'] is defined else 'offline'}}"}],"avty_mode":"all"`
		mayBe = `{{value_json['outdoortemp'] if value_json['outdoortemp'] is defined else 0}}`
	)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(`homeassistant/sensor/ems-esp/boiler_outdoortemp/config {"uniq_id":"boiler_outdoortemp","obj_id":"boiler_outdoortemp","stat_t":"ems-esp/boiler_data","val_tpl":"` + mayBe + `","unit_of_meas":"°C","dev_cla":"temperature","stat_cla":"measurement",` + avty + `,` + dev + `}
			homeassistant/sensor/ems-esp/boiler_curburnpow/config {"uniq_id":"boiler_curburnpow","obj_id":"boiler_curburnpow","stat_t":"ems-esp/boiler_data","val_tpl":"{{value_json['curburnpow']}}","unit_of_meas":"%","dev_cla":"power_factor","stat_cla":"measurement",` + dev + `}
			homeassistant/number/ems-esp/boiler_boilhyston/config {"uniq_id":"boiler_boilhyston","obj_id":"boiler_boilhyston","stat_t":"ems-esp/boiler_data","cmd_t":"ems-esp/boiler/boilhyston","val_tpl":"{{value_json['boilhyston']}}","unit_of_meas":"K","dev_cla":"temperature","min":-20,"max":0,` + dev + `}
			homeassistant/sensor/meter/power_factor/config {"uniq_id":"m_pf","obj_id":"m_power_factor","stat_t":"m","val_tpl":"{{value_json.pf}}","unit_of_meas":"%","dev_cla":"power_factor","dev":{"ids":["m"]}}`)
		const id = "mqtt:ems-esp-boiler"
		b.wants(id, "sensor", "curburnpow:number:% temperature:number:°C boilhyston:number:K!")
		b.wants("mqtt:m", "sensor", "power_factor:number")
		b.say("ems-esp/boiler_data", `{"curburnpow":45,"boilhyston":-6}`)
		b.last(id, "curburnpow=45", "boilhyston=-6", "temperature=nothing")
		b.say("ems-esp/boiler_data", `{"outdoortemp":-3.5,"curburnpow":45}`)
		b.last(id, "temperature=-3.5", "reachable=true")
		b.say("ems-esp/boiler_data", `{"curburnpow":46}`)
		b.last(id, "temperature=-3.5", "curburnpow=46")
		b.say("m", `{"pf":95}`)
		b.last("mqtt:m", "power_factor=0.95")
	})
}

// TestNone: where None is one of what can be chosen, it is that, and not Python's nothing.
func TestNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(`homeassistant/light/strip/light/config {"schema":"json","dev":{"ids":"strip"},"uniq_id":"l","stat_t":"strip/state","cmd_t":"strip/set","effect":true,"fx_list":["Rainbow","None"]}
			homeassistant/light/basic/light/config {"dev":{"ids":"basic"},"uniq_id":"b","stat_t":"basic/state","cmd_t":"basic/set","fx_stat_t":"basic/fx","fx_cmd_t":"basic/fx/set","fx_list":["None","Fire"]}
			homeassistant/select/choice/mode/config {"dev":{"ids":"choice"},"uniq_id":"c","obj_id":"mode","stat_t":"choice","cmd_t":"choice/set","ops":["None","Some"]}
			homeassistant/sensor/plain/s/config {"dev":{"ids":"plain"},"uniq_id":"p","obj_id":"word","stat_t":"plain"}`)
		b.say("strip/state", `{"state":"ON","effect":"Rainbow"}`)
		b.last("mqtt:strip", "effect=Rainbow")
		if err := b.sends("mqtt:strip", set{"effect": txt("None")}, func(_, payload string) { b.say("strip/state", payload) }, `strip/set {"effect":"None","state":"ON"}`); err != nil {
			t.Error(err)
		}
		b.say("basic/fx", "None")
		b.say("choice", "None")
		b.say("plain", "None")
		b.last("mqtt:strip", "effect=None")
		b.last("mqtt:basic", "effect=None")
		b.last("mqtt:choice", "mode=None")
		b.last("mqtt:plain", "word=nothing")
	})
}

// TestValvePosition has the valve of ESPHome, which says its position beside its state.
func TestValvePosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(`homeassistant/valve/garden/valve/config {"pos_t":"garden/valve/position/state","set_pos_t":"garden/valve/position/command","name":"Valve","stat_t":"garden/valve/state","cmd_t":"garden/valve/command","uniq_id":"v","dev":{"ids":"garden"}}`)
		b.wants("mqtt:garden", "valve", "on:bool! position:number:%!")
		b.say("garden/valve/position/state", "40")
		b.say("garden/valve/state", "open")
		b.last("mqtt:garden", "on=true", "position=40")
		if err := b.sends("mqtt:garden", set{"position": num(70)}, func(string, string) { b.say("garden/valve/position/state", "70") }, "garden/valve/position/command 70"); err != nil {
			t.Error(err)
		}
		if err := b.sends("mqtt:garden", set{"on": on(false)}, func(string, string) { b.say("garden/valve/state", "closed") }, "garden/valve/command CLOSE"); err != nil {
			t.Error(err)
		}
	})
}
