package znp

import (
	"bytes"
	"context"
	"fmt"

	"hearth/drivers/zigbee/radio"
)

// The items of non-volatile memory (ZComDef.h).
const (
	itemAddress       uint16 = 0x0001 // the stick's own
	itemStartup       uint16 = 0x0003
	itemNIB           uint16 = 0x0021
	itemDevices       uint16 = 0x0023 // ADDRMGR, 3.0.x: all in one
	itemExtendedPAN   uint16 = 0x002d
	itemConcentrator  uint16 = 0x0032
	itemConcentratorS uint16 = 0x0033 // seconds
	itemRouteCache    uint16 = 0x0036
	itemActiveKey     uint16 = 0x003a
	itemAlternateKey  uint16 = 0x003b
	itemChildAgeing   uint16 = 0x003e
	itemUseExtended   uint16 = 0x0047
	itemLinkKeys      uint16 = 0x004c // which of the link keys is whose
	itemConfigured    uint16 = 0x0060 // of hosts: 0x55 when the network is complete
	itemKey           uint16 = 0x0062
	itemKeyKnown      uint16 = 0x0063 // whether joining devices have the network key already
	itemNetworkKey    uint16 = 0x0082
	itemPAN           uint16 = 0x0083
	itemChannels      uint16 = 0x0084
	itemLogicalType   uint16 = 0x0087
	itemCallbacks     uint16 = 0x008f // ZDO messages are given to the host
	itemSeed          uint16 = 0x0101
)

const (
	configured = 0x55
	itemChunk  = 240 // bytes of an item in one frame
)

// memory is the stick's non-volatile memory.
type memory struct {
	link *link
	chip chip
}

func (r *Radio) memory() memory { return memory{r.link, r.firmware.Load().chip} }

// length returns an item's length, 0 if there is none. It must be asked for: some firmware hangs on what is not there.
func (m memory) length(ctx context.Context, item uint16) (int, error) {
	answer, err := m.link.get(ctx, sysItemLength, append16(nil, item))
	if err != nil {
		return 0, err
	}
	in := reader{b: answer}
	return int(in.uint16()), nil
}

// read returns an item, nil if there is none.
func (m memory) read(ctx context.Context, item uint16) ([]byte, error) {
	length, err := m.length(ctx, item)
	if err != nil {
		return nil, fmt.Errorf("reading item 0x%04x of the stick: %w", item, err)
	}
	var value []byte
	for len(value) < length {
		answer, err := m.link.get(ctx, sysItemRead, append16(append16(nil, item), uint16(len(value))))
		if err != nil {
			return nil, fmt.Errorf("reading item 0x%04x of the stick: %w", item, err)
		}
		in := reader{b: answer}
		status, count := in.uint8(), int(in.uint8())
		if status != statusSuccess || count == 0 || count > len(in.b) {
			return nil, fmt.Errorf("reading item 0x%04x of the stick: %w", item, refusal(sysItemRead, status))
		}
		value = append(value, in.take(count)...)
	}
	return value[:min(len(value), length)], nil
}

// write stores an item as it shall be: what is there already is left alone, what is not is made. Where the firmware has
// more room than that, the rest stays.
func (m memory) write(ctx context.Context, item uint16, value []byte) error {
	if err := m.store(ctx, item, value); err != nil {
		return fmt.Errorf("writing item 0x%04x of the stick: %w", item, err)
	}
	return nil
}

func (m memory) store(ctx context.Context, item uint16, value []byte) error {
	length, err := m.length(ctx, item)
	switch {
	case err != nil:
		return err
	case length < len(value):
		err = m.create(ctx, item, value, length)
	default:
		if old, err := m.read(ctx, item); err == nil && bytes.HasPrefix(old, value) {
			return nil
		}
	}
	for at := 0; at < len(value) && err == nil; at += itemChunk {
		piece := value[at:min(at+itemChunk, len(value))]
		b := append16(append16(append16(nil, item), uint16(at)), uint16(len(piece)))
		err = m.done(ctx, sysItemWrite, append(b, piece...), statusSuccess)
	}
	return err
}

// create makes an item in place of a shorter one.
func (m memory) create(ctx context.Context, item uint16, value []byte, old int) error {
	if old > 0 {
		if err := m.remove(ctx, item, old); err != nil {
			return err
		}
	}
	first := value[:min(len(value), itemChunk)]
	b := append(append16(append16(nil, item), uint16(len(value))), byte(len(first)))
	return m.done(ctx, sysItemInit, append(b, first...), statusSuccess, statusItemCreated)
}

// forget deletes an item, if there is one.
func (m memory) forget(ctx context.Context, item uint16) error {
	length, err := m.length(ctx, item)
	if err == nil && length > 0 {
		err = m.remove(ctx, item, length)
	}
	if err != nil {
		return fmt.Errorf("deleting item 0x%04x of the stick: %w", item, err)
	}
	return nil
}

func (m memory) remove(ctx context.Context, item uint16, length int) error {
	return m.done(ctx, sysItemDelete, append16(append16(nil, item), uint16(length)), statusSuccess, statusItemCreated)
}

// done makes a request that changes the memory; doing it twice does no harm.
func (m memory) done(ctx context.Context, c command, data []byte, good ...byte) error {
	answer, err := m.link.ask(ctx, call{command: c, data: data, timeout: storeTimeout, tries: idempotentTries})
	if err != nil {
		return err
	}
	if len(answer) < 1 || !bytes.Contains(good, answer[:1]) {
		return refusal(c, append(answer, 0xff)[0])
	}
	return nil
}

// A table is where rows of one kind lie: in extended memory, or in items that follow each other, from the first on. Not
// all of those need be there.
type table struct {
	name        string
	extended    uint16
	first, last uint16
}

func tableOfKeys() table      { return table{"link keys", 6, 0x0201, 0x02ff} }
func tableOfTrust() table     { return table{"trust centre keys", 4, 0x0111, 0x01ff} }
func tableOfCounters() table  { return table{"frame counters", 7, 0x0075, 0x0080} }
func tableOfAddresses() table { return table{name: "addresses", extended: 1} }

const systemZStack = 1

// A row is an entry of a table, and where it lies.
type row struct {
	index uint16 // the sub id, or the item
	value []byte
}

// rows reads a table.
func (m memory) rows(ctx context.Context, t table) ([]row, error) {
	var all []row
	var err error
	switch {
	case m.chip.extended():
		all, err = m.extendedRows(ctx, t)
	case t.first == 0:
		all, err = m.inlineRows(ctx)
	default:
		all, err = m.itemRows(ctx, t)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the stick's table of %s: %w", t.name, err)
	}
	return all, nil
}

const mostRows = 1024 // more than any firmware has

func (m memory) extendedRows(ctx context.Context, t table) (all []row, err error) {
	for index := range uint16(mostRows) {
		where := append16(append16([]byte{systemZStack}, t.extended), index)
		answer, err := m.link.get(ctx, sysTableLength, where)
		if err != nil {
			return nil, err
		}
		if len(answer) == 0 || answer[0] == 0 { // one byte or four, by firmware; no row has more than 255 bytes
			break
		}
		length := answer[0]
		answer, err = m.link.get(ctx, sysTableRead, append(append16(where, 0), length))
		if err != nil {
			return nil, err
		}
		in := reader{b: answer}
		status, count := in.uint8(), int(in.uint8())
		value := in.take(count)
		if status != statusSuccess || in.short {
			return nil, refusal(sysTableRead, status)
		}
		all = append(all, row{index, value})
	}
	return all, nil
}

func (m memory) itemRows(ctx context.Context, t table) (all []row, err error) {
	missing := 0
	for item := t.first; item <= t.last && missing < mostMissing; item++ {
		value, err := m.read(ctx, item)
		if err != nil {
			return nil, err
		}
		if value == nil {
			missing++
			continue
		}
		missing = 0
		all = append(all, row{item, value})
	}
	return all, nil
}

const mostMissing = 16 // a longer gap is the table's end

// inlineRows cuts the one item into which 3.0.x puts its table of addresses.
func (m memory) inlineRows(ctx context.Context) (all []row, err error) {
	value, err := m.read(ctx, itemDevices)
	length := addressLength(m.chip.aligned)
	for at := 0; at+length <= len(value); at += length {
		all = append(all, row{uint16(len(all)), value[at : at+length]})
	}
	return all, err
}

// writeRows stores rows of a table where they lay when they were read.
func (m memory) writeRows(ctx context.Context, t table, all []row, changed []int) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing the stick's table of %s: %w", t.name, err)
		}
	}()
	if !m.chip.extended() && t.first == 0 {
		var value []byte
		for _, one := range all {
			value = append(value, one.value...)
		}
		return m.write(ctx, itemDevices, value)
	}
	for _, i := range changed {
		one := all[i]
		if m.chip.extended() {
			b := append16(append16(append16([]byte{systemZStack}, t.extended), one.index), 0)
			err = m.done(ctx, sysTableWrite, append(append(b, byte(len(one.value))), one.value...), statusSuccess)
		} else {
			err = m.write(ctx, one.index, one.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// own reads the stick's address.
func (r *Radio) own(ctx context.Context) (radio.IEEE, error) {
	answer, err := r.link.get(ctx, sysGetAddress, nil)
	if err != nil {
		return 0, err
	}
	if len(answer) < 8 {
		return 0, fmt.Errorf("the stick tells its address in %d bytes", len(answer))
	}
	return readIEEE(answer), nil
}
