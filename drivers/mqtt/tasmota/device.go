package tasmota

import (
	"fmt"
	"strings"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// A device is one Tasmota: what it was announced to be, and what it said.
type device struct {
	mac string
	id  hearth.ID

	cfg       *config // nil: only its sensors are known
	raw       []byte  // of cfg
	skeleton  map[string]any
	sensing   bool // its sensors were announced
	announced dialect.Announced
	online    *bool // as its LWT says; nil: not known
	asked     time.Time

	properties []hearth.Property
	places     map[string]int // of properties, by name
	channels   []channel
	shutters   []shutter
	inputs     map[string]input // by the key under which they are told
	sensors    map[string]sensor
	names      map[string]string // of sensors, by path: once given they stay
	stored     int               // how many of them are in the Store

	lit        map[string]bool    // channels by name: what they last said, for the speed of fades
	brightness map[string]float64 // likewise
}

// A channel is a relay or a light, and how it is told and set. Names are "" for what it does not have.
type channel struct {
	number          int // from 1
	on, brightness  string
	dimmed, dimmer  string // the key in states, and the command
	temperature     string
	hue, saturation string
	linked          bool // hue, saturation and brightness are one command
	fades           bool
}

// A shutter is a motor of two relays.
type shutter struct {
	number                   int
	position, tilt, movement string
	inverted                 bool
	tiltLow, tiltHigh        float64
}

// An input is a button or a switch that is told instead of, or beside, switching something.
type input struct {
	press string // the momentary property; "" if it has none
	state string // likewise, whether it is on
	swap  bool
}

// build works out the properties from the announcement.
func (dev *device) build() {
	dev.properties, dev.places = nil, map[string]int{}
	dev.channels, dev.shutters, dev.inputs, dev.sensors = nil, nil, map[string]input{}, map[string]sensor{}
	dev.lit, dev.brightness = map[string]bool{}, map[string]float64{}
	dev.buildChannels()
	dev.buildShutters()
	if dev.cfg.Fan != 0 {
		dev.add(word("fan_speed").AsWritable())
	}
	dev.buildButtons()
	dev.buildSwitches()
	dev.add(word("rssi"))
	dev.add(word("uptime"))
	if dev.cfg.Battery != 0 {
		dev.add(word("battery"))
	}
	dev.grow(dev.skeleton)
}

func word(name string) hearth.Property {
	p, _ := hearth.Word(name)
	return p
}

// add takes a property in and returns its name; "" if there is no room or the name is taken.
func (dev *device) add(p hearth.Property) string {
	if _, taken := dev.places[p.Name]; taken || len(dev.properties) >= hearth.MaxProperties || p.Check() != nil {
		return ""
	}
	dev.places[p.Name] = len(dev.properties)
	dev.properties = append(dev.properties, p)
	return p.Name
}

func (dev *device) property(name string) (hearth.Property, bool) {
	i, ok := dev.places[name]
	if !ok {
		return hearth.Property{}, false
	}
	return dev.properties[i], true
}

// buildChannels makes relays and lights. The first has the plain names, as has the only one; the others are numbered as
// the relay is.
func (dev *device) buildChannels() {
	c := dev.cfg
	count := 0
	for _, kind := range c.Relays {
		if kind == isRelay || kind == isLight {
			count++
		}
	}
	for i, kind := range c.Relays {
		if kind != isRelay && kind != isLight {
			continue
		}
		suffix := ""
		if i > 0 && count > 1 {
			suffix = fmt.Sprintf("_%d", i+1)
		}
		ch := channel{number: i + 1, on: dev.add(word("on" + suffix).AsWritable())}
		if kind == isLight && ch.on != "" {
			dev.buildLight(&ch, suffix)
		}
		dev.channels = append(dev.channels, ch)
	}
}

// buildLight adds what a light has beside on and off.
func (dev *device) buildLight(ch *channel, suffix string) {
	c := dev.cfg
	subtype := int(c.Light)
	ch.dimmed, ch.dimmer = "Dimmer", "Dimmer"
	switch {
	case subtype < single:
		return
	case c.option(soChannels):
		subtype = single
		ch.dimmed = fmt.Sprintf("Channel%d", ch.number)
		ch.dimmer = ch.dimmed
	case c.Linked == 0 && subtype >= rgbw && ch.number-1 == c.firstLight():
		subtype = rgb
		ch.dimmed, ch.dimmer = "Dimmer1", "Dimmer1"
	case c.Linked == 0 && subtype >= rgbw:
		subtype -= rgb // what is left is white: rgbw has one, rgbcw two
		ch.dimmed, ch.dimmer = "Dimmer2", "Dimmer2"
	case c.Tuya != 0:
		ch.dimmer = "Dimmer3"
	}
	ch.linked = ch.dimmer == "Dimmer"
	ch.brightness = dev.add(word("brightness" + suffix).AsWritable())
	if subtype == coldWarm || subtype == rgbcw {
		ch.temperature = dev.add(word("color_temperature" + suffix).AsWritable().Within(c.span()))
	}
	if subtype >= rgb {
		ch.hue = dev.add(word("color_hue" + suffix).AsWritable())
		ch.saturation = dev.add(word("color_saturation" + suffix).AsWritable())
	}
	if c.Tuya == 0 {
		ch.fades = true
		dev.add(word("transition").Within(0, 20))
	}
}

func (dev *device) buildShutters() {
	relays := 0
	for _, kind := range dev.cfg.Relays {
		if kind == isShutter {
			relays++
		}
	}
	for i := range min(relays/2, maxShutters) {
		suffix := ""
		if i > 0 {
			suffix = fmt.Sprintf("_%d", i+1)
		}
		s := shutter{number: i + 1}
		if i < len(dev.cfg.Shutters) {
			s.inverted = int(dev.cfg.Shutters[i])&1 != 0
		}
		s.position = dev.add(word("position" + suffix).AsWritable())
		s.movement = dev.add(word("movement" + suffix))
		if i < len(dev.cfg.Tilts) {
			if t := dev.cfg.Tilts[i]; len(t) >= 3 && t[2] != 0 && t[0] != t[1] {
				s.tiltLow, s.tiltHigh = t[0], t[1]
				s.tilt = dev.add(word("tilt" + suffix).AsWritable())
			}
		}
		dev.shutters = append(dev.shutters, s)
	}
}

// buildButtons makes the buttons that are told (SetOption73).
func (dev *device) buildButtons() {
	c := dev.cfg
	count := 0
	for _, used := range c.Buttons {
		if used > 0 {
			count++
		}
	}
	for i, used := range c.Buttons {
		if used <= 0 || !c.option(soButtons) {
			continue
		}
		name := "button"
		if count > 1 {
			name = fmt.Sprintf("button_%d", i+1)
		}
		p := word(name).OneOf("single", "double", "triple", "quadruple", "quintuple", "hold", "release")
		if c.option(soOnlyOne) {
			p = p.OneOf("single")
		}
		dev.inputs[fmt.Sprintf("Button%d", i+1)] = input{press: dev.add(p), swap: c.option(soSwap) && !c.option(soOnlyOne)}
	}
}

// buildSwitches makes the switches that are told (SetOption114). What one says depends on its SwitchMode: some follow
// a contact, some are pressed, some are both.
func (dev *device) buildSwitches() {
	c := dev.cfg
	count := 0
	for _, mode := range c.Switches {
		if mode >= 0 {
			count++
		}
	}
	for i, mode := range c.Switches {
		if mode < 0 {
			continue
		}
		suffix := ""
		if count > 1 {
			suffix = fmt.Sprintf("_%d", i+1)
		}
		key := c.switchName(i)
		name := "switch" + suffix
		if custom := dialect.PropertyName(key); key != fmt.Sprintf("Switch%d", i+1) && custom != "" {
			if p, known := hearth.Word(custom); !known || p.Kind == hearth.Bool && !p.Momentary && !p.WriteOnly {
				name = custom
			}
		}
		var in input
		if follows(int(mode)) {
			p := hearth.Property{Name: name, Kind: hearth.Bool}
			if known, ok := hearth.Word(name); ok {
				p = known
			}
			in.state = dev.add(p)
		}
		if pressed(int(mode)) {
			in.press = dev.add(word("button_switch"+suffix).OneOf("single", "double", "hold", "release"))
		}
		if in != (input{}) {
			dev.inputs[key] = in
		}
	}
}

// follows reports whether a switch of that mode says whether it is on.
func follows(mode int) bool {
	switch mode {
	case 1, 2, 3, 4, 5, 6, 9, 10, 13, 14, 15, 16:
		return true
	}
	return false
}

// pressed reports whether a switch of that mode can be pressed.
func pressed(mode int) bool {
	switch mode {
	case 0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12:
		return true
	}
	return false
}

// device is what the house is told.
func (dev *device) device() hearth.Device {
	c := dev.cfg
	name := c.Name
	if name == "" && len(c.Friendly) > 0 && c.Friendly[0] != nil {
		name = *c.Friendly[0]
	}
	if name == "" {
		name = c.Topic
	}
	return hearth.Device{
		ID: dev.id, Name: dialect.Name(name), Type: dev.kind(), Vendor: "Tasmota", Model: dialect.Name(c.Module),
		Firmware: dialect.Name(c.Version), Properties: dev.properties,
	}
}

// kind is what the device is to a person.
func (dev *device) kind() hearth.Type {
	model := strings.ToLower(dev.cfg.Module)
	_, measures := dev.places["energy"]
	switch {
	case dev.cfg.Fan != 0:
		return "fan"
	case dev.cfg.firstLight() >= 0:
		return "light"
	case len(dev.shutters) > 0:
		return "cover"
	case len(dev.channels) > 0:
		for _, hint := range []string{"plug", "socket", "outlet", "s20", "s26", "s31", "strip"} {
			if strings.Contains(model, hint) {
				return "outlet"
			}
		}
		return "switch"
	case measures:
		return "meter"
	case len(dev.sensors) > 0:
		return "sensor"
	case len(dev.inputs) > 0:
		return "button"
	}
	return "other"
}
