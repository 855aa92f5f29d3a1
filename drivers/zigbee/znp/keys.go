package znp

import (
	"encoding/binary"

	"hearth/drivers/zigbee/radio"
)

// Z-Stack does not keep the link keys it has given out, only how far its seed was rotated for each: the key is the
// rotated seed with the device's address, twice, over it.

func derive(seed radio.Key, device radio.IEEE, shift uint8) (key radio.Key) {
	for i := range key {
		key[i] = seed[(i+int(shift))%len(seed)]
	}
	return masked(key, device)
}

func masked(key radio.Key, device radio.IEEE) radio.Key {
	var address [8]byte
	binary.LittleEndian.PutUint64(address[:], uint64(device))
	for i := range key {
		key[i] ^= address[i%len(address)]
	}
	return key
}

// shiftOf returns by how much the seed was rotated for a device's key, if the key is of that seed at all.
func shiftOf(seed, key radio.Key, device radio.IEEE) (uint8, bool) {
	for shift := range uint8(len(seed)) {
		if derive(seed, device, shift) == key {
			return shift, true
		}
	}
	return 0, false
}

// bestSeed returns the seed that stands for the most keys: there is room for many of those, and for few others. The
// backup's own is preferred. nil: there is no key at all.
func bestSeed(b radio.Backup) *radio.Key {
	best, most := b.Seed, 0
	if b.Seed != nil {
		most = seededBy(*b.Seed, b.Devices)
	}
	for _, d := range b.Devices {
		if d.LinkKey == nil {
			continue
		}
		seed := masked(*d.LinkKey, d.IEEE)
		if n := seededBy(seed, b.Devices); n > most {
			best, most = &seed, n
		}
	}
	return best
}

func seededBy(seed radio.Key, devices []radio.KnownDevice) (n int) {
	for _, d := range devices {
		if d.LinkKey == nil {
			continue
		}
		if _, ok := shiftOf(seed, *d.LinkKey, d.IEEE); ok {
			n++
		}
	}
	return n
}
