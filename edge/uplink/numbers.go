package uplink

import (
	"slices"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"hearth"
	"hearth/edge/home"
)

// numbersOf makes readings fit for a database that keeps numbers only: a text with options becomes its index among
// them, another text is left out.
func numbersOf(readings []hearth.Reading, h *home.Home) []hearth.Reading {
	kept := readings[:0]
	for _, r := range readings {
		if r.Value.Kind() == hearth.Text {
			i := indexOf(r, h)
			if i < 0 {
				continue
			}
			r.Value = hearth.NumberOf(float64(i))
		}
		kept = append(kept, r)
	}
	return kept
}

// indexOf returns which of its property's options a text is; -1: none.
func indexOf(r hearth.Reading, h *home.Home) int {
	device, ok := h.Device(r.Device)
	if !ok {
		return -1
	}
	p := device.Property(r.Property)
	if p == nil {
		return -1
	}
	return slices.Index(p.Options, r.Value.Text())
}

// markRepaired turns the mark of a line whose time was worked out later into a number: clock=1.
func markRepaired(readings []hearth.Reading) []hearth.Reading {
	if len(readings) == 0 || !readings[0].Repaired {
		return readings
	}
	for i := range readings {
		readings[i].Repaired = false
	}
	mark := readings[0]
	mark.Property, mark.Value = hearth.ClockField, hearth.NumberOf(1)
	return append(readings, mark)
}

// gapReasons gives each reason of a gap the number under which it is sent: its index.
func gapReasons() []string {
	return []string{hearth.GapCap, hearth.GapRejected, hearth.GapDamaged, hearth.GapClock, hearth.GapLost}
}

// appendGapNumbers appends g as hearth.AppendGap does, its reason as a number; -1 is one not known here.
func appendGapNumbers(dst []byte, g hearth.Gap, home string) []byte {
	var enc lineprotocol.Encoder
	enc.SetPrecision(lineprotocol.Millisecond)
	enc.SetBuffer(dst)
	enc.StartLine(hearth.GapMeasurement)
	if home != "" {
		enc.AddTag("home", home)
	}
	enc.AddField("count", lineprotocol.MustNewValue(float64(g.Count)))
	enc.AddField("reason", lineprotocol.MustNewValue(float64(slices.Index(gapReasons(), g.Reason))))
	enc.AddField("to", lineprotocol.MustNewValue(float64(g.To.UnixMilli())))
	enc.EndLine(g.From.Time)
	if enc.Err() != nil {
		return dst // the home's name cannot be a tag; newDatabase sees to it that it can
	}
	return enc.Bytes()
}
