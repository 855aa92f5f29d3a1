package dsmr

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/serial"
	"hearth/drivers/serial/serialtest"
)

// speak repeats a telegram on what the driver reads until the test ends.
func speak(t *testing.T, to io.Writer, telegram []byte) {
	stop, done := make(chan struct{}), make(chan struct{})
	var once sync.Once
	t.Cleanup(func() { once.Do(func() { close(stop) }); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			_, _ = to.Write(telegram)
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
}

func newDriver(t *testing.T, env hearth.Env, cfg Config) *Driver {
	t.Helper()
	d, err := New(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Driver)
}

func TestConformance(t *testing.T) {
	tests := map[string]struct {
		version int
		devices []hearth.ID
	}{
		"dsmr5":  {5, []hearth.ID{"test:K8EG004046395507", "test:2222ABCD123456789"}},
		"dsmr22": {2, []hearth.ID{"test:00000000000000", "test:000000000000"}},
	}
	for name, tt := range tests {
		t.Run(name+" tty", func(t *testing.T) {
			drivertest.Run(t, drivertest.Subject{
				New: func(t *testing.T, env hearth.Env) drivertest.Rig {
					port := serialtest.New(t)
					speak(t, port, sample(t, name))
					return drivertest.Rig{
						Driver: newDriver(t, env, Config{Config: serial.Config{Port: port.Path}, Version: tt.version}),
						Break:  port.Unplug, Mend: func() { port.Plug(t) },
					}
				},
				Devices: tt.devices, Quick: time.Second,
			})
		})
		t.Run(name+" tcp", func(t *testing.T) {
			drivertest.Run(t, drivertest.Subject{
				New: func(t *testing.T, env hearth.Env) drivertest.Rig {
					bridge := newBridge(t, sample(t, name))
					return drivertest.Rig{
						Driver: newDriver(t, env, Config{Config: serial.Config{Port: "tcp://" + bridge.Addr().String()}, Version: tt.version}),
						Break:  bridge.hangUp, Mend: func() {},
					}
				},
				Devices: tt.devices, Quick: time.Second,
			})
		})
	}
}

// A bridge is an adapter that passes a meter's telegrams on over TCP.
type bridge struct {
	net.Listener
	mu   sync.Mutex
	conn net.Conn
}

func newBridge(t *testing.T, telegram []byte) *bridge {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bridge{Listener: l}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.conn = conn
			b.mu.Unlock()
		}
	}()
	speak(t, b, telegram)
	t.Cleanup(func() { l.Close(); <-done; b.hangUp() })
	return b
}

func (b *bridge) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn == nil {
		return 0, os.ErrClosed
	}
	return b.conn.Write(p)
}

func (b *bridge) hangUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != nil {
		b.conn.Close()
		b.conn = nil
	}
}

// run runs a driver until the test ends; the channel gets Run's error.
func run(t *testing.T, d *Driver) (*drivertest.Recorder, <-chan error) {
	t.Helper()
	home, done, gone := drivertest.NewRecorder("meter"), make(chan error, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); <-gone })
	go func() {
		defer close(gone)
		done <- d.Run(ctx, home)
	}()
	return home, done
}

func TestLineSettings(t *testing.T) {
	for _, tt := range []struct {
		cfg    Config
		sample string
		speed  uint32
		bits   int
		parity string
	}{
		{Config{}, "dsmr5", 115200, 8, "none"},
		{Config{Version: 5}, "dsmr5", 115200, 8, "none"},
		{Config{Version: 4}, "dsmr42", 115200, 8, "none"},
		{Config{Version: 2}, "dsmr22", 9600, 7, "even"},
		{Config{Version: 3}, "dsmr3", 9600, 7, "even"},
		{Config{Version: 2, Config: serial.Config{Baud: 19200, Parity: "none", DataBits: 8}}, "dsmr22", 19200, 8, "none"},
	} {
		t.Run(fmt.Sprintf("%d %d", tt.cfg.Version, tt.speed), func(t *testing.T) {
			port := serialtest.New(t)
			tt.cfg.Port = port.Path
			home, _ := run(t, newDriver(t, drivertest.NewEnv(t, "meter"), tt.cfg))
			speak(t, port, sample(t, tt.sample))
			home.Wait(t, "both meters", func() bool { return len(home.Devices()) == 2 })
			tty, err := unix.Open(port.Path, unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(tty)
			line, err := unix.IoctlGetTermios(tty, unix.TCGETS2)
			if err != nil {
				t.Fatal(err)
			}
			if line.Ospeed != tt.speed {
				t.Errorf("speed is %d, want %d", line.Ospeed, tt.speed)
			}
			// A pseudo terminal keeps eight bits and no parity whatever it is asked for.
			if asked := tt.cfg.line(); asked.DataBits != tt.bits || asked.Parity != tt.parity || asked.StopBits != 1 {
				t.Errorf("asked for %+v", asked)
			}
		})
	}
}

func TestSilence(t *testing.T) {
	for name, tt := range map[string]struct{ heard, want string }{
		"nothing":   {"", "check the P1 cable at both ends"},
		"garbage":   {"\xff\xfe\x00garbage", "check version"},
		"bad lines": {strings.Replace(string(sample(t, "dsmr5")), "6EEE", "0000", 1), "wrong checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			port := serialtest.New(t)
			d := newDriver(t, drivertest.NewEnv(t, "meter"), Config{Config: serial.Config{Port: port.Path}})
			d.silence = 300 * time.Millisecond
			if tt.heard != "" {
				speak(t, port, []byte(tt.heard))
			}
			_, done := run(t, d)
			if err := <-done; err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run returned %v, want something with %q", err, tt.want)
			}
		})
	}
}

func TestNotPluggedIn(t *testing.T) {
	d := newDriver(t, drivertest.NewEnv(t, "meter"), Config{Config: serial.Config{Port: t.TempDir() + "/none"}})
	_, done := run(t, d)
	if err := <-done; err == nil {
		t.Error("a port that is not there was opened")
	}
}

func TestConfigCheck(t *testing.T) {
	good := serial.Config{Port: "/dev/ttyUSB1"}
	for _, tt := range []struct {
		Config
		want string
	}{
		{Config{Config: good}, ""}, {Config{Config: good, Version: 2}, ""}, {Config{Config: good, Version: 1}, "version"},
		{Config{Config: good, Version: 6}, "version"}, {Config{}, "port"}, {Config{Config: serial.Config{Port: "tcp://x"}}, "port"},
	} {
		_, err := New(hearth.Env{}, tt.Config)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want an error about %q", tt.Config, err, tt.want)
		}
	}
}
