package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
	"hearth/cloud/series"
)

// The kinds of databases that old readings come from.
const (
	Victoria = "victoriametrics"
	Influx   = "influxdb"
)

// FarOptions say where old readings are.
type FarOptions struct {
	URL      string // as in http://127.0.0.1:8428, or http://vmselect:8481/select/0/prometheus
	Kind     string
	Database string // of an InfluxDB
	Username string
	Password string
	Token    string
	Before   time.Duration // readings older than that come from there
	Now      func() time.Time
}

// Far is a database that has old readings, which Forward sent there.
type Far struct {
	o    FarOptions
	peer *peer
}

// NewFar returns a Far.
func NewFar(o FarOptions) *Far {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Far{o: o, peer: newPeer(Target{URL: o.URL, Username: o.Username, Password: o.Password, Token: o.Token}, "")}
}

const (
	window    = 7 * 24 * time.Hour // what is asked for at once
	maxWindow = 128 << 20          // bytes of the answer
	dayOf     = 24 * time.Hour
)

// Whole are the readings of this receiver with the old ones from far away: a series.Store in all but that.
type Whole struct {
	*series.Store
	Far *Far
}

// cutoff is what is before it comes from far away. It moves a day at a time.
func (w *Whole) cutoff() time.Time { return w.Far.o.Now().Add(-w.Far.o.Before).Truncate(dayOf) }

// Points does what series.Store.Points does.
func (w *Whole) Points(home, of, field string, from, to time.Time, each func(t int64, v hearth.Value) bool) error {
	cutoff := w.cutoff()
	if !from.Before(cutoff) {
		return w.Store.Points(home, of, field, from, to, each)
	}
	kind, err := w.kind(home, of, field)
	if err != nil {
		return err
	}
	stopped := false
	err = w.Far.Points(home, of, field, from, earlier(to, cutoff), func(t int64, v hearth.Value) bool {
		if kind == hearth.Bool && v.Kind() == hearth.Number { // a database of numbers
			v = hearth.BoolOf(v.Number() != 0)
		}
		stopped = !each(t, v)
		return !stopped
	})
	if err != nil || stopped || !cutoff.Before(to) {
		return err
	}
	return w.Store.Points(home, of, field, cutoff, to, each)
}

// kind is that of a series' values as far as it is known here.
func (w *Whole) kind(home, of, field string) (hearth.Kind, error) {
	last, err := w.Last(home)
	if err != nil {
		return "", err
	}
	for _, p := range last {
		if p.Series == of && p.Field == field {
			return p.Value.Kind(), nil
		}
	}
	return "", nil
}

// History does what series.Store.History does.
func (w *Whole) History(home, of, field string, from, to time.Time, points int) (hearth.History, error) {
	if !from.Before(w.cutoff()) || !from.Before(to) {
		return w.Store.History(home, of, field, from, to, points)
	}
	history := hearth.History{Points: []hearth.Bucket{}, Gaps: []hearth.Gap{}}
	down := hearth.NewDownsampler(from, to, points)
	err := w.Points(home, of, field, from, to, func(t int64, v hearth.Value) bool {
		down.Add(time.Unix(0, t), v)
		return true
	})
	if err != nil {
		return history, err
	}
	if history.Gaps, err = w.Gaps(home, from, to); err != nil {
		return history, err
	}
	history.Points = down.Points()
	return history, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Points visits the points of one series of a home over [from, to) in the order of time, each time once, until each
// returns false.
func (f *Far) Points(home, of, field string, from, to time.Time, each func(t int64, v hearth.Value) bool) error {
	ask := f.victoria
	if f.o.Kind == Influx {
		ask = f.influx
	}
	s := farSeries{home: home, field: field, tags: map[string]string{}}
	for i, part := range splitTags(of) {
		if i == 0 {
			s.measurement = unescaped(part)
			continue
		}
		if key, value, _ := cutTag(part); key != "home" {
			s.tags[key] = value
		}
	}
	for start := from; start.Before(to); start = start.Add(window) {
		points, err := ask(context.Background(), s, start, earlier(start.Add(window), to))
		if err != nil {
			return fmt.Errorf("asking for old readings: %w", hearth.Errorf(hearth.CodeFailed, "the database that has readings from before %s does not give them: %v",
				f.o.Now().Add(-f.o.Before).UTC().Format("2006-01-02"), err))
		}
		for _, p := range points {
			if !each(p.t, p.v) {
				return nil
			}
		}
	}
	return nil
}

// A farSeries is one series as databases far away know it.
type farSeries struct {
	home, measurement, field string
	tags                     map[string]string
}

// is reports whether labels are those of the series and of no other one that has more of them.
func (s *farSeries) is(labels map[string]string, besides ...string) bool {
	if labels["home"] != s.home {
		return false
	}
	own := 0
	for name, value := range labels {
		if name == "home" || value == "" || slices.Contains(besides, name) {
			continue
		}
		if s.tags[name] != value {
			return false
		}
		own++
	}
	return own == len(s.tags)
}

type farPoint struct {
	t int64
	v hearth.Value
}

// inOrder sorts points by time and keeps the last of those with the same: what was sent twice is there twice.
func inOrder(points []farPoint) []farPoint {
	slices.SortStableFunc(points, func(a, b farPoint) int {
		switch {
		case a.t < b.t:
			return -1
		case a.t > b.t:
			return 1
		}
		return 0
	})
	kept := points[:0]
	for _, p := range points {
		if n := len(kept); n > 0 && kept[n-1].t == p.t {
			kept = kept[:n-1]
		}
		kept = append(kept, p)
	}
	return kept
}

// get asks a database and has the answer read.
func (f *Far) get(ctx context.Context, path string, query url.Values, read func(*json.Decoder) error) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	resp, err := f.peer.open(ctx, http.MethodGet, f.peer.URL+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
		if err != nil {
			return withoutURL(err)
		}
		r := reply{status: resp.StatusCode, body: body}
		return r.fault()
	}
	limited := &io.LimitedReader{R: resp.Body, N: maxWindow}
	decoder := json.NewDecoder(limited)
	for {
		err := read(decoder)
		switch {
		case limited.N <= 0:
			return errors.New("there is too much of it")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the answer: %w", withoutURL(err))
		}
	}
}

// victoria exports a series as it is.
func (f *Far) victoria(ctx context.Context, s farSeries, from, to time.Time) ([]farPoint, error) {
	match := []string{"__name__=" + strconv.Quote(s.measurement+"_"+s.field), "home=" + strconv.Quote(s.home)}
	for key, value := range s.tags {
		match = append(match, quotedLabel(key)+"="+strconv.Quote(value))
	}
	query := url.Values{
		"match[]": {"{" + strings.Join(match, ",") + "}"},
		"start":   {seconds(from)}, "end": {seconds(to)},
	}
	var points []farPoint
	err := f.get(ctx, "/api/v1/export", query, func(d *json.Decoder) error {
		var block struct {
			Metric     map[string]string
			Values     []*float64
			Timestamps []int64
		}
		if err := d.Decode(&block); err != nil {
			return err
		}
		if len(block.Values) != len(block.Timestamps) {
			return errors.New("it has more values than times")
		}
		if !s.is(block.Metric, "__name__", "db") {
			return nil
		}
		for i, ms := range block.Timestamps {
			if at := time.UnixMilli(ms); block.Values[i] != nil && !at.Before(from) && at.Before(to) {
				points = append(points, farPoint{at.UnixNano(), hearth.NumberOf(*block.Values[i])})
			}
		}
		return nil
	})
	return inOrder(points), err
}

func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64)
}

// quotedLabel writes the name of a label that is no identifier as MetricsQL wants it.
func quotedLabel(name string) string {
	var b strings.Builder
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '.' || c > 0x7f || i > 0 && (c >= '0' && c <= '9' || c == ':')
		if !letter {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// influx selects a series from an InfluxDB v1, or a v2 that has a mapping for the database.
func (f *Far) influx(ctx context.Context, s farSeries, from, to time.Time) ([]farPoint, error) {
	text := fmt.Sprintf(`SELECT %s FROM %s WHERE "home" = %s AND time >= %d AND time < %d`, quotedName(s.field), quotedName(s.measurement), quotedText(s.home), from.UnixNano(), to.UnixNano())
	for key, value := range s.tags {
		text += " AND " + quotedName(key) + " = " + quotedText(value)
	}
	query := url.Values{"db": {f.o.Database}, "epoch": {"ns"}, "chunked": {"true"}, "q": {text + " GROUP BY *"}}
	var points []farPoint
	err := f.get(ctx, "/query", query, func(d *json.Decoder) error {
		var chunk influxChunk
		if err := d.Decode(&chunk); err != nil {
			return err
		}
		for _, result := range chunk.Results {
			if result.Error != "" {
				return errors.New(result.Error)
			}
			for _, one := range result.Series {
				if !s.is(one.Tags) {
					continue
				}
				for _, row := range one.Values {
					p, err := influxPoint(row)
					if err != nil {
						return err
					}
					if !p.v.IsZero() {
						points = append(points, p)
					}
				}
			}
		}
		return nil
	})
	return inOrder(points), err
}

// An influxChunk is a piece of an answer to /query.
type influxChunk struct {
	Results []struct {
		Error  string
		Series []struct {
			Tags   map[string]string
			Values [][]json.RawMessage
		}
	}
}

func influxPoint(row []json.RawMessage) (p farPoint, err error) {
	if len(row) != 2 {
		return p, errors.New("a row of it is no time and value")
	}
	if p.t, err = strconv.ParseInt(string(row[0]), 10, 64); err != nil {
		return p, err
	}
	if bytes.Equal(row[1], []byte("null")) {
		return p, nil
	}
	return p, json.Unmarshal(row[1], &p.v)
}

func quotedName(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func quotedText(s string) string {
	return `'` + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`).Replace(s) + `'`
}

// cutTag takes a tag of a series key apart.
func cutTag(tag string) (key, value string, ok bool) {
	for i := 0; i < len(tag); i++ {
		switch tag[i] {
		case '\\':
			i++
		case '=':
			return unescaped(tag[:i]), unescaped(tag[i+1:]), true
		}
	}
	return unescaped(tag), "", false
}

func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(",= ", s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
