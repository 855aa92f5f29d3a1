package shelly

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"hearth"
	"hearth/drivers/mqtt/dialect/dialecttest"
)

func TestCommands(t *testing.T) {
	on, off := hearth.BoolOf(true), hearth.BoolOf(false)
	tests := map[string]struct {
		status, config string
		set            map[string]hearth.Value
		want           []string
	}{
		"switch":         {`{"switch:0":{"output":false}}`, `{}`, values("on", on), []string{`Switch.Set {"id":0,"on":true}`}},
		"two switches":   {`{"switch:0":{"output":false},"switch:1":{"output":false}}`, `{}`, values("on", off, "on_2", on), []string{`Switch.Set {"id":0,"on":false}`, `Switch.Set {"id":1,"on":true}`}},
		"light":          {`{"light:0":{"output":false,"brightness":3}}`, `{}`, values("on", on, "brightness", n(40.4), "transition", n(2)), []string{`Light.Set {"brightness":40,"id":0,"on":true,"transition_duration":2}`}},
		"light, at once": {`{"light:0":{"output":false,"brightness":3}}`, `{}`, values("brightness", n(40), "transition", n(0)), []string{`Light.Set {"brightness":40,"id":0,"transition_duration":0.5}`}},
		"colour":         {`{"rgb:0":{"output":true,"brightness":3,"rgb":[1,2,3]}}`, `{}`, values("color_hue", n(120), "color_saturation", n(100)), []string{`RGB.Set {"id":0,"rgb":[0,255,0]}`}},
		"hue alone":      {`{"rgbw:0":{"output":true,"brightness":3,"rgb":[255,128,128],"white":0}}`, `{}`, values("color_hue", n(240), "white", n(9)), []string{`RGBW.Set {"id":0,"rgb":[128,128,255],"white":9}`}},
		"white":          {`{"cct:0":{"output":true,"brightness":3,"ct":3000}}`, `{}`, values("color_temperature", n(4000)), []string{`CCT.Set {"ct":4000,"id":0}`}},
		"mode":           {`{"rgbcct:0":{"output":true,"brightness":3,"ct":3000,"rgb":[1,1,1],"mode":"rgb"}}`, `{}`, values("color_temperature", n(4000)), []string{`RGBCCT.Set {"ct":4000,"id":0,"mode":"cct"}`}},
		"open":           {`{"cover:0":{"state":"closed","pos_control":false}}`, `{}`, values("movement", hearth.TextOf("open")), []string{`Cover.Open {"id":0}`}},
		"close":          {`{"cover:0":{"state":"closed"}}`, `{}`, values("movement", hearth.TextOf("close")), []string{`Cover.Close {"id":0}`}},
		"stop":           {`{"cover:0":{"state":"closed"}}`, `{}`, values("movement", hearth.TextOf("stop")), []string{`Cover.Stop {"id":0}`}},
		"position":       {`{"cover:0":{"state":"closed","pos_control":true,"current_pos":0,"slat_pos":0}}`, `{}`, values("position", n(30), "tilt", n(50)), []string{`Cover.GoToPosition {"id":0,"pos":30,"slat_pos":50}`}},
		"thermostat":     {`{"thermostat:0":{"target_C":20,"enable":false}}`, `{}`, values("target_temperature", n(21.5), "hvac_mode", hearth.TextOf("heat")), []string{`Thermostat.SetConfig {"config":{"enable":true,"id":0,"target_C":21.5},"id":0}`}},
		"TRV":            {`{"blutrv:200":{"target_C":20}}`, `{}`, values("target_temperature_200", n(18)), []string{`BluTrv.Call {"id":200,"method":"TRV.SetTarget","params":{"id":0,"target_C":18}}`}},
		"number":         {`{"number:200":{"value":2}}`, `{}`, values("value_number_200", n(3.5)), []string{`Number.Set {"id":200,"value":3.5}`}},
		"text":           {`{"text:201":{"value":"x"}}`, `{}`, values("value_text_201", hearth.TextOf(`"y"`)), []string{`Text.Set {"id":201,"value":"\"y\""}`}},
		"button":         {`{"button:200":{}}`, `{}`, values("press_200", on), []string{`Button.Trigger {"event":"single_push","id":200}`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := minimal(tt.status, tt.config)
				d, _ := online(t, f, "x")
				f.said()
				if err := d.Do(t.Context(), hearth.Command{Device: x, Set: tt.set}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if got := f.said(); !slices.Equal(got, tt.want) {
					t.Errorf("called %v, want %v", got, tt.want)
				}
				if len(d.calls) != 0 {
					t.Errorf("%d calls are left", len(d.calls))
				}
			})
		})
	}
}

// TestAsItWas has a switch told what it is already: it says nothing by itself, and so is asked.
func TestAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := onePM()
		f.results = map[string]func(string) string{"Switch.GetStatus": func(string) string { return `"result":{"id":0,"output":true}` }}
		d, bus := online(t, f, prefix)
		before := len(bus.Readings())
		if err := d.Do(t.Context(), hearth.Command{Device: plus1pm, Set: values("on", hearth.BoolOf(true))}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := bus.Readings()[before:]; len(got) != 1 || got[0].Property != "on" || !got[0].Value.Bool() {
			t.Errorf("then it says %v", got)
		}
	})
}

func TestErrors(t *testing.T) {
	on := values("on", hearth.BoolOf(true))
	tests := map[string]struct {
		id      hearth.ID
		set     map[string]hearth.Value
		refusal string
		prepare func(*firmware)
		code    string
	}{
		"invalid argument":    {plus1pm, on, `{"code":-103,"message":"Invalid argument 'on'!"}`, nil, hearth.CodeBadValue},
		"deadline":            {plus1pm, on, `{"code":-104,"message":"timed out"}`, nil, hearth.CodeFailed},
		"not found":           {plus1pm, on, `{"code":-105,"message":"Argument 'id', value 0 not found!"}`, nil, hearth.CodeNoDevice},
		"exhausted":           {plus1pm, on, `{"code":-108,"message":"x"}`, nil, hearth.CodeBusy},
		"failed precondition": {plus1pm, on, `{"code":-109,"message":"Overpower"}`, nil, hearth.CodeFailed},
		"unavailable":         {plus1pm, on, `{"code":-114,"message":"x"}`, nil, hearth.CodeOffline},
		"no handler":          {plus1pm, on, `{"code":404,"message":"No handler for Switch.Set"}`, nil, hearth.CodeNoDevice},
		"password":            {plus1pm, on, `{"code":401,"message":"{\"auth_type\": \"digest\"}"}`, nil, hearth.CodeFailed},
		"anything else":       {plus1pm, on, `{"code":7,"message":"x"}`, nil, hearth.CodeFailed},
		"another's":           {"test:other", on, "", nil, hearth.CodeNoDevice},
		"no property":         {plus1pm, values("tilt", n(1)), "", nil, hearth.CodeNoDevice},
		"read only":           {plus1pm, values("power", n(1)), "", nil, hearth.CodeReadOnly},
		"silence":             {plus1pm, on, "", func(f *firmware) { f.bus.Answer(nil) }, hearth.CodeUnknownOutcome},
		"offline":             {plus1pm, on, "", func(f *firmware) { f.bus.Keep(f.d, prefix+"/online", "false") }, hearth.CodeOffline},
		"no broker":           {plus1pm, on, "", func(f *firmware) { f.d.Silence() }, hearth.CodeOffline},
		"broker goes":         {plus1pm, on, "", func(f *firmware) { f.bus.Answer(func(dialecttest.Published) error { f.d.Silence(); return nil }) }, hearth.CodeUnknownOutcome},
		"another answers": {plus1pm, on, "", func(f *firmware) {
			f.bus.Answer(func(dialecttest.Published) error {
				f.bus.Say(f.d, f.d.src+"/rpc", fmt.Sprintf(`{"id":%d,"src":"shelly-evil","result":{}}`, f.d.last))
				return nil
			})
		}, hearth.CodeUnknownOutcome},
		"an old answer": {plus1pm, on, "", func(f *firmware) {
			f.bus.Answer(func(dialecttest.Published) error {
				f.bus.Keep(f.d, f.d.src+"/rpc", fmt.Sprintf(`{"id":%d,"src":%q,"result":{}}`, f.d.last, prefix))
				return nil
			})
		}, hearth.CodeUnknownOutcome},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := onePM()
				d, _ := online(t, f, prefix)
				f.refuse = map[string]string{"Switch.Set": tt.refusal}
				if tt.prepare != nil {
					tt.prepare(f)
				}
				err := d.Do(t.Context(), hearth.Command{Device: tt.id, Set: tt.set})
				if !errors.Is(err, &hearth.Error{Code: tt.code}) {
					t.Errorf("it answered %v, want %s", err, tt.code)
				}
				if len(d.calls) != 0 {
					t.Errorf("%d calls are left", len(d.calls))
				}
			})
		})
	}
}

// TestBusy has a device that answers no command get no more than it can have outstanding.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := onePM()
		d, bus := online(t, f, prefix)
		bus.Answer(nil)
		codes := make(chan string, 20)
		for range 20 {
			go func() {
				err := d.Do(t.Context(), hearth.Command{Device: plus1pm, Set: values("on", hearth.BoolOf(true))})
				codes <- hearth.ErrorOf(err).Code
			}()
		}
		count := map[string]int{}
		for range 20 {
			count[<-codes]++
		}
		if want := map[string]int{hearth.CodeBusy: 12, hearth.CodeUnknownOutcome: 8}; !maps.Equal(count, want) {
			t.Errorf("answered %v, want %v", count, want)
		}
	})
}

func TestPasswordIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, bus := dialecttest.New(t, "test")
		var log strings.Builder
		env.Log = slog.New(slog.NewTextHandler(&log, nil))
		d := New(env)
		ctx, cancel := context.WithCancel(t.Context())
		d.Connected(ctx)
		f := onePM()
		f.refuse = map[string]string{}
		for _, method := range []string{"Shelly.GetConfig", "Shelly.GetStatus", "Shelly.GetComponents"} {
			f.refuse[method] = `{"code":401,"message":"x"}`
		}
		f.plug(d, bus, prefix)
		bus.Keep(d, prefix+"/online", "true")
		synctest.Wait()
		if lines := strings.Count(log.String(), "password"); lines != 1 || len(bus.Devices()) != 0 {
			t.Errorf("the log has %d lines of it:\n%s", lines, &log)
		}
		cancel()
		d.Silence()
	})
}
