package hap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brutella/hap/accessory"
)

// Options are what a Server is made of.
type Options struct {
	Name, Model    string // what a person sees when adding it; the model goes into the announcement
	PIN            string // eight digits, dashes or not: NewPIN
	SetupID        string // four of 0-9A-Z: NewSetupID
	Store          Store
	Handler        Handler
	Log            *slog.Logger
	Coalesce       time.Duration // least time between two events to one connection, buttons left out; 0: 250 ms
	MaxConnections int           // 0: 64; eight at least
}

// Server is one HomeKit bridge, or one accessory. Its methods are safe for several goroutines.
type Server struct {
	name, model string
	setupID     string
	code        *code
	keep        *keeper
	handler     Handler
	log         *slog.Logger
	coalesce    time.Duration
	most        int

	slow          sync.Mutex // one SRP computation at a time: strangers may ask for them
	sent, dropped atomic.Uint64

	mu     sync.Mutex
	db     *database
	config config
	conns  map[*conn]struct{}
	watch  map[chan struct{}]struct{} // of those who announce: told when the announcement has to change
}

// config is the configuration number, and the structure it stands for.
type config struct {
	Number uint16 `json:"number"`
	Hash   string `json:"hash"`
}

// Stats are counts for metrics.
type Stats struct {
	Connections int    // open now
	Verified    int    // of them, those with an encrypted session
	Pairings    int    // controllers known
	Events      uint64 // values told in events since the start
	Dropped     uint64 // values and presses that were not told: too late, or the controller did not take them
}

// New reads the server's identity from the store or makes one. A store that cannot be read is an error, never a new
// identity: with one, every phone in the home would have to be paired again.
func New(o Options) (*Server, error) {
	if o.Store == nil || o.Handler == nil {
		return nil, errors.New("hap: a store and a handler are needed")
	}
	if o.Name == "" {
		return nil, errors.New("hap: a name is needed")
	}
	pin, err := parsePIN(o.PIN)
	if err == nil {
		err = checkSetupID(o.SetupID)
	}
	if err != nil {
		return nil, fmt.Errorf("hap: %w", err)
	}
	keep, err := openKeeper(o.Store)
	if err != nil {
		return nil, err
	}
	s := &Server{
		name: o.Name, model: cmp.Or(o.Model, o.Name), setupID: o.SetupID, code: &code{pin: pin}, keep: keep, handler: o.Handler,
		log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), coalesce: cmp.Or(o.Coalesce, 250*time.Millisecond), most: max(8, cmp.Or(o.MaxConnections, 64)),
		conns: make(map[*conn]struct{}), watch: make(map[chan struct{}]struct{}),
	}
	if _, err := keep.read(keyConfig, &s.config); err != nil {
		return nil, err
	}
	return s, nil
}

// Publish sets the accessories: all of them, the bridge first with the id 1. Ids are explicit and checked: unique, and the
// accessory information of each has the id 1. Where the structure (not the values) is another than the last published one,
// also by an earlier run, the configuration number goes up. It may be called at any time; characteristics that stay (the
// same pointer) keep the value they have here, and connections keep their subscriptions by id. What is published is not to
// be changed any more: new values go through Changed.
func (s *Server) Publish(accessories []*accessory.A) error {
	next, err := newDatabase(accessories)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if config := s.config; next.hash != config.Hash {
		if config.Number++; config.Number == 0 {
			config.Number = 1
		}
		config.Hash = next.hash
		if err := s.keep.write(keyConfig, config); err != nil {
			return fmt.Errorf("hap: the configuration number cannot be kept: %w", err)
		}
		s.config = config
	}
	if s.db != nil {
		for c, before := range s.db.byC {
			if now := next.byC[c]; now != nil {
				now.value, now.version = before.value, before.version
			}
		}
	}
	before := s.db
	s.db = next
	for c := range s.conns {
		c.queue.resubscribe(c, before, next)
	}
	s.tellLocked()
	return nil
}

// resubscribe moves a connection's subscriptions to another database; those of characteristics that are gone end.
func (q *queue) resubscribe(c *conn, before, next *database) {
	for k := range q.subs {
		i := next.items[k]
		if i == nil || !i.observable {
			delete(q.subs, k)
			continue
		}
		i.subscribers[c] = struct{}{}
		if was := before.items[k]; was != nil && was.value != i.value && !i.momentary {
			q.add(k)
		}
	}
}

// Serve accepts connections until ctx ends; then all of them are closed, and nothing runs any more when it returns.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var mine sync.WaitGroup
	defer mine.Wait()
	defer cancel()
	for pause := time.Duration(0); ; {
		nc, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // such as too many open files: it passes
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Warn("homekit: no connection can be accepted", "error", err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		}
		pause = 0
		if tcp, ok := nc.(*net.TCPConn); ok {
			tcp.SetWriteBuffer(writeBuffer) // so that one that does not read is noticed
			tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive, Count: 3})
			if err := giveUp(tcp, vanished); err != nil {
				s.log.Debug("homekit: a controller that vanishes will be noticed late", "remote", nc.RemoteAddr().String(), "error", err)
			}
		}
		if c := s.admit(nc); c != nil {
			mine.Go(func() { s.serve(ctx, c) })
		}
	}
}

// serve runs one connection to its end.
func (s *Server) serve(ctx context.Context, c *conn) {
	stop := context.AfterFunc(ctx, func() { c.nc.Close() })
	defer stop()
	c.serve(ctx)
	s.leave(c)
}

// admit takes a connection in. Where there are too many, the one that has waited longest without a verified session makes
// room; controllers with a session are never put out by strangers.
func (s *Server) admit(nc net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= s.most {
		var oldest *conn
		for c := range s.conns {
			if !c.proven && !c.queue.closed && (oldest == nil || c.heard.Before(oldest.heard)) {
				oldest = c
			}
		}
		if oldest == nil {
			s.log.Warn("homekit: too many connections", "remote", nc.RemoteAddr().String())
			nc.Close()
			return nil
		}
		s.forget(oldest)
		oldest.nc.Close()
	}
	c := newConn(s, nc)
	s.conns[c] = struct{}{}
	return c
}

// leave ends a connection and all that belongs to it.
func (s *Server) leave(c *conn) {
	c.nc.Close()
	s.mu.Lock()
	s.forget(c)
	s.mu.Unlock()
	close(c.done)
	c.telling.Wait()
}

// forget ends the subscriptions of a connection.
func (s *Server) forget(c *conn) {
	delete(s.conns, c)
	c.queue.closed = true
	if s.db != nil {
		for k := range c.queue.subs {
			if i := s.db.items[k]; i != nil {
				delete(i.subscribers, c)
			}
		}
	}
	c.queue.subs, c.queue.presses, c.queue.changed = nil, nil, nil
}

// farewell closes the connections of controllers that are not paired any more, except for the one that is being answered.
func (s *Server) farewell(gone []string, except *conn) {
	if len(gone) == 0 {
		return
	}
	s.log.Info("homekit: controllers removed", "controllers", gone)
	s.mu.Lock()
	for c := range s.conns {
		if slices.Contains(gone, c.controller) {
			s.forget(c)
			if c != except {
				c.nc.Close()
			}
		}
	}
	s.mu.Unlock()
	s.tell()
}

// tell wakes those who announce.
func (s *Server) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tellLocked()
}

func (s *Server) tellLocked() {
	for ch := range s.watch {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Paired reports whether any controller is paired.
func (s *Server) Paired() bool { return s.keep.paired() }

// Pairings returns the controllers, in the order of their ids.
func (s *Server) Pairings() []Pairing { return s.keep.all() }

// Remove removes one pairing and closes its connections. Without an administrator left, all pairings are removed.
func (s *Server) Remove(id string) error {
	gone, err := s.keep.remove(id)
	s.farewell(gone, nil)
	return err
}

// Reset makes the server as new: no pairings, another identity, a hundred tries. All connections are closed.
func (s *Server) Reset() error {
	err := s.keep.reset()
	s.mu.Lock()
	for c := range s.conns {
		s.forget(c)
		c.nc.Close()
	}
	s.mu.Unlock()
	s.tell()
	return err
}

// SetupURI is the text of the QR code that adds the server to a home.
func (s *Server) SetupURI() string {
	return setupURI(s.category(), s.code.pin, s.setupID)
}

// category is what a phone shows before pairing: a bridge, unless a single accessory says otherwise.
func (s *Server) category() byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return 2
	}
	return s.db.category
}

// Stats returns counts for metrics.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{Connections: len(s.conns), Pairings: s.keep.count(), Events: s.sent.Load(), Dropped: s.dropped.Load()}
	for c := range s.conns {
		if c.controller != "" {
			stats.Verified++
		}
	}
	return stats
}
