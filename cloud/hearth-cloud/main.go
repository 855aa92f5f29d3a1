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
	"reflect"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"hearth"
	"hearth/cloud"
)

const usage = `usage:
  hearth-cloud run   -config cloud.yaml              the daemon; says "ready" once it serves
  hearth-cloud check -config cloud.yaml              says what is wrong with the configuration
  hearth-cloud home  add -config cloud.yaml NAME     prints home id and claim code
  hearth-cloud token add -config cloud.yaml -name NAME -scope read|control|write|admin|gateway [-home ID]
  hearth-cloud version
The configuration is /etc/hearth/cloud.yaml unless -config says otherwise.
`

var version = "dev" // set by the linker

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes.
const (
	done    = 0
	failure = 1
	misused = 2
)

func run(args []string, out, errs io.Writer) int {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	if (name == "home" || name == "token") && len(args) > 0 {
		name, args = name+" "+args[0], args[1:]
	}
	flags := flag.NewFlagSet("hearth-cloud "+name, flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() { fmt.Fprint(errs, usage) }
	config := flags.String("config", "/etc/hearth/cloud.yaml", "")
	var err error
	switch name {
	case "run", "check":
		if flags.Parse(args) != nil || !noMore(flags, errs) {
			return misused
		}
		if name == "check" {
			return check(*config, out, errs)
		}
		err = serve(*config, out, errs)
	case "home add":
		if flags.Parse(args) != nil {
			return misused
		}
		if flags.NArg() != 1 {
			return misuse(errs, "home add wants one NAME; put it in quotes if it has spaces")
		}
		err = addHome(*config, flags.Arg(0), out, errs)
	case "token add":
		token := flags.String("name", "", "")
		scope := flags.String("scope", "", "")
		home := flags.String("home", "", "")
		if flags.Parse(args) != nil || !noMore(flags, errs) {
			return misused
		}
		if *token == "" || *scope == "" {
			return misuse(errs, "token add wants -name and -scope")
		}
		err = addToken(*config, *token, *scope, *home, out, errs)
	case "version":
		fmt.Fprintln(out, version)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(out, usage)
	default:
		return misuse(errs, "there is no command "+name)
	}
	if err != nil {
		fmt.Fprintln(errs, "hearth-cloud:", err)
		return failure
	}
	return done
}

func misuse(errs io.Writer, why string) int {
	fmt.Fprintf(errs, "hearth-cloud: %s\n%s", why, usage)
	return misused
}

func noMore(flags *flag.FlagSet, errs io.Writer) bool {
	if flags.NArg() > 0 {
		misuse(errs, fmt.Sprintf("%q is too much", flags.Arg(0)))
		return false
	}
	return true
}

func check(path string, out, errs io.Writer) int {
	if _, err := cloud.LoadConfig(path); err != nil {
		fmt.Fprintln(errs, err)
		return failure
	}
	fmt.Fprintln(out, "ok")
	return done
}

func newLog(c cloud.Config, errs io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: c.Level()}))
}

// serve runs the receiver until a signal stops it. A hangup has it read its configuration again and, if that has
// changed, start again with it; one with a mistake in it changes nothing.
func serve(path string, out, errs io.Writer) error {
	c, err := cloud.LoadConfig(path)
	if err != nil {
		return err
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		log := newLog(c, errs)
		ctx, end := context.WithCancel(stop)
		next := make(chan cloud.Config, 1)
		go func() {
			next <- awaitChange(ctx, path, c, hangups, log)
			end()
		}()
		err := cloud.Run(ctx, c, cloud.Options{
			Version: version, Log: log,
			Link:  func(url string) { fmt.Fprintln(out, "link", url) },
			Ready: func(string) { ready(errs, log) },
		})
		end()
		c = <-next
		if err != nil || stop.Err() != nil {
			notify(log, daemon.SdNotifyStopping)
			return err
		}
	}
}

// awaitChange returns when ctx ends, or earlier with another configuration.
func awaitChange(ctx context.Context, path string, c cloud.Config, hangups <-chan os.Signal, log *slog.Logger) cloud.Config {
	for {
		select {
		case <-ctx.Done():
			return c
		case <-hangups:
		}
		next, err := cloud.LoadConfig(path)
		switch {
		case err != nil:
			log.Error("the configuration has a mistake, so the old one stays", "err", err)
		case reflect.DeepEqual(next, c):
			log.Info("the configuration was read again and has not changed")
		default:
			log.Info("the configuration has changed: starting again with it")
			notify(log, fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, monotonic()))
			return next
		}
	}
}

func ready(errs io.Writer, log *slog.Logger) {
	fmt.Fprintln(errs, "ready")
	notify(log, daemon.SdNotifyReady)
}

func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd could not be told", "err", err)
	}
}

// monotonic is the time that systemd wants with a reload.
func monotonic() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0
	}
	return now.Nano() / int64(time.Microsecond)
}

func addHome(path, name string, out, errs io.Writer) error {
	c, err := cloud.LoadConfig(path)
	if err != nil {
		return err
	}
	ctx := context.Background()
	books, err := cloud.OpenAccounts(ctx, c, newLog(c, errs))
	if err != nil {
		return err
	}
	home, code, err := books.AddHome(ctx, "", name)
	if err := errors.Join(err, books.Close()); err != nil {
		return err
	}
	fmt.Fprintf(out, "home %s\ncode %s\n", home.ID, code.Secret)
	return nil
}

func addToken(path, name, scope, home string, out, errs io.Writer) error {
	c, err := cloud.LoadConfig(path)
	if err != nil {
		return err
	}
	ctx := context.Background()
	books, err := cloud.OpenAccounts(ctx, c, newLog(c, errs))
	if err != nil {
		return err
	}
	secret, err := books.AddToken(ctx, hearth.Token{Name: name, Scope: hearth.Scope(scope), Home: home})
	if err := errors.Join(err, books.Close()); err != nil {
		return err
	}
	fmt.Fprintln(out, secret)
	return nil
}
