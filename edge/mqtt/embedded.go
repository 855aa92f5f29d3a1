package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"

	"hearth"
)

// Limits of the gateway's own broker.
const (
	maxClients   = 256
	maxStrangers = 64               // connections that have not said who they are
	maxFrom      = 16               // of these, from one address
	maxPacket    = 2 << 20          // bytes: what Zigbee2MQTT says of its devices has a million
	maxInflight  = 2048             // messages of QoS 1 and 2 that a client has not acknowledged; more are dropped
	maxWrites    = 8192             // messages waiting for a slow client; more are dropped. All that is retained must fit
	connectTime  = 10 * time.Second // for the first packet
)

// embedded is a broker in this process: mochi, without any store. What is retained is published anew by the gateway
// after a restart, and by others as they do with any broker.
type embedded struct {
	f        *Face
	server   *mochi.Server
	listener net.Listener
	retained *retained
	guesses  *guesses
	all      *budget
	failed   chan error

	mu       sync.Mutex
	closed   bool
	sessions map[*session]struct{}
	waiting  map[string]int // connections that have not said who they are, by address
	group    sync.WaitGroup
}

// listen starts the broker.
func listen(f *Face) (*embedded, error) {
	config := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}
	listener, err := config.Listen(context.Background(), "tcp", f.o.Listen)
	if err != nil {
		return nil, fmt.Errorf("mqtt.listen: %w: choose another address, or stop what uses this one, or name it as mqtt.broker", err)
	}
	e := &embedded{
		f: f, listener: listener, retained: newRetained(f.said), guesses: newGuesses(), all: newBudget(brokerRate, brokerBurst),
		failed: make(chan error, 1), sessions: map[*session]struct{}{}, waiting: map[string]int{},
	}
	e.server = newServer()
	if err := errors.Join(e.server.AddHook(&hook{e: e}, nil), e.server.Serve()); err != nil {
		listener.Close()
		return nil, fmt.Errorf("starting the MQTT broker: %w", err)
	}
	e.group.Go(e.accept)
	f.o.Log.Info("the MQTT broker listens", "address", listener.Addr().String())
	return e, nil
}

func newServer() *mochi.Server {
	limits := mochi.NewDefaultServerCapabilities()
	limits.MaximumClients = maxClients
	limits.MaximumPacketSize = maxPacket
	limits.MaximumInflight = maxInflight
	limits.MaximumClientWritesPending = maxWrites
	limits.MaximumSessionExpiryInterval = 0
	limits.MaximumMessageExpiryInterval = math.MaxInt64 // what is retained stays, unless its sender says otherwise
	limits.TopicAliasMaximum = 0                        // a topic that is not there cannot be checked
	return mochi.New(&mochi.Options{
		Capabilities: limits, InlineClient: true, SysTopicResendInterval: 60,
		Logger: slog.New(slog.DiscardHandler), // it logs whole packets, passwords among them
	})
}

func (e *embedded) accept() {
	for {
		conn, err := e.listener.Accept()
		if err == nil {
			e.begin(conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		e.f.o.Log.Error("an MQTT connection could not be accepted", "error", err) // too many open files, most likely
		time.Sleep(100 * time.Millisecond)
	}
}

// begin serves a connection, or closes it where there are too many.
func (e *embedded) begin(conn net.Conn) {
	s := newSession(conn, e.all)
	e.mu.Lock()
	defer e.mu.Unlock()
	strangers := 0
	for _, n := range e.waiting {
		strangers += n
	}
	if e.closed || len(e.sessions) >= maxClients+maxStrangers || strangers >= maxStrangers || e.waiting[s.address] >= maxFrom {
		conn.Close()
		return
	}
	e.sessions[s] = struct{}{}
	e.waiting[s.address]++
	e.group.Go(func() { e.serve(s) })
}

// serve speaks MQTT until the connection ends.
func (e *embedded) serve(s *session) {
	_ = s.SetDeadline(time.Now().Add(connectTime)) // the server sets its own once it knows the client
	err := s.greet()
	if err == nil {
		err = e.server.EstablishConnection("hearth", s)
	}
	s.Close()
	e.mu.Lock()
	name := s.token.Name
	delete(e.sessions, s)
	e.met(s)
	clients := len(e.sessions)
	e.mu.Unlock()
	e.f.count(func(st *Stats) { st.Clients = clients })
	e.f.o.Log.Debug("an MQTT connection ended", "token", name, "remote", s.RemoteAddr().String(), "error", err)
}

// admit takes a connection for one of a token's.
func (e *embedded) admit(s *session, token hearth.Token) {
	e.mu.Lock()
	e.met(s)
	s.token, s.admitted = token, true
	clients := len(e.sessions)
	e.mu.Unlock()
	e.f.count(func(st *Stats) { st.Clients = clients })
}

// met takes a connection from those that have not said who they are; e.mu is held.
func (e *embedded) met(s *session) {
	if s.admitted {
		return
	}
	s.admitted = true
	if e.waiting[s.address]--; e.waiting[s.address] <= 0 {
		delete(e.waiting, s.address)
	}
}

// publish implements link. QoS 0: nothing stands between this broker and a client but their connection, and a client
// that asks for more would only have its place for unacknowledged ones filled by what is retained.
func (e *embedded) publish(m message) error {
	return e.server.Publish(m.topic, m.payload, m.retain, 0)
}

func (e *embedded) lost() <-chan error { return e.failed }

// close implements link.
func (e *embedded) close() {
	_ = e.server.Publish(gatewayTopic, []byte(offline), true, 0)
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.listener.Close()
	e.settle()
	e.mu.Lock()
	for s := range e.sessions {
		s.Close()
	}
	e.mu.Unlock()
	e.group.Wait()
	_ = e.server.Close() // has nothing of its own left to close
	e.f.count(func(s *Stats) { s.Clients = 0 })
}

// settle gives the clients a moment to take the last message.
func (e *embedded) settle() {
	const moment = 50 * time.Millisecond
	time.Sleep(moment)
}
