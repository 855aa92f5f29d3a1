package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"hearth/drivers/mqtt/dialect"
	"hearth/drivers/mqtt/mapped"
	"hearth/settings"
)

// A Config is one broker and how devices speak there.
type Config struct {
	Broker       string `yaml:"broker"` // mqtt://host:1883, mqtts://host:8883, ws://host/path or wss://host/path
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	CA           string `yaml:"ca"` // a file with the certificates to trust, instead of the machine's

	Dialects   []string `yaml:"dialects"`    // nil: all
	BaseTopics []string `yaml:"base_topics"` // of Zigbee2MQTT; none: all that are there, one level deep
	Discovery  string   `yaml:"discovery"`   // where devices announce themselves to Home Assistant; "" means homeassistant

	Map []mapped.Device `yaml:"map"` // devices that speak none of these
}

// Check says what is wrong with the settings.
func (c Config) Check() error {
	var problems []error
	say := func(path, format string, args ...any) {
		problems = append(problems, settings.At(path, format, args...))
	}
	if _, err := c.url(); err != nil {
		say("broker", "%v", err)
	}
	if c.PasswordFile != "" && c.Username == "" {
		say("username", "is missing: a password needs one")
	}
	if c.CA != "" && !strings.HasPrefix(c.Broker, "mqtts:") && !strings.HasPrefix(c.Broker, "wss:") {
		say("ca", "is for mqtts:// and wss:// only")
	}
	seen := map[string]bool{}
	for i, name := range c.Dialects {
		switch {
		case !slices.Contains(dialectNames(), name):
			say(fmt.Sprintf("dialects[%d]", i), "want one of %s, not %q", strings.Join(dialectNames(), ", "), name)
		case seen[name]:
			say(fmt.Sprintf("dialects[%d]", i), "%s is there twice", name)
		}
		seen[name] = true
	}
	for i, topic := range c.BaseTopics {
		if dialect.CheckTopic(topic) != nil || strings.Trim(topic, "/") != topic {
			say(fmt.Sprintf("base_topics[%d]", i), "want a topic such as zigbee2mqtt, not %q", topic)
		}
	}
	if c.Discovery != "" && (dialect.CheckTopic(c.Discovery) != nil || strings.Trim(c.Discovery, "/") != c.Discovery) {
		say("discovery", "want a topic such as homeassistant, not %q", c.Discovery)
	}
	if c.Dialects != nil && len(c.Dialects) == 0 && len(c.Map) == 0 {
		say("dialects", "there are none, and nothing in map: no device would be seen")
	}
	if err := mapped.Check(c.Map); err != nil {
		problems = append(problems, fmt.Errorf("map: %w", err))
	}
	return errors.Join(problems...)
}

// url is where the broker is, with the usual port.
func (c Config) url() (*url.URL, error) {
	ports := map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}
	u, err := url.Parse(c.Broker)
	if err != nil || c.Broker == "" || ports[u.Scheme] == "" || u.Hostname() == "" {
		return nil, fmt.Errorf("want the broker's address, as mqtt://127.0.0.1:1883, mqtts://host, ws://host/path or wss://host/path")
	}
	if u.User != nil {
		return nil, errors.New("user and password do not belong here: use username and password_file")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), ports[u.Scheme])
	}
	return u, nil
}

// password reads it; "" if there is none.
func (c Config) password(log *slog.Logger) (string, error) {
	if c.PasswordFile == "" {
		return "", nil
	}
	return settings.Secret(c.PasswordFile, log)
}

// trust is whom to believe to be the broker.
func (c Config) trust(host string) (*tls.Config, error) {
	t := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if c.CA == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("reading ca: %w", err)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", c.CA)
	}
	return t, nil
}
