package notify

import (
	"fmt"
	"time"
	_ "time/tzdata" // a small machine has no table of time zones

	"hearth"
)

// Quiet are the hours in which a target wants to be left alone. What is critical comes all the same; the rest is held
// and comes as one summary when they are over.
type Quiet struct {
	Zone string `json:"zone"` // as in Europe/Amsterdam
	From string `json:"from"` // 22:00
	To   string `json:"to"`   // 07:00, of the next day if it is not after From
}

func (q *Quiet) check() error {
	if _, err := time.LoadLocation(q.Zone); err != nil || q.Zone == "" || q.Zone == "Local" {
		return hearth.Errorf(hearth.CodeBadValue, "quiet.zone: there is no time zone %.60q; one is Europe/Amsterdam", q.Zone)
	}
	from, err := minutes(q.From)
	if err != nil {
		return hearth.Errorf(hearth.CodeBadValue, "quiet.from: %v", err)
	}
	to, err := minutes(q.To)
	if err != nil {
		return hearth.Errorf(hearth.CodeBadValue, "quiet.to: %v", err)
	}
	if from == to {
		return hearth.Errorf(hearth.CodeBadValue, "quiet: from and to are the same")
	}
	return nil
}

// minutes reads a time of day.
func minutes(text string) (int, error) {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fmt.Errorf("%.20q is no time of day such as 22:00", text)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// until returns when the quiet hours end that now is in; the zero Time outside of them.
func (q *Quiet) until(now time.Time) time.Time {
	if q == nil {
		return time.Time{}
	}
	zone, err := time.LoadLocation(q.Zone)
	from, fromErr := minutes(q.From)
	to, toErr := minutes(q.To)
	if err != nil || fromErr != nil || toErr != nil {
		return time.Time{} // checked when it was set: a wrong one is none
	}
	local := now.In(zone)
	minute := local.Hour()*60 + local.Minute()
	days := 0
	switch {
	case from < to:
		if minute < from || minute >= to {
			return time.Time{}
		}
	case minute >= from:
		days = 1
	case minute >= to:
		return time.Time{}
	}
	return time.Date(local.Year(), local.Month(), local.Day()+days, to/60, to%60, 0, 0, zone)
}
