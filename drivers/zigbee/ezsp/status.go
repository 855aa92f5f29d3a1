package ezsp

import "hearth/drivers/zigbee/radio"

// A status is how the firmware says that something went well or not: one byte before EZSP 14 (EmberStatus, EzspStatus),
// four since (sl_status_t). Their numbers have nothing to do with each other, so each carries its meaning.
type status struct {
	raw   uint32
	means meaning
}

// A meaning is what of a status is acted upon.
type meaning int

const (
	other meaning = iota // no success, and nothing is known that helps
	ok
	networkUp
	networkDown
	notJoined
	networkOpened
	networkClosed
	channelChanged
	panChanged
	busy
	noRoute
	noAck
	channelAccess
	expired
	down
	timedOut
)

func (s status) ok() bool { return s.means == ok }

// failure returns what the caller of the radio is told.
func (s status) failure(doing string) *radio.Failure {
	return &radio.Failure{Class: s.class(), Status: s.raw, Doing: doing}
}

func (s status) class() radio.Class {
	switch s.means {
	case busy:
		return radio.Busy
	case noRoute:
		return radio.NoRoute
	case noAck:
		return radio.NoAck
	case channelAccess:
		return radio.ChannelAccess
	case expired:
		return radio.Expired
	case down, networkDown, notJoined:
		return radio.Down
	case timedOut:
		return radio.Timeout
	}
	return radio.Refused
}

// emberStatus reads one of the old kind.
func emberStatus(raw uint8) status {
	s := status{raw: uint32(raw)}
	switch raw {
	case 0x00:
		s.means = ok
	case 0x90:
		s.means = networkUp
	case 0x91:
		s.means = networkDown
	case 0x93:
		s.means = notJoined
	case 0x9a:
		s.means = panChanged
	case 0x9b:
		s.means = channelChanged
	case 0x9c:
		s.means = networkOpened
	case 0x9d:
		s.means = networkClosed
	case 0x18, 0x39, 0x72, 0xa1: // no buffers, MAC queue full, message limit, network busy
		s.means = busy
	case 0xa9, 0xaa, 0xbe: // source route failed, many-to-one route failed, address discovery goes on
		s.means = noRoute
	case 0x40, 0x66: // MAC without acknowledgement, delivery failed
		s.means = noAck
	case 0x42: // the parent kept it in vain
		s.means = expired
	case 0x87, 0x8c, 0x8d, 0x8e: // the radio's schedule, busy, clear channel assessment, blocked
		s.means = channelAccess
	case 0x70: // not in this state
		s.means = down
	}
	return s
}

// ezspStatus reads an old one of configuration commands: their numbers mean other things than those of EmberStatus.
func ezspStatus(raw uint8) status {
	s := status{raw: uint32(raw)}
	if raw == 0 {
		s.means = ok
	}
	return s
}

// slStatus reads one of the new kind.
func slStatus(raw uint32) status {
	s := status{raw: raw}
	switch raw {
	case 0x0000:
		s.means = ok
	case 0x0015:
		s.means = networkUp
	case 0x0016:
		s.means = networkDown
	case 0x0017:
		s.means = notJoined
	case 0x0c16:
		s.means = panChanged
	case 0x0c17:
		s.means = channelChanged
	case 0x0c18:
		s.means = networkOpened
	case 0x0c19:
		s.means = networkClosed
	case 0x0004, 0x0019, 0x001a, 0x001c, 0x0034, 0x0053, 0x0c03: // busy, no memory, no resource, full, transmitter busy, MAC queue full, message limit
		s.means = busy
	case 0x0c13, 0x0c14, 0x0c1f, 0x0c22, 0x0c23, 0x0c24, 0x0c25, 0x0c26: // routes failed, address not found or being sought, route being sought, none
		s.means = noRoute
	case 0x0040, 0x0c02, 0x0c20: // MAC without acknowledgement, delivery failed, APS without acknowledgement
		s.means = noAck
	case 0x0041, 0x0c27: // the parent kept it in vain, sleeping children did not ask
		s.means = expired
	case 0x004c, 0x0054, 0x0058: // clear channel assessment, the radio's schedule, blocked
		s.means = channelAccess
	case 0x0002: // not in this state
		s.means = down
	case 0x0007, 0x0030:
		s.means = timedOut
	}
	return s
}
