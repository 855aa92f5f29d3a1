package drivertest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"hearth"
)

// A Recorder is a Home that remembers all it was told, notes what breaks the contract, and lets a test wait for it.
type Recorder struct {
	name string

	mu        sync.Mutex
	devices   map[hearth.ID]hearth.Device
	announced int
	readings  []hearth.Reading
	forgotten []hearth.ID
	faults    []string
	ended     bool
	changed   chan struct{} // closed and replaced whenever something was heard
}

// NewRecorder returns the home of a driver with that configured name.
func NewRecorder(name string) *Recorder {
	return &Recorder{name: name, devices: map[hearth.ID]hearth.Device{}, changed: make(chan struct{})}
}

// Announce implements hearth.Home.
func (r *Recorder) Announce(d hearth.Device) {
	d.Properties = slices.Clone(d.Properties)
	r.hear(func() {
		if err := d.Check(); err != nil {
			r.fault("announced: %v", err)
		}
		if d.ID.Driver() != r.name {
			r.fault("announced %s, which is not a device of driver %s", d.ID, r.name)
		}
		if d.Type != "" && !slices.Contains(hearth.Types, d.Type) {
			r.fault("announced %s of type %q, which is none", d.ID, d.Type)
		}
		r.announced++
		r.devices[d.ID] = d
	})
}

// Report implements hearth.Home.
func (r *Recorder) Report(readings ...hearth.Reading) {
	r.hear(func() {
		for _, reading := range readings {
			r.check(reading)
		}
		r.readings = append(r.readings, readings...)
	})
}

func (r *Recorder) check(reading hearth.Reading) {
	device, ok := r.devices[reading.Device]
	p, known := device.Property(reading.Property)
	switch {
	case !ok:
		r.fault("reported %s of %s, which is not announced", reading.Property, reading.Device)
	case !known && reading.Property == "reachable" && reading.Value.Kind() == hearth.Bool:
	case !known:
		r.fault("reported %s of %s, which is not among its announced properties", reading.Property, reading.Device)
	case p.WriteOnly:
		r.fault("reported %s of %s, which is write-only", reading.Property, reading.Device)
	case math.IsNaN(reading.Value.Number()) || math.IsInf(reading.Value.Number(), 0):
		r.fault("reported %s of %s as a number that is not finite", reading.Property, reading.Device)
	default:
		if err := p.Accepts(reading.Value); err != nil {
			r.fault("reported of %s what it has not announced: %v", reading.Device, err)
		}
	}
}

// Forget implements hearth.Home.
func (r *Recorder) Forget(id hearth.ID) {
	r.hear(func() {
		if id.Driver() != r.name {
			r.fault("forgot %s, which is not a device of driver %s", id, r.name)
		}
		delete(r.devices, id)
		r.forgotten = append(r.forgotten, id)
	})
}

func (r *Recorder) hear(record func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		r.fault("home was called after Run had returned")
	}
	record()
	close(r.changed)
	r.changed = make(chan struct{})
}

// fault notes a broken contract, the first hundred of them.
func (r *Recorder) fault(format string, args ...any) {
	if fault := fmt.Sprintf(format, args...); len(r.faults) < 100 && !slices.Contains(r.faults, fault) {
		r.faults = append(r.faults, fault)
	}
}

// End says that Run has returned: whatever is heard from now on is a fault.
func (r *Recorder) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
}

// Faults returns what broke the contract so far.
func (r *Recorder) Faults() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.faults)
}

// Device returns the device as it was last announced, unless it was forgotten.
func (r *Recorder) Device(id hearth.ID) (hearth.Device, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.devices[id]
	return d, ok
}

// Devices returns all that are announced and not forgotten.
func (r *Recorder) Devices() map[hearth.ID]hearth.Device {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.devices)
}

// Announced returns how often something was announced.
func (r *Recorder) Announced() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.announced
}

// Forgotten returns what was forgotten, in order.
func (r *Recorder) Forgotten() []hearth.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.forgotten)
}

// Readings returns all that was reported, in order. The caller must not change it.
func (r *Recorder) Readings() []hearth.Reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clip(r.readings)
}

// Last returns the newest reading of one property.
func (r *Recorder) Last(id hearth.ID, property string) (hearth.Reading, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, reading := range slices.Backward(r.readings) {
		if reading.Device == id && reading.Property == property {
			return reading, true
		}
	}
	return hearth.Reading{}, false
}

// Count returns how many readings of one property there were.
func (r *Recorder) Count(id hearth.ID, property string) (n int) {
	for _, reading := range r.Readings() {
		if reading.Device == id && reading.Property == property {
			n++
		}
	}
	return n
}

// Wait waits up to 15 s for cond, which is asked again after whatever is heard, and ends the test if it does not
// come true. cond may call the recorder's methods.
func (r *Recorder) Wait(t testing.TB, what string, cond func() bool) {
	t.Helper()
	r.Await(t, 15*time.Second, what, cond)
}

// Await is Wait with another patience.
func (r *Recorder) Await(t testing.TB, patience time.Duration, what string, cond func() bool) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if cond() {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Fatalf("waited %v in vain for %s; heard %d announcements of %d devices and %d readings", patience, what, r.announced, len(r.devices), len(r.readings))
		}
	}
}

// WaitFor waits until the property was last reported as value.
func (r *Recorder) WaitFor(t testing.TB, id hearth.ID, property string, value hearth.Value) {
	t.Helper()
	r.Wait(t, fmt.Sprintf("%s %s = %s", id, property, value), func() bool {
		last, ok := r.Last(id, property)
		return ok && last.Value == value
	})
}

// Close reports whether a reported value confirms a wanted one: equal, or a number within 0.5 % of the property's range
// (of the number itself where there is no range).
func Close(p hearth.Property, got, want hearth.Value) bool {
	if got.Kind() != hearth.Number || want.Kind() != hearth.Number {
		return got == want
	}
	span := math.Abs(want.Number())
	if p.Min != nil && p.Max != nil {
		span = *p.Max - *p.Min
	}
	return math.Abs(got.Number()-want.Number()) <= span*0.005
}
