package serial

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	bugst "go.bug.st/serial"
	"golang.org/x/sys/unix"

	"hearth"
)

// openTTY opens the tty twice: go.bug.st/serial sets the line and takes it for this process alone, and a file of our own
// carries the bytes, because Go's poller gives what the library lacks: deadlines, a write that cannot block for good, and
// a Close that ends a read.
func openTTY(c Config) (*port, error) {
	f, err := os.OpenFile(c.Port, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, refused(c.Port, 0, err)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", c.Port, err), f.Close())
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = lock(int(fd)) }); err != nil || failed != nil {
		return nil, errors.Join(refused(c.Port, 1, errors.Join(err, failed)), f.Close())
	}
	line, err := setLine(c)
	if err != nil {
		return nil, errors.Join(refused(c.Port, 1, err), f.Close())
	}
	p := &port{name: c.Port, line: f, gone: "was unplugged", release: func() { _ = line.Close() }}
	if _, err := line.GetModemStatusBits(); err == nil {
		p.modem = func(dtr, rts bool) error { return errors.Join(line.SetDTR(dtr), line.SetRTS(rts)) }
	}
	if c.Flow != FlowHardware {
		return p, nil
	}
	if err := raw.Control(func(fd uintptr) { failed = hardwareFlow(int(fd)) }); err != nil || failed != nil {
		return nil, errors.Join(refused(c.Port, 1, errors.Join(err, failed)), p.Close())
	}
	return p, nil
}

// hardwareFlow is what the library has no setting for.
func hardwareFlow(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Cflag |= unix.CRTSCTS
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// lock keeps out a second opener in this process and those with root's rights, whom the library's TIOCEXCL lets in.
func lock(fd int) error {
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		return err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return unix.EBUSY
	}
	if taken, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL); err == nil && taken != 0 {
		return unix.EBUSY
	}
	return nil
}

// setLine makes the line raw as c says, without flow control. What it returns keeps the line exclusive until closed.
func setLine(c Config) (bugst.Port, error) {
	mode := &bugst.Mode{BaudRate: c.Baud, DataBits: c.DataBits}
	switch c.Parity {
	case ParityEven:
		mode.Parity = bugst.EvenParity
	case ParityOdd:
		mode.Parity = bugst.OddParity
	}
	if c.StopBits == 2 {
		mode.StopBits = bugst.TwoStopBits
	}
	// The library does not mark its descriptor, so a plugin started just now would inherit the line.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	line, err := bugst.Open(c.Port, mode)
	if err != nil {
		return nil, asErrno(err)
	}
	for _, fd := range ownDescriptors(c.Port) {
		unix.CloseOnExec(fd)
	}
	return line, nil
}

// asErrno gives the library's errors the form in which the kernel gave them.
func asErrno(err error) error {
	var coded *bugst.PortError
	if !errors.As(err, &coded) {
		return err
	}
	switch coded.Code() {
	case bugst.PortBusy:
		return unix.EBUSY
	case bugst.PermissionDenied:
		return unix.EACCES
	case bugst.InvalidSpeed, bugst.InvalidDataBits, bugst.InvalidParity, bugst.InvalidStopBits, bugst.InvalidSerialPort:
		return errors.Join(unix.EINVAL, err)
	}
	return err
}

// ownDescriptors lists the descriptors under which this process has the device open.
func ownDescriptors(name string) (fds []int) {
	device, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil
	}
	links, _ := filepath.Glob("/proc/self/fd/*")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == device {
			if fd, err := strconv.Atoi(filepath.Base(link)); err == nil {
				fds = append(fds, fd)
			}
		}
	}
	return fds
}

// refused says what to do about a tty that does not open. own is how often this attempt has it open itself.
func refused(name string, own int, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return because(hearth.CodeOffline, os.ErrNotExist, "there is no port %s: is it plugged in? %s", name, portsHere())
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		group := groupOf(name)
		return because(hearth.CodeFailed, os.ErrPermission,
			"no permission on %s: add the user to group %s (usermod -aG %s %s) and start again", name, group, group, userName())
	case errors.Is(err, unix.EBUSY), errors.Is(err, ErrBusy):
		return because(hearth.CodeOffline, ErrBusy, "%s is in use by %s: only one program can have it", name, holders("/proc", name, own))
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EISDIR):
		return because(hearth.CodeFailed, err, "%s cannot be set up as a serial port with these settings (%v)", name, err)
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EIO):
		return because(hearth.CodeOffline, err, "there is nothing behind %s: was it unplugged? %s", name, portsHere())
	}
	return fmt.Errorf("opening %s: %w", name, err)
}

// because returns an error with a code that also wraps its cause, which the message need not repeat.
func because(code string, cause error, format string, args ...any) error {
	return &portError{coded: hearth.Errorf(code, format, args...), cause: cause}
}

type portError struct{ coded, cause error }

func (e *portError) Error() string   { return e.coded.Error() }
func (e *portError) Unwrap() []error { return []error{e.coded, e.cause} }

func portsHere() string {
	ports, err := List()
	if err != nil || len(ports) == 0 {
		return "There is no serial port here at all."
	}
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = p.Name
	}
	return "Here are " + strings.Join(names, ", ") + "."
}

func groupOf(name string) string {
	info, err := os.Stat(name)
	if err != nil {
		return "dialout"
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Gid == 0 {
		return "dialout"
	}
	group, err := user.LookupGroupId(strconv.Itoa(int(stat.Gid)))
	if err != nil {
		return "dialout"
	}
	return group.Name
}

func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "USER"
}

// holders names who has the device open, as far as this process may see: another user's only for root. own is how often
// this process has it open without being meant.
func holders(proc, name string, own int) string {
	device, err := filepath.EvalSymlinks(name)
	if err != nil {
		device = name
	}
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	open := map[string]int{}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == device {
			open[filepath.Base(filepath.Dir(filepath.Dir(link)))]++
		}
	}
	self := strconv.Itoa(os.Getpid())
	var who []string
	for _, pid := range slices.Sorted(maps.Keys(open)) {
		if pid != self {
			comm, _ := os.ReadFile(filepath.Join(proc, pid, "comm"))
			who = append(who, fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(comm)), pid))
		} else if open[pid] > own {
			who = append(who, "this program itself (is it given to two drivers?)")
		}
	}
	if len(who) == 0 {
		return "another program"
	}
	return strings.Join(who, ", ")
}
