package homekit

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"rsc.io/qr"

	"hearth"
	"hearth/edge/homekit/hap"
)

// State is how the bridges are: nothing that has to be kept secret.
type State struct {
	Bridges []BridgeState `json:"bridges"`
	LeftOut []LeftOut     `json:"left_out"` // devices that HomeKit has no place for
	Error   string        `json:"error"`    // why it does not run
}

// BridgeState is how one bridge is.
type BridgeState struct {
	Name        string    `json:"name"`
	Address     string    `json:"address"`   // where it listens; "" while it does not
	Announced   bool      `json:"announced"` // phones in the network find it
	Paired      bool      `json:"paired"`
	Accessories int       `json:"accessories"`
	Connections int       `json:"connections"`
	Events      uint64    `json:"events"`
	Dropped     uint64    `json:"dropped"`
	Pairings    []Pairing `json:"pairings"`
}

// A Pairing is one controller: a phone, or the hub that stands for a home.
type Pairing struct {
	ID    string `json:"id"`
	Admin bool   `json:"admin"`
}

// LeftOut is a device that HomeKit does not see.
type LeftOut struct {
	ID   hearth.ID `json:"id"`
	Name string    `json:"name"`
	Why  string    `json:"why"`
}

// Setup is what a person needs to add the bridges to Apple's Home. Whoever has it can do so while they are not paired.
type Setup struct {
	PIN     string        `json:"pin"`
	Bridges []BridgeSetup `json:"bridges"`
}

// BridgeSetup is what one bridge needs.
type BridgeSetup struct {
	Name string `json:"name"`
	URI  string `json:"uri"`
}

// State returns how the bridges are.
func (b *Bridge) State() State {
	b.ids.Lock()
	defer b.ids.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := State{Bridges: []BridgeState{}, LeftOut: []LeftOut{}}
	for _, u := range b.units {
		stats := u.server.Stats()
		one := BridgeState{
			Name: u.name, Address: u.address, Announced: u.announced, Paired: u.server.Paired(), Accessories: len(u.published),
			Connections: stats.Connections, Events: stats.Events, Dropped: stats.Dropped, Pairings: []Pairing{},
		}
		if b.o.Home == nil { // nothing is published
			one.Accessories = b.numbers.load(u.n)
		}
		for _, p := range u.server.Pairings() {
			one.Pairings = append(one.Pairings, Pairing{p.ID, p.Admin})
		}
		s.Bridges = append(s.Bridges, one)
		if u.failed != nil && s.Error == "" {
			s.Error = u.failed.Error()
		}
	}
	for _, left := range b.leftOut {
		s.LeftOut = append(s.LeftOut, left)
	}
	if b.err != nil { // nothing runs
		s.Error = b.err.Error()
	}
	slices.SortFunc(s.LeftOut, func(x, y LeftOut) int { return strings.Compare(string(x.ID), string(y.ID)) })
	return s
}

// Setup returns what is needed to pair.
func (b *Bridge) Setup() Setup {
	s := Setup{PIN: b.pin, Bridges: []BridgeSetup{}}
	for _, u := range b.all() {
		s.Bridges = append(s.Bridges, BridgeSetup{u.name, u.server.SetupURI()})
	}
	return s
}

func (b *Bridge) all() []*unit {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.units)
}

// Reset makes all bridges as new: no pairings, new identities. The setup code and the devices' ids stay.
func (b *Bridge) Reset() error {
	for _, u := range b.all() {
		if err := u.server.Reset(); err != nil {
			return fmt.Errorf("resetting %s: %w", u.name, err)
		}
		b.mu.Lock()
		u.told = false
		b.mu.Unlock()
	}
	b.log.Warn("all HomeKit pairings were removed")
	return nil
}

// ServeHTTP answers what the gateway's page and command line ask: GET / (State), GET /setup (Setup), GET
// /bridges/{n}/qr.svg, POST /reset, DELETE /bridges/{n}/pairings/{id}. Who may ask is decided in front of it.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch what := r.Method + " " + strings.Join(parts, "/"); {
	case what == "GET ":
		answer(w, b.State())
	case what == "GET setup":
		answer(w, b.Setup())
	case what == "POST reset":
		if err := b.Reset(); err != nil {
			refuse(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case len(parts) >= 3 && parts[0] == "bridges":
		b.serveBridge(w, r, parts)
	default:
		refuse(w, http.StatusNotFound, "there is nothing here")
	}
}

func (b *Bridge) serveBridge(w http.ResponseWriter, r *http.Request, parts []string) {
	units := b.all()
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 1 || n > len(units) {
		refuse(w, http.StatusNotFound, fmt.Sprintf("there is no bridge %.20q", parts[1]))
		return
	}
	u := units[n-1]
	switch {
	case r.Method == http.MethodGet && parts[2] == "qr.svg" && len(parts) == 3:
		code, err := SVG(u.server.SetupURI())
		if err != nil {
			refuse(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.Header().Set("Content-Type", "image/svg+xml")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte(code)) // the caller may have gone
	case r.Method == http.MethodDelete && parts[2] == "pairings" && len(parts) == 4:
		if !slices.ContainsFunc(u.server.Pairings(), func(p hap.Pairing) bool { return p.ID == parts[3] }) {
			refuse(w, http.StatusNotFound, "there is no such pairing")
			return
		}
		if err := u.server.Remove(parts[3]); err != nil {
			refuse(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(w, http.StatusNotFound, "there is nothing here")
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // the caller may have gone
}

// refuse writes a problem (RFC 9457).
func refuse(w http.ResponseWriter, status int, detail string) {
	code := hearth.CodeNotFound
	if status != http.StatusNotFound {
		code = hearth.CodeFailed
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "/problems/" + code, "title": http.StatusText(status), "status": status, "detail": detail, "code": code})
}

// quiet is the white border of a QR code, in modules.
const quiet = 4

// SVG draws a QR code.
func SVG(text string) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("drawing the QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			long := 0
			for x+long < code.Size && code.Black(x+long, y) {
				long++
			}
			if long > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, long, long)
				x += long
			}
		}
	}
	size := code.Size + 2*quiet
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`, size, size, size, size, path.String()), nil
}

// Blocks draws a QR code for a terminal, two rows of it in each line. Its light parts are drawn, for most terminals are
// dark.
func Blocks(text string) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("drawing the QR code: %w", err)
	}
	light := func(x, y int) bool { return !code.Black(x, y) } // what is outside is light
	var out strings.Builder
	for y := -2; y < code.Size+2; y += 2 {
		for x := -2; x < code.Size+2; x++ {
			switch above, below := light(x, y), light(x, y+1); {
			case above && below:
				out.WriteRune('█')
			case above:
				out.WriteRune('▀')
			case below:
				out.WriteRune('▄')
			default:
				out.WriteByte(' ')
			}
		}
		out.WriteByte('\n')
	}
	return out.String(), nil
}
