package serial_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/drivers/serial"
	"hearth/drivers/serial/serialtest"
)

// holdEnv makes the test binary a second program that opens the port named there and holds it.
const holdEnv = "HEARTH_TEST_HOLD_PORT"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdEnv); path != "" {
		p, err := serial.Open(context.Background(), serial.Config{Port: path})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("open")
		_, _ = io.Copy(io.Discard, os.Stdin)
		p.Close()
		return
	}
	os.Exit(m.Run())
}

func open(t *testing.T, c serial.Config) serial.Port {
	t.Helper()
	p, err := serial.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestBytesPassBothWays(t *testing.T) {
	device := serialtest.New(t)
	p := open(t, serial.Config{Port: device.Path})
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, ends := range map[string][2]io.ReadWriter{"in": {device, p}, "out": {p, device}} {
		if _, err := ends[0].Write(all); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(all))
		if _, err := io.ReadFull(ends[1], got); err != nil || !bytes.Equal(got, all) {
			t.Errorf("%s: got %x, %v", name, got, err)
		}
	}
}

func TestLineIsSet(t *testing.T) {
	tests := map[string]struct {
		config       serial.Config
		baud         uint32
		set, cleared uint32
	}{
		"default":      {serial.Config{}, 9600, 0, unix.CSTOPB | unix.CRTSCTS},
		"meter":        {serial.Config{Baud: 2400, Parity: "even", StopBits: 2}, 2400, unix.CSTOPB, unix.PARODD},
		"odd speed":    {serial.Config{Baud: 250000}, 250000, 0, 0},
		"stick":        {serial.Config{Baud: 460800}, 460800, 0, unix.PARODD},
		"hardware":     {serial.Config{Baud: 115200, Flow: "hardware"}, 115200, unix.CRTSCTS, 0},
		"eight for P1": {serial.Config{Baud: 115200, DataBits: 8}, 115200, unix.CS8, unix.PARODD},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			device := serialtest.New(t)
			tt.config.Port = device.Path
			open(t, tt.config)
			f, err := os.Open(device.Path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS2)
			if err != nil {
				t.Fatal(err)
			}
			if got.Ospeed != tt.baud || got.Cflag&tt.set != tt.set || got.Cflag&tt.cleared != 0 || got.Lflag&(unix.ECHO|unix.ICANON) != 0 || got.Iflag&(unix.IXON|unix.IXOFF) != 0 {
				t.Errorf("%d baud, flags %#x, local flags %#x", got.Ospeed, got.Cflag, got.Lflag)
			}
		})
	}
}

func TestReadDeadline(t *testing.T) {
	device := serialtest.New(t)
	p := open(t, serial.Config{Port: device.Path})
	for range 2 {
		if err := p.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := p.Read(make([]byte, 8)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read %d bytes, %v; want a deadline exceeded", n, err)
		}
	}
	if err := p.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := device.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(make([]byte, 8)); n != 1 || err != nil {
		t.Errorf("after the deadline was lifted: read %d bytes, %v", n, err)
	}
}

func TestReadsEnd(t *testing.T) {
	tests := map[string]struct {
		end  func(device *serialtest.Port, p serial.Port, cancel func())
		want string
	}{
		"unplugged": {func(d *serialtest.Port, _ serial.Port, _ func()) { d.Unplug() }, "was unplugged"},
		"closed":    {func(_ *serialtest.Port, p serial.Port, _ func()) { p.Close() }, "file already closed"},
		"context":   {func(_ *serialtest.Port, _ serial.Port, cancel func()) { cancel() }, "file already closed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			device := serialtest.New(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p, err := serial.Open(ctx, serial.Config{Port: device.Path})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			failed := make(chan error, 1)
			go func() { _, err := p.Read(make([]byte, 8)); failed <- err }()
			tt.end(device, p, cancel)
			if err := <-failed; err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("read ended with %v, want %q", err, tt.want)
			}
			if _, err := p.Write([]byte("x")); err == nil {
				t.Error("writing works although the port has ended")
			}
		})
	}
}

func TestReplugged(t *testing.T) {
	device := serialtest.New(t)
	p := open(t, serial.Config{Port: device.Path})
	device.Unplug()
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, &hearth.Error{Code: hearth.CodeOffline}) {
		t.Errorf("reading from an unplugged port: %v", err)
	}
	if _, err := serial.Open(t.Context(), serial.Config{Port: device.Path}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("opening an unplugged port: %v", err)
	}
	device.Plug(t)
	p = open(t, serial.Config{Port: device.Path})
	if _, err := p.Write([]byte("again")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(device, got); err != nil || string(got) != "again" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSecondOpenerHere(t *testing.T) {
	device := serialtest.New(t)
	p := open(t, serial.Config{Port: device.Path})
	_, err := serial.Open(t.Context(), serial.Config{Port: device.Path})
	if !errors.Is(err, serial.ErrBusy) || !strings.Contains(err.Error(), "this program itself") {
		t.Errorf("the second opener got %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, serial.Config{Port: device.Path})
}

func TestSecondOpenerElsewhere(t *testing.T) {
	device := serialtest.New(t)
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holdEnv+"="+device.Path)
	stdin, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "open\n" {
		t.Fatalf("the other program said %q, %v", line, err)
	}
	_, err = serial.Open(t.Context(), serial.Config{Port: device.Path})
	if !errors.Is(err, serial.ErrBusy) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", holder.Process.Pid)) {
		t.Errorf("while another program has the port: %v", err)
	}
	stdin.Close()
	if err := holder.Wait(); err != nil {
		t.Fatal(err)
	}
	open(t, serial.Config{Port: device.Path})
}

func TestExclusiveWithoutLocks(t *testing.T) {
	device := serialtest.New(t)
	f, err := os.OpenFile(device.Path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TIOCEXCL, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := serial.Open(t.Context(), serial.Config{Port: device.Path}); !errors.Is(err, serial.ErrBusy) {
		t.Errorf("a port that another program has for itself: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unused := listener.Addr().String()
	listener.Close()
	for port, want := range map[string]string{
		"/dev/serial/by-id/nothing": "is it plugged in?",
		file:                        "cannot be set up as a serial port",
		"tcp://" + unused:           "nothing listens there",
		"":                          "is missing",
		"ttyUSB0":                   "want a path",
		"tcp://nowhere":             "want tcp://host:port",
	} {
		if _, err := serial.Open(t.Context(), serial.Config{Port: port}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", port, err, want)
		}
	}
}

func TestTCP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p := open(t, serial.Config{Port: "tcp://" + listener.Addr().String()})
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "ping" {
		t.Errorf("got %q, %v", got, err)
	}
	conn.Close()
	if _, err := p.Read(got); err == nil || !strings.Contains(err.Error(), "ended the connection") {
		t.Errorf("after the peer closed: %v", err)
	}
}

func TestCheck(t *testing.T) {
	tests := map[string]struct {
		config serial.Config
		want   string
	}{
		"good":      {serial.Config{Port: "/dev/ttyUSB0", Baud: 2400, Parity: "even", DataBits: 7, StopBits: 2}, ""},
		"tcp":       {serial.Config{Port: "tcp://[::1]:502"}, ""},
		"baud":      {serial.Config{Port: "/dev/x", Baud: 1}, "baud: want 50 to 4000000"},
		"parity":    {serial.Config{Port: "/dev/x", Parity: "mark"}, "parity: want none, even or odd"},
		"data bits": {serial.Config{Port: "/dev/x", DataBits: 9}, "data_bits: want 5, 6, 7 or 8"},
		"stop bits": {serial.Config{Port: "/dev/x", StopBits: 3}, "stop_bits: want 1 or 2"},
		"flow":      {serial.Config{Port: "/dev/x", Flow: "xon"}, "flow: want none, hardware or software"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.config.Check()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
