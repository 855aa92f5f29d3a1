package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// wanted says to a person what a field takes.
func wanted(v reflect.Value) string {
	switch {
	case v.CanInt() && v.Type().Bits() < 64:
		limit := int64(1) << (v.Type().Bits() - 1)
		return fmt.Sprintf("a whole number from %d to %d", -limit, limit-1)
	case v.CanUint() && v.Type().Bits() < 64:
		return fmt.Sprintf("a whole number from 0 to %d", uint64(1)<<v.Type().Bits()-1)
	case v.CanUint():
		return "a whole number from 0"
	case v.CanInt():
		return "a whole number"
	case v.CanFloat():
		return "a number"
	case v.Kind() == reflect.Bool:
		return "true or false"
	}
	return "text"
}

func kindOf(node ast.Node) string {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode:
		return "a number"
	}
	return "text"
}

// suggest names the key that was probably meant, or all of them where they are few.
func suggest(name string, known map[string]reflect.Value) string {
	best, distance := "", max(2, len(name)/3)+1
	names := make([]string, 0, len(known))
	for candidate := range known {
		names = append(names, candidate)
	}
	slices.Sort(names)
	for _, candidate := range names {
		if n := edits(name, candidate); n < distance && n < len(candidate) {
			best, distance = candidate, n
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf(": did you mean %q?", best)
	case len(names) == 0:
		return ": there are no keys here"
	}
	return ": known here are " + strings.Join(names, ", ")
}

// edits counts the letters to insert, delete or replace that make a into b.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

func clip(s string) string {
	if len(s) <= 80 {
		return s
	}
	cut := 80
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// about names the key that a message is about where the file does not have it: the place alone would not tell.
func about(missing, text string) string {
	switch {
	case missing == "" || strings.Contains(text, missing):
		return text
	case strings.HasPrefix(text, "is missing"):
		return missing + " " + text
	}
	return missing + ": " + text
}
