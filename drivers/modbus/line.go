package modbus

import (
	"errors"
	"fmt"
	"os"
	"time"

	"hearth/drivers/serial"
)

// A line is an open port with the framing spoken over it. One request at a time: it belongs to one goroutine.
type line struct {
	port    serial.Port
	rtu     bool
	pause   time.Duration // how long an RTU line must be silent before a request
	timeout time.Duration
	perByte time.Duration // how long a byte takes on an RTU line

	received    []byte // TCP: the beginning of the next frame
	transaction uint16
	echo        echo
	spoke       time.Time // when the line was last heard or used
	counts      *counts
}

// echo is whether the adapter hears itself. It matters: the answer to a single write looks just like its question.
type echo int

const (
	echoUnknown echo = iota
	echoes
	echoesNot
)

// maxHeard is how many bytes an RTU answer and the noise around it may have.
const maxHeard = 1024

// silence is the error of a request that got no valid answer. The line is still good.
type silence struct {
	heard  []byte
	reason string // what a gateway says about it
}

func (s *silence) Error() string {
	if s.reason != "" {
		return s.reason
	}
	if len(s.heard) == 0 {
		return "no answer: check its address, its wiring (A and B may be swapped) and the line's speed and parity"
	}
	return fmt.Sprintf("no valid answer among %d bytes (%x): check speed, parity and termination, and that no other unit has its address",
		len(s.heard), s.heard[:min(len(s.heard), 16)])
}

// broken is the error of a port that is no longer good.
type broken struct{ cause error }

func (b *broken) Error() string { return b.cause.Error() }
func (b *broken) Unwrap() error { return b.cause }

// ask sends a request and waits for its answer. The error is an exception, a silence, or broken.
func (l *line) ask(r request) ([]uint16, error) {
	l.counts.requests.Add(1)
	values, err := l.exchange(r)
	var refused exception
	var unheard *silence
	switch {
	case err == nil:
	case errors.As(err, &refused):
		l.counts.exceptions.Add(1)
		if refused == gatewayNoPath || refused == gatewayNoResponse {
			return nil, &silence{reason: refused.Error()}
		}
	case errors.As(err, &unheard) && len(unheard.heard) == 0:
		l.counts.timeouts.Add(1)
	case errors.As(err, &unheard):
		l.counts.garbled.Add(1)
	default:
		return nil, &broken{err}
	}
	return values, err
}

func (l *line) exchange(r request) ([]uint16, error) {
	if !l.rtu {
		return l.askTCP(r)
	}
	if err := l.awaitQuiet(); err != nil {
		return nil, err
	}
	question := rtuFrame(r.unit, r.pdu())
	if _, err := l.port.Write(question); err != nil {
		return nil, err
	}
	defer func() { l.spoke = time.Now() }()
	length, _ := r.answerLength(byte(r.function))
	if err := l.port.SetReadDeadline(time.Now().Add(l.timeout + time.Duration(len(question)+length+3)*l.perByte)); err != nil {
		return nil, err
	}
	var heard []byte
	chunk := make([]byte, 300)
	for len(heard) < maxHeard {
		n, err := l.port.Read(chunk)
		heard = append(heard, chunk[:n]...)
		if pdu, ok := l.answer(r, question, heard); ok {
			return r.parse(pdu)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if l.echo == echoes {
		heard, _ = cutEcho(question, heard)
	}
	return nil, &silence{heard: heard}
}

// answer finds the answer among what was heard, and learns whether the line echoes from requests whose answer is never
// the same as the question.
func (l *line) answer(r request, question, heard []byte) ([]byte, bool) {
	rest, echoed := cutEcho(question, heard)
	tells := r.function != writeCoil && r.function != writeRegister
	switch {
	case l.echo == echoes && echoed:
		heard = rest
	case l.echo == echoUnknown && echoed && tells:
		l.echo, heard = echoes, rest
	}
	pdu, found := findRTU(r, heard)
	if found && l.echo == echoUnknown && tells {
		l.echo = echoesNot
	}
	return pdu, found
}

// awaitQuiet drops what still comes in, a late answer perhaps, until the line has been silent for the pause. On a
// line that never falls silent it gives up after a second: then the answer must be found among the noise.
func (l *line) awaitQuiet() error {
	chunk := make([]byte, 300)
	l.spoke = latest(l.spoke, time.Now().Add(-l.pause+time.Millisecond))
	for giveUp := time.Now().Add(time.Second); time.Now().Before(giveUp); {
		if err := l.port.SetReadDeadline(l.spoke.Add(l.pause)); err != nil {
			return err
		}
		n, err := l.port.Read(chunk)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 {
			l.spoke = time.Now()
		}
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (l *line) askTCP(r request) ([]uint16, error) {
	l.transaction++
	if _, err := l.port.Write(tcpFrame(l.transaction, r.unit, r.pdu())); err != nil {
		return nil, err
	}
	if err := l.port.SetReadDeadline(time.Now().Add(l.timeout)); err != nil {
		return nil, err
	}
	chunk := make([]byte, 300)
	for {
		answer, rest, err := cutTCP(l.received)
		l.received = rest
		switch {
		case err != nil:
			return nil, err
		case answer != nil && answer.transaction == l.transaction && answer.unit == r.unit:
			values, err := r.parse(answer.pdu)
			var refused exception
			if err != nil && !errors.As(err, &refused) {
				return nil, &silence{heard: append([]byte{}, answer.pdu...)}
			}
			return values, err
		case answer != nil:
			continue // a late answer to an earlier question
		}
		n, err := l.port.Read(chunk)
		l.received = append(l.received, chunk[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, &silence{}
		}
		if err != nil {
			return nil, err
		}
	}
}
