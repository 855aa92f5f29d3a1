package alerts

import (
	"fmt"
	"slices"
	"time"

	"hearth"
)

const (
	holdTime     = time.Minute      // one dark gateway is held back for so long: it may be the first of many
	outageWindow = 10 * time.Minute // gateways that go away within it go away together
	outageHomes  = 5                // so many at least are an outage …
	outageShare  = 20               // … and one in so many of the tenant's
	outageTold   = 5 * time.Minute  // a growing outage is told of again after so long at the earliest
	outageRest   = 24 * time.Hour   // a few homes that stay away for so long have causes of their own
	outageSaved  = 10 * time.Second
)

// A tenant is watched for gateways that go away together.
type tenant struct {
	id      string
	homes   int
	waiting map[string]time.Time // dark homes that nobody was told of, and when they were found to be
	unsure  map[string]time.Time // homes that may be dark soon
	outage  *alert
	grown   time.Time // when a home joined the outage
	better  time.Time // since when as good as all are back
	relief  bool      // people were told so
	shown   int       // homes of the outage when it was told of
	spoken  time.Time // when that was
	changed bool      // the outage is not stored as it is
}

// tenant returns the one of that id, made if need be; a.mu is held.
func (a *Alerts) tenant(id string) *tenant {
	t := a.tenants[id]
	if t == nil {
		t = &tenant{id: id, waiting: map[string]time.Time{}, unsure: map[string]time.Time{}}
		a.tenants[id] = t
	}
	return t
}

// knowsDark reports whether people know that the home's gateway is away.
func (t *tenant) knowsDark(home string, w *watch) bool {
	if t.outage != nil {
		if back, member := t.outage.members[home]; member && !back {
			return true
		}
	}
	return w.open[label{hearth.AlertGatewayDark, ""}] != nil
}

// lost says that a home's gateway has gone, and nobody knows yet for how long. What is open stays.
func (t *tenant) lost(home string, w *watch, now time.Time) {
	if _, known := t.unsure[home]; !known && !t.knowsDark(home, w) {
		t.unsure[home] = now
	}
}

// dark says that a home's gateway has been away for long enough.
func (t *tenant) dark(home string, w *watch, why string, now time.Time) {
	delete(t.unsure, home)
	w.pending, w.why = nil, why
	if t.outage != nil {
		if back, member := t.outage.members[home]; member {
			t.changed = t.changed || back
			t.outage.members[home] = false
			return
		}
	}
	if _, waits := t.waiting[home]; !waits && !t.knowsDark(home, w) {
		t.waiting[home] = now
	}
}

// back says that a home's gateway is there.
func (t *tenant) back(home string) {
	delete(t.waiting, home)
	delete(t.unsure, home)
	if t.outage != nil {
		if was, member := t.outage.members[home]; member && !was {
			t.outage.members[home], t.changed = true, true
		}
	}
}

// outage decides whether the homes that are dark are many causes or one; a.mu is held.
func (a *Alerts) outage(t *tenant, now time.Time) {
	if len(t.waiting) > 0 {
		a.gather(t, now)
	}
	if t.outage == nil {
		return
	}
	t.describe()
	a.tellOutage(t, now)
	remaining, all := t.remaining(), len(t.outage.members)
	if remaining*outageShare > all {
		t.better, t.relief = time.Time{}, false
	} else if t.better.IsZero() {
		t.better = now
	}
	settled := !t.better.IsZero() && now.Sub(t.better) >= settleTime
	switch {
	case settled && (remaining < outageHomes || now.Sub(t.better) >= outageRest):
		a.endOutage(t, now)
	case settled && !t.relief && t.outage.told:
		t.relief, t.changed = true, false
		a.note(t.outage, hearth.AlertUpdated, now)
	case t.changed && now.Sub(t.outage.saved) >= outageSaved:
		t.changed = false
		a.note(t.outage, "", now)
	}
}

// gather makes an outage of the homes that wait, lets them join the one there is, or raises them one by one.
func (a *Alerts) gather(t *tenant, now time.Time) {
	together := recent(t.waiting, now) + recent(t.unsure, now)
	joins := t.outage != nil && (now.Sub(t.grown) < outageWindow || len(t.waiting) >= t.enough())
	switch {
	case joins:
	case t.outage == nil && together >= t.enough():
		t.outage = &alert{members: map[string]bool{}, Alert: hearth.Alert{
			ID: newID(), Tenant: t.id, Kind: hearth.AlertOutage, Severity: hearth.SeverityCritical, Times: 1, Raised: hearth.Time{Time: now.UTC()},
		}}
		t.spoken, t.shown = now, 0
	default:
		for home, found := range t.waiting {
			if now.Sub(found) >= holdTime {
				a.raiseDark(t, home, now)
			}
		}
		return
	}
	for home := range t.waiting {
		t.outage.members[home] = false
	}
	clear(t.waiting)
	t.grown, t.changed = now, true
}

// raiseDark tells of one home alone.
func (a *Alerts) raiseDark(t *tenant, home string, now time.Time) {
	delete(t.waiting, home)
	w := a.homes[home]
	if w == nil {
		return
	}
	a.raise(home, w, hearth.Condition{
		Kind: hearth.AlertGatewayDark, Severity: hearth.SeverityWarning, Detail: w.why,
	}, now)
}

func recent(homes map[string]time.Time, now time.Time) (n int) {
	for _, found := range homes {
		if now.Sub(found) < outageWindow {
			n++
		}
	}
	return n
}

// enough is how many homes make an outage of this tenant.
func (t *tenant) enough() int {
	return max(outageHomes, (t.homes+outageShare-1)/outageShare)
}

func (t *tenant) remaining() (n int) {
	for _, back := range t.outage.members {
		if !back {
			n++
		}
	}
	return n
}

// describe puts the outage into words.
func (t *tenant) describe() {
	o, all := t.outage, len(t.outage.members)
	left := t.remaining()
	o.Count = all
	o.Detail = fmt.Sprintf("the gateways of %d homes went away together", all)
	if left < all {
		o.Detail += fmt.Sprintf("; %d of %d are back", all-left, all)
	}
}

// tellOutage tells of an outage a moment after it began, and again when it has grown much, or for good.
func (a *Alerts) tellOutage(t *tenant, now time.Time) {
	o := t.outage
	since := now.Sub(t.spoken)
	switch {
	case !o.told && since >= holdTime/2:
		o.told = true
		a.note(o, hearth.AlertRaised, now)
	case o.told && (len(o.members) >= 2*t.shown && since >= outageTold || len(o.members) > t.shown && now.Sub(t.grown) >= outageWindow):
		a.note(o, hearth.AlertUpdated, now)
	default:
		return
	}
	t.spoken, t.shown, t.changed = now, len(o.members), false
}

// endOutage closes an outage. Homes that are not back have a cause of their own.
func (a *Alerts) endOutage(t *tenant, now time.Time) {
	o := t.outage
	o.Cleared = hearth.Time{Time: now.UTC()}
	change := ""
	if o.told {
		change = hearth.AlertCleared
	}
	o.told = false
	a.note(o, change, now)
	t.outage, t.changed, t.better, t.relief = nil, false, time.Time{}, false
	for home, back := range o.members {
		if !back {
			a.raiseDark(t, home, now)
		}
	}
}

// shown is the alert for others, with what only belongs to an outage filled in.
func (n *alert) shown() hearth.Alert {
	view := n.Alert
	if n.members != nil {
		for home, back := range n.members {
			if !back {
				view.Homes = append(view.Homes, home)
			}
		}
		slices.Sort(view.Homes)
	}
	return view
}
