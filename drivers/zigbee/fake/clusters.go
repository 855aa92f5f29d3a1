package fake

import (
	"encoding/binary"
	"slices"
	"time"

	"hearth/drivers/zigbee/zcl"
)

// maxGroups is how many groups an endpoint can be in.
const maxGroups = 16

// command carries out a cluster's own command. answered: the answer is out already; else a default response with the
// status is due.
func (e *endpoint) command(c *cluster, r request) (status zcl.Status, answered bool) {
	if !slices.Contains(taken(c.id), r.frame.Command) {
		return zcl.UnsupportedClusterCommand, false
	}
	a := arguments{b: r.frame.Payload}
	switch c.id {
	case zcl.ClusterBasic:
		e.device.resetValues()
	case zcl.ClusterIdentify:
		return e.identify(r, &a)
	case zcl.ClusterGroups:
		return e.group(r, &a)
	case zcl.ClusterScenes:
		return e.scene(r, &a)
	case zcl.ClusterOnOff:
		e.onOff(r.frame.Command, &a)
	case zcl.ClusterLevelControl:
		e.level(r.frame.Command, &a)
	case zcl.ClusterColorControl:
		e.color(r.frame.Command, &a)
	case zcl.ClusterWindowCovering:
		e.covering(r.frame.Command, &a)
	case zcl.ClusterDoorLock:
		return e.lock(r, &a)
	case zcl.ClusterThermostat:
		return e.thermostat(r, &a)
	case zcl.ClusterIASWD:
		e.warn(r.frame.Command, &a)
	}
	if a.short {
		return zcl.MalformedCommand, false
	}
	return zcl.Success, false
}

// taken are the commands of a cluster that devices here know.
func taken(cluster uint16) []uint8 {
	switch cluster {
	case zcl.ClusterBasic:
		return []uint8{zcl.CmdBasicResetToFactoryDefaults}
	case zcl.ClusterIdentify:
		return []uint8{zcl.CmdIdentifyIdentify, zcl.CmdIdentifyQuery, zcl.CmdIdentifyTriggerEffect}
	case zcl.ClusterGroups:
		return []uint8{0, 1, 2, 3, 4, 5}
	case zcl.ClusterScenes:
		return []uint8{0, 1, 2, 3, 4, 5, 6}
	case zcl.ClusterOnOff:
		return []uint8{0, 1, 2, 0x40, 0x41, 0x42}
	case zcl.ClusterLevelControl:
		return []uint8{0, 1, 2, 3, 4, 5, 6, 7}
	case zcl.ClusterColorControl:
		return []uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x0a, 0x40, 0x43, 0x44, 0x47, 0x4b, 0x4c}
	case zcl.ClusterWindowCovering:
		return []uint8{0, 1, 2, 4, 5, 7, 8}
	case zcl.ClusterDoorLock:
		return []uint8{0, 1, 2, 5, 6, 7, 8}
	case zcl.ClusterThermostat:
		return []uint8{0, 1, 2, 3}
	case zcl.ClusterIASWD:
		return []uint8{zcl.CmdIASWDStartWarning, zcl.CmdIASWDSquawk}
	case zcl.ClusterIASZone:
		return []uint8{zcl.CmdIASZoneEnrollResponse}
	case zcl.ClusterPollControl:
		return []uint8{0, 1, 2, 3}
	}
	return nil
}

// Arguments are a command's payload, read from its front; what is behind its end is 0 and remembered.
type arguments struct {
	b     []byte
	short bool
}

func (a *arguments) take(n int) []byte {
	if len(a.b) < n {
		a.short, a.b = true, nil
		return make([]byte, n)
	}
	taken := a.b[:n]
	a.b = a.b[n:]
	return taken
}

func (a *arguments) uint8() uint8   { return a.take(1)[0] }
func (a *arguments) uint16() uint16 { return binary.LittleEndian.Uint16(a.take(2)) }
func (a *arguments) uint32() uint32 { return binary.LittleEndian.Uint32(a.take(4)) }

// text is a string with its length before it.
func (a *arguments) text() []byte {
	if len(a.b) == 0 {
		return nil
	}
	return a.take(int(a.uint8()))
}

// optional is a byte that old hosts leave off.
func (a *arguments) optional() uint8 {
	if len(a.b) == 0 {
		return 0
	}
	return a.uint8()
}

func (e *endpoint) identify(r request, a *arguments) (zcl.Status, bool) {
	switch r.frame.Command {
	case zcl.CmdIdentifyIdentify:
		seconds := a.uint16()
		if a.short {
			return zcl.MalformedCommand, false
		}
		e.set(zcl.ClusterIdentify, zcl.AttrIdentifyIdentifyTime, float64(seconds))
		e.device.mesh.after(time.Duration(seconds)*time.Second, func() {
			e.set(zcl.ClusterIdentify, zcl.AttrIdentifyIdentifyTime, 0)
		})
	case zcl.CmdIdentifyQuery:
		left := e.number(zcl.ClusterIdentify, zcl.AttrIdentifyIdentifyTime)
		if left == 0 {
			return zcl.Success, true
		}
		r.answer(zcl.ClusterResponse(zcl.CmdIdentifyQueryResponse, binary.LittleEndian.AppendUint16(nil, uint16(left))...))
		return zcl.Success, true
	}
	return zcl.Success, false
}

// group keeps the endpoint's groups (ZCL 3.6). Who asks many for something gets no answers.
func (e *endpoint) group(r request, a *arguments) (zcl.Status, bool) {
	reply := func(command uint8, b ...byte) (zcl.Status, bool) {
		if !r.many() {
			r.answer(zcl.ClusterResponse(command, b...))
		}
		return zcl.Success, true
	}
	switch r.frame.Command {
	case zcl.CmdGroupsGetMembership:
		return reply(zcl.CmdGroupsGetMembershipResponse, e.membership(a)...)
	case zcl.CmdGroupsRemoveAll:
		e.groups = map[uint16]bool{}
		return zcl.Success, false
	}
	id := a.uint16()
	if a.short {
		return zcl.MalformedCommand, false
	}
	status, raw := zcl.Success, binary.LittleEndian.AppendUint16(nil, id)
	switch r.frame.Command {
	case zcl.CmdGroupsAdd:
		switch {
		case e.groups[id]:
			status = zcl.DuplicateExists
		case len(e.groups) >= maxGroups:
			status = zcl.InsufficientSpace
		default:
			e.groups[id] = true
		}
		return reply(zcl.CmdGroupsAddResponse, append([]byte{byte(status)}, raw...)...)
	case zcl.CmdGroupsAddIfIdentifying:
		if e.number(zcl.ClusterIdentify, zcl.AttrIdentifyIdentifyTime) > 0 {
			e.groups[id] = true
		}
		return zcl.Success, false
	}
	if !e.groups[id] {
		status = zcl.NotFound
	}
	if r.frame.Command == zcl.CmdGroupsView {
		return reply(zcl.CmdGroupsViewResponse, append(append([]byte{byte(status)}, raw...), 0)...)
	}
	delete(e.groups, id)
	return reply(zcl.CmdGroupsRemoveResponse, append([]byte{byte(status)}, raw...)...)
}

// membership lists the groups that are asked for, all if none is named.
func (e *endpoint) membership(a *arguments) []byte {
	asked := map[uint16]bool{}
	for range a.uint8() {
		asked[a.uint16()] = true
	}
	var ids []uint16
	for id := range e.groups {
		if len(asked) == 0 || asked[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	b := []byte{byte(maxGroups - len(e.groups)), byte(len(ids))}
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint16(b, id)
	}
	return b
}

// Groups are those that the endpoint is in.
func (d *Device) Groups(endpoint uint8) (ids []uint16) {
	d.mesh.do(func() {
		if e := d.endpoint(endpoint); e != nil {
			for id := range e.groups {
				ids = append(ids, id)
			}
			slices.Sort(ids)
		}
	})
	return ids
}

// written takes what a host has written into an attribute.
func (e *endpoint) written(a *attribute, v zcl.Value) {
	e.device.assign(a, v)
	if a.cluster.id == zcl.ClusterThermostat {
		e.heat()
	}
}

// warn keeps a siren going for as long as it was told to; nothing in its attributes shows that.
func (e *endpoint) warn(command uint8, a *arguments) {
	a.uint8() // mode, strobe and loudness
	if command == zcl.CmdIASWDStartWarning {
		seconds := a.uint16()
		e.warning = time.Now().Add(time.Duration(seconds) * time.Second)
	}
}

// Warning reports whether the endpoint's siren sounds.
func (d *Device) Warning(endpoint uint8) (sounds bool) {
	d.mesh.do(func() {
		if e := d.endpoint(endpoint); e != nil {
			sounds = time.Now().Before(e.warning)
		}
	})
	return sounds
}
