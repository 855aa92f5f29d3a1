package expose

import (
	"slices"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// siren is the IAS Warning Device cluster (ZCL 8.4). It never tells whether it sounds, so all of it is write-only.
type siren struct {
	endpoint                              uint8
	alarm, mode, volume, strobe, duration *slot
}

// The warning modes and levels in the order of their numbers; mode 0 is silence.
func warningModes() []string {
	return []string{"burglar", "fire", "emergency", "police_panic", "fire_panic", "emergency_panic"}
}

func warningLevels() []string { return []string{"low", "medium", "high", "very_high"} }

// usualAlarm is how many seconds a siren sounds if nobody says for how long.
const usualAlarm = 240

func buildSiren(b *builder, e Endpoint) {
	seconds := word("alarm_duration").Within(1, 0xfffe)
	s := &siren{
		endpoint: e.ID,
		alarm:    b.slot(e.ID, writeOnly(word("alarm"))),
		mode:     b.slot(e.ID, writeOnly(word("alarm_mode").OneOf(warningModes()...))),
		volume:   b.slot(e.ID, writeOnly(word("alarm_volume").OneOf(warningLevels()...))),
		strobe:   b.slot(e.ID, writeOnly(word("alarm_strobe"))),
		duration: b.slot(e.ID, writeOnly(seconds)),
	}
	squawk := b.slot(e.ID, writeOnly(text("squawk", "armed", "disarmed")))
	b.act(s.carry, s.alarm, s.mode, s.volume, s.strobe, s.duration)
	b.act(func(w wish) ([]Request, error) {
		const strobe, medium = 1 << 3, 1
		mode := byte(0)
		if v, _ := w.of(squawk); v.Text() == "disarmed" {
			mode = 1
		}
		return []Request{s.request(zcl.CmdIASWDSquawk, mode<<4|strobe|medium)}, nil
	}, squawk)
}

// carry starts or stops the warning: how it sounds goes with that it sounds.
func (s *siren) carry(w wish) ([]Request, error) {
	on, asked := w.of(s.alarm)
	if !asked {
		return nil, hearth.Errorf(hearth.CodeBadValue, "how the siren sounds is said when it shall: give %s with it", s.alarm.Name)
	}
	if !on.Bool() {
		return []Request{s.request(zcl.CmdIASWDStartWarning, 0, 0, 0, 0, 0)}, nil
	}
	const burglar, veryHigh, halfTheTime = 1, 3, 50
	mode, level, strobe, seconds := byte(burglar), byte(veryHigh), byte(1), uint16(usualAlarm)
	if v, asked := w.of(s.mode); asked {
		mode = byte(slices.Index(warningModes(), v.Text()) + 1)
	}
	if v, asked := w.of(s.volume); asked {
		level = byte(slices.Index(warningLevels(), v.Text()))
	}
	if v, asked := w.of(s.strobe); asked && !v.Bool() {
		strobe = 0
	}
	if v, asked := w.of(s.duration); asked {
		seconds = uint16(v.Number())
	}
	info := mode<<4 | strobe<<2 | level
	return []Request{s.request(zcl.CmdIASWDStartWarning, info, byte(seconds), byte(seconds>>8), strobe*halfTheTime, level)}, nil
}

func (s *siren) request(command uint8, payload ...byte) Request {
	return Request{Endpoint: s.endpoint, Cluster: zcl.ClusterIASWD, Frame: zcl.ClusterCommand(command, payload...), Answer: true}
}
