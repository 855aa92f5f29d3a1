package plugin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"hearth"
)

func golden(t testing.TB, kind string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", kind+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
}

func TestGoldenToPlugin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock stands still, so timeout_ms is exact
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		config := map[string]any{"url": "http://192.0.2.7/?a&b", "start": map[string]any{"brightness": 40}}
		helloLine, err := encode("hello", hello{Version: 1, Name: "mine", StateDir: "/var/lib/hearth-edge/mine", Config: config})
		if err != nil {
			t.Fatal(err)
		}
		doLine, err := doLine(ctx, 7, "lamp", map[string]hearth.Value{"on": hearth.BoolOf(true), "brightness": hearth.NumberOf(40)})
		if err != nil {
			t.Fatal(err)
		}
		for kind, got := range map[string]string{"hello": string(helloLine), "do": string(doLine), "stop": stopLine} {
			if want := string(golden(t, kind)[0]) + "\n"; got != want {
				t.Errorf("%s:\n got %s want %s", kind, got, want)
			}
		}
	})
}

func TestGoldenFromPlugin(t *testing.T) {
	var all []message
	for _, kind := range []string{"announce", "report", "forget", "done", "log"} {
		for _, line := range golden(t, kind) {
			m, bad := parse(line, "mine")
			if len(bad) > 0 {
				t.Errorf("%s: %v", line, bad)
			}
			all = append(all, m)
		}
	}
	lamp, well, sensor := all[0].announce, all[1].announce, all[2].announce
	if b, _ := lamp.Property("brightness"); lamp.ID != "mine:lamp" || b.Kind != hearth.Number || b.Unit != "%" || *b.Min != 1 || !b.Writable {
		t.Errorf("lamp: %+v", lamp)
	}
	if level, _ := well.Property("level"); level.Kind != hearth.Number || level.Unit != "m" {
		t.Errorf("well: %+v", well)
	}
	if button, _ := well.Property("button"); !button.Momentary || button.Kind != hearth.Text {
		t.Errorf("a word's nature is known: %+v", button)
	}
	if sensor.ID != "mine:aa:bb:cc:00:11:22" || sensor.Type != "other" {
		t.Errorf("sensor: %+v", sensor)
	}
	noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	if r := all[4].report; len(r) != 1 || r[0].value != hearth.NumberOf(2.25) || !r[0].time.Equal(noon) {
		t.Errorf("report: %+v", r)
	}
	if r := all[5].report; len(r) != 2 || !r[0].time.Equal(noon) || !r[1].time.IsZero() {
		t.Errorf("report: %+v", r)
	}
	if all[6].forget != "lamp" || all[7].done.N != 7 || all[7].done.failure() != nil {
		t.Errorf("forget, done: %+v", all[6:8])
	}
	if err := all[8].done.failure(); !errors.Is(err, &hearth.Error{Code: hearth.CodeOffline}) || err.Error() != "the lamp does not answer" {
		t.Errorf("done with error: %v", err)
	}
	if all[10].log.Level != "warn" {
		t.Errorf("log: %+v", all[10].log)
	}
}

func TestParseOffences(t *testing.T) {
	property := `{"name":"on"},`
	tests := map[string]struct{ line, kind string }{
		"garbage":              {`hello there`, lineNotJSON},
		"half a line":          {`{"announce":{"id":"la`, lineNotJSON},
		"a list":               {`[1,2]`, lineNotJSON},
		"null":                 {`null`, unknownMessage},
		"not UTF-8":            {"{\"forget\":\"\xff\"}", lineNotUTF8},
		"unknown":              {`{"sing":{}}`, unknownMessage},
		"known and unknown":    {`{"forget":"a","sing":{}}`, unknownMessage},
		"announce of a number": {`{"announce":7}`, badDevice},
		"announce of nothing":  {`{"announce":null}`, badDevice},
		"id with a space":      {`{"announce":{"id":"a b"}}`, badDevice},
		"another driver's":     {`{"announce":{"id":"radio:lamp"}}`, foreignDevice},
		"unknown without kind": {`{"announce":{"id":"a","properties":[{"name":"level"}]}}`, badDevice},
		"kind unheard of":      {`{"announce":{"id":"a","properties":[{"name":"level","kind":"int"}]}}`, badDevice},
		"property twice":       {`{"announce":{"id":"a","properties":[{"name":"on"},{"name":"on"}]}}`, badDevice},
		"min over max":         {`{"announce":{"id":"a","properties":[{"name":"x","kind":"number","min":2,"max":1}]}}`, badDevice},
		"257 properties":       {`{"announce":{"id":"a","properties":[` + strings.Repeat(property, 256) + `{"name":"on"}]}}`, badDevice},
		"65 KiB of device":     {`{"announce":{"id":"a","name":"` + strings.Repeat("x", 65<<10) + `"}}`, badDevice},
		"report of one":        {`{"report":{"device":"a","property":"on","value":true}}`, badMessage},
		"value of many":        {`{"report":[{"device":"a","property":"on","value":[true]}]}`, badMessage},
		"value of none":        {`{"report":[{"device":"a","property":"on","value":null}]}`, badMessage},
		"value too large":      {`{"report":[{"device":"a","property":"x","value":1e999}]}`, badMessage},
		"no such time":         {`{"report":[{"device":"a","property":"on","value":true,"time":"noon"}]}`, badMessage},
		"done without n":       {`{"done":{"n":"seven"}}`, badMessage},
		"done null":            {`{"done":null}`, badMessage},
		"log of text":          {`{"log":"hello"}`, badMessage},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, bad := parse([]byte(tt.line), "mine")
			kind := ""
			if len(bad) > 0 {
				kind = bad[0].kind
			}
			if kind != tt.kind || len(bad) > 1 {
				t.Errorf("%d offences, the first %q, want %q", len(bad), kind, tt.kind)
			}
		})
	}
}

func TestOneBadReadingCostsOne(t *testing.T) {
	m, bad := parse([]byte(`{"report":[{"device":"a","property":"x","value":1},{"device":7},{"device":"a","property":"y","value":2}]}`), "mine")
	if len(m.report) != 2 || len(bad) != 1 {
		t.Errorf("%d readings and %d offences, want 2 and 1", len(m.report), len(bad))
	}
}

func TestFailureCodes(t *testing.T) {
	for code, want := range map[string]string{"bad_value": "bad_value", "busy": "busy", "denied": "failed", "": "failed", "nonsense": "failed"} {
		d := done{Error: &hearth.Error{Code: code}}
		if got := hearth.ErrorOf(d.failure()); got.Code != want || got.Message == "" {
			t.Errorf("code %q became %+v, want %s", code, got, want)
		}
	}
}

func TestLineReader(t *testing.T) {
	const limit = 32
	in := "one\n\r\n" + strings.Repeat("x", 32) + "\n" + strings.Repeat("y", 33) + "\nfour\r\n" + strings.Repeat("z", 500) + "\nsix"
	lines := newLineReader(iotest.OneByteReader(strings.NewReader(in)), limit)
	var got []string
	for {
		line, err := lines.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, string(line))
	}
	want := []string{"one", "", strings.Repeat("x", 32), errTooLong.Error(), "four", errTooLong.Error(), "six"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, kind := range []string{"hello", "do", "stop", "announce", "report", "forget", "done", "log"} {
		for _, line := range golden(f, kind) {
			f.Add(line)
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		m, bad := parse(line, "mine")
		if m.announce == nil && m.report == nil && m.forget == "" && m.done == nil && m.log == nil && len(bad) == 0 &&
			!bytes.Contains(line, []byte("report")) && !bytes.Contains(line, []byte("forget")) {
			t.Errorf("a line that says nothing is no offence: %q", line)
		}
		if m.announce != nil {
			if err := m.announce.Check(); err != nil || m.announce.ID.Driver() != "mine" {
				t.Errorf("took device %s: %v", m.announce.ID, err)
			}
		}
		for _, r := range m.report {
			if r.value.IsZero() || r.id == "" || r.property == "" {
				t.Errorf("took reading %+v", r)
			}
		}
		for _, o := range bad {
			if len(o.detail) > 250 {
				t.Errorf("%d bytes of detail", len(o.detail))
			}
		}
	})
}

func FuzzLineReader(f *testing.F) {
	f.Add([]byte("one\r\ntwo\n\nthree"), 8)
	f.Add(bytes.Repeat([]byte("x"), 300), 20)
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		limit = 16 + max(limit, -limit, 0)%200
		lines := newLineReader(bytes.NewReader(in), limit)
		for n := 0; ; n++ {
			line, err := lines.next()
			switch {
			case err == io.EOF:
				return
			case err != nil && !errors.Is(err, errTooLong):
				t.Fatal(err)
			case len(line) > limit+1 || bytes.ContainsRune(line, '\n') || n > len(in):
				t.Fatalf("line %d: %q", n, line)
			}
		}
	})
}
