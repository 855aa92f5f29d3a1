package ash

import (
	"bytes"
	"testing"
	"time"
)

const restartedSilently = "lost: its frames do not fit what went before: it has restarted without a word"

// exchanged brings the line to where both ends have counted to n.
func (s *stick) exchanged(n uint8) {
	s.t.Helper()
	s.connected()
	for i := range n {
		s.send("ask")
		s.want(dataControl(i, i, false), "ask")
		s.data(i, i+1, false, "answer")
		s.want(controlAck|i+1, "")
	}
	for i := range n {
		if heard := s.app.take(); i == 0 && len(heard) != int(n) {
			s.t.Fatalf("heard %q", heard)
		}
	}
}

// TestSilentRestart has a stick begin to count anew without saying so, in the ways in which that can show.
func TestSilentRestart(t *testing.T) {
	for name, tt := range map[string]struct {
		restart func(s *stick)
		most    time.Duration
	}{
		"it takes our repeated frame for an old one": {func(s *stick) {
			s.want(dataControl(5, 5, false), "wish")
			time.Sleep(firstPatience) // it was booting
			s.want(dataControl(5, 5, true), "wish")
			for range maxDoubts - 1 {
				s.say(frame{control: controlAck})
				s.want(dataControl(5, 5, true), "wish") // at once
			}
			s.say(frame{control: controlAck})
		}, mostPatience},
		"it refuses our frame, once": {func(s *stick) {
			s.want(dataControl(5, 5, false), "wish")
			s.say(frame{control: controlNak})
			s.want(dataControl(5, 5, true), "wish")
			time.Sleep(mostPatience)
		}, mostPatience},
		"its answer has another number": {func(s *stick) {
			s.want(dataControl(5, 5, false), "wish")
			s.data(0, 6, false, "who are you")
			s.want(controlNak|5, "")
			for range maxDoubts - 1 {
				s.data(0, 6, true, "who are you")
				s.want(controlNak|5, "")
			}
			s.data(0, 6, true, "who are you")
		}, 0},
		"its answer looks like an old one": {func(s *stick) {
			s.want(dataControl(5, 5, false), "wish")
			for range maxDoubts {
				s.data(2, 6, true, "who are you")
				s.want(controlAck|5, "")
			}
			s.data(2, 6, true, "who are you")
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			line(t, func(s *stick) {
				s.exchanged(5)
				s.send("wish")
				began := time.Now()
				tt.restart(s)
				s.wantHeard(restartedSilently)
				if took := time.Since(began); took > tt.most {
					t.Errorf("noticed after %v", took)
				}
				for len(s.frames) > 0 {
					<-s.frames
				}
				s.connected()
				s.send("wish")
				s.want(dataControl(0, 0, false), "wish")
			})
		})
	}
}

// TestDoubtsGoAway has noise, and a line that loses a lot: no reason to reset a stick.
func TestDoubtsGoAway(t *testing.T) {
	line(t, func(s *stick) {
		s.exchanged(5)
		for n := range uint8(20) {
			s.say(frame{control: controlAck | (n+1)&7}) // of the past
			s.say(frame{control: controlNak | (n+2)&7})
			s.send("wish")
			s.want(dataControl(5+n, 5+n, false), "wish")
			s.data(5+n, 6+n, false, "answer")
			s.want(controlAck|(6+n)&7, "")
		}
		s.app.take()
		// A full window of the stick of which the first is lost twice, and our acknowledgements too.
		expected := uint8(25)
		for range 2 {
			for n := range uint8(4) {
				s.data(expected+1+n, 25, false, "behind the gap")
			}
			s.want(controlNak|expected&7, "")
			for n := range uint8(4) {
				s.data(expected+1+n, 25, true, "behind the gap")
				if n == 0 {
					s.want(controlNak|expected&7, "")
				} else {
					s.want(controlAck|expected&7, "")
				}
			}
			s.data(expected, 25, true, "the missing one")
			expected++
			s.want(controlAck|expected&7, "")
			for range 4 {
				s.data(expected, 25, true, "behind the gap")
				expected++
				s.want(controlAck|expected&7, "")
			}
			for range maxDoubts - 1 {
				s.data(expected-1, 25, true, "once more")
				s.want(controlAck|expected&7, "")
			}
		}
		if heard := s.app.take(); len(heard) != 10 {
			t.Errorf("heard %q", heard)
		}
	})
}

// What arrives while nobody waits for anything does no harm either, nor does flow control between frames.
func TestFlowControlBetweenFrames(t *testing.T) {
	line(t, func(s *stick) {
		s.connected()
		whole := frame{control: dataControl(0, 0, false), data: []byte("zero")}.append(nil)
		s.write(append(append(bytes.Repeat([]byte{xon}, 40), xoff, xon), whole...))
		s.want(controlAck|1, "")
		s.wantHeard("zero")
		for _, c := range []byte{xon, xoff} {
			s.send(string([]byte{c, c, c, c}))
			f := s.next()
			if f == nil || string(f.data) != string([]byte{c, c, c, c}) {
				t.Fatalf("sent %+v", f)
			}
			s.say(frame{control: controlAck | (f.number()+1)&7})
		}
		close(s.frames)
		for len(s.raw) > 0 {
			if raw := <-s.raw; bytes.ContainsAny(raw, "\x11\x13") {
				t.Errorf("the host has sent %x", raw)
			}
		}
		s.frames = make(chan frame, 10)
	})
}
