package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// The pause after an authority refused: Let's Encrypt takes five failures an hour.
const (
	firstPause = 2 * time.Minute
	maxPause   = time.Hour
)

// authority gets certificates by ACME. Only run asks the authority for a name's first one: a handshake that did could
// be sent by anybody, as often as they like, and use up what the authority allows. Renewing is the manager's, by timers
// of its own.
type authority struct {
	hosts   []string
	manager *autocert.Manager
	log     *slog.Logger

	mu    sync.Mutex
	there map[string]bool // hosts that have a certificate
}

func newAuthority(o ACME, log *slog.Logger) (*authority, error) {
	client := &acme.Client{DirectoryURL: o.Directory, UserAgent: "hearth-cloud"}
	if o.CAFile != "" {
		pem, err := readFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading who signed the authority's certificate (web.tls.acme.ca_file): %w", err)
		}
		known := x509.NewCertPool()
		if !known.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("web.tls.acme.ca_file: %s has no certificate in it", o.CAFile)
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: known}
		client.HTTPClient = &http.Client{Transport: transport, Timeout: time.Minute}
	}
	if err := os.MkdirAll(o.Cache, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of certificates: %w", err)
	}
	a := &authority{log: log, there: map[string]bool{}}
	for _, host := range o.Hosts {
		a.hosts = append(a.hosts, plainHost(host))
	}
	a.manager = &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(o.Cache), HostPolicy: autocert.HostWhitelist(a.hosts...), Client: client, Email: o.Email,
	}
	return a, nil
}

func plainHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// ask is a handshake for host as every client of TLS 1.2 could make it, so that there is one certificate a host.
func ask(host string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{
		ServerName: host, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, SupportedCurves: []tls.CurveID{tls.CurveP256},
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	}
}

func (a *authority) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, host := range a.hosts {
		all.Go(func() { a.get(ctx, host) })
	}
	all.Wait()
}

// get asks for a host's certificate until it is there.
func (a *authority) get(ctx context.Context, host string) {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		cert, err := a.fetch(ctx, host)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			a.mu.Lock()
			a.there[host] = true
			a.mu.Unlock()
			a.log.Info("the certificate is there", "host", host, "expires", cert.Leaf.NotAfter)
			return
		}
		wait := pause + rand.N(pause/4)
		a.log.Error("no certificate yet: the name must lead here, and the authority must reach port 443 (or web.tls.http_listen on port 80)", "host", host, "again", wait, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// fetch asks the manager, which takes minutes to give up and knows of no context: after the end of ctx it is left to it.
func (a *authority) fetch(ctx context.Context, host string) (*tls.Certificate, error) {
	var cert *tls.Certificate
	done := make(chan error, 1)
	go func() {
		var err error
		cert, err = a.manager.GetCertificate(ask(host))
		done <- err
	}()
	select {
	case err := <-done:
		return cert, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
		return a.manager.GetCertificate(hello)
	}
	host := plainHost(hello.ServerName)
	if host == "" {
		host = a.hosts[0]
	}
	if !a.has(host) {
		return nil, errors.New("there is no certificate for that name, or not yet")
	}
	return a.manager.GetCertificate(ask(host))
}

func (a *authority) has(host string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.there[host]
}

// challenges serves those that come by plain HTTP, whatever port they were sent to.
func (a *authority) challenges(next http.Handler) http.Handler {
	answer := a.manager.HTTPHandler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err == nil && strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
			r = r.Clone(r.Context())
			r.Host = host
		}
		answer.ServeHTTP(w, r)
	})
}

func (a *authority) expires() time.Time {
	var first time.Time
	for _, host := range a.hosts {
		if !a.has(host) {
			continue
		}
		cert, err := a.manager.GetCertificate(ask(host))
		if err == nil && (first.IsZero() || cert.Leaf.NotAfter.Before(first)) {
			first = cert.Leaf.NotAfter
		}
	}
	return first
}
