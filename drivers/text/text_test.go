package text

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/serial"
	"hearth/drivers/serial/serialtest"
	"hearth/settings"
)

// parseConfig reads settings as a person writes them.
func parseConfig(t testing.TB, text string) Config {
	t.Helper()
	var c Config
	if err := settings.Parse("text.yaml", []byte("port: /dev/null\n"+text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// stream is a driver that reads from memory, in the time of synctest.
type stream struct {
	*driver
	home *drivertest.Recorder
	log  *bytes.Buffer
	far  net.Conn // the device's side
	stop func()
	done chan error
}

func startStream(t *testing.T, config string) *stream {
	t.Helper()
	s := &stream{home: drivertest.NewRecorder("t"), log: &bytes.Buffer{}, done: make(chan error, 1)}
	env := drivertest.NewEnv(t, "t")
	env.Log = slog.New(slog.NewTextHandler(s.log, nil))
	made, err := New(env, parseConfig(t, config))
	if err != nil {
		t.Fatal(err)
	}
	s.driver = made.(*driver)
	near, far := net.Pipe()
	s.far = far
	s.open = func(ctx context.Context, _ serial.Config) (serial.Port, error) {
		context.AfterFunc(ctx, func() { near.Close() })
		return near, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.stop = cancel
	go func() { s.done <- s.Run(ctx, s.home) }()
	time.Sleep(settling) // the first line is whole
	synctest.Wait()
	return s
}

func (s *stream) say(t *testing.T, lines string) {
	t.Helper()
	if _, err := io.WriteString(s.far, lines); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func (s *stream) close(t *testing.T) {
	t.Helper()
	s.stop()
	if err := <-s.done; err != nil {
		t.Errorf("Run returned %v", err)
	}
	s.far.Close()
	for _, fault := range s.home.Faults() {
		t.Error(fault)
	}
}

func (s *stream) counted(t *testing.T) map[string]int {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	var counts map[string]int
	if err := json.Unmarshal(w.Body.Bytes(), &counts); err != nil {
		t.Fatal(err)
	}
	return counts
}

func TestFormats(t *testing.T) {
	const fields = "fields: [{from: %, property: temperature}, {from: &, property: humidity}]\n"
	with := func(format, first, second string) string {
		return format + "\n" + strings.NewReplacer("%", first, "&", second).Replace(fields)
	}
	tests := map[string]struct{ config, line string }{
		"csv":               {with("format: csv", "1", "3"), "21.5,x,40"},
		"csv by name":       {with("format: csv\ncolumns: [t, x, h]", "t", "h"), "21.5,x,40"},
		"csv semicolons":    {with(`{format: csv, separator: ";"`, "1", "3")[1:], "21,5;x;40"},
		"csv tabs":          {with("format: csv\nseparator: tab", "1", "2"), "21.5\t40"},
		"csv quotes":        {with("format: csv", "1", "3"), `"21.5","a, b",40`},
		"json":              {with("format: json", "t", "/air/0/h"), `{"t": 21.5, "air": [{"h": 40}]}`},
		"json text numbers": {with("format: json", "/t", "/h"), `{"t": "21.5", "h": "40"}`},
		"json escapes":      {with("format: json", "/a~1b", "/c~0d"), `{"a/b": 21.5, "c~d": 40}`},
		"kv":                {with("format: kv", "T", "H"), "T=21.5 H=40 U=5"},
		"kv colons":         {with("format: kv", "T", "H"), "T:21.5; H:40;"},
		"kv own":            {with("format: kv\nseparator: \"|\"\nassign: \"->\"", "T out", "H"), "T out->21.5 | H->40"},
		"regex":             {with(`format: regex`+"\n"+`pattern: 'T(?P<t>[-0-9.]+)C H(?P<h>\d+)'`, "t", "h"), "> T21.5C H40%"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startStream(t, strings.TrimPrefix(strings.Replace(tt.config, `format: csv, separator`, "format: csv\nseparator", 1), "{"))
				s.say(t, tt.line+"\n")
				for property, want := range map[string]float64{"temperature": 21.5, "humidity": 40} {
					if r, ok := s.home.Last("t:1", property); !ok || r.Value != hearth.NumberOf(want) {
						t.Errorf("%s is %v, want %v; %s", property, r.Value, want, s.log)
					}
				}
				s.close(t)
			})
		})
	}
}

func TestValues(t *testing.T) {
	tests := map[string]struct {
		field string
		raw   any
		want  hearth.Value // zero: refused
		word  string       // what a command would send; "" where it is not the same
	}{
		"scaled":         {"{from: a, property: temperature, scale: 0.1, offset: -40}", "615", hearth.NumberOf(21.5), "615"},
		"no number":      {"{from: a, property: temperature}", "n/a", hearth.Value{}, ""},
		"not a number":   {"{from: a, property: temperature}", "nan", hearth.Value{}, ""},
		"bool":           {"{from: a, property: open}", "ON", hearth.BoolOf(true), ""},
		"bool number":    {"{from: a, property: open}", 0.0, hearth.BoolOf(false), "0"},
		"bool unknown":   {"{from: a, property: open}", "ajar", hearth.Value{}, ""},
		"map to bool":    {"{from: a, property: open, map: {AUF: true, ZU: false}}", "AUF", hearth.BoolOf(true), "AUF"},
		"map to number":  {"{from: a, property: battery, map: {low: 10, full: 100}}", "low", hearth.NumberOf(10), "low"},
		"map to text":    {"{from: a, property: lock, map: {L: locked, U: unlocked}}", "L", hearth.TextOf("locked"), "L"},
		"map unknown":    {"{from: a, property: lock, map: {L: locked}}", "X", hearth.Value{}, ""},
		"own text":       {"{from: a, property: phase_of_moon, kind: text}", "waxing", hearth.TextOf("waxing"), "waxing"},
		"own unit":       {"{from: a, property: rain, unit: mm}", "1.2", hearth.NumberOf(1.2), "1.2"},
		"object":         {"{from: a, property: rain}", map[string]any{}, hearth.Value{}, ""},
		"text to number": {"{from: a, property: rain}", true, hearth.Value{}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := parseConfig(t, "format: json\nfields: ["+tt.field+"]\n").Fields[0]
			got, err := f.value(tt.raw)
			if got != tt.want || (err == nil) == tt.want.IsZero() {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
			if tt.word == "" {
				return
			}
			if word, err := f.word(tt.want); err != nil || word != tt.word {
				t.Errorf("sent as %q, %v, want %q", word, err, tt.word)
			}
		})
	}
}

func TestBadLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStream(t, "format: kv\nignore: '^#'\nfields: [{from: T, property: temperature}, {from: H, property: humidity}]\n")
		s.say(t, "# weather\r\n\r\n\x00T=21.5\x1b[2J H=40\r\n")
		s.say(t, "rubbish\nmore rubbish\rX=1\nT=nan H=41\nT=22 H=1000\nT=23\xb0 H=42\n")
		s.say(t, strings.Repeat("x", 60_000))
		s.say(t, strings.Repeat("x", 60_000)+"T=99\n")
		s.say(t, "T=24\n")
		if r, _ := s.home.Last("t:1", "temperature"); r.Value != hearth.NumberOf(24) {
			t.Errorf("temperature %v, want 24", r.Value)
		}
		if r, _ := s.home.Last("t:1", "humidity"); r.Value != hearth.NumberOf(42) || s.home.Count("t:1", "humidity") != 3 {
			t.Errorf("humidity %v", r.Value)
		}
		want := map[string]int{"lines": 8, "not understood": 2, "nothing known": 1, "value of temperature": 3, "value of humidity": 1, "not UTF-8": 1, "too long": 1}
		if got := s.counted(t); !sameCounts(got, want) {
			t.Errorf("counted %v, want %v", got, want)
		}
		if got := strings.Count(s.log.String(), "not understood"); got != 1 {
			t.Errorf("lines that are not understood were logged %d times, want once", got)
		}
		s.close(t)
	})
}

func sameCounts(a, b map[string]int) bool {
	if len(a) != len(b) {
		return false
	}
	for k, n := range a {
		if b[k] != n {
			return false
		}
	}
	return true
}

func TestFirstLineMayBeCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		home := drivertest.NewRecorder("t")
		made, err := New(drivertest.NewEnv(t, "t"), parseConfig(t, "format: csv\nfields: [{from: 1, property: temperature}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		made.(*driver).open = func(context.Context, serial.Config) (serial.Port, error) { return near, nil }
		done := make(chan error)
		go func() { done <- made.Run(t.Context(), home) }()
		if _, err := io.WriteString(far, "1.5\n21.6\n"); err != nil { // the end of 21.5
			t.Fatal(err)
		}
		synctest.Wait()
		if r, _ := home.Last("t:1", "temperature"); r.Value != hearth.NumberOf(21.6) || home.Count("t:1", "temperature") != 1 {
			t.Errorf("temperature %v, reported %d times", r.Value, home.Count("t:1", "temperature"))
		}
		far.Close()
		if err := <-done; err == nil {
			t.Error("Run returned nil though the port was gone")
		}
	})
}

func TestDevicesFromLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStream(t, "format: json\ndevice_from: id\nname: Sensor\nfields: [{from: t, property: temperature}]\ncommands: {refresh: \"read {device}\\n\"}\n")
		s.say(t, `{"id":"Room 1/ü","t":20}`+"\n"+`{"id":1234567,"t":21}`+"\n"+`{"t":22}`+"\n"+`{"id":"--","t":1}`+"\n")
		if r, ok := s.home.Last("t:Room-1--", "temperature"); !ok || r.Value != hearth.NumberOf(20) {
			t.Errorf("devices %v", s.home.Devices())
		}
		d, ok := s.home.Device("t:1234567")
		if p, writable := d.Property("refresh"); !ok || d.Name != "Sensor 1234567" || !writable || !p.WriteOnly {
			t.Errorf("announced %+v", d)
		}
		if got := s.counted(t)["no device"]; got != 2 {
			t.Errorf("%d lines without a device, want 2", got)
		}
		sent := make(chan string)
		go func() { b := make([]byte, 64); n, _ := s.far.Read(b); sent <- string(b[:n]) }()
		err := s.Do(t.Context(), hearth.Command{Device: "t:Room-1--", Set: map[string]hearth.Value{"refresh": hearth.BoolOf(true)}})
		if got := <-sent; err != nil || got != "read Room 1/ü\n" {
			t.Errorf("sent %q, %v", got, err)
		}
		var lines strings.Builder
		for i := range maxDevices + 5 {
			lines.WriteString(`{"id":"d` + strings.Repeat("x", i%90) + string(rune('a'+i/90)) + `","t":1}` + "\n")
		}
		s.say(t, lines.String())
		if n := len(s.home.Devices()); n != maxDevices {
			t.Errorf("%d devices, want at most %d", n, maxDevices)
		}
		s.close(t)
	})
}

func TestTime(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		format  string
		raw     any
		trusted bool
		want    time.Time
		bad     bool
	}{
		"rfc3339":   {"", "2026-05-01T11:59:00Z", true, now.Add(-time.Minute), false},
		"unix":      {"unix", float64(now.Add(-time.Minute).Unix()), true, now.Add(-time.Minute), false},
		"unix_ms":   {"unix_ms", "1777636740000", true, now.Add(-time.Minute), false},
		"layout":    {"2006-01-02 15:04", now.Local().Format("2006-01-02 15:04"), true, now, false},
		"untrusted": {"", "2026-05-01T11:59:00Z", false, time.Time{}, false},
		"far away":  {"", "1970-01-01T00:00:00Z", true, time.Time{}, true},
		"rubbish":   {"unix", "soon", true, time.Time{}, true},
		"none":      {"", nil, true, time.Time{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			field := TimeField{From: "ts", Format: tt.format}
			got, err := field.when(func(string) any { return tt.raw }, now, tt.trusted)
			if !got.Equal(tt.want) || (err != nil) != tt.bad {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestAcknowledgement(t *testing.T) {
	const config = "format: kv\nack: '^OK {property} {value}$'\nack_timeout: 1s\n" +
		"fields: [{from: sp, property: target_temperature}, {property: note, kind: text}]\n" +
		"commands: {target_temperature: \"SET {property} {value}\\r\\n\", note: \"N {value}\\n\"}\n"
	synctest.Test(t, func(t *testing.T) {
		s := startStream(t, config)
		set := func(property string, v hearth.Value) error {
			return s.Do(t.Context(), hearth.Command{Device: "t:1", Set: map[string]hearth.Value{property: v}})
		}
		var dumb atomic.Bool
		go func() {
			b := make([]byte, 64)
			for {
				n, err := s.far.Read(b)
				if err != nil {
					return
				}
				if string(b[:n]) == "SET target_temperature 21.5\r\n" && !dumb.Load() {
					if _, err := io.WriteString(s.far, "OK target_temperature 21.5\r\nsp=21.5\r\n"); err != nil {
						return
					}
				}
			}
		}()
		if err := set("target_temperature", hearth.NumberOf(21.5)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if r, _ := s.home.Last("t:1", "target_temperature"); r.Value != hearth.NumberOf(21.5) {
			t.Errorf("reported %v", r.Value)
		}
		dumb.Store(true)
		for _, code := range []struct {
			property string
			value    hearth.Value
			want     string
		}{
			{"target_temperature", hearth.NumberOf(21.5), hearth.CodeUnknownOutcome},
			{"note", hearth.TextOf("x\ny"), hearth.CodeBadValue},
			{"humidity", hearth.NumberOf(1), hearth.CodeReadOnly},
		} {
			if err := set(code.property, code.value); !errors.Is(err, &hearth.Error{Code: code.want}) {
				t.Errorf("%s: %v, want code %s", code.property, err, code.want)
			}
		}
		if got := s.counted(t)["not understood"]; got != 0 {
			t.Errorf("%d acknowledgements were taken for bad lines", got)
		}
		s.close(t)
	})
}

func TestCheck(t *testing.T) {
	const good = "fields: [{from: a, property: temperature}]\n"
	tests := map[string]struct{ text, want string }{
		"format":      {"format: xml\n" + good, "2:9: want csv, json, kv or regex"},
		"no fields":   {"format: kv\n", "there are none"},
		"column":      {"format: csv\n" + good, "want the number of a column"},
		"group":       {"format: regex\npattern: '(?P<b>.)'\n" + good, `no group "a"`},
		"pattern":     {"format: regex\npattern: '(?P<b>.'\n" + good, "missing closing )"},
		"no pattern":  {"format: regex\n" + good, "is missing: an expression"},
		"separator":   {"format: csv\nseparator: ab\n" + good, "one character"},
		"unit":        {"format: kv\nfields: [{from: a, property: temperature, unit: °F}]\n", `temperature is in "°C" everywhere`},
		"kind":        {"format: kv\nfields: [{from: a, property: temperature, kind: text}]\n", "temperature is a number everywhere"},
		"no from":     {"format: kv\nfields: [{property: temperature}]\n", "where in the line"},
		"map":         {"format: kv\nfields: [{from: a, property: open, map: {X: 1}}]\n", "3:45: open takes a bool"},
		"twice":       {"format: kv\nfields: [{from: a, property: open}, {from: b, property: open}]\n", "open is there twice"},
		"two devices": {"format: kv\ndevice: x\ndevice_from: y\n" + good, "there is a device already"},
		"device":      {"format: kv\ndevice: 'x y'\n" + good, "letters, digits"},
		"ack":         {"format: kv\nack: '('\n" + good, "missing closing )"},
		"time":        {"format: kv\ntime: {from: a, format: iso}\n" + good, "want rfc3339, unix"},
		"property":    {"format: kv\nfields: [{from: a, property: Temp}]\n", "want [a-z]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var c Config
			err := settings.Parse("t.yaml", []byte("port: /dev/null\n"+tt.text), &c)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if _, err := New(hearth.Env{Name: "t"}, Config{}); err == nil {
				t.Error("New takes empty settings")
			}
		})
	}
}

func TestDriver(t *testing.T) {
	drivertest.Run(t, drivertest.Subject{
		Devices: []hearth.ID{"test:1"},
		Command: hearth.Command{Device: "test:1", Set: map[string]hearth.Value{"on": hearth.BoolOf(true), "brightness": hearth.NumberOf(40)}},
		New: func(t *testing.T, env hearth.Env) drivertest.Rig {
			port := serialtest.New(t)
			c := parseConfig(t, "format: kv\nack: 'OK'\nfields: [{from: \"on\", property: \"on\"}, {from: b, property: brightness}]\n"+
				"commands: {\"on\": \"on={value}\\n\", brightness: \"b={value}\\n\"}\n")
			c.Port = port.Path
			d, err := New(env, c)
			if err != nil {
				t.Fatal(err)
			}
			plugged := make(chan struct{}, 1)
			plugged <- struct{}{}
			var answering sync.WaitGroup
			answering.Go(func() {
				for range plugged {
					echoLines(port)
				}
			})
			t.Cleanup(func() { close(plugged); port.Unplug(); answering.Wait() })
			return drivertest.Rig{Driver: d, Break: port.Unplug, Mend: func() { port.Plug(t); plugged <- struct{}{} }}
		},
	})
}

// echoLines is a device that does what it is told: it acknowledges each line, and says it again as its state.
func echoLines(port io.ReadWriter) {
	var lines splitter
	chunk := make([]byte, 256)
	if _, err := io.WriteString(port, "\n"); err != nil {
		return
	}
	for {
		n, err := port.Read(chunk)
		failed := err
		lines.feed(chunk[:n], func(line []byte) {
			_, failed = io.WriteString(port, "OK\n"+string(line)+"\n"+string(line)+"\n")
		}, func() {})
		if failed != nil {
			return
		}
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\r\nb\n\nc\rd"), 2)
	f.Add(bytes.Repeat([]byte("x"), 200), 7)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		size = 1 + max(size, -size)%64
		var got []string
		var s splitter
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			s.feed(rest[:n], func(line []byte) { got = append(got, string(line)) }, func() { t.Error("too long") })
			rest = rest[n:]
			if len(stream) > maxLine {
				return
			}
		}
		var want []string
		parts := strings.Split(strings.ReplaceAll(string(stream), "\r", "\n"), "\n")
		for _, part := range parts[:len(parts)-1] {
			if part != "" {
				want = append(want, part)
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func FuzzLine(f *testing.F) {
	const fields = "device_from: %s\nfields: [{from: %s, property: temperature, scale: 0.1}, {from: %s, property: open}, {from: %s, property: note, kind: text}]\ntime: {from: %s}\n"
	configs := []string{
		"format: csv\n" + strings.ReplaceAll(fields, "%s", "1"),
		"format: json\n" + strings.ReplaceAll(fields, "%s", "/a/0"),
		"format: kv\n" + strings.ReplaceAll(fields, "%s", "a"),
		"format: regex\npattern: '(?P<a>.+)'\n" + strings.ReplaceAll(fields, "%s", "a"),
	}
	for _, line := range []string{`1,2,"3`, `{"a":[215]}`, "a=21.5", "a=", "\xff\x00", `{"a":[{}]}`} {
		for format := range configs {
			f.Add(uint8(format), []byte(line))
		}
	}
	f.Fuzz(func(t *testing.T, format uint8, line []byte) {
		made, err := New(hearth.Env{Name: "t", Log: slog.New(slog.DiscardHandler), Now: func() (time.Time, bool) { return time.Now(), true }},
			parseConfig(t, configs[int(format)%len(configs)]))
		if err != nil {
			t.Fatal(err)
		}
		home := drivertest.NewRecorder("t")
		made.(*driver).line(home, &session{}, line)
		for _, fault := range home.Faults() {
			t.Error(fault)
		}
	})
}
