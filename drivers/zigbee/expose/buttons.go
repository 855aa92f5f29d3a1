package expose

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// What is done to a button.
const (
	single  = "single"
	double  = "double"
	hold    = "hold"
	release = "release"
)

// ownButton is the button of an endpoint whose commands do not name it.
const ownButton = "button"

// remote is an endpoint that commands others: its buttons, named by what they command.
type remote struct {
	endpoint uint8
	buttons  map[string]*slot // by their names without the endpoint's number
	motion   *slot            // of a motion sensor that switches lamps instead of telling what it sees
	deaf     bool             // what it switches is no button's doing, and known by other means
	held     string           // the button that was last held and not released
	armed    byte             // the mode that a keypad was last put into
}

// buttonClusters are those whose commands a remote sends, and what its buttons are called before one was pressed.
func buttonClusters() []struct {
	cluster uint16
	ahead   []string
} {
	return []struct {
		cluster uint16
		ahead   []string
	}{
		{zcl.ClusterOnOff, []string{"button_on", "button_off"}},
		{zcl.ClusterLevelControl, []string{"button_up", "button_down"}},
		{zcl.ClusterWindowCovering, []string{"button_open", "button_close", "button_stop"}},
		{zcl.ClusterScenes, nil},
		{zcl.ClusterColorControl, nil},
		{zcl.ClusterIASACE, []string{"button_disarm", "button_arm_day", "button_arm_night", "button_arm_all", "button_emergency"}},
	}
}

// buildButtons makes events of the commands that remotes send. Every device is listened to: what has come from one is a
// button from then on.
func (b *builder) buildButtons() {
	remotesOnly := !slices.ContainsFunc(b.slots, mattersMore)
	for _, e := range b.endpoints {
		r := &remote{endpoint: e.ID, buttons: map[string]*slot{}}
		if e.kind() == kindMotionSensor {
			b.buildMotion(e, r)
		}
		for _, c := range buttonClusters() {
			b.part(e.ID, c.cluster).press = r.press
			names := b.pressed(e.ID, c.cluster)
			if (remotesOnly || e.commands()) && e.couldSend(c.cluster) && !r.deaf {
				b.bind(e.ID, c.cluster)
				if len(names) == 0 || slices.ContainsFunc(names, func(n string) bool { return slices.Contains(c.ahead, n) }) {
					names = append(slices.Clone(c.ahead), names...)
				}
			}
			for _, name := range names {
				r.buttons[name] = b.button(e.ID, name)
			}
		}
	}
}

// couldSend reports whether an endpoint commands others by a cluster, and not just also takes its commands. Keypads are
// of two minds about which side of theirs they are on.
func (e Endpoint) couldSend(cluster uint16) bool {
	if cluster == zcl.ClusterIASACE {
		return e.uses(cluster) || e.serves(cluster)
	}
	return e.uses(cluster) && !e.serves(cluster)
}

// mattersMore reports whether a property makes its device more than a remote.
func mattersMore(s *slot) bool {
	switch s.Name {
	case "battery", "battery_voltage", "battery_low", "tamper", "identify", "device_temperature":
		return false
	}
	return true
}

// commands reports whether an endpoint says that it is there to command others.
func (e Endpoint) commands() bool {
	k := e.kind()
	return k == kindRemote || k == kindKeypad || k == kindSwitch
}

// buildMotion is a sensor that switches a lamp on for a while: that is what it has seen. One that tells what it sees
// besides is not heard twice.
func (b *builder) buildMotion(e Endpoint, r *remote) {
	r.deaf = true
	if e.uses(zcl.ClusterOnOff) && !slices.ContainsFunc(b.slots, func(s *slot) bool { return s.Name == "occupancy" }) {
		r.motion = b.slot(e.ID, word("occupancy"))
		b.bind(e.ID, zcl.ClusterOnOff)
	}
}

func (b *builder) button(endpoint uint8, name string) *slot {
	p := word(ownButton)
	p.Name = name
	s := b.slot(endpoint, p)
	if name == ownButton {
		s.naming = allNumbered
	}
	return s
}

// pressed lists the buttons that an endpoint is known to have by a cluster's commands.
func (b *builder) pressed(endpoint uint8, cluster uint16) (names []string) {
	prefix := pressKey(endpoint, cluster, "")
	for key := range b.description.Facts {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// press takes a command that the device would give another.
func (r *remote) press(h *hearing) {
	if h.Cluster == zcl.ClusterIASACE {
		r.answerKeypad(h)
	}
	if r.deaf && h.Cluster == zcl.ClusterOnOff {
		r.sayMotion(h)
		return
	}
	name, value := meaning(h.Cluster, h.Frame)
	switch {
	case value == "":
		return
	case value == hold:
		r.held = name
	case value == release && name == "":
		name, r.held = r.held, ""
	}
	if name == "" {
		return
	}
	if to := r.buttons[name]; to != nil {
		h.say(to, hearth.TextOf(value))
	} else {
		h.news.number(pressKey(r.endpoint, h.Cluster, name), 1)
	}
}

func (r *remote) sayMotion(h *hearing) {
	switch p := h.Frame.Payload; {
	case h.Frame.Command == zcl.CmdOnOffOnWithTimedOff && len(p) >= 3:
		const least = 10 * time.Second
		tenths := time.Duration(binary.LittleEndian.Uint16(p[1:]))
		h.sayFor(r.motion, hearth.BoolOf(true), max(tenths*time.Second/10, least))
	case h.Frame.Command == zcl.CmdOnOffOn:
		h.say(r.motion, hearth.BoolOf(true))
	case h.Frame.Command == zcl.CmdOnOffOff:
		h.say(r.motion, hearth.BoolOf(false))
	}
}

// answerKeypad tells a keypad that its word is the house's (ZCL 8.3.2.4).
func (r *remote) answerKeypad(h *hearing) {
	p := h.Frame.Payload
	switch {
	case h.Frame.Command == zcl.CmdIASACEArm && len(p) >= 1 && p[0] <= 3:
		r.armed = p[0]
		h.reply(zcl.ClusterResponse(zcl.CmdIASACEArmResponse, r.armed))
	case h.Frame.Command == zcl.CmdIASACEGetPanelStatus:
		h.reply(zcl.ClusterResponse(zcl.CmdIASACEGetPanelStatusResponse, r.armed, 0, 0, 0))
	}
}

// makerIkea is IKEA's manufacturer code, and makerTuya the command that Tuya adds to On/Off.
const (
	makerIkea     = 0x117c
	tuyaButton    = 0xfd
	ikeaArrow     = 0x07
	ikeaArrowHold = 0x08
	ikeaArrowEnd  = 0x09
)

// meaning returns which button a command is of and what was done to it; "" and release for the button that is held.
func meaning(cluster uint16, f zcl.Frame) (name, value string) {
	switch {
	case cluster == zcl.ClusterScenes && f.Manufacturer == makerIkea:
		return arrowMeaning(f)
	case f.Manufacturer != 0:
		return "", ""
	}
	switch cluster {
	case zcl.ClusterOnOff:
		return switchMeaning(f)
	case zcl.ClusterLevelControl:
		return levelMeaning(f)
	case zcl.ClusterScenes:
		return sceneMeaning(f)
	case zcl.ClusterColorControl:
		return colorMeaning(f)
	case zcl.ClusterWindowCovering:
		return coverMeaning(f)
	case zcl.ClusterIASACE:
		return keypadMeaning(f)
	}
	return "", ""
}

func switchMeaning(f zcl.Frame) (name, value string) {
	switch f.Command {
	case zcl.CmdOnOffOn, zcl.CmdOnOffOnWithRecallGlobalScene, zcl.CmdOnOffOnWithTimedOff:
		return "button_on", single
	case zcl.CmdOnOffOff, zcl.CmdOnOffOffWithEffect:
		return "button_off", single
	case zcl.CmdOnOffToggle:
		return ownButton, single
	case tuyaButton:
		if len(f.Payload) > 0 && f.Payload[0] < 3 {
			return ownButton, []string{single, double, hold}[f.Payload[0]]
		}
	}
	return "", ""
}

func levelMeaning(f zcl.Frame) (name, value string) {
	switch f.Command {
	case zcl.CmdLevelControlMove, zcl.CmdLevelControlMoveWithOnOff:
		return upOrDown(f.Payload), hold
	case zcl.CmdLevelControlStep, zcl.CmdLevelControlStepWithOnOff:
		return upOrDown(f.Payload), single
	case zcl.CmdLevelControlStop, zcl.CmdLevelControlStopWithOnOff:
		return "", release
	case zcl.CmdLevelControlMoveToLevel, zcl.CmdLevelControlMoveToLevelWithOnOff:
		return "button_level", single
	}
	return "", ""
}

func upOrDown(payload []byte) string {
	switch {
	case len(payload) == 0:
		return ""
	case payload[0] == 0:
		return "button_up"
	}
	return "button_down"
}

// sceneMeaning numbers buttons by their scenes.
func sceneMeaning(f zcl.Frame) (name, value string) {
	if len(f.Payload) < 3 {
		return "", ""
	}
	name = ownButton + "_" + strconv.Itoa(int(f.Payload[2]))
	switch f.Command {
	case zcl.CmdScenesRecall:
		return name, single
	case zcl.CmdScenesStore:
		return name, hold
	}
	return "", ""
}

func arrowMeaning(f zcl.Frame) (name, value string) {
	if f.Command == ikeaArrowEnd {
		return "", release
	}
	if len(f.Payload) < 2 {
		return "", ""
	}
	value = map[uint8]string{ikeaArrow: single, ikeaArrowHold: hold}[f.Command]
	switch binary.LittleEndian.Uint16(f.Payload) {
	case 0x0101, 0x0d01:
		return "button_left", value
	case 0x0100, 0x0d00:
		return "button_right", value
	}
	return "", ""
}

func colorMeaning(f zcl.Frame) (name, value string) {
	const stopped, up = 0, 1
	mode := byte(stopped)
	if len(f.Payload) > 0 {
		mode = f.Payload[0]
	}
	between := func(risen, fallen string) string {
		if mode == up {
			return risen
		}
		return fallen
	}
	switch f.Command {
	case zcl.CmdColorControlStopMoveStep:
		return "", release
	case zcl.CmdColorControlMoveColorTemperature, zcl.CmdColorControlMoveHue, zcl.CmdColorControlMoveSaturation:
		if mode == stopped {
			return "", release
		}
		value = hold
	default:
		value = single
	}
	switch f.Command {
	case zcl.CmdColorControlMoveColorTemperature, zcl.CmdColorControlStepColorTemperature:
		return between("button_warmer", "button_cooler"), value
	case zcl.CmdColorControlMoveHue, zcl.CmdColorControlStepHue, zcl.CmdColorControlEnhancedStepHue:
		return between("button_hue_up", "button_hue_down"), value
	case zcl.CmdColorControlMoveSaturation, zcl.CmdColorControlStepSaturation:
		return between("button_saturation_up", "button_saturation_down"), value
	case zcl.CmdColorControlMoveToColor, zcl.CmdColorControlMoveToHueAndSaturation, zcl.CmdColorControlMoveToHue,
		zcl.CmdColorControlEnhancedMoveToHue, zcl.CmdColorControlEnhancedMoveToHueAndSaturation:
		return "button_color", value
	case zcl.CmdColorControlMoveToColorTemperature:
		return "button_color_temperature", value
	}
	return "", ""
}

func coverMeaning(f zcl.Frame) (name, value string) {
	switch f.Command {
	case zcl.CmdWindowCoveringUpOpen:
		return "button_open", single
	case zcl.CmdWindowCoveringDownClose:
		return "button_close", single
	case zcl.CmdWindowCoveringStop:
		return "button_stop", single
	case zcl.CmdWindowCoveringGoToLiftPercentage:
		return "button_position", single
	case zcl.CmdWindowCoveringGoToTiltPercentage:
		return "button_tilt", single
	}
	return "", ""
}

func keypadMeaning(f zcl.Frame) (name, value string) {
	switch f.Command {
	case zcl.CmdIASACEArm:
		if len(f.Payload) > 0 && f.Payload[0] <= 3 {
			return "button_" + []string{"disarm", "arm_day", "arm_night", "arm_all"}[f.Payload[0]], single
		}
	case zcl.CmdIASACEEmergency:
		return "button_emergency", single
	case zcl.CmdIASACEFire:
		return "button_fire", single
	case zcl.CmdIASACEPanic:
		return "button_panic", single
	}
	return "", ""
}
