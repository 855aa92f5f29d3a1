package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/settings"
)

func sample(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("samples", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("python3"); err != nil && strings.HasSuffix(name, ".py") {
		if os.Getenv("CI") != "" {
			t.Fatal("python3 is needed to test the Python sample")
		}
		t.Skip("NOT TESTED: there is no python3 to run the Python sample with")
	}
	return path
}

func TestSamples(t *testing.T) {
	for _, name := range []string{"lamp.py", "lamp.sh"} {
		t.Run(name, func(t *testing.T) {
			path := sample(t, name)
			drivertest.Run(t, drivertest.Subject{
				New: func(t *testing.T, env hearth.Env) drivertest.Rig {
					d := newDriver(t, env, Config{Command: []string{path}})
					kill := func() {
						d.mu.Lock()
						defer d.mu.Unlock()
						d.session.p.signal(syscall.SIGKILL)
					}
					return drivertest.Rig{Driver: d, Break: kill, Mend: func() {}}
				},
				Devices: []hearth.ID{"test:lamp"},
				Command: hearth.Command{Device: "test:lamp", Set: map[string]hearth.Value{"on": hearth.BoolOf(true), "brightness": hearth.NumberOf(40)}},
			})
		})
	}
}

func newDriver(t *testing.T, env hearth.Env, cfg Config) *Driver {
	t.Helper()
	d, err := New(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Driver)
}

// A bench is a plugin that runs in a test.
type bench struct {
	t      *testing.T
	env    hearth.Env
	driver *Driver
	home   *drivertest.Recorder
	log    *logBuffer
	cancel context.CancelFunc
	done   chan error
}

type logBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// script runs a shell script as a plugin; $LAMP is a lamp that behaves.
func script(t *testing.T, cfg Config, text string) *bench {
	t.Helper()
	cfg.Command = []string{"sh", "-c", text}
	cfg.Env = map[string]string{"LAMP": sample(t, "lamp.sh")}
	b := &bench{t: t, env: drivertest.NewEnv(t, "mine"), home: drivertest.NewRecorder("mine"), log: &logBuffer{}, done: make(chan error, 1)}
	b.env.Log = slog.New(slog.NewTextHandler(b.log, nil))
	b.driver = newDriver(t, b.env, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	b.cancel = cancel
	go func() {
		err := b.driver.Run(ctx, b.home)
		b.home.End()
		b.done <- err
	}()
	return b
}

// ended waits for Run's end.
func (b *bench) ended() error {
	b.t.Helper()
	select {
	case err := <-b.done:
		for _, fault := range b.home.Faults() {
			b.t.Error(fault)
		}
		return err
	case <-time.After(15 * time.Second):
		b.t.Fatalf("Run did not end; log:\n%s", b.log)
		return nil
	}
}

func (b *bench) stop() time.Duration {
	b.t.Helper()
	began := time.Now()
	b.cancel()
	if err := b.ended(); err != nil {
		b.t.Errorf("Run returned %v", err)
	}
	return time.Since(began)
}

func (b *bench) lamp() {
	b.t.Helper()
	b.home.Wait(b.t, "the lamp; log:\n"+b.log.String(), func() bool { _, ok := b.home.Device("mine:lamp"); return ok })
}

func (b *bench) do(patience time.Duration, set map[string]hearth.Value) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return b.driver.Do(ctx, hearth.Command{ID: "x", Device: "mine:lamp", Set: set})
}

var switchOn = map[string]hearth.Value{"on": hearth.BoolOf(true)}

func TestSurvived(t *testing.T) {
	tests := map[string]struct{ text, kind string }{
		"garbage":            {`head -c 100000 /dev/urandom | tr '\n' x; echo; echo "no {"; echo "{no"`, ""},
		"no JSON":            {`echo "no {"; echo "{no"; echo "[]"`, lineNotJSON},
		"not UTF-8":          {`printf '{"log":{"level":"info","message":"\377"}}\n'`, lineNotUTF8},
		"2 MiB line":         {`head -c 2097152 /dev/zero | tr '\0' a; echo`, lineTooLong},
		"unknown message":    {`echo '{"sing":{"song":1}}'`, unknownMessage},
		"foreign device":     {`echo '{"announce":{"id":"radio:lamp","properties":[]}}'`, foreignDevice},
		"bad device":         {`echo '{"announce":{"id":"../../etc","properties":[]}}'`, badDevice},
		"report too early":   {`echo '{"report":[{"device":"lamp","property":"on","value":true}]}'`, unknownDevice},
		"forget of nothing":  {`echo '{"forget":"lamp"}'`, unknownDevice},
		"unknown property":   {`echo '{"announce":{"id":"a","properties":[]}}'; echo '{"report":[{"device":"a","property":"on","value":true}]}'`, unknownProperty},
		"wrong value":        {`echo '{"announce":{"id":"a","properties":[{"name":"on"}]}}'; echo '{"report":[{"device":"a","property":"on","value":1}]}'`, badValue},
		"time of 1970":       {`echo '{"announce":{"id":"a","properties":[{"name":"on"}]}}'; echo '{"report":[{"device":"a","property":"on","value":true,"time":1000}]}'`, badTime},
		"done out of place":  {`echo '{"done":{"n":99}}'`, strayDone},
		"flood":              {`yes '{"forget":""}' | head -n 15000`, flood},
		"flood of readings":  {`echo '{"announce":{"id":"a","properties":[{"name":"on"}]}}'; { printf '{"report":['; yes '{"device":"a","property":"on","value":true},' | head -n 12000 | tr -d '\n'; printf '{"device":"a","property":"on","value":false}]}\n'; }`, flood},
		"flood of log lines": {`yes '{"log":{"level":"error","message":"no"}}' | head -n 1000`, logFlood},
		"flood of stderr":    {`yes no | head -n 1000 >&2`, logFlood},
		"flood of devices":   {`i=0; while [ $i -lt 1100 ]; do echo '{"announce":{"id":"d'$i'","properties":[]}}'; i=$((i+1)); done; i=0; while [ $i -lt 1100 ]; do echo '{"forget":"d'$i'"}'; i=$((i+1)); done`, tooManyDevices},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := script(t, Config{}, tt.text+`; exec "$LAMP"`)
			b.lamp()
			if err := b.do(10*time.Second, switchOn); err != nil {
				t.Errorf("the lamp behind the trouble: %v", err)
			}
			b.home.WaitFor(t, "mine:lamp", "on", hearth.BoolOf(true))
			b.stop()
			if named := strings.Count(b.log.String(), "the plugin sent "+tt.kind+"; further ones"); tt.kind != "" && named != 1 {
				t.Errorf("named %d times, want once; log:\n%s", named, b.log)
			}
		})
	}
}

func TestEndings(t *testing.T) {
	tests := map[string]struct {
		limit settings.Size // MiB
		text  string
		want  []string
	}{
		"crash":            {0, `echo "starting" >&2; echo "no such bridge" >&2; exit 3`, []string{"exit status 3", "no such bridge"}},
		"quiet end":        {0, `exit 0`, []string{"ended by itself", "exit status 0"}},
		"signal":           {0, `kill -SEGV $$`, []string{"segmentation fault"}},
		"closed output":    {0, `exec >&-; exec sleep 60`, []string{"closed its output"}},
		"memory":           {16, `x=aaaaaaaa; i=0; while [ $i -lt 23 ]; do x=$x$x; i=$((i+1)); done; sleep 60; :`, []string{"memory_limit of 16 MiB"}},
		"a child's memory": {16, `(x=aaaaaaaa; i=0; while [ $i -lt 23 ]; do x=$x$x; i=$((i+1)); done; sleep 60; :); sleep 60; :`, []string{"memory_limit of 16 MiB"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := script(t, Config{MemoryLimit: tt.limit << 20}, tt.text).ended()
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Run returned %v, want something with %q", err, want)
				}
			}
		})
	}
}

func TestHang(t *testing.T) {
	b := script(t, Config{}, `echo '{"announce":{"id":"lamp","properties":[{"name":"on","writable":true}]}}'; while read -r line; do :; done`)
	b.lamp()
	for range maxSilent {
		if err := b.do(50*time.Millisecond, switchOn); !errors.Is(err, &hearth.Error{Code: hearth.CodeUnknownOutcome}) {
			t.Errorf("a command without an answer: %v, want code unknown_outcome", err)
		}
	}
	if err := b.ended(); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("Run returned %v", err)
	}
}

func TestInputNotRead(t *testing.T) {
	announce := `echo '{"announce":{"id":"lamp","properties":[{"name":"label","kind":"text","writable":true}]}}'; `
	long := map[string]hearth.Value{"label": hearth.TextOf(strings.Repeat("x", 4000))}
	t.Run("blocked", func(t *testing.T) {
		b := script(t, Config{}, announce+`while sleep 0.05; do echo '{"log":{"message":"here"}}'; done`)
		b.lamp()
		answers := make(chan error)
		for range 150 {
			go func() { answers <- b.do(500*time.Millisecond, long) }()
		}
		codes := map[string]int{}
		for range 150 {
			codes[hearth.ErrorOf(<-answers).Code]++
		}
		if codes[hearth.CodeBusy] < 60 || codes[hearth.CodeBusy]+codes[hearth.CodeUnknownOutcome] != 150 {
			t.Errorf("answers: %v, want busy for what was not written, unknown_outcome for the rest", codes)
		}
		if took := b.stop(); took > 5*time.Second {
			t.Errorf("stopping took %v", took)
		}
	})
	t.Run("closed", func(t *testing.T) {
		b := script(t, Config{}, announce+`exec <&-; while sleep 0.02; do echo '{"log":{"message":"here"}}'; done`)
		b.lamp()
		var err error
		for range 100 { // until the pipe has no reader any more
			if err = b.do(50*time.Millisecond, long); errors.Is(err, &hearth.Error{Code: hearth.CodeFailed}) {
				break
			}
		}
		if !errors.Is(err, &hearth.Error{Code: hearth.CodeFailed}) {
			t.Errorf("a plugin that has closed its input: %v, want code failed", err)
		}
		b.stop()
	})
}

func TestStops(t *testing.T) {
	tests := map[string]string{
		"politely":             `exec "$LAMP"`,
		"ignores stop":         `"$LAMP" & wait; exec sleep 60`,
		"ignores SIGTERM":      `trap "" TERM; "$LAMP"; while :; do sleep 1; done`,
		"floods":               `"$LAMP" & exec yes '{"report":[{"device":"lamp","property":"on","value":true}]}'`,
		"leaves children":      `sleep 1000 & echo $! >child; exec "$LAMP"`,
		"left by its children": `setsid sleep 1000 & echo $! >child; exec "$LAMP"`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := script(t, Config{}, `exec 3<&0; `+strings.ReplaceAll(text, `"$LAMP" &`, `"$LAMP" <&3 &`))
			b.lamp()
			pid, _ := os.ReadFile(filepath.Join(b.env.Dir, "child"))
			group := b.driver.session.p.cmd.Process.Pid
			if took := b.stop(); took > 5*time.Second {
				t.Errorf("stopping took %v", took)
			}
			awaitGone(t, -group)
			if child, err := strconv.Atoi(strings.TrimSpace(string(pid))); err == nil {
				if name == "left by its children" {
					_ = syscall.Kill(child, syscall.SIGKILL)
				}
				awaitGone(t, child)
			}
		})
	}
}

// awaitGone waits until a process (or a whole group, if negative) is dead, though perhaps not reaped by whoever has to.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	timeout := time.After(5 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		alive := syscall.Kill(pid, 0) == nil
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(stat), ") Z ") {
			alive = false
		}
		if pid < 0 && alive && livingMembers(-pid) == 0 {
			alive = false
		}
		if !alive {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("process %d is still there", pid)
		}
	}
}

func livingMembers(group int) (n int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		data, _ := os.ReadFile(path)
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && fields[0] != "Z" {
			n++
		}
	}
	return n
}

func TestHelloAndEnvironment(t *testing.T) {
	t.Setenv("HEARTH_TOKEN", "a secret of the gateway")
	b := script(t, Config{Config: map[string]any{"url": "http://192.0.2.7"}}, `read -r line; echo "$line" >hello; env >env; echo "$line" | exec "$LAMP"; cat >/dev/null`)
	b.lamp()
	hello, err := os.ReadFile(filepath.Join(b.env.Dir, "hello"))
	if want := `{"hello":{"version":1,"name":"mine","state_dir":"` + b.env.Dir + `","config":{"url":"http://192.0.2.7"}}}`; err != nil || string(hello) != want+"\n" {
		t.Errorf("hello is %s (%v), want %s", hello, err, want)
	}
	env, _ := os.ReadFile(filepath.Join(b.env.Dir, "env"))
	for _, line := range strings.Fields(string(env)) {
		name, value, _ := strings.Cut(line, "=")
		switch {
		case name == "HOME" && value == b.env.Dir, name == "PATH", name == "LANG", name == "LAMP", name == "PWD", name == "OLDPWD", name == "_", name == "SHLVL":
		default:
			t.Errorf("the program sees %s", line)
		}
	}
	if info, err := os.Stat(b.env.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("state directory: %v %v", info, err)
	}
	b.stop()
}

func TestCannotStart(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"text": "hello", "noshell": "#!/no/such/shell\n", "closed": "#!/bin/sh\n"} {
		mode := os.FileMode(0o755)
		if name == "closed" {
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	for command, want := range map[string]string{
		"no-such-program-here": "check command", dir + "/none": "check command", dir + "/noshell": "interpreter",
		dir + "/closed": "chmod +x", dir + "/text": "first line",
	} {
		d := newDriver(t, drivertest.NewEnv(t, "mine"), Config{Command: []string{command}})
		err := d.Run(t.Context(), drivertest.NewRecorder("mine"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", command, err, want)
		}
	}
}

func TestConfigCheck(t *testing.T) {
	good := Config{Command: []string{"x"}}
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"good":         {func(*Config) {}, ""},
		"no command":   {func(c *Config) { c.Command = nil }, "command"},
		"NUL":          {func(c *Config) { c.Command = []string{"a", "b\x00"} }, "command"},
		"small memory": {func(c *Config) { c.MemoryLimit = 1000 }, "memory_limit"},
		"env":          {func(c *Config) { c.Env = map[string]string{"A B": ""} }, "env"},
		"config":       {func(c *Config) { c.Config = func() {} }, "config"},
		"large config": {func(c *Config) { c.Config = strings.Repeat("x", maxLine) }, "config"},
	} {
		cfg := good
		tt.change(&cfg)
		err := cfg.Check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), tt.want+":") {
			t.Errorf("%s: %v, want an error about %q", name, err, tt.want)
		}
	}
}

// TestDiesWithTheGateway kills a process that runs a plugin as the gateway does: the plugin must not survive it.
func TestDiesWithTheGateway(t *testing.T) {
	if dir := os.Getenv("HEARTH_TEST_GATEWAY"); dir != "" {
		env := drivertest.NewEnv(t, "mine")
		env.Dir = dir
		d := newDriver(t, env, Config{Command: []string{"sh", "-c", "echo $$ >pid.new; mv pid.new pid; exec sleep 1000"}})
		t.Fatal(d.Run(context.Background(), drivertest.NewRecorder("mine")))
	}
	dir := t.TempDir()
	gateway := exec.Command(os.Args[0], "-test.run=^TestDiesWithTheGateway$")
	gateway.Env = append(os.Environ(), "HEARTH_TEST_GATEWAY="+dir)
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for timeout := time.After(15 * time.Second); pid == 0; {
		data, _ := os.ReadFile(filepath.Join(dir, "pid"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(data)))
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal("the plugin did not start")
		}
	}
	if err := gateway.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = gateway.Wait()
	awaitGone(t, pid)
}
