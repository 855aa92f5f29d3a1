package edge

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"hearth/settings"
)

// reference returns configs/edge.yaml as it is, and with its examples taken in.
func reference(t *testing.T) (plain, full string) {
	t.Helper()
	data, err := os.ReadFile("../configs/edge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	full = strings.Replace(string(data), "drivers: {}\n", "", 1)
	// "#key" and "#  key" are examples, "# Words" is an explanation.
	full = regexp.MustCompile(`(?m)^#([^ #\n]|  )`).ReplaceAllString(full, "$1")
	return string(data), full
}

func TestReference(t *testing.T) {
	plain, full := reference(t)
	got, err := ParseConfig("edge.yaml", []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.Drivers = map[string]DriverConfig{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the reference is not the defaults:\n%+v\n%+v", got, want)
	}
	got, err = ParseConfig("edge.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	for typ := range kinds() {
		found := false
		for _, d := range got.Drivers {
			found = found || d.Type == typ
		}
		if !found {
			t.Errorf("no example of a driver of type %s", typ)
		}
	}
	for _, key := range keysOf(reflect.TypeFor[Config]()) {
		if !regexp.MustCompile(`(?m)[ {#]` + key + `:|^` + key + `:`).MatchString(plain) {
			t.Errorf("the key %s is not in the reference", key)
		}
	}
	for name, d := range got.Drivers {
		for _, key := range keysOf(reflect.TypeOf(d.config)) {
			if !regexp.MustCompile(`\b` + key + `\b`).MatchString(plain) {
				t.Errorf("the key %s of driver %s (%s) is not in the reference", key, name, d.Type)
			}
		}
	}
}

// keysOf lists the yaml keys of a struct and of those in it.
func keysOf(t reflect.Type) (keys []string) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return keysOf(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || name == "-" || name == "" && options == "" {
			continue
		}
		if name != "" {
			keys = append(keys, name)
		}
		keys = append(keys, keysOf(f.Type)...)
	}
	return keys
}

// TestPromised reads what INTERFACES.md shows, less the drivers that this version does not have.
func TestPromised(t *testing.T) {
	c, err := ParseConfig("edge.yaml", []byte(`
data: /var/lib/hearth-edge
home: Cabin
web:    {listen: "127.0.0.1:8470"}
buffer: {commit: 10s, cap: 512MiB, history: 7d}     # commit: how many seconds a power cut may cost
cloud:  {url: "https://hearth.example", token_file: /etc/hearth/cloud.token}
influx: {url: "http://127.0.0.1:8086", database: hearth}
homekit: {listen: ":8471", pin: "031-45-154"}
mqtt:   {listen: "127.0.0.1:1883"}
drivers:
  meter: {type: dsmr, port: /dev/ttyUSB1}
  bus:   {type: modbus, port: /dev/ttyUSB2, baud: 9600, devices: [{address: 1, profile: eastron-sdm120}]}
  mine:  {type: plugin, command: ["/usr/libexec/hearth/mine"]}
  toy:   {type: sim, devices: 20}
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Home != "Cabin" || c.Buffer.Commit.Std() != 10*time.Second || c.Buffer.Cap != 512<<20 || len(c.Drivers) != 4 || c.Drivers["meter"].port != "/dev/ttyUSB1" {
		t.Errorf("got %+v", c)
	}
}

func TestConfigProblems(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"nothing", "", ""},
		{"no drivers", "drivers:\n", ""},
		{"typo", "buffer:\n  comit: 10s\n", `edge.yaml:2:3: unknown key "comit": did you mean "commit"?`},
		{"typo in a driver", "drivers:\n  toy:\n    type: sim\n    devces: 20\n", `edge.yaml:4:5: unknown key "devces": did you mean "devices"?`},
		{"value in a driver", "drivers:\n  toy: {type: sim, devices: many}\n", "edge.yaml:2:29: want a whole number, not many"},
		{"range in a driver", "drivers:\n  toy: {type: sim, devices: -1}\n", "edge.yaml:2:29: want "},
		{"no type", "drivers:\n  toy: {devices: 20}\n", "edge.yaml:2:3: a driver needs a type"},
		{"empty driver", "drivers:\n  toy:\n", "edge.yaml:2:3: a driver needs a type"},
		{"unknown type", "drivers:\n  toy: {type: simm}\n", "edge.yaml:2:15: this version has no driver of type simm"},
		{"driver's name", "drivers:\n  Toy: {type: sim}\n", `edge.yaml:2:3: driver name "Toy"`},
		{"reserved name", "drivers:\n  buffer: {type: sim}\n", "edge.yaml:2:3: a driver cannot be named buffer"},
		{"profile", "drivers:\n  bus:\n    type: modbus\n    port: /dev/ttyUSB0\n    devices: [{address: 1, profile: nobody}]\n", "edge.yaml:5:37: "},
		{"missing port", "drivers:\n  bus: {type: modbus, devices: [{address: 1, profile: eastron-sdm120}]}\n", "edge.yaml:2:3: is missing: name a tty"},
		{"a driver twice", "drivers:\n  toy: {type: sim}\n  toy: {type: sim}\n", `edge.yaml:3:3: duplicate key "toy"`},
		{"listen", "web: {listen: 8470}", "edge.yaml:1:15: want an address and a port"},
		{"port", "web: {listen: ':84700'}", "edge.yaml:1:15: port 84700: want 0 to 65535"},
		{"commit", "buffer: {commit: 10}", "edge.yaml:1:18: duration 10: want a number and ms, s, m, h or d"},
		{"tiny cap", "buffer: {cap: 100kB}", "edge.yaml:1:15: cap: want at least 1MiB"},
		{"cloud without TLS", "cloud: {url: 'http://example.org', token_file: /x}", "edge.yaml:1:14: http:// to example.org"},
		{"cloud without token", "cloud: {url: 'https://example.org'}", "edge.yaml:1:1: cloud needs token_file"},
		{"influx both ways", "influx: {url: 'http://h:8086', database: a, bucket: b}", "edge.yaml:1:42: database is for version 1"},
		{"influx neither way", "influx: {url: 'http://h:8086'}", "edge.yaml:1:1: influx needs database"},
		{"password in an address", "influx: {url: 'http://u:p@h:8086', database: a}", "edge.yaml:1:15: a password does not belong here"},
		{"pin", "homekit: {pin: 03145154}", "edge.yaml:1:16: a pin looks like 031-45-154"},
		{"mqtt neither way", "mqtt: {discovery: homeassistant}", "edge.yaml:1:1: mqtt needs listen"},
		{"mqtt both ways", "mqtt: {listen: '127.0.0.1:1883', broker: 'mqtt://h:1883'}", "edge.yaml:1:1: mqtt needs listen"},
		{"discovery with a wildcard", "mqtt: {listen: '127.0.0.1:1883', discovery: 'home/#'}", "edge.yaml:1:45: discovery is the prefix"},
		{"discovery among our own", "mqtt: {listen: '127.0.0.1:1883', discovery: hearth}", "edge.yaml:1:45: discovery is the prefix"},
		{"no discovery", "mqtt: {listen: '127.0.0.1:1883', discovery: ''}", ""},
		{"level", "log: loud", "edge.yaml:1:6: log is debug"},
		{"several", "home: ''\nbuffer: {cap: 1}\ndrivers: {toy: {type: sim, seed: x}}\n", "edge.yaml:2:15: cap: want at least 1MiB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseConfig("edge.yaml", []byte(test.data))
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var problems settings.Problems
			if !errors.As(err, &problems) || !strings.HasPrefix(problems[0].Error(), test.want) {
				t.Errorf("got\n%v\nwant\n%s", err, test.want)
			}
		})
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	_, err := ParseConfig("edge.yaml", []byte("webb: {}\nbuffer: {cap: 1, commit: x}\ndrivers:\n  a: {type: sim, x: 1}\n  b: {type: nothing}\n  c: {type: dsmr}\n"))
	for _, want := range []string{"edge.yaml:1:1: unknown key", "edge.yaml:2:26: duration x", "edge.yaml:4:18: unknown key", "edge.yaml:5:13: this version", "edge.yaml:6:3: is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s\n%v", want, err)
		}
	}
}

func TestNeedsRestart(t *testing.T) {
	a, b := DefaultConfig(), DefaultConfig()
	if got := a.needsRestart(&b); got != nil {
		t.Errorf("nothing changed, and %v", got)
	}
	b.Web.Listen, b.Buffer.Cap, b.Drivers, b.Cloud = ":1", 7, map[string]DriverConfig{"x": {}}, &CloudConfig{}
	if got := a.needsRestart(&b); !reflect.DeepEqual(got, []string{"buffer", "web"}) {
		t.Errorf("got %v", got)
	}
}

func TestReceiver(t *testing.T) {
	c := DefaultConfig()
	c.Data = t.TempDir()
	if cloud, err := c.receiver(nil); cloud != nil || err != nil {
		t.Errorf("of none: %+v, %v", cloud, err)
	}
	if err := os.WriteFile(c.file(claimFile), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.receiver(nil); err == nil || !strings.Contains(err.Error(), "claim the home again") {
		t.Errorf("a broken claim: %v", err)
	}
	c.Cloud = &CloudConfig{URL: "https://example.org", TokenFile: filepath.Join(c.Data, "token")}
	if _, err := c.receiver(nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing token: %v", err)
	}
	if err := os.WriteFile(c.Cloud.TokenFile, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if cloud, err := c.receiver(nil); err != nil || cloud.Token != "secret" || cloud.URL != c.Cloud.URL {
		t.Errorf("got %+v, %v", cloud, err)
	}
}
