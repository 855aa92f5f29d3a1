package shelly

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hearth"
	"hearth/drivers/mqtt/dialect/dialecttest"
)

// A firmware is a Shelly that answers calls: its parts as Shelly.GetDeviceInfo, GetConfig, GetStatus and GetComponents
// tell them.
type firmware struct {
	info, config, status, components string

	d      *Dialect
	bus    *dialecttest.Bus
	prefix string

	mu      sync.Mutex
	calls   []string                       // method and parameters, as they came
	refuse  map[string]string              // errors by method
	results map[string]func(string) string // by method, of the parameters
}

func started(t testing.TB) (*Dialect, *dialecttest.Bus) { return dialecttest.Start(t, "test", New) }

// id is what the firmware calls itself.
func (f *firmware) id() string {
	var told info
	if err := json.Unmarshal([]byte(f.info), &told); err != nil {
		panic(err)
	}
	return told.ID
}

// plug connects the firmware to the bus, at a prefix.
func (f *firmware) plug(d *Dialect, bus *dialecttest.Bus, prefix string) *firmware {
	f.d, f.bus, f.prefix = d, bus, prefix
	bus.Answer(f.take)
	return f
}

func (f *firmware) take(p dialecttest.Published) error {
	if p.Topic != f.prefix+"/rpc" {
		return nil
	}
	var request struct {
		ID     json.RawMessage `json:"id"`
		Source string          `json:"src"`
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal([]byte(p.Payload), &request); err != nil {
		return err
	}
	f.mu.Lock()
	f.calls = append(f.calls, strings.TrimSpace(request.Method+" "+string(request.Params)))
	answer := f.answer(request.Method, string(request.Params))
	f.mu.Unlock()
	if answer != "" {
		f.bus.Say(f.d, request.Source+"/rpc", fmt.Sprintf(`{"id":%s,"src":%q,"dst":%q,%s}`, request.ID, f.id(), request.Source, answer))
	}
	return nil
}

func (f *firmware) answer(method, params string) string {
	if refusal := f.refuse[method]; refusal != "" {
		return `"error":` + refusal
	}
	if result := f.results[method]; result != nil {
		return result(params)
	}
	whole := map[string]string{"Shelly.GetDeviceInfo": f.info, "Shelly.GetConfig": f.config, "Shelly.GetStatus": f.status, "Shelly.GetComponents": f.components}
	switch {
	case whole[method] != "":
		return `"result":` + whole[method]
	case strings.HasPrefix(method, "Shelly."):
		return `"error":{"code":404,"message":"No handler for ` + method + `"}`
	case strings.HasSuffix(method, ".GetStatus"):
		return `"result":{"id":0}`
	}
	return `"result":{"was_on":false}`
}

// said returns the calls since it was asked last, without those of the interview.
func (f *firmware) said() (list []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if !strings.HasPrefix(c, "Shelly.") && !strings.Contains(c, ".GetStatus") {
			list = append(list, c)
		}
	}
	f.calls = nil
	return list
}

const plus1pm = hearth.ID("test:shellyplus1pm-a8032ab12345")

// onePM is a Shelly Plus 1PM.
func onePM() *firmware {
	return &firmware{
		info: `{"name":"Boiler","id":"shellyplus1pm-a8032ab12345","mac":"A8032AB12345","slot":0,"model":"SNSW-001P16EU","gen":2,"fw_id":"20231219-133934/1.1.0-g34b5d4f","ver":"1.1.0","app":"Plus1PM","auth_en":false,"auth_domain":null}`,
		config: `{"ble":{"enable":false},"cloud":{"enable":true},"input:0":{"id":0,"name":null,"type":"switch","invert":false,"factory_reset":true},
			"mqtt":{"enable":true,"topic_prefix":"shellyplus1pm-a8032ab12345","rpc_ntf":true,"status_ntf":false},
			"switch:0":{"id":0,"name":null,"in_mode":"follow","initial_state":"match_input","power_limit":4480},"sys":{"device":{"name":"Boiler","mac":"A8032AB12345"}},"wifi":{"ap":{"ssid":"x"}}}`,
		status: `{"ble":{},"cloud":{"connected":true},"input:0":{"id":0,"state":false},"mqtt":{"connected":true},
			"switch:0":{"id":0,"source":"init","output":true,"apower":8.9,"voltage":237.5,"current":0.062,"aenergy":{"total":6532.116,"by_minute":[45.19,47.141,88.397],"minute_ts":1763892000},"temperature":{"tC":23.5,"tF":74.4}},
			"sys":{"mac":"A8032AB12345","restart_required":false,"time":"10:02","unixtime":1763892139,"uptime":4711,"ram_size":246628,"cfg_rev":5,"available_updates":{}},
			"wifi":{"sta_ip":"192.168.1.50","status":"got ip","ssid":"home","rssi":-61},"ws":{"connected":false}}`,
	}
}

// minimal is a device of some components, told in Shelly.GetStatus and Shelly.GetConfig.
func minimal(status, config string) *firmware {
	return &firmware{info: `{"name":null,"id":"shellyx-0123456789ab","model":"X","gen":3,"ver":"1.4.4","app":"X"}`, status: status, config: config}
}
