// Package serial opens the ports that drivers speak through: a tty that nobody else has, or a TCP connection that
// behaves like one. It also lists the ports of a machine and records and replays what went over one.
package serial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"hearth"
	"hearth/settings"
)

// A Config says which port to open and how. Drivers embed it inline.
type Config struct {
	Port     string `yaml:"port"`      // a tty, best by its stable name in /dev/serial/by-id, or tcp://host:port
	Baud     int    `yaml:"baud"`      // any number the adapter can do; ttys only, as all that follows
	Parity   string `yaml:"parity"`    // none, even, odd
	DataBits int    `yaml:"data_bits"` // 5 to 8
	StopBits int    `yaml:"stop_bits"` // 1, 2
	Flow     string `yaml:"flow"`      // flow control: none, hardware (RTS/CTS), software (XON/XOFF, minded by the driver)
	Record   string `yaml:"record"`    // a file that gets every byte with its time, for a bug report; see Recording
}

// Parities are the values that Config.Parity takes, "" meaning the default.
const (
	ParityNone = "none"
	ParityEven = "even"
	ParityOdd  = "odd"
)

// Flow controls are the values that Config.Flow takes, "" meaning the default.
const (
	FlowNone     = "none"
	FlowHardware = "hardware"
	FlowSoftware = "software" // XON and XOFF come through as bytes: one that is noise must not stop the line for good
)

// The speeds that any adapter does without being asked to.
const (
	minBaud = 50
	maxBaud = 4_000_000
)

// Or returns c with what it does not name taken from the defaults.
func (c Config) Or(defaults Config) Config {
	if c.Baud == 0 {
		c.Baud = defaults.Baud
	}
	if c.Parity == "" {
		c.Parity = defaults.Parity
	}
	if c.DataBits == 0 {
		c.DataBits = defaults.DataBits
	}
	if c.StopBits == 0 {
		c.StopBits = defaults.StopBits
	}
	if c.Flow == "" {
		c.Flow = defaults.Flow
	}
	return c
}

// TCP returns host:port if the port is a TCP connection.
func (c Config) TCP() (address string, ok bool) { return strings.CutPrefix(c.Port, "tcp://") }

// Check says what is wrong with the settings alone; the world is looked at by Open.
func (c Config) Check() error {
	var problems []error
	if address, ok := c.TCP(); ok {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			problems = append(problems, settings.At("port", "want tcp://host:port, not %q", c.Port))
		}
	} else if c.Port == "" {
		problems = append(problems, settings.At("port", "is missing: name a tty, as /dev/serial/by-id/…, or tcp://host:port (hearth-edge ports lists what is there)"))
	} else if !filepath.IsAbs(c.Port) || strings.ContainsRune(c.Port, 0) {
		problems = append(problems, settings.At("port", "want a path such as /dev/ttyUSB0, or tcp://host:port, not %q", c.Port))
	}
	if c.Baud != 0 && (c.Baud < minBaud || c.Baud > maxBaud) {
		problems = append(problems, settings.At("baud", "want %d to %d, not %d", minBaud, maxBaud, c.Baud))
	}
	if !slices.Contains([]string{"", ParityNone, ParityEven, ParityOdd}, c.Parity) {
		problems = append(problems, settings.At("parity", "want none, even or odd, not %q", c.Parity))
	}
	if c.DataBits != 0 && (c.DataBits < 5 || c.DataBits > 8) {
		problems = append(problems, settings.At("data_bits", "want 5, 6, 7 or 8, not %d", c.DataBits))
	}
	if c.StopBits < 0 || c.StopBits > 2 {
		problems = append(problems, settings.At("stop_bits", "want 1 or 2, not %d", c.StopBits))
	}
	if !slices.Contains([]string{"", FlowNone, FlowHardware, FlowSoftware}, c.Flow) {
		problems = append(problems, settings.At("flow", "want none, hardware or software, not %q", c.Flow))
	}
	return errors.Join(problems...)
}

// A Port is an open line to something. One goroutine may read while others write.
//
// Read returns what there is as soon as there is something; an error that wraps os.ErrDeadlineExceeded after the
// deadline, and another when the port is closed or was unplugged. Write returns when the kernel has taken all bytes,
// or with an error after five seconds, so that a line that takes nothing hangs nobody.
type Port interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error // the zero time: reads wait for ever
}

// Lines is what the ports that Open returns also implement: setting the modem control lines, which sticks use as reset
// and bootloader pins. A TCP connection and a pseudo terminal have none, and nothing happens.
type Lines interface {
	SetLines(dtr, rts bool) error
}

// ErrBusy is wrapped by Open's error when somebody else has the port.
var ErrBusy = errors.New("the port is in use")

// Defaults of a line, for what a driver does not know better.
var defaults = Config{Baud: 9600, Parity: ParityNone, DataBits: 8, StopBits: 1, Flow: FlowNone}

const writeTimeout = 5 * time.Second

// Open opens the port for one caller alone. Its errors say what to do about them; os.ErrNotExist, os.ErrPermission and
// ErrBusy can be asked for. The port is closed by Close or when ctx ends. DTR and RTS are left as the kernel sets them.
func Open(ctx context.Context, c Config) (Port, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("opening the port: %w", err)
	}
	c = c.Or(defaults)
	var p *port
	var err error
	if address, ok := c.TCP(); ok {
		p, err = openTCP(ctx, c.Port, address)
	} else {
		p, err = openTTY(c)
	}
	if err != nil {
		return nil, err
	}
	p.cancel = context.AfterFunc(ctx, func() { p.shut() })
	if c.Record == "" {
		return p, nil
	}
	recorded, err := recordTo(c.Record, p)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return recorded, nil
}

// line is what a tty and a connection have in common.
type line interface {
	Port
	SetWriteDeadline(time.Time) error
}

type port struct {
	name    string
	line    line
	modem   func(dtr, rts bool) error // nil: there are no such lines
	release func()                    // before the line is closed
	cancel  func() bool
	gone    string // what a person is told when the line has ended

	writing sync.Mutex // a write is one piece, and its deadline its own
	once    sync.Once
	closed  error
}

func (p *port) Read(b []byte) (int, error) {
	n, err := p.line.Read(b)
	return n, p.explain("reading from", err)
}

func (p *port) Write(b []byte) (int, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.line.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, p.explain("writing to", err)
	}
	n, err := p.line.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, hearth.Errorf(hearth.CodeOffline, "%s takes no bytes: is what is connected to it alive?", p.name)
	}
	return n, p.explain("writing to", err)
}

func (p *port) SetReadDeadline(t time.Time) error { return p.line.SetReadDeadline(t) }

// SetLines implements Lines; without such lines it does nothing.
func (p *port) SetLines(dtr, rts bool) error {
	if p.modem == nil {
		return nil
	}
	return p.modem(dtr, rts)
}

func (p *port) Close() error {
	if p.cancel != nil {
		p.cancel()
	}
	return p.shut()
}

func (p *port) shut() error {
	p.once.Do(func() {
		if p.release != nil {
			p.release()
		}
		p.closed = p.line.Close()
	})
	return p.closed
}

// explain turns the ways in which a line ends into words.
func (p *port) explain(doing string, err error) error {
	switch {
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case errors.Is(err, os.ErrClosed), errors.Is(err, net.ErrClosed):
		return fmt.Errorf("%s %s: %w", doing, p.name, os.ErrClosed)
	}
	for _, end := range []error{io.EOF, syscall.EIO, syscall.ENXIO, syscall.ENODEV, syscall.EPIPE, syscall.ECONNRESET, syscall.ETIMEDOUT} {
		if errors.Is(err, end) {
			return hearth.Errorf(hearth.CodeOffline, "%s %s", p.name, p.gone)
		}
	}
	return fmt.Errorf("%s %s: %w", doing, p.name, err)
}
