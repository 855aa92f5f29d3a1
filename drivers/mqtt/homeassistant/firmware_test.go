package homeassistant

import (
	"testing"
	"testing/synctest"

	"hearth"
)

// The announcements below are in the form that the named programs send, as their documentation and sources tell.

const esphome = `
homeassistant/sensor/livingroom/temperature/config {"dev_cla":"temperature","unit_of_meas":"°C","stat_cla":"measurement","name":"Temperature","stat_t":"livingroom/sensor/temperature/state","avty_t":"livingroom/status","uniq_id":"ESPsensortemperature","dev":{"ids":"a4cf12aabbcc","name":"livingroom","sw":"esphome v2025.10.1","mdl":"nodemcu-32s","mf":"Espressif","cns":[["mac","a4:cf:12:aa:bb:cc"]]}}
homeassistant/sensor/livingroom/outside_temperature/config {"dev_cla":"temperature","unit_of_meas":"°F","name":"Outside Temperature","stat_t":"livingroom/sensor/outside_temperature/state","avty_t":"livingroom/status","uniq_id":"ESPsensoroutside_temperature","dev":{"ids":"a4cf12aabbcc","name":"livingroom","sw":"esphome v2025.10.1"}}
homeassistant/sensor/livingroom/uptime/config {"dev_cla":"duration","unit_of_meas":"s","stat_cla":"total_increasing","ent_cat":"diagnostic","name":"Uptime","stat_t":"livingroom/sensor/uptime/state","avty_t":"livingroom/status","uniq_id":"ESPsensoruptime","dev":{"ids":"a4cf12aabbcc","name":"livingroom"}}
homeassistant/light/livingroom/lamp/config {"schema":"json","brightness":true,"color_mode":true,"sup_clrm":["color_temp","rgb"],"min_mirs":153,"max_mirs":500,"effect":true,"fx_list":["None","Rainbow"],"name":"Lamp","stat_t":"livingroom/light/lamp/state","cmd_t":"livingroom/light/lamp/command","avty_t":"livingroom/status","uniq_id":"ESPlightlamp","dev":{"ids":"a4cf12aabbcc","name":"livingroom"}}
homeassistant/cover/livingroom/blind/config {"dev_cla":"blind","pos_t":"livingroom/cover/blind/position/state","set_pos_t":"livingroom/cover/blind/position/command","tilt_status_t":"livingroom/cover/blind/tilt/state","tilt_cmd_t":"livingroom/cover/blind/tilt/command","name":"Blind","stat_t":"livingroom/cover/blind/state","cmd_t":"livingroom/cover/blind/command","avty_t":"livingroom/status","uniq_id":"ESPcoverblind","dev":{"ids":"a4cf12aabbcc","name":"livingroom"}}
homeassistant/climate/livingroom/heater/config {"curr_temp_t":"livingroom/climate/heater/current_temperature/state","mode_stat_t":"livingroom/climate/heater/mode/state","mode_cmd_t":"livingroom/climate/heater/mode/command","modes":["heat_cool","off","heat"],"temp_stat_t":"livingroom/climate/heater/target_temperature/state","temp_cmd_t":"livingroom/climate/heater/target_temperature/command","min_temp":10,"max_temp":30,"temp_step":0.5,"act_t":"livingroom/climate/heater/action/state","name":"Heater","avty_t":"livingroom/status","uniq_id":"ESPclimateheater","dev":{"ids":"a4cf12aabbcc","name":"livingroom"}}
homeassistant/switch/livingroom/relay/config {"name":"Relay","stat_t":"livingroom/switch/relay/state","cmd_t":"livingroom/switch/relay/command","avty_t":"livingroom/status","uniq_id":"ESPswitchrelay","dev":{"ids":"a4cf12aabbcc","name":"livingroom"}}
homeassistant/binary_sensor/livingroom/door/config {"dev_cla":"door","name":"Door","stat_t":"livingroom/binary_sensor/door/state","avty_t":"livingroom/status","uniq_id":"ESPbinary_sensordoor","dev":{"ids":"a4cf12aabbcc","name":"livingroom"}}
homeassistant/button/livingroom/restart/config {"dev_cla":"restart","ent_cat":"config","name":"Restart","cmd_t":"livingroom/button/restart/command","avty_t":"livingroom/status","uniq_id":"ESPbuttonrestart","dev":{"ids":"a4cf12aabbcc","name":"livingroom"}}
`

func TestESPHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.keeps("livingroom/status", "online") // not subscribed yet: nobody hears it
		b.announce(esphome)
		const id = "mqtt:a4cf12aabbcc"
		b.wants(id, "light", `on:bool! brightness:number:%! color_temperature:number:K! color_hue:number:°! color_saturation:number:%! effect:text! transition:number:s>
			position:number:%! tilt:number:%! movement:text> temperature:number:°C target_temperature:number:°C! hvac_mode:text! hvac_action:text
			on_relay:bool! open:bool temperature_outside:number:°C temperature_sensor:number:°C uptime:number:s restart:bool>`)
		if dev, _ := b.Device(id); dev.Name != "livingroom" || dev.Vendor != "Espressif" || dev.Model != "nodemcu-32s" || dev.Firmware != "esphome v2025.10.1" {
			t.Errorf("the device is described as %+v", dev)
		}
		b.keeps("livingroom/status", "online")
		b.say("livingroom/sensor/temperature/state", "21.4")
		b.say("livingroom/sensor/outside_temperature/state", "50.0")
		b.say("livingroom/binary_sensor/door/state", "ON")
		b.say("livingroom/light/lamp/state", `{"color_mode":"color_temp","state":"ON","brightness":128,"color_temp":250,"color":{"r":255,"g":0,"b":0}}`)
		b.say("livingroom/cover/blind/position/state", "40")
		b.say("livingroom/climate/heater/mode/state", "heat_cool")
		b.say("livingroom/climate/heater/action/state", "off")
		b.last(id, "reachable=true", "temperature_sensor=21.4", "temperature_outside=10", "open=true", "on=true", "brightness=50.2", "color_temperature=4000", "color_hue=nothing",
			"position=40", "hvac_mode=auto", "hvac_action=idle")
		echo := func(topic, payload string) { b.say("livingroom/light/lamp/state", payload) }
		if err := b.sends(id, set{"on": on(true), "brightness": num(50), "color_hue": num(120), "color_saturation": num(100), "transition": num(2)}, echo,
			`livingroom/light/lamp/command {"brightness":128,"color":{"b":0,"g":255,"r":0},"state":"ON","transition":2}`); err != nil {
			t.Error(err)
		}
		b.last(id, "color_hue=120", "color_saturation=100")
		if err := b.sends(id, set{"hvac_mode": txt("auto"), "target_temperature": num(21)}, func(string, string) { b.say("livingroom/climate/heater/mode/state", "heat_cool") },
			"livingroom/climate/heater/target_temperature/command 21.0", "livingroom/climate/heater/mode/command heat_cool"); err != nil {
			t.Error(err)
		}
		if err := b.sends(id, set{"movement": txt("stop")}, nil, "livingroom/cover/blind/command STOP"); err != nil {
			t.Error(err)
		}
		if err := b.sends(id, set{"restart": on(true)}, nil, "livingroom/button/restart/command PRESS"); err != nil {
			t.Error(err)
		}
		if err := b.sends(id, set{"on_relay": on(true)}, nil, "livingroom/switch/relay/command ON"); hearth.ErrorOf(err).Code != hearth.CodeUnknownOutcome {
			t.Errorf("a relay that says nothing: %v", err)
		}
		b.say("livingroom/status", "offline")
		b.last(id, "reachable=false")
		if err := b.sends(id, set{"on": on(true)}, nil); hearth.ErrorOf(err).Code != hearth.CodeOffline {
			t.Errorf("a device that is away: %v", err)
		}
	})
}

const openMQTTGateway = `
homeassistant/sensor/A4C138AABBCC-tempc/config {"stat_t":"+/+/BTtoMQTT/A4C138AABBCC","dev_cla":"temperature","unit_of_meas":"°C","name":"tempc","uniq_id":"A4C138AABBCC-tempc","val_tpl":"{{ value_json.tempc | is_defined }}","stat_cla":"measurement","device":{"ids":["A4C138AABBCC"],"cns":[["mac","A4:C1:38:AA:BB:CC"]],"mf":"Xiaomi","mdl":"LYWSD03MMC","name":"LYWSD03MMC-AABBCC","via_device":"OMG"}}
homeassistant/sensor/A4C138AABBCC-hum/config {"stat_t":"+/+/BTtoMQTT/A4C138AABBCC","dev_cla":"humidity","unit_of_meas":"%","name":"hum","uniq_id":"A4C138AABBCC-hum","val_tpl":"{{ value_json.hum | is_defined }}","device":{"ids":["A4C138AABBCC"],"cns":[["mac","A4:C1:38:AA:BB:CC"]],"name":"LYWSD03MMC-AABBCC"}}
homeassistant/sensor/A4C138AABBCC-batt/config {"stat_t":"+/+/BTtoMQTT/A4C138AABBCC","dev_cla":"battery","unit_of_meas":"%","name":"batt","uniq_id":"A4C138AABBCC-batt","val_tpl":"{{ value_json.batt | is_defined }}","device":{"ids":["A4C138AABBCC"]}}
homeassistant/sensor/A4C138AABBCC-volt/config {"stat_t":"+/+/BTtoMQTT/A4C138AABBCC","dev_cla":"voltage","unit_of_meas":"V","ent_cat":"diagnostic","name":"batt volt","uniq_id":"A4C138AABBCC-volt","val_tpl":"{{ value_json.volt | is_defined }}","device":{"ids":["A4C138AABBCC"]}}
`

func TestOpenMQTTGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(openMQTTGateway)
		const id = "mqtt:A4C138AABBCC"
		b.wants(id, "sensor", `battery:number:% humidity:number:% temperature:number:°C battery_voltage:number:V`)
		b.say("home/OMG/BTtoMQTT/A4C138AABBCC", `{"id":"A4:C1:38:AA:BB:CC","rssi":-61,"tempc":22.1,"hum":45,"volt":2.9}`)
		b.say("home/OMG/BTtoMQTT/OTHER", `{"tempc":1}`)
		b.last(id, "temperature=22.1", "humidity=45", "battery=nothing", "battery_voltage=2.9")
	})
}

const zwave = `
homeassistant/climate/kitchen/climate_thermostat/config {"availability":[{"payload_available":"true","payload_not_available":"false","topic":"zwave/kitchen/status","value_template":"{{ 'true' if value_json.value else 'false' }}"},{"topic":"zwave/_CLIENTS/ZWAVE_GATEWAY-zwavejs2mqtt/status","value_template":"{{'online' if value_json.value else 'offline'}}"}],"availability_mode":"all","min_temp":4,"max_temp":28,"modes":["off","heat"],"temperature_unit":"C","current_temperature_topic":"zwave/kitchen/49/0/Air_temperature","current_temperature_template":"{{ value_json.value }}","temperature_state_topic":"zwave/kitchen/67/0/setpoint/1","temperature_state_template":"{{ value_json.value }}","temperature_command_topic":"zwave/kitchen/67/0/setpoint/1/set","mode_state_topic":"zwave/kitchen/64/0/mode","mode_state_template":"{{ {0: \"off\", 1: \"heat\"}[value_json.value] | default('off') }}","mode_command_topic":"zwave/kitchen/64/0/mode/set","mode_command_template":"{{ {\"off\": 0, \"heat\": 1}[value] | default('0') }}","device":{"identifiers":["zwavejs2mqtt_0xe6b7a3a1_node5"],"manufacturer":"Danfoss","model":"Living Connect (LC-13)","name":"kitchen","sw_version":"1.1"},"name":"kitchen_thermostat","unique_id":"zwavejs2mqtt_0xe6b7a3a1_5-64-0-mode"}
homeassistant/switch/kitchen/switch/config {"payload_off":false,"payload_on":true,"value_template":"{{ value_json.value }}","command_topic":"zwave/kitchen/37/0/targetValue/set","state_topic":"zwave/kitchen/37/0/currentValue","device":{"identifiers":["zwavejs2mqtt_0xe6b7a3a1_node5"],"name":"kitchen"},"name":"kitchen_switch","unique_id":"zwavejs2mqtt_0xe6b7a3a1_5-37-0-currentValue"}
homeassistant/cover/kitchen/position_cover/config {"command_topic":"zwave/kitchen/38/0/targetValue/set","position_topic":"zwave/kitchen/38/0/currentValue","set_position_topic":"zwave/kitchen/38/0/targetValue/set","position_template":"{{ value_json.value | round(0) }}","position_open":99,"position_closed":0,"payload_open":99,"payload_close":0,"payload_stop":null,"device":{"identifiers":["zwavejs2mqtt_0xe6b7a3a1_node6"],"name":"blind"},"name":"blind_position","unique_id":"z6"}
`

func TestZwave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(zwave)
		const id = "mqtt:zwavejs2mqtt_0xe6b7a3a1_node5"
		b.wants(id, "thermostat", `temperature:number:°C target_temperature:number:°C! hvac_mode:text! on:bool!`)
		b.say("zwave/kitchen/status", `{"time":1,"value":true}`)
		b.last(id, "reachable=nothing")
		b.say("zwave/_CLIENTS/ZWAVE_GATEWAY-zwavejs2mqtt/status", `{"value":true}`)
		b.say("zwave/kitchen/64/0/mode", `{"value":1}`)
		b.say("zwave/kitchen/37/0/currentValue", `{"value":true}`)
		b.last(id, "reachable=true", "hvac_mode=heat", "on=true")
		b.say("zwave/kitchen/status", `{"value":false}`)
		b.last(id, "reachable=false")
		b.say("zwave/kitchen/37/0/currentValue", `{"value":false}`)
		b.last(id, "on=false", "reachable=false")
		b.say("zwave/kitchen/status", `{"value":true}`)
		if err := b.sends(id, set{"hvac_mode": txt("off")}, func(string, string) { b.say("zwave/kitchen/64/0/mode", `{"value":0}`) }, "zwave/kitchen/64/0/mode/set 0"); err != nil {
			t.Error(err)
		}
		b.wants("mqtt:zwavejs2mqtt_0xe6b7a3a1_node6", "cover", "position:number:%! movement:text>")
		b.say("zwave/kitchen/38/0/currentValue", `{"value":49.5}`)
		b.last("mqtt:zwavejs2mqtt_0xe6b7a3a1_node6", "position=50.5")
		b.sends("mqtt:zwavejs2mqtt_0xe6b7a3a1_node6", set{"position": num(100)}, func(string, string) { b.say("zwave/kitchen/38/0/currentValue", `{"value":99}`) }, "zwave/kitchen/38/0/targetValue/set 99")
	})
}

const ems = `
homeassistant/sensor/ems-esp/boiler_outdoortemp/config {"uniq_id":"boiler_outdoortemp","def_ent_id":"sensor.boiler_outdoortemp","stat_t":"ems-esp/boiler_data","name":"Außentemperatur","val_tpl":"{{value_json.outdoortemp if value_json.outdoortemp is defined else 0}}","unit_of_meas":"°C","dev_cla":"temperature","stat_cla":"measurement","dev":{"ids":["ems-esp-boiler"],"name":"EMS-ESP Boiler","mf":"Buderus","mdl":"GB172"},"avty":[{"t":"ems-esp/status","val_tpl":"{{'online' if value == 'online' else 'offline'}}"},{"t":"ems-esp/boiler_data","val_tpl":"{{'online' if value_json.outdoortemp is defined else 'offline'}}"}],"avty_mode":"all"}
homeassistant/sensor/ems-esp/boiler_curflowtemp/config {"uniq_id":"boiler_curflowtemp","def_ent_id":"sensor.boiler_curflowtemp","stat_t":"ems-esp/boiler_data","name":"aktuelle Vorlauftemperatur","val_tpl":"{{value_json.curflowtemp if value_json.curflowtemp is defined else 0}}","unit_of_meas":"°C","dev_cla":"temperature","dev":{"ids":["ems-esp-boiler"]}}
homeassistant/sensor/ems-esp/boiler_syspress/config {"uniq_id":"boiler_syspress","stat_t":"ems-esp/boiler_data","name":"System pressure","val_tpl":"{{value_json.syspress}}","unit_of_meas":"bar","dev_cla":"pressure","dev":{"ids":["ems-esp-boiler"]}}
homeassistant/number/ems-esp/boiler_selflowtemp/config {"uniq_id":"boiler_selflowtemp","stat_t":"ems-esp/boiler_data","cmd_t":"ems-esp/boiler/selflowtemp","min":0,"max":90,"mode":"box","step":1,"name":"Selected flow temperature","val_tpl":"{{value_json.selflowtemp}}","unit_of_meas":"°C","dev":{"ids":["ems-esp-boiler"]}}
homeassistant/select/ems-esp/boiler_mode/config {"uniq_id":"boiler_mode","stat_t":"ems-esp/boiler_data","cmd_t":"ems-esp/boiler/mode","ops":["auto","day","night"],"name":"Mode","val_tpl":"{{value_json.mode}}","dev":{"ids":["ems-esp-boiler"]}}
homeassistant/sensor/ems-esp/boiler_odd/config {"uniq_id":"boiler_odd","stat_t":"ems-esp/boiler_data","name":"Odd","val_tpl":"{{ states('sensor.x') }}","dev":{"ids":["ems-esp-boiler"]}}
`

func TestEMS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(ems)
		const id = "mqtt:ems-esp-boiler"
		b.wants(id, "sensor", `temperature_curflowtemp:number:°C temperature_outdoortemp:number:°C pressure:number:hPa selected_flow_temperature:number:°C! mode:text! unsupported:text`)
		b.last(id, "unsupported=odd value_template: {{ states('sensor.x') }} (the function states is not underst…")
		b.say("ems-esp/boiler_data", `{"outdoortemp":-3.5,"curflowtemp":45.2,"syspress":1.5,"selflowtemp":50,"mode":"auto"}`)
		b.last(id, "temperature_outdoortemp=-3.5", "pressure=1500", "mode=auto", "selected_flow_temperature=50", "reachable=nothing")
		b.say("ems-esp/status", "online")
		b.last(id, "reachable=true")
		if err := b.sends(id, set{"selected_flow_temperature": num(55), "mode": txt("night")}, func(string, string) {
			b.say("ems-esp/boiler_data", `{"selflowtemp":55,"mode":"night"}`)
		}, "ems-esp/boiler/selflowtemp 55", "ems-esp/boiler/mode night"); err != nil && hearth.ErrorOf(err).Code != hearth.CodeOffline {
			t.Error(err)
		}
	})
}

const zigbee2mqtt = `
homeassistant/light/0x001788010bb1c2d3/light/config {"availability":[{"topic":"zigbee2mqtt/bridge/state","value_template":"{{ value_json.state }}"},{"topic":"zigbee2mqtt/Desk/availability","value_template":"{{ value_json.state }}"}],"availability_mode":"all","brightness":true,"brightness_scale":254,"command_topic":"zigbee2mqtt/Desk/set","device":{"identifiers":["zigbee2mqtt_0x001788010bb1c2d3"],"manufacturer":"Philips","model":"Hue white ambiance","name":"Desk","via_device":"zigbee2mqtt_bridge_0x1"},"effect":true,"effect_list":["blink","okay"],"max_mireds":454,"min_mireds":153,"name":null,"object_id":"desk","origin":{"name":"Zigbee2MQTT","sw":"2.6.0","url":"https://www.zigbee2mqtt.io"},"schema":"json","state_topic":"zigbee2mqtt/Desk","supported_color_modes":["color_temp"],"unique_id":"0x001788010bb1c2d3_light_zigbee2mqtt"}
homeassistant/sensor/0x001788010bb1c2d3/linkquality/config {"device":{"identifiers":["zigbee2mqtt_0x001788010bb1c2d3"],"name":"Desk"},"enabled_by_default":false,"entity_category":"diagnostic","name":"Linkquality","object_id":"desk_linkquality","state_class":"measurement","state_topic":"zigbee2mqtt/Desk","unique_id":"0x001788010bb1c2d3_linkquality_zigbee2mqtt","unit_of_measurement":"lqi","value_template":"{{ value_json.linkquality }}"}
homeassistant/select/0x001788010bb1c2d3/power_on_behavior/config {"command_topic":"zigbee2mqtt/Desk/set/power_on_behavior","device":{"identifiers":["zigbee2mqtt_0x001788010bb1c2d3"],"name":"Desk"},"entity_category":"config","name":"Power-on behavior","object_id":"desk_power_on_behavior","options":["off","on","toggle","previous"],"state_topic":"zigbee2mqtt/Desk","unique_id":"0x001788010bb1c2d3_power_on_behavior_zigbee2mqtt","value_template":"{{ value_json.power_on_behavior }}"}
homeassistant/binary_sensor/0x00158d0001a2b3c4/contact/config {"device":{"identifiers":["zigbee2mqtt_0x00158d0001a2b3c4"],"name":"Window"},"device_class":"door","name":null,"object_id":"window","payload_off":true,"payload_on":false,"state_topic":"zigbee2mqtt/Window","unique_id":"0x00158d0001a2b3c4_contact_zigbee2mqtt","value_template":"{{ value_json.contact }}"}
homeassistant/sensor/0x00158d0001a2b3c4/voltage/config {"device":{"identifiers":["zigbee2mqtt_0x00158d0001a2b3c4"],"name":"Window"},"device_class":"voltage","entity_category":"diagnostic","name":"Voltage","state_topic":"zigbee2mqtt/Window","unique_id":"0x00158d0001a2b3c4_voltage_zigbee2mqtt","unit_of_measurement":"mV","value_template":"{{ value_json.voltage }}"}
homeassistant/device_automation/0x00158d0001c5d6e7/action_single/config {"automation_type":"trigger","device":{"identifiers":["zigbee2mqtt_0x00158d0001c5d6e7"],"name":"Button"},"payload":"single","subtype":"single","topic":"zigbee2mqtt/Button/action","type":"action"}
homeassistant/device_automation/0x00158d0001c5d6e7/action_hold/config {"automation_type":"trigger","device":{"identifiers":["zigbee2mqtt_0x00158d0001c5d6e7"],"name":"Button"},"payload":"hold","subtype":"hold","topic":"zigbee2mqtt/Button/action","type":"action"}
homeassistant/event/0x00158d0001c5d6e8/action/config {"device":{"identifiers":["zigbee2mqtt_0x00158d0001c5d6e8"],"name":"Remote"},"event_types":["double","single"],"name":"Action","state_topic":"zigbee2mqtt/Remote","unique_id":"0x00158d0001c5d6e8_action_zigbee2mqtt","value_template":"{% set action = value_json.action | default('') %}{ \"event_type\": \"{{ action }}\" }"}
`

func TestZigbee2MQTT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(zigbee2mqtt)
		const lamp, window, button, remote = "mqtt:zigbee2mqtt_0x001788010bb1c2d3", "mqtt:zigbee2mqtt_0x00158d0001a2b3c4", "mqtt:zigbee2mqtt_0x00158d0001c5d6e7", "mqtt:zigbee2mqtt_0x00158d0001c5d6e8"
		b.wants(lamp, "light", `on:bool! brightness:number:%! color_temperature:number:K! effect:text! transition:number:s> link_quality:number power_on_behavior:text!`)
		b.wants(window, "sensor", "open:bool battery_voltage:number:V")
		b.wants(button, "button", "button:text*")
		b.wants(remote, "button", "button:text*")
		b.say("zigbee2mqtt/Window", `{"contact":false,"voltage":3005}`)
		b.last(window, "open=true", "battery_voltage=3.005")
		b.keeps("zigbee2mqtt/Button/action", "single")
		b.keeps("zigbee2mqtt/Remote", `{"action":"single"}`)
		b.last(button, "button=nothing")
		b.last(remote, "button=nothing")
		b.say("zigbee2mqtt/Button/action", "hold")
		b.say("zigbee2mqtt/Remote", `{"action":"double"}`)
		b.say("zigbee2mqtt/Remote", `{"action":""}`)
		b.last(button, "button=hold")
		b.last(remote, "button=double")
		b.say("zigbee2mqtt/Desk", `{"state":"ON","brightness":254,"color_mode":"color_temp","color_temp":153,"linkquality":120,"power_on_behavior":"previous"}`)
		b.last(lamp, "on=true", "brightness=100", "color_temperature=6536", "link_quality=120", "power_on_behavior=previous")
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{Ignore: []string{"Zigbee2MQTT"}})
		b.announce(zigbee2mqtt)
		if dev, ok := b.Device("mqtt:zigbee2mqtt_0x001788010bb1c2d3"); ok && len(dev.Properties) > 2 {
			t.Errorf("what another dialect speaks is taken in: %+v", dev)
		}
	})
}

const assorted = `
homeassistant/sensor/rtl_433/Acurite-Tower-A-1234-T/config {"device_class":"temperature","name":"Temperature","unit_of_measurement":"°F","value_template":"{{ value|float|round(1) }}","state_class":"measurement","state_topic":"rtl_433/host/devices/Acurite-Tower/A/1234/temperature_F","unique_id":"Acurite-Tower-A-1234-T","expire_after":600,"device":{"identifiers":["Acurite-Tower-A-1234"],"name":"Acurite-Tower-A-1234","model":"Acurite-Tower","manufacturer":"rtl_433"}}
homeassistant/binary_sensor/frigate/front_person_motion/config {"name":"Person occupancy","state_topic":"frigate/front/person","payload_on":"1","payload_off":"0","device_class":"occupancy","unique_id":"frigate_front_person","off_delay":30,"device":{"identifiers":["frigate_front"],"name":"Front","manufacturer":"Frigate"}}
homeassistant/light/DC4F22_LI_1/config {"name":"Tasmota","stat_t":"tele/strip/STATE","avty_t":"tele/strip/LWT","pl_avail":"Online","pl_not_avail":"Offline","cmd_t":"cmnd/strip/POWER","val_tpl":"{{value_json.POWER}}","pl_off":"OFF","pl_on":"ON","uniq_id":"DC4F22_LI_1","bri_cmd_t":"cmnd/strip/Dimmer","bri_stat_t":"tele/strip/STATE","bri_scl":100,"on_cmd_type":"brightness","bri_val_tpl":"{{value_json.Dimmer}}","rgb_cmd_t":"cmnd/strip/Color2","rgb_stat_t":"tele/strip/STATE","rgb_val_tpl":"{{value_json.Color.split(',')[0:3]|join(',')}}","device":{"identifiers":["DC4F22"]}}
homeassistant/switch/shellyplug/relay/config {"~":"shellies/shellyplug-s-1A2B3C","name":"Shelly Plug","cmd_t":"~/relay/0/command","stat_t":"~/relay/0","pl_off":"off","pl_on":"on","avty_t":"~/online","pl_avail":"true","pl_not_avail":"false","dev_cla":"outlet","uniq_id":"shellyplug-s-1A2B3C-relay-0","dev":{"cns":[["mac","C45BBE1A2B3C"]],"name":"Shelly Plug","mf":"Allterco"}}
homeassistant/sensor/shellyplug/energy/config {"~":"shellies/shellyplug-s-1A2B3C","name":"Energy","stat_t":"~/relay/0/energy","unit_of_meas":"kWh","dev_cla":"energy","stat_cla":"total_increasing","val_tpl":"{{ (value | float / 60 / 1000) | round(3) }}","uniq_id":"shellyplug-s-1A2B3C-energy-0","dev":{"cns":[["mac","C45BBE1A2B3C"]]}}
homeassistant/switch/garden/config {"name":"Garden","command_topic":"rc/garden","unique_id":"rcgarden"}
homeassistant/lock/front/config {"name":"Front","command_topic":"nuki/1/lockAction","state_topic":"nuki/1/state","payload_lock":"2","payload_unlock":"1","state_locked":"1","state_unlocked":"3","state_jammed":"254","unique_id":"nuki1_lock","optimistic":false}
homeassistant/fan/attic/config {"name":"Attic","command_topic":"fan/on/set","state_topic":"fan/on","percentage_command_topic":"fan/speed/set","percentage_state_topic":"fan/speed","speed_range_min":1,"speed_range_max":3,"preset_mode_command_topic":"fan/preset/set","preset_modes":["eco","boost"],"unique_id":"attic"}
homeassistant/valve/water/config {"name":"Water","command_topic":"valve/set","state_topic":"valve/state","unique_id":"water"}
homeassistant/light/t/config {"schema":"template","name":"T","command_topic":"t/set","state_topic":"t/state","command_on_template":"on,{{ brightness|d }},{{ red|d }}-{{ green|d }}-{{ blue|d }}","command_off_template":"off","state_template":"{{ value.split(',')[0] }}","brightness_template":"{{ value.split(',')[1] }}","unique_id":"t"}
homeassistant/vacuum/robot/config {"name":"Robot","command_topic":"v/set","unique_id":"robot","device":{"ids":["robot"],"name":"Robot"}}
homeassistant/siren/s/config {"name":"Siren","command_topic":"s/set","state_topic":"s/state","unique_id":"s"}
`

func TestAssorted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(assorted)
		b.wants("mqtt:Acurite-Tower-A-1234", "sensor", "temperature:number:°C")
		b.say("rtl_433/host/devices/Acurite-Tower/A/1234/temperature_F", "68.04")
		b.last("mqtt:Acurite-Tower-A-1234", "temperature=20")
		b.wants("mqtt:frigate_front", "sensor", "occupancy:bool")
		b.say("frigate/front/person", "1")
		b.last("mqtt:frigate_front", "occupancy=true")
		b.wants("mqtt:DC4F22", "light", "on:bool! brightness:number:%! color_hue:number:°! color_saturation:number:%! unsupported:text")
		b.say("tele/strip/STATE", `{"POWER":"ON","Dimmer":40,"Color":"255,0,0"}`)
		b.last("mqtt:DC4F22", "on=true", "brightness=40")
		b.sends("mqtt:DC4F22", set{"brightness": num(70)}, func(string, string) { b.say("tele/strip/STATE", `{"POWER":"ON","Dimmer":70}`) }, "cmnd/strip/Dimmer 70")
		b.wants("mqtt:c45bbe1a2b3c", "outlet", "on:bool! energy:number:kWh")
		b.say("shellies/shellyplug-s-1A2B3C/relay/0/energy", "120000")
		b.say("shellies/shellyplug-s-1A2B3C/relay/0", "on")
		b.last("mqtt:c45bbe1a2b3c", "energy=2", "on=true")
		b.wants("mqtt:rcgarden", "switch", "on:bool!")
		if err := b.sends("mqtt:rcgarden", set{"on": on(true)}, nil, "rc/garden ON"); err != nil {
			t.Error(err)
		}
		b.last("mqtt:rcgarden", "on=true")
		b.wants("mqtt:nuki1_lock", "lock", "lock:text!")
		b.say("nuki/1/state", "3")
		b.last("mqtt:nuki1_lock", "lock=unlocked")
		b.sends("mqtt:nuki1_lock", set{"lock": txt("locked")}, func(string, string) { b.say("nuki/1/state", "1") }, "nuki/1/lockAction 2")
		if err := b.sends("mqtt:nuki1_lock", set{"lock": txt("jammed")}, nil); hearth.ErrorOf(err).Code != hearth.CodeBadValue {
			t.Errorf("jammed: %v", err)
		}
		b.wants("mqtt:attic", "fan", "on:bool! fan_speed:number:%! preset_mode:text!")
		b.say("fan/speed", "2")
		b.last("mqtt:attic", "fan_speed=66.7")
		b.sends("mqtt:attic", set{"fan_speed": num(40)}, func(string, string) { b.say("fan/speed", "2") }, "fan/speed/set 2")
		b.wants("mqtt:water", "valve", "on:bool!")
		b.sends("mqtt:water", set{"on": on(true)}, func(string, string) { b.say("valve/state", "open") }, "valve/set OPEN")
		b.last("mqtt:water", "on=true")
		b.sends("mqtt:t", set{"brightness": num(100), "on": on(true)}, func(string, string) { b.say("t/state", "on,255") }, "t/set on,255,--")
		b.last("mqtt:t", "on=true", "brightness=100")
		b.wants("mqtt:robot", "other", "unsupported:text")
		b.sends("mqtt:s", set{"on": on(true)}, func(string, string) { b.say("s/state", `{"state":"ON"}`) }, `s/set {"state":"ON"}`)
		b.last("mqtt:s", "on=true")
	})
}

// TestParts has what one of Zigbee2MQTT's devices announces beside what it is for: a siren that is stopped in another
// way, a switch that is a setting, a climate's temperature once more, a firmware, the time it was heard.
func TestParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(`homeassistant/siren/s/siren/config {"device":{"identifiers":["s"]},"command_topic":"z/s/set","optimistic":true,"unique_id":"s","name":null,"command_off_template":"{\"mode\":\"stop\"}","command_template":"{\"mode\":\"{{ tone | default('emergency') }}\",\"level\":\"{% if volume_level is defined %}x{% else %}medium{% endif %}\"}"}
			homeassistant/climate/c/climate/config {"device":{"identifiers":["c"]},"current_temperature_topic":"z/c","current_temperature_template":"{{ value_json[\"local_temperature\"] }}","temperature_command_topic":"z/c/set","temperature_state_topic":"z/c","temperature_state_template":"{{ value_json.wish }}","unique_id":"c","name":null,"modes":[]}
			homeassistant/sensor/c/local_temperature/config {"device":{"identifiers":["c"]},"object_id":"c_local_temperature","state_topic":"z/c","device_class":"temperature","unit_of_measurement":"°C","value_template":"{{ value_json[\"local_temperature\"] }}","unique_id":"c_t"}
			homeassistant/sensor/c/last_seen/config {"device":{"identifiers":["c"]},"object_id":"c_last_seen","state_topic":"z/c","device_class":"timestamp","value_template":"{{ value_json.last_seen }}","unique_id":"c_l"}
			homeassistant/switch/c/switch_anti_scaling/config {"device":{"identifiers":["c"]},"object_id":"c_anti_scaling","state_topic":"z/c","command_topic":"z/c/set/anti_scaling","value_template":"{{ value_json[\"anti_scaling\"] }}","unique_id":"c_a"}
			homeassistant/number/c/comfort_temperature_max/config {"device":{"identifiers":["c"]},"object_id":"c_comfort_temperature_max","state_topic":"z/c","command_topic":"z/c/set/max","device_class":"temperature","unit_of_measurement":"°F","entity_category":"config","min":32,"max":212,"value_template":"{{ value_json.max }}","unique_id":"c_m"}
			homeassistant/sensor/c/energy_produced_a/config {"device":{"identifiers":["c"]},"object_id":"c_energy_produced_a","state_topic":"z/c","device_class":"energy","unit_of_measurement":"Wh","value_template":"{{ value_json.e }}","unique_id":"c_e"}
			homeassistant/update/c/update/config {"device":{"identifiers":["c"]},"state_topic":"z/c","value_template":"{\"latest_version\":\"{{ value_json['new'] }}\",\"installed_version\":\"1\",\"in_progress\":false}","unique_id":"c_u"}`)
		dev, _ := b.Device("mqtt:c")
		for name, want := range map[string]bool{"temperature": true, "temperature_local": false, "last_seen": false, "anti_scaling": true, "on": false, "comfort_temperature_max": true, "firmware_update": true, "unsupported": false} {
			if _, has := dev.Property(name); has != want {
				t.Errorf("%s: %v", name, has)
			}
		}
		b.say("z/c", `{"local_temperature":20,"max":212,"new":"2","e":1500,"anti_scaling":"ON"}`)
		b.last("mqtt:c", "temperature=20", "comfort_temperature_max=100", "firmware_update=offered", "energy_exported=1.5", "anti_scaling=true")
		if err := b.sends("mqtt:s", set{"on": on(false)}, nil, `z/s/set {"mode":"stop"}`); err != nil {
			t.Error(err)
		}
		if err := b.sends("mqtt:s", set{"on": on(true)}, nil, `z/s/set {"mode":"emergency","level":"medium"}`); err != nil {
			t.Error(err)
		}
	})
}

// TestHalfAColour sets one of two: the other is what the lamp said last.
func TestHalfAColour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(`homeassistant/light/l/config {"schema":"json","state_topic":"l","command_topic":"l/set","supported_color_modes":["xy"],"unique_id":"l"}`)
		if err := b.sends("mqtt:l", set{"color_y": num(0.3)}, nil); err == nil || hearth.ErrorOf(err).Code != hearth.CodeBadValue {
			t.Errorf("half a colour, and the other half is not known: %v", err)
		}
		b.say("l", `{"state":"ON","color_mode":"xy","color":{"x":0.4,"y":0.2}}`)
		if err := b.sends("mqtt:l", set{"transition": num(2)}, nil); err == nil || hearth.ErrorOf(err).Code != hearth.CodeBadValue {
			t.Errorf("how fast, but not what: %v", err)
		}
		err := b.sends("mqtt:l", set{"color_y": num(0.3)}, func(string, string) { b.say("l", `{"state":"ON","color":{"x":0.4,"y":0.3}}`) }, `l/set {"color":{"x":0.4,"y":0.3},"state":"ON"}`)
		if err != nil {
			t.Error(err)
		}
	})
}
