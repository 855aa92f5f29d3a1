// Package text reads anything that writes lines: weather stations, microcontrollers, scales, counters. What stands where
// in a line, and what is sent to set something, is told by the configuration.
package text

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"hearth"
	"hearth/drivers/serial"
)

const (
	maxDevices = 200 // that lines can name; a broken line must not fill the house

	// A line that begins this soon after opening may have begun before, and would be read wrongly without its
	// beginning.
	settling = 100 * time.Millisecond
)

// New makes the driver. It does not touch the port. The error is that of cfg.Check.
func New(env hearth.Env, cfg Config) (hearth.Driver, error) {
	cfg.Fields = slices.Clone(cfg.Fields)
	var problems []error
	for i := range cfg.Fields {
		problems = append(problems, cfg.Fields[i].Check())
	}
	if err := errors.Join(append(problems, cfg.Check())...); err != nil {
		return nil, fmt.Errorf("the settings of %s: %w", env.Name, err)
	}
	d := &driver{
		env: env, cfg: cfg, parse: newParser(&cfg), properties: cfg.properties(), open: serial.Open,
		turn: make(chan struct{}, 1), devices: map[hearth.ID]string{}, counts: map[string]uint64{},
	}
	if cfg.Ignore != "" {
		d.ignore = regexp.MustCompile(cfg.Ignore)
	}
	if cfg.DeviceFrom == "" && cfg.Device == "" {
		d.cfg.Device = defaultAddress
	}
	return d, nil
}

type driver struct {
	env        hearth.Env
	cfg        Config
	parse      parser
	ignore     *regexp.Regexp // nil: every line counts
	properties []hearth.Property
	open       func(context.Context, serial.Config) (serial.Port, error)
	turn       chan struct{} // holds one while a command is under way

	mu      sync.Mutex
	session *session             // nil without Run
	devices map[hearth.ID]string // announced in this life of the process, and what their lines call them
	counts  map[string]uint64
}

// session is one life of the port.
type session struct {
	port     serial.Port
	ended    chan struct{}
	awaiting *regexp.Regexp // the acknowledgement of the command under way; guarded by driver.mu
	heard    chan struct{}  // closed when it came
}

// Run implements hearth.Driver.
func (d *driver) Run(ctx context.Context, home hearth.Home) error {
	port, err := d.open(ctx, d.cfg.Or(serial.Config{Baud: 9600}))
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer port.Close()
	s := &session{port: port, ended: make(chan struct{})}
	d.begin(s)
	defer close(s.ended)
	defer d.begin(nil)
	if d.cfg.DeviceFrom == "" {
		d.announce(home, d.cfg.Device)
	} else {
		d.announceKnown(home)
	}
	lines := splitter{}
	chunk := make([]byte, 4096)
	for opened, first := time.Now(), true; ; {
		n, err := port.Read(chunk)
		if n > 0 && first {
			first = false
			lines.skip = d.cfg.Format != "json" && time.Since(opened) < settling
		}
		lines.feed(chunk[:n], func(line []byte) { d.line(home, s, line) }, func() { d.bad("too long", "a line is too long and is dropped", nil, nil) })
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (d *driver) begin(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session = s
}

// line reports what stands in a line.
func (d *driver) line(home hearth.Home, s *session, raw []byte) {
	text := string(raw)
	if !utf8.Valid(raw) {
		d.bad("not UTF-8", "a line is not UTF-8: what is not is replaced", raw, nil)
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	text = strings.TrimSpace(strings.Map(printable, text))
	acknowledged := d.acknowledge(s, text)
	if text == "" || d.ignore != nil && d.ignore.MatchString(text) {
		return
	}
	d.count("lines")
	find, err := d.parse(text)
	if err != nil {
		if !acknowledged {
			d.bad("not understood", "a line is not understood", raw, err)
		}
		return
	}
	values := d.values(find, raw)
	if len(values) == 0 {
		if !acknowledged {
			d.bad("nothing known", "a line has no field that is wanted", raw, nil)
		}
		return
	}
	id, ok := d.deviceOf(home, find, raw)
	if !ok {
		return
	}
	now, trusted := d.env.Now()
	at, err := d.cfg.Time.when(find, now, trusted)
	if err != nil {
		d.bad("time", "the time of a line is not believed: now is taken", raw, err)
	}
	for i := range values {
		values[i].Device, values[i].Time = id, at
	}
	home.Report(values...)
}

// values returns the readings of a line, without device and time.
func (d *driver) values(find lookup, raw []byte) []hearth.Reading {
	var readings []hearth.Reading
	for i := range d.cfg.Fields {
		f := &d.cfg.Fields[i]
		cell := any(nil)
		if f.From != "" && !d.properties[i].WriteOnly {
			cell = find(f.From)
		}
		if cell == nil {
			continue
		}
		v, err := f.value(cell)
		if err == nil {
			err = d.properties[i].Accepts(v)
		}
		if err != nil {
			d.bad("value of "+f.Property, "a field of a line is not believed", raw, err)
			continue
		}
		readings = append(readings, hearth.Reading{Property: f.Property, Value: v})
	}
	return readings
}

// deviceOf returns the device that a line is of, and announces it when it is a new one.
func (d *driver) deviceOf(home hearth.Home, find lookup, raw []byte) (hearth.ID, bool) {
	if d.cfg.DeviceFrom == "" {
		return d.env.ID(d.cfg.Device), true
	}
	called := ""
	if cell := find(d.cfg.DeviceFrom); cell != nil {
		called, _ = plain(cell)
		called = strings.TrimSpace(called)
	}
	id := d.env.ID(address(called))
	if id.Check() != nil {
		d.bad("no device", "a line does not say which device it is of", raw, nil)
		return "", false
	}
	d.mu.Lock()
	_, known := d.devices[id]
	full := len(d.devices) >= maxDevices
	d.mu.Unlock()
	switch {
	case known:
		return id, true
	case full:
		d.bad("too many devices", "lines name too many devices: is it the right field?", raw, nil)
		return "", false
	}
	d.announce(home, called)
	return id, true
}

// printable drops control characters: noise on a line, or what could disturb a terminal.
func printable(r rune) rune {
	if r < ' ' && r != '\t' || r == 0x7f {
		return -1
	}
	return r
}

// address makes an address of what a device is called: whatever an ID cannot hold becomes a dash.
func address(called string) string {
	return strings.TrimLeft(strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("._:@", r)) {
			return r
		}
		return '-'
	}, called), "-._:@")
}

func (d *driver) announce(home hearth.Home, called string) {
	id := d.env.ID(address(called))
	name := d.cfg.Name
	if d.cfg.DeviceFrom != "" {
		name = strings.TrimSpace(name + " " + called)
	}
	d.mu.Lock()
	d.devices[id] = called
	d.mu.Unlock()
	home.Announce(hearth.Device{
		ID: id, Name: name, Type: d.cfg.DeviceType, Vendor: d.cfg.Vendor, Model: d.cfg.Model, Properties: d.properties,
	})
}

// announceKnown announces again what was heard of in an earlier life of the port.
func (d *driver) announceKnown(home hearth.Home) {
	d.mu.Lock()
	known := maps.Clone(d.devices)
	d.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(known)) {
		d.announce(home, known[id])
	}
}

// bad counts what cannot be used, and logs the first of its kind.
func (d *driver) bad(kind, message string, line []byte, why error) {
	if d.count(kind) > 1 {
		return
	}
	var args []any
	if why != nil {
		args = append(args, slog.Any("reason", why))
	}
	if line != nil {
		args = append(args, slog.String("line", clip(string(line))))
	}
	d.env.Log.Warn(message+"; further ones are only counted", args...)
}

func (d *driver) count(kind string) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[kind]++
	return d.counts[kind]
}

// ServeHTTP answers with how many lines there were and how many of them were no good, by kind.
func (d *driver) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	counts := maps.Clone(d.counts)
	d.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(counts) // the reader has gone if this fails
}
