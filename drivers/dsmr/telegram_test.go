package dsmr

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sealed replaces the checksum of a telegram that a test has changed.
func sealed(telegram string) []byte {
	body := telegram[:strings.IndexByte(telegram, '!')+1]
	return fmt.Appendf(nil, "%s%04X\r\n", body, crc16([]byte(body)))
}

// hear gives bytes to meters whose clock stands at now, and returns what home was told and how many telegrams were good.
func hear(t *testing.T, version int, now time.Time, trusted bool, heard ...[]byte) (*drivertest.Recorder, *session) {
	t.Helper()
	env := drivertest.NewEnv(t, "meter")
	env.Now = func() (time.Time, bool) { return now, trusted }
	home := drivertest.NewRecorder("meter")
	d := &Driver{env: env, cfg: Config{Version: version}}
	s := &session{Driver: d, meters: newMeters(env, home)}
	frames := framer{sevenBits: d.cfg.old()}
	for _, part := range heard {
		frames.feed(part, func(f frame) { s.take(f) })
	}
	for _, fault := range home.Faults() {
		t.Error(fault)
	}
	return home, s
}

func TestPublishedTelegrams(t *testing.T) {
	versions := map[string]int{"dsmr22": 2, "dsmr3": 2, "dsmr42": 4, "dsmr5": 5, "dsmr5-two-mbus": 0, "heat": 5, "belgium": 5, "hungary": 5, "austria": 5}
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile("testdata/" + name + ".want") // device, property, value; none other may be there
			if err != nil {
				t.Fatal(err)
			}
			telegram := sample(t, name)
			home, s := hear(t, version, time.Unix(0, 0), false, telegram, telegram)
			if s.count.Good != 2 || s.count.refused() > 0 {
				t.Fatalf("%s", s.count)
			}
			var got []string
			for _, r := range home.Readings() {
				got = append(got, fmt.Sprintf("%s %s %s", r.Device.Address(), r.Property, r.Value))
			}
			compare(t, got, string(want))
		})
	}
}

func compare(t *testing.T, got []string, want string) {
	t.Helper()
	missing := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(want), "\n") {
		missing[line] = true
	}
	for _, line := range got {
		if !missing[line] {
			t.Errorf("reported %s", line)
		}
		delete(missing, line)
	}
	for line := range missing {
		t.Errorf("not reported: %s", line)
	}
}

func TestWhatAMeterIs(t *testing.T) {
	home, _ := hear(t, 5, time.Unix(0, 0), false, sample(t, "dsmr5"))
	e, _ := home.Device("meter:K8EG004046395507")
	if e.Type != "meter" || e.Vendor != "Iskraemeco" || e.Model != "MT382-1000" || e.Firmware != "DSMR 5.0" || e.Name != "Electricity meter" {
		t.Errorf("%+v", e)
	}
	if p, _ := e.Property("power_l1"); p.Unit != "W" || p.Writable {
		t.Errorf("%+v", p)
	}
	if g, _ := home.Device("meter:2222ABCD123456789"); g.Name != "Gas meter" || len(g.Properties) != 1 || g.Properties[0].UnitCode != "m3" {
		t.Errorf("%+v", g)
	}
}

func TestTimes(t *testing.T) {
	sent := time.Date(2017, 1, 2, 18, 20, 2, 0, time.UTC)     // 170102192002W
	captured := time.Date(2017, 1, 2, 15, 10, 5, 0, time.UTC) // 170102161005W
	tests := map[string]struct {
		now        time.Time
		trusted    bool
		power, gas time.Time
	}{
		"right":               {sent.Add(time.Second), true, sent, captured},
		"an hour wrong":       {sent.Add(-time.Hour), true, sent, captured},
		"not trusted":         {sent.Add(time.Second), false, time.Time{}, time.Time{}},
		"meter is years back": {sent.AddDate(2, 0, 0), true, time.Time{}, time.Time{}},
		"gas is a day old":    {captured.Add(25 * time.Hour), true, sent, time.Time{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			home, _ := hear(t, 5, tt.now, tt.trusted, sample(t, "dsmr5"))
			if r, _ := home.Last("meter:K8EG004046395507", "power"); !r.Time.Equal(tt.power) {
				t.Errorf("power at %v, want %v", r.Time, tt.power)
			}
			if r, _ := home.Last("meter:2222ABCD123456789", "gas_volume"); !r.Time.Equal(tt.gas) {
				t.Errorf("gas at %v, want %v", r.Time, tt.gas)
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	for in, want := range map[string]string{
		"170102192002W": "2017-01-02T18:20:02Z",
		"200426223325S": "2020-04-26T20:33:25Z",
		"161107190000":  "2016-11-07T18:00:00Z",
		"160707190000":  "2016-07-07T17:00:00Z",
		"160327015959":  "2016-03-27T00:59:59Z", // the last second of winter time
		"160327030000":  "2016-03-27T01:00:00Z",
		"161030030000":  "2016-10-30T02:00:00Z",
		"632525252525W": "", "170102192002X": "", "": "", "1701021920": "", "170132192002W": "", "-70102192002W": "",
	} {
		got, ok := parseTime(in)
		if ok != (want != "") || ok && got.Format(time.RFC3339) != want {
			t.Errorf("%q is %v (%v), want %s", in, got, ok, want)
		}
	}
}

func TestNoise(t *testing.T) {
	five, old := string(sample(t, "dsmr5")), string(sample(t, "dsmr22"))
	tests := map[string]struct {
		version    int
		heard      []string
		good, lost int
	}{
		"half a telegram first":     {5, []string{five[300:], five}, 1, 0},
		"broken off":                {5, []string{five[:300], five}, 1, 0},
		"broken off twice":          {5, []string{five[:300], five[:10], five}, 1, 0},
		"a bit flipped":             {5, []string{strings.Replace(five, "000004.426", "000014.426", 1), five}, 1, 1},
		"checksum wrong":            {5, []string{strings.Replace(five, "6EEE", "6EEF", 1), five}, 1, 1},
		"checksum no number":        {5, []string{strings.Replace(five, "6EEE", "6EEX", 1)}, 0, 1},
		"checksum in small hex":     {5, []string{strings.Replace(five, "6EEE", "6eee", 1)}, 1, 0},
		"checksum lost":             {5, []string{strings.Replace(five, "6EEE", "", 1)}, 0, 1},
		"checksum lost, no version": {0, []string{strings.Replace(five, "6EEE", "", 1)}, 0, 1},
		"without end":               {5, []string{strings.ReplaceAll(five, "!6EEE", ""), five}, 1, 0},
		"line noise":                {5, []string{"\xff\x00\x13!!\r\n/", five, "\xfe\xfe/!/!\r\n", five}, 2, 2},
		"end without a newline":     {5, []string{strings.TrimRight(five, "\r\n"), five}, 2, 0},
		"endless line":              {5, []string{"/ISk5\r\n" + strings.Repeat("(", 5000), five}, 1, 1},
		"endless telegram":          {5, []string{"/ISk5\r\n" + strings.Repeat("1-0:1.8.1(1*kWh)\r\n", 2000), five}, 1, 1},
		"endless trailer":           {5, []string{"/ISk5\r\n!" + strings.Repeat("A", 5000), five}, 1, 1},
		"old":                       {2, []string{old, old}, 2, 0},
		"old, no version":           {0, []string{old, old}, 2, 0},
		"old where 5 is expected":   {5, []string{old}, 0, 1},
		"old with parity bits":      {2, []string{parity(old), parity(old)}, 2, 0},
		"old, a line garbled":       {2, []string{strings.Replace(old, "1-0:1.8.1(", "1-0:1.8.1", 1), old}, 1, 1},
		"old, a line joined":        {2, []string{strings.Replace(old, ")\r\n1-0:2.8.1", "1-0:2.8.1", 1), old}, 1, 1},
		"unknown lines":             {5, []string{string(sealed(strings.Replace(five, "\r\n1-0", "\r\nhello\r\n1-0:999.1.1(x)\r\n1-0", 1)))}, 1, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var heard [][]byte
			for _, part := range tt.heard {
				heard = append(heard, []byte(part))
			}
			home, s := hear(t, tt.version, time.Unix(0, 0), false, heard...)
			if s.count.Good != tt.good || s.count.refused() != tt.lost {
				t.Errorf("%s; want %d good, %d refused", s.count, tt.good, tt.lost)
			}
			for _, r := range home.Readings() {
				if r.Property == "energy_t1" && r.Value.Number() != 4.426 && r.Value.Number() != 1.001 {
					t.Errorf("energy_t1 is %s", r.Value)
				}
			}
		})
	}
}

func parity(s string) string {
	out := []byte(s)
	for i, c := range out {
		ones := 0
		for b := c; b != 0; b &= b - 1 {
			ones++
		}
		out[i] = c | byte(ones&1)<<7
	}
	return string(out)
}

func TestGarbledIdentifierIsNoDevice(t *testing.T) {
	old := string(sample(t, "dsmr3"))
	garbled := strings.Replace(old, "4B384547", "4B384546", 1)
	home, _ := hear(t, 2, time.Unix(0, 0), false, []byte(old), []byte(garbled), []byte(old), []byte(old))
	if n := len(home.Devices()); n != 2 {
		t.Errorf("%d devices, want 2: %v", n, home.Devices())
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(string(sample(t, "dsmr5")), "!6EEE\r\n"), "\r\n")
	for i, j := 2, len(lines)-2; i < j; i, j = i+1, j-1 {
		lines[i], lines[j] = lines[j], lines[i]
	}
	straight, _ := hear(t, 5, time.Unix(0, 0), false, sample(t, "dsmr5"))
	turned, _ := hear(t, 5, time.Unix(0, 0), false, sealed(strings.Join(lines, "\r\n")+"!"))
	if a, b := fmt.Sprint(straight.Readings()), fmt.Sprint(turned.Readings()); a != b {
		t.Errorf("in another order:\n%s\nwant\n%s", b, a)
	}
}

func TestVariants(t *testing.T) {
	base := "/XYZ5\\2TEST\r\n\r\n0-0:1.0.0(200512135409S)\r\n%s!"
	tests := map[string]struct{ lines, want string }{
		"export":               {"1-0:1.7.0(00.000*kW)\r\n1-0:2.7.0(02.601*kW)\r\n", "XYZ5-2TEST power -2601"},
		"one phase":            {"1-0:32.7.0(231.4*V)\r\n1-0:31.7.0(003*A)\r\n", "XYZ5-2TEST voltage_l1 231.4\nXYZ5-2TEST current_l1 3"},
		"luxembourg":           {"0-0:42.0.0(53414733303832323030303032313630)\r\n1-0:1.8.0(000173.640*kWh)\r\n1-0:2.8.0(000627.177*kWh)\r\n", "SAG3082200002160 energy 173.64\nSAG3082200002160 energy_exported 627.177"},
		"impossible":           {"1-0:32.7.0(999.9*V)\r\n1-0:52.7.0(230.1*V)\r\n", "XYZ5-2TEST voltage_l2 230.1"},
		"no numbers":           {"1-0:1.8.1(abc*kWh)\r\n1-0:1.8.2()\r\n1-0:1.7.0(1e999*kW)\r\n1-0:2.7.0(NaN*kW)\r\n", ""},
		"water":                {"0-1:24.1.0(007)\r\n0-1:96.1.0(4730303339303031393336393330363139)\r\n0-1:24.2.1(200512134558S)(00872.234*m3)\r\n", "G0039001936930619 water_volume 872.234"},
		"heat":                 {"0-3:24.1.0(004)\r\n0-3:96.1.0()\r\n0-3:24.2.1(200512134558S)(12.345*GJ)\r\n", "mbus-3 heat_energy 3429.167"},
		"heat of old":          {"0-2:24.1.0(4)\r\n0-2:96.1.0(303132)\r\n0-2:24.3.0(200512130000)(00)(60)(1)(0-2:24.2.1)(GJ)\r\n(00001.000)\r\n", "012 heat_energy 277.778"},
		"second electricity":   {"0-4:24.1.0(002)\r\n0-4:24.2.1(200512134558S)(00100.5*kWh)\r\n", "mbus-4 energy 100.5"},
		"water in litres":      {"0-1:24.1.0(007)\r\n0-1:24.2.1(200512134558S)(1500*dm3)\r\n", "mbus-1 water_volume 1.5"},
		"unknown medium":       {"0-1:24.1.0(099)\r\n0-1:24.2.1(200512134558S)(1*m3)\r\n", ""},
		"nothing measured yet": {"0-1:24.1.0(003)\r\n0-1:24.2.1(700101010000W)(00000000)\r\n", ""},
		"frequency":            {"1-0:14.7.0(50.02*Hz)\r\n", "XYZ5-2TEST frequency 50.02"},
		"gas in belgium":       {"0-1:24.1.0(003)\r\n0-1:96.1.1(37464C4F32313139303333373333)\r\n0-1:24.2.3(200512134558S)(00112.384*m3)\r\n", "7FLO2119033733 gas_volume 112.384"},
		"evil identifier":      {"0-0:96.1.1(..x y)\r\n1-0:1.7.0(00.100*kW)\r\n", "XYZ5-2TEST power 100"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			home, s := hear(t, 5, time.Unix(0, 0), false, sealed(fmt.Sprintf(base, tt.lines)))
			if s.count.Good != 1 {
				t.Fatalf("%s", s.count)
			}
			var got []string
			for _, r := range home.Readings() {
				got = append(got, fmt.Sprintf("%s %s %s", r.Device.Address(), r.Property, r.Value))
			}
			if tt.want == "" {
				tt.want = "-"
				got = append(got, "-")
			}
			compare(t, got, tt.want)
		})
	}
}

func TestWhatIsSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		five := string(sample(t, "dsmr5"))
		const e, g = "meter:K8EG004046395507", "meter:2222ABCD123456789"
		env := drivertest.NewEnv(t, "meter")
		home := drivertest.NewRecorder("meter")
		s := &session{Driver: &Driver{env: env, cfg: Config{Version: 5}}, meters: newMeters(env, home)}
		var frames framer
		say := func(telegram string) {
			frames.feed(sealed(telegram), func(f frame) { s.take(f) })
		}
		expect := func(when string, power, energy, gas int) {
			t.Helper()
			if a, b, c := home.Count(e, "power"), home.Count(e, "energy"), home.Count(g, "gas_volume"); a != power || b != energy || c != gas {
				t.Errorf("%s: power %d, energy %d, gas %d times; want %d, %d, %d", when, a, b, c, power, energy, gas)
			}
		}
		say(five)
		expect("first", 1, 1, 1)
		<-time.After(time.Second)
		say(five)
		expect("the same", 1, 1, 1)
		say(strings.Replace(five, "1-0:1.7.0(00.244", "1-0:1.7.0(00.245", 1))
		expect("more power", 2, 1, 1)
		<-time.After(time.Minute)
		say(five)
		expect("a minute later", 3, 2, 1)
		say(strings.Replace(five, "170102161005W", "170102171005W", 1))
		expect("gas again, the same", 3, 2, 2)
		say(strings.Replace(strings.Replace(five, "170102161005W", "170102171005W", 1), "00000.107", "00000.108", 1))
		expect("more gas", 3, 2, 3)
		if n := home.Announced(); n != 2 {
			t.Errorf("announced %d times, want 2", n)
		}
		say(strings.Replace(five, "0-0:96.14.0", "1-0:14.7.0(50.0*Hz)\r\n0-0:96.14.0", 1))
		if n := home.Announced(); n != 3 {
			t.Errorf("announced %d times after a new property, want 3", n)
		}
	})
}

func FuzzTelegram(f *testing.F) {
	for _, name := range []string{"dsmr22", "dsmr3", "dsmr42", "dsmr5", "dsmr5-two-mbus", "heat", "belgium", "austria", "hungary"} {
		f.Add(sample(f, name), 2, false)
		f.Add(sample(f, name), 5, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, version int, seal bool) {
		if body := strings.IndexByte(string(data), '!'); seal && body >= 0 {
			data = sealed(string(data)) // past the checksum, where the parser is
		}
		if (Config{Version: version}).Check() != nil {
			version = 0
		}
		env := hearth.Env{Name: "meter", Log: slog.New(slog.DiscardHandler), Now: func() (time.Time, bool) { return time.Unix(0, 0), true }}
		home := drivertest.NewRecorder("meter")
		s := &session{Driver: &Driver{env: env, cfg: Config{Version: version}}, meters: newMeters(env, home)}
		frames := framer{sevenBits: s.cfg.old()}
		for range 2 {
			frames.feed(data, func(f frame) { s.take(f) })
		}
		if len(frames.body) > maxTelegram || len(frames.trailer) > maxTrailer {
			t.Errorf("keeps %d and %d bytes", len(frames.body), len(frames.trailer))
		}
		for _, fault := range home.Faults() {
			t.Error(fault)
		}
	})
}

func BenchmarkTelegram(b *testing.B) {
	telegram := sample(b, "dsmr5")
	env := drivertest.NewEnv(b, "meter")
	s := &session{Driver: &Driver{env: env}, meters: newMeters(env, drivertest.NewRecorder("meter"))}
	var frames framer
	for b.Loop() {
		frames.feed(telegram, func(f frame) { s.take(f) })
	}
	if s.count.refused() > 0 {
		b.Fatal(s.count)
	}
}
