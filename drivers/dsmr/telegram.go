package dsmr

import (
	"encoding/hex"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A telegram is one message of the meter.
type telegram struct {
	header  string // what follows '/': three letters of the maker, a digit, the model
	objects []object
	checked bool // it had a checksum, and it was right
}

// An object is one line: 1-0:1.8.1(000004.426*kWh) has code {1 0 1 8 1} and one group.
type object struct {
	code   obis
	groups []string
}

// obis is an IEC 62056-61 code A-B:C.D.E.
type obis struct{ a, b, c, d, e int }

var (
	headerForm = regexp.MustCompile(`^/[A-Za-z0-9]{3}[ -~]+$`)
	objectForm = regexp.MustCompile(`^([0-9]{1,3})-([0-9]{1,3}):([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})(?:\*255)?((?:\([^()]*\))+)$`)
	groupsForm = regexp.MustCompile(`^(?:\([^()]*\))+$`)
)

// parse takes a telegram apart, in whatever order it comes; bad counts lines that make no sense. nil: not even a header.
func parse(body []byte) (t *telegram, bad int) {
	lines := strings.Split(strings.TrimSuffix(string(body), "!"), "\n")
	header := strings.TrimSpace(lines[0])
	if !headerForm.MatchString(header) {
		return nil, 1
	}
	t = &telegram{header: header[1:]}
	for _, line := range lines[1:] {
		line = strings.Trim(line, "\r\t \x00")
		if line == "" {
			continue
		}
		if parts := objectForm.FindStringSubmatch(line); parts != nil {
			var n [5]int
			for i := range n {
				n[i], _ = strconv.Atoi(parts[i+1])
			}
			t.objects = append(t.objects, object{obis{n[0], n[1], n[2], n[3], n[4]}, groupsOf(parts[6])})
			continue
		}
		if last := len(t.objects) - 1; last >= 0 && groupsForm.MatchString(line) { // the second line of DSMR 2.2's gas reading
			t.objects[last].groups = append(t.objects[last].groups, groupsOf(line)...)
			continue
		}
		bad++
	}
	return t, bad
}

func groupsOf(s string) []string {
	return strings.Split(strings.TrimSuffix(strings.TrimPrefix(s, "("), ")"), ")(")
}

func (t *telegram) find(code obis) (object, bool) {
	for _, o := range t.objects {
		if o.code == code {
			return o, true
		}
	}
	return object{}, false
}

func (t *telegram) has(code obis) bool { _, ok := t.find(code); return ok }

// text returns the first group of an object, "" if there is none.
func (t *telegram) text(code obis) string {
	o, ok := t.find(code)
	if !ok {
		return ""
	}
	return o.groups[0]
}

// A quantity is what a number measures, whatever prefix its unit has.
type quantity string

// The quantities, each in Hearth's unit.
const (
	energy    quantity = "kWh"
	heat      quantity = "GJ" // given in joules, reported in kWh
	power     quantity = "W"
	reactive  quantity = "var"
	voltage   quantity = "V"
	current   quantity = "A"
	frequency quantity = "Hz"
	volume    quantity = "m³"
)

// measure reads a number with its unit. A number without one is none: it stands where nothing was measured.
func measure(text string) (value float64, q quantity, ok bool) {
	digits, unit, found := strings.Cut(text, "*")
	if !found {
		return 0, "", false
	}
	return scaled(digits, unit)
}

func scaled(digits, unit string) (value float64, q quantity, ok bool) {
	factor := 1.0
	switch strings.ToLower(unit) {
	case "kwh":
		q = energy
	case "wh":
		q, factor = energy, 1e-3
	case "mwh":
		q, factor = energy, 1e3
	case "gj":
		q, factor = heat, 1e3/3.6
	case "mj":
		q, factor = heat, 1/3.6
	case "kw":
		q, factor = power, 1e3
	case "w":
		q = power
	case "kvar":
		q, factor = reactive, 1e3
	case "var":
		q = reactive
	case "v":
		q = voltage
	case "a":
		q = current
	case "ma":
		q, factor = current, 1e-3
	case "hz":
		q = frequency
	case "m3":
		q = volume
	case "dm3", "l":
		q, factor = volume, 1e-3
	default:
		return 0, "", false
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) || len(digits) > 24 {
		return 0, "", false
	}
	return round(n * factor), q, true
}

// round takes away what binary fractions add.
func round(v float64) float64 { return math.Round(v*1e3) / 1e3 }

var timeForm = regexp.MustCompile(`^[0-9]{12}[SW]?$`)

// parseTime reads YYMMDDhhmmssX: X is S for summer, W for winter time. Old meters leave it out.
func parseTime(s string) (time.Time, bool) {
	if !timeForm.MatchString(s) {
		return time.Time{}, false
	}
	offset := 1
	naive, err := time.Parse("060102150405", s[:12])
	if err != nil {
		return time.Time{}, false
	}
	switch {
	case strings.HasSuffix(s, "S"):
		offset = 2
	case len(s) == 12 && summer(naive.Add(-2*time.Hour)):
		offset = 2
	}
	return naive.Add(-time.Duration(offset) * time.Hour), true
}

// summer reports whether summer time is in force in Europe: from the last Sunday in March to that in October, 1:00 UTC.
func summer(utc time.Time) bool {
	last := func(month time.Month) time.Time {
		end := time.Date(utc.Year(), month, 31, 1, 0, 0, 0, time.UTC)
		return end.AddDate(0, 0, -int(end.Weekday()))
	}
	return !utc.Before(last(time.March)) && utc.Before(last(time.October))
}

var addressForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// identifier returns an equipment identifier as it stands on the meter: it travels in hex. One that does not decode to
// letters and digits is taken as it came. "" if there is none.
func identifier(s string) string {
	if decoded, err := hex.DecodeString(s); err == nil && addressForm.Match(decoded) {
		return string(decoded)
	}
	if len(s) <= 96 && addressForm.MatchString(s) {
		return s
	}
	return ""
}
