package web_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hearth"
	"hearth/api/browsertest"
)

// repaired has a home with two hours of temperatures, of which the second has times that were repaired.
func (g *gateway) repaired(t *testing.T) (began time.Time) {
	t.Helper()
	began = time.Now().Add(-2 * time.Hour).Truncate(time.Minute)
	var readings []hearth.Reading
	for m := range 120 {
		at := began.Add(time.Duration(m) * time.Minute)
		readings = append(readings,
			hearth.Reading{Device: room, Property: "temperature", Value: hearth.NumberOf(20 + float64(m)/10), Time: at, Repaired: m >= 60},
			hearth.Reading{Device: "toy:lamp", Property: "on", Value: hearth.BoolOf(m%30 < 15), Time: at})
	}
	g.upload(t, readings, nil, 0, 0, 0)
	g.devices(t, true, false)
	return began
}

func TestRepairedStretches(t *testing.T) {
	s := newSite(t)
	g := s.join(t, title)
	began := g.repaired(t)
	_, body := s.ask(t, "GET", "/api/v1/homes/"+g.Home+"/history?device="+string(room)+"&property=temperature", s.read, "")
	var spans struct{ Repaired []hearth.Span }
	must(t, json.Unmarshal([]byte(body), &spans))
	if len(spans.Repaired) != 1 || !spans.Repaired[0].From.Equal(began.Add(time.Hour)) || !spans.Repaired[0].To.Equal(began.Add(119*time.Minute)) {
		t.Errorf("%+v, of %s", spans.Repaired, began)
	}
	_, body = s.ask(t, "GET", "/api/v1/homes/"+g.Home+"/history?device=toy:lamp&property=on", s.read, "")
	if strings.Contains(body, "repaired") {
		t.Error("the lamp's times were not repaired")
	}
}

func TestData(t *testing.T) {
	s := newSite(t)
	g := s.join(t, title)
	began := g.repaired(t)
	path := "/api/v1/homes/" + g.Home + "/data"
	reply, body := s.ask(t, "GET", path+"?series="+string(room)+"/temperature", s.read, "")
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 121 || strings.Join(rows[1], ",") != began.UTC().Format(hearth.TimeForm)+","+string(room)+",temperature,20" {
		t.Errorf("%s: %d rows, %v, %q", reply.Status, len(rows), err, rows[1])
	}
	_, body = s.ask(t, "GET", path+"?format=line", s.read, "") // everything
	lines := 0
	err = hearth.DecodeLines([]byte(body), "ms", time.Now(), func(l *hearth.Line) {
		lines++
		if string(l.Tag("home")) != g.Home {
			t.Errorf("a line of home %q", l.Tag("home"))
		}
	}, func(_ int, err error) { t.Error(err) })
	if err != nil || lines != 240 {
		t.Errorf("%d lines, %v", lines, err)
	}
	for query, want := range map[string]int{"?format=xml": http.StatusBadRequest, "?series=x": http.StatusBadRequest, "?series=/x": http.StatusBadRequest, "?series=x/": http.StatusBadRequest,
		"?from=never": http.StatusBadRequest, "?series=no/such": http.StatusOK, "?" + strings.Repeat("series=a/b&", 101): http.StatusBadRequest} {
		if reply, body := s.ask(t, "GET", path+query, s.read, ""); reply.StatusCode != want {
			t.Errorf("%s: %s, %s", query, reply.Status, body)
		}
	}
}

func TestExplorerInABrowser(t *testing.T) {
	browsertest.OnEachScreen(t, func(t *testing.T, b *browsertest.Browser) {
		s := newSite(t)
		g := s.join(t, title)
		g.repaired(t)
		b.Run("opening the link", chromedp.Navigate(s.URL+"/explore?token="+s.read), until(`location.search === ""`), there(".picker"))
		pick := func(n, value string) browsertest.Action {
			return script(`{ const f = document.querySelectorAll(".picker select")[` + n + `]; f.value = "` + value + `"; f.dispatchEvent(new Event("change", { bubbles: true })); }`)
		}
		options := func(n string) browsertest.Action {
			return until(`document.querySelectorAll(".picker select")[` + n + `]?.options.length > 1`)
		}
		add := func(device, property string) {
			b.Run("adding "+property, options("1"), pick("1", device), options("2"), pick("2", property), until(`!document.querySelector(".picker .main").disabled`), script(`document.querySelector(".picker .main").click()`))
		}
		add(string(room), "temperature")
		b.Run("its chart", there(".plot canvas"), text(".legend-table", "31.9"), text(".gaps", "times repaired"), fits())
		add("toy:lamp", "on")
		b.Run("two of them", until(`document.querySelectorAll(".legend-table tbody tr").length === 2`), until(`document.querySelectorAll(".files a").length === 2`), until(`new URLSearchParams(location.search).getAll("s").length === 2`), fits())
		b.Run("a table", script(`document.querySelector("details").open = true`), text("details table", "Temperature"), script(`document.querySelector("details").open = false`))
		b.Shot("explore")
		b.Run("an hour", chromedp.Click(chromedp.CSS(`.spans button:first-child`)), until(`location.search.includes("range=3600000")`))
		b.Run("again from its address", chromedp.Reload(), until(`document.querySelectorAll(".legend-table tbody tr").length === 2`), there(".plot canvas"))
		b.Run("taking one out", script(`document.querySelector(".legend-table button").click()`), until(`document.querySelectorAll(".legend-table tbody tr").length === 1`))
		if size := browsertest.Value[int](b, `fetch(document.querySelector(".files a").href).then((r) => r.text()).then((t) => t.split("\n").length)`); size < 50 {
			t.Errorf("the file has %d lines", size)
		}
		if found := b.Complaints(); len(found) > 0 {
			t.Errorf("the page complains: %q", found)
		}
	})
}

// What a device says is no formula of whoever opens the file, and stays as it is for other databases.
func TestDataIsNoFormula(t *testing.T) {
	s := newSite(t)
	g := s.join(t, title)
	at := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	said := []string{"=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "plain", "a=b"}
	var readings []hearth.Reading
	for i, text := range said {
		readings = append(readings, hearth.Reading{Device: room, Property: "note", Value: hearth.TextOf(text), Time: at.Add(time.Duration(i) * time.Second)})
	}
	readings = append(readings, hearth.Reading{Device: room, Property: "temperature", Value: hearth.NumberOf(-5), Time: at})
	g.upload(t, readings, nil, 0, 0, 0)
	path := "/api/v1/homes/" + g.Home + "/data?series=" + string(room) + "/note&series=" + string(room) + "/temperature"
	_, body := s.ask(t, "GET", path, s.read, "")
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	must(t, err)
	var got []string
	for _, row := range rows[1:] {
		got = append(got, row[3])
	}
	if want := []string{"'=HYPERLINK(1)", "'+1", "'-1", "'@x", "'\tx", "plain", "a=b", "-5"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, body = s.ask(t, "GET", path+"&format=line", s.read, ""); !strings.Contains(body, `note="=HYPERLINK(1)"`) {
		t.Errorf("as line protocol: %s", body)
	}
}
