package homeassistant

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"hearth/drivers/mqtt/dialect"
)

// A template is the small part of Jinja that bridges use in what they announce: paths into value_json, arithmetic,
// comparisons, one-line and block conditions, a fixed list of filters. There are no loops, so what one evaluation costs
// is bounded by the template's length. Anything else is refused when it is read, never guessed at.
type template struct {
	source string
	body   []node
}

const (
	maxTemplate = 4 << 10  // bytes of one template
	maxNesting  = 32       // of brackets and conditions
	maxResult   = 64 << 10 // bytes of any text on the way
)

// A scope is what a template can see.
type scope struct {
	value any            // what was received, or what is to be sent
	json  any            // value_json; undefined where the payload is no JSON
	names map[string]any // brightness and the like, and what {% set %} has set
}

// node is one part of a template's body; it writes text.
type node interface {
	write(*scope, *strings.Builder) error
}

type (
	literal    string
	output     struct{ expression }
	assignment struct {
		name  string
		value expression
	}
	branch struct {
		condition expression // nil: else
		body      []node
	}
	conditional []branch
)

// parseTemplate reads a template that may use these names beside value and value_json.
func parseTemplate(source string, names ...string) (*template, error) {
	if len(source) > maxTemplate {
		return nil, fmt.Errorf("%d bytes are too long for a template", len(source))
	}
	cut, err := pieces(source)
	if err != nil {
		return nil, err
	}
	p := &templateParser{pieces: cut, names: append([]string{"value", "value_json"}, names...)}
	body, end, err := p.body(0)
	if err != nil {
		return nil, err
	}
	if end != "" {
		return nil, fmt.Errorf("%s without an if", end)
	}
	return &template{source: source, body: body}, nil
}

type templateParser struct {
	pieces []piece
	names  []string
}

// body reads up to the statement that ends it, whose first word it returns; the piece stays where it is.
func (p *templateParser) body(depth int) (nodes []node, end string, err error) {
	if depth > maxNesting {
		return nil, "", errTooDeep
	}
	for len(p.pieces) > 0 {
		part := p.pieces[0]
		switch part.kind {
		case pieceText:
			nodes = append(nodes, literal(part.text))
		case pieceExpression:
			e, err := parseExpression(part.tokens, p.names)
			if err != nil {
				return nil, "", err
			}
			nodes = append(nodes, output{e})
		case pieceStatement:
			word := firstWord(part.tokens)
			if word == "elif" || word == "else" || word == "endif" {
				return nodes, word, nil
			}
			n, err := p.statement(word, depth)
			if err != nil {
				return nil, "", err
			}
			nodes = append(nodes, n)
			continue
		}
		p.pieces = p.pieces[1:]
	}
	return nodes, "", nil
}

func firstWord(tokens []token) string {
	if len(tokens) == 0 {
		return ""
	}
	return tokens[0].text
}

func (p *templateParser) statement(word string, depth int) (node, error) {
	tokens := p.pieces[0].tokens
	switch word {
	case "if":
		return p.conditional(depth)
	case "set":
		if len(tokens) < 4 || tokens[1].kind != tokenName || tokens[2] != (token{tokenMark, "="}) {
			return nil, errors.New("only {% set name = value %} is understood")
		}
		value, err := parseExpression(tokens[3:], p.names)
		if err != nil {
			return nil, err
		}
		p.names = append(p.names, tokens[1].text)
		p.pieces = p.pieces[1:]
		return assignment{tokens[1].text, value}, nil
	}
	return nil, fmt.Errorf("the statement %q is not understood", clip(word))
}

func (p *templateParser) conditional(depth int) (node, error) {
	var branches conditional
	for {
		tokens := p.pieces[0].tokens
		b := branch{}
		if word := tokens[0].text; word != "else" {
			condition, err := parseExpression(tokens[1:], p.names)
			if err != nil {
				return nil, err
			}
			b.condition = condition
		}
		p.pieces = p.pieces[1:]
		body, end, err := p.body(depth + 1)
		if err != nil {
			return nil, err
		}
		b.body = body
		branches = append(branches, b)
		switch {
		case end == "":
			return nil, errors.New("{% endif %} is missing")
		case end == "endif":
			p.pieces = p.pieces[1:]
			return branches, nil
		case b.condition == nil:
			return nil, fmt.Errorf("%s after else", end)
		}
	}
}

// evaluate returns what the template is worth: the value itself where it is a single expression, or else the text. What
// is not there is undefined{}, so that a message without the value is told from one that says nothing.
func (t *template) evaluate(s *scope) (any, error) {
	if len(t.body) == 1 {
		if single, ok := t.body[0].(output); ok {
			return single.evaluate(s)
		}
	}
	text, err := t.render(s)
	return text, err
}

// render returns the template's text as it is published.
func (t *template) render(s *scope) (string, error) {
	var out strings.Builder
	if err := writeAll(t.body, s, &out); err != nil {
		return "", err
	}
	return strings.TrimSpace(out.String()), nil
}

func writeAll(nodes []node, s *scope, out *strings.Builder) error {
	for _, n := range nodes {
		if err := n.write(s, out); err != nil {
			return err
		}
		if out.Len() > maxResult {
			return errTooLong
		}
	}
	return nil
}

func (l literal) write(_ *scope, out *strings.Builder) error {
	out.WriteString(string(l))
	return nil
}

func (o output) write(s *scope, out *strings.Builder) error {
	v, err := o.evaluate(s)
	if err != nil {
		return err
	}
	text, err := textOf(v)
	out.WriteString(text)
	return err
}

func (a assignment) write(s *scope, _ *strings.Builder) error {
	v, err := a.value.evaluate(s)
	if err != nil {
		return err
	}
	if s.names == nil {
		s.names = map[string]any{}
	}
	s.names[a.name] = v
	return nil
}

func (c conditional) write(s *scope, out *strings.Builder) error {
	for _, b := range c {
		if b.condition != nil {
			v, err := b.condition.evaluate(s)
			if err != nil {
				return err
			}
			if !truth(v) {
				continue
			}
		}
		return writeAll(b.body, s, out)
	}
	return nil
}

// numeric reports whether the template says itself that its value is a number.
func (t *template) numeric() bool {
	if t == nil {
		return false
	}
	return slices.ContainsFunc(t.body, func(n node) bool {
		single, ok := n.(output)
		if !ok || len(t.body) > 1 {
			return false
		}
		switch e := single.expression.(type) {
		case filtered:
			return e.name == "float" || e.name == "int" || e.name == "round" || e.name == "multiply"
		case binary:
			return e.mark == "*" || e.mark == "/" || e.mark == "-" || e.mark == "//"
		}
		return false
	})
}

var (
	errTooDeep = errors.New("it is nested too deep")
	errTooLong = errors.New("its text grows too long")
)

// clip shortens foreign text for a message.
func clip(s string) string {
	short := dialect.Clip(strings.ToValidUTF8(s, "\uFFFD"), 80)
	if len(s) > 80 {
		short += "…"
	}
	return short
}
