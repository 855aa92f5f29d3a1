package znp

import (
	"context"
	"encoding/binary"
	"fmt"

	"hearth"
	"hearth/drivers/zigbee/radio"
)

// The products that SYS_VERSION tells.
const (
	productHome12 = 0
	product3x0    = 1
	product30x    = 2
)

// A chip is what a stick is.
type chip struct {
	product  uint8
	release  [3]uint8
	revision uint32 // the build's date as a number, 20240710; 0 in old firmware
	aligned  bool   // its compiler aligns the fields of structures
}

// extended reports whether tables live in extended non-volatile memory.
func (c chip) extended() bool { return c.product == product3x0 }

// messages is how many messages the firmware can have under way at once.
func (c chip) messages() int {
	if c.extended() {
		return 16
	}
	return 2
}

func (c chip) String() string {
	name := "3.0.x"
	switch c.product {
	case productHome12:
		name = "Home 1.2"
	case product3x0:
		name = "3.x.0"
	}
	if c.revision == 0 {
		return fmt.Sprintf("Z-Stack %s (%d.%d.%d)", name, c.release[0], c.release[1], c.release[2])
	}
	return fmt.Sprintf("Z-Stack %s %d", name, c.revision)
}

func parseVersion(answer []byte) (chip, error) {
	in := reader{b: answer}
	_ = in.uint8() // of the transport
	c := chip{product: in.uint8(), release: [3]uint8{in.uint8(), in.uint8(), in.uint8()}}
	if in.short {
		return c, fmt.Errorf("the stick tells its version in %d bytes", len(answer))
	}
	if len(in.b) >= 4 {
		c.revision = in.uint32()
	}
	if c.product != product3x0 && c.product != product30x {
		return c, hearth.Errorf(hearth.CodeFailed, "the stick has %s, which cannot run a Zigbee 3.0 network: flash it with Z-Stack 3.x.0 or 3.0.x for coordinators", c)
	}
	return c, nil
}

// deviceCoordinator is the state of a stick whose network runs (DEV_ZB_COORD).
const deviceCoordinator = 9

type deviceInfo struct {
	ieee  radio.IEEE
	nwk   radio.NWK
	state uint8
}

// deviceInfo asks the stick how it is.
func (r *Radio) deviceInfo(ctx context.Context) (deviceInfo, error) {
	answer, err := r.link.get(ctx, utilDeviceInfo, nil)
	if err != nil {
		return deviceInfo{}, err
	}
	in := reader{b: answer}
	_ = in.uint8() // status
	info := deviceInfo{ieee: in.ieee(), nwk: in.nwk()}
	_ = in.uint8() // what it can be
	info.state = in.uint8()
	if in.short {
		return info, fmt.Errorf("the stick tells of itself in %d bytes", len(answer))
	}
	return info, nil
}

// A nib is the stick's network information base, as it lies in its memory. Only what differs between networks is touched.
type nib []byte

// The fields of a nib, without and with alignment.
type nibField struct{ plain, aligned int }

func nibFields() (f struct {
	security, address, channel, coordinator, pan, channels, extended, loaded, manager, update nibField
}) {
	f.security = nibField{12, 12}
	f.address = nibField{20, 22}
	f.channel = nibField{22, 24}
	f.coordinator = nibField{23, 26}
	f.pan = nibField{33, 36}
	f.channels = nibField{36, 40}
	f.extended = nibField{53, 57}
	f.loaded = nibField{61, 65}
	f.manager = nibField{105, 110}
	f.update = nibField{109, 114}
	return f
}

const (
	nibLength        = 110
	nibLengthAligned = 116
)

func (n nib) valid() bool { return len(n) == nibLength || len(n) == nibLengthAligned }

// at returns the rest of the nib from a field on.
func (n nib) at(f nibField) []byte {
	if len(n) == nibLengthAligned {
		return n[f.aligned:]
	}
	return n[f.plain:]
}

func (n nib) pan() uint16          { return binary.LittleEndian.Uint16(n.at(nibFields().pan)) }
func (n nib) channel() uint8       { return n.at(nibFields().channel)[0] }
func (n nib) channels() uint32     { return binary.LittleEndian.Uint32(n.at(nibFields().channels)) }
func (n nib) extended() radio.IEEE { return readIEEE(n.at(nibFields().extended)) }
func (n nib) update() uint8        { return n.at(nibFields().update)[0] }
func (n nib) security() uint8      { return n.at(nibFields().security)[0] }

// settled reports whether the nib is that of a network.
func (n nib) settled() bool {
	return n.valid() && n.pan() < 0xfffe && n.channel() >= 11 && n.channel() <= 26 && !unused(n.extended())
}

// become makes the nib that of b.
func (n nib) become(b radio.Backup) {
	f := nibFields()
	binary.LittleEndian.PutUint16(n.at(f.pan), b.PAN)
	binary.LittleEndian.PutUint32(n.at(f.channels), channelsOf(b))
	binary.LittleEndian.PutUint64(n.at(f.extended), uint64(b.Extended))
	binary.LittleEndian.PutUint16(n.at(f.address), uint16(radio.Coordinator))
	binary.LittleEndian.PutUint16(n.at(f.coordinator), uint16(radio.Coordinator))
	binary.LittleEndian.PutUint16(n.at(f.manager), uint16(radio.Coordinator))
	n.at(f.channel)[0] = b.Channel
	n.at(f.update)[0] = b.UpdateID
	n.at(f.security)[0] = b.SecurityLevel
	n.at(f.loaded)[0] = 1
}

// channelsOf returns the mask of a backup's channels: its own at least.
func channelsOf(b radio.Backup) uint32 { return b.ChannelMask | 1<<b.Channel }
