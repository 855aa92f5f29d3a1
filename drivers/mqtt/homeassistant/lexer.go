package homeassistant

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The pieces of a template: literal text, {{ expressions }} and {% statements %}. Comments {# … #} are gone after this.
type pieceKind uint8

const (
	pieceText pieceKind = iota
	pieceExpression
	pieceStatement
)

type piece struct {
	kind   pieceKind
	text   string  // of literal text
	tokens []token // of the others
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenNumber
	tokenText // a quoted one
	tokenMark // an operator or bracket
)

type token struct {
	kind tokenKind
	text string
}

// marks are the operators, longest first.
var marks = [...]string{"==", "!=", "<=", ">=", "//", "(", ")", "[", "]", "{", "}", ".", ",", ":", "|", "+", "-", "*", "/", "%", "~", "<", ">", "="}

// pieces cuts a template. A dash inside the delimiters takes the white space beside them away.
func pieces(source string) ([]piece, error) {
	var out []piece
	trimNext := false
	for source != "" {
		start := strings.IndexByte(source, '{')
		for start >= 0 && (start+1 == len(source) || !strings.ContainsRune("{%#", rune(source[start+1]))) {
			next := strings.IndexByte(source[start+1:], '{')
			if next < 0 {
				start = -1
				break
			}
			start += 1 + next
		}
		literal := source
		if start >= 0 {
			literal = source[:start]
		}
		if trimNext {
			literal = strings.TrimLeft(literal, " \t\r\n")
		}
		if start < 0 {
			return appendText(out, literal), nil
		}
		opening := source[start+1]
		source = source[start+2:]
		if strings.HasPrefix(source, "-") {
			source, literal = source[1:], strings.TrimRight(literal, " \t\r\n")
		}
		out = appendText(out, literal)
		if opening == '#' {
			_, rest, found := strings.Cut(source, "#}")
			if !found {
				return nil, fmt.Errorf("a comment has no end")
			}
			source, trimNext = rest, false
			continue
		}
		tokens, rest, trim, err := lex(source, opening)
		if err != nil {
			return nil, err
		}
		source, trimNext = rest, trim
		kind := pieceExpression
		if opening == '%' {
			kind = pieceStatement
		}
		out = append(out, piece{kind: kind, tokens: tokens})
	}
	return out, nil
}

func appendText(out []piece, text string) []piece {
	if text == "" {
		return out
	}
	return append(out, piece{text: text})
}

// lex reads tokens up to the closing delimiter. A }} inside a dictionary's braces closes the dictionary.
func lex(source string, opening byte) (tokens []token, rest string, trim bool, err error) {
	closing, depth := "}}", 0
	if opening == '%' {
		closing = "%}"
	}
	for {
		source = strings.TrimLeft(source, " \t\r\n")
		if depth == 0 {
			if strings.HasPrefix(source, closing) {
				return tokens, source[2:], false, nil
			}
			if strings.HasPrefix(source, "-"+closing) {
				return tokens, source[3:], true, nil
			}
		}
		if source == "" {
			return nil, "", false, fmt.Errorf("%s is missing", closing)
		}
		var t token
		if t, source, err = next(source); err != nil {
			return nil, "", false, err
		}
		switch t {
		case token{tokenMark, "{"}:
			depth++
		case token{tokenMark, "}"}:
			depth--
		}
		tokens = append(tokens, t)
	}
}

// next reads one token from a source that begins with one.
func next(source string) (token, string, error) {
	switch c := source[0]; {
	case c == '\'' || c == '"':
		return quoted(source)
	case c >= '0' && c <= '9':
		n := 1
		for n < len(source) && (digit(source[n]) || source[n] == '.' && n+1 < len(source) && digit(source[n+1])) {
			n++
		}
		return token{tokenNumber, source[:n]}, source[n:], nil
	case nameByte(c):
		n := 1
		for n < len(source) && (nameByte(source[n]) || digit(source[n])) {
			n++
		}
		return token{tokenName, source[:n]}, source[n:], nil
	}
	for _, mark := range marks {
		if strings.HasPrefix(source, mark) {
			return token{tokenMark, mark}, source[len(mark):], nil
		}
	}
	r, _ := utf8.DecodeRuneInString(source)
	return token{}, "", fmt.Errorf("%q has no meaning here", r)
}

func quoted(source string) (token, string, error) {
	var text strings.Builder
	for i := 1; i < len(source); i++ {
		switch c := source[i]; {
		case c == source[0]:
			return token{tokenText, text.String()}, source[i+1:], nil
		case c == '\\' && i+1 < len(source):
			i++
			switch source[i] {
			case 'n':
				text.WriteByte('\n')
			case 't':
				text.WriteByte('\t')
			case 'r':
				text.WriteByte('\r')
			default:
				text.WriteByte(source[i])
			}
		default:
			text.WriteByte(c)
		}
	}
	return token{}, "", fmt.Errorf("a text has no closing %c", source[0])
}

func digit(c byte) bool    { return c >= '0' && c <= '9' }
func nameByte(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
