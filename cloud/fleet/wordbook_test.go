package fleet

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"hearth"
)

func TestHomesShareWhatTheirDevicesHaveInCommon(t *testing.T) {
	book := newWordbook()
	device := func(i int) hearth.DeviceView {
		p := hearth.Property{Name: strings.Clone("temperature"), Kind: "number", Unit: strings.Clone("°C"), Options: []string{"a", strings.Clone("b")}}
		return hearth.DeviceView{ID: hearth.ID(fmt.Sprintf("radio:%d", i)), Model: strings.Clone("TS0201"), Properties: []hearth.PropertyView{{Property: p}}}
	}
	a, b := device(1), device(2)
	first, second := book.share(&a), book.share(&b)
	if unsafe.StringData(a.Model) != unsafe.StringData(b.Model) || unsafe.SliceData(first) != unsafe.SliceData(second) {
		t.Error("two homes keep the same texts twice")
	}
	if b.ID != "radio:2" || b.Model != "TS0201" || !reflect.DeepEqual(second, []hearth.Property{b.Properties[0].Property}) {
		t.Errorf("sharing changed %+v, %+v", b, second)
	}
}

// Properties that differ in anything are not taken for each other.
func TestKeysOfProperties(t *testing.T) {
	one := 1.0
	differ := map[string]any{
		"Name": "a", "Kind": hearth.Bool, "Unit": "a", "UnitCode": "a", "Writable": true, "Momentary": true, "WriteOnly": true,
		"Min": &one, "Max": &one, "Options": []string{"a"}, "Urgent": true,
	}
	keys := map[string]string{string(keyOf([]hearth.Property{{}})): "none"}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[hearth.Property]()) {
		value, ok := differ[field.Name]
		if !ok {
			t.Fatalf("nothing shows that %s matters", field.Name)
		}
		var p hearth.Property
		reflect.ValueOf(&p).Elem().FieldByName(field.Name).Set(reflect.ValueOf(value))
		key := string(keyOf([]hearth.Property{p}))
		if other, taken := keys[key]; taken {
			t.Errorf("%s is taken for %s", field.Name, other)
		}
		keys[key] = field.Name
	}
}

func TestWordbookIsBounded(t *testing.T) {
	book := newWordbook()
	for i := range 3 * mostShared {
		view := hearth.DeviceView{Name: fmt.Sprint("Lamp ", i), Properties: []hearth.PropertyView{{Property: hearth.Property{Options: []string{fmt.Sprint(i)}}}}}
		properties := book.share(&view)
		if view.Name != fmt.Sprint("Lamp ", i) || properties[0].Options[0] != fmt.Sprint(i) {
			t.Fatalf("%d became %+v %+v", i, view, properties)
		}
	}
	if len(book.texts) > mostShared || len(book.lists) > mostLists {
		t.Errorf("%d texts, %d lists are kept", len(book.texts), len(book.lists))
	}
}
