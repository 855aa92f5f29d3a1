package zigbee2mqtt

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// An expose is one thing that Zigbee2MQTT says a device has: a plain one (binary, numeric, enum, text), a composite of
// others, or something with a meaning (light, switch, fan, cover, lock, climate) with its features.
type expose struct {
	Type     string          `json:"type"`
	Name     string          `json:"name"`
	Property string          `json:"property"` // its key in the state
	Endpoint string          `json:"endpoint"`
	Unit     string          `json:"unit"`
	Access   int             `json:"access"`
	Features []expose        `json:"features"`
	Values   []any           `json:"values"`
	ValueOn  any             `json:"value_on"`
	ValueOff any             `json:"value_off"`
	Min      *float64        `json:"value_min"`
	Max      *float64        `json:"value_max"`
	Category string          `json:"category"`
	Item     json.RawMessage `json:"item_type"` // of a list: those are passed over
}

// What may be done with an expose.
const (
	accessState = 1 // it is in the state
	accessSet   = 2
	accessGet   = 4
)

// A field is one property of a device and where it is in the state.
type field struct {
	hearth.Property
	path  []string // keys in the state, and in what is set
	read  func(any) hearth.Value
	write func(hearth.Value) any // nil: it is not set
	get   bool
	main  string // the meaning of what it is part of: light, switch…; "" for a plain one
	end   string // its endpoint
}

const (
	maxFields  = 240 // of one device, so that the bridge's own have room
	maxOptions = 64
	maxNesting = 4
)

// A reader makes fields of exposes.
type reader struct {
	words    map[string]bool // the house's
	fields   []*field
	battery  bool // the device runs on one
	channels bool // its l1, l2… are channels, not phases
}

func (r *reader) add(exposes []expose) {
	for _, e := range exposes {
		if e.Endpoint != "" && slices.Contains([]string{"light", "switch", "cover"}, e.Type) {
			r.channels = true
		}
	}
	for _, lights := range []bool{true, false} { // a lamp with a fan is on when its light is
		for _, e := range exposes {
			if (e.Type == "light") == lights {
				r.expose(e, "", 0)
			}
		}
	}
}

// expose adds what e is; main is the meaning of what it is a feature of.
func (r *reader) expose(e expose, main string, depth int) {
	switch {
	case depth > maxNesting:
	case e.Type == "light", e.Type == "switch", e.Type == "fan", e.Type == "cover", e.Type == "lock", e.Type == "climate":
		for _, feature := range e.Features {
			if feature.Endpoint == "" {
				feature.Endpoint = e.Endpoint
			}
			r.feature(feature, e.Type, depth+1)
		}
	case e.Type == "composite":
		r.composite(e, nil, "", depth)
	default:
		r.plain(e, main, []string{e.Property}, e.Name)
	}
}

func (r *reader) feature(e expose, main string, depth int) {
	switch {
	case main == "light" && e.Type == "composite" && (e.Name == "color_xy" || e.Name == "color_hs"):
		r.colour(e)
	case e.Type == "composite":
		r.composite(e, nil, "", depth)
	case main == "cover" && e.Name == "state":
		r.cover(e)
	case main == "lock" && e.Name == "state" && !strings.HasPrefix(e.Property, "child_lock"):
		r.lock(e)
	default:
		r.plain(e, main, []string{e.Property}, r.meaning(e, main))
	}
}

// meaning is the house's word for a feature, or its own name.
func (r *reader) meaning(e expose, main string) string {
	if main == "switch" && e.Name == "state" && !strings.HasPrefix(e.Property, "state") {
		return e.Property // a setting that looks like a switch
	}
	switch main + " " + e.Name {
	case "light state", "switch state", "fan state":
		return "on"
	case "lock state":
		return "child_lock"
	case "fan mode":
		return "fan_mode"
	case "fan speed":
		return "fan_speed"
	case "climate local_temperature":
		return "temperature"
	case "climate occupied_heating_setpoint", "climate current_heating_setpoint":
		return "target_temperature"
	case "climate occupied_cooling_setpoint":
		return "target_temperature_cooling"
	case "climate system_mode":
		return "hvac_mode"
	case "climate running_state":
		return "hvac_action"
	}
	return e.Name
}

// composite adds what e holds, each by a name of its own.
func (r *reader) composite(e expose, path []string, name string, depth int) {
	path = append(slices.Clone(path), e.Property)
	if name != "" {
		name += "_"
	}
	name += e.Name
	for _, feature := range e.Features {
		if feature.Endpoint == "" {
			feature.Endpoint = e.Endpoint
		}
		switch {
		case depth >= maxNesting:
		case feature.Type == "composite":
			r.composite(feature, path, name, depth+1)
		default:
			if e.Access&accessSet == 0 {
				feature.Access &^= accessSet
			}
			feature.Access &^= accessGet // a composite is asked for as a whole, if at all
			r.plain(feature, "", append(slices.Clone(path), feature.Property), name+"_"+feature.Name)
		}
	}
}

func (r *reader) colour(e expose) {
	for _, part := range []struct{ key, word string }{{"x", "color_x"}, {"y", "color_y"}, {"hue", "color_hue"}, {"saturation", "color_saturation"}} {
		for _, feature := range e.Features {
			if feature.Name == part.key {
				r.keep(e, "light", &field{Property: word(part.word), path: []string{e.Property, part.key}, read: readNumber(dialect.Conversion{}), write: writeNumber(dialect.Conversion{})})
			}
		}
	}
}

// cover adds the movement of a cover, and whether it is open where its state says so.
func (r *reader) cover(e expose) {
	path := []string{e.Property}
	says := map[string]string{"open": "OPEN", "close": "CLOSE", "stop": "STOP"}
	r.keep(e, "cover", &field{Property: word("movement"), path: path, write: func(v hearth.Value) any { return says[v.Text()] }})
	open := e
	open.Access &^= accessSet
	r.keep(open, "cover", &field{Property: hearth.Property{Name: "open", Kind: hearth.Bool}, path: path, read: readBool("OPEN", "CLOSE")})
}

func (r *reader) lock(e expose) {
	says := map[string]string{"locked": "LOCK", "unlocked": "UNLOCK"}
	p := word("lock")
	r.keep(e, "lock", &field{Property: p, path: []string{e.Property},
		read: func(v any) hearth.Value {
			switch v {
			case "LOCK", "locked":
				return hearth.TextOf("locked")
			case "UNLOCK", "unlocked":
				return hearth.TextOf("unlocked")
			case "not_fully_locked":
				return hearth.TextOf("jammed")
			}
			return hearth.Value{}
		},
		write: func(v hearth.Value) any {
			if say, ok := says[v.Text()]; ok {
				return say
			}
			return nil
		}})
}

// word is the house's property of that name.
func word(name string) hearth.Property {
	p, _ := hearth.Word(name)
	return p
}

// alias is what the house calls a quantity that Zigbee2MQTT calls otherwise.
func (r *reader) alias(e expose, name string) string {
	numeric, binary := e.Type == "numeric", e.Type == "binary"
	switch {
	case name == "linkquality":
		return "link_quality"
	case name == "ac_frequency":
		return "frequency"
	case name == "produced_energy", name == "energy_produced":
		return "energy_exported"
	case name == "hcho", name == "formaldehyd":
		return "formaldehyde"
	case name == "illuminance_lux":
		return "illuminance"
	case name == "local_temperature":
		return "temperature"
	case name == "color_temp":
		return "color_temperature"
	case name == "color_temp_startup":
		return "color_temperature_startup"
	case name == "contact" && binary:
		return "open"
	case name == "carbon_monoxide" && binary:
		return "carbon_monoxide_alarm"
	case name == "gas" && binary:
		return "gas_alarm"
	case name == "gas" && numeric:
		return "gas_volume"
	case name == "water" && numeric, name == "water_consumed":
		return "water_volume"
	case name == "voc" && convertible(e.Unit, "µg/m³"):
		return "voc_mass"
	case name == "voltage" && (e.Unit == "mV" || r.battery && e.Unit != "V"):
		return "battery_voltage"
	case name == "state" && binary:
		return "on"
	}
	if part, ok := strings.CutPrefix(name, "energy_produced_"); ok && numeric {
		return "energy_exported_" + part
	}
	for letter, phase := range map[string]string{"_phase_a": "_l1", "_phase_b": "_l2", "_phase_c": "_l3"} {
		if stem, ok := strings.CutSuffix(name, letter); ok {
			return stem + phase
		}
	}
	return name
}

func convertible(from, to string) bool {
	_, ok := dialect.Convert(from, to)
	return ok && from != ""
}

// cutLast takes a name apart at its last underscore.
func cutLast(name string) (stem, part string) {
	at := strings.LastIndexByte(name, '_')
	if at < 0 {
		return name, ""
	}
	return name[:at], name[at+1:]
}

// plain adds a binary, numeric, enum or text under a name.
func (r *reader) plain(e expose, main string, path []string, name string) {
	f := &field{path: path}
	name = dialect.PropertyName(r.alias(e, name))
	if name == "" || e.Property == "" || name == "action" && len(path) == 1 {
		return
	}
	f.Property = hearth.Property{Name: name}
	if stem, part := cutLast(name); r.words[name] || len(part) == 1 && r.words[stem] && e.Type == "numeric" || strings.HasPrefix(name, "color_temperature") || strings.HasPrefix(name, "target_temperature") {
		f.Property = word(name)
	}
	f.WriteOnly, f.Momentary = false, false
	switch e.Type {
	case "binary":
		r.binary(f, e)
	case "numeric":
		r.numeric(f, e)
	case "enum":
		if len(e.Values) == 1 && e.Access&accessState == 0 { // identify, reset: there is nothing to choose
			r.own(f, hearth.Bool)
			f.write = pressing(e.Values[0])
			break
		}
		r.enum(f, e)
	case "text":
		r.own(f, hearth.Text)
		f.Options = nil
		f.read, f.write = readText, func(v hearth.Value) any { return v.Text() }
	default:
		return
	}
	if name == "lock_state" && main == "lock" { // what the lock's own sensor says, beside what it was told
		f.Property.Urgent = true
	}
	r.keep(e, main, f)
}

// pressing says the one thing that can be told; not to do it is nothing that can be.
func pressing(say any) func(hearth.Value) any {
	return func(v hearth.Value) any {
		if !v.Bool() {
			return nil
		}
		return say
	}
}

// own takes f for something of the device's own if the house's word is of another kind.
func (r *reader) own(f *field, kind hearth.Kind) {
	if f.Kind == kind || f.Kind == "" {
		f.Kind = kind
		return
	}
	suffix := map[hearth.Kind]string{hearth.Bool: "_active", hearth.Number: "_level", hearth.Text: "_state"}[kind]
	f.Property = hearth.Property{Name: dialect.Clip(f.Name, 56) + suffix, Kind: kind}
}

func (r *reader) binary(f *field, e expose) {
	r.own(f, hearth.Bool)
	on, off := e.ValueOn, e.ValueOff
	if on == nil && off == nil {
		on, off = true, false
	}
	if f.Name == "open" { // contact: true is closed, whatever is called on
		on, off = false, true
	}
	f.read = readBool(on, off)
	f.write = func(v hearth.Value) any {
		if v.Bool() {
			return on
		}
		return off
	}
}

func (r *reader) numeric(f *field, e expose) {
	r.own(f, hearth.Number)
	var c dialect.Conversion
	switch low, high := number(e.Min), number(e.Max); {
	case f.Name == "brightness" || f.Name == "fan_speed" && e.Unit != "%":
		if !(high > 0) {
			high = 254
		}
		f.read = func(v any) hearth.Value {
			n, ok := v.(float64)
			if !ok || n < 0 || n > high {
				return hearth.Value{}
			}
			return hearth.NumberOf(math.Round(n/high*1000) / 10)
		}
		f.write = func(v hearth.Value) any {
			n := math.Round(v.Number() / 100 * high)
			if n == 0 && v.Number() > 0 {
				n = 1
			}
			return n
		}
		return
	case strings.HasPrefix(f.Name, "color_temperature"):
		c = dialect.Mired()
		if low >= 1 && high > low {
			f.Property = f.Within(c.In(high), c.In(low))
		}
	default:
		unit := e.Unit
		if unit == "lqi" {
			unit = ""
		}
		if f.Name == "battery_voltage" && unit == "" {
			unit = "mV"
		}
		p, measured, ok := dialect.Measured(f.Property, unit)
		if !ok {
			name := dialect.PropertyName(dialect.Clip(f.Name, 50) + "_" + unit)
			if name == f.Name {
				name += "_raw"
			}
			p, measured, _ = dialect.Measured(hearth.Property{Name: name, Kind: hearth.Number}, unit)
		}
		f.Property, c = p, measured
		if e.Access&accessSet != 0 && e.Min != nil && e.Max != nil && high > low {
			f.Property = f.Within(c.In(low), c.In(high))
		}
	}
	f.read, f.write = readNumber(c), writeNumber(c)
}

func number(f *float64) float64 {
	if f == nil {
		return math.NaN()
	}
	return *f
}

func (r *reader) enum(f *field, e expose) {
	r.own(f, hearth.Text)
	in, out := map[string]string{}, map[string]any{}
	if f.Name == "hvac_action" {
		in = map[string]string{"heat": "heating", "cool": "cooling"}
	}
	f.Options = nil
	for _, v := range e.Values {
		said, ok := plainText(v)
		if !ok || len(f.Options) >= maxOptions {
			continue
		}
		ours := said
		if other, ok := in[said]; ok {
			ours = other
		}
		if !slices.Contains(f.Options, ours) {
			f.Options = append(f.Options, ours)
		}
		out[ours] = v
	}
	f.read = func(v any) hearth.Value {
		said, ok := plainText(v)
		if !ok {
			return hearth.Value{}
		}
		if ours, ok := in[said]; ok {
			said = ours
		}
		return hearth.TextOf(said)
	}
	f.write = func(v hearth.Value) any {
		if theirs, ok := out[v.Text()]; ok {
			return theirs
		}
		return v.Text()
	}
}

// keep gives the field its endpoint and what may be done with it, unless there is one of its name.
func (r *reader) keep(e expose, main string, f *field) {
	f.main, f.end = main, e.Endpoint
	if suffix := r.suffix(e.Endpoint); suffix != "" && !strings.HasSuffix(f.Name, "_"+suffix) {
		f.Name = dialect.PropertyName(f.Name + "_" + suffix)
	}
	f.Writable = e.Access&accessSet != 0 && f.write != nil
	f.WriteOnly = f.Writable && (e.Access&accessState == 0 || f.read == nil)
	f.get = e.Access&accessGet != 0
	if !f.Writable {
		f.write = nil
	}
	if f.WriteOnly {
		f.read = nil
	}
	if f.read == nil && f.write == nil {
		return
	}
	if r.has(f.Name) && main != "" {
		f.Name = dialect.PropertyName(main + "_" + f.Name)
	}
	if r.has(f.Name) || len(r.fields) >= maxFields || f.Property.Check() != nil {
		return
	}
	r.fields = append(r.fields, f)
}

func (r *reader) has(name string) bool {
	return slices.ContainsFunc(r.fields, func(f *field) bool { return f.Name == name })
}

// suffix is what an endpoint adds to a name: 2 for l2, left for left.
func (r *reader) suffix(endpoint string) string {
	if digits, ok := strings.CutPrefix(endpoint, "l"); ok && r.channels && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return digits
	}
	name := strings.TrimPrefix(dialect.PropertyName(endpoint), "p_")
	if name == "default" {
		return ""
	}
	return name
}
