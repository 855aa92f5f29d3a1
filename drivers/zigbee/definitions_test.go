package zigbee

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A file that is wrong is left out, and named; the others, ours and the devices go on. When it is mended it counts.
func TestAFileOfDefinitionsIsWrongAtTheStart(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const lampOne, other = "- match: {model: LAMP-1}\n  vendor: Mine\n  model: Best Lamp\n", "- match: {model: T-1}\n  vendor: Mine\n  model: Mercury\n"
	write("bad.yaml", "- match: {model: LAMP-1}\n  colour: green\n")
	write("good.yaml", other)
	a := newAir()
	inHouse(t, Config{Definitions: folder}, a, func(h *house) {
		lamp, sensor, valve := lamp(2, 0x1111), thermometer(3, 0x2222), tuyaMember(lamp(4, 0x3333), "_TZE284_kobbcyum")
		for _, m := range []*member{lamp, sensor, valve} {
			a.join(m)
		}
		wait(20 * time.Second)
		shown := func() (names []string) {
			for _, d := range get[overview](t, h, "/").Devices {
				names = append(names, d.Definition)
			}
			return names
		}
		expect := func(when, names, refused string) {
			t.Helper()
			o := get[overview](t, h, "/")
			if got := strings.Join(shown(), ", "); got != names {
				t.Errorf("%s the definitions are %q, want %q", when, got, names)
			}
			if refused == "" && o.Refused != "" || !strings.Contains(o.Refused, refused) {
				t.Errorf("%s the overview says %q, want %q", when, o.Refused, refused)
			}
		}
		expect("at the start", "generic, Mine Mercury, Tongou TOWSMR1 breaker with meter", "bad.yaml:2")
		write("more.yaml", "- match: {model: LAMP-1}\n  like: {vendor: Nobody, model: Nothing}\n")
		wait(2 * lookEvery)
		expect("with two that are wrong", "generic, Mine Mercury, Tongou TOWSMR1 breaker with meter", "more.yaml:2")
		if err := os.Remove(filepath.Join(folder, "more.yaml")); err != nil {
			t.Fatal(err)
		}
		write("bad.yaml", lampOne)
		wait(2 * lookEvery)
		expect("mended", "Mine Best Lamp, Mine Mercury, Tongou TOWSMR1 breaker with meter", "")
		write("good.yaml", "- match: {model: T-1}\n  colour: red\n")
		wait(2 * lookEvery)
		expect("after a slip of the pen", "Mine Best Lamp, Mine Mercury, Tongou TOWSMR1 breaker with meter", "good.yaml:2")
	})
}
