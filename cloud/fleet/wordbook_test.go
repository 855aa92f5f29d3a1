package fleet

import (
	"fmt"
	"slices"
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
	book.share(&a)
	book.share(&b)
	if unsafe.StringData(a.Model) != unsafe.StringData(b.Model) || unsafe.StringData(a.Properties[0].Unit) != unsafe.StringData(b.Properties[0].Unit) ||
		unsafe.SliceData(a.Properties[0].Options) != unsafe.SliceData(b.Properties[0].Options) {
		t.Error("two homes keep the same texts twice")
	}
	if b.ID != "radio:2" || b.Model != "TS0201" || !slices.Equal(b.Properties[0].Options, []string{"a", "b"}) {
		t.Errorf("sharing changed %+v", b)
	}
}

func TestWordbookIsBounded(t *testing.T) {
	book := newWordbook()
	for i := range 3 * mostShared {
		view := hearth.DeviceView{Name: fmt.Sprint("Lamp ", i), Properties: []hearth.PropertyView{{Property: hearth.Property{Options: []string{fmt.Sprint(i)}}}}}
		book.share(&view)
		if view.Name != fmt.Sprint("Lamp ", i) || view.Properties[0].Options[0] != fmt.Sprint(i) {
			t.Fatalf("%d became %+v", i, view)
		}
	}
	if len(book.texts) > mostShared || len(book.lists) > mostShared {
		t.Errorf("%d texts, %d lists are kept", len(book.texts), len(book.lists))
	}
}
