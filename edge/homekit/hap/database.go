package hap

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"
)

// Bounds of a database (section 2.5.3).
const (
	mostAccessories     = 150
	mostServices        = 100
	mostCharacteristics = 100
)

// key names a characteristic within the server.
type key struct{ aid, iid uint64 }

// item is a published characteristic: what it is, its value, and who wants to hear of it. The value, its version and the
// subscribers are guarded by Server.mu; all else does not change.
type item struct {
	key
	a *accessory.A
	c *characteristic.C

	readable, writable, observable, timed, answers bool
	momentary                                      bool // a button: no value, every press is an event
	limits                                         limits

	value       any
	version     uint64 // of the value, so that an old one does not replace a newer one
	subscribers map[*conn]struct{}
}

// database is what GET /accessories tells. Its text is made once: static pieces, and between them the values.
type database struct {
	category byte
	items    map[key]*item
	byC      map[*characteristic.C]*item
	pieces   []piece
	hash     string // of all pieces: the structure without the values
	size     int    // of the text, at most; guarded by Server.mu
}

type piece struct {
	text []byte
	item *item // whose value comes after the text; nil at the end and where it cannot be read
}

func newDatabase(accessories []*accessory.A) (*database, error) {
	d := &database{category: 2, items: make(map[key]*item), byC: make(map[*characteristic.C]*item)}
	if len(accessories) == 0 || len(accessories) > mostAccessories {
		return nil, fmt.Errorf("hap: %d accessories: there have to be 1 to %d", len(accessories), mostAccessories)
	}
	if len(accessories) == 1 && accessories[0] != nil && accessories[0].Type != 0 {
		d.category = accessories[0].Type
	}
	w := &writer{d: d}
	w.text(`{"accessories":[`)
	ids := make(map[uint64]bool)
	for i, a := range accessories {
		if a == nil || a.Id == 0 || ids[a.Id] {
			return nil, fmt.Errorf("hap: accessory %d has no id of its own", i)
		}
		ids[a.Id] = true
		if err := w.accessory(i, a); err != nil {
			return nil, fmt.Errorf("hap: accessory %d: %w", a.Id, err)
		}
	}
	if !ids[1] {
		return nil, errors.New("hap: no accessory has the id 1, which is the bridge's")
	}
	w.text("]}")
	w.flush(nil)
	sum := sha256.New()
	for _, p := range d.pieces {
		sum.Write(p.text)
	}
	d.hash = hex.EncodeToString(sum.Sum(nil))
	return d, nil
}

// writer builds a database.
type writer struct {
	d   *database
	now bytes.Buffer
}

func (w *writer) text(s string) { w.now.WriteString(s) }

func (w *writer) flush(i *item) {
	w.d.pieces = append(w.d.pieces, piece{bytes.Clone(w.now.Bytes()), i})
	w.now.Reset()
}

func (w *writer) comma(i int) {
	if i > 0 {
		w.text(",")
	}
}

func (w *writer) accessory(i int, a *accessory.A) error {
	if len(a.Ss) == 0 || len(a.Ss) > mostServices {
		return fmt.Errorf("%d services: there have to be 1 to %d", len(a.Ss), mostServices)
	}
	w.comma(i)
	fmt.Fprintf(&w.now, `{"aid":%d,"services":[`, a.Id)
	ids, information := make(map[uint64]bool), false
	for i, s := range a.Ss {
		if s == nil || s.Id == 0 || ids[s.Id] {
			return fmt.Errorf("service %d has no id of its own", i)
		}
		ids[s.Id] = true
		information = information || s.Type == service.TypeAccessoryInformation && s.Id == 1
		w.comma(i)
		if err := w.service(a, s, ids); err != nil {
			return fmt.Errorf("service %d: %w", s.Id, err)
		}
	}
	if !information {
		return errors.New("there is no accessory information with the id 1")
	}
	w.text("]}")
	return nil
}

func (w *writer) service(a *accessory.A, s *service.S, ids map[uint64]bool) error {
	if len(s.Cs) > mostCharacteristics {
		return fmt.Errorf("%d characteristics are more than %d", len(s.Cs), mostCharacteristics)
	}
	head := struct {
		ID      uint64   `json:"iid"`
		Type    string   `json:"type"`
		Hidden  bool     `json:"hidden,omitempty"`
		Primary bool     `json:"primary,omitempty"`
		Linked  []uint64 `json:"linked,omitempty"`
	}{s.Id, s.Type, s.Hidden, s.Primary, nil}
	for _, other := range s.Linked {
		if !slices.Contains(a.Ss, other) {
			return errors.New("it is linked to a service of another accessory")
		}
		head.Linked = append(head.Linked, other.Id)
	}
	if err := w.open(head); err != nil {
		return err
	}
	w.text(`,"characteristics":[`)
	for i, c := range s.Cs {
		if c == nil || c.Id == 0 || ids[c.Id] || w.d.byC[c] != nil {
			return fmt.Errorf("characteristic %d has no id of its own", i)
		}
		ids[c.Id] = true
		w.comma(i)
		if err := w.characteristic(a, c); err != nil {
			return fmt.Errorf("characteristic %d: %w", c.Id, err)
		}
	}
	w.text("]}")
	return nil
}

// open writes an object and leaves it open.
func (w *writer) open(v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		w.now.Write(text[:len(text)-1])
	}
	return err
}

// meta are the parts of a characteristic that GET /characteristics tells when asked with meta=1.
type meta struct {
	Format     string `json:"format,omitempty"`
	Unit       string `json:"unit,omitempty"`
	MinValue   any    `json:"minValue,omitempty"`
	MaxValue   any    `json:"maxValue,omitempty"`
	StepValue  any    `json:"minStep,omitempty"`
	MaxLen     int    `json:"maxLen,omitempty"`
	ValidVals  []int  `json:"valid-values,omitempty"`
	ValidRange []int  `json:"valid-values-range,omitempty"`
}

func metaOf(c *characteristic.C) meta {
	format := c.Format
	if format == characteristic.FormatInt32 {
		format = "int" // table 6-5 has no other name for it
	}
	return meta{format, c.Unit, c.MinVal, c.MaxVal, c.StepVal, c.MaxLen, c.ValidVals, c.ValidRange}
}

func (w *writer) characteristic(a *accessory.A, c *characteristic.C) error {
	has := func(permission string) bool { return slices.Contains(c.Permissions, permission) }
	i := &item{
		key: key{a.Id, c.Id}, a: a, c: c,
		readable: has("pr"), writable: has("pw"), observable: has("ev"), timed: has("tw"), answers: has("wr"),
		momentary:   c.Type == characteristic.TypeProgrammableSwitchEvent,
		subscribers: make(map[*conn]struct{}),
	}
	var err error
	if i.limits, err = limitsOf(c); err != nil {
		return err
	}
	if i.value = i.limits.fit(c.Value()); i.value == nil {
		i.value = i.limits.zero()
	}
	w.d.items[i.key], w.d.byC[c] = i, i
	err = w.open(struct {
		ID          uint64   `json:"iid"`
		Type        string   `json:"type"`
		Permissions []string `json:"perms"`
		Description string   `json:"description,omitempty"`
		meta
	}{c.Id, strings.ToUpper(c.Type), c.Permissions, c.Description, metaOf(c)})
	if err != nil {
		return err
	}
	if i.readable {
		w.text(`,"value":`)
		w.flush(i)
	}
	w.text("}")
	return nil
}

// shown is the value that controllers read.
func (i *item) shown() any {
	if i.momentary {
		return nil // section 9.75: a press is never read
	}
	return i.value
}

// appendJSON writes the whole database.
func (d *database) appendJSON(out []byte) []byte {
	for _, p := range d.pieces {
		out = append(out, p.text...)
		if p.item != nil {
			out = appendValue(out, p.item.shown())
		}
	}
	return out
}

func appendValue(out []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		text = []byte("null")
	}
	return append(out, text...)
}
