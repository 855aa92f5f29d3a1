package fake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/scripts/peers"
)

// These tests let a host that nobody here wrote, npm's zigbee-herdsman, drive the stick. `make e2e` sets HEARTH_E2E.

// serveTCP lets hosts connect to the stick, one after the other, until the test ends.
func serveTCP(t *testing.T, s *Stick) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = s.Serve(t.Context(), conn)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	return "tcp://" + l.Addr().String()
}

// A hostEvent is what the host tells unasked.
type hostEvent struct {
	Event, Status, IEEE, Type, Cluster string
	Endpoint, Group                    int
	Data                               json.RawMessage
	Vendor, Model                      string
}

// A herdsman is zigbee-herdsman at work.
type herdsman struct {
	t       *testing.T
	command *exec.Cmd
	in      io.WriteCloser
	log     lockedBuffer
	ended   chan struct{}

	mu     sync.Mutex
	next   int
	wait   map[int]chan hostAnswer
	events []hostEvent
	more   chan struct{} // closed and replaced with each event
}

type hostAnswer struct {
	ID     int
	Result json.RawMessage
	Error  string
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) tail() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.Bytes()[max(0, b.Len()-6000):])
}

// startHost runs the host until the test ends or quit is called. Network says what differs from its usual one.
func startHost(t *testing.T, adapter, port, folder, network string) *herdsman {
	t.Helper()
	host := peers.Node(t, "zigbee")
	if network == "" {
		network = "{}"
	}
	h := &herdsman{t: t, wait: map[int]chan hostAnswer{}, more: make(chan struct{}), ended: make(chan struct{})}
	h.command = exec.Command("node", "host.js", adapter, port, folder, network)
	h.command.Dir = host
	h.command.Stderr = &h.log
	in, err := h.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	h.in = in
	if err := h.command.Start(); err != nil {
		t.Fatal(err)
	}
	go h.listen(out)
	t.Cleanup(func() {
		h.quit()
		if t.Failed() {
			t.Logf("the host said:\n%s", h.log.tail())
		}
	})
	return h
}

// quit ends the host.
func (h *herdsman) quit() {
	_ = h.in.Close()
	kill := time.AfterFunc(10*time.Second, func() { _ = h.command.Process.Kill() })
	<-h.ended
	_ = h.command.Wait()
	kill.Stop()
}

func (h *herdsman) listen(out io.Reader) {
	defer close(h.ended)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var answer hostAnswer
		var event hostEvent
		if json.Unmarshal(lines.Bytes(), &answer) == nil && answer.ID > 0 {
			h.mu.Lock()
			wait := h.wait[answer.ID]
			delete(h.wait, answer.ID)
			h.mu.Unlock()
			if wait != nil {
				wait <- answer
			}
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			fmt.Fprintf(&h.log, "not understood: %s: %v\n", lines.Bytes(), err)
			continue
		}
		h.mu.Lock()
		h.events = append(h.events, event)
		close(h.more)
		h.more = make(chan struct{})
		h.mu.Unlock()
	}
}

// try asks the host to do something. Arguments are pairs of name and value.
func (h *herdsman) try(do string, arguments ...any) (json.RawMessage, error) {
	h.mu.Lock()
	h.next++
	id, answered := h.next, make(chan hostAnswer, 1)
	h.wait[id] = answered
	h.mu.Unlock()
	request := map[string]any{"id": id, "do": do}
	for i := 0; i+1 < len(arguments); i += 2 {
		request[arguments[i].(string)] = arguments[i+1]
	}
	line, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if _, err := h.in.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	select {
	case answer := <-answered:
		if answer.Error != "" {
			return nil, errors.New(answer.Error)
		}
		return answer.Result, nil
	case <-h.ended:
		return nil, errors.New("the host has ended")
	case <-time.After(2 * time.Minute):
		return nil, errors.New("the host does not answer")
	}
}

// do asks the host to do something that must succeed.
func (h *herdsman) do(do string, arguments ...any) string {
	h.t.Helper()
	result, err := h.try(do, arguments...)
	if err != nil {
		h.t.Fatalf("%s %v: %v", do, arguments, err)
	}
	return string(result)
}

// until waits for an event that match is content with, from the first one on.
func (h *herdsman) until(what string, match func(hostEvent) bool) hostEvent {
	h.t.Helper()
	seen, late := 0, time.After(time.Minute)
	for {
		h.mu.Lock()
		fresh, more := h.events[seen:], h.more
		seen = len(h.events)
		h.mu.Unlock()
		for _, e := range fresh {
			if match(e) {
				return e
			}
		}
		select {
		case <-more:
		case <-h.ended:
			h.t.Fatalf("the host has ended before %s", what)
		case <-late:
			h.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// forget drops the events so far.
func (h *herdsman) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = nil
}

// told reports whether the log of the host has that text.
func (h *herdsman) told(text string) bool {
	h.log.mu.Lock()
	defer h.log.mu.Unlock()
	return strings.Contains(h.log.String(), text)
}
