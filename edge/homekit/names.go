package homekit

import (
	"strconv"
	"strings"
	"unicode"
)

const maxNameLetters = 64

// cleanName makes a name as Apple wants it: letters, digits, spaces and apostrophes, a letter or digit at both ends. What
// is left of nothing is fallback.
func cleanName(name, fallback string) string {
	var b strings.Builder
	letters, gap := 0, false
	for _, r := range name {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) && letters > 0 && !gap:
			if gap && letters > 0 {
				b.WriteByte(' ')
				letters++
			}
			gap = false
			b.WriteRune(r)
			letters++
		case r == '\'' || r == '’':
			if !gap && letters > 0 {
				b.WriteByte('\'')
				letters++
			}
		default:
			gap = true
		}
		if letters >= maxNameLetters {
			break
		}
	}
	clean := strings.TrimFunc(b.String(), func(r rune) bool { return r == ' ' || r == '\'' })
	if clean == "" {
		return fallback
	}
	return clean
}

// words turns the rest of a property's name into what a person reads: left_2 → Left 2.
func title(suffix string) string {
	parts := strings.Split(suffix, "_")
	for i, p := range parts {
		if p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, " ")
}

// cleanVersion makes a version as Apple wants it: up to three numbers with dots between them.
func cleanVersion(version string) string {
	var numbers []string
	for _, part := range strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' }) {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			n = 0 // a date, or a hash
		}
		if numbers = append(numbers, strconv.FormatUint(n, 10)); len(numbers) == 3 {
			break
		}
	}
	for len(numbers) < 3 {
		numbers = append(numbers, "0")
	}
	return strings.Join(numbers, ".")
}

// cleanText cuts what HomeKit shows as it is.
func cleanText(s, fallback string) string {
	s = strings.TrimSpace(s)
	if letters := []rune(s); len(letters) > maxNameLetters {
		s = strings.TrimSpace(string(letters[:maxNameLetters]))
	}
	if s == "" {
		return fallback
	}
	return s
}
