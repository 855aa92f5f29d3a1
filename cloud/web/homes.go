package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"hearth"
	"hearth/api"
)

const (
	claimTries   = 10      // failed claims a minute and address
	maxInventory = 8 << 20 // bytes of a home's devices
)

// Sees is the receiver's rule for api.Auth: another home's anything is not found, whatever the token may do in its own.
func Sees(r *http.Request, token hearth.Token) error {
	if home := r.PathValue("home"); home != "" && token.Home != "" && token.Home != home {
		return missingHome()
	}
	return nil
}

func missingHome() error { return hearth.Errorf(hearth.CodeNotFound, "there is no such home") }

// home returns the id of the home that a request is about. One that the token does not see is not found, whether it
// exists or not.
func (w *Web) home(r *http.Request, token hearth.Token) (string, error) {
	id := r.PathValue("home")
	if token.Home != "" {
		return id, Sees(r, token)
	}
	home, err := w.o.Accounts.Home(r.Context(), id)
	switch {
	case err != nil:
		return "", err
	case home.ID != id: // a name, which only InfluxDB's paths take
		return "", missingHome()
	}
	return id, nil
}

// of is home for a request whose token the router has checked.
func (w *Web) of(r *http.Request) (string, error) { return w.home(r, api.TokenOf(r.Context())) }

// anyToken is home for a path that tokens of several scopes may use; allowed says whether this one may.
func (w *Web) anyToken(r *http.Request, allowed func(hearth.Scope) bool) (home string, err error) {
	token, err := w.o.Auth.Identify(r)
	if err != nil {
		return "", err
	}
	home, err = w.home(r, token)
	if err == nil && !allowed(token.Scope) {
		err = hearth.Errorf(hearth.CodeDenied, "the token %s has scope %s, which does not allow this", token.Name, token.Scope)
	}
	return home, err
}

func (w *Web) listHomes(rw http.ResponseWriter, r *http.Request) error {
	homes, err := w.o.Fleet.Homes(r.Context(), api.TokenOf(r.Context()).Home)
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, homes)
	return nil
}

func (w *Web) getHome(rw http.ResponseWriter, r *http.Request) error {
	home, err := w.of(r)
	if err != nil {
		return err
	}
	details, err := w.o.Fleet.Details(r.Context(), home)
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, details)
	return nil
}

type addHome struct {
	Name string `json:"name"`
}

type addedHome struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	ClaimCode string      `json:"claim_code"`
	Expires   hearth.Time `json:"expires"`
}

func (w *Web) addHome(rw http.ResponseWriter, r *http.Request) error {
	if token := api.TokenOf(r.Context()); token.Home != "" {
		return hearth.Errorf(hearth.CodeDenied, "the token %s belongs to one home and cannot make others", token.Name)
	}
	var body addHome
	if err := api.ReadJSON(rw, r, &body); err != nil {
		return err
	}
	home, code, err := w.o.Accounts.AddHome(r.Context(), body.Name)
	if err != nil {
		return err
	}
	rw.Header().Set("Location", "/api/v1/homes/"+home.ID)
	api.WriteJSON(rw, http.StatusCreated, addedHome{ID: home.ID, Name: home.Name, ClaimCode: code.Secret, Expires: code.Expires})
	return nil
}

type claimCode struct {
	Code string `json:"code"`
}

func (w *Web) claim(rw http.ResponseWriter, r *http.Request) error {
	address := ClientAddress(r)
	if wait := w.claims.Wait(address); wait > 0 {
		return api.Later(hearth.Errorf(hearth.CodeBusy, "too many claims that failed came from this address"), wait)
	}
	var body claimCode
	if err := api.ReadJSON(rw, r, &body); err != nil {
		return err
	}
	claimed, err := w.o.Accounts.Claim(r.Context(), body.Code)
	if errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound}) {
		w.claims.Failed(address)
	}
	if err != nil {
		return err
	}
	claimed.MQTT = w.o.Broker
	w.o.Log.Info("a home was claimed", "home", claimed.Home, "name", claimed.Name, "address", address)
	api.WriteJSON(rw, http.StatusOK, claimed)
	return nil
}

func (w *Web) whoami(rw http.ResponseWriter, r *http.Request) error {
	token, err := w.o.Auth.Identify(r)
	if err != nil {
		return err
	}
	who := hearth.Whoami{Home: token.Home, TokenName: token.Name, Scope: token.Scope, MQTT: w.o.Broker}
	if token.Scope == hearth.ScopeGateway {
		who.Scope = hearth.ScopeWrite // which it is, and its command topics beside: the form others rely on
	}
	if token.Home != "" {
		home, err := w.o.Accounts.Home(r.Context(), token.Home)
		if err != nil {
			return err
		}
		who.Name = home.Name
	}
	api.WriteJSON(rw, http.StatusOK, who)
	return nil
}

func (w *Web) getDocument(rw http.ResponseWriter, _ *http.Request) error {
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write(w.document) // the caller may have gone
	return nil
}

type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

func (w *Web) healthz(rw http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	if err := w.o.Accounts.DB().PingContext(ctx); err != nil {
		w.o.Log.Error("the database does not answer", "err", err)
		return hearth.Errorf(hearth.CodeOffline, "the database does not answer")
	}
	api.WriteJSON(rw, http.StatusOK, health{Status: "ok", Version: w.o.Version})
	return nil
}

func (w *Web) putDevices(rw http.ResponseWriter, r *http.Request) error {
	home, err := w.of(r)
	if err != nil {
		return err
	}
	devices := []hearth.DeviceView{}
	if err := api.ReadLargeJSON(rw, r, &devices, maxInventory); err != nil {
		return err
	}
	if err := w.o.Fleet.Put(r.Context(), home, devices); err != nil {
		return err
	}
	rw.WriteHeader(http.StatusNoContent)
	return nil
}

func (w *Web) sync(rw http.ResponseWriter, r *http.Request) error {
	home, err := w.anyToken(r, func(hearth.Scope) bool { return true })
	if err != nil {
		return err
	}
	sync, err := w.o.Series.Sync(home)
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, sync)
	return nil
}

func (w *Web) ledger(rw http.ResponseWriter, r *http.Request) error {
	home, err := w.of(r)
	if err != nil {
		return err
	}
	span, err := api.ParseRange(r.URL.Query(), w.o.Now())
	if err != nil {
		return err
	}
	report, err := w.o.Series.Ledger(home, span.From, span.To)
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, report)
	return nil
}
