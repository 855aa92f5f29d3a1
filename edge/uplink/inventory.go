package uplink

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"hearth"
)

const settleTime = time.Second // changes of the inventory come in crowds

// inventory keeps the receiver's list of this home's devices up to date: which there are, their names, rooms,
// properties and whether they can be reached. Values are not part of it; they travel as readings, with honest times.
type inventory struct {
	r     *receiver
	home  string
	poke  chan struct{}
	again atomic.Bool
}

func newInventory(r *receiver, me hearth.Whoami) *inventory {
	i := &inventory{r: r, home: me.Home, poke: make(chan struct{}, 1)}
	i.sendAgain()
	return i
}

// look says that the inventory may have changed.
func (i *inventory) look() {
	select {
	case i.poke <- struct{}{}:
	default:
	}
}

// sendAgain has it sent even if it has not changed.
func (i *inventory) sendAgain() {
	i.again.Store(true)
	i.look()
}

func (i *inventory) run(ctx context.Context) {
	var wait pace
	var sent []byte
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.poke:
		}
		if !sleep(ctx, settleTime) {
			return
		}
		body, err := inventoryOf(i.r.opt.Home.Devices())
		if err != nil {
			i.r.opt.Log.Error("the inventory cannot be sent", "error", err)
			continue
		}
		if !i.again.Swap(false) && bytes.Equal(body, sent) {
			continue
		}
		err = i.r.asks.put(ctx, homePath(i.home, "/devices"), body)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			sent = body
			wait.reset()
			continue
		}
		if wait.tries == 0 {
			i.r.opt.Log.Warn("sending the inventory; trying again", "error", err)
		}
		i.r.asks.close()
		i.sendAgain()
		if !sleep(ctx, wait.next(err)) {
			return
		}
	}
}

// inventoryOf returns the devices as they are sent, in the order of their ids.
func inventoryOf(devices []hearth.DeviceView) ([]byte, error) {
	slices.SortFunc(devices, func(a, b hearth.DeviceView) int { return cmp.Compare(a.ID, b.ID) })
	for i := range devices {
		devices[i].LastSeen = hearth.Time{}
		devices[i].Properties = slices.Clone(devices[i].Properties)
		for j := range devices[i].Properties {
			devices[i].Properties[j] = hearth.PropertyView{Property: devices[i].Properties[j].Property}
		}
	}
	body, err := json.Marshal(devices)
	if err != nil {
		return nil, fmt.Errorf("writing the inventory: %w", err)
	}
	return body, nil
}
