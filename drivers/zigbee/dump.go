package zigbee

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/traffic"
	"hearth/drivers/zigbee/zcl"
)

// A dump asks a device for everything that a new definition needs: which attributes each of its clusters has, the
// manufacturer's too, and what their values are.
const (
	dumpTime       = 9 * time.Minute // one that sleeps is asked one thing whenever it wakes
	attributesOnce = 16              // in one answer, of 4 bytes each
	dumpsAtOnce    = 4
	mostAttributes = 256             // of one cluster
	valuesOnce     = 4               // in one answer
	pointsTime     = 4 * time.Second // for a device to tell all of its data points
)

// A dumped is what a device has told of one cluster's attributes.
type dumped struct {
	attributePlace
	attributes []dumpedAttribute
}

type dumpedAttribute struct {
	zcl.AttributeInfo           // Access is 0 where it is not known
	value             zcl.Value // has type UnknownType where there is none
}

// A dump is one that goes on.
type dump struct {
	s        *session
	dev      *device
	clusters []dumped
	answers  int
	silent   int // questions in a row without an answer
}

func (d *driver) getDump(r *http.Request) (reply, error) {
	s, dev, err := d.liveDevice(r)
	if err != nil {
		return reply{}, err
	}
	select {
	case d.dumping <- struct{}{}:
		defer func() { <-d.dumping }()
	default:
		return reply{}, hearth.Errorf(hearth.CodeBusy, "%d devices are being asked for everything: try again when that is done", dumpsAtOnce)
	}
	j := &dump{s: s, dev: dev}
	why := j.run(r.Context())
	if j.answers == 0 {
		return reply{}, hearth.Errorf(hearth.CodeOffline, "%s has told nothing: wake it, if it sleeps, as by a press of its button (%v)", dev.id, why)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return reply{status: http.StatusOK, yaml: j.text(why)}, nil
}

// run asks for all there is. The error says why it is not all; what was told before is kept.
func (j *dump) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dumpTime-requestTime) // so that what is known by then can be told
	defer cancel()
	j.s.d.mu.Lock()
	endpoints, code := slices.Clone(j.dev.Endpoints), j.dev.Description.Manufacturer
	j.s.d.mu.Unlock()
	for _, e := range endpoints {
		for _, cluster := range e.In {
			if err := j.cluster(ctx, attributePlace{e.ID, cluster, 0}); err != nil {
				return err
			}
			if code == 0 {
				continue
			}
			if err := j.cluster(ctx, attributePlace{e.ID, cluster, code}); err != nil {
				return err
			}
		}
		if slices.Contains(e.In, zcl.ClusterTuya) {
			j.points(ctx, e)
		}
	}
	return nil
}

// points has a device of Tuya's tell its data points, which are heard as all that it says.
func (j *dump) points(ctx context.Context, e expose.Endpoint) {
	err := j.s.traffic.Tell(ctx, j.dev, traffic.Target{Remote: e.ID, Cluster: zcl.ClusterTuya}, quirks.QueryRequest())
	if err != nil {
		j.s.log.Debug("a device was not asked for its data points", "device", j.dev.id, "error", err)
		return
	}
	j.answers++ // it has acknowledged
	pause(ctx, pointsTime)
}

// ask asks one thing. A refusal is a *traffic.StatusError; the error is errAway when nothing is answered any more.
func (j *dump) ask(ctx context.Context, at attributePlace, f zcl.Frame) (zcl.Frame, error) {
	f.Manufacturer, f.NoDefaultResponse = at.manufacturer, true
	got, err := j.s.traffic.Request(ctx, j.dev, traffic.Target{Remote: at.endpoint, Cluster: at.cluster}, f)
	if err == nil || !isSilence(err) {
		j.answers++
		j.silent = 0
		return got, err
	}
	if j.silent++; j.silent >= silentSteps || ctx.Err() != nil {
		return got, errAway
	}
	return got, err
}

func (j *dump) cluster(ctx context.Context, at attributePlace) error {
	infos, err := j.discover(ctx, at)
	if err != nil {
		return err
	}
	c := dumped{attributePlace: at}
	for group := range slices.Chunk(infos, valuesOnce) {
		values, err := j.read(ctx, at, group)
		if err != nil {
			j.keep(c)
			return err
		}
		c.attributes = append(c.attributes, values...)
	}
	j.keep(c)
	return nil
}

// keep notes a cluster that has something, or is at least of the standard.
func (j *dump) keep(c dumped) {
	if len(c.attributes) > 0 || c.manufacturer == 0 {
		j.clusters = append(j.clusters, c)
	}
}

// discover returns the attributes of a cluster. Of a device that does not tell them, those that it has told of before, and
// those that the cluster can have. The error ends the dump.
func (j *dump) discover(ctx context.Context, at attributePlace) ([]zcl.AttributeInfo, error) {
	for _, extended := range []bool{true, false} {
		infos, err := j.discoverBy(ctx, at, extended)
		switch {
		case errors.Is(err, errAway):
			return nil, err
		case err == nil || len(infos) > 0:
			return infos, nil
		}
	}
	return j.likely(at), nil
}

func (j *dump) discoverBy(ctx context.Context, at attributePlace, extended bool) (all []zcl.AttributeInfo, err error) {
	for start := 0; start <= 0xffff && len(all) < mostAttributes; {
		f, parse := zcl.DiscoverAttributes(uint16(start), attributesOnce), zcl.ParseDiscoverAttributesResponse
		if extended {
			f, parse = zcl.DiscoverAttributesExtended(uint16(start), attributesOnce), zcl.ParseDiscoverAttributesExtendedResponse
		}
		got, err := j.ask(ctx, at, f)
		if err != nil {
			return all, err
		}
		infos, complete, err := parse(got.Payload)
		if len(infos) == 0 {
			return all, err
		}
		last := int(infos[len(infos)-1].ID)
		all = append(all, infos...)
		if complete || last < start {
			return all, nil
		}
		start = last + 1
	}
	return all, nil
}

// likely are the attributes that a device may have that does not tell which.
func (j *dump) likely(at attributePlace) []zcl.AttributeInfo {
	var infos []zcl.AttributeInfo
	if at.manufacturer == 0 {
		for _, id := range zcl.Attributes(at.cluster) {
			t, _ := zcl.AttributeType(at.cluster, id)
			infos = append(infos, zcl.AttributeInfo{ID: id, Type: t})
		}
	}
	j.s.d.mu.Lock()
	defer j.s.d.mu.Unlock()
	for _, a := range j.dev.said.attributes() {
		known := slices.ContainsFunc(infos, func(i zcl.AttributeInfo) bool { return i.ID == a.ID })
		if a.attributePlace == at && !known {
			infos = append(infos, zcl.AttributeInfo{ID: a.ID, Type: a.Value.Type})
		}
	}
	return infos
}

// read reads a few attributes, one by one where they are too much at once. Those that the device does not have are left
// out. The error ends the dump.
func (j *dump) read(ctx context.Context, at attributePlace, infos []zcl.AttributeInfo) ([]dumpedAttribute, error) {
	var ids []uint16
	for _, info := range infos {
		if info.Access == 0 || info.Access&zcl.Readable != 0 {
			ids = append(ids, info.ID)
		}
	}
	results := map[uint16]zcl.AttributeResult{}
	if err := j.readInto(ctx, at, ids, results); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, told := results[id]; !told && len(ids) > 1 {
			if err := j.readInto(ctx, at, []uint16{id}, results); err != nil {
				return nil, err
			}
		}
	}
	var all []dumpedAttribute
	for _, info := range infos {
		r, told := results[info.ID]
		a := dumpedAttribute{AttributeInfo: info, value: zcl.Value{Type: zcl.UnknownType}}
		switch {
		case told && r.Status == zcl.Success:
			a.Type, a.value = r.Value.Type, r.Value
		case told && r.Status == zcl.UnsupportedAttribute || !told && info.Access == 0:
			continue
		}
		all = append(all, a)
	}
	return all, nil
}

func (j *dump) readInto(ctx context.Context, at attributePlace, ids []uint16, results map[uint16]zcl.AttributeResult) error {
	if len(ids) == 0 {
		return nil
	}
	got, err := j.ask(ctx, at, zcl.ReadAttributes(ids...))
	if errors.Is(err, errAway) {
		return err
	}
	told, _ := zcl.ParseReadAttributesResponse(bytes.Clone(got.Payload)) // what could be read before trouble is good
	for _, r := range told {
		results[r.ID] = r
	}
	return nil
}
