package fake

import (
	"encoding/binary"
	"slices"
	"time"

	"hearth/drivers/zigbee/zcl"
)

// travel is how long a covering takes from one end to the other.
const travel = 4 * time.Second

// covering moves a window covering: 0 is open, 100 closed (ZCL 7.4.2.2).
func (e *endpoint) covering(command uint8, a *arguments) {
	lift, tilt := zcl.AttrWindowCoveringCurrentPositionLiftPercentage, zcl.AttrWindowCoveringCurrentPositionTiltPercentage
	switch command {
	case zcl.CmdWindowCoveringUpOpen:
		e.drive(lift, 0)
	case zcl.CmdWindowCoveringDownClose:
		e.drive(lift, 100)
	case zcl.CmdWindowCoveringStop:
		e.halt(zcl.ClusterWindowCovering, lift)
		e.halt(zcl.ClusterWindowCovering, tilt)
	case zcl.CmdWindowCoveringGoToLiftPercentage:
		e.drive(lift, float64(a.uint8()))
	case zcl.CmdWindowCoveringGoToTiltPercentage:
		e.drive(tilt, float64(a.uint8()))
	case zcl.CmdWindowCoveringGoToLiftValue, zcl.CmdWindowCoveringGoToTiltValue:
		a.uint16() // a covering here knows percent only
	}
}

func (e *endpoint) drive(attribute uint16, to float64) {
	from := e.number(zcl.ClusterWindowCovering, attribute)
	to = min(to, 100)
	e.fade(zcl.ClusterWindowCovering, attribute, time.Duration(abs(to-from)/100*float64(travel)), func(done float64) {
		e.set(zcl.ClusterWindowCovering, attribute, from+(to-from)*done)
	})
}

// lock locks and unlocks, and keeps the PIN codes that it is given (ZCL 7.3.2.15).
func (e *endpoint) lock(r request, a *arguments) (zcl.Status, bool) {
	const locked, unlocked = 1, 2
	reply := func(b ...byte) (zcl.Status, bool) {
		r.answer(zcl.ClusterResponse(r.frame.Command, b...))
		return zcl.Success, true
	}
	state := e.number(zcl.ClusterDoorLock, zcl.AttrDoorLockLockState)
	switch r.frame.Command {
	case zcl.CmdDoorLockLock:
		state = locked
	case zcl.CmdDoorLockUnlock:
		state = unlocked
	case zcl.CmdDoorLockToggle:
		state = locked + unlocked - state
	case zcl.CmdDoorLockClearAllPINCodes:
		e.pins = nil
		return reply(0)
	default:
		return e.pinCode(r, a)
	}
	if code := a.text(); e.number(zcl.ClusterDoorLock, zcl.AttrDoorLockRequirePINForRfOperation) != 0 && !e.knows(code) {
		return reply(1)
	}
	e.set(zcl.ClusterDoorLock, zcl.AttrDoorLockLockState, state)
	status, answered := reply(0)
	source, code, user := byte(1), byte(1), uint16(0xffff) // over the radio; lock
	if state == unlocked {
		code = 2
	}
	event := binary.LittleEndian.AppendUint16([]byte{source, code}, user)
	event = append(event, 0, 0, 0, 0, 0, 0)
	f := zcl.ClusterResponse(zcl.CmdDoorLockOperationEventNotification, event...)
	e.device.toBound(e.model.ID, zcl.ClusterDoorLock, f)
	return status, answered
}

func (e *endpoint) knows(code []byte) bool {
	for _, pin := range e.pins {
		if slices.Equal(pin, code) {
			return true
		}
	}
	return false
}

func (e *endpoint) pinCode(r request, a *arguments) (zcl.Status, bool) {
	user := a.uint16()
	if a.short {
		return zcl.MalformedCommand, false
	}
	switch r.frame.Command {
	case zcl.CmdDoorLockSetPINCode:
		a.uint16() // status and type
		if e.pins == nil {
			e.pins = map[uint16][]byte{}
		}
		e.pins[user] = slices.Clone(a.text())
	case zcl.CmdDoorLockClearPINCode:
		delete(e.pins, user)
	case zcl.CmdDoorLockGetPINCode:
		status, pin := byte(0), e.pins[user]
		if pin != nil {
			status = 1
		}
		b := append(binary.LittleEndian.AppendUint16(nil, user), status, 0, byte(len(pin)))
		r.answer(zcl.ClusterResponse(r.frame.Command, append(b, pin...)...))
		return zcl.Success, true
	}
	r.answer(zcl.ClusterResponse(r.frame.Command, 0))
	return zcl.Success, true
}

// thermostat carries out the commands of Thermostat; its schedule is kept as bytes (ZCL 6.3.2.3).
func (e *endpoint) thermostat(r request, a *arguments) (zcl.Status, bool) {
	switch r.frame.Command {
	case zcl.CmdThermostatSetpointRaiseLower:
		mode, amount := a.uint8(), int8(a.uint8())
		if a.short {
			return zcl.MalformedCommand, false
		}
		heat, cool := zcl.AttrThermostatOccupiedHeatingSetpoint, zcl.AttrThermostatOccupiedCoolingSetpoint
		for id, means := range map[uint16]bool{heat: mode == 0 || mode == 2, cool: mode == 1 || mode == 2} {
			if means {
				e.set(zcl.ClusterThermostat, id, e.number(zcl.ClusterThermostat, id)+10*float64(amount))
			}
		}
		e.heat()
	case zcl.CmdThermostatSetWeeklySchedule:
		e.schedule = slices.Clone(r.frame.Payload)
	case zcl.CmdThermostatClearWeeklySchedule:
		e.schedule = nil
	case zcl.CmdThermostatGetWeeklySchedule:
		schedule := e.schedule
		if schedule == nil {
			schedule = []byte{0, 0, 1}
		}
		r.answer(zcl.ClusterResponse(zcl.CmdThermostatGetWeeklyScheduleResponse, schedule...))
		return zcl.Success, true
	}
	return zcl.Success, false
}

// heat lets the thermostat decide anew whether it heats.
func (e *endpoint) heat() {
	get := func(id uint16) float64 { return e.number(zcl.ClusterThermostat, id) }
	heats := get(zcl.AttrThermostatSystemMode) != 0 &&
		get(zcl.AttrThermostatLocalTemperature) < get(zcl.AttrThermostatOccupiedHeatingSetpoint)
	state, demand := 0.0, 0.0
	if heats {
		state, demand = 1, 100
	}
	e.set(zcl.ClusterThermostat, zcl.AttrThermostatRunningState, state)
	e.set(zcl.ClusterThermostat, zcl.AttrThermostatPIHeatingDemand, demand)
}
