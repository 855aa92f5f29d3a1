package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the test's own executable the program.
const asProgram = "HEARTH_EDGE_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "JOURNAL_STREAM=")
	return cmd
}

// edgeYAML writes a configuration and returns its path and its data directory.
func edgeYAML(t testing.TB, more string) (config, data string) {
	t.Helper()
	dir := t.TempDir()
	config, data = filepath.Join(dir, "edge.yaml"), filepath.Join(dir, "data")
	if err := os.WriteFile(config, fmt.Appendf(nil, "data: %q\n%s", data, more), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, data
}

func TestCalls(t *testing.T) {
	good, _ := edgeYAML(t, "drivers:\n  toy: {type: sim}\n  meter: {type: dsmr, port: /dev/nothing-here}\n")
	bad, _ := edgeYAML(t, "buffer: {comit: 10s}\n")
	for _, test := range []struct {
		args      string
		code      int
		out, errs string // regular expressions
	}{
		{"version", 0, `^hearth-edge dev\n$`, `^$`},
		{"check -config " + good, 0, `^ok\n$`, `^$`},
		{"check --config=" + good, 0, `^ok\n$`, `^$`},
		{"check -config " + bad, 1, `edge.yaml:2:10: unknown key "comit": did you mean "commit"\?\n`, `^$`},
		{"check -config /nowhere/edge.yaml", 1, `no such file`, `^$`},
		{"run -config " + bad, 1, `^$`, `edge.yaml:2:10: unknown key`},
		{"", 2, `^$`, `which command\?\nusage: hearth-edge COMMAND`},
		{"fly", 2, `^$`, `unknown command "fly"`},
		{"token", 2, `^$`, `unknown command "token"`},
		{"token steal", 2, `^$`, `unknown command "token steal"`},
		{"run -confg x", 2, `^$`, `-confg`},
		{"run extra", 2, `^$`, `takes no arguments`},
		{"backup", 2, `^$`, `backup takes FILE`},
		{"claim http://x", 2, `^$`, `claim takes CLOUD-URL CODE`},
		{"token add -config " + good, 2, `^$`, `needs -name`},
		{"token add -scope root -name a -config " + good, 2, `^$`, `scope "root"`},
		{"demo -listen nowhere", 2, `^$`, `want an address and a port`},
		{"help", 0, `usage: hearth-edge COMMAND(.|\n)*token add`, `^$`},
		{"token add -h", 0, `usage: hearth-edge token add \[-config FILE\](.|\n)*-scope`, `^$`},
		{"claim -config " + good + " http://example.org CODE", 1, `^$`, `unencrypted`},
		{"claim http://127.0.0.1:1 CODE -config " + good, 1, `^$`, `refused`},
		{"restore -config " + good + " /nowhere.tar", 1, `^$`, `no such file`},
		{"doctor -config " + bad, 1, `FAIL configuration: (.|\n)*first broken: configuration`, `^$`},
		{"doctor -config " + good, 1, `FAIL(.|\n)*/dev/nothing-here(.|\n)*first broken: `, `^$`},
	} {
		t.Run(test.args, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := execute(strings.Fields(test.args), &out, &errs)
			if code != test.code || !regexp.MustCompile(test.out).MatchString(out.String()) || !regexp.MustCompile(test.errs).MatchString(errs.String()) {
				t.Errorf("exit code %d, want %d\nout: %s\nerr: %s", code, test.code, &out, &errs)
			}
		})
	}
}

func TestPorts(t *testing.T) {
	var out, errs bytes.Buffer
	if code := execute([]string{"ports"}, &out, &errs); code != 0 || out.Len() == 0 {
		t.Errorf("exit code %d: %s%s", code, &out, &errs)
	}
}

func TestTokens(t *testing.T) {
	config, data := edgeYAML(t, "")
	call := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := execute(append(args, "-config", config), &out, &errs); code != want {
			t.Errorf("%s: exit code %d, want %d: %s", args, code, want, &errs)
		}
		return out.String()
	}
	if secret := call(0, "token", "add", "-name", "phone", "-scope", "control"); !regexp.MustCompile(`^hearth_\w{26}\n$`).MatchString(secret) {
		t.Errorf("token add prints %q", secret)
	}
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data directory: %v, %v", info, err)
	}
	call(1, "token", "add", "-name", "phone")
	if list := call(0, "token", "list"); !regexp.MustCompile(`^phone +control +20\d\d-\S+Z\n$`).MatchString(list) {
		t.Errorf("token list prints %q", list)
	}
	call(0, "token", "remove", "-name", "phone")
	call(1, "token", "remove", "-name", "phone")
	if list := call(0, "token", "list"); list != "" {
		t.Errorf("token list prints %q", list)
	}
}

// A process is the program, running.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines chan string
}

func launch(t testing.TB, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: program(args...), lines: make(chan string, 10_000)}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
	})
	return p
}

// until returns the line that begins so.
func (p *process) until(begin string) string {
	p.t.Helper()
	var before []string
	late := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("ended without saying %q:\n%s", begin, strings.Join(before, "\n"))
			}
			if strings.HasPrefix(line, begin) {
				return line
			}
			before = append(before, line)
		case <-late:
			p.t.Fatalf("does not say %q:\n%s", begin, strings.Join(before, "\n"))
		}
	}
}

// end sends a signal and returns the exit code and how long it took.
func (p *process) end(signal os.Signal) (int, time.Duration) {
	p.t.Helper()
	asked := time.Now()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait() // the code says it
	return p.cmd.ProcessState.ExitCode(), time.Since(asked)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestDemo(t *testing.T) {
	data := filepath.Join(t.TempDir(), "demo")
	for range 2 { // the second time with what the first has left
		p := launch(t, "demo", "-listen", freeAddress(t), "-data", data)
		link := strings.TrimPrefix(p.until("link "), "link ")
		p.until("ready")
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Jar: jar}).Get(link)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || err != nil || !bytes.Contains(body, []byte("<html")) {
			t.Errorf("the link opens %d %v %.200s", resp.StatusCode, err, body)
		}
		if code, took := p.end(syscall.SIGINT); code != 0 || took > 5*time.Second {
			t.Errorf("SIGINT: exit code %d after %v", code, took)
		}
	}
}

func TestKilledAndStarted(t *testing.T) {
	config, _ := edgeYAML(t, fmt.Sprintf("web: {listen: %q}\nbuffer: {commit: 100ms}\ndrivers:\n  toy: {type: sim, devices: 20, interval: 100ms}\n", freeAddress(t)))
	for i := range 5 {
		p := launch(t, "run", "-config", config)
		if i == 0 {
			p.until("link http://127.0.0.1:")
		}
		p.until("ready")
		if i == 2 {
			if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			p.until("time=") // whatever it says about it, it lives
		}
		p.end(syscall.SIGKILL)
	}
	p := launch(t, "run", "-config", config)
	p.until("ready")
	if code, took := p.end(syscall.SIGTERM); code != 0 || took > 5*time.Second {
		t.Errorf("SIGTERM: exit code %d after %v", code, took)
	}
}

// BenchmarkStart measures from the start of the process to ready.
func BenchmarkStart(b *testing.B) {
	config, _ := edgeYAML(b, fmt.Sprintf("web: {listen: %q}\n", freeAddress(b)))
	for b.Loop() {
		p := launch(b, "run", "-config", config)
		p.until("ready")
		b.StopTimer()
		p.end(syscall.SIGKILL)
		b.StartTimer()
	}
}
