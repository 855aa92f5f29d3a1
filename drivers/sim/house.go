package sim

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"hearth"
)

// A house is all rooms and devices, and the weather around it.
type house struct {
	rooms   []*room
	devices []*device
	byID    map[hearth.ID]*device
	covers  []*device
	now     time.Time
	load0   float64 // W of what has no meter of its own
}

// A room has its own climate.
type room struct {
	name        string
	window      float64 // how much daylight comes in
	temperature float64
	humidity    float64
	heating     bool
	somebody    bool
}

func build(name string, cfg Config, now time.Time) *house {
	h := &house{byID: make(map[hearth.ID]*device, cfg.Devices), now: now}
	chance := newChance(cfg.Seed, 0)
	h.rooms = makeRooms(chance, cfg.Devices)
	all := kinds()
	numbers := map[string]int{}
	for i := range cfg.Devices {
		k := all[order(i)]
		numbers[k.slug]++
		d := &device{
			kind: k, chance: newChance(cfg.Seed, uint64(i)+1), room: h.rooms[(i+chance.IntN(2))%len(h.rooms)],
			values: map[string]hearth.Value{}, changed: map[string]bool{}, covered: map[string]float64{},
		}
		n := numbers[k.slug]
		d.Device = hearth.Device{
			ID: hearth.ID(fmt.Sprintf("%s:%s-%d", name, k.slug, n)), Name: k.name(d.room, n), Type: k.Type,
			Vendor: "Hearth", Model: k.model, Firmware: "1." + strconv.Itoa(d.chance.IntN(9)), Properties: k.properties(),
		}
		k.begin(d)
		for _, p := range k.counters {
			d.covered[p] = 0
			d.setNumber(p, round(d.chance.Float64()*3000, 1), 1)
		}
		if k.slug == "cover" {
			h.covers = append(h.covers, d)
		}
		h.devices = append(h.devices, d)
		h.byID[d.ID] = d
	}
	return h
}

func makeRooms(chance *rand.Rand, devices int) []*room {
	names := []string{
		"Living room", "Kitchen", "Bedroom", "Bathroom", "Hall", "Office", "Children's room", "Guest room", "Cellar", "Attic",
		"Laundry", "Pantry", "Workshop", "Conservatory", "Dressing room", "Library",
	}
	chance.Shuffle(len(names)-5, func(i, j int) { names[5+i], names[5+j] = names[5+j], names[5+i] })
	chance.Shuffle(5, func(i, j int) { names[i], names[j] = names[j], names[i] })
	rooms := make([]*room, max(5, devices/4))
	for i := range rooms {
		name := names[i%len(names)]
		if i >= len(names) {
			name += " " + strconv.Itoa(i/len(names)+1)
		}
		rooms[i] = &room{name: name, window: 0.3 + 0.7*chance.Float64(), temperature: 18.5 + 3*chance.Float64(), humidity: 40 + 15*chance.Float64()}
	}
	return rooms
}

// step lets time pass for the rooms, and then for the devices that are due.
func (h *house) step(dt time.Duration, now time.Time, due []*device) {
	h.now = now
	weather := weatherAt(now)
	hours := dt.Hours()
	for _, r := range h.rooms {
		r.temperature += hours * (weather.temperature - r.temperature) / 6
		r.temperature += hours * 1.5 * weather.daylight * r.window
		if r.heating {
			r.temperature += hours * 9
		}
		r.humidity += hours * (weather.humidity - r.humidity) / 4
	}
	h.load0 = 120 + 200*weather.evening
	for _, d := range due {
		// Each device is due once in an interval, so that much time has passed for it.
		d.kind.step(d, h, weather, dt*turns)
	}
}

type weather struct {
	daylight    float64 // 0 at night to 1 at noon in summer
	temperature float64 // °C outside
	humidity    float64 // %
	evening     float64 // 0 to 1: how much is done in a house at this hour
	awake       bool
}

// weatherAt is a clear day in the middle of Europe; good enough to look at.
func weatherAt(t time.Time) weather {
	hour := float64(t.Hour()) + float64(t.Minute())/60 + float64(t.Second())/3600
	season := math.Sin(2 * math.Pi * float64(t.YearDay()-80) / 365) // −1 at midwinter, 1 at midsummer
	day := 12 + 4.3*season
	height := math.Sin(math.Pi * (hour - 12 + day/2) / day)
	if hour < 12-day/2 || hour > 12+day/2 {
		height = 0
	}
	return weather{
		daylight:    height * (0.65 + 0.35*season),
		temperature: 10 + 9*season + 4*math.Sin(2*math.Pi*(hour-9)/24),
		humidity:    52 - 8*math.Sin(2*math.Pi*(hour-9)/24),
		evening:     math.Exp(-(hour-19.5)*(hour-19.5)/6) + 0.5*math.Exp(-(hour-7.5)*(hour-7.5)/2),
		awake:       hour >= 6.5 && hour < 23,
	}
}

const savedKey = "house"

// saved is what outlives a restart: how far each counter may be, and what people have set.
type saved struct {
	Counters map[string]map[string]float64      `json:"counters"`
	States   map[string]map[string]hearth.Value `json:"states"`
}

// save stores the counters with headroom for as many kWh: until one has used its up, nothing has to be written, and a
// counter that goes on from there after a power cut has never been higher. A clean end stores them exactly.
func (h *house) save(store hearth.Store, headroom float64) error {
	state := saved{Counters: map[string]map[string]float64{}, States: map[string]map[string]hearth.Value{}}
	for _, d := range h.devices {
		address := d.ID.Address()
		for name := range d.covered {
			if state.Counters[address] == nil {
				state.Counters[address] = map[string]float64{}
			}
			d.covered[name] = d.number(name) + headroom
			state.Counters[address][name] = d.covered[name]
		}
		for _, p := range d.Properties {
			if v, ok := d.values[p.Name]; ok && p.Writable {
				if state.States[address] == nil {
					state.States[address] = map[string]hearth.Value{}
				}
				state.States[address][p.Name] = v
			}
		}
	}
	data, err := json.Marshal(state)
	if err == nil {
		err = store.Put(savedKey, data)
	}
	if err != nil {
		return fmt.Errorf("keeping the simulated home's counters: %w", err)
	}
	return nil
}

// used reports whether a counter has used up what was stored ahead for it.
func (h *house) used() bool {
	for _, d := range h.devices {
		for name, end := range d.covered {
			if d.number(name) > end {
				return true
			}
		}
	}
	return false
}

// load goes on from what was stored. Damaged data is passed over: nothing real depends on it.
func (h *house) load(store hearth.Store) error {
	data, err := store.Get(savedKey)
	if err != nil {
		return fmt.Errorf("reading the simulated home's counters: %w", err)
	}
	var state saved
	if data == nil || json.Unmarshal(data, &state) != nil {
		return nil
	}
	for _, d := range h.devices {
		address := d.ID.Address()
		for name := range d.covered {
			if v, ok := state.Counters[address][name]; ok && v >= 0 {
				d.setNumber(name, v, 9)
			}
		}
		for name, v := range state.States[address] {
			if p, ok := d.Property(name); ok && p.Writable && p.Accepts(v) == nil {
				d.set(name, v)
			}
		}
		d.target = d.number("position")
	}
	return nil
}
