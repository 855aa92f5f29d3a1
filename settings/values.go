package settings

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Size is a number of bytes, read from 512MiB, "4 MB" or a plain number. MB is 10⁶ bytes, MiB 2²⁰.
type Size int64

var sizeForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)$`)

// UnmarshalText reads a size; it is at most 8 EiB and never negative.
func (s *Size) UnmarshalText(text []byte) error {
	refused := fmt.Errorf("size %s: want a number and kB, MB, GB, TB, KiB, MiB, GiB or TiB, as in 512MiB", clip(string(text)))
	parts := sizeForm.FindStringSubmatch(strings.TrimSpace(string(text)))
	if parts == nil {
		return refused
	}
	unit, ok := map[string]float64{
		"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	}[strings.ToLower(parts[2])]
	n, err := strconv.ParseFloat(parts[1], 64)
	if !ok || err != nil || n*unit >= math.MaxInt64 {
		return refused
	}
	*s = Size(n * unit)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the size in the largest binary unit that loses nothing.
func (s Size) String() string {
	units := []string{"", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; i < len(units)-1 && s != 0 && s%1024 == 0; i++ {
		s /= 1024
	}
	return strconv.FormatInt(int64(s), 10) + units[i]
}

// A Duration is a time.Duration that also knows days: 10s, 1m30s, 7d, 1d12h. It is never negative.
type Duration time.Duration

var dayForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)d(.*)$`)

const day = 24 * time.Hour

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	refused := fmt.Errorf("duration %s: want a number and ms, s, m, h or d, as in 10s or 7d", clip(string(text)))
	rest, days := strings.TrimSpace(string(text)), 0.0
	if parts := dayForm.FindStringSubmatch(rest); parts != nil {
		days, _ = strconv.ParseFloat(parts[1], 64)
		rest = parts[2]
	}
	var hours time.Duration
	if rest != "" || len(text) == 0 {
		var err error
		if hours, err = time.ParseDuration(rest); err != nil || hours < 0 {
			return refused
		}
	}
	total := days*float64(day) + float64(hours)
	if total >= math.MaxInt64 {
		return refused
	}
	*d = Duration(days*float64(day)) + Duration(hours)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns whole days as 7d, all else as time.Duration does.
func (d Duration) String() string {
	if d != 0 && time.Duration(d)%day == 0 {
		return strconv.FormatInt(int64(time.Duration(d)/day), 10) + "d"
	}
	return time.Duration(d).String()
}

// Std returns d as the standard library's duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }
