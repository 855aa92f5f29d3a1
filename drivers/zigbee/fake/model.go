package fake

import (
	"fmt"
	"time"

	"hearth/settings"
)

// Type is what a device is to the network.
type Type string

// The types.
const (
	Router    Type = "router"
	EndDevice Type = "end_device" // always awake
	Sleeper   Type = "sleeper"    // asks its parent now and then
)

const profileHome = 0x0104

// A Model is a kind of device. It is a few lines of YAML, or a value in Go. What it does not say of a standard cluster is
// as newCluster has it, and standard commands work by themselves.
type Model struct {
	Name         string             `yaml:"name"` // for scripts
	Vendor       string             `yaml:"vendor"`
	Product      string             `yaml:"product"`      // the model identifier of Basic
	Manufacturer uint16             `yaml:"manufacturer"` // its code
	Prefix       uint32             `yaml:"prefix"`       // the first three bytes of its address
	Type         Type               `yaml:"type"`
	Power        uint8              `yaml:"power"` // as the attribute of Basic: 1 mains, 3 battery, 4 DC; 0: as the type suggests
	Firmware     string             `yaml:"firmware"`
	Date         string             `yaml:"date"`
	Revision     int                `yaml:"revision"` // of the Zigbee specification: from 21 on it gets a link key of its own
	Poll         time.Duration      `yaml:"poll"`     // how often a sleeper asks its parent; 0: only when it has something to say
	Awake        time.Duration      `yaml:"awake"`    // how long a sleeper stays awake when it has joined; 0: 15 s
	Direct       bool               `yaml:"direct"`   // joins at the coordinator where it can
	Bindings     int                `yaml:"max_bindings"`
	Endpoints    []EndpointModel    `yaml:"endpoints"`
	Buttons      map[string][]Press `yaml:"buttons"`

	Reports []Report `yaml:"reports"` // what it reports by itself
	Zone    *Zone    `yaml:"zone"`    // how its IAS zone enrols
	Tuya    *Tuya    `yaml:"tuya"`
	Xiaomi  *Xiaomi  `yaml:"xiaomi"`
	CheckIn *CheckIn `yaml:"check_in"`
	Update  *Update  `yaml:"update"`
}

// An EndpointModel is one endpoint.
type EndpointModel struct {
	ID      uint8          `yaml:"id"`
	Profile uint16         `yaml:"profile"` // 0: Home Automation
	Device  uint16         `yaml:"device"`
	Version uint8          `yaml:"version"`
	In      []ClusterModel `yaml:"in"`
	Out     []Cluster      `yaml:"out"`
}

// A ClusterModel is a cluster that an endpoint serves.
type ClusterModel struct {
	Cluster      Cluster            `yaml:"cluster"`
	Manufacturer uint16             `yaml:"manufacturer"` // whose attributes these are
	Attributes   map[string]Literal `yaml:"attributes"`   // by name or number
	NoReporting  bool               `yaml:"no_reporting"` // refuses to be configured: 0x8c
	MaxReports   int                `yaml:"max_reports"`  // then it has no room for more: 0x89

	presets []preset
}

// A Press is what a button makes the device send: to what is bound, or to the coordinator and its groups.
type Press struct {
	Endpoint     uint8              `yaml:"endpoint"`
	Cluster      Cluster            `yaml:"cluster"`
	Command      string             `yaml:"command"` // by name or number
	Manufacturer uint16             `yaml:"manufacturer"`
	Payload      Hex                `yaml:"payload"`
	Report       map[string]Literal `yaml:"report"`  // instead of a command: attributes that it reports
	Set          map[string]Literal `yaml:"set"`     // instead: attributes that it changes
	Unbound      bool               `yaml:"unbound"` // goes out even if nothing is bound
	Group        uint16             `yaml:"group"`   // where an unbound one goes, 0: to the coordinator

	command     uint8
	report, set []preset
}

// A Report is what a model reports by itself, whether somebody is bound or not.
type Report struct {
	Endpoint   uint8         `yaml:"endpoint"`
	Cluster    Cluster       `yaml:"cluster"`
	Attributes []string      `yaml:"attributes"`
	Every      time.Duration `yaml:"every"` // 0: only when one of them changes

	ids []uint16
}

// Check says what is wrong with the model, and fills in what it leaves out.
func (m *Model) Check() error {
	if m.Name == "" {
		return settings.At("name", "is missing")
	}
	switch m.Type {
	case "":
		m.Type = Router
	case Router, EndDevice, Sleeper:
	default:
		return settings.At("type", "want router, end_device or sleeper, not %q", m.Type)
	}
	if m.Power == 0 {
		m.Power = 1
		if m.Type == Sleeper {
			m.Power = 3
		}
	}
	if m.Prefix == 0 {
		m.Prefix = 0x00124b
	}
	if m.Awake == 0 {
		m.Awake = 15 * time.Second
	}
	if m.Bindings == 0 {
		m.Bindings = 16
	}
	if m.Revision == 0 {
		m.Revision = 22
	}
	if len(m.Endpoints) == 0 {
		return settings.At("endpoints", "are missing")
	}
	return nil
}

// Check fills in what the endpoint leaves out.
func (e *EndpointModel) Check() error {
	if e.ID == 0 || e.ID > 240 && e.ID != 242 {
		return settings.At("id", "want 1 to 240, not %d", e.ID)
	}
	if e.Profile == 0 {
		e.Profile = profileHome
	}
	return nil
}

// Check reads the attributes.
func (c *ClusterModel) Check() (err error) {
	c.presets, err = presets(c.Cluster, c.Attributes)
	return err
}

// Check reads the command and the attributes.
func (p *Press) Check() (err error) {
	if p.Endpoint == 0 {
		p.Endpoint = 1
	}
	if p.Command != "" {
		if p.command, err = commandOf(p.Cluster, p.Command); err != nil {
			return settings.At("command", "%v", err)
		}
	}
	if p.report, err = presets(p.Cluster, p.Report); err != nil {
		return err
	}
	p.set, err = presets(p.Cluster, p.Set)
	return err
}

// Check finds the attributes.
func (r *Report) Check() (err error) {
	if r.Endpoint == 0 {
		r.Endpoint = 1
	}
	r.ids = nil
	for _, name := range r.Attributes {
		id, err := attributeOf(r.Cluster, name)
		if err != nil {
			return settings.At("attributes", "%v", err)
		}
		r.ids = append(r.ids, id)
	}
	return nil
}

// prepare checks the whole of a model that was made in Go.
func (m *Model) prepare() error {
	if err := m.Check(); err != nil {
		return err
	}
	for i := range m.Endpoints {
		if err := m.Endpoints[i].Check(); err != nil {
			return err
		}
		for j := range m.Endpoints[i].In {
			if err := m.Endpoints[i].In[j].Check(); err != nil {
				return err
			}
		}
	}
	for name, presses := range m.Buttons {
		for i := range presses {
			if err := presses[i].Check(); err != nil {
				return fmt.Errorf("button %s: %w", name, err)
			}
		}
	}
	for i := range m.Reports {
		if err := m.Reports[i].Check(); err != nil {
			return err
		}
	}
	if m.Xiaomi != nil {
		for i := range m.Xiaomi.Fields {
			if err := m.Xiaomi.Fields[i].Check(); err != nil {
				return err
			}
		}
	}
	if m.Tuya != nil {
		return m.Tuya.Check()
	}
	return nil
}

// extras are what the model does beside the clusters of the standard.
func (m *Model) extras(d *Device) (all []extra) {
	if m.Zone != nil {
		all = append(all, newZone(d, m.Zone))
	}
	if m.Tuya != nil {
		all = append(all, newTuya(d, m.Tuya))
	}
	if m.Xiaomi != nil {
		all = append(all, newXiaomi(d, m.Xiaomi))
	}
	if m.CheckIn != nil {
		all = append(all, newCheckIn(d, m.CheckIn))
	}
	if m.Update != nil {
		all = append(all, newUpdate(d, m.Update))
	}
	if len(m.Reports) > 0 {
		all = append(all, newReporter(d, m.Reports))
	}
	return all
}
