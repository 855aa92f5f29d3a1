package ezsp

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
)

// arrives writes incomingMessageHandler.
func (n *ncp) arrives(kind uint8, aps apsFrame, sender uint16, ieee uint64, data []byte) []byte {
	b := aps.append([]byte{kind})
	if n.wide() {
		b = putIEEE(put16(b, sender), radio.IEEE(ieee))
		b = append(b, 0xff, 0xff, 200, 0xc4, 1, 2, 3, 4)
	} else {
		b = append(put16(append(b, 200, 0xc4), sender), 0xff, 0xff)
	}
	return append(append(b, byte(len(data))), data...)
}

func report() apsFrame {
	return apsFrame{profile: 0x0104, cluster: 0x0402, source: 2, target: 1, options: 0x0140, sequence: 99}
}

func TestMessages(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		data := []byte{0x18, 7, 0x0a, 0, 0, 0x29, 0xd0, 0x07}
		group, zdoFrame := report(), report()
		group.group = 0x0005
		zdoFrame.profile, zdoFrame.cluster, zdoFrame.source, zdoFrame.target = 0, 0x8002, 0, 0
		for _, tell := range [][]byte{
			s.stick.arrives(0, report(), 0x1234, 0, data),
			s.stick.arrives(2, group, 0x1234, 0, data),
			s.stick.arrives(3, group, 0x0000, 0, data), // our own
			s.stick.arrives(4, report(), 0x1234, 0, data),
			s.stick.arrives(5, report(), 0x0000, 0, data), // our own
			s.stick.arrives(4, report(), 0x0000, 0, data), // our own, from a router
			s.stick.arrives(0, zdoFrame, 0x1234, 0, data),
		} {
			s.stick.tell(sayMessage, tell)
		}
		unicast := radio.Message{
			Address: 0x1234, Local: 1, Remote: 2, Profile: 0x0104, Cluster: 0x0402, Sequence: 99, Data: data, LQI: 200, RSSI: -60,
		}
		toGroup, broadcast, question := unicast, unicast, unicast
		toGroup.Group, toGroup.Target = true, 5
		broadcast.Target = radio.BroadcastAwake
		question.Profile, question.Cluster, question.Local, question.Remote = 0, 0x8002, 0, 0
		if got, want := s.take(), []radio.Event{unicast, toGroup, broadcast, question}; !reflect.DeepEqual(got, want) {
			s.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestNothingBeforeUp(t *testing.T) {
	on(t, 13, func(s *scene) {
		if _, err := s.radio.Connect(s.ctx); err != nil {
			s.Fatal(err)
		}
		s.stick.tell(sayMessage, s.stick.arrives(0, report(), 0x1234, 0, []byte{1, 2, 3}))
		s.stick.tell(sayTrustCentreJoin, []byte{0x34, 0x12, 1, 0, 0, 0, 0, 0x8d, 0x15, 0, 1, 0, 0, 0})
		if got := s.take(); len(got) > 0 {
			s.Errorf("got %+v", got)
		}
	})
}

func TestJoins(t *testing.T) {
	const device = radio.IEEE(0x00158d0000000001)
	tell := func(update, decision byte, parent ...byte) []byte {
		return append([]byte{0x34, 0x12, 1, 0, 0, 0, 0, 0x8d, 0x15, 0, update, decision}, parent...)
	}
	for name, tt := range map[string]struct {
		body []byte
		want []radio.Event
	}{
		"joins":              {tell(1, 0, 0, 0), []radio.Event{radio.Joined{NWK: 0x1234, IEEE: device}}},
		"joins at a router":  {tell(1, 0, 0x11, 0x11), []radio.Event{radio.Joined{NWK: 0x1234, IEEE: device, Parent: 0x1111}}},
		"comes back":         {tell(0, 3, 0xff, 0xff), []radio.Event{radio.Joined{NWK: 0x1234, IEEE: device, Parent: radio.Unknown}}},
		"comes back without": {tell(3, 0, 0, 0), []radio.Event{radio.Joined{NWK: 0x1234, IEEE: device}}},
		"leaves":             {tell(2, 3, 0, 0), []radio.Event{radio.Left{NWK: 0x1234, IEEE: device}}},
		"is not let in":      {tell(1, 2, 0, 0), nil},
		"is cut off":         {tell(1, 0, 0)[:12], nil},
	} {
		t.Run(name, func(t *testing.T) {
			every(t, func(s *scene) {
				s.resume()
				s.stick.tell(sayTrustCentreJoin, tt.body)
				if got := s.take(); !reflect.DeepEqual(got, tt.want) {
					s.Errorf("got %+v, want %+v", got, tt.want)
				}
			})
		})
	}
}

// TestMovesInSilence has a device take another network address without saying so.
func TestMovesInSilence(t *testing.T) {
	const device = 0x00158d0000000001
	every(t, func(s *scene) {
		s.resume()
		say := func(nwk uint16) {
			if !s.stick.wide() {
				s.stick.tell(saySenderEUI64, putIEEE(nil, device))
			}
			s.stick.tell(sayMessage, s.stick.arrives(0, report(), nwk, device, []byte{1, 2, 3}))
		}
		say(0x1234)
		say(0x1234)
		if got := s.take(); len(got) != 2 {
			s.Fatalf("got %+v", got)
		}
		s.stick.tell(sayMessage, s.stick.arrives(0, report(), 0x9999, 0, []byte{1, 2, 3})) // of another, who does not say
		say(0x4321)
		got := s.take()
		if want := (radio.Joined{NWK: 0x4321, IEEE: device, Parent: radio.Unknown}); len(got) != 3 || got[1] != want {
			s.Errorf("got %+v, want %+v before the message", got, want)
		}
		s.stick.tell(sayRouteRecord, append(putIEEE([]byte{0x78, 0x56}, device), 255, 0, 0))
		if got := s.take(); len(got) != 1 || got[0].(radio.Joined).NWK != 0x5678 {
			s.Errorf("got %+v", got)
		}
	})
}

// TestOverflow has the firmware say in whatever it says next that it has dropped something.
func TestOverflow(t *testing.T) {
	every(t, func(s *scene) {
		say := func() {
			s.stick.with(func() { s.stick.data([]byte{0xff, 0x90 | controlOverflow, 1, byte(sayIDConflict), 0, 0x34, 0x12}) })
		}
		if _, err := s.radio.Connect(s.ctx); err != nil {
			s.Fatal(err)
		}
		say()
		if got := s.take(); len(got) > 0 {
			s.Errorf("before the network is up: %+v", got)
		}
		s.resume()
		say()
		s.stick.tell(sayMessage, s.stick.arrives(0, report(), 0x1234, 0, []byte{1, 2, 3}))
		if got := s.take(); len(got) != 2 || got[0] != (radio.Missed{}) {
			s.Errorf("got %+v, want %T and the message", got, radio.Missed{})
		}
	})
}

func TestAddressBookIsBounded(t *testing.T) {
	var a addressBook
	for n := range 10 * maxAddresses {
		a.put(1, radio.IEEE(n+1))
	}
	if len(a.of) > maxAddresses {
		t.Errorf("it has %d entries", len(a.of))
	}
}

func TestFragmentsArrive(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		s.stick.commands()
		piece := func(index, total int, text string) {
			aps := report()
			aps.options |= apsFragment
			aps.group = uint16(total<<8 | index)
			s.stick.tell(sayMessage, s.stick.arrives(0, aps, 0x1234, 0, []byte(text)))
		}
		piece(1, 3, "of nothing that has begun")
		piece(0, 3, "one ")
		piece(2, 3, "too early")
		piece(1, 3, "two ")
		piece(1, 3, "two ") // our acknowledgement was lost
		if got := s.take(); len(got) > 0 {
			s.Fatalf("got %+v", got)
		}
		piece(2, 3, "three")
		piece(2, 3, "three")
		got := s.take()
		if len(got) != 1 || string(got[0].(radio.Message).Data) != "one two three" {
			s.Fatalf("got %+v", got)
		}
		var acknowledged []byte
		for _, b := range find(s.stick.commands(), cmdSendReply) {
			r := &reader{rest: b}
			if to, aps := r.nwk(), r.apsFrame(); to != 0x1234 || aps.group>>8 != 0xff || aps.sequence != 99 || len(r.rest) != 1 || r.rest[0] != 0 {
				s.Errorf("acknowledges %x", b)
			} else {
				acknowledged = append(acknowledged, byte(aps.group))
			}
		}
		if !slices.Equal(acknowledged, []byte{0, 1, 1, 2, 2}) {
			s.Errorf("acknowledged %v", acknowledged)
		}
	})
}

func TestAssemblyIsBounded(t *testing.T) {
	var a assembly
	now := time.Now()
	for n := range 100 {
		aps := report()
		aps.group, aps.sequence = 0xff00, uint8(n)
		a.add(arrival{aps: aps, data: make([]byte, 80)}, now)
	}
	if len(a.messages) != maxAssembling {
		t.Errorf("%d messages are put together", len(a.messages))
	}
	for index := range 200 {
		aps := report()
		aps.group, aps.sequence = 0xff00|uint16(index), 99
		a.add(arrival{aps: aps, data: make([]byte, 80)}, now)
	}
	for _, p := range a.messages {
		if len(p.data) > maxAssembled {
			t.Errorf("one has %d bytes", len(p.data))
		}
	}
	a.add(arrival{aps: report()}, now.Add(time.Hour))
	if len(a.messages) > 1 {
		t.Error("what is never finished stays")
	}
}

func TestSleepyDevices(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		s.stick.commands()
		aps := apsFrame{profile: 0, cluster: 0x0013}
		announce := func(capability byte) {
			s.stick.tell(sayMessage, s.stick.arrives(4, aps, 0x1234, 0, []byte{9, 0x34, 0x12, 1, 2, 3, 4, 5, 6, 7, 8, capability}))
		}
		announce(0x8e) // a lamp
		announce(0x80) // a sensor
		synctest.Wait()
		if b := find(s.stick.commands(), cmdSetExtendedTimeout); len(b) != 1 || !bytes.Equal(b[0], []byte{1, 2, 3, 4, 5, 6, 7, 8, 1}) {
			s.Errorf("patient with %x", b)
		}
		if got := s.take(); len(got) != 2 {
			s.Errorf("got %+v", got)
		}
	})
}

func TestPretendsToBeLumi(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.resume()
		s.stick.commands()
		s.stick.tell(sayTrustCentreJoin, []byte{0x34, 0x12, 1, 0, 0, 0, 0, 0x44, 0xef, 0x54, 1, 0, 0, 0})
		synctest.Wait()
		if b := find(s.stick.commands(), cmdSetManufacturerCode); len(b) != 1 || !bytes.Equal(b[0], []byte{0x5f, 0x11}) {
			s.Errorf("says %x", b)
		}
		s.stick.tell(sayStackStatus, s.stick.status(0x9d)) // closed
		synctest.Wait()
		if b := find(s.stick.commands(), cmdSetManufacturerCode); len(b) != 1 || !bytes.Equal(b[0], []byte{0x49, 0x10}) {
			s.Errorf("says %x", b)
		}
	})
}

func TestResets(t *testing.T) {
	for name, tt := range map[string]struct {
		lose func(*ncp)
		want string
	}{
		"it restarts":        {func(n *ncp) { n.restart(0x03) }, "watchdog"},
		"it fails":           {func(n *ncp) { n.frame(0xc2, []byte{2, 0x51}) }, "0x51"},
		"the network is off": {func(n *ncp) { n.say(sayStackStatus, n.status(0x91)) }, "left the network"},
		"nobody answers":     {func(n *ncp) { n.mute = true }, "does not acknowledge"},
		"it has forgotten":   {func(n *ncp) { n.agreed = false }, "restarted"},
		"the firmware hangs": {func(n *ncp) { n.on[cmdNop] = func([]byte) []byte { return nil } }, "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			every(t, func(s *scene) {
				s.resume()
				s.stick.with(func() { s.stick.on[cmdSendUnicast] = func([]byte) []byte { return s.stick.status(0, 1) } })
				sent := make(chan error, 1)
				go func() { sent <- s.radio.Send(s.ctx, toDevice()) }()
				synctest.Wait()
				s.stick.with(func() { tt.lose(s.stick) })
				if err := <-sent; classOf(err) != radio.Down {
					s.Errorf("what was under way: %v", err)
				}
				events := s.take()
				if len(events) != 1 {
					s.Fatalf("got %+v", events)
				}
				if reset, ok := events[0].(radio.Reset); !ok || !strings.Contains(reset.Reason, tt.want) {
					s.Errorf("got %+v, want %q", events[0], tt.want)
				}
				if err := s.radio.Send(s.ctx, toDevice()); classOf(err) != radio.Down {
					s.Errorf("after it: %v", err)
				}
				s.stick.with(func() { s.stick.mute, s.stick.on = false, map[command]func([]byte) []byte{} })
				s.resume()
				if err := s.radio.Send(s.ctx, toDevice()); err != nil {
					s.Errorf("when it is back: %v", err)
				}
				time.Sleep(time.Hour)
				if got := s.take(); len(got) > 0 {
					s.Errorf("got %+v", got)
				}
			})
		})
	}
}

// What firmware refuses because it has just started was not refused by a device.
func TestSentToForgetfulFirmware(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		s.stick.with(func() { s.stick.agreed = false })
		if err := s.radio.Send(s.ctx, toDevice()); classOf(err) != radio.Down {
			s.Errorf("got %v", err)
		}
	})
}

func TestKeepsAlive(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.resume()
		s.stick.commands()
		time.Sleep(time.Minute + time.Second)
		if n := len(find(s.stick.commands(), cmdNop)); n != 12 {
			s.Errorf("asked %d times in a silent minute", n)
		}
		for range 60 {
			time.Sleep(time.Second)
			s.stick.tell(sayMessage, s.stick.arrives(0, report(), 0x1234, 0, []byte{1, 2, 3}))
		}
		if n := len(find(s.stick.commands(), cmdNop)); n != 0 {
			s.Errorf("asked %d times while it talks", n)
		}
		s.stick.with(func() { s.stick.on[cmdNop] = func([]byte) []byte { return nil } })
		time.Sleep(quiet + answerTimeout - probeAgain) // slow is no harm
		s.stick.with(func() { delete(s.stick.on, cmdNop) })
		time.Sleep(time.Hour)
		for _, e := range s.take() {
			if _, ok := e.(radio.Reset); ok {
				s.Errorf("got %+v", e)
			}
		}
	})
}

func TestFrames(t *testing.T) {
	for name, tt := range map[string]struct {
		line   string
		want   frame
		legacy bool
		ok     bool
	}{
		"answer":         {"0580010500", frame{5, 0x80, cmdNop, []byte{}}, false, true},
		"callback":       {"059001190090", frame{5, 0x90, sayStackStatus, []byte{0x90}}, false, true},
		"legacy version": {"0080000d023074", frame{0, 0x80, cmdVersion, []byte{0x0d, 2, 0x30, 0x74}}, true, true},
		"a command":      {"0500010500", frame{5, 0, cmdNop, []byte{}}, false, false},
		"too short":      {"0580", frame{}, false, false},
		"cut header":     {"05800105", frame{5, 0x80, 1, []byte{5}}, true, true},
	} {
		b, err := hex.DecodeString(tt.line)
		if err != nil {
			t.Fatal(err)
		}
		if got, legacy, ok := parseFrame(b); ok != tt.ok || legacy != tt.legacy || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %t, %t", name, got, legacy, ok)
		}
	}
	f := frame{sequence: 7, command: cmdExportKey, body: []byte{1, 2}}
	if got := f.append(nil); !bytes.Equal(got, []byte{7, 0, 1, 0x14, 0x01, 1, 2}) {
		t.Errorf("wrote %x", got)
	}
	if got := (frame{sequence: 7, command: cmdVersion, body: []byte{4}}).appendLegacy(nil); !bytes.Equal(got, []byte{7, 0, 0, 4}) {
		t.Errorf("wrote %x", got)
	}
}
