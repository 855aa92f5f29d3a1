package quirks

import (
	"encoding/hex"
	"fmt"
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
		return fmt.Errorf("%q is no cluster: want its name, as on_off, or its number, as 0x0006", text)
	}
	*c = Cluster(n)
	return nil
}

// Clusters are one cluster or a list.
type Clusters []Cluster

// UnmarshalSettings implements settings.Unmarshaler.
func (c *Clusters) UnmarshalSettings(n settings.Node) error { return oneOrMore(n, (*[]Cluster)(c)) }

// Texts are one text or a list.
type Texts []string

// UnmarshalSettings implements settings.Unmarshaler.
func (t *Texts) UnmarshalSettings(n settings.Node) error { return oneOrMore(n, (*[]string)(t)) }

// Numbers are one number or a list.
type Numbers []int64

// UnmarshalSettings implements settings.Unmarshaler.
func (l *Numbers) UnmarshalSettings(n settings.Node) error { return oneOrMore(n, (*[]int64)(l)) }

// UnmarshalSettings implements settings.Unmarshaler.
func (m *Matches) UnmarshalSettings(n settings.Node) error { return oneOrMore(n, (*[]Match)(m)) }

func oneOrMore[T any](n settings.Node, into *[]T) error {
	var free any
	if err := n.Decode(&free); err != nil {
		return err
	}
	if _, list := free.([]any); list {
		return n.Decode(into)
	}
	var one T
	if err := n.Decode(&one); err != nil {
		return err
	}
	*into = []T{one}
	return nil
}

// Hex is bytes, written as hex digits with spaces where one likes.
type Hex []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(strings.ReplaceAll(string(text), " ", ""))
	if err != nil {
		return fmt.Errorf("want bytes as pairs of hex digits, as in \"01 ff\", not %q", text)
	}
	*h = b
	return nil
}

// A Pattern is how bytes begin: Hex in which ?? stands for any byte.
type Pattern struct{ want, mask []byte }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Pattern) UnmarshalText(text []byte) error {
	digits := strings.ReplaceAll(string(text), " ", "")
	want, err := hex.DecodeString(strings.ReplaceAll(digits, "??", "00"))
	if err != nil {
		return fmt.Errorf("want bytes as pairs of hex digits, ?? for any, as in \"01 ?? ff\", not %q", text)
	}
	mask := make([]byte, len(want))
	for i := range mask {
		if digits[2*i] != '?' {
			mask[i] = 0xff
		}
	}
	p.want, p.mask = want, mask
	return nil
}

// Begins reports whether b begins as the pattern says.
func (p Pattern) Begins(b []byte) bool {
	if len(b) < len(p.want) {
		return false
	}
	for i, w := range p.want {
		if b[i]&p.mask[i] != w&p.mask[i] {
			return false
		}
	}
	return true
}

// A Format is a data type by its name in the Zigbee Cluster Library, as uint16.
type Format zcl.DataType

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Format) UnmarshalText(text []byte) error {
	t, ok := zcl.TypeNamed(string(text))
	if !ok {
		return fmt.Errorf("%q is no data type: want bool, uint8, int16, enum8, bitmap8, float32, char_string, octet_string or another", text)
	}
	*f = Format(t)
	return nil
}

// or returns the type that the library knows the attribute by, if none is said.
func (f Format) or(cluster Cluster, attribute, manufacturer uint16) Format {
	if f != 0 || manufacturer != 0 {
		return f
	}
	t, ok := zcl.AttributeType(uint16(cluster), attribute)
	if !ok {
		return 0
	}
	return Format(t)
}

// attributeNamed returns the number of an attribute that is written as that or by its name.
func attributeNamed(cluster Cluster, name string) (uint16, error) {
	if id, ok := zcl.AttributeNamed(uint16(cluster), name); ok {
		return id, nil
	}
	n, err := strconv.ParseUint(name, 0, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is no attribute of %s: want its name, or its number, as 0x4003", name, zcl.ClusterName(uint16(cluster)))
	}
	return uint16(n), nil
}

// commandNamed returns the number of a command that is written as that or by its name.
func commandNamed(cluster Cluster, fromServer bool, name string) (uint8, error) {
	if id, ok := zcl.CommandNamed(uint16(cluster), fromServer, name); ok {
		return id, nil
	}
	n, err := strconv.ParseUint(name, 0, 8)
	if err != nil {
		return 0, fmt.Errorf("%q is no command of %s: want its name, or its number, as 0x02", name, zcl.ClusterName(uint16(cluster)))
	}
	return uint8(n), nil
}
