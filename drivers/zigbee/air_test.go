package zigbee

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// air is a stick and its network in memory: what the driver speaks with in the tests, in the time of synctest. The bytes
// on the line are others' business; here are only messages.
type air struct {
	mu      sync.Mutex
	ieee    radio.IEEE
	network *radio.Network // on the stick
	counter uint32
	plans   []radio.Plan
	up      bool
	mute    bool // answers no Connect
	members map[radio.NWK]*member
	permits []uint8
	trusted map[radio.IEEE]radio.Key
	sent    []radio.Message
	dialled []string
	speaks  string // the adapter that answers; "" for both
	backups int
	greets  []*member // they announce themselves whenever the network comes up

	broken chan error
	events chan radio.Event
}

// member is a device in the air.
type member struct {
	ieee      radio.IEEE
	nwk       radio.NWK
	router    bool
	endpoints []zdo.SimpleDescriptor
	values    map[string]zcl.Value // "1/0006/0000"
	bindings  []zdo.Binding
	reports   map[string]bool
	refuses   map[uint16]zcl.Status // by cluster: of reporting
	silent    bool                  // acknowledges nothing
	dumb      map[uint16]bool       // ZDO clusters it never answers
	asleep    bool
	quiet     bool // does not report what has changed
	unheard   bool // its acknowledgements are lost
	left      bool
	sequence  uint8
	heard     []zcl.Frame    // commands of clusters
	hears     []zdo.Neighbor // its table of neighbours
}

func lamp(ieee radio.IEEE, nwk radio.NWK) *member {
	return &member{
		ieee: ieee, nwk: nwk, router: true, reports: map[string]bool{},
		endpoints: []zdo.SimpleDescriptor{{Endpoint: 1, Profile: 0x0104, Device: 0x0100, In: []uint16{0, 3, 6}, Out: []uint16{0x19}}},
		values: map[string]zcl.Value{
			"1/0000/0000": zcl.UintOf(zcl.Uint8, 8), "1/0000/0004": zcl.TextOf("Lights & Co"), "1/0000/0005": zcl.TextOf("LAMP-1\x00"),
			"1/0000/0007": zcl.UintOf(zcl.Enum8, 1), "1/0000/4000": zcl.TextOf("2.1"), "1/0006/0000": zcl.BoolOf(false),
		},
	}
}

func thermometer(ieee radio.IEEE, nwk radio.NWK) *member {
	return &member{
		ieee: ieee, nwk: nwk, reports: map[string]bool{},
		endpoints: []zdo.SimpleDescriptor{{Endpoint: 1, Profile: 0x0104, Device: 0x0302, In: []uint16{0, 0x402}}},
		values: map[string]zcl.Value{
			"1/0000/0004": zcl.TextOf("Weather"), "1/0000/0005": zcl.TextOf("T-1"), "1/0000/0007": zcl.UintOf(zcl.Enum8, 3),
			"1/0402/0000": zcl.IntOf(zcl.Int16, 2150),
		},
	}
}

func newAir() *air {
	return &air{ieee: 0x00124b0000000001, members: map[radio.NWK]*member{}, trusted: map[radio.IEEE]radio.Key{}}
}

func (a *air) dial(ctx context.Context, adapter string) (radio.Radio, io.Closer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dialled = append(a.dialled, adapter)
	a.broken, a.events, a.up = make(chan error, 1), make(chan radio.Event, 4096), false
	return &airRadio{a, adapter}, io.NopCloser(nil), nil
}

// with looks at the air or changes it while it works.
func (a *air) with(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// say lets something come out of the stick.
func (a *air) say(events ...radio.Event) {
	a.mu.Lock()
	out := a.events
	a.mu.Unlock()
	for _, e := range events {
		out <- e
	}
}

func (a *air) join(m *member) {
	a.with(func() { a.members[m.nwk] = m })
	a.say(radio.Joined{NWK: m.nwk, IEEE: m.ieee, Parent: radio.Unknown}, m.announce())
}

func (m *member) announce() radio.Event {
	c := zdo.Capability(0)
	if m.router {
		c = zdo.FullFunction | zdo.Mains | zdo.RxOnWhenIdle
	}
	return radio.Message{Address: m.nwk, Target: radio.BroadcastAwake, Cluster: zdo.ClusterDeviceAnnounce,
		Data: zdo.DeviceAnnounce{NWK: m.nwk, IEEE: m.ieee, Capability: c}.Append(nil)}
}

func (a *air) reset() {
	a.with(func() { a.up = false })
	a.say(radio.Reset{Reason: "watchdog"})
}

// report has a device report an attribute.
func (a *air) report(m *member, cluster, attribute uint16, v zcl.Value) {
	a.mu.Lock()
	m.values[fmt.Sprintf("1/%04x/%04x", cluster, attribute)] = v
	m.sequence++
	f := zcl.ReportAttributes(zcl.Attribute{ID: attribute, Value: v})
	f.Sequence, f.NoDefaultResponse = m.sequence, true
	a.mu.Unlock()
	a.say(m.message(cluster, f))
}

func (m *member) message(cluster uint16, f zcl.Frame) radio.Message {
	return radio.Message{Address: m.nwk, Local: 1, Remote: 1, Profile: 0x0104, Cluster: cluster, Data: f.Append(nil), LQI: 120}
}

// airRadio is the air as a radio.Radio.
type airRadio struct {
	*air
	adapter string
}

func (r *airRadio) Run(ctx context.Context, handle func(radio.Event)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-r.broken:
			return err
		case e := <-r.events:
			handle(e)
		}
	}
}

func (r *airRadio) Connect(ctx context.Context) (radio.Info, error) {
	r.mu.Lock()
	mute, other := r.mute, r.speaks != "" && r.speaks != r.adapter
	info := radio.Info{Firmware: "Air 1", IEEE: r.ieee}
	if r.network != nil {
		n := *r.network
		info.Network = &n
	}
	r.mu.Unlock()
	if mute {
		<-ctx.Done()
		return info, ctx.Err()
	}
	if other {
		return info, radio.ErrOtherFirmware
	}
	return info, nil
}

func (r *airRadio) Up(_ context.Context, plan radio.Plan) (radio.Network, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plans = append(r.plans, plan)
	switch {
	case plan.Form != nil:
		n := *plan.Form
		n.Coordinator = r.ieee
		r.network = &n
	case plan.Restore != nil:
		n := plan.Restore.Network
		n.Coordinator = r.ieee
		r.network, r.counter = &n, plan.Restore.FrameCounter+2500
	case r.network == nil:
		return radio.Network{}, errors.New("there is nothing to resume")
	}
	r.up = true
	for _, m := range r.greets {
		r.members[m.nwk] = m
		r.events <- m.announce()
	}
	return *r.network, nil
}

func (r *airRadio) Permit(_ context.Context, seconds uint8) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.permits = append(r.permits, seconds)
	return nil
}

func (r *airRadio) Trust(_ context.Context, device radio.IEEE, key radio.Key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trusted[device] = key
	return nil
}

func (r *airRadio) Hear(context.Context, uint16) error { return nil }

func (r *airRadio) Move(_ context.Context, channel uint8) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.network.Channel = channel
	r.network.UpdateID++
	return nil
}

func (r *airRadio) Backup(context.Context) (radio.Backup, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.network == nil {
		return radio.Backup{}, errors.New("blank")
	}
	r.backups++
	b := radio.Backup{Network: *r.network, SecurityLevel: 5, ChannelMask: 1 << r.network.Channel, FrameCounter: r.counter + 100}
	for _, m := range r.members {
		b.Devices = append(b.Devices, radio.KnownDevice{NWK: m.nwk, IEEE: m.ieee})
	}
	return b, nil
}

func (r *airRadio) Send(ctx context.Context, m radio.Message) error {
	r.mu.Lock()
	if !r.up {
		r.mu.Unlock()
		return &radio.Failure{Class: radio.Down, Doing: "sending"}
	}
	r.sent = append(r.sent, m)
	var answers []radio.Event
	to := r.members[m.Address]
	switch {
	case m.Address.Broadcast():
		for _, one := range r.members {
			if !one.silent {
				answers = append(answers, one.hear(m)...)
			}
		}
	case to == nil || to.silent || to.left:
		r.mu.Unlock()
		return &radio.Failure{Class: radio.NoAck, Status: 0xe9, Doing: "sending"}
	case to.asleep:
		r.mu.Unlock()
		return &radio.Failure{Class: radio.Expired, Status: 0xf0, Doing: "sending"}
	default:
		answers = to.hear(m)
	}
	out := r.events
	lost := to != nil && to.unheard
	r.mu.Unlock()
	for _, e := range answers {
		out <- e
	}
	if lost {
		<-ctx.Done()
		return &radio.Failure{Class: radio.Timeout, Doing: "sending"}
	}
	return nil
}

// hear returns what a device has to say to a message; the air's lock is held.
func (m *member) hear(got radio.Message) []radio.Event {
	if got.Profile == 0 {
		return m.hearZDO(got)
	}
	f, err := zcl.ParseFrame(got.Data)
	if err != nil {
		return nil
	}
	var out []radio.Event
	answer := func(reply zcl.Frame) { out = append(out, m.message(got.Cluster, reply.InReplyTo(f))) }
	key := func(id uint16) string { return fmt.Sprintf("%d/%04x/%04x", got.Remote, got.Cluster, id) }
	switch {
	case f.Global && f.Command == zcl.CommandReadAttributes:
		ids, _ := zcl.ParseReadAttributes(f.Payload)
		var results []zcl.AttributeResult
		for _, id := range ids {
			if v, ok := m.values[key(id)]; ok {
				results = append(results, zcl.AttributeResult{ID: id, Value: v})
			} else {
				results = append(results, zcl.AttributeResult{ID: id, Status: zcl.UnsupportedAttribute})
			}
		}
		answer(zcl.ReadAttributesResponse(results...))
	case f.Global && f.Command == zcl.CommandConfigureReporting:
		records, _ := zcl.ParseConfigureReporting(f.Payload)
		var statuses []zcl.ReportingStatus
		for _, r := range records {
			if status, refuses := m.refuses[got.Cluster]; refuses {
				statuses = append(statuses, zcl.ReportingStatus{ID: r.ID, Status: status})
			} else {
				m.reports[key(r.ID)] = true
			}
		}
		answer(zcl.ConfigureReportingResponse(statuses...))
	case f.Global:
	case got.Cluster == zcl.ClusterOnOff:
		m.heard = append(m.heard, f)
		m.values["1/0006/0000"] = zcl.BoolOf(f.Command == 1)
		if !f.NoDefaultResponse {
			answer(zcl.DefaultResponse(f.Command, zcl.Success))
		}
		if m.reports["1/0006/0000"] && !m.quiet {
			m.sequence++
			report := zcl.ReportAttributes(zcl.Attribute{ID: 0, Value: m.values["1/0006/0000"]})
			report.Sequence, report.NoDefaultResponse = m.sequence, true
			out = append(out, m.message(got.Cluster, report))
		}
	default:
		m.heard = append(m.heard, f)
	}
	return out
}

func (m *member) hearZDO(got radio.Message) []radio.Event {
	if m.dumb[got.Cluster] || len(got.Data) == 0 {
		return nil
	}
	say := func(cluster uint16, data []byte) []radio.Event {
		return []radio.Event{radio.Message{Address: m.nwk, Cluster: cluster | zdo.Response, Data: data, LQI: 120}}
	}
	sequence := got.Data[0]
	switch got.Cluster {
	case zdo.ClusterNWKAddressRequest:
		if r, err := zdo.ParseNWKAddressRequest(got.Data); err != nil || r.IEEE != m.ieee {
			return nil
		}
		return say(got.Cluster, zdo.AddressResponse{Sequence: sequence, IEEE: m.ieee, NWK: m.nwk}.Append(nil))
	case zdo.ClusterIEEEAddressRequest:
		return say(got.Cluster, zdo.AddressResponse{Sequence: sequence, IEEE: m.ieee, NWK: m.nwk}.Append(nil))
	case zdo.ClusterNodeDescriptorRequest:
		d := zdo.NodeDescriptor{Type: zdo.TypeEndDevice, Manufacturer: 0x1234}
		if m.router {
			d.Type, d.Capability = zdo.TypeRouter, zdo.FullFunction|zdo.Mains|zdo.RxOnWhenIdle
		}
		return say(got.Cluster, zdo.NodeDescriptorResponse{Sequence: sequence, NWK: m.nwk, Descriptor: d}.Append(nil))
	case zdo.ClusterActiveEndpointsRequest:
		r := zdo.EndpointsResponse{Sequence: sequence, NWK: m.nwk, Endpoints: []uint8{242}}
		for _, e := range m.endpoints {
			r.Endpoints = append(r.Endpoints, e.Endpoint)
		}
		return say(got.Cluster, r.Append(nil))
	case zdo.ClusterSimpleDescriptorRequest:
		ask, _ := zdo.ParseSimpleDescriptorRequest(got.Data)
		i := slices.IndexFunc(m.endpoints, func(e zdo.SimpleDescriptor) bool { return e.Endpoint == ask.Endpoint })
		if i < 0 {
			return say(got.Cluster, zdo.SimpleDescriptorResponse{Sequence: sequence, Status: zdo.InvalidEndpoint, NWK: m.nwk}.Append(nil))
		}
		return say(got.Cluster, zdo.SimpleDescriptorResponse{Sequence: sequence, NWK: m.nwk, Descriptor: m.endpoints[i]}.Append(nil))
	case zdo.ClusterNeighborTableRequest:
		return say(got.Cluster, zdo.NeighborTableResponse{Sequence: sequence, Total: uint8(len(m.hears)), Neighbors: m.hears}.Append(nil))
	case zdo.ClusterBindRequest:
		r, _ := zdo.ParseBindRequest(got.Data)
		m.bindings = append(m.bindings, r.Binding)
		return say(got.Cluster, zdo.StatusResponse{Sequence: sequence}.Append(nil))
	case zdo.ClusterLeaveRequest:
		m.left = true
		return append(say(got.Cluster, zdo.StatusResponse{Sequence: sequence}.Append(nil)), radio.Left{NWK: m.nwk, IEEE: m.ieee, Confirms: true})
	case zdo.ClusterPermitJoiningRequest:
		if got.Address.Broadcast() {
			return nil
		}
		return say(got.Cluster, zdo.StatusResponse{Sequence: sequence}.Append(nil))
	}
	return nil
}

// house is a driver in the air, with the home it speaks to.
type house struct {
	*air
	*driver
	home *drivertest.Recorder
	stop func()
	done chan error
}

// inHouse runs a test in the time of synctest, with a driver that keeps what an earlier one in env has kept.
func inHouse(t *testing.T, cfg Config, a *air, test func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		env := drivertest.NewEnv(t, "radio")
		h := openHouse(t, env, cfg, a)
		test(h)
		h.close(t)
	})
}

func openHouse(t *testing.T, env hearth.Env, cfg Config, a *air) *house {
	t.Helper()
	if cfg.Port == "" {
		cfg.Port = "/dev/null"
	}
	if cfg.Adapter == "" {
		cfg.Adapter = "znp"
	}
	made, err := New(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{air: a, driver: made.(*driver)}
	h.driver.dial = a.dial
	h.open(t)
	return h
}

// open begins a Run.
func (h *house) open(t *testing.T) {
	h.home, h.done = drivertest.NewRecorder("radio"), make(chan error, 1)
	home, done := h.home, h.done
	ctx, cancel := context.WithCancel(t.Context())
	h.stop = cancel
	go func() {
		err := h.driver.Run(ctx, home)
		home.End()
		done <- err
	}()
	synctest.Wait()
}

// close stops the driver and reports what it did wrong.
func (h *house) close(t *testing.T) {
	t.Helper()
	h.stop()
	if err := <-h.done; err != nil {
		t.Errorf("Run returned %v", err)
	}
	for _, fault := range h.home.Faults() {
		t.Error(fault)
	}
}

// wait lets the house live for so long.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (h *house) id(m *member) hearth.ID { return hearth.ID("radio:" + m.ieee.String()) }

func (h *house) coordinator() hearth.ID { return "radio:00124b0000000001" }

func (h *house) last(id hearth.ID, property string) hearth.Value {
	r, _ := h.home.Last(id, property)
	return r.Value
}

func (h *house) expect(t *testing.T, id hearth.ID, property string, want hearth.Value) {
	t.Helper()
	if got := h.last(id, property); got != want {
		t.Errorf("%s %s is %s, want %s", id, property, got, want)
	}
}

func (h *house) set(id hearth.ID, property string, v hearth.Value) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return h.driver.Do(ctx, hearth.Command{Device: id, Set: map[string]hearth.Value{property: v}})
}
