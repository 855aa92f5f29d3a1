package ezsp

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

func TestPermit(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		s.stick.commands()
		if err := s.radio.Permit(s.ctx, 60); err != nil {
			s.Fatal(err)
		}
		calls := s.stick.commands()
		c, want := cmdImportTransientKey, "ffffffffffffffff5a6967426565416c6c69616e63653039"
		switch {
		case !s.stick.managed():
			c = cmdAddTransientKey
		case !s.stick.wide():
			want += "00"
		}
		if b := find(calls, c); len(b) != 1 || fmt.Sprintf("%x", b[0]) != want {
			s.Errorf("keys %x, want %s", b, want)
		}
		order(s.T, calls, c, cmdPermitJoining)
		if b := find(calls, cmdSetPolicy); len(b) != 1 || !bytes.Equal(b[0], []byte{0, 3}) {
			s.Errorf("policies %x", b)
		}
		if b := find(calls, cmdPermitJoining); !bytes.Equal(b[0], []byte{60}) {
			s.Errorf("permits %x", b)
		}
		if err := s.radio.Permit(s.ctx, 0); err != nil {
			s.Fatal(err)
		}
		calls = s.stick.commands()
		if b := find(calls, cmdSetPolicy); len(b) != 1 || !bytes.Equal(b[0], []byte{0, 2}) || len(find(calls, cmdClearTransientKeys)) != 1 {
			s.Errorf("closes with %v", calls)
		}
	})
}

// TestPermitAtARouter has one router let devices in: the trust centre agrees for as long, the coordinator stays closed.
func TestPermitAtARouter(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		if b := find(s.stick.commands(), cmdSetPolicy); !slices.ContainsFunc(b, func(b []byte) bool { return bytes.Equal(b, []byte{0, 2}) }) {
			s.Errorf("the network comes up with policies %x", b)
		}
		c := cmdImportTransientKey
		if !s.stick.managed() {
			c = cmdAddTransientKey
		}
		request := func(seconds uint8) radio.Message {
			r := zdo.PermitJoiningRequest{Seconds: seconds, TrustCentre: true}
			return radio.Message{Address: 0x1234, Cluster: r.Cluster(), Data: r.Append(nil)}
		}
		began := time.Now()
		if err := s.radio.Send(s.ctx, request(60)); err != nil {
			s.Fatal(err)
		}
		calls := s.stick.commands()
		order(s.T, calls, c, cmdSetPolicy, cmdSendUnicast)
		if b := find(calls, cmdSetPolicy); len(b) != 1 || !bytes.Equal(b[0], []byte{0, 3}) || len(find(calls, cmdPermitJoining)) != 0 {
			s.Errorf("opens with %v", calls)
		}
		wantClosed := func(after time.Duration) {
			s.Helper()
			time.Sleep(after - time.Second - time.Since(began))
			if b := find(s.stick.commands(), cmdSetPolicy); len(b) != 0 {
				s.Errorf("before its time: policies %x", b)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			calls := s.stick.commands()
			if b := find(calls, cmdSetPolicy); len(b) != 1 || !bytes.Equal(b[0], []byte{0, 2}) || len(find(calls, cmdClearTransientKeys)) != 1 {
				s.Errorf("closes with %v", calls)
			}
			time.Sleep(time.Hour)
			if b := find(s.stick.commands(), cmdSetPolicy); len(b) != 0 {
				s.Errorf("long after: policies %x", b)
			}
		}
		wantClosed(60*time.Second + joinGrace)

		// The later of several ends counts.
		began = time.Now()
		if err := s.radio.Permit(s.ctx, 100); err != nil {
			s.Fatal(err)
		}
		for _, seconds := range []uint8{20, 0} {
			if err := s.radio.Send(s.ctx, request(seconds)); err != nil {
				s.Fatal(err)
			}
		}
		s.stick.commands()
		wantClosed(100*time.Second + joinGrace)

		// A stick that restarts is closed, and one that was closed by hand is not closed twice.
		if err := s.radio.Permit(s.ctx, 100); err != nil {
			s.Fatal(err)
		}
		s.stick.with(func() { s.stick.restart(3) })
		synctest.Wait()
		s.resume()
		if err := s.radio.Permit(s.ctx, 10); err != nil {
			s.Fatal(err)
		}
		if err := s.radio.Permit(s.ctx, 0); err != nil {
			s.Fatal(err)
		}
		s.stick.commands()
		time.Sleep(time.Hour)
		if b := find(s.stick.commands(), cmdSetPolicy); len(b) != 0 {
			s.Errorf("after all: policies %x", b)
		}
	})
}

func TestTrust(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		s.stick.commands()
		const device = radio.IEEE(0x00158d0000000001)
		if err := s.radio.Trust(s.ctx, device, testKey); err != nil {
			s.Fatal(err)
		}
		c := cmdImportTransientKey
		if !s.stick.managed() {
			c = cmdAddTransientKey
		}
		want := "010000000" + "08d1500" + "0102030405060708090a0b0c0d0e0f10"
		if b := find(s.stick.commands(), c); len(b) != 1 || !strings.HasPrefix(fmt.Sprintf("%x", b[0]), want) {
			s.Errorf("keys %x, want %s", b, want)
		}
		if err := s.radio.Permit(s.ctx, 60); err != nil {
			s.Fatal(err)
		}
		if b := find(s.stick.commands(), c); len(b) != 2 { // the firmware may have forgotten it
			s.Errorf("keys %x", b)
		}
		s.stick.tell(sayTrustCentreJoin, []byte{0x34, 0x12, 1, 0, 0, 0, 0, 0x8d, 0x15, 0, 1, 0, 0, 0})
		synctest.Wait()
		if err := s.radio.Permit(s.ctx, 60); err != nil {
			s.Fatal(err)
		}
		if b := find(s.stick.commands(), c); len(b) != 1 {
			s.Errorf("after it has joined: keys %x", b)
		}
		for n := range maxTrusted {
			if err := s.radio.Trust(s.ctx, radio.IEEE(n+1), testKey); err != nil {
				s.Fatal(err)
			}
		}
		if err := s.radio.Trust(s.ctx, 0x1000, testKey); classOf(err) != radio.Refused {
			s.Errorf("one too many: %v", err)
		}
	})
}

func TestHear(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		s.stick.commands()
		for _, group := range []uint16{5, 0x1234, 5, 0, 0x0b84} {
			if err := s.radio.Hear(s.ctx, group); err != nil {
				s.Fatal(err)
			}
		}
		if b := find(s.stick.commands(), cmdSetMulticastTableEntry); fmt.Sprintf("%x", b) != "[0205000100 0334120100]" {
			s.Errorf("groups %x", b)
		}
		s.stick.with(func() { s.stick.on[cmdSetMulticastTableEntry] = func([]byte) []byte { return s.stick.status(0xb1) } })
		for range 2 {
			if err := s.radio.Hear(s.ctx, 6); classOf(err) != radio.Refused {
				s.Errorf("without room: %v", err)
			}
		}
		s.stick.with(func() { delete(s.stick.on, cmdSetMulticastTableEntry) })
		if _, err := s.radio.Up(s.ctx, radio.Plan{}); err != nil {
			s.Fatal(err)
		}
		s.stick.commands()
		if _, err := s.radio.Up(s.ctx, radio.Plan{}); err != nil {
			s.Fatal(err)
		}
		if b := find(s.stick.commands(), cmdSetMulticastTableEntry); len(b) != 4 {
			s.Errorf("after a restart: groups %x", b)
		}
	})
}

func TestMove(t *testing.T) {
	every(t, func(s *scene) {
		s.resume()
		s.stick.commands()
		s.stick.with(func() {
			s.stick.on[cmdSendBroadcast] = func([]byte) []byte {
				time.AfterFunc(9*time.Second, func() {
					s.stick.with(func() { s.stick.stored.channel = 25 })
					s.stick.tell(sayStackStatus, s.stick.status(0x9b))
				})
				return s.stick.status(0, 1)
			}
		})
		if took, err := s.within(func() error { return s.radio.Move(s.ctx, 25) }); err != nil || took != 9*time.Second {
			s.Fatalf("after %v: %v", took, err)
		}
		b := find(s.stick.commands(), cmdSendBroadcast)[0]
		if want := []byte{0, 0, 0, 0, 2, 0xfe, 4}; !bytes.HasSuffix(b, append([]byte{byte(len(want))}, want...)) {
			s.Errorf("broadcast %x", b)
		}
		if err := s.radio.Move(s.ctx, 25); err != nil || len(find(s.stick.commands(), cmdSendBroadcast)) != 0 {
			s.Errorf("to where it is: %v", err)
		}
		if err := s.radio.Move(s.ctx, 27); classOf(err) != radio.Refused {
			s.Errorf("to no channel: %v", err)
		}
	})
}

func TestMoveIsNotFollowed(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.resume()
		s.stick.commands()
		if took, err := s.within(func() error { return s.radio.Move(s.ctx, 25) }); err != nil || took != moveTimeout {
			s.Fatalf("after %v: %v", took, err)
		}
		if b := find(s.stick.commands(), cmdSetRadioChannel); len(b) != 1 || b[0][0] != 25 {
			s.Errorf("set %x", b)
		}
	})
}
