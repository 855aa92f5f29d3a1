// Package doctor looks at the world around a gateway: a tree of checks in which whatever needs a broken thing is not
// tried, so that the first broken thing is the one that is named.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// perCheck is how long one check may take.
const perCheck = 10 * time.Second

// A Check looks at one thing. What only makes sense when that is in order hangs below it.
type Check struct {
	Name string
	// Look returns a few words on what it found, or what is wrong and what to do about it. nil: only a heading.
	Look func(context.Context) (string, error)
	Then []Check
}

// A Result is what a Check found.
type Result struct {
	Name    string
	Found   string
	Err     error // nil if all is well; errSkipped where something above is broken
	Results []Result
}

var errSkipped = errors.New("not tried: what it depends on is broken")

// Examine carries out a tree of checks, one after the other.
func Examine(ctx context.Context, c Check) Result {
	r := Result{Name: c.Name}
	if c.Look != nil {
		limited, cancel := context.WithTimeout(ctx, perCheck)
		r.Found, r.Err = c.Look(limited)
		cancel()
	}
	for _, next := range c.Then {
		if r.Err != nil {
			r.Results = append(r.Results, skipped(next))
			continue
		}
		r.Results = append(r.Results, Examine(ctx, next))
	}
	return r
}

func skipped(c Check) Result {
	r := Result{Name: c.Name, Err: errSkipped}
	for _, next := range c.Then {
		r.Results = append(r.Results, skipped(next))
	}
	return r
}

// Broken returns the names and the error of the first broken thing, nil if all is well.
func (r Result) Broken() error {
	if r.Err != nil {
		return fmt.Errorf("%s: %w", r.Name, r.Err)
	}
	for _, below := range r.Results {
		if err := below.Broken(); err != nil {
			return err
		}
	}
	return nil
}

// Print draws the tree.
func (r Result) Print(w io.Writer) { r.print(w, "", "") }

func (r Result) print(w io.Writer, lead, below string) {
	mark, text := "ok  ", r.Found
	switch {
	case r.Err == errSkipped:
		mark, text = "-   ", "dependency failed"
	case r.Err != nil:
		mark, text = "FAIL", r.Err.Error()
	}
	line := mark + " " + lead + r.Name
	if text != "" {
		line += ": " + strings.ReplaceAll(text, "\n", "\n     "+below+"  ")
	}
	fmt.Fprintln(w, line)
	for i, next := range r.Results {
		if i == len(r.Results)-1 {
			next.print(w, below+"└─ ", below+"   ")
		} else {
			next.print(w, below+"├─ ", below+"│  ")
		}
	}
}
