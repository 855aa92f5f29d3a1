package modbus

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"hearth"
	"hearth/configs"
	"hearth/settings"
)

func TestBuiltinProfiles(t *testing.T) {
	files, err := fs.Glob(configs.Profiles(), "*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("profiles %v, %v", files, err)
	}
	for _, file := range files {
		p, err := loadProfile(strings.TrimSuffix(file, ".yaml"), configs.Profiles(), "")
		if err != nil {
			t.Error(err)
			continue
		}
		d := newDevice(hearth.Env{Name: "bus"}, Config{}, DeviceConfig{Address: 1}, p)
		if err := d.Check(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestSDMAddresses holds the profiles against the meters' manuals, input registers counted from 30001.
func TestSDMAddresses(t *testing.T) {
	single := map[string]int{
		"voltage": 30001, "current": 30007, "power": 30013, "power_apparent": 30019, "power_reactive": 30025, "power_factor": 30031,
		"frequency": 30071, "energy": 30073, "energy_exported": 30075, "energy_total": 30343,
	}
	wants := map[string]map[string]int{
		"eastron-sdm120": single,
		"eastron-sdm230": single,
		"eastron-sdm630": {
			"voltage_l1": 30001, "voltage_l2": 30003, "voltage_l3": 30005, "current_l1": 30007, "current_l2": 30009, "current_l3": 30011,
			"power_l1": 30013, "power_l2": 30015, "power_l3": 30017, "power_factor_l1": 30031, "power_factor_l2": 30033, "power_factor_l3": 30035,
			"current": 30049, "power": 30053, "power_apparent": 30057, "power_reactive": 30061, "power_factor": 30063,
			"frequency": 30071, "energy": 30073, "energy_exported": 30075, "energy_total": 30343,
		},
	}
	for name, want := range wants {
		p, err := loadProfile(name, configs.Profiles(), "")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, r := range p.Registers {
			if r.Table != "input" || r.Format != "float32" || r.Order != "ABCD" {
				t.Errorf("%s: %+v", name, r)
			}
			got[r.Property] = 30001 + int(r.Address)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// TestExampleShowsEveryKey keeps the profile that people copy complete.
func TestExampleShowsEveryKey(t *testing.T) {
	text, err := fs.ReadFile(configs.Profiles(), "example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []any{Profile{}, Register{}} {
		for i := range reflect.TypeOf(s).NumField() {
			key := reflect.TypeOf(s).Field(i).Tag.Get("yaml")
			if !regexp.MustCompile(`(?m)(^|[{ ])` + key + `:[ \n]`).Match(text) {
				t.Errorf("example.yaml does not show %s", key)
			}
		}
	}
}

func TestProfileErrors(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"empty":         {"", "1:1: registers: there are none"},
		"unknown key":   {"registers:\n  - {property: power, tabel: input}\n", `p.yaml:2:23: unknown key "tabel": did you mean "table"?`},
		"table":         {"registers:\n  - {property: power, table: inputs, address: 1, type: int16}", "p.yaml:2:30: want input, holding"},
		"type":          {"registers:\n  - {property: power, table: input, address: 1, type: int17}", "2:55: want int16"},
		"no type":       {"registers:\n  - {property: power, table: input, address: 1}", "want int16"},
		"kind":          {"registers:\n  - {property: power, table: coil, address: 1}", "power is a number, and this register holds a bool"},
		"unit":          {"registers:\n  - {property: power, table: input, address: 1, type: int16, unit: kW}", `power is in "W" everywhere`},
		"writable":      {"registers:\n  - {property: power, table: input, address: 1, type: int16, writable: true}", "only holding registers and coils"},
		"twice":         {"registers:\n  - {property: power, table: input, address: 1, type: int16}\n  - {property: power, table: input, address: 2, type: int16}", "3:16: power is there twice"},
		"order":         {"registers:\n  - {property: power, table: input, address: 1, type: int32, order: ACBD}", "want ABCD, CDAB"},
		"mask":          {"registers:\n  - {property: power, table: input, address: 1, type: int16, mask: 0x10000}", "more bits than the register"},
		"mask of float": {"registers:\n  - {property: power, table: input, address: 1, type: float32, mask: 1}", "only whole numbers"},
		"end":           {"registers:\n  - {property: power, table: input, address: 65535, type: int32}", "beyond 65535"},
		"address":       {"registers:\n  - {property: power, table: input, address: 65536, type: int16}", "from 0 to 65535"},
		"string":        {"registers:\n  - {property: serial, table: input, address: 1, type: string}", "length in registers"},
		"reachable":     {"registers:\n  - {property: reachable, table: coil, address: 1}", "reported by itself"},
		"device type":   {"type: toaster\nregisters:\n  - {property: power, table: input, address: 1, type: int16}", "1:7: want one of"},
		"nothing":       {"registers:\n  - {property: power, table: input, address: 1, type: int16}\n  -\n", "3:5: is empty"},
		"limit":         {"max_registers: 126\nregisters:\n  - {property: power, table: input, address: 1, type: int16}", "want 1 to 125"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parseProfile("p.yaml", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLoadProfile(t *testing.T) {
	dir := t.TempDir()
	const text = "registers: [{property: power, table: input, address: 1, type: int16}]\n"
	if err := os.WriteFile(filepath.Join(dir, "mine.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	builtin := fstest.MapFS{"known.yaml": {Data: []byte(text)}}
	for name, want := range map[string]string{
		"known": "", "./mine.yaml": "", "mine.yaml": "", filepath.Join(dir, "mine.yaml"): "",
		"unknown": "there are known;", "./other.yaml": "no such file",
	} {
		_, err := loadProfile(name, builtin, dir)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	_, err := New(hearth.Env{Name: "bus"}, Config{Devices: []DeviceConfig{{Address: 1, Profile: "unknown"}}}, builtin)
	if err == nil || !strings.Contains(err.Error(), "devices[0].profile: there is no profile") {
		t.Errorf("New with an unknown profile: %v", err)
	}
}

func TestConfig(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"good":     {"port: /dev/ttyUSB0\nbaud: 2400\ndevices: [{address: 1, profile: x}]", ""},
		"none":     {"port: /dev/ttyUSB0", "there are none"},
		"address":  {"port: /dev/ttyUSB0\ndevices: [{address: 248, profile: x}]", "c.yaml:2:21: want 1 to 247"},
		"tcp":      {"port: tcp://10.0.0.1:502\ndevices: [{address: 255, profile: x}]", ""},
		"twice":    {"port: /dev/ttyUSB0\ndevices: [{address: 1, profile: x}, {address: 1, profile: x}]", "2:47: 1 is there twice"},
		"profile":  {"port: /dev/ttyUSB0\ndevices: [{address: 1}]", "is missing: which kind"},
		"mode":     {"port: /dev/ttyUSB0\nmode: tcp\ndevices: [{address: 1, profile: x}]", "2:7: Modbus TCP needs"},
		"baud":     {"port: /dev/ttyUSB0\nbaud: 7\ndevices: [{address: 1, profile: x}]", "2:7: want 50 to"},
		"short":    {"port: /dev/ttyUSB0\npoll: 1ms\ndevices: [{address: 1, profile: x}]", "want at least 10ms"},
		"too long": {"port: /dev/ttyUSB0\ntimeout: 2h\ndevices: [{address: 1, profile: x}]", "at most a minute"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var c Config
			err := settings.Parse("c.yaml", []byte(tt.text), &c)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	slow := Config{Config: serialConfig(2400)}
	if slow.pause() < 16*time.Millisecond || slow.pause() > 17*time.Millisecond {
		t.Errorf("pause at 2400 baud: %v, want 3.5 characters of 11 bits", slow.pause())
	}
}

func TestValues(t *testing.T) {
	tests := map[string]struct {
		register Register
		words    []uint16
		value    hearth.Value
	}{
		"float32":          {Register{Format: "float32"}, []uint16{0x4366, 0x3333}, hearth.NumberOf(230.2)},
		"float32 swapped":  {Register{Format: "float32", Order: "CDAB"}, []uint16{0x3333, 0x4366}, hearth.NumberOf(230.2)},
		"float32 bytes":    {Register{Format: "float32", Order: "BADC"}, []uint16{0x6643, 0x3333}, hearth.NumberOf(230.2)},
		"float32 little":   {Register{Format: "float32", Order: "DCBA"}, []uint16{0x3333, 0x6643}, hearth.NumberOf(230.2)},
		"int16":            {Register{Format: "int16"}, []uint16{0xfffe}, hearth.NumberOf(-2)},
		"int16 scaled":     {Register{Format: "int16", Scale: 0.1}, []uint16{2301}, hearth.NumberOf(230.1)},
		"int16 offset":     {Register{Format: "int16", Scale: 0.1, Offset: -40}, []uint16{615}, hearth.NumberOf(21.5)},
		"uint16":           {Register{Format: "uint16"}, []uint16{0xfffe}, hearth.NumberOf(65534)},
		"int32":            {Register{Format: "int32"}, []uint16{0xffff, 0xfffe}, hearth.NumberOf(-2)},
		"uint32":           {Register{Format: "uint32", Scale: 0.001}, []uint16{1, 0}, hearth.NumberOf(65.536)},
		"int64":            {Register{Format: "int64"}, []uint16{0xffff, 0xffff, 0xffff, 0xfffe}, hearth.NumberOf(-2)},
		"uint64":           {Register{Format: "uint64"}, []uint16{0, 1, 0, 0}, hearth.NumberOf(1 << 32)},
		"uint64 swapped":   {Register{Format: "uint64", Order: "CDAB"}, []uint16{0, 0, 1, 0}, hearth.NumberOf(1 << 32)},
		"float64":          {Register{Format: "float64"}, []uint16{0x3ff8, 0, 0, 0}, hearth.NumberOf(1.5)},
		"coil":             {Register{Format: "bool", Table: "coil"}, []uint16{1}, hearth.BoolOf(true)},
		"bool in register": {Register{Format: "bool", Mask: 4}, []uint16{4}, hearth.BoolOf(true)},
		"bits":             {Register{Format: "uint16", Mask: 0xff00}, []uint16{0x1200}, hearth.NumberOf(0x12)},
		"enum":             {Register{Format: "int16", Enum: map[int]string{-1: "off", 1: "heat"}}, []uint16{0xffff}, hearth.TextOf("off")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := ready(tt.register)
			if got := r.value(tt.words); got != tt.value {
				t.Errorf("read %v, want %v", got, tt.value)
			}
			if back, err := r.encode(tt.value, make([]uint16, r.size())); err != nil || !slices.Equal(back, tt.words) {
				t.Errorf("written as %x, %v, want %x", back, err, tt.words)
			}
		})
	}
}

// ready fills in what Check would.
func ready(r Register) *Register {
	if r.Order == "" {
		r.Order = "ABCD"
	}
	if r.Scale == 0 {
		r.Scale = 1
	}
	return &r
}

func TestNoValue(t *testing.T) {
	nan := math.Float32bits(float32(math.NaN()))
	for name, tt := range map[string]struct {
		register Register
		words    []uint16
	}{
		"NaN":          {Register{Format: "float32"}, []uint16{uint16(nan >> 16), uint16(nan)}},
		"infinite":     {Register{Format: "float32"}, []uint16{0x7f80, 0}},
		"unknown enum": {Register{Format: "uint16", Enum: map[int]string{1: "heat"}}, []uint16{2}},
	} {
		if got := ready(tt.register).value(tt.words); !got.IsZero() {
			t.Errorf("%s: read %v, want nothing", name, got)
		}
	}
	text := ready(Register{Format: "string", Length: 3})
	if got := text.value([]uint16{0x4142, 0x4320, 0x0044}); got != hearth.TextOf("ABC") {
		t.Errorf("string: %v", got)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		register Register
		value    hearth.Value
	}{
		"too large":    {Register{Format: "int16"}, hearth.NumberOf(32768)},
		"too small":    {Register{Format: "uint16"}, hearth.NumberOf(-1)},
		"scaled":       {Register{Format: "int16", Scale: 0.001}, hearth.NumberOf(40)},
		"float":        {Register{Format: "float32"}, hearth.NumberOf(1e300)},
		"unknown word": {Register{Format: "int16", Enum: map[int]string{1: "heat"}}, hearth.TextOf("cool")},
		"beyond mask":  {Register{Format: "uint16", Mask: 0x0f}, hearth.NumberOf(16)},
	} {
		if words, err := ready(tt.register).encode(tt.value, []uint16{0}); !errors.Is(err, &hearth.Error{Code: hearth.CodeBadValue}) {
			t.Errorf("%s: %x, %v", name, words, err)
		}
	}
	keeps := ready(Register{Format: "uint16", Mask: 0xf0})
	if words, err := keeps.encode(hearth.NumberOf(3), []uint16{0xabcd}); err != nil || words[0] != 0xab3d {
		t.Errorf("with a mask: %x, %v", words, err)
	}
}

func TestPlan(t *testing.T) {
	float := func(addresses ...uint16) (all []*Register) {
		for _, a := range addresses {
			all = append(all, &Register{Table: "input", Address: a, Format: "float32"})
		}
		return all
	}
	other := append(float(0), &Register{Table: "coil", Address: 1, Format: "bool"}, &Register{Table: "coil", Address: 40, Format: "bool"})
	tests := map[string]struct {
		registers  []*Register
		gap, limit int
		want       [][2]int // address and count
	}{
		"adjacent":      {float(0, 2, 4), 0, 125, [][2]int{{0, 6}}},
		"any order":     {float(4, 0, 2), 0, 125, [][2]int{{0, 6}}},
		"gap allowed":   {float(0, 6), 4, 125, [][2]int{{0, 8}}},
		"gap too wide":  {float(0, 7), 4, 125, [][2]int{{0, 2}, {7, 2}}},
		"limit":         {float(0, 2, 4, 6), 0, 4, [][2]int{{0, 4}, {4, 4}}},
		"at the limit":  {float(0, 123), 125, 125, [][2]int{{0, 125}}},
		"beyond it":     {float(0, 124), 125, 125, [][2]int{{0, 2}, {124, 2}}},
		"overlapping":   {float(0, 1), 0, 125, [][2]int{{0, 3}}},
		"tables apart":  {other, 16, 125, [][2]int{{1, 40}, {0, 2}}},
		"SDM120's own":  {float(0, 6, 12, 18, 24, 30, 70, 72, 74, 342), 16, 80, [][2]int{{0, 32}, {70, 6}, {342, 2}}},
		"the last ones": {float(65532, 65534), 0, 125, [][2]int{{65532, 4}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got [][2]int
			for _, s := range plan(tt.registers, tt.gap, tt.limit) {
				got = append(got, [2]int{s.first(), s.count()})
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	group := plan([]*Register{
		{Table: "input", Address: 0, Format: "float32"}, {Table: "input", Address: 2, Format: "float32"}, {Table: "input", Address: 10, Format: "float32"},
	}, 16, 125)[0]
	halves := group.split()
	if len(halves) != 2 || halves[0].count() != 4 || halves[1].first() != 10 {
		t.Errorf("not split at the gap: %+v", halves)
	}
	if more := halves[0].split(); len(more) != 2 || more[0].count() != 2 {
		t.Errorf("without a gap not halved: %+v", more)
	}
	if halves[1].split() != nil {
		t.Error("a single register was split")
	}
}

func FuzzProfile(f *testing.F) {
	for _, text := range []string{ // short: the fuzzer spends its time on making long ones shorter
		"type: meter\nregisters: [{property: power, table: input, address: 0x0C, type: float32, order: CDAB}]",
		"gap: 4\nmax_registers: 8\nregisters: [{property: \"on\", table: coil, address: 0, writable: true}]",
		"registers: [{property: hvac_mode, table: holding, address: 1, type: int16, enum: {0: \"off\"}, mask: 0xF0}]",
		"poll: 1m\nregisters: [{property: x, table: input, address: 9, type: string, length: 8, poll: 1h}]",
		"registers: [{property: y, table: holding, address: 2, type: uint64, scale: 0.1, offset: -4, unit: bar, min: 0, max: 6}]",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parseProfile("fuzz.yaml", text)
		if err != nil {
			return
		}
		d := newDevice(hearth.Env{Name: "bus"}, Config{}, DeviceConfig{Address: 1}, p)
		if err := d.Check(); err != nil {
			t.Fatalf("a profile was taken whose device cannot be announced: %v", err)
		}
		for _, task := range d.every {
			for _, s := range plan(task.registers, p.Gap, p.Limit) {
				values := make([]uint16, s.count())
				if !s.registers[0].bits() && len(s.registers) > 1 && s.count() > maxReadRegisters || s.count() > maxReadBits {
					t.Fatalf("a read of %d", s.count())
				}
				for _, r := range s.registers {
					if v := r.value(s.words(r, values)); !v.IsZero() && v.Kind() != r.property().Kind {
						t.Errorf("%s: %v is no %s", r.Property, v, r.property().Kind)
					}
				}
			}
		}
	})
}
