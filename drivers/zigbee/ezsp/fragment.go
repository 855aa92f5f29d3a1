package ezsp

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hearth/drivers/zigbee/radio"
)

// Long messages are taken apart and put together by the host: the firmware sends and receives their fragments one by one.
// The group field of the APS frame then holds the fragment's index, and how many there are in its high byte. The window
// is one fragment, as configured: each is acknowledged before the next.

const (
	maxFragments = 0xff

	maxAssembling   = 8                // messages that come in fragments at the same time; the oldest gives way
	maxAssembled    = 4096             // bytes of one
	assemblyTimeout = 30 * time.Second // since its last fragment
)

// sendPieces sends a message in fragments that each have no more than size bytes.
func (r *Radio) sendPieces(ctx context.Context, m radio.Message, size int) error {
	const fragmentHeader = 2
	pieces := slices.Collect(slices.Chunk(m.Data, max(size-fragmentHeader, 1)))
	if len(pieces) > maxFragments {
		return &radio.Failure{Class: radio.Refused, Doing: fmt.Sprintf("sending %d bytes: that is too long even for fragments", len(m.Data))}
	}
	aps := apsOf(m)
	aps.options |= apsFragment | apsRetry
	for n, piece := range pieces {
		aps.group = uint16(len(pieces))<<8 | uint16(n)
		sequence, err := r.unicast(ctx, m.Address, aps, piece)
		if err != nil {
			return err
		}
		aps.sequence = sequence // the first fragment's is that of all
	}
	return nil
}

// An assembly puts together what comes in fragments.
type assembly struct{ messages []*partial }

type partial struct {
	sender   radio.NWK
	aps      apsFrame
	total    int // fragments
	next     int // fragment
	data     []byte
	heard    time.Time
	complete bool
}

// add takes a fragment. It returns the whole message with its last one, and whether the fragment shall be acknowledged.
func (a *assembly) add(m arrival, now time.Time) (whole []byte, acknowledge bool) {
	index, total := int(m.aps.group&0xff), int(m.aps.group>>8)
	a.messages = slices.DeleteFunc(a.messages, func(p *partial) bool { return now.Sub(p.heard) > assemblyTimeout })
	at := slices.IndexFunc(a.messages, func(p *partial) bool {
		return p.sender == m.sender && p.aps.sequence == m.aps.sequence && p.aps.cluster == m.aps.cluster && p.aps.source == m.aps.source
	})
	if at < 0 {
		if index != 0 || total == 0 {
			return nil, false
		}
		if len(a.messages) == maxAssembling {
			a.messages = a.messages[1:]
		}
		at = len(a.messages)
		a.messages = append(a.messages, &partial{sender: m.sender, aps: m.aps, total: total})
	}
	p := a.messages[at]
	p.heard = now
	switch {
	case index < p.next: // our acknowledgement was lost
		return nil, true
	case index > p.next || len(p.data)+len(m.data) > maxAssembled:
		return nil, false
	}
	p.data = append(p.data, m.data...)
	p.next++
	if p.next == p.total && !p.complete {
		p.complete = true // it stays for a while, for fragments that come again
		whole, p.data = p.data, nil
		return whole, true
	}
	return nil, true
}

// acknowledge tells the sender that a fragment has arrived.
func (r *Radio) acknowledge(m arrival) {
	const allOfTheWindow = 0xff00
	aps := m.aps
	aps.group = allOfTheWindow | m.aps.group&0xff
	body := putCounted(aps.append(put16(nil, uint16(m.sender))), nil)
	r.later("acknowledging a fragment", func(ctx context.Context) error { return r.do(ctx, cmdSendReply, body) })
}
