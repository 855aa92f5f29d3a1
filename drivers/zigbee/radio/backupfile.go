package radio

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// The open coordinator backup format (zigpy/open-coordinator-backup, version 1).
const (
	backupFormat  = "zigpy/open-coordinator-backup"
	backupVersion = 1

	maxBackup   = 1 << 20 // bytes: a thousand devices take a third of it
	maxProblems = 10

	firstChannel = 11
	lastChannel  = 26
)

// A backupFile is the format as JSON. What is a pointer may be missing; numbers are wide, so that a wrong one is told by
// its name.
type backupFile struct {
	Metadata        *backupMetadata `json:"metadata"`
	StackSpecific   *stackSpecific  `json:"stack_specific,omitempty"`
	CoordinatorIEEE *string         `json:"coordinator_ieee"`
	PAN             *string         `json:"pan_id"`
	ExtendedPAN     *string         `json:"extended_pan_id"`
	UpdateID        *int64          `json:"nwk_update_id"`
	SecurityLevel   *int64          `json:"security_level"`
	Channel         *int64          `json:"channel"`
	ChannelMask     []int64         `json:"channel_mask"`
	NetworkKey      *networkKey     `json:"network_key"`
	Devices         []backupDevice  `json:"devices"`
}

type backupMetadata struct {
	Format   string         `json:"format"`
	Version  *int64         `json:"version"`
	Source   string         `json:"source"`
	Internal backupInternal `json:"internal"`
}

// A backupInternal is nobody's but the writer's; zigbee-herdsman says date, zigpy creation_time.
type backupInternal struct {
	Date         string `json:"date,omitempty"`
	CreationTime string `json:"creation_time,omitempty"`
	EZSPVersion  uint8  `json:"ezspVersion,omitempty"`
}

type stackSpecific struct {
	ZStack *zstackSpecific `json:"zstack,omitempty"`
	EZSP   *ezspSpecific   `json:"ezsp,omitempty"`
}

type zstackSpecific struct {
	Seed *string `json:"tclk_seed,omitempty"`
}

type ezspSpecific struct {
	Hashed *string `json:"hashed_tclk,omitempty"`
}

type networkKey struct {
	Key          *string `json:"key"`
	Sequence     *int64  `json:"sequence_number"`
	FrameCounter *int64  `json:"frame_counter"`
}

type backupDevice struct {
	NWK     *string        `json:"nwk_address"` // null: not known
	IEEE    *string        `json:"ieee_address"`
	Child   *bool          `json:"is_child,omitempty"` // missing: it is one
	LinkKey *backupLinkKey `json:"link_key,omitempty"`
}

type backupLinkKey struct {
	Key       *string `json:"key"`
	RxCounter *int64  `json:"rx_counter"`
	TxCounter *int64  `json:"tx_counter"`
}

// ParseBackup reads a backup whoever wrote it. The error names every field that is wrong, and never what is in it.
func ParseBackup(data []byte) (Backup, error) {
	if len(data) > maxBackup {
		return Backup{}, fmt.Errorf("coordinator backup: %d bytes are more than one can have (%d)", len(data), maxBackup)
	}
	var file backupFile
	if err := json.Unmarshal(data, &file); err != nil {
		return Backup{}, fmt.Errorf("coordinator backup: %w", withoutValue(err))
	}
	if file.Metadata == nil {
		return Backup{}, errors.New("coordinator backup: metadata is missing: is it another kind of file?")
	}
	if format := file.Metadata.Format; format != "" && format != backupFormat {
		return Backup{}, fmt.Errorf("coordinator backup: metadata.format is not %s", backupFormat)
	}
	if v := file.Metadata.Version; v == nil || *v != backupVersion {
		return Backup{}, fmt.Errorf("coordinator backup: metadata.version is not %d", backupVersion)
	}
	check := &checker{}
	b := file.backup(check)
	if len(check.problems) > 0 {
		return Backup{}, fmt.Errorf("coordinator backup: %w", errors.Join(check.problems...))
	}
	return b, nil
}

// withoutValue takes from an error of encoding/json what may be a key.
func withoutValue(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s is not of the right kind (byte %d)", wrong.Field, wrong.Offset)
	}
	return err
}

func (f *backupFile) backup(check *checker) Backup {
	b := Backup{
		Network: Network{
			PAN:         check.short("pan_id", f.PAN),
			Extended:    check.one("extended_pan_id", f.ExtendedPAN),
			Channel:     uint8(check.number("channel", f.Channel, firstChannel, lastChannel)),
			UpdateID:    uint8(check.number("nwk_update_id", f.UpdateID, 0, math.MaxUint8)),
			Coordinator: check.one("coordinator_ieee", f.CoordinatorIEEE),
		},
		SecurityLevel: uint8(check.number("security_level", f.SecurityLevel, 0, 7)),
		Source:        f.Metadata.Source,
		Made:          f.Metadata.Internal.made(),
		EZSP:          f.Metadata.Internal.EZSPVersion,
	}
	if b.PAN == 0xffff {
		check.wrong("pan_id", "ffff is no network")
	}
	b.ChannelMask = f.mask(check)
	if key := f.NetworkKey; key == nil {
		check.wrong("network_key", "it is missing")
	} else {
		b.Key = check.key("network_key.key", key.Key)
		if key.Key != nil && *key.Key == strings.Repeat("00", len(b.Key)) {
			check.wrong("network_key.key", "it is nothing but zeros")
		}
		b.KeySequence = uint8(check.number("network_key.sequence_number", key.Sequence, 0, math.MaxUint8))
		b.FrameCounter = uint32(check.number("network_key.frame_counter", key.FrameCounter, 0, math.MaxUint32))
	}
	if f.Devices == nil {
		check.wrong("devices", "it is missing")
	}
	for i := range f.Devices {
		b.Devices = append(b.Devices, f.Devices[i].known(check, fmt.Sprintf("devices[%d].", i)))
	}
	b.stack(f.StackSpecific, check)
	return b
}

func (b *Backup) stack(specific *stackSpecific, check *checker) {
	if specific == nil {
		return
	}
	if z := specific.ZStack; z != nil && z.Seed != nil {
		seed := check.key("stack_specific.zstack.tclk_seed", z.Seed)
		b.Seed = &seed
	}
	if e := specific.EZSP; e != nil && e.Hashed != nil {
		hashed := check.key("stack_specific.ezsp.hashed_tclk", e.Hashed)
		b.Hashed = &hashed
	}
}

func (i backupInternal) made() time.Time {
	for _, text := range [...]string{i.Date, i.CreationTime} {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

func (f *backupFile) mask(check *checker) uint32 {
	if f.ChannelMask == nil {
		check.wrong("channel_mask", "it is missing")
	}
	mask := uint32(0)
	for i, channel := range f.ChannelMask {
		if n := check.number(fmt.Sprintf("channel_mask[%d]", i), &channel, firstChannel, lastChannel); n != 0 {
			mask |= 1 << n
		}
	}
	return mask
}

func (d *backupDevice) known(check *checker, at string) KnownDevice {
	known := KnownDevice{NWK: Unknown, IEEE: check.ieee(at+"ieee_address", d.IEEE), Child: d.Child == nil || *d.Child}
	if d.NWK != nil {
		known.NWK = NWK(check.short(at+"nwk_address", d.NWK))
	}
	if link := d.LinkKey; link != nil {
		key := check.key(at+"link_key.key", link.Key)
		known.LinkKey = &key
		known.RxCounter = uint32(check.number(at+"link_key.rx_counter", link.RxCounter, 0, math.MaxUint32))
		known.TxCounter = uint32(check.number(at+"link_key.tx_counter", link.TxCounter, 0, math.MaxUint32))
	}
	return known
}

// A checker reads fields and collects what is wrong with them.
type checker struct{ problems []error }

func (c *checker) wrong(field, format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
}

func (c *checker) number(field string, n *int64, low, high int64) int64 {
	switch {
	case n == nil:
		c.wrong(field, "it is missing")
		return 0
	case *n < low || *n > high:
		c.wrong(field, "want %d to %d", low, high)
		return 0
	}
	return *n
}

// bytes reads hex digits, the most significant first, and reports whether they are in order.
func (c *checker) bytes(field string, text *string, into []byte) bool {
	if text == nil {
		c.wrong(field, "it is missing")
		return false
	}
	if len(*text) != 2*len(into) {
		c.wrong(field, "want %d hex digits, there are %d characters", 2*len(into), len(*text))
		return false
	}
	if _, err := hex.Decode(into, []byte(*text)); err != nil {
		c.wrong(field, "want %d hex digits", 2*len(into))
		return false
	}
	return true
}

func (c *checker) ieee(field string, text *string) IEEE {
	var b [8]byte
	c.bytes(field, text, b[:])
	return IEEE(binary.BigEndian.Uint64(b[:]))
}

// one reads an address that must be somebody's.
func (c *checker) one(field string, text *string) IEEE {
	var b [8]byte
	ok := c.bytes(field, text, b[:])
	a := IEEE(binary.BigEndian.Uint64(b[:]))
	if ok && (a == 0 || a == math.MaxUint64) {
		c.wrong(field, "%s is nobody's", a)
	}
	return a
}

// short reads 4 hex digits, or fewer: zigbee-herdsman leaves off the zeros at the front.
func (c *checker) short(field string, text *string) uint16 {
	var b [2]byte
	if text != nil && len(*text) > 0 && len(*text) < 4 {
		padded := strings.Repeat("0", 4-len(*text)) + *text
		text = &padded
	}
	c.bytes(field, text, b[:])
	return binary.BigEndian.Uint16(b[:])
}

func (c *checker) key(field string, text *string) Key {
	var key Key
	c.bytes(field, text, key[:])
	return key
}

// MarshalJSON writes the backup in the open coordinator backup format. A backup without its network key is refused: no
// device could be kept with it.
func (b Backup) MarshalJSON() ([]byte, error) {
	if b.Key == (Key{}) {
		return nil, errors.New("coordinator backup: the network key is not known")
	}
	file := backupFile{
		Metadata:        &backupMetadata{Format: backupFormat, Version: new(int64(backupVersion)), Source: b.Source},
		StackSpecific:   &stackSpecific{},
		CoordinatorIEEE: new(b.Coordinator.String()),
		PAN:             new(fmt.Sprintf("%04x", b.PAN)),
		ExtendedPAN:     new(b.Extended.String()),
		UpdateID:        new(int64(b.UpdateID)),
		SecurityLevel:   new(int64(b.SecurityLevel)),
		Channel:         new(int64(b.Channel)),
		ChannelMask:     channels(b.ChannelMask, b.Channel),
		NetworkKey: &networkKey{
			Key: hexKey(b.Key), Sequence: new(int64(b.KeySequence)), FrameCounter: new(int64(b.FrameCounter)),
		},
		Devices: make([]backupDevice, 0, len(b.Devices)),
	}
	if !b.Made.IsZero() {
		file.Metadata.Internal.Date = b.Made.UTC().Format(time.RFC3339Nano)
	}
	file.Metadata.Internal.EZSPVersion = b.EZSP
	if b.Seed != nil {
		file.StackSpecific.ZStack = &zstackSpecific{Seed: hexKey(*b.Seed)}
	}
	if b.Hashed != nil {
		file.StackSpecific.EZSP = &ezspSpecific{Hashed: hexKey(*b.Hashed)}
	}
	for _, known := range b.Devices {
		file.Devices = append(file.Devices, known.device())
	}
	return json.Marshal(file)
}

func (d KnownDevice) device() backupDevice {
	device := backupDevice{IEEE: new(d.IEEE.String()), Child: &d.Child}
	if d.NWK != Unknown {
		device.NWK = new(fmt.Sprintf("%04x", uint16(d.NWK)))
	}
	if d.LinkKey != nil {
		device.LinkKey = &backupLinkKey{
			Key: hexKey(*d.LinkKey), RxCounter: new(int64(d.RxCounter)), TxCounter: new(int64(d.TxCounter)),
		}
	}
	return device
}

func hexKey(k Key) *string { return new(hex.EncodeToString(k[:])) }

// channels lists a mask's channels, the network's own one if the mask has none.
func channels(mask uint32, own uint8) []int64 {
	list := []int64{}
	for channel := int64(firstChannel); channel <= lastChannel; channel++ {
		if mask&(1<<channel) != 0 {
			list = append(list, channel)
		}
	}
	if len(list) == 0 {
		list = append(list, int64(own))
	}
	return list
}
