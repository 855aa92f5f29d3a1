package notify

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
)

const childData = "HEARTH_TEST_NOTIFY_DATA"

// TestMain makes this binary a process that tells of alerts where TestKill starts it as one.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childData); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A peer is a foreign program that prints lines of JSON.
type peer struct {
	port  int
	lines chan string
}

func startPeer(t *testing.T, script string, args ...string) *peer {
	t.Helper()
	if os.Getenv("HEARTH_E2E") != "1" {
		t.Skip("NOT RUN: deliveries to programs of others. Set HEARTH_E2E=1, with python3 and python3-aiosmtpd installed")
	}
	cmd := exec.Command("/usr/bin/python3", append([]string{filepath.Join("testdata", script)}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	p := &peer{lines: make(chan string, 100_000)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	scanner := bufio.NewScanner(out)
	if scanner.Scan() {
		p.port, err = strconv.Atoi(strings.TrimPrefix(scanner.Text(), "port "))
		must(t, err)
	}
	go func() {
		for scanner.Scan() {
			p.lines <- scanner.Text()
		}
		close(p.lines)
	}()
	return p
}

func (p *peer) next(t *testing.T, into any) {
	t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			t.Fatal("the peer has ended")
		}
		must(t, json.Unmarshal([]byte(line), into))
	case <-time.After(90 * time.Second):
		t.Fatal("nothing arrives")
	}
}

// A request is what the receiver says of one.
type request struct {
	Mode, Path, ID, Header, Kind, Alert, Followed string
	Signed                                        bool
	Sequence                                      int64
}

func newReal(t *testing.T, dir string, mail Mail) (*Notify, *accounts.Accounts) {
	t.Helper()
	books, err := accounts.Open(t.Context(), accounts.Options{Dir: dir})
	must(t, err)
	t.Cleanup(func() { books.Close() })
	n := New(Options{Accounts: books, Private: true, Mail: mail, Version: "1", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	must(t, n.Load(t.Context()))
	return n, books
}

func run(t *testing.T, n *Notify) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func tellOf(ctx context.Context, n *Notify, books *accounts.Accounts, home, id string) error {
	err := books.Tx(ctx, func(tx *sql.Tx) error {
		e := hearth.AlertEvent{Change: hearth.AlertRaised, Alert: hearth.Alert{ID: id, Tenant: accounts.MainTenant, Home: home, Kind: hearth.AlertDeviceSilent, Severity: hearth.SeverityWarning, Detail: "Höhe 5 µm", Raised: hearth.Time{Time: time.Now()}}}
		return n.Tell(ctx, tx, accounts.MainTenant, e)
	})
	n.Wake()
	return err
}

// A receiver that fails in all ways gets every event in order, under one id, rightly signed.
func TestAReceiverThatFails(t *testing.T) {
	modes := []string{"500", "reset", "204", "redirect", "garbage", "204", "headers", "slow", "hang", "503", "400", "204"}
	secret := newSecret()
	p := startPeer(t, "receiver.py", append([]string{secret}, modes...)...)
	n, books := newReal(t, t.TempDir(), Mail{})
	target, _, err := n.add(t.Context(), accounts.MainTenant, Target{Name: "x", Type: TypeWebhook, URL: fmt.Sprintf("http://127.0.0.1:%d/hook", p.port), Events: []string{KindAlert}})
	must(t, err)
	_, err = n.db.Exec(`UPDATE targets SET secret = $1`, secret)
	must(t, err)
	run(t, n)
	for i := range 6 {
		must(t, tellOf(t.Context(), n, books, "", fmt.Sprint("a", i)))
	}
	hurry(t, n, target.ID)
	ids, next := map[int64]string{}, int64(1)
	for next <= 6 {
		var r request
		p.next(t, &r)
		if r.Followed != "" || !r.Signed || r.ID != r.Header || r.Path != "/hook" {
			t.Errorf("%+v", r)
		}
		if r.Sequence != next || r.Alert != fmt.Sprint("a", next-1) || ids[next] != "" && ids[next] != r.ID {
			t.Errorf("want number %d: %+v, before as %s", next, r, ids[next])
		}
		ids[next] = r.ID
		if r.Mode == "204" || r.Mode == "slow" {
			next++
		}
	}
}

// hurry has what waits for another try be tried soon.
func hurry(t *testing.T, n *Notify, target string) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for pause(ctx, 200*time.Millisecond) {
			_ = n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, `UPDATE deliveries SET due = created WHERE target = $1 AND ended = 0`, target)
				return err
			})
			n.mu.Lock()
			delete(n.later, target)
			n.mu.Unlock()
			n.Wake()
		}
	}()
}

// Whatever was stored before a kill is delivered after it, in order, and what comes twice has the same id.
func TestKill(t *testing.T) {
	secret := newSecret()
	p := startPeer(t, "receiver.py", secret, "late")
	dir := t.TempDir()
	n, _ := newReal(t, dir, Mail{})
	_, _, err := n.add(t.Context(), accounts.MainTenant, Target{Name: "x", Type: TypeWebhook, URL: fmt.Sprintf("http://127.0.0.1:%d/", p.port), Events: []string{KindAlert}})
	must(t, err)
	_, err = n.db.Exec(`UPDATE targets SET secret = $1`, secret)
	must(t, err)
	stored := 0
	for round := range 8 {
		stored += killed(t, dir, stored, 20+10*round)
	}
	run(t, n)
	seen, last, twice := map[int64]request{}, int64(0), 0
	for int(last) < stored {
		var r request
		p.next(t, &r)
		before, again := seen[r.Sequence]
		if !r.Signed || again && before.ID != r.ID || r.Sequence > last+1 || !again && r.Sequence != last+1 {
			t.Fatalf("after number %d: %+v, before %+v", last, r, before)
		}
		if again {
			twice++
		}
		seen[r.Sequence], last = r, max(last, r.Sequence)
	}
	alerts := map[string]bool{}
	for _, r := range seen {
		alerts[r.Alert] = true
	}
	for i := range stored {
		if !alerts[fmt.Sprint("a", i)] {
			t.Errorf("alert a%d was stored and never delivered", i)
		}
	}
	t.Logf("%d events over 8 kills, %d of them twice", stored, twice)
}

// killed runs a process that tells of alerts and kills it when it has stored so many. It returns how many it said it
// had stored; one more may have been.
func killed(t *testing.T, dir string, first, count int) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childData+"="+dir, fmt.Sprintf("HEARTH_TEST_NOTIFY_FIRST=%d", first))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	stored := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if stored++; stored == count {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if stored < count {
		t.Fatalf("the process ended by itself after %d", stored)
	}
	return stored
}

// child tells of one alert after the other and says which are stored.
func child(dir string) error {
	ctx := context.Background()
	books, err := accounts.Open(ctx, accounts.Options{Dir: dir})
	if err != nil {
		return err
	}
	n := New(Options{Accounts: books, Private: true, Version: "1", Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err := n.Load(ctx); err != nil {
		return err
	}
	go func() { _ = n.Run(ctx) }()
	first, err := strconv.Atoi(os.Getenv("HEARTH_TEST_NOTIFY_FIRST"))
	if err != nil {
		return err
	}
	for i := first; ; i++ {
		if err := tellOf(ctx, n, books, "", fmt.Sprint("a", i)); err != nil {
			return err
		}
		fmt.Println(i)
		time.Sleep(20 * time.Millisecond)
	}
}

func TestMailToARealServer(t *testing.T) {
	dir := t.TempDir()
	cert, key, roots := certificate(t, dir)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	must(t, listener.Close())
	p := startPeer(t, "mailbox.py", cert, key, "hearth", "secret", "1", strconv.Itoa(port))
	m := Mail{Host: "127.0.0.1", Port: p.port, Username: "hearth", Password: "secret", From: "Hearth <hearth@example.org>", Security: "starttls", Pages: "https://hearth.example", TLS: &tls.Config{ServerName: "localhost", RootCAs: roots}}
	n, books := newReal(t, dir, m)
	home, _, err := books.AddHome(t.Context(), "", "Hütte \"am See\"")
	must(t, err)
	target, _, err := n.add(t.Context(), accounts.MainTenant, Target{Name: "me", Type: TypeEmail, To: []string{"Me <me@example.org>", "you@example.org"}, Events: []string{KindAlert}})
	must(t, err)
	run(t, n)
	must(t, tellOf(t.Context(), n, books, home.ID, "a1"))
	hurry(t, n, target.ID)
	type letter struct {
		Refused, TLS      bool
		Defects           int
		From, Subject, ID string
		Auto, Text        string
		To                []string
	}
	var first, second letter
	p.next(t, &first)
	p.next(t, &second)
	if !first.Refused || second.Refused || first.ID != second.ID || first.ID == "" {
		t.Errorf("%+v\n%+v", first, second)
	}
	if !second.TLS || second.Defects > 0 || second.From != "hearth@example.org" || fmt.Sprint(second.To) != "[me@example.org you@example.org]" ||
		second.Subject != `[Hearth] Hütte "am See": device silent` || second.Auto != "auto-generated" {
		t.Errorf("%+v", second)
	}
	for _, words := range []string{"Höhe 5 µm", "Hütte \"am See\" (" + home.ID + ")", "Severity: warning", "https://hearth.example/alerts"} {
		if !strings.Contains(second.Text, words) {
			t.Errorf("the letter does not say %q:\n%s", words, second.Text)
		}
	}
	for wrong, change := range map[string]func(*Mail){
		"535":         func(m *Mail) { m.Password = "wrong" },
		"certificate": func(m *Mail) { m.TLS = nil },
	} {
		bad := m
		change(&bad)
		if err := (&Notify{o: Options{Mail: bad, Accounts: books}}).mail(t.Context(), &Target{ID: "x", To: []string{"me@example.org"}}, newEvent(KindTest, "", "", "", time.Now())); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// certificate makes one for localhost that signs itself.
func certificate(t *testing.T, dir string) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return cert, key, roots
}
