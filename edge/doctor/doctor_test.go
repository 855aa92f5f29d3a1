package doctor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func says(text string, err error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return text, err }
}

func TestTree(t *testing.T) {
	tried := false
	tree := Check{Name: "configuration", Look: says("edge.yaml", nil), Then: []Check{
		{Name: "cloud", Then: []Check{
			{Name: "name", Look: says("", errors.New("no such host")), Then: []Check{
				{Name: "connection", Look: func(context.Context) (string, error) { tried = true; return "", nil }, Then: []Check{{Name: "tls"}}},
			}},
		}},
		{Name: "port", Look: says("", errors.New("no permission"))},
	}}
	result := Examine(t.Context(), tree)
	if tried {
		t.Error("what depends on a broken thing was tried")
	}
	if err := result.Broken(); err == nil || err.Error() != "name: no such host" {
		t.Errorf("the first broken thing: %v", err)
	}
	var out strings.Builder
	result.Print(&out)
	want := `ok   configuration: edge.yaml
ok   ├─ cloud
FAIL │  └─ name: no such host
-    │     └─ connection: dependency failed
-    │        └─ tls: dependency failed
FAIL └─ port: no permission
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
	if err := Examine(t.Context(), Check{Name: "all", Then: []Check{{Name: "well", Look: says("fine", nil)}}}).Broken(); err != nil {
		t.Errorf("all is well, and yet: %v", err)
	}
}

func TestDataDir(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir: "", filepath.Join(dir, "none"): "is missing", file: "no directory"} {
		err := Examine(t.Context(), DataDir(path, 1)).Broken()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if r := Examine(t.Context(), DataDir(dir, 1<<60)); r.Err != nil || !strings.Contains(r.Found, "less than buffer.cap") {
		t.Errorf("a cap larger than the disk: %+v", r)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestPort(t *testing.T) {
	never := func(context.Context) error { t.Error("a port in use was opened"); return nil }
	dir := t.TempDir()
	link := filepath.Join(dir, "by-id")
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		port string
		busy bool
		open func(context.Context) error
		want string
	}{
		{"/dev/null", false, func(context.Context) error { return nil }, ""},
		{"/dev/null", false, func(context.Context) error { return errors.New("no permission") }, "no permission"},
		{link, true, never, ""},
		{"tcp://host:1", true, never, ""},
		{filepath.Join(dir, "none"), true, never, "is it plugged in?"},
	} {
		err := Examine(t.Context(), Port(test.port, test.busy, test.open)).Broken()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// receiver answers as a receiver that knows the token good of home h1.
func receiver(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	known := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch r.Header.Get("Authorization") {
			case "Bearer good":
				w.Write([]byte(text))
			case "Bearer small":
				w.WriteHeader(http.StatusForbidden)
			default:
				w.WriteHeader(http.StatusUnauthorized)
			}
		}
	}
	mux.HandleFunc("GET /api/v1/whoami", known(`{"home":"h1","name":"Cabin","scope":"gateway"}`))
	mux.HandleFunc("GET /api/v1/homes/h1/sync", known(`{"epoch":"e","durable":7}`))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestReceiver(t *testing.T) {
	good := receiver(t)
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	plain := httptest.NewTLSServer(http.NotFoundHandler())
	defer plain.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, test := range []struct{ url, token, want string }{
		{good.URL, "good", ""},
		{good.URL + "/", "good", ""},
		{good.URL, "bad", "token: the receiver does not know"},
		{good.URL, "small", "token: the token's scope"},
		{other.URL, "good", "http: " + other.URL + "/healthz answers 404"},
		{plain.URL, "good", "tls: "},
		{"http://" + closed.Addr().String(), "good", "connection to "},
		{"http://no.such.host.invalid", "good", "name no.such.host.invalid: "},
	} {
		err := Examine(t.Context(), Receiver(test.url, test.token)).Broken()
		if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s, %s: %v, want %s", test.url, test.token, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "Bearer") {
			t.Errorf("the token is told: %v", err)
		}
	}
}

func TestPage(t *testing.T) {
	server := receiver(t)
	address := strings.TrimPrefix(server.URL, "http://")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, listen := range []string{address, ":" + port, "0.0.0.0:" + port} {
		if err := Examine(t.Context(), Page(listen)).Broken(); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
	}
	server.Close()
	if err := Examine(t.Context(), Page(address)).Broken(); err == nil {
		t.Error("a page that does not answer is fine")
	}
}

func TestClock(t *testing.T) {
	if r := Examine(t.Context(), Clock()); r.Err != nil || r.Found == "" {
		t.Errorf("%+v", r)
	}
}
