package influxql

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/series"
)

// few is a source of some series with few points of every kind.
type few struct{}

func (few) Last(string) ([]series.Point, error) {
	return []series.Point{
		{Series: "m,a=x", Field: "v", Time: 9e9, Value: hearth.NumberOf(9)},
		{Series: "m,a=x", Field: "s", Time: 9e9, Value: hearth.TextOf("9")},
		{Series: "m,a=x,b=y", Field: "v", Time: 9e9, Value: hearth.NumberOf(9)},
		{Series: "m,a=x,b=y", Field: "t", Time: 9e9, Value: hearth.BoolOf(true)},
		{Series: `n\,n,a\ b=c\=d`, Field: "v", Time: 9e9, Value: hearth.NumberOf(9)},
		{Series: "o", Field: "v", Time: 9e9, Value: hearth.TextOf("x")},
	}, nil
}

func (few) Points(_, _, field string, from, to time.Time, each func(int64, hearth.Value) bool) error {
	for i := range int64(10) {
		v := hearth.NumberOf(float64(i * i % 7))
		switch field {
		case "s":
			v = hearth.TextOf(string(rune('a' + i%3)))
		case "t":
			v = hearth.BoolOf(i%2 == 0)
		}
		t := i * 1e9
		if t >= from.UnixNano() && t < to.UnixNano() && !each(t, v) {
			return nil
		}
	}
	return nil
}

// loud fails a test when something is logged: a statement that made the evaluator panic.
type loud struct {
	slog.Handler
	fail func(record slog.Record)
}

func (l loud) Enabled(context.Context, slog.Level) bool { return true }

func (l loud) Handle(_ context.Context, r slog.Record) error {
	l.fail(r)
	return nil
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		`SELECT * FROM m WHERE a = 'x' AND v > 1 OR s =~ /a/ GROUP BY * LIMIT 1`,
		`SELECT mean(v), max(v) - min(v) AS d, count(s) FROM /m|n/, o WHERE time >= 0 AND time < 10s GROUP BY time(3s, 1s), a fill(linear) ORDER BY time DESC tz('Europe/Amsterdam')`,
		`SELECT derivative(mean(v), 1s), moving_average(sum(v), 2), integral(v) FROM m WHERE time < 10s GROUP BY time(1s) fill(previous)`,
		`SELECT top(v, a, 2), bottom(v, 1), percentile(v, 50.5), mode(s), distinct(t), stddev(v), elapsed(v, 1ms) FROM m`,
		`SELECT x FROM (SELECT last(v) AS x, b FROM m GROUP BY a) WHERE x > $p SLIMIT 1 SOFFSET 1`,
		`SHOW TAG VALUES FROM m WITH KEY IN ("a", b) WHERE b != '' LIMIT 1; SHOW SERIES; SHOW FIELD KEYS; SHOW TAG KEYS; SHOW SERIES EXACT CARDINALITY`,
		`SELECT abs(v) / log(v, 2) + pow(v, 3) % 2, "s"::string, v::integer & 3 FROM "d"."r"."m" fill(5)`,
		`SELECT v FROM m WHERE time > now() - 1h AND 'x' = a AND (v + 1) * 2 >= 3`,
		`CREATE DATABASE x; DROP SERIES FROM m; EXPLAIN SELECT v FROM m; SELECT v INTO n FROM m`,
	} {
		f.Add(q, `{"p":1}`, "ms")
		f.Add(q, `{"p":{"regex":"a"}}`, "")
	}
	f.Add(`SELECT $f FROM $m`, `{"f":{"identifier":"v"},"m":{"identifier":"m"}}`, "ns")
	f.Fuzz(func(t *testing.T, q, params, epoch string) {
		s := serve(few{}, func(l *limits) {
			*l = limits{time: 5 * time.Second, scanned: 100_000, held: 20_000, buckets: 2_000, answer: 1 << 20}
		})
		s.o.Log = slog.New(loud{fail: func(r slog.Record) {
			r.Attrs(func(a slog.Attr) bool { t.Errorf("%s %s: %v", r.Message, a.Key, a.Value); return true })
		}})
		form := url.Values{"q": {q}, "params": {params}, "epoch": {epoch}, "db": {"d"}}
		if len(q) > 2000 {
			t.Skip("a request line has its own limit")
		}
		whole := get(s, form)
		checkJSON(t, q, whole.Body.String())
		form.Set("chunked", "true")
		form.Set("chunk_size", "2")
		checkJSON(t, q, get(s, form).Body.String())
	})
}

func checkJSON(t *testing.T, q, body string) {
	d := json.NewDecoder(strings.NewReader(body))
	for d.More() {
		var doc struct {
			Results []struct {
				Series []struct {
					Columns []string
					Values  [][]any
				}
			}
			Error string
		}
		if err := d.Decode(&doc); err != nil {
			t.Fatalf("%q: %v: %.300s", q, err, body)
		}
		for _, result := range doc.Results {
			for _, s := range result.Series {
				for _, row := range s.Values {
					if len(row) != len(s.Columns) {
						t.Fatalf("%q: %d values in %d columns: %.300s", q, len(row), len(s.Columns), body)
					}
				}
			}
		}
	}
}
