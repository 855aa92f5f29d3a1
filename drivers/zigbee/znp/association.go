package znp

import (
	"context"
	"sync"

	"hearth/drivers/zigbee/radio"
)

const (
	expiredTooOften  = 2
	maxExpired       = 64
	associationsFrom = 20201026 // firmware that has ASSOC_ADD and ASSOC_REMOVE
	relationUnused   = 0xff
)

// expiredChildren are devices for which the coordinator keeps messages in vain. Child ageing is off in this firmware, so
// one that went to another parent unheard stays its child for ever, and with one that is still its child the mark for
// waiting messages is sometimes lost. Both are mended in the table of children.
type expiredChildren struct {
	mu    sync.Mutex
	times map[radio.NWK]int
	moved map[radio.NWK]bool // was heard through somebody else since
}

// heard notes through whom a device was heard.
func (e *expiredChildren) heard(device, via radio.NWK) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.times[device] > 0 && via != radio.Unknown && via != radio.BroadcastAll {
		e.moved[device] = via != device
	}
}

// after counts how a message to a device went, and returns whether its entry is to be mended, and how.
func (e *expiredChildren) after(device radio.NWK, err error) (mend, moved bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f, failed := failureOf(err)
	if !failed || f.Status != statusExpired {
		if !failed {
			delete(e.times, device)
			delete(e.moved, device)
		}
		return false, false
	}
	if e.times == nil || len(e.times) >= maxExpired {
		e.times, e.moved = map[radio.NWK]int{}, map[radio.NWK]bool{}
	}
	e.times[device]++
	mend = e.moved[device] || e.times[device]%expiredTooOften == 0
	return mend, e.moved[device]
}

// mindExpired mends the entry of a child in the coordinator's table when messages for it expire again and again.
func (r *Radio) mindExpired(ctx context.Context, device radio.NWK, err error) {
	mend, moved := r.expired.after(device, err)
	if c := r.firmware.Load().chip; !mend || c.revision < associationsFrom || !c.extended() {
		return
	}
	answer, err := r.link.get(ctx, utilIEEEOf, appendNWK(nil, device))
	if err != nil || len(answer) < 8 || unused(readIEEE(answer)) {
		return
	}
	ieee := readIEEE(answer)
	answer, err = r.link.get(ctx, utilAssociation, appendNWK(appendIEEE(nil, ieee), device))
	in := reader{b: answer}
	nwk, _, relation := in.nwk(), in.uint16(), in.uint8()
	if err != nil || in.short || nwk == radio.Unknown || relation == relationUnused {
		return
	}
	r.log.Debug("messages for a child expire: its entry is mended", "device", ieee, "moved", moved)
	err = r.accepted(ctx, call{command: utilDisassociate, data: appendIEEE(nil, ieee)})
	if err == nil && !moved {
		err = r.accepted(ctx, call{command: utilAssociate, data: append(appendNWK(appendIEEE(nil, ieee), nwk), relation), tries: idempotentTries})
	}
	if err != nil {
		r.log.Debug("the entry of a child was not mended", "device", ieee, "reason", err)
	}
}
