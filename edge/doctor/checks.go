package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
)

// leastSpace is what the disk should have left beside the buffer's cap.
const leastSpace = 64 << 20

// DataDir looks whether the data directory can be written, and whether there is room for need bytes more.
func DataDir(dir string, need int64) Check {
	return Check{Name: "data directory", Look: func(context.Context) (string, error) {
		info, err := os.Stat(dir)
		if errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("%s is missing: start the gateway once, or make the directory and give it to the gateway's user", dir)
		}
		if err != nil {
			return "", err
		}
		if !info.IsDir() {
			return "", fmt.Errorf("%s is no directory", dir)
		}
		f, err := os.CreateTemp(dir, ".doctor")
		if err != nil {
			return "", fmt.Errorf("%w: give the directory to the user that the gateway runs as, or mount the disk writable", err)
		}
		defer os.Remove(f.Name())
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return "", fmt.Errorf("the disk does not take what is written: %w", err)
		}
		var disk unix.Statfs_t
		if err := unix.Statfs(dir, &disk); err != nil {
			return "", err
		}
		free := int64(disk.Bavail) * int64(disk.Bsize)
		if free < leastSpace {
			return "", fmt.Errorf("only %d MB are free: make room", free/1e6)
		}
		if free < need {
			return fmt.Sprintf("%s, %d MB free: less than buffer.cap, so the oldest readings may have to go earlier", dir, free/1e6), nil
		}
		return fmt.Sprintf("%s, %d MB free", dir, free/1e6), nil
	}}
}

// Clock looks whether the kernel's clock is synchronised. A gateway works without: only uploading waits, until a
// receiver tells it the time.
func Clock() Check {
	return Check{Name: "clock", Look: func(context.Context) (string, error) {
		var t unix.Timex
		state, err := unix.Adjtimex(&t)
		if err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0 {
			return "the kernel says it is synchronised", nil
		}
		return "the kernel does not say that it is synchronised (is an NTP client running?): the gateway will ask its receiver", nil
	}}
}

// Port looks whether a driver's port can be opened. open opens and closes it; busy says that the gateway itself has it
// open now, so that only the way to it is looked at.
func Port(port string, busy bool, open func(context.Context) error) Check {
	return Check{Name: "port " + port, Look: func(ctx context.Context) (string, error) {
		if !busy {
			return "opens", open(ctx)
		}
		if strings.HasPrefix(port, "tcp://") {
			return "in use by the running gateway", nil
		}
		target, err := filepath.EvalSymlinks(port)
		if errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("%s is not there: is it plugged in? hearth-edge ports lists what is", port)
		}
		if err != nil {
			return "", err
		}
		if err := unix.Access(target, unix.R_OK|unix.W_OK); err != nil {
			return "", fmt.Errorf("no permission on %s: add the user to group dialout", port)
		}
		return "in use by the running gateway", nil
	}}
}

// Page looks whether the running gateway answers at address.
func Page(address string) Check {
	return Check{Name: "page", Look: func(ctx context.Context) (string, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return "", err
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		base := "http://" + net.JoinHostPort(host, port)
		status, _, err := get(ctx, http.DefaultTransport, base+"/healthz", "")
		if err != nil {
			return "", fmt.Errorf("%w: the gateway runs but its page does not answer: see its log", err)
		}
		if status != http.StatusOK {
			return "", fmt.Errorf("%s/healthz answers %d: is it another program that listens there?", base, status)
		}
		return base + " answers", nil
	}}
}

// Receiver looks at the way to a receiver, step by step: its name, a connection, TLS, the token, and what it has of this
// gateway's readings.
func Receiver(address, token string) Check {
	u, err := url.Parse(address)
	if err != nil {
		return Check{Name: "cloud", Look: func(context.Context) (string, error) { return "", err }}
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	base, hostPort := strings.TrimRight(address, "/"), net.JoinHostPort(u.Hostname(), port)
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: perCheck}
	auth := Check{Name: "token", Look: func(ctx context.Context) (string, error) { return whoami(ctx, transport, base, token) },
		Then: []Check{{Name: "sync", Look: func(ctx context.Context) (string, error) { return sync(ctx, transport, base, token) }}}}
	answer := Check{Name: "http", Look: func(ctx context.Context) (string, error) {
		status, _, err := get(ctx, transport, base+"/healthz", "")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%s/healthz answers %d: is this a receiver's address, and is there a proxy in between?", base, status)
		}
		return "the receiver answers", err
	}, Then: []Check{auth}}
	next := answer
	if u.Scheme == "https" {
		next = Check{Name: "tls", Look: func(ctx context.Context) (string, error) { return handshake(ctx, u.Hostname(), hostPort) }, Then: []Check{answer}}
	}
	return Check{Name: "cloud " + address, Then: []Check{{
		Name: "name " + u.Hostname(), Look: func(ctx context.Context) (string, error) { return resolve(ctx, u.Hostname()) },
		Then: []Check{{
			Name: "connection to " + hostPort, Look: func(ctx context.Context) (string, error) { return connect(ctx, hostPort) },
			Then: []Check{next},
		}},
	}}}
}

func resolve(ctx context.Context, host string) (string, error) {
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", fmt.Errorf("%w: is the network up, and is the name right?", err)
	}
	return strings.Join(addresses, ", "), nil
}

func connect(ctx context.Context, hostPort string) (string, error) {
	var dialer net.Dialer
	start := time.Now()
	c, err := dialer.DialContext(ctx, "tcp", hostPort)
	if err != nil {
		return "", fmt.Errorf("%w: is the receiver running, and does a firewall let this port through?", err)
	}
	defer c.Close()
	return fmt.Sprintf("from %s in %s", c.LocalAddr(), time.Since(start).Round(time.Millisecond)), nil
}

func handshake(ctx context.Context, host, hostPort string) (string, error) {
	dialer := tls.Dialer{Config: &tls.Config{ServerName: host}}
	c, err := dialer.DialContext(ctx, "tcp", hostPort)
	var invalid x509.CertificateInvalidError
	if err != nil {
		if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
			return "", fmt.Errorf("%w: or this machine's clock is wrong", err)
		}
		return "", fmt.Errorf("%w: the certificate must be valid for %s", err, host)
	}
	defer c.Close()
	leaf := c.(*tls.Conn).ConnectionState().PeerCertificates[0]
	return fmt.Sprintf("certificate of %s, until %s", leaf.Issuer.CommonName, leaf.NotAfter.Format(time.DateOnly)), nil
}

func get(ctx context.Context, transport http.RoundTripper, address, token string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, body, err
}

func ask(ctx context.Context, transport http.RoundTripper, address, token string, into any) error {
	status, body, err := get(ctx, transport, address, token)
	switch {
	case err != nil:
		return err
	case status == http.StatusUnauthorized:
		return errors.New("the receiver does not know this gateway's token: claim the home again")
	case status == http.StatusForbidden:
		return errors.New("the token's scope is too small: a gateway needs one made by claim, or of scope write for its home")
	case status != http.StatusOK:
		return fmt.Errorf("the receiver answers %d", status)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the answer is not a receiver's: %w", err)
	}
	return nil
}

func whoami(ctx context.Context, transport http.RoundTripper, base, token string) (string, error) {
	var who hearth.Whoami
	if err := ask(ctx, transport, base+"/api/v1/whoami", token, &who); err != nil {
		return "", err
	}
	if who.Home == "" {
		return "", errors.New("the token is bound to no home: use one made by claim")
	}
	return fmt.Sprintf("home %s (%s), scope %s", who.Name, who.Home, who.Scope), nil
}

func sync(ctx context.Context, transport http.RoundTripper, base, token string) (string, error) {
	var who hearth.Whoami
	if err := ask(ctx, transport, base+"/api/v1/whoami", token, &who); err != nil {
		return "", err
	}
	var s hearth.Sync
	if err := ask(ctx, transport, base+"/api/v1/homes/"+url.PathEscape(who.Home)+"/sync", token, &s); err != nil {
		return "", err
	}
	if s.Epoch == "" {
		return "the receiver has nothing of this home yet", nil
	}
	return fmt.Sprintf("the receiver has everything up to block %d", s.Durable), nil
}
