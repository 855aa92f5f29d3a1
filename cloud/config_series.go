package cloud

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"hearth/cloud/forward"
	"hearth/settings"
)

// SeriesConfig is how long readings are kept, 0 for good, for how long those that came lately are at hand for others,
// and which databases get them, too, and give old ones back.
type SeriesConfig struct {
	Retention settings.Duration `yaml:"retention"`
	Log       settings.Duration `yaml:"log"`
	Forward   []DatabaseConfig  `yaml:"forward"`
	Read      ReadConfig        `yaml:"read"`
}

// DatabaseConfig is another database: VictoriaMetrics, or InfluxDB v1 (database) or v2 (org and bucket).
type DatabaseConfig struct {
	URL          string `yaml:"url"`
	Database     string `yaml:"database"`
	Org          string `yaml:"org"`
	Bucket       string `yaml:"bucket"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	TokenFile    string `yaml:"token_file"`
	NumbersOnly  bool   `yaml:"only_numbers"`
}

// ReadConfig is a database that readings older than Before come from; none without a URL.
type ReadConfig struct {
	URL          string            `yaml:"url"`
	Kind         string            `yaml:"kind"`
	Database     string            `yaml:"database"`
	Username     string            `yaml:"username"`
	PasswordFile string            `yaml:"password_file"`
	TokenFile    string            `yaml:"token_file"`
	Before       settings.Duration `yaml:"before"`
}

func defaultSeries() SeriesConfig {
	const day = settings.Duration(24 * time.Hour)
	return SeriesConfig{Retention: 400 * day, Log: 2 * day, Forward: []DatabaseConfig{}, Read: ReadConfig{Kind: forward.Victoria, Before: 90 * day}}
}

// Check implements the check of settings.
func (c *SeriesConfig) Check() error {
	var problems []error
	if d := c.Retention.Std(); d != 0 && d < 24*time.Hour {
		problems = append(problems, settings.At("$.retention", "retention is at least 1d, or 0 to keep everything"))
	}
	if d := c.Log.Std(); d < time.Hour || d > 30*24*time.Hour {
		problems = append(problems, settings.At("$.log", "log is 1h to 30d"))
	}
	return errors.Join(problems...)
}

// Check implements the check of settings.
func (c *DatabaseConfig) Check() error {
	var problems []error
	if !isDatabase(c.URL) {
		problems = append(problems, settings.At("$.url", "url is the address of a database, as in http://127.0.0.1:8428, without a password in it"))
	}
	if (c.Bucket == "") != (c.Org == "") || c.Bucket != "" && c.Database != "" {
		problems = append(problems, settings.At("$", "give database for InfluxDB v1 or VictoriaMetrics, or both org and bucket for InfluxDB v2"))
	}
	if (c.Username == "") != (c.PasswordFile == "") || c.Username != "" && c.TokenFile != "" {
		problems = append(problems, settings.At("$", "give username and password_file, or token_file, or none of them"))
	}
	return errors.Join(problems...)
}

// Check implements the check of settings.
func (c *ReadConfig) Check() error {
	if c.URL == "" {
		return nil
	}
	var problems []error
	if !isDatabase(c.URL) {
		problems = append(problems, settings.At("$.url", "url is the address of a database, as in http://127.0.0.1:8428, without a password in it"))
	}
	if c.Kind != forward.Victoria && c.Kind != forward.Influx {
		problems = append(problems, settings.At("$.kind", "kind is %s or %s, not %q", forward.Victoria, forward.Influx, c.Kind))
	}
	if c.Before.Std() < 24*time.Hour {
		problems = append(problems, settings.At("$.before", "before is at least 1d: what is newer is here"))
	}
	if (c.Username == "") != (c.PasswordFile == "") || c.Username != "" && c.TokenFile != "" {
		problems = append(problems, settings.At("$", "give username and password_file, or token_file, or none of them"))
	}
	return errors.Join(problems...)
}

func isDatabase(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && (u.Scheme == "https" || u.Scheme == "http")
}

// targets reads the secrets.
func (c *SeriesConfig) targets(log *slog.Logger) ([]forward.Target, error) {
	var targets []forward.Target
	for _, d := range c.Forward {
		t := forward.Target{URL: d.URL, Database: d.Database, Org: d.Org, Bucket: d.Bucket, Username: d.Username, NumbersOnly: d.NumbersOnly}
		var err error
		if t.Password, t.Token, err = secrets("series.forward", d.PasswordFile, d.TokenFile, log); err != nil {
			return nil, err
		}
		if t.Database == "" && t.Bucket == "" {
			t.Database = "hearth"
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// far is the database that old readings come from; nil where none is configured.
func (c *ReadConfig) far(log *slog.Logger) (*forward.Far, error) {
	if c.URL == "" {
		return nil, nil
	}
	o := forward.FarOptions{URL: c.URL, Kind: c.Kind, Database: c.Database, Username: c.Username, Before: c.Before.Std()}
	var err error
	if o.Password, o.Token, err = secrets("series.read", c.PasswordFile, c.TokenFile, log); err != nil {
		return nil, err
	}
	return forward.NewFar(o), nil
}

// secrets reads a password and a token from their files, as far as they are named.
func secrets(about, passwordFile, tokenFile string, log *slog.Logger) (password, token string, err error) {
	if passwordFile != "" {
		if password, err = settings.Secret(passwordFile, log); err != nil {
			return "", "", fmt.Errorf("%s.password_file: %w", about, err)
		}
	}
	if tokenFile != "" {
		if token, err = settings.Secret(tokenFile, log); err != nil {
			return "", "", fmt.Errorf("%s.token_file: %w", about, err)
		}
	}
	return password, token, nil
}
