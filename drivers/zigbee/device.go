package zigbee

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/radio"
)

// record is what is kept of a device in the Store: all that it takes to go on with it after a restart without asking.
type record struct {
	expose.Description `json:"description"`

	Node          *node     `json:"node,omitempty"`
	NWK           radio.NWK `json:"nwk"`
	Sleeper       bool      `json:"sleeper,omitempty"` // its receiver is off most of the time
	NodeRead      bool      `json:"node_read,omitempty"`
	EndpointsRead bool      `json:"endpoints_read,omitempty"`
	Undescribed   []uint8   `json:"undescribed,omitempty"` // endpoints that have not said what they are
	BasicRead     bool      `json:"basic_read,omitempty"`
	FactsRead     bool      `json:"facts_read,omitempty"`
	Tries         int       `json:"tries,omitempty"` // interviews that did not get everything

	Bound   radio.IEEE    `json:"bound,omitempty"` // the coordinator that its bindings lead to
	Setup   string        `json:"setup,omitempty"` // a fingerprint of what it was told; "" if not yet
	Refused []expose.Poll `json:"refused,omitempty"`
}

// device is one device. Its fields are guarded by driver.mu, but for those that traffic asks for.
type device struct {
	record
	driver *driver
	id     hearth.ID
	dirty  bool // not as the Store has it

	address atomic.Uint32
	sleeps  atomic.Bool

	definition *quirks.Definition // nil: the standard is all there is
	model      *expose.Model      // never nil
	told       hearth.Device      // as it was last announced
	values     map[string]hearth.Value
	said       heardFrames

	// what goes on with it in this session
	stage        stage
	interviewing bool
	hurried      chan struct{} // closed to have an interview that waits begin
	recheck      bool          // it came back: what it was told may be lost
	next         time.Time     // when an interview that was cut short is tried again,
	away         bool          // or when it is heard: it was not while it was asked
	kept         []keptMessage // what could not be understood yet
	recent       [rememberedFrames]seenFrame
	recentAt     int
	joined       time.Time // when it last came to the network
	setUp        time.Time // when the last setup began
	asks         int       // questions of ours that are on their way
	polls        []poll
	confirm      *confirmation
	wishes       []*openWish
	pressed      press
	clears       map[string]time.Time // when a true falls back to false by itself
	pairing      pairing              // of a router
	updating     updating
	searched     time.Time // when it was last looked for
	presence
}

// stage is how far the interview is, as a person reads it.
type stage string

// The stages of an interview.
const (
	stageWaiting     stage = "waiting"     // for its turn, or until the device wakes
	stageDescriptors stage = "descriptors" // which endpoints and clusters there are
	stageAttributes  stage = "attributes"  // make and model, what it can do
	stageSetup       stage = "setup"       // bindings and reporting
	stageDone        stage = "done"
	stageIncomplete  stage = "incomplete" // it is tried again later; what is known is used
)

func interviewProperty() hearth.Property {
	p, _ := hearth.Word("interview")
	return p.OneOf(string(stageWaiting), string(stageDescriptors), string(stageAttributes), string(stageSetup), string(stageDone), string(stageIncomplete))
}

func newDevice(d *driver, r record) *device {
	dev := &device{record: r, driver: d, id: d.env.ID(r.IEEE.String()), values: map[string]hearth.Value{}, said: heardFrames{}}
	dev.address.Store(uint32(r.NWK))
	dev.sleeps.Store(r.Sleeper)
	dev.remodel()
	dev.revive()
	return dev
}

// revive forgets what belonged to the last session.
func (dev *device) revive() {
	dev.interviewing, dev.hurried, dev.recheck, dev.kept, dev.confirm, dev.asks = false, nil, false, nil, nil, 0
	dev.away = false
	dev.next, dev.joined, dev.setUp, dev.searched = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	dev.pairing, dev.updating = pairing{}, updating{}
	dev.presence.revive()
	dev.stage = stageWaiting
	switch {
	case dev.known() && dev.Setup != "":
		dev.stage = stageDone
	case dev.Tries > 0:
		dev.stage = stageIncomplete
	}
}

// Address implements traffic.Peer.
func (dev *device) Address() radio.NWK { return radio.NWK(dev.address.Load()) }

// Sleepy implements traffic.Peer.
func (dev *device) Sleepy() bool { return dev.sleeps.Load() }

// known reports whether the interview has got all that it asks for.
func (dev *device) known() bool {
	return dev.NodeRead && dev.EndpointsRead && len(dev.Undescribed) == 0 && dev.BasicRead && dev.FactsRead
}

// remodel works out anew what the device is in the house's words; d.mu is held.
func (dev *device) remodel() {
	dev.definition = dev.driver.definitions.match(dev.Description)
	dev.model = expose.New(dev.Description, dev.definition)
	dev.told = dev.face()
	dev.plan(time.Now())
}

// face is the device as home sees it.
func (dev *device) face() hearth.Device {
	d := dev.model.Device(dev.id)
	d.Properties = slices.Clone(d.Properties)
	for _, p := range dev.own() {
		if _, there := d.Property(p.Name); !there && len(d.Properties) < hearth.MaxProperties {
			d.Properties = append(d.Properties, p)
		}
	}
	return d
}

// own lists the properties that every device has, whatever it is.
func (dev *device) own() []hearth.Property {
	quality, _ := hearth.Word("link_quality")
	all := []hearth.Property{interviewProperty(), quality}
	if dev.Router {
		pairing, _ := hearth.Word("pairing")
		all = append(all, pairing.AsWritable())
	}
	if _, updates := dev.updater(); updates {
		all = append(all, updateProperties()...)
	}
	for _, name := range []string{propertyRefresh, propertyReinterview, propertyRemove} {
		p, _ := hearth.Word(name)
		all = append(all, p)
	}
	return all
}

// setStage tells how far the interview is; d.mu is held.
func (s *session) setStage(dev *device, to stage) {
	if dev.stage == to {
		return
	}
	dev.stage = to
	s.reportStage(dev)
}

func (s *session) reportStage(dev *device) {
	s.report(hearth.Reading{Device: dev.id, Property: "interview", Value: hearth.TextOf(string(dev.stage))})
}

// touch notes that the device is not as the Store has it; d.mu is held.
func (s *session) touch(dev *device) {
	dev.dirty = true
	if s.changed.IsZero() {
		s.changed = time.Now()
	}
}

// meet returns the device with that IEEE address, a new one if need be, at that network address; d.mu is held.
func (s *session) meet(address radio.IEEE, nwk radio.NWK) (dev *device, isNew bool) {
	dev = s.d.devices[address]
	if isNew = dev == nil; isNew {
		r := record{NWK: radio.Unknown}
		r.IEEE = address
		dev = newDevice(s.d, r)
		s.d.devices[address] = dev
		s.log.Info("a new device", "device", dev.id, "nwk", nwk)
		s.announceDevice(dev)
		s.reportStage(dev)
		s.touch(dev)
		s.reportCount()
		s.backup.wanted(true)
	}
	s.moved(dev, nwk)
	if isNew {
		s.tasks.start(s.keepDirty) // a device that was let in is not forgotten in a power cut
	}
	return dev, isNew
}

// moved notes a device's network address; d.mu is held. Whoever had it before has it no more.
func (s *session) moved(dev *device, nwk radio.NWK) {
	if nwk == radio.Unknown || dev.NWK == nwk && s.d.byNWK[nwk] == dev {
		return
	}
	if old := s.d.byNWK[nwk]; old != nil && old != dev {
		old.NWK = radio.Unknown
		old.address.Store(uint32(radio.Unknown))
		s.touch(old)
	}
	if s.d.byNWK[dev.NWK] == dev {
		delete(s.d.byNWK, dev.NWK)
	}
	if dev.NWK != radio.Unknown {
		s.log.Info("a device has another address", "device", dev.id, "from", dev.NWK, "to", nwk)
		s.backup.wanted(true)
	}
	dev.NWK = nwk
	dev.address.Store(uint32(nwk))
	s.d.byNWK[nwk] = dev
	s.touch(dev)
}

// forgetAddresses is for a network that is another one: the devices' addresses were those in the old; d.mu is held.
func (s *session) forgetAddresses() {
	clear(s.d.byNWK)
	for _, dev := range s.d.devices {
		dev.NWK, dev.Setup = radio.Unknown, ""
		dev.address.Store(uint32(radio.Unknown))
		s.touch(dev)
	}
}

// forget drops a device that has left for good; d.mu is held.
func (s *session) forget(dev *device) {
	if s.d.devices[dev.IEEE] != dev {
		return
	}
	delete(s.d.devices, dev.IEEE)
	if s.d.byNWK[dev.NWK] == dev {
		delete(s.d.byNWK, dev.NWK)
	}
	dev.dirty = false
	s.gone = append(s.gone, dev.IEEE)
	s.tasks.start(s.keepDirty)
	if s.d.session == s {
		s.home.Forget(dev.id)
	}
	s.forgetInGroups(dev)
	s.forgetBindings(dev)
	s.reportCount()
	s.backup.wanted(true)
	s.log.Info("a device has left", "device", dev.id)
}

// announceDevice tells home what is known of a device; d.mu is held.
func (s *session) announceDevice(dev *device) {
	s.announce(dev.told)
	s.refaceGroups(dev)
}

// announceAll tells home of all that is kept, and so that the radio is there; d.mu is held.
func (s *session) announceAll() {
	if s.d.network != nil {
		s.announceCoordinator()
	}
	s.announceGroups()
	for _, dev := range s.d.devices {
		s.announceDevice(dev)
		s.reportStage(dev)
		s.tellUpdate(dev)
	}
}

// tidy makes text of a device fit to be shown: some pad it with zeroes or blanks.
func tidy(text string) string {
	text, _, _ = strings.Cut(text, "\x00")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "")))
}
