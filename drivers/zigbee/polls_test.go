package zigbee

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// tuyaMember is a device that says everything by Tuya's own cluster.
func tuyaMember(m *member, vendor string) *member {
	m.endpoints = []zdo.SimpleDescriptor{{Endpoint: 1, Profile: 0x0104, Device: 0x0051, In: []uint16{0, 4, 5, zcl.ClusterTuya}, Out: []uint16{0x19}}}
	m.values["1/0000/0004"], m.values["1/0000/0005"] = zcl.TextOf(vendor), zcl.TextOf("TS0601")
	return m
}

// queries returns how often a device was asked for all of its data points, and forgets that.
func (a *air) queries(m *member) (n int) {
	for _, f := range a.sentTo(m, zcl.ClusterTuya) {
		if !f.Global && f.Command == zcl.CmdTuyaDataQuery {
			n++
		}
	}
	a.forgetSent()
	return n
}

// A device whose definition says query_every is asked for its data points again and again while it answers.
func TestQueriesAgain(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := tuyaMember(lamp(2, 0x1111), "_TZE284_kobbcyum")
		a.join(m)
		wait(10 * time.Second)
		done(h, t, m)
		if n := a.queries(m); n != 1 {
			t.Errorf("asked %d times while it was set up, want once", n)
		}
		wait(10 * time.Minute)
		if n := a.queries(m); n != 10 {
			t.Errorf("asked %d times in ten minutes, want once a minute", n)
		}
		body := h.must(t, http.StatusOK, "GET", "/devices/"+m.ieee.String(), "")
		if want := `"command":"data_query","every":60`; !strings.Contains(string(body), want) {
			t.Errorf("its detail does not tell %s: %s", want, body)
		}
		a.with(func() { m.silent = true })
		wait(10 * time.Minute)
		h.expect(t, h.id(m), "reachable", hearth.BoolOf(false))
		a.queries(m)
		wait(10 * time.Minute)
		if n := a.queries(m); n != 0 {
			t.Errorf("asked %d times while it was out of reach", n)
		}
	})
}

// One that sleeps is asked when it has just said something, and not more often than its definition says.
func TestQueriesSleepersWhenAwake(t *testing.T) {
	folder := t.TempDir()
	text := "- match: {vendor: _TZE200_asleep00, model: TS0601}\n  vendor: Tuya\n  model: sleeper\n  tuya:\n    query_every: 10m\n    points: [{dp: 1, property: temperature}]\n"
	if err := os.WriteFile(filepath.Join(folder, "own.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := newAir()
	inHouse(t, Config{Definitions: folder}, a, func(h *house) {
		m := tuyaMember(thermometer(3, 0x2222), "_TZE200_asleep00")
		a.join(m)
		wait(10 * time.Second)
		done(h, t, m)
		a.queries(m)
		wait(time.Hour)
		if n := a.queries(m); n != 0 {
			t.Errorf("asked %d times while it sleeps", n)
		}
		for range 12 {
			m.sequence++
			f := zcl.ClusterResponse(zcl.CmdTuyaDataReport, 0, m.sequence, 1, 2, 0, 4, 0, 0, 0, m.sequence)
			f.Sequence, f.NoDefaultResponse = m.sequence, true
			a.say(m.message(zcl.ClusterTuya, f))
			wait(5 * time.Minute)
		}
		h.expect(t, h.id(m), "temperature", hearth.NumberOf(float64(m.sequence)))
		if n := a.queries(m); n != 6 {
			t.Errorf("asked %d times in an hour in which it spoke every five minutes, want every ten", n)
		}
	})
}
