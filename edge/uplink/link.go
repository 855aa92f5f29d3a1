package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"golang.org/x/sync/errgroup"

	"hearth"
)

const (
	keepAlive   = 30 * time.Second // a half-open link is found after this, pingTimeout and 5 s at the latest
	pingTimeout = 10 * time.Second
	connectTime = 30 * time.Second
	writeTime   = 10 * time.Second
	ackTime     = 30 * time.Second // for the broker to confirm a message
	steady      = time.Minute      // a link that lasted so long was no failure
	quiesce     = 250              // ms for each part of the farewell
	farewell    = 2 * time.Second  // for all of it, even on a link that hangs
)

// link is the MQTT connection: commands come down, results and live values go up. A broken one is replaced by a new
// client; nothing is kept in the old one.
type link struct {
	r       *receiver
	me      hearth.Whoami
	answers *dispatcher
	devices *inventory
}

func newLink(r *receiver, me hearth.Whoami, answers *dispatcher, devices *inventory) *link {
	return &link{r: r, me: me, answers: answers, devices: devices}
}

func (l *link) run(ctx context.Context) {
	var wait pace
	for {
		start := time.Now()
		err := l.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if l.r.status.setCommands(stateWaiting + ": " + err.Error()) {
			l.r.opt.Log.Warn("no link for commands and live values; trying again", "error", err)
		}
		if time.Since(start) > steady {
			wait.reset()
		}
		if !sleep(ctx, wait.next(err)) {
			return
		}
	}
}

// once connects and serves the link until it breaks or ctx ends.
func (l *link) once(ctx context.Context) error {
	broker, err := brokerURL(l.r.opt.Cloud, l.me.MQTT)
	if err != nil {
		return &fault{refused: true, err: err}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lost := make(chan error, 1)
	client := mqtt.NewClient(l.options(ctx, broker, lost))
	connect := client.Connect()
	if err := await(ctx, connect, lost, 2*connectTime); err != nil {
		client.Disconnect(0)
		return connectError(broker, err)
	}
	c := &connection{
		link: l, client: client, lost: lost, doubted: make(chan struct{}, 1),
		under: make(chan pending, maxUnacked), events: l.r.opt.Home.Subscribe(maxLive),
	}
	defer c.leave()
	if err := c.greet(ctx); err != nil {
		return err
	}
	if l.r.status.setCommands(stateConnected) {
		l.r.opt.Log.Info("the link for commands and live values is up", "broker", broker.Host)
	}
	l.devices.sendAgain()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.watch(ctx) })
	group.Go(func() error { return c.list(ctx) })
	group.Go(func() error { return c.say(ctx) })
	group.Go(func() error { return c.confirm(ctx) })
	group.Go(func() error { return c.live(ctx) })
	group.Go(func() error { return c.tell(ctx) })
	return group.Wait()
}

func (l *link) options(ctx context.Context, broker *url.URL, lost chan<- error) *mqtt.ClientOptions {
	o := mqtt.NewClientOptions()
	o.Servers = []*url.URL{broker}
	o.SetClientID("hearth-" + l.me.Home)
	o.SetUsername(l.me.TokenName)
	o.SetPassword(l.r.opt.Cloud.Token)
	o.SetCleanSession(true) // the receiver's table is the truth, not a session
	o.SetProtocolVersion(4)
	o.SetAutoReconnect(false)
	o.SetKeepAlive(keepAlive)
	o.SetPingTimeout(pingTimeout)
	o.SetConnectTimeout(connectTime)
	o.SetWriteTimeout(writeTime)
	o.SetBinaryWill(hearth.TopicOnline(l.me.Home), []byte("false"), 1, true)
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err })
	o.SetCustomOpenConnectionFn(func(u *url.URL, _ mqtt.ClientOptions) (net.Conn, error) { return l.open(ctx, u) })
	return o
}

// open makes the connection below MQTT. The end of ctx closes it, with time for a farewell, whatever the client is
// waiting for.
func (l *link) open(ctx context.Context, u *url.URL) (net.Conn, error) {
	conn, err := l.dial(ctx, u)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { time.AfterFunc(farewell, func() { conn.Close() }) })
	return conn, nil
}

func (l *link) dial(ctx context.Context, u *url.URL) (net.Conn, error) {
	if u.Scheme == "ws" || u.Scheme == "wss" {
		return mqtt.NewWebsocket(u.String(), nil, connectTime, nil, nil)
	}
	dial := l.r.opt.dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTime}).DialContext
	}
	conn, err := dial(ctx, "tcp", u.Host)
	if err != nil || u.Scheme == "mqtt" {
		return conn, err
	}
	secure := tls.Client(conn, &tls.Config{ServerName: u.Hostname()})
	shake, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if err := secure.HandshakeContext(shake); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

func connectError(broker *url.URL, err error) error {
	switch {
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		return &fault{refused: true, err: fmt.Errorf("the broker %s does not take the token: claim this gateway again, or put a valid token into token_file", broker.Host)}
	case errors.Is(err, packets.ErrorRefusedServerUnavailable):
		return fmt.Errorf("the broker %s is not available now", broker.Host)
	}
	return fmt.Errorf("connecting to the broker %s: %w", broker.Host, inWords(err))
}

// await waits until the broker has confirmed what t stands for.
func await(ctx context.Context, t mqtt.Token, lost <-chan error, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	case err := <-lost:
		return fmt.Errorf("the link broke: %w", err)
	case <-timer.C:
		return errors.New("no answer in time")
	}
}
