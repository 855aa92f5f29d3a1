package downlink

import (
	"context"
	"encoding/json"
	"time"

	"hearth"
)

const (
	maxTold   = 16_384 // events that wait for the broker
	lostEvery = time.Minute
)

// A tiding is an event on its way to the applications that listen to the broker.
type tiding struct {
	topic string
	qos   byte
	body  any
}

// Tell publishes an event of a home on hearth/<home>/event/<kind> for the applications that listen. It never blocks:
// where events come faster than the broker takes them, the newest are lost and counted, as MQTT is no store.
func (d *Downlink) Tell(home, kind string, body any) {
	d.tell(tiding{hearth.TopicEvent(home, kind), 1, body})
}

// TellTenant is Tell for an event that concerns a tenant as a whole.
func (d *Downlink) TellTenant(tenant, kind string, body any) {
	d.tell(tiding{hearth.TopicTenantEvent(tenant, kind), 1, body})
}

// TellReading publishes a reading that came here by another way than the broker, in the form in which gateways do.
func (d *Downlink) TellReading(home string, r hearth.ReadingEvent) {
	d.tell(tiding{hearth.TopicReading(home, r.Device, r.Property), 0, hearth.LiveReading{Value: r.Value, Time: r.Time}})
}

func (d *Downlink) tell(t tiding) {
	if !d.via.heard() {
		return
	}
	select {
	case d.told <- t:
	default:
		d.untold.Add(1)
	}
}

// Untold returns how many events found the queue to the broker full.
func (d *Downlink) Untold() uint64 { return d.untold.Load() }

// tellAll publishes what there is to tell, in its order, until ctx ends.
func (d *Downlink) tellAll(ctx context.Context) {
	lost := uint64(0)
	look := time.NewTicker(lostEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-d.told:
			body, err := json.Marshal(t.body)
			if err == nil {
				err = d.via.tell(ctx, t.topic, body, t.qos)
			}
			if err != nil {
				d.untold.Add(1)
				d.o.Log.Debug("an event could not be published", "topic", t.topic, "err", err)
			}
		case <-look.C:
			if now := d.untold.Load(); now > lost {
				d.o.Log.Warn("events were not published on the broker: they came too fast for it, or it was away", "events", now-lost)
				lost = now
			}
		}
	}
}
