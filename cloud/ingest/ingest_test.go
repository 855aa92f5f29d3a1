package ingest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"hearth"
	"hearth/cloud/series"
)

func TestBatches(t *testing.T) {
	r := newRig(t)
	now := time.Now().UnixMilli()
	line := func(i int) string {
		return fmt.Sprintf("hearth,device=radio:1 temperature=%d,humidity=40 %d\n", 20+i, now+int64(i))
	}
	steps := []struct {
		about, id, ledger, body string
		status                  int
		durable, rejected       string
	}{
		{"the first", "e1/1", "produced=2,dropped=0,backlog=2,durable=0", line(0), 204, "e1/1", ""},
		{"the first again", "e1/1", "produced=2,dropped=0,backlog=2,durable=0", line(0), 204, "e1/1", ""},
		{"one too far", "e1/3", "produced=4,dropped=0,backlog=2,durable=1", line(2), 409, "e1/1", ""},
		{"the next", "e1/2", "produced=4,dropped=0,backlog=2,durable=1", line(1), 204, "e1/2", ""},
		{"an empty one", "e1/3", "produced=4,dropped=0,backlog=0,durable=2", "", 204, "e1/3", ""},
		{"a gap", "e1/4", "produced=9,dropped=5,backlog=0,durable=3", fmt.Sprintf("hearth_gap count=5,reason=\"cap\",to=%d %d\n", now+50, now+40), 204, "e1/4", ""},
		{
			"good and bad lines", "e1/5", "produced=13,dropped=5,backlog=4,durable=4",
			line(3) + fmt.Sprintf("hearth,device=radio:1 Bad=1 %d\n", now+4) + fmt.Sprintf("hearth,device=radio:1 temperature=NaN %d\n", now+4), 204, "e1/5", "2",
		},
		{"those again", "e1/5", "produced=13,dropped=5,backlog=4,durable=4", line(3), 204, "e1/5", "2"},
		{"a repaired time is no row", "e1/6", "produced=14,dropped=7,backlog=1,durable=5", fmt.Sprintf("hearth,device=radio:1 clock=\"repaired\",temperature=3 %d\n", now+6), 204, "e1/6", ""},
		{"a new buffer from its middle", "e2/2", "produced=1,dropped=0,backlog=1,durable=0", line(7), 409, "e2/0", ""},
		{"a new buffer", "e2/1", "produced=2,dropped=0,backlog=2,durable=0", line(7), 204, "e2/1", ""},
	}
	for _, s := range steps {
		w := r.batch(s.id, s.ledger, s.body)
		if w.Code != s.status || w.Header().Get(hearth.HeaderDurable) != s.durable || w.Header().Get(hearth.HeaderRejected) != s.rejected {
			t.Errorf("%s: %d, durable %q, rejected %q: %s", s.about, w.Code, w.Header().Get(hearth.HeaderDurable), w.Header().Get(hearth.HeaderRejected), w.Body)
		}
	}
	want := series.Counts{Produced: 16, Received: 9, Duplicate: 4, Dropped: 7}
	if got := r.total(); got != want {
		t.Errorf("the ledger is %+v, want %+v", got, want)
	}
	if n := r.points(r.home.ID, "hearth,device=radio:1", "temperature"); n != 5 {
		t.Errorf("%d temperatures are stored, want 5", n)
	}
	if n := r.points(r.home.ID, "hearth,device=radio:1", "clock"); n != 1 {
		t.Errorf("the mark of a repaired time is not stored")
	}
	if got := r.arrivals[0]; len(got.Readings) != 2 || got.Ledger == nil || got.Rows != 2 || got.Home != r.home.ID {
		t.Errorf("the first arrival is %+v", got)
	}
	if got := r.arrivals[4]; len(got.Gaps) != 1 || got.Gaps[0].Count != 5 || got.Gaps[0].Reason != "cap" {
		t.Errorf("the gap arrived as %+v", got)
	}
}

func TestMalformedBatchHeaders(t *testing.T) {
	r := newRig(t)
	good, account := "e/1", "produced=1,dropped=0,backlog=1,durable=0"
	for _, h := range [][2]string{
		{"", account}, {good, ""}, {"e", account}, {"e/0", account}, {"/1", account}, {"e/-1", account}, {"e/x", account},
		{strings.Repeat("e", 65) + "/1", account}, {"e/99999999999999999999", account},
		{good, "produced=1"}, {good, "produced=x,dropped=0,backlog=1,durable=0"}, {good, "produced=-1,dropped=0,backlog=1,durable=0"},
	} {
		w := r.batch(h[0], h[1], "hearth,device=a:1 x=1 1")
		var body struct{ Code, Message string }
		if w.Code != 400 || json.Unmarshal(w.Body.Bytes(), &body) != nil || body.Code != "invalid" || body.Message == "" {
			t.Errorf("%q, %q: %d %s", h[0], h[1], w.Code, w.Body)
		}
	}
	if got := r.total(); got != (series.Counts{}) {
		t.Errorf("something was stored: %+v", got)
	}
}

func TestPlainWrites(t *testing.T) {
	r := newRig(t)
	tests := []struct {
		about, target, body string
		status              int
		want                string
	}{
		{"v2", "/api/v2/write?precision=s", "cpu,host=a,cpu=0 usage=1.5,n=3i,u=4u,on=true,s=\"x\" 1795000000", 204, ""},
		{"v1", "/write?db=x&precision=s", "cpu,host=a usage=2 1795000001", 204, ""},
		{"no time", "/write?db=x", "cpu,host=a usage=2", 204, ""},
		{"a clock that is wrong", "/write?db=x&precision=s", "cpu,host=a usage=2 1\ncpu,host=a usage=2 4000000000", 204, ""},
		{"nothing", "/api/v2/write", "", 204, ""},
		{"v1, all bad", "/write?db=x", "cpu usage", 400, `{"error":"unable to parse 'cpu usage': line 1: `},
		{"v2, all bad", "/api/v2/write", "cpu usage", 400, `{"code":"invalid","message":"unable to parse 'cpu usage': line 1: `},
		{"v1, some bad", "/write?db=x", "cpu a=1\nnonsense\ncpu b=2", 400, `{"error":"partial write: unable to parse 'nonsense': line 2: `},
		{"v2, some bad", "/api/v2/write", "cpu a=1\nnonsense\ncpu b=2", 400, `{"code":"invalid","message":"partial write error (2 written): unable to parse 'nonsense': line 2: `},
		{"a precision that is none", "/api/v2/write?precision=d", "cpu a=1", 400, `{"code":"invalid","message":"precision \"d\"`},
		{"a device that cannot be", "/write", "hearth,device=x on=true", 400, `{"error":"unable to parse 'hearth,device=x': device id`},
		{"a tag twice", "/write", "cpu,a=1,a=2 v=1", 400, `{"error":"unable to parse 'cpu,a=1,a=2': the same tag twice`},
		{"a long text", "/write", "hearth,device=a:1 v=\"" + strings.Repeat("x", hearth.MaxText+1) + "\"", 400, `{"error":"unable to parse 'hearth,device=a:1': field v has 4097 bytes`},
		{"a long text of others", "/write", "log v=\"" + strings.Repeat("x", hearth.MaxText+1) + "\"", 204, ""},
		{"a field called time", "/write", "log time=1", 400, `{"error":"unable to parse 'log': a field called time`},
	}
	for _, test := range tests {
		w := r.send(test.target, []byte(test.body))
		if w.Code != test.status || !strings.HasPrefix(w.Body.String(), test.want) {
			t.Errorf("%s: %d %s", test.about, w.Code, w.Body)
		}
		if test.status != 204 && w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: Content-Type %s", test.about, w.Header().Get("Content-Type"))
		}
	}
	for name, want := range map[string]int{"cpu,cpu=0,host=a/usage": 1, "cpu,host=a/usage": 4, "cpu/a": 2, "cpu/b": 2} {
		key, field, _ := strings.Cut(name, "/")
		n := 0
		r.must(r.store.Points(r.home.ID, key, field, time.Unix(0, 0), time.Unix(5e9, 0), func(int64, hearth.Value) bool { n++; return true }))
		if n != want {
			t.Errorf("%s has %d points, want %d", name, n, want)
		}
	}
}

// A write in several pieces is stored as a whole, and so is the account of what was bad in it.
func TestLargePlainWrite(t *testing.T) {
	r := newRig(t)
	var body bytes.Buffer
	for i := range 2*chunk + 100 {
		fmt.Fprintf(&body, "cpu v=%d %d\n", i, 1795000000+i)
		if i%1000 == 0 {
			body.WriteString("bad\n")
		}
	}
	w := r.send("/api/v2/write?precision=s", body.Bytes())
	if w.Code != 400 || !strings.Contains(w.Body.String(), fmt.Sprintf("partial write error (%d written)", 2*chunk+100)) {
		t.Errorf("%d %.200s", w.Code, w.Body)
	}
	if got := r.total(); got.Received != 2*chunk+100 || got.Dropped != 41 || got.Unexplained != 0 {
		t.Errorf("the ledger is %+v", got)
	}
}

func TestWhoMayWriteWhere(t *testing.T) {
	r := newRig(t)
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	tests := []struct {
		about, target, authorization string
		status                       int
		home                         string
	}{
		{"Bearer", "/api/v2/write", "Bearer " + r.gateway, 204, r.home.ID},
		{"Token", "/api/v2/write?bucket=anything", "Token " + r.gateway, 204, r.home.ID},
		{"the token decides, not the bucket", "/api/v2/write?bucket=" + r.other.ID, "Token " + r.gateway, 204, r.home.ID},
		{"Token user:token", "/write", "Token me:" + r.gateway, 204, r.home.ID},
		{"Basic", "/write", basic("me:" + r.gateway), 204, r.home.ID},
		{"u and p", "/write?u=me&p=" + r.gateway, "", 204, r.home.ID},
		{"a token of no home, by id", "/api/v2/write?bucket=" + r.other.ID, "Token " + r.admin, 204, r.other.ID},
		{"a token of no home, by name", "/write?db=Other+Home", "Token " + r.admin, 204, r.other.ID},
		{"a token of no home, by name and policy", "/api/v2/write?bucket=Other+Home/autogen", "Token " + r.admin, 204, r.other.ID},
		{"a token of no home, home unnamed", "/api/v2/write?org=x", "Token " + r.admin, 400, ""},
		{"a token of no home, home unknown", "/api/v2/write?bucket=nowhere", "Token " + r.admin, 400, ""},
		{"no token", "/api/v2/write", "", 401, ""},
		{"an unknown token", "/write", "Token hearth_NOPE", 401, ""},
		{"an unknown scheme", "/write", "Digest x", 401, ""},
		{"Basic that is none", "/write", "Basic %%%", 401, ""},
		{"too small a scope", "/api/v2/write", "Token " + r.reader, 403, ""},
	}
	for i, test := range tests {
		before := len(r.arrivals)
		w := r.send(test.target, fmt.Appendf(nil, "m v=%d", i), "Authorization", test.authorization)
		if w.Code != test.status {
			t.Errorf("%s: %d %s", test.about, w.Code, w.Body)
		}
		home := ""
		if len(r.arrivals) > before {
			home = r.arrivals[before].Home
		}
		if home != test.home {
			t.Errorf("%s: written to %q, want %q", test.about, home, test.home)
		}
		if w.Code == 400 && strings.Contains(test.target, "nowhere") && !strings.Contains(w.Body.String(), "database not found") {
			t.Errorf("%s: %s, after which Telegraf throws away what it could not write", test.about, w.Body)
		}
	}
}

func zipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func packed(t *testing.T, body []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(body, nil)
}

func TestBodies(t *testing.T) {
	r := newRig(t)
	line := []byte("cpu v=1 1795000000000")
	filler := func(n int) []byte {
		return append(bytes.Repeat([]byte("#"), n-len(line)-1), append([]byte("\n"), line...)...)
	}
	batch := []string{hearth.HeaderBatch, "e/1", hearth.HeaderLedger, "produced=1,dropped=0,backlog=1,durable=0"}
	tests := []struct {
		about    string
		body     []byte
		encoding string
		header   []string
		status   int
	}{
		{"plain", line, "", nil, 204},
		{"identity", line, "identity", nil, 204},
		{"gzip", zipped(t, line), "gzip", nil, 204},
		{"zstd", packed(t, line), "zstd", nil, 204},
		{"another encoding", line, "br", nil, 400},
		{"not gzip", line, "gzip", nil, 400},
		{"not zstd", line, "zstd", nil, 400},
		{"half of it", zipped(t, line)[:20], "gzip", nil, 400},
		{"half a frame", packed(t, filler(5000))[:20], "zstd", nil, 400},
		{"as large as can be", filler(maxBody), "", nil, 204},
		{"a byte more", filler(maxBody + 1), "", nil, 413},
		{"gzip, as large as can be", zipped(t, filler(maxBody)), "gzip", nil, 204},
		{"gzip, a byte more", zipped(t, filler(maxBody+1)), "gzip", nil, 413},
		{"a gzip bomb", zipped(t, make([]byte, 10*maxBody)), "gzip", nil, 413},
		{"a zstd bomb", packed(t, make([]byte, 10*maxBody)), "zstd", nil, 413},
		{"a batch as large as can be", packed(t, filler(maxBatch)), "zstd", batch, 204},
		{"a batch a byte larger", packed(t, filler(maxBatch+1)), "zstd", batch, 413},
		{"a batch that is a bomb", packed(t, make([]byte, 10*maxBody)), "zstd", batch, 413},
	}
	for _, test := range tests {
		header := append([]string{"Content-Encoding", test.encoding}, test.header...)
		w := r.send("/api/v2/write?precision=ms", test.body, header...)
		if w.Code != test.status {
			t.Errorf("%s: %d %.200s, want %d", test.about, w.Code, w.Body, test.status)
		}
	}
	w := r.send("/write?db=x", filler(maxBody+1))
	if w.Code != 413 || strings.TrimSpace(w.Body.String()) != `{"error":"Request Entity Too Large"}` {
		t.Errorf("v1: %d %s", w.Code, w.Body)
	}
	if !r.in.memory.TryAcquire(memory) {
		t.Error("the memory of some request was not given back")
	}
}

// A body without a length is cut off where it is too large, and one that breaks off stores nothing.
func TestStreamedBodies(t *testing.T) {
	r := newRig(t)
	server := httptest.NewServer(r)
	defer server.Close()
	post := func(body io.Reader) (*http.Response, error) {
		req, err := http.NewRequest(http.MethodPost, server.URL+"/api/v2/write", body)
		r.must(err)
		req.Header.Set("Authorization", "Token "+r.gateway)
		return server.Client().Do(req)
	}
	resp, err := post(io.LimitReader(forever{}, maxBody+4096))
	r.must(err)
	resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Errorf("a body that does not end: %d", resp.StatusCode)
	}
	if resp, err := post(io.MultiReader(strings.NewReader("cpu v=1\n"), broken{})); err == nil {
		resp.Body.Close()
		t.Errorf("a body that breaks off: %d", resp.StatusCode)
	}
	if got := r.total(); got.Received != 0 {
		t.Errorf("something was stored: %+v", got)
	}
}

// What is only announced takes no memory from others: a body has as much of it as has come.
func TestSlowBodiesKeepNobodyOut(t *testing.T) {
	for _, encoding := range []string{"", "gzip", "zstd"} {
		r := newRig(t)
		body, sender := io.Pipe()
		req := httptest.NewRequest(http.MethodPost, "/api/v2/write", body)
		req.ContentLength = maxBody
		req.Header.Set("Authorization", "Token "+r.gateway)
		req.Header.Set("Content-Encoding", encoding)
		w, done := httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(done)
			r.ServeHTTP(w, req)
		}()
		_, err := sender.Write(make([]byte, firstPart+1)) // the second part is asked for
		r.must(err)
		if rest := int64(memory - 4*firstPart); !r.in.memory.TryAcquire(rest) {
			t.Errorf("%q: a body of which little has come holds much of the memory", encoding)
		} else {
			r.in.memory.Release(rest)
		}
		sender.CloseWithError(errors.New("gone"))
		<-done
		if w.Code != http.StatusBadRequest || !r.in.memory.TryAcquire(memory) {
			t.Errorf("%q: %d, or its memory was not given back", encoding, w.Code)
		}
	}
}

type forever struct{}

func (forever) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '#'
	}
	return len(p), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestRate(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	r.in.o.Rate, r.in.o.Now = 100_000, func() time.Time { return now }
	body := bytes.Repeat([]byte("#"), 400_000)
	for i, want := range []int{204, 204, 204, 429, 429} {
		w := r.send("/api/v2/write", body)
		if w.Code != want {
			t.Fatalf("write %d: %d %s", i, w.Code, w.Body)
		}
		if after := w.Header().Get("Retry-After"); want == 429 && after != "2" {
			t.Errorf("Retry-After is %q", after)
		}
	}
	unread := httptest.NewRequest("POST", "/api/v2/write", iotest.ErrReader(errors.New("it was read")))
	unread.Header.Set("Authorization", "Token "+r.gateway)
	w := httptest.NewRecorder()
	if r.ServeHTTP(w, unread); w.Code != 429 {
		t.Errorf("what is refused for its sender's rate: %d %s", w.Code, w.Body)
	}
	if w := r.send("/api/v2/write?bucket="+r.other.ID, body, "Authorization", "Token "+r.admin); w.Code != 204 {
		t.Errorf("another home: %d", w.Code)
	}
	now = now.Add(2 * time.Second)
	if w := r.send("/api/v2/write", body); w.Code != 204 {
		t.Errorf("after the pause: %d %s", w.Code, w.Body)
	}
	now = now.Add(time.Hour)
	for i, want := range []int{400, 400, 400, 429} {
		if w := r.send("/api/v2/write", body, "Content-Encoding", "gzip"); w.Code != want {
			t.Errorf("what is no gzip, %d: %d %s", i, w.Code, w.Body)
		}
	}
}

// Telegraf throws away what any 4xx of /write refused, and InfluxDB 1 has no 429 there.
func TestWhatCanBeTriedAgainIsNo4xxOfV1(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	r.in.o.Rate, r.in.o.Now = 1000, func() time.Time { return now }
	body := bytes.Repeat([]byte("#"), 10_000)
	for i, want := range []int{204, 204, 503} {
		if w := r.send("/write?db=x", body); w.Code != want || want == 503 && w.Header().Get("Retry-After") != "10" {
			t.Errorf("write %d: %d %v %s", i, w.Code, w.Header(), w.Body)
		}
	}
	check := r.in.o.Check
	r.in.o.Check = func(*http.Request, string) (hearth.Token, error) {
		return hearth.Token{}, errors.New("PostgreSQL is away")
	}
	for _, path := range []string{"/write?db=x", "/api/v2/write"} {
		if w := r.send(path, nil); w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "PostgreSQL") {
			t.Errorf("%s, tokens cannot be looked up: %d %s", path, w.Code, w.Body)
		}
	}
	r.in.o.Check = check
}

func TestOneHomeCannotTakeAllPlaces(t *testing.T) {
	r := newRig(t)
	var q *quota
	for range maxActive {
		var refused *refusal
		if q, refused = r.in.begin(r.home.ID); refused != nil {
			t.Fatal(refused)
		}
	}
	w := r.send("/api/v2/write", []byte("cpu v=1"))
	if w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	for range maxActive {
		r.in.end(q)
	}
	if w := r.send("/api/v2/write", []byte("cpu v=1")); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestStoreThatFails(t *testing.T) {
	r := newRig(t)
	r.must(r.store.Close())
	w := r.batch("e/1", "produced=1,dropped=0,backlog=1,durable=0", "hearth,device=a:1 x=1 1")
	if w.Code != 503 || w.Header().Get("Retry-After") != "5" || w.Header().Get(hearth.HeaderDurable) != "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestInfluxPaths(t *testing.T) {
	r := newRig(t)
	tests := []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"GET", "/ping", "", 204, ""},
		{"GET", "/ping?verbose=true", "", 200, `{"version":"v2.7.11"}`},
		{"GET", "/health", "", 200, `{"checks":[],"commit":"","message":"ready for queries and writes","name":"hearth-cloud","status":"pass","version":"v2.7.11"}`},
	}
	for _, test := range tests {
		req := httptest.NewRequest(test.method, test.target, strings.NewReader(test.body))
		req.Header.Set("Authorization", "Token "+r.gateway)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code != test.status || strings.TrimSpace(w.Body.String()) != test.want {
			t.Errorf("%s %s: %d %s", test.method, test.target, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	if _, ok := r.in.Admit(w, httptest.NewRequest("GET", "/query?q=CREATE+DATABASE+x", nil)); ok || w.Code != 401 || strings.TrimSpace(w.Body.String()) != `{"error":"authorization failed"}` {
		t.Errorf("without a token: %d %s", w.Code, w.Body)
	}
}

func TestLinesOfTooManySeriesAreNotCalledWritten(t *testing.T) {
	r := newRig(t)
	var body bytes.Buffer
	for i := range 10_000 + 2*chunk {
		fmt.Fprintf(&body, "cpu,n=%d v=1\n", i)
	}
	w := r.send("/api/v2/write", body.Bytes())
	if w.Code != 400 || !strings.Contains(w.Body.String(), "partial write error (10000 written): ") || strings.Count(w.Body.String(), "\\n") > 2*maxNamed {
		t.Errorf("%d %.300s", w.Code, w.Body)
	}
}
