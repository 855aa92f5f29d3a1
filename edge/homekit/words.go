package homekit

import "hearth"

// vocabulary is the words, and the kind of each.
func vocabulary() map[string]hearth.Kind {
	known := map[string]hearth.Kind{}
	for _, name := range hearth.Words() {
		word, _ := hearth.Word(name)
		known[name] = word.Kind
	}
	return known
}

// unmappable says of each word that HomeKit has no place for why that is so.
func unmappable() map[string]string {
	reasons := map[string]string{}
	because := func(why string, words ...string) {
		for _, w := range words {
			reasons[w] = why
		}
	}
	because("HomeKit knows no meters",
		"energy_exported", "energy_total", "heat_energy", "tariff", "gas_volume", "water_volume", "frequency", "power_factor", "power_apparent", "power_reactive")
	because("HomeKit has no such sensor", "noise", "wind_speed", "ph", "electrical_conductivity")
	because("a setting: HomeKit shows what a device does, not how it is set up",
		"power_on_behavior", "min_temperature", "max_temperature", "comfort_temperature", "eco_temperature", "holiday_temperature", "away_temperature",
		"frost_temperature", "local_temperature_calibration", "local_humidity_calibration", "window_detection", "alarm_strobe", "alarm_on_humidity",
		"alarm_on_temperature", "alarm_mode", "alarm_volume", "alarm_melody", "alarm_humidity", "alarm_temperature", "alarm_duration", "alarm_time")
	because("a text", "alarm_state")
	because("the temperature of electronics, not of a place", "cpu_temperature", "device_temperature")
	because("the charge that a voltage means depends on the battery", "battery_voltage")
	because("HomeKit gives each command without it", "transition")
	because("HomeKit keeps scenes of its own", "scene")
	because("of the radio", "link_quality", "rssi", "pairing", "interview", "membership", "reinterview", "remove", "refresh", "reset_energy", "firmware_update", "firmware_progress")
	because("of the gateway itself", "uptime", "buffer_rows", "buffer_bytes", "clock_offset", "flash_written", "rss")
	return reasons
}
