package modbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
)

func TestPolls(t *testing.T) {
	for _, mode := range []string{modeRTU, modeTCP} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := meters(1, 2)
				c.Mode, c.Devices[1].Poll = mode, time.Second
				b := startBus(t, newMeters(1, 2), c)
				wait(9500 * time.Millisecond)
				if got := b.requests(1); got != 1 {
					t.Errorf("%d requests in the first ten seconds, want 1", got)
				}
				if got := b.requests(2); got != 10 {
					t.Errorf("%d requests of the one to be read every second, want 10", got)
				}
				if v, p := b.last("voltage"), b.last("power"); v != hearth.NumberOf(230) || p != hearth.NumberOf(1000) || b.last("reachable") != hearth.BoolOf(true) {
					t.Errorf("voltage %v, power %v", v, p)
				}
				d, _ := b.home.Device("bus:2")
				if p, ok := d.Property("power"); !ok || p.Unit != "W" || d.Vendor != "Test" || d.Type != "meter" {
					t.Errorf("announced as %+v", d)
				}
				b.close(t)
			})
		})
	}
}

func TestDeadUnitDoesNotSlowTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMeters(1, 2, 3, 4, 5)
		s.units[3].dead = true
		c := meters(1, 2, 3, 4, 5)
		c.Poll = time.Second
		b := startBus(t, s, c)
		wait(time.Minute)
		for _, n := range []byte{1, 2, 4, 5} {
			if got := b.requests(n); got < 58 {
				t.Errorf("unit %d was read %d times in a minute, want one each second", n, got)
			}
		}
		// At once, and 1, 2, 4, 8, 16 s after each failure.
		if got := b.requests(3); got != 6 {
			t.Errorf("the dead unit was asked %d times in a minute, want 6", got)
		}
		if last, ok := b.home.Last("bus:3", "reachable"); !ok || last.Value.Bool() || b.home.Count("bus:3", "reachable") != 1 {
			t.Errorf("the dead unit is reported reachable %v, %d times", last.Value, b.home.Count("bus:3", "reachable"))
		}
		s.with(func() { s.units[3].dead = false })
		wait(time.Minute)
		if last, _ := b.home.Last("bus:3", "reachable"); !last.Value.Bool() || b.home.Count("bus:3", "power") < 20 {
			t.Errorf("alive again: reachable %v, power reported %d times", last.Value, b.home.Count("bus:3", "power"))
		}
		b.close(t)
	})
}

func TestOneDisturbanceIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMeters(1)
		b := startBus(t, s, meters(1))
		wait(time.Second)
		bad := 1
		s.with(func() {
			s.mangle = func(_ request, _, answer []byte) []byte {
				if bad--; bad == 0 {
					answer[4] ^= 1 // the checksum is wrong now
				}
				return answer
			}
		})
		wait(10 * time.Second)
		if got := b.home.Count("bus:1", "reachable"); got != 1 {
			t.Errorf("reachable was reported %d times", got)
		}
		if got := b.home.Count("bus:1", "voltage"); got != 2 {
			t.Errorf("voltage was reported %d times, want 2", got)
		}
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		var counts map[string]uint64
		if err := json.Unmarshal(w.Body.Bytes(), &counts); err != nil || counts["requests"] != 3 || counts["garbled"] != 1 {
			t.Errorf("counts %v, %v", counts, err)
		}
		b.close(t)
	})
}

func TestLineNoise(t *testing.T) {
	tests := map[string]func(r request, question, answer []byte) []byte{
		"before": func(_ request, _, answer []byte) []byte { return append([]byte{0, 0xff, 1, 4}, answer...) },
		"echo":   func(_ request, question, answer []byte) []byte { return slices.Concat(question, answer) },
		"echo in noise": func(_ request, question, answer []byte) []byte {
			return slices.Concat([]byte{0}, question, []byte{0xff}, answer)
		},
		"another unit": func(_ request, _, answer []byte) []byte {
			return slices.Concat(rtuFrame(9, []byte{4, 4, 0, 0, 0, 0}), answer)
		},
	}
	for name, mangle := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newBoard()
				s.mangle = mangle
				b := startBus(t, s, board())
				wait(time.Second)
				if b.last("target_temperature") != hearth.NumberOf(20) || !b.last("reachable").Bool() {
					t.Errorf("target_temperature %v", b.last("target_temperature"))
				}
				if err := b.set("on", hearth.BoolOf(true)); err != nil {
					t.Error(err)
				}
				b.close(t)
			})
		})
	}
}

// TestEchoIsNoAcknowledgement: with an adapter that hears itself and a unit that is dead, a write must not succeed.
func TestEchoIsNoAcknowledgement(t *testing.T) {
	for name, deadFirst := range map[string]bool{"from the start": true, "later": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newBoard()
				s.mangle = func(_ request, question, answer []byte) []byte { return slices.Concat(question, answer) }
				s.units[1].dead = deadFirst
				b := startBus(t, s, board())
				wait(100 * time.Millisecond)
				s.with(func() { s.units[1].dead = true })
				if err := b.set("on", hearth.BoolOf(true)); !errors.Is(err, &hearth.Error{Code: hearth.CodeUnknownOutcome}) {
					t.Errorf("a write that nobody heard: %v", err)
				}
				b.close(t)
			})
		})
	}
}

// TestWriteBeforeAnyRead: nothing has told yet whether the line echoes.
func TestWriteBeforeAnyRead(t *testing.T) {
	for name, tt := range map[string]struct{ echo, dead bool }{"plain": {}, "echo": {echo: true}, "echo and dead": {true, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newBoard()
				s.units[1].dead = tt.dead
				if tt.echo {
					s.mangle = func(_ request, question, answer []byte) []byte { return slices.Concat(question, answer) }
				}
				b := startBus(t, s, Config{Devices: []DeviceConfig{{Address: 1, Profile: "button"}}})
				synctest.Wait()
				err := b.set("identify", hearth.BoolOf(true))
				if (err != nil) != tt.dead || (s.register(1, "coil", 9) == 1) == tt.dead {
					t.Errorf("got %v", err)
				}
				b.close(t)
			})
		})
	}
}

func TestWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBoard()
		b := startBus(t, s, board())
		wait(time.Second)
		err := b.do(context.Background(), map[string]hearth.Value{
			"on": hearth.BoolOf(true), "target_temperature": hearth.NumberOf(21.5), "stage": hearth.NumberOf(5), "limit": hearth.NumberOf(70000),
		})
		if err != nil {
			t.Fatal(err)
		}
		wait(100 * time.Millisecond)
		for address, want := range map[uint16]uint16{1: 215, 3: 0xab5c, 4: 1, 5: 70000 - 65536} {
			if got := s.register(1, "holding", address); got != want {
				t.Errorf("register %d holds %#x, want %#x", address, got, want)
			}
		}
		if s.register(1, "coil", 0) != 1 {
			t.Error("the coil is not set")
		}
		for property, want := range map[string]hearth.Value{
			"on": hearth.BoolOf(true), "target_temperature": hearth.NumberOf(21.5), "stage": hearth.NumberOf(5), "limit": hearth.NumberOf(70000),
		} {
			if got := b.last(property); got != want {
				t.Errorf("%s was read back as %v, want %v", property, got, want)
			}
		}
		if err := b.set("identify", hearth.BoolOf(true)); err != nil || s.register(1, "coil", 9) != 1 {
			t.Errorf("write-only: %v", err)
		}
		b.close(t)
	})
}

func TestWritesGoAheadOfPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBoard()
		for a := uint16(1); a < 6; a++ { // five groups: a limit of one register at once
			s.units[1].tables["holding"][a] = 1
		}
		s.units[1].longest = 2
		b := startBus(t, s, board())
		wait(time.Second)
		s.with(func() { s.heard = nil })
		time.Sleep(9*time.Second - time.Millisecond)
		go func() {
			time.Sleep(8 * time.Millisecond)
			if err := b.set("on", hearth.BoolOf(true)); err != nil {
				t.Error(err)
			}
		}()
		wait(time.Second)
		s.mu.Lock()
		at := slices.IndexFunc(s.heard, func(r request) bool { return r.writes() })
		order := fmt.Sprint(s.heard)
		s.mu.Unlock()
		if at < 1 || at > 3 {
			t.Errorf("the write came as number %d, want it among the polls: %s", at, order)
		}
		b.close(t)
	})
}

func TestGroupsAreSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMeters(1)
		for a := uint16(2); a < 12; a++ { // what lies between does not exist
			delete(s.units[1].tables["input"], a)
		}
		b := startBus(t, s, meters(1))
		wait(time.Second)
		if got := b.requests(1); got != 3 || b.last("power") != hearth.NumberOf(1000) || b.last("voltage") != hearth.NumberOf(230) {
			t.Errorf("%d requests, power %v, voltage %v", got, b.last("power"), b.last("voltage"))
		}
		wait(10 * time.Second)
		if got := b.requests(1); got != 5 {
			t.Errorf("%d requests after the second poll: the split was not learned", got)
		}
		s.with(func() { delete(s.units[1].tables["input"], 12) })
		wait(30 * time.Second)
		before := b.requests(1)
		wait(10 * time.Second)
		if got := b.requests(1) - before; got != 1 || !b.last("reachable").Bool() {
			t.Errorf("%d requests each poll after one register has gone, reachable %v", got, b.last("reachable"))
		}
		b.close(t)
	})
}

func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		prepare func(u *fakeUnit)
		set     string
		value   hearth.Value
		code    string
	}{
		"only the function for several": {func(u *fakeUnit) { u.refuses = map[function]bool{writeRegister: true} }, "target_temperature", hearth.NumberOf(20), ""},
		"only the function for one":     {func(u *fakeUnit) { u.refuses = map[function]bool{writeCoils: true} }, "on", hearth.BoolOf(true), ""},
		"no such register":              {func(u *fakeUnit) { delete(u.tables["holding"], 1) }, "target_temperature", hearth.NumberOf(20), hearth.CodeFailed},
		"does not fit":                  {func(*fakeUnit) {}, "target_temperature", hearth.NumberOf(5000), hearth.CodeBadValue},
		"unknown property":              {func(*fakeUnit) {}, "brightness", hearth.NumberOf(1), hearth.CodeNoDevice},
		"dead":                          {func(u *fakeUnit) { u.dead = true }, "on", hearth.BoolOf(true), hearth.CodeUnknownOutcome},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newBoard()
				b := startBus(t, s, board())
				wait(time.Second)
				s.with(func() { tt.prepare(s.units[1]) })
				err := b.set(tt.set, tt.value)
				if (err == nil) != (tt.code == "") || err != nil && hearth.ErrorOf(err).Code != tt.code {
					t.Errorf("got %v, want code %q", err, tt.code)
				}
				wait(2 * time.Second)
				if tt.code == hearth.CodeUnknownOutcome && b.last("reachable").Bool() {
					t.Error("still reachable")
				}
				b.close(t)
			})
		})
	}
}

func TestCommandsThatWaitTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBoard()
		s.units[1].dead = true
		b := startBus(t, s, board())
		synctest.Wait() // the first poll waits for its answer now
		answers := make(chan error, maxJobs)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		for range maxJobs {
			go func() { answers <- b.do(ctx, map[string]hearth.Value{"on": hearth.BoolOf(true)}) }()
		}
		synctest.Wait()
		if err := b.set("on", hearth.BoolOf(true)); !errors.Is(err, &hearth.Error{Code: hearth.CodeBusy}) {
			t.Errorf("one more than can wait: %v", err)
		}
		for range maxJobs {
			if err := <-answers; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a command whose time was over before it was sent: %v", err)
			}
		}
		wait(time.Second)
		if slices.ContainsFunc(s.heard, request.writes) {
			t.Error("a command was sent after its time")
		}
		b.close(t)
	})
}

func TestGatewaySaysSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMeters(1, 2)
		s.mangle = func(r request, _, answer []byte) []byte {
			if r.unit == 2 {
				copy(answer[mbapLength:], []byte{byte(r.function) | failedBit, byte(gatewayNoResponse)})
				answer = answer[:mbapLength+2]
				answer[5] = 3
			}
			return answer
		}
		c := meters(1, 2)
		c.Mode = modeTCP
		b := startBus(t, s, c)
		wait(time.Second)
		if r, ok := b.home.Last("bus:2", "reachable"); !ok || r.Value.Bool() || !b.last("reachable").Bool() {
			t.Errorf("the unit behind the gateway is reachable %v", r.Value)
		}
		b.close(t)
	})
}

func TestRunEndsWithThePort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBus(t, newMeters(1), meters(1))
		wait(time.Second)
		b.unplug()
		wait(10 * time.Second)
		if err := <-b.done; err == nil {
			t.Error("Run returned nil though the port was gone")
		}
		b.stop()
		if err := b.set("power", hearth.NumberOf(1)); !errors.Is(err, &hearth.Error{Code: hearth.CodeReadOnly}) {
			t.Errorf("setting what can only be read: %v", err)
		}
	})
}

func TestNotModbusTCP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMeters(1)
		s.mangle = func(request, []byte, []byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n") }
		c := meters(1)
		c.Mode = modeTCP
		b := startBus(t, s, c)
		if err := <-b.done; err == nil || !strings.Contains(err.Error(), "does not speak Modbus TCP") {
			t.Errorf("Run returned %v", err)
		}
		b.unplug()
	})
}

func TestImplausibleIsNotReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMeters(1)
		s.units[1].float("input", 0, 1e9)
		b := startBus(t, s, meters(1))
		wait(time.Second)
		if b.home.Count("bus:1", "voltage") != 0 || b.home.Count("bus:1", "power") != 1 {
			t.Error("a voltage of a billion was reported, or nothing at all")
		}
		b.close(t)
	})
}
