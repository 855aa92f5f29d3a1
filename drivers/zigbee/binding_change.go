package zigbee

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// bindTime is how long a device that sleeps gets to wake: whoever binds a button presses it meanwhile.
const bindTime = 45 * time.Second

func (d *driver) bindingRoutes() []route {
	return []route{
		{pattern: "GET /bindings", takes: bindTime, do: d.getBindings},
		{pattern: "POST /bindings", takes: bindTime, do: d.postBinding},
		{pattern: "DELETE /bindings", takes: bindTime, do: d.deleteBinding},
	}
}

// getBindings answers what is known; ?device= asks that device now.
func (d *driver) getBindings(r *http.Request) (reply, error) {
	address := r.URL.Query().Get("device")
	if address == "" {
		return answer(d.listBindings(func(radio.IEEE) bool { return true }))
	}
	ieee, err := d.addressOf(address)
	if err != nil {
		return reply{}, err
	}
	s, err := d.live()
	if err != nil {
		return reply{}, err
	}
	d.mu.Lock()
	dev := d.devices[ieee]
	d.mu.Unlock()
	if dev == nil {
		return reply{}, hearth.Errorf(hearth.CodeNoDevice, "there is no device %s in this network", ieee)
	}
	if _, err := s.readTable(r.Context(), dev); err != nil {
		return reply{}, bindingTrouble(dev, err)
	}
	return answer(d.listBindings(func(of radio.IEEE) bool { return of == ieee }))
}

// A bindingWanted is a binding that is to be made, or to be no more.
type bindingWanted struct {
	Source   place      `json:"source"`
	Target   bindTarget `json:"target"`
	Clusters []string   `json:"clusters"` // none: all that the two have to say to each other
}

func (d *driver) postBinding(r *http.Request) (reply, error) {
	var want bindingWanted
	if err := readBody(r, &want); err != nil {
		return reply{}, err
	}
	made, err := d.makeBindings(r.Context(), want)
	return reply{status: http.StatusCreated, body: made}, err
}

func (d *driver) deleteBinding(r *http.Request) (reply, error) {
	var want bindingWanted
	if err := readBody(r, &want); err != nil {
		return reply{}, err
	}
	return finished(d.endBindings(r.Context(), want))
}

// bindingEnds returns the session and the device that bindings begin at, if they may be changed.
func (d *driver) bindingEnds(want bindingWanted) (*session, *device, error) {
	s, err := d.live()
	if err != nil {
		return nil, nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dev := d.devices[want.Source.IEEE]
	switch {
	case want.Source == place{}:
		return nil, nil, hearth.Errorf(hearth.CodeBadValue, "source: want an endpoint of a device, as in 00158d0001a2b3c4/1")
	case want.Target == bindTarget{}:
		return nil, nil, hearth.Errorf(hearth.CodeBadValue, "target: want an endpoint of a device, as in 00158d0001a2b3c4/1, or a group, as in group:3")
	case dev == nil:
		return nil, nil, hearth.Errorf(hearth.CodeBadValue, "source: there is no device %s in this network", want.Source.IEEE)
	case d.isOwn(zdo.Destination(want.Target)):
		return nil, nil, hearth.Errorf(hearth.CodeConflict, "bindings to the coordinator are the driver's own: through them the devices report")
	}
	return s, dev, nil
}

// makeBindings binds each cluster at the source. What was bound before one that is refused stays.
func (d *driver) makeBindings(ctx context.Context, want bindingWanted) (bindingView, error) {
	s, dev, err := d.bindingEnds(want)
	if err != nil {
		return bindingView{}, err
	}
	d.mu.Lock()
	clusters, err := d.clustersToBind(dev, want)
	d.mu.Unlock()
	if err != nil {
		return bindingView{}, err
	}
	for i, cluster := range clusters {
		b := zdo.Binding{Source: dev.IEEE, Endpoint: want.Source.Endpoint, Cluster: cluster, Destination: zdo.Destination(want.Target)}
		err := s.asking(dev, func() error { return s.bind(ctx, dev, b) })
		if tableFull(err) {
			err = s.fullTable(ctx, dev)
		}
		if err != nil {
			done := namesOf(clusters[:i])
			return bindingView{}, errors.Join(s.keepChange(dev), undone(bindingTrouble(dev, err), zcl.ClusterName(cluster), "bound", done))
		}
		d.noteBinding(b, true)
	}
	s.log.Info("devices are bound", "from", want.Source, "clusters", namesOf(clusters))
	d.mu.Lock()
	view := bindingView{
		Source: want.Source, SourceName: d.nameOf(dev.IEEE), Target: want.Target, TargetName: d.destinationName(zdo.Destination(want.Target)),
		Clusters: namesOf(clusters), Read: d.bindings.table(dev.IEEE).Read,
	}
	d.mu.Unlock()
	return view, s.keepChange(dev)
}

// endBindings takes bindings back.
func (d *driver) endBindings(ctx context.Context, want bindingWanted) error {
	s, dev, err := d.bindingEnds(want)
	if err != nil {
		return err
	}
	clusters, err := s.boundClusters(ctx, dev, want)
	if err != nil {
		return err
	}
	ended := 0
	for i, cluster := range clusters {
		b := zdo.Binding{Source: dev.IEEE, Endpoint: want.Source.Endpoint, Cluster: cluster, Destination: zdo.Destination(want.Target)}
		err := s.asking(dev, func() error { return s.unbind(ctx, dev, b) })
		var refused *zdoError
		none := errors.As(err, &refused) && refused.status == zdo.NoEntry
		switch {
		case err == nil:
			ended++
		case !none:
			return errors.Join(s.keepChange(dev), undone(bindingTrouble(dev, err), zcl.ClusterName(cluster), "taken back", namesOf(clusters[:i])))
		}
		d.noteBinding(b, false)
	}
	if err := s.keepChange(dev); err != nil {
		return err
	}
	if ended == 0 {
		return hearth.Errorf(hearth.CodeNotFound, "%s has no such binding", dev.id)
	}
	return nil
}

func (s *session) unbind(ctx context.Context, dev *device, b zdo.Binding) error {
	return zdoStatus(s.traffic.ZDO(ctx, dev, zdo.ClusterUnbindRequest, func(sequence uint8) []byte {
		return zdo.UnbindRequest{Sequence: sequence, Binding: b}.Append(nil)
	}))
}

// asking lets a device that sleeps know, when it checks in, that something waits for it.
func (s *session) asking(dev *device, ask func() error) error {
	s.d.mu.Lock()
	dev.asks++
	s.d.mu.Unlock()
	defer func() {
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		dev.asks--
	}()
	return ask()
}

func (d *driver) noteBinding(b zdo.Binding, there bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bindings.note(b, there)
}

// keepChange writes down what a device is bound to, and has its table read if it never was.
func (s *session) keepChange(dev *device) error {
	s.d.mu.Lock()
	if s.d.bindings.table(dev.IEEE).Read.IsZero() {
		s.background(dev, func(ctx context.Context) error {
			_, err := s.readTable(ctx, dev)
			return err
		})
	}
	s.d.mu.Unlock()
	return s.d.keepTable(dev.IEEE)
}

// bindingTrouble says what is to be done about a device that was not reached, or refuses.
func bindingTrouble(dev *device, err error) error {
	var refused *zdoError
	switch {
	case errors.As(err, &refused):
		return hearth.Errorf(hearth.CodeFailed, "%s refuses: %s", dev.id, refused.status)
	case isSilence(err) && dev.Sleepy():
		return hearth.Errorf(hearth.CodeOffline, "%s sleeps and was not reached: try again, and press one of its buttons meanwhile", dev.id)
	}
	return refusalOf(dev, err)
}

// undone says of a series how far it went.
func undone(err error, cluster, what string, done []string) error {
	coded := hearth.ErrorOf(err)
	if len(done) == 0 {
		return coded
	}
	return hearth.Errorf(coded.Code, "%s is not %s, only %s: %s", cluster, what, strings.Join(done, ", "), coded.Message)
}

func namesOf(clusters []uint16) []string {
	names := make([]string, len(clusters))
	for i, cluster := range clusters {
		names[i] = zcl.ClusterName(cluster)
	}
	return names
}

// clustersToBind returns the clusters that are named, or all that source and target have to say to each other;
// driver.mu is held.
func (d *driver) clustersToBind(dev *device, want bindingWanted) ([]uint16, error) {
	i := slices.IndexFunc(dev.Endpoints, func(e expose.Endpoint) bool { return e.ID == want.Source.Endpoint })
	if i < 0 {
		return nil, hearth.Errorf(hearth.CodeBadValue, "source: %s has no endpoint %d, or has not told of it yet", dev.id, want.Source.Endpoint)
	}
	source := dev.Endpoints[i]
	targets, err := d.targetEndpoints(want.Target)
	if err != nil {
		return nil, err
	}
	if len(want.Clusters) > 0 {
		return clustersNamed(want.Clusters, slices.Concat(source.Out, source.In))
	}
	shared := map[uint16]bool{}
	for _, target := range targets {
		for _, cluster := range source.Out {
			shared[cluster] = shared[cluster] || slices.Contains(target.In, cluster)
		}
		for _, cluster := range source.In {
			shared[cluster] = shared[cluster] || slices.Contains(target.Out, cluster)
		}
	}
	maps.DeleteFunc(shared, func(cluster uint16, both bool) bool { return !both || !worthBinding(cluster) })
	if len(shared) == 0 {
		return nil, hearth.Errorf(hearth.CodeBadValue, "%s and the target have no cluster for each other: it commands %s", want.Source, strings.Join(namesOf(source.Out), ", "))
	}
	return slices.Sorted(maps.Keys(shared)), nil
}

// targetEndpoints returns what a binding may lead to; driver.mu is held.
func (d *driver) targetEndpoints(to bindTarget) (all []expose.Endpoint, err error) {
	if to.IsGroup {
		g, err := d.groupByNumber(to.Group)
		if err != nil {
			return nil, hearth.Errorf(hearth.CodeBadValue, "target: %v", err)
		}
		for _, part := range g.parts {
			for _, e := range part.dev.Endpoints {
				if e.ID == part.endpoint {
					all = append(all, e)
				}
			}
		}
		return all, nil
	}
	dev := d.devices[to.IEEE]
	if dev == nil {
		return nil, hearth.Errorf(hearth.CodeBadValue, "target: there is no device %s in this network", to.IEEE)
	}
	for _, e := range dev.Endpoints {
		if e.ID == to.Endpoint {
			return []expose.Endpoint{e}, nil
		}
	}
	return nil, hearth.Errorf(hearth.CodeBadValue, "target: %s has no endpoint %d, or has not told of it yet", dev.id, to.Endpoint)
}

// worthBinding reports whether a cluster is one by which devices work together: the others are for whoever manages them.
func worthBinding(cluster uint16) bool {
	switch cluster {
	case zcl.ClusterBasic, zcl.ClusterPowerConfiguration, zcl.ClusterIdentify, zcl.ClusterGroups, zcl.ClusterTime,
		zcl.ClusterOTA, zcl.ClusterPollControl, zcl.ClusterTouchlink, zcl.ClusterGreenPower:
		return false
	}
	return true
}

// clustersNamed finds clusters by their names or the beginnings of them, or by their numbers. own are those that the
// source has.
func clustersNamed(names []string, own []uint16) ([]uint16, error) {
	var found []uint16
	for _, name := range names {
		cluster, err := clusterNamed(name, own)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(found, cluster) {
			found = append(found, cluster)
		}
	}
	return found, nil
}

func clusterNamed(name string, own []uint16) (uint16, error) {
	if id, ok := zcl.ClusterNamed(name); ok && slices.Contains(own, id) {
		return id, nil
	}
	for _, id := range own {
		if name != "" && strings.HasPrefix(zcl.ClusterName(id), name+"_") {
			return id, nil
		}
	}
	if n, err := strconv.ParseUint(name, 0, 16); err == nil {
		return uint16(n), nil // it may have what it does not tell
	}
	return 0, hearth.Errorf(hearth.CodeBadValue, "clusters: the source has no %.80q: it has %s", name, strings.Join(namesOf(own), ", "))
}

// boundClusters returns the clusters that are to be unbound: those that are named, or all that are bound.
func (s *session) boundClusters(ctx context.Context, dev *device, want bindingWanted) ([]uint16, error) {
	s.d.mu.Lock()
	var own []uint16
	for _, e := range dev.Endpoints {
		if e.ID == want.Source.Endpoint {
			own = slices.Concat(e.Out, e.In)
		}
	}
	table := s.d.bindings.table(dev.IEEE).Bindings
	s.d.mu.Unlock()
	if len(want.Clusters) > 0 {
		return clustersNamed(want.Clusters, own)
	}
	if fresh, err := s.readTable(ctx, dev); err == nil {
		table = fresh
	}
	var bound []uint16
	for _, b := range table {
		if b.Endpoint == want.Source.Endpoint && b.Destination == zdo.Destination(want.Target) {
			bound = append(bound, b.Cluster)
		}
	}
	return bound, nil
}
