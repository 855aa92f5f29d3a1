package edge

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
	"hearth/edge/homekit"
	"hearth/edge/uplink"
	"hearth/settings"
)

// A Config is the whole configuration of a gateway: one file, written by a person and never by a program. What the page
// or a command changes is kept in the data directory. configs/edge.yaml explains every key.
type Config struct {
	Data    string                  `yaml:"data"`
	Home    string                  `yaml:"home"`
	Log     string                  `yaml:"log"`
	Web     WebConfig               `yaml:"web"`
	Buffer  BufferConfig            `yaml:"buffer"`
	Cloud   *CloudConfig            `yaml:"cloud"`
	Influx  *InfluxConfig           `yaml:"influx"`
	HomeKit *HomeKitConfig          `yaml:"homekit"`
	MQTT    *MQTTConfig             `yaml:"mqtt"`
	Drivers map[string]DriverConfig `yaml:"drivers"`

	path string // of the file, "" if there is none
}

// WebConfig is the gateway's own HTTP.
type WebConfig struct {
	Listen      string `yaml:"listen"`
	OpenMetrics bool   `yaml:"open_metrics"`
}

// BufferConfig is how readings are kept.
type BufferConfig struct {
	Commit  settings.Duration `yaml:"commit"`
	Cap     settings.Size     `yaml:"cap"`
	History settings.Duration `yaml:"history"`
}

// CloudConfig is the receiver, for a gateway that did not claim its home.
type CloudConfig struct {
	URL       string `yaml:"url"`
	TokenFile string `yaml:"token_file"`
	Insecure  bool   `yaml:"insecure"`
}

// InfluxConfig is a second target: any InfluxDB or VictoriaMetrics.
type InfluxConfig struct {
	URL         string `yaml:"url"`
	Database    string `yaml:"database"`
	Org         string `yaml:"org"`
	Bucket      string `yaml:"bucket"`
	TokenFile   string `yaml:"token_file"`
	NumbersOnly bool   `yaml:"numbers_only"`
}

// HomeKitConfig is the Apple bridge.
type HomeKitConfig struct {
	Listen string `yaml:"listen"`
	PIN    string `yaml:"pin"`
}

// MQTTConfig is the gateway's own MQTT face: an embedded broker, or an existing one.
type MQTTConfig struct {
	Listen       string  `yaml:"listen"`
	Broker       string  `yaml:"broker"`
	Username     string  `yaml:"username"`
	PasswordFile string  `yaml:"password_file"`
	Discovery    *string `yaml:"discovery"`
}

// DefaultConfig is what holds where nobody says otherwise.
func DefaultConfig() Config {
	return Config{
		Data:   "/var/lib/hearth-edge",
		Home:   "Home",
		Log:    "info",
		Web:    WebConfig{Listen: "127.0.0.1:8470"},
		Buffer: BufferConfig{Commit: settings.Duration(10 * time.Second), Cap: 512 << 20, History: settings.Duration(7 * 24 * time.Hour)},
	}
}

// LoadConfig reads the file at path. The error names everything that is wrong with it, by line and column; the world
// beside the file is not looked at.
func LoadConfig(path string) (Config, error) {
	c := DefaultConfig()
	c.path = path
	err := settings.Load(path, &c)
	return c, err
}

// ParseConfig is LoadConfig for a configuration that is no file.
func ParseConfig(name string, data []byte) (Config, error) {
	c := DefaultConfig()
	err := settings.Parse(name, data, &c)
	return c, err
}

// Level returns how much is logged.
func (c *Config) Level() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log)); err != nil {
		return slog.LevelInfo
	}
	return level
}

var driverName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// reserved are names in the data directory that no driver can have.
var reserved = []string{"buffer", "state", "tokens", "lock", "cloud", "homekit", "mqtt", "rules"}

// Check implements the check of settings.
func (c *Config) Check() error {
	var problems []error
	if c.Data == "" {
		problems = append(problems, settings.At("$.data", "data needs a directory"))
	}
	if c.Home == "" || len(c.Home) > 64 || strings.ContainsAny(c.Home, "\n\r\\") {
		problems = append(problems, settings.At("$.home", "home needs a name of at most 64 bytes on one line"))
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log) {
		problems = append(problems, settings.At("$.log", "log is debug, info, warn or error, not %s", c.Log))
	}
	for name, driver := range c.Drivers {
		switch {
		case !driverName.MatchString(name):
			problems = append(problems, settings.At("$.drivers."+name, "driver name %q: want lower-case letters, digits, _ and -, a letter first, at most 32", name))
		case slices.Contains(reserved, name):
			problems = append(problems, settings.At("$.drivers."+name, "a driver cannot be named %s: the gateway keeps things of its own under that name", name))
		case driver.build != nil:
			env := hearth.Env{Name: name, Dir: c.file(name), Log: slog.New(slog.DiscardHandler), Now: func() (time.Time, bool) { return time.Time{}, false }}
			_, err := driver.build(env, c.dir())
			problems = append(problems, driver.part.Place(err))
		}
	}
	return errors.Join(problems...)
}

// Check implements the check of settings.
func (c WebConfig) Check() error { return checkListen("$.listen", c.Listen) }

func checkListen(path, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return settings.At(path, "want an address and a port, as in 127.0.0.1:8470, or :8470 for everybody in the network")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return settings.At(path, "port %s: want 0 to 65535", port)
	}
	return nil
}

// Check implements the check of settings.
func (c BufferConfig) Check() error {
	var problems []error
	if c.Commit < settings.Duration(100*time.Millisecond) || c.Commit > settings.Duration(time.Hour) {
		problems = append(problems, settings.At("$.commit", "commit is how much a power cut may cost: want 100ms to 1h, not %s", c.Commit))
	}
	if c.Cap < 1<<20 {
		problems = append(problems, settings.At("$.cap", "cap: want at least 1MiB, not %s", c.Cap))
	}
	if c.History < settings.Duration(time.Minute) {
		problems = append(problems, settings.At("$.history", "history: want at least 1m, not %s", c.History))
	}
	return errors.Join(problems...)
}

// Check implements the check of settings.
func (c CloudConfig) Check() error {
	if c.URL == "" {
		return settings.At("$.url", "cloud needs the receiver's url; or leave cloud out and join a home with hearth-edge claim")
	}
	if err := uplink.CheckURL(c.URL, c.Insecure); err != nil {
		return settings.At("$.url", "%s", strings.Replace(err.Error(), "-insecure", "insecure: true", 1))
	}
	if c.TokenFile == "" {
		return settings.At("$.token_file", "cloud needs token_file, a file that holds the gateway's token; or leave cloud out and join a home with hearth-edge claim")
	}
	return nil
}

// Check implements the check of settings.
func (c InfluxConfig) Check() error {
	if err := checkURL("$.url", c.URL, "http", "https"); err != nil {
		return err
	}
	switch v2 := c.Org != "" || c.Bucket != ""; {
	case v2 && c.Database != "":
		return settings.At("$.database", "database is for version 1, org and bucket are for version 2: name only one of the two")
	case v2 && c.Bucket == "":
		return settings.At("$.bucket", "influx needs bucket beside org")
	case !v2 && c.Database == "":
		return settings.At("$.database", "influx needs database (version 1), or org and bucket (version 2)")
	}
	return nil
}

func checkURL(path, text string, schemes ...string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		return settings.At(path, "want an address as in %s://host:port", schemes[0])
	}
	if u.User != nil {
		return settings.At(path, "a password does not belong here: put it into a file of its own")
	}
	return nil
}

var pinForm = regexp.MustCompile(`^[0-9]{3}-[0-9]{2}-[0-9]{3}$`)

// Check implements the check of settings.
func (c HomeKitConfig) Check() error {
	if c.PIN != "" && !pinForm.MatchString(c.PIN) {
		return settings.At("$.pin", "a pin looks like 031-45-154, in quotes")
	}
	if c.PIN != "" && homekit.CheckPIN(c.PIN) != nil {
		return settings.At("$.pin", "%s is a pin that everybody tries first, and that Apple forbids: choose another, or leave it out", c.PIN)
	}
	return checkListen("$.listen", cmp.Or(c.Listen, ":8471"))
}

var discoveryForm = regexp.MustCompile(`^([A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)?$`)

// Check implements the check of settings.
func (c MQTTConfig) Check() error {
	switch {
	case (c.Listen == "") == (c.Broker == ""):
		return settings.At("$", "mqtt needs listen, for a broker of the gateway's own, or broker, for an existing one: one of the two")
	case c.Discovery != nil && !discoveryForm.MatchString(*c.Discovery), c.discovery() == "hearth", strings.HasPrefix(c.discovery(), "hearth/"):
		return settings.At("$.discovery", "discovery is the prefix that Home Assistant looks under, as in homeassistant; empty announces nothing")
	case c.Broker != "":
		return checkURL("$.broker", c.Broker, "mqtt", "mqtts", "ws", "wss")
	case c.Username != "" || c.PasswordFile != "":
		return settings.At("$.username", "username and password_file belong to broker; who may use the gateway's own broker is decided by its tokens")
	}
	return checkListen("$.listen", c.Listen)
}

// dir is where relative paths in the configuration begin.
func (c *Config) dir() string { return filepath.Dir(c.path) }

// file returns a path in the data directory.
func (c *Config) file(name string) string { return filepath.Join(c.Data, name) }

// needsRestart names what differs between two configurations and is only read at the start.
func (c *Config) needsRestart(next *Config) (keys []string) {
	for key, differs := range map[string]bool{
		"data": c.Data != next.Data, "home": c.Home != next.Home, "web": c.Web != next.Web,
		"buffer": c.Buffer != next.Buffer, "log": c.Log != next.Log, "homekit": !reflect.DeepEqual(c.HomeKit, next.HomeKit),
		"mqtt": !reflect.DeepEqual(c.MQTT, next.MQTT),
	} {
		if differs {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// String keeps a configuration from being logged with what is in it.
func (c Config) String() string { return fmt.Sprintf("configuration %s", c.path) }
