package influxql_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"hearth"
)

// recording holds what Debian's influxd 1.6.7 answers to questions about homeLines, for machines that have none:
//
//	HEARTH_E2E=record go test -run Recorded ./cloud/influxql
const recording = "testdata/influxdb-1.6.7.json"

func TestLikeRecorded(t *testing.T) {
	if os.Getenv("HEARTH_E2E") == "record" {
		record(t)
	}
	data, err := os.ReadFile(recording)
	must(t, err)
	var answers map[string]json.RawMessage
	must(t, json.Unmarshal(data, &answers))
	r := newRig(t)
	write(t, r.URL, r.token[hearth.ScopeWrite], homeLines())
	n := 0
	eachRecordable(t, func(q string) {
		n++
		got := ask(t, "POST", r.URL, r.token[hearth.ScopeRead], url.Values{"db": {"hearth"}, "q": {q}, "epoch": {"ms"}})
		want, ok := answers[q]
		if !ok {
			t.Errorf("not recorded: %s", q)
			return
		}
		if diff := differ("", any(decode(t, got.body)), any(decode(t, string(want)))); diff != "" {
			t.Errorf("%s\n  %s\n  ours   %.1000s\n  theirs %.1000s", q, diff, strings.TrimSpace(got.body), want)
		}
	})
	if n < 200 {
		t.Errorf("only %d questions were asked", n)
	}
}

// eachRecordable visits the questions whose answers depend on nothing but homeLines.
func eachRecordable(t *testing.T, visit func(q string)) {
	for _, q := range questions(t) {
		if q.why == "" && !strings.Contains(q.query, "live") {
			visit(q.query)
		}
	}
}

func record(t *testing.T) {
	theirs := startInflux(t)
	write(t, theirs, "", homeLines())
	answers := map[string]json.RawMessage{}
	eachRecordable(t, func(q string) {
		got := ask(t, "POST", theirs, "", url.Values{"db": {"hearth"}, "q": {q}, "epoch": {"ms"}})
		answers[q] = json.RawMessage(strings.TrimSpace(got.body))
	})
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	must(t, encoder.Encode(answers))
	must(t, os.MkdirAll("testdata", 0o755))
	var compact bytes.Buffer // a line for each question
	must(t, json.Compact(&compact, b.Bytes()))
	must(t, os.WriteFile(recording, []byte(strings.ReplaceAll(compact.String(), `]},"`, "]},\n\"")), 0o644))
}
