package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"hearth"
)

const (
	// A gateway that stops gives its drivers 2 s and goes: a plugin must be gone by then, with all that it started.
	termAfter  = time.Second             // from stop to SIGTERM
	killAfter  = 1600 * time.Millisecond // from stop to SIGKILL
	memoryTick = 200 * time.Millisecond
	groupTicks = 10 // every so many of them, the whole group is looked at
)

// A session is one run of the program.
type session struct {
	env    hearth.Env
	home   hearth.Home
	p      *process
	log    *slog.Logger
	rate   *rate.Limiter
	logs   *rate.Limiter
	queue  chan uint64   // commands to be written
	stop   chan struct{} // closed when stop is to be written
	ended  chan struct{} // closed when the program is gone
	broken chan error    // the first reason to give the program up
	wait   sync.WaitGroup

	mu       sync.Mutex
	devices  map[hearth.ID]*device
	commands map[uint64]*command // in the queue, or not yet answered
	last     uint64
	over     bool      // no command is taken any more
	deaf     bool      // the program has closed its input
	heard    time.Time // when the program last said anything
	silent   int       // commands in a row that timed out without a word from it
	offences map[string]int
	lastWord string // of stderr
}

// A command is one Do that waits.
type command struct {
	line   []byte
	at     time.Time // when it was put into the queue
	sent   bool
	answer chan error // holds one
}

func newSession(env hearth.Env, home hearth.Home, p *process) *session {
	return &session{
		env: env, home: home, p: p, log: env.Log,
		rate:     rate.NewLimiter(messagesPerSec, messagesPerSec),
		logs:     rate.NewLimiter(10, 100),
		queue:    make(chan uint64, maxQueue),
		stop:     make(chan struct{}),
		ended:    make(chan struct{}),
		broken:   make(chan error, 1),
		devices:  map[hearth.ID]*device{},
		commands: map[uint64]*command{},
		offences: map[string]int{},
	}
}

// serve speaks with the program until ctx ends or something breaks, and leaves nothing of it behind.
func (s *session) serve(ctx context.Context, cfg Config) error {
	reading, done := context.WithCancel(ctx) // a flood is not made to wait once the end has come
	defer done()
	silence := make(chan error, 1)
	s.wait.Go(func() { silence <- s.read(reading) })
	s.wait.Go(s.readErrors)
	s.wait.Go(func() { s.write(cfg) })
	s.wait.Go(func() { s.watchMemory(int64(cfg.MemoryLimit)) })

	var err error
	select {
	case <-ctx.Done():
		s.askToStop()
	case err = <-s.broken:
	case <-s.p.exited:
	case err = <-silence:
		err = s.closedOutput(err)
	}
	done()
	s.p.signal(syscall.SIGKILL)
	<-s.p.exited
	close(s.ended)
	// What the program said last is still in the pipes; somebody who left its group may hold them open.
	for _, f := range []interface{ SetReadDeadline(time.Time) error }{s.p.stdout, s.p.stderr} {
		_ = f.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	}
	_ = s.p.stdin.SetWriteDeadline(time.Now())
	s.wait.Wait()
	s.p.close()
	s.tellOffences()
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
		err = fmt.Errorf("plugin %s ended by itself (%s)", s.env.Name, s.p.ending())
	}
	return s.withLastWord(err)
}

// closedOutput tells a program that has ended from one that only closed its output.
func (s *session) closedOutput(err error) error {
	select {
	case <-s.p.exited:
		return nil
	case <-time.After(time.Second):
	}
	if err != nil {
		return fmt.Errorf("reading from plugin %s: %w", s.env.Name, err)
	}
	return fmt.Errorf("plugin %s has closed its output and went on running; it was stopped", s.env.Name)
}

func (s *session) withLastWord(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastWord == "" {
		return err
	}
	return fmt.Errorf("%w; its last words: %s", err, s.lastWord)
}

// askToStop says stop, then ends the program less and less politely.
func (s *session) askToStop() {
	s.mu.Lock()
	s.over = true // commands that were sent may still be answered
	s.mu.Unlock()
	_ = s.p.stdin.SetWriteDeadline(time.Now().Add(termAfter / 2))
	close(s.stop)
	term, kill := time.NewTimer(termAfter), time.NewTimer(killAfter)
	defer term.Stop()
	defer kill.Stop()
	for {
		select {
		case <-s.p.exited:
			return
		case <-term.C:
			s.log.Warn("the plugin did not stop when asked to; sending SIGTERM")
			s.p.signal(syscall.SIGTERM)
		case <-kill.C:
			s.log.Warn("the plugin did not stop after SIGTERM; killing it")
			return
		}
	}
}

// giveUp ends the session for that reason, if it is the first.
func (s *session) giveUp(err error) {
	select {
	case s.broken <- err:
	default:
	}
}

// watchMemory gives the program up when it and what it started hold more than limit.
func (s *session) watchMemory(limit int64) {
	tick := time.NewTicker(memoryTick)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-s.ended:
			return
		}
		if used := s.p.memory(n%groupTicks == 0); used > limit {
			s.giveUp(fmt.Errorf("plugin %s held %d MiB of memory, more than its memory_limit of %d MiB; it was stopped", s.env.Name, used>>20, limit>>20))
			return
		}
	}
}

// write is the only one who writes: hello, then commands, then stop.
func (s *session) write(cfg Config) {
	defer s.p.stdin.Close()
	greeting := hello{Version: version, Name: s.env.Name, StateDir: s.p.cmd.Dir, Config: cfg.Config}
	if greeting.Config == nil {
		greeting.Config = struct{}{}
	}
	line, err := encode("hello", greeting)
	if err == nil {
		_, err = s.p.stdin.Write(line)
	}
	for err == nil {
		select {
		case n := <-s.queue:
			if line := s.take(n); line != nil {
				_, err = s.p.stdin.Write(line)
			}
		case <-s.stop:
			_, _ = s.p.stdin.Write([]byte(stopLine))
			return
		case <-s.ended:
			return
		}
	}
	s.goDeaf()
}

// take returns the line of a command that still waits.
func (s *session) take(n uint64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.commands[n]
	if c == nil {
		return nil
	}
	c.sent = true
	return c.line
}

// goDeaf answers all commands: nothing can be written any more.
func (s *session) goDeaf() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = true
	s.answerAll(hearth.CodeFailed, "has closed its input")
}

// end answers all commands that still wait, and those to come.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.answerAll(hearth.CodeOffline, "is not running")
}

func (s *session) answerAll(code, why string) {
	for n, c := range s.commands {
		if c.sent {
			c.answer <- hearth.Errorf(hearth.CodeUnknownOutcome, "plugin %s got the command and %s before it answered", s.env.Name, why)
		} else {
			c.answer <- hearth.Errorf(code, "plugin %s %s", s.env.Name, why)
		}
		delete(s.commands, n)
	}
}

func (s *session) do(ctx context.Context, cmd hearth.Command) error {
	if ctx.Err() != nil {
		return fmt.Errorf("giving plugin %s a command: %w", s.env.Name, ctx.Err())
	}
	n, c, err := s.enqueue(ctx, cmd)
	if err != nil {
		return err
	}
	select {
	case err := <-c.answer:
		return err
	case <-ctx.Done():
		return s.withdraw(ctx, n, c)
	}
}

func (s *session) enqueue(ctx context.Context, cmd hearth.Command) (uint64, *command, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[cmd.Device]
	switch {
	case s.over:
		return 0, nil, hearth.Errorf(hearth.CodeOffline, "plugin %s is not running", s.env.Name)
	case s.deaf:
		return 0, nil, hearth.Errorf(hearth.CodeFailed, "plugin %s takes no commands: it has closed its input", s.env.Name)
	case d == nil:
		return 0, nil, hearth.Errorf(hearth.CodeOffline, "plugin %s has not announced %s", s.env.Name, cmd.Device.Address())
	}
	n := s.last + 1
	line, err := doLine(ctx, n, d.id, cmd.Set)
	if err != nil {
		return 0, nil, err
	}
	c := &command{line: line, at: time.Now(), answer: make(chan error, 1)}
	select {
	case s.queue <- n:
	default:
		return 0, nil, hearth.Errorf(hearth.CodeBusy, "plugin %s does not read: %d commands wait for it", s.env.Name, maxQueue)
	}
	s.last, s.commands[n] = n, c
	return n, c, nil
}

// withdraw takes back a command whose time is over. One that is still in the queue is never written.
func (s *session) withdraw(ctx context.Context, n uint64, c *command) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case err := <-c.answer: // it came at the last moment
		return err
	default:
	}
	delete(s.commands, n)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		if !s.heard.After(c.at) {
			s.silent++
		}
		if s.silent >= maxSilent {
			s.giveUp(fmt.Errorf("plugin %s does not answer: %d commands in a row, and not a word from it; it was stopped", s.env.Name, s.silent))
		}
	}
	if !c.sent {
		return hearth.Errorf(hearth.CodeBusy, "plugin %s does not read its input; the command was taken back", s.env.Name)
	}
	return hearth.Errorf(hearth.CodeUnknownOutcome, "plugin %s got the command and did not answer in time", s.env.Name)
}
