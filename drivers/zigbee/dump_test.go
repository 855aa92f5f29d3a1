package zigbee

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/zcl"
)

// A dump through the bytes: of a lamp with attributes of its manufacturer's, of Tuya's, and of one that sleeps.
func TestDump(t *testing.T) {
	models, err := fake.Models()
	if err != nil {
		t.Fatal(err)
	}
	model := func(name string) *fake.Model {
		for _, m := range models {
			if m.Name == name {
				return m
			}
		}
		t.Fatalf("there is no fake %s", name)
		return nil
	}
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s := newStack(t, protocol)
		defer s.mesh.Close()
		s.open(t, drivertest.NewEnv(t, "radio"), string(protocol))
		defer s.close(t)

		_, hue := s.pair(t, "hue", model("light-hue-color"))
		text := s.dump(t, hue.Address())
		for _, want := range []string{
			`- match: {vendor: "Signify Netherlands B.V.", model: "LCA001"}`, "manufacturer code 0x100b", "cluster: on_off, attribute: on_off, type: bool} # false, reportable",
			"manufacturer: 0x100b", `attribute: model_identifier, type: char_string} # "LCA001"`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the dump lacks %s:\n%s", want, text)
			}
		}
		if strings.Contains(text, "unsupported") {
			t.Errorf("what the lamp does not have is in the dump:\n%s", text)
		}
		checkDefinition(t, text)

		thermometer, id := s.pair(t, "sensor", sensor())
		if err := thermometer.SetNumber(1, zcl.ClusterTemperatureMeasurement, 0, 1875); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute) // it is asleep by then
		text = s.dump(t, "radio:"+id.Address())
		if !strings.Contains(text, "cluster: temperature_measurement, attribute: measured_value, type: int16} # 1875") {
			t.Errorf("the sleeper's dump:\n%s", text)
		}
		checkDefinition(t, text)
	})
}

func (s *stack) dump(t *testing.T, device string) string {
	t.Helper()
	began := time.Now()
	w := s.ask("GET", "/devices/"+device+"/dump", "")
	t.Logf("the dump took %v", time.Since(began))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/yaml") {
		t.Fatalf("answered %d %v: %s", w.Code, w.Header(), w.Body)
	}
	return w.Body.String()
}

// checkDefinition reads a dump as a definition: as it is, and with every line that can be one taken into use.
func checkDefinition(t *testing.T, text string) {
	t.Helper()
	read, err := quirks.Parse("dump.yaml", []byte(text))
	if err != nil || len(read) != 1 || len(read[0].Match) != 1 {
		t.Fatalf("read as it is: %v, %v\n%s", read, err, text)
	}
	blank, number := regexp.MustCompile(`property: ""`), 0
	var used strings.Builder
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "  # "); ok && (strings.Contains(rest, `property: ""`) || strings.HasSuffix(strings.TrimSpace(rest), "s:")) {
			line = "  " + strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(rest, "  "), "# "), `value: ""`, `value: "pressed"`)
			if strings.HasPrefix(strings.TrimSpace(line), "- {") {
				line = "    " + strings.TrimLeft(line, " #")
			}
		}
		line = blank.ReplaceAllStringFunc(line, func(string) string {
			number++
			return "property: own_" + strings.Repeat("x", number)
		})
		if !strings.HasPrefix(line, "  #") {
			used.WriteString(line)
		}
	}
	if read, err = quirks.Parse("used.yaml", []byte(used.String())); err != nil || len(read[0].Attributes) == 0 {
		t.Errorf("with every line taken into use: %v\n%s", err, used.String())
	}
}

// What is unknown of a device must not make a definition that fits every other one.
func TestDumpOfNobody(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(10 * time.Second)
		h.driver.mu.Lock()
		defer h.driver.mu.Unlock()
		dev := h.driver.devices[m.ieee]
		dev.Vendor, dev.Model = "", ""
		text := (&dump{s: h.driver.session, dev: dev}).text(errAway)
		read, err := quirks.Parse("dump.yaml", []byte(text))
		if err != nil || len(read) != 1 || len(read[0].Match[0].Model)+len(read[0].Match[0].Vendor) == 0 {
			t.Errorf("%v\n%s", err, text)
		}
		if !strings.Contains(text, errAway.Error()) {
			t.Errorf("it does not say why it is not all:\n%s", text)
		}
	})
}

// Tuya's data points, Aqara's tags and a remote's commands are in it as they were heard.
func TestDumpOfWhatWasHeard(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(10 * time.Second)
		points := zcl.ClusterResponse(zcl.CmdTuyaDataReport, 0, 1, 5, 2, 0, 4, 0, 0, 0, 215)
		tags := zcl.ReportAttributes(zcl.Attribute{ID: quirks.AttrAqaraTags, Value: zcl.BytesOf([]byte{3, 0x28, 25, 5, 0x21, 1, 0})})
		tags.Manufacturer, tags.Sequence = 0x115f, 60
		toggle := zcl.ClusterCommand(zcl.CmdOnOffToggle, 1, 2)
		toggle.Sequence = 61
		a.say(m.message(zcl.ClusterTuya, points), m.message(zcl.ClusterAqara, tags), m.message(zcl.ClusterOnOff, toggle))
		synctest.Wait()
		h.driver.mu.Lock()
		defer h.driver.mu.Unlock()
		text := (&dump{s: h.driver.session, dev: h.driver.devices[m.ieee]}).text(nil)
		for _, want := range []string{
			"{dp: 5, type: value, property: \"\"} # 215", "{tag: 0x03, property: \"\"} # int8 25", "{tag: 0x05, property: \"\"} # uint16 1",
			"cluster: on_off, command: toggle} # payload 0102",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the dump lacks %s:\n%s", want, text)
			}
		}
	})
}

// A device that answers nothing at all is an error, and a few dumps at a time are enough.
func TestDumpInVain(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(10 * time.Second)
		a.with(func() { m.silent = true })
		answered := make(chan int)
		for range dumpsAtOnce {
			go func() { answered <- h.ask("GET", "/devices/0000000000000002/dump", "").Code }()
		}
		synctest.Wait()
		h.must(t, http.StatusTooManyRequests, "GET", "/devices/0000000000000002/dump", "")
		for range dumpsAtOnce {
			if status := <-answered; status != http.StatusServiceUnavailable {
				t.Errorf("answered %d", status)
			}
		}
	})
}
