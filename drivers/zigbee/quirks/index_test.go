package quirks

import (
	"flag"
	"io/fs"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the index of the built-in definitions")

// pages returns the text of each definition in the data, with the line on which it begins.
func builtInPages(t testing.TB) (pages []place) {
	t.Helper()
	from := BuiltIn().(builtIn)
	names, err := files(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(from, name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if strings.HasPrefix(line, "- ") {
				pages = append(pages, place{from, name, i + 1})
			}
		}
	}
	return pages
}

// TestIndex holds the index against the files, and with -update writes it:
// go test ./drivers/zigbee/quirks -run TestIndex -update
func TestIndex(t *testing.T) {
	var rows strings.Builder
	for _, page := range builtInPages(t) {
		for _, m := range page.read().Match {
			rows.WriteString(indexRow(page.name, page.line, m))
		}
	}
	if *update {
		if err := os.WriteFile("data/index.txt", []byte(rows.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if rows.String() != index {
		t.Error("data/index.txt is not that of the files: go test ./drivers/zigbee/quirks -run TestIndex -update")
	}
}
