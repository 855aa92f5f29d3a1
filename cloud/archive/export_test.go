package archive

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"hearth"
	"hearth/cloud/series"
)

// lines exports a home and unpacks what comes.
func lines(t *testing.T, store *series.Store, home string) string {
	t.Helper()
	var out bytes.Buffer
	must(t, Export(t.Context(), &out, store, home))
	zip, err := gzip.NewReader(&out)
	must(t, err)
	text, err := io.ReadAll(zip)
	must(t, err)
	return string(text)
}

func TestExport(t *testing.T) {
	store := open(t, t.TempDir()).store
	point := func(series_, field string, at int64, v hearth.Value) series.Point {
		return series.Point{Series: series_, Field: field, Time: at, Value: v}
	}
	_, err := store.Write(series.Write{
		Home: "h",
		Points: []series.Point{
			point("hearth,device=radio:1", "temperature", 2_000_000, hearth.NumberOf(21.5)),
			point("hearth,device=radio:1", "temperature", 1_000_000, hearth.NumberOf(1e21)),
			point("hearth,device=radio:1", "clock", 1_000_000, hearth.TextOf("repaired")),
			point("hearth,device=radio:1", "on", 2_000_001, hearth.BoolOf(true)),
			point(`odd\ name,tag\,1=a\=b\ c`, `field, with=all "of" it`, -5, hearth.TextOf("say \"hi\"\\\nand more, = ")),
		},
		Gaps: []hearth.Gap{{From: hearth.Time{Time: time.Unix(1, 0)}, To: hearth.Time{Time: time.Unix(2, 0)}, Count: 7, Reason: "cap"}},
	})
	must(t, err)
	text := lines(t, store, "h")
	want := strings.Join([]string{
		`hearth,device=radio:1 temperature=1e+21 1000000`,
		`hearth,device=radio:1 temperature=21.5 2000000`,
		`hearth,device=radio:1 clock="repaired" 1000000`,
		`hearth,device=radio:1 on=true 2000001`,
		`odd\ name,tag\,1=a\=b\ c field\,\ with\=all\ "of"\ it="say \"hi\"\\`,
		`and more, = " -5`,
		`hearth_gap count=7,reason="cap",to=2000 1000000000`, "",
	}, "\n")
	if text != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
	if lines(t, store, "nobody") != "" {
		t.Error("a home that never was has readings")
	}
}

// What was exported is line protocol that says the same.
func TestExportIsReadAgain(t *testing.T) {
	store := open(t, t.TempDir()).store
	values := []hearth.Value{hearth.NumberOf(-0.1), hearth.BoolOf(false), hearth.TextOf(`a "b" \ c`), hearth.TextOf(""), hearth.NumberOf(123456789.125)}
	names := []string{"m", `m,a=b`, `m\,1,a=b\ c,d=e\,f`, "übung,ort=köln"}
	var wrote []string
	for i, name := range names {
		for j, v := range values {
			p := series.Point{Series: name, Field: "f " + string(rune('a'+j)) + `,=x`, Time: int64(i*100 + j), Value: v}
			_, err := store.Write(series.Write{Home: "h", Points: []series.Point{p}})
			must(t, err)
			wrote = append(wrote, p.Field+"|"+v.String()+"|"+name)
		}
	}
	var read []string
	err := hearth.DecodeLines([]byte(lines(t, store, "h")), "ns", time.Now(), func(l *hearth.Line) {
		name := string(l.Measurement)
		name = strings.ReplaceAll(name, ",", `\,`)
		for _, tag := range l.Tags {
			name += "," + string(tag.Key) + "=" + strings.NewReplacer(",", `\,`, " ", `\ `).Replace(string(tag.Value))
		}
		for _, f := range l.Fields {
			read = append(read, string(f.Key)+"|"+f.Value.String()+"|"+name)
		}
	}, func(n int, err error) { t.Errorf("line %d: %v", n, err) })
	must(t, err)
	slices.Sort(wrote)
	slices.Sort(read)
	if !slices.Equal(wrote, read) {
		t.Errorf("%q\n%q", wrote, read)
	}
}
