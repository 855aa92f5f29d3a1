package influxql_test

import (
	"bytes"
	"fmt"
	"math"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
)

// benchEnd is when the readings of the benchmark end.
var benchEnd = time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC)

// fillForBench writes thirty days of one property and a day of fifty devices, a reading every ten seconds.
func fillForBench(b *testing.B, send func([]byte)) {
	b.Helper()
	var body bytes.Buffer
	flush := func(most int) {
		if body.Len() > most {
			send(body.Bytes())
			body.Reset()
		}
	}
	reading := func(device int, at time.Time) {
		day := float64(at.Unix()%86400) / 86400
		fmt.Fprintf(&body, "hearth,device=radio:%02d temperature=%.2f %d\n", device, 21+3*math.Sin(2*math.Pi*day)+float64(at.Unix()/10%7)/100, at.UnixMilli())
		flush(1 << 20)
	}
	for at := benchEnd.AddDate(0, 0, -30); at.Before(benchEnd); at = at.Add(10 * time.Second) {
		reading(0, at)
		if benchEnd.Sub(at) <= 24*time.Hour {
			for device := 1; device < 50; device++ {
				reading(device, at.Add(time.Duration(device)*time.Millisecond))
			}
		}
	}
	flush(0)
}

// BenchmarkCharts is what a dashboard asks: goal 100 ms each. Where HEARTH_E2E is set, Debian's influxd answers the same.
func BenchmarkCharts(b *testing.B) {
	charts := []struct{ name, query string }{
		{"month-in-300", fmt.Sprintf(`SELECT mean("temperature") FROM "hearth" WHERE ("device" = 'radio:00') AND time >= %dms and time < %dms GROUP BY time(8640s) fill(null)`,
			benchEnd.AddDate(0, 0, -30).UnixMilli(), benchEnd.UnixMilli())},
		{"day-of-50-devices", fmt.Sprintf(`SELECT mean("temperature") FROM "hearth" WHERE time >= %dms and time < %dms GROUP BY time(5m), "device" fill(null)`,
			benchEnd.AddDate(0, 0, -1).UnixMilli(), benchEnd.UnixMilli())},
		{"day-of-50-together", fmt.Sprintf(`SELECT mean("temperature"), max("temperature") FROM "hearth" WHERE time >= %dms and time < %dms GROUP BY time(5m)`,
			benchEnd.AddDate(0, 0, -1).UnixMilli(), benchEnd.UnixMilli())},
		{"median-of-50", fmt.Sprintf(`SELECT median("temperature") FROM "hearth" WHERE time >= %dms and time < %dms GROUP BY time(5m)`,
			benchEnd.AddDate(0, 0, -1).UnixMilli(), benchEnd.UnixMilli())},
		{"last-of-50", `SELECT last("temperature") FROM "hearth" GROUP BY "device"`},
		{"newest-row", `SELECT * FROM "hearth" ORDER BY time DESC LIMIT 1`},
		{"raw-hour", fmt.Sprintf(`SELECT * FROM "hearth" WHERE time >= %dms`, benchEnd.Add(-time.Hour).UnixMilli())},
		{"tag-values", `SHOW TAG VALUES FROM "hearth" WITH KEY = "device"`},
	}
	measure := func(b *testing.B, base, token string) {
		for _, chart := range charts {
			b.Run(chart.name, func(b *testing.B) {
				params := url.Values{"db": {"hearth"}, "epoch": {"ms"}, "q": {chart.query}}
				var took []time.Duration
				for b.Loop() {
					began := time.Now()
					if got := ask(b, "GET", base, token, params); got.status != 200 || !strings.Contains(got.body, `"values"`) {
						b.Fatalf("%d %.300s", got.status, got.body)
					}
					took = append(took, time.Since(began))
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			})
		}
	}
	b.Run("hearth", func(b *testing.B) {
		r := newRig(b)
		go r.store.Run(b.Context())
		fillForBench(b, func(lines []byte) { write(b, r.URL, r.token[hearth.ScopeWrite], lines) })
		measure(b, r.URL, r.token[hearth.ScopeRead])
	})
	if os.Getenv("HEARTH_E2E") == "" {
		return
	}
	b.Run("influxdb", func(b *testing.B) {
		base := startInflux(b)
		fillForBench(b, func(lines []byte) { write(b, base, "", lines) })
		measure(b, base, "")
	})
}
