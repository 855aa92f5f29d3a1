package mqtt

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
)

// An authority signs certificates of brokers.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.file = filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// tls is how a broker speaks that has a certificate of the authority.
func (a *authority) tls(t *testing.T, ends time.Time, names ...string) *tls.Config {
	c := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: ends.Add(-time.Hour), NotAfter: ends}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: a.key}}}
}

// TestSilence: a broker that takes the connection is not away.
func TestSilence(t *testing.T) {
	broker := &url.URL{Scheme: "mqtts", Host: "h:8883"}
	for _, err := range []error{context.DeadlineExceeded, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}} {
		if got := connectError(broker, "", err); !strings.Contains(got.Error(), "does not answer") || hearth.ErrorOf(got).Code != hearth.CodeOffline {
			t.Errorf("%v", got)
		}
	}
	if got := connectError(broker, "", &net.OpError{Op: "dial", Err: context.DeadlineExceeded}); !strings.Contains(got.Error(), "is away") {
		t.Errorf("%v", got)
	}
}

// TestConnectErrors: what cannot be spoken with as it is configured says what to change, each time in the same words.
func TestConnectErrors(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	ends := func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }
	secure := func(c *tls.Config) func(net.Conn) {
		return func(conn net.Conn) { _ = tls.Server(conn, c).Handshake() }
	}
	says := func(text string) func(net.Conn) {
		return func(conn net.Conn) { _, _ = io.WriteString(conn, text); _, _ = io.Copy(io.Discard, conn) }
	}
	web := func(conn net.Conn) {
		says("HTTP/1.1 404 Not Found\r\nContent-Length: 64\r\n\r\n" + strings.Repeat("x", 64) + "")(conn)
	}
	tests := map[string]struct {
		scheme, ca string
		peer       func(net.Conn)
		want       string
		offline    bool
	}{
		"not signed by what is trusted": {"mqtts", "", secure(ours.tls(t, soon, "127.0.0.1")), "name its certificate authority in ca", false},
		"signed by another":             {"mqtts", theirs.file, secure(ours.tls(t, soon, "127.0.0.1")), "is not signed by the authority in " + theirs.file, false},
		"expired":                       {"mqtts", ours.file, secure(ours.tls(t, past, "127.0.0.1")), "to " + past.UTC().Format(time.DateTime) + ": renew it", true},
		"not valid yet":                 {"wss", ours.file, secure(ours.tls(t, soon.Add(time.Hour), "127.0.0.1")), "set this machine's clock", true},
		"for another name":              {"mqtts", ours.file, secure(ours.tls(t, soon, "broker.example", "192.0.2.7")), "is for broker.example, 192.0.2.7: write that in broker", false},
		"for no name":                   {"wss", ours.file, secure(ours.tls(t, soon)), "is for no host", false},
		"no TLS there":                  {"mqtts", "", says("\x20\x02\x00\x00\x20\x02\x00\x00"), "does not speak TLS", true},
		"a web server":                  {"mqtt", "", web, "not in MQTT", true},
		"no WebSocket":                  {"ws", "", web, "is the path right", true},
		"hangs up":                      {"mqtt", "", ends, "ends the connection at once", true},
		"hangs up, TLS":                 {"mqtts", "", ends, "ends the connection at once", true},
		"hangs up, WebSocket":           {"ws", "", ends, "ends the connection at once", true},
		"hangs up after the handshake":  {"wss", ours.file, secure(ours.tls(t, soon, "127.0.0.1")), "ends the connection at once", true},
		"bad password":                  {"mqtt", "", says("\x20\x02\x00\x04"), "username and password_file", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
					go func() { tt.peer(conn); conn.Close() }()
				}
			}()
			driver, err := New(drivertest.NewEnv(t, "test"), Config{Broker: tt.scheme + "://" + l.Addr().String(), CA: tt.ca})
			if err != nil {
				t.Fatal(err)
			}
			first := driver.Run(t.Context(), drivertest.NewRecorder("test"))
			again := driver.Run(t.Context(), drivertest.NewRecorder("test"))
			if first == nil || !strings.Contains(first.Error(), tt.want) {
				t.Errorf("%v\nwant something with %q", first, tt.want)
			}
			if tt.offline != (hearth.ErrorOf(first).Code == hearth.CodeOffline) || tt.offline && again.Error() != first.Error() {
				t.Errorf("said first\n\t%v\nand then\n\t%v", first, again)
			}
		})
	}
}
