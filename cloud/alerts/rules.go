package alerts

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
)

const (
	maxRules = 500 // of one tenant
	maxFor   = 7 * 24 * time.Hour
	maxWords = 100 // bytes of a rule's name
)

// A Rule says which value a person wants to be told of: of one device or of all of a type, in one home or in all homes
// of a tenant.
type Rule struct {
	ID         string          `json:"id"`
	Name       string          `json:"name,omitempty"`   // what a person calls it
	Home       string          `json:"home,omitempty"`   // "" is all homes of the tenant
	Device     hearth.ID       `json:"device,omitempty"` // "" is all devices, or those of Type
	Type       hearth.Type     `json:"type,omitempty"`
	Property   string          `json:"property"`
	Op         string          `json:"op"` // >, >=, <, <=, = or !=
	Value      hearth.Value    `json:"value"`
	For        int64           `json:"for_s,omitempty"`      // seconds that it has to be so
	Hysteresis float64         `json:"hysteresis,omitempty"` // how far a number has to go back until it is over
	Severity   hearth.Severity `json:"severity"`
	Disabled   bool            `json:"disabled,omitempty"`
	Created    hearth.Time     `json:"created"`
}

// ops are what a value can be compared with, and in words.
func ops() map[string]string {
	return map[string]string{">": "above", ">=": "at or above", "<": "below", "<=": "at or below", "=": "", "!=": "not"}
}

// check says why r cannot be a rule.
func (r *Rule) check() error {
	r.Name = strings.TrimSpace(r.Name)
	r.Severity = cmp.Or(r.Severity, hearth.SeverityWarning)
	_, known := ops()[r.Op]
	bad := func(format string, args ...any) error { return hearth.Errorf(hearth.CodeBadValue, format, args...) }
	switch {
	case len(r.Name) > maxWords || strings.ContainsFunc(r.Name, func(c rune) bool { return c < ' ' }):
		return bad("a rule's name has at most %d bytes, and no control characters", maxWords)
	case !known:
		return bad("op: want one of > >= < <= = !=")
	case r.Value.IsZero():
		return bad("value: want a number, a bool or a text")
	case len(r.Value.Text()) > hearth.MaxText:
		return bad("value: a text has at most %d bytes", hearth.MaxText)
	case r.Value.Kind() != hearth.Number && r.Op != "=" && r.Op != "!=":
		return bad("op: a %s is compared with = or !=", r.Value.Kind())
	case r.For < 0 || r.For > int64(maxFor.Seconds()):
		return bad("for_s: want seconds, at most %d", int64(maxFor.Seconds()))
	case r.Hysteresis < 0 || math.IsInf(r.Hysteresis, 0) || math.IsNaN(r.Hysteresis) || r.Hysteresis > 0 && r.Value.Kind() != hearth.Number:
		return bad("hysteresis: want a number from 0 on, and only beside a number")
	case !slices.Contains(hearth.Severities, r.Severity):
		return bad("severity: want info, warning or critical")
	case r.Type != "" && !slices.Contains(hearth.Types, r.Type):
		return bad("type: there is no type of devices %.40q", string(r.Type))
	case r.Device != "" && r.Type != "":
		return bad("a rule is for one device or for a type: leave device or type out")
	case r.Device != "" && r.Home == "":
		return bad("home: name the device's home")
	}
	if r.Device != "" {
		if err := r.Device.Check(); err != nil {
			return err
		}
	}
	return hearth.Property{Name: r.Property, Kind: r.Value.Kind()}.Check()
}

// holds reports whether v is what the rule is about; keeps, whether it is at least within the hysteresis of that.
func (r *Rule) holds(v hearth.Value) (holds, keeps bool) {
	switch r.Op {
	case "=":
		return v == r.Value, v == r.Value || math.Abs(v.Number()-r.Value.Number()) < r.Hysteresis
	case "!=":
		return v != r.Value, v != r.Value
	}
	n, limit := v.Number(), r.Value.Number()
	switch r.Op {
	case ">":
		return n > limit, n > limit-r.Hysteresis
	case ">=":
		return n >= limit, n >= limit-r.Hysteresis
	case "<":
		return n < limit, n < limit+r.Hysteresis
	}
	return n <= limit, n <= limit+r.Hysteresis
}

func (r *Rule) matches(d *hearth.DeviceView) bool {
	return (r.Device == "" || r.Device == d.ID) && (r.Type == "" || r.Type == d.Type)
}

// thresholds compares a home's values with the rules. What is known to be wrong already says which values nobody
// should believe: those neither raise nor clear. keeps says whether there is anything to be kept from clearing.
func (a *Alerts) thresholds(home string, rules []Rule, wrong []hearth.Condition, keeps bool) []hearth.Condition {
	if !slices.ContainsFunc(rules, func(r Rule) bool { return r.Home == "" || r.Home == home }) {
		return nil
	}
	doubtful := map[string]bool{}
	for _, c := range wrong {
		if c.Kind == hearth.AlertDeviceSilent || c.Kind == hearth.AlertDriverDown {
			doubtful[c.About] = true
		}
	}
	var found []hearth.Condition
	a.o.Look(home, func(d *hearth.DeviceView) bool {
		for i := range rules {
			r := &rules[i]
			if r.Disabled || r.Home != "" && r.Home != home || !r.matches(d) {
				continue
			}
			p := d.Property(r.Property)
			if p == nil || p.Kind != r.Value.Kind() {
				continue
			}
			stale := p.Value == nil || p.Stale || !d.Reachable || doubtful[string(d.ID)] || doubtful[d.ID.Driver()]
			holds, near := false, false
			if !stale {
				holds, near = r.holds(*p.Value)
			}
			if holds || keeps && (near || stale) {
				found = append(found, r.condition(d, p, !holds))
			}
		}
		return true
	})
	return found
}

func (r *Rule) condition(d *hearth.DeviceView, p *hearth.PropertyView, keeps bool) hearth.Condition {
	c := hearth.Condition{
		Kind: hearth.AlertThreshold, About: string(d.ID) + "/" + r.Property + "#" + r.ID, Severity: r.Severity,
		Since: p.Time.Time, For: time.Duration(r.For) * time.Second, Keeps: keeps,
	}
	if !keeps {
		c.Detail = r.words(d, p)
	}
	return c
}

// words say what is so: "Freezer: temperature is -9.5 °C, above -15".
func (r *Rule) words(d *hearth.DeviceView, p *hearth.PropertyView) string {
	var b strings.Builder
	if r.Name != "" {
		b.WriteString(r.Name + ": ")
	}
	fmt.Fprintf(&b, "%s, %s is %s", cmp.Or(d.Name, string(d.ID)), strings.ReplaceAll(r.Property, "_", " "), plain(*p.Value))
	if p.Unit != "" {
		b.WriteString(" " + p.Unit)
	}
	if word := ops()[r.Op]; word != "" {
		b.WriteString(", " + word + " " + plain(r.Value))
	}
	if r.For > 0 {
		b.WriteString(" for " + (time.Duration(r.For) * time.Second).String())
	}
	return b.String()
}

func plain(v hearth.Value) string {
	if v.Kind() == hearth.Number {
		return strconv.FormatFloat(v.Number(), 'g', 6, 64)
	}
	return v.String()
}

// loadRules takes the rules over as they are stored.
func (a *Alerts) loadRules(ctx context.Context) error {
	rules := map[string][]Rule{}
	err := a.eachRule(ctx, "", func(tenant string, r Rule) { rules[tenant] = append(rules[tenant], r) })
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rules = rules
	return nil
}

// eachRule shows the rules of a tenant, "" being all of them, oldest first.
func (a *Alerts) eachRule(ctx context.Context, tenant string, show func(tenant string, r Rule)) error {
	rows, err := a.db.QueryContext(ctx, `SELECT id, tenant, created, rule FROM alert_rules WHERE $1 = '' OR tenant = $1 ORDER BY created, id`, tenant)
	if err != nil {
		return fmt.Errorf("reading the alert rules: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r Rule
		var id, owner, text string
		var created int64
		if err := rows.Scan(&id, &owner, &created, &text); err != nil {
			return fmt.Errorf("reading the alert rules: %w", err)
		}
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return fmt.Errorf("reading the alert rule %s: %w", id, err)
		}
		r.ID, r.Created = id, timeOf(created)
		show(owner, r)
	}
	return rows.Err()
}

// putRule stores a rule of a tenant: a new one where it has no id yet. Code not_found: there is no such rule or home.
func (a *Alerts) putRule(ctx context.Context, tenant string, r Rule) (Rule, error) {
	if err := r.check(); err != nil {
		return Rule{}, err
	}
	fresh := r.ID == ""
	if fresh {
		r.ID, r.Created = "r"+strings.ToLower(rand.Text()[:9]), timeOf(a.o.Now().UnixMilli())
	}
	body, err := json.Marshal(r)
	if err != nil {
		return Rule{}, fmt.Errorf("storing an alert rule: %w", err)
	}
	err = a.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		if err := checkRoom(ctx, tx, tenant, r.Home, fresh); err != nil {
			return err
		}
		if fresh {
			_, err := tx.ExecContext(ctx, `INSERT INTO alert_rules (id, tenant, home, created, rule) VALUES ($1, $2, $3, $4, $5)`,
				r.ID, tenant, r.Home, r.Created.UnixMilli(), string(body))
			return err
		}
		var created int64
		err := tx.QueryRowContext(ctx, `UPDATE alert_rules SET home = $1, rule = $2 WHERE id = $3 AND tenant = $4 RETURNING created`,
			r.Home, string(body), r.ID, tenant).Scan(&created)
		r.Created = timeOf(created)
		return missing(err)
	})
	if err != nil {
		return Rule{}, fmt.Errorf("storing an alert rule: %w", err)
	}
	return r, a.loadRules(ctx)
}

func missing(err error) error {
	if err == sql.ErrNoRows {
		return hearth.Errorf(hearth.CodeNotFound, "there is no such rule")
	}
	return err
}

func checkRoom(ctx context.Context, tx *sql.Tx, tenant, home string, fresh bool) error {
	var homes, rules int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM homes WHERE id = $1 AND tenant = $2`, home, tenant).Scan(&homes); err != nil {
		return err
	}
	if home != "" && homes == 0 {
		return hearth.Errorf(hearth.CodeNotFound, "the tenant has no home %.40q", home)
	}
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM alert_rules WHERE tenant = $1`, tenant).Scan(&rules); err != nil {
		return err
	}
	if fresh && rules >= maxRules {
		return hearth.Errorf(hearth.CodeConflict, "the tenant has %d rules already: delete one first", rules)
	}
	return nil
}

// deleteRule also ends its alerts, at the next look.
func (a *Alerts) deleteRule(ctx context.Context, tenant, id string) error {
	err := a.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		var found string
		return missing(tx.QueryRowContext(ctx, `DELETE FROM alert_rules WHERE id = $1 AND tenant = $2 RETURNING id`, id, tenant).Scan(&found))
	})
	if err != nil {
		return fmt.Errorf("deleting an alert rule: %w", err)
	}
	return a.loadRules(ctx)
}
