package zigbee

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
)

// network is what is kept of the network in the Store: enough to know it again. Its key is in the backup file only.
type network struct {
	radio.Network
	Address radio.IEEE `json:"address"` // in the coordinator's id: the first stick's, whatever stick it is now
}

func (n *network) id(env hearth.Env) hearth.ID { return env.ID(n.Address.String()) }

// defaultChannel lies between the channels that most Wi-Fi networks use.
const defaultChannel = 15

// A choice is how the network shall come up.
type choice struct {
	plan radio.Plan
	says string // for the log; "" for the usual case: the network is the one that is kept
}

// choose decides what to do with what is on the stick. kept is what the Store has, backup what the backup file has; each
// may be nil. Nothing is ever overwritten or given up that the configuration does not name.
func choose(cfg Config, kept *network, backup *radio.Backup, info radio.Info, now time.Time) (choice, error) {
	ours := kept
	if ours == nil && backup != nil {
		ours = &network{Network: backup.Network}
	}
	if ours != nil && backup != nil && backup.Extended != ours.Extended {
		backup = nil // of another network
	}
	found := info.Network
	giveUp := func(n *radio.Network) bool { return cfg.Network.Replace == n.Extended.String() }
	switch {
	case found == nil && ours == nil:
		return form(cfg, "a new network is formed: the stick is blank, and none is kept")
	case found == nil && giveUp(&ours.Network):
		return form(cfg, "a new network is formed: the kept one is given up, as the configuration says")
	case found == nil && backup == nil:
		return choice{}, lostBackup(ours)
	case found == nil:
		return restore(backup, now, "the stick is blank: the network is restored from its backup"), nil
	case ours != nil && sameNetwork(ours, backup, found):
		if giveUp(found) {
			return form(cfg, "a new network is formed: the one on the stick is given up, as the configuration says")
		}
		return choice{}, nil
	case cfg.Network.Adopt == found.Extended.String():
		return choice{says: "the network on the stick is adopted, as the configuration says"}, nil
	case giveUp(found) && ours == nil:
		return form(cfg, "a new network is formed in place of the one on the stick, as the configuration says")
	case giveUp(found) && backup == nil:
		return choice{}, lostBackup(ours)
	case giveUp(found):
		return restore(backup, now, "the network is restored from its backup in place of the one on the stick, as the configuration says"), nil
	}
	return choice{}, foreign(ours, info)
}

// sameNetwork goes by the extended PAN id, which is a network's for life, and by the key: under another key no device
// would be heard.
func sameNetwork(ours *network, backup *radio.Backup, found *radio.Network) bool {
	if ours.Extended != found.Extended {
		return false
	}
	var unknown radio.Key
	return backup == nil || found.Key == unknown || backup.Key == unknown || found.Key == backup.Key
}

func describe(n *radio.Network) string {
	return fmt.Sprintf("PAN id 0x%04x, extended PAN id %s, channel %d, coordinator %s", n.PAN, n.Extended, n.Channel, n.Coordinator)
}

func foreign(ours *network, info radio.Info) error {
	found := *info.Network
	if found.Coordinator == 0 {
		found.Coordinator = info.IEEE
	}
	kept, instead := "no network is kept here", "a new one"
	if ours != nil {
		kept, instead = "the one kept here has "+describe(&ours.Network), "the kept one"
		if ours.Extended == found.Extended {
			kept = "the one kept here has the same ids and another key"
		}
	}
	return hearth.Errorf(hearth.CodeConflict, "the stick has a network that is not the one of this driver: found %s; %s. Nothing was changed. "+
		"To go on with the network on the stick, set network: {adopt: %q}; to overwrite it with %s, set network: {replace: %q}",
		describe(&found), kept, found.Extended, instead, found.Extended)
}

func lostBackup(ours *network) error {
	return hearth.Errorf(hearth.CodeConflict, "the stick does not have the kept network (%s), and its backup, %s in the driver's directory, is gone. Nothing was changed. "+
		"Put the backup or the right stick back; or, to give that network up and pair everything anew, set network: {replace: %q} with a blank stick",
		describe(&ours.Network), backupFile, ours.Extended)
}

// Frame counters go on while a backup lies still. Devices ignore a coordinator whose counter goes backwards, and a gap
// costs nothing; so a backup's is raised by more than a busy network sends.
const (
	framesPerSecond = 10
	mostFrames      = 100_000_000
)

func restore(backup *radio.Backup, now time.Time, says string) choice {
	raised := *backup
	if age := now.Sub(raised.Made); !raised.Made.IsZero() && age > 0 {
		raised.FrameCounter += uint32(min(int64(age.Seconds())*framesPerSecond, mostFrames))
	}
	return choice{radio.Plan{Restore: &raised}, says}
}

// form plans a new network: what the configuration names, and chance for the rest.
func form(cfg Config, says string) (choice, error) {
	key, err := cfg.key()
	if err != nil {
		return choice{}, err
	}
	n := &radio.Network{Channel: cfg.Network.Channel, PAN: uint16(cfg.Network.PAN.n)}
	if n.Channel == 0 {
		n.Channel = defaultChannel
	}
	if !cfg.Network.PAN.set {
		n.PAN = uint16(1 + chance()%0xfffe)
	}
	if cfg.Network.Extended != "" {
		n.Extended, _ = radio.ParseIEEE(cfg.Network.Extended) // Check has seen it
	} else {
		n.Extended = radio.IEEE(1 + chance()%(1<<64-2))
	}
	if key != nil {
		n.Key = *key
	} else {
		_, _ = rand.Read(n.Key[:]) // never fails
	}
	return choice{radio.Plan{Form: n}, says}, nil
}

func chance() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}
