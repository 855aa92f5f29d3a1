package expose

import (
	"strings"

	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/zcl"
)

// ownPoints are the data points of a device that says everything by Tuya's own cluster.
func (b *builder) ownPoints(t *quirks.Tuya) {
	var writable []*slot
	for i := range t.Points {
		s := b.ownMeaning(&t.Points[i].Meaning)
		if s.Writable {
			b.replaceActor(s)
			writable = append(writable, s)
		}
	}
	if len(writable) > 0 {
		b.act(b.setPoints, writable...)
	}
}

// setPoints sets each data point by a command of its own: not every device reads more than the first.
func (b *builder) setPoints(w wish) ([]Request, error) {
	t := b.definition.Tuya
	var requests []Request
	for i := range t.Points {
		p := &t.Points[i]
		asked, ok := w.of(b.named[p.Property])
		if !ok || !p.Writable && !p.Shape().Writable {
			continue
		}
		point, err := p.Point(asked)
		if err != nil {
			return nil, err
		}
		b.sequence++
		requests = append(requests, Request{Endpoint: b.tuyaEndpoint(), Cluster: zcl.ClusterTuya, Frame: t.Command(b.sequence, point)})
	}
	return requests, nil
}

func (b *builder) tuyaEndpoint() uint8 {
	if t := b.definition.Tuya; t != nil && t.Endpoint != 0 {
		return t.Endpoint
	}
	return b.where(0, zcl.ClusterTuya)
}

// heardTuya takes data points, and answers what Tuya's devices ask their gateway, with a definition or without.
func (m *Model) heardTuya(h *hearing) {
	t := m.definition.Tuya
	switch h.Frame.Command {
	case zcl.CmdTuyaTimeRequest:
		if f, ok := t.TimeAnswer(h.Now); ok {
			h.reply(f)
		}
	case zcl.CmdTuyaGatewayConnectionStatusRequest:
		h.reply(quirks.ConnectedAnswer())
	case zcl.CmdTuyaDataResponse, zcl.CmdTuyaDataReport, zcl.CmdTuyaActiveStatusReport, zcl.CmdTuyaActiveStatusReportAlternative:
		if t == nil {
			return
		}
		_, points, _ := quirks.ParsePoints(h.Frame.Payload) // what could be read before trouble is good
		for _, p := range points {
			for i := range t.Points {
				h.say(m.named[t.Points[i].Property], t.Points[i].Value(p))
			}
		}
	}
}

// wakeTuya has Tuya's devices speak.
func (b *builder) wakeTuya() {
	t, d := b.definition.Tuya, b.description
	if t == nil && !strings.HasPrefix(d.Vendor, "_T") || len(d.Endpoints) == 0 {
		return
	}
	if t == nil || !t.NoMagic {
		b.request(b.where(0, zcl.ClusterBasic), zcl.ClusterBasic, quirks.MagicRead(), true)
	}
	if t != nil && t.Version {
		b.request(b.tuyaEndpoint(), zcl.ClusterTuya, quirks.VersionRequest(), false)
	}
	if t != nil && !t.NoQuery {
		b.request(b.tuyaEndpoint(), zcl.ClusterTuya, quirks.QueryRequest(), false)
	}
	if t != nil && t.Every > 0 {
		query := Request{Endpoint: b.tuyaEndpoint(), Cluster: zcl.ClusterTuya, Frame: quirks.QueryRequest()}
		b.setup.Repeats = append(b.setup.Repeats, Repeat{query, t.Every})
	}
}

func (b *builder) request(endpoint uint8, cluster uint16, f zcl.Frame, answer bool) {
	b.setup.Requests = append(b.setup.Requests, Request{Endpoint: endpoint, Cluster: cluster, Frame: f, Answer: answer})
}
