package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"hearth"
)

// An Asker is who asked for something that is done later.
type Asker struct {
	Name string `json:"name"`
	Hash string `json:"hash,omitempty"` // of the token; "" where a person had signed in
	User string `json:"user,omitempty"`
}

// AskerOf returns who token is, to be asked again later.
func (a *Accounts) AskerOf(ctx context.Context, token hearth.Token) (Asker, error) {
	asker := Asker{Name: token.Name, Hash: token.Hash, User: token.User}
	if token.User == "" {
		return asker, nil
	}
	var sessions int
	if err := a.db.QueryRowContext(ctx, `SELECT count(*) FROM sessions WHERE hash = $1`, token.Hash).Scan(&sessions); err != nil {
		return Asker{}, fmt.Errorf("looking who asks: %w", err)
	}
	if sessions > 0 {
		asker.Hash = ""
	}
	return asker, nil
}

// Standing returns what an asker may do now; false for a token that is gone, or a person who is gone or disabled. A
// person who had signed in need not be signed in still.
func (a *Accounts) Standing(ctx context.Context, asker Asker) (hearth.Token, bool, error) {
	if asker.Hash != "" {
		t, err := a.readToken(ctx, asker.Hash, a.now())
		if errors.Is(err, sql.ErrNoRows) {
			return hearth.Token{}, false, nil
		}
		return t, err == nil, err
	}
	email, grants, ok, err := grantsOf(ctx, a.db, asker.User)
	if err != nil || !ok {
		return hearth.Token{}, false, err
	}
	t := hearth.Token{Name: email, User: asker.User, Grants: grants}
	t.Scope = t.Most()
	return t, true, nil
}
