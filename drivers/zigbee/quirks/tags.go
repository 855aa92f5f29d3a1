package quirks

import (
	"fmt"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// A TagValue is one of the values that Aqara's devices put together into one attribute.
type TagValue struct {
	Tag   uint8
	Value zcl.Value
}

// ParseTags reads a tag, a data type and a value, one after the other. It returns what it could read before the error:
// some models end in bytes of another form.
func ParseTags(b []byte) ([]TagValue, error) {
	var tags []TagValue
	for len(b) >= 2 {
		v, rest, err := zcl.ReadValue(b[2:], zcl.DataType(b[1]))
		if err != nil {
			return tags, fmt.Errorf("reading Aqara's tag 0x%02x: %w", b[0], err)
		}
		tags, b = append(tags, TagValue{b[0], v}), rest
	}
	if len(b) > 0 {
		return tags, fmt.Errorf("reading Aqara's tags: %w", errShort)
	}
	return tags, nil
}

// AppendTags writes behind b what ParseTags reads.
func AppendTags(b []byte, tags ...TagValue) []byte {
	for _, t := range tags {
		b = t.Value.Append(append(b, t.Tag, byte(t.Value.Type)))
	}
	return b
}

// The attributes with several values in one.
const (
	AttrAqaraBasicTags uint16 = 0xff01 // of Basic
	AttrAqaraBasicList uint16 = 0xff02 // of Basic
	AttrAqaraTags      uint16 = 0x00f7 // of cluster 0xFCC0
)

// Tagged takes the value of one of those attributes apart; nil if it is another. Of a list, the tags are the places.
func Tagged(cluster, attribute uint16, v zcl.Value) (tags []TagValue, list bool) {
	switch {
	case cluster == zcl.ClusterBasic && attribute == AttrAqaraBasicTags, cluster == zcl.ClusterAqara && attribute == AttrAqaraTags:
		tags, _ = ParseTags(v.Bytes()) // what could be read before trouble is good
	case cluster == zcl.ClusterBasic && attribute == AttrAqaraBasicList:
		list = true
		for i, member := range v.Members() {
			if i <= 0xff {
				tags = append(tags, TagValue{uint8(i), member})
			}
		}
	}
	return tags, list
}

// TagMeanings calls say with each property that the value of an attribute means by the definition's tags.
func (d *Definition) TagMeanings(cluster, attribute uint16, v zcl.Value, say func(*Tag, hearth.Value)) {
	if len(d.Tags) == 0 {
		return
	}
	tags, list := Tagged(cluster, attribute, v)
	for _, heard := range tags {
		for i := range d.Tags {
			t := &d.Tags[i]
			if t.Tag != heard.Tag || t.List != list {
				continue
			}
			if value := t.Of(heard.Value); !value.IsZero() {
				say(t, value)
			}
		}
	}
}
