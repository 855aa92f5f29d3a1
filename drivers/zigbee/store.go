package zigbee

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hearth/drivers/zigbee/radio"
)

// The keys of the Store.
const (
	networkKey = "network"
	stickKey   = "stick"
	bannedKey  = "banned"
	removedKey = "removed"
	wordKey    = "word"
	formingKey = "forming"
	devicesKey = "device/" // followed by the IEEE address
)

// stickRecord is what is known of the stick, so that it is found again soon.
type stickRecord struct {
	Port    string `json:"port"`   // as configured
	Stable  string `json:"stable"` // the name that survives replugging
	Adapter string `json:"adapter"`
}

// load reads what the Store keeps, once in the driver's life.
func (d *driver) load() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.loaded {
		return nil
	}
	var n network
	found, err := d.get(networkKey, &n)
	if err != nil {
		return err
	}
	if found {
		d.network = &n
	}
	if _, err := d.get(wordKey, &d.word); err != nil {
		return err
	}
	for _, one := range []struct {
		key string
		all map[radio.IEEE]bool
	}{{bannedKey, d.banned}, {removedKey, d.removed}} {
		var list []radio.IEEE
		if _, err := d.get(one.key, &list); err != nil {
			return err
		}
		for _, address := range list {
			one.all[address] = true
		}
	}
	if err := d.env.Store.Each(d.loadDevice); err != nil {
		return fmt.Errorf("reading the devices: %w", err)
	}
	if err := d.loadGroups(); err != nil {
		return fmt.Errorf("reading the groups: %w", err)
	}
	d.loaded = true
	return nil
}

// loadDevice passes over what cannot be read: the device is found and asked again when it speaks.
func (d *driver) loadDevice(key string, value []byte) error {
	if !strings.HasPrefix(key, devicesKey) {
		return nil
	}
	var r record
	if err := json.Unmarshal(value, &r); err != nil || r.IEEE == 0 {
		d.log.Error("what is kept of a device cannot be read: it will be interviewed anew", "key", key, "error", err)
		return nil
	}
	dev := newDevice(d, r)
	d.devices[r.IEEE] = dev
	if other := d.byNWK[r.NWK]; r.NWK != radio.Unknown && other == nil {
		d.byNWK[r.NWK] = dev
	}
	return nil
}

func (d *driver) get(key string, into any) (bool, error) {
	value, err := d.env.Store.Get(key)
	if err != nil || value == nil {
		return false, err
	}
	if err := json.Unmarshal(value, into); err != nil {
		return false, fmt.Errorf("reading %s from the state: %w", key, err)
	}
	return true, nil
}

func (d *driver) put(key string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("writing %s to the state: %w", key, err)
	}
	return d.env.Store.Put(key, data)
}

// keepDirty writes the devices that have changed. It waits for the disk, so no lock is held.
func (s *session) keepDirty() {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	s.d.mu.Lock()
	changed := map[string][]byte{}
	for _, dev := range s.d.devices {
		if !dev.dirty {
			continue
		}
		dev.dirty = false
		data, err := json.Marshal(&dev.record)
		if err != nil {
			s.log.Error("keeping a device", "device", dev.id, "error", err)
			continue
		}
		changed[devicesKey+dev.IEEE.String()] = data
	}
	gone := s.gone
	s.gone = nil
	s.d.mu.Unlock()
	for _, address := range gone {
		if key := devicesKey + address.String(); changed[key] == nil {
			s.complain("forgetting a device", s.d.env.Store.Delete(key))
		}
	}
	for key, data := range changed {
		s.complain("keeping a device", s.d.env.Store.Put(key, data))
	}
}

func (s *session) complain(doing string, err error) {
	if err != nil {
		s.log.Error(doing, "error", err)
	}
}

// keepNetwork keeps what the network is now.
func (d *driver) keepNetwork(n network) error {
	if err := d.put(networkKey, n); err != nil {
		return fmt.Errorf("keeping the network: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.network = &n
	return nil
}

// forming is a network that a stick was told to form: one that is found there after a power cut in between is ours.
type forming struct {
	Extended radio.IEEE `json:"extended_pan_id"`
	Stick    radio.IEEE `json:"stick"`
}

// formed returns the network on the stick if this driver has formed it and did not come to keep it.
func (d *driver) formed(info radio.Info) (*network, error) {
	var f forming
	found, err := d.get(formingKey, &f)
	if err != nil || !found || info.Network == nil || f != (forming{info.Network.Extended, info.IEEE}) {
		return nil, err
	}
	return &network{Network: *info.Network}, nil
}

const keepPause = 2 * time.Second // between a change of a device and its write: an interview is one
