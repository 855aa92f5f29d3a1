package expose

import (
	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// covering is the Window Covering cluster (ZCL 7.4). On the air 100 % is closed, in the house open.
type covering struct {
	endpoint                 uint8
	position, tilt, movement *slot
}

func buildCovering(b *builder, e Endpoint) {
	const cluster = zcl.ClusterWindowCovering
	b.ask(e.ID, cluster, zcl.AttrWindowCoveringWindowCoveringType, zcl.AttrWindowCoveringConfigStatus)
	b.askPresence(e.ID, cluster, zcl.AttrWindowCoveringCurrentPositionLiftPercentage, zcl.AttrWindowCoveringCurrentPositionTiltPercentage)
	lifts, tilts := coverMoves(int(b.factOr(e.ID, cluster, zcl.AttrWindowCoveringWindowCoveringType, 0)))
	c := &covering{endpoint: e.ID}
	if b.offers(e.ID, cluster, zcl.AttrWindowCoveringCurrentPositionLiftPercentage, true) && lifts {
		c.position = b.slot(e.ID, word("position").AsWritable())
		b.reads(e.ID, cluster, zcl.AttrWindowCoveringCurrentPositionLiftPercentage, c.position, openPercent)
		b.report(c.position, cluster, zcl.AttrWindowCoveringCurrentPositionLiftPercentage, soon())
	}
	if b.has(e.ID, cluster, zcl.AttrWindowCoveringCurrentPositionTiltPercentage) && tilts {
		c.tilt = b.slot(e.ID, word("tilt").AsWritable())
		b.reads(e.ID, cluster, zcl.AttrWindowCoveringCurrentPositionTiltPercentage, c.tilt, openPercent)
		b.report(c.tilt, cluster, zcl.AttrWindowCoveringCurrentPositionTiltPercentage, soon())
	}
	c.movement = b.slot(e.ID, word("movement"))
	b.bind(e.ID, cluster)
	b.act(c.carry, c.position, c.tilt, c.movement)
}

// coverMoves says what a WindowCoveringType can do (ZCL 7.4.2.1.2.1); of one that is not known, everything.
func coverMoves(covering int) (lifts, tilts bool) {
	const drapery, awning, shutter, tiltBlind, blind, screen = 4, 5, 6, 7, 8, 9
	switch covering {
	case drapery, awning, screen:
		return true, false
	case shutter, tiltBlind:
		return false, true
	case blind:
		return true, true
	}
	return true, true
}

func openPercent(v zcl.Value) hearth.Value {
	n, ok := v.Number()
	if !ok {
		return hearth.Value{}
	}
	return hearth.NumberOf(100 - n)
}

func (c *covering) carry(w wish) ([]Request, error) {
	position, lifts := w.of(c.position)
	tilt, tilts := w.of(c.tilt)
	movement, moves := w.of(c.movement)
	if moves && (lifts || tilts) {
		return nil, hearth.Errorf(hearth.CodeBadValue, "a cover goes to a position or moves until it is stopped: give position and tilt, or movement")
	}
	var requests []Request
	if lifts {
		requests = append(requests, c.request(zcl.CmdWindowCoveringGoToLiftPercentage, closedPercent(position)))
	}
	if tilts {
		requests = append(requests, c.request(zcl.CmdWindowCoveringGoToTiltPercentage, closedPercent(tilt)))
	}
	if moves {
		command := map[string]uint8{
			"open": zcl.CmdWindowCoveringUpOpen, "close": zcl.CmdWindowCoveringDownClose, "stop": zcl.CmdWindowCoveringStop,
		}[movement.Text()]
		requests = append(requests, c.request(command))
	}
	return requests, nil
}

func closedPercent(open hearth.Value) byte { return byte(rounded(100-open.Number(), 0)) }

func (c *covering) request(command uint8, payload ...byte) Request {
	r := Request{Endpoint: c.endpoint, Cluster: zcl.ClusterWindowCovering, Frame: zcl.ClusterCommand(command, payload...), Answer: true}
	read := Read{Endpoint: c.endpoint, Cluster: zcl.ClusterWindowCovering}
	if c.position != nil {
		read.Attributes = append(read.Attributes, zcl.AttrWindowCoveringCurrentPositionLiftPercentage)
	}
	if c.tilt != nil {
		read.Attributes = append(read.Attributes, zcl.AttrWindowCoveringCurrentPositionTiltPercentage)
	}
	if len(read.Attributes) > 0 {
		r.Confirm = []Read{read}
	}
	return r
}
