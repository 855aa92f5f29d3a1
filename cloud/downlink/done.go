package downlink

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"hearth"
)

// done takes a gateway's answer. It is stored when done returns nil; what is no answer, or to no command of that home,
// is passed over.
func (d *Downlink) done(ctx context.Context, home string, payload []byte) error {
	result, err := parseResult(payload)
	if err != nil {
		d.o.Log.Warn("an answer that cannot be one was passed over", "home", home, "bytes", len(payload), "err", err)
		return nil
	}
	now := d.o.Now()
	return d.change(ctx, home, result.ID, func(r *hearth.Record) bool { return apply(r, result, now) })
}

func parseResult(payload []byte) (hearth.Result, error) {
	if len(payload) > maxPayload {
		return hearth.Result{}, fmt.Errorf("longer than %d bytes", maxPayload)
	}
	var result hearth.Result
	if err := json.Unmarshal(payload, &result); err != nil {
		return hearth.Result{}, err
	}
	if result.ID == "" || len(result.ID) > hearth.MaxID || strings.Contains(result.ID, "\x00") {
		return hearth.Result{}, fmt.Errorf("no id that could be a command's")
	}
	if !slices.Contains(hearth.States, result.State) {
		return hearth.Result{}, fmt.Errorf("no such state")
	}
	if result.Error != nil {
		result.Error = &hearth.Error{Code: clip(result.Error.Code, 64), Message: clip(result.Error.Message, 1024)}
	}
	return result, nil
}

// apply moves a record to where the answer says the command is, by way of the steps in between that the receiver was
// not told of. A time that cannot be is replaced by now.
func apply(r *hearth.Record, result hearth.Result, now time.Time) bool {
	at := map[hearth.State]time.Time{}
	for _, step := range result.History {
		at[step.State] = step.Time.Time
	}
	when := func(s hearth.State) time.Time {
		t := at[s]
		if t.Before(r.Issued.Time) || t.After(now) {
			return now
		}
		return t.UTC()
	}
	moved := false
	for _, between := range []hearth.State{hearth.Sent, hearth.Applied} {
		if _, passed := at[between]; passed && between != result.State {
			moved = r.Advance(between, false, when(between), nil) || moved
		}
	}
	if r.State == hearth.Applied && result.State == hearth.Applied && result.Final && !r.Final {
		r.Final, r.Error = true, result.Error // the device never reports what was set: applied is all there is
		return true
	}
	return r.Advance(result.State, result.Final, when(result.State), result.Error) || moved
}

func clip(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
