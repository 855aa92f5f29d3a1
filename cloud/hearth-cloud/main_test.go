package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cloud.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func good(t *testing.T) string {
	t.Helper()
	return configFile(t, fmt.Sprintf("data: %s\nweb: {listen: '127.0.0.1:0'}\nmqtt: {listen: ''}\n", t.TempDir()))
}

func cli(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(args, nil, &o, &e)
	return code, o.String(), e.String()
}

func TestUsage(t *testing.T) {
	c := good(t)
	for _, args := range [][]string{
		{}, {"fly"}, {"home"}, {"home", "remove"}, {"home", "add", "-config", c}, {"home", "add", "-config", c, "a", "b"}, {"token", "add", "-config", c},
		{"token", "add", "-config", c, "-name", "x"}, {"token", "add", "-config", c, "-name", "x", "-scope", "read", "more"}, {"check", "-nope"}, {"user", "add", "-config", c, "x@example.org"}, {"user", "add", "-config", c, "-role", "admin"}, {"run", "-config", c, "more"},
	} {
		if code, out, errs := cli(args...); code != misused || out != "" || !strings.Contains(errs, "usage:") {
			t.Errorf("%q: %d, %q, %q", args, code, out, errs)
		}
	}
	if code, out, _ := cli("version"); code != done || out != "dev\n" {
		t.Errorf("version: %d, %q", code, out)
	}
}

func TestCheck(t *testing.T) {
	if code, out, errs := cli("check", "-config", good(t)); code != done || out != "ok\n" || errs != "" {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	bad := configFile(t, "web:\n  lisen: x\n")
	if code, out, errs := cli("check", "-config", bad); code != failure || out != "" || !strings.HasPrefix(errs, bad+":2:3: ") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	if code, _, errs := cli("check", "-config", "/nowhere"); code != failure || errs == "" {
		t.Errorf("%d, %q", code, errs)
	}
	if code, _, errs := cli("run", "-config", bad); code != failure || !strings.Contains(errs, ":2:3: ") {
		t.Errorf("%d, %q", code, errs)
	}
}

func TestHomesAndTokens(t *testing.T) {
	c := good(t)
	code, out, errs := cli("home", "add", "-config", c, "Cabin")
	made := regexp.MustCompile(`^home ([a-z0-9]+)\ncode [A-Z]{4}-[A-Z]{4}\n$`).FindStringSubmatch(out)
	if code != done || made == nil || errs != "" {
		t.Fatalf("%d, %q, %q", code, out, errs)
	}
	if code, out, errs := cli("home", "add", "-config", c, "Cabin"); code != failure || out != "" || !strings.Contains(errs, "already") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	for _, args := range [][]string{{"-name", "a", "-scope", "admin"}, {"-name", "b", "-scope", "write", "-home", made[1]}, {"-name", "c", "-scope", "gateway", "-home", made[1]}} {
		if code, out, errs := cli(append([]string{"token", "add", "-config", c}, args...)...); code != done || !regexp.MustCompile(`^hearth_[A-Z2-7]{26}\n$`).MatchString(out) {
			t.Errorf("%q: %d, %q, %q", args, code, out, errs)
		}
	}
	for _, args := range [][]string{{"-name", "a", "-scope", "read"}, {"-name", "x", "-scope", "king"}, {"-name", "x", "-scope", "read", "-home", "nowhere"}} {
		if code, out, errs := cli(append([]string{"token", "add", "-config", c}, args...)...); code != failure || out != "" || errs == "" {
			t.Errorf("%q: %d, %q, %q", args, code, out, errs)
		}
	}
}

// lines is a writer that tells of each line that it is given.
type lines struct {
	mu   sync.Mutex
	part string
	c    chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part += string(p)
	for {
		line, rest, ok := strings.Cut(l.part, "\n")
		if !ok {
			return len(p), nil
		}
		l.part = rest
		l.c <- line
	}
}

func (l *lines) await(t *testing.T, prefix string) string {
	t.Helper()
	for {
		select {
		case line := <-l.c:
			if strings.HasPrefix(line, prefix) {
				return line
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no line begins with %q", prefix)
		}
	}
}

// The daemon says when it is ready, shows its owner a link at the first start, reads its configuration again on a
// hangup, and stops on a signal.
func TestUsers(t *testing.T) {
	c := good(t)
	code, out, errs := cli("user", "add", "-config", c, "-role", "operator", "ada@example.org")
	if code != done || !regexp.MustCompile(`^http://127\.0\.0\.1:0/link\?secret=link_\w+\n$`).MatchString(out) {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	for _, args := range [][]string{{"-role", "boss", "ada@example.org"}, {"-role", "viewer", "-home", "nowhere", "ada@example.org"}, {"-role", "viewer", "nobody"}} {
		if code, out, errs := cli(append([]string{"user", "add", "-config", c}, args...)...); code != failure || out != "" || errs == "" {
			t.Errorf("%q: %d, %q, %q", args, code, out, errs)
		}
	}
}

func TestRun(t *testing.T) {
	c := good(t)
	out, errs := &lines{c: make(chan string, 1000)}, &lines{c: make(chan string, 1000)}
	ended := make(chan int, 1)
	go func() { ended <- run([]string{"run", "-config", c}, nil, out, errs) }()
	if link := out.await(t, "link "); !strings.Contains(link, "/?token=hearth_") {
		t.Errorf("%s", link)
	}
	errs.await(t, "ready")
	if code, _, errs := cli("token", "add", "-config", c, "-name", "beside", "-scope", "read"); code != done {
		t.Errorf("%d, %s", code, errs)
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ config, line string }{
		{string(text), "has not changed"}, {"web: {lisen: x}", "the old one stays"}, {string(text) + "ingest: {rate: 1MB}\n", "starting again"},
	} {
		if err := os.WriteFile(c, []byte(step.config), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := self.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(errs.await(t, "time="), step.line) {
			continue
		}
	}
	errs.await(t, "ready")
	if err := self.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != done {
		t.Errorf("it ended with %d", code)
	}
	if len(out.c) != 0 {
		t.Errorf("it showed a second link: %s", <-out.c)
	}
}
