package ezsp

import (
	"context"
	"fmt"
	"time"

	"hearth/drivers/zigbee/radio"
)

const (
	backupSource  = "hearth"
	securityLevel = 5
	maxChildren   = 64 // more than any firmware has
)

// Backup implements radio.Radio.
func (r *Radio) Backup(ctx context.Context) (radio.Backup, error) {
	if !r.inPhase(up) {
		return radio.Backup{}, isDown("reading the network from the stick")
	}
	b, err := r.backUp(ctx)
	if err != nil {
		return radio.Backup{}, fmt.Errorf("reading the network from the stick: %w", err)
	}
	return b, nil
}

func (r *Radio) backUp(ctx context.Context) (b radio.Backup, err error) {
	p, err := r.parameters(ctx)
	if err != nil {
		return b, err
	}
	key, err := r.networkKey(ctx)
	if err != nil {
		return b, err
	}
	own, err := r.ownAddress(ctx)
	if err != nil {
		return b, err
	}
	b = radio.Backup{
		Network: radio.Network{
			PAN: p.pan, Extended: p.extended, Channel: p.channel, UpdateID: p.updateID, Key: key.key, KeySequence: key.sequence,
			Coordinator: own,
		},
		SecurityLevel: securityLevel, ChannelMask: p.channels, FrameCounter: key.sent,
		Source: backupSource, Made: time.Now(), EZSP: r.speaks().version,
	}
	if b.Hashed, err = r.hashedKey(ctx); err != nil {
		return b, err
	}
	devices := deviceList{}
	if err := r.collectKeys(ctx, &devices); err != nil {
		return b, err
	}
	if err := r.collectChildren(ctx, &devices); err != nil {
		return b, err
	}
	b.Devices = devices.list
	return b, nil
}

// networkKey reads the network key with its sequence number and counter.
func (r *Radio) networkKey(ctx context.Context) (linkKey, error) {
	k, err := r.key(ctx, true)
	if err != nil || !r.speaks().managed() {
		return k, err
	}
	in, err := r.call(ctx, cmdGetNetworkKeyInfo, nil)
	if err != nil {
		return k, err
	}
	if s := r.speaks().keyStatus(in); !s.ok() {
		return k, s.failure(cmdGetNetworkKeyInfo.String())
	}
	set, sequence, counter := in.networkKeyInfo()
	if in.short || !set {
		return k, tooShort(cmdGetNetworkKeyInfo)
	}
	k.sequence, k.sent = sequence, counter
	return k, nil
}

func (r *Radio) key(ctx context.Context, network bool) (linkKey, error) {
	c, body := r.speaks().askKey(network)
	in, err := r.call(ctx, c, body)
	if err != nil {
		return linkKey{}, err
	}
	k, s := r.speaks().key(in)
	if !s.ok() {
		return linkKey{}, s.failure(c.String())
	}
	if in.short {
		return linkKey{}, tooShort(c)
	}
	return k, nil
}

// hashedKey returns what the trust centre's link keys are hashed with, nil if they are not.
func (r *Radio) hashedKey(ctx context.Context) (*radio.Key, error) {
	in, err := r.call(ctx, cmdGetCurrentSecurity, nil)
	if err != nil {
		return nil, r.tolerate(err)
	}
	if s := r.speaks().status(in); !s.ok() || in.u16()&securityHashedLinkKey != securityHashedLinkKey || in.short {
		return nil, nil
	}
	k, err := r.key(ctx, false)
	if err != nil {
		return nil, r.tolerate(err)
	}
	return &k.key, nil
}

// A deviceList has each device once.
type deviceList struct {
	list []radio.KnownDevice
	at   map[radio.IEEE]int
}

// device returns the entry of a device, a new one if there is none.
func (l *deviceList) device(a radio.IEEE) *radio.KnownDevice {
	at, known := l.at[a]
	if !known {
		if l.at == nil {
			l.at = map[radio.IEEE]int{}
		}
		at = len(l.list)
		l.at[a] = at
		l.list = append(l.list, radio.KnownDevice{IEEE: a, NWK: radio.Unknown})
	}
	return &l.list[at]
}

// collectKeys reads the table of link keys.
func (r *Radio) collectKeys(ctx context.Context, devices *deviceList) error {
	in, err := r.call(ctx, cmdGetConfiguration, []byte{configKeyTable})
	if err != nil {
		return r.tolerate(err)
	}
	if !r.speaks().configStatus(in).ok() {
		return nil
	}
	for index := range min(in.u16(), 0x100) {
		c, body := r.speaks().askTableKey(uint8(index))
		in, err := r.call(ctx, c, body)
		if err != nil {
			return r.tolerate(err)
		}
		k, s := r.speaks().tableKey(in)
		if !s.ok() || in.short || k.partner == 0 || k.partner == everyone {
			continue
		}
		d := devices.device(k.partner)
		d.LinkKey, d.TxCounter, d.RxCounter = &k.key, k.sent, k.received
		in, err = r.call(ctx, cmdLookupNodeID, putIEEE(nil, k.partner))
		if err != nil {
			return err
		}
		if nwk := in.nwk(); !in.short && nwk < radio.BroadcastRouters {
			d.NWK = nwk
		}
	}
	return nil
}

// collectChildren reads the table of children.
func (r *Radio) collectChildren(ctx context.Context, devices *deviceList) error {
	for index := range maxChildren {
		in, err := r.call(ctx, cmdGetChildData, []byte{byte(index)})
		if err != nil {
			return r.tolerate(err)
		}
		s := r.speaks().status(in)
		if s.means == notJoined { // the entry is empty
			continue
		}
		if !s.ok() {
			return nil
		}
		ieee := in.ieee()
		in.u8() // the type
		nwk := in.nwk()
		if in.short || ieee == 0 || ieee == everyone {
			continue
		}
		d := devices.device(ieee)
		d.Child, d.NWK = true, nwk
	}
	return nil
}
