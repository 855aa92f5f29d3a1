// hearth-edge is the gateway: one program with the daemon and everything to look after it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"hearth/edge"
	"hearth/settings"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// A command is one sub-command.
type command struct {
	name   string // of one or two words
	args   string // the positional arguments
	what   string
	config bool // it takes -config
	flags  func(*call)
	run    func(*call) error
}

// A call is one use of a command.
type call struct {
	out, err io.Writer
	flags    *flag.FlagSet
	args     []string

	config   string
	data     string
	listen   string
	name     string
	scope    string
	insecure bool
	zigbee   bool
	reset    bool
}

func commands() []command {
	name := func(c *call) { c.flags.StringVar(&c.name, "name", "", "the token's `name`") }
	return []command{
		{"run", "", "the daemon", true, nil, runDaemon},
		{"check", "", "says what is wrong in the configuration as file:line:column; starts nothing", true, nil, check},
		{"demo", "", "a simulated home: no hardware, no configuration", false, func(c *call) {
			c.flags.StringVar(&c.data, "data", "", "keep what the demo stores in `DIR`; without it, it is gone at the end")
			c.flags.StringVar(&c.listen, "listen", "127.0.0.1:8470", "the page's `address`")
			c.flags.BoolVar(&c.zigbee, "zigbee", false, "with a fake Zigbee stick and its devices beside the simulated home")
		}, demo},
		{"ports", "", "serial ports by stable name, with the driver that would fit", false, nil, ports},
		{"doctor", "", "looks at everything around the gateway and names the first broken thing", true, nil, examine},
		{"claim", "CLOUD-URL CODE", "joins this gateway to a home of the cloud", true, func(c *call) {
			c.flags.BoolVar(&c.insecure, "insecure", false, "send the token to another machine without TLS")
		}, claim},
		{"token add", "", "prints a new token; works while the daemon runs", true, func(c *call) {
			name(c)
			c.flags.StringVar(&c.scope, "scope", "read", "what it allows: read, control or admin")
		}, addToken},
		{"token list", "", "names, scopes and when they were made", true, nil, listTokens},
		{"token remove", "", "whoever has it is refused from then on", true, name, removeToken},
		{"homekit", "", "the code that adds the gateway to Apple's Home, and who is paired; works while the daemon runs", true, func(c *call) {
			c.flags.BoolVar(&c.reset, "reset", false, "remove all pairings first, and make the bridges anew; the setup code stays")
		}, showHomeKit},
		{"zigbee dump", "DEVICE", "what a device definition needs: everything that the device can be asked; the daemon must run", true, func(c *call) {
			c.flags.StringVar(&c.name, "driver", "", "the radio's `name`, where there are several")
		}, dumpZigbee},
		{"zigbee fake", "", "a stick and its devices without hardware, for whoever writes a device definition", false, func(c *call) {
			c.flags.StringVar(&c.listen, "listen", "127.0.0.1:8479", "the `address` that a driver's port names: tcp://ADDRESS")
			c.flags.StringVar(&c.name, "adapter", "znp", "what the stick speaks: znp or ezsp")
			c.flags.StringVar(&c.data, "data", "", "keep the stick's memory in `DIR`; without it the stick is blank at every start")
		}, fakeZigbee},
		{"backup", "FILE", "all state of the gateway, radio network included, but no readings; works while the daemon runs", true, nil, backup},
		{"restore", "FILE", "puts a backup in place; the daemon must not run", true, nil, restore},
		{"version", "", "", false, nil, printVersion},
	}
}

// usageError is a call that cannot be understood.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func execute(args []string, out, errOut io.Writer) int {
	cmd, rest, err := find(args)
	if err == nil {
		c := &call{out: out, err: errOut, flags: flag.NewFlagSet(cmd.name, flag.ContinueOnError)}
		if err = c.parse(cmd, rest); err == nil {
			err = cmd.run(c)
		}
	}
	var usage usageError
	var mistakes settings.Problems
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		printUsage(out, cmd)
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintln(errOut, "hearth-edge:", err)
		printUsage(errOut, cmd)
		return exitUsage
	case errors.Is(err, errSaid):
	case errors.As(err, &mistakes):
		fmt.Fprintln(errOut, err) // begins with the file's name
	default:
		fmt.Fprintln(errOut, "hearth-edge:", err)
	}
	return exitFailed
}

// errSaid is a failure that was told already.
var errSaid = errors.New("failed")

func find(args []string) (command, []string, error) {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help") {
		return command{}, nil, flag.ErrHelp
	}
	for _, cmd := range commands() {
		words := strings.Fields(cmd.name)
		if len(args) >= len(words) && strings.Join(args[:len(words)], " ") == cmd.name {
			return cmd, args[len(words):], nil
		}
	}
	if len(args) == 0 {
		return command{}, nil, usageError{"which command?"}
	}
	return command{}, nil, usageError{fmt.Sprintf("unknown command %q", strings.Join(args[:min(2, len(args))], " "))}
}

// parse takes flags before, between and after the positional arguments.
func (c *call) parse(cmd command, args []string) error {
	c.flags.SetOutput(io.Discard)
	if cmd.config {
		c.flags.StringVar(&c.config, "config", "/etc/hearth/edge.yaml", "the configuration `file`")
	}
	if cmd.flags != nil {
		cmd.flags(c)
	}
	for {
		if err := c.flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return err
		} else if err != nil {
			return usageError{err.Error()}
		}
		if c.flags.NArg() == 0 {
			break
		}
		c.args = append(c.args, c.flags.Arg(0))
		args = c.flags.Args()[1:]
	}
	if want := strings.Fields(cmd.args); len(c.args) != len(want) {
		if len(want) == 0 {
			return usageError{fmt.Sprintf("%s takes no arguments, not %q", cmd.name, c.args)}
		}
		return usageError{fmt.Sprintf("%s takes %s", cmd.name, cmd.args)}
	}
	return nil
}

func printUsage(w io.Writer, one command) {
	if one.name != "" {
		fmt.Fprintln(w, "usage: hearth-edge", one.line())
		c := &call{flags: flag.NewFlagSet(one.name, flag.ContinueOnError)}
		_ = c.parse(one, nil)
		c.flags.SetOutput(w)
		c.flags.PrintDefaults()
		return
	}
	fmt.Fprintln(w, "usage: hearth-edge COMMAND")
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  %-34s %s\n", cmd.line(), cmd.what)
	}
}

func (cmd command) line() string {
	line := cmd.name
	if cmd.config {
		line += " [-config FILE]"
	}
	return strings.TrimSpace(line + " " + cmd.args)
}

func printVersion(c *call) error {
	_, err := fmt.Fprintln(c.out, "hearth-edge", version)
	return err
}

// load reads the configuration that the call names.
func (c *call) load() (edge.Config, error) { return edge.LoadConfig(c.config) }

// logger writes to w. The journal has a time of its own.
func logger(w io.Writer, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if os.Getenv("JOURNAL_STREAM") != "" {
		options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// built is when this program was made, or at the least when its source was: nobody's clock is right before that.
func built() time.Time {
	floor := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return floor
	}
	for _, s := range info.Settings {
		if s.Key != "vcs.time" {
			continue
		}
		if t, err := time.Parse(time.RFC3339, s.Value); err == nil && t.After(floor) {
			return t
		}
	}
	return floor
}
