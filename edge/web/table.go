package web

import (
	"slices"

	"hearth"
	"hearth/api"
)

// table is the gateway's interface: the routes and the OpenAPI document are both made from it.
func (w *Web) table() api.Table {
	return api.Table{
		Title: "Hearth gateway", Version: w.o.Version, Summary: "Devices, commands, history and live events of one home",
		Routes: slices.Concat(w.deviceRoutes(), w.commandRoutes(), w.watchRoutes(), w.homekitRoutes()),
	}
}

func (w *Web) deviceRoutes() []api.Route {
	return []api.Route{
		{
			Method: "GET", Path: "/api/v1/devices", ID: "listDevices", Scope: hearth.ScopeRead,
			Summary:  "All devices with their last values, sorted by room and name",
			Response: []hearth.DeviceView{}, Handler: w.listDevices,
		},
		{
			Method: "GET", Path: "/api/v1/devices/{id}", ID: "getDevice", Scope: hearth.ScopeRead,
			Summary:  "One device with its last values",
			Response: hearth.DeviceView{}, Problems: []string{hearth.CodeNoDevice}, Handler: w.getDevice,
		},
		{
			Method: "PATCH", Path: "/api/v1/devices/{id}", ID: "renameDevice", Scope: hearth.ScopeControl,
			Summary: "Give a device a name or a room; an empty name goes back to the device's own",
			Request: rename{}, Response: hearth.DeviceView{}, Problems: []string{hearth.CodeNoDevice, hearth.CodeBadValue}, Handler: w.renameDevice,
		},
		{
			Method: "DELETE", Path: "/api/v1/devices/{id}", ID: "removeDevice", Scope: hearth.ScopeAdmin,
			Summary:  "Forget a device; one that is still there comes back when its driver announces it",
			Problems: []string{hearth.CodeNoDevice}, Handler: w.removeDevice,
		},
		api.SetPropertyRoute("/api/v1/devices/{id}/properties/{name}", w.commands, func(b setValue) (hearth.Value, hearth.Time) { return b.Value, hearth.Time{} }),
	}
}

func (w *Web) commandRoutes() []api.Route {
	return []api.Route{
		api.GiveCommandRoute("/api/v1/commands", w.commands),
		{
			Method: "GET", Path: "/api/v1/commands", ID: "listCommands", Scope: hearth.ScopeRead,
			Summary:  "The last commands, newest first, at most 1000",
			Query:    api.CommandFilter(),
			Response: []hearth.Record{}, Problems: []string{api.CodeBadRequest}, Handler: w.listCommands,
		},
		api.GetCommandRoute("/api/v1/commands/{id}", w.commands),
	}
}

func (w *Web) watchRoutes() []api.Route {
	return []api.Route{
		{
			Method: "GET", Path: "/api/v1/history", ID: "getHistory", Scope: hearth.ScopeRead,
			Summary: "One property over time, with the gaps in it: [unix_ms, min, mean, max, count]",
			Query: slices.Concat([]api.Param{
				{Name: "device", Summary: "whose property"},
				{Name: "property", Summary: "its name"},
			}, api.RangeParams(), []api.Param{{Name: "points", Summary: "at most so many rows", Type: "integer"}}),
			Response: hearth.History{}, Problems: []string{api.CodeBadRequest, hearth.CodeNoDevice}, Handler: w.history,
		},
		{
			Method: "GET", Path: "/api/v1/events", ID: "watchEvents", Scope: hearth.ScopeRead,
			Summary: "Server-sent events device, reading, command and status; Last-Event-ID resumes, an unknown one begins with an event snapshot and all devices",
			Query: []api.Param{
				{Name: "device", Summary: "only of this device"},
				{Name: "snapshot", Summary: "1 begins with an event snapshot and all devices", Options: []string{"1"}},
			},
			Media: "text/event-stream", Handler: w.events,
		},
		{
			Method: "GET", Path: "/api/v1/status", ID: "getStatus", Scope: hearth.ScopeRead,
			Summary: "How the gateway is: clock, drivers, buffer, targets, disk", Response: Status{}, Handler: w.getStatus,
		},
		{
			Method: "GET", Path: "/api/v1/drivers", ID: "listDrivers", Scope: hearth.ScopeRead,
			Summary: "How each driver is", Response: []DriverStatus{}, Handler: w.listDrivers,
		},
		{
			Method: "GET", Path: "/api/v1/drivers/{name}", ID: "getDriver", Scope: hearth.ScopeRead,
			Summary: "How one driver is; what it adds of its own is below its name", Response: DriverStatus{}, Problems: []string{hearth.CodeNotFound}, Handler: w.getDriver,
		},
		{
			Method: "GET", Path: "/api/v1/openapi.json", ID: "getDocument", Scope: hearth.ScopeRead,
			Summary: "This document", Response: map[string]any{}, Handler: w.getDocument,
		},
		{
			Method: "GET", Path: "/healthz", ID: "checkHealth",
			Summary: "Whether the gateway serves at all", Response: health{}, Handler: w.healthz,
		},
	}
}
