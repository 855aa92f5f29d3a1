package jobs

import (
	"testing"
	"time"

	"hearth"
)

func groups(t *testing.T, newRig rigMaker) {
	r := newRig(t, 1)
	boss := r.boss()
	var lamps, list = Group{}, []Group{}
	r.want(201, r.ask(boss, "POST", "/groups", m{"name": " Lamps ", "members": []m{{"type": "light"}}}, &lamps))
	if lamps.Name != "Lamps" || lamps.ID == "" || lamps.Created.IsZero() {
		t.Errorf("%+v", lamps)
	}
	r.want(409, r.ask(boss, "POST", "/groups", m{"name": "Lamps", "members": []m{}}, nil))
	for _, bad := range []m{{"name": ""}, {"name": "x", "members": []m{{}}}, {"name": "x", "members": []m{{"type": "lamp"}}}, {"name": "x", "members": []m{{"home": "h", "device": "x"}}}, {"name": "a\nb"}} {
		r.want(422, r.ask(boss, "POST", "/groups", bad, nil))
	}
	r.want(200, r.ask(boss, "PUT", "/groups/"+lamps.ID, m{"name": "All lamps", "members": []m{{"type": "light"}, {"home": r.homes[0].ID}}}, nil))
	r.want(404, r.ask(boss, "PUT", "/groups/none", m{"name": "y", "members": []m{}}, nil))
	r.want(201, r.ask(boss, "POST", "/groups", m{"name": "A", "members": nil}, nil))
	r.want(200, r.ask(boss, "GET", "/groups", nil, &list))
	if len(list) != 2 || list[0].Name != "A" || list[1].Name != "All lamps" || len(list[1].Members) != 2 || !list[1].Created.Equal(lamps.Created.Time) {
		t.Errorf("%+v", list)
	}
	// A job of a group that is gone by then says so.
	r.want(202, r.ask(boss, "POST", "/jobs", on(m{"group": lamps.ID}, m{"id": "g", "at": r.now.Add(time.Hour)}), nil))
	r.want(204, r.ask(boss, "DELETE", "/groups/"+lamps.ID, nil, nil))
	r.want(404, r.ask(boss, "DELETE", "/groups/"+lamps.ID, nil, nil))
	r.pass(time.Hour)
	r.step()
	if view := r.job("g"); states(view) != `{"refused":1}` || view.Refused[0].Error.Code != hearth.CodeNotFound || view.Phase != Done {
		t.Errorf("%+v", view)
	}
}
