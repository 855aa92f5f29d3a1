package mqtt

import (
	"fmt"
	"slices"

	"hearth"
	"hearth/drivers/mqtt/dialect"
	"hearth/drivers/mqtt/homeassistant"
	"hearth/drivers/mqtt/mapped"
	"hearth/drivers/mqtt/shelly"
	"hearth/drivers/mqtt/tasmota"
	"hearth/drivers/mqtt/zigbee2mqtt"
)

// A builder makes a dialect. speaks reports whether another one is spoken as well.
type builder struct {
	name  string
	build func(env dialect.Env, c Config, speaks func(string) bool) (dialect.Dialect, error)
}

// builders lists the dialects in the order in which they are asked for a device.
func builders() []builder {
	return []builder{
		{"zigbee2mqtt", func(env dialect.Env, c Config, _ func(string) bool) (dialect.Dialect, error) {
			return zigbee2mqtt.New(env, zigbee2mqtt.Config{BaseTopics: c.BaseTopics}), nil
		}},
		{"homeassistant", func(env dialect.Env, c Config, speaks func(string) bool) (dialect.Dialect, error) {
			cfg := homeassistant.Config{Prefix: c.Discovery}
			if speaks("zigbee2mqtt") {
				cfg.Ignore = append(cfg.Ignore, "Zigbee2MQTT") // else each of its devices would be there twice
			}
			return homeassistant.New(env, cfg)
		}},
		{"tasmota", func(env dialect.Env, _ Config, _ func(string) bool) (dialect.Dialect, error) {
			return tasmota.New(env), nil
		}},
		{"shelly", func(env dialect.Env, _ Config, _ func(string) bool) (dialect.Dialect, error) {
			return shelly.New(env), nil
		}},
	}
}

func dialectNames() []string {
	var names []string
	for _, b := range builders() {
		names = append(names, b.name)
	}
	return names
}

// speakers makes the dialects that the configuration wants, each with a bus and a store of its own.
func (d *Driver) speakers() error {
	speaks := func(name string) bool { return d.cfg.Dialects == nil || slices.Contains(d.cfg.Dialects, name) }
	add := func(name string, build func(dialect.Env) (dialect.Dialect, error)) error {
		f := &face{driver: d, name: name, filters: map[string]bool{}, ids: map[hearth.ID]bool{}}
		env := dialect.Env{Env: d.env, Bus: f}
		env.Log = d.env.Log.With("dialect", name)
		env.Store = shelf{store: d.env.Store, prefix: name + "/"}
		made, err := build(env)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		f.dialect = made
		d.faces = append(d.faces, f)
		return nil
	}
	for _, b := range builders() {
		if !speaks(b.name) {
			continue
		}
		err := add(b.name, func(env dialect.Env) (dialect.Dialect, error) { return b.build(env, d.cfg, speaks) })
		if err != nil {
			return err
		}
	}
	if len(d.cfg.Map) == 0 {
		return nil
	}
	return add("map", func(env dialect.Env) (dialect.Dialect, error) { return mapped.New(env, d.cfg.Map), nil })
}
