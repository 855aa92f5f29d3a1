package downlink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	mqtt "github.com/mochi-mqtt/server/v2"

	"hearth"
	"hearth/cloud/accounts"
)

// Limits of the broker.
const (
	maxClients    = 20_000
	maxPerToken   = 200
	maxPacket     = 256 << 10
	maxInflight   = 1024
	readBuffer    = 256              // bytes of each connection
	maxWrites     = 256              // messages waiting for one slow client; more are dropped
	connectTime   = 10 * time.Second // for the first packet
	mostKeepAlive = 60               // s; a gateway that is gone is found after one and a half of that
)

// embedded is the broker in this process: mochi, without any store of its own, as a link and no more.
//
// Every connection is a session (session.go) that the hook (hook.go) finds again through it.
type embedded struct {
	address  string
	tls      *tls.Config // nil: none
	sink     sink
	accounts *accounts.Accounts
	log      *slog.Logger
	upgrader websocket.Upgrader
	server   *mqtt.Server // from listen on
	listener net.Listener // from listen on; nil without an address
	retained retained

	listening atomic.Int64 // sessions of applications

	mu       sync.Mutex
	ctx      context.Context // while the broker runs, else nil
	sessions map[*session]struct{}
	perToken map[string]int
	gateways map[string]int // live sessions of each home's gateway
	group    sync.WaitGroup // connections
}

func newEmbedded(o Embedded, s sink, a *accounts.Accounts, log *slog.Logger) *embedded {
	e := &embedded{
		address: o.Listen, tls: o.TLS, sink: s, accounts: a, log: log,
		sessions: map[*session]struct{}{}, perToken: map[string]int{}, gateways: map[string]int{}, retained: retained{online: map[string]string{}},
	}
	e.upgrader = websocket.Upgrader{
		HandshakeTimeout: connectTime, Subprotocols: []string{"mqtt", "mqttv3.1"},
		// Ten thousand gateways that say nothing must not hold a buffer each: what is larger than this is read into place.
		ReadBufferSize: readBuffer, WriteBufferSize: 2048, WriteBufferPool: new(sync.Pool),
		// A page of anybody's may connect: nothing but the token in the first packet lets it in, no cookie does.
		CheckOrigin: func(*http.Request) bool { return true },
	}
	return e
}

// newServer makes mochi's server. Its tickers start with it.
func (e *embedded) newServer() (*mqtt.Server, error) {
	limits := mqtt.NewDefaultServerCapabilities()
	limits.MaximumClients = maxClients
	limits.MaximumPacketSize = maxPacket
	limits.MaximumInflight = maxInflight
	limits.MaximumClientWritesPending = maxWrites
	limits.MaximumSessionExpiryInterval = 0
	limits.SharedSubAvailable = 0
	server := mqtt.New(&mqtt.Options{
		Capabilities: limits, InlineClient: true, SysTopicResendInterval: 24 * 3600, ClientNetReadBufferSize: readBuffer,
		Logger: slog.New(slog.DiscardHandler), // it logs whole packets, passwords among them
	})
	return server, server.AddHook(&hook{broker: e}, nil)
}

// listen starts the broker for as long as ctx lasts, and opens the listener for plain MQTT.
func (e *embedded) listen(ctx context.Context) error {
	var listener net.Listener
	if e.address != "" {
		// A gateway whose power fails says no goodbye: the system looks after the connection, too.
		config := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}
		var err error
		if listener, err = config.Listen(ctx, "tcp", e.address); err != nil {
			return fmt.Errorf("listening for MQTT (mqtt.listen): %w", err)
		}
		if e.tls != nil {
			listener = tls.NewListener(listener, e.tls) // who reads first shakes hands, within connectTime
		}
	}
	server, err := e.newServer()
	if err == nil {
		err = server.Serve()
	}
	if err != nil {
		return fmt.Errorf("starting the MQTT broker: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server, e.listener, e.ctx = server, listener, ctx
	return nil
}

func (e *embedded) run(ctx context.Context) error {
	var working sync.WaitGroup
	working.Go(func() { e.review(ctx) })
	if e.listener != nil {
		working.Go(func() { e.accept(ctx, e.listener) })
	}
	<-ctx.Done()
	var err error
	if e.listener != nil {
		err = ignoreClosed(e.listener.Close())
	}
	working.Wait()
	e.end()
	return errors.Join(err, e.server.Close())
}

// end closes all connections and waits for their goroutines.
func (e *embedded) end() {
	e.mu.Lock()
	e.ctx = nil
	for s := range e.sessions {
		s.Conn.Close()
	}
	e.mu.Unlock()
	e.group.Wait()
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (e *embedded) accept(ctx context.Context, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil: // too many open files, most likely
			e.log.Error("an MQTT connection could not be accepted", "err", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		default:
			if s, ok := e.begin(conn); ok {
				go e.serve(s)
			}
		}
	}
}

// handler serves MQTT over WebSocket.
func (e *embedded) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := e.upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // the upgrader has answered
		}
		conn.SetReadLimit(maxPacket)
		if s, ok := e.begin(&webConn{Conn: conn.NetConn(), messages: conn}); ok {
			go e.serve(s) // not here: the request, its buffers and its deep stack would last as long as the connection
		}
	})
}

// begin takes a connection in, or closes it if there are too many, or the broker is not running.
func (e *embedded) begin(conn net.Conn) (*session, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx == nil || len(e.sessions) >= maxClients {
		conn.Close()
		return nil, false
	}
	s := &session{Conn: conn}
	e.sessions[s] = struct{}{}
	e.group.Add(1)
	return s, true
}

// serve speaks MQTT until the connection ends.
func (e *embedded) serve(s *session) {
	defer e.group.Done()
	_ = s.SetDeadline(time.Now().Add(connectTime)) // the server sets its own once it knows the client
	err := e.server.EstablishConnection("hearth", s)
	e.log.Debug("an MQTT connection ended", "client", s.name(), "remote", s.RemoteAddr().String(), "err", err)
	s.Conn.Close()
	e.ended(s)
}

// admit notes whose session it is, unless the token has too many. A gateway's counts from here: the broker ends the one
// it takes over before it establishes its own, and in between the home is not offline.
func (e *embedded) admit(s *session, token hearth.Token) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.perToken[token.Hash] >= maxPerToken {
		return false
	}
	e.perToken[token.Hash]++
	s.token, s.admitted = token, true
	if s.live = token.Scope == hearth.ScopeGateway; s.live {
		e.gateways[token.Home]++
	} else {
		e.listening.Add(1)
	}
	return true
}

// established says that a session is served from now on.
func (e *embedded) established(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !s.live || e.ctx == nil {
		return
	}
	e.sink.session(e.ctx, s.token.Home, true)
}

// ended forgets a session. With the last one of a gateway the home is offline, which applications see on its topic.
func (e *embedded) ended(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sessions, s)
	if !s.admitted {
		return
	}
	if e.perToken[s.token.Hash]--; e.perToken[s.token.Hash] == 0 {
		delete(e.perToken, s.token.Hash)
	}
	if !s.live {
		e.listening.Add(-1)
		return
	}
	home := s.token.Home
	if e.gateways[home]--; e.gateways[home] > 0 {
		return
	}
	delete(e.gateways, home)
	e.sink.session(context.Background(), home, false)
	e.retained.set(home, s.farewell())
	if err := e.server.Publish(hearth.TopicOnline(home), s.farewell(), false, 1); err != nil {
		e.log.Warn("a home's end could not be published", "home", home, "err", err)
	}
}

func (e *embedded) publish(topic string, payload []byte) error {
	return e.server.Publish(topic, payload, false, 1)
}

func (e *embedded) heard() bool { return e.listening.Load() > 0 }

func (e *embedded) tell(_ context.Context, topic string, payload []byte, qos byte) error {
	return e.server.Publish(topic, payload, false, qos)
}

func (e *embedded) clients() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.sessions)
}
