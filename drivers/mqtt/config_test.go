package mqtt

import (
	"strings"
	"testing"

	"hearth/settings"
)

func parse(t *testing.T, text string, into any) {
	t.Helper()
	if err := settings.Parse("test", []byte(text), into); err != nil {
		t.Fatal(err)
	}
}

func TestConfig(t *testing.T) {
	good := map[string]string{
		"least":   "broker: mqtt://localhost",
		"all":     "{broker: \"mqtts://h:8884\", username: u, password_file: f, ca: c, dialects: [zigbee2mqtt, homeassistant], base_topics: [home/z], discovery: ha}",
		"by hand": "{broker: \"ws://h/mqtt\", dialects: [], map: [{id: a, properties: [{property: power, topic: a, unit: kW}]}]}",
	}
	for name, text := range good {
		var c Config
		if err := settings.Parse("test", []byte(text), &c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := map[string]struct{ text, want string }{
		"no broker":        {"dialects: [zigbee2mqtt]", "broker"},
		"another scheme":   {"broker: http://h", "mqtt://"},
		"user in url":      {"broker: mqtt://u:p@h", "username"},
		"password alone":   {"{broker: mqtt://h, password_file: f}", "username"},
		"ca without tls":   {"{broker: mqtt://h, ca: f}", "mqtts"},
		"unknown dialect":  {"{broker: mqtt://h, dialects: [klingon]}", "klingon"},
		"dialect twice":    {"{broker: mqtt://h, dialects: [zigbee2mqtt, zigbee2mqtt]}", "twice"},
		"nothing":          {"{broker: mqtt://h, dialects: []}", "no device"},
		"base topic":       {"{broker: mqtt://h, base_topics: [\"a/+\"]}", "base_topics"},
		"discovery":        {"{broker: mqtt://h, discovery: \"#\"}", "discovery"},
		"map without id":   {"{broker: mqtt://h, map: [{properties: [{property: power, topic: a}]}]}", "id"},
		"map twice":        {"{broker: mqtt://h, map: [{id: a, properties: [{property: power, topic: a}]}, {id: a, properties: [{property: power, topic: a}]}]}", "twice"},
		"map unit":         {"{broker: mqtt://h, map: [{id: a, properties: [{property: power, topic: a, unit: lx}]}]}", "turned into"},
		"map wildcard":     {"{broker: mqtt://h, map: [{id: a, properties: [{property: power, topic: a/+}]}]}", "topic"},
		"map pointer":      {"{broker: mqtt://h, map: [{id: a, properties: [{property: power, topic: a, pointer: x}]}]}", "pointer"},
		"map kind":         {"{broker: mqtt://h, map: [{id: a, properties: [{property: power, topic: a, kind: text}]}]}", "everywhere"},
		"map word":         {"{broker: mqtt://h, map: [{id: a, properties: [{property: \"on\", topic: a, map: {X: 5}}]}]}", "takes a bool"},
		"map nothing":      {"{broker: mqtt://h, map: [{id: a, properties: [{property: power}]}]}", "topic"},
		"map type":         {"{broker: mqtt://h, map: [{id: a, type: toaster, properties: [{property: power, topic: a}]}]}", "toaster"},
		"map no property":  {"{broker: mqtt://h, map: [{id: a}]}", "properties"},
		"unknown key":      {"{broker: mqtt://h, brocker: x}", "brocker"},
		"template for who": {"{broker: mqtt://h, map: [{id: a, properties: [{property: power, topic: a, template: x}]}]}", "command"},
	}
	for name, tt := range bad {
		var c Config
		err := settings.Parse("test", []byte(tt.text), &c)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want something about %s", name, err, tt.want)
		}
	}
}
