package homeassistant

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/mqtt/dialect"
)

const deviceForm = `{"dev":{"ids":"box","name":"Box","mf":"M","sw":"1.0"},"o":{"name":"boxer","sw":"1","url":"https://example.org"},"~":"box",
	"avty":[{"t":"~/status"}],"stat_t":"~/state","qos":2,
	"cmps":{"t":{"p":"sensor","dev_cla":"temperature","unit_of_meas":"°C","val_tpl":"{{ value_json.t }}","uniq_id":"box_t"},
	"h":{"p":"sensor","dev_cla":"humidity","unit_of_meas":"%","val_tpl":"{{ value_json.h }}","uniq_id":"box_h"}MORE}}`

// box is the announcement, with further components.
func box(more string) string { return strings.Replace(deviceForm, "MORE", more, 1) }

func TestDeviceForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{Prefix: "disco/very"})
		b.keeps("disco/very/device/box/config", box(`,"relay":{"p":"switch","cmd_t":"~/set","uniq_id":"box_r"}`))
		settled()
		b.wants("mqtt:box", "switch", "on:bool! humidity:number:% temperature:number:°C")
		b.say("box/status", "online")
		b.say("box/state", `{"t":20,"h":50}`)
		b.last("mqtt:box", "reachable=true", "temperature=20", "humidity=50")
		b.say("disco/very/device/box/config", box(`,"relay":{"p":"switch"}`))
		settled()
		b.wants("mqtt:box", "sensor", "humidity:number:% temperature:number:°C")
		announced := b.Announced()
		b.say("disco/very/device/box/config", box(""))
		settled()
		if b.Announced() != announced {
			t.Error("what has not changed is announced again")
		}
		b.say("disco/very/device/box/config", "")
		settled()
		if _, there := b.Device("mqtt:box"); there {
			t.Error("an empty announcement leaves the device")
		}
		if len(b.filters) != 2 {
			t.Errorf("still subscribed: %v", b.filters)
		}
	})
}

func TestMigration(t *testing.T) {
	const single, multi = "homeassistant/sensor/box_t/config", "homeassistant/device/box/config"
	const old = `{"dev":{"ids":["box"],"name":"Box"},"stat_t":"box/state","dev_cla":"temperature","unit_of_meas":"°C","val_tpl":"{{ value_json.t }}","uniq_id":"box_t"}`
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(single + " " + old)
		b.say(multi, box("")) // the same unique_id a second time: the first counts
		settled()
		b.wants("mqtt:box", "sensor", "humidity:number:% temperature:number:°C")
		b.say(multi, "")
		settled()
		b.wants("mqtt:box", "sensor", "temperature:number:°C")

		b.say(single, `{"migrate_discovery": true}`)
		b.say(multi, box(""))
		b.say(single, "")
		settled()
		b.wants("mqtt:box", "sensor", "humidity:number:% temperature:number:°C")
		if len(b.Forgotten()) != 0 {
			t.Error("the device was forgotten on the way")
		}
		b.say("box/state", `{"t":20,"h":50}`)
		b.last("mqtt:box", "temperature=20", "humidity=50")

		b.say(multi, `{"migr_discvry": true}`) // and back
		b.say(single, old)
		b.say(multi, "")
		settled()
		b.say("box/state", `{"t":21}`)
		b.last("mqtt:box", "temperature=21")
		if n := b.Count("mqtt:box", "temperature"); n > 4 {
			t.Errorf("%d readings: something listens twice", n)
		}
	})
}

func TestAvailabilityModes(t *testing.T) {
	for _, row := range []struct{ mode, first, second, want string }{
		{"all", "online", "", "nothing"}, {"all", "online", "online", "true"}, {"all", "online", "offline", "false"}, {"all", "offline", "", "false"},
		{"any", "online", "", "true"}, {"any", "offline", "", "nothing"}, {"any", "offline", "offline", "false"}, {"any", "offline", "online", "true"},
		{"latest", "online", "offline", "false"}, {"latest", "offline", "online", "true"}, {"", "online", "offline", "false"}, {"latest", "rubbish", "", "nothing"},
	} {
		t.Run(row.mode+" "+row.first+" "+row.second, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{})
				mode := ""
				if row.mode != "" {
					mode = `"avty_mode":"` + row.mode + `",`
				}
				b.announce(`homeassistant/switch/x/config {"cmd_t":"x/set",` + mode + `"avty":[{"t":"a"},{"t":"b","val_tpl":"{{ value_json.state }}","pl_avail":"up","pl_not_avail":"down"}],"uniq_id":"x"}`)
				if row.first != "" {
					b.say("a", row.first)
				}
				if row.second != "" {
					b.say("b", `{"state":"`+strings.NewReplacer("online", "up", "offline", "down").Replace(row.second)+`"}`)
				}
				b.last("mqtt:x", "reachable="+row.want)
			})
		})
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(`homeassistant/sensor/x/config {"stat_t":"x","dev_cla":"temperature","unit_of_meas":"°C","exp_aft":60,"uniq_id":"x"}
			homeassistant/binary_sensor/m/config {"stat_t":"m","dev_cla":"motion","off_dly":30,"uniq_id":"m"}`)
		b.say("x", "20")
		b.say("m", "ON")
		b.last("mqtt:x", "reachable=true")
		b.last("mqtt:m", "occupancy=true", "reachable=nothing")
		time.Sleep(20 * time.Second)
		b.say("m", "ON")
		time.Sleep(20 * time.Second)
		b.last("mqtt:m", "occupancy=true")
		b.say("x", "21")
		time.Sleep(11 * time.Second)
		b.last("mqtt:m", "occupancy=false")
		time.Sleep(40 * time.Second)
		b.last("mqtt:x", "reachable=true")
		time.Sleep(10 * time.Second)
		b.last("mqtt:x", "reachable=false")
		b.say("x", "22")
		b.last("mqtt:x", "temperature=22", "reachable=true")
		b.d.Silence()
		time.Sleep(time.Hour)
		b.last("mqtt:x", "reachable=true") // nothing is told when the broker is gone
	})
}

func TestNamesStay(t *testing.T) {
	const one = `homeassistant/sensor/x/one/config {"stat_t":"x/1","name":"One","dev_cla":"temperature","unit_of_meas":"°C","uniq_id":"x1","dev":{"ids":["x"],"name":"X"}}`
	const two = `homeassistant/sensor/x/two/config {"stat_t":"x/2","name":"Two","dev_cla":"temperature","unit_of_meas":"°C","uniq_id":"x2","dev":{"ids":["x"]}}`
	const named = "temperature:number:°C temperature_two:number:°C"
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(one)
		b.wants("mqtt:x", "sensor", "temperature:number:°C")
		b.announce(two)
		b.wants("mqtt:x", "sensor", named)

		// The gateway starts again, and hears both at once, then the other way round.
		for _, order := range []string{one + "\n" + two, two + "\n" + one} {
			c := newBench(t, Config{})
			c.d.Silence()
			c.d.env.Store, c.d.loaded = b.d.env.Store, false
			c.d.Connected(t.Context())
			c.announce(order)
			c.wants("mqtt:x", "sensor", named)
		}
		// The broker comes back: all is announced again, and retained states are heard again.
		b.d.Silence()
		before := b.Announced()
		b.d.Connected(t.Context())
		b.keeps("x/1", "17")
		b.announce(one)
		if b.Announced() != before+1 {
			t.Errorf("announced %d times", b.Announced()-before)
		}
		b.last("mqtt:x", "temperature=17")

		both := newBench(t, Config{}) // where both are new, neither is the one
		both.announce(one + "\n" + two)
		both.wants("mqtt:x", "sensor", "temperature_one:number:°C temperature_two:number:°C")
	})
}

func TestLateListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(`homeassistant/sensor/x/t/config {"stat_t":"x","val_tpl":"{{ value_json.t }}","dev_cla":"temperature","unit_of_meas":"°C","uniq_id":"t","dev":{"ids":["x"]}}`)
		b.keeps("x", `{"t":20,"h":40}`) // comes once
		b.announce(`homeassistant/sensor/x/h/config {"stat_t":"x","val_tpl":"{{ value_json.h }}","dev_cla":"humidity","unit_of_meas":"%","uniq_id":"h","dev":{"ids":["x"]}}`)
		b.last("mqtt:x", "temperature=20", "humidity=40")
		if n := b.Count("mqtt:x", "temperature"); n != 1 {
			t.Errorf("%d readings of one message", n)
		}
	})
}

func TestOwnAnnouncementsAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(`homeassistant/device/x/config {"dev":{"ids":["hearth_x"]},"o":{"name":"Hearth"},"cmps":{"on":{"p":"switch","cmd_t":"hearth/device/x/set","uniq_id":"x"}}}`)
		if n := len(b.Devices()); n != 0 {
			t.Errorf("%d of the house's own devices came back", n)
		}
	})
}

// TestKeptIsNoNews has a broker come back that says again what it has kept.
func TestKeptIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(`homeassistant/sensor/x/config {"stat_t":"x","uniq_id":"x","dev_cla":"power","unit_of_meas":"W"}`)
		count := func() (n int) {
			for _, r := range b.Readings() {
				if r.Property == "power" {
					n++
				}
			}
			return n
		}
		b.keeps("x", "5")
		if count() != 1 {
			t.Fatalf("%d readings of what was kept", count())
		}
		b.d.Silence()
		b.d.Connected(t.Context())
		settled()
		b.keeps("x", "5")
		if count() != 1 {
			t.Error("what was known already is told again")
		}
		b.keeps("x", "6")
		b.say("x", "6")
		if count() != 3 {
			t.Errorf("%d readings: another value, and one that was said, are news", count())
		}
	})
}

func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.announce(`homeassistant/switch/x/config {"cmd_t":"x/set","stat_t":"x","uniq_id":"x"}
			homeassistant/switch/o/config {"cmd_t":"o/set","stat_t":"o","opt":true,"uniq_id":"o"}
			homeassistant/switch/r/config {"cmd_t":"r/set","stat_t":"r","ret":true,"uniq_id":"r"}`)
		code := func(err error) string {
			if err == nil {
				return ""
			}
			return hearth.ErrorOf(err).Code
		}
		if err := b.sends("mqtt:x", set{"on": on(true)}, func(string, string) { b.keeps("x", "ON") }, "x/set ON"); code(err) != hearth.CodeUnknownOutcome {
			t.Errorf("a retained state is no answer: %v", err)
		}
		began := time.Now()
		if err := b.sends("mqtt:x", set{"on": on(true)}, nil, "x/set ON"); err != nil || time.Since(began) != moment {
			t.Errorf("what is already so has nothing to say: %v after %v", err, time.Since(began))
		}
		if err := b.sends("mqtt:o", set{"on": on(true)}, nil, "o/set ON"); err != nil {
			t.Error(err)
		}
		b.last("mqtt:o", "on=true")
		if err := b.sends("mqtt:r", set{"on": on(false)}, func(string, string) { b.say("r", "OFF") }, "r/set OFF"); err != nil {
			t.Error(err)
		}
		for id, want := range map[hearth.ID]string{"mqtt:none": hearth.CodeNoDevice, "mqtt:x": hearth.CodeNoDevice} {
			if err := b.sends(id, set{"nothing": on(true)}, nil); code(err) != want {
				t.Errorf("%s: %v", id, err)
			}
		}
		go func() { time.Sleep(time.Second); b.d.Silence() }()
		if err := b.sends("mqtt:x", set{"on": on(false)}, nil, "x/set OFF"); code(err) != hearth.CodeUnknownOutcome {
			t.Errorf("the broker went away: %v", err)
		}
		if err := b.sends("mqtt:x", set{"on": on(false)}, nil); code(err) != hearth.CodeOffline {
			t.Errorf("the broker is away: %v", err)
		}
	})
}

func TestThousandDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		for n := range 2200 {
			for _, class := range []string{"temperature", "humidity", "battery"} {
				b.keeps(fmt.Sprintf("homeassistant/sensor/d%d/%s/config", n, class), fmt.Sprintf(
					`{"stat_t":"+/d%[1]d/%[2]s","dev_cla":"%[2]s","unit_of_meas":"%%","uniq_id":"%[1]d%[2]s","dev":{"ids":["d%[1]d"]}}`, n%1100*2, class))
			}
		}
		settled()
		if n := len(b.Devices()); n != 1100 {
			t.Errorf("%d devices", n)
		}
		if n := b.Announced(); n > 1300 {
			t.Errorf("announced %d times", n)
		}
		b.say("home/d84/humidity", "33")
		b.last("mqtt:d84", "humidity=33")
		for n := range 3000 {
			b.keeps(fmt.Sprintf("homeassistant/switch/more%d/config", n), fmt.Sprintf(`{"cmd_t":"x","uniq_id":"more%d"}`, n))
		}
		settled()
		if n := len(b.Devices()); n != dialect.MaxDevices {
			t.Errorf("%d devices", n)
		}
	})
}

// Whoever may publish may say anything. None of it may break the house's contract, or grow without end.
func TestHostile(t *testing.T) {
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	long := strings.Repeat("a", 300)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		for n, payload := range []string{
			deep, `{"dev":` + deep + `}`, "\xff\xfe", "null", "[]", "7", `"x"`, `{`, `{}`, `{"stat_t":7,"uniq_id":{},"dev":[1]}`, `{"dev":{"ids":[{},[],null,true,1.5]},"stat_t":"x"}`,
			`{"stat_t":"#","uniq_id":"all"}`, `{"stat_t":"+/+","uniq_id":"all2"}`, `{"stat_t":"$SYS/x","uniq_id":"sys"}`, `{"stat_t":"a\u0000b","uniq_id":"nul"}`,
			`{"stat_t":"x","uniq_id":"../../etc/passwd","name":"a,b=c d\n1"}`, `{"stat_t":"x","name":"` + long + `","uniq_id":"` + long + `","dev":{"ids":["` + long + `"]}}`,
			`{"stat_t":"x","name":"time","uniq_id":"time"}`, `{"stat_t":"x","name":"unsupported","uniq_id":"uns","val_tpl":"{{ f( }}"}`, `{"stat_t":"x","name":"reachable","uniq_id":"re"}`,
			`{"stat_t":"x","name":"温度","uniq_id":"温度"}`, `{"stat_t":"x","unit_of_meas":"` + long + `","uniq_id":"unit"}`, `{"stat_t":"x","cmd_t":"homeassistant/switch/y/config","min":1e400,"max":-5,"uniq_id":"mm"}`,
			`{"stat_t":"x","dev_cla":"temperature","unit_of_meas":"°C","exp_aft":1e300,"off_dly":-1,"uniq_id":"exp","bri_scl":0,"pos_open":5,"pos_clsd":5,"spd_rng_min":3,"spd_rng_max":2}`,
			`{"cmps":{"a":{"p":"sensor"}},"dev":{}}`, `{"cmps":[],"dev":{"ids":"x"}}`, `{"dev":{"ids":""},"cmps":{"":{"p":"sensor","stat_t":"x"}}}`,
		} {
			for _, component := range []string{"sensor", "binary_sensor", "switch", "light", "cover", "lock", "climate", "number", "select", "text", "button", "event", "fan", "valve", "siren", "scene", "device_automation", "device", "nonsense"} {
				b.keeps(fmt.Sprintf("homeassistant/%s/n%d/config", component, n), payload)
			}
		}
		settled()
		for _, topic := range []string{"x", "a/b", "homeassistant/config", "homeassistant//x/config", "homeassistant/a/b/c/d/config"} {
			for _, payload := range []string{"", deep, "\xff", "NaN", "1e400", "-Inf", `{"state":{}}`, strings.Repeat("x", 1<<20)} {
				b.say(topic, payload)
			}
		}
		for id, dev := range b.Devices() {
			for _, p := range dev.Properties {
				if p.Writable {
					value := map[hearth.Kind]hearth.Value{hearth.Bool: on(true), hearth.Number: num(5), hearth.Text: txt("x")}[p.Kind]
					_ = b.d.Do(t.Context(), hearth.Command{Device: id, Set: set{p.Name: value}})
				}
			}
		}
		if len(b.filters) > 4 {
			t.Errorf("subscribed to %v", b.filters)
		}
	})
}

func TestTooManyComponents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		for n := range 400 {
			b.keeps(fmt.Sprintf("homeassistant/sensor/x/s%d/config", n), fmt.Sprintf(`{"stat_t":"x/%d","dev_cla":"power","unit_of_meas":"W","name":"same","uniq_id":"%d","dev":{"ids":["x"]}}`, n, n))
		}
		settled()
		if dev, _ := b.Device("mqtt:x"); len(dev.Properties) != maxComponents {
			t.Errorf("%d properties", len(dev.Properties))
		}
		b.say("x/0", "100")
		b.last("mqtt:x", "power_same=100")
	})
}

// An announcement and what follows it are whatever they like: no fault in the contract with the house, and no panic.
// TestFatAnnouncements: what is kept of announcements is bounded, whatever is in them; and there is room again when they go.
func TestFatAnnouncements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		fat := func(i, size int) {
			b.say(fmt.Sprintf("homeassistant/sensor/f%d/config", i), fmt.Sprintf(`{"uniq_id":"f%d","stat_t":"f/%d","junk":%q}`, i, i, strings.Repeat("x", size)))
		}
		fat(0, 400_000)
		for round := range 3 {
			for i := range 400 {
				fat(i, 60_000+round)
			}
		}
		settled()
		const fit = maxConfigs / 60_000
		if n := len(b.Devices()); n < fit-10 || n > fit || b.d.size > maxConfigs {
			t.Errorf("%d devices, of %d bytes", n, b.d.size)
		}
		for i := range 400 {
			b.say(fmt.Sprintf("homeassistant/sensor/f%d/config", i), "")
		}
		settled()
		if n := len(b.Devices()); n != 0 || b.d.size != 0 {
			t.Errorf("%d devices are left, of %d bytes", n, b.d.size)
		}
	})
}

func FuzzAnnouncement(f *testing.F) {
	for _, list := range []string{esphome, openMQTTGateway, zwave, ems, zigbee2mqtt, assorted} {
		for line := range strings.Lines(list) {
			if topic, payload, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				f.Add(topic, payload, "ON")
			}
		}
	}
	f.Add("homeassistant/device/x/config", box(""), `{"t":1}`)
	f.Fuzz(func(t *testing.T, topic, payload, state string) {
		house := drivertest.NewRecorder("mqtt")
		d, err := New(dialect.Env{Env: drivertest.NewEnv(t, "mqtt"), Bus: deaf{house}}, Config{})
		if err != nil {
			t.Fatal(err)
		}
		d.Connected(t.Context())
		d.Handle(dialect.Message{Topic: topic, Payload: []byte(payload), Time: time.Now()})
		d.mu.Lock()
		d.tell()
		var topics []string
		for filter := range d.board.exact {
			topics = append(topics, filter)
		}
		d.mu.Unlock()
		for _, to := range topics {
			d.Handle(dialect.Message{Topic: to, Payload: []byte(state), Time: time.Now()})
		}
		for id, dev := range house.Devices() {
			for _, p := range dev.Properties {
				if p.Writable {
					value := map[hearth.Kind]hearth.Value{hearth.Bool: on(true), hearth.Number: num(5), hearth.Text: txt("x")}[p.Kind]
					_, _ = d.plan(hearth.Command{Device: id, Set: set{p.Name: value}})
				}
			}
		}
		d.Silence()
		for _, fault := range house.Faults() {
			t.Error(fault)
		}
	})
}

// deaf is a Bus without a broker.
type deaf struct{ *drivertest.Recorder }

func (deaf) Publish(context.Context, string, []byte, bool) error { return nil }
func (deaf) Subscribe(string)                                    {}
func (deaf) Unsubscribe(string)                                  {}

func TestAbbreviations(t *testing.T) {
	keys := newAbbreviations()
	for short, long := range map[string]string{
		"stat_t": "state_topic", "bri_val_tpl": "brightness_value_template", "clr_temp_cmd_t": "color_temp_command_topic", "curr_temp_t": "current_temperature_topic",
		"temp_hi_stat_tpl": "temperature_high_state_template", "hum_stat_tpl": "target_humidity_state_template", "tilt_status_t": "tilt_status_topic", "pos_t": "position_topic",
		"set_pos_tpl": "set_position_template", "pr_mode_val_tpl": "preset_mode_value_template", "uniq_id": "unique_id", "cmps": "components", "p": "platform", "evt_typ": "event_types",
		"max_mirs": "max_mireds", "json_attr_t": "json_attributes_topic", "avty": "availability", "avty_tpl": "availability_template", "stat_val_tpl": "state_value_template",
		"pos": "reports_position", "pos_open": "position_open", "act_t": "action_topic", "t": "topic", "r_tpl": "red_template", "fx_list": "effect_list", "dev_cla": "device_class",
	} {
		if got := keys.entity[short]; got != long {
			t.Errorf("%s is %s, want %s", short, got, long)
		}
	}
	c := config{"~": "base", "state_topic": "~/state", "command_topic": "x/~", "name": "~/no", "topic": "a~b"}
	c.complete("base")
	if c["state_topic"] != "base/state" || c["command_topic"] != "x/base" || c["name"] != "~/no" || c["topic"] != "a~b" {
		t.Errorf("%v", c)
	}
}

func TestPrefix(t *testing.T) {
	for _, prefix := range []string{"a/#", "+", "a/", "#", "$SYS"} {
		if _, err := New(dialect.Env{Env: drivertest.NewEnv(t, "mqtt")}, Config{Prefix: prefix}); err == nil {
			t.Errorf("%q was taken", prefix)
		}
	}
}
