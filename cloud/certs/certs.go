// Package certs holds the certificates that the receiver shows: from files that somebody else renews, or from an
// authority that speaks ACME, as Let's Encrypt does.
package certs

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/crypto/acme"
)

// Options say where certificates come from: CertFile and KeyFile, or ACME.
type Options struct {
	CertFile string // PEM, with the certificates in between; read again when it changes
	KeyFile  string
	ACME     *ACME
	Log      *slog.Logger
}

// ACME is an authority and what it shall vouch for.
type ACME struct {
	Hosts     []string // the names that certificates are for; the first one also serves who names none
	Email     string   // where the authority may write to; may be empty
	Directory string   // the authority's address
	CAFile    string   // PEM of who signed the authority's own certificate; "" for one that everybody knows
	Cache     string   // the directory where keys and certificates are kept
}

// A source is where certificates come from.
type source interface {
	certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	challenges(next http.Handler) http.Handler
	run(ctx context.Context)
	expires() time.Time
}

// Certificates are safe for several goroutines.
type Certificates struct{ source source }

// Open reads what is on disk: files that cannot be used are an error, a certificate that has to be fetched first is not.
func Open(o Options) (*Certificates, error) {
	var s source
	var err error
	if o.ACME != nil {
		s, err = newAuthority(*o.ACME, o.Log)
	} else {
		s, err = openFiles(o.CertFile, o.KeyFile, o.Log)
	}
	if err != nil {
		return nil, err
	}
	return &Certificates{source: s}, nil
}

// Web returns how HTTPS is spoken: TLS 1.2 or newer, HTTP/1.1 and HTTP/2, and what an authority asks for.
func (c *Certificates) Web() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.source.certificate, NextProtos: []string{"h2", "http/1.1", acme.ALPNProto}}
}

// Plain returns how anything else is spoken over TLS.
func (c *Certificates) Plain() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.source.certificate}
}

// Run keeps the certificates fresh until ctx ends.
func (c *Certificates) Run(ctx context.Context) { c.source.run(ctx) }

// Expires returns when the first of them ends; the zero time where there is none yet.
func (c *Certificates) Expires() time.Time { return c.source.expires() }

// Unencrypted serves the port without TLS: what an authority asks for there, and the way to https for everybody else.
// port is where TLS is spoken.
func (c *Certificates) Unencrypted(port string) http.Handler {
	return c.source.challenges(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead || host == "" {
			http.Error(w, "use https", http.StatusBadRequest) // a token that came this way was readable: it must not look like it worked
			return
		}
		if port != "443" {
			host = net.JoinHostPort(host, port)
		}
		w.Header().Set("Connection", "close")
		http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusFound)
	}))
}

// Strict tells browsers, in answers that travel over TLS, to come by TLS only from now on.
func Strict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}
