package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hearth"
)

var quiet = slog.New(slog.DiscardHandler)

func open(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func fill(t *testing.T, path string) {
	t.Helper()
	db := open(t, path)
	for i := range 300 {
		name := []string{"devices", "driver/radio"}[i%2]
		if err := db.Bucket(name).Put(fmt.Sprintf("key%03d", i), bytes.Repeat([]byte{byte(i)}, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// count returns how many entries are left; one with another value than was written is an error.
func count(t *testing.T, db *DB) (n int) {
	t.Helper()
	for _, name := range []string{"devices", "driver/radio"} {
		err := db.Bucket(name).Each(func(key string, value []byte) error {
			var i int
			if _, err := fmt.Sscanf(key, "key%d", &i); err != nil || !bytes.Equal(value, bytes.Repeat([]byte{byte(i)}, 100)) {
				t.Errorf("%s/%s holds something else than was written", name, key)
			}
			n++
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	return n
}

func TestStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := open(t, path)
	s := db.Bucket("devices")
	if v, err := s.Get("none"); v != nil || err != nil {
		t.Errorf("of an empty store: %v, %v", v, err)
	}
	if err := s.Delete("none"); err != nil {
		t.Error(err)
	}
	for _, err := range []error{s.Put("b", []byte("2")), s.Put("a", []byte("1")), s.Put("c", nil), s.Put("b", []byte("two")), s.Delete("a"), db.Bucket("other").Put("b", []byte("x"))} {
		if err != nil {
			t.Error(err)
		}
	}
	before := db.Written()
	if err := s.Put("b", []byte("two")); err != nil || db.Written() != before {
		t.Errorf("the same value again: %v, %d bytes written", err, db.Written()-before)
	}
	if err := s.Put("b", []byte("three")); err != nil || db.Written() <= before {
		t.Errorf("another value: %v, %d bytes written", err, db.Written()-before)
	}
	if err := s.Put("", nil); err == nil {
		t.Error("an empty key was taken")
	}
	db.Close()
	db = open(t, path)
	if db.Damage() != "" {
		t.Error(db.Damage())
	}
	s = db.Bucket("devices")
	var got []string
	err := s.Each(func(key string, value []byte) error {
		got = append(got, key+"="+string(value))
		return s.Put("d", []byte("while reading"))
	})
	if want := "b=three c="; strings.Join(got, " ") != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	stop := errors.New("enough")
	if err := s.Each(func(string, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the callback's error became %v", err)
	}
	if v, err := s.Get("c"); v == nil || len(v) != 0 || err != nil {
		t.Errorf("an empty value: %v, %v", v, err)
	}
}

func TestSeveralGoroutines(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "state.db"))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			s := db.Bucket(fmt.Sprint("bucket", i%2))
			for j := range 10 {
				key := fmt.Sprint(i, "/", j)
				if err := s.Put(key, []byte(key)); err != nil {
					t.Error(err)
				}
				if v, err := s.Get(key); string(v) != key || err != nil {
					t.Errorf("%s: %s, %v", key, v, err)
				}
			}
		})
	}
	all.Wait()
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	open(t, path)
	if _, err := Open(path, quiet); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second time: %v", err)
	}
	if _, err := os.Stat(path + ".damaged"); err == nil {
		t.Error("a file in use was taken for a damaged one")
	}
}

func TestNotReadable(t *testing.T) {
	if _, err := Open(t.TempDir(), quiet); err == nil {
		t.Error("a directory was opened")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none", "state.db"), quiet); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a directory that is not there: %v", err)
	}
}

func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.db")
	fill(t, path)
	db := open(t, path)
	writing, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(writing)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				if err := db.Bucket("other").Put(fmt.Sprint(i%50), fmt.Append(nil, i)); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	for i := range 20 {
		data, err := Snapshot(path)
		if err != nil {
			t.Error(err)
			break
		}
		copied := filepath.Join(dir, fmt.Sprint("copy", i))
		if err := os.WriteFile(copied, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if n := count(t, open(t, copied)); n != 300 {
			t.Errorf("the copy holds %d entries of 300", n)
		}
	}
	close(stop)
	<-writing
	if err := Verify([]byte("garbage")); err == nil {
		t.Error("garbage is a good copy")
	}
	if _, err := Snapshot(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
}

// TestDamage: whatever became of the file, the gateway starts, says so, and serves nothing but what was written.
func TestDamage(t *testing.T) {
	type damage struct {
		name  string
		do    func(data []byte) []byte
		least int // entries that must survive
	}
	cases := []damage{
		{"empty", func([]byte) []byte { return nil }, 0},
		{"garbage", func(d []byte) []byte { return bytes.Repeat([]byte("garbage!"), len(d)/8) }, 0},
		{"short garbage", func([]byte) []byte { return []byte("oops") }, 0},
		{"zeroes", func(d []byte) []byte { return make([]byte, len(d)) }, 0},
		{"value flipped", func(d []byte) []byte {
			at := bytes.Index(d, bytes.Repeat([]byte{77}, 100))
			for ; at >= 0 && at < len(d); at = next(d, at+100, 77) {
				d[at+50] ^= 4
			}
			return d
		}, 299},
	}
	for _, part := range []int{1, 2, 3, 5, 8, 12} {
		cases = append(cases, damage{fmt.Sprintf("cut to %d/16", part), func(d []byte) []byte { return d[:len(d)*part/16] }, 0})
	}
	for page := range 24 {
		least := 0
		if page < 2 { // a meta page: the other one leads to the last transaction or the one before it
			least = 299
		}
		cases = append(cases,
			damage{fmt.Sprintf("page %d zeroed", page), func(d []byte) []byte { clear(d[page*4096 : (page+1)*4096]); return d }, least},
			damage{fmt.Sprintf("page %d garbage", page), func(d []byte) []byte { copy(d[page*4096:], bytes.Repeat([]byte{0xA7}, 4096)); return d }, least})
	}
	source := filepath.Join(t.TempDir(), "state.db")
	fill(t, source)
	whole, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			if err := os.WriteFile(path, test.do(bytes.Clone(whole)), 0o600); err != nil {
				t.Fatal(err)
			}
			db := open(t, path)
			n := count(t, db)
			_, err := os.Stat(path + ".damaged")
			if n < test.least || n < max(test.least, 299) && (db.Damage() == "" || err != nil) {
				t.Errorf("%d entries left, set aside: %v, damage told: %q", n, err, db.Damage())
			}
			if err := db.Bucket("devices").Put("new", []byte("entry")); err != nil {
				t.Errorf("after the damage: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			db = open(t, path)
			if v, err := db.Bucket("devices").Get("new"); db.Damage() != "" || string(v) != "entry" || err != nil {
				t.Errorf("at the next start: %q, %s, %v", db.Damage(), v, err)
			}
		})
	}
}

func next(data []byte, from int, b byte) int {
	if from >= len(data) {
		return -1
	}
	at := bytes.Index(data[from:], bytes.Repeat([]byte{b}, 100))
	if at < 0 {
		return -1
	}
	return from + at
}

func TestDamageWhileRunning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	fill(t, path)
	db := open(t, path)
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Bucket("devices").Get("key298"); err == nil {
		t.Error("a missing page was read")
	}
}

var _ hearth.Store = bucket{}
