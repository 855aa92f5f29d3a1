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

// A Token is what is kept of a token; the secret itself is shown once and never stored.
type Token struct {
	Name    string `json:"name"`
	Scope   Scope  `json:"scope"`
	Home    string `json:"home,omitempty"` // the only home it sees; "" for all of them
	Hash    string `json:"hash"`
	Created Time   `json:"created"`
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
