package edge

import (
	"maps"
	"slices"
	"strings"

	"hearth"
	"hearth/configs"
	"hearth/drivers/dsmr"
	"hearth/drivers/modbus"
	"hearth/drivers/mqtt"
	"hearth/drivers/plugin"
	"hearth/drivers/sim"
	"hearth/drivers/text"
	"hearth/drivers/zigbee"
	"hearth/settings"
)

// kinds is the table of built-in drivers. What a driver needs beside its own part of the configuration it gets here;
// dir is the folder of the configuration file.
func kinds() map[string]kind {
	return map[string]kind{
		"dsmr": use(plain(dsmr.New)),
		"modbus": use(func(env hearth.Env, c modbus.Config, dir string) (hearth.Driver, error) {
			c.Dir = dir
			return modbus.New(env, c, configs.Profiles())
		}),
		"mqtt":   use(plain(mqtt.New)),
		"plugin": use(plain(plugin.New)),
		"sim":    use(plain(sim.New)),
		"text":   use(plain(text.New)),
		"zigbee": use(func(env hearth.Env, c zigbee.Config, dir string) (hearth.Driver, error) {
			c.Dir = dir
			return zigbee.New(env, c)
		}),
	}
}

// A kind reads a driver's part of the configuration, and returns it and what makes a driver of it.
type kind func(settings.Node) (config any, build builder, err error)

type builder func(env hearth.Env, dir string) (hearth.Driver, error)

func use[C any](build func(hearth.Env, C, string) (hearth.Driver, error)) kind {
	return func(part settings.Node) (any, builder, error) {
		var config C
		if err := part.Decode(&config, "type"); err != nil {
			return nil, nil, err
		}
		return config, func(env hearth.Env, dir string) (hearth.Driver, error) { return build(env, config, dir) }, nil
	}
}

func plain[C any](build func(hearth.Env, C) (hearth.Driver, error)) func(hearth.Env, C, string) (hearth.Driver, error) {
	return func(env hearth.Env, config C, _ string) (hearth.Driver, error) { return build(env, config) }
}

// A DriverConfig is one driver as the configuration wants it: its type, and what drivers of that type understand.
type DriverConfig struct {
	Type string

	part   settings.Node
	port   string // the serial port or tcp://host:port, "" if it has none
	config any    // two drivers of one type with equal ones are the same
	build  builder
}

// UnmarshalSettings implements settings.Unmarshaler: the type first, then the rest strictly as that type has it.
func (c *DriverConfig) UnmarshalSettings(part settings.Node) (err error) {
	known := kinds()
	types := strings.Join(slices.Sorted(maps.Keys(known)), ", ")
	c.part, c.Type, c.port = part, part.Text("type"), part.Text("port")
	decode, ok := known[c.Type]
	switch {
	case c.Type == "":
		return settings.At("$.type", "a driver needs a type, as in {type: sim}: one of %s", types)
	case !ok:
		return settings.At("$.type", "this version has no driver of type %s: there are %s", c.Type, types)
	}
	c.config, c.build, err = decode(part)
	return err
}
