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

	// presumedTimeout is the same for a message of which it is not known whether the firmware has taken it: the answer to
	// the command that sends it is lost.
	presumedTimeout = 2 * time.Second

	everyEndpoint = 0xff
	profileZDO    = 0
)

// A sending is a message of which the firmware has not yet said what became of it.
type sending struct {
	done  chan sentReport // has room for one
	since time.Time
}

// Send implements radio.Radio.
func (r *Radio) Send(ctx context.Context, m radio.Message) error {
	const doing = "sending"
	if !r.inPhase(up) {
		return isDown(doing)
	}
	if m.Profile == profileZDO && m.Cluster == zdo.ClusterPermitJoiningRequest {
		if err := r.permitAtRouters(ctx, m.Data); err != nil {
			return err
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
	patience := sentTimeout
	switch {
	case classOf(err) == radio.Timeout:
		patience = presumedTimeout
	case err != nil:
		if ctx.Err() == nil { // else it may have been sent, and the tag is not free
			r.forget(tag, s)
		}
		return 0, err
	default:
		if taken := d.status(in); !taken.ok() {
			r.forget(tag, s)
			return 0, taken.failure(doing)
		}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case became := <-s.done:
		if !became.status.ok() {
			return 0, became.status.failure(doing)
		}
		return became.sequence, nil
	case <-timer.C:
		if patience == sentTimeout { // else the tag is not free
			r.forget(tag, s)
		}
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
