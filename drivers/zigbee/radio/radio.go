// Package radio is what a Zigbee coordinator is to its driver, whatever firmware runs on the stick: addresses, messages,
// events, failures by class, and the network as it is backed up.
package radio

import (
	"context"
	"fmt"
)

// A Radio is a stick that runs a network. Run must be running for the rest to work. Everything but Connect and Up may be
// called by several goroutines at once.
type Radio interface {
	// Run owns the line until ctx ends (nil) or the line breaks (why). It hands events to handle one after the other,
	// in the order of the line; handle must not block and must not call the Radio. Requests that are under way when
	// it ends fail with a Failure of class Down.
	Run(ctx context.Context, handle func(Event)) error

	// Connect gets the firmware's attention, bounded by ctx, and says what it is and what network it has. It changes
	// nothing on the stick. After a Reset event it is called again, then Up.
	Connect(ctx context.Context) (Info, error)

	// Up brings the network up as the plan says, registers the coordinator's endpoints and its policies, and returns
	// the network it is on.
	Up(ctx context.Context, plan Plan) (Network, error)

	// Send gives a message to the network and returns when it was delivered, or a *Failure that says in which class
	// of trouble it was not. It is one try: repeating is the caller's business. A message with Profile 0 is ZDO: its
	// data begins with the transaction sequence number, in the form of the Zigbee specification.
	Send(ctx context.Context, m Message) error

	// Permit lets devices join at the coordinator itself for that many seconds, 0 closes it. Routers are asked by a
	// ZDO message.
	Permit(ctx context.Context, seconds uint8) error

	// Trust keeps the link key of a device that will join with it: what an install code stands for.
	Trust(ctx context.Context, device IEEE, key Key) error

	// Hear makes the coordinator receive what is sent to that group.
	Hear(ctx context.Context, group uint16) error

	// Move takes the whole network to another channel without pairing anew. Devices that sleep follow later.
	Move(ctx context.Context, channel uint8) error

	// Backup reads the network from the stick.
	Backup(ctx context.Context) (Backup, error)
}

// Info is what a stick says of itself.
type Info struct {
	Firmware string   // for a person: "Z-Stack 3.x.0 20240710", "EmberZNet 7.4.4 (EZSP 13)"
	IEEE     IEEE     // the stick's own address
	Network  *Network // what is stored on the stick, nil if it is blank; Key may be zero where it cannot be read
}

// A Plan is how a network comes up. With neither field set the one on the stick is resumed. Form and Restore replace
// what is on the stick: whoever sets them has asked.
type Plan struct {
	Form    *Network // a new network with these values; a zero Coordinator keeps the stick's own address
	Restore *Backup  // this network; the frame counters are raised by the Radio
	Power   *int8    // dBm, nil: as the firmware has it

	// BurnAddress allows Restore to write the coordinator's address where the stick takes one only once in its life. Else
	// such a stick keeps its own; where an address can be written again and again nobody has to be asked.
	BurnAddress bool
}

// A Network is what every member of it knows.
type Network struct {
	PAN         uint16 `json:"pan_id"`
	Extended    IEEE   `json:"extended_pan_id"`
	Channel     uint8  `json:"channel"` // 11 to 26
	UpdateID    uint8  `json:"update_id"`
	Key         Key    `json:"-"`
	KeySequence uint8  `json:"-"`
	Coordinator IEEE   `json:"coordinator"`
}

// A Message is one APS message, to or from the network.
type Message struct {
	Address  NWK   // who sent it or who shall get it: a device, a broadcast address, or the group if Group
	Group    bool  // Address is a group; received: it was sent to the group Target
	Target   NWK   // received: what it was sent to, when Group or a broadcast
	Local    uint8 // the coordinator's endpoint
	Remote   uint8 // the device's endpoint
	Profile  uint16
	Cluster  uint16
	Sequence uint8 // of the APS layer, when known: repeated messages carry the same
	Data     []byte

	Radius     uint8 // to send: 0 is the firmware's default
	Acked      bool  // to send: wants the device's APS acknowledgement, else the next hop's
	Discover   bool  // to send: looks for a new route first
	Fragmented bool  // to send: may be sent in fragments

	LQI  uint8 // received
	RSSI int8  // received, 0 if not known
}

// An Event is one of Message (received), Joined, Left, Missed, Reset.
type Event interface{ event() }

// Joined says that a device came to the network, or came back, maybe with another network address.
type Joined struct {
	NWK    NWK
	IEEE   IEEE
	Parent NWK // Unknown if not told
}

// Left says that a device has left by itself or because it was asked to.
type Left struct {
	NWK      NWK // Unknown if not told
	IEEE     IEEE
	Rejoins  bool // it said it will be back
	Confirms bool // it answers to a request of ours
}

// Missed says that the firmware had no room for some of what it wanted to tell: devices may have come, moved or spoken
// without an event. Not every firmware says so.
type Missed struct{}

// Reset says that the firmware has restarted by itself: nothing of Up holds any more.
type Reset struct{ Reason string }

func (Message) event() {}
func (Joined) event()  {}
func (Left) event()    {}
func (Missed) event()  {}
func (Reset) event()   {}

// A Class is a kind of trouble with a message, and says what helps.
type Class int

// The classes.
const (
	Refused       Class = iota // the stick does not want it: again is of no use
	Busy                       // queues or tables of the stick are full: wait, again
	NoRoute                    // no way there is known: discover one, again
	NoAck                      // sent, and nobody acknowledged: again; maybe the address has changed
	ChannelAccess              // the air is busy: back off, again
	Expired                    // the parent kept it in vain, the device sleeps: again when it next speaks
	Down                       // the network is not up, or the line broke: after the next Up
	Timeout                    // the stick did not answer in time: it may have been sent
)

func (c Class) String() string {
	return [...]string{"refused", "busy", "no route", "no acknowledgement", "channel busy", "asleep", "network down", "no answer from the stick"}[c]
}

// A Failure says why a message was not delivered or a request not carried out.
type Failure struct {
	Class  Class
	Status uint32 // as the firmware has it
	Doing  string // for a person: "sending", "AF_DATA_REQUEST_EXT"
}

func (f *Failure) Error() string {
	if f.Status == 0 {
		return fmt.Sprintf("%s: %s", f.Doing, f.Class)
	}
	return fmt.Sprintf("%s: %s (status 0x%02x)", f.Doing, f.Class, f.Status)
}
