package homeassistant

import (
	"fmt"
	"slices"
	"strconv"
)

// parseExpression reads one expression that may use these names, to its last token.
func parseExpression(tokens []token, names []string) (expression, error) {
	p := &parser{tokens: tokens, names: names}
	e, err := p.choice()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, fmt.Errorf("%q is not understood here", clip(t.text))
	}
	return e, nil
}

type parser struct {
	tokens []token
	names  []string
	depth  int
}

func (p *parser) peek() token {
	if len(p.tokens) == 0 {
		return token{}
	}
	return p.tokens[0]
}

// take consumes the next token if it is that mark.
func (p *parser) take(mark string) bool { return p.takes(tokenMark, mark) }

// word consumes the next token if it is that word.
func (p *parser) word(word string) bool { return p.takes(tokenName, word) }

func (p *parser) takes(kind tokenKind, text string) bool {
	if p.peek() != (token{kind, text}) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *parser) want(mark string) error {
	if !p.take(mark) {
		return fmt.Errorf("%q is missing", mark)
	}
	return nil
}

// choice = or ["if" or ["else" choice]]
func (p *parser) choice() (expression, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, errTooDeep
	}
	defer func() { p.depth-- }()
	yes, err := p.level(0)
	if err != nil || !p.word("if") {
		return yes, err
	}
	c := choice{yes: yes}
	if c.condition, err = p.level(0); err != nil {
		return nil, err
	}
	if p.word("else") {
		c.no, err = p.choice()
	}
	return c, err
}

// levels are the binary operators, weakest first; between "and" and the comparisons stands "not".
var levels = [...][]string{{"or"}, {"and"}, {"==", "!=", "<=", ">=", "<", ">", "in", "not in"}, {"+", "-"}, {"~"}, {"*", "//", "/", "%"}}

const notLevel = 2

func (p *parser) level(n int) (expression, error) {
	if n == len(levels) {
		return p.unary()
	}
	if n == notLevel && p.word("not") {
		if p.depth++; p.depth > maxNesting {
			return nil, errTooDeep
		}
		defer func() { p.depth-- }()
		of, err := p.level(n)
		return unary{"not", of}, err
	}
	left, err := p.level(n + 1)
	for err == nil {
		mark := p.operator(levels[n])
		if mark == "" {
			return left, nil
		}
		var right expression
		right, err = p.level(n + 1)
		left = binary{mark, left, right}
	}
	return nil, err
}

func (p *parser) operator(of []string) string {
	t := p.peek()
	if t.kind == tokenName && t.text == "not" && len(p.tokens) > 1 && p.tokens[1] == (token{tokenName, "in"}) && slices.Contains(of, "not in") {
		p.tokens = p.tokens[2:]
		return "not in"
	}
	if t.kind != tokenMark && t.kind != tokenName || !slices.Contains(of, t.text) {
		return ""
	}
	p.tokens = p.tokens[1:]
	return t.text
}

func (p *parser) unary() (expression, error) {
	if p.take("-") {
		if p.depth++; p.depth > maxNesting {
			return nil, errTooDeep
		}
		defer func() { p.depth-- }()
		of, err := p.unary()
		return unary{"-", of}, err
	}
	e, err := p.primary()
	if err != nil {
		return nil, err
	}
	return p.postfix(e)
}

func (p *parser) primary() (expression, error) {
	t := p.peek()
	if t.kind == tokenEnd {
		return nil, fmt.Errorf("a value is missing")
	}
	p.tokens = p.tokens[1:]
	switch t.kind {
	case tokenText:
		return constant{t.text}, nil
	case tokenNumber:
		return number(t.text)
	case tokenName:
		return p.named(t.text)
	}
	switch t.text {
	case "(":
		e, err := p.choice()
		if err != nil {
			return nil, err
		}
		return e, p.want(")")
	case "[":
		list, err := p.list("]")
		return listing(list), err
	case "{":
		return p.mapping()
	}
	return nil, fmt.Errorf("%q is not understood here", t.text)
}

func number(text string) (expression, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return constant{n}, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is no number", clip(text))
	}
	return constant{f}, nil
}

// named is a constant, one of the functions, or a name that there is.
func (p *parser) named(word string) (expression, error) {
	switch word {
	case "true", "True":
		return constant{true}, nil
	case "false", "False":
		return constant{false}, nil
	case "none", "None":
		return constant{nil}, nil
	}
	if p.peek() == (token{tokenMark, "("}) {
		return p.function(word)
	}
	if !slices.Contains(p.names, word) {
		return nil, fmt.Errorf("%s is not known here", clip(word))
	}
	return name(word), nil
}

// function reads float(x), int(x), round(x) and iif(condition, yes, no).
func (p *parser) function(word string) (expression, error) {
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	switch {
	case word == "iif" && (len(args.list) == 2 || len(args.list) == 3):
		c := choice{condition: args.list[0], yes: args.list[1], no: constant{false}}
		if len(args.list) == 3 {
			c.no = args.list[2]
		}
		return c, nil
	case (word == "float" || word == "int" || word == "round" || word == "bool") && len(args.list) > 0:
		return newFiltered(args.list[0], word, arguments{args.list[1:], args.named})
	}
	return nil, fmt.Errorf("the function %s is not understood", clip(word))
}

func (p *parser) list(closing string) ([]expression, error) {
	var list []expression
	for !p.take(closing) {
		if len(list) > 0 {
			if err := p.want(","); err != nil {
				return nil, err
			}
			if p.take(closing) {
				break
			}
		}
		e, err := p.choice()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

func (p *parser) mapping() (expression, error) {
	var m mapping
	for !p.take("}") {
		if len(m) > 0 {
			if err := p.want(","); err != nil {
				return nil, err
			}
			if p.take("}") {
				break
			}
		}
		key, err := p.choice()
		if err != nil {
			return nil, err
		}
		if err := p.want(":"); err != nil {
			return nil, err
		}
		value, err := p.choice()
		if err != nil {
			return nil, err
		}
		m = append(m, pair{key, value})
	}
	return m, nil
}

// arguments reads a bracketed list, of which some may be given by name.
func (p *parser) arguments() (arguments, error) {
	args := arguments{named: map[string]expression{}}
	if err := p.want("("); err != nil {
		return args, err
	}
	for first := true; !p.take(")"); first = false {
		if !first {
			if err := p.want(","); err != nil {
				return args, err
			}
		}
		key := ""
		if t := p.peek(); t.kind == tokenName && len(p.tokens) > 1 && p.tokens[1] == (token{tokenMark, "="}) {
			key = t.text
			p.tokens = p.tokens[2:]
		}
		e, err := p.choice()
		if err != nil {
			return args, err
		}
		if key == "" {
			args.list = append(args.list, e)
		} else {
			args.named[key] = e
		}
	}
	return args, nil
}

// postfix reads what follows a value: .key, [key], .method(), | filter, is test.
func (p *parser) postfix(e expression) (expression, error) {
	var err error
	for err == nil {
		switch {
		case p.take("."):
			e, err = p.member(e)
		case p.take("["):
			var at expression
			if at, err = p.choice(); err == nil {
				e, err = index{e, at}, p.want("]")
			}
		case p.take("|"):
			e, err = p.filter(e)
		case p.word("is"):
			e, err = p.test(e)
		default:
			return e, nil
		}
	}
	return nil, err
}

func (p *parser) member(of expression) (expression, error) {
	t := p.peek()
	if t.kind == tokenEnd || t.kind == tokenMark {
		return nil, fmt.Errorf("a name is missing after the dot")
	}
	p.tokens = p.tokens[1:]
	if p.peek() != (token{tokenMark, "("}) {
		if t.kind == tokenNumber {
			n, err := strconv.ParseInt(t.text, 10, 64)
			return index{of, constant{n}}, err
		}
		return index{of, constant{t.text}}, nil
	}
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	if t.text == "get" && len(args.list) > 0 && len(args.list) < 3 {
		found := index{of, args.list[0]}
		if len(args.list) == 2 {
			return newFiltered(found, "default", arguments{list: args.list[1:]})
		}
		return newFiltered(found, "default", arguments{list: []expression{constant{nil}}})
	}
	return newFiltered(of, "."+t.text, args)
}

func (p *parser) filter(of expression) (expression, error) {
	t := p.peek()
	if t.kind != tokenName {
		return nil, fmt.Errorf("a filter is missing after |")
	}
	p.tokens = p.tokens[1:]
	var args arguments
	if p.peek() == (token{tokenMark, "("}) {
		var err error
		if args, err = p.arguments(); err != nil {
			return nil, err
		}
	}
	return newFiltered(of, t.text, args)
}

var tests = []string{"defined", "undefined", "none", "number", "string", "mapping", "true", "false", "in"}

func (p *parser) test(of expression) (expression, error) {
	t := test{of: of, not: p.word("not"), name: p.peek().text}
	if !slices.Contains(tests, t.name) {
		return nil, fmt.Errorf("the test %q is not understood", clip(t.name))
	}
	p.tokens = p.tokens[1:]
	var err error
	if t.name == "in" {
		t.arg, err = p.unary()
	}
	return t, err
}
