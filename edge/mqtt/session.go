package mqtt

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"hearth"
)

// What one connection may do, and all of them together. Beyond it they are read more slowly, which they notice as any
// slow network.
const (
	sessionRate  = 1 << 20 // bytes a second
	sessionBurst = 4 << 20
	brokerRate   = 2 << 20
	brokerBurst  = 8 << 20

	packetCost    = 256      // of every packet, beside its bytes
	subscribeCost = 16 << 10 // of every subscription: it asks for what is retained
	setCost       = 16 << 10 // of every command: it is written to disk

	maxConnect = 16 << 10         // bytes of the first packet, from somebody who has not said who he is
	clogTime   = 15 * time.Second // who leaves his messages lying for most of that is cut off
)

// A session is one connection to the embedded broker.
type session struct {
	net.Conn
	input    io.Reader // what was looked at already, then the connection
	address  string    // of the other side, without its port
	admitted bool      // guarded by the broker's mu
	token    hearth.Token

	secret  string // of the token; these two belong to who reads
	checked time.Time

	own, all *budget
	ended    chan struct{}
	end      sync.Once

	writing sync.Mutex
	since   time.Time     // of the present look at how fast it reads
	stuck   time.Duration // of that, waiting for it
}

func newSession(conn net.Conn, all *budget) *session {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		host = conn.RemoteAddr().String()
	}
	return &session{
		Conn: conn, input: conn, address: host, own: newBudget(sessionRate, sessionBurst), all: all, ended: make(chan struct{}),
	}
}

var (
	errGreeting = errors.New("the first packet is no MQTT, or too long")
	errClogged  = errors.New("messages are left lying")
)

// greet looks at how long the first packet says it is, before anybody makes room for it.
func (s *session) greet() error {
	peeked := bufio.NewReaderSize(s.Conn, 16)
	s.input = peeked
	length, shift := 0, 0
	for n := 2; n <= 5; n++ {
		b, err := peeked.Peek(n)
		if err != nil {
			return err
		}
		if b[0] != 0x10 {
			return errGreeting
		}
		length |= int(b[n-1]&0x7f) << shift
		if shift += 7; b[n-1] < 0x80 {
			if length > maxConnect {
				return errGreeting
			}
			return nil
		}
	}
	return errGreeting
}

// Read implements net.Conn.
func (s *session) Read(p []byte) (int, error) {
	n, err := s.input.Read(p)
	s.spend(n)
	return n, err
}

// spend makes the connection wait until it may have that much.
func (s *session) spend(n int) {
	pause := max(s.own.take(n), s.all.take(n))
	if pause <= 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ended:
	}
}

// Write implements net.Conn. What is not read is kept in memory meanwhile: so it must be read.
func (s *session) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	start := time.Now()
	if start.Sub(s.since) > clogTime {
		if s.stuck > clogTime*3/4 {
			s.Close()
			return 0, errClogged
		}
		s.since, s.stuck = start, 0
	}
	if err := s.SetWriteDeadline(start.Add(clogTime)); err != nil {
		return 0, err
	}
	n, err := s.Conn.Write(p)
	s.stuck += time.Since(start)
	if err != nil {
		s.Close() // half a packet cannot be taken back
	}
	return n, err
}

// SetDeadline implements net.Conn. It is the broker's, for the next packet; Write has its own.
func (s *session) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }

// Close implements net.Conn.
func (s *session) Close() error {
	s.end.Do(func() { close(s.ended) })
	return s.Conn.Close()
}

// A budget is bytes that flow in at a rate and may be saved up to a burst.
type budget struct {
	rate, burst float64

	mu    sync.Mutex
	saved float64
	at    time.Time
}

func newBudget(rate, burst float64) *budget {
	return &budget{rate: rate, burst: burst, saved: burst, at: time.Now()}
}

// take takes n, which may be more than there is, and returns how long to wait for it.
func (b *budget) take(n int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.saved = min(b.saved+now.Sub(b.at).Seconds()*b.rate, b.burst) - float64(n)
	b.at = now
	if b.saved >= 0 {
		return 0
	}
	return time.Duration(-b.saved / b.rate * float64(time.Second))
}
