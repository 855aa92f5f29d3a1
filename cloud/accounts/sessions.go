package accounts

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"hearth"
)

// SessionLife is how long a session lasts after its last use.
const SessionLife = 30 * 24 * time.Hour

const (
	mostSessions  = 50 // of one person; the one that was used longest ago goes
	sessionPrefix = "session_"
	shownID       = 16 // of a hash, where it stands for a session
)

// A Session is one browser in which a person is signed in.
type Session struct {
	ID      string      `json:"id"`
	Created hearth.Time `json:"created"`
	Seen    hearth.Time `json:"seen"` // its last use, to the hour
	Expires hearth.Time `json:"expires"`
	Address string      `json:"address"` // where it was begun
	Agent   string      `json:"agent"`   // the browser's own words
	Present bool        `json:"present"` // it is the one that asks
}

// Login returns the person of that address and password. Code unknown_token: there is none, whatever of it is wrong;
// busy: too many try at once.
func (a *Accounts) Login(ctx context.Context, email, password string) (User, error) {
	wrong := hearth.Errorf(hearth.CodeUnknownToken, "the e-mail address or the password is wrong")
	if len(password) > PasswordMost || len(email) > 254 {
		return User{}, wrong
	}
	email = strings.ToLower(strings.TrimSpace(storable(email)))
	u, stored, err := scanUser(a.db.QueryRowContext(ctx, userColumns+`WHERE email = $1`, email))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return User{}, fmt.Errorf("signing in: %w", err)
	}
	right, cheap, err := a.passwords.check(ctx, stored, password)
	if err != nil {
		return User{}, fmt.Errorf("signing in: %w", err)
	}
	if !right || u.Disabled {
		return User{}, wrong
	}
	if cheap {
		hash, err := a.passwords.hash(ctx, password)
		if err == nil {
			err = a.Tx(ctx, func(tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, `UPDATE users SET password = $1 WHERE id = $2 AND password = $3`, hash, u.ID, stored)
				return err
			})
		}
		if err != nil {
			return User{}, fmt.Errorf("signing in: %w", err)
		}
	}
	return u, nil
}

// StartSession begins a session of a person and returns its secret, of which only the hash is kept.
func (a *Accounts) StartSession(ctx context.Context, user, address, agent string) (secret string, err error) {
	secret = sessionPrefix + rand.Text()
	now := a.now()
	err = a.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO sessions (hash, user_id, created, seen, expires, address, agent) VALUES ($1, $2, $3, $3, $4, $5, $6)`,
			hearth.HashSecret(secret), user, now.UnixMilli(), now.Add(SessionLife).UnixMilli(), clip(address), shortAgent(agent)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = $1 AND hash NOT IN (SELECT hash FROM sessions WHERE user_id = $1 ORDER BY seen DESC, created DESC LIMIT $2)`, user, mostSessions); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE users SET seen = $1 WHERE id = $2`, now.UnixMilli(), user)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("beginning a session: %w", err)
	}
	return secret, nil
}

func shortAgent(agent string) string {
	const most = 200
	if len(agent) > most {
		agent = agent[:most]
	}
	return clip(agent)
}

// Session returns what is behind a session cookie: a person's session, or a token that came in a link. It may be ten
// seconds behind another process.
func (a *Accounts) Session(ctx context.Context, cookie string) (hearth.Token, bool, error) {
	if strings.HasPrefix(cookie, sessionPrefix) {
		return a.find(ctx, "session ", hearth.HashSecret(cookie), a.readSession)
	}
	return a.Find(ctx, cookie)
}

// readSession returns a session as a token; sql.ErrNoRows where there is none. A session that is used lasts longer.
func (a *Accounts) readSession(ctx context.Context, hash string, now time.Time) (hearth.Token, error) {
	t := hearth.Token{Hash: hash}
	var created, seen, expires int64
	err := a.db.QueryRowContext(ctx, `SELECT user_id, created, seen, expires FROM sessions WHERE hash = $1`, hash).Scan(&t.User, &created, &seen, &expires)
	if err == nil && expires <= now.UnixMilli() {
		err = sql.ErrNoRows
	}
	if err != nil {
		return hearth.Token{}, err
	}
	email, grants, ok, err := grantsOf(ctx, a.db, t.User)
	if err == nil && !ok {
		err = sql.ErrNoRows
	}
	if err != nil {
		return hearth.Token{}, err
	}
	t.Name, t.Grants, t.Created = email, grants, timeOf(created)
	t.Scope = t.Most()
	if now.UnixMilli()-seen > usedCoarse.Milliseconds() {
		// As with tokens: the note is worth less than the answer.
		_ = a.Tx(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `UPDATE sessions SET seen = $1, expires = $2 WHERE hash = $3`, now.UnixMilli(), now.Add(SessionLife).UnixMilli(), hash); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `UPDATE users SET seen = $1 WHERE id = $2`, now.UnixMilli(), t.User)
			return err
		})
	}
	return t, nil
}

// signedIn says so unless asker is a session: a person's token is no reason to show or end where they are signed in.
func (a *Accounts) signedIn(ctx context.Context, asker hearth.Token) error {
	var n int
	err := a.db.QueryRowContext(ctx, `SELECT count(*) FROM sessions WHERE hash = $1 AND user_id = $2`, asker.Hash, asker.User).Scan(&n)
	switch {
	case err != nil:
		return fmt.Errorf("looking for a session: %w", err)
	case n == 0:
		return hearth.Errorf(hearth.CodeDenied, "only who signed in with a password may do this, no token")
	}
	return nil
}

// Sessions returns those of the person that asks, the last used first. Code denied: it is no session that asks.
func (a *Accounts) Sessions(ctx context.Context, asker hearth.Token) ([]Session, error) {
	if err := a.signedIn(ctx, asker); err != nil {
		return nil, err
	}
	rows, err := a.db.QueryContext(ctx, `SELECT hash, created, seen, expires, address, agent FROM sessions WHERE user_id = $1 AND expires > $2 ORDER BY seen DESC, created DESC`, asker.User, a.millis())
	if err != nil {
		return nil, fmt.Errorf("listing the sessions: %w", err)
	}
	defer rows.Close()
	sessions := []Session{}
	for rows.Next() {
		var s Session
		var hash string
		var created, seen, expires int64
		if err := rows.Scan(&hash, &created, &seen, &expires, &s.Address, &s.Agent); err != nil {
			return nil, fmt.Errorf("listing the sessions: %w", err)
		}
		s.ID, s.Present = hash[:shownID], hash == asker.Hash
		s.Created, s.Seen, s.Expires = timeOf(created), timeOf(seen), timeOf(expires)
		sessions = append(sessions, s)
	}
	return sessions, rows.Err()
}

// EndSession ends one session of the person that asks. Errors: not_found: they have none of that id; denied.
func (a *Accounts) EndSession(ctx context.Context, asker hearth.Token, id string) error {
	if err := a.signedIn(ctx, asker); err != nil {
		return err
	}
	missing := hearth.Errorf(hearth.CodeNotFound, "there is no such session")
	if len(id) != shownID || !utf8.ValidString(id) || strings.ContainsAny(id, "%_\x00") {
		return missing
	}
	return a.endSessions(ctx, missing, `DELETE FROM sessions WHERE user_id = $1 AND hash LIKE $2`, asker.User, id+"%")
}

// EndSessions ends all sessions of the person that asks but the one that asks. Code denied: it is no session that asks.
func (a *Accounts) EndSessions(ctx context.Context, asker hearth.Token) error {
	if err := a.signedIn(ctx, asker); err != nil {
		return err
	}
	return a.endSessions(ctx, nil, `DELETE FROM sessions WHERE user_id = $1 AND hash <> $2`, asker.User, asker.Hash)
}

// Logout ends the session of a cookie, if it is one. A token that came in a link stays: others may use it.
func (a *Accounts) Logout(ctx context.Context, cookie string) error {
	return a.endSessions(ctx, nil, `DELETE FROM sessions WHERE hash = $1`, hearth.HashSecret(cookie))
}

func (a *Accounts) endSessions(ctx context.Context, none error, statement string, args ...any) error {
	err := a.Tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, none)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	a.forgetAll()
	return nil
}

// ChangePassword sets another password of the person that asks, who must know the present one; it ends all of their
// other sessions and their links. Errors: denied: the present one is wrong, or it is no session that asks; bad_value.
func (a *Accounts) ChangePassword(ctx context.Context, asker hearth.Token, present, next string) error {
	if err := a.signedIn(ctx, asker); err != nil {
		return err
	}
	u, stored, err := scanUser(a.db.QueryRowContext(ctx, userColumns+`WHERE id = $1`, asker.User))
	if err != nil {
		return fmt.Errorf("changing a password: %w", err)
	}
	if len(present) > PasswordMost {
		present = ""
	}
	right, _, err := a.passwords.check(ctx, stored, present)
	if err != nil {
		return fmt.Errorf("changing a password: %w", err)
	}
	if !right {
		return hearth.Errorf(hearth.CodeDenied, "the present password is wrong")
	}
	if err := checkPassword(next, u.Email); err != nil {
		return err
	}
	hash, err := a.passwords.hash(ctx, next)
	if err != nil {
		return fmt.Errorf("changing a password: %w", err)
	}
	err = a.Tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE users SET password = $1 WHERE id = $2 AND password = $3`, hash, u.ID, stored)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, hearth.Errorf(hearth.CodeConflict, "the password was changed elsewhere just now"))
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM links WHERE user_id = $1`, u.ID); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = $1 AND hash <> $2`, u.ID, asker.Hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("changing a password: %w", err)
	}
	a.forgetAll()
	return nil
}
