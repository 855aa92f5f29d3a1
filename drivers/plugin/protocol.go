package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"hearth"
)

// What the gateway says. INTERFACES: driver plugins; golden files of every kind are in testdata.
type (
	hello struct {
		Version  int    `json:"version"`
		Name     string `json:"name"`
		StateDir string `json:"state_dir"`
		Config   any    `json:"config"`
	}
	do struct {
		N         uint64                  `json:"n"`
		Device    string                  `json:"device"`
		Set       map[string]hearth.Value `json:"set"`
		TimeoutMS int64                   `json:"timeout_ms"`
	}
)

const stopLine = `{"stop":{}}` + "\n"

// encode returns one message as a line.
func encode(kind string, body any) ([]byte, error) {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{kind: body}); err != nil {
		return nil, fmt.Errorf("writing %s: %w", kind, err)
	}
	return line.Bytes(), nil
}

// doLine returns a command as a line. Without a deadline it may take the default time.
func doLine(ctx context.Context, n uint64, device string, set map[string]hearth.Value) ([]byte, error) {
	left := hearth.DefaultDeadline
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	return encode("do", do{N: n, Device: device, Set: set, TimeoutMS: max(left.Milliseconds(), 1)})
}

// A message is one line of the plugin's, checked as far as it can be without knowing what was said before. IDs are the
// plugin's own.
type message struct {
	announce *device
	report   []reading
	forget   string
	done     *done
	log      *logLine
}

type (
	device struct {
		id string
		hearth.Device
	}
	reading struct {
		id, property string
		value        hearth.Value
		time         time.Time
	}
	done struct {
		N     uint64        `json:"n"`
		Error *hearth.Error `json:"error"`
	}
	logLine struct {
		Level   string `json:"level"`
		Message string `json:"message"`
	}
)

// An offence is one thing that a plugin may not say. It is counted and named once, and costs nothing else.
type offence struct{ kind, detail string }

// Kinds of offences.
const (
	lineTooLong     = "a line over 1 MiB"
	lineNotUTF8     = "a line that is not UTF-8"
	lineNotJSON     = "a line that is no JSON object"
	unknownMessage  = "a message of unknown kind"
	badMessage      = "a message of the wrong form"
	badDevice       = "a device that cannot be announced"
	foreignDevice   = "a device of another driver"
	tooManyDevices  = "more than 1000 devices"
	unknownDevice   = "a report of a device that is not announced"
	unknownProperty = "a report of a property that is not announced"
	badValue        = "a value that the announced property does not take"
	badTime         = "a time that cannot be true"
	strayDone       = "a done for a command that is not waiting"
	flood           = "more than 5000 messages a second"
	logFlood        = "more log lines than are kept"
)

// parse reads one line. Whatever is wrong with it is among the offences; the rest holds.
func parse(line []byte, name string) (m message, bad []offence) {
	refuse := func(kind, format string, args ...any) {
		bad = append(bad, offence{kind, clip(fmt.Sprintf(format, args...), 200)})
	}
	if !utf8.Valid(line) {
		refuse(lineNotUTF8, "%q", clip(string(line), 80))
		return m, bad
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(line, &parts); err != nil {
		refuse(lineNotJSON, "%v: %s", err, clip(string(line), 80))
		return m, bad
	}
	known := 0
	for _, kind := range []string{"announce", "report", "forget", "done", "log"} {
		body, ok := parts[kind]
		if !ok {
			continue
		}
		known++
		if err := m.read(kind, body, name, refuse); err != nil {
			refuse(badMessage, "%s: %v", kind, err)
		}
	}
	if known < len(parts) || known == 0 {
		refuse(unknownMessage, "%s", clip(string(line), 80))
	}
	return m, bad
}

func (m *message) read(kind string, body json.RawMessage, name string, refuse func(kind, format string, args ...any)) error {
	switch kind {
	case "announce":
		d, why := parseDevice(body, name)
		if why != nil {
			refuse(why.kind, "%s", why.detail)
			return nil
		}
		m.announce = d
	case "report":
		var list []json.RawMessage
		if err := json.Unmarshal(body, &list); err != nil {
			return fmt.Errorf("want a list: %w", err)
		}
		for _, item := range list {
			r, err := parseReading(item)
			if err != nil {
				refuse(badMessage, "report: %v", err)
				continue
			}
			m.report = append(m.report, r)
		}
	case "forget":
		return json.Unmarshal(body, &m.forget)
	case "done":
		var d *done
		if err := json.Unmarshal(body, &d); err != nil || d == nil {
			return fmt.Errorf("want {\"n\":7}: %v", err)
		}
		m.done = d
	case "log":
		var l *logLine
		if err := json.Unmarshal(body, &l); err != nil || l == nil {
			return fmt.Errorf("want {\"level\":\"info\",\"message\":\"…\"}: %v", err)
		}
		m.log = l
	}
	return nil
}

var (
	driverForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
	hexPair    = regexp.MustCompile(`^[0-9a-f]{2}$`) // the beginning of an address, as of Bluetooth
)

// ownID returns the gateway's id for a plugin's; its own prefix is allowed, another's is not.
func ownID(id, name string) (hearth.ID, *offence) {
	address := strings.TrimPrefix(id, name+":")
	if first, _, more := strings.Cut(address, ":"); more && driverForm.MatchString(first) && !hexPair.MatchString(first) {
		return "", &offence{foreignDevice, fmt.Sprintf("%q: ids are the plugin's own, without the name of a driver", clip(id, 80))}
	}
	full := hearth.ID(name + ":" + address)
	if err := full.Check(); err != nil {
		return "", &offence{badDevice, err.Error()}
	}
	return full, nil
}

func parseDevice(body json.RawMessage, name string) (*device, *offence) {
	no := func(format string, args ...any) (*device, *offence) {
		return nil, &offence{badDevice, fmt.Sprintf(format, args...)}
	}
	if len(body) > maxAnnounceLine {
		return no("its announcement takes %d bytes, more than %d", len(body), maxAnnounceLine)
	}
	var raw struct {
		hearth.Device
		ID         string            `json:"id"`
		Properties []json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return no("%v", err)
	}
	d := &device{id: raw.ID, Device: raw.Device}
	id, why := ownID(raw.ID, name)
	if why != nil {
		return nil, why
	}
	d.ID = id
	if d.Type == "" || !slices.Contains(hearth.Types, d.Type) {
		d.Type = "other"
	}
	for _, text := range []*string{&d.Name, &d.Vendor, &d.Model, &d.Firmware} {
		*text = clip(*text, 200)
	}
	for _, item := range raw.Properties {
		p, err := parseProperty(item)
		if err != nil {
			return no("%s: %v", raw.ID, err)
		}
		d.Properties = append(d.Properties, p)
	}
	if err := d.Check(); err != nil {
		return no("%v", err)
	}
	return d, nil
}

// parseProperty reads a property. What it leaves out comes from the vocabulary, if the name is one of its words and the
// kind is not another.
func parseProperty(item json.RawMessage) (hearth.Property, error) {
	var p hearth.Property
	if err := json.Unmarshal(item, &p); err != nil {
		return p, err
	}
	word, known := hearth.Word(p.Name)
	if known && (p.Kind == "" || p.Kind == word.Kind) {
		p = word
		if err := json.Unmarshal(item, &p); err != nil {
			return p, err
		}
		p.Kind = word.Kind
	}
	if p.Min != nil && p.Max != nil && *p.Min > *p.Max {
		return p, fmt.Errorf("property %s: min %v is more than max %v", p.Name, *p.Min, *p.Max)
	}
	return p, nil
}

func parseReading(item json.RawMessage) (reading, error) {
	var raw struct {
		Device   string       `json:"device"`
		Property string       `json:"property"`
		Value    hearth.Value `json:"value"`
		Time     hearth.Time  `json:"time"`
	}
	if err := json.Unmarshal(item, &raw); err != nil {
		return reading{}, err
	}
	if raw.Device == "" || raw.Property == "" || raw.Value.IsZero() || math.IsInf(raw.Value.Number(), 0) {
		return reading{}, fmt.Errorf("want {\"device\":\"…\",\"property\":\"…\",\"value\":…}, not %s", clip(string(item), 80))
	}
	return reading{raw.Device, raw.Property, raw.Value, raw.Time.Time}, nil
}

// failure returns what a done says went wrong, with one of the codes a plugin may use.
func (d *done) failure() error {
	if d.Error == nil {
		return nil
	}
	code := d.Error.Code
	switch code {
	case hearth.CodeOffline, hearth.CodeBadValue, hearth.CodeReadOnly, hearth.CodeNoDevice, hearth.CodeFailed, hearth.CodeBusy:
	default:
		code = hearth.CodeFailed
	}
	text := clip(d.Error.Message, 500)
	if text == "" {
		text = "the plugin answered " + code
	}
	return hearth.Errorf(code, "%s", text)
}

// clip shortens foreign text.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
