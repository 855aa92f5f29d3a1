package zigbee

import (
	"context"
	"errors"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
)

// confirmGrace is what the stick's confirmation gets after the device itself has said that it did what it was told.
const confirmGrace = 300 * time.Millisecond

var errGranted = errors.New("the device has said so itself")

// A wish is what a command asks for, while it is delivered, and has not yet been reported since.
type wish map[string]hearth.Value

// wishFor begins to look for what set asks for; nil if part of it is never reported. d.mu is held.
func (dev *device) wishFor(set map[string]hearth.Value) wish {
	w := wish{}
	for name, value := range set {
		p, ok := dev.told.Property(name)
		if !ok || p.WriteOnly || p.Momentary {
			return nil
		}
		w[name] = value
	}
	return w
}

// grant takes a report of the device's; d.mu is held.
func (dev *device) grant(reading hearth.Reading) {
	for _, open := range dev.wishes {
		p, _ := dev.told.Property(reading.Property)
		if want, wanted := open.wish[reading.Property]; !wanted || !near(p, reading.Value, want) {
			continue
		}
		if delete(open.wish, reading.Property); len(open.wish) == 0 {
			open.granted()
		}
	}
}

// An openWish is a request that is on its way, for a wish.
type openWish struct {
	wish    wish
	granted func()
}

// sendFor sends a request of a command's. Where the device gives no answer, its report of all that was wished ends the
// wait for the stick's confirmation, which may be lost.
func (s *session) sendFor(ctx context.Context, dev *device, r expose.Request, w wish) error {
	if r.Answer || w == nil {
		return s.send(ctx, dev, r)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	open := &openWish{w, func() { time.AfterFunc(confirmGrace, func() { cancel(errGranted) }) }}
	s.d.mu.Lock()
	dev.wishes = append(dev.wishes, open)
	s.d.mu.Unlock()
	defer func() {
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		dev.wishes = slices.DeleteFunc(dev.wishes, func(other *openWish) bool { return other == open })
	}()
	err := s.send(ctx, dev, r)
	if errors.Is(context.Cause(ctx), errGranted) {
		return nil
	}
	return err
}
