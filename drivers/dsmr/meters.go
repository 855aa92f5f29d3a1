package dsmr

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
)

// Codes with a meaning of their own.
var (
	clockCode   = obis{0, 0, 1, 0, 0}
	versionCode = obis{1, 3, 0, 2, 8}
)

// A meter is one device and what it says in one telegram.
type meter struct {
	hearth.Device
	values map[string]float64
	time   time.Time // zero: none that can be believed
	stamp  string    // of the reading, as it came; "" where every telegram is a new one
}

// meters tells home what the telegrams say.
type meters struct {
	env   hearth.Env
	home  hearth.Home
	known map[hearth.ID]*told
	seen  map[hearth.ID]int // in telegrams without a checksum, before it is believed
}

// told is what home knows of a meter.
type told struct {
	device hearth.Device
	values map[string]float64
	at     map[string]time.Time // when each was reported
	stamp  string
	odd    map[string]bool // what was refused and named in the log
}

const (
	repeatAfter = time.Minute // an unchanged value is said again after that
	maxMeters   = 16          // an electricity meter has four M-Bus channels; a meter may be replaced
)

func newMeters(env hearth.Env, home hearth.Home) *meters {
	return &meters{env: env, home: home, known: map[hearth.ID]*told{}, seen: map[hearth.ID]int{}}
}

func (m *meters) hear(t *telegram) {
	if e := m.electricity(t); e != nil {
		m.tell(e, t.checked)
	}
	for channel := 1; channel <= 9; channel++ {
		if b := m.mbus(t, channel); b != nil {
			m.tell(b, t.checked)
		}
	}
}

// tell announces a meter that is new or known better, and reports what it says. A new one in a telegram without a
// checksum must come twice: a garbled identifier is no device.
func (m *meters) tell(now *meter, checked bool) {
	known := m.known[now.ID]
	if known == nil {
		if m.seen[now.ID]++; !checked && m.seen[now.ID] < 2 || len(m.known) >= maxMeters {
			if len(m.seen) > 4*maxMeters {
				clear(m.seen)
			}
			return
		}
		known = &told{values: map[string]float64{}, at: map[string]time.Time{}, odd: map[string]bool{}}
		m.known[now.ID] = known
	}
	if known.learn(now) {
		m.home.Announce(known.device)
	}
	fresh := now.stamp == "" || now.stamp != known.stamp
	known.stamp = now.stamp
	clock := time.Now()
	var readings []hearth.Reading
	for _, name := range slices.Sorted(maps.Keys(now.values)) {
		value := hearth.NumberOf(now.values[name])
		p, _ := known.device.Property(name)
		last, said := known.at[name]
		same := said && known.values[name] == now.values[name]
		due := fresh && (now.stamp != "" || clock.Sub(last) >= repeatAfter)
		if same && !due {
			continue
		}
		if err := p.Accepts(value); err != nil {
			m.refuse(known, now.ID, name, err)
			continue
		}
		known.values[name], known.at[name] = now.values[name], clock
		readings = append(readings, hearth.Reading{Device: now.ID, Property: name, Value: value, Time: now.time})
	}
	if len(readings) > 0 {
		m.home.Report(readings...)
	}
}

func (m *meters) refuse(known *told, id hearth.ID, property string, err error) {
	if !known.odd[property] {
		known.odd[property] = true
		m.env.Log.Warn("the meter says what cannot be; further ones are passed over", "device", id, "why", err)
	}
}

// learn adds what is new about the device and reports whether anything was.
func (k *told) learn(now *meter) bool {
	news := k.device.ID == "" || k.device.Model != now.Model || k.device.Firmware != now.Firmware
	list := slices.Clip(k.device.Properties)
	for _, name := range slices.Sorted(maps.Keys(now.values)) {
		if _, ok := k.device.Property(name); !ok {
			p, _ := hearth.Word(name)
			list = append(list, p)
			news = true
		}
	}
	k.device = now.Device
	k.device.Properties = list
	return news
}

// believable returns the meter's time if it is within a day of a clock that can be trusted.
func (m *meters) believable(s string) time.Time {
	t, ok := parseTime(s)
	now, trusted := m.env.Now()
	if !ok || !trusted || t.Sub(now).Abs() > 24*time.Hour {
		return time.Time{}
	}
	return t
}

// electricity returns the main meter, nil if the telegram has nothing of it.
func (m *meters) electricity(t *telegram) *meter {
	values := map[string]float64{}
	sums := map[string]float64{}
	for _, o := range t.objects {
		if o.code.a == 1 && o.code.b == 0 {
			electric(values, sums, o)
		}
	}
	for name, sum := range sums {
		if _, whole := values[name]; !whole {
			values[name] = round(sum)
		}
	}
	if len(values) == 0 {
		return nil
	}
	if tariff, err := strconv.ParseFloat(t.text(obis{0, 0, 96, 14, 0}), 64); err == nil && tariff >= 0 && !math.IsInf(tariff, 0) {
		values["tariff"] = tariff
	}
	address := cmp.Or(identifier(t.text(obis{0, 0, 96, 1, 1})), identifier(t.text(obis{0, 0, 96, 1, 0})), identifier(t.text(obis{0, 0, 42, 0, 0})), headerAddress(t.header))
	maker, model := makerAndModel(t.header)
	return &meter{
		Device: hearth.Device{ID: m.env.ID(address), Name: "Electricity meter", Type: "meter", Vendor: maker, Model: model, Firmware: firmware(t)},
		values: values, time: m.believable(t.text(clockCode)),
	}
}

// electric reads one register. Sums collect what is given in parts: tariffs, and both directions of a power.
func electric(values, sums map[string]float64, o object) {
	v, q, ok := measure(o.groups[len(o.groups)-1])
	if !ok {
		return
	}
	c, d, e := o.code.c, o.code.d, o.code.e
	switch {
	case d == 8 && (c == 1 || c == 2) && q == energy && e <= 4:
		name := []string{"energy", "energy_exported"}[c-1]
		if e == 0 {
			values[name] = v
			return
		}
		values[name+"_t"+strconv.Itoa(e)] = v
		sums[name] += v
	case d != 7 || e != 0:
	case q == power && (c == 1 || c == 2):
		sums["power"] += v * float64(3-2*c)
	case q == reactive && (c == 3 || c == 4):
		sums["power_reactive"] += v * float64(7-2*c)
	case q == frequency && c == 14:
		values["frequency"] = v
	case c >= 21 && c <= 80:
		phase := "_l" + strconv.Itoa(c/20)
		switch {
		case q == power && (c%20 == 1 || c%20 == 2):
			sums["power"+phase] += v * float64(3-2*(c%20))
		case q == current && c%20 == 11:
			values["current"+phase] = v
		case q == voltage && c%20 == 12:
			values["voltage"+phase] = v
		}
	}
}

// mbus returns the meter on that channel, nil if it says nothing.
func (m *meters) mbus(t *telegram, channel int) *meter {
	medium, _ := strconv.Atoi(t.text(obis{0, channel, 24, 1, 0}))
	address := cmp.Or(identifier(t.text(obis{0, channel, 96, 1, 0})), identifier(t.text(obis{0, channel, 96, 1, 1})), "mbus-"+strconv.Itoa(channel))
	for _, o := range t.objects {
		if o.code.a != 0 || o.code.b != channel || o.code.c != 24 || len(o.groups) < 2 {
			continue
		}
		v, q, ok := o.mbusReading()
		name, label := mediumWords(medium, q)
		if !ok || name == "" {
			continue
		}
		return &meter{
			Device: hearth.Device{ID: m.env.ID(address), Name: label, Type: "meter"},
			values: map[string]float64{name: v}, time: m.believable(o.groups[0]), stamp: o.groups[0],
		}
	}
	return nil
}

// mbusReading reads 0-1:24.2.1(time)(value*unit), as of DSMR 4, or
// 0-1:24.3.0(time)(status)(period)(number)(0-1:24.2.1)(unit) with (value) on the next line, as before.
func (o object) mbusReading() (value float64, q quantity, ok bool) {
	last := o.groups[len(o.groups)-1]
	switch {
	case o.code.d == 2 && o.code.e >= 1 && o.code.e <= 3:
		return measure(last)
	case o.code.d == 3 && o.code.e == 0 && len(o.groups) >= 7:
		return scaled(last, o.groups[5])
	}
	return 0, "", false
}

// mediumWords names what a meter for that medium (EN 13757-3) counts. Meters before DSMR 4 may leave the medium out.
func mediumWords(medium int, q quantity) (property, label string) {
	warm := medium == 4 || medium >= 10 && medium <= 13
	switch {
	case q == volume && (medium == 3 || medium == 0):
		return "gas_volume", "Gas meter"
	case q == volume && (medium == 6 || medium == 7 || medium == 21):
		return "water_volume", "Water meter"
	case q == heat, q == energy && warm:
		return "heat_energy", "Heat meter"
	case q == energy && medium == 2:
		return "energy", "Second electricity meter"
	}
	return "", ""
}

var notInAddress = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// headerAddress makes an address of what a meter without an identifier calls itself.
func headerAddress(header string) string {
	address := strings.Trim(notInAddress.ReplaceAllString(header, "-"), "-._")
	return cmp.Or(address[:min(len(address), 64)], "meter")
}

// makerAndModel takes the header apart: three letters for the maker (FLAG association), the speed, the model.
func makerAndModel(header string) (maker, model string) {
	makers := map[string]string{"ISK": "Iskraemeco", "KFM": "Kaifa", "KMP": "Kamstrup", "SAG": "Sagemcom", "FLU": "Fluvius"}
	maker = cmp.Or(makers[strings.ToUpper(header[:3])], header[:3])
	model = header[4:]
	if len(model) > 2 && model[0] == '\\' { // a second speed that nobody uses
		model = model[2:]
	}
	return maker, strings.Trim(model[:min(len(model), 64)], " -")
}

// firmware returns the version of what the meter speaks: 50 is DSMR 5.0, 50217 is Belgium's eMUCS 1.7.1 or so.
func firmware(t *telegram) string {
	v := t.text(versionCode)
	if len(v) == 2 {
		return fmt.Sprintf("DSMR %c.%c", v[0], v[1])
	}
	if v = t.text(obis{0, 0, 96, 1, 4}); v != "" && len(v) <= 16 {
		return "eMUCS " + v
	}
	return ""
}
