package shelly

import (
	"context"
	"math"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// An order is one call of a command.
type order struct {
	method string
	params map[string]any
	status string // what the component is asked afterwards, because one that is as it was told says nothing
	id     int
	key    string
}

// Do implements dialect.Dialect. It returns when the device has answered: one call for each component.
func (d *Dialect) Do(ctx context.Context, cmd hearth.Command) error {
	d.mu.Lock()
	dev, orders, err := d.plan(cmd)
	if err == nil {
		dev.busy++
	}
	d.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		d.mu.Lock()
		dev.busy--
		d.mu.Unlock()
	}()
	for _, o := range orders {
		if err := d.command(ctx, dev, o.method, o.params); err != nil {
			return err
		}
		if o.status != "" {
			d.follow(dev, o)
		}
	}
	return nil
}

// follow asks a component how it is now.
func (d *Dialect) follow(dev *device, o order) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.live {
		return
	}
	now, _ := d.env.Now()
	d.ask(&call{prefix: dev.prefix, device: dev, method: o.status, params: map[string]any{"id": o.id}, since: now, then: func(r reply) {
		var status any
		if r.err == nil && dialect.ReadJSON(r.result, &status) == nil {
			d.overlay(dev, o.key, status, unix(nil))
		}
	}})
}

// plan works out what to call; d.mu is held.
func (d *Dialect) plan(cmd hearth.Command) (*device, []order, error) {
	var dev *device
	for _, one := range d.devices {
		if one.id == cmd.Device && one.announced != nil {
			dev = one
		}
	}
	switch {
	case dev == nil:
		return nil, nil, hearth.Errorf(hearth.CodeNoDevice, "there is no Shelly %s", cmd.Device)
	case !d.live:
		return nil, nil, dialect.Offline()
	case dev.online != nil && !*dev.online:
		return nil, nil, hearth.Errorf(hearth.CodeOffline, "%s is not connected to the broker", cmd.Device)
	case dev.busy >= maxCommands:
		return nil, nil, hearth.Errorf(hearth.CodeBusy, "%s has not answered %d commands yet", cmd.Device, dev.busy)
	}
	wishes := map[*component]map[string]hearth.Value{}
	for name, v := range cmd.Set {
		f := dev.faces[name]
		switch {
		case f == nil:
			return nil, nil, hearth.Errorf(hearth.CodeNoDevice, "%s has no %s", cmd.Device, name)
		case !f.property.Writable:
			return nil, nil, hearth.Errorf(hearth.CodeReadOnly, "%s of %s cannot be set", name, cmd.Device)
		case name == "transition":
			continue
		}
		if wishes[f.component] == nil {
			wishes[f.component] = map[string]hearth.Value{}
		}
		wishes[f.component][f.role] = v
	}
	if len(wishes) == 0 {
		return nil, nil, hearth.Errorf(hearth.CodeBadValue, "a transition alone changes nothing")
	}
	var orders []order
	for _, c := range dev.sorted() {
		wish := wishes[c]
		if wish == nil {
			continue
		}
		if v, ok := cmd.Set["transition"]; ok {
			wish["transition"] = v
		}
		for _, o := range c.orders(wish) {
			o.id, o.key = c.id, c.key
			o.params["id"] = c.id
			orders = append(orders, o)
		}
	}
	return dev, orders, nil
}

// orders are the calls that one wish for a component takes.
func (c *component) orders(wish map[string]hearth.Value) []order {
	one := func(method string, params map[string]any) order { return order{method: method, params: params} }
	names := map[string]string{
		"light": "Light", "rgb": "RGB", "rgbw": "RGBW", "rgbcct": "RGBCCT", "cct": "CCT",
		"boolean": "Boolean", "number": "Number", "text": "Text", "enum": "Enum",
	}
	switch c.kind {
	case "switch":
		return []order{{method: "Switch.Set", params: map[string]any{"on": wish["on"].Bool()}, status: "Switch.GetStatus"}}
	case "light", "rgb", "rgbw", "rgbcct", "cct":
		return []order{{method: names[c.kind] + ".Set", params: lightParams(c, wish), status: names[c.kind] + ".GetStatus"}}
	case "cover":
		return coverOrders(wish)
	case "thermostat":
		config := map[string]any{"id": c.id}
		if v, ok := wish["target"]; ok {
			config["target_C"] = v.Number()
		}
		if v, ok := wish["mode"]; ok {
			config["enable"] = v.Text() != "off"
		}
		return []order{{method: "Thermostat.SetConfig", params: map[string]any{"config": config}, status: "Thermostat.GetStatus"}}
	case "blutrv":
		return []order{one("BluTrv.Call", map[string]any{
			"method": "TRV.SetTarget", "params": map[string]any{"id": 0, "target_C": wish["target"].Number()},
		})}
	case "boolean", "number", "text", "enum":
		return []order{{method: names[c.kind] + ".Set", params: map[string]any{"value": wish["value"]}, status: names[c.kind] + ".GetStatus"}}
	case "button":
		return []order{one("Button.Trigger", map[string]any{"event": "single_push"})}
	}
	return nil
}

func coverOrders(wish map[string]hearth.Value) (orders []order) {
	if v, ok := wish["movement"]; ok {
		words := map[string]string{"open": "Cover.Open", "close": "Cover.Close", "stop": "Cover.Stop"}
		orders = append(orders, order{method: words[v.Text()], params: map[string]any{}})
	}
	params := map[string]any{}
	if v, ok := wish["position"]; ok {
		params["pos"] = math.Round(v.Number())
	}
	if v, ok := wish["tilt"]; ok {
		params["slat_pos"] = math.Round(v.Number())
	}
	if len(params) > 0 {
		orders = append(orders, order{method: "Cover.GoToPosition", params: params, status: "Cover.GetStatus"})
	}
	return orders
}
