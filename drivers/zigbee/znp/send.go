package znp

import (
	"context"
	"time"

	"hearth/drivers/zigbee/radio"
)

// How a message is addressed (afAddrMode_t).
const (
	toGroup     = 1
	toAddress   = 2
	toBroadcast = 15
)

const (
	optionAcknowledge = 0x10

	defaultRadius = 30
	mostPlain     = maxData - 10 // bytes that fit into AF_DATA_REQUEST
	mostExtended  = maxData - 20 // and into AF_DATA_REQUEST_EXT
	unfragmented  = 80           // what surely goes over the air in one piece
	longestSent   = 2048
	storePiece    = 240
)

const (
	confirmTimeout = 10 * time.Second // a parent keeps a message for a sleeping child for 7.68 s
	ackTimeout     = 15 * time.Second // the device's acknowledgement is waited for several times
	groupTimeout   = time.Second      // not all firmware confirms what goes to many
	unheardTimeout = time.Second      // when the answer was lost, and maybe the request
)

// Send implements radio.Radio.
func (r *Radio) Send(ctx context.Context, m radio.Message) error {
	if r.state.Load() != stateUp {
		return &radio.Failure{Class: radio.Down, Doing: "sending"}
	}
	if m.Profile == 0 {
		return r.judge(ctx, r.sendZDO(ctx, m))
	}
	if len(m.Data) > longestSent {
		return &radio.Failure{Class: radio.Refused, Doing: "sending more than fits into a message"}
	}
	leave, err := r.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if m.Discover && !m.Group && !m.Address.Broadcast() {
		if err := r.discover(ctx, m.Address); err != nil {
			return r.judge(ctx, err)
		}
	}
	err = r.fly(ctx, m)
	if !m.Group && !m.Address.Broadcast() {
		r.mindExpired(ctx, m.Address, err)
	}
	return r.judge(ctx, err)
}

// enter waits for a place among the messages that the firmware can have at once.
func (r *Radio) enter(ctx context.Context) (leave func(), err error) {
	places := r.firmware.Load().places
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, gaveUp(ctx, radio.Busy, "waiting to send")
	case <-r.link.down:
		return nil, &radio.Failure{Class: radio.Down, Doing: "sending"}
	}
}

// fly hands a message to the firmware and waits for what became of it.
func (r *Radio) fly(ctx context.Context, m radio.Message) error {
	local := m.Local
	if local == 0 {
		local = endpointOf(m.Profile)
	}
	flight := r.flights.start(local)
	if flight == nil {
		return &radio.Failure{Class: radio.Busy, Doing: "sending: too many messages are not confirmed"}
	}
	unheard := r.handOver(ctx, m, flight)
	if unheard != nil && !timedOut(unheard) {
		r.flights.cancel(flight)
		return unheard
	}
	many := m.Group || m.Address.Broadcast()
	timeout := confirmTimeout
	switch {
	case unheard != nil:
		timeout = unheardTimeout
	case many && !m.Group:
		timeout = 0
	case m.Group:
		timeout = groupTimeout
	case m.Acked || len(m.Data) > unfragmented:
		timeout = ackTimeout
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-flight.landed:
		return flight.result()
	case <-timer.C:
		r.flights.abandon(flight)
		if unheard == nil && !many {
			return &radio.Failure{Class: radio.Timeout, Doing: "waiting for AF_DATA_CONFIRM"}
		}
		return unheard
	case <-ctx.Done():
		r.flights.abandon(flight)
		return gaveUp(ctx, radio.Timeout, "waiting for AF_DATA_CONFIRM")
	}
}

// handOver gives a message to the firmware. When the answer to that is lost, the message may be under way all the same.
func (r *Radio) handOver(ctx context.Context, m radio.Message, f *flight) error {
	options := byte(0)
	if m.Acked || m.Fragmented && len(m.Data) > unfragmented {
		options = optionAcknowledge
	}
	radius := m.Radius
	if radius == 0 {
		radius = defaultRadius
	}
	tail := []byte{f.endpoint, byte(m.Cluster), byte(m.Cluster >> 8), f.id, options, radius}
	if !m.Group && !m.Address.Broadcast() && len(m.Data) <= mostPlain && !r.notPlain.Load() {
		b := append(appendNWK(nil, m.Address), m.Remote)
		b = append(append(b, tail...), byte(len(m.Data)))
		err := r.accepted(ctx, call{command: afRequest, data: append(b, m.Data...), overtaken: f.landed})
		if !rejected(err) {
			return err
		}
		r.notPlain.Store(true)
	}
	mode, remote := byte(toAddress), m.Remote
	switch {
	case m.Group:
		mode, remote = toGroup, 0xff
	case m.Address.Broadcast():
		mode = toBroadcast
	}
	b := append(appendNWK([]byte{mode}, m.Address), 0, 0, 0, 0, 0, 0, remote, 0, 0)
	b = append16(append(b, tail...), uint16(len(m.Data)))
	if len(m.Data) > mostExtended {
		return r.store(ctx, b, m.Data, f)
	}
	return r.accepted(ctx, call{command: afRequestExt, data: append(b, m.Data...), overtaken: f.landed})
}

// store hands a message over that does not fit into one frame: its header, pieces of its data, and an empty piece that
// sends it.
func (r *Radio) store(ctx context.Context, header, data []byte, f *flight) error {
	r.storing.Lock()
	defer r.storing.Unlock()
	if err := r.accepted(ctx, call{command: afRequestExt, data: header}); err != nil {
		return err
	}
	for at := 0; at < len(data); at += storePiece {
		piece := data[at:min(at+storePiece, len(data))]
		b := append(append16(nil, uint16(at)), byte(len(piece)))
		if err := r.accepted(ctx, call{command: afStore, data: append(b, piece...), tries: idempotentTries}); err != nil {
			return err
		}
	}
	return r.accepted(ctx, call{command: afStore, data: append(append16(nil, uint16(len(data))), 0), overtaken: f.landed})
}

// accepted makes a request that is answered with a status.
func (r *Radio) accepted(ctx context.Context, c call) error {
	answer, err := r.link.ask(ctx, c)
	if err != nil {
		return err
	}
	if len(answer) < 1 {
		return &radio.Failure{Class: radio.Refused, Doing: c.command.String() + " (empty answer)"}
	}
	if answer[0] != statusSuccess {
		return refusal(c.command, answer[0])
	}
	return nil
}

const (
	routeFound    = 1300 * time.Millisecond // how long a discovery takes
	routePolled   = 150 * time.Millisecond
	routeActive   = 1
	routeToMany   = 0x01
	routeNotSaved = 0x02
)

// discover looks for a route and waits until there is one, or there would be. Where that is not to be had the message
// goes without.
func (r *Radio) discover(ctx context.Context, to radio.NWK) error {
	if !r.firmware.Load().extended() {
		return nil // in 3.0.x it does more harm than good
	}
	err := r.accepted(ctx, call{command: zdoDiscoverRoute, data: append(appendNWK(nil, to), 0, defaultRadius)})
	switch {
	case refused(err):
		return nil
	case err != nil:
		return err
	}
	poll := time.NewTicker(routePolled)
	defer poll.Stop()
	checks := true
	for end := time.Now().Add(routeFound); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return gaveUp(ctx, radio.NoRoute, "looking for a route")
		case <-poll.C:
		}
		if !checks {
			continue
		}
		err := r.accepted(ctx, call{command: zdoCheckRoute, data: append(appendNWK(nil, to), routeActive, routeToMany|routeNotSaved)})
		if err == nil {
			return nil
		}
		checks = !rejected(err)
	}
	return nil
}

// judge looks at a failure: one that says that the network is not started may be all that was heard of a restart.
func (r *Radio) judge(ctx context.Context, err error) error {
	f, ok := failureOf(err)
	if ok && f.Status == statusNotConnected && r.state.Load() == stateUp {
		if info, unknown := r.deviceInfo(ctx); unknown == nil && info.state != deviceCoordinator {
			r.down("the network on the stick is not started any more")
		}
	}
	return err
}
