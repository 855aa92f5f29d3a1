package alerts

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
)

// BenchmarkStep is one second of 10 000 homes of 25 devices, in a tenth of which something happens, with five rules.
func BenchmarkStep(b *testing.B) {
	books, err := accounts.Open(b.Context(), accounts.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer books.Close()
	p, _ := hearth.Word("temperature")
	value := hearth.NumberOf(20)
	devices := make([]hearth.DeviceView, 25)
	for i := range devices {
		devices[i] = hearth.DeviceView{ID: hearth.ID(fmt.Sprint("radio:", i)), Type: "sensor", Reachable: true, Properties: []hearth.PropertyView{{Property: p, Value: &value}}}
	}
	a := New(Options{
		Accounts: books, Log: slog.New(slog.DiscardHandler), Emit: func(string, string, any) {},
		Wrong: func(string) ([]hearth.Condition, bool) {
			return []hearth.Condition{{Kind: hearth.AlertBatteryLow, About: "radio:1", Keeps: true}}, true
		},
		Look: func(_ string, look func(*hearth.DeviceView) bool) {
			for i := range devices {
				look(&devices[i])
			}
		},
	})
	const homes = 10_000
	for i := range 5 {
		if _, err := a.putRule(b.Context(), "main", Rule{Property: "temperature", Op: ">", Value: hearth.NumberOf(30 + float64(i))}); err != nil {
			b.Fatal(err)
		}
	}
	names := make([]string, homes)
	for i := range names {
		names[i] = fmt.Sprint("h", i)
		a.watch(names[i]).tenant = "main"
	}
	a.order, a.loaded, a.leading, a.listed, a.shared, a.pruned = names, true, true, time.Now().Add(time.Hour), time.Now().Add(time.Hour), time.Now().Add(time.Hour)
	for i := 0; b.Loop(); i++ {
		for n := range homes / 10 {
			a.Touch(names[(i*1000+n)%homes])
		}
		if err := a.step(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
