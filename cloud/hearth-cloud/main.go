// Command hearth-cloud is the receiver. See cloud.Run for what it does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"hearth/cloud"
	"hearth/cloud/accounts"
)

const usage = `usage:
  hearth-cloud run   -config cloud.yaml              the daemon; says "ready" once it serves
  hearth-cloud check -config cloud.yaml              says what is wrong with the configuration
  hearth-cloud home  add -config cloud.yaml NAME     prints home id and claim code
  hearth-cloud user  add -config cloud.yaml -role admin|operator|viewer [-home ID] EMAIL     prints a one-time link to set the password
  hearth-cloud token add -config cloud.yaml -name NAME -scope read|control|write|admin|gateway [-home ID]
  hearth-cloud backup  -config cloud.yaml FILE       everything in one file, while the daemon runs or not; - is the output
  hearth-cloud restore -config cloud.yaml FILE       into an empty data directory; - is the input
  hearth-cloud version
The configuration is /etc/hearth/cloud.yaml unless -config says otherwise.
`

var version = "dev" // set by the linker

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit codes.
const (
	done    = 0
	failure = 1
	misused = 2
)

// A call is what was asked for on the command line.
type call struct {
	config      string
	name, scope string // of a token
	role        string // of a person
	home        string
	args        []string
	in          io.Reader
	out, errs   io.Writer
}

// A command is what a call may be of.
type command struct {
	flags func(*flag.FlagSet, *call) // beside -config; nil: none
	args  string                     // what it wants after the flags; "" for nothing
	run   func(*call) error
}

func commands() map[string]command {
	return map[string]command{
		"run":       {run: serve},
		"check":     {run: check},
		"home add":  {run: addHome, args: "one NAME; put it in quotes if it has spaces"},
		"user add":  {run: addUser, flags: userFlags, args: "one EMAIL"},
		"token add": {run: addToken, flags: tokenFlags},
		"backup":    {run: backup, args: "one FILE to write, or - for the output"},
		"restore":   {run: restore, args: "one FILE to read, or - for the input"},
		"version":   {run: func(c *call) error { _, err := fmt.Fprintln(c.out, version); return err }},
	}
}

// errSaid says that what is wrong was said already.
var errSaid = errors.New("said")

// A usageError is a command line that cannot be carried out.
type usageError struct{ why string }

func (e usageError) Error() string { return e.why }

func run(args []string, in io.Reader, out, errs io.Writer) int {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	if (name == "home" || name == "user" || name == "token") && len(args) > 0 {
		name, args = name+" "+args[0], args[1:]
	}
	switch name {
	case "help", "-h", "-help", "--help":
		fmt.Fprint(out, usage)
		return done
	}
	cmd, ok := commands()[name]
	if !ok {
		return misuse(errs, "there is no command "+name)
	}
	c := &call{in: in, out: out, errs: errs}
	flags := flag.NewFlagSet("hearth-cloud "+name, flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() { fmt.Fprint(errs, usage) }
	flags.StringVar(&c.config, "config", "/etc/hearth/cloud.yaml", "")
	if cmd.flags != nil {
		cmd.flags(flags, c)
	}
	if flags.Parse(args) != nil {
		return misused
	}
	c.args = flags.Args()
	switch {
	case cmd.args == "" && len(c.args) > 0:
		return misuse(errs, fmt.Sprintf("%q is too much", c.args[0]))
	case cmd.args != "" && (len(c.args) != 1 || c.args[0] == ""):
		return misuse(errs, name+" wants "+cmd.args)
	}
	err := cmd.run(c)
	var wrong usageError
	switch {
	case err == nil:
		return done
	case errors.As(err, &wrong):
		return misuse(errs, wrong.why)
	case !errors.Is(err, errSaid):
		fmt.Fprintln(errs, "hearth-cloud:", err)
	}
	return failure
}

func misuse(errs io.Writer, why string) int {
	fmt.Fprintf(errs, "hearth-cloud: %s\n%s", why, usage)
	return misused
}

func (c *call) load() (cloud.Config, error) { return cloud.LoadConfig(c.config) }

func newLog(c cloud.Config, errs io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: c.Level()}))
}

func check(c *call) error {
	if _, err := c.load(); err != nil {
		fmt.Fprintln(c.errs, err)
		return errSaid
	}
	_, err := fmt.Fprintln(c.out, "ok")
	return err
}

// untilSignal is a context that a signal ends.
func untilSignal() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
}

// withAccounts opens the accounts, which works while the daemon runs.
func (c *call) withAccounts(use func(context.Context, cloud.Config, *accounts.Accounts) error) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	ctx, stop := untilSignal()
	defer stop()
	books, err := cloud.OpenAccounts(ctx, config, newLog(config, c.errs))
	if err != nil {
		return err
	}
	return errors.Join(use(ctx, config, books), books.Close())
}
