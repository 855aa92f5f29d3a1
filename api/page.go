package api

import (
	"html"
	"io"
	"net/http"
	"strings"
)

// HTML is markup, safe as it is.
type HTML string

// Fill puts words into markup: {{name}} becomes what words has for name, escaped unless it is HTML itself. The gateway's
// few pages need no more, and html/template, whose reflection keeps every method of every type in the program, would
// make its binary an eighth larger.
func Fill(markup string, words map[string]any) HTML {
	pairs := make([]string, 0, 2*len(words))
	for name, word := range words {
		text, safe := word.(HTML)
		if !safe {
			text = HTML(html.EscapeString(word.(string)))
		}
		pairs = append(pairs, "{{"+name+"}}", string(text))
	}
	return HTML(strings.NewReplacer(pairs...).Replace(markup))
}

// WriteHTML answers with a page.
func WriteHTML(w http.ResponseWriter, status int, page HTML) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, string(page)) // the caller may have gone
}

// markup returns one of this package's own pages.
func markup(name string) string {
	text, err := assets.ReadFile("pages/" + name)
	if err != nil {
		panic(err)
	}
	return string(text)
}
