package expose

import (
	"math"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// thermostat is the Thermostat cluster (ZCL 6.3).
type thermostat struct {
	endpoint                uint8
	heats, cools            bool
	temperature, goal, mode *slot
	cooling                 bool // it is in cooling mode, so that the cooling setpoint is its target
}

// Setpoints travel in hundredths of a degree.
const perDegree = 100

func buildThermostat(b *builder, e Endpoint) {
	const cluster = zcl.ClusterThermostat
	b.ask(e.ID, cluster,
		zcl.AttrThermostatControlSequenceOfOperation,
		zcl.AttrThermostatMinHeatSetpointLimit, zcl.AttrThermostatMaxHeatSetpointLimit,
		zcl.AttrThermostatAbsMinHeatSetpointLimit, zcl.AttrThermostatAbsMaxHeatSetpointLimit,
		zcl.AttrThermostatMinCoolSetpointLimit, zcl.AttrThermostatMaxCoolSetpointLimit,
		zcl.AttrThermostatAbsMinCoolSetpointLimit, zcl.AttrThermostatAbsMaxCoolSetpointLimit)
	b.askPresence(e.ID, cluster,
		zcl.AttrThermostatOccupiedHeatingSetpoint, zcl.AttrThermostatOccupiedCoolingSetpoint, zcl.AttrThermostatSystemMode,
		zcl.AttrThermostatRunningState, zcl.AttrThermostatRunningMode, zcl.AttrThermostatPIHeatingDemand,
		zcl.AttrThermostatPICoolingDemand, zcl.AttrThermostatLocalTemperatureCalibration)
	t := &thermostat{endpoint: e.ID}
	t.can(b)
	t.temperature = b.slot(e.ID, word("temperature"))
	b.reads(e.ID, cluster, zcl.AttrThermostatLocalTemperature, t.temperature, divided(perDegree))
	b.report(t.temperature, cluster, zcl.AttrThermostatLocalTemperature, slow(25))
	low, high := t.limits(b)
	t.goal = b.slot(e.ID, word("target_temperature").AsWritable().Within(low, high))
	for _, attribute := range t.setpoints() {
		b.report(t.goal, cluster, attribute, pace{0, 3600, 10, time.Minute})
	}
	if b.offers(e.ID, cluster, zcl.AttrThermostatSystemMode, true) {
		t.mode = b.slot(e.ID, word("hvac_mode").AsWritable().OneOf(t.modes(b, e)...))
		b.report(t.mode, cluster, zcl.AttrThermostatSystemMode, atOnce())
	}
	b.part(e.ID, cluster).together = t.heard
	b.act(t.carry, t.mode, t.goal)
	t.buildAction(b)
	t.buildCalibration(b)
}

// can works out whether it heats, cools or both.
func (t *thermostat) can(b *builder) {
	const cluster = zcl.ClusterThermostat
	switch sequence, known := b.fact(t.endpoint, cluster, zcl.AttrThermostatControlSequenceOfOperation); {
	case known && sequence <= 1:
		t.cools = true
	case known && sequence <= 3:
		t.heats = true
	case known && sequence <= 5:
		t.heats, t.cools = true, true
	default:
		t.cools = b.has(t.endpoint, cluster, zcl.AttrThermostatOccupiedCoolingSetpoint)
		t.heats = !t.cools || b.has(t.endpoint, cluster, zcl.AttrThermostatOccupiedHeatingSetpoint)
	}
	t.cooling = !t.heats
}

func (t *thermostat) setpoints() (attributes []uint16) {
	if t.heats {
		attributes = append(attributes, zcl.AttrThermostatOccupiedHeatingSetpoint)
	}
	if t.cools {
		attributes = append(attributes, zcl.AttrThermostatOccupiedCoolingSetpoint)
	}
	return attributes
}

// limits returns the lowest and the highest target that the device takes, the house's usual ones where it does not say.
func (t *thermostat) limits(b *builder) (low, high float64) {
	usual := word("target_temperature")
	low, high = math.Inf(1), math.Inf(-1)
	add := func(attributes ...uint16) {
		for i, bound := range []*float64{&low, &high} {
			n, known := b.fact(t.endpoint, zcl.ClusterThermostat, attributes[i])
			if !known {
				n, known = b.fact(t.endpoint, zcl.ClusterThermostat, attributes[i+2])
			}
			switch {
			case known && i == 0:
				*bound = min(*bound, n/perDegree)
			case known:
				*bound = max(*bound, n/perDegree)
			}
		}
	}
	if t.heats {
		add(zcl.AttrThermostatMinHeatSetpointLimit, zcl.AttrThermostatMaxHeatSetpointLimit,
			zcl.AttrThermostatAbsMinHeatSetpointLimit, zcl.AttrThermostatAbsMaxHeatSetpointLimit)
	}
	if t.cools {
		add(zcl.AttrThermostatMinCoolSetpointLimit, zcl.AttrThermostatMaxCoolSetpointLimit,
			zcl.AttrThermostatAbsMinCoolSetpointLimit, zcl.AttrThermostatAbsMaxCoolSetpointLimit)
	}
	const coldest, hottest = -50, 100
	if low < coldest || low > hottest {
		low = *usual.Min
	}
	if high < coldest || high > hottest {
		high = *usual.Max
	}
	if low >= high {
		return *usual.Min, *usual.Max
	}
	return low, high
}

// modes lists the modes that can be asked for.
func (t *thermostat) modes(b *builder, e Endpoint) []string {
	modes := []string{"off"}
	if t.heats {
		modes = append(modes, "heat")
	}
	if t.cools {
		modes = append(modes, "cool")
	}
	modes = append(modes, "auto")
	if t.cools && t.heats || e.serves(zcl.ClusterFanControl) {
		modes = append(modes, "dry", "fan_only")
	}
	return modes
}

// systemModes is SystemMode in the house's words: emergency heating is heating, precooling is cooling (ZCL 6.3.2.2.2.15).
func systemModes() map[float64]string {
	return map[float64]string{0: "off", 1: "auto", 3: "cool", 4: "heat", 5: "heat", 6: "cool", 7: "fan_only", 8: "dry", 9: "off"}
}

func (t *thermostat) heard(attributes []zcl.Attribute, h *hearing) {
	for _, a := range attributes { // first: the setpoints depend on it
		if a.ID != zcl.AttrThermostatSystemMode || t.mode == nil {
			continue
		}
		mode := named(systemModes())(a.Value)
		h.say(t.mode, mode)
		if cooling := t.coolsIn(mode); cooling != t.cooling {
			t.cooling = cooling
			h.Reads = append(h.Reads, t.read(setpoint(cooling)))
		}
	}
	for _, a := range attributes {
		if a.ID == setpoint(t.cooling) {
			h.say(t.goal, divided(perDegree)(a.Value))
		}
	}
}

func (t *thermostat) coolsIn(mode hearth.Value) bool {
	return t.cools && (!t.heats || mode.Text() == "cool")
}

func setpoint(cooling bool) uint16 {
	if cooling {
		return zcl.AttrThermostatOccupiedCoolingSetpoint
	}
	return zcl.AttrThermostatOccupiedHeatingSetpoint
}

func (t *thermostat) read(attributes ...uint16) Read {
	return Read{Endpoint: t.endpoint, Cluster: zcl.ClusterThermostat, Attributes: attributes}
}

// carry writes the mode first: some take a target of their own with it.
func (t *thermostat) carry(w wish) ([]Request, error) {
	var requests []Request
	cooling := t.cooling
	write := func(id uint16, v zcl.Value) {
		to := target{endpoint: t.endpoint, cluster: zcl.ClusterThermostat, attribute: attribute{id, 0}}
		requests = append(requests, to.write(v))
	}
	if mode, asked := w.of(t.mode); asked {
		n, err := numbered(systemModes())(mode)
		if err != nil {
			return nil, err
		}
		write(zcl.AttrThermostatSystemMode, zcl.UintOf(zcl.Enum8, uint64(n)))
		cooling = t.coolsIn(mode)
	}
	if goal, asked := w.of(t.goal); asked {
		write(setpoint(cooling), zcl.FloatOf(zcl.Int16, goal.Number()*perDegree))
	}
	return requests, nil
}

// buildAction is what the thermostat is doing: by its relays, or else by how much heat it asks for.
func (t *thermostat) buildAction(b *builder) {
	const cluster = zcl.ClusterThermostat
	sources := []reading{
		{attribute: attribute{zcl.AttrThermostatRunningState, 0}, value: runningState},
		{attribute: attribute{zcl.AttrThermostatPIHeatingDemand, 0}, value: demand("heating")},
		{attribute: attribute{zcl.AttrThermostatPICoolingDemand, 0}, value: demand("cooling")},
		{attribute: attribute{zcl.AttrThermostatRunningMode, 0}, value: runningMode},
	}
	at := slices.IndexFunc(sources, func(r reading) bool { return b.has(t.endpoint, cluster, r.id) })
	if at >= 0 {
		action := b.slot(t.endpoint, word("hvac_action"))
		b.reads(t.endpoint, cluster, sources[at].id, action, sources[at].value)
		b.report(action, cluster, sources[at].id, pace{1, 3600, 5, time.Minute})
	}
	t.buildDemand(b, zcl.AttrThermostatPIHeatingDemand, "pi_heating_demand")
	t.buildDemand(b, zcl.AttrThermostatPICoolingDemand, "pi_cooling_demand")
}

func (t *thermostat) buildDemand(b *builder, attribute uint16, name string) {
	const cluster = zcl.ClusterThermostat
	if b.has(t.endpoint, cluster, attribute) {
		to := b.slot(t.endpoint, number(name, "%", "%").Within(0, 100))
		b.reads(t.endpoint, cluster, attribute, to, divided(1))
		b.report(to, cluster, attribute, slow(5))
	}
}

// runningState reads which relays are on (ZCL 6.3.2.2.3.7).
func runningState(v zcl.Value) hearth.Value {
	const heats, cools = 1<<0 | 1<<3, 1<<1 | 1<<4
	switch n := v.Uint(); {
	case n&heats != 0:
		return hearth.TextOf("heating")
	case n&cools != 0:
		return hearth.TextOf("cooling")
	}
	return hearth.TextOf("idle")
}

func runningMode(v zcl.Value) hearth.Value {
	switch v.Uint() {
	case 0:
		return hearth.TextOf("idle")
	case 3:
		return hearth.TextOf("cooling")
	case 4:
		return hearth.TextOf("heating")
	}
	return hearth.Value{}
}

// demand reads how much of what it can a thermostat asks for.
func demand(action string) func(zcl.Value) hearth.Value {
	return func(v zcl.Value) hearth.Value {
		n, ok := v.Number()
		switch {
		case !ok:
			return hearth.Value{}
		case n > 0:
			return hearth.TextOf(action)
		}
		return hearth.TextOf("idle")
	}
}

// buildCalibration is what a person has found its thermometer to be off by.
func (t *thermostat) buildCalibration(b *builder) {
	const cluster, attribute = zcl.ClusterThermostat, zcl.AttrThermostatLocalTemperatureCalibration
	if !b.has(t.endpoint, cluster, attribute) {
		return
	}
	to := b.slot(t.endpoint, word("local_temperature_calibration").Within(-12.7, 12.7).AsWritable())
	b.reads(t.endpoint, cluster, attribute, to, divided(10))
	b.state(t.endpoint, cluster, attribute)
	b.writes(to, b.target(t.endpoint, cluster, attribute), func(v hearth.Value) (float64, error) { return v.Number() * 10, nil })
}

// buildThermostatUI is the lock of a thermostat's keys (ZCL 6.6): any of its levels is a lock, and the first is what is
// asked for.
func buildThermostatUI(b *builder, e Endpoint) {
	const cluster, attribute = zcl.ClusterThermostatUI, zcl.AttrThermostatUIKeypadLockout
	to := b.slot(e.ID, word("child_lock").AsWritable())
	b.reads(e.ID, cluster, attribute, to, flag)
	b.report(to, cluster, attribute, atOnce())
	b.writes(to, b.target(e.ID, cluster, attribute), func(v hearth.Value) (float64, error) { return v.Number(), nil })
}
