package homekit

import (
	"time"

	"hearth"
	"hearth/edge/homekit/hap"
)

func (b *Bridge) press(reading hearth.Reading) {
	b.mu.Lock()
	t := b.things[reading.Device]
	var server *hap.Server
	if t != nil {
		server = b.server(t)
		t = b.seen(t)
	}
	b.mu.Unlock()
	if t != nil && !b.late(reading) {
		t.press(reading, server)
	}
}

// seen is the thing that controllers see: until its new shape is published, the one before. b.mu is held.
func (b *Bridge) seen(t *thing) *thing {
	if t.bridge < len(b.units) && b.units[t.bridge].published[t.a] == nil {
		for _, before := range b.units[t.bridge].published {
			if before.id == t.id {
				return before
			}
		}
	}
	return t
}

// late reports whether a press happened some time ago, by the device's own word: nobody wants its light now.
func (b *Bridge) late(reading hearth.Reading) bool {
	now, trusted := b.o.Now()
	return trusted && !reading.Untrusted && now.Sub(reading.Time) > 10*time.Second
}
