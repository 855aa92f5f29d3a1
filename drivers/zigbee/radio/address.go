package radio

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
)

// An IEEE is a 64-bit address, or an extended PAN id. It is written as 16 hex digits, the most significant first; on the
// air it goes the other way round.
type IEEE uint64

func (a IEEE) String() string { return fmt.Sprintf("%016x", uint64(a)) }

// MarshalText implements encoding.TextMarshaler.
func (a IEEE) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *IEEE) UnmarshalText(text []byte) (err error) {
	*a, err = ParseIEEE(string(text))
	return err
}

// ParseIEEE reads 16 hex digits.
func ParseIEEE(s string) (IEEE, error) {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		return 0, fmt.Errorf("address %q: want 16 hex digits", s)
	}
	return IEEE(v), nil
}

// An NWK is a 16-bit network address.
type NWK uint16

// The network addresses that are not a device's.
const (
	Coordinator      NWK = 0x0000
	BroadcastRouters NWK = 0xfffc
	BroadcastAwake   NWK = 0xfffd // all whose receiver is always on
	Unknown          NWK = 0xfffe
	BroadcastAll     NWK = 0xffff
)

// Broadcast reports whether a is more than one device's.
func (a NWK) Broadcast() bool { return a >= BroadcastRouters && a != Unknown }

func (a NWK) String() string { return fmt.Sprintf("0x%04x", uint16(a)) }

// A Key is an AES-128 key. It never prints.
type Key [16]byte

// TrustCentre is the link key that every Zigbee 3.0 and Home Automation device knows.
var TrustCentre = Key([]byte("ZigBeeAlliance09"))

func (k Key) String() string { return "(key)" }

// Format implements fmt.Formatter: no verb shows a key.
func (k Key) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("(key)")) }

// LogValue implements slog.LogValuer.
func (k Key) LogValue() slog.Value { return slog.StringValue("(key)") }

// ErrOtherFirmware is returned by Connect when what answers speaks another protocol.
var ErrOtherFirmware = errors.New("the stick speaks another protocol")
