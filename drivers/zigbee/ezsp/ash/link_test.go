package ash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A stick is the other end of a line, moved by hand.
type stick struct {
	t      *testing.T
	conn   net.Conn
	frames chan frame
	raw    chan []byte
	link   *Link
	app    *application
	ended  chan error
	stop   func()
}

// An application takes what the link brings.
type application struct {
	mu     sync.Mutex
	heard  []string
	closed chan struct{} // Frame waits while it is not nil
}

func (a *application) Frame(data []byte) {
	a.mu.Lock()
	closed := a.closed
	a.mu.Unlock()
	if closed != nil {
		<-closed
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard = append(a.heard, string(data))
}

func (a *application) Lost(reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard = append(a.heard, "lost: "+reason)
}

// take returns what has come since it was last asked.
func (a *application) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	heard := a.heard
	a.heard = nil
	return heard
}

// line runs a link and the stick in a bubble of its own time.
func line(t *testing.T, play func(s *stick)) {
	synctest.Test(t, func(t *testing.T) {
		host, other := net.Pipe()
		s := &stick{
			t: t, conn: other, frames: make(chan frame, 1000), raw: make(chan []byte, 1000), app: &application{}, ended: make(chan error, 1),
			link: New(host, slog.New(slog.DiscardHandler)),
		}
		ctx, stop := context.WithCancel(t.Context())
		s.stop = stop
		go func() { s.ended <- s.link.Run(ctx, s.app) }()
		go s.listen()
		defer func() {
			stop()
			synctest.Wait()
			other.Close()
		}()
		play(s)
	})
}

func (s *stick) listen() {
	defer close(s.raw)
	var d decoder
	b := make([]byte, 1024)
	for {
		n, err := s.conn.Read(b)
		s.raw <- bytes.Clone(b[:n])
		for _, c := range b[:n] {
			if d.take(c) == whole {
				s.frames <- d.frame
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *stick) write(b []byte) {
	s.t.Helper()
	if _, err := s.conn.Write(b); err != nil {
		s.t.Fatal(err)
	}
}

// say returns once the host has heard f: the end of a write tells only that its bytes were taken.
func (s *stick) say(f frame) {
	s.t.Helper()
	s.write(f.append(nil))
	synctest.Wait()
}

func (s *stick) data(number, acknowledges uint8, again bool, text string) {
	s.t.Helper()
	s.say(frame{control: dataControl(number, acknowledges, again), data: []byte(text)})
}

// next returns what the host has sent, nil if nothing.
func (s *stick) next() *frame {
	synctest.Wait()
	select {
	case f := <-s.frames:
		return &f
	default:
		return nil
	}
}

func (s *stick) want(control byte, text string) {
	s.t.Helper()
	f := s.next()
	if f == nil {
		s.t.Fatalf("the host has sent nothing, want %#02x %q", control, text)
	}
	if f.control != control || string(f.data) != text {
		s.t.Fatalf("the host has sent %#02x %q, want %#02x %q", f.control, f.data, control, text)
	}
}

func (s *stick) wantNothing() {
	s.t.Helper()
	if f := s.next(); f != nil {
		s.t.Fatalf("the host has sent %#02x %q", f.control, f.data)
	}
}

func (s *stick) wantHeard(want ...string) {
	s.t.Helper()
	synctest.Wait()
	got := s.app.take()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		s.t.Fatalf("the application has heard %q, want %q", got, want)
	}
}

// reset starts a Reset and returns what it will return.
func (s *stick) reset(patience time.Duration) chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		defer cancel()
		done <- s.link.Reset(ctx)
	}()
	synctest.Wait()
	return done
}

// connected brings the line to where data can be exchanged.
func (s *stick) connected() {
	s.t.Helper()
	done := s.reset(time.Second)
	s.want(controlRst, "")
	s.say(frame{control: controlRstack, data: []byte{2, softwareReset}})
	synctest.Wait()
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
	s.want(controlAck, "")
}

func (s *stick) send(text string) {
	s.t.Helper()
	if err := s.link.Send([]byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

func TestExchange(t *testing.T) {
	line(t, func(s *stick) {
		s.connected()
		s.send("one")
		s.want(dataControl(0, 0, false), "one")
		s.data(0, 1, false, "answer")
		s.want(controlAck|1, "")
		s.wantHeard("answer")
		for n := 1; n < 20; n++ { // over the end of the numbers
			text := fmt.Sprintf("word %d", n)
			s.send(text)
			s.want(dataControl(uint8(n), uint8(n), false), text)
			s.data(uint8(n), uint8(n+1), false, "re: "+text)
			s.want(controlAck|uint8(n+1)&7, "")
			s.wantHeard("re: " + text)
		}
	})
}

func TestSendLimits(t *testing.T) {
	line(t, func(s *stick) {
		if err := s.link.Send([]byte("early")); !errors.Is(err, ErrDown) {
			t.Errorf("before Reset: %v", err)
		}
		s.connected()
		for n := range window {
			s.send(fmt.Sprint("frame ", n))
			s.want(dataControl(uint8(n), 0, false), fmt.Sprint("frame ", n))
		}
		for range maxWaiting {
			s.send("waits")
		}
		s.wantNothing()
		if err := s.link.Send([]byte("too many")); !errors.Is(err, ErrFull) {
			t.Errorf("with a full queue: %v", err)
		}
		if err := s.link.Send(make([]byte, MaxData+1)); err == nil {
			t.Error("a frame that is too long is taken")
		}
		if err := s.link.Send(nil); err == nil {
			t.Error("an empty frame is taken")
		}
	})
}

func TestLostFrameIsRepeated(t *testing.T) {
	line(t, func(s *stick) {
		s.connected()
		s.send("one")
		s.want(dataControl(0, 0, false), "one")
		time.Sleep(firstPatience - time.Millisecond)
		s.wantNothing()
		time.Sleep(time.Millisecond)
		s.want(dataControl(0, 0, true), "one")
		s.say(frame{control: controlAck | 1})
		time.Sleep(time.Minute)
		s.wantNothing()
		s.wantHeard()
	})
}

func TestNakRepeats(t *testing.T) {
	line(t, func(s *stick) {
		s.connected()
		for n := range 3 {
			s.send(fmt.Sprint("frame ", n))
			s.want(dataControl(uint8(n), 0, false), fmt.Sprint("frame ", n))
		}
		s.say(frame{control: controlNak | 1})
		s.want(dataControl(1, 0, true), "frame 1")
		s.want(dataControl(2, 0, true), "frame 2")
		s.wantNothing()
	})
}

func TestDeadLine(t *testing.T) {
	line(t, func(s *stick) {
		s.connected()
		s.send("one")
		for n := range maxSilences {
			s.want(dataControl(0, 0, n > 0), "one")
			time.Sleep(mostPatience)
		}
		s.wantHeard("lost: it does not acknowledge what it is sent")
		if err := s.link.Send([]byte("two")); !errors.Is(err, ErrDown) {
			t.Errorf("on a dead line: %v", err)
		}
		s.connected() // the same line comes back
		s.send("three")
		s.want(dataControl(0, 0, false), "three")
	})
}

func TestGapsAndDuplicates(t *testing.T) {
	line(t, func(s *stick) {
		s.connected()
		s.data(0, 0, false, "zero")
		s.want(controlAck|1, "")
		s.data(2, 0, false, "two")
		s.want(controlNak|1, "")
		s.data(3, 0, false, "three")
		s.wantNothing() // one complaint per gap
		s.data(1, 0, true, "one")
		s.want(controlAck|2, "")
		s.data(1, 0, true, "one")
		s.want(controlAck|2, "") // again: its acknowledgement was lost
		s.data(2, 0, true, "two")
		s.want(controlAck|3, "")
		s.data(7, 0, false, "seven")
		s.want(controlNak|3, "") // another gap
		time.Sleep(nakAgain)
		s.data(7, 0, false, "seven")
		s.want(controlNak|3, "") // the complaint was lost
		s.wantHeard("zero", "one", "two")
	})
}

func TestNoise(t *testing.T) {
	whole := frame{control: dataControl(0, 0, false), data: []byte("zero")}.append(nil)
	for name, tt := range map[string]struct {
		noise []byte
		reply []byte // control bytes
		heard bool
	}{
		"broken checksum":       {append([]byte{whole[0] ^ 0x20}, whole[1:]...), []byte{controlNak}, false},
		"cut short":             {append(bytes.Clone(whole[:3]), flag), []byte{controlNak}, false},
		"a byte was broken":     {append([]byte{whole[0], substitute}, whole[2:]...), []byte{controlNak}, false},
		"another's false start": {append([]byte{0xfe, 0xff}, whole...), []byte{controlNak}, false},
		"noise, then flag":      {append([]byte{0x55, 0xaa, flag}, whole...), []byte{controlNak, controlAck | 1}, true},
		"noise, then cancel":    {append([]byte{0x55, 0xaa, cancel}, whole...), []byte{controlAck | 1}, true},
		"flow control inside":   {append([]byte{whole[0], xon}, whole[1:]...), []byte{controlAck | 1}, true},
		"a bad acknowledgement": {frame{control: dataControl(0, 5, false), data: []byte("zero")}.append(nil), []byte{controlNak}, false},
	} {
		t.Run(name, func(t *testing.T) {
			line(t, func(s *stick) {
				s.connected()
				for _, c := range tt.noise { // one by one, as slow lines bring them
					s.write([]byte{c})
					synctest.Wait()
				}
				for _, control := range tt.reply {
					s.want(control, "")
				}
				s.wantNothing()
				if tt.heard {
					s.wantHeard("zero")
					return
				}
				s.wantHeard()
				s.write(whole)
				s.want(controlAck|1, "")
				s.wantHeard("zero")
			})
		})
	}
}

// TestNoiseBeforeAFrame has noise refused that was no frame, and then a frame that the rest of it has spoilt: the stick, which
// had nothing to repeat at first, is told of that one too.
func TestNoiseBeforeAFrame(t *testing.T) {
	line(t, func(s *stick) {
		s.connected()
		s.write([]byte{0x55, 0xaa, flag, 0x55, 0xaa})
		s.want(controlNak, "")
		s.data(0, 0, false, "zero")
		s.wantNothing()
		time.Sleep(nakAgain)
		s.want(controlNak, "")
		s.data(0, 0, true, "zero")
		s.want(controlAck|1, "")
		time.Sleep(time.Minute)
		s.wantNothing()
		s.wantHeard("zero")
	})
}

func TestAcknowledgementsDoNotWaitForTheApplication(t *testing.T) {
	line(t, func(s *stick) {
		s.connected()
		s.app.closed = make(chan struct{})
		sent, refusedAt := 0, -1
		for sent = range 100 {
			s.data(uint8(sent), 0, false, fmt.Sprint("frame ", sent))
			f := s.next()
			if f == nil {
				t.Fatalf("frame %d is not acknowledged at once", sent)
			}
			busy := f.control&bitNotReady != 0
			// One frame is with the application already.
			if want := sent >= busyAt; busy != want {
				t.Fatalf("frame %d: busy %t", sent, busy)
			}
			if f.isNak() {
				refusedAt = sent
				break
			}
		}
		if refusedAt != maxInbox+1 {
			t.Fatalf("frame %d was the first to be refused", refusedAt)
		}
		time.Sleep(busyRefresh)
		s.want(controlAck|bitNotReady|byte(refusedAt&7), "")
		closed := s.app.closed
		s.app.mu.Lock()
		s.app.closed = nil
		s.app.mu.Unlock()
		close(closed)
		s.want(controlAck|byte(refusedAt&7), "") // ready
		if heard := s.app.take(); len(heard) != refusedAt {
			t.Fatalf("%d of %d frames came", len(heard), refusedAt)
		}
		s.data(uint8(refusedAt), 0, true, "the refused one")
		s.want(controlAck|byte((refusedAt+1)&7), "")
		s.wantHeard("the refused one")
		time.Sleep(time.Minute)
		s.wantNothing()
	})
}

func TestPauses(t *testing.T) {
	line(t, func(s *stick) {
		s.connected()
		s.write([]byte{xoff})
		synctest.Wait()
		s.send("one")
		s.data(0, 0, false, "zero")
		s.wantNothing()
		s.write([]byte{xon})
		s.want(controlAck|1, "")
		s.want(dataControl(0, 1, false), "one")
		s.say(frame{control: controlAck | 1})
		s.write([]byte{xoff}) // a stray one
		synctest.Wait()
		s.send("two")
		time.Sleep(maxPause - time.Millisecond)
		s.wantNothing()
		time.Sleep(time.Millisecond)
		s.want(dataControl(1, 1, false), "two")
	})
}

func TestRestartAndFailure(t *testing.T) {
	for name, tt := range map[string]struct {
		frame frame
		want  string
	}{
		"restart": {frame{control: controlRstack, data: []byte{2, 3}}, "lost: it has restarted: watchdog (0x03)"},
		"failure": {frame{control: controlError, data: []byte{2, 0x51}}, "lost: it has failed: it got no acknowledgements (0x51)"},
	} {
		t.Run(name, func(t *testing.T) {
			line(t, func(s *stick) {
				s.connected()
				s.data(0, 0, false, "zero")
				s.want(controlAck|1, "")
				s.send("one")
				s.want(dataControl(0, 1, false), "one")
				s.say(tt.frame)
				s.wantHeard("zero", tt.want)
				s.say(tt.frame) // once is enough
				s.wantHeard()
				time.Sleep(time.Minute)
				s.wantNothing()
				s.connected()
				s.data(0, 0, false, "anew")
				s.want(controlAck|1, "")
				s.wantHeard("anew")
			})
		})
	}
}

func TestFail(t *testing.T) {
	line(t, func(s *stick) {
		s.connected()
		s.link.Fail("those above say so")
		s.link.Fail("again")
		s.wantHeard("lost: those above say so")
	})
}

func TestEnds(t *testing.T) {
	t.Run("context", func(t *testing.T) {
		line(t, func(s *stick) {
			s.connected()
			s.stop()
			if err := <-s.ended; err != nil {
				t.Errorf("Run returned %v", err)
			}
			if err := s.link.Send([]byte("late")); !errors.Is(err, ErrDown) {
				t.Errorf("Send: %v", err)
			}
			if err := <-s.reset(time.Hour); !errors.Is(err, ErrDown) {
				t.Errorf("Reset: %v", err)
			}
		})
	})
	t.Run("line", func(t *testing.T) {
		line(t, func(s *stick) {
			s.connected()
			s.conn.Close()
			if err := <-s.ended; !errors.Is(err, io.EOF) {
				t.Errorf("Run returned %v", err)
			}
		})
	})
}
