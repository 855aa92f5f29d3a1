package notify

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
)

const (
	info     = hearth.SeverityInfo
	warning  = hearth.SeverityWarning
	critical = hearth.SeverityCritical
)

func TestWhoIsToldOfAlerts(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.target(Target{Name: "all"})
		r.target(Target{Name: "loud", Type: TypeWebhook, URL: "https://loud.example/", Severity: critical})
		r.target(Target{Name: "elsewhere", Type: TypeWebhook, URL: "https://elsewhere.example/", Homes: []string{"another"}})
		r.target(Target{Name: "off", Type: TypeWebhook, URL: "https://off.example/", Disabled: true})
		r.target(Target{Name: "devices", Type: TypeWebhook, URL: "https://devices.example/", Events: []string{KindDevice}})
		r.alert("a1", "raised", warning)
		r.alert("a2", "raised", critical)
		r.pass(time.Second)
		r.mu.Lock()
		count := map[string]int{}
		for _, one := range r.received {
			count[one.host]++
			if one.event.HomeName != "Cabin" || one.event.Home != r.home.ID || one.event.Tenant != accounts.MainTenant || one.event.ID == "" || one.event.Time.IsZero() {
				t.Errorf("%+v", one.event)
			}
		}
		r.mu.Unlock()
		if fmt.Sprint(count) != "map[hook.example:2 loud.example:1]" {
			t.Error(count)
		}
	})
}

// What cannot be delivered keeps what comes after it waiting, is tried for three days, and then given up.
func TestOrderBackoffAndGivingUp(t *testing.T) {
	inBubble(t, func(r *rig) {
		target := r.target(Target{})
		var tries []time.Time
		first := ""
		r.answers(func(_ *http.Request, e Event) (int, http.Header) {
			tries = append(tries, time.Now())
			if first == "" {
				first = e.ID
			}
			if e.ID == first {
				return 500, http.Header{}
			}
			return 200, http.Header{}
		})
		began := time.Now()
		r.alert("a1", "raised", warning)
		r.alert("a2", "raised", critical)
		r.pass(time.Hour)
		r.want("")
		view := r.viewOf(target)
		if view.Pending != 2 || view.Attempts < 8 || view.Attempts > 14 || view.LastError != "it answered 500 Internal Server Error" || view.NextTry.IsZero() {
			t.Errorf("%+v", view)
		}
		for i := 1; i < len(tries); i++ {
			if pause := tries[i].Sub(tries[i-1]); pause < 4*time.Second || pause > 70*time.Minute {
				t.Errorf("try %d after %s", i, pause)
			}
		}
		r.stop()
		r.start()
		r.pass(73 * time.Hour)
		r.want("raised a2")
		if states := r.states(target.ID); states[stateGivenUp] != 1 || states[stateDelivered] != 1 {
			t.Error(states)
		}
		if view := r.viewOf(target); view.GivenUp != 1 || view.Pending != 0 || view.Attempts != 0 || view.Delivered.IsZero() {
			t.Errorf("%+v", view)
		}
		last := tries[len(tries)-2].Sub(began)
		if last < 70*time.Hour || last > tryFor+time.Second || len(tries) > 100 {
			t.Errorf("%d tries, the last after %s", len(tries), last)
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.target(Target{})
		tries := 0
		r.answers(func(*http.Request, Event) (int, http.Header) {
			tries++
			return 429, http.Header{"Retry-After": {"1800"}}
		})
		r.alert("a1", "raised", warning)
		r.pass(29 * time.Minute)
		if tries != 1 {
			t.Errorf("%d tries in 29 minutes", tries)
		}
		r.answers(always(200))
		r.pass(2 * time.Minute)
		r.want("raised a1")
	})
}

func TestGoneDisables(t *testing.T) {
	inBubble(t, func(r *rig) {
		target := r.target(Target{})
		r.answers(always(http.StatusGone))
		r.alert("a1", "raised", warning)
		r.pass(time.Minute)
		r.alert("a2", "raised", warning)
		view := r.viewOf(target)
		if !view.Disabled || !strings.Contains(view.Note, "410") || view.Pending != 1 {
			t.Errorf("%+v", view)
		}
		r.answers(always(200))
		r.pass(time.Hour)
		r.want("")
		target.Disabled = false
		_, err := r.set(r.t.Context(), accounts.MainTenant, target)
		must(t, err)
		r.alert("a3", "raised", warning)
		r.pass(5 * time.Second)
		r.want("raised a1, raised a3") // a2 was nobody's
	})
}

// The oldest of what matters least goes first where too much waits.
func TestTheOutboxIsBounded(t *testing.T) {
	inBubble(t, func(r *rig) {
		target := r.target(Target{})
		r.answers(always(0))
		for i := range 600 {
			r.alert(fmt.Sprint("w", i), "raised", warning)
		}
		for i := range 500 {
			r.alert(fmt.Sprint("i", i), "raised", info)
		}
		r.alert("c", "raised", critical)
		view := r.viewOf(target)
		if view.Pending != maxPending || view.Dropped != 101 || r.states(target.ID)[stateDropped] != 101 {
			t.Errorf("%+v %v", view, r.states(target.ID))
		}
		r.answers(always(204))
		r.pass(2 * time.Hour)
		got := strings.Split(r.got(), ", ")
		if len(got) != maxPending || got[0] != "raised w0" || got[600] != "raised i101" || got[len(got)-1] != "raised c" {
			t.Errorf("%d: %s … %s … %s", len(got), got[0], got[min(600, len(got)-1)], got[len(got)-1])
		}
	})
}

func TestQuietHours(t *testing.T) {
	inBubble(t, func(r *rig) { // the bubble begins at midnight UTC of 1 January 2000
		quiet := &Quiet{Zone: "Europe/Amsterdam", From: "22:00", To: "07:00"}
		target := r.target(Target{Quiet: quiet})
		r.pass(time.Minute)
		for i := range 3 {
			r.alert(fmt.Sprint("a", i), "raised", warning)
		}
		r.pass(time.Hour)
		r.alert("fire", "raised", critical)
		r.pass(time.Minute)
		r.want("raised fire")
		r.alert("a1", "cleared", warning)
		r.pass(time.Minute)
		if view := r.viewOf(target); view.Held != 4 || view.Pending != 4 {
			t.Errorf("%+v", view)
		}
		r.stop()
		r.start()
		r.pass(5*time.Hour - 4*time.Minute) // 06:59
		r.want("")
		r.pass(2 * time.Minute)
		r.want("summary(raised a0, raised a2, cleared a1)")
		r.alert("b", "raised", warning)
		r.pass(time.Second)
		r.want("raised b")
		r.pass(15 * time.Hour)
		r.alert("c", "raised", info)
		r.pass(8 * time.Hour)
		r.want("")
		r.pass(time.Hour)
		r.want("raised c") // one alone needs no summary
		if states := r.states(target.ID); states[stateSummarised] != 4 || states[stateHeld] != 0 {
			t.Error(states)
		}
		r.pass(16 * time.Hour)
		r.alert("d", "raised", info)
		r.alert("e", "raised", info)
		r.pass(time.Minute)
		target.Quiet = nil
		_, err := r.set(r.t.Context(), accounts.MainTenant, target)
		must(t, err)
		r.pass(5 * time.Second)
		r.want("summary(raised d, raised e)") // quiet hours that were abolished are over
	})
}

func TestUntil(t *testing.T) {
	for _, c := range []struct{ zone, from, to, now, want string }{
		{"Europe/Amsterdam", "22:00", "07:00", "2026-01-10T20:59:00Z", ""},
		{"Europe/Amsterdam", "22:00", "07:00", "2026-01-10T21:00:00Z", "2026-01-11T06:00:00Z"},
		{"Europe/Amsterdam", "22:00", "07:00", "2026-01-11T05:59:59Z", "2026-01-11T06:00:00Z"},
		{"Europe/Amsterdam", "22:00", "07:00", "2026-01-11T06:00:00Z", ""},
		{"Europe/Amsterdam", "22:00", "07:00", "2026-03-28T23:00:00Z", "2026-03-29T05:00:00Z"}, // the clock goes forward in that night
		{"America/New_York", "12:00", "13:30", "2026-07-01T16:10:00Z", "2026-07-01T17:30:00Z"},
		{"America/New_York", "12:00", "13:30", "2026-07-01T17:30:00Z", ""},
		{"Asia/Kolkata", "00:00", "06:00", "2026-07-01T18:30:00Z", "2026-07-02T00:30:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		must(t, err)
		got := ""
		if until := (&Quiet{Zone: c.zone, From: c.from, To: c.to}).until(now); !until.IsZero() {
			got = until.UTC().Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%+v: until %q", c, got)
		}
	}
}

func TestReadingsAreThinnedOut(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.target(Target{Events: []string{KindReading, KindOnline}, Every: 60})
		say := func(property string, v float64) {
			r.Publish("", r.home.ID, KindReading, hearth.ReadingEvent{Device: "radio:1", Property: property, Value: hearth.NumberOf(v), Time: hearth.Time{Time: time.Now()}})
			r.pass(time.Second)
		}
		for v := range 10 {
			say("power", float64(v))
		}
		say("humidity", 40)
		r.Publish("", r.home.ID, KindOnline, hearth.OnlineEvent{Online: true})
		r.Publish("", r.home.ID, KindDevice, hearth.Forgotten{})
		r.pass(time.Second)
		r.want("power=0, humidity=40, online")
		r.pass(2 * time.Minute)
		r.want("power=9") // the last one is not left out
		r.pass(2 * time.Minute)
		say("power", 10)
		r.want("power=10")
		r.Publish("", "nowhere", KindOnline, hearth.OnlineEvent{})
		r.Publish("another", "", KindOnline, hearth.OnlineEvent{})
		r.pass(time.Minute)
		r.want("")
	})
}

func TestDeliveriesAreNumberedWithoutHoles(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.target(Target{})
		for i := range 50 {
			r.alert(fmt.Sprint("a", i), "raised", warning)
		}
		r.pass(5 * time.Second)
		for i, one := range r.received {
			if one.sequence != fmt.Sprint(i+1) {
				t.Fatalf("delivery %d has number %s", i, one.sequence)
			}
		}
		if len(r.received) != 50 {
			t.Errorf("%d", len(r.received))
		}
	})
}

func TestTheLogIsPruned(t *testing.T) {
	inBubble(t, func(r *rig) {
		target := r.target(Target{})
		for i := range 20 {
			r.alert(fmt.Sprint("a", i), "raised", warning)
		}
		r.pass(time.Minute)
		if r.states(target.ID)[stateDelivered] != 20 {
			t.Error(r.states(target.ID))
		}
		r.pass(keepEnded + 2*time.Hour)
		if states := r.states(target.ID); len(states) != 0 {
			t.Error(states)
		}
	})
}

func TestTargetsThatCannotBe(t *testing.T) {
	inBubble(t, func(r *rig) {
		good := Target{Name: "x", Type: TypeWebhook, URL: "https://example.org/", Events: []string{KindAlert}}
		if err := r.check(&good); err != nil {
			t.Fatal(err)
		}
		for want, change := range map[string]func(*Target){
			"name":             func(t *Target) { t.Name = " " },
			"events: choose":   func(t *Target) { t.Events = nil },
			"no kind":          func(t *Target) { t.Events = []string{"summary"} },
			"severity":         func(t *Target) { t.Severity = "x" },
			"homes":            func(t *Target) { t.Homes = make([]string, maxHomes+1) },
			"reading_every_s":  func(t *Target) { t.Every = -1 },
			"type":             func(t *Target) { t.Type = "pigeon" },
			"want https":       func(t *Target) { t.URL = "http://example.org/" },
			"want an address":  func(t *Target) { t.URL = "https:///x" },
			"do not belong":    func(t *Target) { t.URL = "https://a:b@example.org/" },
			"no public":        func(t *Target) { t.URL = "https://10.1.2.3/" },
			"public address":   func(t *Target) { t.URL = "https://[::ffff:127.0.0.1]/" },
			"bytes":            func(t *Target) { t.URL = "https://example.org/" + strings.Repeat("x", maxURL) },
			"to: want":         func(t *Target) { t.Type = TypeEmail },
			"is no e-mail":     func(t *Target) { t.Type, t.To = TypeEmail, []string{"a@b\r\nBcc: c@d"} },
			"no time zone":     func(t *Target) { t.Quiet = &Quiet{"Nowhere", "22:00", "07:00"} },
			"quiet.from":       func(t *Target) { t.Quiet = &Quiet{"UTC", "25:00", "07:00"} },
			"from and to":      func(t *Target) { t.Quiet = &Quiet{"UTC", "07:00", "07:00"} },
			"quiet.to: \"7 am": func(t *Target) { t.Quiet = &Quiet{"UTC", "22:00", "7 am"} },
		} {
			target := good
			change(&target)
			if err := r.check(&target); err == nil || hearth.ErrorOf(err).Code != hearth.CodeBadValue || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", want, err)
			}
		}
		r.o.Mail.Host = ""
		if err := r.check(&Target{Name: "x", Type: TypeEmail, To: []string{"a@example.org"}, Events: []string{KindAlert}}); err == nil || !strings.Contains(err.Error(), "mail.host") {
			t.Error(err)
		}
	})
}
