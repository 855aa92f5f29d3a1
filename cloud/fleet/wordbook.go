package fleet

import (
	"strconv"
	"strings"

	"hearth"
)

const (
	mostShared    = 20_000
	longestShared = 64 // bytes of a text

	mostLists   = 2000
	longestList = 16 << 10 // bytes of what properties say
)

// A wordbook keeps one copy of what the devices of many homes have in common: rooms, models, and all that describes their
// properties. When it is full it begins anew. What it hands out is never written to.
type wordbook struct {
	texts map[string]string
	lists map[string][]hearth.Property // by all that they say
}

func newWordbook() wordbook {
	return wordbook{texts: map[string]string{}, lists: map[string][]hearth.Property{}}
}

func (w *wordbook) text(s *string) {
	if len(*s) > longestShared || *s == "" {
		return
	}
	known, ok := w.texts[*s]
	if !ok {
		if len(w.texts) >= mostShared {
			clear(w.texts)
		}
		known = strings.Clone(*s)
		w.texts[known] = known
	}
	*s = known
}

// share replaces the texts that describe a device by those that are there already, and returns what describes its
// properties.
func (w *wordbook) share(view *hearth.DeviceView) []hearth.Property {
	for _, s := range []*string{&view.Name, &view.Room, (*string)(&view.Type), &view.Driver, &view.DriverType, &view.Vendor, &view.Model, &view.Firmware} {
		w.text(s)
	}
	list := make([]hearth.Property, len(view.Properties))
	for i := range view.Properties {
		list[i] = view.Properties[i].Property
	}
	key := keyOf(list)
	if len(key) > longestList {
		return list
	}
	known, ok := w.lists[string(key)]
	if !ok {
		if len(w.lists) >= mostLists {
			clear(w.lists)
		}
		known = list
		w.lists[string(key)] = known
	}
	return known
}

// keyOf is all that properties say.
func keyOf(list []hearth.Property) []byte {
	var key []byte
	bound := func(f *float64) {
		if f != nil {
			key = strconv.AppendFloat(key, *f, 'g', -1, 64)
		}
		key = append(key, 0)
	}
	for i := range list {
		p := &list[i]
		for _, s := range []string{p.Name, string(p.Kind), p.Unit, p.UnitCode} {
			key = strconv.AppendQuote(key, s)
		}
		for _, b := range []bool{p.Writable, p.Momentary, p.WriteOnly, p.Urgent} {
			key = strconv.AppendBool(key, b)
		}
		bound(p.Min)
		bound(p.Max)
		for _, s := range p.Options {
			key = strconv.AppendQuote(key, s)
		}
		key = append(key, '\n')
	}
	return key
}
