package znp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
)

const plainMessage = "0000 0204 3412 02 01 00 78 00 01020304 00 04 18010a00"

func TestIncoming(t *testing.T) {
	long := make([]byte, 210)
	tests := map[string]struct {
		command command
		data    []byte
		want    radio.Message // without data
		text    []byte
	}{
		"plain": {afIncoming, unhex(t, plainMessage),
			radio.Message{Address: 0x1234, Local: 1, Remote: 2, Profile: profileHome, Cluster: 0x0402, LQI: 0x78}, unhex(t, "18010a00")},
		"with a tail": {afIncoming, unhex(t, plainMessage+"7856 1d"),
			radio.Message{Address: 0x1234, Local: 1, Remote: 2, Profile: profileHome, Cluster: 0x0402, LQI: 0x78}, unhex(t, "18010a00")},
		"to a group": {afIncoming, unhex(t, "0302 0600 3412 02 01 01 78 00 01020304 00 01 aa"),
			radio.Message{Address: 0x1234, Group: true, Target: 0x0203, Local: 1, Remote: 2, Profile: profileHome, Cluster: 6, LQI: 0x78}, []byte{0xaa}},
		"to all": {afIncoming, unhex(t, "0000 0600 3412 02 0c 01 78 00 01020304 05 01 aa"),
			radio.Message{Address: 0x1234, Target: radio.BroadcastAll, Local: 12, Remote: 2, Profile: profileTouchlink, Cluster: 6, LQI: 0x78, Sequence: 5}, []byte{0xaa}},
		"green power": {afIncoming, unhex(t, "840b 2100 3412 f2 f2 01 78 00 01020304 00 01 aa"),
			radio.Message{Address: 0x1234, Group: true, Target: 0x0b84, Local: 242, Remote: 242, Profile: profileGreenPower, Cluster: 0x21, LQI: 0x78}, []byte{0xaa}},
		"extended": {afIncomingExt, append(append(unhex(t, "0000 0204 02 3412000000000000 02 0000 01 00 78 00 01020304 00 d200"), long...), 1, 2, 3),
			radio.Message{Address: 0x1234, Local: 1, Remote: 2, Profile: profileHome, Cluster: 0x0402, LQI: 0x78}, long},
		"of another network": {afIncomingExt, append(unhex(t, "0000 0204 02 3412000000000000 02 6666 01 00 78 00 01020304 00 0100"), 1), radio.Message{}, nil},
		"short":              {afIncoming, unhex(t, "0000 0204 3412"), radio.Message{}, nil},
	}
	for name, tt := range tests {
		var got []radio.Event
		r := New(nil, nil)
		r.handle = func(e radio.Event) { got = append(got, e) }
		r.indication(frame{kindIndication, tt.command, tt.data})
		if tt.text == nil {
			if len(got) != 0 {
				t.Errorf("%s: got %+v", name, got)
			}
			continue
		}
		if len(got) != 1 {
			t.Errorf("%s: %d events", name, len(got))
			continue
		}
		m := got[0].(radio.Message)
		data := m.Data
		if m.Data = nil; !bytes.Equal(data, tt.text) || !sameMessage(m, tt.want) {
			t.Errorf("%s: got %+v %x, want %+v", name, m, data, tt.want)
		}
	}
}

func sameMessage(a, b radio.Message) bool {
	return a.Address == b.Address && a.Group == b.Group && a.Target == b.Target && a.Local == b.Local && a.Remote == b.Remote &&
		a.Profile == b.Profile && a.Cluster == b.Cluster && a.Sequence == b.Sequence && a.LQI == b.LQI && a.RSSI == b.RSSI
}

func TestCopies(t *testing.T) {
	var got []radio.Message
	r := New(nil, nil)
	r.handle = func(e radio.Event) { got = append(got, e.(radio.Message)) }
	broadcast := "0000 0600 3412 02 01 01 78 00 01020304 00 01 aa"
	for _, data := range []string{
		broadcast,
		"0000 0600 3412 02 03 01 78 00 01020304 00 01 aa", // the same for another endpoint
		"0000 0600 3412 02 03 01 78 00 01020304 00 01 bb", // another message
		"0000 0600 3412 02 01 01 78 00 02020304 00 01 bb", // a later one
		"0000 0600 3412 02 01 00 78 00 03020304 00 01 aa", // to one endpoint
		"0000 0600 3412 02 03 00 78 00 03020304 00 01 aa", // to another: not a copy
	} {
		r.indication(frame{kindIndication, afIncoming, unhex(t, data)})
	}
	if len(got) != 5 {
		t.Errorf("%d messages, want 5: %+v", len(got), got)
	}
}

func TestHugeMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		whole := make([]byte, 500)
		for i := range whole {
			whole[i] = byte(i)
		}
		freed := make(chan struct{})
		s.mu.Lock()
		s.before = func(s *stick, f frame) bool {
			if f.command != afRetrieve {
				return false
			}
			in := reader{b: f.data}
			if stamp := in.uint32(); stamp != 0x04030201 {
				t.Errorf("fetching %08x", stamp)
			}
			at, length := int(in.uint16()), int(in.uint8())
			if length == 0 {
				close(freed)
			}
			s.reply(f, append([]byte{0, byte(length)}, whole[at:at+length]...)...)
			return true
		}
		s.mu.Unlock()
		s.say(kindIndication, afIncomingExt, unhex(t, "0000 1900 02 3412000000000000 02 0000 01 00 78 00 01020304 00 f401 3412 1d")...)
		s.say(kindIndication, afIncoming, unhex(t, plainMessage)...) // reading goes on
		var data []byte
		for range 2 {
			if m := r.event(t).(radio.Message); m.Cluster == 0x19 {
				data = m.Data
			}
		}
		if !bytes.Equal(data, whole) {
			t.Errorf("got %d bytes", len(data))
		}
		<-freed
	})
}

func TestJunkSwallowsNothing(t *testing.T) {
	message := func(t *testing.T) []byte { return appendFrame(nil, kindIndication, afIncoming, unhex(t, plainMessage)) }
	for name, junk := range map[string]string{"fe ff": "fe ff", "a false length": "fe c8 44 81", "half a frame": "fe 30 44 81 00", "a start byte": "fe"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStick(product3x0, true)
				r := up(t, s)
				s.raw(unhex(t, junk))
				for range 3 {
					s.raw(message(t))
				}
				began := time.Now()
				if err := r.Send(r.ctx, aMessage); err != nil {
					t.Error(err)
				}
				for range 3 {
					if _, ok := r.event(t).(radio.Message); !ok {
						t.Fatal("not a message")
					}
				}
				if took := time.Since(began); took > 2*partialTimeout {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

func TestAnswers(t *testing.T) {
	tests := map[string]struct {
		answer func(s *stick, f frame, times int)
		want   string // of a get
		times  int
		reason string
	}{
		"at once":                  {func(s *stick, f frame, _ int) { s.reply(f, 1, 2) }, "0102", 1, ""},
		"after an indication":      {func(s *stick, f frame, _ int) { s.say(kindIndication, zdoStateChange, 9); s.reply(f, 1) }, "01", 1, ""},
		"after one to another":     {func(s *stick, f frame, _ int) { s.say(kindAnswer, sysPing, 9); s.reply(f, 1) }, "01", 1, ""},
		"at the second try":        {lostTimes(1), "01", 2, ""},
		"at the third try":         {lostTimes(2), "01", 3, ""},
		"never":                    {lostTimes(9), "", 3, "SYS_GET_EXTADDR: no answer"},
		"unknown command":          {func(s *stick, f frame, _ int) { s.say(kindAnswer, rpcError, 2, 0x21, 4) }, "", 1, "SYS_GET_EXTADDR (unknown command)"},
		"unknown subsystem":        {func(s *stick, f frame, _ int) { s.say(kindAnswer, rpcError, 1, 0x21, 4) }, "", 1, "(unknown subsystem)"},
		"invalid parameter":        {func(s *stick, f frame, _ int) { s.say(kindAnswer, rpcError, 3, 0x21, 4) }, "", 1, "(invalid parameter)"},
		"invalid length":           {func(s *stick, f frame, _ int) { s.say(kindAnswer, rpcError, 4, 0x21, 4) }, "", 1, "(invalid length)"},
		"an error for another":     {func(s *stick, f frame, _ int) { s.say(kindAnswer, rpcError, 2, 0x21, 9); s.reply(f, 1) }, "01", 1, ""},
		"an answer that is behind": {behind, "02", 1, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStick(product3x0, true)
				r := up(t, s)
				times := 0
				s.mu.Lock()
				s.before = func(s *stick, f frame) bool {
					if f.command == sysGetAddress {
						times++
						tt.answer(s, f, times)
					}
					return f.command == sysGetAddress
				}
				s.mu.Unlock()
				got, err := r.link.get(r.ctx, sysGetAddress, nil)
				s.mu.Lock()
				defer s.mu.Unlock()
				if !bytes.Equal(got, unhex(t, tt.want)) || times != tt.times || (err == nil) != (tt.reason == "") {
					t.Errorf("got %x, %v after %d tries", got, err, times)
				}
				if err != nil && !bytes.Contains([]byte(err.Error()), []byte(tt.reason)) {
					t.Errorf("got %v, want %s", err, tt.reason)
				}
			})
		})
	}
}

func lostTimes(n int) func(*stick, frame, int) {
	return func(s *stick, f frame, times int) {
		if times > n {
			s.reply(f, 1)
		}
	}
}

// behind lets the first answer come so late that it could be taken for the second.
func behind(s *stick, f frame, times int) {
	if times == 1 {
		late := true
		s.before = func(s *stick, next frame) bool {
			if late {
				s.reply(f, 1) // the firmware answers in order
				late = false
			}
			if next.command == sysGetAddress {
				s.reply(next, 2)
			}
			return next.command == sysGetAddress
		}
	}
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		s.mu.Lock()
		s.before = func(_ *stick, f frame) bool { return f.command == sysVersion }
		s.mu.Unlock()
		ctx, cancel := context.WithCancel(r.ctx)
		var all sync.WaitGroup
		ask := func() { _, _ = r.link.ask(ctx, call{command: sysVersion, timeout: time.Hour}) }
		all.Go(ask)
		synctest.Wait() // one is under way, and the rest waits
		for range maxWaiting {
			all.Go(ask)
		}
		synctest.Wait()
		if _, err := r.link.get(ctx, sysGetAddress, nil); !classIs(err, radio.Busy) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one more than there is room for: %v", err)
		}
		cancel()
		all.Wait()
		if _, err := r.link.get(r.ctx, sysGetAddress, nil); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestDeadStick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		s.mu.Lock()
		s.silent = true
		s.mu.Unlock()
		began := time.Now()
		if reset, ok := (<-r.events).(radio.Reset); !ok || reset.Reason != "the stick does not answer any more" {
			t.Errorf("told %+v", reset)
		}
		if took := time.Since(began); took > 2*quietFor+5*time.Second {
			t.Errorf("after %s", took)
		}
		if err := r.Send(r.ctx, aMessage); !classIs(err, radio.Down) {
			t.Errorf("sending afterwards: %v", err)
		}
	})
}

func TestLineBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		s.mu.Lock()
		s.before = func(s *stick, f frame) bool {
			_ = s.line.Close()
			return true
		}
		s.mu.Unlock()
		if err := r.Send(r.ctx, aMessage); !classIs(err, radio.Down) {
			t.Errorf("the message that was under way: %v", err)
		}
		if err := <-r.ended; !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		ctx, cancel := context.WithCancel(t.Context())
		r := New(ours, slog.New(slog.DiscardHandler))
		ended := make(chan error)
		go func() { ended <- r.Run(ctx, func(radio.Event) {}) }()
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("got %v", err)
		}
		if _, err := r.Connect(t.Context()); err == nil {
			t.Error("Connect works without Run")
		}
	})
}

func FuzzIndication(f *testing.F) {
	f.Add(uint16(afIncoming), unhex(f, plainMessage))
	f.Add(uint16(afIncomingExt), unhex(f, "0000 0204 02 3412000000000000 02 0000 01 00 78 00 01020304 00 0100 01"))
	for c := uint16(0x0580); c <= 0x05ff; c++ {
		f.Add(c, unhex(f, "3412 00 04030201004b1200 3412 05 02 1111"))
	}
	f.Fuzz(func(t *testing.T, c uint16, data []byte) {
		r := New(nil, slog.New(slog.DiscardHandler))
		r.handle = func(e radio.Event) {
			if m, ok := e.(radio.Message); ok && m.Profile == 0 && len(m.Data) == 0 {
				t.Fatalf("a ZDO message without a sequence number: %+v", m)
			}
		}
		r.indication(frame{kindIndication, command(c), data})
	})
}

func BenchmarkIncoming(b *testing.B) {
	r := New(nil, slog.New(slog.DiscardHandler))
	events := 0
	r.handle = func(radio.Event) { events++ }
	line := appendFrame(nil, kindIndication, afIncoming, unhex(b, plainMessage+"7856 1d"))
	b.ReportAllocs()
	for b.Loop() {
		r.scan.filled(copy(r.scan.space(), line))
		for f, ok := r.scan.next(); ok; f, ok = r.scan.next() {
			r.dispatch(f)
		}
	}
	if events == 0 {
		b.Fatal("nothing came")
	}
}
