// Package serialtest makes serial ports for tests: real ttys of the kernel, whose other end the test holds.
package serialtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A Port is a pseudo terminal behind a stable name. Read and Write are the device's side of it; both fail while it is
// unplugged.
type Port struct {
	Path string // what a driver opens

	mu     sync.Mutex
	device *os.File // nil while unplugged
	tty    *os.File // held open, so that the device may speak before the driver listens
}

// New plugs in a port that is unplugged when the test ends.
func New(t testing.TB) *Port {
	t.Helper()
	p := &Port{Path: filepath.Join(t.TempDir(), "port")}
	p.Plug(t)
	t.Cleanup(p.Unplug)
	return p
}

// Plug plugs the port in again, under the same name.
func (p *Port) Plug(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	device, tty, err := openPair()
	if err != nil {
		t.Fatalf("making a pseudo terminal: %v", err)
	}
	if err := errors.Join(os.RemoveAll(p.Path), os.Symlink(tty.Name(), p.Path)); err != nil {
		t.Fatalf("naming a pseudo terminal: %v", err)
	}
	p.device, p.tty = device, tty
}

// Unplug pulls the plug: what has the port open gets errors, and its name is gone.
func (p *Port) Unplug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.device == nil {
		return
	}
	_ = os.Remove(p.Path)
	_ = p.tty.Close()
	_ = p.device.Close()
	p.device = nil
}

func (p *Port) end() (*os.File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.device == nil {
		return nil, os.ErrClosed
	}
	return p.device, nil
}

// Read implements io.Reader for the device.
func (p *Port) Read(b []byte) (int, error) {
	f, err := p.end()
	if err != nil {
		return 0, err
	}
	return f.Read(b)
}

// Write implements io.Writer for the device.
func (p *Port) Write(b []byte) (int, error) {
	f, err := p.end()
	if err != nil {
		return 0, err
	}
	return f.Write(b)
}

func openPair() (device, tty *os.File, err error) {
	device, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	var number int
	err = control(device, func(fd int) (err error) {
		if number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN); err != nil {
			return err
		}
		return unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	})
	if err != nil {
		return nil, nil, errors.Join(err, device.Close())
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err == nil {
		err = control(tty, raw)
	}
	if err != nil {
		return nil, nil, errors.Join(err, device.Close())
	}
	return device, tty, nil
}

// raw keeps the kernel from echoing what the device says before a driver has set the line.
func raw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

func control(f *os.File, do func(fd int) error) error {
	var conn syscall.RawConn
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}
