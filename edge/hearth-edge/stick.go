package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"hearth/drivers/zigbee/fake"
)

// fakeZigbee serves a fake stick until it is told to stop.
func fakeZigbee(c *call) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	listener, err := net.Listen("tcp", c.listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "port tcp://%s\n", listener.Addr())
	return serveStick(ctx, listener, fake.Protocol(c.name), c.data, logger(c.err, slog.LevelInfo))
}

// joinTime is how long each fake device looks for an open network.
const joinTime = 365 * 24 * time.Hour

// serveStick is a stick with one device of every model around it, one host at a time, until ctx ends. dir keeps the
// stick's memory, "" forgets it.
func serveStick(ctx context.Context, listener net.Listener, protocol fake.Protocol, dir string, log *slog.Logger) error {
	memory := fake.NewMemory()
	file := filepath.Join(dir, "stick.json")
	if dir != "" {
		kept, err := fake.LoadMemory(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, listener.Close())
		}
		if err == nil {
			memory = kept
		}
	}
	mesh := fake.NewMesh(fake.MeshOptions{Seed: 1, Delay: 10 * time.Millisecond, Log: log})
	defer mesh.Close()
	stick, err := fake.NewStick(mesh, fake.StickOptions{Protocol: protocol, Memory: memory, Log: log})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	models, err := fake.Models()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	for _, model := range models {
		d, err := mesh.Add(model.Name, model)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		d.Pair(joinTime)
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		if err := stick.Serve(ctx, conn); err != nil {
			log.Info("the host has gone", "error", err)
		}
	}
	if dir == "" {
		return nil
	}
	return errors.Join(os.MkdirAll(dir, 0o700), memory.Save(file))
}

// demoStick serves a fake stick that keeps its memory in dir, on a port of its own, until stop is called.
func demoStick(dir string, errOut io.Writer) (port string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := serveStick(ctx, listener, fake.ZNP, dir, logger(errOut, slog.LevelError)); err != nil {
			fmt.Fprintln(errOut, "hearth-edge: the fake stick:", err)
		}
	}()
	return "tcp://" + listener.Addr().String(), func() { cancel(); <-served }, nil
}
