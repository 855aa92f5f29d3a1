package api

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"hearth"
)

type wish struct {
	Device hearth.ID               `json:"device"`
	Set    map[string]hearth.Value `json:"set"`
	At     hearth.Time             `json:"at"`
	Deep   struct {
		Number float64 `json:"number"`
	} `json:"deep"`
}

func TestReadJSON(t *testing.T) {
	tests := []struct {
		name, body, code, says string
	}{
		{"good", `{"device":"a:b","set":{"on":true},"at":"2026-01-02T03:04:05Z","unknown":1}`, "", ""},
		{"unix ms", `{"at":1732300000123}`, "", ""},
		{"empty", " \n", CodeBadRequest, "empty"},
		{"broken", `{"device":`, CodeBadRequest, "at byte 10"},
		{"two values", `{}{}`, CodeBadRequest, "at byte 3"},
		{"another kind", `{"deep":{"number":"x"}}`, CodeBadRequest, "/deep/number"},
		{"a list", `[]`, CodeBadRequest, "array"},
		{"no value", `{"set":{"on":[1]}}`, hearth.CodeBadValue, "a bool, a number or a text"},
		{"no time", `{"at":"tomorrow"}`, hearth.CodeBadValue, "RFC 3339"},
		{"too large", `{"device":"` + strings.Repeat("x", MaxBody) + `"}`, CodeTooLarge, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var into wish
			w := httptest.NewRecorder()
			err := ReadJSON(w, httptest.NewRequest("POST", "/", strings.NewReader(test.body)), &into)
			if test.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			reply := httptest.NewRecorder()
			Fail(reply, httptest.NewRequest("POST", "/", nil), err)
			if !strings.Contains(reply.Body.String(), `"code":"`+test.code+`"`) || !strings.Contains(reply.Body.String(), test.says) {
				t.Errorf("%v: %s", err, reply.Body)
			}
		})
	}
}

func TestParseRange(t *testing.T) {
	now := time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	tests := []struct {
		query    string
		from, to time.Time
		points   int
	}{
		{"", now.Add(-day), now, defaultPoints},
		{"from=2026-02-03T11:00:00Z&points=7", now.Add(-time.Hour), now, 7},
		{"from=1770116400000&to=1770118200000", now.Add(-time.Hour), now.Add(-time.Hour / 2), defaultPoints},
		{"to=2026-02-02T12:00:00%2B01:00", now.Add(-day - time.Hour).Add(-day), now.Add(-day - time.Hour), defaultPoints},
		{"points=99999999", now.Add(-day), now, hearth.MaxPoints},
	}
	for _, test := range tests {
		query, err := url.ParseQuery(test.query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseRange(query, now)
		if err != nil || !got.From.Equal(test.from) || !got.To.Equal(test.to) || got.Points != test.points {
			t.Errorf("%q: %v, %v", test.query, got, err)
		}
	}
	for _, bad := range []string{"from=x", "to=x", "from=2026-02-03T12:00:00Z", "from=99999999999999999", "from=-99999999999999", "points=0", "points=-1", "points=x", "points=1.5", "from=2&to=1"} {
		query, _ := url.ParseQuery(bad)
		if _, err := ParseRange(query, now); hearth.ErrorOf(orNone(err)).Code != CodeBadRequest {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func orNone(err error) error {
	if err == nil {
		return hearth.Errorf("none", "no error")
	}
	return err
}

func TestParseWait(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 3 * time.Second, "0": 0, "0s": 0, "5s": 5 * time.Second, "250ms": 250 * time.Millisecond, "10m": MaxWait} {
		if got, err := ParseWait(url.Values{"wait": {text}}, 3*time.Second); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"5", "-1s", "x", "1e9s"} {
		if _, err := ParseWait(url.Values{"wait": {bad}}, 0); hearth.ErrorOf(orNone(err)).Code != CodeBadRequest {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"", "from=1&to=2&points=3", "from=2026-02-03T12:00:00Z", "to=-62135596800001", "points=-0", "wait=5s", "from=9223372036854775807"} {
		f.Add(seed)
	}
	now := time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		if wait, err := ParseWait(query, 0); err == nil && (wait < 0 || wait > MaxWait) {
			t.Errorf("waits %s", wait)
		}
		r, err := ParseRange(query, now)
		if err != nil {
			if hearth.ErrorOf(err).Code != CodeBadRequest {
				t.Errorf("%v", err)
			}
			return
		}
		if !r.From.Before(r.To) || r.Points < 1 || r.Points > hearth.MaxPoints {
			t.Errorf("%+v", r)
		}
		if n := len(hearth.NewDownsampler(r.From, r.To, r.Points).Points()); n != 0 {
			t.Errorf("%d points of nothing", n)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"device":"a:b","set":{"on":true,"brightness":1e9}}`, `{"set":{"x":[]}}`, `{"at":1}`, `null`, `{"deep":null}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var into wish
		if err := decode(body, &into); err != nil {
			if status := StatusOf(hearth.ErrorOf(err).Code); status != 400 && status != 422 {
				t.Errorf("%v is %d", err, status)
			}
		}
	})
}
