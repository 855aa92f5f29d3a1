package ezsp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
)

func toDevice() radio.Message {
	return radio.Message{Address: 0x1234, Local: 1, Remote: 11, Profile: 0x0104, Cluster: 0x0006, Data: []byte{0x01, 0x42, 0x02}, Acked: true}
}

func TestSendUnicast(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		s.stick.commands()
		if err := s.radio.Send(s.ctx, toDevice()); err != nil {
			s.Fatal(err)
		}
		tag := "01"
		if s.stick.wide() {
			tag = "0100"
		}
		// direct, address, profile, cluster, endpoints, options, group, sequence, tag, length, data
		want := "00" + "3412" + "0401" + "0600" + "010b" + "4011" + "0000" + "00" + tag + "03" + "014202"
		if b := find(s.stick.commands(), cmdSendUnicast); len(b) != 1 || fmt.Sprintf("%x", b[0]) != want {
			s.Errorf("sent %x, want %s", b, want)
		}
		m := toDevice()
		m.Acked, m.Discover = false, true
		m.Profile, m.Cluster, m.Local, m.Remote = 0, 0x0005, 0, 0
		if err := s.radio.Send(s.ctx, m); err != nil {
			s.Fatal(err)
		}
		if b := find(s.stick.commands(), cmdSendUnicast); len(b) != 1 || binary.LittleEndian.Uint16(b[0][9:]) != 0x1300 || !bytes.Equal(b[0][3:9], []byte{0, 0, 5, 0, 0, 0}) {
			s.Errorf("ZDO sent %x", b)
		}
	})
}

func TestSendFloods(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		s.stick.commands()
		group := toDevice()
		group.Group, group.Address, group.Remote, group.Radius = true, 0x0005, 0, 9
		broadcast := toDevice()
		broadcast.Address, broadcast.Remote, broadcast.Acked = radio.BroadcastAll, 255, false
		for _, m := range []radio.Message{group, broadcast} {
			if took, err := s.within(func() error { return s.radio.Send(s.ctx, m) }); err != nil || took > 0 {
				s.Fatalf("after %v: %v", took, err)
			}
		}
		calls := s.stick.commands()
		wantGroup := "0401" + "0600" + "01ff" + "4011" + "0500" + "00" + "09" + "07" + "01" + "03014202"
		wantAll := "ffff" + "0401" + "0600" + "01ff" + "0011" + "0000" + "00" + "00" + "02" + "03014202"
		if s.stick.wide() {
			wantGroup = "0401" + "0600" + "01ff" + "4011" + "0500" + "00" + "09" + "fdff" + "ffff" + "00" + "0100" + "03014202"
			wantAll = "ffff" + "ffff" + "00" + "0401" + "0600" + "01ff" + "0011" + "0000" + "00" + "00" + "0200" + "03014202"
		}
		if b := find(calls, cmdSendMulticast); len(b) != 1 || fmt.Sprintf("%x", b[0]) != wantGroup {
			s.Errorf("to the group %x, want %s", b, wantGroup)
		}
		if b := find(calls, cmdSendBroadcast); len(b) != 1 || fmt.Sprintf("%x", b[0]) != wantAll {
			s.Errorf("to all %x, want %s", b, wantAll)
		}
	})
}

func TestSendFails(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		for name, tt := range map[string]struct {
			taken, became uint8
			want          radio.Class
		}{
			"too many under way": {0x72, 0, radio.Busy},
			"no memory":          {0x18, 0, radio.Busy},
			"too long":           {0x74, 0, radio.Refused},
			"the network is off": {0x91, 0, radio.Down},
			"not delivered":      {0, 0x66, radio.NoAck},
		} {
			s.stick.with(func() {
				s.stick.on[cmdSendUnicast] = func(body []byte) []byte {
					if tt.taken == 0 {
						s.stick.say(sayMessageSent, s.stick.sent(0, tagOf(s.stick, body), tt.became)) // before the answer: the order is not guaranteed
					}
					return s.stick.status(tt.taken, 0x77)
				}
			})
			err := s.radio.Send(s.ctx, toDevice())
			var f *radio.Failure
			if !errors.As(err, &f) || f.Class != tt.want || f.Status == 0 {
				s.Errorf("%s: %v, want %s", name, err, tt.want)
			}
		}
		s.radio.mu.Lock()
		defer s.radio.mu.Unlock()
		if len(s.radio.sendings) != 0 {
			s.Errorf("%d messages are still waited for", len(s.radio.sendings))
		}
	})
}

func tagOf(n *ncp, body []byte) uint16 {
	if n.wide() {
		return binary.LittleEndian.Uint16(body[14:])
	}
	return uint16(body[14])
}

func TestSendTimesOut(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.resume()
		s.stick.with(func() { s.stick.on[cmdSendUnicast] = func([]byte) []byte { return s.stick.status(0, 0x77) } })
		took, err := s.within(func() error { return s.radio.Send(s.ctx, toDevice()) })
		if classOf(err) != radio.Timeout || took != sentTimeout {
			s.Errorf("after %v: %v", took, err)
		}
		ctx, cancel := context.WithTimeout(s.ctx, time.Second)
		defer cancel()
		took, err = s.within(func() error { return s.radio.Send(ctx, toDevice()) })
		if !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			s.Errorf("after %v: %v", took, err)
		}
	})
}

// TestLateReport has a report come after its message was given up: it must not be taken for that of another.
func TestLateReport(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.resume()
		s.stick.with(func() { s.stick.on[cmdSendUnicast] = func([]byte) []byte { return s.stick.status(0, 0x77) } })
		ctx, cancel := context.WithTimeout(s.ctx, time.Second)
		defer cancel()
		if err := s.radio.Send(ctx, toDevice()); err == nil {
			s.Fatal("sent without a report")
		}
		s.stick.with(func() { delete(s.stick.on, cmdSendUnicast) })
		s.stick.commands()
		for range 254 {
			if err := s.radio.Send(s.ctx, toDevice()); err != nil {
				s.Fatal(err)
			}
		}
		for _, body := range find(s.stick.commands(), cmdSendUnicast) {
			if body[14] == 1 {
				s.Fatal("a tag is used again before its message is through")
			}
			if body[14] == 0 {
				s.Fatal("tag 0 is used")
			}
		}
		s.stick.tell(sayMessageSent, s.stick.sent(0, 1, 0x66))
		s.stick.tell(sayMessageSent, s.stick.sent(0, 1, 0x66)) // of nobody
		s.stick.tell(sayMessageSent, s.stick.sent(6, 2, 0))    // of a broadcast
		s.stick.tell(sayMessageSent, []byte{1, 2})             // of nothing
		synctest.Wait()
		if err := s.radio.Send(s.ctx, toDevice()); err != nil {
			s.Error(err)
		}
	})
}

// TestLostAnswer has the stick send a message and tell of it, but not answer the command: nothing else waits for that.
func TestLostAnswer(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		s.stick.with(func() {
			s.stick.on[cmdSendUnicast] = func(body []byte) []byte {
				s.stick.say(sayMessageSent, s.stick.sent(0, tagOf(s.stick, body), 0))
				return nil
			}
		})
		m := toDevice()
		m.Fragmented, m.Data = true, make([]byte, 100)
		s.stick.commands()
		if took, err := s.within(func() error { return s.radio.Send(s.ctx, m) }); err != nil || took != 2*probeTime {
			s.Errorf("after %v: %v", took, err)
		}
		if b := find(s.stick.commands(), cmdSendUnicast); len(b) != 2 || b[1][13] != 0x77 {
			s.Errorf("sent %x", b)
		}
		// The answer of one is not given up because of another.
		first := make(chan uint16, 1)
		s.stick.with(func() {
			s.stick.on[cmdSendUnicast] = func(body []byte) []byte {
				select {
				case first <- tagOf(s.stick, body):
					return s.stick.status(0, 1)
				default:
					s.stick.say(sayMessageSent, s.stick.sent(0, <-first, 0))
					return nil
				}
			}
		})
		done := make(chan error, 1)
		go func() { done <- s.radio.Send(s.ctx, toDevice()) }()
		synctest.Wait()
		took, err := s.within(func() error { return s.radio.Send(s.ctx, toDevice()) })
		if classOf(err) != radio.Timeout || took != probeTime+presumedTimeout || <-done != nil {
			s.Errorf("after %v: %v", took, err)
		}
	})
}

func TestManySendersOneCommand(t *testing.T) {
	on(t, 14, func(s *scene) {
		s.resume()
		s.stick.commands()
		const senders = 50
		under, most := 0, 0
		s.stick.with(func() {
			s.stick.on[cmdSendUnicast] = func(body []byte) []byte {
				under++
				most = max(most, under)
				tag := tagOf(s.stick, body)
				time.AfterFunc(time.Second, func() { s.stick.tell(sayMessageSent, s.stick.sent(0, tag, 0)) })
				under--
				return s.stick.status(0, 1)
			}
		})
		errs := make(chan error, senders)
		took, _ := s.within(func() error {
			for range senders {
				go func() { errs <- s.radio.Send(s.ctx, toDevice()) }()
			}
			for range senders {
				if err := <-errs; err != nil {
					s.Error(err)
				}
			}
			return nil
		})
		if took != time.Second || most != 1 {
			s.Errorf("it took %v, %d commands at once", took, most)
		}
	})
}

func TestLongMessages(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		s.stick.commands()
		m := toDevice()
		m.Data = bytes.Repeat([]byte("abcdefghij"), 18)
		err := s.radio.Send(s.ctx, m)
		if classOf(err) != radio.Refused || !strings.Contains(err.Error(), "180 bytes, of which 82") {
			s.Errorf("got %v", err)
		}
		m.Fragmented = true
		if err := s.radio.Send(s.ctx, m); err != nil {
			s.Fatal(err)
		}
		bodies := find(s.stick.commands(), cmdSendUnicast)
		if len(bodies) != 3 {
			s.Fatalf("sent in %d pieces", len(bodies))
		}
		var data []byte
		for n, b := range bodies {
			aps := (&reader{rest: b[3:]}).apsFrame()
			sequence := uint8(0x77)
			if n == 0 {
				sequence = 0 // the firmware says which
			}
			if aps.options != 0x8000|0x1140 || aps.group != 0x0300|uint16(n) || aps.sequence != sequence {
				s.Errorf("piece %d: %+v", n, aps)
			}
			length := 15
			if s.stick.wide() {
				length = 16
			}
			data = append(data, b[length+1:]...)
			if int(b[length]) > 80 {
				s.Errorf("piece %d has %d bytes", n, b[length])
			}
		}
		if !bytes.Equal(data, m.Data) {
			s.Errorf("sent %q", data)
		}
		m.Group = true
		if err := s.radio.Send(s.ctx, m); classOf(err) != radio.Refused {
			s.Errorf("to a group: %v", err)
		}
		m.Group, m.Data = false, make([]byte, 81*255)
		if err := s.radio.Send(s.ctx, m); classOf(err) != radio.Refused {
			s.Errorf("endless: %v", err)
		}
	})
}

func TestCommandsThatAreUnknownOrLate(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.resume()
		s.stick.with(func() { s.stick.on[cmdNetworkState] = func([]byte) []byte { return nil } })
		took, err := s.within(func() error { _, err := s.radio.call(s.ctx, cmdNetworkState, nil); return err })
		if classOf(err) != radio.Timeout || took != maxAsked*probeTime {
			s.Errorf("after %v: %v", took, err)
		}
		if _, err := s.radio.call(s.ctx, 0x00fe, nil); err != nil { // the stick of the test takes it for a setter
			s.Error(err)
		}
		if _, err := s.radio.call(s.ctx, cmdGetKey, []byte{1}); classOf(err) != radio.Refused || !strings.Contains(err.Error(), "does not know") {
			s.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(s.ctx)
		cancel()
		if _, err := s.radio.call(ctx, cmdNop, nil); !errors.Is(err, context.Canceled) {
			s.Errorf("got %v", err)
		}
	})
}
