package ingest

import (
	"testing"
	"time"

	"hearth"
)

func TestTake(t *testing.T) {
	r := newRig(t)
	at := time.Now().Truncate(time.Millisecond)
	token := hearth.Token{Hash: "x"}
	r.must(r.in.Take(token, r.home.ID, []hearth.Reading{{Device: "direct:1", Property: "power", Value: hearth.NumberOf(5), Time: at}}))
	points, err := r.store.Last(r.home.ID)
	if err != nil || len(points) != 1 || points[0].Series != "hearth,device=direct:1" || points[0].Value != hearth.NumberOf(5) || points[0].Time != at.UnixNano() {
		t.Errorf("%+v, %v", points, err)
	}
	if report, err := r.store.Ledger(r.home.ID, time.Time{}, time.Time{}); err != nil || report.Total.Received != 1 || report.Total.Unexplained != 0 {
		t.Errorf("the ledger: %+v, %v", report.Total, err)
	}
	many := make([]hearth.Reading, 1000)
	for i := range many {
		many[i] = hearth.Reading{Device: "direct:1", Property: "power", Value: hearth.NumberOf(1), Time: at.Add(time.Duration(i) * time.Millisecond)}
	}
	for range directBurst/len(many) + 2 {
		err = r.in.Take(token, r.home.ID, many)
	}
	if hearth.ErrorOf(err).Code != hearth.CodeBusy {
		t.Errorf("too many: %v", err)
	}
	r.must(r.in.Take(hearth.Token{Hash: "y"}, r.other.ID, many)) // another's rate is another's
}
