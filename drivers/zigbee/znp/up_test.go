package znp

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
)

func TestConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		s.withNetwork()
		memory := len(s.items)
		r := newRig(t, s)
		began := time.Now()
		info, err := r.Connect(r.ctx)
		if err != nil {
			t.Fatal(err)
		}
		want := someNetwork
		want.Coordinator = ownAddress
		if info.Firmware != "Z-Stack 3.x.0 20240710" || info.IEEE != ownAddress || info.Network == nil || *info.Network != want {
			t.Errorf("got %+v, %+v", info, info.Network)
		}
		if time.Since(began) > time.Millisecond {
			t.Errorf("a stick that answers at once took %s", time.Since(began))
		}
		if s.count(sysItemWrite)+s.count(sysItemInit)+s.count(sysReset) != 0 || len(s.items) != memory {
			t.Error("something was changed")
		}
		if _, err := r.Connect(r.ctx); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

func TestConnectNetwork(t *testing.T) {
	tests := map[string]struct {
		change func(s *stick)
		blank  bool
	}{
		"blank":             {func(s *stick) { delete(s.items, itemNIB); delete(s.items, itemConfigured) }, true},
		"not completed":     {func(s *stick) { s.items[itemConfigured] = []byte{0} }, true},
		"not settled":       {func(s *stick) { copy(nib(s.items[itemNIB]).at(nibFields().pan), "\xff\xff") }, true},
		"of another host":   {func(s *stick) { delete(s.items, itemConfigured) }, false},
		"key cannot be had": {func(s *stick) { s.before = refuseRead(itemActiveKey) }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStick(product30x, false)
				s.withNetwork()
				tt.change(s)
				info, err := newRig(t, s).Connect(t.Context())
				if err != nil || (info.Network == nil) != tt.blank {
					t.Fatalf("got %+v, %v; want blank %v", info, err, tt.blank)
				}
				if !tt.blank && info.Network.Extended != someNetwork.Extended {
					t.Errorf("got %+v", info.Network)
				}
			})
		})
	}
}

func refuseRead(item uint16) func(s *stick, f frame) bool {
	return func(s *stick, f frame) bool {
		if f.command == sysItemRead && bytes.HasPrefix(f.data, append16(nil, item)) {
			s.reply(f, 2, 0)
			return true
		}
		return false
	}
}

func TestWake(t *testing.T) {
	tests := map[string]struct {
		wakes func(s *stick) // on every byte that is no frame
		lines []bool         // the RTS states after which it wakes
		other []byte         // what it says to junk instead
		err   error
	}{
		"bootloader of a CC2531": {wakes: func(s *stick) { s.silent = s.silent && !bytes.Contains(s.junk, []byte{skipBoot}) }},
		"reset by modem lines":   {lines: []bool{false, true, false}},
		"ROM bootloader":         {wakes: func(s *stick) { s.silent = s.silent && !bytes.HasSuffix(s.junk, []byte{0x55, 0x55, 3, 0x25, 0x25}) }},
		"EmberZNet restarts":     {other: []byte{0x1a, 0xc1, 0x02, 0x0b, 0x0a, 0x52, 0x7e}, err: radio.ErrOtherFirmware},
		"EmberZNet has failed":   {other: []byte{0xc2, 0x02, 0x51, 0xa8, 0xbd, 0x7e}, err: radio.ErrOtherFirmware},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStick(product3x0, true)
				s.silent = true
				s.onJunk = func(s *stick) {
					if tt.wakes != nil {
						tt.wakes(s)
					}
					if tt.other != nil && bytes.HasSuffix(s.junk, []byte{0xbc, 0x7e}) {
						s.raw(tt.other)
					}
				}
				var seen []bool
				r := newRigWithLines(t, s, func(dtr, rts bool) {
					s.mu.Lock()
					defer s.mu.Unlock()
					if dtr {
						t.Error("DTR was raised: that selects the bootloader")
					}
					seen = append(seen, rts)
					if tt.lines != nil && slices.Equal(seen, tt.lines) {
						s.silent = false
						time.AfterFunc(time.Second, func() { s.say(kindIndication, sysResetHappens, 1, 2, 1, 2, 7, 1) })
					}
				})
				_, err := r.Connect(r.ctx)
				if !errors.Is(err, tt.err) || tt.err == nil && err != nil {
					t.Fatalf("got %v, want %v", err, tt.err)
				}
				if tt.lines == nil && tt.err == nil && tt.wakes != nil && len(seen) > 0 && strings.HasPrefix(name, "boot") {
					t.Error("the modem lines were used before they were needed")
				}
				if len(r.events) > 0 {
					t.Errorf("event %+v while connecting", <-r.events)
				}
			})
		})
	}
}

func TestNobodyThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		s.silent = true
		r := newRig(t, s)
		ctx, cancel := context.WithTimeout(r.ctx, 6*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := r.Connect(ctx); err == nil || !strings.Contains(err.Error(), "does not answer") || time.Since(began) > 6100*time.Millisecond {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestOldFirmwareIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := newRig(t, newStick(productHome12, false)).Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "Home 1.2") {
			t.Errorf("got %v", err)
		}
	})
}

func TestForm(t *testing.T) {
	for name, s := range map[string]*stick{"CC2652": newStick(product3x0, true), "CC2531": newStick(product30x, false), "CC2538": newStick(product30x, true)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, s)
				if _, err := r.Connect(r.ctx); err != nil {
					t.Fatal(err)
				}
				n := someNetwork
				n.Coordinator = 0x00124b00aabbccdd
				power := int8(-3)
				got, err := r.Up(r.ctx, radio.Plan{Form: &n, Power: &power})
				if err != nil || got != n {
					t.Fatalf("got %+v, %v", got, err)
				}
				for item, want := range map[uint16]string{
					itemExtendedPAN: "\x77\x66\x55\x44\x33\x22\x11\xdd", itemUseExtended: "\x77\x66\x55\x44\x33\x22\x11\xdd",
					itemPAN: "\x62\x1a", itemChannels: "\x00\x80\x00\x00", itemKey: string(n.Key[:]), itemKeyKnown: "\x00",
					itemCallbacks: "\x01", itemLogicalType: "\x00", itemConfigured: "\x55", itemStartup: "\x00",
				} {
					if string(s.items[item]) != want {
						t.Errorf("item 0x%04x is %x, want %x", item, s.items[item], want)
					}
				}
				if len(s.known) != len(endpoints()) || s.count(zdoAddGroup) != 1 {
					t.Errorf("endpoints %v, groups %d", s.known, s.count(zdoAddGroup))
				}
				if !slices.ContainsFunc(s.asked, func(f frame) bool { return f.command == sysStackTune && bytes.Equal(f.data, []byte{0, 0xfd}) }) {
					t.Error("the transmit power was not set")
				}
				if err := r.Send(r.ctx, radio.Message{Address: 1, Local: 1, Remote: 1, Profile: profileHome, Data: []byte{1}}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestFormCollision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		s.before = func(s *stick, f frame) bool {
			if f.command == zdoNetworkInfo {
				s.running.PAN++
			}
			return false
		}
		r := newRig(t, s)
		if _, err := r.Connect(r.ctx); err != nil {
			t.Fatal(err)
		}
		n := someNetwork
		if _, err := r.Up(r.ctx, radio.Plan{Form: &n}); err == nil || !strings.Contains(err.Error(), "0x1a62") {
			t.Fatalf("got %v", err)
		}
		if info, err := r.Connect(r.ctx); err != nil || info.Network != nil {
			t.Errorf("what was not completed is told as a network: %+v, %v", info.Network, err)
		}
	})
}

func TestResume(t *testing.T) {
	tests := map[string]struct {
		before func(s *stick, f frame) bool
		state  byte
		starts int
	}{
		"stopped":            {starts: 1},
		"running":            {state: deviceCoordinator},
		"status 1":           {starts: 1, before: startAnswer(1)},
		"answer lost":        {starts: 1, before: startAnswer(-1)},
		"endpoints are told": {state: deviceCoordinator, before: func(s *stick, f frame) bool { s.known = []byte{1, 2}; return false }},
		"endpoints not told": {state: deviceCoordinator, before: func(s *stick, f frame) bool {
			s.known = []byte{1, 2}
			if f.command == zdoActiveEndpoints {
				s.reply(f, 0)
				return true
			}
			return false
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStick(product3x0, true)
				s.items[itemCallbacks] = []byte{1}
				delete(s.items, itemConcentrator)
				s.withNetwork()
				s.state, s.before = tt.state, tt.before
				if tt.state != 0 {
					s.running = someNetwork
				}
				r := up(t, s)
				if s.count(zdoStartup) != tt.starts || s.count(sysReset) != 0 || s.count(cnfCommission) != 0 {
					t.Errorf("%d starts, %d resets", s.count(zdoStartup), s.count(sysReset))
				}
				if err := r.Permit(r.ctx, 60); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// startAnswer answers a start with a status; below 0 not at all, and the state change is lost with it.
func startAnswer(status int) func(s *stick, f frame) bool {
	return func(s *stick, f frame) bool {
		if f.command != zdoStartup {
			return false
		}
		if status < 0 {
			s.state, s.running = deviceCoordinator, someNetwork
			return true
		}
		s.reply(f, byte(status))
		s.start()
		return true
	}
}

func TestResumeNeverForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := newRig(t, s)
		if _, err := r.Connect(r.ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Up(r.ctx, radio.Plan{}); err == nil || s.count(zdoStartup)+s.count(cnfCommission) != 0 {
			t.Errorf("a blank stick was started: %v", err)
		}
	})
}

func TestPoliciesAreSetOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		s.items[itemChildAgeing] = []byte{1}
		up(t, s)
		if s.count(sysReset) != 1 || s.items[itemConcentrator][0] != 1 || s.items[itemChildAgeing][0] != 0 || s.items[itemCallbacks][0] != 1 {
			t.Errorf("%d resets, items %x %x %x", s.count(sysReset), s.items[itemConcentrator], s.items[itemChildAgeing], s.items[itemCallbacks])
		}
		again := newStick(product3x0, true)
		again.items = s.items
		up(t, again)
		if again.count(sysReset) != 0 {
			t.Error("the stick was reset though all was as it should be")
		}
	})
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		s.mu.Lock()
		s.reset()
		s.mu.Unlock()
		if e, ok := r.event(t).(radio.Reset); !ok || !strings.Contains(e.Reason, "restarted") {
			t.Fatalf("got %+v", e)
		}
		var f *radio.Failure
		if err := r.Send(r.ctx, radio.Message{Profile: profileHome}); !errors.As(err, &f) || f.Class != radio.Down {
			t.Errorf("sending between: %v", err)
		}
		if _, err := r.Up(r.ctx, radio.Plan{}); err == nil {
			t.Error("Up works before Connect")
		}
		if _, err := r.Connect(r.ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Up(r.ctx, radio.Plan{}); err != nil {
			t.Fatal(err)
		}
		if err := r.Send(r.ctx, radio.Message{Address: 1, Local: 1, Remote: 1, Profile: profileHome, Data: []byte{1}}); err != nil {
			t.Error(err)
		}
	})
}

func TestRestartNobodyHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		s.mu.Lock()
		s.state = 0
		s.before = func(s *stick, f frame) bool {
			if f.command == afRequest {
				s.reply(f, statusNotConnected)
			}
			return f.command == afRequest
		}
		s.mu.Unlock()
		var f *radio.Failure
		if err := r.Send(r.ctx, radio.Message{Address: 1, Profile: profileHome, Data: []byte{1}}); !errors.As(err, &f) || f.Class != radio.Down {
			t.Fatalf("got %v", err)
		}
		if e, ok := r.event(t).(radio.Reset); !ok {
			t.Fatalf("got %+v", e)
		}
	})
}

func TestRestartWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		s.withNetwork()
		s.items[itemCallbacks] = []byte{1}
		delete(s.items, itemConcentrator)
		r := newRig(t, s)
		if _, err := r.Connect(r.ctx); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		s.before = func(s *stick, f frame) bool {
			if f.command == zdoStartup {
				s.reply(f, 0)
				s.reset()
				return true
			}
			return false
		}
		s.mu.Unlock()
		began := time.Now()
		if _, err := r.Up(r.ctx, radio.Plan{}); err == nil || time.Since(began) > time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}
