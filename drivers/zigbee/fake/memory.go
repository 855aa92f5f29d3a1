package fake

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/google/renameio/v2"
)

// A Memory is a stick's non-volatile memory: it survives resets, and unplugging. Items have names, as the firmware
// that owns them chooses: "nv/0021", "token/…". It may be used by several goroutines.
type Memory struct {
	mu    sync.Mutex
	items map[string][]byte
}

// NewMemory returns a blank one.
func NewMemory() *Memory { return &Memory{items: map[string][]byte{}} }

// Get returns an item, and false if there is none.
func (m *Memory) Get(name string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.items[name]
	return slices.Clone(value), ok
}

// Set stores an item.
func (m *Memory) Set(name string, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.items[name] = append([]byte{}, value...)
}

// Delete takes an item away.
func (m *Memory) Delete(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.items, name)
}

// Names are those of the items there are, in order.
func (m *Memory) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.items))
}

// MarshalJSON implements json.Marshaler: names and hex digits.
func (m *Memory) MarshalJSON() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := make(map[string]string, len(m.items))
	for name, value := range m.items {
		text[name] = hex.EncodeToString(value)
	}
	return json.Marshal(text)
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Memory) UnmarshalJSON(b []byte) error {
	var text map[string]string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	items := make(map[string][]byte, len(text))
	for name, digits := range text {
		value, err := hex.DecodeString(digits)
		if err != nil {
			return fmt.Errorf("item %s: %w", name, err)
		}
		items[name] = value
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.items = items
	return nil
}

// Save writes the memory to a file.
func (m *Memory) Save(path string) error {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fmt.Errorf("saving a stick's memory: %w", err)
	}
	return renameio.WriteFile(path, b, 0o600)
}

// LoadMemory reads what Save wrote; a file that is not there is a blank memory.
func LoadMemory(path string) (*Memory, error) {
	m := NewMemory()
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(b, m)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a stick's memory: %w", err)
	}
	return m, nil
}
