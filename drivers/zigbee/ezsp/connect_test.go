package ezsp

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
)

func TestConnect(t *testing.T) {
	every(t, func(s *scene) {
		took, err := s.within(func() error {
			info, err := s.radio.Connect(s.ctx)
			if err != nil {
				return err
			}
			want := radio.Network{
				PAN: 0x1a62, Extended: testExtended, Channel: 15, UpdateID: 3, Key: testKey, KeySequence: 2, Coordinator: testOwn,
			}
			if info.IEEE != testOwn || info.Network == nil || *info.Network != want {
				s.Errorf("got %+v, %+v; want %+v", info, info.Network, want)
			}
			if want := "EmberZNet 7.4.3 (EZSP "; !strings.HasPrefix(info.Firmware, want) {
				s.Errorf("firmware %q", info.Firmware)
			}
			return nil
		})
		if err != nil || took > time.Second {
			s.Fatalf("it took %v: %v", took, err)
		}
		calls := s.stick.commands()
		if first := find(calls, 0xffff); len(first) != 1 || calls[0].command != 0xffff {
			s.Errorf("the version was asked for %d times in the old header", len(first))
		}
		if second := find(calls, cmdVersion); len(second) != 1 || second[0][0] != s.stick.version || calls[1].command != cmdVersion {
			s.Errorf("then it was asked for with %v", second)
		}
		order(s.T, calls, cmdSetConfiguration, cmdAddEndpoint, cmdNetworkInit)
		for _, c := range []command{cmdLeaveNetwork, cmdFormNetwork, cmdSetInitialSecurity, cmdSetTokenData, cmdSetMfgToken, cmdClearKeyTable} {
			if len(find(calls, c)) > 0 {
				s.Errorf("Connect changes the stick: %s", c)
			}
		}
	})
}

// order checks that the last of each kind of command comes before the first of the next.
func order(t *testing.T, calls []heard, commands ...command) {
	t.Helper()
	last := -1
	for _, c := range commands {
		first, end := -1, -1
		for i, h := range calls {
			if h.command == c {
				end = i
				if first < 0 {
					first = i
				}
			}
		}
		if first < 0 || first < last {
			t.Errorf("%s comes at %d, after %d", c, first, last)
		}
		last = end
	}
}

func TestConnectBlank(t *testing.T) {
	every(t, func(s *scene) {
		s.stick.stored = nil
		info, err := s.radio.Connect(s.ctx)
		if err != nil || info.Network != nil || info.IEEE != testOwn {
			s.Fatalf("got %+v, %v", info, err)
		}
		if _, err := s.radio.Up(s.ctx, radio.Plan{}); classOf(err) != radio.Refused || !strings.Contains(err.Error(), "no network") {
			s.Errorf("resuming nothing: %v", err)
		}
	})
}

func TestConnectToARouter(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.stick.on[cmdGetNetworkParameters] = func([]byte) []byte { return stored().append([]byte{0, 2}) }
		info, err := s.radio.Connect(s.ctx)
		if err != nil || info.Network != nil {
			s.Fatalf("got %+v, %v", info, err)
		}
		if _, err := s.radio.Up(s.ctx, radio.Plan{}); !errors.Is(err, errNotCoordinator) {
			s.Errorf("resuming another's network: %v", err)
		}
	})
}

func TestConnectVersions(t *testing.T) {
	for version, want := range map[uint8]string{4: "too old", 7: "too old", 19: "", 200: ""} {
		on(t, version, func(s *scene) {
			_, err := s.radio.Connect(s.ctx)
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				s.Errorf("EZSP %d: %v", version, err)
			}
		})
	}
}

func TestConnectInspiteOfRefusals(t *testing.T) {
	every(t, func(s *scene) {
		no := func([]byte) []byte { return s.stick.status(0x18) }
		endpoints := 0
		s.stick.on[cmdSetConfiguration] = no
		s.stick.on[cmdSetValue] = no
		s.stick.on[cmdSetPolicy] = no
		s.stick.on[cmdGetValue] = no
		s.stick.on[cmdAddEndpoint] = func([]byte) []byte {
			if endpoints++; endpoints > 2 {
				return no(nil)
			}
			return s.stick.status(0)
		}
		info, err := s.radio.Connect(s.ctx)
		if err != nil || info.Firmware[:15] != "EmberZNet 7.4.3" {
			s.Fatalf("got %+v, %v", info, err)
		}
		if endpoints != 3 {
			s.Errorf("endpoints were offered %d times", endpoints)
		}
		if _, err := s.radio.Up(s.ctx, radio.Plan{}); err != nil {
			s.Error(err)
		}
	})
}

func TestConnectWithoutAnyEndpoint(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.stick.on[cmdAddEndpoint] = func([]byte) []byte { return []byte{0x35} }
		if _, err := s.radio.Connect(s.ctx); err == nil || !strings.Contains(err.Error(), "endpoint 1") {
			s.Errorf("got %v", err)
		}
	})
}

func TestConnectNotAnswered(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.stick.with(func() { s.stick.on[cmdGetEUI64] = func([]byte) []byte { return nil } })
		took, err := s.within(func() error { _, err := s.radio.Connect(s.ctx); return err })
		if classOf(err) != radio.Timeout || took != settleBoard+maxAsked*probeTime {
			s.Errorf("after %v: %v", took, err)
		}
	})
}

// TestRestartsWhileConnecting has a stick that starts once more in the middle of it.
func TestRestartsWhileConnecting(t *testing.T) {
	on(t, 13, func(s *scene) {
		once := false
		s.stick.on[cmdAddEndpoint] = func([]byte) []byte {
			if once {
				return []byte{0}
			}
			once = true
			s.stick.restart(0x02)
			return nil
		}
		if _, err := s.radio.Connect(s.ctx); err != nil {
			s.Fatal(err)
		}
		if s.stick.resets != 2 || len(s.take()) != 0 {
			s.Errorf("%d resets", s.stick.resets)
		}
	})
}

// TestRestartsAfterAll has a board whose own reset line acts a moment after the port was opened.
func TestRestartsAfterAll(t *testing.T) {
	every(t, func(s *scene) {
		time.AfterFunc(150*time.Millisecond, func() { s.stick.with(func() { s.stick.restart(0x0b) }) })
		took, err := s.within(func() error { _, err := s.radio.Connect(s.ctx); return err })
		if err != nil || s.stick.resets != 2 || took > 500*time.Millisecond {
			s.Fatalf("after %v and %d resets: %v", took, s.stick.resets, err)
		}
		if _, err := s.radio.Up(s.ctx, radio.Plan{}); err != nil || len(s.take()) > 0 {
			s.Error(err)
		}
		if took, _ := s.within(func() error { _, err := s.radio.Connect(s.ctx); return err }); took > 0 {
			s.Errorf("the second time it takes %v", took)
		}
	})
}

func TestConnectMissesThatTheNetworkIsUp(t *testing.T) {
	for name, tt := range map[string]struct {
		state byte
		good  bool
	}{"it is": {2, true}, "it is not": {0, false}} {
		t.Run(name, func(t *testing.T) {
			on(t, 13, func(s *scene) {
				s.stick.on[cmdNetworkInit] = func([]byte) []byte { s.stick.running = true; return []byte{0} }
				s.stick.on[cmdNetworkState] = func([]byte) []byte { return []byte{tt.state} }
				took, err := s.within(func() error { _, err := s.radio.Connect(s.ctx); return err })
				if (err == nil) != tt.good || took < upTimeout {
					s.Errorf("after %v: %v", took, err)
				}
			})
		})
	}
}

func TestOtherFirmware(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.stick.with(func() { s.stick.deaf = true })
		time.AfterFunc(2*time.Second, func() {
			s.stick.with(func() { s.stick.write([]byte("\xfe\x02\x61\x01\x59\x06\x3d")) })
		})
		ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
		defer cancel()
		took, err := s.within(func() error { _, err := s.radio.Connect(ctx); return err })
		if !errors.Is(err, radio.ErrOtherFirmware) || took != 2*time.Second {
			s.Errorf("after %v: %v", took, err)
		}
	})
}

func TestNobodyThere(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.stick.with(func() { s.stick.deaf = true })
		ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
		defer cancel()
		if _, err := s.radio.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "does not answer") {
			s.Errorf("got %v", err)
		}
	})
}

func TestNotConnected(t *testing.T) {
	on(t, 13, func(s *scene) {
		m := radio.Message{Address: 0x1234, Local: 1, Remote: 1, Profile: 0x104, Cluster: 6, Data: []byte{1, 2, 3}}
		_, upErr := s.radio.Up(s.ctx, radio.Plan{})
		_, backupErr := s.radio.Backup(s.ctx)
		for name, err := range map[string]error{
			"Up": upErr, "Backup": backupErr, "Send": s.radio.Send(s.ctx, m), "Permit": s.radio.Permit(s.ctx, 60), "Hear": s.radio.Hear(s.ctx, 5),
			"Trust": s.radio.Trust(s.ctx, 1, testKey), "Move": s.radio.Move(s.ctx, 20),
		} {
			if classOf(err) != radio.Down {
				s.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestRunEnds(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.resume()
		s.stick.with(func() { s.stick.on[cmdSendUnicast] = func([]byte) []byte { return nil } })
		sent := make(chan error, 1)
		go func() {
			sent <- s.radio.Send(s.Context(), radio.Message{Address: 0x1234, Profile: 0x104, Data: []byte{1, 2, 3}})
		}()
		synctest.Wait()
		s.stop()
		if err := <-s.ended; err != nil {
			s.Errorf("Run returned %v", err)
		}
		if err := <-sent; classOf(err) != radio.Down {
			s.Errorf("Send: %v", err)
		}
		if _, err := s.radio.Connect(s.Context()); err == nil {
			s.Error("Connect works without Run")
		}
		if len(s.take()) != 0 {
			s.Error("there are events")
		}
	})
}

func TestLineBreaks(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.resume()
		s.stick.conn.Close()
		if err := <-s.ended; err == nil {
			s.Error("Run returned nil")
		}
	})
}

func TestSettingsOrder(t *testing.T) {
	for _, version := range []uint8{8, 13, 14} {
		list := settings(dialect{version: version})
		last := list[len(list)-1].id
		if (last == configPacketBuffers) != (version < 14) {
			t.Errorf("EZSP %d: the last setting is %#x", version, last)
		}
	}
}

func TestEndpointFrame(t *testing.T) {
	e := endpoint{id: 11, profile: 0x0104, device: 0x0400, in: []uint16{0x0501, 0x000a}, out: []uint16{0x0500}}
	want := []byte{11, 0x04, 0x01, 0x00, 0x04, 1, 2, 1, 0x01, 0x05, 0x0a, 0x00, 0x00, 0x05}
	if got := e.append(nil); !bytes.Equal(got, want) {
		t.Errorf("wrote %x, want %x", got, want)
	}
	seen := map[uint8]bool{}
	for _, e := range endpoints() {
		if seen[e.id] {
			t.Errorf("endpoint %d stands there twice", e.id)
		}
		seen[e.id] = true
	}
	for _, id := range []uint8{1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 47, 110, 239, 242} {
		if !seen[id] {
			t.Errorf("endpoint %d is missing", id)
		}
	}
}
