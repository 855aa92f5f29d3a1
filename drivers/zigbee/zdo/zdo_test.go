package zdo

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"hearth/drivers/zigbee/radio"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A message is every request and every response.
type message interface{ Append(b []byte) []byte }

// A vector is a message, its bytes by the tables of chapter 2.4, and its parser.
type vector struct {
	message message
	bytes   string
	parse   func([]byte) (message, error)
}

func parser[M message](parse func([]byte) (M, error)) func([]byte) (message, error) {
	return func(b []byte) (message, error) {
		m, err := parse(b)
		return m, err
	}
}

const (
	lamp  = radio.IEEE(0x00158d0001a2b3c4)
	stick = radio.IEEE(0x00124b0014d9aabb)
)

func requests() map[string]vector {
	return map[string]vector{
		"NWK address": {
			NWKAddressRequest{Sequence: 1, IEEE: lamp}, "01 c4b3a201008d1500 00 00", parser(ParseNWKAddressRequest),
		},
		"NWK address with children": {
			NWKAddressRequest{Sequence: 2, IEEE: lamp, Associated: true, Start: 5}, "02 c4b3a201008d1500 01 05", parser(ParseNWKAddressRequest),
		},
		"IEEE address": {
			IEEEAddressRequest{Sequence: 3, NWK: 0x1234}, "03 3412 00 00", parser(ParseIEEEAddressRequest),
		},
		"node descriptor": {
			NodeDescriptorRequest{4, 0x1234}, "04 3412", parser(ParseNodeDescriptorRequest),
		},
		"power descriptor": {
			PowerDescriptorRequest{5, 0x1234}, "05 3412", parser(ParsePowerDescriptorRequest),
		},
		"simple descriptor": {
			SimpleDescriptorRequest{6, 0x1234, 242}, "06 3412 f2", parser(ParseSimpleDescriptorRequest),
		},
		"active endpoints": {
			ActiveEndpointsRequest{7, 0x1234}, "07 3412", parser(ParseActiveEndpointsRequest),
		},
		"match descriptor": {
			MatchDescriptorRequest{8, 0xfffd, 0x0104, []uint16{0x0019}, []uint16{0x0500, 0x0501}}, "08 fdff 0401 01 1900 02 0005 0105",
			parser(ParseMatchDescriptorRequest),
		},
		"match descriptor of nothing": {
			MatchDescriptorRequest{Sequence: 8, Profile: 0x0104}, "08 0000 0401 00 00", parser(ParseMatchDescriptorRequest),
		},
		"device announcement": {
			DeviceAnnounce{9, 0x1234, lamp, FullFunction | Mains | RxOnWhenIdle | AllocateAddress}, "09 3412 c4b3a201008d1500 8e",
			parser(ParseDeviceAnnounce),
		},
		"parent announcement": {
			ParentAnnounce{10, []radio.IEEE{lamp, stick}}, "0a 02 c4b3a201008d1500 bbaad914004b1200", parser(ParseParentAnnounce),
		},
		"bind to the stick": {
			BindRequest{11, Binding{lamp, 1, 0x0006, Destination{IEEE: stick, Endpoint: 1}}},
			"0b c4b3a201008d1500 01 0600 03 bbaad914004b1200 01", parser(ParseBindRequest),
		},
		"bind to a group": {
			BindRequest{12, Binding{lamp, 2, 0x0300, Destination{IsGroup: true, Group: 0x0385}}},
			"0c c4b3a201008d1500 02 0003 01 8503", parser(ParseBindRequest),
		},
		"unbind": {
			UnbindRequest{13, Binding{lamp, 1, 0x0006, Destination{IEEE: stick, Endpoint: 1}}},
			"0d c4b3a201008d1500 01 0600 03 bbaad914004b1200 01", parser(ParseUnbindRequest),
		},
		"neighbor table": {NeighborTableRequest{14, 3}, "0e 03", parser(ParseNeighborTableRequest)},
		"routing table":  {RoutingTableRequest{15, 4}, "0f 04", parser(ParseRoutingTableRequest)},
		"binding table":  {BindingTableRequest{16, 5}, "10 05", parser(ParseBindingTableRequest)},
		"leave": {
			LeaveRequest{Sequence: 17, IEEE: lamp}, "11 c4b3a201008d1500 00", parser(ParseLeaveRequest),
		},
		"leave and come back": {
			LeaveRequest{17, 0, true, true}, "11 0000000000000000 c0", parser(ParseLeaveRequest),
		},
		"permit joining": {
			PermitJoiningRequest{18, 254, true}, "12 fe 01", parser(ParsePermitJoiningRequest),
		},
		"energy scan": {
			NetworkUpdateRequest{Sequence: 19, Channels: 0x07fff800, Duration: 4, Count: 1}, "13 00f8ff07 04 01", parser(ParseNetworkUpdateRequest),
		},
		"another channel": {
			NetworkUpdateRequest{Sequence: 20, Channels: 1 << 25, Duration: ChangeChannel, UpdateID: 7}, "14 00000002 fe 07", parser(ParseNetworkUpdateRequest),
		},
		"another manager": {
			NetworkUpdateRequest{Sequence: 21, Channels: 0x07fff800, Duration: ChangeManager, UpdateID: 8, Manager: 0x1234}, "15 00f8ff07 ff 08 3412",
			parser(ParseNetworkUpdateRequest),
		},
	}
}

func responses() map[string]vector {
	router := NodeDescriptor{
		Type: TypeRouter, FrequencyBand: 0x08, Capability: FullFunction | Mains | RxOnWhenIdle | AllocateAddress, Manufacturer: 0x117c,
		MaxBuffer: 82, MaxIncoming: 82, ServerMask: 0x2c00, MaxOutgoing: 82,
	}
	return map[string]vector{
		"address": {
			AddressResponse{Sequence: 1, IEEE: lamp, NWK: 0x1234}, "01 00 c4b3a201008d1500 3412", parser(ParseAddressResponse),
		},
		"address with children": {
			AddressResponse{1, Success, lamp, 0x1234, 3, 1, []radio.NWK{0x0102, 0x0304}}, "01 00 c4b3a201008d1500 3412 03 01 0201 0403",
			parser(ParseAddressResponse),
		},
		"no such device": {
			AddressResponse{Sequence: 1, Status: DeviceNotFound, IEEE: lamp, NWK: 0xffff}, "01 81 c4b3a201008d1500 ffff", parser(ParseAddressResponse),
		},
		"node descriptor of a router": {
			NodeDescriptorResponse{4, Success, 0x1234, router}, "04 00 3412 01 40 8e 7c11 52 5200 002c 5200 00", parser(ParseNodeDescriptorResponse),
		},
		"node descriptor of a sleeper": {
			NodeDescriptorResponse{4, Success, 0x1234, NodeDescriptor{
				Type: TypeEndDevice, HasComplexDescriptor: true, HasUserDescriptor: true, Fragmentation: true, FrequencyBand: 0x08,
				Capability: AllocateAddress, Manufacturer: 0x115f, MaxBuffer: 127, MaxIncoming: 100, MaxOutgoing: 256, DescriptorCapability: 3,
			}},
			"04 00 3412 3a 40 80 5f11 7f 6400 0000 0001 03", parser(ParseNodeDescriptorResponse),
		},
		"no node descriptor": {
			NodeDescriptorResponse{Sequence: 4, Status: NoDescriptor, NWK: 0x1234}, "04 89 3412", parser(ParseNodeDescriptorResponse),
		},
		"power descriptor": {
			PowerDescriptorResponse{5, Success, 0x1234, PowerDescriptor{Mode: 2, Available: 4, Source: 4, Level: 12}}, "05 00 3412 42 c4",
			parser(ParsePowerDescriptorResponse),
		},
		"no power descriptor": {
			PowerDescriptorResponse{Sequence: 5, Status: NotSupported, NWK: 0x1234}, "05 84 3412", parser(ParsePowerDescriptorResponse),
		},
		"simple descriptor": {
			SimpleDescriptorResponse{6, Success, 0x1234, SimpleDescriptor{1, 0x0104, 0x0100, 1, []uint16{0, 6, 8}, []uint16{0x19}}},
			"06 00 3412 10 01 0401 0001 01 03 0000 0600 0800 01 1900", parser(ParseSimpleDescriptorResponse),
		},
		"no such endpoint": {
			SimpleDescriptorResponse{Sequence: 6, Status: NotActive, NWK: 0x1234}, "06 83 3412 00", parser(ParseSimpleDescriptorResponse),
		},
		"endpoints": {
			EndpointsResponse{7, Success, 0x1234, []uint8{1, 2, 242}}, "07 00 3412 03 01 02 f2", parser(ParseEndpointsResponse),
		},
		"no endpoints": {
			EndpointsResponse{Sequence: 7, Status: NoMatch, NWK: 0x1234}, "07 86 3412 00", parser(ParseEndpointsResponse),
		},
		"parent announcement": {
			ParentAnnounceResponse{10, Success, []radio.IEEE{lamp}}, "0a 00 01 c4b3a201008d1500", parser(ParseParentAnnounceResponse),
		},
		"bind": {
			StatusResponse{11, TableFull}, "0b 8c", parser(ParseStatusResponse),
		},
		"neighbors": {
			NeighborTableResponse{14, Success, 9, 2, []Neighbor{
				{0xdd11223344556677, lamp, 0x1234, TypeRouter, Yes, Sibling, Undecided, 15, 200},
				{0xdd11223344556677, stick, 0, TypeCoordinator, Yes, Parent, No, 0, 255},
			}},
			"0e 00 09 02 02" + "77665544332211dd c4b3a201008d1500 3412 25 02 0f c8" + "77665544332211dd bbaad914004b1200 0000 04 00 00 ff",
			parser(ParseNeighborTableResponse),
		},
		"no neighbor table": {
			NeighborTableResponse{Sequence: 14, Status: NotSupported}, "0e 84", parser(ParseNeighborTableResponse),
		},
		"routes": {
			RoutingTableResponse{15, Success, 2, 0, []Route{
				{Destination: 0x1234, NextHop: 0x5678},
				{0x0000, RouteInactive, true, true, true, 0x1111},
			}},
			"0f 00 02 00 02 3412 00 7856 0000 3b 1111", parser(ParseRoutingTableResponse),
		},
		"no routing table": {
			RoutingTableResponse{Sequence: 15, Status: NotPermitted}, "0f 8b", parser(ParseRoutingTableResponse),
		},
		"bindings": {
			BindingTableResponse{16, Success, 2, 0, []Binding{
				{lamp, 1, 0x0006, Destination{IEEE: stick, Endpoint: 1}},
				{lamp, 1, 0x0008, Destination{IsGroup: true, Group: 5}},
			}},
			"10 00 02 00 02 c4b3a201008d1500 01 0600 03 bbaad914004b1200 01 c4b3a201008d1500 01 0800 01 0500", parser(ParseBindingTableResponse),
		},
		"no binding table": {
			BindingTableResponse{Sequence: 16, Status: NotSupported}, "10 84", parser(ParseBindingTableResponse),
		},
		"energy scan": {
			NetworkUpdateNotify{19, Success, 0x00003800, 300, 2, []uint8{10, 200, 30}}, "13 00 00380000 2c01 0200 03 0ac81e", parser(ParseNetworkUpdateNotify),
		},
	}
}

func TestMessages(t *testing.T) {
	for kind, vectors := range map[string]map[string]vector{"request": requests(), "response": responses()} {
		for name, v := range vectors {
			t.Run(kind+" "+name, func(t *testing.T) {
				want := unhex(t, v.bytes)
				if got := v.message.Append([]byte{0xee}); !bytes.Equal(got[1:], want) || got[0] != 0xee {
					t.Errorf("written %x, want %x", got, want)
				}
				got, err := v.parse(want)
				if err != nil || !reflect.DeepEqual(got, v.message) {
					t.Errorf("read %+v, %v, want %+v", got, err, v.message)
				}
				got, err = v.parse(append(want, 0)) // one more than there should be
				if err != nil || !reflect.DeepEqual(got, v.message) {
					t.Errorf("with a byte too many: %+v, %v", got, err)
				}
			})
		}
	}
}

// TestCutOff cuts every message everywhere: nothing panics, and what lacks something says so.
func TestCutOff(t *testing.T) {
	enough := map[string]int{ // shorter ones that devices send for good reason, by the shortest of them
		"no such device": 2, "no node descriptor": 2, "no power descriptor": 2, "no such endpoint": 2, "no endpoints": 2,
		"node descriptor of a router": 9, "node descriptor of a sleeper": 9, "address with children": 12,
	}
	for kind, vectors := range map[string]map[string]vector{"request": requests(), "response": responses()} {
		for name, v := range vectors {
			whole := unhex(t, v.bytes)
			shortest, ok := enough[name]
			if !ok || kind == "request" {
				shortest = len(whole)
			}
			for length := range whole {
				m, err := v.parse(whole[:length:length])
				if (err == nil) != (length >= shortest) {
					t.Errorf("%s %s, %d of %d bytes: %+v, %v", kind, name, length, len(whole), m, err)
				}
			}
		}
	}
}

// TestHalfTables: what is there of a table is good.
func TestHalfTables(t *testing.T) {
	neighbors, err := ParseNeighborTableResponse(unhex(t, "0e 00 02 00 02 77665544332211dd c4b3a201008d1500 3412 25 02 0f c8 7766"))
	if err == nil || len(neighbors.Neighbors) != 1 || neighbors.Neighbors[0].LQI != 200 || neighbors.Total != 2 {
		t.Errorf("%+v, %v", neighbors, err)
	}
	routes, err := ParseRoutingTableResponse(unhex(t, "0f 00 02 00 02 3412 00 7856 00"))
	if err == nil || len(routes.Routes) != 1 || routes.Routes[0].NextHop != 0x5678 {
		t.Errorf("%+v, %v", routes, err)
	}
	bindings, err := ParseBindingTableResponse(unhex(t, "10 00 02 00 02 c4b3a201008d1500 01 0600 01 0500 c4b3a201008d1500 01 0800 07 0500"))
	if err == nil || !strings.Contains(err.Error(), "address mode 7") || len(bindings.Bindings) != 1 || bindings.Bindings[0].Destination.Group != 5 {
		t.Errorf("%+v, %v", bindings, err)
	}
	if _, err := ParseBindRequest(unhex(t, "0b c4b3a201008d1500 01 0600 02 bbaad914004b1200 01")); err == nil {
		t.Error("a binding to a network address is taken")
	}
}

func TestLongLists(t *testing.T) {
	many := ParentAnnounce{Children: make([]radio.IEEE, 300)}
	back, err := ParseParentAnnounce(many.Append(nil))
	if err != nil || len(back.Children) != 255 {
		t.Errorf("%d of 300, %v", len(back.Children), err)
	}
	table := RoutingTableResponse{Routes: make([]Route, 300)}
	routes, err := ParseRoutingTableResponse(table.Append(nil))
	if err != nil || len(routes.Routes) != 255 {
		t.Errorf("%d of 300, %v", len(routes.Routes), err)
	}
	// A descriptor that its length byte cannot count.
	long := SimpleDescriptorResponse{Descriptor: SimpleDescriptor{In: make([]uint16, 100), Out: make([]uint16, 100)}}
	descriptor, err := ParseSimpleDescriptorResponse(long.Append(nil))
	if err != nil || len(descriptor.Descriptor.In) != 100 || len(descriptor.Descriptor.Out) != 100 {
		t.Errorf("%d and %d of 100 clusters, %v", len(descriptor.Descriptor.In), len(descriptor.Descriptor.Out), err)
	}
}

func TestClusters(t *testing.T) {
	for name, want := range map[string]uint16{
		"NWK address": 0x0000, "IEEE address": 0x0001, "node descriptor": 0x0002, "power descriptor": 0x0003, "simple descriptor": 0x0004,
		"active endpoints": 0x0005, "match descriptor": 0x0006, "device announcement": 0x0013, "parent announcement": 0x001f,
		"bind to the stick": 0x0021, "unbind": 0x0022, "neighbor table": 0x0031, "routing table": 0x0032, "binding table": 0x0033,
		"leave": 0x0034, "permit joining": 0x0036, "energy scan": 0x0038,
	} {
		request, ok := requests()[name].message.(Request)
		if !ok || request.Cluster() != want {
			t.Errorf("%s: %v, want 0x%04x", name, request, want)
			continue
		}
		if said := ClusterName(want); strings.HasPrefix(said, "zdo") || ClusterName(want|Response) != said+"_response" {
			t.Errorf("%s is called %s and %s", name, said, ClusterName(want|Response))
		}
	}
	if ClusterNetworkUpdateNotify != 0x8038 || ClusterNodeDescriptorResponse != 0x8002 {
		t.Error("the responses are elsewhere")
	}
	if said := ClusterName(0x0016); said != "zdo 0x0016" {
		t.Errorf("0x0016 is called %s", said)
	}
}

func TestMatches(t *testing.T) {
	ours := SimpleDescriptor{Endpoint: 1, Profile: 0x0104, In: []uint16{0x0500, 0x000a}, Out: []uint16{0x0006}}
	for name, test := range map[string]struct {
		request MatchDescriptorRequest
		want    bool
	}{
		"an input":      {MatchDescriptorRequest{Profile: 0x0104, In: []uint16{0x19, 0x0a}}, true},
		"an output":     {MatchDescriptorRequest{Profile: 0x0104, Out: []uint16{0x06}}, true},
		"turned round":  {MatchDescriptorRequest{Profile: 0x0104, Out: []uint16{0x0a}}, false},
		"other profile": {MatchDescriptorRequest{Profile: 0x0109, In: []uint16{0x0a}}, false},
		"nothing":       {MatchDescriptorRequest{Profile: 0x0104}, false},
	} {
		if got := test.request.Matches(ours); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestNames(t *testing.T) {
	for status, want := range map[Status]string{
		Success: "success", InvalidRequestType: "invalid request type", NoMatch: "no match", NoEntry: "no entry", TableFull: "table full",
		InvalidIndex: "invalid index", TemporaryFailure: "temporary failure", 0x87: "status 0x87", 0x93: "status 0x93", 0x01: "status 0x01",
	} {
		if status.String() != want {
			t.Errorf("0x%02x is %s, want %s", uint8(status), status, want)
		}
	}
	for kind, want := range map[LogicalType]string{TypeCoordinator: "coordinator", TypeRouter: "router", TypeEndDevice: "end device", 3: "device type 3"} {
		if kind.String() != want {
			t.Errorf("%d is %s, want %s", uint8(kind), kind, want)
		}
	}
	c := Capability(0x8e)
	if !c.FullFunction() || !c.Mains() || !c.RxOnWhenIdle() || Capability(0x80).RxOnWhenIdle() || Capability(0x80).Mains() || Capability(0x80).FullFunction() {
		t.Errorf("0x8e: %v %v %v", c.FullFunction(), c.Mains(), c.RxOnWhenIdle())
	}
	if revision := (NodeDescriptor{ServerMask: 0x2c00}).StackRevision(); revision != 22 {
		t.Errorf("revision %d", revision)
	}
}

// FuzzMessages reads what it is given as each message, and what could be read once more after writing it.
func FuzzMessages(f *testing.F) {
	var parsers []func([]byte) (message, error)
	for _, vectors := range []map[string]vector{requests(), responses()} {
		for _, v := range vectors {
			parsers = append(parsers, v.parse)
			f.Add(unhex(f, v.bytes))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range parsers {
			first, err := parse(b)
			if err != nil {
				continue
			}
			second, err := parse(first.Append(nil))
			if err != nil {
				t.Fatalf("%x is %#v, which cannot be read again: %v", b, first, err)
			}
			if !bytes.Equal(second.Append(nil), first.Append(nil)) {
				t.Errorf("%x is %#v, then %#v", b, first, second)
			}
		}
	})
}
