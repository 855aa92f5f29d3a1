package ezsp

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"time"

	"hearth/drivers/zigbee/radio"
)

// The counters of a restored network go on from where the backup was made, and what the stick has sent since then:
// devices take nothing with a counter that they have seen.
const (
	counterMargin     = 2500
	countersPerSecond = 4 // of age, more than a busy coordinator sends
	highestCounter    = math.MaxUint32 - 0x10000
)

// raised returns the counter to go on with.
func raised(counter uint32, made, now time.Time) uint32 {
	n := uint64(counter) + counterMargin
	if age := now.Sub(made); !made.IsZero() && age > 0 {
		n += uint64(age/time.Second) * countersPerSecond
	}
	if n > highestCounter {
		return max(counter, highestCounter)
	}
	return uint32(n)
}

// restore puts a network from a backup in place of the one on the stick.
func (r *Radio) restore(ctx context.Context, b radio.Backup, power int8, burn bool) error {
	if err := checkNetwork(b.Network); err != nil {
		return fmt.Errorf("the backup cannot be restored: %w", err)
	}
	if err := r.vacate(ctx, b.Coordinator, burn); err != nil {
		return err
	}
	if err := r.tolerate(r.do(ctx, cmdClearKeyTable, nil)); err != nil {
		return err
	}
	counter := raised(b.FrameCounter, b.Made, time.Now())
	if err := r.setValue(ctx, valueNWKFrameCounter, put32(nil, counter)); err != nil {
		return fmt.Errorf("setting the network's frame counter, without which no device listens: %w", err)
	}
	// Each frame with APS security is one of the network too, so this one is high enough.
	if err := r.tolerate(r.setValue(ctx, valueAPSFrameCounter, put32(nil, counter))); err != nil {
		return err
	}
	link, err := linkKeyOf(b)
	if err != nil {
		return err
	}
	if err := r.secure(ctx, b.Network, link, securityKeepCounters); err != nil {
		return err
	}
	if err := r.restoreKeys(ctx, b.Devices); err != nil {
		return err
	}
	if err := r.restoreChildren(ctx, b.Devices); err != nil {
		return err
	}
	channels := b.ChannelMask & channelsAll
	if channels == 0 {
		channels = channelsAll
	}
	return r.found(ctx, b.Network, power, channels)
}

// linkKeyOf returns what the trust centre's link keys were hashed with, or a new one.
func linkKeyOf(b radio.Backup) (key radio.Key, err error) {
	if b.Hashed != nil {
		return *b.Hashed, nil
	}
	if _, err = rand.Read(key[:]); err != nil {
		return key, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

// restoreKeys puts the link keys that devices have of their own into the stick's table, as many as it has room for.
func (r *Radio) restoreKeys(ctx context.Context, devices []radio.KnownDevice) error {
	stored, left := 0, 0
	for _, d := range devices {
		switch {
		case d.LinkKey == nil || *d.LinkKey == radio.TrustCentre:
			continue
		case left > 0 || stored > 0xfe:
			left++
			continue
		}
		c, body := r.speaks().giveTableKey(uint8(stored), d.IEEE, *d.LinkKey)
		if err := r.storeKey(ctx, c, body); err != nil {
			if !refused(err) {
				return err
			}
			r.log.Debug("the stick takes no more link keys", "reason", err)
			left++
			continue
		}
		stored++
	}
	if left > 0 {
		r.log.Warn("the stick has no room for all link keys: the devices that are left may have to join again", "stored", stored, "left", left)
	}
	return nil
}

// restoreChildren tells the stick which devices are its children. It is good to know, but they come by themselves too.
func (r *Radio) restoreChildren(ctx context.Context, devices []radio.KnownDevice) error {
	index := uint8(0)
	for _, d := range devices {
		if !d.Child || d.NWK == radio.Unknown || d.NWK == radio.Coordinator {
			continue
		}
		body, known := r.speaks().child(index, d.IEEE, d.NWK)
		if !known {
			return nil
		}
		if err := r.do(ctx, cmdSetChildData, body); err != nil {
			return r.tolerate(err)
		}
		index++
	}
	return nil
}
