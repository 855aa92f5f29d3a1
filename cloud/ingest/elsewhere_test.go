package ingest

import (
	"net/http"
	"reflect"
	"slices"
	"testing"

	"hearth"
	"hearth/cloud/series"
)

// remembering is a store that keeps what it was given.
type remembering struct {
	*series.Store
	last    series.Write
	outcome series.Outcome
}

func (s *remembering) Write(w series.Write) (series.Outcome, error) {
	outcome, err := s.Store.Write(w)
	s.last, s.outcome = w, outcome
	s.last.Points, s.last.Gaps = slices.Clone(w.Points), slices.Clone(w.Gaps)
	return outcome, err
}

// Another receiver tells of a write what the one that took it tells.
func TestArrivalOf(t *testing.T) {
	r := newRig(t)
	store := &remembering{Store: r.store}
	r.in.o.Store = store
	body := "hearth,device=radio:1 temperature=21.5,on=true 1000\nhearth,a=b,device=radio:2,home=x clock=\"repaired\",power=1 2000\n" +
		"cpu,host=a load=1 3000\nhearth_gap count=5,reason=\"cap\",to=4000 1000\nhearth,device=radio:1 temperature= 5\n"
	ledger := hearth.Ledger{Produced: 20, Backlog: 12}
	for range 2 { // the second one is a duplicate
		if answer := r.batch("e/1", ledger.String(), body); answer.Code != http.StatusNoContent {
			t.Fatal(answer.Code, answer.Body)
		}
		want := r.arrivals[len(r.arrivals)-1]
		if got := ArrivalOf(store.last, store.outcome); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v\nwant %+v", got, want)
		}
	}
	if n := len(r.arrivals[0].Readings); n != 3 || len(r.arrivals[0].Gaps) != 1 {
		t.Errorf("%+v", r.arrivals[0])
	}
}
