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
	stickFile, meshFile := filepath.Join(dir, "stick.json"), filepath.Join(dir, "devices.json")
	if dir != "" {
		kept, err := fake.LoadMemory(stickFile)
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
	if err == nil {
		err = populate(mesh, dir, meshFile)
	}
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	err = stick.ServeTCP(ctx, listener)
	if dir == "" {
		return err
	}
	return errors.Join(err, os.MkdirAll(dir, 0o700), memory.Save(stickFile), mesh.Save(meshFile))
}

// populate puts one device of every model into the mesh; those that belong to no network look for one.
func populate(mesh *fake.Mesh, dir, file string) error {
	models, err := fake.Models()
	if err != nil {
		return err
	}
	for _, model := range models {
		if _, err := mesh.Add(model.Name, model); err != nil {
			return err
		}
	}
	if dir != "" {
		if err := mesh.Load(file); err != nil {
			return err
		}
	}
	for _, d := range mesh.Devices() {
		if !d.Joined() {
			d.Pair(joinTime)
		}
	}
	return nil
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
