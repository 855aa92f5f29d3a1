package zigbee

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/traffic"
)

// How the radio is.
const (
	stateUp       = "up"
	stateStarting = "starting"
	stateDown     = "down"
)

// overview is all there is to know of the radio at a glance.
type overview struct {
	Adapter  string       `json:"adapter"`
	Firmware string       `json:"firmware"`
	Port     string       `json:"port"`
	State    string       `json:"state"`
	Error    string       `json:"error,omitempty"` // why it is not up
	Network  *networkView `json:"network"`
	Pairing  pairingView  `json:"pairing"`
	Found    *networkView `json:"found"`                       // on the stick, when it was refused
	Refused  string       `json:"definitions_error,omitempty"` // what cannot be used of a person's definitions, and why
	Backup   *backupFacts `json:"backup"`
	Counters countersView `json:"counters"`
	Bans     []radio.IEEE `json:"bans"`
	Devices  []deviceView `json:"devices"`
}

// networkView is a network without its key.
type networkView struct {
	PAN         string     `json:"pan_id"`
	Extended    radio.IEEE `json:"extended_pan_id"`
	Channel     uint8      `json:"channel"`
	Coordinator radio.IEEE `json:"coordinator"`

	// Former is the address that the coordinator had on an earlier stick, where this one could not take it: devices that
	// were bound to it are set up anew.
	Former radio.IEEE `json:"former_coordinator,omitzero"`
}

func viewNetwork(n radio.Network) *networkView {
	return &networkView{PAN: fmt.Sprintf("%04x", n.PAN), Extended: n.Extended, Channel: n.Channel, Coordinator: n.Coordinator}
}

// pairingView is for how many seconds devices may still join, and at which router if not at all of them.
type pairingView struct {
	Left   uint8  `json:"left"`
	Router string `json:"router"`
}

// backupFacts are what may be told of a backup.
type backupFacts struct {
	Made    hearth.Time `json:"made"`
	Devices int         `json:"devices"`
}

func factsOf(b radio.Backup) *backupFacts {
	return &backupFacts{hearth.Time{Time: b.Made}, len(b.Devices)}
}

// counts are since the driver was made.
type counts struct {
	resets int // of the stick by itself
	opened int // sessions in which the network was up
	traffic.Stats
}

type countersView struct {
	Resets   int `json:"resets"`
	Reopened int `json:"reopened"`
	traffic.Stats
}

// counts adds this session's to those before; d.mu is held.
func (d *driver) counts() counts {
	all := d.past
	if s := d.session; s != nil {
		now := s.traffic.Stats()
		all.resets += s.restarts
		all.Sent += now.Sent
		all.Retried += now.Retried
		all.Failed += now.Failed
	}
	return all
}

// deviceView is a device at a glance.
type deviceView struct {
	IEEE        radio.IEEE  `json:"ieee"`
	NWK         string      `json:"nwk"` // "" if it is not known
	ID          hearth.ID   `json:"id"`
	Name        string      `json:"name"` // a proposal
	Vendor      string      `json:"vendor"`
	Model       string      `json:"model"`
	Kind        string      `json:"kind"`
	Power       string      `json:"power"`
	Interview   stage       `json:"interview"`
	Definition  string      `json:"definition"`
	LinkQuality *uint8      `json:"link_quality"`
	LastSeen    hearth.Time `json:"last_seen"`
	Reachable   bool        `json:"reachable"`
	Banned      bool        `json:"banned"`
	Firmware    string      `json:"firmware"`
	Takes       []place     `json:"takes"`    // its endpoints that can be in a group
	Commands    []place     `json:"commands"` // its endpoints that command others, and can be bound to them
}

// generic is the definition of a model that is as the standard has it.
const generic = "generic"

// Kinds of devices, as the network sees them.
const (
	kindRouter    = "router"
	kindEndDevice = "end_device"
)

func (dev *device) kind() string {
	if dev.Router {
		return kindRouter
	}
	return kindEndDevice
}

// powered tells where a device has its power from: its definition knows it best.
func (dev *device) powered() string {
	if dev.definition != nil && dev.definition.Power != "" {
		return dev.definition.Power
	}
	if dev.Mains || dev.Router {
		return "mains"
	}
	return "battery"
}

// view shows a device; driver.mu is held.
func (dev *device) view() deviceView {
	v := deviceView{
		IEEE: dev.IEEE, NWK: viewNWK(dev.NWK), ID: dev.id, Vendor: dev.told.Vendor, Model: dev.told.Model, Kind: dev.kind(), Power: dev.powered(),
		Interview: dev.stage, Definition: definitionName(dev.definition), LastSeen: dev.driver.clockOf(dev.heard),
		Reachable: dev.reach != unreachable, Banned: dev.driver.banned[dev.IEEE], Firmware: dev.Firmware,
	}
	v.Name = cmp.Or(dev.told.Name, dev.told.Model, dev.IEEE.String())
	if dev.quality > 0 {
		quality := dev.quality
		v.LinkQuality = &quality
	}
	v.Takes, v.Commands = []place{}, []place{}
	for _, e := range dev.Endpoints {
		p := place{dev.IEEE, e.ID}
		if dev.driver.badMember(p) == nil && len(dev.model.Shared(e.ID)) > 0 {
			v.Takes = append(v.Takes, p)
		}
		if commandsOthers(e) {
			v.Commands = append(v.Commands, p)
		}
	}
	return v
}

func viewNWK(nwk radio.NWK) string {
	if nwk == radio.Unknown {
		return ""
	}
	return fmt.Sprintf("%04x", uint16(nwk))
}

func definitionName(definition *quirks.Definition) string {
	if definition == nil {
		return generic
	}
	return cmp.Or(definition.Name(), definition.Source)
}

// clockOf returns a moment of this process on the gateway's clock; zero for zero.
func (d *driver) clockOf(moment time.Time) hearth.Time {
	if moment.IsZero() {
		return hearth.Time{}
	}
	return hearth.Time{Time: d.now().Add(-time.Since(moment))}
}

// getOverview also works while Run fails.
func (d *driver) getOverview(*http.Request) (reply, error) {
	o := overview{Adapter: d.adapter(), Port: d.cfg.Port, State: stateDown, Backup: d.backupFacts(), Bans: []radio.IEEE{}, Devices: []deviceView{}}
	d.mu.Lock()
	defer d.mu.Unlock()
	found := d.refusedNetwork()
	o.Refused = d.refusedDefinitions()
	switch s := d.session; {
	case s == nil:
	case s.up:
		o.State = stateUp
	case found == nil:
		o.State = stateStarting
	}
	if s := d.session; s != nil {
		o.Firmware, o.Pairing = s.firmware, s.pairingView()
	}
	if d.network != nil {
		o.Network = viewNetwork(d.network.Network)
		if d.network.Address != d.network.Coordinator {
			o.Network.Former = d.network.Address
		}
	}
	if found != nil {
		o.Found = viewNetwork(*found)
	}
	if d.trouble != nil {
		o.Error = d.trouble.Error()
	}
	all := d.counts()
	o.Counters = countersView{all.resets, max(0, all.opened-1), all.Stats}
	o.Bans = append(o.Bans, slices.Sorted(maps.Keys(d.banned))...)
	for _, dev := range d.devices {
		o.Devices = append(o.Devices, dev.view())
	}
	slices.SortFunc(o.Devices, func(a, b deviceView) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.IEEE, b.IEEE)) })
	return answer(o)
}

// adapter returns which firmware the stick runs, as far as that is known.
func (d *driver) adapter() string {
	if known, ok := d.knownStick(); ok && known.Adapter != "" {
		return known.Adapter
	}
	return cmp.Or(d.cfg.Adapter, adapterAuto)
}

// pairingView shows for how long devices may join; d.mu is held.
func (s *session) pairingView() pairingView {
	v := pairingView{Left: s.pairing.left()}
	if v.Left > 0 {
		return v
	}
	for _, dev := range s.d.devices {
		if left := dev.pairing.left(); left > v.Left {
			v = pairingView{left, dev.IEEE.String()}
		}
	}
	return v
}

// backupFacts returns what may be told of the newest backup, nil if there is none.
func (d *driver) backupFacts() *backupFacts {
	d.mu.Lock()
	known := d.backedUp
	d.mu.Unlock()
	if known != nil {
		return known
	}
	b, err := d.readBackup()
	if err != nil || b == nil {
		return nil // what cannot be read is said by the next try to bring the network up
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.backedUp == nil {
		d.backedUp = factsOf(*b)
	}
	return d.backedUp
}
