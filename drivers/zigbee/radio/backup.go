package radio

import (
	"log/slog"
	"time"
)

// A Backup is a network as the open coordinator backup format, version 1, has it: enough to go on with another stick.
// Backups are read and written by ParseBackup and MarshalJSON.
type Backup struct {
	Network
	SecurityLevel uint8 // 5
	ChannelMask   uint32
	FrameCounter  uint32 // of the network key
	Devices       []KnownDevice

	Source string    // which program made it
	Made   time.Time // zero if the file does not say
	Seed   *Key      // of Z-Stack: what its link keys are derived from
	Hashed *Key      // of EmberZNet: the trust centre's link key is hashed with it
	EZSP   uint8     // of EmberZNet: the version of its protocol, without which some programs take no backup of it
}

// A KnownDevice is one that the stick has keys of, or is the parent of.
type KnownDevice struct {
	NWK       NWK // Unknown if the stick does not know it
	IEEE      IEEE
	Child     bool
	LinkKey   *Key // nil: the usual one
	RxCounter uint32
	TxCounter uint32
}

// LogValue implements slog.LogValuer: no log gets what MarshalJSON writes.
func (b Backup) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("network", b.Network), slog.Int("devices", len(b.Devices)), slog.Time("made", b.Made))
}
