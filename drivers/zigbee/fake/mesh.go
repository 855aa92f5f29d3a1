// Package fake is a Zigbee stick and a family of devices that speak real bytes: over a pseudo terminal or TCP on the
// host's side, as ZDO and ZCL on the air. Faults come on demand. It is for tests, for the demo, and for whoever writes a
// device definition.
//
// A model of a device is a few lines of YAML: see the folder models, and Model for every key. What the Zigbee Cluster
// Library says of a cluster need not be said again.
//
// A Mesh is the air and the devices, a Stick the coordinator that a host drives. Everything of a mesh happens under one
// lock and on one timeline, so that the same seed and the same host give the same bytes. Exported methods take the lock;
// unexported ones, and all methods of a firmware, are called with it held.
package fake

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"hearth/drivers/zigbee/radio"
)

// MeshOptions say how the air is.
type MeshOptions struct {
	Seed  uint64        // of every address, delay and link quality
	Delay time.Duration // that a message takes through the air; 0: none
	Log   *slog.Logger  // nil: silent

	// Linger is how long a sleeping device stays awake after it has said or heard something; 0 is 3 seconds.
	Linger time.Duration
}

const defaultLinger = 3 * time.Second

// A Mesh is the air and the devices in it.
type Mesh struct {
	timeline
	options MeshOptions
	log     *slog.Logger
	random  *rand.Rand

	sticks   []*Stick
	devices  []*Device
	foreign  []Foreign
	usual    map[Cluster][]preset  // what clusters have in general, once a device was added
	counters map[counterKey]uint32 // the highest frame counter that was heard, of every sender and network key
}

type counterKey struct {
	sender radio.IEEE
	key    radio.Key
}

// A Foreign is another network within reach.
type Foreign struct {
	PAN      uint16
	Extended radio.IEEE
	Channel  uint8
	Open     bool
}

// NewMesh returns an empty one. Close ends it.
func NewMesh(o MeshOptions) *Mesh {
	if o.Linger == 0 {
		o.Linger = defaultLinger
	}
	m := &Mesh{
		options: o, log: o.Log,
		random:   rand.New(rand.NewPCG(o.Seed, 0x7a6967626565)),
		counters: map[counterKey]uint32{},
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	return m
}

// Close lets nothing happen any more.
func (m *Mesh) Close() { m.close() }

// Neighbour puts another network into the air: sticks find it when they scan, and keep off its PAN id.
func (m *Mesh) Neighbour(f Foreign) { m.do(func() { m.foreign = append(m.foreign, f) }) }

// Add brings a device of the model into reach, in its box: it joins when it is told to Pair. The name is for people and
// scripts, and must be free.
func (m *Mesh) Add(name string, model *Model) (d *Device, err error) {
	m.do(func() {
		if m.usual == nil {
			m.usual, err = readUsual()
		}
		switch broken := model.prepare(); {
		case err != nil:
			return
		case broken != nil:
			err = fmt.Errorf("model %s: %w", model.Name, broken)
			return
		case m.named(name) != nil:
			err = fmt.Errorf("there is a device %q already", name)
			return
		}
		d = m.build(name, model)
		m.devices = append(m.devices, d)
	})
	return d, err
}

// Device is the one of that name, nil if there is none.
func (m *Mesh) Device(name string) (d *Device) {
	m.do(func() { d = m.named(name) })
	return d
}

// Devices are all of them, in the order in which they were added.
func (m *Mesh) Devices() (all []*Device) {
	m.do(func() { all = append(all, m.devices...) })
	return all
}

func (m *Mesh) named(name string) *Device {
	for _, d := range m.devices {
		if d.name == name {
			return d
		}
	}
	return nil
}

// at is the device that has the network address now, in the network that the stick runs.
func (m *Mesh) at(address radio.NWK) *Device {
	for _, d := range m.devices {
		if d.nwk == address && d.member != nil {
			return d
		}
	}
	return nil
}

func (m *Mesh) byIEEE(address radio.IEEE) *Device {
	for _, d := range m.devices {
		if d.ieee == address {
			return d
		}
	}
	return nil
}

// newIEEE makes an address of a vendor.
func (m *Mesh) newIEEE(vendor uint32) radio.IEEE {
	return radio.IEEE(vendor)<<40 | radio.IEEE(m.random.Uint64()&(1<<40-1))
}

// newNWK makes a network address that nobody has.
func (m *Mesh) newNWK() radio.NWK {
	for {
		address := radio.NWK(1 + m.random.IntN(0xfff6))
		if m.at(address) == nil {
			return address
		}
	}
}

// coordinator is the stick that runs the network of a member, nil if none does.
func (m *Mesh) coordinator(member *membership) *Stick {
	if member == nil {
		return nil
	}
	for _, s := range m.sticks {
		if s.network != nil && member.of(*s.network) {
			return s
		}
	}
	return nil
}

// quality is how well two hear each other: steady for a pair, with a little noise on it.
func (m *Mesh) quality(a, b radio.IEEE) (lqi uint8, rssi int8) {
	pair := uint64(a^b) * 0x9e3779b97f4a7c15
	lqi = uint8(110 + pair>>57%120 + m.random.Uint64N(8))
	return lqi, int8(-100 + int(lqi)/4)
}

// hop is how long a message takes through the air once.
func (m *Mesh) hop() time.Duration { return m.options.Delay }
