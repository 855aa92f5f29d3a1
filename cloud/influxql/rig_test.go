package influxql_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/influxql"
	"hearth/cloud/ingest"
	"hearth/cloud/series"
)

// rig is a receiver's InfluxDB paths with one home and its tokens.
type rig struct {
	*httptest.Server
	store *series.Store
	books *accounts.Accounts
	home  accounts.Home
	token map[hearth.Scope]string // of the home
}

func newRig(t testing.TB) *rig {
	t.Helper()
	store, err := series.Open(filepath.Join(t.TempDir(), "series"), series.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	books, err := accounts.Open(t.Context(), accounts.Options{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, books.Close()) })
	r := &rig{store: store, books: books, token: map[hearth.Scope]string{}}
	r.home, _, err = books.AddHome(t.Context(), "", "hearth")
	must(t, err)
	for _, scope := range []hearth.Scope{hearth.ScopeRead, hearth.ScopeWrite, hearth.ScopeAdmin} {
		r.token[scope] = r.newToken(t, hearth.Token{Name: "one-" + string(scope), Scope: scope, Home: r.home.ID})
	}
	auth := api.NewAuth(api.AuthOptions{Find: books.Find})
	in := ingest.New(ingest.Options{Store: store, Accounts: books, Check: auth.Check, Log: slog.New(slog.DiscardHandler), Live: func(ingest.Arrival) {}})
	server := influxql.New(influxql.Options{Source: store, Homes: books, Admit: in.Admit})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /write", in.WriteV1)
	mux.Handle("/query", server)
	mux.HandleFunc("/ping", in.Ping)
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

func (r *rig) newToken(t testing.TB, token hearth.Token) string {
	t.Helper()
	secret, err := r.books.AddToken(t.Context(), token)
	must(t, err)
	return secret
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write sends lines in milliseconds.
func write(t testing.TB, base, token string, lines []byte) {
	t.Helper()
	req, err := http.NewRequest("POST", base+"/write?db=hearth&precision=ms", bytes.NewReader(lines))
	must(t, err)
	if token != "" {
		req.Header.Set("Authorization", "Token "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("writing to %s: %s %.300s", base, resp.Status, body)
	}
}

// reply is an answer of either server.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a query; parameters are form values, header is pairs of name and value.
func ask(t testing.TB, method, base, token string, params url.Values, header ...string) reply {
	t.Helper()
	target, body := base+"/query?"+params.Encode(), io.Reader(nil)
	if method == "POST" {
		query := url.Values{}
		for _, name := range []string{"pretty", "u", "p"} {
			if params.Has(name) {
				query.Set(name, params.Get(name))
			}
		}
		target, body = base+"/query?"+query.Encode(), strings.NewReader(params.Encode())
	}
	req, err := http.NewRequest(method, target, body)
	must(t, err)
	if method == "POST" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		req.Header.Set("Authorization", "Token "+token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	must(t, err)
	return reply{resp.StatusCode, resp.Header, string(got)}
}

func needPeer(t testing.TB, command string) string {
	t.Helper()
	if os.Getenv("HEARTH_E2E") == "" {
		t.Skipf("SKIPPED: %s is a foreign program; `make e2e` installs it and runs this", command)
	}
	path, err := exec.LookPath("/usr/bin/" + command)
	if err != nil {
		t.Fatalf("%s is not installed: scripts/install-peers does it", command)
	}
	return path
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// startInflux runs Debian's influxd until the test ends, with the database hearth.
func startInflux(t testing.TB) (base string) {
	t.Helper()
	command, address, dir := needPeer(t, "influxd"), freeAddress(t), t.TempDir()
	config := filepath.Join(dir, "influxdb.conf")
	text := fmt.Sprintf("reporting-disabled = true\nbind-address = %q\n[meta]\n dir = \"%s/meta\"\n[data]\n dir = \"%s/data\"\n wal-dir = \"%s/wal\"\n query-log-enabled = false\n[http]\n bind-address = %q\n log-enabled = false\n[monitor]\n store-enabled = false\n",
		freeAddress(t), dir, dir, dir, address)
	must(t, os.WriteFile(config, []byte(text), 0o600))
	cmd := exec.Command(command, "-config", config)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() && testing.Verbose() {
			t.Logf("influxd said:\n%.2000s", log.String())
		}
	})
	base = "http://" + address
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(base + "/ping")
		if err == nil {
			resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("influxd does not answer: %v\n%.2000s", err, log.String())
		}
	}
	if got := ask(t, "POST", base, "", url.Values{"q": {"CREATE DATABASE hearth"}}); got.status != 200 {
		t.Fatalf("creating the database: %d %s", got.status, got.body)
	}
	return base
}

// decode reads JSON documents, numbers as they are written.
func decode(t testing.TB, body string) (docs []any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	for {
		var doc any
		err := d.Decode(&doc)
		if err == io.EOF {
			return docs
		}
		if err != nil {
			t.Fatalf("no JSON: %v: %.300s", err, body)
		}
		docs = append(docs, doc)
	}
}
