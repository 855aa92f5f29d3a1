package shelly

import (
	"encoding/json"
	"time"

	"hearth/drivers/mqtt/dialect"
)

// info is what Shelly.GetDeviceInfo answers.
type info struct {
	ID      string  `json:"id"`
	Name    *string `json:"name"`
	Model   string  `json:"model"`
	Version string  `json:"ver"`
	App     string  `json:"app"`
	Auth    bool    `json:"auth_en"`
}

// maxPages bounds how often the next components are asked for.
const maxPages = 64

// met takes in who is behind a prefix, and goes on asking.
func (d *Dialect) met(prefix string, r reply, m dialect.Message) {
	var told info
	if r.err != nil || dialect.ReadJSON(r.result, &told) != nil || told.ID == "" {
		return
	}
	dev := d.known(told.ID, prefix)
	if dev == nil {
		return
	}
	d.reachable(dev, true)
	if !dev.asking {
		dev.info = told
		d.begin(dev, m.Time)
	}
}

// interview asks a device all it knows of itself: who it is, how it is set up, how it is, and then the components that a
// person has added, in pages. Its answers come one after the other; d.mu is held all along.
func (d *Dialect) interview(dev *device, now time.Time) {
	dev.asking, dev.asked = true, now
	dev.round++
	d.step(dev, "Shelly.GetDeviceInfo", nil, func(r reply) {
		var told info
		if r.err == nil && dialect.ReadJSON(r.result, &told) == nil && told.ID == dev.name {
			dev.info = told
		}
		d.begin(dev, now)
	})
}

// begin asks what follows once it is known who a device is.
func (d *Dialect) begin(dev *device, now time.Time) {
	dev.asking, dev.asked = true, now
	dev.round++
	d.step(dev, "Shelly.GetConfig", nil, func(r reply) {
		var configs map[string]any
		whole := r.err == nil && dialect.ReadJSON(r.result, &configs) == nil
		for key, config := range configs {
			if c := dev.component(key); c != nil {
				c.configure(config)
			}
		}
		d.step(dev, "Shelly.GetStatus", nil, func(r reply) {
			var status map[string]any
			if r.err == nil && dialect.ReadJSON(r.result, &status) == nil {
				dev.whole(status)
				dev.complete = true
			} else {
				whole = false
			}
			d.page(dev, 0, whole, map[string]bool{})
		})
	})
}

// page asks for the components from offset on: only those that a person has added, if the others are known already.
func (d *Dialect) page(dev *device, offset int, dynamic bool, found map[string]bool) {
	params := map[string]any{"offset": offset, "include": []string{"status", "config"}}
	if dynamic {
		params["dynamic_only"] = true
	}
	d.step(dev, "Shelly.GetComponents", params, func(r reply) {
		var told struct {
			Components []struct {
				Key    string `json:"key"`
				Status any    `json:"status"`
				Config any    `json:"config"`
			} `json:"components"`
			Total float64 `json:"total"`
		}
		if r.err != nil || dialect.ReadJSON(r.result, &told) != nil {
			d.done(dev) // older firmware has none
			return
		}
		for _, one := range told.Components {
			if c := dev.component(one.Key); c != nil && !found[one.Key] {
				found[one.Key] = true
				c.configure(one.Config)
				c.take(one.Status)
				c.stale = false
			}
		}
		dev.complete = true
		next := offset + len(told.Components)
		if len(told.Components) > 0 && float64(next) < told.Total && next < maxPages*maxComponents && len(found) < maxComponents {
			d.page(dev, next, dynamic, found)
			return
		}
		for key := range dev.components {
			if _, id, _ := split(key); id >= 200 && !found[key] {
				delete(dev.components, key)
			}
		}
		d.done(dev)
	})
}

// done ends an interview: the house hears what the device is, and how it is.
func (d *Dialect) done(dev *device) {
	dev.asking = false
	d.weigh(dev)
	if dev.complete {
		d.announce(dev)
		d.retell(dev)
	}
}

// step makes one call of an interview; an answer to an interview that was begun anew since is not taken.
func (d *Dialect) step(dev *device, method string, params map[string]any, then func(reply)) {
	round := dev.round
	d.ask(&call{prefix: dev.prefix, device: dev, method: method, params: params, since: dev.asked, then: func(r reply) {
		if dev.round == round {
			then(r)
		}
	}})
}

// unix is a time in seconds as JSON has it.
func unix(v any) time.Time {
	seconds, ok := v.(float64)
	if !ok || seconds <= 0 || seconds > 1e11 {
		return time.Time{}
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC()
}

// happened takes in the events of a notification.
func (d *Dialect) happened(dev *device, params json.RawMessage, now time.Time) {
	var said struct {
		Time   any `json:"ts"`
		Events []struct {
			Component string  `json:"component"`
			Event     string  `json:"event"`
			Index     float64 `json:"idx"`
			Time      any     `json:"ts"`
		} `json:"events"`
	}
	if dialect.ReadJSON(params, &said) != nil {
		return
	}
	again := false
	for i, e := range said.Events {
		at := unix(e.Time)
		if at.IsZero() {
			at = unix(said.Time)
		}
		switch e.Event {
		case "config_changed", "component_added", "component_removed", "ota_success":
			again = true
		default:
			if i < maxComponents {
				d.pressed(dev, e.Component, e.Event, e.Index, d.env.Plausible(at))
			}
		}
	}
	if again {
		d.interview(dev, now)
	}
}
