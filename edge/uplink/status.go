package uplink

import (
	"errors"
	"sync"

	"hearth"
	"hearth/edge/buffer"
)

// The states of a target and of the link.
const (
	stateWaiting   = "waiting"
	stateConnected = "connected"
	stateIdle      = "idle"
	stateRefused   = "refused"
)

// status is how a target is doing, for a person.
type status struct {
	mu       sync.Mutex
	state    string
	err      string
	note     string
	commands string
}

// set reports whether this is news: between connected and idle nothing changes for a person.
func (s *status) set(state, err string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	well := func(state string) bool { return state == stateConnected || state == stateIdle }
	changed := s.err != err || s.state != state && !(well(s.state) && well(state))
	s.state, s.err = state, err
	return changed
}

// failed shows why the target cannot be served now and reports whether this is news.
func (s *status) failed(err error) bool {
	var f *fault
	if errors.As(err, &f) && f.refused {
		return s.set(stateRefused, err.Error())
	}
	return s.set(stateWaiting, err.Error())
}

// setNote reports whether this is news.
func (s *status) setNote(note string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.note != note
	s.note = note
	return changed
}

func (s *status) setCommands(state string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.commands != state
	s.commands = state
	return changed
}

func (s *status) target(b *buffer.Buffer, name string) TargetStatus {
	stats := b.Target(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	t := TargetStatus{
		Name: name, State: s.state, Error: s.err, Note: s.note, Commands: s.commands,
		Acknowledged: stats.Acknowledged, Dropped: stats.Dropped, Backlog: stats.Backlog,
		LastAcknowledged: hearth.Time{Time: stats.LastAcknowledged},
	}
	if t.State == "" {
		t.State = stateWaiting
	}
	return t
}
