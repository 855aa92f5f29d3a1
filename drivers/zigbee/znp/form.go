package znp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
)

const (
	startLimit  = 60 * time.Second // for the network to run; forming listens on all channels asked for first
	statePolled = time.Second
	settleLimit = 30 * time.Second // for the network's numbers to appear in memory
	settlePoll  = 300 * time.Millisecond

	clearNetwork       = 0x03 // STARTUP_OPTION: forget configuration and state at the next restart
	formationMode      = 0x04 // of BDB_START_COMMISSIONING
	startNotNew        = 0x01 // the last good status of STARTUP_FROM_APP: that the network is new
	startDelay         = 100  // ms
	logicalCoordinator = 0x00
)

// checkNetwork says what is wrong with a network that is to be made.
func checkNetwork(n radio.Network) error {
	switch {
	case n.Channel < 11 || n.Channel > 26:
		return hearth.Errorf(hearth.CodeBadValue, "channel %d: want 11 to 26", n.Channel)
	case n.PAN == 0 || n.PAN >= 0xfffe:
		return hearth.Errorf(hearth.CodeBadValue, "PAN id 0x%04x: want 0x0001 to 0xfffd", n.PAN)
	case unused(n.Extended):
		return hearth.Errorf(hearth.CodeBadValue, "extended PAN id %s cannot be one", n.Extended)
	case n.Key == radio.Key{}:
		return hearth.Errorf(hearth.CodeBadValue, "the network key is missing")
	}
	return nil
}

// form makes a new network.
func (r *Radio) form(ctx context.Context, n radio.Network) error {
	if err := checkNetwork(n); err != nil {
		return err
	}
	if err := r.clear(ctx, n.Coordinator); err != nil {
		return err
	}
	if err := r.commission(ctx, n); err != nil {
		return err
	}
	if err := r.begin(ctx, cnfCommission, []byte{formationMode}); err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	now, err := r.networkInfo(ctx)
	if err != nil {
		return err
	}
	if now.pan != n.PAN {
		return hearth.Errorf(hearth.CodeFailed, "another network nearby has PAN id 0x%04x already, so the stick took 0x%04x: choose another one", n.PAN, now.pan)
	}
	return r.complete(ctx)
}

// clear makes the stick forget its network, and take on an address if one is given. Until complete the stick counts as
// blank.
func (r *Radio) clear(ctx context.Context, coordinator radio.IEEE) error {
	m := r.memory()
	if err := m.write(ctx, itemConfigured, []byte{0}); err != nil {
		return err
	}
	if err := m.forget(ctx, itemNIB); err != nil {
		return err
	}
	if err := m.write(ctx, itemStartup, []byte{clearNetwork}); err != nil {
		return err
	}
	if err := r.link.reset(ctx); err != nil {
		return err
	}
	if err := m.write(ctx, itemStartup, []byte{0}); err != nil {
		return err
	}
	if err := m.write(ctx, itemConfigured, []byte{0}); err != nil {
		return err
	}
	own, err := r.own(ctx)
	if err != nil || coordinator == 0 || own == coordinator {
		return err
	}
	if err := m.write(ctx, itemAddress, appendIEEE(nil, coordinator)); err != nil {
		return err
	}
	if err := r.link.reset(ctx); err != nil {
		return err
	}
	if own, err = r.own(ctx); err == nil && own != coordinator {
		r.log.Warn("the stick keeps its own address: devices that are bound to the old one must be configured anew", "address", own, "wanted", coordinator)
	}
	return err
}

// commission writes what a network is made from.
func (r *Radio) commission(ctx context.Context, n radio.Network) error {
	m := r.memory()
	for _, one := range []struct {
		item  uint16
		value []byte
	}{
		{itemStartup, []byte{0}},
		{itemLogicalType, []byte{logicalCoordinator}},
		{itemCallbacks, []byte{1}},
		{itemChannels, append32(nil, 1<<n.Channel)},
		{itemPAN, append16(nil, n.PAN)},
		{itemExtendedPAN, appendIEEE(nil, n.Extended)},
		{itemUseExtended, appendIEEE(nil, n.Extended)},
		{itemKeyKnown, []byte{0}}, // they get it from the trust centre
		{itemKey, n.Key[:]},
	} {
		if err := m.write(ctx, one.item, one.value); err != nil {
			return err
		}
	}
	primary := append32([]byte{1}, 1<<n.Channel)
	if err := r.accepted(ctx, call{command: cnfSetChannels, data: primary, tries: idempotentTries}); err != nil {
		return err
	}
	return r.accepted(ctx, call{command: cnfSetChannels, data: []byte{0, 0, 0, 0, 0}, tries: idempotentTries})
}

// begin makes the stick start its network and waits until it runs.
func (r *Radio) begin(ctx context.Context, c command, data []byte) error {
	running := r.link.expect(zdoStateChange, func(data []byte) bool { return len(data) > 0 && data[0] == deviceCoordinator })
	defer r.link.forget(running)
	answer, err := r.link.ask(ctx, call{command: c, data: data, timeout: startTimeout})
	switch {
	case err != nil && (!timedOut(err) || ctx.Err() != nil):
		return err
	case err == nil && (len(answer) < 1 || answer[0] > startNotNew):
		return refusal(c, append(answer, 0xff)[0])
	}
	for end := time.Now().Add(startLimit); time.Now().Before(end); {
		_, err := r.link.await(ctx, running, statePolled, "starting the network")
		if err == nil || !timedOut(err) || ctx.Err() != nil {
			return err
		}
		if info, err := r.deviceInfo(ctx); err == nil && info.state == deviceCoordinator {
			return nil // the indication was lost
		}
	}
	return hearth.Errorf(hearth.CodeFailed, "the stick did not start its network within %s: interference, or another network with the same ids nearby; move it away from USB 3 ports and disks with an extension cable", startLimit)
}

// settle waits until the network's numbers are in memory: it runs a little earlier.
func (r *Radio) settle(ctx context.Context) error {
	m := r.memory()
	for end := time.Now().Add(settleLimit); time.Now().Before(end); {
		value, err := m.read(ctx, itemNIB)
		if err != nil {
			return err
		}
		if nib(value).settled() {
			return nil
		}
		if err := pause(ctx, settlePoll); err != nil {
			return err
		}
	}
	return hearth.Errorf(hearth.CodeFailed, "the stick has started a network and does not tell which")
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// complete says that the network on the stick is whole.
func (r *Radio) complete(ctx context.Context) error {
	return r.memory().write(ctx, itemConfigured, []byte{configured})
}

type networkInfo struct {
	state    uint8
	pan      uint16
	extended radio.IEEE
	channel  uint8
}

// networkInfo asks for the network that the stick is on.
func (r *Radio) networkInfo(ctx context.Context) (networkInfo, error) {
	answer, err := r.link.get(ctx, zdoNetworkInfo, nil)
	if err != nil {
		return networkInfo{}, err
	}
	in := reader{b: answer}
	_ = in.nwk() // its own
	n := networkInfo{state: in.uint8(), pan: in.uint16()}
	_ = in.nwk() // its parent's
	n.extended = in.ieee()
	_ = in.ieee() // its parent's
	n.channel = in.uint8()
	if in.short {
		return n, fmt.Errorf("the stick tells of its network in %d bytes", len(answer))
	}
	return n, nil
}

// provisional returns a network for the stick to lay out its memory with.
func provisional(channel uint8) radio.Network {
	var b [26]byte
	_, _ = rand.Read(b[:]) // never fails
	n := radio.Network{
		PAN: 1 + binary.LittleEndian.Uint16(b[:])%0xfffc, Extended: 1 + readIEEE(b[2:])>>1, Channel: channel, Key: radio.Key(b[10:]),
	}
	n.Key[0] |= 1
	return n
}
