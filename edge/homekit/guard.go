package homekit

import (
	"fmt"
	"runtime/debug"
	"time"

	"hearth"
	"hearth/edge/homekit/hap"
)

// lookAt tells what has changed of one device.
func (b *Bridge) lookAt(t *thing, view hearth.DeviceView, server *hap.Server, back bool) {
	defer b.caught("looking at a device", t.id)
	t.look(view, b.orders.of, b.fresh(view), time.Since(b.started), server, back)
}

// build returns a device's faces; false, where it cannot be mapped: then it stays as it was.
func (b *Bridge) build(d hearth.DeviceView) (faces []*face, ok bool) {
	defer b.caught("mapping a device", d.ID)
	return build(b.words, d), true
}

// caught ends a panic over one device: it is the mapping's mistake, and no reason to take the other devices away.
func (b *Bridge) caught(doing string, id hearth.ID) {
	if p := recover(); p != nil {
		b.log.Error("panic", "doing", doing, "device", id, "error", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
}
