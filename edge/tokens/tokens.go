// Package tokens keeps who may use the gateway: a small file with names, scopes and hashes, never a secret. Several
// processes may change it; a running gateway sees that at once.
package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"hearth"
	"hearth/settings"
)

// A File is the token file. Its methods are safe for several goroutines and processes.
type File struct {
	path string

	mu     sync.Mutex
	seen   fs.FileInfo // of the file that tokens was read from; nil where there is none
	tokens []hearth.Token
	byHash map[string]hearth.Token
}

// Open reads the token file at path, which need not be there yet. One that cannot be understood is an error that says
// what to do.
func Open(path string) (*File, error) {
	f := &File{path: path}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refresh(); err != nil {
		return nil, err
	}
	return f, nil
}

// Find returns the token that has this secret.
func (f *File) Find(secret string) (hearth.Token, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.refresh() // a file that cannot be read now leaves what was known
	t, ok := f.byHash[hearth.HashSecret(secret)]
	return t, ok
}

// List returns all tokens in the order they were made.
func (f *File) List() ([]hearth.Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.refresh()
	return slices.Clone(f.tokens), err
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._ @-]{0,63}$`)

// Add makes a token and returns its secret, which is not kept. The name must be free and the scope read, control or
// admin; the file is on disk when Add returns.
func (f *File) Add(name string, scope hearth.Scope) (secret string, err error) {
	if !nameForm.MatchString(name) {
		return "", hearth.Errorf(hearth.CodeBadValue, "token name %q: want letters, digits and . _ @ - or spaces, at most 64", name)
	}
	if !slices.Contains([]hearth.Scope{hearth.ScopeRead, hearth.ScopeControl, hearth.ScopeAdmin}, scope) {
		return "", hearth.Errorf(hearth.CodeBadValue, "scope %q: want read, control or admin", scope)
	}
	secret, hash := hearth.NewSecret()
	err = f.change(func(tokens []hearth.Token) ([]hearth.Token, error) {
		if slices.ContainsFunc(tokens, func(t hearth.Token) bool { return t.Name == name }) {
			return nil, hearth.Errorf(hearth.CodeConflict, "there is a token named %s already: remove it first, or take another name", name)
		}
		return append(tokens, hearth.Token{Name: name, Scope: scope, Hash: hash, Created: hearth.Time{Time: time.Now()}}), nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// Remove takes a token away: whoever has its secret is refused from then on. An unknown name is CodeNotFound.
func (f *File) Remove(name string) error {
	return f.change(func(tokens []hearth.Token) ([]hearth.Token, error) {
		kept := slices.DeleteFunc(slices.Clone(tokens), func(t hearth.Token) bool { return t.Name == name })
		if len(kept) == len(tokens) {
			return nil, hearth.Errorf(hearth.CodeNotFound, "there is no token named %s", name)
		}
		return kept, nil
	})
}

// refresh reads the file again if it is another one than the last time.
func (f *File) refresh() error {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.seen, f.tokens, f.byHash = nil, nil, nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the tokens: %w", err)
	}
	if f.seen != nil && os.SameFile(f.seen, info) && f.seen.ModTime().Equal(info.ModTime()) && f.seen.Size() == info.Size() {
		return nil
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("reading the tokens: %w", err)
	}
	tokens, err := parse(data)
	if err != nil {
		return fmt.Errorf("reading the tokens: %s: %w: mend it, or move it away and make new tokens", f.path, err)
	}
	f.seen, f.tokens, f.byHash = info, tokens, make(map[string]hearth.Token, len(tokens))
	for _, t := range tokens {
		f.byHash[t.Hash] = t
	}
	return nil
}

func parse(data []byte) ([]hearth.Token, error) {
	var file struct {
		Tokens []hearth.Token `json:"tokens"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	for _, t := range file.Tokens {
		if t.Name == "" || t.Scope == "" || len(t.Hash) != len(hearth.HashSecret("")) {
			return nil, errors.New("an entry lacks its name, scope or hash")
		}
	}
	return file.Tokens, nil
}

// change replaces the file's content, one process at a time.
func (f *File) change(edit func([]hearth.Token) ([]hearth.Token, error)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	lock, err := os.OpenFile(f.path+".lock", os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("changing the tokens: %w", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("waiting for the tokens: %w", err)
	}
	if err := f.refresh(); err != nil {
		return err
	}
	tokens, err := edit(f.tokens)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(map[string]any{"tokens": tokens}, "", "  ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(f.path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the tokens: %w", err)
	}
	settings.GiveTo(filepath.Dir(f.path), f.path, lock.Name())
	return f.refresh()
}
