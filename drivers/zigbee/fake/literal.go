package fake

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"hearth/drivers/zigbee/zcl"
	"hearth/settings"
)

// A Cluster is a cluster's number, written as that or by its name in the Zigbee Cluster Library.
type Cluster uint16

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Cluster) UnmarshalText(text []byte) error {
	if id, ok := zcl.ClusterNamed(string(text)); ok {
		*c = Cluster(id)
		return nil
	}
	n, err := strconv.ParseUint(string(text), 0, 16)
	if err != nil {
		return fmt.Errorf("%q is no cluster: want its name, or a number such as 0x0006", text)
	}
	*c = Cluster(n)
	return nil
}

// Hex is bytes written as hex digits, with spaces where one likes.
type Hex []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(strings.ReplaceAll(string(text), " ", ""))
	return err
}

// A Literal is an attribute's value as text: "21.5", "true", "on a shelf", with its type before it where the library does
// not know that: "uint16 153", "octet_string 01 ff". "invalid" is what stands for not known, and "none" says that there
// is no such attribute. What may be written ends with " w".
type Literal string

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Literal) UnmarshalText(text []byte) error {
	*l = Literal(text)
	return nil
}

// A preset is an attribute as a model has it.
type preset struct {
	id       uint16
	value    zcl.Value
	writable bool
	absent   bool
}

// presets reads attributes, in the order of their numbers.
func presets(cluster Cluster, attributes map[string]Literal) ([]preset, error) {
	all := make([]preset, 0, len(attributes))
	for name, literal := range attributes {
		id, err := attributeOf(cluster, name)
		if err != nil {
			return nil, settings.At("attributes."+name, "%v", err)
		}
		p := preset{id: id}
		text := string(literal)
		text, p.writable = strings.CutSuffix(text, " w")
		if p.absent = text == "none"; !p.absent {
			if p.value, err = valueOf(uint16(cluster), id, text); err != nil {
				return nil, settings.At("attributes."+name, "%v", err)
			}
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b preset) int { return int(a.id) - int(b.id) })
	return all, nil
}

func attributeOf(cluster Cluster, name string) (uint16, error) {
	if id, ok := zcl.AttributeNamed(uint16(cluster), name); ok {
		return id, nil
	}
	n, err := strconv.ParseUint(name, 0, 16)
	if err != nil {
		return 0, fmt.Errorf("%s has no attribute %q: want its name, or a number such as 0x4003", zcl.ClusterName(uint16(cluster)), name)
	}
	return uint16(n), nil
}

func commandOf(cluster Cluster, name string) (uint8, error) {
	if id, ok := zcl.CommandNamed(uint16(cluster), false, name); ok {
		return id, nil
	}
	n, err := strconv.ParseUint(name, 0, 8)
	if err != nil {
		return 0, fmt.Errorf("%s has no command %q: want its name, or a number such as 0x02", zcl.ClusterName(uint16(cluster)), name)
	}
	return uint8(n), nil
}

// valueOf reads a value whose type is written before it, or is the one that the library has.
func valueOf(cluster, attribute uint16, text string) (zcl.Value, error) {
	first, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	if t, ok := zcl.TypeNamed(first); ok && (rest != "" || t.String() == "no_data") {
		return parseValue(t, strings.TrimSpace(rest))
	}
	t, ok := zcl.AttributeType(cluster, attribute)
	if !ok {
		return zcl.Value{}, fmt.Errorf("the type must be said, as in \"uint16 153\"")
	}
	return parseValue(t, strings.TrimSpace(text))
}

func parseValue(t zcl.DataType, text string) (zcl.Value, error) {
	if text == "invalid" {
		return zcl.InvalidOf(t), nil
	}
	switch t {
	case zcl.CharString, zcl.LongCharString:
		return zcl.TextOf(text), nil
	case zcl.OctetString, zcl.LongOctetString:
		b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		return zcl.BytesOf(b), err
	case zcl.Bool:
		b, err := strconv.ParseBool(text)
		return zcl.BoolOf(b), err
	}
	if size, fixed := t.Size(); !fixed || size > 8 {
		return zcl.Value{}, fmt.Errorf("a %s cannot be written like that", t)
	}
	if n, err := strconv.ParseUint(text, 0, 64); err == nil && !floating(t) {
		return zcl.UintOf(t, n), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return zcl.Value{}, fmt.Errorf("%q is no %s", text, t)
	}
	return zcl.FloatOf(t, f), nil
}

func floating(t zcl.DataType) bool { return t == zcl.Float16 || t == zcl.Float32 || t == zcl.Float64 }
