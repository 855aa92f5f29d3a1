package cloud

import (
	"errors"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hearth/cloud/archive"
	"hearth/cloud/certs"
	"hearth/settings"
)

// letsEncrypt is the authority that is asked for certificates unless another one is named.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// TLSConfig says where the certificates come from; with neither files nor hosts there is no TLS.
type TLSConfig struct {
	CertFile   string     `yaml:"cert_file"`
	KeyFile    string     `yaml:"key_file"`
	ACME       ACMEConfig `yaml:"acme"`
	HTTPListen string     `yaml:"http_listen"`
}

// ACMEConfig is an authority that gives certificates by itself, and the names that they are for.
type ACMEConfig struct {
	Hosts     []string `yaml:"hosts"`
	Email     string   `yaml:"email"`
	Directory string   `yaml:"directory"`
	CAFile    string   `yaml:"ca_file"`
}

// On reports whether the web port speaks TLS.
func (c *TLSConfig) On() bool { return c.CertFile != "" || len(c.ACME.Hosts) > 0 }

// Check implements the check of settings.
func (c *TLSConfig) Check() error {
	var problems []error
	if (c.CertFile == "") != (c.KeyFile == "") {
		problems = append(problems, settings.At("$", "a certificate and its key belong together: give both cert_file and key_file"))
	}
	if c.CertFile != "" && len(c.ACME.Hosts) > 0 {
		problems = append(problems, settings.At("$.acme", "certificates come from files or by acme: give one of them"))
	}
	if c.HTTPListen != "" && !c.On() {
		problems = append(problems, settings.At("$.http_listen", "http_listen sends everybody to https, and there is none: give cert_file and key_file, or acme.hosts"))
	}
	if c.HTTPListen != "" && !isAddress(c.HTTPListen) {
		problems = append(problems, settings.At("$.http_listen", "http_listen is an address with a port, as in :80, or empty for none, not %q", c.HTTPListen))
	}
	return errors.Join(problems...)
}

// Check implements the check of settings.
func (c *ACMEConfig) Check() error {
	name := regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]*[A-Za-z][A-Za-z0-9-]*\.?$`)
	var problems []error
	if i := slices.IndexFunc(c.Hosts, func(host string) bool { return len(host) > 253 || !name.MatchString(host) }); i >= 0 {
		problems = append(problems, settings.At("$.hosts", "hosts are names that lead to this machine, as in hearth.example, not %q", c.Hosts[i]))
	}
	if !isSite(c.Directory) || !strings.HasPrefix(c.Directory, "https:") {
		problems = append(problems, settings.At("$.directory", "directory is the https:// address of an ACME authority, not %q", c.Directory))
	}
	return errors.Join(problems...)
}

func isSite(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && (u.Scheme == "https" || u.Scheme == "http")
}

// certificates opens those that the configuration names; nil where there is no TLS.
func (c *Config) certificates(log *slog.Logger) (*certs.Certificates, error) {
	t := c.Web.TLS
	if !t.On() {
		return nil, nil
	}
	o := certs.Options{CertFile: t.CertFile, KeyFile: t.KeyFile, Log: log}
	if len(t.ACME.Hosts) > 0 {
		o.ACME = &certs.ACME{
			Hosts: t.ACME.Hosts, Email: t.ACME.Email, Directory: t.ACME.Directory, CAFile: t.ACME.CAFile,
			Cache: filepath.Join(c.Data, archive.CertsDir),
		}
	}
	return certs.Open(o)
}
