package quirks

import (
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

//go:embed data/*.yaml
var data embed.FS

// index tells where in the data which definition is, so that one is read when a device asks for it and not before: each
// line is file, line, vendors, models and clusters. TestIndex writes it.
//
//go:embed data/index.txt
var index string

// builtIn are the definitions that come with the program.
type builtIn struct{ fs.FS }

// BuiltIn returns the definitions that come with the program.
func BuiltIn() fs.FS {
	files, err := fs.Sub(data, "data")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return builtIn{files}
}

// A place is where a built-in definition begins.
type place struct {
	files fs.FS
	name  string
	line  int // from 1
}

// addIndexed adds the built-in definitions without reading them.
func (l *Library) addIndexed(source int, from builtIn) error {
	var last *page
	for row := range strings.Lines(index) {
		fields := strings.Split(strings.TrimSuffix(row, "\n"), "\t")
		if len(fields) != 5 {
			return fmt.Errorf("the index of the built-in definitions is broken at %q", row)
		}
		line, err := strconv.Atoi(fields[1])
		if err != nil {
			return fmt.Errorf("the index of the built-in definitions: %w", err)
		}
		if at := (place{from, fields[0], line}); last == nil || last.builtIn != at {
			last = &page{builtIn: at}
		}
		m := Match{Vendor: parts(fields[2]), Model: parts(fields[3])}
		for _, text := range parts(fields[4]) {
			var c Cluster
			if err := c.UnmarshalText([]byte(text)); err != nil {
				return fmt.Errorf("the index of the built-in definitions: %w", err)
			}
			m.Clusters = append(m.Clusters, c)
		}
		for _, k := range m.keys() {
			l.add(&entry{k, m.Clusters, source, last})
		}
	}
	return nil
}

func parts(field string) []string {
	if field == "" {
		return nil
	}
	return strings.Split(field, "|")
}

// indexRow is one match of a definition as a row of the index.
func indexRow(name string, line int, m Match) string {
	var clusters []string
	for _, c := range m.Clusters {
		clusters = append(clusters, fmt.Sprintf("0x%04x", uint16(c)))
	}
	return fmt.Sprintf("%s\t%d\t%s\t%s\t%s\n", name, line, strings.Join(m.Vendor, "|"), strings.Join(m.Model, "|"), strings.Join(clusters, "|"))
}

// read reads the one definition that begins here: from a dash at the beginning of a line to the next.
func (p place) read() *Definition {
	text, err := fs.ReadFile(p.files, p.name)
	if err != nil {
		panic(err) // the file is part of the program
	}
	lines := strings.SplitAfter(string(text), "\n")
	end := p.line
	for end < len(lines) && !strings.HasPrefix(lines[end], "- ") {
		end++
	}
	own := strings.Repeat("\n", p.line-1) + strings.Join(lines[p.line-1:end], "")
	read, err := Parse(p.name, []byte(own))
	if err != nil || len(read) != 1 {
		panic(fmt.Sprintf("the built-in definition at %s:%d cannot be read: %v", p.name, p.line, err)) // a test reads them all
	}
	return read[0]
}
