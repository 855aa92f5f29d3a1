package shelly

import (
	"encoding/json"

	"hearth/drivers/mqtt/dialect"
)

// memory is what is kept of a device.
type memory struct {
	Prefix     string              `json:"prefix"`
	Info       info                `json:"info"`
	Components map[string]keepsake `json:"components"`
	Buttons    map[string]bool     `json:"buttons,omitempty"`
}

type keepsake struct {
	Config map[string]any `json:"config,omitempty"`
	Status map[string]any `json:"status,omitempty"`
}

func (d *Dialect) keep(dev *device) error {
	m := memory{Prefix: dev.prefix, Info: dev.info, Components: map[string]keepsake{}, Buttons: dev.buttons}
	for key, c := range dev.components {
		m.Components[key] = keepsake{Config: c.config, Status: c.status}
	}
	data, err := json.Marshal(m)
	if err != nil || len(data) > maxStored {
		return err
	}
	return d.env.Store.Put(storeKey+dev.name, data)
}

// load reads what was kept, the first time. A device is not announced before something is heard from it, and be it that
// the broker has kept that it is away: one that is gone for good stays gone.
func (d *Dialect) load() {
	if d.loaded {
		return
	}
	d.loaded = true
	err := d.env.Store.Each(func(key string, value []byte) error {
		var m memory
		if len(key) <= len(storeKey) || key[:len(storeKey)] != storeKey || json.Unmarshal(value, &m) != nil || len(d.devices) >= dialect.MaxDevices {
			return nil
		}
		dev := d.known(key[len(storeKey):], m.Prefix)
		if dev == nil {
			return nil
		}
		dev.info, dev.complete = m.Info, true
		for key, kept := range m.Components {
			if c := dev.component(key); c != nil {
				c.config, c.status = kept.Config, kept.Status
				c.stale = true
			}
		}
		if m.Buttons != nil {
			dev.buttons = m.Buttons
		}
		d.weigh(dev)
		return nil
	})
	if err != nil {
		d.log.Error("reading what was kept of Shellys", "error", err)
	}
}
