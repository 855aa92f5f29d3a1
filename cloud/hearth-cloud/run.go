package main

import (
	"context"
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

	"hearth/cloud"
)

// serve runs the receiver until a signal stops it. A hangup has it read its configuration again and, if that has
// changed, start again with it; one with a mistake in it changes nothing.
func serve(call *call) error {
	path, out, errs := call.config, call.out, call.errs
	c, err := call.load()
	if err != nil {
		return err
	}
	stop, cancel := untilSignal()
	defer cancel()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	go boundGarbage(stop)
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
