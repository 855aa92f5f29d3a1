package homeassistant

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"

	"hearth/drivers/mqtt/dialect"
)

const maxDepth = 24 // of JSON: nothing that bridges send comes near

// parseJSON reads a payload as value_json: whole numbers stay whole, and what is no JSON, or nested too deep, is
// undefined{}.
func parseJSON(payload []byte) any {
	v, err := readJSON(payload)
	if err != nil {
		return undefined{}
	}
	return v
}

func readJSON(payload []byte) (any, error) {
	if dialect.Deeper(payload, maxDepth) {
		return nil, errTooDeep
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON")
	}
	return settle(v), nil
}

// settle turns the decoder's numbers into int64 and float64.
func settle(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n
		}
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil || math.IsInf(f, 0) {
			return nil
		}
		return f
	case []any:
		for i := range v {
			v[i] = settle(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = settle(v[key])
		}
	}
	return v
}
