package downlink

import (
	"testing"

	"hearth"
)

// Another gateway claims the place of one that is connected, and an application's token is taken away.
func TestConnectionsEndWithTheirTokens(t *testing.T) {
	r := newRig(t)
	admin := hearth.Token{Scope: hearth.ScopeAdmin}
	claim := func() hearth.Claim {
		code, err := r.books.NewCode(t.Context(), r.home.ID)
		r.must(err)
		claimed, err := r.books.Claim(t.Context(), code.Secret)
		r.must(err)
		return claimed
	}
	first := claim()
	old := r.gateway(first.TokenName, first.Token, r.home.ID)
	stays, err := r.connect(r.options("stays", r.token("stays", hearth.ScopeRead, r.home.ID)))
	r.must(err)
	goes, err := r.connect(r.options("goes", r.token("goes", hearth.ScopeRead, r.home.ID)))
	r.must(err)

	second := claim()
	current := r.gateway(second.TokenName, second.Token, r.home.ID)
	_, err = r.books.RemoveToken(t.Context(), admin, "goes")
	r.must(err)
	r.d.via.(*embedded).endGone(t.Context())
	r.eventually("the old ones are gone", func() bool { return !old.IsConnected() && !goes.IsConnected() && r.d.Clients() == 2 })
	if !current.IsConnected() || !stays.IsConnected() {
		t.Errorf("the new gateway's connection: %v, the application's: %v", current.IsConnected(), stays.IsConnected())
	}
	r.note(func() {
		if !r.online[r.home.ID] {
			t.Error("the home is offline")
		}
	})
}
