package znp

import (
	"context"
	"fmt"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

func (r *Radio) isUp(doing string) error {
	if r.state.Load() != stateUp {
		return &radio.Failure{Class: radio.Down, Doing: doing}
	}
	return nil
}

// Permit implements radio.Radio. The trust centre's policy changes with it.
func (r *Radio) Permit(ctx context.Context, seconds uint8) error {
	if err := r.isUp("letting devices join"); err != nil {
		return err
	}
	_, data, _ := zdoRequest(zdo.ClusterPermitJoiningRequest, radio.Coordinator, []byte{seconds, 1})
	return r.judge(ctx, r.accepted(ctx, call{command: zdoPermitJoining, data: data, tries: idempotentTries}))
}

// Trust implements radio.Radio.
func (r *Radio) Trust(ctx context.Context, device radio.IEEE, key radio.Key) error {
	if err := r.isUp("keeping an install code"); err != nil {
		return err
	}
	const derivedKey = 2 // 1 would be the code with its CRC
	data := append(appendIEEE([]byte{derivedKey}, device), key[:]...)
	return r.accepted(ctx, call{command: cnfInstallCode, data: data, timeout: storeTimeout, tries: idempotentTries})
}

// Hear implements radio.Radio.
func (r *Radio) Hear(ctx context.Context, group uint16) error {
	if err := r.isUp("joining a group"); err != nil {
		return err
	}
	return r.join(ctx, endpointHome, group)
}

const (
	moveLimit = 20 * time.Second // the firmware waits until its broadcast has gone round
	movePoll  = 500 * time.Millisecond
)

// Move implements radio.Radio. The firmware counts the network's update id up itself.
func (r *Radio) Move(ctx context.Context, channel uint8) error {
	if err := r.isUp("changing the channel"); err != nil {
		return err
	}
	if channel < 11 || channel > 26 {
		return &radio.Failure{Class: radio.Refused, Doing: fmt.Sprintf("changing to channel %d: want 11 to 26", channel)}
	}
	now, err := r.networkInfo(ctx)
	if err != nil {
		return err
	}
	if now.channel != channel {
		if err := r.moveTo(ctx, channel); err != nil {
			return r.judge(ctx, err)
		}
	}
	return r.memory().write(ctx, itemChannels, append32(nil, 1<<channel))
}

func (r *Radio) moveTo(ctx context.Context, channel uint8) error {
	request := zdo.NetworkUpdateRequest{Channels: 1 << channel, Duration: zdo.ChangeChannel}.Append(nil)
	_, data, _ := zdoRequest(zdo.ClusterNetworkUpdateRequest, radio.BroadcastAll, request[1:])
	if err := r.accepted(ctx, call{command: zdoNetworkUpdate, data: data}); err != nil {
		return err
	}
	for end := time.Now().Add(moveLimit); time.Now().Before(end); {
		if err := pause(ctx, movePoll); err != nil {
			return gaveUp(ctx, radio.Timeout, "changing the channel")
		}
		if now, err := r.networkInfo(ctx); err == nil && now.channel == channel {
			return nil
		}
	}
	return &radio.Failure{Class: radio.Timeout, Doing: "changing the channel"}
}
