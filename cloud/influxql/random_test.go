package influxql_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"hearth"
)

// TestLikeInfluxDBAtRandom asks both servers statements put together by chance.
func TestLikeInfluxDBAtRandom(t *testing.T) {
	theirs := startInflux(t)
	r := newRig(t)
	write(t, theirs, "", homeLines())
	write(t, r.URL, r.token[hearth.ScopeWrite], homeLines())
	const seed = 1
	g := &generator{rand.New(rand.NewPCG(seed, seed))}
	answered := 0
	for range 1500 {
		q := g.statement()
		params := url.Values{"db": {"hearth"}, "q": {q}, "epoch": {"ms"}}
		if diff := compare(t, theirs, r, params); diff != "" {
			t.Errorf("%s\n%s", q, diff)
		}
		if strings.Contains(ask(t, "POST", r.URL, r.token[hearth.ScopeRead], params).body, "values") {
			answered++
		}
	}
	t.Logf("%d of 1500 had rows", answered)
	if answered < 500 {
		t.Errorf("only %d statements had rows", answered)
	}
}

type generator struct{ *rand.Rand }

func (g *generator) of(choices ...string) string { return choices[g.IntN(len(choices))] }

// sometimes returns s one time out of n.
func (g *generator) sometimes(n int, s string) string {
	if g.IntN(n) == 0 {
		return s
	}
	return ""
}

func (g *generator) statement() string {
	switch g.IntN(8) {
	case 0:
		return g.outer()
	case 1, 2:
		return g.raw(g.of("hearth", "hearth", "counter", "bare"))
	}
	return g.grouped(g.of("hearth", "hearth", "cpu", "counter", "bare"))
}

// field is a numeric field of a measurement.
func (g *generator) field(from string) string {
	switch from {
	case "cpu":
		return g.of("usage_user", "usage_idle")
	case "counter":
		return g.of("total", "small")
	case "bare":
		return "value"
	}
	return g.of("temperature", "humidity", "power")
}

func (g *generator) call(from string, interval bool) string {
	f := g.field(from)
	simple := g.of("mean", "min", "max", "sum", "count", "spread", "median", "stddev") + "(" + f + ")"
	if from != "cpu" && g.IntN(4) == 0 { // its series share their times
		simple = g.of("first", "last") + "(" + f + ")"
	}
	switch g.IntN(6) {
	case 0:
		if interval {
			return g.of("derivative", "non_negative_derivative", "difference", "non_negative_difference", "cumulative_sum", "elapsed") + "(" + simple + ")"
		}
	case 1:
		if interval { // without one it has the time of a point, and several may have its value
			return fmt.Sprintf("percentile(%s, %d)", f, 50+g.IntN(51))
		}
	case 2:
		return simple + g.of(" * 2", " + 1", " / 4", " - 0.5") + g.sometimes(3, " + "+g.of("mean", "max", "sum", "count")+"("+g.field(from)+")")
	}
	return simple
}

func (g *generator) where(from string) string {
	times := g.of(threeHours, oneHour, `time >= '2026-03-10T00:17:31Z' AND time < '2026-03-10T02:03:00Z'`)
	if from == "bare" {
		times = `time > '2026-03-09T23:10:00Z' AND time < '2026-03-10T10:00:00Z'`
	}
	other := ""
	switch from {
	case "hearth":
		other = g.of("device = 'radio:a'", "device != 'radio:b'", "device =~ /[ab]$/", "temperature > 22", "humidity <= 50 OR device = 'radio:c'", "power < 100", "\"on\" = true", "mode !~ /x/")
	case "cpu":
		other = g.of("host = 'pi'", "cpu =~ /total/", "region = ''", "usage_user >= 2", "host != 'pi' AND usage_idle < 99")
	case "counter":
		other = g.of("total > 20", "small < 15 AND total < 60")
	case "bare":
		other = g.of("value > 3", "value != 4")
	}
	if g.IntN(3) == 0 {
		return " WHERE (" + other + ") AND " + times
	}
	return " WHERE " + times
}

func (g *generator) grouped(from string) string {
	interval := g.IntN(3) > 0
	calls := []string{}
	for i := range 1 + g.IntN(3) {
		calls = append(calls, g.call(from, interval)+fmt.Sprintf(" AS c%d", i))
	}
	q := "SELECT " + strings.Join(calls, ", ") + " FROM " + from + g.where(from)
	var dims []string
	if interval {
		dims = append(dims, "time("+g.of("5m", "7m", "20m", "1h", "20m, 3m", "30m, -7m")+")")
	}
	if g.IntN(2) == 0 {
		dims = append(dims, map[string]string{"hearth": "device", "cpu": g.of("host", "cpu, host", "*", "region"), "counter": "meter", "bare": "nothing"}[from])
	}
	if len(dims) > 0 {
		q += " GROUP BY " + strings.Join(dims, ", ")
	}
	if interval {
		q += g.sometimes(2, " fill("+g.of("none", "null", "previous", "linear", "0", "3.5", "-1")+")")
	}
	return q + g.sometimes(4, " ORDER BY time DESC") + g.sometimes(4, " LIMIT "+g.of("1", "3", "10")) + g.sometimes(8, " OFFSET 2") +
		g.sometimes(8, " SLIMIT 2") + g.sometimes(6, " tz('Asia/Kolkata')")
}

// raw is a statement about points as they are.
func (g *generator) raw(from string) string {
	fields := g.of("*", g.field(from)+", "+g.field(from), g.field(from)+" * 2 AS x", "/e/")
	if from == "hearth" && g.IntN(2) == 0 {
		fields = g.of("*::field", "mode, device", "power, \"on\", device", "temperature, humidity, power - 1")
	}
	call := ""
	if g.IntN(4) == 0 {
		call = g.of("derivative", "difference", "non_negative_difference", "cumulative_sum", "elapsed") + "(" + g.field(from) + ")"
	}
	if call != "" {
		fields = call
	}
	return "SELECT " + fields + " FROM " + from + g.where(from) + g.sometimes(2, " GROUP BY "+g.of("device", "*", "nothing")) +
		g.sometimes(3, " ORDER BY time DESC") + g.sometimes(2, " LIMIT "+g.of("1", "7", "5 OFFSET 3")) + g.sometimes(8, " SLIMIT 1 SOFFSET 1")
}

// outer is a statement around a subquery.
func (g *generator) outer() string {
	inner := fmt.Sprintf("SELECT %s(%s) AS x FROM hearth WHERE %s GROUP BY time(%s), device", g.of("mean", "max", "count", "last"), g.field("hearth"), threeHours, g.of("10m", "20m"))
	return fmt.Sprintf("SELECT %s(x) FROM (%s)%s", g.of("mean", "min", "max", "sum", "count", "last", "derivative", "difference"), inner, g.sometimes(2, " GROUP BY device"))
}
