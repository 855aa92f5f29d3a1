package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

// A rig is the state of a receiver, with an Archive that answers on its socket.
type rig struct {
	t     *testing.T
	dir   string
	books *accounts.Accounts
	store *series.Store
	*Archive
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *rig {
	t.Helper()
	r := &rig{t: t, dir: dir}
	var err error
	r.books, err = accounts.Open(t.Context(), accounts.Options{Dir: dir})
	must(t, err)
	t.Cleanup(func() { r.books.Close() })
	r.store, err = series.Open(filepath.Join(dir, SeriesDir), series.Options{})
	must(t, err)
	t.Cleanup(func() { r.store.Close() })
	r.Archive = New(Options{Data: dir, Accounts: r.books, Series: r.store, Version: "1.2.3", Log: slog.New(slog.DiscardHandler)})
	return r
}

// serve answers on the socket until the test or the returned function ends it.
func (r *rig) serve() (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	must(r.t, r.Listen(ctx))
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(stop)
	return stop
}

func anyHead(Head) error { return nil }

// small is a backup of a receiver with one home, in which one reading was stored.
func small(t *testing.T) (backup []byte, home string) {
	t.Helper()
	r := open(t, t.TempDir())
	added, _, err := r.books.AddHome(t.Context(), "", "Cabin")
	must(t, err)
	_, err = r.store.Write(series.Write{Home: added.ID, Points: []series.Point{{Series: "m", Field: "f", Time: 1, Value: hearth.NumberOf(1)}}})
	must(t, err)
	must(t, os.Mkdir(filepath.Join(r.dir, CertsDir), 0o700))
	must(t, os.WriteFile(filepath.Join(r.dir, CertsDir, "hearth.example"), []byte("a key"), 0o600))
	var out bytes.Buffer
	must(t, r.Backup(t.Context(), &out, []byte("data: /x\n")))
	return out.Bytes(), added.ID
}

func TestBackupAndRestore(t *testing.T) {
	backup, home := small(t)
	dir := filepath.Join(t.TempDir(), "new")
	restored, err := Restore(t.Context(), bytes.NewReader(backup), dir, anyHead)
	must(t, err)
	if restored.Version != "1.2.3" || restored.Schema != accounts.Schema() || restored.InPostgres() || time.Since(restored.Time.Time) > time.Minute {
		t.Errorf("%+v", restored)
	}
	for path, want := range map[string]string{restored.Config: "data: /x\n", filepath.Join(dir, CertsDir, "hearth.example"): "a key"} {
		if text, err := os.ReadFile(path); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
	r := open(t, dir)
	if h, err := r.books.Home(t.Context(), home); err != nil || h.Name != "Cabin" {
		t.Errorf("%+v, %v", h, err)
	}
	if last, err := r.store.Last(home); err != nil || len(last) != 1 {
		t.Errorf("%v, %v", last, err)
	}
	if !r.Last().IsZero() {
		t.Errorf("a fresh receiver had its last backup at %s", r.Last())
	}
	if _, err := Restore(t.Context(), bytes.NewReader(backup), dir, anyHead); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("over a receiver: %v", err)
	}
	if h, err := r.books.Home(t.Context(), home); err != nil || h.Name != "Cabin" {
		t.Errorf("after a refused restore: %+v, %v", h, err)
	}
}

// nothingLeft checks that a refused restore left the empty directory as it was.
func nothingLeft(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// same reports whether both unpack to the same bytes.
func same(a, b []byte) bool {
	zip, err := zstd.NewReader(nil)
	if err != nil {
		panic(err)
	}
	defer zip.Close()
	one, _ := zip.DecodeAll(a, nil)
	other, err := zip.DecodeAll(b, nil)
	return err == nil && bytes.Equal(one, other)
}

func TestWhatIsNotWholeIsRefused(t *testing.T) {
	backup, _ := small(t)
	dir := t.TempDir()
	refused := func(what string, data []byte) {
		t.Helper()
		if _, err := Restore(t.Context(), bytes.NewReader(data), dir, anyHead); err == nil {
			t.Fatalf("%s was restored", what)
		}
		nothingLeft(t, dir)
	}
	for n := 0; n < len(backup); n += 1 + len(backup)/150 {
		refused(fmt.Sprintf("the first %d of %d bytes", n, len(backup)), backup[:n])
	}
	refused("all but the last byte", backup[:len(backup)-1])
	refused("with something behind it", append(bytes.Clone(backup), "more"...))
	for at := 6; at < len(backup); at += 1 + len(backup)/150 {
		changed := bytes.Clone(backup)
		changed[at] ^= 0x10
		if same(backup, changed) { // a bit of zstd's own that means nothing
			continue
		}
		refused(fmt.Sprintf("with another byte at %d", at), changed)
	}
	// The bytes before those are how much memory unpacking takes.
	refused("a text", []byte("hello, this is no backup"))
	if _, err := Restore(t.Context(), bytes.NewReader(backup), dir, func(Head) error { return errors.New("not that one") }); err == nil {
		t.Error("it was restored though nobody wanted it")
	}
	nothingLeft(t, dir)
	missing := filepath.Join(dir, "none")
	if _, err := Restore(t.Context(), bytes.NewReader(backup[:100]), missing, anyHead); err == nil {
		t.Error("it was restored")
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory that it made is still there: %v", err)
	}
}

// packed makes an archive of these files, with checksums that fit.
func packed(t testing.TB, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	p, err := newPacker(t.Context(), &out, time.Now())
	must(t, err)
	for i := 0; i < len(files); i += 2 {
		must(t, p.add(files[i], []byte(files[i+1])))
	}
	must(t, p.close())
	return out.Bytes()
}

func TestWhatABackupCannotBe(t *testing.T) {
	head := func(more string) []string { return []string{headName, `{"program":"hearth-cloud",` + more + `}`} }
	good := head(`"format":1,"accounts":"sqlite"`)
	for why, files := range map[string][]string{
		"no backup":                     {"x", ""},
		"no backup of hearth-cloud":     {headName, `{"program":"hearth-edge","format":1}`},
		"newer hearth-cloud":            head(`"format":2,"version":"9.9"`),
		"unexpected end":                {headName, `{`},
		"no place":                      append(good, "../escaped", "x"),
		`"series/../x" has no place`:    append(good, "series/../x", "x"),
		`"series/a/b" has no place`:     append(good, "series/a/b", "x"),
		`"/etc/passwd" has no place`:    append(good, "/etc/passwd", "x"),
		"series/a is in it twice":       append(good, "series/a", "x", "series/a", "x"),
		"bytes":                         append(good, configName, strings.Repeat("x", maxSmall+1)),
		"opening the series":            good,
		"something follows its end":     append(good, checksumsName, "[]", "series/a", "x"),
		"cannot unmarshal":              append(good, checksumsName, "7"),
		"the file is damaged, or not w": append(good, checksumsName, "null"),
	} {
		dir := t.TempDir()
		if _, err := Restore(t.Context(), bytes.NewReader(packed(t, files...)), dir, anyHead); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %s", files[len(files)-2], err, why)
		}
		nothingLeft(t, dir)
		if _, err := os.Stat(filepath.Join(dir, "..", "escaped")); err == nil {
			t.Error("it escaped")
		}
	}
}

// What this version does not know is not restored.
func TestNewerSchemaIsNotRestored(t *testing.T) {
	r := open(t, t.TempDir())
	_, err := r.books.DB().Exec(`UPDATE schema_version SET version = 1000`)
	must(t, err)
	var out bytes.Buffer
	must(t, r.Backup(t.Context(), &out, nil))
	dir := t.TempDir()
	if _, err := Restore(t.Context(), &out, dir, anyHead); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("%v", err)
	}
	nothingLeft(t, dir)
}

// A process killed while it restored leaves nothing that looks like a receiver, and the next try begins anew.
func TestInterruptedRestore(t *testing.T) {
	backup, home := small(t)
	for _, left := range [][]string{{"restoring/series/x"}, {"restoring/accounts.db", "series/x", "certs/y"}, {"restoring/z", "series/x", "cloud.yaml", "accounts.db"}} {
		dir := t.TempDir()
		for _, name := range left {
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
			must(t, os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600))
		}
		if err := Finished(dir); !errors.Is(err, ErrUnfinished) {
			t.Errorf("%v: %v", left, err)
		}
		_, err := Restore(t.Context(), bytes.NewReader(backup), dir, anyHead)
		must(t, err)
		must(t, Finished(dir))
		if h, err := open(t, dir).books.Home(t.Context(), home); err != nil || h.Name != "Cabin" {
			t.Errorf("%v: %+v, %v", left, h, err)
		}
	}
}

// Backups are made while homes write and are added; what is restored is a state that was, from which each gateway can
// go on without a gap.
func TestBackupUnderLoad(t *testing.T) {
	r := open(t, t.TempDir())
	r.serve()
	const homes = 6
	var ids [homes]string
	var acked [homes]atomic.Uint64
	for i := range ids {
		h, _, err := r.books.AddHome(t.Context(), "", fmt.Sprint("home ", i))
		must(t, err)
		ids[i] = h.ID
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			for seq := uint64(1); ctx.Err() == nil; seq++ {
				_, err := r.store.Write(series.Write{
					Home: ids[i], Batch: &hearth.BatchID{Epoch: "e", Seq: seq}, Ledger: &hearth.Ledger{Produced: seq, Backlog: 1, Durable: seq - 1},
					Points: []series.Point{{Series: "m", Field: "f", Time: int64(seq) * 1e9, Value: hearth.NumberOf(float64(seq))}},
				})
				if err != nil {
					t.Error(err)
					return
				}
				acked[i].Store(seq)
			}
		})
	}
	all.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			if _, _, err := r.books.AddHome(ctx, "", fmt.Sprint("more ", n)); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	var before [homes]uint64
	for round := range 3 {
		tick := time.NewTicker(time.Millisecond)
		for i := range ids {
			for acked[i].Load() < before[i]+20 {
				<-tick.C
			}
			before[i] = acked[i].Load()
		}
		tick.Stop()
		var backup bytes.Buffer
		must(t, Ask(t.Context(), r.dir, nil, &backup))
		dir := filepath.Join(t.TempDir(), "restored")
		_, err := Restore(t.Context(), &backup, dir, anyHead)
		must(t, err)
		restored := open(t, dir)
		for i, id := range ids {
			if _, err := restored.books.Home(t.Context(), id); err != nil {
				t.Error(err)
			}
			sync, err := restored.store.Sync(id)
			must(t, err)
			if sync.Durable < before[i] || sync.Durable > acked[i].Load()+1 {
				t.Errorf("round %d: %d batches were acknowledged before, %d are there", round, before[i], sync.Durable)
			}
			report, err := restored.store.Ledger(id, time.Time{}, time.Time{})
			must(t, err)
			if n := int64(sync.Durable); report.Total != (series.Counts{Produced: n, Received: n}) {
				t.Errorf("the ledger is %+v of %d", report.Total, n)
			}
		}
	}
	cancel()
	all.Wait()
	if time.Since(r.Last()) > time.Minute {
		t.Errorf("the last backup was at %s", r.Last())
	}
	if entries, err := filepath.Glob(filepath.Join(r.dir, scratchDir)); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestAsk(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	for _, dir := range []string{t.TempDir(), deep} {
		if err := Ask(t.Context(), dir, nil, io.Discard); !errors.Is(err, ErrNotRunning) && dir != deep {
			t.Errorf("nobody there: %v", err)
		}
		r := open(t, dir)
		stop := r.serve()
		var out bytes.Buffer
		must(t, Ask(t.Context(), dir, []byte("data: /x\n"), &out))
		if !bytes.HasPrefix(out.Bytes(), []byte("\x28\xb5\x2f\xfd")) {
			t.Error("what came is no backup")
		}
		if info, err := os.Stat(filepath.Join(dir, controlFile)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the socket is open to others: %v, %v", info, err)
		}
		r.busy.Lock()
		if err := Ask(t.Context(), dir, nil, io.Discard); err == nil || !strings.Contains(err.Error(), "under way already") {
			t.Errorf("two at once: %v", err)
		}
		r.busy.Unlock()
		stop()
		if err := Ask(t.Context(), dir, nil, io.Discard); !errors.Is(err, ErrNotRunning) {
			t.Errorf("nobody there any more: %v", err)
		}
		r.serve() // a socket that a killed process left is in nobody's way
	}
}

// A daemon that dies half way through does not leave a file that looks whole.
func TestBackupThatBreaksOff(t *testing.T) {
	r := open(t, t.TempDir())
	for i := range int64(200) {
		var points []series.Point
		for n := range int64(1000) {
			points = append(points, series.Point{Series: "m", Field: "f", Time: i*1e12 + n*1e9, Value: hearth.NumberOf(rand.Float64())})
		}
		_, err := r.store.Write(series.Write{Home: "h", Points: points})
		must(t, err)
	}
	stop := r.serve()
	out := &cutting{at: 4 << 10, cut: stop}
	if err := Ask(t.Context(), r.dir, nil, out); err == nil {
		t.Errorf("%d bytes were taken for a backup", out.n)
	}
	if out.n == 0 {
		t.Error("nothing came before the end")
	}
}

// cutting ends something once so many bytes have come.
type cutting struct {
	n, at int
	cut   func()
}

func (c *cutting) Write(p []byte) (int, error) {
	before := c.n
	c.n += len(p)
	if before < c.at && c.n >= c.at {
		c.cut()
	}
	return len(p), nil
}

func FuzzRestore(f *testing.F) {
	f.Add(packed(f, headName, `{"program":"hearth-cloud","format":1}`, "series/CURRENT", "x", "accounts.db", ""))
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := Restore(t.Context(), bytes.NewReader(data), dir, anyHead); err == nil {
			t.Skip("a whole one")
		}
		nothingLeft(t, dir)
	})
}
