package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

// table is the receiver's interface: the routes and the OpenAPI document are both made from it. InfluxDB's paths, MQTT
// and the pages are not in it: others have written down what they are.
func (w *Web) table() api.Table {
	return api.Table{
		Title: "Hearth receiver", Version: w.o.Version, Summary: "Homes, their devices, commands, history and live events",
		Routes: slices.Concat(w.homeRoutes(), w.gatewayRoutes(), w.deviceRoutes(), w.commandRoutes(), w.watchRoutes(), w.directRoutes(), w.o.More),
		Audit:  w.audit,
	}
}

// audit keeps who changed what.
func (w *Web) audit(r *http.Request, route api.Route, words string) {
	entry := auditOf(r, route.ID)
	entry.Detail = words
	if err := w.o.Accounts.Audit(context.WithoutCancel(r.Context()), entry); err != nil {
		w.o.Log.Error("who did it could not be kept", "action", route.ID, "who", entry.Who, "err", err)
	}
}

// auditOf is who asks for an operation, and about what.
func auditOf(r *http.Request, operation string) accounts.AuditEntry {
	return accounts.AuditEntry{
		Tenant: r.PathValue("tenant"), Home: of(r), Who: api.TokenOf(r.Context()).Name, Action: operation,
		About: cmp.Or(r.PathValue("id"), r.PathValue("name")), Address: ClientAddress(r),
	}
}

func (w *Web) homeRoutes() []api.Route {
	return []api.Route{
		{
			Method: "GET", Path: "/api/v1/homes", ID: "listHomes", Scope: hearth.ScopeRead,
			Summary:  "The homes that the token sees, by name, and how they are",
			Response: []hearth.HomeView{}, Handler: w.listHomes,
		},
		{
			Method: "POST", Path: "/api/v1/homes", ID: "addHome", Scope: hearth.ScopeAdmin,
			Summary: "Make a home and the code that its gateway joins with; the code is shown this once",
			Request: addHome{}, Response: addedHome{}, Statuses: []int{http.StatusCreated},
			Problems: []string{hearth.CodeConflict, hearth.CodeBadValue}, Handler: w.addHome,
		},
		{
			Method: "GET", Path: "/api/v1/homes/{home}", ID: "getHome", Scope: hearth.ScopeRead,
			Summary:  "One home, what is wrong with it, and its gateway's status",
			Response: hearth.HomeDetails{}, Problems: []string{hearth.CodeNotFound}, Handler: w.getHome,
		},
		{
			Method: "POST", Path: "/api/v1/claim", ID: "claimHome",
			Summary: "Trade a claim code for the token of the home's gateway; a code works once, for a day",
			Request: claimCode{}, Response: hearth.Claim{}, Problems: []string{hearth.CodeNotFound, hearth.CodeBusy}, Handler: w.claim,
		},
		{
			Method: "GET", Path: "/api/v1/whoami", ID: "whoAmI",
			Summary:  "What the token is, of any scope, and where its gateway finds the broker",
			Response: whoAmI{}, Problems: []string{hearth.CodeUnknownToken}, Handler: w.whoami,
		},
		{
			Method: "GET", Path: "/api/v1/openapi.json", ID: "getDocument", Scope: hearth.ScopeRead,
			Summary: "This document", Response: map[string]any{}, Handler: w.getDocument,
		},
		{
			Method: "GET", Path: "/healthz", ID: "checkHealth",
			Summary: "Whether the receiver serves and its database answers", Response: health{}, Handler: w.healthz,
		},
	}
}

func (w *Web) gatewayRoutes() []api.Route {
	return []api.Route{
		{
			Method: "PUT", Path: "/api/v1/homes/{home}/devices", ID: "putDevices", Scope: hearth.ScopeWrite,
			Summary: "The gateway's whole inventory, sent when it changes",
			Request: []hearth.DeviceView{}, Unaudited: true, Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue}, Handler: w.putDevices,
		},
		{
			Method: "GET", Path: "/api/v1/homes/{home}/sync", ID: "getSync",
			Summary:  "Up to which batch everything is on the receiver's disk; any token of the home may ask",
			Response: hearth.Sync{}, Problems: []string{hearth.CodeUnknownToken, hearth.CodeNotFound}, Handler: w.sync,
		},
		{
			Method: "GET", Path: "/api/v1/homes/{home}/ledger", ID: "getLedger", Scope: hearth.ScopeRead,
			Summary:  "The home's account, in rows: in total, and by hour what changed",
			Query:    api.RangeParams(),
			Response: series.LedgerReport{}, Problems: []string{hearth.CodeNotFound, api.CodeBadRequest}, Handler: w.ledger,
		},
	}
}

func (w *Web) deviceRoutes() []api.Route {
	return []api.Route{
		{
			Method: "GET", Path: "/api/v1/homes/{home}/devices", ID: "listDevices", Scope: hearth.ScopeRead,
			Summary:  "All devices of the home with their last values",
			Response: []hearth.DeviceView{}, Problems: []string{hearth.CodeNotFound}, Handler: w.listDevices,
		},
		{
			Method: "GET", Path: "/api/v1/homes/{home}/devices/{id}", ID: "getDevice", Scope: hearth.ScopeRead,
			Summary:  "One device with its last values",
			Response: hearth.DeviceView{}, Problems: []string{hearth.CodeNoDevice}, Handler: w.getDevice,
		},
		api.SetPropertyRoute("/api/v1/homes/{home}/devices/{id}/properties/{name}", w.commands, func(b setValue) (hearth.Value, hearth.Time) { return b.Value, b.Deadline }),
	}
}

func (w *Web) commandRoutes() []api.Route {
	return []api.Route{
		api.GiveCommandRoute("/api/v1/homes/{home}/commands", w.commands),
		{
			Method: "GET", Path: "/api/v1/homes/{home}/commands", ID: "listCommands",
			Summary: "The last commands, newest first, at most 1000; with after= (scope gateway) those that the gateway has not answered finally, in order, with their number n",
			Query: append(api.CommandFilter(),
				api.Param{Name: "after", Summary: "for the gateway: only after this number; asking for them marks them sent", Type: "integer"},
			),
			Response: []hearth.Numbered{}, Problems: []string{hearth.CodeUnknownToken, hearth.CodeDenied, hearth.CodeNotFound, api.CodeBadRequest}, Handler: w.listCommands,
		},
		api.GetCommandRoute("/api/v1/homes/{home}/commands/{id}", w.commands),
	}
}

func (w *Web) watchRoutes() []api.Route {
	return []api.Route{
		{
			Method: "GET", Path: "/api/v1/homes/{home}/history", ID: "getHistory", Scope: hearth.ScopeRead,
			Summary: "One property over time, with the gaps in it: [unix_ms, min, mean, max, count]",
			Query: slices.Concat([]api.Param{
				{Name: "device", Summary: "whose property"},
				{Name: "property", Summary: "its name"},
				{Name: "series", Summary: "instead of device=, for what is no device's: measurement,tag=value,… as in line protocol, tags sorted"},
				{Name: "field", Summary: "with series=: the field's name"},
			}, api.RangeParams(), []api.Param{{Name: "points", Summary: "at most so many rows", Type: "integer"}}),
			Response: hearth.History{}, Problems: []string{api.CodeBadRequest, hearth.CodeNotFound, hearth.CodeNoDevice}, Handler: w.history,
		},
		{
			Method: "GET", Path: "/api/v1/homes/{home}/data", ID: "getData", Scope: hearth.ScopeRead,
			Summary: "Readings as they are stored, one series after the other, as a file",
			Query: slices.Concat([]api.Param{
				{Name: "series", Summary: "DEVICE/PROPERTY; several times for several, without it all of the home's"},
				{Name: "format", Summary: "csv (time, device, property, value; a text that a spreadsheet would take for a formula gets an apostrophe in front), or line protocol in milliseconds with the tag home", Options: []string{"csv", "line"}},
			}, api.RangeParams()),
			Media: "text/csv", Problems: []string{api.CodeBadRequest, hearth.CodeNotFound}, Handler: w.data,
		},
		{
			Method: "GET", Path: "/api/v1/homes/{home}/events", ID: "watchEvents", Scope: hearth.ScopeRead,
			Summary: "Server-sent events device, reading, command, status, alert and online; Last-Event-ID resumes, an unknown one begins with an event snapshot and all devices",
			Query: []api.Param{
				{Name: "device", Summary: "only of this device"},
				{Name: "snapshot", Summary: "1 begins with an event snapshot and all devices", Options: []string{"1"}},
			},
			Media: "text/event-stream", Problems: []string{hearth.CodeNotFound}, Handler: w.events,
		},
		{
			Method: "GET", Path: "/api/v1/tenants/{tenant}/events", ID: "watchTenant", Scope: hearth.ScopeRead,
			Summary: "Server-sent events of a tenant as a whole: home and job",
			Media:   "text/event-stream", Problems: []string{hearth.CodeNotFound}, Handler: w.tenantEvents,
		},
	}
}
