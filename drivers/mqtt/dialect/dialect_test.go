package dialect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
	"hearth/drivers/mqtt/dialect/dialecttest"
)

func TestPropertyName(t *testing.T) {
	for text, want := range map[string]string{
		"temperature":              "temperature",
		"PowerOnBehavior":          "power_on_behavior",
		"aenergy.total":            "aenergy_total",
		"ENERGY":                   "energy",
		"DS18B20":                  "ds18_b20",
		"eCO2":                     "e_co2",
		"XMLParser":                "xml_parser",
		"Living Room / Lamp":       "living_room_lamp",
		"2nd":                      "p_2nd",
		"__x__":                    "x",
		"time":                     "time_value",
		"Clock":                    "clock_value",
		"reachable":                "reachable_value",
		"Größe":                    "gr_e",
		"温度":                       "",
		"":                         "",
		"a,b=c d\n":                "a_b_c_d",
		"../../set":                "set",
		strings.Repeat("ab_", 100): strings.TrimRight(strings.Repeat("ab_", 22)[:64], "_"),
		"\xff\xfe":                 "",
	} {
		if got := dialect.PropertyName(text); got != want {
			t.Errorf("PropertyName(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzPropertyName(f *testing.F) {
	f.Add("Power On")
	f.Fuzz(func(t *testing.T, text string) {
		name := dialect.PropertyName(text)
		if name == "" {
			return
		}
		if err := (hearth.Property{Name: name, Kind: hearth.Number}).Check(); err != nil {
			t.Errorf("%q became %q: %v", text, name, err)
		}
		if again := dialect.PropertyName(name); again != name {
			t.Errorf("%q became %q and that %q", text, name, again)
		}
	})
}

func FuzzAddress(f *testing.F) {
	f.Add("0x00158d0001a2b3c4", "a b")
	f.Add("x@@20", " ")
	f.Add(strings.Repeat("a", 200), strings.Repeat("a", 201))
	f.Fuzz(func(t *testing.T, a, b string) {
		env := dialect.Env{Env: hearth.Env{Name: "broker"}}
		one, other := env.Address(a), env.Address(b)
		if err := env.ID(one).Check(); err != nil {
			t.Errorf("%q became %q: %v", a, one, err)
		}
		if (one == other) != (a == b) {
			t.Errorf("%q and %q became %q and %q", a, b, one, other)
		}
	})
}

func TestName(t *testing.T) {
	for text, want := range map[string]string{
		" Lamp\n in\tthe  hall\x00 ": "Lamp in the hall",
		"Küche":                      "Küche",
		"a\xff":                      "a\uFFFD",
		strings.Repeat("ü", 80):      strings.Repeat("ü", 50),
	} {
		if got := dialect.Name(text); got != want {
			t.Errorf("Name(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestTopics(t *testing.T) {
	tests := []struct {
		text          string
		topic, filter bool
	}{
		{"a/b", true, true},
		{"/a", true, true},
		{"a/", true, true},
		{"a/+/b", false, true},
		{"+/bridge/info", false, true},
		{"a/#", false, true},
		{"#", false, false},
		{"+", false, false},
		{"+/+", false, false},
		{"+/#", false, false},
		{"/", true, false},
		{"a/#/b", false, false},
		{"a#", false, false},
		{"a/b+", false, false},
		{"", false, false},
		{"$SYS/x", false, false},
		{"a\x00b", false, false},
		{"a\xff", false, false},
		{strings.Repeat("a", 1024), true, true},
		{strings.Repeat("a", 1025), false, false},
	}
	for _, tt := range tests {
		if err := dialect.CheckTopic(tt.text); (err == nil) != tt.topic {
			t.Errorf("topic %.40q: %v", tt.text, err)
		}
		if err := dialect.CheckFilter(tt.text); (err == nil) != tt.filter {
			t.Errorf("filter %.40q: %v", tt.text, err)
		}
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/b/c", false},
		{"a/b/c", "a/b", false},
		{"a/+", "a/b", true},
		{"a/+", "a/", true},
		{"a/+", "a", false},
		{"a/+/c", "a/b/c", true},
		{"a/#", "a", true},
		{"a/#", "a/b/c", true},
		{"a/#", "ab", false},
		{"#", "a/b", true},
		{"#", "$SYS/a", false},
		{"+/a", "$SYS/a", false},
		{"$SYS/#", "$SYS/a", true},
		{"+/b/#", "a/b", true},
		{"/a", "/a", true},
		{"+/a", "/a", true},
		{"a", "/a", false},
	}
	for _, tt := range tests {
		var tree dialect.Tree[bool]
		tree.Put(tt.filter, true)
		got := false
		for v := range tree.Match(tt.topic) {
			got = v
		}
		if got != tt.want || matches(tt.filter, tt.topic) != tt.want {
			t.Errorf("%q matches %q: %v", tt.filter, tt.topic, got)
		}
	}
}

func TestWaiter(t *testing.T) {
	const lamp, other = hearth.ID("t:lamp"), hearth.ID("t:other")
	broken := errors.New("no")
	tests := map[string]struct {
		wait  []string
		then  func(*dialect.Waiter)
		heard bool
		err   error
		after time.Duration
	}{
		"heard":              {[]string{"on"}, func(w *dialect.Waiter) { w.Heard(lamp, "brightness", "on") }, true, nil, 0},
		"something else":     {[]string{"on"}, func(w *dialect.Waiter) { w.Heard(lamp, "brightness") }, false, nil, time.Second},
		"nothing":            {[]string{"on"}, func(w *dialect.Waiter) { w.Heard(lamp) }, false, nil, time.Second},
		"another device":     {[]string{"on"}, func(w *dialect.Waiter) { w.Heard(other, "on") }, false, nil, time.Second},
		"anything":           {nil, func(w *dialect.Waiter) { w.Heard(lamp) }, true, nil, 0},
		"refused":            {[]string{"on"}, func(w *dialect.Waiter) { w.Refused(lamp, broken, "on") }, false, broken, 0},
		"refused all":        {[]string{"on"}, func(w *dialect.Waiter) { w.Refused(lamp, broken) }, false, broken, 0},
		"something refused":  {[]string{"on"}, func(w *dialect.Waiter) { w.Refused(lamp, broken, "tilt") }, false, nil, time.Second},
		"broker gone":        {[]string{"on"}, func(w *dialect.Waiter) { w.Fail(broken) }, false, broken, 0},
		"the first counts":   {[]string{"on"}, func(w *dialect.Waiter) { w.Heard(lamp, "on"); w.Fail(broken) }, true, nil, 0},
		"said many times":    {[]string{"on"}, func(w *dialect.Waiter) { w.Heard(lamp, "on"); w.Heard(lamp, "on") }, true, nil, 0},
		"silence has an end": {[]string{"on"}, func(*dialect.Waiter) {}, false, nil, time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w dialect.Waiter
				w.Heard(lamp, "on") // before it began: does not count
				wait := w.Begin(lamp, tt.wait...)
				go tt.then(&w)
				began := time.Now()
				heard, err := wait.For(t.Context(), time.Second)
				if heard != tt.heard || err != tt.err || time.Since(began) != tt.after {
					t.Errorf("%v, %v after %v", heard, err, time.Since(began))
				}
				wait.End()
				if n := w.Waiting(); n != 0 {
					t.Errorf("%d waits are left", n)
				}
			})
		})
	}
	t.Run("context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var w dialect.Waiter
			wait, second := w.Begin(lamp), w.Begin(lamp)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if heard, err := wait.For(ctx, 0); heard || !errors.Is(err, context.DeadlineExceeded) {
				t.Error(heard, err)
			}
			wait.End()
			w.Heard(lamp)
			if heard, err := second.For(t.Context(), 0); !heard || err != nil {
				t.Error(heard, err)
			}
			second.End()
		})
	})
}

func TestAsker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, bus := dialecttest.New(t, "test")
		a := dialect.NewAsker(env.Bus)
		a.Ask("a", nil) // not connected: nobody is asked
		ctx, cancel := context.WithCancel(t.Context())
		a.Connected(ctx)
		a.Ask("b", []byte("1"))
		a.Ask("c", nil)
		synctest.Wait()
		if got := bus.Take(); len(got) != 2 || got[0] != (dialecttest.Published{Topic: "b", Payload: "1"}) || got[1].Topic != "c" {
			t.Errorf("asked %v", got)
		}
		bus.Answer(func(dialecttest.Published) error { <-ctx.Done(); return ctx.Err() }) // a broker that hangs
		for range 5000 {
			a.Ask("d", nil)
		}
		synctest.Wait()
		if a.Dropped() == 0 || len(bus.Take()) != 1 {
			t.Errorf("%d dropped", a.Dropped())
		}
		cancel()
		a.Silence()
		if left := len(bus.Take()); left != 0 {
			t.Errorf("%d were asked after the end", left)
		}
	})
}

func TestReadJSON(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for text, good := range map[string]bool{
		`{"a":1}`: true, `1`: true, `"x"`: true, `"[[[\"[["`: true, deep(64): true,
		``: false, `{`: false, `{"a":1} x`: false, deep(65): false, "\"\xff\"": false,
		`"` + strings.Repeat("a", 1<<20) + `"`: false, strings.Repeat("[", 1<<19): false,
	} {
		var v any
		if err := dialect.ReadJSON([]byte(text), &v); (err == nil) != good {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	if dialect.IsObject([]byte(" \n[")) || !dialect.IsObject([]byte(" \n{}")) || dialect.IsObject(nil) {
		t.Error("what is an object?")
	}
}

func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":"\"]"}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var v any
		if dialect.ReadJSON(payload, &v) == nil && len(payload) == 0 {
			t.Error("nothing is no JSON")
		}
	})
}

func TestPlausible(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for offset, believed := range map[time.Duration]bool{
		0: true, -time.Hour: true, -23 * time.Hour: true, -25 * time.Hour: false, 30 * time.Second: true, time.Hour: false,
	} {
		env := dialect.Env{Env: hearth.Env{Now: func() (time.Time, bool) { return now, true }}}
		want := time.Time{}
		if believed {
			want = now.Add(offset)
		}
		if got := env.Plausible(now.Add(offset)); got != want {
			t.Errorf("%v: %v", offset, got)
		}
		env.Now = func() (time.Time, bool) { return now, false }
		if got := env.Plausible(now.Add(offset)); !got.IsZero() {
			t.Errorf("%v beside a clock that is not trusted: %v", offset, got)
		}
	}
}

func TestOnce(t *testing.T) {
	var out bytes.Buffer
	var once dialect.Once
	log := slog.New(slog.NewTextHandler(&out, nil))
	for range 3 {
		once.Warn(log, "a", "first")
		once.Warn(log, "b", "second")
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines:\n%s", n, &out)
	}
	for i := range 3000 {
		once.Warn(log, strings.Repeat("k", i), "many")
	}
	if n := strings.Count(out.String(), "\n"); n > 70 || strings.Count(out.String(), "more is wrong") != 1 {
		t.Errorf("a flood makes %d lines:\n%s", n, &out)
	}
}

// TestOnceLater: what a flood has drowned is said when it comes again, and in all there is an end.
func TestOnceLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		var once dialect.Once
		log := slog.New(slog.NewTextHandler(&out, nil))
		for i := range 500 {
			once.Warn(log, fmt.Sprint(i), "flood")
		}
		once.Warn(log, "mine", "my own")
		if strings.Contains(out.String(), "my own") {
			t.Error("a flood is not held back")
		}
		time.Sleep(time.Minute)
		once.Warn(log, "mine", "my own")
		if !strings.Contains(out.String(), "my own") {
			t.Error("it is never said")
		}
		for i := range 100_000 {
			once.Warn(log, fmt.Sprint("x", i), "flood")
			time.Sleep(100 * time.Millisecond)
		}
		if n := strings.Count(out.String(), "\n"); n > 1200 {
			t.Errorf("%d lines", n)
		}
	})
}
