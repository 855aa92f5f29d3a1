package hap

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"
)

func TestReadCharacteristics(t *testing.T) {
	w := start(t, 4, nil)
	w.h.read = func(a *accessory.A, _ *characteristic.C) Status {
		if a.Id == 3 {
			return OutOfReach
		}
		return OK
	}
	c := w.session(w.pair("phone"))
	m := c.do(200, "GET", fmt.Sprintf("/characteristics?id=2.%d,2.%d,2.%d&meta=1&perms=1&type=1&ev=1", iidBrightness, iidTemp, iidButton), "")
	got := m.items(t)
	if got[0].Format != "int" && got[0].Format != "int32" || got[0].MaxValue != 100.0 || got[0].Type != "8" || len(got[0].Perms) != 3 || got[0].Ev == nil || *got[0].Ev || got[0].Status != nil {
		t.Errorf("%s", m.body)
	}
	if !strings.Contains(string(m.body), `"value":null`) {
		t.Errorf("a button has a value: %s", m.body)
	}
	m = c.do(207, "GET", fmt.Sprintf("/characteristics?id=2.%d,3.%d,9.9,2.%d,2.999", iidOn, iidOn, iidSecret), "")
	want := fmt.Sprintf(`{"characteristics":[{"aid":2,"iid":%d,"value":false,"status":0},{"aid":3,"iid":%d,"status":-70402},{"aid":9,"iid":9,"status":-70409},{"aid":2,"iid":%d,"status":-70405},{"aid":2,"iid":999,"status":-70409}]}`, iidOn, iidOn, iidSecret)
	if string(m.body) != want {
		t.Errorf("%s\n%s", m.body, want)
	}
	for _, bad := range []string{"", "?id=", "?id=1", "?id=a.b", "?id=1.2,", "?id=-1.2", "?id=1.99999999999999999999"} {
		c.do(400, "GET", "/characteristics"+bad, "")
	}
	c.do(404, "POST", "/resource", "{}")
	c.do(404, "GET", "/nothing", "")
	c.do(405, "DELETE", "/characteristics", "")
	u := w.dial()
	for _, path := range []string{"/accessories", "/characteristics?id=1.2"} {
		u.do(470, "GET", path, "")
	}
	u.do(470, "PUT", "/characteristics", `{}`)
	u.do(470, "PUT", "/prepare", `{}`)
	u.do(470, "POST", "/pairings", `x`)
	u.do(470, "POST", "/resource", `{}`)
}

func TestWriteCharacteristics(t *testing.T) {
	w := start(t, 4, nil)
	w.h.write = func(_ context.Context, a *accessory.A, writes []Write) []Status {
		if a.Id == 3 {
			return []Status{OutOfReach}
		}
		return make([]Status, len(writes))
	}
	c := w.session(w.pair("phone"))
	c.put(204, `{"characteristics":[{"aid":2,"iid":%d,"value":1},{"aid":2,"iid":%d,"value":40}]}`, iidOn, iidBrightness)
	if w.h.calls != 1 || len(w.h.writes) != 2 || w.h.writes[0].Value != true || w.h.writes[1].Value != 40 || w.h.writes[0].Controller != "phone" || w.h.writes[0].Timed {
		t.Errorf("one request, one call: %d %+v", w.h.calls, w.h.writes)
	}
	if got := c.read("2.11,2.12"); got[0].Value != true || got[1].Value != 40.0 {
		t.Errorf("not in the cache: %v", got)
	}
	for _, test := range []struct {
		iid    int
		value  string
		status int
	}{
		{iidBrightness, "101", -70410},
		{iidBrightness, "-1", -70410},
		{iidBrightness, "50.5", -70410},
		{iidBrightness, `"50"`, -70410},
		{iidBrightness, "null", -70410},
		{iidBrightness, "[]", -70410},
		{iidBrightness, `{"a":[1]}`, -70410},
		{iidBrightness, "1e400", -70410},
		{iidOn, "2", -70410},
		{iidOn, `"on"`, -70410},
		{iidTemp, "20", -70404},
		{iidNote, `"123456789"`, -70410},
		{iidNote, `"ööööäääü"`, 0},
		{iidNote, "5", -70410},
		{iidSecret, "256", -70410},
		{iidSecret, "255", 0},
		{iidControl, `"AAA="`, 0},
		{iidControl, `"?"`, -70410},
		{iidLock, "1", -70410}, // not prepared
		{999, "1", -70409},
	} {
		m := c.put(207, `{"characteristics":[{"aid":2,"iid":%d,"value":%s},{"aid":3,"iid":%d,"value":false}]}`, test.iid, test.value, iidOn)
		got := m.items(t)
		if len(got) != 2 || got[0].Status == nil || *got[0].Status != test.status || *got[1].Status != -70402 {
			t.Errorf("iid %d = %s: %s", test.iid, test.value, m.body)
		}
	}
	m := c.put(207, `{"characteristics":[{"aid":2,"iid":%d,"ev":true},{"aid":2,"iid":%d,"ev":true},{"aid":2,"iid":%d}]}`, iidNote, iidOn, iidOn)
	if got := m.items(t); *got[0].Status != -70406 || *got[1].Status != 0 || *got[2].Status != -70410 {
		t.Errorf("%s", m.body)
	}
	m = c.put(207, `{"characteristics":[{"aid":2,"iid":%d,"value":"AQEB","r":true},{"aid":2,"iid":%d,"value":true}]}`, iidControl, iidOn)
	if got := m.items(t); got[0].Value != "AQEB" || *got[0].Status != 0 || *got[1].Status != 0 {
		t.Errorf("write response: %s", m.body)
	}
	for _, bad := range []string{"", "{", "[]", `{"characteristics":{}}`, `{"characteristics":[]}`, `{"characteristics":[{"aid":-1}]}`, strings.Repeat("[", 20000)} {
		c.do(400, "PUT", "/characteristics", bad)
	}
	c.raw(c.seal.seal(request("PUT", "/characteristics", contentJSON, make([]byte, bodyMost+1))))
	if m, err := c.response(); err == nil && m.status != 413 {
		t.Errorf("%v %v", m, err)
	}
}

func TestTimedWrites(t *testing.T) {
	w := start(t, 2, nil)
	c := w.session(w.pair("phone"))
	lock := func(pid string) int {
		t.Helper()
		m, err := c.try("PUT", "/characteristics", fmt.Sprintf(`{"characteristics":[{"aid":2,"iid":%d,"value":1}]%s}`, iidLock, pid))
		if err != nil {
			t.Fatal(err)
		}
		if m.status == 204 {
			return 0
		}
		return *m.items(t)[0].Status
	}
	prepare := func(ttl, pid int) { c.do(200, "PUT", "/prepare", fmt.Sprintf(`{"ttl":%d,"pid":%d}`, ttl, pid)) }
	if got := lock(""); got != -70410 {
		t.Errorf("not prepared: %d", got)
	}
	prepare(5000, 11)
	if got := lock(`,"pid":12`); got != -70410 {
		t.Errorf("wrong pid: %d", got)
	}
	if got := lock(`,"pid":11`); got != 0 || !w.h.writes[0].Timed {
		t.Errorf("prepared: %d", got)
	}
	if got := lock(`,"pid":11`); got != -70410 {
		t.Errorf("a pid twice: %d", got)
	}
	prepare(20, 13)
	time.Sleep(40 * time.Millisecond)
	if got := lock(`,"pid":13`); got != -70410 {
		t.Errorf("too late: %d", got)
	}
	m := c.put(207, `{"characteristics":[{"aid":2,"iid":%d,"value":true}],"pid":99}`, iidOn) // also for those that need no preparation
	if *m.items(t)[0].Status != -70410 {
		t.Errorf("%s", m.body)
	}
	if len(w.h.writes) != 1 {
		t.Errorf("refused writes arrived: %v", w.h.writes)
	}
	c.put(204, `{"characteristics":[{"aid":2,"iid":11,"ev":true}]}`)
	for _, bad := range []string{`{}`, `{"ttl":5}`, `{"pid":5}`, `{"ttl":0,"pid":1}`, `{"ttl":-1,"pid":1}`, `x`} {
		c.do(400, "PUT", "/prepare", bad)
	}
}

func TestEvents(t *testing.T) {
	w := start(t, 3, nil)
	k := w.pair("phone")
	a, b := w.session(k), w.session(k) // a phone and a hub of the same person have the same id
	for _, c := range []*client{a, b} {
		c.subscribe(2, iidOn)
		c.subscribe(2, iidTemp)
	}
	a.put(204, `{"characteristics":[{"aid":2,"iid":%d,"value":true}]}`, iidOn)
	if got := b.wantEvent(time.Second); string(got.body) != fmt.Sprintf(`{"characteristics":[{"aid":2,"iid":%d,"value":true}]}`, iidOn) {
		t.Errorf("%s", got.body)
	}
	a.silent(150 * time.Millisecond) // not its own write
	w.changed(2, iidOn, true)        // nothing new
	b.silent(150 * time.Millisecond)
	w.changed(2, iidTemp, 21.5)
	w.changed(2, iidOn, false)
	for _, c := range []*client{a, b} { // changes at the same time come together
		if got := c.wantEvent(time.Second).items(t); len(got) != 2 || got[0].Value != false || got[1].Value != 21.5 {
			t.Errorf("%v", got)
		}
	}
	w.changed(2, iidTemp, 1e9)
	if got := a.wantEvent(time.Second).items(t); got[0].Value != 100.0 {
		t.Errorf("out of range: %v", got)
	}
	b.wantEvent(time.Second)
	a.put(204, `{"characteristics":[{"aid":2,"iid":%d,"ev":false}]}`, iidTemp)
	w.changed(2, iidTemp, 3)
	a.silent(150 * time.Millisecond)
	b.wantEvent(time.Second)
	for _, nonsense := range []any{nil, "warm", []int{1}, struct{}{}} {
		w.changed(2, iidTemp, nonsense)
	}
	b.silent(150 * time.Millisecond)
	if s := w.s.Stats(); s.Verified != 2 || s.Events == 0 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

// A device that answers with another value while it is written to has the last word.
func TestDeviceHasTheLastWord(t *testing.T) {
	w := start(t, 2, nil)
	_, brightness := find(w.all, 2, iidBrightness)
	w.h.write = func(_ context.Context, a *accessory.A, writes []Write) []Status {
		value := writes[0].Value
		if value == 40 {
			value = 42
		}
		w.s.Changed(a, brightness, value, writes[0].Controller)
		return make([]Status, len(writes))
	}
	k := w.pair("phone")
	a, b := w.session(k), w.session(k)
	a.subscribe(2, iidBrightness)
	b.subscribe(2, iidBrightness)
	a.put(204, `{"characteristics":[{"aid":2,"iid":%d,"value":40}]}`, iidBrightness)
	for _, c := range []*client{a, b} {
		if got := c.wantEvent(time.Second).items(t); got[0].Value != 42.0 {
			t.Errorf("%v", got)
		}
	}
	a.put(204, `{"characteristics":[{"aid":2,"iid":%d,"value":50}]}`, iidBrightness)
	b.wantEvent(time.Second)
	a.silent(100 * time.Millisecond)
}

func TestButtons(t *testing.T) {
	w := start(t, 2, func(o *Options) { o.Coalesce = time.Second })
	k := w.pair("phone")
	c := w.session(k)
	c.subscribe(2, iidButton)
	c.subscribe(2, iidOn)
	w.changed(2, iidOn, true)
	c.wantEvent(time.Second)
	w.changed(2, iidOn, false) // waits for its turn
	began := time.Now()
	for range 3 {
		w.changed(2, iidButton, 0)
	}
	w.changed(2, iidButton, 2)
	for _, want := range []float64{0, 0, 0, 2} {
		if got := c.wantEvent(time.Second).items(t); len(got) != 1 || got[0].IID != iidButton || got[0].Value != want {
			t.Errorf("%v", got)
		}
	}
	if late := time.Since(began); late > 300*time.Millisecond {
		t.Errorf("presses took %v", late)
	}
	if got := c.wantEvent(2 * time.Second).items(t); got[0].Value != false {
		t.Errorf("%v", got)
	}
	again := w.session(k)
	again.subscribe(2, iidButton)
	again.silent(100 * time.Millisecond) // a press is not told again
}

func TestCoalescing(t *testing.T) {
	w := start(t, 2, func(o *Options) { o.Coalesce = 100 * time.Millisecond })
	c := w.session(w.pair("phone"))
	c.subscribe(2, iidTemp)
	began := time.Now()
	for n := range 500 {
		w.changed(2, iidTemp, float64(n)/10)
		time.Sleep(time.Millisecond)
	}
	lasted := time.Since(began)
	count, last := 0, 0.0
	for last != 49.9 {
		got := c.wantEvent(time.Second).items(t)
		if value := got[0].Value.(float64); len(got) != 1 || value <= last && count > 0 {
			t.Fatalf("after %v: %v", last, got)
		} else {
			last = value
		}
		count++
	}
	if most := int(lasted/(100*time.Millisecond)) + 2; count > most {
		t.Errorf("%d events in %v", count, lasted)
	}
}

func TestPublish(t *testing.T) {
	w := start(t, 3, nil)
	number := func() string { return w.s.text()["c#"] }
	if number() != "1" {
		t.Fatal(number())
	}
	k := w.pair("phone")
	c := w.session(k)
	c.subscribe(2, iidTemp)
	c.subscribe(3, iidTemp)
	w.changed(2, iidTemp, 20)
	c.wantEvent(time.Second)
	if err := w.s.Publish(w.all); err != nil || number() != "1" {
		t.Errorf("the same again: %v %s", err, number())
	}
	if got := c.read("2.13"); got[0].Value != 20.0 {
		t.Errorf("the value is lost: %v", got)
	}
	_, temperature := find(w.all, 2, iidTemp)
	fresh := home(3)
	if err := w.s.Publish(fresh); err != nil || number() != "1" {
		t.Errorf("other objects, the same structure: %v %s", err, number())
	}
	if got := c.wantEvent(time.Second).items(t); got[0].Value != 0.0 {
		t.Errorf("another value by publishing: %v", got)
	}
	w.s.Changed(w.all[1], temperature, 30, "") // an object of before
	c.silent(100 * time.Millisecond)
	w.all = append(fresh[:2:2], lamp(4))
	if err := w.s.Publish(w.all); err != nil || number() != "2" {
		t.Errorf("another structure: %v %s", err, number())
	}
	w.changed(2, iidTemp, 25)
	w.changed(4, iidTemp, 25)
	if got := c.wantEvent(time.Second).items(t); len(got) != 1 || got[0].AID != 2 {
		t.Errorf("%v", got)
	}
	w.store.mu.Lock()
	w.store.m[keyConfig] = []byte(`{"number":65535,"hash":"x"}`)
	w.store.mu.Unlock()
	w.stop()
	if w = startWith(t, w.store, home(2), nil); w.s.text()["c#"] != "1" {
		t.Errorf("after 65535 comes %s", w.s.text()["c#"])
	}
}

func TestPublishRefuses(t *testing.T) {
	w := start(t, 2, nil)
	same := lamp(2)
	for name, all := range map[string][]*accessory.A{
		"none":          nil,
		"nil":           {bridge(), nil},
		"twice":         {bridge(), lamp(2), lamp(2)},
		"no bridge":     {lamp(2)},
		"no id":         {bridge(), lamp(0)},
		"an object two": {bridge(), same, func() *accessory.A { a := *same; a.Id = 3; return &a }()},
		"too many":      home(151),
		"double iid":    {bridge(), func() *accessory.A { a := lamp(2); a.Ss[1].Cs[0].Id = 10; return a }()},
		"no iid":        {bridge(), func() *accessory.A { a := lamp(2); a.Ss[1].Cs[0].Id = 0; return a }()},
		"a format":      {bridge(), func() *accessory.A { a := lamp(2); a.Ss[1].Cs[0].Format = "int"; return a }()},
		"limits":        {bridge(), func() *accessory.A { a := lamp(2); a.Ss[1].Cs[1].MinVal = 1000; return a }()},
		"linked":        {bridge(), func() *accessory.A { a := lamp(2); a.Ss[1].Linked = []*service.S{{}}; return a }()},
	} {
		if err := w.s.Publish(all); err == nil {
			t.Errorf("%s is published", name)
		}
	}
}

// Apple's name for a whole number with a sign is int.
func TestFormatOfWholeNumbers(t *testing.T) {
	all := home(2)
	_, brightness := find(all, 2, iidBrightness)
	if got := metaOf(brightness).Format; brightness.Format != characteristic.FormatInt32 || got != "int" {
		t.Errorf("%s is shown as %s", brightness.Format, got)
	}
}
