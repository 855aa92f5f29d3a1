package uplink

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"hearth"
)

func TestRetryAfter(t *testing.T) {
	const date = "Sun, 22 Nov 2026 20:00:00 GMT"
	tests := []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"7", "", 7 * time.Second},
		{" 7 ", "", 7 * time.Second},
		{"-7", "", 0},
		{"7.5", "", 0},
		{"soon", "", 0},
		{"86400", "", maxNamed},
		{"99999999999999999999", "", 0},
		{"Sun, 22 Nov 2026 20:01:00 GMT", date, 59500 * time.Millisecond}, // Date is cut to seconds
		{"Sun, 22 Nov 2026 19:00:00 GMT", date, 0},
		{"Mon, 22 Nov 2060 19:00:00 GMT", date, maxNamed},
		{"Sun, 22 Nov 2026 20:01:00 GMT", "", 0}, // nothing to measure it against
	}
	for _, tt := range tests {
		header := http.Header{}
		header.Set("Retry-After", tt.value)
		if tt.date != "" {
			header.Set("Date", tt.date)
		}
		if got := retryAfter(header); got != tt.want {
			t.Errorf("retryAfter(%q, %q) = %s, want %s", tt.value, tt.date, got, tt.want)
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add("5", "Sun, 22 Nov 2026 20:00:00 GMT", "1795379426485", []byte(`{"detail":"x"}`), 503)
	f.Add("Sun, 22 Nov 2026 20:00:00 GMT", "x", "-1", []byte(`{"message":7}`), 200)
	f.Fuzz(func(t *testing.T, after, date, served string, body []byte, status int) {
		header := http.Header{"Retry-After": {after}, "Date": {date}, hearth.HeaderTime: {served}}
		fault := reply{status: status, header: header, body: body}.fault()
		if fault.after < 0 || fault.after > maxNamed {
			t.Errorf("a pause of %s", fault.after)
		}
		if strings.ContainsFunc(fault.Error(), func(r rune) bool { return r < 0x80 && unicode.IsControl(r) }) || len(fault.Error()) > 1000 {
			t.Errorf("no fit for a log: %q", fault.Error())
		}
	})
}

func TestPaceSpreadsAndGrows(t *testing.T) {
	var shortest, longest time.Duration = time.Hour, 0
	for range 1000 {
		p := pace{}
		for i := range 12 {
			got := p.next(nil)
			most := min(firstPause<<min(i, 6), maxPause)
			if got < most/10 || got > most+most/10 {
				t.Fatalf("pause %d is %s", i, got)
			}
			if i == 11 {
				shortest, longest = min(shortest, got), max(longest, got)
			}
		}
	}
	if longest-shortest < 50*time.Second {
		t.Errorf("after a long outage the tries lie between %s and %s", shortest, longest)
	}
	named := &fault{after: 20 * time.Second}
	p := pace{}
	for range 1000 {
		if got := p.next(named); got < 20*time.Second || got > 27*time.Second {
			t.Fatalf("a named pause of 20 s became %s", got)
		}
	}
}

func TestTimeIsWorkedOutFromTheRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		const ahead = 1234 * time.Second
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			<-time.After(2 * time.Second)
			w.Header().Set(hearth.HeaderTime, "946686034000") // 2000-01-01 00:20:34: ahead of the bubble's start
			<-time.After(2 * time.Second)
		})}
		defer server.Close()
		l := n.listen(cloudAddr)
		go func() { _ = server.Serve(l) }()
		var got []offer
		c := newClient(&Options{dial: n.dial, Offer: func(source string, at time.Time, uncertainty time.Duration) {
			got = append(got, offer{source, at, uncertainty})
		}}, "http://cloud.test", "", "receiver")
		defer c.close()
		start := time.Now()
		if _, err := c.do(t.Context(), http.MethodGet, "/", nil, maxReply); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 {
			t.Fatalf("offers: %+v", got)
		}
		truth := start.Add(4 * time.Second).Add(ahead - 2*time.Second)
		if off := got[0].t.Sub(truth).Abs(); off > got[0].uncertainty || got[0].uncertainty > 3*time.Second {
			t.Errorf("offered %s ± %s, the truth is %s", got[0].t, got[0].uncertainty, truth)
		}
	})
}
