package modbus_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/configs"
	"hearth/drivers/drivertest"
	"hearth/drivers/modbus"
	"hearth/drivers/serial"
	"hearth/drivers/serial/serialtest"
	"hearth/scripts/peers"
)

// boardProfile is a person's own profile for the registers that both slaves have.
const boardProfile = `
type: outlet
registers:
  - {property: "on", table: coil, address: 0, writable: true}
  - {property: occupancy, table: discrete, address: 3}
  - {property: target_temperature, table: holding, address: 1, type: int16, scale: 0.1, writable: true}
  - {property: limit, table: holding, address: 4, type: float32, min: 0, max: 100000, writable: true}
`

func newDriver(t *testing.T, env hearth.Env, c modbus.Config) hearth.Driver {
	t.Helper()
	c.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(c.Dir, "board.yaml"), []byte(boardProfile), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Poll = 200 * time.Millisecond
	c.Devices = []modbus.DeviceConfig{{Address: 1, Profile: "./board.yaml", Name: "Board"}, {Address: 2, Profile: "eastron-sdm120"}}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	d, err := modbus.New(env, c, configs.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func subject(make func(t *testing.T, env hearth.Env) drivertest.Rig) drivertest.Subject {
	return drivertest.Subject{
		New: make, Name: "bus", Devices: []hearth.ID{"bus:1", "bus:2"},
		Command: hearth.Command{Device: "bus:1", Set: map[string]hearth.Value{
			"on": hearth.BoolOf(true), "target_temperature": hearth.NumberOf(21.5), "limit": hearth.NumberOf(12.25),
		}},
	}
}

func TestDriverOnSerialLine(t *testing.T) {
	drivertest.Run(t, subject(func(t *testing.T, env hearth.Env) drivertest.Rig {
		port := serialtest.New(t)
		slave := modbus.NewTestSlave()
		plugged := make(chan struct{}, 1)
		plugged <- struct{}{}
		var serving sync.WaitGroup
		serving.Go(func() {
			for range plugged {
				slave.ServeRTU(port)
			}
		})
		t.Cleanup(func() { close(plugged); port.Unplug(); serving.Wait() })
		return drivertest.Rig{
			Driver: newDriver(t, env, modbus.Config{Config: serial.Config{Port: port.Path, Baud: 115200}}),
			Break:  port.Unplug,
			Mend:   func() { port.Plug(t); plugged <- struct{}{} },
		}
	}))
}

func TestDriverOverTCP(t *testing.T) {
	for _, mode := range []string{"tcp", "rtu"} {
		t.Run(mode, func(t *testing.T) {
			drivertest.Run(t, subject(func(t *testing.T, env hearth.Env) drivertest.Rig {
				server := newServer(t, mode)
				return drivertest.Rig{
					Driver: newDriver(t, env, modbus.Config{Mode: mode, Config: serial.Config{Port: "tcp://" + server.address}}),
					Break:  func() { server.refuse(true) }, Mend: func() { server.refuse(false) },
				}
			}))
		})
	}
}

// server is a slave behind a TCP port.
type server struct {
	address string

	mu      sync.Mutex
	refuses bool
	conns   []net.Conn
}

func newServer(t *testing.T, mode string) *server {
	slave := modbus.NewTestSlave()
	serve := slave.ServeTCP
	if mode == "rtu" {
		serve = slave.ServeRTU
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{address: listener.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			if s.refuses {
				conn.Close()
			}
			s.mu.Unlock()
			serving.Go(func() { serve(conn); conn.Close() })
		}
	})
	t.Cleanup(func() { listener.Close(); s.refuse(true); serving.Wait() })
	return s
}

// refuse ends all connections, and new ones at once, or no longer.
func (s *server) refuse(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses = all
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// TestAgainstAnotherImplementation runs against node's modbus-serial, over a real line and over TCP.
func TestAgainstAnotherImplementation(t *testing.T) {
	folder := peers.Node(t, "modbus-slave")
	for _, mode := range []string{"rtu", "tcp"} {
		t.Run(mode, func(t *testing.T) {
			drivertest.Run(t, subject(func(t *testing.T, env hearth.Env) drivertest.Rig {
				return drivertest.Rig{Driver: newDriver(t, env, startNode(t, folder, mode))}
			}))
			t.Run("values", func(t *testing.T) {
				home := drivertest.NewRecorder("bus")
				driver := newDriver(t, drivertest.NewEnv(t, "bus"), startNode(t, folder, mode))
				ctx, cancel := context.WithCancel(t.Context())
				var running sync.WaitGroup
				running.Go(func() {
					if err := driver.Run(ctx, home); err != nil {
						t.Error(err)
					}
				})
				for property, want := range map[string]float64{"voltage": 230.5, "current": 1.5, "power": -345.75, "energy_total": 1234.5} {
					home.WaitFor(t, "bus:2", property, hearth.NumberOf(want))
				}
				home.WaitFor(t, "bus:1", "occupancy", hearth.BoolOf(true))
				cancel()
				running.Wait()
			})
		})
	}
}

// startNode starts the slave and returns how it is reached.
func startNode(t *testing.T, folder, mode string) modbus.Config {
	t.Helper()
	args := []string{"slave.js", mode}
	var c modbus.Config
	if mode == "rtu" {
		theirs := ""
		c.Port, theirs = wire(t)
		c.Baud = 115200
		args = append(args, theirs)
	}
	node := exec.Command("node", args...)
	node.Dir, node.Stderr = folder, os.Stderr
	stdin, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = node.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if mode == "tcp" {
		c.Port = "tcp://127.0.0.1:" + strings.TrimSpace(line)
	}
	return c
}

// wire joins two ttys, as a cable with an adapter at each end.
func wire(t *testing.T) (here, there string) {
	t.Helper()
	a, b := serialtest.New(t), serialtest.New(t)
	var passing sync.WaitGroup
	passing.Go(func() { _, _ = io.Copy(a, b) })
	passing.Go(func() { _, _ = io.Copy(b, a) })
	t.Cleanup(func() { a.Unplug(); b.Unplug(); passing.Wait() })
	return a.Path, b.Path
}
