package znp

import (
	"bytes"
	"context"
	"slices"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// indication handles what the stick says of its own accord. It runs in the reader.
func (r *Radio) indication(f frame) {
	in := reader{b: f.data}
	switch f.command {
	case afConfirm:
		if status, endpoint, id := in.uint8(), in.uint8(), in.uint8(); !in.short {
			r.flights.confirm(status, endpoint, id)
		}
	case afIncoming, afIncomingExt:
		r.incoming(&in, f.command == afIncomingExt)
	case zdoTrustCentreDevice:
		if joined := (radio.Joined{NWK: in.nwk(), IEEE: in.ieee(), Parent: in.nwk()}); !in.short {
			r.emit(joined)
		}
	case zdoLeft:
		r.left(&in)
	case zdoAnnounce:
		r.announced(&in)
	case zdoConcentrator:
		if nwk, ieee := in.nwk(), in.ieee(); !in.short {
			r.emitZDO(nwk, zdo.ClusterNWKAddressResponse, zdo.AddressResponse{IEEE: ieee, NWK: nwk}.Append(nil))
		}
	case debugMessage:
		r.log.Debug("the stick says", "text", string(f.data[min(1, len(f.data)):]))
	case zdoMessage:
		r.rawZDO(&in)
	default:
		if f.command>>8 == 0x05 {
			r.zdoResponse(f.command, &in)
		}
	}
}

func (r *Radio) left(in *reader) {
	nwk, ieee := in.nwk(), in.ieee()
	_, _, rejoins := in.uint8(), in.uint8(), in.uint8() != 0 // the first two are for routers
	if !in.short {
		r.emit(radio.Left{NWK: nwk, IEEE: ieee, Rejoins: rejoins, Confirms: r.zdo.askedToLeave(nwk, ieee)})
	}
}

func (r *Radio) announced(in *reader) {
	from := in.nwk()
	a := zdo.DeviceAnnounce{NWK: in.nwk(), IEEE: in.ieee(), Capability: zdo.Capability(in.uint8())}
	if in.short {
		return
	}
	r.emit(radio.Joined{NWK: a.NWK, IEEE: a.IEEE, Parent: radio.Unknown})
	r.emit(radio.Message{Address: from, Target: radio.BroadcastAwake, Cluster: zdo.ClusterDeviceAnnounce, Data: a.Append(nil)})
}

// An arrival is an AF_INCOMING_MSG or AF_INCOMING_MSG_EXT.
type arrival struct {
	radio.Message
	stamp  uint32 // the same for all copies of one message
	length int    // of the data; more than came if they are to be fetched
	via    radio.NWK
}

func parseArrival(in *reader, extended bool) (arrival, bool) {
	var a arrival
	group := in.uint16()
	a.Cluster = in.uint16()
	mode := byte(toAddress)
	if extended {
		mode = in.uint8()
	}
	a.Address = in.nwk()
	if extended {
		in.take(6)
	}
	a.Remote = in.uint8()
	between := extended && in.uint16() != 0 // the PAN of a message that is not of this network
	a.Local = in.uint8()
	broadcast := in.uint8() != 0
	a.LQI = in.uint8()
	_ = in.uint8() // security
	a.stamp = in.uint32()
	a.Sequence = in.uint8() // 0 in all firmware since 2.5
	a.length = int(in.uint8())
	if extended {
		a.length |= int(in.uint8()) << 8
	}
	if in.short || mode != toAddress || between {
		return a, false
	}
	if len(in.b) >= a.length {
		a.Data = in.take(a.length)
	}
	a.via = radio.Unknown
	if len(in.b) >= 2 {
		a.via = in.nwk()
	}
	a.Group = group != 0
	switch {
	case a.Group:
		a.Target = radio.NWK(group)
	case broadcast:
		a.Target = radio.BroadcastAll
	}
	return a, true
}

func (r *Radio) incoming(in *reader, extended bool) {
	a, ok := parseArrival(in, extended)
	if !ok {
		return
	}
	a.Profile = r.profiles[a.Local]
	r.expired.heard(a.Address, a.via)
	if len(a.Data) < a.length {
		r.fetchLater(a)
		return
	}
	if !r.copies.first(a) {
		return
	}
	a.Data = slices.Clone(a.Data)
	r.emit(a.Message)
}

// copies recognizes that the firmware delivers a message for all endpoints once to each of ours. It belongs to the reader.
type copies struct {
	last arrival
	data []byte
}

// first reports whether a is not a copy of the message before it.
func (c *copies) first(a arrival) bool {
	if !a.Group && a.Target == 0 {
		return true
	}
	same := c.last.stamp == a.stamp && c.last.Address == a.Address && c.last.Remote == a.Remote && c.last.Cluster == a.Cluster &&
		c.last.Target == a.Target && c.last.Local != a.Local && bytes.Equal(c.data, a.Data)
	if same {
		return false
	}
	c.data = append(c.data[:0], a.Data...)
	c.last = a
	c.last.Data = nil
	return true
}

const (
	maxHuge     = 8 // messages that wait to be fetched; the firmware forgets one more by itself
	longestHuge = 2048
	fetchPiece  = 240
)

// A hugeMessage is one that did not fit into a frame.
type hugeMessage struct{ arrival }

func (r *Radio) fetchLater(a arrival) {
	a.Data = nil
	select {
	case r.huge <- hugeMessage{a}:
	default:
		r.log.Warn("a long message is dropped: too many came at once", "from", a.Address, "length", a.length)
	}
}

// fetchHuge fetches long messages piece by piece.
func (r *Radio) fetchHuge(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case h := <-r.huge:
			data, err := r.fetch(ctx, h)
			if err != nil {
				r.log.Warn("a long message could not be fetched from the stick", "from", h.Address, "reason", err)
				continue
			}
			h.Data = data
			r.emit(h.Message)
		}
	}
}

func (r *Radio) fetch(ctx context.Context, h hugeMessage) ([]byte, error) {
	piece := func(at, length int) ([]byte, error) {
		return r.link.get(ctx, afRetrieve, append(append16(append32(nil, h.stamp), uint16(at)), byte(length)))
	}
	defer func() { _, _ = piece(0, 0) }() // makes the stick forget it; it would by itself after a while
	if h.length > longestHuge {
		return nil, &radio.Failure{Class: radio.Refused, Doing: "fetching more than a message can have"}
	}
	data := make([]byte, 0, h.length)
	for len(data) < h.length {
		answer, err := piece(len(data), min(fetchPiece, h.length-len(data)))
		if err != nil {
			return nil, err
		}
		in := reader{b: answer}
		status, length := in.uint8(), int(in.uint8())
		if status != statusSuccess || length == 0 || length > len(in.b) {
			return nil, refusal(afRetrieve, status)
		}
		data = append(data, in.b[:min(length, h.length-len(data))]...)
	}
	return data, nil
}
