package web

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"hearth"
)

// stream is an open connection for live events.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
	last  string
	stop  func()
}

func (h *house) watch(t *testing.T, path, last string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	r, err := http.NewRequestWithContext(ctx, "GET", h.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+readToken)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil || reply.StatusCode != 200 {
		t.Fatalf("%v %v", reply, err)
	}
	s := &stream{t: t, lines: bufio.NewScanner(reply.Body), stop: func() { cancel(); reply.Body.Close() }}
	t.Cleanup(s.stop)
	return s
}

// next returns the next event of one of these kinds.
func (s *stream) next(kinds ...string) (kind, data string) {
	s.t.Helper()
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch field {
		case "event":
			kind = value
		case "id":
			s.last = value
		case "data":
			data = value
		case "":
			for _, wanted := range kinds {
				if data != "" && wanted == kind {
					return kind, data
				}
			}
			kind, data = "", ""
		}
	}
	s.t.Fatalf("the stream ended: %v", s.lines.Err())
	return "", ""
}

func TestEventsAreInTheirForms(t *testing.T) {
	h := newHouse(t, nil)
	h.furnish()
	s := h.watch(t, "/api/v1/events?snapshot=1", "")
	s.next("snapshot")
	if _, data := s.next("status"); !strings.Contains(data, `"home":"Cabin"`) || !strings.Contains(data, `"now":"`) {
		t.Errorf("status %s", data)
	}
	h.report(meter, "power", hearth.NumberOf(77))
	for {
		_, data := s.next("reading")
		if e := read[hearth.ReadingEvent](t, []byte(data)); e.Device == meter && e.Value == hearth.NumberOf(77) {
			break
		}
	}
	if _, err := h.home.Do(hearth.Command{ID: "c1", Device: lamp, Set: map[string]hearth.Value{"on": hearth.BoolOf(true)}, By: "test"}); err != nil {
		t.Fatal(err)
	}
	for state := hearth.State(""); state != hearth.Confirmed; {
		_, data := s.next("command")
		record := read[hearth.Record](t, []byte(data))
		if record.ID != "c1" || record.State == state {
			t.Fatalf("command %s", data)
		}
		state = record.State
	}
	name := "Desk lamp"
	if _, err := h.home.Rename(lamp, &name, nil); err != nil {
		t.Fatal(err)
	}
	for {
		if _, data := s.next("device"); strings.Contains(data, `"name":"Desk lamp"`) {
			break
		}
	}
	if err := h.home.Remove(meter); err != nil {
		t.Fatal(err)
	}
	for {
		if _, data := s.next("device"); data == `{"id":"toy:meter","forgotten":true}` {
			break
		}
	}
}

func TestEventsResume(t *testing.T) {
	h := newHouse(t, nil)
	h.furnish()
	s := h.watch(t, "/api/v1/events?device=toy:lamp", "")
	h.report(lamp, "brightness", hearth.NumberOf(1))
	for {
		if _, data := s.next("reading"); strings.Contains(data, `"value":1,`) {
			break
		}
	}
	s.stop()
	h.report(meter, "power", hearth.NumberOf(5))
	h.report(lamp, "brightness", hearth.NumberOf(2))
	h.report(lamp, "brightness", hearth.NumberOf(3))
	again := h.watch(t, "/api/v1/events?device=toy:lamp", s.last)
	for _, want := range []string{`"value":2,`, `"value":3,`} {
		if _, data := again.next("reading", "snapshot"); !strings.Contains(data, want) || !strings.Contains(data, `"toy:lamp"`) {
			t.Errorf("resumed with %s, want %s", data, want)
		}
	}
	fresh := h.watch(t, "/api/v1/events?device=toy:lamp", "before-1")
	if kind, _ := fresh.next("snapshot", "reading", "device"); kind != "snapshot" {
		t.Errorf("an id from before a restart begins with %s", kind)
	}
	if _, data := fresh.next("device", "reading"); read[hearth.DeviceView](t, []byte(data)).ID != lamp {
		t.Errorf("the snapshot has %s", data)
	}
}

func TestStatusWatchSendsWhatChanged(t *testing.T) {
	now := exampleStatus()
	watch := newStatusWatch(func() Status { return now })
	if _, news := watch.look(); !news {
		t.Error("the first is no news")
	}
	now.Uptime, now.Buffer.Produced, now.Disk.Written = 5, 99999, 1
	now.Clock.Now = hearth.Time{Time: time.Now()}
	now.Targets = []TargetStatus{now.Targets[0]}
	now.Targets[0].Backlog++
	if _, news := watch.look(); news {
		t.Error("counters are news at once")
	}
	now.Drivers = []DriverStatus{{Name: "toy", Type: "sim", State: "waiting", Error: "unplugged"}}
	if s, news := watch.look(); !news || s.Drivers[0].Error != "unplugged" {
		t.Error("a driver that stopped is no news")
	}
	watch.sent = watch.sent.Add(-statusCounts)
	if _, news := watch.look(); !news {
		t.Error("the counters are never sent")
	}
}

func TestLostEventsBecomeASnapshot(t *testing.T) {
	h := newHouse(t, nil)
	h.furnish()
	s := h.watch(t, "/api/v1/events", "")
	h.web.hub.Reset()
	s.next("snapshot")
	ids := map[hearth.ID]bool{}
	for len(ids) < 2 {
		_, data := s.next("device")
		var view hearth.DeviceView
		if err := json.Unmarshal([]byte(data), &view); err != nil {
			t.Fatal(err)
		}
		ids[view.ID] = true
	}
}
