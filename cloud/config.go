package cloud

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hearth/cloud/archive"
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
	Mail     MailConfig     `yaml:"mail"`
	Notify   NotifyConfig   `yaml:"notify"`
}

// WebConfig is the one port that has to be open: pages, API, writes, and MQTT over WebSocket.
type WebConfig struct {
	Listen      string    `yaml:"listen"`
	Public      string    `yaml:"public"`
	OpenMetrics bool      `yaml:"open_metrics"`
	TLS         TLSConfig `yaml:"tls"`
}

// MQTTConfig is the embedded broker's plain listener, or an existing broker.
type MQTTConfig struct {
	Listen       string `yaml:"listen"`
	TLS          bool   `yaml:"tls"`
	Broker       string `yaml:"broker"`
	Public       string `yaml:"public"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
}

// IngestConfig is how fast one home may write, and how fast all of them together send what has piled up.
type IngestConfig struct {
	Rate  settings.Size `yaml:"rate"`
	Drain settings.Size `yaml:"drain"`
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
		Web:    WebConfig{Listen: "127.0.0.1:8480", TLS: TLSConfig{ACME: ACMEConfig{Hosts: []string{}, Directory: letsEncrypt}}},
		MQTT:   MQTTConfig{Listen: "127.0.0.1:8483"},
		Ingest: IngestConfig{Rate: 10_000_000},
		Series: defaultSeries(),
		Mail:   MailConfig{TLS: "starttls"},
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
func (c *Config) seriesDir() string { return filepath.Join(c.Data, archive.SeriesDir) }

// URL is where the pages are: web.public, or else as somebody on this machine reaches them.
func (c *Config) URL() string {
	if c.Web.Public != "" {
		return strings.TrimRight(c.Web.Public, "/")
	}
	scheme := "http://"
	if c.Web.TLS.On() {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(c.Web.Listen)
	if err != nil {
		return scheme + c.Web.Listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	if hosts := c.Web.TLS.ACME.Hosts; len(hosts) > 0 {
		host = hosts[0]
	}
	if c.Web.TLS.On() && port == "443" {
		return scheme + host
	}
	return scheme + net.JoinHostPort(host, port)
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
	if c.MQTT.TLS && !c.Web.TLS.On() {
		problems = append(problems, settings.At("$.mqtt.tls", "tls uses the certificates of web.tls: say there where they come from"))
	}
	return errors.Join(problems...)
}

// Check implements the check of settings.
func (c *WebConfig) Check() error {
	if !isAddress(c.Listen) {
		return settings.At("$.listen", "listen is an address with a port, as in 127.0.0.1:8480 or :8480, not %q", c.Listen)
	}
	if c.Public != "" && !isSite(c.Public) {
		return settings.At("$.public", "public is the address of the pages as others reach them, as in https://hearth.example, not %q", c.Public)
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
	if c.Drain != 0 && c.Drain < 10_000 {
		return settings.At("$.drain", "drain is at least 10kB a second, or 0 for no limit")
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
