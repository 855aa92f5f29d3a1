package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"hearth/edge"
)

func runDaemon(c *call) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	o := edge.Options{Version: version, Built: built(), Log: logger(c.err, cfg.Level()), Ready: func() { fmt.Fprintln(c.err, "ready") }}
	if !journal() {
		o.Link = func(url string) { fmt.Fprintln(c.out, "link", url) }
	}
	return serve(cfg, o)
}

// journal reports whether what is printed goes to a log that is kept: no place for a token.
func journal() bool { return os.Getenv("JOURNAL_STREAM") != "" }

func serve(cfg edge.Config, o edge.Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	o.Reload = reload
	return edge.Run(ctx, cfg, o)
}

func check(c *call) error {
	if _, err := c.load(); err != nil {
		fmt.Fprintln(c.out, err)
		return errSaid
	}
	_, err := fmt.Fprintln(c.out, "ok")
	return err
}

// demo runs a gateway of one simulated home.
func demo(c *call) (err error) {
	dir := c.data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "hearth-demo"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	text := fmt.Sprintf("data: %q\nhome: Demo\nlog: warn\nweb: {listen: %q}\ndrivers:\n  demo: {type: sim, devices: 20}\n", dir, c.listen)
	if c.zigbee {
		port, stop, err := demoStick(filepath.Join(dir, "stick"), c.err)
		if err != nil {
			return err
		}
		defer stop()
		text += fmt.Sprintf("  radio: {type: zigbee, port: %q, adapter: znp}\n", port)
	}
	cfg, err := edge.ParseConfig("the demo", []byte(text))
	if err != nil {
		return usageError{fmt.Sprintf("-data or -listen cannot be used: %s", firstLine(err))}
	}
	return serve(cfg, edge.Options{
		Version: version, Built: built(), Log: logger(c.err, cfg.Level()), Guest: true,
		Link:  func(url string) { fmt.Fprintln(c.out, "link", url) },
		Ready: func() { sayReady(c.out, c.err) },
	})
}

// sayReady tells a person who reads the output and a program that reads the log, and says it once where they are one.
func sayReady(out, log io.Writer) {
	fmt.Fprintln(log, "ready")
	if !sameFile(out, log) {
		fmt.Fprintln(out, "ready")
	}
}

func sameFile(a, b io.Writer) bool {
	x, ok := a.(*os.File)
	y, also := b.(*os.File)
	if !ok || !also {
		return false
	}
	first, err := x.Stat()
	second, err2 := y.Stat()
	return err == nil && err2 == nil && os.SameFile(first, second)
}

func firstLine(err error) string { line, _, _ := strings.Cut(err.Error(), "\n"); return line }
