package accounts

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
)

// A postgresServer is a PostgreSQL that runs for one test.
type postgresServer struct {
	dir string // of its socket
	db  *sql.DB
	n   int
}

// database makes a fresh database and returns its address.
func (s *postgresServer) database(t *testing.T) string {
	t.Helper()
	s.n++
	name := fmt.Sprintf("test%d", s.n)
	if _, err := s.db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return s.address(name)
}

func (s *postgresServer) address(database string) string {
	return fmt.Sprintf("postgres://hearth@/%s?host=%s", database, s.dir)
}

// findPostgres looks where Debian puts it as well, which is not in the path.
func findPostgres() (string, error) {
	if installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); len(installed) > 0 {
		return installed[len(installed)-1], nil
	}
	return exec.LookPath("postgres")
}

// postgres starts a server. Where none is installed the test is skipped, but not in CI.
func postgres(t *testing.T) *postgresServer {
	t.Helper()
	path, err := findPostgres()
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
	who := unprivileged(t, dir)
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(filepath.Dir(path), "initdb"), "-D", data, "-U", "hearth", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
	initdb.SysProcAttr, initdb.Dir = who, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	var log bytes.Buffer
	server := exec.Command(path, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	server.SysProcAttr, server.Dir, server.Stdout, server.Stderr = who, dir, &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Signal(syscall.SIGQUIT); err != nil {
			t.Error(err)
		}
		_ = server.Wait() // it was told to quit at once
	})
	s := &postgresServer{dir: dir}
	s.await(t, &log)
	return s
}

// unprivileged makes dir another user's where the test runs as root, whom PostgreSQL does not serve.
func unprivileged(t *testing.T, dir string) *syscall.SysProcAttr {
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

func (s *postgresServer) await(t *testing.T, log fmt.Stringer) {
	t.Helper()
	var err error
	if s.db, err = sql.Open("pgx", s.address("postgres")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for s.db.PingContext(ctx) != nil {
		select {
		case <-ctx.Done():
			t.Fatalf("PostgreSQL did not start: %s", log)
		case <-retry.C:
		}
	}
}
