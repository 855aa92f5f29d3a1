package fake

import (
	"io"
	"sync"
	"time"
)

// lineRoom is how many bytes a stick keeps for a host that does not read. What finds no room is lost, as on a chip whose
// heap is full.
const lineRoom = 64 << 10

// A line carries what a stick says to the host that serves it.
type line struct {
	mu      sync.Mutex
	waiting []byte
	wake    chan struct{}
	ended   chan struct{}
	why     error
}

func newLine() *line {
	return &line{wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// put takes bytes for the host, all or none.
func (l *line) put(b []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting)+len(b) > lineRoom {
		return false
	}
	l.waiting = append(l.waiting, b...)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// end ends the line; the first reason counts.
func (l *line) end(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.ended:
	default:
		l.why = why
		close(l.ended)
	}
}

func (l *line) take(most int) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(most, len(l.waiting))
	b := append([]byte(nil), l.waiting[:n]...)
	l.waiting = l.waiting[n:]
	return b
}

// write gives the host what is waiting until the line ends, no faster than the baud rate allows: ten bits a byte.
func (l *line) write(w io.Writer, baud int) error {
	piece := 4096
	if baud > 0 {
		piece = 64
	}
	free := time.Now() // when the line is free again
	for {
		b := l.take(piece)
		if len(b) == 0 {
			select {
			case <-l.ended:
				return nil
			case <-l.wake:
			}
			continue
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		if baud == 0 {
			continue
		}
		if now := time.Now(); free.Before(now) {
			free = now
		}
		free = free.Add(time.Duration(len(b)) * 10 * time.Second / time.Duration(baud))
		pause := time.NewTimer(time.Until(free))
		select {
		case <-l.ended:
			pause.Stop()
			return nil
		case <-pause.C:
		}
	}
}
