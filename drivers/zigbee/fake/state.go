package fake

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"

	"github.com/google/renameio/v2"
)

// What devices keep when the program ends, as the stick's memory does: their networks, bindings, groups, values, and what
// they report.

type deviceState struct {
	IEEE     radio.IEEE    `json:"ieee"`
	NWK      radio.NWK     `json:"nwk"`
	Parent   string        `json:"parent,omitempty"` // "" is the coordinator
	Network  *networkState `json:"network,omitempty"`
	Key      string        `json:"key"`
	Own      string        `json:"own,omitempty"`
	Bindings []zdo.Binding `json:"bindings,omitempty"`

	Attributes []attributeState   `json:"attributes"`
	Groups     map[uint8][]uint16 `json:"groups,omitempty"` // by endpoint
	Points     map[uint8]string   `json:"points,omitempty"` // Tuya's: their type and bytes
	Firmware   uint32             `json:"firmware,omitempty"`
}

type networkState struct {
	Extended radio.IEEE `json:"extended"`
	Key      string     `json:"key"`
	PAN      uint16     `json:"pan"`
	Channel  uint8      `json:"channel"`
	Centre   radio.IEEE `json:"centre"`
}

type attributeState struct {
	Endpoint     uint8        `json:"endpoint"`
	Cluster      uint16       `json:"cluster"`
	Manufacturer uint16       `json:"manufacturer,omitempty"`
	ID           uint16       `json:"id"`
	Type         zcl.DataType `json:"type"`
	Value        string       `json:"value"`
	Min          uint16       `json:"min,omitempty"`
	Max          *uint16      `json:"max,omitempty"` // nil: it is not reported
	Change       float64      `json:"change,omitempty"`
}

// Save writes what the devices keep into a file.
func (m *Mesh) Save(path string) error {
	all := map[string]deviceState{}
	m.do(func() {
		for _, d := range m.devices {
			all[d.name] = d.state()
		}
	})
	b, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return fmt.Errorf("saving a mesh: %w", err)
	}
	return renameio.WriteFile(path, b, 0o600)
}

// Load gives the devices what Save kept of those with their names. A file that is not there changes nothing.
func (m *Mesh) Load(path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var all map[string]deviceState
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		return fmt.Errorf("reading a mesh: %w", err)
	}
	m.do(func() {
		for _, d := range m.devices {
			if s, kept := all[d.name]; kept && err == nil {
				err = d.restore(s)
			}
		}
	})
	return err
}

func (d *Device) state() deviceState {
	s := deviceState{
		IEEE: d.ieee, NWK: d.nwk, Key: hex.EncodeToString(d.key[:]), Bindings: slices.Clone(d.bindings), Groups: map[uint8][]uint16{},
	}
	if d.own != nil {
		s.Own = hex.EncodeToString(d.own[:])
	}
	if d.parent != nil {
		s.Parent = d.parent.name
	}
	if d.member != nil {
		s.Network = &networkState{d.member.extended, hex.EncodeToString(d.member.key[:]), d.member.pan, d.member.channel, d.member.centre}
	}
	for _, x := range d.extras {
		switch x := x.(type) {
		case *tuya:
			s.Points = map[uint8]string{}
			for id, p := range x.points {
				s.Points[id] = hex.EncodeToString(append([]byte{p.kind}, p.b...))
			}
		case *update:
			s.Firmware = x.version
		}
	}
	for _, e := range d.endpoints {
		for id := range e.groups {
			s.Groups[e.model.ID] = append(s.Groups[e.model.ID], id)
		}
		slices.Sort(s.Groups[e.model.ID])
		for _, c := range e.clusters {
			for _, a := range c.attributes {
				s.Attributes = append(s.Attributes, a.state())
			}
		}
	}
	return s
}

func (a *attribute) state() attributeState {
	s := attributeState{
		Endpoint: a.endpoint.model.ID, Cluster: a.cluster.id, Manufacturer: a.manufacturer, ID: a.id, Type: a.value.Type,
		Value: hex.EncodeToString(a.value.Append(nil)),
	}
	if a.reporting != nil {
		s.Min, s.Max = a.reporting.record.Min, &a.reporting.record.Max
		s.Change, _ = a.reporting.record.Change.Number()
	}
	return s
}

func (d *Device) restore(s deviceState) error {
	d.ieee, d.nwk, d.bindings, d.parent, d.member = s.IEEE, s.NWK, s.Bindings, d.mesh.named(s.Parent), nil
	var failed []error
	key := func(digits string) (k radio.Key) {
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) != len(k) {
			failed = append(failed, fmt.Errorf("%s: a key has %d bytes", d.name, len(b)))
		}
		copy(k[:], b)
		return k
	}
	d.key = key(s.Key)
	if s.Own != "" {
		own := key(s.Own)
		d.own = &own
	}
	if n := s.Network; n != nil {
		d.member = &membership{extended: n.Extended, key: key(n.Key), pan: n.PAN, channel: n.Channel, centre: n.Centre}
	}
	for endpoint, groups := range s.Groups {
		if e := d.endpoint(endpoint); e != nil {
			for _, id := range groups {
				e.groups[id] = true
			}
		}
	}
	for _, kept := range s.Attributes {
		if a := d.attribute(kept.Endpoint, kept.Cluster, kept.Manufacturer, kept.ID); a != nil {
			failed = append(failed, a.restore(kept))
		}
	}
	for _, x := range d.extras {
		switch x := x.(type) {
		case *tuya:
			for id, digits := range s.Points {
				if b, err := hex.DecodeString(digits); err == nil && len(b) > 0 {
					x.points[id] = tuyaPoint{b[0], b[1:]}
				}
			}
		case *update:
			x.version = s.Firmware
		}
		if d.member != nil {
			x.joined()
		}
	}
	return errors.Join(failed...)
}

func (a *attribute) restore(s attributeState) error {
	b, err := hex.DecodeString(s.Value)
	if err == nil {
		a.value, _, err = zcl.ReadValue(b, s.Type)
	}
	if err != nil {
		return fmt.Errorf("%s: attribute 0x%04x/0x%04x: %w", a.endpoint.device.name, s.Cluster, s.ID, err)
	}
	if s.Max != nil {
		record := zcl.ReportingRecord{ID: a.id, Type: a.value.Type, Min: s.Min, Max: *s.Max}
		if record.Type.Analog() {
			record.Change = zcl.FloatOf(record.Type, s.Change)
		}
		a.endpoint.configure(a.cluster, a.manufacturer, record)
	}
	return nil
}
