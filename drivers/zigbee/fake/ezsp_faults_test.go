package fake

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/zcl"
)

func TestEZSPFailures(t *testing.T) {
	for _, firmware := range []string{"7.4.4", "8.0.2"} {
		synctest.Test(t, func(t *testing.T) {
			h, lamp := pairedLamp(t, StickOptions{Firmware: firmware, EZSP: EZSPOptions{APSMessages: 2}})
			defer h.close()
			h.wantStatus(h.ask(0x0010, func(w *ezspWriter) { w.u8(1); w.u16(0xfff9); w.bytes(make([]byte, 7)) }), statusOK)
			send := func(options uint16, data []byte) uint32 {
				aps := homeAPS(zcl.ClusterOnOff)
				aps.options = options
				status, _ := h.unicast(lamp.NWK(), aps, 7, data)
				return status
			}
			for _, c := range []struct {
				outcome Outcome
				options uint16
				want    ezspStatus
			}{
				{NoAck, apsRetry, statusDeliveryFailed},
				{NoAPSAck, apsRetry, statusDeliveryFailed},
				{ChannelAccess, apsRetry, statusDeliveryFailed},
				{Expired, 0, statusIndirectTimeout},
				{ChannelAccess, 0, statusCCAFailure},
				{NoRoute, apsRetry, statusDeliveryFailed},
			} {
				h.stick.Fail(lamp, c.outcome, 1)
				if status := send(c.options, turnOn); status != 0 {
					t.Errorf("status %#x", status)
				}
				if c.outcome == NoRoute {
					r := h.callback(0x0080)
					h.wantStatus(r, statusManyToOneFailure)
					if node := r.u16(); node != uint16(lamp.NWK()) {
						t.Errorf("route error of %#04x", node)
					}
				}
				if sent := h.sent(); sent.status != h.code(c.want) || sent.tag != 7 {
					t.Errorf("%v: %+v", c.outcome, sent)
				}
			}
			h.stick.Fail(nil, BufferFull, 1)
			if status := send(apsRetry, turnOn); status != h.code(statusMessageLimit) {
				t.Errorf("no room: %#x", status)
			}
			if status := send(apsRetry, make([]byte, 83)); status != h.code(statusMessageTooLong) {
				t.Errorf("too long: %#x", status)
			}
			h.stick.DelayConfirms(10*time.Second, 1)
			start := time.Now()
			send(apsRetry, turnOn)
			h.incoming(zcl.ClusterOnOff)
			h.sent()
			if took := time.Since(start); took < 10*time.Second {
				t.Errorf("told after %s", took)
			}
			lamp.Power(false)
			h.underway(send)
		})
	}
}

// underway: no more unicasts than the host has configured wait for their acknowledgement.
func (h *testHost) underway(send func(options uint16, data []byte) uint32) {
	h.t.Helper()
	_, sensorModel := testModels()
	sensor := h.add("sensor", sensorModel)
	sensor.Pair(0)
	h.joined()
	pass(time.Minute) // it falls asleep
	for i := range 3 {
		status, _ := h.unicast(sensor.NWK(), homeAPS(zcl.ClusterOnOff), 1, turnOn)
		want := uint32(0)
		if i == 2 {
			want = h.code(statusMessageLimit)
		}
		if status != want {
			h.t.Errorf("unicast %d: %#x, want %#x", i, status, want)
		}
	}
}

// TestEZSPLineFaults: damaged and lost frames, and a host that is too slow for what comes.
func TestEZSPLineFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, lamp := pairedLamp(t, StickOptions{})
		defer h.close()
		h.stick.Corrupt(1)
		h.stick.Junk([]byte{0x13, 0x7d, 0xfe, 0x7e, 0x18})
		start := time.Now()
		h.ask(0x0005, nil)
		if h.again() != 1 || time.Since(start) < ashAckMin {
			t.Errorf("sent again %d times, answered after %s", h.again(), time.Since(start))
		}

		h.mute(true)
		for i := range 90 {
			lamp.SayRaw(1, zcl.ClusterBasic, []byte{0x18, byte(i), 0x0a, 4})
		}
		pass(100 * time.Millisecond)
		h.mute(false)
		pass(time.Minute)
		if n := h.messages(); n != ashWindow+ashBuffers {
			t.Errorf("%d callbacks came, want %d", n, ashWindow+ashBuffers)
		}
		if said := h.exchange(ezspHeader{id: 0x0005}, nil); said.control&ezspOverflow == 0 {
			t.Errorf("control %#02x: nobody tells of the loss", said.control)
		}
		if said := h.exchange(ezspHeader{id: 0x0005}, nil); said.control&ezspOverflow != 0 {
			t.Errorf("control %#02x: told twice", said.control)
		}

		h.stick.Hang(time.Hour)
		h.send(ezspHeader{sequence: 1, id: 0x0005}, nil)
		pass(2 * time.Hour)
		if len(h.answers) > 0 {
			t.Error("a firmware that hangs answers nothing")
		}
		h.reset()
	})
}

// TestEZSPFragments sends a message longer than a frame, both ways.
func TestEZSPFragments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, lamp := pairedLamp(t, StickOptions{})
		defer h.close()
		var heard []byte
		lamp.Watch(func(x Heard) { heard = append(heard, x.Frame.Payload...) })
		long := bytes.Repeat([]byte("0123456789"), 15)
		whole := zcl.Frame{Command: 0x40, NoDefaultResponse: true, Payload: long}.Append(nil)
		aps := homeAPS(zcl.ClusterOnOff)
		aps.options |= apsFragment
		blocks := slices.Collect(slices.Chunk(whole, 60))
		for i, block := range blocks {
			aps.groupID = uint16(len(blocks))<<8 | uint16(i)
			status, sequence := h.unicast(lamp.NWK(), aps, uint16(i), block)
			aps.sequence = sequence
			if sent := h.sent(); status != 0 || sent.status != 0 || sent.tag != uint16(i) {
				t.Errorf("block %d: %#x, %+v", i, status, sent)
			}
		}
		pass(time.Second)
		if !bytes.Equal(heard, long) {
			t.Errorf("the lamp has heard %q", heard)
		}

		lamp.SayRaw(1, zcl.ClusterOnOff, whole)
		var got []byte
		for {
			m := h.incoming(zcl.ClusterOnOff)
			if m.aps.options&apsFragment == 0 {
				t.Fatalf("whole: %+v", m)
			}
			got = append(got, m.data...)
			h.wantStatus(h.ask(0x0039, func(w *ezspWriter) {
				w.u16(uint16(m.node))
				w.aps(m.aps)
				w.counted(nil)
			}), statusOK)
			if len(got) >= len(whole) {
				break
			}
		}
		if !bytes.Equal(got, whole) {
			t.Errorf("heard %q", got)
		}
		h.quiet()
		lamp.SayRaw(1, zcl.ClusterOnOff, whole) // and nobody replies
		pass(time.Minute)
		if n := h.messages(); n != fragmentTries {
			t.Errorf("the first block came %d times", n)
		}
	})
}
