package ingest

import (
	"strings"
	"time"

	"hearth"
	"hearth/cloud/series"
)

// ArrivalOf tells of a write that came by another receiver as this one tells of its own.
func ArrivalOf(w series.Write, outcome series.Outcome) Arrival {
	a := Arrival{Home: w.Home, Ledger: w.Ledger}
	if w.Ledger != nil {
		a.Rows = w.Bad
	}
	devices := map[string]hearth.ID{}
	for i := range w.Points {
		p := &w.Points[i]
		device, known := devices[p.Series]
		if !known {
			device = deviceOf(p.Series)
			devices[p.Series] = device
		}
		mark := device != "" && p.Field == hearth.ClockField
		if w.Ledger != nil && !mark {
			a.Rows++
		}
		if device != "" && !mark {
			a.Readings = append(a.Readings, hearth.Reading{Device: device, Property: p.Field, Value: p.Value, Time: time.Unix(0, p.Time).UTC()})
		}
	}
	a.Gaps = w.Gaps
	if outcome.Duplicate || outcome.Ahead {
		a.Readings, a.Gaps = nil, nil
	}
	return a
}

// deviceOf returns whose a series is; "" for one of another measurement.
func deviceOf(name string) hearth.ID {
	tags, own := strings.CutPrefix(name, hearth.Measurement)
	_, device, found := strings.Cut(tags, ",device=")
	if !own || !found || tags[0] != ',' {
		return ""
	}
	device, _, _ = strings.Cut(device, ",") // an id has nothing in it that is escaped
	return hearth.ID(device)
}
