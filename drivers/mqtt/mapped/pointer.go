package mapped

import (
	"strconv"
	"strings"
)

// isPointer reports whether p is a JSON pointer (RFC 6901).
func isPointer(p string) bool { return len(p) <= 512 && (p == "" || p[0] == '/') }

// follow returns what pointer leads to in a JSON value; nil where there is nothing.
func follow(v any, pointer string) any {
	if pointer == "" {
		return v
	}
	for _, step := range strings.Split(pointer[1:], "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) || step != strconv.Itoa(i) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}
