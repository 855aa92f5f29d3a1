package ash

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func greet(code byte) frame { return frame{control: controlRstack, data: []byte{2, code}} }
func fails(code byte) frame { return frame{control: controlError, data: []byte{2, code}} }

func TestResetBytes(t *testing.T) {
	line(t, func(s *stick) {
		s.reset(time.Second)
		if got := <-s.raw; !bytes.Equal(got, []byte{cancel, 0xc0, 0x38, 0xbc, flag}) {
			t.Errorf("the host has sent %x", got)
		}
	})
}

func TestResetIgnoresWhatIsLeftOver(t *testing.T) {
	line(t, func(s *stick) {
		done := s.reset(time.Second)
		s.want(controlRst, "")
		s.data(3, 0, false, "left over")
		s.say(frame{control: controlNak | 2})
		s.write([]byte{0x00, 0x55, cancel})
		s.say(greet(softwareReset))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		s.want(controlAck, "")
		s.wantHeard()
	})
}

func TestResetIsAskedAgain(t *testing.T) {
	line(t, func(s *stick) {
		done := s.reset(time.Minute)
		s.want(controlRst, "")
		time.Sleep(resetAgain)
		s.want(controlRst, "")
		time.Sleep(resetAgain)
		s.want(controlRst, "")
		s.say(greet(softwareReset))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestGreetsTwice(t *testing.T) {
	for name, tt := range map[string]struct {
		first, second byte
		between       time.Duration
	}{
		"power on, then ours":  {0x02, softwareReset, 100 * time.Millisecond},
		"ours twice":           {softwareReset, softwareReset, 0},
		"ours twice, later":    {softwareReset, softwareReset, 50 * time.Millisecond},
		"power on, much later": {0x02, 0x02, greetPause + 50*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			line(t, func(s *stick) {
				done := s.reset(time.Minute)
				s.want(controlRst, "")
				s.say(greet(tt.first))
				synctest.Wait()
				time.Sleep(tt.between)
				if tt.first == softwareReset || tt.between > greetPause {
					if err := <-done; err != nil {
						t.Fatal(err)
					}
					s.want(controlAck, "")
					s.send("version")
					s.want(dataControl(0, 0, false), "version")
					s.say(greet(tt.second)) // the stick begins anew: so do we
					s.want(controlAck, "")
					s.want(dataControl(0, 0, false), "version")
				} else {
					s.say(greet(tt.second))
					if err := <-done; err != nil {
						t.Fatal(err)
					}
					s.want(controlAck, "")
					s.send("version")
					s.want(dataControl(0, 0, false), "version")
				}
				s.data(0, 1, false, "answer")
				s.want(controlAck|1, "")
				s.wantHeard("answer")
				time.Sleep(time.Minute)
				s.wantNothing()
			})
		})
	}
}

func TestGreetsForAnotherReason(t *testing.T) {
	line(t, func(s *stick) {
		done := s.reset(time.Minute)
		s.want(controlRst, "")
		s.say(greet(0x01))
		synctest.Wait()
		began := time.Now()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != greetPause {
			t.Errorf("it took %v", took)
		}
	})
}

func TestFailsBeforeItGreets(t *testing.T) {
	line(t, func(s *stick) {
		done := s.reset(time.Minute)
		s.want(controlRst, "")
		s.say(fails(0x03))
		time.Sleep(errorPause)
		s.want(controlRst, "") // the first was lost
		s.say(greet(softwareReset))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

const menu = "\r\nGecko Bootloader v1.12.00\r\n1. upload gbl\r\n2. run\r\n3. ebl info\r\nBL > "

func TestBootloader(t *testing.T) {
	line(t, func(s *stick) {
		done := s.reset(time.Minute)
		<-s.raw
		s.want(controlRst, "")
		for range 5 { // for each byte it does not know
			s.write([]byte(menu))
		}
		synctest.Wait()
		if got := <-s.raw; string(got) != "2\r\n" {
			t.Fatalf("the host has sent %q", got)
		}
		s.wantNothing()
		s.say(greet(0x09))
		synctest.Wait()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestBootloaderWithoutApplication(t *testing.T) {
	line(t, func(s *stick) {
		done := s.reset(time.Minute)
		go func() {
			for range s.raw {
				if _, err := s.conn.Write([]byte(menu)); err != nil {
					return
				}
			}
		}()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "flash its firmware") {
			t.Errorf("got %v", err)
		}
	})
}

func TestForeign(t *testing.T) {
	for name, line1 := range map[string]string{
		"answer to the ping":  "fe02610159063d", // SYS_PING: capabilities
		"an event of its own": "fe064180020002020702c0",
		"behind some noise":   "00fe7ffe02610159063d",
		"behind a broken one": "fe01418000c1fe02610159063d",
	} {
		t.Run(name, func(t *testing.T) {
			line(t, func(s *stick) {
				done := s.reset(time.Minute)
				<-s.raw
				time.Sleep(resetAgain)
				synctest.Wait()
				if got := <-s.raw; string(got) != unpiPing {
					t.Fatalf("the host has sent %x", got)
				}
				b := unhex(t, line1)
				s.write(b[:len(b)-2])
				synctest.Wait()
				select {
				case err := <-done:
					t.Fatalf("half a frame was enough: %v", err)
				default:
				}
				s.write(b[len(b)-2:])
				if err := <-done; !errors.Is(err, ErrForeign) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestUnanswered(t *testing.T) {
	for name, tt := range map[string]struct {
		say  []byte
		want string
	}{
		"silence": {nil, "does not answer"},
		"noise":   {[]byte{0x80, 0x00, 0xf8, 0x80}, "4 bytes"},
		"failed":  {fails(0x06).append(nil), "assertion failed"},
		"version": {frame{control: controlRstack, data: []byte{3, softwareReset}}.append(nil), "version 3"},
	} {
		t.Run(name, func(t *testing.T) {
			line(t, func(s *stick) {
				done := s.reset(4 * time.Second)
				if tt.say != nil {
					s.write(tt.say)
				}
				err := <-done
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				if name != "version" && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v hides why it ended", err)
				}
				s.app.take()
				for s.next() != nil { // it stops trying
				}
				time.Sleep(time.Minute)
				s.wantNothing()
			})
		})
	}
}
