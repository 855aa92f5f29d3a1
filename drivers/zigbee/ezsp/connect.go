package ezsp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hearth/drivers/zigbee/ezsp/ash"
	"hearth/drivers/zigbee/radio"
)

const (
	maxAttempts    = 3               // to agree with a stick that keeps restarting
	versionTimeout = 2 * time.Second // a stick that has just restarted answers at once, or has missed it
	upTimeout      = 10 * time.Second
	settleBoard    = 250 * time.Millisecond
)

// Connect implements radio.Radio. To know the network it has the firmware start it, as every host does: there is no
// other way that all versions have. Nothing that the stick keeps changes by that.
func (r *Radio) Connect(ctx context.Context) (radio.Info, error) {
	if err := r.alone(ctx); err != nil {
		return radio.Info{}, err
	}
	defer r.done()
	firmware, err := r.begin(ctx)
	if err != nil {
		return radio.Info{}, fmt.Errorf("connecting to the stick: %w", err)
	}
	info := radio.Info{Firmware: firmware}
	if info.IEEE, err = r.ownAddress(ctx); err != nil {
		return radio.Info{}, fmt.Errorf("asking the stick for its address: %w", err)
	}
	r.mu.Lock()
	joined := r.joined
	r.mu.Unlock()
	if joined {
		network, err := r.network(ctx)
		switch {
		case errors.Is(err, errNotCoordinator):
			r.log.Warn("the network on the stick is not its own", "reason", err)
		case err != nil:
			return radio.Info{}, fmt.Errorf("asking the stick for its network: %w", err)
		default:
			info.Network = &network
		}
	}
	return info, nil
}

var errNotCoordinator = errors.New("the stick is a member of another's network, not a coordinator: form a new one, or restore one")

// alone waits until nobody else brings the stick up or down; done must follow.
func (r *Radio) alone(ctx context.Context) error {
	select {
	case r.bringing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the stick: %w", ctx.Err())
	}
}

func (r *Radio) done() { <-r.bringing }

// begin resets the stick, agrees on a version, configures it and starts the network that it has. It returns what the
// firmware calls itself. A stick that restarts meanwhile, as boards with a reset line of their own do, gets another try.
func (r *Radio) begin(ctx context.Context) (firmware string, err error) {
	for range maxAttempts {
		r.fail()
		if err := r.link.Reset(ctx); err != nil {
			if errors.Is(err, ash.ErrForeign) {
				return "", radio.ErrOtherFirmware
			}
			return "", err
		}
		w, since := r.watch(), time.Now()
		if firmware, err = r.agree(ctx); err == nil {
			err = r.configureAll(ctx)
		}
		if err == nil {
			err = r.start(ctx)
		}
		if err == nil {
			err = r.outlast(ctx, w, since)
		}
		r.unwatch(w)
		if class := classOf(err); class != radio.Down && class != radio.Timeout || ctx.Err() != nil {
			break
		}
		r.log.Debug("connecting again", "reason", err)
	}
	if err != nil {
		return "", err
	}
	r.setPhase(ready)
	return firmware, nil
}

// outlast waits, the first time, for what boards with a reset line of their own do a moment after the port was opened.
func (r *Radio) outlast(ctx context.Context, w *watcher, since time.Time) error {
	r.mu.Lock()
	settled := r.settled
	r.settled = true
	r.mu.Unlock()
	if settled {
		return nil
	}
	timer := time.NewTimer(time.Until(since.Add(settleBoard)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.gone:
		return isDown("waiting whether the stick restarts")
	case <-ctx.Done():
		return fmt.Errorf("waiting whether the stick restarts: %w", ctx.Err())
	}
}

// agree negotiates the version. The question goes out in the header of old, as the specification wants it, and then
// once more with the firmware's own version in the header that goes with it.
func (r *Radio) agree(ctx context.Context) (firmware string, err error) {
	const firstOffer = 4
	in, err := r.askVersion(ctx, firstOffer, frame.appendLegacy)
	if err != nil {
		return "", err
	}
	version := in.u8()
	in.u8() // the kind of stack: there is one only
	stack := in.u16()
	if in.short {
		return "", tooShort(cmdVersion)
	}
	if version < oldestVersion {
		return "", fmt.Errorf("the firmware of the stick is too old: it speaks EZSP %d (EmberZNet %s), and %d (EmberZNet 6.7) is the oldest that is known: update it",
			version, stackName(stack), oldestVersion)
	}
	if version > newestVersion {
		r.log.Warn("the stick speaks a newer EZSP than is known; it may work all the same", "version", version, "known", newestVersion)
	}
	r.mu.Lock()
	r.dialect = dialect{version: version}
	r.mu.Unlock()
	if in, err = r.askVersion(ctx, version, frame.append); err != nil {
		return "", err
	}
	if got := in.u8(); got != version {
		return "", fmt.Errorf("the stick does not keep to a version of EZSP: first it said %d, then %d", version, got)
	}
	name := stackName(stack)
	if info, err := r.value(ctx, valueVersionInfo); err == nil && len(info) >= 5 {
		name = fmt.Sprintf("%d.%d.%d", info[2], info[3], info[4]) // behind the number of the build
	} else if err != nil && !refused(err) {
		return "", err
	}
	return fmt.Sprintf("EmberZNet %s (EZSP %d)", name, version), nil
}

func (r *Radio) askVersion(ctx context.Context, wanted uint8, write func(frame, []byte) []byte) (*reader, error) {
	limited, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	in, err := r.exchange(limited, cmdVersion, func(f frame) []byte {
		f.body = []byte{wanted}
		return write(f, nil)
	})
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = &radio.Failure{Class: radio.Timeout, Doing: cmdVersion.String()}
	}
	return in, err
}

// stackName writes the version of the stack that comes with that of EZSP: four digits of four bits.
func stackName(v uint16) string { return fmt.Sprintf("%d.%d.%d", v>>12, v>>8&0xf, v>>4&0xf) }

// start begins the network that the stick has, if any.
func (r *Radio) start(ctx context.Context) error {
	w := r.watch()
	defer r.unwatch(w)
	in, err := r.call(ctx, cmdNetworkInit, []byte{0, 0}) // no options
	if err != nil {
		return err
	}
	s := r.speaks().status(in)
	switch {
	case in.short:
		return tooShort(cmdNetworkInit)
	case s.means == notJoined:
		return nil
	case !s.ok() && s.means != networkUp:
		return s.failure("starting the network that the stick has")
	}
	if s.ok() {
		if err := r.awaitUp(ctx, w, "starting the network that the stick has"); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.joined = true
	return nil
}

// awaitUp waits until the firmware says that the network is up, and asks in the end: what it says may have been lost.
func (r *Radio) awaitUp(ctx context.Context, w *watcher, doing string) error {
	const joinedNetwork = 2
	err := w.await(ctx, networkUp, upTimeout, doing)
	if classOf(err) != radio.Timeout {
		return err
	}
	if in, asked := r.call(ctx, cmdNetworkState, nil); asked == nil && in.u8() == joinedNetwork {
		return nil
	}
	return err
}

func (r *Radio) ownAddress(ctx context.Context) (radio.IEEE, error) {
	in, err := r.call(ctx, cmdGetEUI64, nil)
	if err != nil {
		return 0, err
	}
	a := in.ieee()
	if in.short {
		return 0, tooShort(cmdGetEUI64)
	}
	return a, nil
}

// network returns the network that the firmware is on. The key is zero where it cannot be read.
func (r *Radio) network(ctx context.Context) (radio.Network, error) {
	p, err := r.parameters(ctx)
	if err != nil {
		return radio.Network{}, err
	}
	n := radio.Network{PAN: p.pan, Extended: p.extended, Channel: p.channel, UpdateID: p.updateID}
	if n.Coordinator, err = r.ownAddress(ctx); err != nil {
		return radio.Network{}, err
	}
	key, err := r.networkKey(ctx)
	if err != nil && !refused(err) {
		return radio.Network{}, err
	}
	n.Key, n.KeySequence = key.key, key.sequence
	return n, nil
}

func (r *Radio) parameters(ctx context.Context) (parameters, error) {
	in, err := r.call(ctx, cmdGetNetworkParameters, nil)
	if err != nil {
		return parameters{}, err
	}
	s := r.speaks().status(in)
	if !s.ok() {
		return parameters{}, s.failure(cmdGetNetworkParameters.String())
	}
	node, p := in.u8(), in.parameters()
	if in.short {
		return parameters{}, tooShort(cmdGetNetworkParameters)
	}
	if node != nodeCoordinator {
		return parameters{}, errNotCoordinator
	}
	return p, nil
}

// value reads one of the firmware's values.
func (r *Radio) value(ctx context.Context, id uint8) ([]byte, error) {
	in, err := r.call(ctx, cmdGetValue, []byte{id})
	if err != nil {
		return nil, err
	}
	if s := r.speaks().configStatus(in); !s.ok() {
		return nil, s.failure(cmdGetValue.String())
	}
	v := in.counted()
	if in.short {
		return nil, tooShort(cmdGetValue)
	}
	return v, nil
}
