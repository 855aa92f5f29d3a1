package mqtt

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

const (
	keepAlive   = 30 * time.Second // a half-open connection is found after this and pingTimeout
	pingTimeout = 10 * time.Second
	dialTime    = 10 * time.Second
	connectTime = 20 * time.Second
	writeTime   = 10 * time.Second
	ackTime     = 20 * time.Second // for the broker to confirm something
	quiesce     = 250              // ms for each part of the farewell
	farewell    = 2 * time.Second  // for all of it, even on a connection that hangs
)

// connect makes the connection. A broken one is replaced by a new client; nothing is kept in the old one.
func (d *Driver) connect(ctx context.Context) (*session, error) {
	broker, err := d.cfg.url()
	if err != nil {
		return nil, err
	}
	password, err := d.cfg.password(d.env.Log)
	if err != nil {
		return nil, fmt.Errorf("password_file: %w", err)
	}
	trust, err := d.cfg.trust(broker.Hostname())
	if err != nil {
		return nil, err
	}
	s := newSession(ctx, d)
	dial := func() (net.Conn, error) {
		conn, err := open(s.ctx, broker, trust)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(s.ctx, func() { time.AfterFunc(farewell, func() { conn.Close() }) })
		return newBounded(conn, maxPacket, s.tooLong), nil
	}
	s.client = paho.NewClient(d.options(s, broker, password, dial))
	if err := s.await(ctx, s.client.Connect(), 2*connectTime); err != nil {
		s.cancel()
		s.client.Disconnect(0)
		return nil, connectError(broker, d.cfg.CA, err)
	}
	d.counts.connects.Add(1)
	return s, nil
}

func (d *Driver) options(s *session, broker *url.URL, password string, dial func() (net.Conn, error)) *paho.ClientOptions {
	o := paho.NewClientOptions()
	o.Servers = []*url.URL{broker}
	o.SetClientID("hearth-" + d.env.Name + "-" + rand.Text()[:6])
	if d.cfg.Username != "" {
		o.SetUsername(d.cfg.Username)
		o.SetPassword(password)
	}
	o.SetCleanSession(true)
	o.SetProtocolVersion(4)
	o.SetAutoReconnect(false)
	o.SetOrderMatters(true)
	o.SetKeepAlive(keepAlive)
	o.SetPingTimeout(pingTimeout)
	o.SetConnectTimeout(connectTime)
	o.SetWriteTimeout(writeTime)
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { s.receive(m.Topic(), m.Payload(), m.Retained()) })
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { s.lose(err) })
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return dial() })
	return o
}

// open makes the connection below MQTT.
func open(ctx context.Context, u *url.URL, trust *tls.Config) (net.Conn, error) {
	if u.Scheme == "ws" || u.Scheme == "wss" {
		return paho.NewWebsocket(u.String(), trust, connectTime, nil, nil)
	}
	conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp", u.Host)
	if err != nil || u.Scheme == "mqtt" {
		return conn, err
	}
	secure := tls.Client(conn, trust)
	shake, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if err := secure.HandshakeContext(shake); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}
