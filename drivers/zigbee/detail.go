package zigbee

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// node is a device's node descriptor, as it is kept and shown.
type node struct {
	Type         string `json:"type"`
	Manufacturer string `json:"manufacturer"`
	Mains        bool   `json:"mains"`
	Awake        bool   `json:"awake"`    // its receiver is always on
	Revision     int    `json:"revision"` // of the Zigbee specification; 0: before 21
	MaxBuffer    uint8  `json:"max_buffer"`
	MaxIncoming  uint16 `json:"max_incoming"`
	MaxOutgoing  uint16 `json:"max_outgoing"`
}

func nodeOf(d zdo.NodeDescriptor) *node {
	return &node{
		d.Type.String(), hexID(d.Manufacturer), d.Capability.Mains(), d.Capability.RxOnWhenIdle(),
		d.StackRevision(), d.MaxBuffer, d.MaxIncoming, d.MaxOutgoing,
	}
}

func hexID(n uint16) string { return fmt.Sprintf("0x%04x", n) }

// detail is everything that is known of a device.
type detail struct {
	deviceView
	DateCode         string             `json:"date_code"`
	PowerSource      uint8              `json:"power_source"` // as the Basic cluster has it
	Manufacturer     string             `json:"manufacturer"` // its code, "" if none is known
	Node             *node              `json:"node"`
	DefinitionSource string             `json:"definition_source"` // the file that the definition is from
	Endpoints        []endpointView     `json:"endpoints"`
	Properties       []string           `json:"properties"`
	Attributes       []attributeView    `json:"attributes"` // as they were last told
	Commands         []commandView      `json:"commands"`   // the same
	Points           []pointView        `json:"points"`     // the same, Tuya's
	Facts            map[string]float64 `json:"facts"`      // read for good: endpoint/cluster/attribute
	Texts            map[string]string  `json:"texts"`
	SetUp            bool               `json:"set_up"` // it was told what follows
	Bindings         []boundView        `json:"bindings"`
	Reporting        []reportingView    `json:"reporting"`
	Polls            []pollView         `json:"polls"`
}

type endpointView struct {
	ID      uint8         `json:"id"`
	Profile string        `json:"profile"`
	Device  string        `json:"device"`
	In      []clusterView `json:"in"`
	Out     []clusterView `json:"out"`
}

type clusterView struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type attributeView struct {
	Endpoint     uint8       `json:"endpoint"`
	Cluster      string      `json:"cluster"`
	Attribute    string      `json:"attribute"`
	Manufacturer string      `json:"manufacturer,omitempty"`
	Type         string      `json:"type"`
	Value        any         `json:"value"` // a bool, a number or a text
	At           hearth.Time `json:"at"`
}

type commandView struct {
	Endpoint     uint8       `json:"endpoint"`
	Cluster      string      `json:"cluster"`
	Command      string      `json:"command"`
	Manufacturer string      `json:"manufacturer,omitempty"`
	Payload      string      `json:"payload"`
	At           hearth.Time `json:"at"`
}

type pointView struct {
	DP    uint8       `json:"dp"`
	Type  string      `json:"type"`
	Value any         `json:"value"`
	At    hearth.Time `json:"at"`
}

type boundView struct {
	Endpoint uint8  `json:"endpoint"`
	Cluster  string `json:"cluster"`
}

type reportingView struct {
	Endpoint     uint8  `json:"endpoint"`
	Cluster      string `json:"cluster"`
	Attribute    string `json:"attribute"`
	Manufacturer string `json:"manufacturer,omitempty"`
	Min          uint16 `json:"min"` // seconds
	Max          uint16 `json:"max"`
	Change       any    `json:"change"` // null: every one
}

type pollView struct {
	Endpoint     uint8    `json:"endpoint"`
	Cluster      string   `json:"cluster"`
	Attributes   []string `json:"attributes"`
	Command      string   `json:"command,omitempty"` // that asks for all, where no attribute is read
	Manufacturer string   `json:"manufacturer,omitempty"`
	Every        float64  `json:"every"` // seconds
}

func (d *driver) getDevice(r *http.Request) (reply, error) {
	dev, err := d.named(r)
	if err != nil {
		return reply{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return answer(dev.detail())
}

// detail shows everything that is known of a device; driver.mu is held.
func (dev *device) detail() detail {
	v := detail{
		deviceView: dev.view(), DateCode: dev.DateCode, PowerSource: dev.Power, Manufacturer: code(dev.Description.Manufacturer),
		Node: dev.Node, Facts: dev.Facts, Texts: dev.Texts, SetUp: dev.Setup != "" && dev.Setup != setupIncomplete,
		Endpoints: []endpointView{}, Properties: []string{}, Attributes: []attributeView{}, Commands: []commandView{},
		Points: []pointView{}, Bindings: []boundView{}, Reporting: []reportingView{}, Polls: []pollView{},
	}
	if dev.definition != nil {
		v.DefinitionSource = dev.definition.Source
	}
	for _, e := range dev.Endpoints {
		v.Endpoints = append(v.Endpoints, endpointView{e.ID, hexID(e.Profile), hexID(e.Device), viewClusters(e.In), viewClusters(e.Out)})
	}
	for _, p := range dev.told.Properties {
		v.Properties = append(v.Properties, p.Name)
	}
	dev.detailHeard(&v)
	dev.detailSetup(&v)
	return v
}

func (dev *device) detailHeard(v *detail) {
	for _, a := range dev.said.attributes() {
		v.Attributes = append(v.Attributes, attributeView{
			a.endpoint, zcl.ClusterName(a.cluster), attributeName(a.attributePlace, a.ID), code(a.manufacturer),
			a.Value.Type.String(), plain(a.Value), dev.driver.clockOf(a.at),
		})
	}
	for _, c := range dev.said.commands() {
		v.Commands = append(v.Commands, commandView{
			c.endpoint, zcl.ClusterName(c.cluster), zcl.CommandName(c.cluster, c.toClient, c.command), code(c.manufacturer),
			hex.EncodeToString(c.payload), dev.driver.clockOf(c.at),
		})
	}
	for _, p := range dev.said.points() {
		v.Points = append(v.Points, pointView{p.ID, p.Type.String(), plainPoint(p.Point), dev.driver.clockOf(p.at)})
	}
}

func (dev *device) detailSetup(v *detail) {
	setup := dev.model.Setup()
	for _, b := range setup.Bindings {
		v.Bindings = append(v.Bindings, boundView{b.Endpoint, zcl.ClusterName(b.Cluster)})
	}
	for _, r := range setup.Reporting {
		place := attributePlace{r.Endpoint, r.Cluster, r.Manufacturer}
		view := reportingView{
			Endpoint: r.Endpoint, Cluster: zcl.ClusterName(r.Cluster), Attribute: attributeName(place, r.Record.ID),
			Manufacturer: code(r.Manufacturer), Min: r.Record.Min, Max: r.Record.Max,
		}
		if r.Record.Type.Analog() {
			view.Change = plain(r.Record.Change)
		}
		v.Reporting = append(v.Reporting, view)
	}
	for _, p := range slices.Concat(setup.Polls, dev.Refused) {
		v.Polls = append(v.Polls, viewPoll(p))
	}
	for _, r := range setup.Repeats {
		v.Polls = append(v.Polls, pollView{
			Endpoint: r.Endpoint, Cluster: zcl.ClusterName(r.Cluster), Attributes: []string{},
			Command: zcl.CommandName(r.Cluster, false, r.Frame.Command), Every: r.Every.Seconds(),
		})
	}
}

func viewPoll(p expose.Poll) pollView {
	v := pollView{Endpoint: p.Endpoint, Cluster: zcl.ClusterName(p.Cluster), Manufacturer: code(p.Manufacturer), Every: p.Every.Seconds()}
	for _, id := range p.Attributes {
		v.Attributes = append(v.Attributes, attributeName(attributePlace{p.Endpoint, p.Cluster, p.Manufacturer}, id))
	}
	return v
}

func viewClusters(ids []uint16) []clusterView {
	all := make([]clusterView, len(ids))
	for i, id := range ids {
		all[i] = clusterView{hexID(id), zcl.ClusterName(id)}
	}
	return all
}

// code shows a manufacturer's code, "" for the standard.
func code(manufacturer uint16) string {
	if manufacturer == 0 {
		return ""
	}
	return hexID(manufacturer)
}

// attributeName returns the name that the library has for an attribute; a manufacturer's own has a number.
func attributeName(at attributePlace, id uint16) string {
	if at.manufacturer != 0 {
		return hexID(id)
	}
	return zcl.AttributeName(at.cluster, id)
}

// plain returns a value as JSON has it: null where it is not known, a bool, a number that JSON can hold, else a text.
func plain(v zcl.Value) any {
	const exact = 1 << 53
	n, isNumber := v.Number()
	switch {
	case !v.Valid():
		return nil
	case v.Type == zcl.Bool:
		return v.Bool()
	case isNumber && n > -exact && n < exact:
		return n
	case v.Type == zcl.CharString, v.Type == zcl.LongCharString:
		return v.Text()
	}
	return v.String()
}

func plainPoint(p quirks.Point) any {
	switch n, ok := p.Number(); {
	case p.Type == quirks.PointString:
		return hearth.TextOf(string(p.Data)).Text()
	case ok && p.Type == quirks.PointBool:
		return n != 0
	case ok:
		return n
	}
	return hex.EncodeToString(p.Data)
}
