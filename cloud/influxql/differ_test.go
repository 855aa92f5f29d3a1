package influxql_test

import (
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth"
)

// TestLikeInfluxDB writes the same points to Debian's influxd and to us, and asks both the same questions.
func TestLikeInfluxDB(t *testing.T) {
	theirs := startInflux(t)
	r := newRig(t)
	for _, lines := range [][]byte{homeLines(), liveLines(time.Now())} {
		write(t, theirs, "", lines)
		write(t, r.URL, r.token[hearth.ScopeWrite], lines)
	}
	all := questions(t)
	asked := map[string]bool{}
	for _, q := range all {
		if asked[q.query] {
			t.Errorf("asked twice: %s", q.query)
		}
		asked[q.query] = true
		different := false
		for _, form := range q.forms() {
			params := url.Values{"db": {"hearth"}, "q": {q.query}}
			for name, value := range form {
				params.Set(name, value)
			}
			diff := compare(t, theirs, r, params)
			different = different || diff != ""
			if diff != "" && q.why == "" {
				t.Errorf("%s: %s\n%s", q.set, show(params), diff)
			}
		}
		if q.why != "" && !different {
			t.Errorf("no difference any more (%s): %s", q.why, q.query)
		}
	}
	t.Logf("%d queries", len(asked))
	if len(asked) < 120 {
		t.Errorf("only %d queries were asked", len(asked))
	}
}

// compare says how the answers differ.
func compare(t *testing.T, theirs string, r *rig, params url.Values) string {
	t.Helper()
	want := ask(t, "POST", theirs, "", params)
	got := ask(t, "POST", r.URL, r.token[hearth.ScopeRead], params)
	diff := differ("", any(decode(t, got.body)), any(decode(t, want.body)))
	if want.status != got.status {
		diff = "the status"
	}
	if diff == "" {
		return ""
	}
	return fmt.Sprintf("  %s\n  ours   %d %.1000s\n  theirs %d %.1000s", diff, got.status, strings.TrimSpace(got.body), want.status, strings.TrimSpace(want.body))
}

func show(params url.Values) string {
	shown := params.Get("q")
	for name := range params {
		if name != "q" && name != "db" {
			shown += "  " + name + "=" + params.Get(name)
		}
	}
	return shown
}

// differ says where two documents differ. Sums in another order may differ in the last digits.
func differ(at string, got, want any) string {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("at %s: no object", at)
		}
		for name := range got {
			if _, ok := want[name]; !ok {
				return fmt.Sprintf("at %s: %s too much", at, name)
			}
		}
		for name, value := range want {
			if diff := differ(at+"."+name, got[name], value); diff != "" {
				return diff
			}
		}
		return ""
	case []any:
		got, ok := got.([]any)
		if !ok {
			return fmt.Sprintf("at %s: no array", at)
		}
		for i := range min(len(got), len(want)) {
			if diff := differ(fmt.Sprintf("%s[%d]", at, i), got[i], want[i]); diff != "" {
				return diff
			}
		}
		if len(got) != len(want) {
			return fmt.Sprintf("at %s: %d elements, not %d", at, len(got), len(want))
		}
		return ""
	case fmt.Stringer: // json.Number
		if got, ok := got.(fmt.Stringer); ok && sameNumber(got.String(), want.String()) {
			return ""
		}
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Sprintf("at %s: %v, not %v", at, got, want)
	}
	return ""
}

func sameNumber(got, want string) bool {
	if got == want {
		return true
	}
	a, err1 := strconv.ParseFloat(got, 64)
	b, err2 := strconv.ParseFloat(want, 64)
	return err1 == nil && err2 == nil && (strings.ContainsAny(want, ".e") || strings.ContainsAny(got, ".e")) && math.Abs(a-b) <= 1e-12*math.Abs(b)
}

// TestAnswersByteForByte compares whole answers: every form that a client can ask for.
func TestAnswersByteForByte(t *testing.T) {
	theirs := startInflux(t)
	r := newRig(t)
	write(t, theirs, "", homeLines())
	write(t, r.URL, r.token[hearth.ScopeWrite], homeLines())
	const some = `SELECT * FROM hearth WHERE ` + oneHour + ` LIMIT 12`
	const named = `SELECT mean(usage_user) AS "mean, of", last(usage_idle) FROM cpu WHERE ` + threeHours + ` GROUP BY time(40m), host`
	tests := []struct {
		method string
		params url.Values
		header []string
	}{
		{"GET", url.Values{"q": {some}}, nil},
		{"POST", url.Values{"q": {some}}, nil},
		{"GET", url.Values{"q": {some}, "pretty": {"true"}}, nil},
		{"GET", url.Values{"q": {named}, "pretty": {"true"}, "epoch": {"s"}}, nil},
		{"GET", url.Values{"q": {`SELECT * FROM nothing`}, "pretty": {"true"}}, nil},
		{"GET", url.Values{"q": {`SELECT`}, "pretty": {"true"}}, nil},
		{"POST", url.Values{"q": {some}, "epoch": {"ns"}}, nil},
		{"POST", url.Values{"q": {some}, "epoch": {"u"}}, nil},
		{"POST", url.Values{"q": {some}, "epoch": {"ms"}}, nil},
		{"POST", url.Values{"q": {some}, "epoch": {"s"}}, nil},
		{"POST", url.Values{"q": {some}, "epoch": {"m"}}, nil},
		{"POST", url.Values{"q": {some}, "epoch": {"h"}}, nil},
		{"POST", url.Values{"q": {some}, "epoch": {"fortnights"}}, nil},
		{"GET", url.Values{"q": {some}}, []string{"Accept", "application/csv"}},
		{"GET", url.Values{"q": {some}, "epoch": {"ms"}}, []string{"Accept", "text/csv"}},
		{"GET", url.Values{"q": {named + `;` + some}}, []string{"Accept", "application/csv"}},
		{"GET", url.Values{"q": {named}, "chunked": {"true"}, "chunk_size": {"2"}}, []string{"Accept", "application/csv"}},
		{"GET", url.Values{"q": {`SELECT value, friendly_name_str FROM "°C" GROUP BY entity_id LIMIT 2`}}, []string{"Accept", "application/csv"}},
		{"GET", url.Values{"q": {`SELECT * FROM "my place,here" GROUP BY *`}}, []string{"Accept", "application/csv"}},
		{"GET", url.Values{"q": {`SELECT`}}, []string{"Accept", "application/csv"}},
		{"GET", url.Values{"q": {`SHOW TAG VALUES WITH KEY = "host"; SHOW MEASUREMENTS`}}, []string{"Accept", "application/csv"}},
		{"GET", url.Values{"q": {`SELECT * FROM "my place,here"; SELECT value, friendly_name_str FROM "°C" LIMIT 3`}}, nil},
		{"POST", url.Values{"q": {some}, "chunked": {"true"}, "chunk_size": {"5"}}, nil},
		{"POST", url.Values{"q": {some}, "chunked": {"true"}, "chunk_size": {"12"}}, nil},
		{"POST", url.Values{"q": {named + ";" + some}, "chunked": {"true"}, "chunk_size": {"3"}, "pretty": {"true"}}, nil},
		{"POST", url.Values{"q": {some}, "chunked": {"true"}, "chunk_size": {"many"}}, nil},
		{"GET", url.Values{}, nil},
		{"POST", url.Values{"q": {"   "}}, nil},
		{"GET", url.Values{"q": {`CREATE DATABASE hearth`}}, nil},
		{"POST", url.Values{"q": {`CREATE DATABASE hearth`}}, nil},
		{"POST", url.Values{"q": {`SELECT temperature FROM hearth WHERE device = $d AND temperature > $t LIMIT 3`}, "params": {`{"d":"radio:a","t":25}`}}, nil},
		{"POST", url.Values{"q": {`SELECT temperature FROM hearth WHERE device = $d AND temperature > $t LIMIT 3`}, "params": {`{"d":"radio:b","t":24.5}`}}, nil},
		{"POST", url.Values{"q": {`SELECT "on" FROM hearth WHERE "on" = $v LIMIT 2`}, "params": {`{"v":false}`}}, nil},
		{"POST", url.Values{"q": {`SELECT temperature FROM hearth WHERE device = $d`}, "params": {`{}`}}, nil},
		{"POST", url.Values{"q": {`SELECT temperature FROM hearth WHERE device = $d`}, "params": {`{"d":`}}, nil},
		{"POST", url.Values{"q": {`SELECT temperature FROM hearth`}, "params": {`{"d":1e3}`}}, nil},
	}
	for _, test := range tests {
		test.params.Set("db", "hearth")
		want := ask(t, test.method, theirs, "", test.params, test.header...)
		got := ask(t, test.method, r.URL, r.token[hearth.ScopeRead], test.params, test.header...)
		if got.status != want.status || got.body != want.body || got.header.Get("Content-Type") != want.header.Get("Content-Type") {
			t.Errorf("%s %s %v\n  ours   %d %q %.1200s\n  theirs %d %q %.1200s", test.method, show(test.params), test.header,
				got.status, got.header.Get("Content-Type"), got.body, want.status, want.header.Get("Content-Type"), want.body)
		}
	}
}

// TestIntegers writes fields that InfluxDB keeps as integers and we as numbers: what is read of them is the same.
func TestIntegers(t *testing.T) {
	theirs := startInflux(t)
	r := newRig(t)
	lines := []byte("whole,a=x n=5i,u=-7i 0\nwhole,a=x n=12i,u=3i 60000\nwhole,a=y n=1i 120000\nwhole,a=y n=9007199254740992i 300000\n")
	write(t, theirs, "", lines)
	write(t, r.URL, r.token[hearth.ScopeWrite], lines)
	for _, q := range []string{
		`SELECT * FROM whole`,
		`SELECT n, u FROM whole WHERE n > 4 AND u < 0`,
		`SELECT mean(n), sum(n), max(u), min(u), count(n), last(n), spread(u), median(u), percentile(n, 50) FROM whole`,
		`SELECT n / 2, n * u, n + 0.5, n - u FROM whole`,
		`SELECT derivative(n, 1m), difference(n), cumulative_sum(u) FROM whole WHERE a = 'x'`,
		`SELECT mean(u), sum(n) FROM whole WHERE time >= 0 AND time < 6m GROUP BY time(1m), a fill(0)`,
		`SELECT mode(n), distinct(u) FROM whole`,
		`SELECT top(n, 2) FROM whole`,
	} {
		if diff := compare(t, theirs, r, url.Values{"db": {"hearth"}, "q": {q}, "epoch": {"ms"}}); diff != "" {
			t.Errorf("%s\n%s", q, diff)
		}
	}
	for q, want := range map[string]string{
		`SHOW FIELD KEYS FROM whole`: "integer, here float",
		`SELECT max(n) FROM whole WHERE time >= 0 AND time < 2m AND a = 'x' GROUP BY time(20s) fill(linear)`: "cut to integers, here on the line",
	} {
		if compare(t, theirs, r, url.Values{"db": {"hearth"}, "q": {q}}) == "" {
			t.Errorf("no difference any more (%s): %s", want, q)
		}
	}
}
