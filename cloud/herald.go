package cloud

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/downlink"
	"hearth/cloud/fleet"
	"hearth/cloud/ingest"
	"hearth/cloud/jobs"
	"hearth/cloud/notify"
	"hearth/cloud/web"
)

// Kinds of events that only a receiver has, beside those of package api.
const (
	eventAlert  = "alert"
	eventOnline = "online"
	eventHome   = "home"
	eventJob    = "job"
)

// catalogue is the table of all events: what is told on live streams, MQTT and webhooks, and what programs may say.
func catalogue(version string) api.Catalogue {
	const home, tenant = "hearth/{home}", "hearth/tenant/{tenant}"
	event := func(kind string) string { return home + "/event/" + kind }
	return api.Catalogue{
		Title: "Hearth receiver: events", Version: version,
		Summary: "Everything that happens in homes, on live streams (GET /api/v1/homes/{home}/events and /api/v1/tenants/{tenant}/events), on MQTT (3.1.1 and 5, over TCP and as WebSocket at /mqtt) and by webhooks, with the same bodies; " +
			"and what programs and devices without a gateway publish. A subscription with + in place of a home gets what the token sees. MQTT is transport and no store: what must not be missed is asked for over REST.",
		Rows: append(saidByPrograms(home), []api.EventRow{
			{
				Name: api.EventReading, Summary: "A value, as it happened or a moment later; what piled up on a gateway that was away comes only as far as it is newer than what is known",
				Bodies: []any{hearth.ReadingEvent{}}, Payload: hearth.LiveReading{}, Topic: home + "/reading/{device}/{property}", Stream: true, Webhook: true, Scope: hearth.ScopeRead,
			},
			{
				Name: api.EventDevice, Summary: "A device is new or has changed, with its values, or it has left for good",
				Bodies: []any{hearth.DeviceView{}, hearth.Forgotten{}}, Topic: event(api.EventDevice), QoS: 1, Stream: true, Webhook: true, Scope: hearth.ScopeRead,
			},
			{
				Name: api.EventCommand, Summary: "A command is new or has moved on; on MQTT also: one that was given there was not taken, and has no record",
				Bodies: []any{hearth.Record{}, hearth.Refusal{}}, Topic: event(api.EventCommand), QoS: 1, Stream: true, Webhook: true, Scope: hearth.ScopeRead,
			},
			{
				Name: eventAlert, Summary: "Something went wrong, was acknowledged, or is well again",
				Bodies: []any{hearth.AlertEvent{}}, Topic: event(eventAlert), QoS: 1, Stream: true, Webhook: true, Scope: hearth.ScopeRead,
			},
			{
				Name: api.EventStatus, Summary: "What a gateway says of itself; on MQTT it says so itself",
				Bodies: []any{map[string]any{}}, Topic: event(api.EventStatus), Stream: true, Webhook: true, Scope: hearth.ScopeRead,
			},
			{
				Name: eventOnline, Summary: "A gateway has come or gone",
				Bodies: []any{hearth.OnlineEvent{}}, Payload: true, Topic: home + "/online", QoS: 1, Retain: true, Stream: true, Webhook: true, Scope: hearth.ScopeRead,
			},
			{
				Name: eventHome, Summary: "A home of a tenant is new, has another name or tenant, or was removed",
				Bodies: []any{hearth.HomeEvent{}}, Topic: tenant + "/event/" + eventHome, QoS: 1, Stream: true, Webhook: true, Scope: hearth.ScopeRead,
			},
			{
				Name: eventJob, Summary: "A job over many homes has moved on",
				Bodies: []any{jobs.Job{}}, Topic: tenant + "/event/" + eventJob, QoS: 1, Stream: true, Webhook: true, Scope: hearth.ScopeRead,
			},
			{Name: notify.KindSummary, Summary: "What was held back during a webhook's quiet hours", Bodies: []any{notify.Summary{}}, Webhook: true, Scope: hearth.ScopeRead},
			{Name: notify.KindTest, Summary: "Somebody tests a webhook", Bodies: []any{map[string]any{}}, Webhook: true, Scope: hearth.ScopeRead},
			{
				Name: "refused", Summary: "What a device without a gateway said was not taken",
				Bodies: []any{hearth.DirectRefusal{}}, Topic: home + "/direct/{address}/refused", QoS: 1, Scope: hearth.ScopeWrite,
			},
		}...),
	}
}

// saidByPrograms are the rows of what programs, and devices without a gateway, publish.
func saidByPrograms(home string) []api.EventRow {
	return []api.EventRow{
		{
			Name: "give", Summary: "Give a command, in the name of the token: acknowledged once it is stored; every state of its record comes as an event command, and so does a refusal",
			Bodies: []any{api.GiveCommand{}}, Topic: home + "/command", QoS: 1, Scope: hearth.ScopeControl, Takes: true,
		},
		{
			Name: "announce", Summary: "A device without a gateway says what it is; it is called direct:<address> from then on. Acknowledged once that is stored",
			Bodies: []any{hearth.Announcement{}}, Topic: home + "/direct/{address}/announce", QoS: 1, Scope: hearth.ScopeWrite, Takes: true,
		},
		{
			Name: "report", Summary: "A device without a gateway says what it measures. Acknowledged once that is durable",
			Bodies: []any{[]hearth.DirectReading{}}, Topic: home + "/direct/{address}/report", QoS: 1, Scope: hearth.ScopeWrite, Takes: true,
		},
	}
}

// A herald tells everybody who listens what happens. Rooms that are made before those that listen have nobody to tell
// until these are there.
type herald struct {
	catalogue api.Catalogue
	onBroker  map[string]bool // kinds that are published as they are told; those that are not in it are no events
	told      *tidings
	site      *web.Web
	down      *downlink.Downlink
	log       *slog.Logger
}

func newHerald(version string, told *tidings, log *slog.Logger) *herald {
	h := &herald{catalogue: catalogue(version), onBroker: map[string]bool{}, told: told, log: log}
	for _, row := range h.catalogue.Rows {
		if !row.Takes {
			h.onBroker[row.Name] = strings.Contains(row.Topic, "/event/") && row.Name != api.EventStatus && row.Name != api.EventDevice
		}
	}
	return h
}

// elsewhere tells an event of a home of which another receiver has told the broker.
func (h *herald) elsewhere(home, kind string, body any) {
	if h.site != nil {
		h.site.Publish(home, kind, body)
	}
	h.told.hear(home, kind, body)
}

// home tells an event of a home.
func (h *herald) home(home, kind string, body any) {
	onBroker, known := h.onBroker[kind]
	if !known {
		h.log.Error("an event is not in the catalogue and was told to nobody", "kind", kind)
		return
	}
	if h.site != nil {
		h.site.Publish(home, kind, body)
	}
	if h.down != nil && onBroker {
		h.down.Tell(home, kind, body)
	}
	h.told.hear(home, kind, body)
}

// broker tells of what fleet knows first. Gateways publish their status and their live values themselves.
func (h *herald) broker(home, kind string, body any) {
	reading, isReading := body.(hearth.ReadingEvent)
	switch {
	case h.down == nil:
	case isReading:
		h.down.TellReading(home, reading)
	default:
		h.down.Tell(home, kind, body)
	}
}

// tenant tells an event that concerns a tenant as a whole.
func (h *herald) tenant(tenant, kind string, body any) {
	h.site.PublishTenant(tenant, kind, body)
	h.down.TellTenant(tenant, kind, body)
	h.told.notes.Publish(tenant, "", kind, body)
}

// changed tells what became of a home itself.
func (h *herald) changed(home accounts.Home, change string) {
	h.tenant(home.Tenant, eventHome, hearth.HomeEvent{ID: home.ID, Name: home.Name, Tenant: home.Tenant, Change: change})
}

func (h *herald) routes() []api.Route {
	document := h.catalogue.Document()
	return []api.Route{{
		Method: "GET", Path: "/api/v1/events.json", ID: "getEventCatalogue", Scope: hearth.ScopeRead,
		Summary: "All events on live streams, MQTT and webhooks, and what programs may publish, as AsyncAPI 3.0", Response: map[string]any{},
		Handler: func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(document) // the caller may have gone
			return nil
		},
	}}
}

// directDevices takes what devices without a gateway say to where it is checked, stored and shown.
type directDevices struct {
	homes *fleet.Fleet
	in    *ingest.Ingest
}

func (d *directDevices) Announce(ctx context.Context, home string, id hearth.ID, a hearth.Announcement) (hearth.DeviceView, error) {
	return d.homes.Announce(ctx, home, id, a)
}

func (d *directDevices) Report(_ context.Context, token hearth.Token, home string, readings []hearth.DirectReading) error {
	checked, err := d.homes.Reported(home, readings)
	if err != nil {
		return err
	}
	return d.in.Take(token, home, checked)
}

func (d *directDevices) Forget(ctx context.Context, home string, id hearth.ID) error {
	return d.homes.Forget(ctx, home, id)
}

// jobCommands gives the commands of jobs.
type jobCommands struct{ *downlink.Downlink }

// Give implements jobs.Commands.
func (c jobCommands) Give(ctx context.Context, orders []jobs.Order) ([]error, error) {
	list := make([]downlink.Order, 0, len(orders))
	for _, o := range orders {
		list = append(list, downlink.Order{Home: o.Home, Command: o.Command, Job: downlink.Job{ID: o.Job, Key: o.Key}})
	}
	given, err := c.DoAll(ctx, list)
	refused := make([]error, 0, len(given))
	for _, g := range given {
		refused = append(refused, g.Err)
	}
	return refused, err
}

// Cancel implements jobs.Commands.
func (c jobCommands) Cancel(ctx context.Context, job, key, by string) error {
	_, err := c.Downlink.Cancel(ctx, downlink.Job{ID: job, Key: key}, by)
	return err
}

func newJobs(books *accounts.Accounts, homes *fleet.Fleet, down *downlink.Downlink, tell *herald, log *slog.Logger) *jobs.Jobs {
	return jobs.New(jobs.Options{
		Accounts: books, Commands: jobCommands{down}, Look: homes.Look, Log: log,
		Emit: func(tenant string, job jobs.Job) { tell.tenant(tenant, eventJob, job) },
	})
}
