package hearth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// A Scope is what a token allows: read < control < admin. Write stands apart: data in and nothing else. A gateway's
// token is Gateway: write, its home's inventory and commands, and their topics.
type Scope string

// The scopes.
const (
	ScopeRead    Scope = "read"
	ScopeControl Scope = "control"
	ScopeAdmin   Scope = "admin"
	ScopeWrite   Scope = "write"
	ScopeGateway Scope = "gateway"
)

// Allows reports whether a token of scope s may do what needs the other.
func (s Scope) Allows(need Scope) bool {
	switch need {
	case ScopeRead:
		return s == ScopeRead || s == ScopeControl || s == ScopeAdmin
	case ScopeControl:
		return s == ScopeControl || s == ScopeAdmin
	case ScopeWrite:
		return s == ScopeWrite || s == ScopeGateway || s == ScopeAdmin
	}
	return s == need
}

// A Grant is what somebody may do in one home, in all homes of a tenant, or, with neither, everywhere on a receiver.
type Grant struct {
	Scope  Scope  `json:"scope"`
	Tenant string `json:"tenant,omitempty"`
	Home   string `json:"home,omitempty"`
}

// in returns the grant's scope in a home of a tenant, "" where it does not reach.
func (g Grant) in(tenant, home string) Scope {
	if g.Home != "" && g.Home != home || g.Tenant != "" && g.Tenant != tenant {
		return ""
	}
	return g.Scope
}

// A Token is what is kept of a token; the secret itself is shown once and never stored. A person's session is a Token
// with Grants in place of Scope, Tenant and Home.
type Token struct {
	Name    string  `json:"name"`
	Scope   Scope   `json:"scope"`
	Tenant  string  `json:"tenant,omitempty"` // the only tenant it sees; "" for all of them
	Home    string  `json:"home,omitempty"`   // the only home it sees; "" for all of them
	Grants  []Grant `json:"grants,omitempty"`
	User    string  `json:"user,omitempty"` // the id of the person whose it is
	Hash    string  `json:"hash"`
	Created Time    `json:"created"`
	Expires Time    `json:"expires,omitzero"` // zero: never
}

// In returns what t allows in a home of a tenant: home "" is the tenant itself, both "" the whole receiver. "" is
// nothing: whoever has t must not learn that it is there.
func (t Token) In(tenant, home string) Scope {
	if t.Grants == nil {
		return Grant{Scope: t.Scope, Tenant: t.Tenant, Home: t.Home}.in(tenant, home)
	}
	best := Scope("")
	for _, g := range t.Grants {
		if s := g.in(tenant, home); s != "" && !best.Allows(s) {
			best = s
		}
	}
	return best
}

// Most returns the greatest scope that t has anywhere.
func (t Token) Most() Scope {
	most := t.Scope
	for _, g := range t.Grants {
		if !most.Allows(g.Scope) {
			most = g.Scope
		}
	}
	return most
}

// NewSecret returns a fresh token of 128 random bits and the hash under which it is kept.
func NewSecret() (secret, hash string) {
	secret = "hearth_" + rand.Text()
	return secret, HashSecret(secret)
}

// HashSecret returns the hash under which a token is kept and found. A plain hash is enough for random secrets.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
