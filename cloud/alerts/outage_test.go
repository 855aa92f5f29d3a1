package alerts

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth"
)

// away has the gateways of homes go: nobody knows for the rest of five minutes, then they are dark.
func (r *rig) away(from, to int) {
	r.mu.Lock()
	for _, h := range r.homes[from:to] {
		r.unknown[h.ID] = true
	}
	r.mu.Unlock()
}

func (r *rig) dark(from, to int) {
	for _, h := range r.homes[from:to] {
		r.mu.Lock()
		delete(r.unknown, h.ID)
		r.mu.Unlock()
		r.set(h.ID, dark())
	}
}

func (r *rig) back(from, to int) {
	for _, h := range r.homes[from:to] {
		r.mu.Lock()
		delete(r.unknown, h.ID)
		r.mu.Unlock()
		r.set(h.ID)
	}
}

func TestOneGatewayIsHeldBack(t *testing.T) {
	inBubble(t, 20, func(r *rig) {
		home := r.homes[3].ID
		r.set(home, silent("a:1"))
		r.pass(2 * time.Second)
		r.want("raised device_silent a:1")
		r.away(3, 4)
		r.pass(3 * time.Minute)
		r.dark(3, 4)
		r.pass(50 * time.Second)
		r.want("")
		r.opens(home, "device_silent a:1")
		r.pass(15 * time.Second)
		r.want("raised gateway_dark")
		r.opens(home, "gateway_dark") // which hides the rest
		r.pass(time.Hour)
		r.want("")
		r.set(home, silent("a:1"))
		r.pass(2 * time.Second)
		r.opens(home, "device_silent a:1")
		r.pass(2 * time.Minute)
		r.want("cleared gateway_dark") // and not a word of the device
	})
}

func TestAGatewayThatComesBackInTimeIsNoAlert(t *testing.T) {
	inBubble(t, 20, func(r *rig) {
		r.dark(0, 1)
		r.pass(40 * time.Second)
		r.back(0, 1)
		r.pass(time.Hour)
		r.want("")
	})
}

// That others have gone, too, is known before they are dark.
func TestTheFirstOfManyIsNotToldAlone(t *testing.T) {
	inBubble(t, 20, func(r *rig) {
		r.away(0, 8)
		r.pass(30 * time.Second)
		for i := range 8 {
			r.dark(i, i+1)
			r.pass(70 * time.Second)
		}
		r.pass(15 * time.Minute)
		if told := r.heard(); !strings.HasPrefix(told, "raised outage ") || strings.Contains(told, "gateway_dark") || !strings.HasSuffix(told, "updated outage 8 of 8") {
			t.Errorf("people were told %q", told)
		}
	})
}

func TestFewAreNoOutage(t *testing.T) {
	inBubble(t, 20, func(r *rig) {
		r.dark(0, 4)
		r.pass(2 * time.Minute)
		r.want("raised gateway_dark, raised gateway_dark, raised gateway_dark, raised gateway_dark")
	})
}

func TestManyOverADayAreNoOutage(t *testing.T) {
	inBubble(t, 20, func(r *rig) {
		for i := range 8 {
			r.dark(i, i+1)
			r.pass(time.Hour)
			r.want("raised gateway_dark")
		}
	})
}

func TestAnOutageIsOneAlert(t *testing.T) {
	const homes, region = 1000, 500
	inBubble(t, homes, func(r *rig) {
		r.away(0, region)
		r.pass(4 * time.Minute)
		for i := 0; i < region; i += 50 { // their sessions end over some minutes
			r.dark(i, i+50)
			r.pass(10 * time.Second)
		}
		r.pass(20 * time.Minute)
		told := r.heard()
		if !strings.HasPrefix(told, "raised outage ") || strings.Contains(told, "gateway_dark") || strings.Count(told, "outage") > 3 || !strings.HasSuffix(told, "updated outage 500 of 500") {
			t.Errorf("people were told %q", told)
		}
		r.opens(r.homes[7].ID, "outage")
		if view := r.Open(r.homes[7].ID)[0]; view.Home != r.homes[7].ID || view.Homes != nil {
			t.Errorf("a home learns of others: %+v", view)
		}
		if len(r.emitted) == 0 || !strings.Contains(r.emitted[0], " alert raised") {
			t.Errorf("%q", r.emitted)
		}
		r.dark(region+10, region+11) // one more, long after, for a reason of its own
		r.pass(2 * time.Minute)
		r.want("raised gateway_dark")

		r.back(0, 200)
		r.pass(20 * time.Second)
		r.restart(t)
		r.pass(20 * time.Minute)
		r.want("")
		if got := r.outageWords(t); !strings.Contains(got, "500 homes") || !strings.Contains(got, "200 of 500 are back") {
			t.Error(got)
		}
		r.back(200, region-2)
		r.pass(2 * time.Minute)
		told = r.heard()
		if !strings.HasPrefix(told, "cleared outage 2 of 500") || strings.Count(told, "gateway_dark") != 2 {
			t.Errorf("people were told %q", told)
		}
		if e := r.events[len(r.events)-3]; !strings.Contains(e.Detail, "498 of 500 are back") {
			t.Errorf("%+v", e)
		}
		r.opens(r.homes[region-1].ID, "gateway_dark")
		r.back(region-2, region)
		r.pass(2 * time.Minute)
		r.want("cleared gateway_dark, cleared gateway_dark")
	})
}

func (r *rig) outageWords(t *testing.T) string {
	for _, n := range r.opened(wish{token: hearth.Token{Scope: hearth.ScopeRead}, limit: 10, visible: map[string]string{}}) {
		if n.Kind == hearth.AlertOutage {
			return n.Detail
		}
	}
	t.Error("there is no outage")
	return ""
}

// restart is one during which nobody knows how the dark homes are, for as long as they need to come back.
func (r *rig) restart(t *testing.T) {
	t.Helper()
	r.stop()
	r.mu.Lock()
	var gone []string
	for home, conditions := range r.wrong {
		if isDark(conditions) {
			gone, r.unknown[home] = append(gone, home), true
		}
	}
	r.mu.Unlock()
	r.start()
	r.pass(5 * time.Minute)
	r.mu.Lock()
	for _, home := range gone {
		delete(r.unknown, home)
	}
	r.mu.Unlock()
	r.pass(20 * time.Second)
	r.want("")
}

// An outage from which a part never recovers is over after a day; who is still away has a cause of their own.
func TestAnOutageWithALongTail(t *testing.T) {
	inBubble(t, 400, func(r *rig) {
		r.dark(0, 300)
		r.pass(20 * time.Minute)
		r.want("raised outage 300 of 300")
		r.back(0, 290)
		r.pass(2 * time.Minute)
		r.want("updated outage 10 of 300")
		r.pass(25 * time.Hour)
		if told := r.heard(); !strings.HasPrefix(told, "cleared outage 10 of 300") || strings.Count(told, "raised gateway_dark") != 10 {
			t.Errorf("people were told %q", told)
		}
	})
}

// A home that was deleted is no longer away.
func TestADeletedHomeLeavesItsOutage(t *testing.T) {
	inBubble(t, 12, func(r *rig) {
		r.dark(0, 6)
		r.pass(time.Minute)
		r.want("raised outage 6 of 6")
		r.back(0, 5)
		_, err := r.db.Exec(`DELETE FROM homes WHERE id = $1`, r.homes[5].ID)
		must(r.t, err)
		r.pass(2 * time.Minute)
		r.want("cleared outage 0 of 5")
	})
}

func TestEnough(t *testing.T) {
	for _, c := range []struct{ homes, want int }{{1, 5}, {100, 5}, {101, 6}, {10_000, 500}} {
		if got := (&tenant{homes: c.homes}).enough(); got != c.want {
			t.Errorf("of %d homes %d are an outage, want %d", c.homes, got, c.want)
		}
	}
}

func TestSettles(t *testing.T) {
	var all []string
	for _, times := range []int{0, 1, 2, 3, 6, 7, 1000} {
		all = append(all, settles(times).String())
	}
	if got, want := fmt.Sprint(all), "[1m0s 1m0s 2m0s 4m0s 32m0s 32m0s 32m0s]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
