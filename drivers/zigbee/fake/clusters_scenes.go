package fake

import (
	"encoding/binary"
	"slices"

	"hearth/drivers/zigbee/zcl"
)

// maxScenes is how many scenes an endpoint can keep.
const maxScenes = 16

type sceneKey struct {
	group uint16
	id    uint8
}

// A scene is what attributes shall be when it is recalled. seconds is its transition time.
type scene struct {
	name    []byte
	seconds uint16
	values  []sceneValue
}

type sceneValue struct {
	cluster, attribute uint16
	number             float64
}

// kept are the attributes that a scene holds, in the order of the extension field sets (ZCL 3.7.2.4.2).
func kept() []struct {
	cluster, attribute uint16
	size               int
} {
	return []struct {
		cluster, attribute uint16
		size               int
	}{
		{zcl.ClusterOnOff, zcl.AttrOnOffOnOff, 1},
		{zcl.ClusterLevelControl, zcl.AttrLevelControlCurrentLevel, 1},
		{zcl.ClusterColorControl, zcl.AttrColorControlCurrentX, 2},
		{zcl.ClusterColorControl, zcl.AttrColorControlCurrentY, 2},
		{zcl.ClusterColorControl, zcl.AttrColorControlEnhancedCurrentHue, 2},
		{zcl.ClusterColorControl, zcl.AttrColorControlCurrentSaturation, 1},
		{zcl.ClusterColorControl, zcl.AttrColorControlColorLoopActive, 1},
		{zcl.ClusterColorControl, zcl.AttrColorControlColorLoopDirection, 1},
		{zcl.ClusterColorControl, zcl.AttrColorControlColorLoopTime, 2},
		{zcl.ClusterColorControl, zcl.AttrColorControlColorTemperatureMireds, 2},
		{zcl.ClusterWindowCovering, zcl.AttrWindowCoveringCurrentPositionLiftPercentage, 1},
		{zcl.ClusterWindowCovering, zcl.AttrWindowCoveringCurrentPositionTiltPercentage, 1},
	}
}

// scene keeps the endpoint's scenes (ZCL 3.7).
func (e *endpoint) scene(r request, a *arguments) (zcl.Status, bool) {
	group := a.uint16()
	if r.frame.Command == zcl.CmdScenesGetMembership || r.frame.Command == zcl.CmdScenesRemoveAll {
		return e.sceneList(r, a, group)
	}
	key := sceneKey{group, a.uint8()}
	if a.short {
		return zcl.MalformedCommand, false
	}
	status, kept := zcl.Success, e.scenes[key]
	_, there := e.scenes[key]
	switch r.frame.Command {
	case zcl.CmdScenesAdd, zcl.CmdScenesStore:
		switch {
		case group != 0 && !e.groups[group]:
			status = zcl.InvalidField
		case !there && len(e.scenes) >= maxScenes:
			status = zcl.InsufficientSpace
		case r.frame.Command == zcl.CmdScenesAdd:
			seconds, name := a.uint16(), a.text()
			e.scenes[key] = scene{name: slices.Clone(name), seconds: seconds, values: parseFields(a.b)}
		default:
			kept.values = e.snapshot()
			e.scenes[key] = kept
		}
	case zcl.CmdScenesRecall:
		if !there {
			return zcl.NotFound, false
		}
		for _, v := range kept.values {
			e.set(v.cluster, v.attribute, v.number)
		}
		return zcl.Success, false
	default:
		if !there {
			status = zcl.NotFound
		}
	}
	if r.frame.Command == zcl.CmdScenesRemove {
		delete(e.scenes, key)
	}
	e.set(zcl.ClusterScenes, zcl.AttrScenesSceneCount, float64(len(e.scenes)))
	if r.many() {
		return zcl.Success, true
	}
	b := append(binary.LittleEndian.AppendUint16([]byte{byte(status)}, group), key.id)
	if r.frame.Command == zcl.CmdScenesView && there {
		b = binary.LittleEndian.AppendUint16(b, kept.seconds)
		b = append(append(b, byte(len(kept.name))), kept.name...)
		b = appendFields(b, kept.values)
	}
	r.answer(zcl.ClusterResponse(r.frame.Command, b...))
	return zcl.Success, true
}

// sceneList answers about all scenes of a group.
func (e *endpoint) sceneList(r request, a *arguments, group uint16) (zcl.Status, bool) {
	if a.short {
		return zcl.MalformedCommand, false
	}
	var ids []byte
	for key := range e.scenes {
		if key.group == group {
			ids = append(ids, key.id)
		}
	}
	slices.Sort(ids)
	if r.frame.Command == zcl.CmdScenesRemoveAll {
		for _, id := range ids {
			delete(e.scenes, sceneKey{group, id})
		}
		e.set(zcl.ClusterScenes, zcl.AttrScenesSceneCount, float64(len(e.scenes)))
		if !r.many() {
			r.answer(zcl.ClusterResponse(zcl.CmdScenesRemoveAllResponse, binary.LittleEndian.AppendUint16([]byte{0}, group)...))
		}
		return zcl.Success, true
	}
	if r.many() {
		return zcl.Success, true
	}
	b := binary.LittleEndian.AppendUint16([]byte{0, byte(maxScenes - len(e.scenes))}, group)
	r.answer(zcl.ClusterResponse(zcl.CmdScenesGetMembershipResponse, append(append(b, byte(len(ids))), ids...)...))
	return zcl.Success, true
}

func (e *endpoint) snapshot() (values []sceneValue) {
	for _, k := range kept() {
		if e.attribute(k.cluster, 0, k.attribute) != nil {
			values = append(values, sceneValue{k.cluster, k.attribute, e.number(k.cluster, k.attribute)})
		}
	}
	return values
}

// parseFields reads extension field sets: cluster, length, and that cluster's attributes in their fixed order, maybe not
// all of them.
func parseFields(b []byte) (values []sceneValue) {
	for len(b) >= 3 {
		cluster, length := binary.LittleEndian.Uint16(b), int(b[2])
		b = b[3:]
		length = min(length, len(b))
		a := arguments{b: b[:length]}
		b = b[length:]
		for _, k := range kept() {
			if k.cluster != cluster || len(a.b) < k.size {
				continue
			}
			n := float64(a.take(1)[0])
			if k.size == 2 {
				n += 256 * float64(a.take(1)[0])
			}
			values = append(values, sceneValue{k.cluster, k.attribute, n})
		}
	}
	return values
}

func appendFields(b []byte, values []sceneValue) []byte {
	fields := map[uint16][]byte{}
	var order []uint16
	for _, k := range kept() {
		for _, v := range values {
			if v.cluster != k.cluster || v.attribute != k.attribute {
				continue
			}
			if fields[k.cluster] == nil {
				order = append(order, k.cluster)
			}
			fields[k.cluster] = append(fields[k.cluster], byte(v.number))
			if k.size == 2 {
				fields[k.cluster] = append(fields[k.cluster], byte(int(v.number)>>8))
			}
		}
	}
	for _, cluster := range order {
		b = append(binary.LittleEndian.AppendUint16(b, cluster), byte(len(fields[cluster])))
		b = append(b, fields[cluster]...)
	}
	return b
}
