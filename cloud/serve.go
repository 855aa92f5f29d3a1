package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/certs"
	"hearth/cloud/web"
)

// stopTime is how long requests under way get at the end.
const stopTime = 3 * time.Second

// A front is what the world sees of a receiver.
type front struct {
	certificates *certs.Certificates // nil: no TLS
	site         *web.Web
	watched      *watched
	log          *slog.Logger
}

// serve answers on the web port until ctx ends.
func (f *front) serve(ctx context.Context, listener net.Listener) error {
	server := api.NewServer(certs.Strict(f.watched.requests(f.site)), f.log)
	failed := make(chan error, 1)
	if f.certificates == nil {
		go func() { failed <- server.Serve(listener) }()
	} else {
		server.TLSConfig = f.certificates.Web()
		go func() { failed <- server.ServeTLS(listener, "", "") }()
		go f.certificates.Run(ctx)
	}
	return f.until(ctx, server, failed)
}

// serveUnencrypted answers on the port without TLS, if there is one.
func (f *front) serveUnencrypted(ctx context.Context, c WebConfig) error {
	if c.TLS.HTTPListen == "" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.TLS.HTTPListen)
	if err != nil {
		return fmt.Errorf("listening for plain HTTP (web.tls.http_listen): %w", err)
	}
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := api.NewServer(f.certificates.Unencrypted(port), f.log)
	server.ReadTimeout, server.WriteTimeout, server.IdleTimeout = 10*time.Second, 10*time.Second, 10*time.Second
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	return f.until(ctx, server, failed)
}

// until stops the server when ctx ends.
func (f *front) until(ctx context.Context, server *http.Server, failed <-chan error) error {
	select {
	case err := <-failed:
		return fmt.Errorf("serving HTTP: %w", err)
	case <-ctx.Done():
	}
	f.site.Close()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if server.Shutdown(stop) != nil { // somebody is slow: what is durable was answered, the rest comes again
		if err := server.Close(); err != nil {
			return fmt.Errorf("stopping HTTP: %w", err)
		}
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	return nil
}

// retentionOf tells how long a home's readings are kept: as its tenant wants, or else as the configuration says, which
// also holds for a home that the accounts know nothing of.
func retentionOf(books *accounts.Accounts, c Config) func(context.Context, string) (time.Duration, error) {
	usual := c.Series.Retention.Std()
	return func(ctx context.Context, home string) (time.Duration, error) {
		tenant, err := books.TenantOf(ctx, home)
		var t accounts.Tenant
		if err == nil {
			t, err = books.Tenant(ctx, tenant)
		}
		switch {
		case errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound}):
			return usual, nil
		case err != nil:
			return 0, err
		case t.Retention > 0:
			return t.Retention, nil
		}
		return usual, nil
	}
}
