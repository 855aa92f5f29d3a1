// Package plugin is a driver that is another program: any executable that speaks JSON lines on its standard input and
// output. Its crash, hang, garbage or memory hunger hurts nobody else. README.md tells how to write one.
package plugin

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"hearth"
	"hearth/settings"
)

// DefaultMemoryLimit is what a plugin and the processes it starts may use together when nobody says.
const DefaultMemoryLimit settings.Size = 256 << 20

const (
	version         = 1        // of the protocol
	minMemoryLimit  = 4 << 20  // a shell needs about 1 MiB
	maxLine         = 1 << 20  // bytes of one line, either way
	messagesPerSec  = 5000     // readings and other messages; a plugin that says more is made to wait
	maxQueue        = 64       // commands on their way to a plugin that does not read them
	maxSilent       = 3        // commands in a row without a sign of life before the plugin is started again
	maxDevices      = 1000     // of one plugin
	maxAnnounceLine = 64 << 10 // bytes: what the gateway keeps for each device is bounded
	defaultPath     = "/usr/local/bin:/usr/bin:/bin"
)

// Config says which program to run.
type Config struct {
	// Command is the program and its arguments. A name without a slash is looked for in PATH.
	Command []string `yaml:"command"`
	// Config is handed to the program as it is, in its hello.
	Config any `yaml:"config"`
	// MemoryLimit is how much memory the program and all that it starts may hold together, at least 4 MiB; 0 means
	// DefaultMemoryLimit. A program that needs more is stopped and started again after a pause.
	MemoryLimit settings.Size `yaml:"memory_limit"`
	// Env are environment variables for the program, beside PATH, HOME and LANG, which are all that it gets otherwise.
	Env map[string]string `yaml:"env"`
}

var envForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Check says what is wrong with the configuration. It does not look for the program.
func (c Config) Check() error {
	if len(c.Command) == 0 || c.Command[0] == "" {
		return settings.At("$.command", "a plugin needs its program and arguments, as in [/usr/libexec/hearth/mine, --fast]")
	}
	for _, arg := range c.Command {
		if strings.ContainsRune(arg, 0) {
			return settings.At("$.command", "an argument holds a NUL character")
		}
	}
	if c.MemoryLimit != 0 && c.MemoryLimit < minMemoryLimit {
		return settings.At("$.memory_limit", "%s is too little for any program: want at least 4MiB", c.MemoryLimit)
	}
	for name, value := range c.Env {
		if !envForm.MatchString(name) || strings.ContainsRune(value, 0) {
			return settings.At("$.env", "%q is no environment variable", name)
		}
	}
	data, err := json.Marshal(c.Config)
	if err != nil {
		return settings.At("$.config", "cannot be handed over as JSON: %v", err)
	}
	if len(data) > maxLine/2 {
		return settings.At("$.config", "takes %d bytes as JSON, more than %d", len(data), maxLine/2)
	}
	return nil
}

// A Driver runs one plugin.
type Driver struct {
	env hearth.Env
	cfg Config

	mu      sync.Mutex
	session *session // nil without Run
}

// New returns the driver of the plugin that cfg names. The program is started by Run.
func New(env hearth.Env, cfg Config) (hearth.Driver, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.MemoryLimit == 0 {
		cfg.MemoryLimit = DefaultMemoryLimit
	}
	return &Driver{env: env, cfg: cfg}, nil
}

// Run starts the program and speaks with it until ctx ends. The program is then asked to stop; after 1 s it gets
// SIGTERM, after 1.6 s its whole process group gets SIGKILL. An error tells how the program ended by itself, that it
// used too much memory, or that it does not answer.
func (d *Driver) Run(ctx context.Context, home hearth.Home) error {
	if ctx.Err() != nil {
		return nil
	}
	p, err := start(d.env.Dir, d.cfg)
	if err != nil {
		return err
	}
	s := newSession(d.env, home, p)
	d.connect(s)
	err = s.serve(ctx, d.cfg)
	d.connect(nil)
	s.end()
	return err
}

func (d *Driver) connect(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session = s
}

// Do hands the command to the program and waits for its done. Errors have the codes of the program; offline while it
// does not run, busy while it does not read, unknown_outcome when it got the command and did not answer.
func (d *Driver) Do(ctx context.Context, cmd hearth.Command) error {
	d.mu.Lock()
	s := d.session
	d.mu.Unlock()
	if s == nil {
		return hearth.Errorf(hearth.CodeOffline, "plugin %s is not running", d.env.Name)
	}
	return s.do(ctx, cmd)
}

// program returns the absolute path of the program.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}
