package homekit

import (
	"encoding/json"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"

	"hearth"
	"hearth/edge/homekit/hap"
)

const typeServiceLabelIndex = characteristic.TypeServiceLabelIndex

// A thing is one device as an accessory. Another shape of the device is another thing; what it remembers goes on.
type thing struct {
	id     hearth.ID
	shape  string
	bridge int
	a      *accessory.A
	faces  []*face
	fields map[*characteristic.C]*field
	keys   map[*characteristic.C]string // of the service, by its name's characteristic
	sleepy bool                         // it is heard when it has something to say: silence means nothing

	order sync.Mutex // held while a command is given: they go out as they came

	mu        sync.Mutex
	shown     map[*characteristic.C]any // what controllers were told last, or told us
	initial   map[*characteristic.C]any
	m         *memory
	view      hearth.DeviceView
	targets   map[string]hearth.Value
	fresh     bool
	seconds   float64
	held      *wish // half of a colour
	published bool
}

// shapeOf is all of a device that its accessory is made from.
func shapeOf(d hearth.DeviceView) string {
	properties := make([]hearth.Property, len(d.Properties))
	for i, p := range d.Properties {
		properties[i] = p.Property
	}
	text, err := json.Marshal([]any{d.Name, d.Type, d.Vendor, d.Model, d.Firmware, properties})
	if err != nil {
		return "" // properties are JSON
	}
	return string(text)
}

// mostFaces is how many services an accessory gets; the protocol ends at a hundred.
const mostFaces = 80

// newThing makes the accessory of a device. r is what is kept of it; the faces are numbered.
func newThing(d hearth.DeviceView, r *record, faces []*face, before *thing) *thing {
	t := &thing{
		id: d.ID, shape: shapeOf(d), bridge: r.Bridge, faces: faces, sleepy: sleeps(d, faces),
		fields: map[*characteristic.C]*field{}, keys: map[*characteristic.C]string{}, shown: map[*characteristic.C]any{}, initial: map[*characteristic.C]any{}, m: newMemory(),
	}
	if before != nil {
		before.mu.Lock()
		t.m = before.m
		before.mu.Unlock()
	}
	name := cleanName(d.Name, "Device "+cleanName(d.ID.Address(), "1"))
	t.a = newAccessory(r.AID, accessory.Info{
		Name: name, Manufacturer: cleanText(d.Vendor, "Unknown"), Model: cleanText(d.Model, string(d.Type)),
		SerialNumber: cleanText(serial(d.ID), "00"), Firmware: cleanVersion(d.Firmware),
	})
	byKey := map[string]*face{}
	for _, f := range faces {
		byKey[f.key] = f
		t.a.Ss = append(t.a.Ss, f.s)
		for _, c := range f.fields {
			t.fields[c.c] = c
			if c.c.Type == characteristic.TypeConfiguredName {
				t.keys[c.c] = f.key
				if own := r.Names[f.key]; own != "" {
					c.c.Val = own
				}
			}
			t.initial[c.c] = c.c.Val
		}
	}
	for _, f := range faces {
		for _, key := range f.linked {
			f.s.AddS(byKey[key].s)
		}
	}
	return t
}

// serial is a device's address, at the end of which its differences are.
func serial(id hearth.ID) string {
	address := id.Address()
	if len(address) > maxNameLetters {
		address = address[len(address)-maxNameLetters:]
	}
	if len(address) < 2 {
		return "0" + address
	}
	return address
}

// newAccessory makes an accessory with its information, whose ids never change.
func newAccessory(aid uint64, info accessory.Info) *accessory.A {
	a := accessory.New(info, accessory.TypeOther)
	a.Id, a.Info.Id = aid, 1
	for i, c := range a.Info.Cs {
		c.Id = uint64(i + 2)
	}
	return a
}

// sleeps reports whether a device has a battery and only tells.
func sleeps(d hearth.DeviceView, faces []*face) bool {
	battery := slices.ContainsFunc(faces, func(f *face) bool { return f.s.Type == "96" }) || d.Property("battery_voltage") != nil
	for _, f := range faces {
		for _, c := range f.fields {
			if c.write != nil {
				return false
			}
		}
	}
	return battery
}

func (t *thing) knowledge() *knowledge {
	return &knowledge{view: t.view, targets: t.targets, m: t.m, fresh: t.fresh, seconds: t.seconds}
}

// look takes what is known now and tells what has changed. back takes what controllers wrote and the device never
// confirmed back to what it was.
func (t *thing) look(view hearth.DeviceView, targets func(hearth.ID) map[string]hearth.Value, fresh bool, up time.Duration, server *hap.Server, back bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.view, t.targets, t.fresh, t.seconds = view, targets(t.id), fresh, up.Seconds()
	k := t.knowledge()
	for _, f := range t.faces {
		for _, c := range f.fields {
			if c.read == nil {
				continue
			}
			value, known := c.read(k)
			if !known && back && c.write != nil {
				value, known = t.initial[c.c], true
			}
			if known && finite(value) {
				t.tell(c.c, value, server)
			}
		}
	}
}

func (t *thing) tell(c *characteristic.C, value any, server *hap.Server) {
	if old, told := t.shown[c]; told && reflect.DeepEqual(old, value) {
		return
	}
	t.shown[c] = value
	if t.published {
		server.Changed(t.a, c, value, "")
		return
	}
	c.Val = value // the server has not seen it yet
}

// press tells what a button did: at once, each time, and never again.
func (t *thing) press(r hearth.Reading, server *hap.Server) {
	for c, f := range t.fields {
		if f.press == nil || f.uses[0] != r.Property {
			continue
		}
		if value, ok := f.press[r.Value.Text()]; ok && t.published {
			server.Changed(t.a, c, value, "")
		}
	}
}

// reachable reports whether reading and writing make sense.
func (t *thing) reachable() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view.Reachable
}

// publish is called once the server has the thing, whose values are the server's from then on.
func (t *thing) publish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.published = true
}

// status is what an error of home.Do means to a controller.
func status(err error) hap.Status {
	if err == nil {
		return hap.OK
	}
	switch hearth.ErrorOf(err).Code {
	case hearth.CodeBadValue:
		return hap.Invalid
	case hearth.CodeReadOnly:
		return hap.ReadOnly
	case hearth.CodeBusy:
		return hap.Busy
	}
	return hap.OutOfReach
}

// bridgeAccessory is the bridge itself.
func bridgeAccessory(name, serial, version string) *accessory.A {
	a := newAccessory(bridgeAID, accessory.Info{Name: cleanName(name, "Hearth"), Manufacturer: "Hearth", Model: model, SerialNumber: serial, Firmware: cleanVersion(version)})
	a.Type = accessory.TypeBridge
	protocol := service.NewProtocolInformation()
	protocol.Version.C.Val = "1.1.0"
	protocol.Id, protocol.Version.Id = firstIID, firstIID+1
	a.Ss = append(a.Ss, protocol.S)
	return a
}
