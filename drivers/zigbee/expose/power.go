package expose

import (
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// buildPower is about where the device has its power from (ZCL 3.3). A device has one battery, however many of its
// endpoints speak of it: the first that knows it is heard.
func buildPower(b *builder, e Endpoint) {
	const cluster = zcl.ClusterPowerConfiguration
	b.askPresence(e.ID, cluster,
		zcl.AttrPowerConfigurationBatteryPercentageRemaining, zcl.AttrPowerConfigurationBatteryVoltage,
		zcl.AttrPowerConfigurationBatteryAlarmState, zcl.AttrPowerConfigurationMainsVoltage,
		zcl.AttrPowerConfigurationMainsFrequency)
	rows := []struct {
		attribute uint16
		hearth.Property
		value func(zcl.Value) hearth.Value
		usual bool
		pace
	}{
		{zcl.AttrPowerConfigurationBatteryPercentageRemaining, word("battery"), divided(2), !b.description.Mains, rarely()},
		{zcl.AttrPowerConfigurationBatteryVoltage, word("battery_voltage"), divided(10), false, rarely()},
		{zcl.AttrPowerConfigurationBatteryAlarmState, word("battery_low"), lowBattery, false, rarely()},
		{zcl.AttrPowerConfigurationMainsVoltage, word("voltage"), divided(10), false, pace{30, 3600, 20, 5 * time.Minute}},
		{zcl.AttrPowerConfigurationMainsFrequency, word("frequency"), divided(2), false, pace{60, 3600, 1, 5 * time.Minute}},
	}
	for _, row := range rows {
		if !b.offers(e.ID, cluster, row.attribute, row.usual) && !b.mentioned(row.Name) {
			continue
		}
		if to := b.single(e.ID, row.Property); to != nil {
			b.reads(e.ID, cluster, row.attribute, to, row.value)
			b.report(to, cluster, row.attribute, row.pace)
		}
	}
}

// lowBattery reads the alarms of the first battery: below its least voltage or one of three thresholds (ZCL 3.3.2.2.4.15).
func lowBattery(v zcl.Value) hearth.Value {
	return hearth.BoolOf(v.Uint()&0x0f != 0)
}

// buildPollControl has sleepers look in, and tells them that they may go on sleeping: what waits for them is sent
// whenever they speak (ZCL 3.16).
func buildPollControl(b *builder, e Endpoint) {
	b.bind(e.ID, zcl.ClusterPollControl)
	b.part(e.ID, zcl.ClusterPollControl).command = func(h *hearing) {
		if h.Frame.Command == zcl.CmdPollControlCheckIn {
			h.reply(zcl.ClusterCommand(zcl.CmdPollControlCheckInResponse, 0, 0, 0))
		}
	}
}

// identifyTime is for how long a device shows where it is.
const identifyTime = 10

func buildIdentify(b *builder, e Endpoint) {
	to := b.single(e.ID, word("identify"))
	if to == nil {
		return
	}
	b.act(func(w wish) ([]Request, error) {
		seconds := byte(0)
		if v, _ := w.of(to); v.Bool() {
			seconds = identifyTime
		}
		return []Request{{
			Endpoint: e.ID, Cluster: zcl.ClusterIdentify, Answer: true,
			Frame: zcl.ClusterCommand(zcl.CmdIdentifyIdentify, seconds, 0),
		}}, nil
	}, to)
}
