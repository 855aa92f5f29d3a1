package fake

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// An ear is a firmware that keeps what it hears: for tests of the air and the devices alone.
type ear struct {
	t        *testing.T
	mesh     *Mesh
	stick    *Stick
	heard    []radio.Message
	arrivals []arrival
	gone     []departure
	keys     map[radio.IEEE]radio.Key
	refuses  bool // a key of its own to everybody
	sequence uint8
}

func (e *ear) boot(Cause)  {}
func (e *ear) host([]byte) {}
func (e *ear) air(x any) {
	switch x := x.(type) {
	case radio.Message:
		e.heard = append(e.heard, x)
	case arrival:
		e.arrivals = append(e.arrivals, x)
	case departure:
		e.gone = append(e.gone, x)
	}
}

func (e *ear) linkKey(device radio.IEEE, fresh bool) (radio.Key, bool) {
	if fresh {
		return radio.Key{1}, !e.refuses
	}
	if key, ok := e.keys[device]; ok {
		return key, true
	}
	return radio.TrustCentre, true
}

func earNetwork() radio.Network {
	return radio.Network{PAN: 0x1a62, Extended: 0xdd11223344556677, Channel: 15, Key: radio.Key{1, 2, 3}, Coordinator: 0x00124b0000000001}
}

// listen makes a mesh whose coordinator is an ear.
func listen(t *testing.T, o MeshOptions) *ear {
	t.Helper()
	m := NewMesh(o)
	t.Cleanup(m.Close)
	e := &ear{t: t, mesh: m, keys: map[radio.IEEE]radio.Key{}}
	e.plug(earNetwork(), 0)
	return e
}

// plug puts another coordinator in the place of the one before.
func (e *ear) plug(n radio.Network, counter uint32) {
	s := &Stick{mesh: e.mesh, memory: NewMemory(), log: e.mesh.log, powered: true, socketChanged: make(chan struct{})}
	s.firmware, s.faults.stick = e, s
	e.mesh.do(func() {
		if e.stick != nil {
			e.stick.down()
		}
		e.mesh.sticks = []*Stick{s}
		s.register(endpointDescription{ID: 1, Profile: profileHome, Device: 5, In: []uint16{zcl.ClusterTime}, Out: []uint16{zcl.ClusterOnOff}})
		s.up(n, counter)
	})
	e.stick = s
}

func (e *ear) allow(seconds uint8) { e.mesh.do(func() { e.stick.allow(seconds) }) }

// add brings a device of a model of the family into the network.
func (e *ear) add(model string) *Device {
	e.t.Helper()
	return e.join(model, familyModel(e.t, model))
}

func familyModel(t testing.TB, name string) *Model {
	t.Helper()
	models, err := Models()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(models, func(m *Model) bool { return m.Name == name })
	if i < 0 {
		t.Fatalf("no model %q", name)
	}
	return models[i]
}

func (e *ear) join(name string, model *Model) *Device {
	e.t.Helper()
	d, err := e.mesh.Add(name, model)
	if err != nil {
		e.t.Fatal(err)
	}
	e.allow(60)
	d.Pair(0)
	e.allow(0)
	if !d.Joined() {
		e.t.Fatalf("%s did not join", name)
	}
	return d
}

// send sends a ZCL frame and returns what became of it, once that is known.
func (e *ear) send(d *Device, endpoint uint8, cluster uint16, f zcl.Frame) *Outcome {
	e.sequence++
	f.Sequence = e.sequence
	return e.message(radio.Message{
		Address: d.NWK(), Local: 1, Remote: endpoint, Profile: profileHome, Cluster: cluster, Data: f.Append(nil), Acked: true,
	})
}

func (e *ear) message(m radio.Message) *Outcome {
	var outcome *Outcome
	became := func(o Outcome) { outcome = &o }
	e.mesh.do(func() { e.stick.send(m, became) })
	if outcome == nil {
		outcome = new(Outcome)
		*outcome = -1
	}
	return outcome
}

// take returns the ZCL frames that were heard since the last time.
func (e *ear) take() (frames []zcl.Frame) {
	e.mesh.do(func() {
		for _, m := range e.heard {
			if m.Profile == 0 {
				continue
			}
			f, err := zcl.ParseFrame(m.Data)
			if err != nil {
				e.t.Errorf("heard % x: %v", m.Data, err)
			}
			frames = append(frames, f)
		}
		e.heard = nil
	})
	return frames
}

// ask sends a frame and wants exactly one in return.
func (e *ear) ask(d *Device, endpoint uint8, cluster uint16, f zcl.Frame) zcl.Frame {
	e.t.Helper()
	e.take()
	e.send(d, endpoint, cluster, f)
	got := e.take()
	if len(got) != 1 || got[0].Sequence != e.sequence {
		e.t.Fatalf("%s: %s %+v was answered with %+v", d.Name(), zcl.ClusterName(cluster), f, got)
	}
	return got[0]
}

// command sends a cluster's command and wants a default response with that status.
func (e *ear) command(d *Device, endpoint uint8, cluster uint16, want zcl.Status, command uint8, payload ...byte) {
	e.t.Helper()
	answer := e.ask(d, endpoint, cluster, zcl.ClusterCommand(command, payload...))
	of, status, err := zcl.ParseDefaultResponse(answer.Payload)
	if answer.Command != zcl.CommandDefaultResponse || err != nil || of != command || status != want {
		e.t.Errorf("%s: command 0x%02x of %s: %+v, %v", d.Name(), command, zcl.ClusterName(cluster), answer, status)
	}
}

func (e *ear) zdo(d *Device, r zdo.Request) []byte {
	e.t.Helper()
	e.mesh.do(func() { e.heard = nil })
	e.message(radio.Message{Address: d.NWK(), Cluster: r.Cluster(), Data: r.Append(nil)})
	for _, m := range e.heard {
		if m.Cluster == r.Cluster()|zdo.Response {
			return m.Data
		}
	}
	return nil
}

// bind binds a cluster to the coordinator and configures one attribute's reporting.
func (e *ear) bind(d *Device, endpoint uint8, cluster uint16, records ...zcl.ReportingRecord) {
	e.t.Helper()
	b := zdo.Binding{Source: d.IEEE(), Endpoint: endpoint, Cluster: cluster, Destination: zdo.Destination{IEEE: earNetwork().Coordinator, Endpoint: 1}}
	if got := e.zdo(d, zdo.BindRequest{Sequence: 1, Binding: b}); !bytes.Equal(got, []byte{1, 0}) {
		e.t.Fatalf("bind: % x", got)
	}
	if len(records) > 0 {
		if a := e.ask(d, endpoint, cluster, zcl.ConfigureReporting(records...)); !bytes.Equal(a.Payload, []byte{0}) {
			e.t.Fatalf("configure reporting: %+v", a)
		}
	}
}

func (e *ear) set(d *Device, endpoint uint8, cluster, attribute uint16, n float64) {
	e.t.Helper()
	if err := d.SetNumber(endpoint, cluster, attribute, n); err != nil {
		e.t.Fatal(err)
	}
}

// bubble runs a test in the time of synctest.
func bubble(t *testing.T, o MeshOptions, test func(t *testing.T, e *ear)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, listen(t, o)) })
}
