package ingest

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth"
)

// generally parses a body by the general decoder alone.
func generally(body []byte, precision string, now time.Time) *parser {
	p := &parser{precision: precision, now: now, names: map[string]*name{}, byRaw: map[string]int{}}
	p.general(body, nil)
	return p
}

func same(t *testing.T, body []byte, precision string) {
	t.Helper()
	now := time.Unix(1795000000, 0)
	p := &parser{}
	for range 2 { // a parser that is used again knows what it knew
		p.reset("", precision, now)
		if refused := p.parse(body, nil); refused != nil {
			return
		}
		want := generally(body, precision, now)
		if len(p.points) != len(want.points) || len(p.readings) != len(want.readings) {
			t.Fatalf("%q: %d points, %d readings, want %d and %d", body, len(p.points), len(p.readings), len(want.points), len(want.readings))
		}
		for i := range p.points {
			a, b := p.points[i], want.points[i]
			if math.Float64bits(a.Value.Number()) != math.Float64bits(b.Value.Number()) || a != b {
				t.Fatalf("%q: point %d is %+v, want %+v", body, i, a, b)
			}
		}
		if len(p.readings) > 0 && !reflect.DeepEqual(p.readings, want.readings) {
			t.Fatalf("%q: readings %+v, want %+v", body, p.readings, want.readings)
		}
		if p.marks != want.marks || p.goodLines != want.goodLines || p.badRows != want.badRows || strings.Join(p.bad, "\n") != strings.Join(want.bad, "\n") {
			t.Fatalf("%q: %d marks, %d good, %d bad %q; want %d, %d, %d, %q", body, p.marks, p.goodLines, p.badRows, p.bad, want.marks, want.goodLines, want.badRows, want.bad)
		}
	}
}

var plainSeeds = []string{
	"hearth,device=a:1 t=1.5,on=true 1732300000123\nhearth,device=a:1 t=1.6,on=f 1732300000124\r\nhearth,device=b:1 x=\"y z\",clock=\"repaired\" 1\n",
	"cpu,host=a,cpu=0 usage=12.345678901234567,n=12i,u=18446744073709551615u -5\ncpu,host=a,cpu=0 n=1\n\n#c\nmem,host=a\\ b v=1e-7 1\ncpu,host=a,cpu=0 usage=-0,n=-0i,b=T",
	"hearth,home=x,device=a:1 t=9223372036854775807i 9223372036854775807\nhearth,device=a:1 t=.5 9223372036854775808\nhearth,device=a:1 t=1..2\nhearth,device=a:1 clock=\"no\" 5",
	"cpu v=1 1 2\ncpu v=1,v=2 3\ncpu  v=1\ncpu v=1  4\ncpu v=1,\ncpu v= 1\ncpu v=0x1p-2,w=1_0,x=-inf 1\ncpu v=\"a\nb\" 1\ncpu v=\"a\\\"b\" 1\ncpu,a=1,a=2 v=1",
	"hearth_gap count=1,reason=\"cap\",to=2 1\nhearth,device=A v=1\ncpu,b=1,a=é ü=1 1\ncpu v=\"\xff\" 1\ncpu\tv=1\ncpu v=1\r\ncpu v=1 \ncpu a\\ b=1 1\n",
}

func TestPlainLinesAreReadAsTheGeneralDecoderDoes(t *testing.T) {
	for _, seed := range plainSeeds {
		for _, precision := range []string{"", "ms", "h"} {
			same(t, []byte(seed), precision)
			for _, line := range strings.SplitAfter(seed, "\n") {
				same(t, []byte(line), precision)
				same(t, []byte(line+line), precision)
			}
		}
	}
	for _, f := range []float64{0, 1, -1, 0.1, 123456789012345, 99999999999999.9, 0.000000000000001, 1e15, 1e300, 5e-324, math.MaxFloat64} {
		for digits := -1; digits < 18; digits++ {
			same(t, []byte("cpu v="+strconv.FormatFloat(f, 'f', digits, 64)), "")
		}
	}
}

// Most of what comes has to be plain, or all this is in vain.
func TestPlainLinesArePlain(t *testing.T) {
	for _, line := range []string{
		"hearth,device=radio:00158d0001a2b3c4 temperature=21.5,humidity=40.2 1732300000123\n", "hearth,device=a:1 on=true,mode=\"heat\"\n",
		"cpu,cpu=cpu0,host=a usage_user=1.2345678901234567,n=5i,s=\"up 3 days, 5:04\" 1732300000123456789\r\n", "cpu v=1",
	} {
		p := &parser{}
		p.reset("", "", time.Unix(1795000000, 0))
		p.unit, p.names, p.byRaw = time.Nanosecond, map[string]*name{}, map[string]int{}
		if n := p.plain([]byte(line)); n != len(line) || len(p.points) == 0 {
			t.Errorf("%q is not plain: %d", line, n)
		}
	}
}

func TestHeadsAreForgottenInTime(t *testing.T) {
	var body strings.Builder
	for i := range 3 * maxHeads {
		body.WriteString("cpu,host=h" + strconv.Itoa(i) + " v=1,f" + strconv.Itoa(i) + "=2 1\n")
	}
	p := &parser{now: time.Unix(1795000000, 0)}
	if refused := p.parse([]byte(body.String()), nil); refused != nil || len(p.points) != 6*maxHeads {
		t.Fatal(len(p.points), refused)
	}
	if len(p.heads) > maxHeads || len(p.byRaw) > maxHeads || len(p.names) > 10*maxNames {
		t.Errorf("%d heads, %d by their text, %d names are kept", len(p.heads), len(p.byRaw), len(p.names))
	}
}

func FuzzPlain(f *testing.F) {
	for _, seed := range plainSeeds {
		f.Add([]byte(seed), "ms")
	}
	f.Fuzz(func(t *testing.T, body []byte, precision string) { same(t, body, precision) })
}

// BenchmarkParse is a batch of a gateway: 500 rows.
func BenchmarkParse(b *testing.B) {
	var readings []hearth.Reading
	for i := range 500 {
		readings = append(readings, hearth.Reading{
			Device: hearth.ID("radio:00158d00010000" + strconv.Itoa(10+i/3%8)), Property: []string{"temperature", "humidity", "battery"}[i%3],
			Value: hearth.NumberOf(float64(i%97) * 0.25), Time: time.UnixMilli(1732300000123 + int64(i/3)*1000),
		})
	}
	body, err := hearth.AppendLines(nil, readings, "")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	p := &parser{}
	for b.Loop() {
		p.reset("h", "ms", time.Unix(1795000000, 0))
		if refused := p.parse(body, nil); refused != nil || len(p.points) != 500 {
			b.Fatal(len(p.points), refused)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/row")
}
