package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"hearth"
)

//go:embed static pages
var assets embed.FS

type asset struct {
	mime   string
	etag   string
	body   []byte
	zipped []byte // nil where it would not be smaller
}

// Assets serves what pages are made of at /static/: the shared files of this package and those of the given file
// systems, which win where names are the same. Names are slash-separated paths from their roots. A program's files
// are read now and never change, so this does no I/O and cannot fail but for a programmer's mistake.
func Assets(more ...fs.FS) http.Handler {
	shared, err := fs.Sub(assets, "static")
	if err != nil {
		panic(err)
	}
	files := make(map[string]func() asset)
	for _, root := range append([]fs.FS{shared}, more...) {
		err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			body, err := fs.ReadFile(root, name)
			files[name] = sync.OnceValue(func() asset { return newAsset(name, body) }) // a start does not wait for it
			return err
		})
		if err != nil {
			panic(fmt.Sprintf("embedded files: %v", err))
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := files[strings.TrimPrefix(r.URL.Path, "/static/")]
		if !ok {
			Fail(w, r, hearth.Errorf(hearth.CodeNotFound, "there is nothing at %s", r.URL.Path))
			return
		}
		file().serve(w, r)
	})
}

func newAsset(name string, body []byte) asset {
	sum := sha256.Sum256(body)
	a := asset{mime: mimeOf(name), etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, body: body}
	var zipped bytes.Buffer
	writer, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		panic(err)
	}
	if _, err := writer.Write(body); err != nil {
		panic(err)
	}
	if err := writer.Close(); err != nil {
		panic(err)
	}
	if zipped.Len() < len(body)*9/10 {
		a.zipped = zipped.Bytes()
	}
	return a
}

// mimeOf does not ask the machine's own table, which is missing on a small gateway.
func mimeOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".json", ".webmanifest":
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", a.mime)
	header.Set("Cache-Control", "no-cache") // asked for each time, and answered 304: a new version shows at once
	header.Set("Vary", "Accept-Encoding")
	body, etag := a.body, a.etag
	if a.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && r.Header.Get("Range") == "" {
		header.Set("Content-Encoding", "gzip")
		body, etag = a.zipped, strings.TrimSuffix(a.etag, `"`)+`-gz"`
	}
	header.Set("ETag", etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
