package cloud

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"hearth/settings"
)

// A Config is the whole configuration of a receiver: one file, written by a person and never by a program.
// configs/cloud.yaml explains every key.
type Config struct {
	Data     string         `yaml:"data"`
	Log      string         `yaml:"log"`
	Web      WebConfig      `yaml:"web"`
	MQTT     MQTTConfig     `yaml:"mqtt"`
	Ingest   IngestConfig   `yaml:"ingest"`
	Series   SeriesConfig   `yaml:"series"`
	Accounts AccountsConfig `yaml:"accounts"`
}

// WebConfig is the one port that has to be open: pages, API, writes, and MQTT over WebSocket.
type WebConfig struct {
	Listen      string `yaml:"listen"`
	OpenMetrics bool   `yaml:"open_metrics"`
}

// MQTTConfig is the embedded broker's plain listener, or an existing broker.
type MQTTConfig struct {
	Listen       string `yaml:"listen"`
	Broker       string `yaml:"broker"`
	Public       string `yaml:"public"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
}

// IngestConfig is how fast one home may write.
type IngestConfig struct {
	Rate settings.Size `yaml:"rate"`
}

// SeriesConfig is how long readings are kept; 0 for good.
type SeriesConfig struct {
	Retention settings.Duration `yaml:"retention"`
}

// AccountsConfig is where homes, tokens and commands are.
type AccountsConfig struct {
	Database     string `yaml:"database"`
	DatabaseFile string `yaml:"database_file"`
}

// DefaultConfig is what holds where nobody says otherwise.
func DefaultConfig() Config {
	return Config{
		Data:   "/var/lib/hearth-cloud",
		Log:    "info",
		Web:    WebConfig{Listen: "127.0.0.1:8480"},
		MQTT:   MQTTConfig{Listen: "127.0.0.1:8483"},
		Ingest: IngestConfig{Rate: 10_000_000},
		Series: SeriesConfig{Retention: settings.Duration(400 * 24 * time.Hour)},
	}
}

// LoadConfig reads the file at path. The error names everything that is wrong with it, by line and column; the world
// beside the file is not looked at.
func LoadConfig(path string) (Config, error) {
	c := DefaultConfig()
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

// seriesDir is where the readings are.
func (c *Config) seriesDir() string { return filepath.Join(c.Data, "series") }

// URL is where the pages are for somebody on this machine.
func (c *Config) URL() string {
	host, port, err := net.SplitHostPort(c.Web.Listen)
	if err != nil {
		return "http://" + c.Web.Listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Check implements the check of settings.
func (c *Config) Check() error {
	var problems []error
	if c.Data == "" {
		problems = append(problems, settings.At("$.data", "data needs a directory"))
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log) {
		problems = append(problems, settings.At("$.log", "log is debug, info, warn or error, not %s", c.Log))
	}
	return errors.Join(problems...)
}

// Check implements the check of settings.
func (c *WebConfig) Check() error {
	if !isAddress(c.Listen) {
		return settings.At("$.listen", "listen is an address with a port, as in 127.0.0.1:8480 or :8480, not %q", c.Listen)
	}
	return nil
}

// Check implements the check of settings.
func (c *MQTTConfig) Check() error {
	var problems []error
	if c.Listen != "" && !isAddress(c.Listen) {
		problems = append(problems, settings.At("$.listen", "listen is an address with a port, as in 127.0.0.1:8483, or empty for none, not %q", c.Listen))
	}
	for path, broker := range map[string]string{"$.broker": c.Broker, "$.public": c.Public} {
		if broker != "" && !isBroker(broker) {
			problems = append(problems, settings.At(path, "want the address of a broker, as in mqtts://mqtt.example:8883, without a password in it"))
		}
	}
	if c.Broker == "" && (c.Public != "" || c.Username != "" || c.PasswordFile != "") {
		problems = append(problems, settings.At("$", "public, username and password_file belong to a broker: name it in mqtt.broker"))
	}
	return errors.Join(problems...)
}

// Check implements the check of settings.
func (c *IngestConfig) Check() error {
	if c.Rate != 0 && c.Rate < 100_000 {
		return settings.At("$.rate", "rate is at least 100kB a second, or 0 for no limit")
	}
	return nil
}

// Check implements the check of settings.
func (c *SeriesConfig) Check() error {
	if d := c.Retention.Std(); d != 0 && d < 24*time.Hour {
		return settings.At("$.retention", "retention is at least 1d, or 0 to keep everything")
	}
	return nil
}

// Check implements the check of settings.
func (c *AccountsConfig) Check() error {
	if c.Database != "" && c.DatabaseFile != "" {
		return settings.At("$.database_file", "database and database_file say the same thing: give one of them")
	}
	if c.Database != "" && !isPostgres(c.Database) {
		return settings.At("$.database", "database is empty for SQLite in data, or postgres://…")
	}
	return nil
}

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n <= 65535
}

func isBroker(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return false
	}
	_, password := u.User.Password()
	return !password && slices.Contains([]string{"mqtt", "mqtts", "ws", "wss"}, u.Scheme)
}

func isPostgres(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql")
}
