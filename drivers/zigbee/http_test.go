package zigbee

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

const mounted = "/api/v1/drivers/radio"

// ask sends a request as the gateway hands it on.
func (h *house) ask(method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, mounted+path, strings.NewReader(body))
	http.StripPrefix(mounted, h.driver).ServeHTTP(w, r)
	return w
}

// must is ask for an answer of that status, which it returns.
func (h *house) must(t *testing.T, status int, method, path, body string) []byte {
	t.Helper()
	w := h.ask(method, path, body)
	if w.Code != status {
		t.Errorf("%s %s %s is answered %d, want %d: %s", method, path, body, w.Code, status, w.Body)
	}
	if status >= 400 {
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != status || p.Code == "" || p.Type != "/problems/"+p.Code || p.Instance != strings.Split(mounted+path, "?")[0] ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s fails with %s (%v)", method, path, w.Body, err)
		}
	}
	return w.Body.Bytes()
}

// get reads what a path shows.
func get[T any](t *testing.T, h *house, path string) (v T) {
	t.Helper()
	if err := json.Unmarshal(h.must(t, http.StatusOK, "GET", path, ""), &v); err != nil {
		t.Errorf("GET %s: %v", path, err)
	}
	return v
}

func TestRoutes(t *testing.T) {
	made, err := New(drivertest.NewEnv(t, "radio"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rt := range made.(*driver).routes() {
		got = append(got, rt.pattern)
	}
	slices.Sort(got)
	golden, err := os.ReadFile("testdata/routes.txt")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Split(strings.TrimSpace(string(golden)), "\n"); !slices.Equal(got, want) {
		t.Errorf("the routes are\n%s\nwant, as in testdata/routes.txt,\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestProblems(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		a.join(lamp(2, 0x1111))
		wait(2 * time.Second)
		tests := []struct {
			method, path, body string
			status             int
			code               string
		}{
			{"GET", "/nothing", "", 404, "not_found"},
			{"PUT", "/permit", "", 405, "method_not_allowed"},
			{"POST", "/permit", "", 400, "bad_request"},
			{"POST", "/permit", "{", 400, "bad_request"},
			{"POST", "/permit", `{"seconds":"60"}`, 400, "bad_request"},
			{"POST", "/permit", `{"seconds":60,"minutes":1}`, 400, "bad_request"},
			{"POST", "/permit", `{"seconds":60} {}`, 400, "bad_request"},
			{"POST", "/permit", `{"seconds":60,"router":"` + strings.Repeat("x", maxBody) + `"}`, 413, "too_large"},
			{"POST", "/permit", `{}`, 422, "bad_value"},
			{"POST", "/permit", `{"seconds":255}`, 422, "bad_value"},
			{"POST", "/permit", `{"seconds":60,"router":"0000000000000009"}`, 422, "bad_value"},
			{"POST", "/permit", `{"seconds":60,"install_code":"83FED3407A939723A5C639B26916D505C3B5"}`, 422, "bad_value"},
			{"POST", "/channel", `{"channel":27}`, 422, "bad_value"},
			{"POST", "/network", `{}`, 422, "bad_value"},
			{"POST", "/network", `{"adopt":"dddd"}`, 422, "bad_value"},
			{"POST", "/network", `{"adopt":"dddddddddddddddd","replace":"dddddddddddddddd"}`, 422, "bad_value"},
			{"POST", "/network", `{"adopt":"dddddddddddddddd"}`, 409, "conflict"},
			{"POST", "/network", `{"replace":"dddddddddddddddd"}`, 409, "conflict"},
			{"POST", "/definitions", "", 409, "conflict"},
			{"GET", "/devices/lamp", "", 422, "bad_value"},
			{"GET", "/devices/0000000000000009", "", 404, "no_device"},
			{"POST", "/devices/0000000000000009/interview", "", 404, "no_device"},
			{"DELETE", "/devices/0000000000000002?force=perhaps", "", 400, "bad_request"},
			{"DELETE", "/bans/0000000000000009", "", 404, "not_found"},
			{"DELETE", "/ota/0000000000000002", "", 404, "not_found"},
			{"POST", "/ota/0000000000000002", `{"force":1}`, 400, "bad_request"},
		}
		for _, tt := range tests {
			var p problem
			if err := json.Unmarshal(h.must(t, tt.status, tt.method, tt.path, tt.body), &p); err != nil || p.Code != tt.code {
				t.Errorf("%s %s %.80s: %+v, want %s", tt.method, tt.path, tt.body, p, tt.code)
			}
		}
		if allow := h.ask("PUT", "/permit", "").Header().Get("Allow"); allow != "POST" {
			t.Errorf("Allow is %q", allow)
		}
	})
}

// Without a line there is still something to see, and the rest says that the radio is away.
func TestWithoutSession(t *testing.T) {
	a := newAir()
	synctest.Test(t, func(t *testing.T) {
		h := openHouse(t, drivertest.NewEnv(t, "radio"), Config{}, a)
		a.join(lamp(2, 0x1111))
		wait(30 * time.Second)
		h.close(t)
		o := get[overview](t, h, "/")
		if o.State != stateDown || len(o.Devices) != 1 || o.Network == nil || o.Backup == nil || o.Backup.Devices != 1 {
			t.Errorf("without a line: %+v", o)
		}
		get[detail](t, h, "/devices/0000000000000002")
		get[[]updateView](t, h, "/ota")
		for _, path := range []string{"/backup", "/devices/0000000000000002/interview", "/devices/0000000000000002/configure", "/ota/check", "/ota/0000000000000002"} {
			h.must(t, http.StatusServiceUnavailable, "POST", path, "")
		}
		h.must(t, http.StatusServiceUnavailable, "POST", "/permit", `{"seconds":60}`)
		h.must(t, http.StatusServiceUnavailable, "GET", "/devices/0000000000000002/dump", "")
	})
}

func TestOverview(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m, s := lamp(2, 0x1111), thermometer(3, 0x2222)
		a.join(m)
		a.join(s)
		wait(20 * time.Second)
		if err := h.set(h.coordinator(), "pairing", hearth.NumberOf(60)); err != nil {
			t.Fatal(err)
		}
		a.reset()
		wait(5 * time.Second)
		body := h.must(t, http.StatusOK, "GET", "/", "")
		if key := a.network.Key; bytes.Contains(bytes.ToLower(body), []byte(hex.EncodeToString(key[:]))) {
			t.Error("the network's key is told")
		}
		o := get[overview](t, h, "/")
		if o.Adapter != "znp" || o.Firmware != "Air 1" || o.Port != "/dev/null" || o.State != stateUp || o.Error != "" || o.Found != nil {
			t.Errorf("the stick: %+v", o)
		}
		if n := o.Network; n == nil || n.Channel != a.network.Channel || n.Extended != a.network.Extended || n.Coordinator != a.ieee || len(n.PAN) != 4 {
			t.Errorf("the network: %+v", n)
		}
		if o.Pairing.Left != 55 || o.Pairing.Router != "" {
			t.Errorf("pairing: %+v", o.Pairing)
		}
		if o.Backup == nil || o.Backup.Devices != 2 || o.Backup.Made.IsZero() {
			t.Errorf("backup: %+v", o.Backup)
		}
		if o.Counters.Resets != 1 || o.Counters.Reopened != 0 || o.Counters.Sent == 0 {
			t.Errorf("counters: %+v", o.Counters)
		}
		if len(o.Devices) != 2 {
			t.Fatalf("devices: %+v", o.Devices)
		}
		first, second := o.Devices[0], o.Devices[1]
		if first.IEEE != m.ieee || first.NWK != "1111" || first.ID != h.id(m) || first.Vendor != "Lights & Co" || first.Model != "LAMP-1" || first.Kind != kindRouter ||
			first.Power != "mains" || first.Interview != stageDone || first.Definition != generic || first.LinkQuality == nil || first.LastSeen.IsZero() || !first.Reachable || first.Firmware != "2.1" {
			t.Errorf("the lamp: %+v", first)
		}
		if second.Kind != kindEndDevice || second.Power != "battery" {
			t.Errorf("the thermometer: %+v", second)
		}
	})
}

func TestPermit(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(10 * time.Second)
		h.must(t, http.StatusOK, "POST", "/permit", `{"seconds":100}`)
		h.expect(t, h.coordinator(), "pairing", hearth.NumberOf(100))
		h.must(t, http.StatusOK, "POST", "/permit", `{"seconds":0}`)
		h.expect(t, h.coordinator(), "pairing", hearth.NumberOf(0))
		a.forgetSent()
		h.must(t, http.StatusOK, "POST", "/permit", `{"seconds":50,"router":"0000000000000002"}`)
		if p := get[overview](t, h, "/").Pairing; p.Left != 50 || p.Router != "0000000000000002" {
			t.Errorf("open at one router: %+v", p)
		}
		if len(a.sent) != 1 || a.sent[0].Address != m.nwk || a.sent[0].Cluster != zdo.ClusterPermitJoiningRequest || !slices.Equal(a.permits, []uint8{100, 0}) {
			t.Errorf("%+v was sent, the coordinator: %v", a.sent, a.permits)
		}
		h.must(t, http.StatusOK, "POST", "/permit", `{"seconds":0}`)
		h.expect(t, h.id(m), "pairing", hearth.NumberOf(0))
		if p := get[overview](t, h, "/").Pairing; p.Left != 0 || p.Router != "" {
			t.Errorf("closed: %+v", p)
		}

		want := radio.Key{0x66, 0xb6, 0x90, 0x09, 0x81, 0xe1, 0xee, 0x3c, 0xa4, 0x20, 0x6b, 0x6b, 0x86, 0x1c, 0x02, 0xbb}
		for i, body := range []string{
			`{"seconds":60,"install_code":"83FED3407A939723A5C639B26916D505C3B5","ieee":"00158d0001a2b3c4"}`,
			`{"seconds":60,"install_code":"Z:00158d0001a2b3c5$I:83FED3407A939723A5C639B26916D505C3B5"}`,
		} {
			h.must(t, http.StatusOK, "POST", "/permit", body)
			if device := radio.IEEE(0x00158d0001a2b3c4 + i); a.trusted[device] != want {
				t.Errorf("%s: %s is not trusted with the code's key", body, device)
			}
		}
		opened := len(a.permits)
		h.must(t, http.StatusUnprocessableEntity, "POST", "/permit", `{"seconds":60,"install_code":"00","ieee":"00158d0001a2b3c4"}`)
		if len(a.permits) != opened {
			t.Error("the network was opened though the install code is no good")
		}
	})
}

func TestChannelAndBackup(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		a.join(lamp(2, 0x1111))
		wait(10 * time.Second)
		h.must(t, http.StatusNoContent, "POST", "/channel", `{"channel":20}`)
		h.expect(t, h.coordinator(), "channel", hearth.NumberOf(20))
		answered := h.must(t, http.StatusOK, "POST", "/backup", "")
		b, err := radio.ParseBackup(answered)
		if err != nil || b.Network != *a.network || len(b.Devices) != 1 {
			t.Errorf("the backup is %+v (%v)", b, err)
		}
		kept, err := os.ReadFile(filepath.Join(h.driver.env.Dir, backupFile))
		if again, parseErr := radio.ParseBackup(kept); err != nil || parseErr != nil || !again.Made.Equal(b.Made) {
			t.Errorf("kept is the one of %v (%v, %v), want %v", again.Made, err, parseErr, b.Made)
		}
	})
}

// What a person decides about a network that was refused is done at the next try, and not once more.
func TestDecideAboutNetwork(t *testing.T) {
	foreign := func() *radio.Network {
		return &radio.Network{PAN: 0x1a62, Extended: 0xdddddddddddddddd, Channel: 11, Coordinator: 7, Key: radio.Key{1}}
	}
	for _, choice := range []string{"adopt", "replace"} {
		a := newAir()
		a.network = foreign()
		synctest.Test(t, func(t *testing.T) {
			env := drivertest.NewEnv(t, "radio")
			h := openHouse(t, env, Config{}, a)
			err := <-h.done
			o := get[overview](t, h, "/")
			if o.State != stateDown || o.Found == nil || o.Found.Extended != foreign().Extended || o.Found.PAN != "1a62" || o.Found.Channel != 11 || o.Found.Coordinator != 7 || !strings.Contains(o.Error, "dddddddddddddddd") {
				t.Errorf("refused: %+v, found %+v", o, o.Found)
			}
			again := err.(interface{ Again() <-chan struct{} }).Again()
			h.must(t, http.StatusConflict, "POST", "/network", `{"`+choice+`":"eeeeeeeeeeeeeeee"}`)
			select {
			case <-again:
				t.Error("nobody has decided, and the next try begins")
			default:
			}
			h.must(t, http.StatusUnprocessableEntity, "POST", "/network", `{"`+choice+`":"dddddddddddddddd","burn_address":true}`) // nothing would be restored
			h.must(t, http.StatusAccepted, "POST", "/network", `{"`+choice+`":"dddddddddddddddd"}`)
			<-again // else the test ends in a deadlock

			h = openHouse(t, env, Config{}, a) // as after a restart of the gateway
			wait(10 * time.Second)
			o = get[overview](t, h, "/")
			if o.State != stateUp || o.Found != nil || o.Error != "" || o.Counters.Reopened != 0 {
				t.Errorf("decided: %+v", o)
			}
			if kept := a.network.Extended == foreign().Extended; kept != (choice == "adopt") {
				t.Errorf("by %s the network is now %s", choice, a.network.Extended)
			}
			if value, _ := env.Store.Get(wordKey); value != nil {
				t.Errorf("the word is still kept: %s", value)
			}
			h.close(t)

			a.network = foreign()
			if choice == "replace" { // that was said of the other stick
				h = openHouse(t, env, Config{}, a)
				if err := <-h.done; err == nil || !strings.Contains(err.Error(), "dddddddddddddddd") {
					t.Errorf("the same network once more: %v", err)
				}
			}
		})
	}
}

// The network that is up can be given up, too.
func TestReplaceWhileUp(t *testing.T) {
	a := newAir()
	synctest.Test(t, func(t *testing.T) {
		h := openHouse(t, drivertest.NewEnv(t, "radio"), Config{}, a)
		old := a.network.Extended
		h.must(t, http.StatusAccepted, "POST", "/network", `{"replace":"`+old.String()+`"}`)
		if err := <-h.done; err == nil {
			t.Error("Run does not say why it ends")
		}
		h.open(t)
		if a.network.Extended == old {
			t.Error("the network is the same")
		}
		if o := get[overview](t, h, "/"); o.State != stateUp || o.Counters.Reopened != 1 {
			t.Errorf("%+v", o)
		}
		h.close(t)
	})
}

func TestDeleteDevice(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		var all []*member
		for i := range 4 {
			m := lamp(radio.IEEE(2+i), radio.NWK(0x1111*(i+1)))
			all = append(all, m)
			a.join(m)
		}
		wait(20 * time.Second)
		there := func(m *member) bool { _, ok := h.home.Device(h.id(m)); return ok }
		h.must(t, http.StatusNoContent, "DELETE", "/devices/0000000000000002", "")
		if !all[0].left || there(all[0]) {
			t.Error("a device that was removed is there")
		}
		a.with(func() { all[1].silent, all[2].silent = true, true })
		h.must(t, http.StatusServiceUnavailable, "DELETE", "/devices/0000000000000003", "")
		if !there(all[1]) {
			t.Error("a device that does not answer is forgotten without force")
		}
		h.must(t, http.StatusNoContent, "DELETE", "/devices/0000000000000003?force=true", "")
		if there(all[1]) {
			t.Error("a device that does not answer is not forgotten by force")
		}
		h.must(t, http.StatusServiceUnavailable, "DELETE", "/devices/0000000000000004?ban=true", "")
		h.must(t, http.StatusNoContent, "DELETE", "/devices/0000000000000005?ban=true&force=true", "")
		h.must(t, http.StatusNoContent, "DELETE", "/devices/0000000000000009?ban=true", "")
		o := get[overview](t, h, "/")
		if want := []radio.IEEE{4, 5, 9}; !slices.Equal(o.Bans, want) || len(o.Devices) != 1 || !o.Devices[0].Banned {
			t.Errorf("banned: %v, devices: %+v", o.Bans, o.Devices)
		}
		all[3].left = false
		a.join(all[3])
		wait(5 * time.Second)
		if there(all[3]) || !all[3].left {
			t.Error("a banned device is back")
		}
		h.must(t, http.StatusNoContent, "DELETE", "/bans/0000000000000005", "")
		all[3].left = false
		a.join(all[3])
		wait(5 * time.Second)
		if !there(all[3]) {
			t.Error("a device that may come back does not")
		}
	})
}

func TestInterviewAndConfigure(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(10 * time.Second)
		a.with(func() {
			m.values["1/0000/0005"] = zcl.TextOf("LAMP-2")
			m.bindings = nil
		})
		h.must(t, http.StatusAccepted, "POST", "/devices/0000000000000002/configure", "")
		wait(10 * time.Second)
		if d := get[detail](t, h, "/devices/0000000000000002"); len(m.bindings) == 0 || d.Model != "LAMP-1" || !d.SetUp || d.Interview != stageDone {
			t.Errorf("set up again: bindings %v, %+v", m.bindings, d)
		}
		h.must(t, http.StatusAccepted, "POST", "/devices/0000000000000002/interview", "")
		wait(10 * time.Second)
		if d := get[detail](t, h, "/devices/0000000000000002"); d.Model != "LAMP-2" || d.Interview != stageDone {
			t.Errorf("asked again: %+v", d)
		}
	})
}

func TestDetail(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(10 * time.Second)
		own := zcl.ReportAttributes(zcl.Attribute{ID: 0x0033, Value: zcl.UintOf(zcl.Uint16, 777)})
		own.Manufacturer, own.Sequence = 0x117c, 99
		press := zcl.ClusterCommand(zcl.CmdOnOffToggle, 1, 2)
		press.Sequence = 100
		code := zcl.ClusterResponse(0x20, 0, 0, 0, 0, 4, '1', '2', '3', '4')
		points := zcl.ClusterResponse(zcl.CmdTuyaDataReport, 0, 1, 5, 2, 0, 4, 0, 0, 0, 215, 6, 1, 0, 1, 1)
		points.Sequence = 101
		a.say(m.message(0xfc7c, own), m.message(zcl.ClusterOnOff, press), m.message(zcl.ClusterDoorLock, code), m.message(zcl.ClusterTuya, points))
		a.report(m, zcl.ClusterOnOff, zcl.AttrOnOffOnOff, zcl.BoolOf(true))
		synctest.Wait()
		d := get[detail](t, h, "/devices/0000000000000002")
		if d.Node == nil || d.Node.Type != "router" || d.Manufacturer != "0x1234" || d.Definition != generic || len(d.Properties) == 0 {
			t.Errorf("what it is: %+v", d)
		}
		if e := d.Endpoints; len(e) != 1 || e[0].ID != 1 || e[0].Device != "0x0100" || !slices.Contains(e[0].In, clusterView{"0x0006", "on_off"}) || !slices.Contains(e[0].Out, clusterView{"0x0019", "ota_upgrade"}) {
			t.Errorf("endpoints: %+v", e)
		}
		told := map[string]any{}
		for _, a := range d.Attributes {
			told[a.Cluster+"/"+a.Attribute+"/"+a.Manufacturer+"/"+a.Type] = a.Value
			if a.At.IsZero() {
				t.Errorf("%+v was told at no time", a)
			}
		}
		if told["on_off/on_off//bool"] != true || told["ikea_fc7c/0x0033/0x117c/uint16"] != 777.0 || told["basic/model_identifier//char_string"] != "LAMP-1" {
			t.Errorf("attributes: %v", told)
		}
		if len(d.Commands) != 1 || d.Commands[0].Command != "toggle" || d.Commands[0].Payload != "0102" {
			t.Errorf("commands: %+v", d.Commands)
		}
		if len(d.Points) != 2 || d.Points[0].DP != 5 || d.Points[0].Value != 215.0 || d.Points[1].Value != true {
			t.Errorf("points: %+v", d.Points)
		}
		if !d.SetUp || !slices.Contains(d.Bindings, boundView{1, "on_off"}) || len(d.Reporting) == 0 || d.Reporting[0].Attribute != "on_off" || d.Reporting[0].Max == 0 {
			t.Errorf("set up: %t, %+v, %+v", d.SetUp, d.Bindings, d.Reporting)
		}
	})
}

func TestOwnDefinitions(t *testing.T) {
	a := newAir()
	folder := t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(folder, "mine.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[]\n")
	inHouse(t, Config{Definitions: folder}, a, func(h *house) {
		a.join(lamp(2, 0x1111))
		wait(10 * time.Second)
		write("- match: {model: LAMP-1}\n  vendor: Mine\n  model: Best Lamp\n")
		h.must(t, http.StatusNoContent, "POST", "/definitions", "")
		d := get[detail](t, h, "/devices/0000000000000002")
		if d.Definition != "Mine Best Lamp" || d.DefinitionSource != "mine.yaml" || d.Model != "Best Lamp" {
			t.Errorf("%+v", d)
		}
		write("- match: {model: LAMP-1}\n  colour: green\n")
		if body := h.must(t, http.StatusUnprocessableEntity, "POST", "/definitions", ""); !bytes.Contains(body, []byte("mine.yaml:2")) {
			t.Errorf("what is wrong with it: %s", body)
		}
		if d := get[detail](t, h, "/devices/0000000000000002"); d.Definition != "Mine Best Lamp" {
			t.Errorf("afterwards it is %s", d.Definition)
		}
	})
}
