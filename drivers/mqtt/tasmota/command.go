package tasmota

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// An order is one command of the firmware.
type order struct {
	name, argument string
}

// Do implements dialect.Dialect. Several properties go as one Backlog. It returns when a RESULT holds each of them.
func (d *Dialect) Do(ctx context.Context, cmd hearth.Command) error {
	d.mu.Lock()
	topic, orders, told, err := d.plan(cmd)
	d.mu.Unlock()
	if err != nil {
		return err
	}
	waits := make([]*dialect.Wait, 0, len(told))
	for _, property := range told {
		wait := d.waiter.Begin(cmd.Device, property)
		defer wait.End()
		waits = append(waits, wait)
	}
	name, payload := orders[0].name, orders[0].argument
	if len(orders) > 1 {
		name, payload = "Backlog", backlog(orders)
	}
	if err := d.env.Bus.Publish(ctx, topic+name, []byte(payload), false); err != nil {
		return err
	}
	for _, wait := range waits {
		heard, err := wait.For(ctx, answerLimit)
		if err != nil {
			return err
		}
		if !heard {
			return hearth.Errorf(hearth.CodeUnknownOutcome, "%s was sent %s and gave no RESULT", cmd.Device, name)
		}
	}
	return nil
}

func backlog(orders []order) string {
	parts := make([]string, 0, len(orders))
	for _, o := range orders {
		parts = append(parts, strings.TrimSpace(o.name+" "+o.argument))
	}
	return strings.Join(parts, ";")
}

// plan works out what to send where, and which properties the answer will hold; d.mu is held.
func (d *Dialect) plan(cmd hearth.Command) (topic string, orders []order, told []string, err error) {
	dev := d.devices[cmd.Device.Address()]
	switch {
	case dev == nil || dev.id != cmd.Device || dev.cfg == nil:
		return "", nil, nil, hearth.Errorf(hearth.CodeNoDevice, "there is no Tasmota %s", cmd.Device)
	case !d.live:
		return "", nil, nil, dialect.Offline()
	case dev.online != nil && !*dev.online:
		return "", nil, nil, hearth.Errorf(hearth.CodeOffline, "%s is not connected to the broker", cmd.Device)
	}
	for name := range cmd.Set {
		p, ok := dev.property(name)
		switch {
		case !ok:
			return "", nil, nil, hearth.Errorf(hearth.CodeNoDevice, "%s has no %s", cmd.Device, name)
		case !p.Writable:
			return "", nil, nil, hearth.Errorf(hearth.CodeReadOnly, "%s of %s cannot be set", name, cmd.Device)
		case name != "transition":
			told = append(told, name)
		}
	}
	for _, ch := range dev.channels {
		orders = append(orders, dev.light(ch, cmd.Set)...)
	}
	for _, s := range dev.shutters {
		orders = append(orders, s.orders(cmd.Set)...)
	}
	if v, ok := cmd.Set["fan_speed"]; ok {
		orders = append(orders, order{"FanSpeed", whole(fanSpeed(v.Number()))})
	}
	if len(orders) == 0 {
		return "", nil, nil, hearth.Errorf(hearth.CodeBadValue, "a transition alone changes nothing")
	}
	return dev.cfg.command, orders, told, nil
}

// light is what sets one relay or light. POWER is last: with SetOption20 the others do not turn it on.
func (dev *device) light(ch channel, set map[string]hearth.Value) (orders []order) {
	brightness, bright := set[ch.brightness]
	kelvin, white := set[ch.temperature]
	hue, coloured := set[ch.hue]
	saturation, saturated := set[ch.saturation]
	on, power := set[ch.on]
	if !bright && !white && !coloured && !saturated && !power {
		return nil
	}
	if seconds, ok := set["transition"]; ok && ch.fades {
		orders = dev.fade(ch, set, seconds.Number())
	}
	switch {
	case coloured && saturated && bright && ch.linked && brightness.Number() > 0:
		orders = append(orders, order{"HSBColor", whole(hue.Number()) + "," + whole(saturation.Number()) + "," + whole(brightness.Number())})
		bright = false
	default:
		if coloured {
			orders = append(orders, order{"HSBColor1", whole(hue.Number())})
		}
		if saturated {
			orders = append(orders, order{"HSBColor2", whole(saturation.Number())})
		}
	}
	if white {
		orders = append(orders, order{"CT", whole(dev.cfg.mired(kelvin.Number()))})
	}
	if bright {
		orders = append(orders, order{ch.dimmer, whole(brightness.Number())})
	}
	if power {
		text := "OFF" // which it understands whatever texts it says itself
		if on.Bool() {
			text = "ON"
		}
		orders = append(orders, order{"POWER" + strconv.Itoa(ch.number), text})
	}
	return orders
}

// fade is what makes the next change, and only that, take some seconds. Speed counts half seconds for the whole way
// from dark to bright, unless SetOption117 is set.
func (dev *device) fade(ch channel, set map[string]hearth.Value, seconds float64) []order {
	if seconds <= 0 {
		return []order{{"Fade2", "0"}}
	}
	speed := seconds * 2
	if !dev.cfg.option(soFixedFade) {
		last, known := dev.brightness[ch.on]
		if !known {
			last = 100
		}
		from, to := last, last
		if !dev.lit[ch.on] {
			from = 0
		}
		if v, ok := set[ch.brightness]; ok {
			to = v.Number()
		}
		if v, ok := set[ch.on]; ok && !v.Bool() {
			to = 0
		}
		if way := math.Abs(to-from) / 100; way > 0 {
			speed /= way
		}
	}
	return []order{{"Fade2", "1"}, {"Speed2", whole(min(max(speed, 1), 40))}}
}

func (s shutter) orders(set map[string]hearth.Value) (orders []order) {
	name := func(what string) string { return fmt.Sprintf("Shutter%s%d", what, s.number) }
	if v, ok := set[s.movement]; ok {
		words := map[string]string{"open": "Open", "close": "Close", "stop": "Stop"}
		orders = append(orders, order{name(words[v.Text()]), ""})
	}
	if v, ok := set[s.position]; ok {
		n := v.Number()
		if s.inverted {
			n = 100 - n
		}
		orders = append(orders, order{name("Position"), whole(n)})
	}
	if v, ok := set[s.tilt]; ok {
		orders = append(orders, order{name("Tilt"), whole(s.tiltLow + v.Number()*(s.tiltHigh-s.tiltLow)/100)})
	}
	return orders
}

func whole(n float64) string { return strconv.FormatFloat(math.Round(n), 'f', 0, 64) }
