package ezsp

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

const (
	maxTrusted = 32 // keys of devices that have not joined yet; one more is refused

	moveTimeout = 20 * time.Second // the firmware moves when its broadcast has gone round
	moveRadius  = 0                // everywhere

	// joinGrace is how much longer the trust centre lets devices in than the network is open: a router counts from when
	// it has heard that it is to open, and who has come in at the last moment still needs the key.
	joinGrace = 5 * time.Second
)

// Permit implements radio.Radio.
func (r *Radio) Permit(ctx context.Context, seconds uint8) error {
	if !r.inPhase(up) {
		return isDown("letting devices join")
	}
	if seconds > 0 {
		if err := r.open(ctx, seconds); err != nil {
			return err
		}
	}
	if err := r.do(ctx, cmdPermitJoining, []byte{seconds}); err != nil {
		return err
	}
	if seconds == 0 {
		return r.close(ctx)
	}
	return nil
}

// permitAtRouters is called before routers are told to let devices in: the key to the network comes from the trust centre
// all the same. The coordinator itself stays as it is.
func (r *Radio) permitAtRouters(ctx context.Context, data []byte) error {
	request, err := zdo.ParsePermitJoiningRequest(data)
	if err != nil || request.Seconds == 0 { // it goes on until its time, for there may be other routers
		return nil
	}
	return r.open(ctx, request.Seconds)
}

// open makes the trust centre give the network key to devices that join with the key that all know, or with their own. It
// ends by itself.
func (r *Radio) open(ctx context.Context, seconds uint8) error {
	if err := r.giveTransientKey(ctx, everyone, radio.TrustCentre); err != nil {
		return err
	}
	r.mu.Lock()
	trusted := make(map[radio.IEEE]radio.Key, len(r.trusted))
	for device, key := range r.trusted {
		trusted[device] = key
	}
	r.mu.Unlock()
	for device, key := range trusted {
		if err := r.giveTransientKey(ctx, device, key); err != nil {
			return err
		}
	}
	r.closeAt(time.Now().Add(time.Duration(seconds)*time.Second + joinGrace))
	return r.setPolicy(ctx, policyTrustCentre, decideJoins|decideUnsecuredRejoins)
}

// closeAt has the trust centre let nobody in any more from then on, if it does not do so until later already.
func (r *Radio) closeAt(end time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase != up || end.Before(r.openUntil) {
		return
	}
	r.openUntil = end
	if r.closing != nil {
		r.closing.Stop()
	}
	r.closing = time.AfterFunc(time.Until(end), func() { r.later("letting no more devices join", r.closeInTime) })
}

func (r *Radio) closeInTime(ctx context.Context) error {
	r.mu.Lock()
	due := !r.openUntil.IsZero() && !time.Now().Before(r.openUntil)
	r.mu.Unlock()
	if !due { // somebody has opened or closed it meanwhile
		return nil
	}
	return r.close(ctx)
}

// close undoes open. Devices of the network may come back at any time.
func (r *Radio) close(ctx context.Context) error {
	r.mu.Lock()
	r.forgetOpen()
	r.mu.Unlock()
	if _, err := r.call(ctx, cmdClearTransientKeys, nil); r.tolerate(err) != nil {
		return err
	}
	return r.setPolicy(ctx, policyTrustCentre, decideUnsecuredRejoins)
}

// forgetOpen is for firmware that is closed, or has restarted; the lock is held.
func (r *Radio) forgetOpen() {
	if r.closing != nil {
		r.closing.Stop()
	}
	r.closing, r.openUntil = nil, time.Time{}
}

func (r *Radio) giveTransientKey(ctx context.Context, device radio.IEEE, key radio.Key) error {
	c, body := r.speaks().giveTransientKey(device, key)
	return r.storeKey(ctx, c, body)
}

// Trust implements radio.Radio. The firmware forgets such keys after some minutes, so that they are given again with
// each Permit until the device has joined.
func (r *Radio) Trust(ctx context.Context, device radio.IEEE, key radio.Key) error {
	const doing = "keeping the key of a device"
	if !r.inPhase(up) {
		return isDown(doing)
	}
	r.mu.Lock()
	_, known := r.trusted[device]
	full := !known && len(r.trusted) >= maxTrusted
	if !full {
		r.trusted[device] = key
	}
	r.mu.Unlock()
	if full {
		return &radio.Failure{Class: radio.Refused, Doing: fmt.Sprintf("%s: %d others have not joined yet", doing, maxTrusted)}
	}
	return r.giveTransientKey(ctx, device, key)
}

// Hear implements radio.Radio. Groups are kept over a restart of the stick.
func (r *Radio) Hear(ctx context.Context, group uint16) error {
	if !r.inPhase(up) {
		return isDown("listening to a group")
	}
	r.mu.Lock()
	if group == 0 || group == groupGreenPower || slices.Contains(r.groups, group) {
		r.mu.Unlock()
		return nil
	}
	index := ownGroups + len(r.groups)
	r.groups = append(r.groups, group)
	r.mu.Unlock()
	err := r.hearGroup(ctx, index, group)
	if err == nil {
		return nil
	}
	if refused(err) {
		r.mu.Lock()
		if n := len(r.groups); n > 0 && r.groups[n-1] == group {
			r.groups = r.groups[:n-1]
		}
		r.mu.Unlock()
	}
	return err
}

// Move implements radio.Radio: it tells the network by a broadcast, which the firmware follows too.
func (r *Radio) Move(ctx context.Context, channel uint8) error {
	const doing = "moving the network"
	if err := r.alone(ctx); err != nil {
		return err
	}
	defer r.done()
	if !r.inPhase(up) {
		return isDown(doing)
	}
	if channel < firstChannel || channel > lastChannel {
		return &radio.Failure{Class: radio.Refused, Doing: fmt.Sprintf("%s to channel %d, which is none", doing, channel)}
	}
	p, err := r.parameters(ctx)
	if err != nil || p.channel == channel {
		return err
	}
	w := r.watch()
	defer r.unwatch(w)
	request := zdo.NetworkUpdateRequest{Channels: 1 << channel, Duration: zdo.ChangeChannel, UpdateID: p.updateID + 1}
	m := radio.Message{Address: radio.BroadcastAll, Cluster: request.Cluster(), Data: request.Append(nil), Radius: moveRadius}
	if err := r.flood(ctx, m); err != nil {
		return err
	}
	err = w.await(ctx, channelChanged, moveTimeout, doing)
	if classOf(err) != radio.Timeout {
		return err
	}
	// It has not followed, or what it said was lost.
	if p, err = r.parameters(ctx); err != nil || p.channel == channel {
		return err
	}
	return r.do(ctx, cmdSetRadioChannel, []byte{channel})
}
