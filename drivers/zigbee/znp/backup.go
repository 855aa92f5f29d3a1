package znp

import (
	"context"
	"fmt"

	"hearth"
	"hearth/drivers/zigbee/radio"
)

// defaultCounter is taken for the frame counter where the stick does not tell it: about what a young network has.
const defaultCounter = 1250

// Backup implements radio.Radio. It works before Up too. Sticks without extended memory tell the same from single items.
func (r *Radio) Backup(ctx context.Context) (radio.Backup, error) {
	if r.state.Load() < stateConnected {
		return radio.Backup{}, &radio.Failure{Class: radio.Down, Doing: "backing up"}
	}
	b, err := r.backup(ctx)
	if err != nil {
		return radio.Backup{}, fmt.Errorf("backing up the stick: %w", err)
	}
	return b, nil
}

func (r *Radio) backup(ctx context.Context) (radio.Backup, error) {
	m := r.memory()
	own, err := r.own(ctx)
	if err != nil {
		return radio.Backup{}, err
	}
	network, err := r.stored(ctx, own)
	if err != nil {
		return radio.Backup{}, err
	}
	if network == nil {
		return radio.Backup{}, hearth.Errorf(hearth.CodeFailed, "the stick has no network")
	}
	value, err := m.read(ctx, itemNIB)
	if err != nil {
		return radio.Backup{}, err
	}
	base := nib(value)
	if !base.settled() {
		return radio.Backup{}, hearth.Errorf(hearth.CodeFailed, "the stick has no network")
	}
	b := radio.Backup{Network: *network, SecurityLevel: base.security(), ChannelMask: base.channels()}
	value, err = m.read(ctx, itemSeed)
	switch {
	case err == nil && len(value) >= 16:
		seed := radio.Key(value)
		b.Seed = &seed
	case err != nil && !refused(err):
		return radio.Backup{}, err
	}
	t, err := r.readTables(ctx)
	if err != nil {
		return radio.Backup{}, err
	}
	b.Devices = t.devices(b.Seed)
	var known bool
	if b.FrameCounter, known = t.counter(b.Extended); !known {
		b.FrameCounter = defaultCounter
	}
	return b, nil
}

// readTables reads all that the stick knows of devices.
func (r *Radio) readTables(ctx context.Context) (t tables, err error) {
	m := r.memory()
	t.aligned = m.chip.aligned
	if !m.chip.extended() {
		t.firstKey = tableOfKeys().first
	}
	for _, one := range []struct {
		table   table
		rows    *[]row
		lengths []int
	}{
		{tableOfAddresses(), &t.addresses, []int{addressLength(false), addressLength(true)}},
		{tableOfTrust(), &t.trust, []int{trustLength, trustLength + 1}},
		{tableOfKeys(), &t.keys, []int{keyLength}},
		{tableOfCounters(), &t.counters, []int{len(counterRow{}.bytes())}},
	} {
		if *one.rows, err = m.rows(ctx, one.table); err != nil {
			return t, err
		}
		if !usable(*one.rows, one.lengths...) {
			return t, hearth.Errorf(hearth.CodeFailed, "the stick's table of %s has an unknown form: its firmware is not known here", one.table.name)
		}
	}
	t.owners, err = m.read(ctx, itemLinkKeys)
	return t, err
}
