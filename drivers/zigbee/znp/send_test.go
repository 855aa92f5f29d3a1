package znp

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
)

var aMessage = radio.Message{Address: 0x1234, Local: 1, Remote: 3, Profile: profileHome, Cluster: 6, Data: []byte{1, 2, 0}}

// classIs reports whether err is a failure of that class.
func classIs(err error, class radio.Class) bool {
	var f *radio.Failure
	return errors.As(err, &f) && f.Class == class
}

func TestSend(t *testing.T) {
	with := func(change func(m *radio.Message)) radio.Message {
		m := aMessage
		change(&m)
		return m
	}
	tests := map[string]struct {
		m       radio.Message
		command command
		want    string // TT is the transaction id
	}{
		"unicast":     {aMessage, afRequest, "3412 03 01 0600 TT 00 1e 03 010200"},
		"acked":       {with(func(m *radio.Message) { m.Acked, m.Radius = true, 5 }), afRequest, "3412 03 01 0600 TT 10 05 03 010200"},
		"touchlink":   {with(func(m *radio.Message) { m.Local, m.Profile = 0, profileTouchlink }), afRequest, "3412 03 0c 0600 TT 00 1e 03 010200"},
		"green power": {with(func(m *radio.Message) { m.Local, m.Profile = 0, profileGreenPower }), afRequest, "3412 03 f2 0600 TT 00 1e 03 010200"},
		"group":       {with(func(m *radio.Message) { m.Group, m.Address = true, 0x0203 }), afRequestExt, "01 0302000000000000 ff 0000 01 0600 TT 00 1e 0300 010200"},
		"broadcast":   {with(func(m *radio.Message) { m.Address = radio.BroadcastAwake }), afRequestExt, "0f fdff000000000000 03 0000 01 0600 TT 00 1e 0300 010200"},
		"fragmented":  {with(func(m *radio.Message) { m.Data, m.Fragmented = make([]byte, 100), true }), afRequest, "3412 03 01 0600 TT 10 1e 64" + zeros(100)},
	}
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		for name, tt := range tests {
			if err := r.Send(r.ctx, tt.m); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			s.mu.Lock()
			last := s.asked[len(s.asked)-1]
			s.mu.Unlock()
			at := 6
			if tt.command == afRequestExt {
				at = 15
			}
			want := unhex(t, string(bytes.ReplaceAll([]byte(tt.want), []byte("TT"), []byte("00"))))
			got := slices.Clone(last.data)
			got[at] = 0
			if last.command != tt.command || !bytes.Equal(got, want) {
				t.Errorf("%s: %s %x, want %s %x", name, last.command, got, tt.command, want)
			}
		}
	})
}

func zeros(n int) (s string) {
	for range n {
		s += "00"
	}
	return s
}

func TestStatuses(t *testing.T) {
	classes := map[radio.Class][]byte{
		radio.Busy: {0x10, 0x11, 0x1a, 0xc7}, radio.NoRoute: {0xcd}, radio.NoAck: {0xe9, 0xb7}, radio.ChannelAccess: {0xe1},
		radio.Expired: {0xf0}, radio.Down: {0xc2}, radio.Refused: {0x02, 0xb3, 0xff},
	}
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		for class, statuses := range classes {
			for _, status := range statuses {
				for _, early := range []bool{true, false} {
					s.mu.Lock()
					s.before = func(s *stick, f frame) bool {
						if f.command != afRequest {
							return false
						}
						if early {
							s.reply(f, status)
						} else {
							s.reply(f, 0)
							s.say(kindIndication, afConfirm, status, f.data[3], f.data[6])
						}
						return true
					}
					s.mu.Unlock()
					if err := r.Send(r.ctx, aMessage); !classIs(err, class) {
						t.Errorf("status 0x%02x, early %v: %v, want class %s", status, early, err, class)
					}
				}
			}
		}
	})
}

func TestConfirmations(t *testing.T) {
	confirm := func(s *stick, f frame, endpoint, id byte) { s.say(kindIndication, afConfirm, 0, endpoint, id) }
	tests := map[string]struct {
		answer func(s *stick, f frame)
		class  radio.Class
		ok     bool
		within time.Duration
	}{
		"before the answer":   {func(s *stick, f frame) { confirm(s, f, 1, f.data[6]); s.reply(f, 0) }, 0, true, 0},
		"answer lost":         {func(s *stick, f frame) { confirm(s, f, 1, f.data[6]) }, 0, true, 100 * time.Millisecond},
		"both lost":           {func(s *stick, f frame) {}, radio.Timeout, false, 3 * time.Second},
		"confirmation lost":   {func(s *stick, f frame) { s.reply(f, 0) }, radio.Timeout, false, confirmTimeout},
		"of another id":       {func(s *stick, f frame) { s.reply(f, 0); confirm(s, f, 1, f.data[6]+1) }, radio.Timeout, false, confirmTimeout},
		"of another endpoint": {func(s *stick, f frame) { s.reply(f, 0); confirm(s, f, 2, f.data[6]) }, radio.Timeout, false, confirmTimeout},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStick(product3x0, true)
				r := up(t, s)
				s.mu.Lock()
				s.before = func(s *stick, f frame) bool {
					if f.command == afRequest {
						tt.answer(s, f)
					}
					return f.command == afRequest
				}
				s.mu.Unlock()
				began := time.Now()
				err := r.Send(r.ctx, aMessage)
				if tt.ok != (err == nil) || err != nil && !classIs(err, tt.class) || time.Since(began) > tt.within {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
				if s.count(afRequest) != 1 {
					t.Errorf("the message was sent %d times", s.count(afRequest))
				}
			})
		})
	}
}

func TestTransactionIDs(t *testing.T) {
	var f flights
	seen := map[uint8]bool{}
	for range 255 {
		one := f.start(1)
		if one == nil || one.id == 0 || seen[one.id] {
			t.Fatalf("after %d: %+v", len(seen), one)
		}
		seen[one.id] = true
	}
	if f.start(1) != nil {
		t.Error("an id was used twice")
	}
	f.confirm(0xe9, 1, 200)
	if one := f.start(1); one == nil || one.id != 200 {
		t.Errorf("got %+v, want the one that landed", one)
	}
	synctest.Test(t, func(t *testing.T) {
		var f flights
		first := f.start(1)
		f.abandon(first)
		for range 254 {
			if one := f.start(1); one == nil || one.id == first.id {
				t.Fatal("the id of an abandoned message was used at once")
			}
		}
		if f.start(1) != nil {
			t.Error("the id of an abandoned message was used when all others were")
		}
		time.Sleep(quarantine + time.Second)
		if one := f.start(1); one == nil || one.id != first.id {
			t.Errorf("got %+v after the quarantine", one)
		}
	})
}

func TestLongMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		var header, stored []byte
		s.mu.Lock()
		s.before = func(s *stick, f frame) bool {
			switch f.command {
			case afRequestExt:
				header, stored = f.data, nil
			case afStore:
				at, length := int(f.data[0])|int(f.data[1])<<8, int(f.data[2])
				if at != len(stored) || length != len(f.data)-3 {
					t.Errorf("piece of %d at %d with %d bytes", length, at, len(f.data)-3)
				}
				stored = append(stored, f.data[3:]...)
				if length == 0 {
					s.reply(f, 0)
					s.say(kindIndication, afConfirm, 0, header[12], header[15])
					return true
				}
			}
			return false
		}
		s.mu.Unlock()
		m := aMessage
		m.Fragmented = true
		for i := range 700 {
			m.Data = append(m.Data, byte(i))
		}
		if err := r.Send(r.ctx, m); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(stored, m.Data) || len(header) != 20 || header[18] != 0xbf || header[19] != 2 || header[16] != optionAcknowledge {
			t.Errorf("header %x, %d bytes stored", header, len(stored))
		}
		m.Data = make([]byte, longestSent+1)
		if err := r.Send(r.ctx, m); !classIs(err, radio.Refused) {
			t.Errorf("a message that is too long: %v", err)
		}
	})
}

func TestPlacesInOldFirmware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product30x, false)
		r := up(t, s)
		s.mu.Lock()
		s.before = func(s *stick, f frame) bool {
			if f.command == afRequest {
				s.reply(f, 0)
				time.AfterFunc(time.Second, func() { s.say(kindIndication, afConfirm, 0, f.data[3], f.data[6]) })
			}
			return f.command == afRequest
		}
		s.mu.Unlock()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := r.Send(r.ctx, aMessage); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(500 * time.Millisecond)
		if n := s.count(afRequest); n != 2 {
			t.Errorf("%d messages at once, want 2", n)
		}
		ctx, cancel := context.WithTimeout(r.ctx, 100*time.Millisecond)
		defer cancel()
		if err := r.Send(ctx, aMessage); !classIs(err, radio.Busy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one more: %v", err)
		}
		all.Wait()
	})
}

func TestWithoutPlainRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		s.mu.Lock()
		s.before = func(s *stick, f frame) bool {
			switch f.command {
			case afRequest:
				s.say(kindAnswer, rpcError, 2, kindRequest|4, 1)
			case afRequestExt:
				s.reply(f, 0)
				s.say(kindIndication, afConfirm, 0, f.data[12], f.data[15])
			}
			return true
		}
		s.mu.Unlock()
		for range 2 {
			if err := r.Send(r.ctx, aMessage); err != nil {
				t.Error(err)
			}
		}
		if s.count(afRequest) != 1 || s.count(afRequestExt) != 2 {
			t.Errorf("%d plain, %d extended", s.count(afRequest), s.count(afRequestExt))
		}
	})
}

func TestDiscover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		checks, status := 0, byte(0)
		s.mu.Lock()
		s.before = func(s *stick, f frame) bool {
			switch f.command {
			case zdoDiscoverRoute:
				s.reply(f, status)
			case zdoCheckRoute:
				checks++
				s.reply(f, map[bool]byte{true: 0, false: 1}[checks > 2])
			default:
				return false
			}
			return true
		}
		s.mu.Unlock()
		m := aMessage
		m.Discover = true
		began := time.Now()
		if err := r.Send(r.ctx, m); err != nil || checks != 3 || time.Since(began) > routeFound {
			t.Errorf("after %s and %d checks: %v", time.Since(began), checks, err)
		}
		status = 0xc7
		if err := r.Send(r.ctx, m); !classIs(err, radio.Busy) {
			t.Errorf("with a full table: %v", err)
		}
	})
}

func TestExpiredChild(t *testing.T) {
	incoming := func(via radio.NWK) []byte {
		return append(appendNWK(unhex(t, "0000 0600 3412 01 01 00 64 00 00000000 00 01 aa"), via), 0x1d)
	}
	tests := map[string]struct {
		via  radio.NWK // through whom it was heard between; 0: not at all
		want string    // what is done to the table after each of three failures
	}{
		"not heard":              {0, "- remove+add -"},
		"still a child":          {0x1234, "- remove+add -"},
		"went to another parent": {0x7777, "- remove remove"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStick(product3x0, true)
				r := up(t, s)
				s.mu.Lock()
				s.before = func(s *stick, f frame) bool {
					switch f.command {
					case afRequest:
						s.reply(f, 0)
						s.say(kindIndication, afConfirm, statusExpired, f.data[3], f.data[6])
					case utilIEEEOf:
						s.reply(f, appendIEEE(nil, 0x00158d0001a2b3c4)...)
					case utilAssociation:
						s.reply(f, append([]byte{0x34, 0x12, 5, 0, 1}, make([]byte, 13)...)...)
					default:
						return false
					}
					return true
				}
				s.mu.Unlock()
				got := ""
				for range 3 {
					removes, adds := s.count(utilDisassociate), s.count(utilAssociate)
					if err := r.Send(r.ctx, aMessage); !classIs(err, radio.Expired) {
						t.Fatal(err)
					}
					did := "-"
					if s.count(utilDisassociate) > removes {
						did = "remove"
					}
					if s.count(utilAssociate) > adds {
						did += "+add"
					}
					got += " " + did
					if tt.via != 0 {
						s.say(kindIndication, afIncoming, incoming(tt.via)...)
						r.event(t)
					}
				}
				if got[1:] != tt.want {
					t.Errorf("got %s, want %s", got[1:], tt.want)
				}
			})
		})
	}
}
