package settings

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// A Node is a part of a file whose form is known only later, as a driver's settings are once its type is read. The zero
// Node is a part that the file does not have.
type Node struct {
	doc  *document
	node ast.Node
	at   *token.Token // what to point at when something is missing in it
}

// IsZero reports whether the file does not have this part.
func (n Node) IsZero() bool { return n.doc == nil || n.node == nil }

// Decode reads the part strictly into what into points to, as Parse does. Keys in except are somebody else's and are
// passed over. The error is a Problems with places in the whole file.
func (n Node) Decode(into any, except ...string) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic("settings: into must be a pointer")
	}
	doc, at := n.doc, n.at
	if doc == nil {
		doc = &document{name: "settings", start: &token.Token{Position: &token.Position{Line: 1, Column: 1}}}
		at = doc.start
	}
	d := &decoder{doc: doc, except: except}
	if absent(n.node) {
		d.check(nil, at, v.Elem())
	} else {
		d.decode(at, n.node, v.Elem())
	}
	if len(d.problems) > 0 {
		return d.problems.sorted()
	}
	return nil
}

// At returns an error that says something about the part itself, or a place in it, with its line and column.
func (n Node) At(path, format string, args ...any) error {
	if n.doc == nil {
		return At(path, format, args...)
	}
	d := &decoder{doc: n.doc}
	token, _ := d.resolve(n.node, n.at, path)
	return n.doc.problem(token, format, args...)
}

// An Unmarshaler reads its part of a file itself; its error is placed as that of a Check.
type Unmarshaler interface {
	UnmarshalSettings(Node) error
}

type decoder struct {
	doc      *document
	except   []string // keys of the outermost map that are passed over
	problems Problems
	depth    int
	values   int
	over     bool // a limit was met: nothing more is read
}

func (d *decoder) say(at *token.Token, format string, args ...any) {
	d.problems = append(d.problems, d.doc.problem(at, format, args...)...)
}

func absent(n ast.Node) bool { return n == nil || n.Type() == ast.NullType }

// follow leaves anchors and aliases behind; nil after a problem.
func (d *decoder) follow(n ast.Node) ast.Node {
	for range maxDepth {
		switch x := n.(type) {
		case *ast.AnchorNode:
			n = x.Value
		case *ast.AliasNode:
			target, ok := d.doc.anchors[x.Value.GetToken().Value]
			if !ok {
				d.say(x.Start, "no anchor &%s before this alias", x.Value.GetToken().Value)
				return nil
			}
			n = target
		case *ast.TagNode:
			d.say(x.Start, "tags such as %s are not known here", x.Start.Value)
			return nil
		default:
			return n
		}
	}
	d.say(n.GetToken(), "this alias stands inside itself")
	return nil
}

func (d *decoder) decode(at *token.Token, node ast.Node, v reflect.Value) {
	d.values++
	d.depth++
	defer func() { d.depth-- }()
	if d.over {
		return
	}
	if d.over = d.depth > maxDepth || d.values > maxValues; d.over {
		d.say(at, "too many values, or an alias inside itself")
		return
	}
	part := Node{doc: d.doc, node: node, at: at}
	if v.Type() == reflect.TypeFor[Node]() {
		v.Set(reflect.ValueOf(part))
		return
	}
	if own, ok := v.Addr().Interface().(Unmarshaler); ok {
		d.place(node, at, own.UnmarshalSettings(part))
		return
	}
	if node = d.follow(node); absent(node) {
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.decode(at, node, v.Elem())
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(node, text)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(at, node, v)
	case reflect.Map:
		d.mapping(node, v)
	case reflect.Slice:
		d.list(node, v)
	case reflect.Interface:
		v.Set(reflect.ValueOf(d.free(node)))
	default:
		d.scalar(node, v)
	}
}

func first(n ast.Node) *token.Token {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return m.Values[0].Key.GetToken()
	}
	return n.GetToken()
}

// pairs returns the entries of a map, false (and a problem) if it is none.
func (d *decoder) pairs(node ast.Node, want string) ([]*ast.MappingValueNode, bool) {
	switch x := node.(type) {
	case *ast.MappingNode:
		return x.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{x}, true
	}
	d.say(first(node), "want %s here, not %s", want, kindOf(node))
	return nil, false
}

// key returns the text of a key; false after a problem, which a key given twice is.
func (d *decoder) key(pair *ast.MappingValueNode, seen map[string]int) (string, bool) {
	at := pair.Key.GetToken()
	switch pair.Key.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
	default:
		d.say(at, "a key must be plain text")
		return "", false
	}
	if line, twice := seen[at.Value]; twice {
		d.say(at, "duplicate key %q: it is on line %d already", clip(at.Value), line)
		return "", false
	}
	seen[at.Value] = at.Position.Line
	return at.Value, true
}

func (d *decoder) structure(at *token.Token, node ast.Node, v reflect.Value) {
	before := len(d.problems)
	pairs, ok := d.pairs(node, "keys and values")
	if !ok {
		return
	}
	except := d.except
	d.except = nil
	known, seen := fields(v), map[string]int{}
	for _, pair := range pairs {
		name, ok := d.key(pair, seen)
		if !ok || slices.Contains(except, name) {
			continue
		}
		field, ok := known[name]
		if !ok {
			d.say(pair.Key.GetToken(), "unknown key %q%s", clip(name), suggest(name, known))
			continue
		}
		d.decode(pair.Key.GetToken(), pair.Value, field)
	}
	if len(d.problems) == before {
		d.check(node, at, v)
	}
}

// fields lists the settable fields of v by key, those of inline structs among them.
func fields(v reflect.Value) map[string]reflect.Value {
	known := map[string]reflect.Value{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case slices.Contains(strings.Split(options, ","), "inline"):
			for name, inner := range fields(v.Field(i)) {
				known[name] = inner
			}
		case name == "":
			known[strings.ToLower(f.Name)] = v.Field(i)
		default:
			known[name] = v.Field(i)
		}
	}
	return known
}

// check asks v, and the inline structs in it, whether its values are good.
func (d *decoder) check(node ast.Node, at *token.Token, v reflect.Value) {
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && strings.Contains(f.Tag.Get("yaml"), ",inline") {
			d.check(node, at, v.Field(i))
		}
	}
	if c, ok := v.Addr().Interface().(interface{ Check() error }); ok {
		d.place(node, at, c.Check())
	}
}

// place finds line and column of what a Check said.
func (d *decoder) place(node ast.Node, at *token.Token, err error) {
	var where *placed
	var located Problems
	switch joined, several := err.(interface{ Unwrap() []error }); {
	case err == nil:
	case several:
		for _, one := range joined.Unwrap() {
			d.place(node, at, one)
		}
	case errors.As(err, &located):
		d.problems = append(d.problems, located...)
	case errors.As(err, &where) && err == error(where):
		token, missing := d.resolve(node, at, where.path)
		d.say(token, "%s", about(missing, where.text))
	case where != nil:
		token, missing := d.resolve(node, at, where.path)
		d.say(token, "%s", about(missing, err.Error()))
	default:
		d.say(at, "%s", err)
	}
}

// resolve finds what path names below node, or the nearest place above it that the file has, and the first key that is
// not there.
func (d *decoder) resolve(node ast.Node, at *token.Token, path string) (place *token.Token, missing string) {
	path = strings.NewReplacer("[", ".", "]", "").Replace(strings.TrimPrefix(path, "$"))
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' }) {
		key, value := d.step(node, step)
		if key == nil {
			return at, step
		}
		node, at = value, key
	}
	if scalar, ok := node.(ast.ScalarNode); ok && !absent(scalar) {
		return scalar.GetToken(), ""
	}
	return at, ""
}

func (d *decoder) step(node ast.Node, step string) (*token.Token, ast.Node) {
	if node == nil {
		return nil, nil
	}
	quiet := &decoder{doc: d.doc}
	node = quiet.follow(node)
	if list, ok := node.(*ast.SequenceNode); ok {
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(list.Values) {
			return first(list.Values[i]), list.Values[i]
		}
		return nil, nil
	}
	if node == nil {
		return nil, nil
	}
	pairs, _ := quiet.pairs(node, "")
	for _, pair := range pairs {
		if at := pair.Key.GetToken(); at.Value == step {
			return at, pair.Value
		}
	}
	return nil, nil
}

func (d *decoder) mapping(node ast.Node, v reflect.Value) {
	pairs, ok := d.pairs(node, "keys and values")
	if !ok {
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(pairs)))
	seen := map[string]int{}
	for _, pair := range pairs {
		if _, ok := d.key(pair, seen); !ok {
			continue
		}
		key := reflect.New(v.Type().Key()).Elem()
		before := len(d.problems)
		if text, ok := key.Addr().Interface().(encoding.TextUnmarshaler); ok {
			d.text(pair.Key, text)
		} else {
			d.scalar(pair.Key, key)
		}
		value := reflect.New(v.Type().Elem()).Elem()
		d.decode(pair.Key.GetToken(), pair.Value, value)
		if len(d.problems) == before {
			v.SetMapIndex(key, value)
		}
	}
}

func (d *decoder) list(node ast.Node, v reflect.Value) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		d.say(first(node), "want a list here, as in [a, b], not %s", kindOf(node))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
	for i, item := range list.Values {
		d.decode(first(item), item, v.Index(i))
	}
}

// free reads what has no given form: nil, bool, int64, float64, string, []any or map[string]any.
func (d *decoder) free(node ast.Node) any {
	switch x := node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		m := map[string]any{}
		d.mapping(node, reflect.ValueOf(&m).Elem())
		return m
	case *ast.SequenceNode:
		l := []any{}
		d.list(node, reflect.ValueOf(&l).Elem())
		return l
	case *ast.BoolNode:
		return x.Value
	case *ast.IntegerNode:
		var n int64
		d.scalar(node, reflect.ValueOf(&n).Elem())
		return n
	case *ast.FloatNode:
		return x.Value
	}
	var s string
	d.scalar(node, reflect.ValueOf(&s).Elem())
	return s
}

func (d *decoder) text(node ast.Node, into encoding.TextUnmarshaler) {
	raw, ok := plain(node)
	if !ok {
		d.say(first(node), "want one value here, not %s", kindOf(node))
		return
	}
	if err := into.UnmarshalText([]byte(raw)); err != nil {
		d.say(node.GetToken(), "%s", err)
	}
}

// plain returns the text of a scalar as it was written.
func plain(node ast.Node) (string, bool) {
	switch x := node.(type) {
	case *ast.StringNode:
		return x.Value, true
	case *ast.LiteralNode:
		return x.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, true
	}
	return "", false
}

func quoted(node ast.Node) bool {
	t := node.GetToken().Type
	return t == token.SingleQuoteType || t == token.DoubleQuoteType
}

func (d *decoder) scalar(node ast.Node, v reflect.Value) {
	raw, ok := plain(node)
	if !ok {
		d.say(first(node), "want %s here, not %s", wanted(v), kindOf(node))
		return
	}
	var err error
	switch kind := v.Kind(); {
	case kind == reflect.String:
		if _, isBool := node.(*ast.BoolNode); isBool {
			err = errors.New("want text here, not true or false: put it in quotes")
		}
		v.SetString(raw)
	case kind == reflect.Bool:
		if b, isBool := node.(*ast.BoolNode); isBool {
			v.SetBool(b.Value)
		} else {
			err = fmt.Errorf("want true or false, not %s", clip(raw))
		}
	case v.Type() == reflect.TypeFor[time.Duration]():
		var took Duration
		err = took.UnmarshalText([]byte(raw))
		v.SetInt(int64(took))
	case quoted(node):
		err = fmt.Errorf("want %s, not a text in quotes", wanted(v))
	default:
		err = number(raw, v)
	}
	if err != nil {
		d.say(node.GetToken(), "%s", err)
	}
}

// number reads a number into v; the error says what would be taken.
func number(raw string, v reflect.Value) error {
	text := strings.ReplaceAll(raw, "_", "")
	digits := strings.TrimLeft(text, "+-")
	if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return fmt.Errorf("%s may mean decimal or octal: write %s, or 0o… for octal", clip(raw), strings.TrimLeft(digits, "0"))
	}
	refused := fmt.Errorf("want %s, not %s", wanted(v), clip(raw))
	switch {
	case v.CanInt():
		n, err := strconv.ParseInt(text, 0, 64)
		if err != nil || v.OverflowInt(n) {
			return refused
		}
		v.SetInt(n)
	case v.CanUint():
		n, err := strconv.ParseUint(text, 0, 64)
		if err != nil || v.OverflowUint(n) {
			return refused
		}
		v.SetUint(n)
	case v.CanFloat():
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f != f || v.OverflowFloat(f) {
			return refused
		}
		v.SetFloat(f)
	default:
		panic("settings: no field can be of type " + v.Type().String())
	}
	return nil
}

// Place returns err, which may name places in the part (At), as a Problems with places in the whole file; nil for nil.
func (n Node) Place(err error) error {
	if err == nil || n.doc == nil {
		return err
	}
	d := &decoder{doc: n.doc}
	d.place(n.node, n.at, err)
	return d.problems.sorted()
}

// Text returns the value of a key of the part as it is written, "" if there is none.
func (n Node) Text(key string) string {
	if n.IsZero() {
		return ""
	}
	d := &decoder{doc: n.doc}
	if _, value := d.step(n.node, key); value != nil {
		text, _ := plain(value)
		return text
	}
	return ""
}
