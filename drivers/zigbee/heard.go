package zigbee

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// What a device has said last is kept as it came, for whoever wants to know what it says, and for the beginning of a
// definition: the payload of the last frame of each kind.

// mostHeard bounds the kinds of frames that are kept of a device; one more is not kept.
const mostHeard = 128

// A frameKind tells frames apart that do not say the same.
type frameKind struct {
	endpoint     uint8
	cluster      uint16
	manufacturer uint16
	global       bool
	toClient     bool
	command      uint8
	first        uint16 // of what it speaks of several of: the attribute, the data point
}

type heardFrame struct {
	payload []byte
	at      time.Time
}

// heardFrames is what one device has said.
type heardFrames map[frameKind]*heardFrame

// isTuyaData reports whether a command of Tuya's cluster brings data points.
func isTuyaData(cluster uint16, f zcl.Frame) bool {
	return cluster == zcl.ClusterTuya && !f.Global && len(f.Payload) >= 4 &&
		(f.Command == zcl.CmdTuyaDataResponse || f.Command == zcl.CmdTuyaDataReport ||
			f.Command == zcl.CmdTuyaActiveStatusReport || f.Command == zcl.CmdTuyaActiveStatusReportAlternative)
}

// keepsSecrets reports whether a cluster's commands carry codes that a person types.
func keepsSecrets(cluster uint16) bool {
	return cluster == zcl.ClusterDoorLock || cluster == zcl.ClusterIASACE
}

// hear keeps a frame; driver.mu is held.
func (h heardFrames) hear(m radio.Message, f zcl.Frame) {
	kind := frameKind{endpoint: m.Remote, cluster: m.Cluster, manufacturer: f.Manufacturer, global: f.Global, toClient: f.ToClient, command: f.Command}
	switch {
	case f.Global && f.Command != zcl.CommandReportAttributes && f.Command != zcl.CommandReadAttributesResponse:
		return
	case f.Global && len(f.Payload) >= 2:
		kind.first = binary.LittleEndian.Uint16(f.Payload)
	case isTuyaData(m.Cluster, f):
		kind.first = uint16(f.Payload[2])
	case !f.Global && (keepsSecrets(m.Cluster) || m.Cluster == zcl.ClusterOTA):
		return
	}
	last := h[kind]
	if last == nil {
		if len(h) >= mostHeard {
			return
		}
		last = &heardFrame{}
		h[kind] = last
	}
	last.payload, last.at = append(last.payload[:0], f.Payload...), time.Now()
}

// A heardAttribute is an attribute as a device last told it.
type heardAttribute struct {
	attributePlace
	zcl.Attribute
	at time.Time
}

// An attributePlace is where an attribute is to be found.
type attributePlace struct {
	endpoint     uint8
	cluster      uint16
	manufacturer uint16
}

func (p attributePlace) compare(q attributePlace) int {
	return cmp.Or(cmp.Compare(p.endpoint, q.endpoint), cmp.Compare(p.cluster, q.cluster), cmp.Compare(p.manufacturer, q.manufacturer))
}

// attributes returns all attributes that were told, in order; driver.mu is held.
func (h heardFrames) attributes() []heardAttribute {
	type key struct {
		attributePlace
		id uint16
	}
	last := map[key]heardAttribute{}
	for kind, frame := range h {
		if !kind.global {
			continue
		}
		for _, a := range told(kind.command, frame.payload) {
			k := key{attributePlace{kind.endpoint, kind.cluster, kind.manufacturer}, a.ID}
			if before, known := last[k]; !known || frame.at.After(before.at) {
				last[k] = heardAttribute{k.attributePlace, a, frame.at}
			}
		}
	}
	all := make([]heardAttribute, 0, len(last))
	for _, a := range last {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b heardAttribute) int {
		return cmp.Or(a.compare(b.attributePlace), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// told returns the attributes in a report or the answer to a read, as far as it can be read.
func told(command uint8, payload []byte) []zcl.Attribute {
	if command == zcl.CommandReportAttributes {
		attributes, _ := zcl.ParseReport(payload) // what could be read before trouble is good
		return attributes
	}
	var attributes []zcl.Attribute
	results, _ := zcl.ParseReadAttributesResponse(payload) // the same
	for _, r := range results {
		if r.Status == zcl.Success {
			attributes = append(attributes, zcl.Attribute{ID: r.ID, Value: r.Value})
		}
	}
	return attributes
}

// A heardCommand is a command of a cluster's own as a device last sent it.
type heardCommand struct {
	frameKind
	payload []byte
	at      time.Time
}

// commands returns the clusters' own commands that were sent, in order; driver.mu is held. Those with data points are
// left out.
func (h heardFrames) commands() []heardCommand {
	var all []heardCommand
	for kind, frame := range h {
		if !kind.global && !(kind.cluster == zcl.ClusterTuya && kind.first != 0) {
			all = append(all, heardCommand{kind, bytes.Clone(frame.payload), frame.at})
		}
	}
	slices.SortFunc(all, func(a, b heardCommand) int {
		return cmp.Or(cmp.Compare(a.endpoint, b.endpoint), cmp.Compare(a.cluster, b.cluster),
			cmp.Compare(a.manufacturer, b.manufacturer), cmp.Compare(a.command, b.command), cmp.Compare(bit(a.toClient), bit(b.toClient)))
	})
	return all
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A heardPoint is a Tuya data point as a device last told it.
type heardPoint struct {
	quirks.Point
	at time.Time
}

// points returns all Tuya data points that were told, in order; driver.mu is held.
func (h heardFrames) points() []heardPoint {
	last := map[uint8]heardPoint{}
	for kind, frame := range h {
		if kind.global || kind.cluster != zcl.ClusterTuya || kind.first == 0 {
			continue
		}
		_, points, _ := quirks.ParsePoints(frame.payload) // what could be read before trouble is good
		for _, p := range points {
			if before, known := last[p.ID]; !known || frame.at.After(before.at) {
				p.Data = bytes.Clone(p.Data)
				last[p.ID] = heardPoint{p, frame.at}
			}
		}
	}
	all := make([]heardPoint, 0, len(last))
	for _, p := range last {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b heardPoint) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
