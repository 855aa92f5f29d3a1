package mqtt_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"hearth/drivers/mqtt/dialect/dialecttest"
)

const tasmotaConfig = `{"ip":"192.168.1.41","dn":"Lamp","fn":["Lamp",null],"hn":"tasmota-A1B2C3-0707","mac":"DC4F22A1B2C3","md":"Generic","ty":0,"if":0,"ofln":"Offline","onln":"Online",
	"state":["OFF","ON","TOGGLE","HOLD"],"sw":"14.2.0","t":"lamp","ft":"%prefix%/%topic%/","tp":["cmnd","stat","tele"],"rl":[2,0],"swc":[-1],"swn":[null],"btn":[0],
	"so":{"4":0,"11":0,"13":0,"17":0,"20":0,"30":0,"68":0,"73":0,"82":0,"114":0,"117":0},"lk":1,"lt_st":2,"bat":0,"dslp":0,"sho":[],"sht":[],"ver":1}`

// tasmotaLamp is a Tasmota with a light of two whites, as its firmware answers.
func tasmotaLamp() dialecttest.Peer {
	var mu sync.Mutex
	state := map[string]any{"POWER": "OFF", "Dimmer": 10, "CT": 200}
	command := func(name, argument string, say func(string, string, bool)) {
		mu.Lock()
		defer mu.Unlock()
		for key := range state {
			if strings.EqualFold(strings.TrimRight(name, "1"), key) && argument != "" {
				state[key] = argument
				if key != "POWER" {
					state[key] = json.Number(argument)
				}
			}
		}
		data, err := json.Marshal(state)
		if err != nil {
			panic(err)
		}
		topic := "stat/lamp/RESULT"
		if name == "STATUS" {
			topic, data = "stat/lamp/STATUS11", fmt.Appendf(nil, `{"StatusSTS":%s}`, data)
		}
		say(topic, string(data), false)
	}
	return dialecttest.Peer{
		Will: "tele/lamp/LWT", Last: "Offline", Listen: "cmnd/lamp/+",
		Hello: func(say func(string, string, bool)) {
			say("tele/lamp/LWT", "Online", true)
			say("tasmota/discovery/DC4F22A1B2C3/config", tasmotaConfig, true)
			say("tasmota/discovery/DC4F22A1B2C3/sensors", `{"sn":{"Time":"2026-11-23T10:00:00"},"ver":1}`, true)
		},
		Hear: func(topic, payload string, say func(string, string, bool)) {
			name := strings.TrimPrefix(topic, "cmnd/lamp/")
			if name != "Backlog" {
				command(name, payload, say)
				return
			}
			for _, one := range strings.Split(payload, ";") {
				name, argument, _ := strings.Cut(one, " ")
				command(name, argument, say)
			}
		},
	}
}
