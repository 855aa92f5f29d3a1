package alerts

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hearth"
)

func freezer(value hearth.Value) hearth.DeviceView {
	p, _ := hearth.Word("temperature")
	return hearth.DeviceView{
		ID: "radio:1", Name: "Freezer", Type: "sensor", Reachable: true,
		Properties: []hearth.PropertyView{{Property: p, Value: &value, Time: hearth.Time{Time: time.Now()}}},
	}
}

func (r *rig) says(home string, views ...hearth.DeviceView) {
	r.mu.Lock()
	r.devices[home] = views
	r.mu.Unlock()
	r.Touch(home)
}

func TestThreshold(t *testing.T) {
	inBubble(t, 2, func(r *rig) {
		home, other := r.homes[0].ID, r.homes[1].ID
		rule, err := r.putRule(r.t.Context(), "main", Rule{
			Name: "Food", Home: home, Type: "sensor", Property: "temperature", Op: ">", Value: hearth.NumberOf(-15), For: 600, Hysteresis: 2, Severity: hearth.SeverityCritical,
		})
		must(r.t, err)
		about := "threshold radio:1/temperature#" + rule.ID
		temperature := func(v float64) {
			r.says(home, freezer(hearth.NumberOf(v)))
			r.says(other, freezer(hearth.NumberOf(v)))
		}
		temperature(-20)
		r.pass(20 * time.Minute)
		temperature(-10)
		r.pass(5 * time.Minute)
		temperature(-15.5) // below again, so it has to last anew
		r.pass(time.Minute)
		temperature(-9)
		r.pass(9*time.Minute + 30*time.Second)
		r.want("")
		r.pass(time.Minute)
		r.want("raised " + about)
		open := r.Open(home)[0]
		if open.Severity != hearth.SeverityCritical || open.Detail != "Food: Freezer, temperature is -9 °C, above -15 for 10m0s" {
			t.Errorf("%+v", open)
		}
		r.opens(other, "") // the rule is of one home
		temperature(-16)
		r.pass(10 * time.Minute)
		r.want("") // within the hysteresis
		temperature(-17.5)
		r.pass(2 * time.Minute)
		r.want("cleared " + about)
	})
}

func TestOldValuesDoNotCount(t *testing.T) {
	inBubble(t, 1, func(r *rig) {
		home := r.homes[0].ID
		_, err := r.putRule(r.t.Context(), "main", Rule{Property: "temperature", Op: ">=", Value: hearth.NumberOf(30)})
		must(r.t, err)
		hot, stale := freezer(hearth.NumberOf(30)), freezer(hearth.NumberOf(30))
		stale.Properties[0].Stale = true
		r.says(home, stale)
		r.pass(time.Minute)
		r.want("")
		r.says(home, hot)
		r.set(home, silent("radio:1"))
		r.pass(time.Minute)
		r.want("raised device_silent radio:1")
		r.set(home, hearth.Condition{Kind: hearth.AlertDriverDown, About: "radio", Severity: hearth.SeverityWarning})
		r.pass(2 * time.Minute)
		r.want("raised driver_down radio, cleared device_silent radio:1")
		r.set(home)
		r.pass(2 * time.Second)
		if told := r.heard(); !strings.HasPrefix(told, "raised threshold radio:1/temperature#") {
			t.Errorf("%q", told)
		}
		r.says(home, stale)
		r.pass(10 * time.Minute)
		r.want("cleared driver_down radio") // an old value clears nothing either
		r.opens(home, r.Open(home)[0].Kind+" "+r.Open(home)[0].About)
		if len(r.Open(home)) != 1 {
			t.Error("it is gone")
		}
		r.says(home)
		r.pass(2 * time.Minute)
		if told := r.heard(); !strings.HasPrefix(told, "cleared threshold") {
			t.Errorf("the device has left, and people heard %q", told)
		}
	})
}

func TestADeletedRuleClears(t *testing.T) {
	inBubble(t, 1, func(r *rig) {
		home := r.homes[0].ID
		rule, err := r.putRule(r.t.Context(), "main", Rule{Home: home, Device: "radio:1", Property: "temperature", Op: "<", Value: hearth.NumberOf(5)})
		must(r.t, err)
		r.says(home, freezer(hearth.NumberOf(1)))
		r.pass(20 * time.Second)
		r.want("raised threshold radio:1/temperature#" + rule.ID)
		rule.Disabled = true
		_, err = r.putRule(r.t.Context(), "main", rule)
		must(r.t, err)
		r.pass(2 * time.Minute)
		r.want("cleared threshold radio:1/temperature#" + rule.ID)
		must(r.t, r.deleteRule(r.t.Context(), "main", rule.ID))
		if err := r.deleteRule(r.t.Context(), "main", rule.ID); hearth.ErrorOf(err).Code != hearth.CodeNotFound {
			t.Error(err)
		}
	})
}

func TestHolds(t *testing.T) {
	n, b, s := hearth.NumberOf, hearth.BoolOf, hearth.TextOf
	for _, c := range []struct {
		op           string
		limit, value hearth.Value
		hysteresis   float64
		holds, keeps bool
	}{
		{">", n(5), n(5), 0, false, false},
		{">", n(5), n(5.1), 0, true, true},
		{">", n(5), n(4), 2, false, true},
		{">", n(5), n(3), 2, false, false},
		{">=", n(5), n(5), 0, true, true},
		{"<", n(5), n(5), 0, false, false},
		{"<", n(5), n(6), 2, false, true},
		{"<", n(5), n(7), 2, false, false},
		{"<=", n(5), n(5), 0, true, true},
		{"=", n(5), n(5), 0, true, true},
		{"=", n(5), n(5.5), 1, false, true},
		{"!=", n(5), n(5), 0, false, false},
		{"=", b(true), b(true), 0, true, true},
		{"=", b(true), b(false), 0, false, false},
		{"!=", s("locked"), s("jammed"), 0, true, true},
		{"=", s("jammed"), s("jammed"), 0, true, true},
		{"=", s("jammed"), s("locked"), 0, false, false},
	} {
		r := Rule{Op: c.op, Value: c.limit, Hysteresis: c.hysteresis}
		if holds, keeps := r.holds(c.value); holds != c.holds || keeps != c.keeps {
			t.Errorf("%s %s %s (%g): %v, %v", c.value, c.op, c.limit, c.hysteresis, holds, keeps)
		}
	}
}

func TestRulesThatCannotBe(t *testing.T) {
	good := Rule{Home: "h", Device: "a:1", Property: "temperature", Op: ">", Value: hearth.NumberOf(1)}
	if err := good.check(); err != nil || good.Severity != hearth.SeverityWarning {
		t.Fatal(good, err)
	}
	for want, change := range map[string]func(*Rule){
		"name":           func(r *Rule) { r.Name = strings.Repeat("x", 101) },
		"control":        func(r *Rule) { r.Name = "a\nb" },
		"op: want":       func(r *Rule) { r.Op = "~" },
		"value: want":    func(r *Rule) { r.Value = hearth.Value{} },
		"compared with":  func(r *Rule) { r.Value = hearth.BoolOf(true) },
		"text has":       func(r *Rule) { r.Op, r.Value = "=", hearth.TextOf(strings.Repeat("x", 5000)) },
		"for_s":          func(r *Rule) { r.For = -1 },
		"hysteresis":     func(r *Rule) { r.Hysteresis = -1 },
		"beside a":       func(r *Rule) { r.Op, r.Value, r.Hysteresis = "=", hearth.TextOf("x"), 1 },
		"severity":       func(r *Rule) { r.Severity = "loud" },
		"no type":        func(r *Rule) { r.Device, r.Type = "", "spaceship" },
		"or type out":    func(r *Rule) { r.Type = "sensor" },
		"device's home":  func(r *Rule) { r.Home = "" },
		"device id":      func(r *Rule) { r.Device = "nonsense" },
		"property name ": func(r *Rule) { r.Property = "Temp!" },
	} {
		r := good
		change(&r)
		if err := r.check(); err == nil || hearth.ErrorOf(err).Code != hearth.CodeBadValue || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func FuzzRule(f *testing.F) {
	f.Add(`{"property":"temperature","op":">","value":5,"for_s":60,"hysteresis":1,"severity":"info"}`, 7.0)
	f.Add(`{"home":"h","device":"a:1","property":"on","op":"=","value":true}`, 0.0)
	f.Fuzz(func(t *testing.T, text string, value float64) {
		var r Rule
		if json.Unmarshal([]byte(text), &r) != nil || r.check() != nil {
			return
		}
		if holds, keeps := r.holds(hearth.NumberOf(value)); holds && !keeps {
			t.Fatalf("%+v raises an alert at %g and does not keep it", r, value)
		}
		view := freezer(hearth.NumberOf(value))
		if r.words(&view, &view.Properties[0]) == "" {
			t.Fatal("no words")
		}
	})
}
