package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

const (
	claimTries   = 10      // failed claims a minute and address
	maxInventory = 8 << 20 // bytes of a home's devices
)

// Narrow is the receiver's rule for api.Auth: in a home or tenant that the path names, a token is worth what it may do
// there, and another's anything is not found. Elsewhere it is worth the most that it may do anywhere, and the handler
// looks where that is.
func Narrow(books *accounts.Accounts) func(*http.Request, hearth.Token) (hearth.Token, error) {
	return func(r *http.Request, token hearth.Token) (hearth.Token, error) {
		var err error
		switch home, tenant := r.PathValue("home"), r.PathValue("tenant"); {
		case home != "":
			token.Scope, err = books.Scope(r.Context(), token, home)
		case tenant != "":
			token.Scope, err = books.TenantScope(r.Context(), token, tenant)
		default:
			token.Scope = token.Most()
		}
		return token, err
	}
}

// of returns the home that a request is about. The router has checked that the token sees it.
func of(r *http.Request) string { return r.PathValue("home") }

// anyToken is of for a path that tokens of several scopes may use, which the router lets through unseen; allowed says
// whether this one may.
func (w *Web) anyToken(r *http.Request, allowed func(hearth.Scope) bool) (home string, err error) {
	token, err := w.o.Auth.Identify(r)
	if err == nil {
		token.Scope, err = w.o.Accounts.Scope(r.Context(), token, of(r))
	}
	if err == nil && !allowed(token.Scope) {
		err = hearth.Errorf(hearth.CodeDenied, "%s has scope %s, which does not allow this", token.Name, token.Scope)
	}
	return of(r), err
}

func (w *Web) listHomes(rw http.ResponseWriter, r *http.Request) error {
	homes, err := w.o.Accounts.Visible(r.Context(), api.TokenOf(r.Context()))
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, w.o.Fleet.Homes(homes))
	return nil
}

func (w *Web) getHome(rw http.ResponseWriter, r *http.Request) error {
	details, err := w.o.Fleet.Details(r.Context(), of(r))
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, details)
	return nil
}

type addHome struct {
	Name   string `json:"name"`
	Tenant string `json:"tenant,omitempty"` // whose it is; the only one that the token may add to, or the main one
}

type addedHome struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Tenant    string      `json:"tenant"`
	ClaimCode string      `json:"claim_code"`
	Expires   hearth.Time `json:"expires"`
}

func (w *Web) addHome(rw http.ResponseWriter, r *http.Request) error {
	var body addHome
	if err := api.ReadJSON(rw, r, &body); err != nil {
		return err
	}
	tenant, err := addsTo(api.TokenOf(r.Context()), body.Tenant)
	if err != nil {
		return err
	}
	home, code, err := w.o.Accounts.AddHome(r.Context(), tenant, body.Name)
	if err != nil {
		return err
	}
	rw.Header().Set("Location", "/api/v1/homes/"+home.ID)
	r.SetPathValue("home", home.ID) // for the audit: those who administer it read of it
	api.Note(r.Context(), home.ID+" "+home.Name)
	if w.o.Added != nil {
		w.o.Added(home)
	}
	api.WriteJSON(rw, http.StatusCreated, addedHome{ID: home.ID, Name: home.Name, Tenant: home.Tenant, ClaimCode: code.Secret, Expires: code.Expires})
	return nil
}

// addsTo returns the tenant to which token adds a home: the one it names, or the one it administers.
func addsTo(token hearth.Token, named string) (string, error) {
	tenants := []string{named}
	if named == "" {
		tenants = []string{accounts.MainTenant, token.Tenant}
		for _, g := range token.Grants {
			tenants = append(tenants, g.Tenant)
		}
	}
	for _, tenant := range tenants {
		if tenant != "" && token.In(tenant, "").Allows(hearth.ScopeAdmin) {
			return tenant, nil
		}
	}
	return "", hearth.Errorf(hearth.CodeDenied, "%s administers no tenant %s and cannot add homes to it", token.Name, named)
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
	entry := accounts.AuditEntry{Home: claimed.Home, Who: claimed.TokenName, Action: "claimHome", Address: address}
	if err := w.o.Accounts.Audit(context.WithoutCancel(r.Context()), entry); err != nil {
		w.o.Log.Error("who did it could not be kept", "action", entry.Action, "who", entry.Who, "err", err)
	}
	api.WriteJSON(rw, http.StatusOK, claimed)
	return nil
}

// whoAmI is hearth.Whoami with what there is beyond gateways: of a person, or their token, what they may do where.
type whoAmI struct {
	hearth.Whoami
	Tenant string         `json:"tenant,omitempty"`
	User   string         `json:"user,omitempty"` // the id of the person; their address is the name of their session
	Grants []hearth.Grant `json:"grants,omitempty"`
}

func (w *Web) whoami(rw http.ResponseWriter, r *http.Request) error {
	token, err := w.o.Auth.Identify(r)
	if err != nil {
		return err
	}
	who := whoAmI{
		Whoami: hearth.Whoami{Home: token.Home, TokenName: token.Name, Scope: token.Scope, MQTT: w.o.Broker},
		Tenant: token.Tenant, User: token.User, Grants: token.Grants,
	}
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
	if wait := w.o.Fleet.Pace(of(r)); wait > 0 {
		return api.Later(hearth.Errorf(hearth.CodeBusy, "this home sends its inventory again and again: once a second is enough"), wait)
	}
	devices := []hearth.DeviceView{}
	if err := api.ReadLargeJSON(rw, r, &devices, maxInventory); err != nil {
		return err
	}
	if err := w.o.Fleet.Put(r.Context(), of(r), devices); err != nil {
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
	sync, err := w.o.Sync(r.Context(), home)
	if err != nil {
		return err
	}
	if w.o.Pace != nil {
		w.o.Pace(home, rw.Header())
	}
	api.WriteJSON(rw, http.StatusOK, sync)
	return nil
}

func (w *Web) ledger(rw http.ResponseWriter, r *http.Request) error {
	span, err := api.ParseRange(r.URL.Query(), w.o.Now())
	if err != nil {
		return err
	}
	report, err := w.o.Series.Ledger(of(r), span.From, span.To)
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, report)
	return nil
}
