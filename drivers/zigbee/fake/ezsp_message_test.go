package fake

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// TestEZSPPairAndControl goes with each version through what every host does all day.
func TestEZSPPairAndControl(t *testing.T) {
	eachVersion(t, func(t *testing.T, firmware string) {
		synctest.Test(t, func(t *testing.T) {
			h := testStick(t, StickOptions{Firmware: firmware})
			defer h.close()
			h.reset()
			h.form(usualSecurity)
			lampModel, sensorModel := testModels()
			lamp, sensor := h.add("lamp", lampModel), h.add("sensor", sensorModel)
			h.open()

			lamp.Pair(0)
			want := ezspJoin{lamp.NWK(), lamp.IEEE(), updateUnsecuredJoin, decisionUseKey, radio.Coordinator}
			if got := h.joined(); got != want {
				t.Errorf("joined %+v, want %+v", got, want)
			}
			announce := h.incoming(zdo.ClusterDeviceAnnounce)
			if a, err := zdo.ParseDeviceAnnounce(announce.data); err != nil || a.IEEE != lamp.IEEE() || announce.kind != incomingBroadcast || announce.node != lamp.NWK() {
				t.Errorf("announced %+v", announce)
			}
			if h.version >= 14 && announce.device != lamp.IEEE() {
				t.Errorf("from %s", announce.device)
			}
			sensor.Pair(0)
			child := h.callback(0x0023)
			if index, joining, node := child.u8(), child.flag(), child.u16(); index != 0 || !joining || node != uint16(sensor.NWK()) {
				t.Errorf("child %d %v %#04x", index, joining, node)
			}
			pass(time.Minute) // it falls asleep
			h.quiet()

			status, sequence := h.unicast(lamp.NWK(), zdoAPS(zdo.ClusterActiveEndpointsRequest), 0x42, zdo.ActiveEndpointsRequest{Sequence: 3, NWK: lamp.NWK()}.Append(nil))
			aps := zdoAPS(zdo.ClusterActiveEndpointsRequest)
			aps.sequence = sequence
			if sent := h.sent(); status != 0 || sent != (ezspSent{0, outgoingDirect, uint16(lamp.NWK()), aps, 0x42}) {
				t.Errorf("status %#x, sent %+v", status, sent)
			}
			answer := h.incoming(zdo.ClusterActiveEndpointsResponse)
			if r, err := zdo.ParseEndpointsResponse(answer.data); err != nil || r.Sequence != 3 || answer.kind != incomingUnicast || answer.node != lamp.NWK() {
				t.Errorf("answer %+v, %v", answer, err)
			}

			h.unicast(lamp.NWK(), homeAPS(zcl.ClusterOnOff), 1, turnOn)
			if answer := h.incoming(zcl.ClusterOnOff); answer.aps.profile != profileHome || !bytes.Equal(answer.data, []byte{0x18, 9, 0x0b, 1, 0}) {
				t.Errorf("answer %+v", answer)
			}
			if on, _ := lamp.Get(1, zcl.ClusterOnOff, zcl.AttrOnOffOnOff); !on.Bool() {
				t.Error("the lamp is off")
			}
			start := time.Now()
			h.unicast(sensor.NWK(), homeAPS(zcl.ClusterBasic), 2, readAll)
			h.incoming(zcl.ClusterBasic)
			if waited := time.Since(start); waited == 0 || waited > 2*time.Second {
				t.Errorf("the sleeper answered after %s", waited)
			}
			h.tables(lamp, sensor)
			h.remove(lamp)
		})
	})
}

// tables looks both devices up.
func (h *testHost) tables(lamp, sensor *Device) {
	h.t.Helper()
	if node := h.ask(0x0060, func(w *ezspWriter) { w.ieee(sensor.IEEE()) }).u16(); node != uint16(sensor.NWK()) {
		h.t.Errorf("lookupNodeIdByEui64: %#04x", node)
	}
	r := h.ask(0x0061, func(w *ezspWriter) { w.u16(uint16(lamp.NWK())) })
	h.wantStatus(r, statusOK)
	if device := r.ieee(); device != lamp.IEEE() {
		h.t.Errorf("lookupEui64ByNodeId: %s", device)
	}
	r = h.ask(0x004a, func(w *ezspWriter) { w.u8(0) })
	h.wantStatus(r, statusOK)
	if device, kind := r.ieee(), r.u8(); device != sensor.IEEE() || kind != 4 {
		h.t.Errorf("child %s, type %d", device, kind)
	}
	r = h.ask(0x0079, func(w *ezspWriter) { w.u8(0) })
	h.wantStatus(r, statusOK)
	if node := r.u16(); node != uint16(lamp.NWK()) {
		h.t.Errorf("neighbour %#04x", node)
	}
}

// remove makes the device leave; the stack's own request is no business of the host.
func (h *testHost) remove(d *Device) {
	h.t.Helper()
	h.quiet()
	h.wantStatus(h.ask(0x00a8, func(w *ezspWriter) {
		w.u16(uint16(d.NWK()))
		w.ieee(d.IEEE())
		w.ieee(d.IEEE())
	}), statusOK)
	if got := h.joined(); got.update != updateLeft || got.device != d.IEEE() {
		h.t.Errorf("left: %+v", got)
	}
	synctest.Wait()
	for len(h.said) > 0 {
		if said := <-h.said; said.header.id == 0x0045 {
			h.t.Errorf("the host has heard % x", said.params)
		}
	}
}

func TestEZSPOrder(t *testing.T) {
	for _, late := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h, lamp := pairedLamp(t, StickOptions{EZSP: EZSPOptions{SentAfterAnswer: late}})
			defer h.close()
			want := []string{"sent", "answer"}
			if late {
				slices.Reverse(want)
			}
			h.unicast(lamp.NWK(), homeAPS(zcl.ClusterOnOff), 1, turnOn)
			if got := h.order(); !slices.Equal(got, want) {
				t.Errorf("late %v: %v", late, got)
			}
			h.unicast(lamp.NWK(), homeAPS(zcl.ClusterOnOff), 1, zcl.Frame{Command: 1, NoDefaultResponse: true}.Append(nil))
			if got := h.order(); !slices.Equal(got, []string{"sent"}) {
				t.Errorf("late %v, without an answer: %v", late, got)
			}
		})
	}
}

func TestEZSPGroups(t *testing.T) {
	eachVersion(t, func(t *testing.T, firmware string) {
		synctest.Test(t, func(t *testing.T) {
			h, lamp := pairedLamp(t, StickOptions{Firmware: firmware})
			defer h.close()
			h.unicast(lamp.NWK(), homeAPS(zcl.ClusterGroups), 1, zcl.Frame{Payload: []byte{0x85, 0x03, 0}}.Append(nil)) // add group 901
			h.incoming(zcl.ClusterGroups)
			if status := h.multicast(901, turnOn); status != 0 {
				t.Errorf("multicast: %#x", status)
			}
			if sent := h.sent(); sent.status != 0 || sent.kind != outgoingMulticast {
				t.Errorf("sent %+v", sent)
			}
			pass(time.Second)
			if on, _ := lamp.Get(1, zcl.ClusterOnOff, zcl.AttrOnOffOnOff); !on.Bool() {
				t.Error("the lamp is off")
			}
			h.quiet()
			toGroup := packet{isGroup: true, group: 901, destination: radio.BroadcastAwake, from: 1, to: 0xff, cluster: zcl.ClusterOnOff, profile: profileHome, data: turnOn}
			lamp.mesh.do(func() { lamp.transmit(toGroup) })
			pass(time.Second)
			if len(h.said) > 0 {
				t.Errorf("heard what is for a group that is not the host's: %+v", <-h.said)
			}
			h.wantStatus(h.ask(0x0064, func(w *ezspWriter) { w.u8(0); w.u16(901); w.u8(1); w.u8(0) }), statusOK)
			h.wantStatus(h.ask(0x0064, func(w *ezspWriter) { w.u8(200); w.u16(901); w.u8(1); w.u8(0) }), statusInvalidIndex)
			lamp.mesh.do(func() { lamp.transmit(toGroup) })
			if m := h.incoming(zcl.ClusterOnOff); m.kind != incomingMulticast || m.aps.groupID != 901 || !bytes.Equal(m.data, turnOn) {
				t.Errorf("heard %+v", m)
			}
			h.multicast(901, turnOn)
			if m := h.incoming(zcl.ClusterOnOff); m.kind != incomingMulticastLoopback {
				t.Errorf("its own message: %+v", m)
			}
		})
	})
}

func TestEZSPBroadcasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := pairedLamp(t, StickOptions{})
		defer h.close()
		pass(time.Minute)
		h.wantConfig(h.ask(0x0053, func(w *ezspWriter) { w.u8(configZDOFlags); w.u16(zdoFlagSupported) }), ezspConfigOK)
		aps := zdoAPS(zdo.ClusterPermitJoiningRequest)
		for i := range 16 {
			want := uint32(0)
			if i == 15 {
				want = h.code(statusBusy)
			}
			if status := h.broadcast(radio.BroadcastRouters, aps, []byte{byte(i), 0, 1}); status != want {
				t.Errorf("broadcast %d: %#x, want %#x", i, status, want)
			}
		}
		m := h.incoming(zdo.ClusterPermitJoiningRequest)
		if m.kind != incomingBroadcastLoopback || m.node != radio.Coordinator {
			t.Errorf("its own message: %+v", m)
		}
		pass(ezspBroadcastTime)
		h.quiet()
		h.wantConfig(h.ask(0x0053, func(w *ezspWriter) { w.u8(configZDOFlags); w.u16(0) }), ezspConfigOK)
		if status := h.broadcast(radio.BroadcastRouters, aps, []byte{77, 0, 1}); status != 0 {
			t.Errorf("after a while: %#x", status)
		}
		pass(time.Second)
		if n := h.messages(); n != 0 {
			t.Errorf("%d requests came that the stack deals with", n)
		}
	})
}

// TestEZSPMoves changes the channel as hosts do, by a broadcast to all.
func TestEZSPMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, lamp := pairedLamp(t, StickOptions{})
		defer h.close()
		request := []byte{1, 0, 0, 0x10, 0, 0xfe, 4} // channel 20, update 4
		if status := h.broadcast(radio.BroadcastAll, zdoAPS(zdo.ClusterNetworkUpdateRequest), request); status != 0 {
			t.Errorf("%#x", status)
		}
		h.wantStatus(h.callback(0x0019), statusChannelChanged)
		r := h.ask(0x0028, nil)
		h.status(r)
		r.u8()
		if p := r.network(); p.channel != 20 || p.updateID != 4 {
			t.Errorf("%+v", p)
		}
		h.unicast(lamp.NWK(), homeAPS(zcl.ClusterOnOff), 1, turnOn)
		h.incoming(zcl.ClusterOnOff)
		h.reset()
		h.ask(0x0017, func(w *ezspWriter) { w.u16(0) })
		h.wantStatus(h.callback(0x0019), statusNetworkUp)
		if n, _ := h.stick.Network(); n.Channel != 20 || n.UpdateID != 4 {
			t.Errorf("after a reset %+v", n)
		}
	})
}

// TestEZSPLetsIn: whom the trust centre lets in, and with which key.
func TestEZSPLetsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testStick(t, StickOptions{EZSP: EZSPOptions{KeyTable: 1}})
		defer h.close()
		h.reset()
		h.form(usualSecurity)
		model, _ := testModels()
		policy := func(id uint8, decision byte) {
			h.wantConfig(h.ask(0x0055, func(w *ezspWriter) { w.u8(id); w.u8(decision) }), ezspConfigOK)
		}
		enters := func(name string, want bool) *Device {
			t.Helper()
			d := h.add(name, model)
			d.Pair(0)
			pass(time.Second)
			if d.Joined() != want {
				t.Errorf("%s: joined %v", name, d.Joined())
			}
			return d
		}
		h.wantStatus(h.ask(0x0022, func(w *ezspWriter) { w.u8(255) }), statusOK)
		enters("without a key for all", false)
		h.allowKey(anyDevice, radio.TrustCentre)
		enters("with it", true)
		pass(301 * time.Second)
		enters("after its time", false)
		h.allowKey(anyDevice, radio.TrustCentre)
		policy(policyTrustCenter, 0)
		enters("forbidden", false)
		policy(policyTrustCenter, 3)
		policy(policyKeyRequest, decisionDenyKeys)
		enters("leaves, as it gets no key of its own", false)
		policy(policyKeyRequest, decisionGenerateKeys)
		first := enters("gets a key of its own", true)
		enters("finds the table full", false)
		h.checkOwner(first.IEEE())

		secret := h.add("with an install code", model)
		code := fromHex(t, "83fed3407a939723a5c639b26916d505c3b5")
		if err := secret.InstallCode(code); err != nil {
			t.Fatal(err)
		}
		policy(policyKeyRequest, decisionCurrentKey)
		secret.Pair(0)
		pass(time.Second)
		if secret.Joined() {
			t.Error("it joined with the usual key")
		}
		h.allowKey(secret.IEEE(), radio.Key(fromHex(t, "66b6900981e1ee3ca4206b6b861c02bb")))
		secret.Pair(0)
		pass(time.Second)
		if !secret.Joined() {
			t.Error("it did not join with its key")
		}
	})
}

// checkOwner looks whose the only key of the table is.
func (h *testHost) checkOwner(device radio.IEEE) {
	h.t.Helper()
	if index := h.ask(0x0075, func(w *ezspWriter) { w.ieee(device); w.flag(true) }).u8(); index != 0 {
		h.t.Errorf("the key is at %d", index)
	}
	h.wantStatus(h.ask(0x0076, func(w *ezspWriter) { w.u8(0) }), statusOK)
	if index := h.ask(0x0075, func(w *ezspWriter) { w.ieee(device); w.flag(true) }).u8(); index != 0xff {
		h.t.Errorf("erased, the key is at %d", index)
	}
}

// TestEZSPSameBytes: the same seed and the same host give the same frames. When the host acknowledges them is its affair.
func TestEZSPSameBytes(t *testing.T) {
	var runs [2]string
	for i := range runs {
		synctest.Test(t, func(t *testing.T) {
			h := testStick(t, StickOptions{})
			defer h.close()
			h.stick.Watch(func(fromHost bool, b []byte) {
				frames, _ := decodeASH(b)
				for _, frame := range frames {
					if !fromHost && ashKindOf(frame) == ashKindData {
						runs[i] += fmt.Sprintf("%x\n", frame[1:])
					}
				}
			})
			h.reset()
			h.form(usualSecurity)
			model, _ := testModels()
			lamp := h.add("lamp", model)
			h.open()
			lamp.Pair(0)
			h.joined()
			pass(time.Minute)
			h.stick.Watch(nil)
		})
	}
	if runs[0] != runs[1] || strings.Count(runs[0], "\n") < 12 {
		t.Errorf("%s\n\n%s", runs[0], runs[1])
	}
}
