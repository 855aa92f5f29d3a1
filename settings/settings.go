// Package settings reads YAML files strictly: an unknown key, a key given twice, a value of the wrong type or out of
// range anywhere is refused with file, line, column and a hint, and every problem of a file is named at once.
package settings

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits on a file. They keep one made in bad faith from costing more than a moment.
const (
	MaxFile     = 1 << 20 // bytes
	maxDepth    = 100     // maps and lists inside each other
	maxValues   = 100_000 // after aliases are followed
	maxProblems = 50      // named at once
)

// Load reads the YAML file at path into the struct that into points to; see Parse.
func Load(path string, into any) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(path, data, into)
}

// Parse reads YAML into the struct that into points to. Keys are those of the yaml tags (`yaml:"name"`, `yaml:",inline"`
// for an embedded struct). What the data does not name, or names with nothing behind it, keeps the value it had: that is
// how defaults are given. A list or map that is named replaces the default.
//
// Every struct read that has a method Check() error is asked, the innermost first, unless something in it could not be
// read; its error may name a place in it (At) and may join several. The root is always asked.
//
// The error is a Problems whose file is name, or says why nothing could be read at all.
func Parse(name string, data []byte, into any) error {
	d, body, err := parse(name, data)
	if err != nil {
		return err
	}
	return Node{doc: d, node: body, at: d.start}.Decode(into)
}

// A document is a parsed file: what is needed to say where in it something is wrong.
type document struct {
	name    string
	lines   []string
	anchors map[string]ast.Node
	start   *token.Token
}

func parse(name string, data []byte) (d *document, body ast.Node, err error) {
	d = &document{name: name, anchors: map[string]ast.Node{}, start: &token.Token{Position: &token.Position{Line: 1, Column: 1}}}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	if len(data) > MaxFile {
		return nil, nil, d.problem(d.start, "the file is larger than %d bytes", MaxFile)
	}
	if !utf8.Valid(data) {
		return nil, nil, d.problem(d.start, "the file is not UTF-8 text")
	}
	d.lines = strings.Split(string(data), "\n")
	defer func() {
		if p := recover(); p != nil { // the library's parser has panicked on odd input before
			err = d.problem(d.start, "this cannot be read as YAML")
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if deep := tooDeep(tokens); deep != nil {
		return nil, nil, d.problem(deep, "maps and lists are nested more than %d deep", maxDepth)
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, nil, d.syntax(err)
	}
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return nil, nil, d.problem(doc.Body.GetToken(), "a second document: the file may hold one only")
		}
		body = doc.Body
		ast.Walk(d, body)
	}
	return d, body, nil
}

// tooDeep finds the first token that is nested deeper than any sane file, before a recursive parser meets it.
func tooDeep(tokens token.Tokens) *token.Token {
	flow, line, dashes := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, dashes = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			dashes++
		}
		if flow > maxDepth || dashes > maxDepth || flow == 0 && t.Position.IndentNum > 20*maxDepth {
			return t
		}
	}
	return nil
}

// Visit collects the anchors of a file.
func (d *document) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok {
		d.anchors[a.Name.GetToken().Value] = a.Value
	}
	return d
}

func (d *document) syntax(err error) error {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil {
		return d.problem(syntax.Token, "%s", syntax.Message)
	}
	return d.problem(d.start, "this cannot be read as YAML")
}

// A Problem is one thing that is wrong, and where.
type Problem struct {
	File         string
	Line, Column int    // from 1
	Message      string // for a person: what is wrong and what to write instead
	Source       string // the line; "" where it may hold a secret
}

// Error returns file:line:column: message, and below it the line.
func (p Problem) Error() string {
	text := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	if p.Source == "" {
		return text
	}
	number := fmt.Sprintf("%6d | ", p.Line)
	marker := strings.Repeat(" ", len(number)-2) + "| " + strings.Repeat(" ", max(p.Column-1, 0)) + "^"
	return text + "\n" + number + p.Source + "\n" + marker
}

// Problems is everything that is wrong with a file, in the order of its lines.
type Problems []Problem

// Error returns one Problem after the other.
func (p Problems) Error() string {
	texts := make([]string, 0, min(len(p), maxProblems)+1)
	for i, problem := range p {
		if i == maxProblems {
			texts = append(texts, fmt.Sprintf("%s: and %d more", problem.File, len(p)-i))
			break
		}
		texts = append(texts, problem.Error())
	}
	return strings.Join(texts, "\n")
}

func (d *document) problem(at *token.Token, format string, args ...any) Problems {
	p := Problem{File: d.name, Line: max(at.Position.Line, 1), Column: max(at.Position.Column, 1), Message: fmt.Sprintf(format, args...)}
	if p.Line <= len(d.lines) {
		p.Source = shown(d.lines[p.Line-1])
	}
	return Problems{p}
}

var (
	secretLine = regexp.MustCompile(`(?i)(pin|password|passwd|secret|token|key)["']?\s*:`)
	userInfo   = regexp.MustCompile(`://[^/\s]*@`)
)

// shown returns a line as it may stand in a log.
func shown(line string) string {
	line = strings.TrimRight(strings.ReplaceAll(line, "\t", " "), "\r ")
	if len(line) > 160 || secretLine.MatchString(line) || userInfo.MatchString(line) {
		return ""
	}
	return line
}

func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(p)
}

// At returns an error about the value at path, as a Check reports it: "$.buffer.cap", "$.devices[2].address". The path
// begins at the struct that is checked ("$"). Where the file does not name the value, the nearest place above it stands.
func At(path, format string, args ...any) error {
	return &placed{path: path, text: fmt.Sprintf(format, args...)}
}

type placed struct{ path, text string }

func (p *placed) Error() string {
	if path := strings.TrimPrefix(strings.TrimPrefix(p.path, "$"), "."); path != "" {
		return path + ": " + p.text
	}
	return p.text
}
