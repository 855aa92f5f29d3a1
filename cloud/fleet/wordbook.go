package fleet

import (
	"strings"

	"hearth"
)

const (
	mostShared    = 20_000
	longestShared = 64 // bytes of a text
	longestList   = 32 // texts
)

// A wordbook keeps one copy of what the devices of many homes have in common: names, units, models. When it is full it
// begins anew. What it hands out is never written to.
type wordbook struct {
	texts map[string]string
	lists map[string][]string // by their texts, each with a zero byte behind it
}

func newWordbook() wordbook {
	return wordbook{texts: map[string]string{}, lists: map[string][]string{}}
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

func (w *wordbook) list(l *[]string) {
	if len(*l) == 0 || len(*l) > longestList {
		return
	}
	var key strings.Builder
	for _, s := range *l {
		if len(s) > longestShared {
			return
		}
		key.WriteString(s)
		key.WriteByte(0)
	}
	known, ok := w.lists[key.String()]
	if !ok {
		if len(w.lists) >= mostShared/longestList {
			clear(w.lists)
		}
		known = *l
		w.lists[key.String()] = known
	}
	*l = known
}

// share replaces the texts that describe a device by those that are there already.
func (w *wordbook) share(view *hearth.DeviceView) {
	for _, s := range []*string{&view.Name, &view.Room, (*string)(&view.Type), &view.Driver, &view.DriverType, &view.Vendor, &view.Model, &view.Firmware} {
		w.text(s)
	}
	for i := range view.Properties {
		p := &view.Properties[i]
		for _, s := range []*string{&p.Name, (*string)(&p.Kind), &p.Unit, &p.UnitCode} {
			w.text(s)
		}
		w.list(&p.Options)
	}
}
