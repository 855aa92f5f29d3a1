package influxql

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/influxdata/influxql"
)

// compiled is what a SELECT turned out to be.
type compiled struct {
	now       time.Time
	stmt      *influxql.SelectStatement
	times     influxql.TimeRange
	interval  time.Duration
	inherited bool // the interval is that of the query around

	fields    int
	calls     int
	selectors bool // every call picks a point
	plain     bool // there are fields outside of calls
	distinct  bool
	topBottom string
}

// compile checks a statement as InfluxDB does, in its words, resolves what depends on the present, and prepares the
// statement for its columns' types to be found. It changes stmt.
func compile(stmt *influxql.SelectStatement, now time.Time) (*compiled, error) {
	c := &compiled{now: now, stmt: stmt}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	stmt.RewriteDistinct()
	stmt.RewriteTimeFields()
	stmt.RewriteRegexConditions()
	return c, nil
}

// prepare resolves conditions, dimensions and the time range.
func (c *compiled) prepare() error {
	valuer := influxql.NowValuer{Now: c.now, Location: c.stmt.Location}
	cond, times, err := influxql.ConditionExpr(c.stmt.Condition, &valuer)
	if err != nil {
		return err
	}
	if err := checkCondition(cond); err != nil {
		return err
	}
	c.stmt.Condition, c.times = cond, times
	if err := c.dimensions(); err != nil {
		return err
	}
	if c.times.Min.IsZero() {
		c.times.Min = time.Unix(0, influxql.MinTime).UTC()
	}
	if c.times.Max.IsZero() {
		c.times.Max = time.Unix(0, influxql.MaxTime).UTC()
		if c.interval > 0 {
			c.times.Max = c.now
		}
	}
	return nil
}

func checkCondition(e influxql.Expr) error {
	switch e := e.(type) {
	case *influxql.BinaryExpr:
		if err := checkCondition(e.LHS); err != nil {
			return err
		}
		return checkCondition(e.RHS)
	case *influxql.Call:
		if !isMath(e.Name) {
			return fmt.Errorf("invalid function call in condition: %s", e)
		}
		if len(e.Args) != mathArgs(e.Name) {
			return arity(e, mathArgs(e.Name))
		}
		for _, arg := range e.Args {
			if err := checkCondition(arg); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *compiled) dimensions() error {
	for _, d := range c.stmt.Dimensions {
		d.Expr = influxql.Reduce(d.Expr, nil)
		switch e := d.Expr.(type) {
		case *influxql.VarRef:
			if strings.EqualFold(e.Val, "time") {
				return errors.New("time() is a function and expects at least one argument")
			}
		case *influxql.Call:
			if err := c.timeDimension(e); err != nil {
				return err
			}
		case *influxql.Wildcard, *influxql.RegexLiteral:
		default:
			return errors.New("only time and tag dimensions allowed")
		}
	}
	return nil
}

func (c *compiled) timeDimension(e *influxql.Call) error {
	if e.Name != "time" {
		return errors.New("only time() calls allowed in dimensions")
	}
	if len(e.Args) < 1 || len(e.Args) > 2 {
		return errors.New("time dimension expected 1 or 2 arguments")
	}
	every, ok := e.Args[0].(*influxql.DurationLiteral)
	if !ok {
		return errors.New("time dimension must have duration argument")
	}
	if c.interval != 0 {
		return errors.New("multiple time dimensions not allowed")
	}
	if c.interval = every.Val; len(e.Args) == 1 || c.interval <= 0 {
		return nil
	}
	offset, err := c.offset(e.Args[1])
	if err != nil {
		return err
	}
	e.Args[1] = &influxql.DurationLiteral{Val: offset}
	return nil
}

// offset is the second argument of time().
func (c *compiled) offset(e influxql.Expr) (time.Duration, error) {
	past := func(t time.Time) time.Duration { return t.Sub(t.Truncate(c.interval)) }
	switch e := e.(type) {
	case *influxql.DurationLiteral:
		return e.Val % c.interval, nil
	case *influxql.TimeLiteral:
		return past(e.Val), nil
	case *influxql.Call:
		if e.Name != "now" {
			return 0, errors.New("time dimension offset function must be now()")
		}
		if len(e.Args) != 0 {
			return 0, errors.New("time dimension offset now() function requires no arguments")
		}
		return past(c.now), nil
	case *influxql.StringLiteral:
		if e.IsTimeLiteral() {
			t, err := e.ToTimeLiteral(c.stmt.Location)
			if err != nil {
				return 0, err
			}
			return past(t.Val), nil
		}
	}
	return 0, errors.New("time dimension offset must be duration or now()")
}

// check looks at the fields, then at the subqueries, which inherit from what is around them.
func (c *compiled) check() error {
	c.selectors = true
	alias := "time"
	for _, f := range c.stmt.Fields {
		if ref, ok := f.Expr.(*influxql.VarRef); ok && ref.Val == "time" {
			if f.Alias != "" {
				alias = f.Alias
			}
			continue
		}
		f.Expr = influxql.Reduce(f.Expr, &slots{})
		c.fields++
		if err := c.expr(f.Expr, true); err != nil {
			return err
		}
	}
	c.stmt.TimeAlias = alias
	if err := c.together(); err != nil {
		return err
	}
	for _, source := range c.stmt.Sources {
		if sub, ok := source.(*influxql.SubQuery); ok {
			if err := c.subquery(sub.Statement); err != nil {
				return err
			}
		}
	}
	return nil
}

// together checks whether the fields go with each other.
func (c *compiled) together() error {
	switch {
	case c.fields == 0:
		return errors.New("at least 1 non-time field must be queried")
	case c.calls > 1 && c.topBottom != "":
		return fmt.Errorf("selector function %s() cannot be combined with other functions", c.topBottom)
	case c.calls == 0 && c.stmt.Fill == influxql.NoFill:
		return errors.New("fill(none) must be used with a function")
	case c.calls == 0 && c.stmt.Fill == influxql.LinearFill:
		return errors.New("fill(linear) must be used with a function")
	case c.calls == 0 && c.interval != 0 && !c.inherited:
		return errors.New("GROUP BY requires at least one aggregate function")
	case c.distinct && (c.calls != 1 || c.plain):
		return errors.New("aggregate function distinct() cannot be combined with other functions or fields")
	case c.plain && !c.selectors:
		return errors.New("mixing aggregate and non-aggregate queries is not supported")
	case c.plain && c.calls > 1:
		return errors.New("mixing multiple selector functions with tags or fields is not supported")
	}
	return nil
}

// subquery checks a subquery, and resolves what of it depends on the present.
func (c *compiled) subquery(stmt *influxql.SelectStatement) error {
	stmt.OmitTime = true
	ordered, descending := len(stmt.SortFields) > 0, !stmt.TimeAscending()
	whole := stmt.Condition
	sub := &compiled{now: c.now, stmt: stmt}
	if err := sub.prepare(); err != nil {
		return err
	}
	if ordered && descending == c.stmt.TimeAscending() {
		return errors.New("subqueries must be ordered in the same direction as the query itself")
	}
	if c.interval != 0 && sub.interval == 0 {
		sub.interval, sub.inherited = c.interval, true
	}
	if err := sub.check(); err != nil {
		return err
	}
	// Its time range is found again when it is run, between those around it.
	stmt.Condition = influxql.Reduce(whole, influxql.MultiValuer(&influxql.NowValuer{Now: c.now, Location: stmt.Location}, &slots{}))
	stmt.RewriteDistinct()
	stmt.RewriteTimeFields()
	return nil
}
