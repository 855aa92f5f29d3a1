package mqtt

import (
	"encoding/json"
	"fmt"
	"maps"

	"hearth"
)

// left is what is retained on the broker, kept so that what is no more can be taken away, also by a later run.
type left struct {
	Devices map[hearth.ID]traces `json:"devices"`
	changed bool
}

// traces is what one device has left.
type traces struct {
	Topic      string            `json:"topic,omitempty"`      // where it was announced
	Components map[string]string `json:"components,omitempty"` // what was announced: platforms
}

const leftKey = "left"

func readLeft(store hearth.Store) (*left, error) {
	l := &left{Devices: map[hearth.ID]traces{}}
	data, err := store.Get(leftKey)
	if err != nil {
		return nil, fmt.Errorf("reading what is left on the broker: %w", err)
	}
	if data != nil && json.Unmarshal(data, l) != nil || l.Devices == nil {
		return &left{Devices: map[hearth.ID]traces{}}, nil // it only tidies: rather something left than no face
	}
	return l, nil
}

func (l *left) save(store hearth.Store) error {
	if !l.changed {
		return nil
	}
	data, err := json.Marshal(l)
	if err == nil {
		err = store.Put(leftKey, data)
	}
	l.changed = err != nil
	return err
}

// note keeps what a device is about to leave and returns what it had left before.
func (l *left) note(id hearth.ID, topic string, components map[string]string) (before traces) {
	before, known := l.Devices[id]
	if !known || before.Topic != topic || !maps.Equal(before.Components, components) {
		l.Devices[id] = traces{Topic: topic, Components: components}
		l.changed = true
	}
	return before
}

func (l *left) forget(id hearth.ID) {
	delete(l.Devices, id)
	l.changed = true
}

// vanished returns the components that were announced on topic and are no more, with their platforms.
func (t traces) vanished(topic string, now map[string]string) map[string]string {
	if t.Topic != topic {
		return nil
	}
	gone := map[string]string{}
	for key, platform := range t.Components {
		if now[key] == "" {
			gone[key] = platform
		}
	}
	return gone
}
