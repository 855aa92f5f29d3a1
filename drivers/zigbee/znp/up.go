package znp

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
)

// Up implements radio.Radio.
func (r *Radio) Up(ctx context.Context, plan radio.Plan) (radio.Network, error) {
	if state := r.state.Load(); state < stateConnected || !r.state.CompareAndSwap(state, stateStarting) {
		return radio.Network{}, &radio.Failure{Class: radio.Down, Doing: "starting a network before the stick is connected"}
	}
	n, err := r.up(ctx, plan)
	if err == nil && !r.state.CompareAndSwap(stateStarting, stateUp) {
		err = &radio.Failure{Class: radio.Down, Doing: "starting the network: the stick restarted"}
	}
	if err != nil {
		r.state.CompareAndSwap(stateStarting, stateConnected)
		return radio.Network{}, err
	}
	return n, nil
}

func (r *Radio) up(ctx context.Context, plan radio.Plan) (radio.Network, error) {
	var err error
	switch {
	case plan.Restore != nil:
		err = r.restore(ctx, *plan.Restore)
	case plan.Form != nil:
		err = r.form(ctx, *plan.Form)
	default:
		err = r.resume(ctx)
	}
	if err != nil {
		return radio.Network{}, err
	}
	if err := r.register(ctx); err != nil {
		return radio.Network{}, err
	}
	if err := r.join(ctx, endpointGreenPower, groupGreenPower); err != nil {
		r.log.Debug("the group of Green Power was not joined", "reason", err)
	}
	if plan.Power != nil {
		r.setPower(ctx, *plan.Power)
	}
	return r.current(ctx)
}

// current returns the network as it is now.
func (r *Radio) current(ctx context.Context) (radio.Network, error) {
	own, err := r.own(ctx)
	if err != nil {
		return radio.Network{}, err
	}
	n, err := r.stored(ctx, own)
	if err == nil && n == nil {
		err = hearth.Errorf(hearth.CodeFailed, "the stick has no network")
	}
	if err != nil {
		return radio.Network{}, err
	}
	return *n, nil
}

// resume starts the network that is on the stick. It never makes one: on a blank stick the same command would.
func (r *Radio) resume(ctx context.Context) error {
	if _, err := r.current(ctx); err != nil {
		return err
	}
	changed, err := r.policies(ctx)
	if err != nil {
		return err
	}
	if changed { // they are read at the start
		if err := r.link.reset(ctx); err != nil {
			return err
		}
	}
	info, err := r.deviceInfo(ctx)
	if err != nil || info.state == deviceCoordinator {
		return err
	}
	return r.begin(ctx, zdoStartup, append16(nil, startDelay))
}

// policies sets what the firmware has to do beside its network: give ZDO messages to the host, keep routes of devices,
// and children that are silent for long. It reports whether anything changed.
func (r *Radio) policies(ctx context.Context) (changed bool, err error) {
	m := r.memory()
	for _, one := range []struct {
		item      uint16
		value     byte
		must      bool // even if the item is not there
		unlessSet bool // any value but 0 will do
	}{
		{item: itemCallbacks, value: 1, must: true},
		{item: itemConcentrator, value: 1},
		{item: itemRouteCache, value: 1},
		{item: itemConcentratorS, value: 120, unlessSet: true},
		{item: itemChildAgeing, value: 0},
	} {
		old, err := m.read(ctx, one.item)
		if err != nil {
			return changed, err
		}
		if bytes.Equal(old, []byte{one.value}) || len(old) == 0 && !one.must || one.unlessSet && old[0] != 0 {
			continue
		}
		if err := m.write(ctx, one.item, []byte{one.value}); err != nil {
			return changed, err
		}
		changed = true
	}
	return changed, nil
}

const ownResponseTimeout = 2 * time.Second

// register makes the coordinator's endpoints known to its firmware. Those of a host before us are still there.
func (r *Radio) register(ctx context.Context) error {
	known := r.registered(ctx)
	for _, e := range endpoints() {
		if slices.Contains(known, e.id) {
			continue
		}
		answer, err := r.link.get(ctx, afRegister, e.registration())
		if err != nil {
			return fmt.Errorf("registering endpoint %d: %w", e.id, err)
		}
		if len(answer) < 1 || answer[0] != statusSuccess && answer[0] != statusDuplicate {
			err := refusal(afRegister, append(answer, 0xff)[0])
			if e.id == endpointHome {
				return fmt.Errorf("registering endpoint %d: %w", e.id, err)
			}
			r.log.Warn("the stick has no room for all endpoints", "endpoint", e.id, "reason", err)
		}
	}
	return nil
}

// registered lists the endpoints that the firmware has, as far as it says.
func (r *Radio) registered(ctx context.Context) []uint8 {
	told := r.link.expect(zdoActiveEndpointsAre, func(data []byte) bool { return len(data) >= 6 && data[0] == 0 && data[1] == 0 })
	defer r.link.forget(told)
	if err := r.accepted(ctx, call{command: zdoActiveEndpoints, data: make([]byte, 4), tries: idempotentTries}); err != nil {
		return nil
	}
	answer, err := r.link.await(ctx, told, ownResponseTimeout, "listing endpoints")
	if err != nil || answer[2] != statusSuccess {
		return nil
	}
	return answer[6:min(6+int(answer[5]), len(answer))]
}

const groupGreenPower = 0x0b84

// join adds an endpoint of ours to a group.
func (r *Radio) join(ctx context.Context, endpoint uint8, group uint16) error {
	which := append16([]byte{endpoint}, group)
	if answer, err := r.link.get(ctx, zdoFindGroup, which); err == nil && len(answer) > 0 && answer[0] == statusSuccess {
		return nil
	}
	answer, err := r.link.get(ctx, zdoAddGroup, append(which, 0)) // without a name
	if err == nil && (len(answer) < 1 || answer[0] != statusSuccess && answer[0] != statusDuplicate) {
		err = refusal(zdoAddGroup, append(answer, 0xff)[0])
	}
	return err
}

// setPower asks for a transmit power; what the hardware cannot do it rounds, or refuses.
func (r *Radio) setPower(ctx context.Context, dBm int8) {
	const transmitPower = 0
	_, err := r.link.get(ctx, sysStackTune, []byte{transmitPower, byte(dBm)})
	if rejected(err) {
		_, err = r.link.get(ctx, sysSetPower, []byte{byte(dBm)})
	}
	if err != nil {
		r.log.Warn("the stick does not take the transmit power", "dbm", dBm, "reason", err)
	}
}
