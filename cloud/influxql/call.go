package influxql

import (
	"errors"
	"fmt"

	"github.com/influxdata/influxql"
)

// expr checks one expression of a field. wild says whether a wildcard may stand there.
func (c *compiled) expr(e influxql.Expr, wild bool) error {
	switch e := e.(type) {
	case *influxql.VarRef:
		c.plain = true
		return nil
	case *influxql.Wildcard:
		if c.plain = true; !wild {
			return errors.New("unable to use wildcard in a binary expression")
		}
		return nil
	case *influxql.RegexLiteral:
		if c.plain = true; !wild {
			return errors.New("unable to use regex in a binary expression")
		}
		return nil
	case *influxql.Call:
		if isMath(e.Name) {
			return c.math(e, wild)
		}
		c.calls++
		return c.call(e, wild)
	case *influxql.Distinct:
		c.calls++
		return c.distinctCall(e.NewCall(), false)
	case *influxql.BinaryExpr:
		return c.binary(e)
	case *influxql.ParenExpr:
		return c.expr(e.Expr, wild)
	case influxql.Literal:
		return errors.New("field must contain at least one variable")
	}
	return fmt.Errorf("%s cannot be selected: name a field, a function of one, or a calculation", e)
}

func (c *compiled) binary(e *influxql.BinaryExpr) error {
	_, left := e.LHS.(influxql.Literal)
	_, right := e.RHS.(influxql.Literal)
	if left && right {
		return errors.New("cannot perform a binary expression on two literals")
	}
	if !left {
		if err := c.expr(e.LHS, false); err != nil {
			return err
		}
	}
	if !right {
		return c.expr(e.RHS, false)
	}
	return nil
}

func (c *compiled) math(e *influxql.Call, wild bool) error {
	if len(e.Args) != mathArgs(e.Name) {
		return arity(e, mathArgs(e.Name))
	}
	for _, arg := range e.Args {
		if _, literal := arg.(influxql.Literal); literal {
			continue
		}
		if err := c.expr(arg, wild); err != nil {
			return err
		}
	}
	return nil
}

func arity(e *influxql.Call, want int) error {
	return fmt.Errorf("invalid number of arguments for %s, expected %d, got %d", e.Name, want, len(e.Args))
}

// call checks a function over many points.
func (c *compiled) call(e *influxql.Call, wild bool) error {
	switch e.Name {
	case "min", "max", "first", "last", "count", "sum", "mean", "median", "mode", "stddev", "spread":
		return c.aggregate(e, wild)
	case "percentile":
		return c.percentile(e, wild)
	case "distinct":
		return c.distinctCall(e, false)
	case "top", "bottom":
		return c.topBottomCall(e)
	case "derivative", "non_negative_derivative", "elapsed":
		if n := len(e.Args); n < 1 || n > 2 {
			return fmt.Errorf("invalid number of arguments for %s, expected at least 1 but no more than 2, got %d", e.Name, n)
		}
		if err := unit(e, fmt.Sprintf("second argument to %s must be a duration", e.Name), true); err != nil {
			return err
		}
		return c.transform(e, wild)
	case "difference", "non_negative_difference", "cumulative_sum":
		if len(e.Args) != 1 {
			return arity(e, 1)
		}
		return c.transform(e, wild)
	case "moving_average":
		if err := movingAverage(e); err != nil {
			return err
		}
		return c.transform(e, wild)
	case "integral":
		if n := len(e.Args); n < 1 || n > 2 {
			return fmt.Errorf("invalid number of arguments for integral, expected at least 1 but no more than 2, got %d", n)
		}
		if err := unit(e, "second argument must be a duration", false); err != nil {
			return err
		}
		c.selectors = false
		return c.symbol(e, wild)
	case "sample", "holt_winters", "holt_winters_with_fit", "exponential_moving_average", "double_exponential_moving_average",
		"triple_exponential_moving_average", "relative_strength_index", "triple_exponential_derivative",
		"kaufmans_efficiency_ratio", "kaufmans_adaptive_moving_average", "chande_momentum_oscillator":
		return fmt.Errorf("function %s() is not available here", e.Name)
	}
	return fmt.Errorf("undefined function %s()", e.Name)
}

func (c *compiled) aggregate(e *influxql.Call, wild bool) error {
	switch e.Name {
	case "min", "max", "first", "last":
	default:
		c.selectors = false
	}
	if len(e.Args) != 1 {
		return arity(e, 1)
	}
	if e.Name == "count" {
		switch arg := e.Args[0].(type) {
		case *influxql.Call:
			if arg.Name == "distinct" {
				return c.distinctCall(arg, true)
			}
		case *influxql.Distinct:
			return c.distinctCall(arg.NewCall(), true)
		}
	}
	return c.symbol(e, wild)
}

// symbol checks that the first argument is a field.
func (c *compiled) symbol(e *influxql.Call, wild bool) error {
	switch e.Args[0].(type) {
	case *influxql.VarRef:
		return nil
	case *influxql.Wildcard:
		if c.selectors = false; !wild {
			return fmt.Errorf("unsupported expression with wildcard: %s()", e.Name)
		}
		return nil
	case *influxql.RegexLiteral:
		if c.selectors = false; !wild {
			return fmt.Errorf("unsupported expression with regex field: %s()", e.Name)
		}
		return nil
	}
	return fmt.Errorf("expected field argument in %s()", e.Name)
}

func (c *compiled) percentile(e *influxql.Call, wild bool) error {
	if len(e.Args) != 2 {
		return arity(e, 2)
	}
	switch e.Args[1].(type) {
	case *influxql.IntegerLiteral, *influxql.NumberLiteral:
		return c.symbol(e, wild)
	}
	return errors.New("expected float argument in percentile()")
}

// unit checks the duration that a function may have as its second argument.
func unit(e *influxql.Call, wrong string, named bool) error {
	if len(e.Args) < 2 {
		return nil
	}
	d, ok := e.Args[1].(*influxql.DurationLiteral)
	switch {
	case !ok && named:
		return fmt.Errorf("%s, got %T", wrong, e.Args[1])
	case !ok:
		return errors.New(wrong)
	case d.Val <= 0:
		return fmt.Errorf("duration argument must be positive, got %s", influxql.FormatDuration(d.Val))
	}
	return nil
}

// maxWindow is over how many points a moving average may go.
const maxWindow = 100_000

func movingAverage(e *influxql.Call) error {
	if len(e.Args) != 2 {
		return arity(e, 2)
	}
	n, ok := e.Args[1].(*influxql.IntegerLiteral)
	switch {
	case !ok:
		return fmt.Errorf("second argument for moving_average must be an integer, got %T", e.Args[1])
	case n.Val <= 1:
		return fmt.Errorf("moving_average window must be greater than 1, got %d", n.Val)
	case n.Val > maxWindow:
		return fmt.Errorf("moving_average window must not be greater than %d, got %d", maxWindow, n.Val)
	}
	return nil
}

// transform checks a function that goes from point to point: of a field, or of what GROUP BY time made.
func (c *compiled) transform(e *influxql.Call, wild bool) error {
	c.selectors = false
	inner, nested := e.Args[0].(*influxql.Call)
	if d, ok := e.Args[0].(*influxql.Distinct); ok {
		inner, nested = d.NewCall(), true
	}
	switch {
	case nested && c.interval == 0:
		return fmt.Errorf("%s aggregate requires a GROUP BY interval", e.Name)
	case nested && inner.Name == "distinct":
		return c.distinctCall(inner, true)
	case nested:
		return c.expr(inner, wild)
	case c.interval != 0 && !c.inherited:
		return fmt.Errorf("aggregate function required inside the call to %s", e.Name)
	}
	return c.symbol(e, wild)
}

func (c *compiled) distinctCall(e *influxql.Call, nested bool) error {
	switch len(e.Args) {
	case 0:
		return errors.New("distinct function requires at least one argument")
	case 1:
	default:
		return errors.New("distinct function can only have one argument")
	}
	if _, ok := e.Args[0].(*influxql.VarRef); !ok {
		return errors.New("expected field argument in distinct()")
	}
	c.distinct = c.distinct || !nested
	c.selectors = false
	return nil
}

func (c *compiled) topBottomCall(e *influxql.Call) error {
	if c.topBottom != "" {
		return fmt.Errorf("selector function %s() cannot be combined with other functions", c.topBottom)
	}
	if len(e.Args) < 2 {
		return fmt.Errorf("invalid number of arguments for %s, expected at least 2, got %d", e.Name, len(e.Args))
	}
	last := e.Args[len(e.Args)-1]
	n, ok := last.(*influxql.IntegerLiteral)
	switch {
	case !ok:
		return fmt.Errorf("expected integer as last argument in %s(), found %s", e.Name, last)
	case n.Val <= 0:
		return fmt.Errorf("limit (%d) in %s function must be at least 1", n.Val, e.Name)
	case c.stmt.Limit > 0 && int(n.Val) > c.stmt.Limit:
		return fmt.Errorf("limit (%d) in %s function can not be larger than the LIMIT (%d) in the select statement", n.Val, e.Name, c.stmt.Limit)
	}
	if _, ok := e.Args[0].(*influxql.VarRef); !ok {
		return fmt.Errorf("expected first argument to be a field in %s(), found %s", e.Name, e.Args[0])
	}
	for _, arg := range e.Args[1 : len(e.Args)-1] {
		if _, ok := arg.(*influxql.VarRef); !ok {
			return fmt.Errorf("only fields or tags are allowed in %s(), found %s", e.Name, arg)
		}
		c.plain = true
	}
	c.topBottom = e.Name
	return nil
}
