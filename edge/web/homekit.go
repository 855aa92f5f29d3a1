package web

import (
	"net/http"

	"hearth"
	"hearth/api"
)

// The bodies of the Apple bridge's answers, for the document: the bridge writes them itself.
type (
	homekitState struct {
		Bridges []homekitBridge  `json:"bridges"`
		LeftOut []homekitLeftOut `json:"left_out"` // devices that HomeKit has no place for
		Error   string           `json:"error"`    // why it does not run
	}
	homekitBridge struct {
		Name        string           `json:"name"`
		Address     string           `json:"address"` // where it listens; "" while it does not
		Announced   bool             `json:"announced"`
		Paired      bool             `json:"paired"`
		Accessories int              `json:"accessories"`
		Connections int              `json:"connections"`
		Events      uint64           `json:"events"`
		Dropped     uint64           `json:"dropped"`
		Pairings    []homekitPairing `json:"pairings"`
	}
	homekitPairing struct {
		ID    string `json:"id"`
		Admin bool   `json:"admin"`
	}
	homekitLeftOut struct {
		ID   hearth.ID `json:"id"`
		Name string    `json:"name"`
		Why  string    `json:"why"`
	}
	homekitSetup struct {
		PIN     string               `json:"pin"`
		Bridges []homekitBridgeSetup `json:"bridges"`
	}
	homekitBridgeSetup struct {
		Name string `json:"name"`
		URI  string `json:"uri"`
	}
)

// homekitRoutes are the Apple bridge's. Whoever has the setup code can take over a bridge that is not paired, so it
// needs admin scope.
func (w *Web) homekitRoutes() []api.Route {
	none := []string{hearth.CodeNotFound}
	return []api.Route{
		{
			Method: "GET", Path: "/api/v1/homekit", ID: "getHomeKit", Scope: hearth.ScopeRead,
			Summary: "How the HomeKit bridges are, who is paired with them, and which devices HomeKit has no place for", Response: homekitState{}, Problems: none, Handler: w.homekit,
		},
		{
			Method: "GET", Path: "/api/v1/homekit/setup", ID: "getHomeKitSetup", Scope: hearth.ScopeAdmin,
			Summary: "The setup code, and the text of each bridge's QR code", Response: homekitSetup{}, Problems: none, Handler: w.homekit,
		},
		{
			Method: "GET", Path: "/api/v1/homekit/bridges/{n}/qr.svg", ID: "getHomeKitQR", Scope: hearth.ScopeAdmin,
			Summary: "The QR code of the n-th bridge, from 1", Media: "image/svg+xml", Problems: none, Handler: w.homekit,
		},
		{
			Method: "DELETE", Path: "/api/v1/homekit/bridges/{n}/pairings/{id}", ID: "removeHomeKitPairing", Scope: hearth.ScopeAdmin,
			Summary: "Unpair one controller; without an administrator left, all of them", Problems: none, Handler: w.homekit,
		},
		{
			Method: "POST", Path: "/api/v1/homekit/reset", ID: "resetHomeKit", Scope: hearth.ScopeAdmin,
			Summary: "Remove all pairings and make the bridges anew; the setup code stays", Problems: none, Handler: w.homekit,
		},
	}
}

func (w *Web) homekit(rw http.ResponseWriter, r *http.Request) error {
	if w.o.HomeKit == nil {
		return hearth.Errorf(hearth.CodeNotFound, "HomeKit is not switched on: add homekit: {} to the configuration")
	}
	r.Header.Del("Authorization")
	r.Header.Del("Cookie")
	http.StripPrefix("/api/v1/homekit", w.o.HomeKit).ServeHTTP(rw, r)
	return nil
}
