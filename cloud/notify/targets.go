package notify

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"hearth"
)

const (
	maxTargets    = 50 // of one tenant
	maxHomes      = 1000
	maxRecipients = 20
	maxName       = 100
	maxURL        = 2000
	readingEvery  = 60 // s
)

// The types of targets.
const (
	TypeWebhook = "webhook"
	TypeEmail   = "email"
)

// A Target is where events of a tenant are delivered to.
type Target struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Type     string          `json:"type"` // webhook or email
	URL      string          `json:"url,omitempty"`
	To       []string        `json:"to,omitempty"`
	Events   []string        `json:"events"`                    // kinds
	Severity hearth.Severity `json:"severity,omitempty"`        // the least that an alert has; without it info
	Homes    []string        `json:"homes,omitempty"`           // only of these; none: of all homes
	Every    int64           `json:"reading_every_s,omitempty"` // at most one reading of a property in so many seconds; without it 60
	Quiet    *Quiet          `json:"quiet,omitempty"`
	Disabled bool            `json:"disabled,omitempty"`
	Note     string          `json:"note,omitempty"` // why it was disabled, if it did that itself
	Created  hearth.Time     `json:"created"`

	secret string
	tenant string
}

// subscriptions are the targets that are not disabled.
type subscriptions struct {
	of    map[string][]*Target // by tenant
	kinds map[string]bool      // that somebody wants
}

// check says why t cannot be a target.
func (n *Notify) check(t *Target) error {
	bad := func(format string, args ...any) error { return hearth.Errorf(hearth.CodeBadValue, format, args...) }
	t.Name = strings.TrimSpace(t.Name)
	if t.Severity == "" {
		t.Severity = hearth.SeverityInfo
	}
	if t.Every == 0 {
		t.Every = readingEvery
	}
	slices.Sort(t.Events)
	t.Events = slices.Compact(t.Events)
	switch {
	case t.Name == "" || len(t.Name) > maxName || strings.ContainsFunc(t.Name, func(c rune) bool { return c < ' ' }):
		return bad("name: want 1 to %d bytes, no control characters", maxName)
	case len(t.Events) == 0:
		return bad("events: choose at least one kind")
	case !slices.Contains(hearth.Severities, t.Severity):
		return bad("severity: want info, warning or critical")
	case len(t.Homes) > maxHomes:
		return bad("homes: at most %d can be named", maxHomes)
	case t.Every < 1 || t.Every > 86400:
		return bad("reading_every_s: want 1 to 86400 seconds")
	}
	for _, kind := range t.Events {
		if !slices.Contains(Kinds(), kind) {
			return bad("events: there is no kind %.40q to choose", kind)
		}
	}
	if t.Quiet != nil {
		if err := t.Quiet.check(); err != nil {
			return err
		}
	}
	return n.checkPlace(t)
}

// checkPlace looks at where a target is.
func (n *Notify) checkPlace(t *Target) error {
	bad := func(format string, args ...any) error { return hearth.Errorf(hearth.CodeBadValue, format, args...) }
	switch t.Type {
	case TypeWebhook:
		t.To = nil
		return checkURL(t.URL, n.o.Private)
	case TypeEmail:
		t.URL = ""
		if n.o.Mail.Host == "" {
			return bad("this receiver sends no e-mail: its operator has to name a server in mail.host")
		}
		if len(t.To) == 0 || len(t.To) > maxRecipients {
			return bad("to: want 1 to %d addresses", maxRecipients)
		}
		for i, to := range t.To {
			address, err := mail.ParseAddress(to)
			if err != nil || len(to) > 320 {
				return bad("to: %.80q is no e-mail address", to)
			}
			t.To[i] = address.Address
		}
		return nil
	}
	return bad("type: want webhook or email")
}

func (t *Target) wants(kind, home string) bool {
	return slices.Contains(t.Events, kind) && (len(t.Homes) == 0 || slices.Contains(t.Homes, home))
}

// wantsAlert also looks at who is concerned. That somebody acknowledged an alert is no mail.
func (t *Target) wantsAlert(e hearth.AlertEvent) bool {
	if !slices.Contains(t.Events, KindAlert) || !e.Severity.AtLeast(t.Severity) {
		return false
	}
	if t.Type == TypeEmail && e.Change == hearth.AlertAcknowledged {
		return false
	}
	return len(t.Homes) == 0 || slices.Contains(t.Homes, e.Home) ||
		slices.ContainsFunc(e.Homes, func(home string) bool { return slices.Contains(t.Homes, home) })
}

const targetColumns = `id, tenant, created, disabled, target, secret, note`

func scanTarget(row interface{ Scan(...any) error }) (*Target, error) {
	var t Target
	var id, tenant, text, secret, note string
	var created, disabled int64
	if err := row.Scan(&id, &tenant, &created, &disabled, &text, &secret, &note); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return nil, fmt.Errorf("the target %s: %w", id, err)
	}
	t.ID, t.tenant, t.secret, t.Note, t.Created, t.Disabled = id, tenant, secret, note, timeOf(created), disabled > 0
	return &t, nil
}

// Load takes over which targets there are. What is told before it the first time reaches nobody.
func (n *Notify) Load(ctx context.Context) error {
	rows, err := n.db.QueryContext(ctx, `SELECT `+targetColumns+` FROM targets WHERE disabled = 0 ORDER BY id`)
	if err != nil {
		return fmt.Errorf("reading the targets: %w", err)
	}
	defer rows.Close()
	all := subscriptions{of: map[string][]*Target{}, kinds: map[string]bool{}}
	for rows.Next() {
		t, err := scanTarget(rows)
		if err != nil {
			return fmt.Errorf("reading the targets: %w", err)
		}
		all.of[t.tenant] = append(all.of[t.tenant], t)
		for _, kind := range t.Events {
			all.kinds[kind] = true
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading the targets: %w", err)
	}
	n.targets.Store(&all)
	return nil
}

func missingTarget(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return hearth.Errorf(hearth.CodeNotFound, "there is no such target")
	}
	return err
}

// target returns the one of that id; tenant "" is any. Code not_found if there is none.
func (n *Notify) target(ctx context.Context, tenant, id string) (*Target, error) {
	t, err := scanTarget(n.db.QueryRowContext(ctx, `SELECT `+targetColumns+` FROM targets WHERE id = $1 AND ($2 = '' OR tenant = $2)`, id, tenant))
	if err != nil {
		return nil, fmt.Errorf("looking for a target: %w", missingTarget(err))
	}
	return t, nil
}

// add stores a new target and returns the secret that its deliveries are signed with.
func (n *Notify) add(ctx context.Context, tenant string, t Target) (Target, string, error) {
	if err := n.check(&t); err != nil {
		return Target{}, "", err
	}
	t.ID, t.Created, t.Note = "t"+strings.ToLower(rand.Text()[:11]), timeOf(n.o.Now().UnixMilli()), ""
	secret := ""
	if t.Type == TypeWebhook {
		secret = newSecret()
	}
	body, err := json.Marshal(t)
	if err != nil {
		return Target{}, "", fmt.Errorf("storing a target: %w", err)
	}
	err = n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		var count int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM targets WHERE tenant = $1`, tenant).Scan(&count); err != nil {
			return err
		}
		if count >= maxTargets {
			return hearth.Errorf(hearth.CodeConflict, "the tenant has %d targets already: delete one first", count)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO targets (id, tenant, name, created, disabled, target, secret) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			t.ID, tenant, t.Name, t.Created.UnixMilli(), n.disabledSince(t.Disabled), string(body), secret)
		return err
	})
	if err != nil {
		return Target{}, "", fmt.Errorf("storing a target: %w", err)
	}
	return t, secret, n.Load(ctx)
}

func (n *Notify) disabledSince(disabled bool) int64 {
	if disabled {
		return n.o.Now().UnixMilli()
	}
	return 0
}

func newSecret() string { return "hook_" + rand.Text() }

// set changes a target. One that disabled itself and is enabled again goes on where it stopped.
func (n *Notify) set(ctx context.Context, tenant string, t Target) (Target, error) {
	if err := n.check(&t); err != nil {
		return Target{}, err
	}
	was, err := n.target(ctx, tenant, t.ID)
	if err != nil {
		return Target{}, err
	}
	if was.Type != t.Type {
		return Target{}, hearth.Errorf(hearth.CodeBadValue, "type: a %s does not become a %s: add another target", was.Type, t.Type)
	}
	t.Created, t.Note = was.Created, ""
	body, err := json.Marshal(t)
	if err != nil {
		return Target{}, fmt.Errorf("storing a target: %w", err)
	}
	err = n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE deliveries SET due = $1 WHERE target = $2 AND ended = 0`, n.o.Now().UnixMilli(), t.ID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE targets SET name = $1, target = $2, disabled = $3, note = '' WHERE id = $4 AND tenant = $5`,
			t.Name, string(body), n.disabledSince(t.Disabled), t.ID, tenant)
		return err
	})
	if err != nil {
		return Target{}, fmt.Errorf("storing a target: %w", err)
	}
	n.mu.Lock()
	delete(n.later, t.ID)
	n.mu.Unlock()
	n.Wake()
	return t, n.Load(ctx)
}

// remove deletes a target with all that was to be delivered to it.
func (n *Notify) remove(ctx context.Context, tenant, id string) error {
	err := n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		var found string
		err := tx.QueryRowContext(ctx, `DELETE FROM targets WHERE id = $1 AND tenant = $2 RETURNING id`, id, tenant).Scan(&found)
		return missingTarget(err)
	})
	if err != nil {
		return fmt.Errorf("deleting a target: %w", err)
	}
	return n.Load(ctx)
}

// renew gives a webhook another secret and returns it.
func (n *Notify) renew(ctx context.Context, tenant, id string) (string, error) {
	t, err := n.target(ctx, tenant, id)
	if err != nil {
		return "", err
	}
	if t.Type != TypeWebhook {
		return "", hearth.Errorf(hearth.CodeBadValue, "only a webhook has a secret")
	}
	secret := newSecret()
	err = n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE targets SET secret = $1 WHERE id = $2`, secret, id)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("renewing a secret: %w", err)
	}
	return secret, nil
}

// disable stops a target that does not want anything any more.
func (n *Notify) disable(ctx context.Context, t *Target, why string) error {
	err := n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE targets SET disabled = $1, note = $2 WHERE id = $3`, n.o.Now().UnixMilli(), why, t.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("disabling a target: %w", err)
	}
	n.o.Log.Warn("a target was disabled", "target", t.ID, "name", t.Name, "why", why)
	return n.Load(ctx)
}
