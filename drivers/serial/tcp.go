package serial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
)

const (
	dialTimeout = 10 * time.Second
	deadPeer    = 30 * time.Second // without an answer to what was sent, or to keepalives
)

func openTCP(ctx context.Context, name, address string) (*port, error) {
	dialer := net.Dialer{
		Timeout:         dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: deadPeer / 2, Interval: deadPeer / 6, Count: 3},
		Control:         limitSilence,
	}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	var dns *net.DNSError
	switch {
	case err == nil:
		return &port{name: name, line: conn.(*net.TCPConn), gone: "ended the connection"}, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("connecting to %s: %w", name, ctx.Err())
	case errors.As(err, &dns):
		return nil, hearth.Errorf(hearth.CodeOffline, "%s: there is no host %s: check its name, or use its address", name, dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, hearth.Errorf(hearth.CodeOffline, "%s: nothing listens there: check the port number, and that the adapter is in its TCP server mode", name)
	}
	return nil, hearth.Errorf(hearth.CodeOffline, "%s: no answer: is it switched on, and in this network? (%v)", name, err)
}

// limitSilence makes a connection fail when the peer does not acknowledge: keepalives do not help while bytes wait.
func limitSilence(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadPeer.Milliseconds()))
	})
	return errors.Join(err, failed)
}
