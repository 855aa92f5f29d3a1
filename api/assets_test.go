package api

import (
	"compress/gzip"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func TestAssets(t *testing.T) {
	handler := Assets(fstest.MapFS{"own.js": {Data: []byte("let own")}, "icon.svg": {Data: []byte("<svg/>")}})
	for name, mime := range map[string]string{
		"style.css": "text/css; charset=utf-8", "live.js": "text/javascript; charset=utf-8", "own.js": "text/javascript; charset=utf-8",
		"icon.svg": "image/svg+xml", "vendor/uplot.js": "text/javascript; charset=utf-8", "vendor/NOTICE.txt": "text/plain; charset=utf-8",
	} {
		w := serveAs(handler, "GET", "/static/"+name)
		if w.Code != 200 || w.Header().Get("Content-Type") != mime || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %s %s", name, w.Code, w.Header().Get("Content-Type"), w.Header().Get("Cache-Control"))
		}
		tag := w.Header().Get("ETag")
		if again := serveAs(handler, "GET", "/static/"+name, "If-None-Match", tag); tag == "" || again.Code != 304 || again.Body.Len() > 0 {
			t.Errorf("%s again with %s: %d", name, tag, again.Code)
		}
	}
	if w := serveAs(handler, "GET", "/static/icon.svg"); w.Body.String() != "<svg/>" {
		t.Errorf("a program's own file does not win: %s", w.Body)
	}
	for _, name := range []string{"none", "", "../style.css", "vendor"} {
		if w := serveAs(handler, "GET", "/static/"+name); w.Code != 404 {
			t.Errorf("%q: %d", name, w.Code)
		}
	}
}

func TestAssetsTravelCompressed(t *testing.T) {
	w := serveAs(Assets(), "GET", "/static/vendor/uplot.js", "Accept-Encoding", "gzip, br")
	if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Vary") != "Accept-Encoding" || w.Body.Len() > 50_000 {
		t.Fatalf("%v, %d bytes", w.Header(), w.Body.Len())
	}
	if _, err := gzip.NewReader(w.Body); err != nil {
		t.Error(err)
	}
}

// Pages work offline and under a policy that lets them load from here only.
func TestAssetsAskForNothingElsewhere(t *testing.T) {
	elsewhere := regexp.MustCompile(`(src|href|import|from|url)\s*[=(]?\s*["'(](https?:)?//`)
	inline := regexp.MustCompile(`(?i)<script>|<style|\sstyle="|\son[a-z]+="|eval\(|new Function`)
	err := fs.WalkDir(assets, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(assets, name)
		if found := elsewhere.Find(text); found != nil {
			t.Errorf("%s loads from elsewhere: %s", name, found)
		}
		if found := inline.Find(text); found != nil && !strings.HasSuffix(name, ".LICENSE") {
			t.Errorf("%s is not allowed by the policy: %s", name, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLicencesComeAlong(t *testing.T) {
	for name, text := range map[string]string{"uplot": "Leon Sorokin", "preact": "Jason Miller", "htm": "Apache License"} {
		licence, err := fs.ReadFile(assets, "static/vendor/"+name+".LICENSE")
		if err != nil || !strings.Contains(string(licence), text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
