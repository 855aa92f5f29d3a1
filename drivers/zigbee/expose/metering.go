package expose

import (
	"slices"
	"time"

	"hearth/drivers/zigbee/zcl"
)

// A unit is what a meter counts in (ZCL 10.4.2.2.4.1), in the house's words.
type unit struct {
	taken, given string  // the counters of what was taken and of what was given back; "": not told
	per          float64 // so many of the meter's units make one of the house's
	power        bool    // a unit an hour is a kilowatt
}

// meterUnit returns the words for a meter's unit and kind of supply; none where the house has none.
func meterUnit(code, device int) unit {
	const gas, water, heat, cooling = 1, 2, 5, 6
	const kilowattHours, cubicMetres, litres, megajoules, binaryCoded = 0x00, 0x01, 0x07, 0x0c, 0x80
	volume := "water_volume"
	if device == gas {
		volume = "gas_volume"
	}
	switch code &^ binaryCoded {
	case kilowattHours:
		if device == heat || device == cooling {
			return unit{taken: "heat_energy", per: 1, power: true}
		}
		return unit{taken: "energy", given: "energy_exported", per: 1, power: true}
	case cubicMetres:
		if device == gas || device == water {
			return unit{taken: volume, per: 1}
		}
	case litres:
		return unit{taken: volume, per: 1000}
	case megajoules:
		return unit{taken: "heat_energy", per: 3.6}
	}
	return unit{}
}

// buildMetering is the Metering cluster (ZCL 10.4).
func buildMetering(b *builder, e Endpoint) {
	const cluster = zcl.ClusterMetering
	b.ask(e.ID, cluster,
		zcl.AttrMeteringUnitOfMeasure, zcl.AttrMeteringMultiplier, zcl.AttrMeteringDivisor, zcl.AttrMeteringSummationFormatting,
		zcl.AttrMeteringDemandFormatting, zcl.AttrMeteringMeteringDeviceType)
	b.askPresence(e.ID, cluster,
		zcl.AttrMeteringCurrentSummationDelivered, zcl.AttrMeteringCurrentSummationReceived, zcl.AttrMeteringInstantaneousDemand,
		zcl.AttrMeteringCurrentTier1SummationDelivered, zcl.AttrMeteringCurrentTier2SummationDelivered,
		zcl.AttrMeteringCurrentTier1SummationReceived, zcl.AttrMeteringCurrentTier2SummationReceived)
	code := b.factOr(e.ID, cluster, zcl.AttrMeteringUnitOfMeasure, 0)
	device := b.factOr(e.ID, cluster, zcl.AttrMeteringMeteringDeviceType, 0)
	u := meterUnit(int(code), int(device))
	if u.taken != "" {
		b.counters(e, u)
	}
	if u.power && b.offers(e.ID, cluster, zcl.AttrMeteringInstantaneousDemand, true) && !b.powerMeasured() {
		multiplier, divisor := b.meterScale(e.ID, zcl.AttrMeteringDemandFormatting)
		to := b.slot(e.ID, word("power"))
		b.reads(e.ID, cluster, zcl.AttrMeteringInstantaneousDemand, to, ratio(multiplier*1000, divisor))
		b.report(to, cluster, zcl.AttrMeteringInstantaneousDemand, pace{5, 600, 0.002 * divisor / multiplier, time.Minute})
	}
}

// counters are what the meter adds up: in all and by tariff.
func (b *builder) counters(e Endpoint, u unit) {
	const cluster = zcl.ClusterMetering
	multiplier, divisor := b.meterScale(e.ID, zcl.AttrMeteringSummationFormatting)
	rows := []struct {
		attribute    uint16
		stem, suffix string
		usual        bool
	}{
		{zcl.AttrMeteringCurrentSummationDelivered, u.taken, "", true},
		{zcl.AttrMeteringCurrentSummationReceived, u.given, "", false},
		{zcl.AttrMeteringCurrentTier1SummationDelivered, u.taken, "_t1", false},
		{zcl.AttrMeteringCurrentTier2SummationDelivered, u.taken, "_t2", false},
		{zcl.AttrMeteringCurrentTier1SummationReceived, u.given, "_t1", false},
		{zcl.AttrMeteringCurrentTier2SummationReceived, u.given, "_t2", false},
	}
	for _, r := range rows {
		if r.stem == "" || !b.offers(e.ID, cluster, r.attribute, r.usual) {
			continue
		}
		to := b.slot(e.ID, word(r.stem+r.suffix))
		b.reads(e.ID, cluster, r.attribute, to, ratio(multiplier, divisor*u.per))
		hundredth := u.per * divisor / multiplier / 100
		b.report(to, cluster, r.attribute, pace{30, 1800, hundredth, 5 * time.Minute})
	}
}

// powerMeasured reports whether the device measures its power by the Electrical Measurement cluster, which is quicker
// and finer than what its meter knows.
func (b *builder) powerMeasured() bool {
	return slices.ContainsFunc(b.slots, func(s *slot) bool {
		if s.Name != "power" && s.Name != "power_l1" {
			return false
		}
		p := b.parts[place{s.endpoint, zcl.ClusterElectricalMeasurement}]
		return p != nil && slices.ContainsFunc(p.readings, func(r reading) bool { return r.slot == s })
	})
}

// meterScale reads a meter's multiplier and divisor. One without them tells how many digits are behind the point.
func (b *builder) meterScale(endpoint uint8, formatting uint16) (multiplier, divisor float64) {
	const cluster = zcl.ClusterMetering
	if !b.has(endpoint, cluster, zcl.AttrMeteringMultiplier) && !b.has(endpoint, cluster, zcl.AttrMeteringDivisor) {
		if n, known := b.fact(endpoint, cluster, formatting); known && n >= 0 {
			digits := uint(n) & 0x07
			return 1, [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}[digits]
		}
	}
	return b.scale(endpoint, cluster, zcl.AttrMeteringMultiplier, zcl.AttrMeteringDivisor)
}
