package ezsp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"hearth/drivers/zigbee/radio"
)

const (
	usualPower   = 8 // dBm, of a network that is formed
	leaveTimeout = 10 * time.Second
	leftPause    = 200 * time.Millisecond // after a network has been left

	firstChannel, lastChannel = 11, 26
	channelsAll               = 0x07fff800
)

// Up implements radio.Radio.
func (r *Radio) Up(ctx context.Context, plan radio.Plan) (radio.Network, error) {
	if err := r.alone(ctx); err != nil {
		return radio.Network{}, err
	}
	defer r.done()
	network, err := r.rise(ctx, plan)
	if err != nil {
		r.mu.Lock()
		r.phase = min(r.phase, ready)
		r.mu.Unlock()
		return radio.Network{}, fmt.Errorf("bringing the network up: %w", err)
	}
	return network, nil
}

func (r *Radio) rise(ctx context.Context, plan radio.Plan) (radio.Network, error) {
	switch {
	case !r.inPhase(ready):
		return radio.Network{}, isDown("the stick is not connected")
	case r.inPhase(up): // what the firmware was told is for one start only
		if _, err := r.begin(ctx); err != nil {
			return radio.Network{}, err
		}
	}
	r.setPhase(rising)
	if err := r.carryOut(ctx, plan); err != nil {
		return radio.Network{}, err
	}
	if err := r.equip(ctx, plan.Power); err != nil {
		return radio.Network{}, err
	}
	network, err := r.network(ctx)
	if err != nil {
		return radio.Network{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase != rising {
		return radio.Network{}, isDown("the stick was lost meanwhile")
	}
	r.phase = up
	return network, nil
}

// carryOut sees to it that the firmware is on the network that is wanted.
func (r *Radio) carryOut(ctx context.Context, plan radio.Plan) error {
	power := int8(usualPower)
	if plan.Power != nil {
		power = *plan.Power
	}
	switch {
	case plan.Restore != nil:
		return r.restore(ctx, *plan.Restore, power, plan.BurnAddress)
	case plan.Form != nil:
		link := radio.Key{}
		if _, err := rand.Read(link[:]); err != nil {
			return fmt.Errorf("making a key: %w", err)
		}
		return r.form(ctx, *plan.Form, link, power)
	}
	r.mu.Lock()
	joined := r.joined
	r.mu.Unlock()
	if !joined {
		return &radio.Failure{Class: radio.Refused, Doing: "there is no network on the stick that could be resumed"}
	}
	return nil
}

// form makes a new network in place of the one on the stick.
func (r *Radio) form(ctx context.Context, n radio.Network, link radio.Key, power int8) error {
	if err := checkNetwork(n); err != nil {
		return err
	}
	if err := r.vacate(ctx, n.Coordinator, false); err != nil {
		return err
	}
	if err := r.secure(ctx, n, link, 0); err != nil {
		return err
	}
	if err := r.tolerate(r.do(ctx, cmdClearKeyTable, nil)); err != nil {
		return err
	}
	return r.found(ctx, n, power, channelsAll)
}

func checkNetwork(n radio.Network) error {
	switch {
	case n.Channel < firstChannel || n.Channel > lastChannel:
		return fmt.Errorf("channel %d: want %d to %d", n.Channel, firstChannel, lastChannel)
	case n.PAN == 0 || n.PAN >= 0xfffe:
		return fmt.Errorf("PAN id 0x%04x: want 0x0001 to 0xfffd", n.PAN)
	case n.Extended == 0 || n.Extended == everyone:
		return fmt.Errorf("extended PAN id %s: want any but that", n.Extended)
	case n.Key == radio.Key{}:
		return errors.New("the network has no key")
	}
	return nil
}

// everyone stands for all devices, for no address, and for a token that was never written.
const everyone radio.IEEE = 0xffffffffffffffff

// vacate leaves the network that the firmware is on, and takes the wanted address if there is one and it can. burn allows
// what can be done once only.
func (r *Radio) vacate(ctx context.Context, wanted radio.IEEE, burn bool) error {
	if err := r.leave(ctx); err != nil {
		return err
	}
	if wanted == 0 || wanted == everyone {
		return nil
	}
	own, err := r.ownAddress(ctx)
	if err != nil || own == wanted {
		return err
	}
	written, err := r.rewriteAddress(ctx, wanted)
	if err == nil && !written {
		written, err = r.burnAddress(ctx, wanted, burn)
	}
	if err != nil {
		return err
	}
	if !written {
		r.log.Warn("the stick keeps its own address: devices that were bound to the other one are set up again", "wanted", wanted, "own", own)
		return nil
	}
	if _, err := r.begin(ctx); err != nil { // it looks at its address when it starts
		return err
	}
	r.setPhase(rising)
	if own, err = r.ownAddress(ctx); err == nil && own != wanted {
		r.log.Warn("the stick has stored the coordinator's address, but goes on with another", "wanted", wanted, "own", own)
	}
	return err
}

func (r *Radio) leave(ctx context.Context) error {
	r.mu.Lock()
	joined := r.joined
	r.mu.Unlock()
	if !joined {
		return nil
	}
	w := r.watch()
	defer r.unwatch(w)
	if err := r.do(ctx, cmdLeaveNetwork, r.speaks().leave()); err != nil && classOf(err) != radio.Timeout { // else it will show
		return fmt.Errorf("leaving the network on the stick: %w", err)
	}
	if err := w.await(ctx, networkDown, leaveTimeout, "leaving the network on the stick"); err != nil {
		return err
	}
	r.mu.Lock()
	r.joined = false
	r.mu.Unlock()
	return sleep(ctx, leftPause)
}

// Tokens that hold an address which is used in place of the chip's own.
const (
	tokenCustomAddress        uint8  = 0x0c    // of the manufacturer's: can be written once
	tokenRestoredAddress      uint32 = 0xe12a  // in NVM3: can be written again and again
	tokenRestoredAddressOther uint32 = 0x1e12a // the same of another kind of firmware
)

// rewriteAddress gives the stick another address, if it has a place for one that can be written again and again.
func (r *Radio) rewriteAddress(ctx context.Context, wanted radio.IEEE) (written bool, err error) {
	if r.speaks().version < tokensVersion {
		return false, nil
	}
	address := putIEEE(nil, wanted)
	for _, token := range []uint32{tokenRestoredAddress, tokenRestoredAddressOther} {
		name := put32(put32(nil, token), 0)
		in, err := r.call(ctx, cmdGetTokenData, name)
		if err == nil && r.speaks().status(in).ok() {
			err = r.do(ctx, cmdSetTokenData, append(put32(name, uint32(len(address))), address...))
			if err == nil {
				return true, nil
			}
		}
		if err != nil && !refused(err) {
			return false, err
		}
	}
	return false, nil
}

// burnAddress gives the stick another address where it takes one only once in its life, if that is still free and allowed.
func (r *Radio) burnAddress(ctx context.Context, wanted radio.IEEE, allowed bool) (written bool, err error) {
	in, err := r.call(ctx, cmdGetMfgToken, []byte{tokenCustomAddress})
	if err != nil {
		return false, r.tolerate(err)
	}
	if token := (&reader{rest: in.counted()}); len(token.rest) != 8 || token.ieee() != everyone {
		return false, nil
	}
	if !allowed {
		r.log.Warn("the stick can be given the coordinator's address only once in its life, so it is left as it is: to allow it, set " +
			"network: {burn_address: true} before a restore")
		return false, nil
	}
	r.log.Warn("the coordinator's address is written into the stick for good, as the configuration allows")
	if err := r.do(ctx, cmdSetMfgToken, putCounted([]byte{tokenCustomAddress}, putIEEE(nil, wanted))); err != nil {
		return false, r.tolerate(err)
	}
	return true, nil
}

// secure says with which keys the network will be founded. Devices get link keys that are hashed from one of the trust
// centre's with their address, so that the stick need not keep a key for each.
func (r *Radio) secure(ctx context.Context, n radio.Network, link radio.Key, flags uint16) error {
	flags |= securityGlobalLinkKey | securityHashedLinkKey | securityHavePreconfig | securityHaveNetworkKey | securityEncryptedKey
	b := putKey(putKey(put16(nil, flags), link), n.Key)
	b = putIEEE(append(b, n.KeySequence), 0)
	if err := r.do(ctx, cmdSetInitialSecurity, b); err != nil {
		return err
	}
	return r.tolerate(r.setValue(ctx, valueExtendedSecurity, put16(nil, extendedJoinerGlobalKey|extendedNoRemoteLeave)))
}

// found starts the network.
func (r *Radio) found(ctx context.Context, n radio.Network, power int8, channels uint32) error {
	w := r.watch()
	defer r.unwatch(w)
	p := parameters{extended: n.Extended, pan: n.PAN, power: power, channel: n.Channel, updateID: n.UpdateID, channels: channels}
	if err := r.do(ctx, cmdFormNetwork, p.append(nil)); err != nil && classOf(err) != radio.Timeout { // else it will show
		return err
	}
	if err := r.awaitUp(ctx, w, "forming the network"); err != nil {
		return err
	}
	r.mu.Lock()
	r.joined = true
	r.mu.Unlock()
	return r.tolerate(r.setValue(ctx, valueStackTokenWriting, []byte{1}))
}

// equip makes the settings that want a running network.
func (r *Radio) equip(ctx context.Context, power *int8) error {
	const (
		on                    = 1
		enoughMemory   uint16 = 0xfff9 // routes to all devices are kept
		earliest       uint16 = 5      // seconds between two searches for routes to us
		latest         uint16 = 60
		routeErrors           = 3 // so many bring the next search forward
		deliveryErrors        = 1
		allHops               = 0
		reschedule            = 2
	)
	concentrator := put16(put16(put16([]byte{on}, enoughMemory), earliest), latest)
	if err := r.tolerate(r.do(ctx, cmdSetConcentrator, append(concentrator, routeErrors, deliveryErrors, allHops))); err != nil {
		return err
	}
	if _, err := r.call(ctx, cmdSetSourceRouteDiscovery, []byte{reschedule}); r.tolerate(err) != nil {
		return err
	}
	if err := r.hearGroups(ctx); err != nil {
		return err
	}
	if power != nil {
		if err := r.do(ctx, cmdSetRadioPower, []byte{byte(*power)}); err != nil {
			if !refused(err) {
				return err
			}
			r.log.Warn("the stick does not take that power", "dbm", *power, "reason", err)
		}
	}
	return r.learnPayload(ctx)
}

const usualPayload = 82

// learnPayload asks how much fits into one message.
func (r *Radio) learnPayload(ctx context.Context) error {
	payload := usualPayload
	in, err := r.call(ctx, cmdMaximumPayloadLength, nil)
	if err == nil {
		if n := int(in.u8()); n > 0 {
			payload = n
		}
	}
	r.mu.Lock()
	r.payload = payload
	r.mu.Unlock()
	return r.tolerate(err)
}
