package expose

import (
	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// What the lock property says (VOCABULARY of the house).
const (
	locked   = "locked"
	unlocked = "unlocked"
	jammed   = "jammed"
)

// doorLock is the Door Lock cluster (ZCL 7.3).
type doorLock struct{ state, event *slot }

func buildLock(b *builder, e Endpoint) {
	const cluster = zcl.ClusterDoorLock
	event := text("action")
	event.Momentary = true
	l := &doorLock{state: b.slot(e.ID, word("lock").AsWritable()), event: b.slot(e.ID, event)}
	b.reads(e.ID, cluster, zcl.AttrDoorLockLockState, l.state, lockState)
	b.report(l.state, cluster, zcl.AttrDoorLockLockState, atOnce())
	b.part(e.ID, cluster).command = l.heard
	b.askPresence(e.ID, cluster, zcl.AttrDoorLockDoorState)
	if b.has(e.ID, cluster, zcl.AttrDoorLockDoorState) {
		door := b.slot(e.ID, word("open"))
		b.reads(e.ID, cluster, zcl.AttrDoorLockDoorState, door, doorState)
		b.report(door, cluster, zcl.AttrDoorLockDoorState, atOnce())
	}
	b.act(func(w wish) ([]Request, error) {
		command := zcl.CmdDoorLockLock
		switch v, _ := w.of(l.state); v.Text() {
		case locked:
		case unlocked:
			command = zcl.CmdDoorLockUnlock
		default:
			return nil, hearth.Errorf(hearth.CodeBadValue, "a lock can be asked to be %s or %s, not %s", locked, unlocked, v.Text())
		}
		const noPIN = 0 // the length of the code that goes with it
		return []Request{{
			Endpoint: e.ID, Cluster: cluster, Frame: zcl.ClusterCommand(command, noPIN), Answer: true,
			Confirm: []Read{{Endpoint: e.ID, Cluster: cluster, Attributes: []uint16{zcl.AttrDoorLockLockState}}},
		}}, nil
	}, l.state)
}

// lockState reads LockState; half locked is neither.
func lockState(v zcl.Value) hearth.Value {
	switch v.Uint() {
	case 0:
		return hearth.TextOf(jammed)
	case 1:
		return hearth.TextOf(locked)
	case 2:
		return hearth.TextOf(unlocked)
	}
	return hearth.TextOf("unknown")
}

// doorState reads DoorState: open, closed, jammed, forced open.
func doorState(v zcl.Value) hearth.Value {
	switch v.Uint() {
	case 0, 3:
		return hearth.BoolOf(true)
	case 1:
		return hearth.BoolOf(false)
	}
	return hearth.Value{}
}

// heard takes the word of the lock that somebody has used it (ZCL 7.3.2.17.33).
func (l *doorLock) heard(h *hearing) {
	if h.Frame.Command != zcl.CmdDoorLockOperationEventNotification || len(h.Frame.Payload) < 2 {
		return
	}
	event, state := lockEvent(h.Frame.Payload[1])
	if event == "" {
		return
	}
	if state != "" {
		h.say(l.state, hearth.TextOf(state))
	}
	source := "unknown"
	if by := h.Frame.Payload[0]; int(by) < len(lockSources()) {
		source = lockSources()[by]
	}
	h.say(l.event, hearth.TextOf(source+"_"+event))
}

func lockSources() []string { return []string{"keypad", "remote", "manual", "rfid"} }

// lockEvent returns what an operation event code says, and the state that the lock is then in, if that follows.
func lockEvent(code byte) (event, state string) {
	switch code {
	case 0x01, 0x08, 0x0d:
		return "lock", locked
	case 0x07:
		return "one_touch_lock", locked
	case 0x0a:
		return "auto_lock", locked
	case 0x0b:
		return "schedule_lock", locked
	case 0x02, 0x09, 0x0e:
		return "unlock", unlocked
	case 0x0c:
		return "schedule_unlock", unlocked
	case 0x03, 0x04:
		return "lock_failed", ""
	case 0x05, 0x06:
		return "unlock_failed", ""
	}
	return "", ""
}

// buildAlarms hears the alarms of a lock (ZCL 3.11, 7.3.2.6); other clusters' alarms have properties of their own.
func buildAlarms(b *builder, e Endpoint) {
	if !e.serves(zcl.ClusterDoorLock) {
		return
	}
	const deadboltJammed = 0x00
	state := b.slot(e.ID, word("lock"))
	b.bind(e.ID, zcl.ClusterAlarms)
	b.part(e.ID, zcl.ClusterAlarms).command = func(h *hearing) {
		p := h.Frame.Payload
		if h.Frame.Command != zcl.CmdAlarmsAlarm || len(p) < 3 || uint16(p[1])|uint16(p[2])<<8 != zcl.ClusterDoorLock {
			return
		}
		if p[0] == deadboltJammed {
			h.say(state, hearth.TextOf(jammed))
		}
	}
}
