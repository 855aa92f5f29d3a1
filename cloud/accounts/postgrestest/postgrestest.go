// Package postgrestest runs a PostgreSQL of its own for a test.
package postgrestest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"
)

// A Server is a PostgreSQL that runs until its test ends.
type Server struct {
	dir     string // of its socket
	data    string
	path    string
	options []string
	who     *syscall.SysProcAttr
	process *exec.Cmd
	log     bytes.Buffer
	db      *sql.DB
	n       int
}

// Start starts a server; options are settings, as in fsync=off. Where none is installed the test is skipped, but not in
// CI.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	path, err := find()
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("NOT TESTED: there is no PostgreSQL on this machine")
	}
	if err != nil {
		t.Fatal(err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "pg") // short: a socket's path is at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{dir: dir, data: filepath.Join(dir, "data"), path: path, options: options, who: unprivileged(t, dir)}
	initdb := exec.Command(filepath.Join(filepath.Dir(path), "initdb"), "-D", s.data, "-U", "hearth", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
	initdb.SysProcAttr, initdb.Dir = s.who, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	if s.db, err = sql.Open("pgx", s.Address("postgres")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	s.start(t)
	t.Cleanup(s.stop)
	return s
}

// find looks where Debian puts it as well, which is not in the path.
func find() (string, error) {
	if installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); len(installed) > 0 {
		return installed[len(installed)-1], nil
	}
	return exec.LookPath("postgres")
}

func (s *Server) start(t testing.TB) {
	t.Helper()
	args := []string{"-D", s.data, "-k", s.dir, "-c", "listen_addresses="}
	for _, option := range s.options {
		args = append(args, "-c", option)
	}
	s.process = exec.Command(s.path, args...)
	s.process.SysProcAttr, s.process.Dir, s.process.Stdout, s.process.Stderr = s.who, s.dir, &s.log, &s.log
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for s.db.PingContext(ctx) != nil {
		select {
		case <-ctx.Done():
			t.Fatal("PostgreSQL did not start")
		case <-retry.C:
		}
	}
}

// stop has it quit at once, as in a crash.
func (s *Server) stop() {
	_ = s.process.Process.Signal(syscall.SIGQUIT)
	_ = s.process.Wait() // it was told to quit
}

// Restart has the server quit at once, as in a crash, and starts it again.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.stop()
	s.start(t)
}

// Database makes a fresh database and returns its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.n++
	name := fmt.Sprintf("test%d", s.n)
	if _, err := s.db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return s.Address(name)
}

// Address returns the address of a database.
func (s *Server) Address(database string) string {
	return fmt.Sprintf("postgres://hearth@/%s?host=%s", database, s.dir)
}

// unprivileged makes dir another user's where the test runs as root, whom PostgreSQL does not serve.
func unprivileged(t testing.TB, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(nobody.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(nobody.Gid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}
