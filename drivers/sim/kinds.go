package sim

import (
	"math"
	"strconv"
	"strings"
	"time"

	"hearth"
)

// A kind is one sort of device.
type kind struct {
	slug  string // the first part of its address
	noun  string
	names []string // names of the first ones, where a room does not say it
	model string
	hearth.Type
	words    string   // its properties, as in "on! battery": ! means writable
	counters []string // those among them that only rise
	begin    func(d *device)
	step     func(d *device, h *house, w weather, dt time.Duration)
}

func (k *kind) name(r *room, n int) string {
	if n <= len(k.names) {
		return k.names[n-1]
	}
	if len(k.names) > 0 {
		return k.names[(n-1)%len(k.names)] + " " + strconv.Itoa((n-1)/len(k.names)+1)
	}
	return r.name + " " + k.noun
}

func (k *kind) properties() []hearth.Property {
	var list []hearth.Property
	for _, name := range strings.Fields(k.words) {
		name, writable := strings.CutSuffix(name, "!")
		p, _ := hearth.Word(name)
		p.Writable = p.Writable || writable
		if name == "color_temperature" {
			p = p.Within(2200, 6500)
		}
		list = append(list, p)
	}
	return list
}

// order says which kind the i-th device is: the six that every home has, then all kinds in turn, then the common ones
// more often.
func order(i int) int {
	kinds := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 6, 7, 3, 6, 0, 1, 13, 7, 2, 6, 3, 0, 4, 1, 5}
	return kinds[i%len(kinds)]
}

func nothing(*device) {}

func still(*device, *house, weather, time.Duration) {}

func kinds() []*kind {
	return []*kind{
		{slug: "light", noun: "light", model: "White lamp", Type: "light", words: "on! brightness! color_temperature! transition! identify!",
			begin: beginLight, step: still},
		{slug: "outlet", noun: "outlet", model: "Metering plug", Type: "outlet", words: "on! power energy", counters: []string{"energy"},
			begin: beginOutlet, step: stepOutlet},
		{slug: "thermostat", noun: "thermostat", model: "Radiator valve", Type: "thermostat", words: "target_temperature! temperature hvac_action battery",
			begin: beginThermostat, step: stepThermostat},
		{slug: "motion", noun: "motion", model: "Motion sensor", Type: "sensor", words: "occupancy illuminance battery", begin: beginBattery, step: stepMotion},
		{slug: "cover", noun: "blind", model: "Roller blind", Type: "cover", words: "position! movement!", begin: beginCover, step: still},
		{slug: "button", noun: "button", model: "Wall button", Type: "button", words: "button battery", begin: beginBattery, step: stepButton},
		{slug: "climate", noun: "climate", model: "Climate sensor", Type: "sensor", words: "temperature humidity battery", begin: beginBattery, step: stepClimate},
		{slug: "contact", noun: "window", model: "Contact", Type: "sensor", words: "open battery", begin: beginBattery, step: stepContact},
		{slug: "meter", names: []string{"Electricity meter", "Heat pump meter", "Charger meter"}, model: "Meter", Type: "meter",
			words: "power energy energy_exported voltage", counters: []string{"energy", "energy_exported"}, begin: nothing, step: stepMeter},
		{slug: "leak", noun: "leak sensor", model: "Leak sensor", Type: "sensor", words: "water_leak battery", begin: beginBattery, step: stepLeak},
		{slug: "smoke", noun: "smoke alarm", model: "Smoke alarm", Type: "sensor", words: "smoke battery", begin: beginBattery, step: stepSmoke},
		{slug: "lock", names: []string{"Front door lock", "Back door lock", "Garage lock"}, model: "Door lock", Type: "lock", words: "lock! battery",
			begin: beginLock, step: stepBattery},
		{slug: "fan", noun: "fan", model: "Ceiling fan", Type: "fan", words: "on! fan_speed!", begin: beginFan, step: still},
		{slug: "colorlight", noun: "colour light", model: "Colour lamp", Type: "light",
			words: "on! brightness! color_temperature! color_hue! color_saturation! transition! identify!", begin: beginColorLight, step: still},
		{slug: "valve", names: []string{"Garden valve", "Water main valve"}, model: "Valve", Type: "valve", words: "on! battery", begin: beginSwitch, step: stepBattery},
		{slug: "siren", noun: "siren", model: "Siren", Type: "siren", words: "on! battery", begin: beginSwitch, step: stepBattery},
	}
}

func beginLight(d *device) {
	d.rating = 5 + float64(d.chance.IntN(8))
	d.setBool("on", d.chance.IntN(3) == 0)
	d.setNumber("brightness", float64(20+10*d.chance.IntN(9)), 0)
	d.setNumber("color_temperature", 2700, 0)
}

func beginColorLight(d *device) {
	beginLight(d)
	d.setNumber("color_hue", float64(d.chance.IntN(360)), 0)
	d.setNumber("color_saturation", float64(d.chance.IntN(101)), 0)
}

func beginOutlet(d *device) {
	d.rating = float64(20 + d.chance.IntN(300))
	d.setBool("on", d.chance.IntN(4) > 0)
}

func beginThermostat(d *device) {
	beginBattery(d)
	d.setNumber("target_temperature", 19+float64(d.chance.IntN(6))/2, 1)
	d.set("hvac_action", hearth.TextOf("idle"))
}

func beginCover(d *device) {
	d.target = float64(100 * d.chance.IntN(2))
	d.setNumber("position", d.target, 0)
}

func beginBattery(d *device) { d.setNumber("battery", float64(45+d.chance.IntN(56)), 0) }

func beginLock(d *device) {
	beginBattery(d)
	d.set("lock", hearth.TextOf("locked"))
}

func beginSwitch(d *device) {
	beginBattery(d)
	d.setBool("on", false)
}

func beginFan(d *device) {
	d.setBool("on", false)
	d.setNumber("fan_speed", 50, 0)
}

// happens reports whether something that happens every so often happens within dt.
func (d *device) happens(every, dt time.Duration) bool {
	return d.chance.Float64() < 1-math.Exp(-dt.Seconds()/every.Seconds())
}

// stepOutlet lets the machine behind it work for a while now and then.
func stepOutlet(d *device, h *house, w weather, dt time.Duration) {
	if h.now.After(d.until) {
		d.busy = d.chance.Float64() < 0.2+0.6*w.evening
		d.until = h.now.Add(time.Duration(2+d.chance.IntN(20)) * time.Minute)
	}
	power := 0.0
	if d.on() {
		power = 1.5 + 0.2*d.chance.Float64()
		if d.busy {
			power += d.rating * (0.97 + 0.06*d.chance.Float64())
		}
	}
	d.setNumber("power", power, 1)
	d.count("energy", power/1000*dt.Hours())
}

// stepThermostat heats until it is 0.2 K too warm, and again when it is 0.2 K too cold.
func stepThermostat(d *device, _ *house, _ weather, dt time.Duration) {
	missing := d.number("target_temperature") - d.room.temperature
	if d.room.heating && missing < -0.2 || !d.room.heating && missing > 0.2 {
		d.room.heating = !d.room.heating
	}
	action := "idle"
	if d.room.heating {
		action = "heating"
	}
	d.set("hvac_action", hearth.TextOf(action))
	d.setNumber("temperature", d.room.temperature+0.02*d.chance.NormFloat64(), 1)
	d.drain(dt)
}

func stepMotion(d *device, h *house, w weather, dt time.Duration) {
	if h.now.After(d.until) {
		often := 4 * time.Minute
		if !w.awake {
			often = 90 * time.Minute
		}
		if d.room.somebody = d.happens(often, dt); d.room.somebody {
			d.until = h.now.Add(time.Duration(20+d.chance.IntN(400)) * time.Second)
		}
	}
	d.setBool("occupancy", d.room.somebody)
	light := 2 + 900*w.daylight*d.room.window
	for _, lamp := range h.devices {
		if lamp.room == d.room && lamp.Type == "light" && lamp.on() {
			light += 2 * lamp.number("brightness")
		}
	}
	d.setNumber("illuminance", light*(0.99+0.02*d.chance.Float64()), 0)
	d.drain(dt)
}

func stepButton(d *device, _ *house, w weather, dt time.Duration) {
	if w.awake && d.happens(15*time.Minute, dt) {
		press := []string{"single", "single", "single", "double", "hold"}[d.chance.IntN(5)]
		d.moment = append(d.moment, hearth.Reading{Device: d.ID, Property: "button", Value: hearth.TextOf(press)})
	}
	d.drain(dt)
}

func stepClimate(d *device, _ *house, _ weather, dt time.Duration) {
	d.setNumber("temperature", d.room.temperature+0.03*d.chance.NormFloat64(), 1)
	d.setNumber("humidity", min(max(d.room.humidity+0.15*d.chance.NormFloat64(), 5), 95), 1)
	d.drain(dt)
}

func stepContact(d *device, h *house, w weather, dt time.Duration) {
	d.passing("open", h, w.awake, 50*time.Minute, 8*time.Minute, dt)
}

func stepLeak(d *device, h *house, _ weather, dt time.Duration) {
	d.passing("water_leak", h, true, 48*time.Hour, 3*time.Minute, dt)
}

func stepSmoke(d *device, h *house, w weather, dt time.Duration) {
	d.passing("smoke", h, w.awake, 240*time.Hour, time.Minute, dt)
}

// passing is true now and then, for a while.
func (d *device) passing(name string, h *house, can bool, every, lasts, dt time.Duration) {
	if h.now.After(d.until) {
		if d.busy = can && d.happens(every, dt); d.busy {
			d.until = h.now.Add(lasts/2 + time.Duration(d.chance.Int64N(int64(lasts))))
		}
	}
	d.setBool(name, d.busy)
	d.drain(dt)
}

// stepMeter measures the whole house if it is the first, else one large consumer. The sun on the roof may give more than
// the house takes.
func stepMeter(d *device, h *house, w weather, dt time.Duration) {
	power := 0.0
	if d.Name == d.kind.names[0] {
		power = h.load0 - 2600*w.daylight
		for _, other := range h.devices {
			if other.on() && other.Type == "light" {
				power += other.rating * other.number("brightness") / 100
			}
			if other.kind.slug == "outlet" {
				power += other.number("power")
			}
		}
	} else {
		if h.now.After(d.until) {
			d.busy = d.chance.Float64() < 0.4
			d.until = h.now.Add(time.Duration(5+d.chance.IntN(40)) * time.Minute)
		}
		if d.busy {
			power = 1800
		}
	}
	power *= 0.98 + 0.04*d.chance.Float64()
	d.setNumber("power", power, 0)
	d.setNumber("voltage", 230+1.2*d.chance.NormFloat64(), 1)
	d.count("energy", power/1000*dt.Hours())
	d.count("energy_exported", -power/1000*dt.Hours())
}

func stepBattery(d *device, _ *house, _ weather, dt time.Duration) { d.drain(dt) }

// drain empties a battery by a percent in about a month; it is changed when it is empty.
func (d *device) drain(dt time.Duration) {
	if d.happens(30*24*time.Hour, dt) {
		left := d.number("battery") - 1
		if left < 3 {
			left = 100
		}
		d.setNumber("battery", left, 0)
	}
}
