package ezsp

import (
	"context"
	"fmt"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

const (
	// sentTimeout is how long the firmware may try: three times, each as long as a parent keeps a message for a child
	// that sleeps.
	sentTimeout = 30 * time.Second

	// answerGrace is how long the answer to a command may take that has had its effect already.
	answerGrace = 200 * time.Millisecond

	everyEndpoint = 0xff
	profileZDO    = 0
)

// A sending is a message of which the firmware has not yet said what became of it.
type sending struct {
	done     chan sentReport // has room for one
	since    time.Time
	answered bool // the command that sends it
}

// Send implements radio.Radio.
func (r *Radio) Send(ctx context.Context, m radio.Message) error {
	const doing = "sending"
	if !r.inPhase(up) {
		return isDown(doing)
	}
	if m.Profile == profileZDO && m.Cluster == zdo.ClusterPermitJoiningRequest {
		if request, err := zdo.ParsePermitJoiningRequest(m.Data); err == nil && request.Seconds > 0 {
			if err := r.open(ctx); err != nil { // devices that join at a router are let in by us all the same
				return err
			}
		}
	}
	r.mu.Lock()
	payload := r.payload
	r.mu.Unlock()
	one := !m.Group && !m.Address.Broadcast()
	switch {
	case len(m.Data) <= payload && one:
		_, err := r.unicast(ctx, m.Address, apsOf(m), m.Data)
		return err
	case len(m.Data) <= payload:
		return r.flood(ctx, m)
	case one && m.Fragmented:
		return r.sendPieces(ctx, m, payload)
	}
	return &radio.Failure{Class: radio.Refused, Doing: fmt.Sprintf("sending %d bytes, of which %d fit into a message", len(m.Data), payload)}
}

func apsOf(m radio.Message) apsFrame {
	a := apsFrame{
		profile: m.Profile, cluster: m.Cluster, source: m.Local, target: m.Remote, options: apsDiscover | apsDiscoverAddress,
	}
	if m.Acked {
		a.options |= apsRetry
	}
	if m.Discover {
		a.options |= apsForceDiscover
	}
	if m.Group {
		a.group = uint16(m.Address)
		if a.target == 0 {
			a.target = everyEndpoint
		}
	}
	return a
}

// unicast sends to one device and waits until the firmware says what became of it. It returns the sequence number that
// the firmware gave to the message.
func (r *Radio) unicast(ctx context.Context, to radio.NWK, aps apsFrame, data []byte) (sequence uint8, err error) {
	const doing = "sending"
	tag, s, err := r.expect()
	if err != nil {
		return 0, err
	}
	d := r.speaks()
	in, err := r.call(ctx, cmdSendUnicast, d.unicast(to, aps, tag, data))
	if err != nil {
		if classOf(err) != radio.Timeout && ctx.Err() == nil { // else it may have been sent, and the tag is not free
			r.forget(tag, s)
		}
		return 0, err
	}
	if len(in.rest) > 0 { // else see presume
		if taken := d.status(in); !taken.ok() {
			r.forget(tag, s)
			return 0, taken.failure(doing)
		}
	}
	r.mu.Lock()
	s.answered = true
	r.mu.Unlock()
	timer := time.NewTimer(sentTimeout)
	defer timer.Stop()
	select {
	case became := <-s.done:
		if !became.status.ok() {
			return 0, became.status.failure(doing)
		}
		return became.sequence, nil
	case <-timer.C:
		r.forget(tag, s)
		return 0, &radio.Failure{Class: radio.Timeout, Doing: doing + " (the stick does not say what became of it)"}
	case <-ctx.Done():
		return 0, ended(ctx, cmdSendUnicast)
	}
}

// expect takes a tag that no message under way has: a late report must not be taken for another's.
func (r *Radio) expect() (uint16, *sending, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase != up {
		return 0, nil, isDown("sending")
	}
	now, limit := time.Now(), r.dialect.maxTag()
	for range limit {
		if r.tag++; r.tag > limit || r.tag == 0 {
			r.tag = 1
		}
		if old := r.sendings[r.tag]; old == nil || now.Sub(old.since) > 2*sentTimeout {
			s := &sending{done: make(chan sentReport, 1), since: now}
			r.sendings[r.tag] = s
			return r.tag, s, nil
		}
	}
	return 0, nil, &radio.Failure{Class: radio.Busy, Doing: "sending"}
}

func (r *Radio) forget(tag uint16, s *sending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sendings[tag] == s {
		delete(r.sendings, tag)
	}
}

// report takes what the firmware says of a message. It may come before the answer to the command that sent it.
func (r *Radio) report(body []byte) {
	s, ok := r.speaks().sent(body)
	if !ok || s.kind != outgoingDirect {
		return // nobody waits for what became of a broadcast
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if waiting := r.sendings[s.tag]; waiting != nil {
		waiting.done <- s
		delete(r.sendings, s.tag)
		if !waiting.answered {
			r.presume()
		}
	}
}

// presume gives up the answer to the command that sends a message, of which is known already what became: no other
// command shall wait for an answer that is lost. It is empty then. There is one such command at most; the lock is held.
func (r *Radio) presume() {
	for _, q := range r.pending {
		if q.command == cmdSendUnicast {
			time.AfterFunc(answerGrace, func() { r.settle(q, answer{}) })
		}
	}
}

// flood sends to a group or to a broadcast address. It is sent when the firmware has taken it: nobody acknowledges.
func (r *Radio) flood(ctx context.Context, m radio.Message) error {
	tag, s, err := r.expect()
	if err != nil {
		return err
	}
	defer r.forget(tag, s)
	d := r.speaks()
	c, body := cmdSendBroadcast, d.broadcast(m.Address, apsOf(m), m.Radius, tag, m.Data)
	if m.Group {
		c, body = cmdSendMulticast, d.multicast(apsOf(m), m.Radius, tag, m.Data)
	}
	in, err := r.call(ctx, c, body)
	if err != nil {
		return err
	}
	if taken := d.status(in); !taken.ok() {
		return taken.failure("sending")
	}
	return nil
}
