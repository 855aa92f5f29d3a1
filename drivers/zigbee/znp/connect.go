package znp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"hearth"
	"hearth/drivers/serial"
	"hearth/drivers/zigbee/radio"
)

const (
	wakeRounds      = 3
	bootTime        = 3 * time.Second         // after a reset
	skipTime        = time.Second             // of the CC2531's bootloader
	probeTime       = 1200 * time.Millisecond // another firmware's restart
	lineHold        = 150 * time.Millisecond  // a modem line must be held for the chip to see it
	skipBoot        = 0xef                    // makes the bootloader of CC2530 and CC2531 start the firmware
	romSync    byte = 0x55
)

// Connect implements radio.Radio.
func (r *Radio) Connect(ctx context.Context) (radio.Info, error) {
	r.state.Store(stateConnecting)
	r.link.guard(false)
	r.flights.ground()
	info, err := r.connect(ctx)
	if err != nil {
		r.state.CompareAndSwap(stateConnecting, stateSilent)
		return info, err
	}
	r.link.guard(true)
	r.state.CompareAndSwap(stateConnecting, stateConnected)
	return info, nil
}

func (r *Radio) connect(ctx context.Context) (radio.Info, error) {
	if err := r.wake(ctx); err != nil {
		return radio.Info{}, err
	}
	answer, err := r.link.get(ctx, sysVersion, nil)
	if err != nil {
		return radio.Info{}, err
	}
	c, err := parseVersion(answer)
	if err != nil {
		return radio.Info{}, err
	}
	if c.aligned, err = r.aligned(ctx, c); err != nil {
		return radio.Info{}, err
	}
	r.firmware.Store(&firmware{c, make(chan struct{}, c.messages())})
	info := radio.Info{Firmware: c.String()}
	if info.IEEE, err = r.own(ctx); err != nil {
		return info, err
	}
	info.Network, err = r.stored(ctx, info.IEEE)
	return info, err
}

// aligned tells from the length of an item whether the chip aligns structures: NIB, or the active key with its counter.
func (r *Radio) aligned(ctx context.Context, c chip) (bool, error) {
	m := memory{r.link, c}
	length, err := m.length(ctx, itemNetworkKey)
	if err != nil {
		return false, err
	}
	switch length {
	case 24:
		return true, nil
	case 21:
		return false, nil
	}
	if length, err = m.length(ctx, itemNIB); err != nil {
		return false, err
	}
	switch length {
	case nibLengthAligned:
		return true, nil
	case nibLength:
		return false, nil
	}
	return c.extended(), nil
}

// stored returns the network that the stick has, nil if it has none, or one that was not completed.
func (r *Radio) stored(ctx context.Context, own radio.IEEE) (*radio.Network, error) {
	m := r.memory()
	flag, err := m.read(ctx, itemConfigured)
	if err != nil {
		return nil, err
	}
	if len(flag) > 0 && flag[0] != configured {
		return nil, nil
	}
	value, err := m.read(ctx, itemNIB)
	if err != nil {
		return nil, err
	}
	base := nib(value)
	if !base.settled() {
		return nil, nil
	}
	n := radio.Network{PAN: base.pan(), Extended: base.extended(), Channel: base.channel(), UpdateID: base.update(), Coordinator: own}
	key, err := m.read(ctx, itemActiveKey)
	switch {
	case err == nil && len(key) >= 17:
		n.KeySequence = key[0]
		copy(n.Key[:], key[1:])
	case err != nil && !refused(err):
		return nil, err
	}
	return &n, nil
}

// refused reports whether the stick does not want to do something, and will not later.
func refused(err error) bool {
	f, ok := failureOf(err)
	return ok && f.Class == radio.Refused
}

func failureOf(err error) (*radio.Failure, bool) {
	var f *radio.Failure
	ok := errors.As(err, &f)
	return f, ok
}

// wake makes the firmware answer. Each means is for a stick that the one before did not reach.
func (r *Radio) wake(ctx context.Context) error {
	foreign := r.foreign.begin()
	defer r.foreign.end()
	means := []func(context.Context, <-chan struct{}) error{
		r.plainly, r.pastBootloader, r.asOther, r.byModemLines, r.outOfROM,
	}
	var err error
	for range wakeRounds {
		for _, try := range means {
			if err = try(ctx, foreign); err == nil {
				return nil
			}
			select {
			case <-foreign:
				return radio.ErrOtherFirmware
			default:
			}
			if broken := r.link.failed(); ctx.Err() != nil || broken != nil {
				return unheard(cmp.Or(broken, ctx.Err()))
			}
		}
	}
	return unheard(err)
}

func unheard(why error) error {
	return fmt.Errorf("%w (%w)", hearth.Errorf(hearth.CodeOffline,
		"the stick does not answer: unplug it and plug it in again, and check that it runs Z-Stack as a coordinator, at 115200 baud"), why)
}

// ping asks until the time is over.
func (r *Radio) ping(ctx context.Context, foreign <-chan struct{}, during time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-foreign:
			cancel()
		case <-stop:
		}
	}()
	for {
		_, err := r.link.ask(ctx, call{command: sysPing, timeout: pingTimeout})
		f, failed := failureOf(err)
		again := failed && (f.Class == radio.Timeout || f.Class == radio.Down) // down: it just restarted, and hears the next
		if !again || ctx.Err() != nil || r.link.failed() != nil {
			return err
		}
	}
}

func (r *Radio) plainly(ctx context.Context, foreign <-chan struct{}) error {
	return r.ping(ctx, foreign, 2*pingTimeout)
}

func (r *Radio) pastBootloader(ctx context.Context, foreign <-chan struct{}) error {
	if err := r.say(ctx, []byte{skipBoot}); err != nil {
		return err
	}
	return r.ping(ctx, foreign, skipTime)
}

// asOther asks in the words of the other protocol, so that a stick which speaks it says so.
func (r *Radio) asOther(ctx context.Context, foreign <-chan struct{}) error {
	if err := r.say(ctx, askOther()); err != nil {
		return err
	}
	return r.ping(ctx, foreign, probeTime)
}

// byModemLines resets a CC2652 or CC1352: RTS is its reset pin, and DTR, which selects the bootloader, stays off.
func (r *Radio) byModemLines(ctx context.Context, foreign <-chan struct{}) error {
	lines, ok := r.link.port.(serial.Lines)
	if !ok {
		return &radio.Failure{Class: radio.Timeout, Doing: "resetting the stick"}
	}
	for _, rts := range []bool{false, true, false} {
		if err := lines.SetLines(false, rts); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			_ = lines.SetLines(false, false)
			return ctx.Err()
		case <-time.After(lineHold):
		}
	}
	return r.ping(ctx, foreign, bootTime)
}

// outOfROM asks the ROM bootloader of a CC26xx or CC13xx, if that is what listens, to reset the chip.
func (r *Radio) outOfROM(ctx context.Context, foreign <-chan struct{}) error {
	const length, commandReset = 3, 0x25
	b := append(bytes.Repeat([]byte{romSync}, 2), length, commandReset /* the sum of what follows */, commandReset)
	if err := r.say(ctx, b); err != nil {
		return err
	}
	return r.ping(ctx, foreign, bootTime)
}

// say writes bytes that are no frame.
func (r *Radio) say(ctx context.Context, b []byte) error {
	if err := r.link.take(ctx, sysPing); err != nil {
		return err
	}
	defer func() { <-r.link.slot }()
	return r.link.raw(b)
}
