package quirks

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"hearth/settings"
)

// A Library finds the definition for a device. It may be used by several goroutines.
type Library struct {
	plain map[key][]*entry // by vendor and model; "*" for any
	open  []*entry         // whose keys have wildcards

	mu sync.Mutex // held while definitions are read
}

// An entry is one key of a definition.
type entry struct {
	key      key
	clusters Clusters
	source   int // the place of its file system among those that were loaded
	page     *page
}

// A page is one definition. One that comes with the program is read when the first device asks for it.
type page struct {
	builtIn    place
	definition *Definition // as it was read
	finished   *Definition // with what it has of the one that it is like
}

// Load reads definitions: every *.yaml and *.yml of each file system. Those of a later one win. The error names file, line
// and column of everything that is wrong; the library has all files but those that cannot be read, and of the others all definitions but
// those that are wrong together with another.
func Load(sources ...fs.FS) (*Library, error) {
	l := &Library{plain: map[key][]*entry{}}
	var wrong []error
	for i, source := range sources {
		if indexed, ok := source.(builtIn); ok {
			wrong = append(wrong, l.addIndexed(i, indexed))
		} else {
			wrong = append(wrong, l.addAll(i, source))
		}
	}
	return l, errors.Join(wrong...)
}

// addAll reads a person's definitions, so that what is wrong in them is known at once.
func (l *Library) addAll(source int, from fs.FS) error {
	names, err := files(from)
	if err != nil {
		return fmt.Errorf("looking for device definitions: %w", err)
	}
	var wrong []error
	var added []*page
	for _, name := range names {
		definitions, err := parseFile(from, name)
		wrong = append(wrong, err)
		for _, d := range definitions {
			p := &page{definition: d}
			added = append(added, p)
			wrong = append(wrong, l.addOwn(source, p))
		}
	}
	return errors.Join(append(wrong, l.settle(added))...)
}

// settle finishes definitions and takes out those that are like none, until all that are left are finished.
func (l *Library) settle(added []*page) error {
	var wrong []error
	for again := true; again; {
		again = false
		added = slices.DeleteFunc(added, func(p *page) bool {
			_, err := l.read(p)
			if err != nil {
				wrong, again = append(wrong, err), true
				l.remove(p)
			}
			return err != nil
		})
	}
	return errors.Join(wrong...)
}

// remove takes a definition out.
func (l *Library) remove(p *page) {
	its := func(e *entry) bool { return e.page == p }
	for key, entries := range l.plain {
		l.plain[key] = slices.DeleteFunc(entries, its)
	}
	l.open = slices.DeleteFunc(l.open, its)
}

// addOwn adds a person's definition; of two for the same device, the first counts.
func (l *Library) addOwn(source int, p *page) error {
	for _, m := range p.definition.Match {
		for _, k := range m.keys() {
			for _, other := range slices.Concat(l.plain[k], l.open) {
				if other.source == source && other.key == k && slices.Equal(other.clusters, m.Clusters) {
					return fmt.Errorf("%s: vendor %q, model %q has a definition in %s already: remove one of them", p.definition.Source, k.vendor, k.model, other.page.definition.Source)
				}
			}
			l.add(&entry{k, m.Clusters, source, p})
		}
	}
	return nil
}

func parseFile(from fs.FS, name string) ([]*Definition, error) {
	text, err := fs.ReadFile(from, name)
	if err != nil {
		return nil, fmt.Errorf("reading device definitions: %w", err)
	}
	return Parse(name, text)
}

func files(from fs.FS) ([]string, error) {
	names, err := fs.Glob(from, "*.yaml")
	if err != nil {
		return nil, err
	}
	more, err := fs.Glob(from, "*.yml")
	return append(names, more...), err
}

// Parse reads the definitions of a file, which is a list of them. name is what errors call the file.
func Parse(name string, text []byte) ([]*Definition, error) {
	var read []*Definition
	if err := settings.Parse(name, text, &read); err != nil {
		return nil, err
	}
	for i, d := range read {
		if d == nil {
			return nil, fmt.Errorf("%s: definition %d is empty: remove its dash", name, i+1)
		}
		d.Source = name
	}
	return read, nil
}

func (l *Library) add(e *entry) {
	if e.key.open() {
		l.open = append(l.open, e)
	} else {
		l.plain[e.key] = append(l.plain[e.key], e)
	}
}

// Match returns the definition for a device, nil if the standard is all there is; has tells whether any of its endpoints
// serves or uses a cluster.
func (l *Library) Match(vendor, model string, has func(cluster uint16) bool) *Definition {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.find(keyOf(vendor, model), has, nil)
	if e == nil {
		return nil
	}
	d, _ := l.read(e.page) // what is wrong with it was said by Load
	return d
}

// find returns the entry that fits best, but none of the page without.
func (l *Library) find(device key, has func(cluster uint16) bool, without *page) *entry {
	var best *entry
	consider := func(e *entry) {
		if e.page == without || !e.key.takes(device) || has != nil && !e.has(has) {
			return
		}
		if best == nil || cmp.Or(cmp.Compare(e.source, best.source), closer(e, best)) >= 0 {
			best = e
		}
	}
	for _, k := range []key{device, {anything, device.model}, {device.vendor, anything}} {
		for _, e := range l.plain[k] {
			consider(e)
		}
	}
	for _, e := range l.open {
		consider(e)
	}
	return best
}

func (e *entry) has(has func(cluster uint16) bool) bool {
	return !slices.ContainsFunc(e.clusters, func(c Cluster) bool { return !has(uint16(c)) })
}

// read returns a definition with what it has of the one that it is like.
func (l *Library) read(p *page) (*Definition, error) {
	var line []*page // each is like the next
	for next := p; next.finished == nil; {
		if next.definition == nil {
			next.definition = next.builtIn.read()
		}
		like := next.definition.Like
		if like == nil {
			next.finished = next.definition
			break
		}
		if slices.Contains(line, next) {
			return p.definition, like.place.At("", "it is like itself, going round")
		}
		base := l.find(keyOf(like.Vendor, like.Model), nil, next)
		if base == nil {
			return p.definition, like.place.At("", "there is no definition for a device with vendor %q and model %q", like.Vendor, like.Model)
		}
		line = append(line, next)
		next = base.page
	}
	for i := len(line) - 1; i >= 0; i-- {
		like := line[i].definition.Like
		line[i].finished = line[i].definition.over(l.find(keyOf(like.Vendor, like.Model), nil, line[i]).page.finished)
		like.place = settings.Node{}
	}
	return p.finished, nil
}
