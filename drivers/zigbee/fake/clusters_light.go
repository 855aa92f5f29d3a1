package fake

import (
	"time"

	"hearth/drivers/zigbee/zcl"
)

// executeIfOff is the bit of the options that lets level and colour change while the light is off.
const executeIfOff = 1

func (e *endpoint) onOff(command uint8, a *arguments) {
	on := e.number(zcl.ClusterOnOff, zcl.AttrOnOffOnOff) != 0
	switch command {
	case zcl.CmdOnOffOff:
		e.turn(false)
	case zcl.CmdOnOffOffWithEffect:
		a.uint16()
		e.turn(false)
	case zcl.CmdOnOffOn, zcl.CmdOnOffOnWithRecallGlobalScene:
		e.turn(true)
	case zcl.CmdOnOffToggle:
		e.turn(!on)
	case zcl.CmdOnOffOnWithTimedOff:
		control, onTime := a.uint8(), a.uint16()
		a.uint16()
		if control&1 != 0 && !on {
			return
		}
		e.turn(true)
		e.later(zcl.ClusterOnOff, zcl.AttrOnOffOnOff, time.Duration(onTime)*time.Second/10, func() { e.turn(false) })
	}
}

// turn switches; a light comes on with its OnLevel, where that is set.
func (e *endpoint) turn(on bool) {
	value := 0.0
	if on {
		value = 1
		if level := e.number(zcl.ClusterLevelControl, zcl.AttrLevelControlOnLevel); level > 0 && level < 255 {
			e.set(zcl.ClusterLevelControl, zcl.AttrLevelControlCurrentLevel, level)
		}
	}
	e.set(zcl.ClusterOnOff, zcl.AttrOnOffOnOff, value)
}

// shines reports whether a change of level or colour is carried out now: while the light is off only with the option.
func (e *endpoint) shines(cluster, options uint16, mask, override uint8) bool {
	if e.attribute(zcl.ClusterOnOff, 0, zcl.AttrOnOffOnOff) == nil || e.number(zcl.ClusterOnOff, zcl.AttrOnOffOnOff) != 0 {
		return true
	}
	set := uint8(e.number(cluster, options))
	return (set&^mask|override&mask)&executeIfOff != 0
}

// level carries out the commands of Level Control (ZCL 3.10.2.3).
func (e *endpoint) level(command uint8, a *arguments) {
	withOnOff := command >= zcl.CmdLevelControlMoveToLevelWithOnOff
	current := e.number(zcl.ClusterLevelControl, zcl.AttrLevelControlCurrentLevel)
	target, transition := current, time.Duration(0)
	switch command {
	case zcl.CmdLevelControlMoveToLevel, zcl.CmdLevelControlMoveToLevelWithOnOff:
		target, transition = float64(a.uint8()), tenths(a.uint16())
	case zcl.CmdLevelControlMove, zcl.CmdLevelControlMoveWithOnOff:
		down, rate := a.uint8() == 1, a.uint8()
		target = 254
		if down {
			target = 1
		}
		if rate == 0 || rate == 0xff {
			rate = 50
		}
		transition = time.Duration(abs(target-current) / float64(rate) * float64(time.Second))
	case zcl.CmdLevelControlStep, zcl.CmdLevelControlStepWithOnOff:
		down, size := a.uint8() == 1, float64(a.uint8())
		transition = tenths(a.uint16())
		target = min(current+size, 254)
		if down {
			target = max(current-size, 1)
		}
	case zcl.CmdLevelControlStop, zcl.CmdLevelControlStopWithOnOff:
		e.halt(zcl.ClusterLevelControl, zcl.AttrLevelControlCurrentLevel)
		return
	}
	mask, override := a.optional(), a.optional()
	if a.short || !withOnOff && !e.shines(zcl.ClusterLevelControl, zcl.AttrLevelControlOptions, mask, override) {
		return
	}
	if withOnOff && target > 0 {
		e.set(zcl.ClusterOnOff, zcl.AttrOnOffOnOff, 1)
	}
	goesOff := withOnOff && (target == 0 || target <= 1 && command != zcl.CmdLevelControlMoveToLevelWithOnOff)
	e.fade(zcl.ClusterLevelControl, zcl.AttrLevelControlCurrentLevel, transition, func(done float64) {
		e.set(zcl.ClusterLevelControl, zcl.AttrLevelControlCurrentLevel, max(current+(target-current)*done, 1))
		if done == 1 && goesOff {
			e.set(zcl.ClusterOnOff, zcl.AttrOnOffOnOff, 0)
		}
	})
}

func abs(f float64) float64 { return max(f, -f) }

// tenths reads a transition time; 0xffff is as fast as it can.
func tenths(n uint16) time.Duration {
	if n == 0xffff {
		return 0
	}
	return time.Duration(n) * 100 * time.Millisecond
}

// fade goes on in four steps, the last of which has done 1.
func (e *endpoint) fade(cluster, attribute uint16, transition time.Duration, step func(done float64)) {
	const steps = 4
	if transition <= 0 {
		e.halt(cluster, attribute)
		step(1)
		return
	}
	var next func(i int)
	next = func(i int) {
		e.later(cluster, attribute, transition/steps, func() {
			step(float64(i) / steps)
			if i < steps {
				next(i + 1)
			}
		})
	}
	next(1)
}

// Colour modes, as ColorMode has them.
const (
	modeHueSaturation = 0
	modeXY            = 1
	modeTemperature   = 2
)

// color carries out the commands of Color Control (ZCL 5.2.2.3).
func (e *endpoint) color(command uint8, a *arguments) {
	targets, mode, transition := e.colorTargets(command, a)
	mask, override := a.optional(), a.optional()
	if a.short || !e.shines(zcl.ClusterColorControl, zcl.AttrColorControlOptions, mask, override) {
		return
	}
	if len(targets) == 0 {
		e.halt(zcl.ClusterColorControl, 0)
		return
	}
	e.set(zcl.ClusterColorControl, zcl.AttrColorControlColorMode, float64(mode))
	enhanced := float64(mode)
	if command == zcl.CmdColorControlEnhancedMoveToHue || command == zcl.CmdColorControlEnhancedMoveToHueAndSaturation {
		enhanced = 3
	}
	e.set(zcl.ClusterColorControl, zcl.AttrColorControlEnhancedColorMode, enhanced)
	from := map[uint16]float64{}
	for _, t := range targets {
		from[t.id] = e.number(zcl.ClusterColorControl, t.id)
	}
	e.fade(zcl.ClusterColorControl, 0, transition, func(done float64) {
		for _, t := range targets {
			e.set(zcl.ClusterColorControl, t.id, from[t.id]+(t.value-from[t.id])*done)
		}
	})
}

// A target is where an attribute shall go.
type target struct {
	id    uint16
	value float64
}

func (e *endpoint) colorTargets(command uint8, a *arguments) (targets []target, mode int, transition time.Duration) {
	hue, saturation := zcl.AttrColorControlCurrentHue, zcl.AttrColorControlCurrentSaturation
	switch command {
	case zcl.CmdColorControlMoveToHue:
		targets = []target{{hue, float64(a.uint8())}}
		a.uint8()
	case zcl.CmdColorControlMoveToSaturation:
		targets = []target{{saturation, float64(a.uint8())}}
	case zcl.CmdColorControlMoveToHueAndSaturation:
		targets = []target{{hue, float64(a.uint8())}, {saturation, float64(a.uint8())}}
	case zcl.CmdColorControlEnhancedMoveToHue:
		targets = enhancedHue(a.uint16())
		a.uint8()
	case zcl.CmdColorControlEnhancedMoveToHueAndSaturation:
		targets = append(enhancedHue(a.uint16()), target{saturation, float64(a.uint8())})
	case zcl.CmdColorControlMoveToColor:
		mode = modeXY
		targets = []target{{zcl.AttrColorControlCurrentX, float64(a.uint16())}, {zcl.AttrColorControlCurrentY, float64(a.uint16())}}
	case zcl.CmdColorControlMoveToColorTemperature:
		mode = modeTemperature
		targets = []target{e.mireds(float64(a.uint16()))}
	case zcl.CmdColorControlStepColorTemperature:
		mode = modeTemperature
		up, size := a.uint8() == 1, float64(a.uint16())
		if !up {
			size = -size
		}
		targets = []target{e.mireds(e.number(zcl.ClusterColorControl, zcl.AttrColorControlColorTemperatureMireds) + size)}
		transition = tenths(a.uint16())
		a.take(4) // the limits
		return targets, mode, transition
	default:
		a.b = nil
		return nil, 0, 0
	}
	return targets, mode, tenths(a.uint16())
}

func enhancedHue(hue uint16) []target {
	return []target{
		{zcl.AttrColorControlEnhancedCurrentHue, float64(hue)},
		{zcl.AttrColorControlCurrentHue, float64(hue >> 8)},
	}
}

// mireds keeps a colour temperature within what the light can do.
func (e *endpoint) mireds(wanted float64) target {
	least := e.number(zcl.ClusterColorControl, zcl.AttrColorControlColorTempPhysicalMinMireds)
	most := e.number(zcl.ClusterColorControl, zcl.AttrColorControlColorTempPhysicalMaxMireds)
	if most > 0 {
		wanted = min(max(wanted, least), most)
	}
	return target{zcl.AttrColorControlColorTemperatureMireds, wanted}
}
