package fake

import (
	"slices"
	"time"

	"hearth/drivers/zigbee/radio"
)

// The firmware leaves fragments to its host: a block is a message of its own with the option set, its number in the low
// byte of the group id, how many there are in the high one.

// Figures of incoming fragments.
const (
	fragmentSize    = 70
	fragmentTries   = 3
	fragmentTimeout = 1600 * time.Millisecond
)

// An ezspFragmentID tells what fragments belong together.
type ezspFragmentID struct {
	node     radio.NWK
	sequence uint8
}

// ezspFragments are the blocks of one message so far.
type ezspFragments struct {
	blocks [][]byte
	missed int
}

// sendFragment takes a block from the host. The message goes to the air when all of them are there.
func (e *ezsp) sendFragment(c *ezspCall, o ezspOutgoing, node radio.NWK) {
	block, of := int(o.aps.groupID&0xff), int(o.aps.groupID>>8)
	if block == 0 && of > 0 {
		o.aps.sequence = e.apsSequence()
		e.fragments[ezspFragmentID{node, o.aps.sequence}] = &ezspFragments{blocks: make([][]byte, of), missed: of}
	}
	id := ezspFragmentID{node, o.aps.sequence}
	f := e.fragments[id]
	if f == nil || block >= len(f.blocks) {
		c.accepted(statusInvalidParameter, 0)
		return
	}
	c.accepted(statusOK, o.aps.sequence)
	if f.blocks[block] == nil {
		f.missed--
	}
	f.blocks[block] = append([]byte{}, o.data...)
	if f.missed > 0 {
		e.later(func() { e.messageSent(o, statusOK) })
		return
	}
	delete(e.fragments, id)
	e.transmit(o, node, slices.Concat(f.blocks...))
}

// receiveFragments gives the host a long message in blocks, the next when it has replied to one.
func (e *ezsp) receiveFragments(aps ezspAPS, m radio.Message, device radio.IEEE) {
	id := ezspFragmentID{m.Address, aps.sequence}
	if e.incomingFragments[id] != nil {
		return // the device repeats it
	}
	f := &ezspFragments{blocks: slices.Collect(slices.Chunk(m.Data, fragmentSize))}
	e.incomingFragments[id] = &ezspIncomingFragments{ezspFragments: f, aps: aps, message: m, device: device}
	e.nextFragment(id)
}

// ezspIncomingFragments are a long message on its way to the host.
type ezspIncomingFragments struct {
	*ezspFragments
	aps     ezspAPS
	message radio.Message
	device  radio.IEEE
	block   int
	tries   int
	retry   *event
}

func (e *ezsp) nextFragment(id ezspFragmentID) {
	f := e.incomingFragments[id]
	e.stick.mesh.stop(f.retry)
	if f.block >= len(f.blocks) || f.tries >= fragmentTries {
		delete(e.incomingFragments, id)
		return
	}
	f.tries++
	aps, m := f.aps, f.message
	aps.options |= apsFragment
	aps.groupID = uint16(f.block)
	if f.block == 0 {
		aps.groupID |= uint16(len(f.blocks)) << 8
	}
	m.Data = f.blocks[f.block]
	e.deliver(incomingUnicast, aps, m, f.device)
	f.retry = e.stick.after(fragmentTimeout, func() { e.nextFragment(id) })
}

// sendReply acknowledges a block.
func (e *ezsp) sendReply(c *ezspCall) {
	node, aps := radio.NWK(c.in.u16()), c.in.aps()
	c.in.counted()
	id := ezspFragmentID{node, aps.sequence}
	f := e.incomingFragments[id]
	if f == nil || aps.options&apsFragment == 0 {
		c.out.status(statusInvalidState)
		return
	}
	c.out.status(statusOK)
	if int(aps.groupID&0xff) == f.block {
		f.block, f.tries = f.block+1, 0
		e.later(func() {
			if e.incomingFragments[id] == f {
				e.nextFragment(id)
			}
		})
	}
}
