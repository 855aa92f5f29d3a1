package tasmota

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"hearth/drivers/mqtt/dialect/dialecttest"
)

const mac = "DC4F22ABCDEF"

// base is what firmware 14 announces of a device with one relay; others are made of it by change.
const base = `{"ip":"192.168.1.40","dn":"Kettle","fn":["Kettle",null,null,null,null,null,null,null],"hn":"tasmota-ABCDEF-3567","mac":"DC4F22ABCDEF",
	"md":"Nous A1T Plug","ty":0,"if":0,"cam":0,"ofln":"Offline","onln":"Online","state":["OFF","ON","TOGGLE","HOLD"],"sw":"14.2.0","t":"kettle",
	"ft":"%prefix%/%topic%/","tp":["cmnd","stat","tele"],"rl":[1,0,0,0],"swc":[-1,-1,-1,-1],"swn":[null,null,null,null],"btn":[0,0,0,0],
	"so":{"4":0,"11":0,"13":0,"17":0,"20":0,"30":0,"68":0,"73":0,"82":0,"114":0,"117":0},"lk":0,"lt_st":0,"bat":0,"dslp":0,"sho":[],"sht":[],"ver":1}`

// change returns base with some members replaced; numbers under so. are SetOptions.
func change(changes map[string]any) string {
	var c map[string]any
	if err := json.Unmarshal([]byte(base), &c); err != nil {
		panic(err)
	}
	for key, value := range changes {
		if option, ok := strings.CutPrefix(key, "so."); ok {
			c["so"].(map[string]any)[option] = value
		} else {
			c[key] = value
		}
	}
	data, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(data)
}

const noSensors = `{"sn":{"Time":"2026-11-23T10:00:00"},"ver":1}`

func started(t testing.TB) (*Dialect, *dialecttest.Bus) { return dialecttest.Start(t, "test", New) }

// with is a dialect that knows one device.
func with(t testing.TB, cfg, sensors string) (*Dialect, *dialecttest.Bus) {
	d, bus := started(t)
	bus.Keep(d, "tasmota/discovery/"+mac+"/config", cfg)
	bus.Keep(d, "tasmota/discovery/"+mac+"/sensors", sensors)
	bus.Keep(d, "tele/kettle/LWT", "Online")
	return d, bus
}

// A firmware answers commands as a Tasmota does: each with a RESULT, also those of a Backlog.
type firmware struct {
	d   *Dialect
	bus *dialecttest.Bus

	mu    sync.Mutex
	state map[string]any
	did   []string
}

func plug(d *Dialect, bus *dialecttest.Bus, state map[string]any) *firmware {
	f := &firmware{d: d, bus: bus, state: state}
	bus.Answer(f.take)
	return f
}

func (f *firmware) take(p dialecttest.Published) error {
	name, ok := strings.CutPrefix(p.Topic, "cmnd/kettle/")
	if !ok {
		return fmt.Errorf("nobody listens to %s", p.Topic)
	}
	if name != "Backlog" {
		f.command(name, p.Payload)
		return nil
	}
	for _, one := range strings.Split(p.Payload, ";") {
		name, argument, _ := strings.Cut(one, " ")
		f.command(name, argument)
	}
	return nil
}

func (f *firmware) command(name, argument string) {
	f.mu.Lock()
	f.did = append(f.did, strings.TrimSpace(name+" "+argument))
	result := f.result(name, argument)
	f.mu.Unlock()
	data, err := json.Marshal(result)
	if err != nil {
		panic(err)
	}
	f.bus.Say(f.d, "stat/kettle/RESULT", string(data))
}

// result changes the state and returns what is said of it.
func (f *firmware) result(name, argument string) map[string]any {
	n, err := strconv.ParseFloat(argument, 64)
	light := func() map[string]any {
		return map[string]any{"POWER": "ON", "Dimmer": f.state["Dimmer"], "HSBColor": f.state["HSBColor"], "CT": f.state["CT"]}
	}
	hsb := strings.Split(fmt.Sprint(f.state["HSBColor"]), ",")
	switch {
	case strings.HasPrefix(name, "POWER"):
		return map[string]any{name: argument}
	case name == "Fade2" || name == "Speed2":
		return map[string]any{strings.TrimSuffix(name, "2"): argument}
	case name == "HSBColor":
		f.state["HSBColor"] = argument
		f.state["Dimmer"], _ = strconv.ParseFloat(strings.Split(argument, ",")[2], 64)
		return light()
	case name == "HSBColor1" || name == "HSBColor2":
		hsb[name[8]-'1'] = argument
		f.state["HSBColor"] = strings.Join(hsb, ",")
		return light()
	case name == "Dimmer" || name == "CT":
		if err != nil || name == "CT" && (n < 153 || n > 500) {
			return map[string]any{"Command": "Error"}
		}
		f.state[name] = n
		return light()
	case strings.HasPrefix(name, "Dimmer"), strings.HasPrefix(name, "Channel"), name == "FanSpeed":
		return map[string]any{name: n}
	case strings.HasPrefix(name, "Shutter"):
		return map[string]any{name: argument}
	}
	return map[string]any{"Command": "Unknown"}
}
