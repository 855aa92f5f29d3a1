package jobs

import (
	"testing"
	"time"

	"hearth"
)

// BenchmarkJob gives 10 000 commands to 200 homes whose gateways are away: what it costs to find out whom a job means,
// to store the commands, and to count how far it is.
func BenchmarkJob(b *testing.B) {
	r := newRig(b, 200)
	for _, home := range r.homes {
		r.devices[home.ID] = nil
		for i := range 50 {
			r.devices[home.ID] = append(r.devices[home.ID], lamp(hearth.ID("radio:"+string(rune('A'+i%26))+string(rune('A'+i/26))), "Hall"))
		}
	}
	for b.Loop() {
		began := time.Now()
		s, err := r.jobs.start(b.Context(), "main", hearth.Token{Name: "boss", Scope: hearth.ScopeAdmin}, Wish{
			ID: "j" + hearth.NewCommandID(), Set: map[string]hearth.Value{"on": hearth.BoolOf(true)}, Select: Select{All: true}, Rate: MaxRate,
		})
		r.must(err)
		resolved := time.Since(began)
		for steps := 0; ; steps++ {
			r.pass(time.Second)
			r.must(r.jobs.step(b.Context(), true))
			if view, err := r.jobs.view(b.Context(), s); err != nil || view.States["accepted"] == 10_000 {
				r.must(err)
				break
			}
		}
		took := time.Since(began)
		began = time.Now()
		_, _, err = r.jobs.tally(b.Context(), r.jobs.db, s)
		r.must(err)
		b.ReportMetric(float64(resolved.Milliseconds()), "ms-to-start")
		b.ReportMetric(10_000/took.Seconds(), "commands/s")
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-to-count")
		for _, home := range r.homes { // the next one supersedes nothing
			r.confirm(home.ID)
		}
	}
}
