package ingest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"hearth"
)

func TestSeriesKeys(t *testing.T) {
	for line, want := range map[string]string{
		`cpu v=1`:                              `cpu`,
		`cpu,b=2,a=1 v=1`:                      `cpu,a=1,b=2`,
		`c\,pu\ x,a\=b=c\,d v=1`:               `c\,pu\ x,a\=b=c\,d`,
		`hearth,device=radio:1 v=1`:            `hearth,device=radio:1`,
		`hearth,home=Cabin,device=radio:1 v=1`: `hearth,device=radio:1`,
		`cpu,home=Cabin v=1`:                   `cpu,home=Cabin`,
	} {
		p := &parser{now: time.Now()}
		if refused := p.parse([]byte(line), nil); refused != nil || len(p.points) != 1 || p.points[0].Series != want {
			t.Errorf("%s: %+v, bad %q, %v; want %s", line, p.points, p.bad, refused, want)
		}
	}
}

// What Home Assistant writes of a state is whatever attributes it has: the state is stored whatever they are.
func TestForeignLinesAreMadeToFit(t *testing.T) {
	long := strings.Repeat("ä", hearth.MaxText)
	for line, want := range map[string]string{
		`kWh,entity_id=a value=2,time=5 1`:                  "value=2",
		`kWh,entity_id=a time=5,value=2 1`:                  "value=2",
		`kWh,entity_id=a time=5 1`:                          "",
		`kWh,entity_id=a,time=x value=2 1`:                  "",
		`kWh,entity_id=a forecast_str="` + long + `",v=1 1`: "forecast_str=" + long[:hearth.MaxText-4] + "…,v=1",
		`hearth,device=a:1 on=true,time=5 1`:                "",
		`hearth,device=a:1 on=true,text="` + long + `" 1`:   "",
		`kWh value=1 9223372036854775807`:                   "",
		`kWh value=1 9223372036854775806`:                   "value=1",
		`kWh,entity_id=a\ b value=1 9223372036854775807`:    "",
		`kWh,entity_id=a\ b value=1 -9223372036854775806`:   "value=1",
	} {
		p := &parser{now: time.Now()}
		if refused := p.parse([]byte(line), nil); refused != nil {
			t.Fatal(refused)
		}
		var got []string
		for _, point := range p.points {
			if value := point.Value.String(); point.Value.Kind() == hearth.Text {
				got = append(got, point.Field+"="+point.Value.Text())
			} else {
				got = append(got, point.Field+"="+value)
			}
		}
		if text := strings.Join(got, ","); text != want || (want == "") != (p.badRows > 0) || (want == "") != (len(p.bad) > 0) {
			t.Errorf("%.60s: %.80q, bad %.200q; want %.80q", line, text, p.bad, want)
		}
	}
}

func TestRowsOf(t *testing.T) {
	for line, want := range map[string]uint64{
		"": 1, "nonsense": 1, "cpu v=": 1, "cpu a=1,b=NaN,c=3 12": 3, `cpu,t=1 a="x=y, z=",b=x`: 2,
		`hearth,device=a:1 clock="repaired",a=NaN,b=1 1`: 2, `cpu\ x,a=b v=1x`: 1,
	} {
		if got := rowsOf([]byte(line)); got != want {
			t.Errorf("rowsOf(%q) = %d, want %d", line, got, want)
		}
	}
}

func TestBadLinesAreNamedAsTheyCame(t *testing.T) {
	p := &parser{now: time.Now()}
	body := "bad\r\ncpu v=1 1\n\n#c\ncpu v=\"a\nb\" 1\nworse v=\n,x v=1"
	if refused := p.parse([]byte(body), nil); refused != nil || p.goodLines != 2 || p.badRows != 3 {
		t.Fatalf("%d good, %d bad, %v", p.goodLines, p.badRows, refused)
	}
	for i, want := range []string{"'bad': line 1:", "'worse v=': line 7:", "',x v=1': line 8:"} {
		if !strings.Contains(p.bad[i], want) {
			t.Errorf("%q does not say %s", p.bad[i], want)
		}
	}
}

func BenchmarkBadLines(b *testing.B) {
	body := []byte(strings.Repeat("x\n", 100_000))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		p := &parser{now: time.Now()}
		if refused := p.parse(body, nil); refused != nil || p.badRows != 100_000 {
			b.Fatal(p.badRows, refused)
		}
	}
}

func TestBadGaps(t *testing.T) {
	for _, line := range []string{
		`hearth_gap count=-1,reason="cap",to=2000 1000`, `hearth_gap count=1,reason="cap",to=500 1000`, `hearth_gap count=1,to=2000 1000`,
		`hearth_gap count=1,reason="` + strings.Repeat("x", 65) + `",to=2000 1000`,
	} {
		p := &parser{precision: "ms", now: time.Now()}
		if refused := p.parse([]byte(line), nil); refused != nil || len(p.gaps) != 0 || p.badRows == 0 {
			t.Errorf("%s: %+v, %d bad, %v", line, p.gaps, p.badRows, refused)
		}
	}
}

// Whatever comes, each line is stored whole or refused, and what is stored keeps to the limits.
func FuzzParse(f *testing.F) {
	f.Add([]byte("hearth,device=radio:1 temperature=21.5,humidity=40 1732300000123\nhearth_gap count=1,reason=\"cap\",to=2 1"), "ms")
	f.Add([]byte("cpu,b=2,a=1 v=1i,w=\"x\\\"y\" \n#c\nbad\ncpu v=NaN\n"), "")
	f.Add([]byte("hearth,device=a:1,device=b:1 x=1\nhearth Y=t\n\xff\xfe v=\"\x00\"\n"), "h")
	f.Fuzz(func(t *testing.T, body []byte, precision string) {
		p := &parser{precision: precision, now: time.Unix(1795000000, 0)}
		if refused := p.parse(body, nil); refused != nil {
			if len(p.points) > 0 {
				t.Fatalf("refused %v with %d points", refused, len(p.points))
			}
			return
		}
		if (p.badRows == 0) != (len(p.bad) == 0) || len(p.bad) > maxNamed {
			t.Fatalf("%d bad rows, %d named", p.badRows, len(p.bad))
		}
		for _, point := range p.points {
			if point.Value.IsZero() || point.Field == "" || point.Series == "" || len(point.Series) > maxSeries || len(point.Value.Text()) > hearth.MaxText {
				t.Fatalf("%+v is stored", point)
			}
		}
		for _, r := range p.readings {
			if r.Device.Check() != nil || (hearth.Property{Name: r.Property, Kind: r.Value.Kind()}).Check() != nil {
				t.Fatalf("%+v is a reading", r)
			}
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add("e/1", "produced=1,dropped=0,backlog=1,durable=0")
	f.Add("e/", ",,,=")
	f.Fuzz(func(t *testing.T, id, account string) {
		batch, ledger, err := headers(http.Header{hearth.HeaderBatch: {id}, hearth.HeaderLedger: {account}})
		if err != nil {
			return
		}
		if batch.Seq == 0 || batch.Epoch == "" || ledger == nil {
			t.Fatalf("%q, %q give %+v, %+v", id, account, batch, ledger)
		}
		if again, err := hearth.ParseBatchID(batch.String()); err != nil || again != *batch {
			t.Fatalf("%v reads as %v, %v", batch, again, err)
		}
	})
}

// A name that a foreign measurement may have is not thereby a property's.
func TestNamesOfPropertiesAreCheckedEachTime(t *testing.T) {
	p := &parser{}
	if refused := p.parse([]byte("cpu Bad=1 1\nhearth,device=a:1 Bad=2 1\nhearth,device=a:1 good=3 1"), nil); refused != nil {
		t.Fatal(refused)
	}
	if len(p.points) != 2 || p.badRows != 1 {
		t.Errorf("%d points, %d bad rows", len(p.points), p.badRows)
	}
}
