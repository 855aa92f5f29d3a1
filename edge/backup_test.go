package edge

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth"
	"hearth/edge/state"
	"hearth/edge/tokens"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBackupWhileRunning(t *testing.T) {
	data := t.TempDir()
	first := start(t, data, toy)
	eventually(t, "devices", func() bool { var d []hearth.DeviceView; first.get("/api/v1/devices", &d); return len(d) == 20 })
	if _, err := first.stop(); err != nil { // what is known is on disk at the latest now
		t.Fatal(err)
	}
	r := start(t, data, toy)
	write(t, filepath.Join(data, "radio", "network-backup.json"), "the network")
	old := Config{Data: data, Home: "Cabin"}
	file := filepath.Join(t.TempDir(), "backup.tar")
	if err := old.Backup(file, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Restore(file); err == nil || !strings.Contains(err.Error(), "stop it before") {
		t.Errorf("restoring while the gateway runs: %v", err)
	}
	if _, err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup's mode is %v", info.Mode())
	}

	fresh := Config{Data: filepath.Join(t.TempDir(), "new")}
	replaced, err := fresh.Restore(file)
	if err != nil || replaced != "" {
		t.Fatalf("restoring onto nothing: %q, %v", replaced, err)
	}
	if text, err := os.ReadFile(filepath.Join(fresh.Data, "radio", "network-backup.json")); string(text) != "the network" {
		t.Errorf("the radio's network became %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(fresh.Data, "buffer")); err == nil {
		t.Error("the buffer came back")
	}
	known, err := tokens.Open(fresh.file(TokensFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := known.Find(r.token); !ok {
		t.Error("the token does not open the restored gateway")
	}
	again := start(t, fresh.Data, "")
	var devices []hearth.DeviceView
	if again.get("/api/v1/devices", &devices); len(devices) != 20 {
		t.Errorf("the restored gateway has %d devices", len(devices))
	}
	if _, err := again.stop(); err != nil {
		t.Error(err)
	}

	replaced, err = fresh.Restore(file)
	if err != nil || replaced == "" {
		t.Fatalf("restoring onto something: %q, %v", replaced, err)
	}
	if _, err := os.Stat(filepath.Join(replaced, stateFile)); err != nil {
		t.Errorf("what was there before is not kept: %v", err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	db, err := state.Open(filepath.Join(dir, stateFile), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Bucket("devices").Put("a", []byte("b")); err != nil {
		t.Fatal(err)
	}
	db.Close()
	good, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		t.Fatal(err)
	}
	const note = `{"hearth_edge_backup":1}`
	type file struct{ name, text string }
	for _, test := range []struct {
		name  string
		files []file
		want  string
	}{
		{"no tar", nil, "holds no state"},
		{"another tar", []file{{"etc/passwd", "root"}}, "no backup of a gateway"},
		{"newer", []file{{aboutFile, `{"hearth_edge_backup":2,"version":"9"}`}, {stateFile, string(good)}}, "newer version (9)"},
		{"no state", []file{{aboutFile, note}, {TokensFile, "{}"}}, "holds no state"},
		{"damaged state", []file{{aboutFile, note}, {stateFile, string(good[:5000])}}, "should be"},
		{"way out", []file{{aboutFile, note}, {"../../evil", "x"}}, "does not belong"},
		{"absolute", []file{{aboutFile, note}, {"/etc/evil", "x"}}, "does not belong"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var archive bytes.Buffer
			w := tar.NewWriter(&archive)
			for _, f := range test.files {
				if err := w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.text)), Mode: 0o600}); err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(w, f.text); err != nil {
					t.Fatal(err)
				}
			}
			w.Close()
			path := filepath.Join(t.TempDir(), "b.tar")
			write(t, path, archive.String())
			cfg := Config{Data: t.TempDir()}
			write(t, cfg.file("radio/network-backup.json"), "kept")
			if _, err := cfg.Restore(path); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "nothing was changed") {
				t.Errorf("got %v, want %s", err, test.want)
			}
			entries, err := os.ReadDir(cfg.Data)
			if err != nil || len(entries) != 2 { // radio and lock
				t.Errorf("left behind: %v, %v", entries, err)
			}
		})
	}
	cfg := Config{Data: t.TempDir()}
	if _, err := cfg.Restore(filepath.Join(dir, "none.tar")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a backup that is not there: %v", err)
	}
	if err := cfg.Backup(filepath.Join(dir, "b.tar"), "test"); err == nil {
		t.Error("a gateway that never ran was backed up")
	}
	if _, err := os.Stat(filepath.Join(dir, "b.tar")); err == nil {
		t.Error("a backup that failed left a file")
	}
}
