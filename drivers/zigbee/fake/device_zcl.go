package fake

import (
	"hearth/drivers/zigbee/zcl"
)

// replyRoom is how many bytes of answer go into one frame of the air.
const replyRoom = 74

// handle answers a frame as the standard has it: foundation commands, the cluster's own, and a default response where
// nothing else was said (ZCL 2.5.12).
func (e *endpoint) handle(r request) {
	if r.frame.ToClient {
		e.handleClient(r)
		return
	}
	c := e.cluster(r.packet.cluster)
	if c == nil {
		e.status(r, zcl.UnsupportedCluster)
		return
	}
	if r.frame.Global {
		e.foundation(c, r)
		return
	}
	if r.frame.Manufacturer != 0 {
		e.status(r, zcl.UnsupportedMakerCommand)
		return
	}
	status, answered := e.command(c, r)
	if !answered {
		e.status(r, status)
	}
}

// handleClient takes what a server, as which the host acts, says to the device's client side: answers end here.
func (e *endpoint) handleClient(r request) {
	if r.frame.Global && (r.frame.Command == zcl.CommandReportAttributes || r.frame.Command == zcl.CommandReadAttributes) {
		e.status(r, zcl.UnsupportedCluster)
	}
}

// status sends a default response, if one is due.
func (e *endpoint) status(r request, s zcl.Status) {
	if r.many() || r.frame.NoDefaultResponse && s == zcl.Success || r.frame.Global && r.frame.Command == zcl.CommandDefaultResponse {
		return
	}
	r.answer(zcl.DefaultResponse(r.frame.Command, s))
}

// foundation carries out the commands that all clusters have.
func (e *endpoint) foundation(c *cluster, r request) {
	f := r.frame
	switch f.Command {
	case zcl.CommandReadAttributes:
		e.readAttributes(c, r)
	case zcl.CommandWriteAttributes, zcl.CommandWriteAttributesUndivided, zcl.CommandWriteAttributesNoResponse:
		e.writeAttributes(c, r)
	case zcl.CommandConfigureReporting:
		e.configureReporting(c, r)
	case zcl.CommandReadReportingConfiguration:
		e.readReporting(c, r)
	case zcl.CommandDiscoverAttributes, zcl.CommandDiscoverAttributesExtended:
		e.discoverAttributes(c, r)
	case zcl.CommandDiscoverCommandsReceived, zcl.CommandDiscoverCommandsGenerated:
		e.discoverCommands(c, r)
	case zcl.CommandDefaultResponse, zcl.CommandReadAttributesResponse, zcl.CommandWriteAttributesResponse, zcl.CommandReportAttributes:
	default:
		e.status(r, zcl.UnsupportedGeneralCommand)
	}
}

// readAttributes answers with what has room in one frame: the rest must be asked for again (ZCL 2.5.1.3).
func (e *endpoint) readAttributes(c *cluster, r request) {
	ids, err := zcl.ParseReadAttributes(r.frame.Payload)
	if err != nil {
		e.status(r, zcl.MalformedCommand)
		return
	}
	if r.many() {
		return
	}
	var results []zcl.AttributeResult
	room := replyRoom
	for _, id := range ids {
		result := zcl.AttributeResult{ID: id, Status: zcl.UnsupportedAttribute}
		if a := c.attribute(r.frame.Manufacturer, id); a != nil {
			result.Status, result.Value = zcl.Success, a.value
		}
		room -= len(zcl.ReadAttributesResponse(result).Payload)
		if room < 0 && len(results) > 0 {
			break
		}
		results = append(results, result)
	}
	r.answer(zcl.ReadAttributesResponse(results...))
}

func (e *endpoint) writeAttributes(c *cluster, r request) {
	list, err := zcl.ParseWriteAttributes(r.frame.Payload)
	if err != nil {
		e.status(r, zcl.MalformedCommand)
		return
	}
	statuses := make([]zcl.AttributeStatus, 0, len(list))
	failed := false
	for _, w := range list {
		s := zcl.AttributeStatus{ID: w.ID, Status: writable(c.attribute(r.frame.Manufacturer, w.ID), w.Value)}
		failed = failed || s.Status != zcl.Success
		statuses = append(statuses, s)
	}
	for i, w := range list {
		if statuses[i].Status == zcl.Success && (!failed || r.frame.Command != zcl.CommandWriteAttributesUndivided) {
			e.written(c.attribute(r.frame.Manufacturer, w.ID), w.Value)
		}
	}
	if r.frame.Command != zcl.CommandWriteAttributesNoResponse && !r.many() {
		r.answer(zcl.WriteAttributesResponse(statuses...))
	}
}

func writable(a *attribute, v zcl.Value) zcl.Status {
	switch {
	case a == nil:
		return zcl.UnsupportedAttribute
	case !a.writable:
		return zcl.ReadOnly
	case a.value.Type != v.Type:
		return zcl.InvalidDataType
	}
	return zcl.Success
}

// discoverAttributes lists those of the manufacturer that was asked for.
func (e *endpoint) discoverAttributes(c *cluster, r request) {
	start, most, err := zcl.ParseDiscoverAttributes(r.frame.Payload)
	if err != nil {
		e.status(r, zcl.MalformedCommand)
		return
	}
	var infos []zcl.AttributeInfo
	complete := true
	for _, a := range c.attributes {
		if a.manufacturer != r.frame.Manufacturer || a.id < start {
			continue
		}
		if len(infos) == min(int(most), replyRoom/4) {
			complete = false
			break
		}
		access := zcl.Readable
		if a.writable {
			access |= zcl.Writable
		}
		if !c.model.NoReporting {
			access |= zcl.Reportable
		}
		infos = append(infos, zcl.AttributeInfo{ID: a.id, Type: a.value.Type, Access: access})
	}
	if r.frame.Command == zcl.CommandDiscoverAttributesExtended {
		r.answer(zcl.DiscoverAttributesExtendedResponse(complete, infos...))
		return
	}
	r.answer(zcl.DiscoverAttributesResponse(complete, infos...))
}

func (e *endpoint) discoverCommands(c *cluster, r request) {
	start, most, err := zcl.ParseDiscoverCommands(r.frame.Payload)
	if err != nil {
		e.status(r, zcl.MalformedCommand)
		return
	}
	if r.frame.Command == zcl.CommandDiscoverCommandsGenerated {
		r.answer(zcl.DiscoverCommandsGeneratedResponse(true))
		return
	}
	var ids []uint8
	complete := true
	for _, id := range taken(c.id) {
		if id < start {
			continue
		}
		if len(ids) == int(most) {
			complete = false
			break
		}
		ids = append(ids, id)
	}
	r.answer(zcl.DiscoverCommandsReceivedResponse(complete, ids...))
}
