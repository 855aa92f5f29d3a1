package mqtt_test

import (
	"encoding/json"
	"fmt"
	"sync"

	"hearth/drivers/mqtt/dialect/dialecttest"
)

const shellyID = "shellydimmerg3-84fce63ad204"

// shellyDimmer is a Shelly with one light, as its firmware answers.
func shellyDimmer() dialecttest.Peer {
	var mu sync.Mutex
	on, brightness := false, 10.0
	type request struct {
		ID     json.RawMessage `json:"id"`
		Source string          `json:"src"`
		Method string          `json:"method"`
		Params struct {
			On         *bool    `json:"on"`
			Brightness *float64 `json:"brightness"`
		} `json:"params"`
	}
	return dialecttest.Peer{
		Will: shellyID + "/online", Last: "false", Listen: shellyID + "/rpc",
		Hello: func(say func(string, string, bool)) { say(shellyID+"/online", "true", true) },
		Hear: func(_, payload string, say func(string, string, bool)) {
			var r request
			if err := json.Unmarshal([]byte(payload), &r); err != nil {
				panic(err)
			}
			mu.Lock()
			defer mu.Unlock()
			light := func() string {
				return fmt.Sprintf(`{"id":0,"source":"MQTT","output":%t,"brightness":%g,"temperature":{"tC":41.5,"tF":106.7}}`, on, brightness)
			}
			answer := `"error":{"code":404,"message":"No handler"}`
			switch r.Method {
			case "Shelly.GetDeviceInfo":
				answer = `"result":{"name":"Hall","id":"` + shellyID + `","mac":"84FCE63AD204","model":"S3DM-0A101WWL","gen":3,"ver":"1.4.4","app":"DimmerG3","auth_en":false}`
			case "Shelly.GetConfig":
				answer = `"result":{"light:0":{"id":0,"name":null},"sys":{"device":{"name":"Hall"}}}`
			case "Shelly.GetStatus":
				answer = `"result":{"light:0":` + light() + `,"sys":{"uptime":12},"wifi":{"rssi":-50}}`
			case "Light.GetStatus":
				answer = `"result":` + light()
			case "Light.Set":
				if r.Params.On != nil {
					on = *r.Params.On
				}
				if r.Params.Brightness != nil {
					brightness = *r.Params.Brightness
				}
				answer = `"result":null`
				say(shellyID+"/events/rpc", `{"src":"`+shellyID+`","dst":"`+shellyID+`/events","method":"NotifyStatus","params":{"ts":1.5,"light:0":`+light()+`}}`, false)
			}
			say(r.Source+"/rpc", fmt.Sprintf(`{"id":%s,"src":%q,"dst":%q,%s}`, r.ID, shellyID, r.Source, answer), false)
		},
	}
}
