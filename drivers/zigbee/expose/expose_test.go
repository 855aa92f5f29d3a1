package expose

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// endpoint returns an endpoint of Home Automation.
func endpoint(id uint8, device uint16, in []uint16, out ...uint16) Endpoint {
	return Endpoint{ID: id, Profile: profileHomeAutomation, Device: device, In: in, Out: out}
}

// mains returns a device that is always on.
func mains(endpoints ...Endpoint) Description {
	return Description{IEEE: 0x00158d0001a2b3c4, Vendor: "Acme", Model: "M1", Mains: true, Router: true, Endpoints: endpoints}
}

// battery returns one that sleeps.
func battery(endpoints ...Endpoint) Description {
	d := mains(endpoints...)
	d.Mains, d.Router = false, false
	return d
}

// knowing returns the description with facts: "1/0300/400a" and so on.
func (d Description) knowing(facts map[string]float64) Description {
	d.Facts = facts
	return d
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatalf("%q is no hex: %v", text, err)
	}
	return b
}

// hears gives the model a frame as it is on the air.
func hears(t testing.TB, m *Model, endpoint uint8, cluster uint16, frame string) Said {
	t.Helper()
	return m.Incoming(Incoming{Endpoint: endpoint, Cluster: cluster, Frame: parsed(t, frame)})
}

func parsed(t testing.TB, frame string) zcl.Frame {
	t.Helper()
	f, err := zcl.ParseFrame(unhex(t, frame))
	if err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	return f
}

// told writes what was said as a person would, in order.
func told(said Said) string {
	var parts []string
	for _, v := range said.Values {
		parts = append(parts, v.Property+"="+v.Value.String())
	}
	return strings.Join(parts, " ")
}

// sent writes requests as endpoint, cluster and bytes.
func sent(requests []Request) string {
	var parts []string
	for _, r := range requests {
		parts = append(parts, fmt.Sprintf("%d/%04x %x", r.Endpoint, r.Cluster, r.Frame.Append(nil)))
	}
	return strings.Join(parts, ", ")
}

// confirms writes what is read back.
func confirms(requests []Request) string {
	var parts []string
	for _, r := range requests {
		for _, c := range r.Confirm {
			parts = append(parts, fmt.Sprintf("%d/%04x%04x", c.Endpoint, c.Cluster, c.Attributes))
		}
	}
	return strings.Join(parts, " ")
}

// wished makes a wish of Go's values.
func wished(set map[string]any) map[string]hearth.Value {
	values := map[string]hearth.Value{}
	for name, v := range set {
		switch v := v.(type) {
		case bool:
			values[name] = hearth.BoolOf(v)
		case string:
			values[name] = hearth.TextOf(v)
		case int:
			values[name] = hearth.NumberOf(float64(v))
		case float64:
			values[name] = hearth.NumberOf(v)
		}
	}
	return values
}

// nowIs returns what a home knows.
func nowIs(set map[string]any) func(string) (hearth.Value, bool) {
	values := wished(set)
	return func(name string) (hearth.Value, bool) {
		v, ok := values[name]
		return v, ok
	}
}

// offered lists a device's properties: w writable, o write-only, m momentary.
func offered(m *Model) string {
	var parts []string
	for _, p := range m.Device("radio:00158d0001a2b3c4").Properties {
		name := p.Name
		switch {
		case p.WriteOnly:
			name += ":o"
		case p.Writable:
			name += ":w"
		case p.Momentary:
			name += ":m"
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, " ")
}

// bound lists the bindings.
func bound(m *Model) string {
	var parts []string
	for _, b := range m.Setup().Bindings {
		parts = append(parts, fmt.Sprintf("%d/%04x", b.Endpoint, b.Cluster))
	}
	return strings.Join(parts, " ")
}

// reported lists the reporting: attribute, type, least and most seconds, change.
func reported(m *Model) string {
	var parts []string
	for _, r := range m.Setup().Reporting {
		part := fmt.Sprintf("%d/%04x/%04x %s %d-%d", r.Endpoint, r.Cluster, r.Record.ID, r.Record.Type, r.Record.Min, r.Record.Max)
		if r.Record.Type.Analog() {
			part += " " + r.Record.Change.String()
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func facts(pairs ...any) map[string]float64 {
	all := map[string]float64{}
	for i := 0; i+1 < len(pairs); i += 2 {
		switch n := pairs[i+1].(type) {
		case int:
			all[pairs[i].(string)] = float64(n)
		case float64:
			all[pairs[i].(string)] = n
		}
	}
	return all
}

func keys[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), " ")
}
