package jobs

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hearth"
	"hearth/api"
)

// fill completes a wish, and gives it the form in which it can be compared: times as they travel, no empty lists.
func (w *Wish) fill() {
	if w.ID == "" {
		w.ID = "j" + strings.ToLower(rand.Text()[:13])
	}
	if w.Rate == 0 {
		w.Rate = DefaultRate
	}
	if len(w.Select.Homes) == 0 {
		w.Select.Homes = nil
	}
	for _, t := range []*hearth.Time{&w.At, &w.Deadline} {
		if !t.IsZero() {
			*t = timeOf(t.UnixMilli())
		}
	}
}

// check says what is wrong with a wish: code bad_value.
func (w *Wish) check(now time.Time) error {
	begin := now
	if w.At.After(now) {
		begin = w.At.Time
	}
	switch {
	case !isName(w.ID, maxID) || strings.ContainsAny(w.ID, "/ "):
		return bad("/id", "a job's id is at most %d printable bytes, without spaces and slashes", maxID)
	case len(w.Set) == 0 || len(w.Set) > maxSet:
		return bad("/set", "set names 1 to %d properties and their values", maxSet)
	case w.Rate < 1 || w.Rate > MaxRate:
		return bad("/rate", "rate is 1 to %d commands a second", MaxRate)
	case begin.Sub(now) > maxAhead:
		return bad("/at", "a job begins within a year")
	case !w.Deadline.IsZero() && w.Within != "":
		return bad("/within", "deadline is of all commands together, within of each: give one of them")
	case !w.Deadline.IsZero() && !w.Deadline.After(begin):
		return bad("/deadline", "the deadline would be over before the job begins")
	case !w.Deadline.IsZero() && w.Deadline.Sub(begin) > maxWithin:
		return bad("/deadline", "the deadline is at most 30 days after the job begins")
	}
	if w.Within != "" {
		if within, err := time.ParseDuration(w.Within); err != nil || within < time.Second || within > maxWithin {
			return bad("/within", "within is a time from 1s to 720h, as 5m")
		}
	}
	for name, value := range w.Set {
		if value.IsZero() || len(name) > 64 || len(value.Text()) > hearth.MaxText {
			return bad("/set", "%.64q: want a bool, a number or a text", name)
		}
	}
	return w.Select.check()
}

func (s *Select) check() error {
	homes := len(s.Homes) > 0
	switch {
	case s.Group != "" && (homes || s.All || s.filters()):
		return bad("/select", "a group says already which devices are meant: nothing stands beside it")
	case s.Group != "":
		return nil
	case homes == s.All:
		return bad("/select", "say which homes: a list of them, all of them, or a group of devices")
	}
	return s.checkFilters("/select")
}

func (s *Select) filters() bool {
	return s.Device != "" || s.Type != "" || s.Room != "" || s.Property != ""
}

func (s *Select) checkFilters(at string) error {
	switch {
	case len(s.Homes) > MaxMembers:
		return bad(at+"/homes", "at most %d homes", MaxMembers)
	case s.Device != "" && s.Device.Check() != nil:
		return api.At(at+"/device", s.Device.Check())
	case s.Type != "" && !slices.Contains(hearth.Types, s.Type):
		return bad(at+"/type", "type is one of %v", hearth.Types)
	case len(s.Room) > 200 || len(s.Property) > 64:
		return bad(at, "a room has at most 200 bytes, a property 64")
	}
	return nil
}

// within is how long a command has, from when it is given.
func (w *Wish) within() time.Duration {
	if d, err := time.ParseDuration(w.Within); err == nil {
		return d
	}
	return defaultWithin
}

func isName(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func bad(pointer, format string, args ...any) error {
	return api.At(pointer, hearth.Errorf(hearth.CodeBadValue, format, args...))
}
