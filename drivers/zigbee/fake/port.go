package fake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lookForHost is how often a pseudo terminal is asked whether a host has opened it.
const lookForHost = 10 * time.Millisecond

// ServeTTY puts the stick behind a pseudo terminal that hosts find under the name path, a symbolic link, until ctx ends.
// Unplugged, the name is gone and who has the terminal open gets errors; plugged in, there is another terminal under the
// name, or under the one that Rename said.
func (s *Stick) ServeTTY(ctx context.Context, path string) error {
	s.Rename(path)
	for ctx.Err() == nil {
		plugged, name, changed := s.socket()
		if !plugged {
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		if err := s.serveTerminal(ctx, name, changed); err != nil {
			return fmt.Errorf("serving a stick as %s: %w", name, err)
		}
	}
	return nil
}

// Rename says under which name ServeTTY offers the stick the next time that it is plugged in.
func (s *Stick) Rename(path string) { s.mesh.do(func() { s.path = path }) }

// socket is what the stick is plugged into, and what is closed when that changes.
func (s *Stick) socket() (plugged bool, path string, changed <-chan struct{}) {
	s.mesh.do(func() { plugged, path, changed = s.powered, s.path, s.socketChanged })
	return plugged, path, changed
}

// serveTerminal is the life of one terminal: hosts come and go until the stick is unplugged.
func (s *Stick) serveTerminal(ctx context.Context, name string, changed <-chan struct{}) error {
	terminal, err := openTerminal(name)
	if err != nil {
		return err
	}
	defer terminal.close()
	tick := time.NewTicker(lookForHost)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			return nil
		case <-tick.C:
		}
		if terminal.open() {
			if err := s.Serve(ctx, terminal.line()); err != nil && !errors.Is(err, errUnplugged) {
				s.log.Debug("the host has gone", "error", err)
			}
		}
	}
}

// ServeTCP lets hosts connect to the stick, one at a time, until ctx ends. While it is unplugged nobody gets an answer.
func (s *Stick) ServeTCP(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if err := s.Serve(ctx, conn); err != nil {
			s.log.Debug("the host has gone", "error", err)
		}
		_ = conn.Close()
	}
}

// A terminal is the stick's end of a pseudo terminal.
type terminal struct {
	device *os.File
	name   string
}

// openTerminal makes a raw pseudo terminal and names its other end.
func openTerminal(name string) (*terminal, error) {
	device, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	t := &terminal{device: device, name: name}
	var number int
	err = t.control(func(fd int) (err error) {
		if number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN); err != nil {
			return err
		}
		return unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	})
	path := fmt.Sprintf("/dev/pts/%d", number)
	if err == nil {
		err = makeRaw(path)
	}
	if err == nil {
		_ = os.Remove(name)
		err = os.Symlink(path, name)
	}
	if err != nil {
		return nil, errors.Join(err, device.Close())
	}
	return t, nil
}

// makeRaw keeps the kernel from echoing what the stick says before a host has set the line.
func makeRaw(path string) error {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// open reports whether a host has the other end open.
func (t *terminal) open() (is bool) {
	err := t.control(func(fd int) error {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		_, err := unix.Poll(poll, 0)
		is = err == nil && poll[0].Revents&unix.POLLHUP == 0
		return err
	})
	return is && err == nil
}

func (t *terminal) control(do func(fd int) error) error {
	conn, err := t.device.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}

func (t *terminal) close() {
	if link, err := os.Readlink(t.name); err == nil {
		if own, err := t.other(); err == nil && own == link {
			_ = os.Remove(t.name)
		}
	}
	_ = t.device.Close()
}

// other is the name of the host's end.
func (t *terminal) other() (string, error) {
	var number int
	err := t.control(func(fd int) (err error) {
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	return fmt.Sprintf("/dev/pts/%d", number), err
}

// line is the terminal for one host. Closing it ends what is under way, and leaves the terminal for the next host.
func (t *terminal) line() io.ReadWriter {
	_ = t.device.SetDeadline(time.Time{})
	return &terminalLine{t}
}

type terminalLine struct{ *terminal }

// Read implements io.Reader; the host that has closed the terminal is the end of the file.
func (l *terminalLine) Read(b []byte) (int, error) {
	n, err := l.device.Read(b)
	if errors.Is(err, syscall.EIO) {
		err = io.EOF
	}
	return n, err
}

// Write implements io.Writer.
func (l *terminalLine) Write(b []byte) (int, error) { return l.device.Write(b) }

// Close implements io.Closer. What the last host did not read is not for the next one.
func (l *terminalLine) Close() error {
	return errors.Join(
		l.device.SetDeadline(time.Unix(1, 0)),
		l.control(func(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCOFLUSH) }),
	)
}
