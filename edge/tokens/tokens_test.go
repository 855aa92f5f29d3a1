package tokens

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hearth"
)

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	daemon, command := open(t, path), open(t, path)
	if _, ok := daemon.Find(""); ok {
		t.Error("no secret at all was found")
	}
	secret, err := command.Add("phone", hearth.ScopeControl)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := daemon.Find(secret)
	if !ok || got.Name != "phone" || got.Scope != hearth.ScopeControl || got.Created.IsZero() {
		t.Errorf("the running gateway finds %+v, %v", got, ok)
	}
	data, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(data), secret) {
		t.Errorf("the file holds the secret, or: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	if _, err := command.Add("phone", hearth.ScopeRead); !errors.Is(err, &hearth.Error{Code: hearth.CodeConflict}) {
		t.Errorf("the same name again: %v", err)
	}
	if err := command.Remove("laptop"); !errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound}) {
		t.Errorf("removing an unknown one: %v", err)
	}
	if err := command.Remove("phone"); err != nil {
		t.Error(err)
	}
	if _, ok := daemon.Find(secret); ok {
		t.Error("a removed token still opens")
	}
	if list, err := daemon.List(); len(list) != 0 || err != nil {
		t.Errorf("left are %v, %v", list, err)
	}
}

func TestRefused(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "tokens.json"))
	for _, bad := range []struct {
		name  string
		scope hearth.Scope
	}{{"", hearth.ScopeRead}, {"a\nb", hearth.ScopeRead}, {strings.Repeat("a", 65), hearth.ScopeRead}, {"a", "root"}, {"a", hearth.ScopeWrite}, {"a", hearth.ScopeGateway}} {
		if _, err := f.Add(bad.name, bad.scope); !errors.Is(err, &hearth.Error{Code: hearth.CodeBadValue}) {
			t.Errorf("%q, %q: %v", bad.name, bad.scope, err)
		}
	}
}

func TestSeveralAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	var all sync.WaitGroup
	for i := range 10 {
		f := open(t, path)
		all.Go(func() {
			if _, err := f.Add(fmt.Sprint("token", i), hearth.ScopeRead); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if list, err := open(t, path).List(); len(list) != 10 || err != nil {
		t.Errorf("%d tokens of 10, %v", len(list), err)
	}
}

func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	f := open(t, path)
	secret, err := f.Add("phone", hearth.ScopeAdmin)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{", `{"tokens":[{}]}`, `{"tokens":7}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "mend it") {
			t.Errorf("%q: %v", text, err)
		}
		if _, ok := f.Find(secret); !ok {
			t.Errorf("%q: a running gateway forgot its tokens", text)
		}
		if _, err := f.Add("laptop", hearth.ScopeAdmin); err == nil {
			t.Errorf("%q: a token was added to a damaged file", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"tokens":[{"name":"a","scope":"read","hash":"` + hearth.HashSecret("x") + `","created":"2026-01-02T03:04:05.000Z"}]}`))
	f.Add([]byte(`{"tokens":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tokens, err := parse(data)
		for _, token := range tokens {
			if err == nil && (token.Name == "" || token.Hash == "") {
				t.Errorf("a token without name or hash: %+v", token)
			}
		}
	})
}
