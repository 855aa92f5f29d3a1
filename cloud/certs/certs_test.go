package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/acme"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pair makes a certificate of that number for hearth.example, signed by itself, and its key.
func pair(t testing.TB, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "hearth.example"}, DNSNames: []string{"hearth.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Duration(serial) * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	must(t, os.WriteFile(path, data, 0o600))
}

func shown(t *testing.T, c *Certificates) int64 {
	t.Helper()
	cert, err := c.Web().GetCertificate(&tls.ClientHelloInfo{ServerName: "hearth.example"})
	must(t, err)
	if end := c.Expires(); !end.Equal(cert.Leaf.NotAfter) {
		t.Errorf("it is said to end at %s, and ends at %s", end, cert.Leaf.NotAfter)
	}
	return cert.Leaf.SerialNumber.Int64()
}

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A new pair is used without a restart; what cannot be used changes nothing and is told once.
func TestFilesAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		cert, key := pair(t, 1)
		write(t, certFile, cert)
		write(t, keyFile, key)
		var log lines
		c, err := Open(Options{CertFile: certFile, KeyFile: keyFile, Log: slog.New(slog.NewTextHandler(&log, nil))})
		must(t, err)
		go c.Run(t.Context())
		after := func(what string, want int64, many int) {
			t.Helper()
			time.Sleep(2*lookEvery + time.Second)
			synctest.Wait()
			if got := shown(t, c); got != want {
				t.Errorf("%s: certificate %d, want %d", what, got, want)
			}
			if text := log.String(); strings.Count(text, "\n") != many {
				t.Errorf("%s: want %d lines in the log:\n%s", what, many, text)
			}
		}
		after("at first", 1, 0)
		cert2, key2 := pair(t, 2)
		write(t, certFile, cert2)
		after("a certificate without its key", 1, 1)
		write(t, keyFile, key2)
		after("with its key", 2, 2)
		write(t, certFile, []byte("rubbish"))
		after("rubbish", 2, 3)
		must(t, os.Remove(certFile))
		after("no file", 2, 4)
		must(t, os.Mkdir(certFile, 0o700))
		after("a folder", 2, 5)
		must(t, os.Remove(certFile))
		write(t, filepath.Join(dir, "new"), cert)
		write(t, keyFile, key)
		must(t, os.Symlink("new", certFile))
		after("by another name", 1, 6)
	})
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	cert, _ := pair(t, 1)
	_, key := pair(t, 2)
	write(t, filepath.Join(dir, "cert.pem"), cert)
	write(t, filepath.Join(dir, "key.pem"), key)
	for _, o := range []Options{
		{CertFile: filepath.Join(dir, "none"), KeyFile: filepath.Join(dir, "key.pem")},
		{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "none")},
		{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")},
		{ACME: &ACME{Hosts: []string{"a.example"}, Cache: filepath.Join(dir, "c"), CAFile: filepath.Join(dir, "none")}},
		{ACME: &ACME{Hosts: []string{"a.example"}, Cache: filepath.Join(dir, "c"), CAFile: filepath.Join(dir, "key.pem")}},
	} {
		o.Log = slog.New(slog.DiscardHandler)
		if _, err := Open(o); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// Nobody's handshake makes the receiver ask the authority for anything.
func TestHandshakesAskNobody(t *testing.T) {
	asked := 0
	upstream := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer upstream.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: upstream.Certificate().Raw}))
	c, err := Open(Options{
		ACME: &ACME{Hosts: []string{"Hearth.Example."}, Directory: upstream.URL, CAFile: ca, Cache: t.TempDir()}, Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	for _, hello := range []*tls.ClientHelloInfo{
		{ServerName: "hearth.example"}, {ServerName: "other.example"}, {}, {ServerName: "hearth.example", SupportedProtos: []string{acme.ALPNProto}},
	} {
		if cert, err := c.Web().GetCertificate(hello); err == nil {
			t.Errorf("%q: %v", hello.ServerName, cert)
		}
	}
	if !c.Expires().IsZero() || asked > 0 {
		t.Errorf("it ends at %s, and the authority was asked %d times", c.Expires(), asked)
	}
	a := c.source.(*authority)
	if _, err := a.fetch(t.Context(), "hearth.example"); err == nil || asked == 0 {
		t.Errorf("it does not ask at all: %v", err)
	}
}

func TestUnencrypted(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, 1)
	write(t, filepath.Join(dir, "c"), cert)
	write(t, filepath.Join(dir, "k"), key)
	c, err := Open(Options{CertFile: filepath.Join(dir, "c"), KeyFile: filepath.Join(dir, "k"), Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	for _, test := range []struct {
		port, method, host, path string
		status                   int
		location                 string
	}{
		{"443", "GET", "hearth.example", "/a?b=c", 302, "https://hearth.example/a?b=c"},
		{"443", "HEAD", "hearth.example:80", "/", 302, "https://hearth.example/"},
		{"8480", "GET", "hearth.example", "/", 302, "https://hearth.example:8480/"},
		{"8480", "GET", "[::1]:80", "/", 302, "https://[::1]:8480/"},
		{"443", "POST", "hearth.example", "/write", 400, ""},
	} {
		r := httptest.NewRequest(test.method, test.path, nil)
		r.Host = test.host
		w := httptest.NewRecorder()
		c.Unencrypted(test.port).ServeHTTP(w, r)
		if w.Code != test.status || w.Header().Get("Location") != test.location {
			t.Errorf("%s %s: %d to %s", test.method, test.host, w.Code, w.Header().Get("Location"))
		}
	}
}

// What is spoken is TLS 1.2 at least, and HTTP in both versions; only then browsers are told to stay with it.
func TestServing(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, 1)
	write(t, filepath.Join(dir, "c"), cert)
	write(t, filepath.Join(dir, "k"), key)
	c, err := Open(Options{CertFile: filepath.Join(dir, "c"), KeyFile: filepath.Join(dir, "k"), Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	server := &http.Server{TLSConfig: c.Web(), Handler: Strict(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go server.ServeTLS(listener, "", "")
	defer server.Close()
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(cert)
	for _, http2 := range []bool{false, true} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: known, ServerName: "hearth.example"}, ForceAttemptHTTP2: http2}}
		resp, err := client.Get("https://" + listener.Addr().String())
		must(t, err)
		resp.Body.Close()
		if want := 1 + map[bool]int{true: 1}[http2]; resp.ProtoMajor != want || resp.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("HTTP/%d %v", resp.ProtoMajor, resp.Header)
		}
	}
	old := &tls.Config{RootCAs: known, ServerName: "hearth.example", MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", listener.Addr().String(), old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	w := httptest.NewRecorder()
	server.Handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Header().Get("Strict-Transport-Security") != "" {
		t.Error("browsers are told so without TLS")
	}
}
