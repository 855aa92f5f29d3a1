// Package hearth holds the words that the gateway, the receiver and the drivers share: devices, properties, values,
// readings, commands, and the two forms in which they travel. It imports nothing else of this module.
package hearth

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits on what a device may say. They are checked at the door, so that nothing behind it has to.
const (
	MaxText       = 4096 // bytes of one text value
	MaxProperties = 256  // properties of one device
	MaxID         = 128  // bytes of an ID
)

// An ID names a device for good: the configured name of its driver, a colon, and the address its protocol gives it,
// as in radio:00158d0001a2b3c4.
type ID string

const (
	lower   = "abcdefghijklmnopqrstuvwxyz"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + lower
	digits  = "0123456789"
)

// made reports whether s begins with one of first and goes on with any of rest. Every row passes here: a regular
// expression took an eighth of the receiver's time.
func made(s, first, rest string) bool {
	if s == "" || strings.IndexByte(first, s[0]) < 0 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if strings.IndexByte(rest, s[i]) < 0 {
			return false
		}
	}
	return true
}

// Driver returns the configured name of the driver the device belongs to.
func (id ID) Driver() string { driver, _, _ := strings.Cut(string(id), ":"); return driver }

// Address returns what follows the driver's name.
func (id ID) Address() string { _, address, _ := strings.Cut(string(id), ":"); return address }

// Check says why id cannot name a device.
func (id ID) Check() error {
	driver, address, _ := strings.Cut(string(id), ":")
	if len(id) > MaxID || !made(driver, lower, lower+digits+"_-") || !made(address, letters+digits, letters+digits+"._:@-") {
		return Errorf(CodeBadValue, "device id %q: want driver:address, letters, digits and . _ : @ - only, at most %d bytes", clip(string(id)), MaxID)
	}
	return nil
}

// Type says what a device is to a person.
type Type string

// Types lists every device type, in the order a page offers them.
var Types = []Type{
	"light", "switch", "outlet", "sensor", "meter", "cover", "lock", "thermostat", "fan", "valve", "button", "siren", "coordinator", "other",
}

// Kind is the kind of a property's values. There is no integer kind: a value must not change its kind in a store
// when it happens to be whole.
type Kind string

// The kinds.
const (
	Bool   Kind = "bool"
	Number Kind = "number"
	Text   Kind = "text"
)

// A Property is one thing a device says or takes. It is a state (it has a current value) unless it is Momentary (an
// event such as a button press) or WriteOnly (identify, movement).
type Property struct {
	Name      string   `json:"name"`
	Kind      Kind     `json:"kind"`
	Unit      string   `json:"unit"`      // the symbol a person reads: kWh
	UnitCode  string   `json:"unit_code"` // the same in UCUM: kW.h
	Writable  bool     `json:"writable"`
	Momentary bool     `json:"momentary"`
	WriteOnly bool     `json:"write_only"`
	Min       *float64 `json:"min"`
	Max       *float64 `json:"max"`
	Options   []string `json:"options"`          // the only texts allowed, if any
	Urgent    bool     `json:"urgent,omitempty"` // its readings are committed to disk at once: smoke, leak, lock
}

// Check says why p cannot be announced.
func (p Property) Check() error {
	switch {
	case len(p.Name) > 64 || !made(p.Name, lower, lower+digits+"_") || p.Name == "clock" || p.Name == "time":
		return Errorf(CodeBadValue, "property name %q: want [a-z][a-z0-9_]*, at most 64 bytes, not clock or time", clip(p.Name))
	case p.Kind != Bool && p.Kind != Number && p.Kind != Text:
		return Errorf(CodeBadValue, "property %s: kind %q is none of bool, number, text", p.Name, clip(string(p.Kind)))
	}
	return nil
}

// Accepts says why v is no value of p: another kind, out of range, or none of the options.
func (p Property) Accepts(v Value) error {
	switch {
	case v.kind != p.Kind:
		return Errorf(CodeBadValue, "%s takes a %s, not %s", p.Name, p.Kind, v)
	case p.Min != nil && v.number < *p.Min, p.Max != nil && v.number > *p.Max:
		return Errorf(CodeBadValue, "%s takes %s, not %s", p.Name, p.span(), v)
	case v.kind == Text && len(v.text) > MaxText:
		return Errorf(CodeBadValue, "%s takes at most %d bytes of text, not %d", p.Name, MaxText, len(v.text))
	case v.kind == Text && len(p.Options) > 0:
		for _, option := range p.Options {
			if option == v.text {
				return nil
			}
		}
		return Errorf(CodeBadValue, "%s takes one of %s, not %s", p.Name, strings.Join(p.Options, ", "), v)
	}
	return nil
}

func (p Property) span() string {
	switch {
	case p.Max == nil:
		return "at least " + NumberOf(*p.Min).String()
	case p.Min == nil:
		return "at most " + NumberOf(*p.Max).String()
	}
	return NumberOf(*p.Min).String() + " to " + NumberOf(*p.Max).String()
}

// A Device is what a driver announces. Name is a proposal; a person's own name for it is kept by the gateway.
type Device struct {
	ID         ID         `json:"id"`
	Name       string     `json:"name,omitempty"`
	Type       Type       `json:"type,omitempty"`
	Vendor     string     `json:"vendor,omitempty"`
	Model      string     `json:"model,omitempty"`
	Firmware   string     `json:"firmware,omitempty"`
	Properties []Property `json:"properties"`
}

// Property returns the property of that name.
func (d Device) Property(name string) (Property, bool) {
	for _, p := range d.Properties {
		if p.Name == name {
			return p, true
		}
	}
	return Property{}, false
}

// Check says why d cannot be announced.
func (d Device) Check() error {
	if err := d.ID.Check(); err != nil {
		return err
	}
	if len(d.Properties) > MaxProperties {
		return Errorf(CodeBadValue, "device %s has %d properties, more than %d", d.ID, len(d.Properties), MaxProperties)
	}
	seen := make(map[string]bool, len(d.Properties))
	for _, p := range d.Properties {
		if err := p.Check(); err != nil {
			return fmt.Errorf("device %s: %w", d.ID, err)
		}
		if seen[p.Name] {
			return Errorf(CodeBadValue, "device %s has property %s twice", d.ID, p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}

// A Value is one bool, number or text. The zero Value is none. Values are comparable with ==.
type Value struct {
	kind   Kind
	number float64 // a bool is 0 or 1
	text   string
}

// BoolOf returns b as a Value.
func BoolOf(b bool) Value {
	if b {
		return Value{kind: Bool, number: 1}
	}
	return Value{kind: Bool}
}

// NumberOf returns f as a Value; NaN and the infinities become the zero Value, since no store or page can carry them.
func NumberOf(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	return Value{kind: Number, number: f}
}

// TextOf returns s as a Value; bytes that are no UTF-8 are replaced.
func TextOf(s string) Value { return Value{kind: Text, text: strings.ToValidUTF8(s, "\uFFFD")} }

// Kind returns the value's kind; "" for none.
func (v Value) Kind() Kind { return v.kind }

// IsZero reports whether v is no value at all.
func (v Value) IsZero() bool { return v.kind == "" }

// Bool returns the bool, false for other kinds.
func (v Value) Bool() bool { return v.kind == Bool && v.number != 0 }

// Number returns the number, 0 or 1 for a bool, 0 for text.
func (v Value) Number() float64 { return v.number }

// Text returns the text, "" for other kinds.
func (v Value) Text() string { return v.text }

// String returns the value as a person reads it.
func (v Value) String() string {
	switch v.kind {
	case Bool:
		return strconv.FormatBool(v.Bool())
	case Number:
		return strconv.FormatFloat(v.number, 'f', -1, 64)
	case Text:
		return strconv.Quote(clip(v.text))
	}
	return "nothing"
}

// MarshalJSON writes true, 21.5, "text" or null.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case Bool:
		return strconv.AppendBool(nil, v.Bool()), nil
	case Number:
		return json.Marshal(v.number)
	case Text:
		return json.Marshal(v.text)
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads what MarshalJSON writes; objects and arrays are refused.
func (v *Value) UnmarshalJSON(data []byte) error {
	var any any
	if err := json.Unmarshal(data, &any); err != nil {
		return err
	}
	switch x := any.(type) {
	case bool:
		*v = BoolOf(x)
	case float64:
		*v = NumberOf(x)
	case string:
		*v = TextOf(x)
	case nil:
		*v = Value{}
	default:
		return Errorf(CodeBadValue, "a value is a bool, a number or a text, not %s", clip(string(data)))
	}
	return nil
}

// A Reading is one value of one property at one time. A zero Time means now.
type Reading struct {
	Device   ID
	Property string
	Value    Value
	Time     time.Time

	Untrusted bool // the clock is not trusted yet: Time is provisional and is never uploaded
	Repaired  bool // the clock was not trusted when it was taken; Time was worked out later
}

// Time travels as RFC 3339 in UTC with milliseconds; the zero Time as null. It reads any RFC 3339 and unix milliseconds.
type Time struct{ time.Time }

// TimeForm is the layout of a Time.
const TimeForm = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.UTC().Format(TimeForm) + `"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*t = Time{}
		return nil
	}
	parsed, err := ParseTime(strings.Trim(string(data), `"`))
	t.Time = parsed
	return err
}

// ParseTime reads RFC 3339 or unix milliseconds.
func ParseTime(s string) (time.Time, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.UnixMilli(ms).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, Errorf(CodeBadValue, "time %q: want RFC 3339 (2026-01-31T12:00:00Z) or unix milliseconds", clip(s))
	}
	return t.UTC(), nil
}

// An Error is a failure with a code that programs can act on and a message for a person.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Codes of errors. Drivers use the first five; the rest come from the gateway and the receiver.
const (
	CodeOffline        = "offline"         // the device or its driver does not answer
	CodeBadValue       = "bad_value"       // a value of the wrong kind, range or form
	CodeReadOnly       = "read_only"       // the property cannot be set
	CodeNoDevice       = "no_device"       // there is no such device or property
	CodeFailed         = "failed"          // the device refused or broke off
	CodeUnconfirmed    = "unconfirmed"     // acknowledged, but the device's own report did not follow in time
	CodeUnknownOutcome = "unknown_outcome" // sent, and no answer: it may have happened
	CodeConflict       = "conflict"        // the same id with other content
	CodeBusy           = "busy"            // a bounded queue is full: try again later
	CodeNotFound       = "not_found"       // no such thing, or not yours to see
	CodeDenied         = "denied"          // the token's scope is too small
	CodeCancelled      = "cancelled"       // somebody called it off before it was sent
	CodeUnknownToken   = "unknown_token"   // no token, or one that is not known
)

func (e *Error) Error() string { return e.Message }

// Is reports whether target is an Error of the same code, so that errors.Is(err, &Error{Code: CodeOffline}) works.
func (e *Error) Is(target error) bool {
	var other *Error
	return errors.As(target, &other) && other.Code == e.Code
}

// Errorf returns an Error of that code.
func Errorf(code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// ErrorOf returns err as an Error; one without a code is CodeFailed.
func ErrorOf(err error) *Error {
	var coded *Error
	if errors.As(err, &coded) {
		return &Error{Code: coded.Code, Message: err.Error()}
	}
	return &Error{Code: CodeFailed, Message: err.Error()}
}

// clip shortens foreign text for an error message.
func clip(s string) string {
	if len(s) <= 80 {
		return s
	}
	cut := 80
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
