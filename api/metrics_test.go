package api

import (
	"math"
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	w := serveAs(ServeMetrics(func(m *Metrics) {
		m.Gauge("a_bytes", "Size\nof a \\ thing.", 1.5e9)
		m.Counter("b_total", "Count.", 3, "name", "with \"quotes\" \\ and\nlines", "kind", "x")
		m.Gauge("a_bytes", "Size\nof a \\ thing.", math.Inf(1), "other", "")
	}), "GET", "/metrics")
	want := strings.Join([]string{
		`# HELP a_bytes Size\nof a \\ thing.`,
		`# TYPE a_bytes gauge`,
		`a_bytes 1.5e+09`,
		`a_bytes{other=""} +Inf`,
		`# HELP b_total Count.`,
		`# TYPE b_total counter`,
		`b_total{name="with \"quotes\" \\ and\nlines",kind="x"} 3`,
		``,
	}, "\n")
	if w.Body.String() != want {
		t.Errorf("got\n%s\nwant\n%s", w.Body, want)
	}
	if mime := w.Header().Get("Content-Type"); mime != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("media type %s", mime)
	}
}
