package influxql

import (
	"cmp"
	"slices"

	"github.com/influxdata/influxql"
)

// A track is what rows come from: one series of a measurement, or one of a subquery.
type track struct {
	name string
	tags []tag // by key
	open func(want wanted) rows
}

// wanted is what a query asks a track for.
type wanted struct {
	refs       []influxql.VarRef
	driven     bool  // the first of refs makes the rows; else every field among them does
	start, end int64 // both inclusive
	desc       bool
	beside     int // how many tracks are read side by side; 0: this one alone
}

// batch is how much each cursor may keep.
func (w *wanted) batch() int {
	return min(max(sharedKept/max(w.beside*len(w.refs), 1), leastBatch), mostBatch)
}

// A group is the tracks of one series of an answer.
type group struct {
	name   string
	tags   []tag // those of GROUP BY
	tracks []*track
}

// seriesTracks finds the series of a measurement that can match a condition.
func (r *run) seriesTracks(home string, m *measurement, cond influxql.Expr) []*track {
	var tracks []*track
	for _, s := range m.series {
		rest := m.narrow(cond, s)
		if isFalse(rest) {
			continue
		}
		tracks = append(tracks, &track{name: m.name, tags: s.tags, open: func(w wanted) rows { return r.open(home, m, s, rest, w) }})
	}
	return tracks
}

// noRows is a track without any.
type noRows struct{}

func (noRows) next() (row, bool) { return row{}, false }

// open starts to read a series. rest is what of the condition the tags have not settled.
func (r *run) open(home string, m *measurement, s *tagged, rest influxql.Expr, w wanted) rows {
	out := &seriesRows{slots: make([]int, len(w.refs)), fixed: make([]datum, len(w.refs)), desc: w.desc}
	named := map[influxql.VarRef]int{}
	cursor := func(ref influxql.VarRef) int {
		at, ok := named[ref]
		if !ok {
			if at = -1; r.reads(s, ref, w) {
				at = len(out.cursors)
				out.cursors = append(out.cursors, r.cursor(home, s, ref, w))
			}
			named[ref] = at
		}
		return at
	}
	for i, ref := range w.refs {
		out.slots[i] = -1
		if m.isTag(ref) {
			if value := valueOf(s.tags, ref.Val); value != "" {
				out.fixed[i] = textOf(value)
			}
			continue
		}
		out.slots[i] = cursor(ref)
		if w.driven && i == 0 {
			out.leading = len(out.cursors)
		}
	}
	if !w.driven {
		out.leading = len(out.cursors)
	}
	if out.leading == 0 {
		return noRows{}
	}
	if rest == nil && len(out.cursors) == 1 && len(w.refs) == 1 {
		return &oneField{cursor: out.cursors[0]}
	}
	if rest != nil {
		out.filter = m.filter(rest, s, cursor)
	}
	out.now = make([]datum, len(out.cursors))
	out.vals = slices.Clone(out.fixed)
	return out
}

// reads reports whether a series can have that field at that time.
func (r *run) reads(s *tagged, ref influxql.VarRef, w wanted) bool {
	last, ok := s.fields[ref.Val]
	return ok && last.t >= w.start && castable(last.typ, ref.Type)
}

// castable reports whether a field of that type answers to a wish for another.
func castable(have, want influxql.DataType) bool {
	switch want {
	case influxql.Unknown, influxql.AnyField:
		return true
	case influxql.Float, influxql.Integer, influxql.Unsigned:
		return have == influxql.Float
	}
	return have == want
}

func (r *run) cursor(home string, s *tagged, ref influxql.VarRef, w wanted) *cursor {
	last := s.fields[ref.Val]
	return &cursor{
		run: r, home: home, series: s.key, field: ref.Val, typ: ref.Type, kind: kindOf(last.typ),
		from: w.start, to: min(w.end, last.t) + 1, desc: w.desc, most: w.batch(),
	}
}

// groups puts tracks together by name and dimensions, in the order in which they are answered.
func groupTracks(tracks []*track, dims []string, desc bool) []*group {
	var groups []*group
	byTags := map[string]*group{}
	for _, t := range tracks {
		tags := subset(t.tags, dims)
		id := t.name
		for _, one := range tags {
			id += "\x00" + one.value
		}
		g := byTags[id]
		if g == nil {
			g = &group{name: t.name, tags: tags}
			byTags[id] = g
			groups = append(groups, g)
		}
		g.tracks = append(g.tracks, t)
	}
	slices.SortStableFunc(groups, func(a, b *group) int {
		order := cmp.Or(cmp.Compare(a.name, b.name), compareTags(a.tags, b.tags))
		if desc {
			return -order
		}
		return order
	})
	return groups
}

// limitGroups is SLIMIT and SOFFSET. As in InfluxDB an offset without a limit leaves nothing.
func limitGroups(groups []*group, limit, offset int) []*group {
	if limit == 0 && offset == 0 {
		return groups
	}
	if offset > len(groups) {
		return nil
	}
	return groups[offset:min(offset+limit, len(groups))]
}

// read opens the tracks of a group as one.
func (g *group) read(w wanted) rows {
	all := make([]rows, len(g.tracks))
	w.beside = len(all)
	for i, t := range g.tracks {
		all[i] = t.open(w)
	}
	if len(all) == 0 {
		return noRows{}
	}
	return mergeRows(all, w.desc)
}
