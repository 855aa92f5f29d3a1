package mqtt

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"hearth"
)

type job struct {
	Template string         `json:"template"`
	Vars     map[string]any `json:"vars"`
}

// render has a real Jinja2 render templates: Debian's, which `make e2e` installs.
func render(t *testing.T, jobs []job) (results []string) {
	t.Helper()
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import jinja2").Run(); err != nil {
		if os.Getenv("HEARTH_E2E") != "" {
			t.Fatal("python3-jinja2 is not installed: scripts/install-peers does it")
		}
		t.Skip("SKIPPED: python3-jinja2 is not installed; `make e2e` installs it and runs this")
	}
	in, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "testdata/render.py")
	cmd.Stdin = bytes.NewReader(in)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	if err := json.Unmarshal(out.Bytes(), &results); err != nil || len(results) != len(jobs) {
		t.Fatalf("%v %s", err, out.String())
	}
	return results
}

func entity(t *testing.T, device, key string) map[string]any {
	t.Helper()
	d := house()[device]
	c, ok := announce(newVocabulary(), topics{"homeassistant"}, &d, "1").components[key].(fields)
	if !ok {
		t.Fatalf("%s has no %s", device, key)
	}
	return c
}

// TestTemplates renders what Home Assistant would, from the state that is published and for what it would command.
func TestTemplates(t *testing.T) {
	d := house()
	state := func(device string) map[string]any {
		view := d[device]
		return map[string]any{"value": string(stateOf(newVocabulary(), &view))}
	}
	nothing := map[string]any{"value": "{}"}
	white := map[string]any{"value": `{"on":false,"brightness":50,"color_temperature":2702.7,"color_hue":30,"color_saturation":80,"color_mode":"color_temp"}`}
	v := func(x any) map[string]any { return map[string]any{"value": x} }
	tests := []struct {
		device, entity, field string
		vars                  map[string]any
		want                  string
	}{
		{"light", "light_on", "state_template", state("light"), "on"},
		{"light", "light_on", "state_template", white, "off"},
		{"light", "light_on", "state_template", nothing, "None"},
		{"light", "light_on", "brightness_template", state("light"), "103"},
		{"light", "light_on", "color_temp_template", state("light"), "None"}, // it is blue
		{"light", "light_on", "red_template", state("light"), "0"},
		{"light", "light_on", "green_template", state("light"), "0"},
		{"light", "light_on", "blue_template", state("light"), "255"},
		{"light", "light_on", "color_temp_template", white, "2703"},
		{"light", "light_on", "red_template", white, "None"},
		{"light", "light_on", "command_on_template", map[string]any{"state": "on"}, `{"on":true}`},
		{"light", "light_on", "command_on_template", map[string]any{"brightness": 103}, `{"on":true,"brightness":40.4}`},
		{"light", "light_on", "command_on_template", map[string]any{"brightness": 255, "color_temp": 2700, "transition": 2}, `{"on":true,"brightness":100.0,"color_temperature":2700,"transition":2}`},
		{"light", "light_on", "command_on_template", map[string]any{"red": 1, "hue": 240.5, "sat": 99.6}, `{"on":true,"color_hue":240.5,"color_saturation":99.6}`},
		{"light", "light_on", "command_off_template", map[string]any{"transition": 3}, `{"on":false,"transition":3}`},
		{"light", "select_power_on_behavior", "command_template", v("previous"), `{"power_on_behavior":"previous"}`},
		{"outlet", "switch_on", "value_template", state("outlet"), "ON"},
		{"outlet", "switch_on", "value_template", nothing, "None"},
		{"outlet", "sensor_power", "value_template", state("outlet"), "21.5"},
		{"cover", "cover_position", "position_template", state("cover"), "33"},
		{"cover", "cover_position", "position_template", nothing, ""},
		{"cover", "cover_position", "set_position_template", map[string]any{"position": 40}, `{"position":40}`},
		{"cover", "cover_position", "tilt_status_template", state("cover"), "50"},
		{"cover", "cover_position", "tilt_command_template", map[string]any{"tilt_position": 70}, `{"tilt":70}`},
		{"lock", "lock_lock", "value_template", state("lock"), "jammed"},
		{"lock", "lock_lock", "value_template", v(`{"lock":"unknown"}`), "None"},
		{"lock", "lock_lock", "value_template", nothing, "None"},
		{"thermostat", "climate_target_temperature", "temperature_state_template", state("thermostat"), "21.5"},
		{"thermostat", "climate_target_temperature", "mode_state_template", state("thermostat"), "heat"},
		{"thermostat", "climate_target_temperature", "action_template", state("thermostat"), "idle"},
		{"thermostat", "climate_target_temperature", "current_humidity_template", state("thermostat"), "21.5"},
		{"thermostat", "climate_target_temperature", "temperature_command_template", v(21.5), `{"target_temperature":21.5}`},
		{"thermostat", "climate_target_temperature", "mode_command_template", v("off"), `{"hvac_mode":"off"}`},
		{"heater", "climate_target_temperature", "mode_state_template", state("heater"), "heat"},
		{"heater", "climate_target_temperature", "mode_command_template", v("off"), `{"on":false}`},
		{"fan", "fan_on", "percentage_value_template", state("fan"), "33"},
		{"fan", "fan_on", "preset_mode_value_template", state("fan"), "auto"},
		{"fan", "fan_on", "preset_mode_value_template", v(`{"fan_mode":"on"}`), "None"},
		{"fan", "fan_on", "percentage_command_template", v(50), `{"fan_speed":50}`},
		{"vent", "fan_fan_speed", "state_value_template", v(`{"fan_speed":0}`), "OFF"},
		{"valve", "valve_on", "value_template", state("valve"), "open"},
		{"damper", "valve_position", "value_template", state("damper"), "33"},
		{"damper", "valve_position", "command_template", v(7), `{"position":7}`},
		{"siren", "siren_alarm", "command_template", map[string]any{"value": "ON"}, `{"alarm":true}`},
		{"siren", "siren_alarm", "command_template", map[string]any{"tone": "fire", "duration": 9}, `{"alarm":true,"alarm_mode":"fire","alarm_duration":9}`},
		{"button", "event_button_1", "value_template", v(`{"value":"double","time":null}`), `{"event_type": "double"}`},
		{"1", "text_greeting", "command_template", v(`say "hi" \ é`), `{"greeting":"say \"hi\" \\ \u00e9"}`},
		{"1", "number_level", "command_template", v(5), `{"level":5}`},
		{"1", "sensor_note", "value_template", state("1"), `say "hi" \ {{ 7*7 }}`},
		{"1", "binary_sensor_open", "value_template", state("1"), "ON"},
	}
	var jobs []job
	for _, test := range tests {
		text, ok := entity(t, test.device, test.entity)[test.field].(string)
		if !ok {
			t.Fatalf("%s of %s has no %s", test.entity, test.device, test.field)
		}
		jobs = append(jobs, job{text, test.vars})
	}
	for i, got := range render(t, jobs) {
		if got != tests[i].want {
			t.Errorf("%s of %s, %s with %v: %s, want %s\n%s", tests[i].entity, tests[i].device, tests[i].field, tests[i].vars, got, tests[i].want, jobs[i].Template)
		}
	}
}

// TestEveryTemplate renders all templates of all devices: those of commands give what the house takes, and every fixed
// payload is a command, too.
func TestEveryTemplate(t *testing.T) {
	vars := map[string]any{"value": "1", "position": 40, "tilt_position": 40, "brightness": 100, "color_temp": 3000, "hue": 10, "sat": 20, "transition": 1, "tone": "fire", "duration": 5}
	var jobs []job
	var check []func(string)
	for name, d := range house() {
		for key, c := range announce(newVocabulary(), topics{"homeassistant"}, &d, "1").components {
			for field, raw := range c.(fields) {
				text, ok := raw.(string)
				if !ok {
					continue
				}
				takes := func(payload string) {
					set, err := parseSet([]byte(payload))
					if err == nil {
						for p, value := range set {
							if view := d.Property(p); view == nil || !view.Writable || view.Kind != value.Kind() && view.Kind != hearth.Text {
								t.Errorf("%s %s %s: %s cannot set %s", name, key, field, payload, p)
							}
						}
					}
					if err != nil || len(set) == 0 {
						t.Errorf("%s %s %s: %q is no command: %v", name, key, field, payload, err)
					}
				}
				payload := strings.HasPrefix(field, "payload_") && !strings.Contains(key, "binary_sensor")
				command := strings.Contains(field, "command") && strings.HasSuffix(field, "template") || field == "set_position_template"
				switch {
				case payload:
					takes(text)
				case command:
					jobs, check = append(jobs, job{text, vars}), append(check, takes)
				case strings.HasSuffix(field, "template"):
					said := string(stateOf(newVocabulary(), &d))
					if strings.HasPrefix(key, "event_") {
						said = `{"value":"single","time":null}`
					}
					jobs = append(jobs, job{text, map[string]any{"value": said}})
					check = append(check, func(got string) {
						if got == "" || strings.Contains(got, "Undefined") {
							t.Errorf("%s %s %s: %q", name, key, field, got)
						}
					})
				}
			}
		}
	}
	for i, got := range render(t, jobs) {
		check[i](got)
	}
	t.Logf("%d templates rendered", len(jobs))
}
