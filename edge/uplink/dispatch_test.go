package uplink

import (
	"encoding/json"
	"fmt"
	"testing"

	"hearth"
	"hearth/drivers/drivertest"
)

func FuzzCommand(f *testing.F) {
	f.Add([]byte(`{"id":"c1","device":"toy:lamp","set":{"on":true},"deadline":"2026-11-22T20:00:00.000Z"}`))
	f.Add([]byte(`{"n":7,"state":"applied","id":"c1","device":"toy:lamp","set":{"on":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		cmd, err := parseCommand(data)
		if err == nil && (cmd.ID == "" || cmd.Device == "" || len(data) > maxPayload) {
			t.Errorf("%q was taken as %+v", data, cmd)
		}
		if o, _, errListed := parseListed(data); errListed == nil && o.ID != cmd.ID {
			t.Errorf("listed %+v, sent %+v", o, cmd)
		}
	})
}

func TestTheOutboxIsBounded(t *testing.T) {
	store := drivertest.NewStore()
	box, err := openOutbox(store)
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxHeld + 50 {
		id := fmt.Sprintf("c%04d", i)
		for _, r := range []hearth.Result{{ID: id, State: hearth.Sent}, {ID: id, State: hearth.Confirmed, Final: true}} {
			if err := box.say(r, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	if store.Len() != maxHeld || len(box.queue) != maxQueued {
		t.Errorf("%d kept, %d queued", store.Len(), len(box.queue))
	}
	if a, _ := box.take(); !a.Result.Final || a.Result.ID != "c0050" {
		t.Errorf("the first to be said is %+v", a)
	}
	again, err := openOutbox(store)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.settle(map[string]bool{"c0100": true, "c0999": true}, again.mark()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"c0100", "c0999"} {
		a, ok := again.take()
		if !ok || a.Result.ID != want {
			t.Errorf("said %+v, want %s", a, want)
		}
		if err := again.delivered(a); err != nil {
			t.Fatal(err)
		}
	}
	if store.Len() != 0 {
		t.Errorf("%d kept after everything has arrived", store.Len())
	}
}

func TestAnswersGivenWhileTheListWasFetchedAreKept(t *testing.T) {
	box, err := openOutbox(drivertest.NewStore())
	if err != nil {
		t.Fatal(err)
	}
	mark := box.mark()
	if err := box.say(hearth.Result{ID: "new", State: hearth.Confirmed, Final: true}, false); err != nil {
		t.Fatal(err)
	}
	if err := box.settle(nil, mark); err != nil {
		t.Fatal(err)
	}
	if a, ok := box.take(); !ok || a.Result.ID != "new" || !box.holds("new") {
		t.Errorf("said %+v", a)
	}
}

func FuzzOutbox(f *testing.F) {
	good, err := json.Marshal(answer{Number: 7, Result: hearth.Result{ID: "c1", State: hearth.Confirmed, Final: true}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("c1", good)
	f.Add("c1", []byte("{"))
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		store := drivertest.NewStore()
		if err := store.Put(key, data); err != nil {
			t.Fatal(err)
		}
		box, err := openOutbox(store)
		if err != nil {
			t.Fatal(err)
		}
		if len(box.held) != store.Len() {
			t.Errorf("%d held, %d stored", len(box.held), store.Len())
		}
	})
}
