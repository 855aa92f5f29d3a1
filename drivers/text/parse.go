package text

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"hearth"
)

// A lookup finds a field of one line: a string, or of JSON also a float64 or bool. Nil: there is none, or it is null.
type lookup func(from string) any

// A parser takes one line apart.
type parser func(line string) (lookup, error)

// newParser makes the parser of settings that have passed Check.
func newParser(c *Config) parser {
	switch c.Format {
	case "csv":
		return c.csv
	case "json":
		return parseJSON
	case "kv":
		return c.pairs
	}
	pattern := regexp.MustCompile(c.Pattern)
	return func(line string) (lookup, error) {
		groups := pattern.FindStringSubmatch(line)
		if groups == nil {
			return nil, errors.New("it does not match the pattern")
		}
		return func(from string) any {
			if i := pattern.SubexpIndex(from); i >= 0 && groups[i] != "" {
				return groups[i]
			}
			return nil
		}, nil
	}
}

func (c *Config) csv(line string) (lookup, error) {
	r := csv.NewReader(strings.NewReader(line))
	r.Comma = []rune(c.comma())[0]
	r.LazyQuotes, r.TrimLeadingSpace, r.FieldsPerRecord = true, true, -1
	cells, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("it is no CSV: %w", err)
	}
	if len(c.Columns) > 0 && len(cells) != len(c.Columns) {
		return nil, fmt.Errorf("it has %d columns, not %d", len(cells), len(c.Columns))
	}
	return func(from string) any {
		n, err := strconv.Atoi(from)
		for i, name := range c.Columns {
			if name == from {
				n, err = i+1, nil
			}
		}
		if err != nil || n < 1 || n > len(cells) || strings.TrimSpace(cells[n-1]) == "" {
			return nil
		}
		return strings.TrimSpace(cells[n-1])
	}, nil
}

func (c *Config) pairs(line string) (lookup, error) {
	split := func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == ';' }
	parts := strings.FieldsFunc(line, split)
	if c.Separator != "" && c.Separator != "tab" {
		parts = strings.Split(line, c.Separator)
	} else if c.Separator == "tab" {
		parts = strings.Split(line, "\t")
	}
	found := map[string]string{}
	for _, part := range parts {
		at, width := strings.IndexAny(part, "=:"), 1
		if c.Assign != "" {
			at, width = strings.Index(part, c.Assign), len(c.Assign)
		}
		if at > 0 {
			found[strings.TrimSpace(part[:at])] = strings.Trim(strings.TrimSpace(part[at+width:]), `"`)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("there is no name and value in it")
	}
	return func(from string) any {
		if v := found[from]; v != "" {
			return v
		}
		return nil
	}, nil
}

func parseJSON(line string) (lookup, error) {
	var doc any
	if err := json.Unmarshal([]byte(line), &doc); err != nil {
		return nil, fmt.Errorf("it is no JSON: %w", err)
	}
	switch doc.(type) {
	case map[string]any, []any:
	default:
		return nil, errors.New("it is neither a JSON object nor an array")
	}
	return func(from string) any { return point(doc, from) }, nil
}

// point follows a JSON pointer (RFC 6901); what does not begin with a slash is a key.
func point(doc any, pointer string) any {
	if !strings.HasPrefix(pointer, "/") {
		pointer = "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(pointer)
	}
	for _, step := range strings.Split(pointer[1:], "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch at := doc.(type) {
		case map[string]any:
			doc = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			doc = at[i]
		default:
			return nil
		}
	}
	return doc
}

// value makes a field's property of what stands in the line.
func (f *Field) value(raw any) (hearth.Value, error) {
	text, single := plain(raw)
	if !single {
		return hearth.Value{}, errors.New("it is no single value")
	}
	if len(f.words) > 0 {
		v, known := f.words[text]
		if !known {
			return hearth.Value{}, fmt.Errorf("the map does not know %q", clip(text))
		}
		return v, nil
	}
	switch f.Kind {
	case hearth.Bool:
		return boolean(text)
	case hearth.Text:
		return hearth.TextOf(text), nil
	}
	n, err := number(text)
	if err != nil {
		return hearth.Value{}, err
	}
	return f.scaled(n)
}

// plain returns a single value as text; false for a JSON object or array.
func plain(raw any) (text string, single bool) {
	switch raw := raw.(type) {
	case string:
		return raw, true
	case float64:
		return strconv.FormatFloat(raw, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(raw), true
	}
	return "", false
}

func boolean(text string) (hearth.Value, error) {
	switch strings.ToLower(text) {
	case "1", "true", "on", "yes":
		return hearth.BoolOf(true), nil
	case "0", "false", "off", "no":
		return hearth.BoolOf(false), nil
	}
	return hearth.Value{}, fmt.Errorf("%q is neither true nor false: use map", clip(text))
}

// number reads 21.5, and 21,5 as half of Europe writes it.
func number(text string) (float64, error) {
	text = strings.TrimSpace(text)
	if strings.Count(text, ",") == 1 && !strings.Contains(text, ".") {
		text = strings.Replace(text, ",", ".", 1)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%q is no number", clip(text))
	}
	return n, nil
}

// scaled gives the number its unit. Fifteen digits are all that a float64 surely holds: 215 × 0.1 is 21.5.
func (f *Field) scaled(n float64) (hearth.Value, error) {
	if f.Scale != 1 || f.Offset != 0 {
		short, err := strconv.ParseFloat(strconv.FormatFloat(n*f.Scale+f.Offset, 'g', 15, 64), 64)
		if err != nil {
			return hearth.Value{}, fmt.Errorf("%g is too large", n)
		}
		n = short
	}
	return hearth.NumberOf(n), nil
}

// word returns what a command sends for a value: the opposite of value.
func (f *Field) word(v hearth.Value) (string, error) {
	best, known := "", false
	for word, meaning := range f.words {
		if meaning == v && (!known || word < best) {
			best, known = word, true
		}
	}
	switch {
	case known:
		return best, nil
	case len(f.words) > 0:
		return "", hearth.Errorf(hearth.CodeBadValue, "%s has no word for %s", f.Property, v)
	case v.Kind() == hearth.Bool && v.Bool():
		return "1", nil
	case v.Kind() == hearth.Bool:
		return "0", nil
	case v.Kind() == hearth.Number:
		raw := (v.Number() - f.Offset) / f.Scale
		short, err := strconv.ParseFloat(strconv.FormatFloat(raw, 'g', 15, 64), 64)
		if err != nil {
			return "", hearth.Errorf(hearth.CodeBadValue, "%s is too large", v)
		}
		return strconv.FormatFloat(short, 'f', -1, 64), nil
	}
	for _, r := range v.Text() {
		if r < ' ' || r == 0x7f {
			return "", hearth.Errorf(hearth.CodeBadValue, "%s cannot be sent: it holds a control character", v)
		}
	}
	return v.Text(), nil
}

// when reads the line's own time; zero if it has none, or none that is plausible.
func (t *TimeField) when(find lookup, now time.Time, trusted bool) (time.Time, error) {
	if t.From == "" || !trusted {
		return time.Time{}, nil
	}
	raw := find(t.From)
	if raw == nil {
		return time.Time{}, nil
	}
	at, err := t.read(raw)
	if err != nil {
		return time.Time{}, err
	}
	if off := at.Sub(now).Abs(); off > 24*time.Hour {
		return time.Time{}, fmt.Errorf("its time %s is %v away from now", at.Format(time.RFC3339), off.Round(time.Hour))
	}
	return at, nil
}

func (t *TimeField) read(raw any) (time.Time, error) {
	text, _ := plain(raw)
	switch t.Format {
	case "unix", "unix_ms":
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.Abs(n) > 1e15 {
			return time.Time{}, fmt.Errorf("%q is no unix time", clip(text))
		}
		if t.Format == "unix" {
			n *= 1000
		}
		return time.UnixMilli(int64(n)).UTC(), nil
	case "", "rfc3339":
		at, err := time.Parse(time.RFC3339Nano, text)
		return at.UTC(), err
	}
	at, err := time.ParseInLocation(t.Format, text, time.Local)
	return at.UTC(), err
}

// clip shortens foreign text for an error or a log.
func clip(s string) string {
	if len(s) > 120 {
		s = s[:120] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
