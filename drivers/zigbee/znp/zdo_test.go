package znp

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

func TestZDORequests(t *testing.T) {
	const device radio.NWK = 0x1234
	to := zdo.Destination{IEEE: ownAddress, Endpoint: 1}
	bind := zdo.BindRequest{Binding: zdo.Binding{Source: 0x00158d0001a2b3c4, Endpoint: 2, Cluster: 6, Destination: to}}
	grouped := bind
	grouped.Binding.Destination = zdo.Destination{IsGroup: true, Group: 0x0102}
	tests := map[string]struct {
		to      radio.NWK
		request zdo.Request
		command string
		want    string
	}{
		"nwk":           {radio.BroadcastAwake, zdo.NWKAddressRequest{IEEE: ownAddress}, "ZDO_NWK_ADDR_REQ", "04030201004b1200 00 00"},
		"ieee":          {device, zdo.IEEEAddressRequest{NWK: device}, "ZDO_IEEE_ADDR_REQ", "3412 00 00"},
		"node":          {device, zdo.NodeDescriptorRequest{NWK: device}, "ZDO_command 0x02", "3412 3412"},
		"power":         {device, zdo.PowerDescriptorRequest{NWK: device}, "ZDO_command 0x03", "3412 3412"},
		"simple":        {device, zdo.SimpleDescriptorRequest{NWK: device, Endpoint: 11}, "ZDO_command 0x04", "3412 3412 0b"},
		"active":        {device, zdo.ActiveEndpointsRequest{NWK: device}, "ZDO_ACTIVE_EP_REQ", "3412 3412"},
		"match":         {device, zdo.MatchDescriptorRequest{NWK: device, Profile: 0x0104, In: []uint16{6}}, "ZDO_command 0x06", "3412 3412 0401 01 0600 00"},
		"bind":          {device, bind, "ZDO_BIND_REQ", "3412 c4b3a201008d1500 02 0600 03 04030201004b1200 01"},
		"bind group":    {device, grouped, "ZDO_BIND_REQ", "3412 c4b3a201008d1500 02 0600 01 0201 000000000000 00"},
		"unbind":        {device, zdo.UnbindRequest(bind), "ZDO_UNBIND_REQ", "3412 c4b3a201008d1500 02 0600 03 04030201004b1200 01"},
		"neighbors":     {device, zdo.NeighborTableRequest{Start: 3}, "ZDO_command 0x31", "3412 03"},
		"routes":        {device, zdo.RoutingTableRequest{Start: 3}, "ZDO_command 0x32", "3412 03"},
		"bindings":      {device, zdo.BindingTableRequest{Start: 3}, "ZDO_command 0x33", "3412 03"},
		"leave":         {device, zdo.LeaveRequest{IEEE: ownAddress}, "ZDO_MGMT_LEAVE_REQ", "3412 04030201004b1200 00"},
		"leave, rejoin": {device, zdo.LeaveRequest{IEEE: ownAddress, Rejoin: true}, "ZDO_MGMT_LEAVE_REQ", "3412 04030201004b1200 01"},
		"leave, all":    {device, zdo.LeaveRequest{IEEE: ownAddress, RemoveChildren: true}, "ZDO_MGMT_LEAVE_REQ", "3412 04030201004b1200 02"},
		"permit":        {device, zdo.PermitJoiningRequest{Seconds: 60, TrustCentre: true}, "ZDO_MGMT_PERMIT_JOIN_REQ", "02 3412 3c 01"},
		"permit all":    {radio.BroadcastRouters, zdo.PermitJoiningRequest{Seconds: 60, TrustCentre: true}, "ZDO_MGMT_PERMIT_JOIN_REQ", "0f fcff 3c 01"},
		"permit here":   {radio.Coordinator, zdo.PermitJoiningRequest{Seconds: 60, TrustCentre: true}, "ZDO_MGMT_PERMIT_JOIN_REQ", "02 fcff 3c 01"},
		"scan":          {device, zdo.NetworkUpdateRequest{Channels: 1 << 15, Duration: 3, Count: 1}, "ZDO_MGMT_NWK_UPDATE_REQ", "3412 02 00800000 03 01 0000"},
		"move":          {radio.BroadcastAll, zdo.NetworkUpdateRequest{Channels: 1 << 15, Duration: zdo.ChangeChannel, UpdateID: 4}, "ZDO_MGMT_NWK_UPDATE_REQ", "ffff 0f 00800000 fe 04 0000"},
	}
	for name, tt := range tests {
		c, got, own := zdoRequest(tt.request.Cluster(), tt.to, tt.request.Append(nil)[1:])
		if !own || c.String() != tt.command || !bytes.Equal(got, unhex(t, tt.want)) {
			t.Errorf("%s: %s %x, %v; want %s %s", name, c, got, own, tt.command, tt.want)
		}
		if _, got, _ := zdoRequest(tt.request.Cluster(), tt.to, nil); got != nil {
			t.Errorf("%s: without data it became %x, which the firmware would misread", name, got)
		}
	}
	if _, _, own := zdoRequest(zdo.ClusterParentAnnounceResponse, device, []byte{1}); own {
		t.Error("a response has a command of its own")
	}
}

func TestZDOMessages(t *testing.T) {
	tests := map[string]struct {
		command command
		data    string
		cluster uint16
		from    radio.NWK
		want    string
	}{
		"nwk":             {0x0580, "00 04030201004b1200 3412 00 00", 0x8000, 0x1234, "00 00 04030201004b1200 3412"},
		"nwk, children":   {0x0580, "00 04030201004b1200 3412 05 02 1111 2222", 0x8000, 0x1234, "00 00 04030201004b1200 3412 02 05 1111 2222"},
		"ieee, children":  {0x0581, "00 04030201004b1200 3412 05 02 1111 2222", 0x8001, 0x1234, "00 00 04030201004b1200 3412 02 05 1111 2222"},
		"node":            {0x0582, "3412 00 3412 01408e5f1152522c00522c00", 0x8002, 0x1234, "00 00 3412 01408e5f1152522c00522c00"},
		"simple":          {0x0584, "3412 00 3412 08 0b 0401 0001 00 00 00", 0x8004, 0x1234, "00 00 3412 08 0b 0401 0001 00 00 00"},
		"simple, refused": {0x05c3, "3412 82", 0x8004, 0x1234, "00 82 3412 00"},
		"active":          {0x0585, "3412 00 3412 01 0b", 0x8005, 0x1234, "00 00 3412 01 0b"},
		"server":          {0x058a, "3412 00 0040", 0x8015, 0x1234, "00 00 0040"},
		"parent":          {0x059f, "3412 00 00", 0x801f, 0x1234, "00 00 00"},
		"bind":            {0x05a1, "3412 8c", 0x8021, 0x1234, "00 8c"},
		"unbind":          {0x05a2, "3412 00", 0x8022, 0x1234, "00 00"},
		"neighbors":       {0x05b1, "3412 00 01 00 00", 0x8031, 0x1234, "00 00 01 00 00"},
		"leave":           {0x05b4, "3412 00", 0x8034, 0x1234, "00 00"},
		"permit":          {0x05b6, "0000 00", 0x8036, 0, "00 00"},
		"update":          {0x05b8, "3412 00 00f8ff07 0100 0200 01 a0", 0x8038, 0x1234, "00 00 00f8ff07 0100 0200 01 a0"},
		"many to one":     {0x05c8, "3412 04030201004b1200 07", 0x8000, 0x1234, "00 00 04030201004b1200 3412"},
		"raw":             {0x05ff, "3412 00 1f00 00 2a 0000 01 04030201004b1200", 0x001f, 0x1234, "2a 01 04030201004b1200"},
		"raw, twice":      {0x05ff, "3412 00 2180 00 2a 0000 00", 0, 0, ""},
		"short":           {0x0580, "00 0403", 0, 0, ""},
		"empty":           {0x05a1, "3412", 0, 0, ""},
		"source route":    {0x05c4, "3412 01 2222", 0, 0, ""},
		"not known":       {0x0588, "3412 00", 0, 0, ""},
	}
	for name, tt := range tests {
		var got []radio.Event
		r := New(nil, nil)
		r.handle = func(e radio.Event) { got = append(got, e) }
		r.indication(frame{kindIndication, tt.command, unhex(t, tt.data)})
		if tt.want == "" {
			if len(got) != 0 {
				t.Errorf("%s: got %+v", name, got)
			}
			continue
		}
		if len(got) != 1 {
			t.Errorf("%s: %d events", name, len(got))
			continue
		}
		if m, ok := got[0].(radio.Message); !ok || m.Profile != 0 || m.Cluster != tt.cluster || m.Address != tt.from || !bytes.Equal(m.Data, unhex(t, tt.want)) {
			t.Errorf("%s: got %+v (%x)", name, got[0], m.Data)
		}
	}
}

func TestSequences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		s.mu.Lock()
		s.before = func(s *stick, f frame) bool {
			s.reply(f, 0)
			return true
		}
		s.mu.Unlock()
		send := func(to radio.NWK, request zdo.Request) {
			t.Helper()
			if err := r.Send(r.ctx, radio.Message{Address: to, Cluster: request.Cluster(), Data: request.Append(nil)}); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(what string, c command, data string, sequence byte) {
			t.Helper()
			s.say(kindIndication, c, unhex(t, data)...)
			if m, ok := r.event(t).(radio.Message); !ok || m.Data[0] != sequence {
				t.Errorf("%s: got %+v, want sequence %d", what, m, sequence)
			}
		}
		send(0x1111, zdo.ActiveEndpointsRequest{Sequence: 1, NWK: 0x1111})
		send(0x2222, zdo.ActiveEndpointsRequest{Sequence: 2, NWK: 0x2222})
		send(0x1111, zdo.SimpleDescriptorRequest{Sequence: 3, NWK: 0x1111, Endpoint: 1})
		send(0x1111, zdo.SimpleDescriptorRequest{Sequence: 4, NWK: 0x1111, Endpoint: 2})
		send(0x1111, zdo.NeighborTableRequest{Sequence: 5, Start: 0})
		send(0x1111, zdo.NeighborTableRequest{Sequence: 6, Start: 3})
		send(radio.BroadcastAwake, zdo.NWKAddressRequest{Sequence: 7, IEEE: 0x0a})
		send(radio.BroadcastAwake, zdo.NWKAddressRequest{Sequence: 8, IEEE: 0x0b})
		send(0x1111, zdo.IEEEAddressRequest{Sequence: 9, NWK: 0x1111})
		send(0x1111, zdo.ActiveEndpointsRequest{Sequence: 10, NWK: 0x1111}) // again: the first was not answered
		expect("other device", 0x0585, "2222 00 2222 00", 2)
		expect("repeated", 0x0585, "1111 00 1111 00", 10)
		expect("answered already", 0x0585, "1111 00 1111 00", 0)
		expect("second endpoint", 0x0584, "1111 00 1111 08 02 0401 0001 00 00 00", 4)
		expect("refused", 0x05c3, "1111 82", 3)
		expect("second page", 0x05b1, "1111 00 06 03 00", 6)
		expect("first page", 0x05b1, "1111 00 06 00 00", 5)
		expect("other address", 0x0580, "00 0b00000000000000 3333 00 00", 8)
		expect("address", 0x0580, "00 0a00000000000000 4444 00 00", 7)
		expect("ieee", 0x0581, "00 0c00000000000000 1111 00 00", 9)
		send(radio.BroadcastRouters, zdo.PermitJoiningRequest{Sequence: 11, Seconds: 60})
		expect("to a broadcast", 0x05b6, "0000 00", 11)
		expect("another", 0x05b6, "5555 00", 11)
		send(0x5555, zdo.PermitJoiningRequest{Sequence: 12, Seconds: 60})
		expect("to one alone", 0x05b6, "5555 00", 12)
		expect("to the broadcast again", 0x05b6, "5555 00", 11)
		time.Sleep(askedFor + time.Second)
		expect("too late", 0x05b6, "6666 00", 0)
	})
}

func TestComingAndGoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		s.say(kindIndication, zdoTrustCentreDevice, unhex(t, "3412 04030201004b1200 7856")...)
		if got, want := r.event(t), (radio.Joined{NWK: 0x1234, IEEE: ownAddress, Parent: 0x5678}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		s.say(kindIndication, zdoAnnounce, unhex(t, "3412 3412 04030201004b1200 8e")...)
		if got, want := r.event(t), (radio.Joined{NWK: 0x1234, IEEE: ownAddress, Parent: radio.Unknown}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if m, ok := r.event(t).(radio.Message); !ok || m.Cluster != zdo.ClusterDeviceAnnounce || !bytes.Equal(m.Data, unhex(t, "00 3412 04030201004b1200 8e")) {
			t.Errorf("got %+v", m)
		}
		left := func(rejoin byte, want radio.Left) {
			t.Helper()
			s.say(kindIndication, zdoLeft, append(unhex(t, "3412 04030201004b1200 00 00"), rejoin)...)
			if got := r.event(t); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
		left(0, radio.Left{NWK: 0x1234, IEEE: ownAddress})
		left(1, radio.Left{NWK: 0x1234, IEEE: ownAddress, Rejoins: true})
		request := zdo.LeaveRequest{IEEE: ownAddress}
		if err := r.Send(r.ctx, radio.Message{Address: 0x1234, Cluster: request.Cluster(), Data: request.Append(nil)}); err != nil {
			t.Fatal(err)
		}
		left(0, radio.Left{NWK: 0x1234, IEEE: ownAddress, Confirms: true})
		left(0, radio.Left{NWK: 0x1234, IEEE: ownAddress})
	})
}

func TestControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		last := func() frame {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.asked[len(s.asked)-1]
		}
		check := func(what string, err error, want string) {
			t.Helper()
			if f := last(); err != nil || !bytes.Equal(f.data, unhex(t, want)) {
				t.Errorf("%s: %v, %s %x; want %s", what, err, f.command, f.data, want)
			}
		}
		check("permit", r.Permit(r.ctx, 0), "02 fcff 00 01")
		check("trust", r.Trust(r.ctx, ownAddress, radio.TrustCentre), "02 04030201004b1200 5a6967426565416c6c69616e63653039")
		check("hear", r.Hear(r.ctx, 0x0203), "01 0302 00")
		s.mu.Lock()
		s.before = func(s *stick, f frame) bool {
			if f.command == zdoNetworkUpdate {
				if bytes.Equal(f.data, unhex(t, "ffff 0f 00001000 fe 00 0000")) {
					time.AfterFunc(9*time.Second, func() { s.mu.Lock(); s.running.Channel = 20; s.mu.Unlock() })
				}
			}
			if f.command == zdoAddGroup {
				s.reply(f, 0xb2)
				return true
			}
			return false
		}
		s.items[itemChannels] = make([]byte, 4)
		s.mu.Unlock()
		if err := r.Move(r.ctx, 20); err != nil || !bytes.Equal(s.items[itemChannels], []byte{0, 0, 0x10, 0}) {
			t.Errorf("moving: %v, channels %x", err, s.items[itemChannels])
		}
		if err := r.Hear(r.ctx, 1); !classIs(err, radio.Busy) {
			t.Errorf("a full group table: %v", err)
		}
		if err := r.Move(r.ctx, 27); !classIs(err, radio.Refused) {
			t.Errorf("channel 27: %v", err)
		}
		if err := r.Move(r.ctx, 11); !classIs(err, radio.Timeout) {
			t.Errorf("a network that stays: %v", err)
		}
	})
}

func TestZDOForWhatHasNoCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product3x0, true)
		r := up(t, s)
		answer := zdo.ParentAnnounceResponse{Sequence: 9}
		if err := r.Send(r.ctx, radio.Message{Address: 0x1234, Cluster: zdo.ClusterParentAnnounceResponse, Data: answer.Append(nil)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f := s.asked[len(s.asked)-1]
		f.data[6] = 0
		if f.command != afRequest || !bytes.Equal(f.data, unhex(t, "3412 00 00 1f80 00 00 1e 03 090000")) {
			t.Errorf("got %s %x", f.command, f.data)
		}
		err := r.Send(r.ctx, radio.Message{Address: 1, Cluster: zdo.ClusterBindRequest, Data: []byte{1, 2}})
		if !classIs(err, radio.Refused) || !strings.Contains(err.Error(), "ZDO_BIND_REQ") {
			t.Errorf("half a request: %v", err)
		}
	})
}
