package hearth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hearth"
)

// These tests are of what an operator does with a receiver: backups, and certificates that gateways trust.

// A receiver is lost and restored from a backup that is older than what it acknowledged last. Its gateway goes back to
// where the backup was and nothing is unexplained; a command that the backup knows as waiting, and that was carried out
// since, gets the end that it had and is not carried out again.
func TestReceiverRestoredFromABackup(t *testing.T) {
	s := newSpine(t, toy)
	homePath := "/api/v1/homes/" + s.home
	var lamp hearth.DeviceView
	eventually(t, "the light in the receiver's inventory", func() (ok bool) {
		lamp, ok = device(t, s.receiver, homePath+"/devices", "light")
		return ok && s.ledger(t).Total.Received > 100
	})
	set := func(id string, on bool) hearth.Record {
		t.Helper()
		var rec hearth.Record
		body := map[string]any{"id": id, "device": lamp.ID, "set": map[string]bool{"on": on}, "deadline": time.Now().Add(10 * time.Minute).UTC().Format(hearth.TimeForm)}
		if code := s.receiver.call(t, "POST", homePath+"/commands", body, &rec); code != 202 {
			t.Fatalf("command %s: %d %+v", id, code, rec)
		}
		return rec
	}
	command := func(f face, path, id string) (rec hearth.Record) {
		f.call(t, "GET", path+"/commands/"+id, nil, &rec)
		return rec
	}
	confirmed := func(id string) {
		t.Helper()
		eventually(t, id+" confirmed", func() bool { return command(s.receiver, homePath, id).State == hearth.Confirmed })
	}
	set("before", true)
	confirmed("before")
	s.edge.stop()
	set("waiting", false)

	file := filepath.Join(t.TempDir(), "hearth.backup")
	run(t, "hearth-cloud", "backup", "-config", s.cloud.config, file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v, %v", info, err)
	}
	atBackup := s.ledger(t).Total.Received
	s.edge.start()
	confirmed("waiting")
	set("after", true)
	confirmed("after")
	eventually(t, "more rows", func() bool { return s.ledger(t).Total.Received > atBackup+100 })
	carriedOut := command(s.gateway, "/api/v1", "waiting")

	s.cloud.kill()
	refused := exec.Command(program(t, "hearth-cloud"), "restore", "-config", s.cloud.config, file)
	if out, err := refused.CombinedOutput(); err == nil || !strings.Contains(string(out), "not empty") {
		t.Errorf("over what is there: %v, %s", err, out)
	}
	if err := os.Rename(s.cloudData, s.cloudData+".lost"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(s.cloudData + ".lost") })
	if out := run(t, "hearth-cloud", "restore", "-config", s.cloud.config, file); !strings.Contains(out, "restored the state of ") {
		t.Errorf("restore says %q", out)
	}
	s.cloud.start()

	confirmed("waiting")
	again := command(s.gateway, "/api/v1", "waiting")
	if len(again.History) != len(carriedOut.History) || !again.History[len(again.History)-1].Time.Equal(carriedOut.History[len(carriedOut.History)-1].Time.Time) {
		t.Errorf("it was carried out again: %+v, then %+v", carriedOut.History, again.History)
	}
	if rec := command(s.receiver, homePath, "before"); rec.State != hearth.Confirmed {
		t.Errorf("a command that had its end: %+v", rec)
	}
	set("fresh", false)
	confirmed("fresh")
	eventually(t, "all rows there again", func() bool {
		l := s.ledger(t).Total
		return l.Received > atBackup+200 && l.OnGateway < 50
	})
	if l := s.ledger(t).Total; l.Unexplained != 0 || l.Dropped != 0 || l.Produced != l.Received+l.OnGateway {
		t.Errorf("ledger %+v", l)
	}
	s.balanced(t)
}

// authority is who signed a certificate, and the certificate with its key, as files.
type authority struct{ ca, cert, key string }

// newAuthority makes a private authority and a certificate of it for 127.0.0.1 and localhost.
func newAuthority(t *testing.T) authority {
	t.Helper()
	root, rootKey := certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "A private authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leaf, leafKey := certificate(t, &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature}, root, rootKey)
	secret, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	a := authority{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	for file, block := range map[string]*pem.Block{
		a.ca: {Type: "CERTIFICATE", Bytes: root.Raw}, a.cert: {Type: "CERTIFICATE", Bytes: leaf.Raw}, a.key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func certificate(t *testing.T, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// join claims a home of the receiver at url for a new gateway, starts it, and waits until readings and a command got
// through.
func join(t *testing.T, cloud *daemon, url string, admin face) {
	t.Helper()
	added := run(t, "hearth-cloud", "home", "add", "-config", cloud.config, "Cabin")
	var home, code string
	if _, err := fmt.Sscanf(added, "home %s\ncode %s", &home, &code); err != nil {
		t.Fatalf("home add printed %q", added)
	}
	edge := newDaemon(t, "hearth-edge", fmt.Sprintf("data: %s\nhome: Cabin\nweb: {listen: %q}\nbuffer: {commit: 1s}\ndrivers:\n%s", t.TempDir(), freeAddress(t), toy))
	run(t, "hearth-edge", "claim", "-config", edge.config, url, code)
	edge.start()
	s := &spine{receiver: admin, home: home}
	eventually(t, "rows over TLS", func() bool { return s.ledger(t).Total.Received > 50 })
	var lamp hearth.DeviceView
	eventually(t, "the light", func() (ok bool) {
		lamp, ok = device(t, admin, "/api/v1/homes/"+home+"/devices", "light")
		return ok
	})
	var rec hearth.Record
	path := "/api/v1/homes/" + home + "/devices/" + string(lamp.ID) + "/properties/on"
	if code := admin.call(t, "PUT", path, map[string]bool{"value": true}, &rec); code != 200 || rec.State != hearth.Confirmed {
		t.Errorf("PUT %s: %d %+v", path, code, rec)
	}
	edge.stop()
}

// A gateway trusts a private authority that SSL_CERT_FILE names, for claims, batches and MQTT over WebSocket alike, and
// nobody otherwise.
func TestGatewayOverTLS(t *testing.T) {
	a := newAuthority(t)
	web := freeAddress(t)
	cloud := newDaemon(t, "hearth-cloud", fmt.Sprintf("data: %s\nweb: {listen: %q, tls: {cert_file: %s, key_file: %s}}\nmqtt: {listen: ''}\n", t.TempDir(), web, a.cert, a.key))
	cloud.start()
	token := strings.TrimSpace(run(t, "hearth-cloud", "token", "add", "-config", cloud.config, "-name", "test", "-scope", "admin"))
	stranger := filepath.Join(t.TempDir(), "edge.yaml")
	if err := os.WriteFile(stranger, []byte("data: "+t.TempDir()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program(t, "hearth-edge"), "claim", "-config", stranger, "https://"+web, "ABCD-EFGH").CombinedOutput(); err == nil || !strings.Contains(string(out), "unknown authority") {
		t.Errorf("who trusts nobody: %v, %s", err, out)
	}
	t.Setenv("SSL_CERT_FILE", a.ca)
	trustOnly(t, a.ca)
	join(t, cloud, "https://"+web, face{"https://" + web, token})
}

// trustOnly makes this process's own client trust these authorities until the test ends.
func trustOnly(t *testing.T, files ...string) {
	t.Helper()
	known := x509.NewCertPool()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !known.AppendCertsFromPEM(text) {
			t.Fatalf("%s: %v", file, err)
		}
	}
	before := http.DefaultClient.Transport
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: known}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, strings.Replace(address, acmeHost, "127.0.0.1", 1))
	}
	http.DefaultClient.Transport = transport
	t.Cleanup(func() { http.DefaultClient.Transport = before })
}

// acmeHost is a name that leads to this machine for everybody in TestCertificatesByACME.
const acmeHost = "hearth.example"

// nameServer answers over TCP, as pebble asks, every name with this machine's loopback address, and returns its own.
func nameServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: listener, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		answer := new(dns.Msg).SetReply(question)
		for _, q := range question.Question {
			if q.Qtype == dns.TypeA {
				answer.Answer = append(answer.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1)})
			}
		}
		_ = w.WriteMsg(answer) // who does not get it asks again
	})}
	go server.ActivateAndServe()
	t.Cleanup(func() { server.Shutdown() })
	return listener.Addr().String()
}

// connectProxy takes the place of a resolver for a gateway: whatever name it asks for, it gets to this machine.
func connectProxy(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, port, err := net.SplitHostPort(r.Host)
		if err != nil || r.Method != http.MethodConnect {
			http.Error(w, "CONNECT host:port", http.StatusBadRequest)
			return
		}
		there, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer there.Close()
		w.WriteHeader(http.StatusOK)
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		go func() { io.Copy(there, buffered); there.Close() }()
		io.Copy(here, there)
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String()
}

// pebbleVersion is the ACME server of Let's Encrypt's makers for tests. It is no dependency of ours.
const pebbleVersion = "github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1"

// buildPebble returns the program.
func buildPebble(t *testing.T) string {
	t.Helper()
	if os.Getenv("HEARTH_E2E") == "" {
		t.Skip("SKIPPED: pebble is a foreign program; `make e2e` builds it and runs this")
	}
	dir := t.TempDir()
	install := exec.Command("go", "install", pebbleVersion)
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("building pebble: %v\n%s", err, out)
	}
	return filepath.Join(dir, "pebble")
}

// startPebble starts one that reaches the names it is asked about at these ports, and returns its directory and the file
// of its root.
func startPebble(t *testing.T, program string, a authority, tlsPort, httpPort int) (directory, root string) {
	t.Helper()
	listen, manage := freeAddress(t), freeAddress(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage, "certificate": a.cert, "privateKey": a.key,
		"tlsPort": tlsPort, "httpPort": httpPort, "retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles": map[string]any{"default": map[string]any{"description": "a usual one", "validityPeriod": 7776000}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "20") // it refuses one in five at random, as the protocol lets it
	peer(t, "https://"+manage+"/roots/0", program, "-config", file, "-dnsserver", nameServer(t))
	resp, err := http.Get("https://" + manage + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	root = filepath.Join(dir, "root.pem")
	if err := os.WriteFile(root, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return "https://" + listen + "/dir", root
}

func portOf(t *testing.T, address string) (port int) {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err == nil {
		_, err = fmt.Sscan(text, &port)
	}
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A receiver gets its certificate from an authority by itself, through the port that it serves or through the one
// without TLS, keeps it, and gateways join by it.
func TestCertificatesByACME(t *testing.T) {
	pebble := buildPebble(t)
	for _, way := range []string{"tls-alpn-01", "http-01"} {
		t.Run(way, func(t *testing.T) {
			a := newAuthority(t)
			trustOnly(t, a.ca)
			web, plain := freeAddress(t), freeAddress(t)
			reached := web
			if way == "http-01" {
				reached = freeAddress(t) // nobody is there
			}
			directory, root := startPebble(t, pebble, a, portOf(t, reached), portOf(t, plain))
			trustOnly(t, a.ca, root)
			cloud := newDaemon(t, "hearth-cloud", fmt.Sprintf("data: %s\nweb: {listen: %q, tls: {http_listen: %q, acme: {hosts: [%s], directory: %q, ca_file: %s}}}\nmqtt: {listen: ''}\n",
				t.TempDir(), web, plain, acmeHost, directory, a.ca))
			cloud.start()
			token := strings.TrimSpace(run(t, "hearth-cloud", "token", "add", "-config", cloud.config, "-name", "test", "-scope", "admin"))
			url := fmt.Sprintf("https://%s:%d", acmeHost, portOf(t, web))
			admin := face{url, token}
			eventually(t, "a certificate", func() bool { return admin.call(t, "GET", "/api/v1/homes", nil, nil) == 200 })
			cloud.mu.Lock()
			orders := strings.Count(cloud.log.String(), "the certificate is there")
			cloud.mu.Unlock()
			if orders != 1 {
				t.Errorf("the log tells of %d certificates", orders)
			}
			cloud.kill()
			cloud.start()
			eventually(t, "the same certificate after a restart", func() bool { return admin.call(t, "GET", "/api/v1/homes", nil, nil) == 200 })
			t.Setenv("SSL_CERT_FILE", root)
			t.Setenv("HTTPS_PROXY", connectProxy(t))
			join(t, cloud, url, admin)
		})
	}
}
