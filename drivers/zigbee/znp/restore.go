package znp

import (
	"context"
	"slices"

	"hearth"
	"hearth/drivers/zigbee/radio"
)

// restore makes the stick go on with a network that another had. The firmware lays its memory out itself, by forming
// some network; then it is stopped, and that network is replaced in memory.
func (r *Radio) restore(ctx context.Context, b radio.Backup) error {
	if err := checkNetwork(b.Network); err != nil {
		return err
	}
	if b.SecurityLevel == 0 {
		b.SecurityLevel = 5
	}
	if err := r.clear(ctx, b.Coordinator); err != nil {
		return err
	}
	if err := r.commission(ctx, provisional(b.Channel)); err != nil {
		return err
	}
	if err := r.begin(ctx, cnfCommission, []byte{formationMode}); err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	if err := r.link.reset(ctx); err != nil { // so that the firmware does not write over what is written now
		return err
	}
	if err := r.writeNetwork(ctx, b); err != nil {
		return err
	}
	if err := r.writeTables(ctx, b); err != nil {
		return err
	}
	if err := r.commission(ctx, b.Network); err != nil {
		return err
	}
	if err := r.link.reset(ctx); err != nil {
		return err
	}
	if err := r.begin(ctx, zdoStartup, append16(nil, startDelay)); err != nil {
		return err
	}
	now, err := r.networkInfo(ctx)
	if err != nil {
		return err
	}
	if now.pan != b.PAN || now.extended != b.Extended || now.channel != b.Channel {
		return hearth.Errorf(hearth.CodeFailed, "the stick did not take over the network: it has PAN id 0x%04x, extended PAN id %s, channel %d", now.pan, now.extended, now.channel)
	}
	return r.complete(ctx)
}

// writeNetwork puts the network's numbers and its key in place of the provisional ones.
func (r *Radio) writeNetwork(ctx context.Context, b radio.Backup) error {
	m := r.memory()
	value, err := m.read(ctx, itemNIB)
	if err != nil {
		return err
	}
	base := nib(value)
	if !base.valid() {
		return hearth.Errorf(hearth.CodeFailed, "the stick keeps its network in an unknown form (%d bytes): its firmware is not known here", len(value))
	}
	base.become(b)
	if err := m.write(ctx, itemNIB, base); err != nil {
		return err
	}
	key := append([]byte{b.KeySequence}, b.Key[:]...)
	for _, item := range []uint16{itemActiveKey, itemAlternateKey} {
		if err := m.write(ctx, item, key); err != nil {
			return err
		}
	}
	return nil
}

// writeTables puts the devices and their keys into the stick's tables, where only what differs is written.
func (r *Radio) writeTables(ctx context.Context, b radio.Backup) error {
	m := r.memory()
	seed := bestSeed(b)
	if seed != nil {
		if err := m.write(ctx, itemSeed, seed[:]); err != nil {
			return err
		}
	}
	before, err := r.readTables(ctx)
	if err != nil {
		return err
	}
	if len(before.counters) == 0 {
		return hearth.Errorf(hearth.CodeFailed, "the stick has no table of frame counters: its firmware is not known here")
	}
	after := before
	if lost := after.become(b, seed); lost > 0 {
		r.log.Warn("the stick has no room for all link keys: some devices may have to be paired anew one day", "without", lost)
	}
	for _, one := range []struct {
		table         table
		before, after []row
	}{
		{tableOfCounters(), before.counters, after.counters},
		{tableOfAddresses(), before.addresses, after.addresses},
		{tableOfKeys(), before.keys, after.keys},
		{tableOfTrust(), before.trust, after.trust},
	} {
		if changed := changes(one.before, one.after); len(changed) > 0 {
			if err := m.writeRows(ctx, one.table, one.after, changed); err != nil {
				return err
			}
		}
	}
	if slices.Equal(before.owners, after.owners) {
		return nil
	}
	return m.write(ctx, itemLinkKeys, after.owners)
}
