package serial

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A recording is text, one line for each read and write: seconds since its start, < for what was read and > for what
// was written, the bytes in hex. Lines that begin with # are remarks.
//
//	# /dev/ttyUSB0
//	0.000123 > 010400000002713f
//	0.041877 < 0104044366333427ad

// maxRecording is where a recording ends, so that one that was forgotten does not fill the disk.
const maxRecording = 64 << 20

// Record returns a port that writes all that goes over p to w as a recording. What w does not take, or is beyond 64 MiB,
// is not recorded; the port works on. Closing the port closes p, and w where it is an io.Closer.
func Record(p Port, name string, w io.Writer) Port {
	r := &recorder{Port: p, w: w, began: time.Now()}
	r.put("# %s, %s\n", name, r.began.UTC().Format(time.RFC3339))
	return r
}

func recordTo(path string, p *port) (Port, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("recording %s: %w", p.name, err)
	}
	return Record(p, p.name, f), nil
}

type recorder struct {
	Port
	began time.Time

	mu   sync.Mutex
	w    io.Writer
	size int
	full bool
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.Port.Read(b)
	r.bytes('<', b[:n])
	return n, err
}

// Write is recorded before it is done, so that an answer never stands before its question.
func (r *recorder) Write(b []byte) (int, error) {
	r.bytes('>', b)
	return r.Port.Write(b)
}

// SetLines implements Lines where the port does; it is not recorded.
func (r *recorder) SetLines(dtr, rts bool) error {
	if lines, ok := r.Port.(Lines); ok {
		return lines.SetLines(dtr, rts)
	}
	return nil
}

func (r *recorder) Close() error {
	err := r.Port.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, ok := r.w.(io.Closer); ok && !r.full {
		err = errors.Join(err, c.Close())
	}
	r.full = true
	return err
}

func (r *recorder) bytes(direction byte, b []byte) {
	if len(b) > 0 {
		r.put("%.6f %c %x\n", time.Since(r.began).Seconds(), direction, b)
	}
}

func (r *recorder) put(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full {
		return
	}
	n, err := fmt.Fprintf(r.w, format, args...)
	r.size += n
	if err != nil || r.size > maxRecording {
		r.full = true
		if c, ok := r.w.(io.Closer); ok {
			_ = c.Close() // the recording has ended either way, and the port must not suffer from it
		}
	}
}

// A Replay is a port that plays a recording back: it expects the bytes that were written then, in their order, and gives
// those that were read once everything before them has been written. Times are not kept. At the end reads return io.EOF.
type Replay struct {
	mu       sync.Mutex
	expect   []byte // what must be written
	written  int
	answers  []answer // what can be read
	deadline time.Time
	closed   bool
	changed  chan struct{} // closed and replaced at every change
}

type answer struct {
	after int // bytes that must have been written before
	data  []byte
}

// NewReplay reads a recording.
func NewReplay(recording io.Reader) (*Replay, error) {
	p := &Replay{changed: make(chan struct{})}
	lines := bufio.NewScanner(recording)
	lines.Buffer(nil, 4<<20)
	for number := 1; lines.Scan(); number++ {
		if err := p.line(lines.Text()); err != nil {
			return nil, fmt.Errorf("line %d of the recording: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the recording: %w", err)
	}
	return p, nil
}

func (p *Replay) line(line string) error {
	fields := strings.Fields(line)
	if len(fields) == 0 || strings.HasPrefix(line, "#") {
		return nil
	}
	if len(fields) != 3 {
		return errors.New("want a time, < or >, and the bytes in hex")
	}
	if _, err := strconv.ParseFloat(fields[0], 64); err != nil {
		return fmt.Errorf("the time: %w", err)
	}
	data, err := hex.DecodeString(fields[2])
	switch {
	case err != nil:
		return fmt.Errorf("the bytes: %w", err)
	case fields[1] == ">":
		p.expect = append(p.expect, data...)
	case fields[1] == "<":
		p.answers = append(p.answers, answer{len(p.expect), data})
	default:
		return fmt.Errorf("the direction is %q, want < or >", fields[1])
	}
	return nil
}

func (p *Replay) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Read implements Port.
func (p *Replay) Read(b []byte) (int, error) {
	for {
		n, wait, err := p.take(b)
		if wait == nil {
			return n, err
		}
		wait()
	}
}

// take reads what can be read. Otherwise it returns what waits for a change or the deadline.
func (p *Replay) take(b []byte) (n int, wait func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return 0, nil, os.ErrClosed
	case len(p.answers) > 0 && p.answers[0].after <= p.written:
		n = copy(b, p.answers[0].data)
		if p.answers[0].data = p.answers[0].data[n:]; len(p.answers[0].data) == 0 {
			p.answers = p.answers[1:]
		}
		return n, nil, nil
	case len(p.answers) == 0 && p.written == len(p.expect):
		return 0, nil, io.EOF
	case !p.deadline.IsZero() && !time.Now().Before(p.deadline):
		return 0, nil, os.ErrDeadlineExceeded
	}
	changed, deadline := p.changed, p.deadline
	return 0, func() {
		var timeout <-chan time.Time
		if !deadline.IsZero() {
			timeout = time.After(time.Until(deadline))
		}
		select {
		case <-changed:
		case <-timeout:
		}
	}, nil
}

// Write implements Port; bytes that were not written in the recording are an error.
func (p *Replay) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, os.ErrClosed
	}
	rest := p.expect[p.written:]
	if !bytes.HasPrefix(rest, b) {
		return 0, fmt.Errorf("the recording has %x at byte %d of what was written, not %x", rest[:min(len(rest), len(b))], p.written, b)
	}
	p.written += len(b)
	p.change()
	return len(b), nil
}

// SetReadDeadline implements Port.
func (p *Replay) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	p.change()
	return nil
}

// Close implements Port.
func (p *Replay) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.change()
	return nil
}

// Rest says how much of the recording has not been written and read.
func (p *Replay) Rest() (write, read int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.answers {
		read += len(a.data)
	}
	return len(p.expect) - p.written, read
}
