package mapped

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
	"hearth/drivers/mqtt/dialect/dialecttest"
)

const pump = hearth.ID("m:pump")

func described(t testing.TB, properties ...Property) (*Dialect, *dialecttest.Bus) {
	t.Helper()
	dev := Device{ID: "pump", Type: "other", Time: "/at", Properties: properties, Availability: Availability{Topic: "lwt"}}
	if err := dev.Check(); err != nil {
		t.Fatal(err)
	}
	env, bus := dialecttest.New(t, "m")
	d := New(env, []Device{dev})
	d.Connected(t.Context())
	t.Cleanup(d.Silence)
	return d, bus
}

func TestReadAndWrite(t *testing.T) {
	yes, num, text := hearth.BoolOf(true), hearth.NumberOf, hearth.TextOf
	tests := map[string]struct {
		p       Property
		payload string
		value   hearth.Value // zero: nothing is reported
		sent    string
	}{
		"plain number":    {Property{Property: "power"}, "12.5", num(12.5), "12.5"},
		"spaces":          {Property{Property: "power"}, " 12.5\n", num(12.5), "12.5"},
		"number in text":  {Property{Property: "power"}, `"12.5"`, num(12.5), "12.5"},
		"no number":       {Property{Property: "power"}, "off", hearth.Value{}, ""},
		"NaN":             {Property{Property: "power"}, "NaN", hearth.Value{}, ""},
		"too much":        {Property{Property: "power"}, "1e9", hearth.Value{}, ""},
		"pointer":         {Property{Property: "power", Pointer: "/a/1/b~1c"}, `{"a":[0,{"b/c":7}]}`, num(7), "7"},
		"nothing there":   {Property{Property: "power", Pointer: "/a"}, `{"b":7}`, hearth.Value{}, ""},
		"no JSON":         {Property{Property: "power", Pointer: "/a"}, `a=7`, hearth.Value{}, ""},
		"an object":       {Property{Property: "power", Pointer: "/a"}, `{"a":{}}`, hearth.Value{}, ""},
		"unit":            {Property{Property: "temperature", Unit: "°F"}, "68", num(20), "68"},
		"kelvin":          {Property{Property: "temperature", Unit: "K"}, "293.15", num(20), "293.15"},
		"mired":           {Property{Property: "color_temperature", Unit: "mired"}, "250", num(4000), "250"},
		"Wh":              {Property{Property: "energy", Unit: "Wh", Scale: 10}, "150", num(1.5), "150"},
		"scale":           {Property{Property: "power", Scale: 0.1, Offset: 5}, "100", num(15), "100"},
		"bool":            {Property{Property: "on"}, "ON", yes, "true"},
		"bool of JSON":    {Property{Property: "on", Pointer: "/s"}, `{"s":1}`, yes, "true"},
		"no bool":         {Property{Property: "on"}, "perhaps", hearth.Value{}, ""},
		"words":           {Property{Property: "on", Map: map[string]any{"GO": true, "HALT": false}, Template: `{"r":{json}}`}, "GO", yes, `{"r":"GO"}`},
		"another word":    {Property{Property: "on", Map: map[string]any{"GO": true, "HALT": false}}, "ON", hearth.Value{}, ""},
		"word for number": {Property{Property: "level", Map: map[string]any{"full": 9.0}}, "full", num(9), "full"},
		"text":            {Property{Property: "mode", Kind: hearth.Text, Template: "m={value}&j={json}"}, `say "x"`, text(`say "x"`), `m=say "x"&j="say \"x\""`},
		"option":          {Property{Property: "mode", Kind: hearth.Text, Options: []string{"a"}}, "b", hearth.Value{}, ""},
		"empty":           {Property{Property: "mode", Kind: hearth.Text}, "", hearth.Value{}, ""},
		"no text":         {Property{Property: "mode", Kind: hearth.Text}, "\xff", hearth.Value{}, ""},
		"endless":         {Property{Property: "mode", Kind: hearth.Text}, strings.Repeat("x", 2<<20), hearth.Value{}, ""},
		"deep":            {Property{Property: "power", Pointer: "/a"}, strings.Repeat("[", 1<<19), hearth.Value{}, ""},
		"injection":       {Property{Property: "mode", Kind: hearth.Text, Template: `{"m":{json}}`}, `{json}","x":"`, text(`{json}","x":"`), `{"m":"{json}\",\"x\":\""}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.p.Topic, tt.p.Command = "state", "set"
			d, bus := described(t, tt.p)
			bus.Say(d, "state", tt.payload)
			if got := bus.Value(pump, tt.p.Property); got != tt.value {
				t.Fatalf("%s, want %s", got, tt.value)
			}
			if tt.value.IsZero() {
				return
			}
			bus.Answer(func(dialecttest.Published) error { bus.Say(d, "state", tt.payload); return nil })
			if err := d.Do(t.Context(), hearth.Command{Device: pump, Set: map[string]hearth.Value{tt.p.Property: tt.value}}); err != nil {
				t.Fatal(err)
			}
			if got := bus.Take(); len(got) != 1 || got[0] != (dialecttest.Published{Topic: "set", Payload: tt.sent}) {
				t.Errorf("sent %+v, want %s", got, tt.sent)
			}
		})
	}
}

func TestReachTimeAndPresses(t *testing.T) {
	d, bus := described(t, Property{Property: "power", Topic: "state", Pointer: "/p"}, Property{Property: "button", Topic: "press"})
	bus.Keep(d, "lwt", "offline")
	if bus.Value(pump, "reachable") != hearth.BoolOf(false) {
		t.Error("offline is not told")
	}
	bus.Say(d, "lwt", "online")
	if bus.Value(pump, "reachable") != hearth.BoolOf(true) {
		t.Error("online is not told")
	}
	bus.Keep(d, "press", "single")
	if n := bus.Count(pump, "button"); n != 0 {
		t.Error("a press that was kept counts")
	}
	bus.Say(d, "press", "double")
	if bus.Value(pump, "button") != hearth.TextOf("double") {
		t.Error("a press does not count")
	}
	bus.Say(d, "state", `{"p":7}`)
	known := bus.Count(pump, "power")
	bus.Keep(d, "state", `{"p":7}`)
	if bus.Count(pump, "power") != known {
		t.Error("what the broker says again is news")
	}
	hour := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	for at, want := range map[string]time.Time{
		`"` + hour.Format(time.RFC3339Nano) + `"`: hour, hearth.NumberOf(float64(hour.UnixMilli())).String(): hour, `"never"`: {}, `1`: {}, `-5`: {}, `{}`: {},
	} {
		bus.Say(d, "state", `{"p":1,"at":`+at+`}`)
		if last, _ := bus.Last(pump, "power"); !last.Time.Equal(want) {
			t.Errorf("%s: %v", at, last.Time)
		}
	}
}

func TestDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, bus := described(t, Property{Property: "on", Topic: "state", Command: "set"}, Property{Property: "identify", Command: "find"}, Property{Property: "power", Topic: "state", Pointer: "/p"})
		do := func(name string, v hearth.Value) string {
			err := d.Do(t.Context(), hearth.Command{Device: pump, Set: map[string]hearth.Value{name: v}})
			if err == nil {
				return ""
			}
			return hearth.ErrorOf(err).Code
		}
		for name, want := range map[string]string{"identify": "", "on": hearth.CodeUnknownOutcome, "power": hearth.CodeReadOnly, "tilt": hearth.CodeNoDevice} {
			if got := do(name, hearth.BoolOf(true)); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if err := d.Do(t.Context(), hearth.Command{Device: "m:other"}); hearth.ErrorOf(err).Code != hearth.CodeNoDevice {
			t.Error(err)
		}
		bus.Answer(func(dialecttest.Published) error { go d.Silence(); return nil })
		if got := do("on", hearth.BoolOf(true)); got != hearth.CodeUnknownOutcome {
			t.Errorf("when the broker goes: %q", got)
		}
		synctest.Wait()
		if got := do("on", hearth.BoolOf(true)); got != hearth.CodeOffline {
			t.Errorf("without a broker: %q", got)
		}
	})
}

func FuzzHandle(f *testing.F) {
	f.Add("/p", []byte(`{"p":1,"at":5}`))
	f.Add("", []byte(`12`))
	f.Add("/0/a~1b", []byte(`[{"a/b":"x"}]`))
	f.Fuzz(func(t *testing.T, pointer string, payload []byte) {
		if !isPointer(pointer) {
			return
		}
		env, bus := dialecttest.New(t, "m")
		dev := Device{ID: "pump", Time: pointer, Availability: Availability{Topic: "state", Pointer: pointer}, Properties: []Property{
			{Property: "power", Topic: "state", Pointer: pointer, Command: "set"}, {Property: "on", Topic: "state", Pointer: pointer}, {Property: "mode", Kind: hearth.Text, Topic: "state", Pointer: pointer},
		}}
		if err := dev.Check(); err != nil {
			t.Skip()
		}
		d := New(env, []Device{dev})
		d.Connected(context.Background())
		d.Handle(dialect.Message{Topic: "state", Payload: payload, Time: time.Now()})
		d.Silence()
		if v := bus.Value("m:pump", "power"); !v.IsZero() {
			p := dev.Properties[0]
			out, err := p.write(v)
			if err != nil || p.read(string(out)).IsZero() {
				t.Errorf("%s was written as %q: %v", v, out, err)
			}
		}
	})
}
