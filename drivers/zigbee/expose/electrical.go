package expose

import (
	"slices"
	"time"

	"hearth/drivers/zigbee/zcl"
)

// A quantity is something electrical: where its multiplier and divisor are, and how often it is told.
type quantity struct {
	multiplier, divisor uint16  // attributes; 0: none
	fixed               float64 // divisor where there are none
	change              float64 // in the house's unit
	earliest, latest    uint16  // seconds
}

func volts() quantity {
	return quantity{zcl.AttrElectricalMeasurementACVoltageMultiplier, zcl.AttrElectricalMeasurementACVoltageDivisor, 1, 2, 10, 600}
}

func amperes() quantity {
	return quantity{zcl.AttrElectricalMeasurementACCurrentMultiplier, zcl.AttrElectricalMeasurementACCurrentDivisor, 1, 0.05, 5, 600}
}

func watts() quantity {
	return quantity{zcl.AttrElectricalMeasurementACPowerMultiplier, zcl.AttrElectricalMeasurementACPowerDivisor, 1, 2, 5, 600}
}

func totalWatts() quantity {
	return quantity{zcl.AttrElectricalMeasurementPowerMultiplier, zcl.AttrElectricalMeasurementPowerDivisor, 1, 2, 5, 600}
}

func hertz() quantity {
	return quantity{zcl.AttrElectricalMeasurementACFrequencyMultiplier, zcl.AttrElectricalMeasurementACFrequencyDivisor, 1, 0.1, 60, 3600}
}

// A phase's attributes are at the same places of its own block.
type electric struct {
	attribute uint16 // of the first phase, or of the whole
	word      string
	quantity
	usual bool // there before anything was read
}

func phaseRows() []electric {
	return []electric{
		{zcl.AttrElectricalMeasurementActivePower, "power", watts(), true},
		{zcl.AttrElectricalMeasurementRMSVoltage, "voltage", volts(), true},
		{zcl.AttrElectricalMeasurementRMSCurrent, "current", amperes(), true},
		{zcl.AttrElectricalMeasurementReactivePower, "power_reactive", watts(), false},
		{zcl.AttrElectricalMeasurementApparentPower, "power_apparent", watts(), false},
		{zcl.AttrElectricalMeasurementPowerFactor, "power_factor", quantity{0, 0, 100, 0.05, 30, 3600}, false},
	}
}

func totalRows() []electric {
	return []electric{
		{zcl.AttrElectricalMeasurementTotalActivePower, "power", totalWatts(), false},
		{zcl.AttrElectricalMeasurementTotalReactivePower, "power_reactive", totalWatts(), false},
		{zcl.AttrElectricalMeasurementTotalApparentPower, "power_apparent", totalWatts(), false},
		{zcl.AttrElectricalMeasurementACFrequency, "frequency", hertz(), false},
	}
}

func directRows() []electric {
	volts, amperes, watts := volts(), amperes(), watts()
	volts.multiplier, volts.divisor = zcl.AttrElectricalMeasurementDCVoltageMultiplier, zcl.AttrElectricalMeasurementDCVoltageDivisor
	amperes.multiplier, amperes.divisor = zcl.AttrElectricalMeasurementDCCurrentMultiplier, zcl.AttrElectricalMeasurementDCCurrentDivisor
	watts.multiplier, watts.divisor = zcl.AttrElectricalMeasurementDCPowerMultiplier, zcl.AttrElectricalMeasurementDCPowerDivisor
	return []electric{
		{zcl.AttrElectricalMeasurementDCPower, "power", watts, false},
		{zcl.AttrElectricalMeasurementDCVoltage, "voltage", volts, false},
		{zcl.AttrElectricalMeasurementDCCurrent, "current", amperes, false},
	}
}

// Where the second and third phase's blocks are behind the first's.
const (
	phaseB = zcl.AttrElectricalMeasurementActivePowerPhaseB - zcl.AttrElectricalMeasurementActivePower
	phaseC = zcl.AttrElectricalMeasurementActivePowerPhaseC - zcl.AttrElectricalMeasurementActivePower
)

// buildElectrical is the Electrical Measurement cluster (ZCL 4.9). A device with more than one phase has each by name,
// and the plain names are the whole's.
func buildElectrical(b *builder, e Endpoint) {
	const cluster = zcl.ClusterElectricalMeasurement
	askElectrical(b, e)
	phases := slices.ContainsFunc(phaseRows(), func(r electric) bool {
		return b.has(e.ID, cluster, r.attribute+phaseB) || b.has(e.ID, cluster, r.attribute+phaseC)
	})
	var told []string
	add := func(rows []electric, offset uint16, suffix string) {
		for _, r := range rows {
			name := r.word + suffix
			if !slices.Contains(told, name) && b.offers(e.ID, cluster, r.attribute+offset, r.usual && offset == 0) {
				told = append(told, name)
				b.electric(e.ID, r.attribute+offset, name, r.quantity)
			}
		}
	}
	if phases {
		add(totalRows(), 0, "")
		add(phaseRows(), 0, "_l1")
		add(phaseRows(), phaseB, "_l2")
		add(phaseRows(), phaseC, "_l3")
		return
	}
	add(phaseRows(), 0, "")
	add(totalRows(), 0, "")
	add(directRows(), 0, "")
}

func askElectrical(b *builder, e Endpoint) {
	var measured, scales []uint16
	for _, rows := range [][]electric{phaseRows(), totalRows(), directRows()} {
		for _, r := range rows {
			measured = append(measured, r.attribute)
			if r.divisor != 0 && !slices.Contains(scales, r.divisor) {
				scales = append(scales, r.multiplier, r.divisor)
			}
		}
	}
	for _, r := range phaseRows() {
		measured = append(measured, r.attribute+phaseB, r.attribute+phaseC)
	}
	b.ask(e.ID, zcl.ClusterElectricalMeasurement, scales...)
	b.askPresence(e.ID, zcl.ClusterElectricalMeasurement, measured...)
}

func (b *builder) electric(endpoint uint8, attribute uint16, name string, q quantity) {
	const cluster = zcl.ClusterElectricalMeasurement
	multiplier, divisor := 1.0, q.fixed
	if q.divisor != 0 {
		multiplier, divisor = b.scale(endpoint, cluster, q.multiplier, q.divisor)
		if q == totalWatts() && !b.has(endpoint, cluster, q.divisor) {
			multiplier, divisor = b.scale(endpoint, cluster, watts().multiplier, watts().divisor)
		}
	}
	to := b.slot(endpoint, word(name))
	b.reads(endpoint, cluster, attribute, to, ratio(multiplier, divisor))
	b.report(to, cluster, attribute, pace{q.earliest, q.latest, q.change * divisor / multiplier, time.Minute})
}

// scale reads a multiplier and a divisor; those that are not there or 0 count as 1.
func (b *builder) scale(endpoint uint8, cluster, multiplier, divisor uint16) (m, d float64) {
	m, d = b.factOr(endpoint, cluster, multiplier, 1), b.factOr(endpoint, cluster, divisor, 1)
	if m <= 0 {
		m = 1
	}
	if d <= 0 {
		d = 1
	}
	return m, d
}
