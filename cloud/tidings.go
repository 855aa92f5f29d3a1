package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/alerts"
	"hearth/cloud/certs"
	"hearth/cloud/fleet"
	"hearth/cloud/notify"
	"hearth/cloud/series"
	"hearth/settings"
)

// Tidings are what people and their programs are told of: alerts and deliveries. They are made after the rooms that
// have something to tell; until then there is nobody to tell.
type tidings struct {
	alerts *alerts.Alerts
	notes  *notify.Notify
	mail   notify.Mail
}

// open makes the rooms and takes over what is open, so that what happens from then on is told.
func (t *tidings) open(ctx context.Context, c Config, o Options, books *accounts.Accounts, store *series.Store, homes *fleet.Fleet, certificates *certs.Certificates, publish func(home, kind string, body any)) error {
	mail, err := c.Mail.open(c.URL(), o.Log)
	if err != nil {
		return err
	}
	notes := notify.New(notify.Options{Accounts: books, Mail: mail, Private: c.Notify.Private, Version: o.Version, Log: o.Log})
	if err := notes.Load(ctx); err != nil {
		return err
	}
	self := self{data: c.Data, certificates: certificates, log: o.Log}
	kept := alerts.New(alerts.Options{
		Accounts: books, Wrong: homes.Wrong, Look: homes.Look, Own: self.wrong,
		Unexplained: func(home string) (int64, error) {
			report, err := store.Ledger(home, time.Time{}, time.Time{})
			return report.Total.Unexplained, err
		},
		Tell: notes.Tell, Told: notes.Wake, Emit: publish, Log: o.Log,
	})
	if err := kept.Load(ctx); err != nil {
		return err
	}
	t.notes, t.alerts, t.mail = notes, kept, mail
	return nil
}

// hear takes an event of a home.
func (t *tidings) hear(home, kind string, body any) {
	if t.alerts != nil {
		t.alerts.Touch(home)
		t.notes.Publish("", home, kind, body)
	}
}

// of returns a home's open alerts.
func (t *tidings) of(home string) []hearth.Alert {
	if t.alerts == nil {
		return nil
	}
	return t.alerts.Open(home)
}

func (t *tidings) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return t.alerts.Run(ctx) })
	group.Go(func() error { return t.notes.Run(ctx) })
	return group.Wait()
}

func (t *tidings) routes() []api.Route { return append(t.alerts.Routes(), t.notes.Routes()...) }

// self is the receiver as something that may be ill.
type self struct {
	data         string
	certificates *certs.Certificates // nil: no TLS
	log          *slog.Logger
}

const (
	diskLow, diskFine = 10, 15 // percent that are free
	certificateLow    = 14 * 24 * time.Hour
)

// wrong says what is wrong with the receiver itself.
func (s *self) wrong() (conditions []hearth.Condition) {
	var disk unix.Statfs_t
	if err := unix.Statfs(s.data, &disk); err != nil {
		s.log.Error("looking at the disk of the data directory", "err", err)
	} else if disk.Blocks > 0 {
		free := 100 * float64(disk.Bavail) / float64(disk.Blocks)
		if free < diskFine {
			conditions = append(conditions, hearth.Condition{
				Kind: hearth.AlertReceiver, About: "disk", Severity: hearth.SeverityCritical, Keeps: free >= diskLow, For: time.Minute,
				Detail: fmt.Sprintf("the disk of the receiver has %.1f %% left: make room, or nothing can be stored", free),
			})
		}
	}
	if s.certificates == nil {
		return conditions
	}
	if end := s.certificates.Expires(); !end.IsZero() && time.Until(end) < certificateLow {
		conditions = append(conditions, hearth.Condition{
			Kind: hearth.AlertReceiver, About: "certificate", Severity: hearth.SeverityCritical, For: time.Hour,
			Detail: "the receiver's certificate ends " + end.UTC().Format(hearth.TimeForm) + " and was not renewed",
		})
	}
	return conditions
}

// MailConfig says how e-mail is sent; without a host none is.
type MailConfig struct {
	Host         string `yaml:"host"`
	Port         int    `yaml:"port"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	From         string `yaml:"from"`
	TLS          string `yaml:"tls"`
}

// NotifyConfig says where webhooks may go.
type NotifyConfig struct {
	Private bool `yaml:"private"`
}

// Check implements the check of settings.
func (c *MailConfig) Check() error {
	var problems []error
	if c.Port < 0 || c.Port > 65535 {
		problems = append(problems, settings.At("$.port", "port is 1 to 65535, or 0 for the one that belongs to tls"))
	}
	if c.TLS != "starttls" && c.TLS != "tls" && c.TLS != "none" {
		problems = append(problems, settings.At("$.tls", "tls is starttls, tls or none, not %s", c.TLS))
	}
	if (c.Host == "") != (c.From == "") {
		problems = append(problems, settings.At("$", "a mail server and a sender belong together: give both host and from"))
	}
	if c.From != "" && !notify.IsAddress(c.From) {
		problems = append(problems, settings.At("$.from", "from is an e-mail address, as in hearth@example.org, not %q", c.From))
	}
	if (c.Username == "") != (c.PasswordFile == "") {
		problems = append(problems, settings.At("$", "username and password_file belong together: give both or none"))
	}
	return errors.Join(problems...)
}

// open reads the password. pages is where links lead.
func (c *MailConfig) open(pages string, log *slog.Logger) (notify.Mail, error) {
	m := notify.Mail{Host: c.Host, Port: c.Port, Username: c.Username, From: c.From, Security: c.TLS, Pages: pages}
	if c.PasswordFile != "" {
		var err error
		if m.Password, err = settings.Secret(c.PasswordFile, log); err != nil {
			return m, fmt.Errorf("mail.password_file: %w", err)
		}
	}
	return m, nil
}
