package notify

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"hearth"
)

const (
	mailTime  = 30 * time.Second
	mailHomes = 50 // of an outage, by name
)

// Mail says how e-mail is sent.
type Mail struct {
	Host     string // "": no e-mail is sent
	Port     int    // 0: what belongs to Security
	Username string
	Password string
	From     string
	Security string // starttls, tls or none
	Pages    string // where people find this receiver's pages; "" leaves the link out

	TLS *tls.Config // nil: the machine's own roots
}

// mail sends an event to the addresses of a target.
func (n *Notify) mail(ctx context.Context, t *Target, e Event) error {
	m := n.o.Mail
	if m.Host == "" {
		return errors.New("this receiver sends no e-mail: its operator has to name a server in mail.host")
	}
	subject, text := n.letter(ctx, e)
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(message.From(m.From), message.To(t.To...)); err != nil {
		return fmt.Errorf("an address cannot be used: %w", err)
	}
	message.Subject(subject)
	message.SetDateWithValue(e.Time.Time)
	message.SetMessageIDWithValue(e.ID + "." + t.ID + "@" + domain(m.From)) // the same when it is sent again
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetGenHeader("X-Hearth-Event", e.ID)
	message.SetBodyString(mail.TypeTextPlain, text)
	return m.deliver(ctx, message)
}

// Send sends a letter to one person that is no event: an invitation, a link for a new password.
func (m *Mail) Send(ctx context.Context, to, subject, text string) error {
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(message.From(m.From), message.To(to)); err != nil {
		return fmt.Errorf("an address cannot be used: %w", err)
	}
	message.Subject(subject)
	message.SetDate()
	message.SetMessageIDWithValue(rand.Text() + "@" + domain(m.From))
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(mail.TypeTextPlain, text)
	return m.deliver(ctx, message)
}

func (m *Mail) deliver(ctx context.Context, message *mail.Msg) error {
	client, err := m.client()
	if err != nil {
		return fmt.Errorf("the mail server: %w", err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("the mail server: %w", err)
	}
	sent := client.SendWithSMTPClient(session, message)
	_ = client.CloseWithSMTPClient(session) // a goodbye that fails makes no letter undone
	if sent != nil {
		return fmt.Errorf("the mail server: %w", sent)
	}
	return nil
}

func (m *Mail) client() (*mail.Client, error) {
	options := []mail.Option{mail.WithTimeout(mailTime), mail.WithTLSConfig(m.tls())}
	switch m.Security {
	case "tls":
		options = append(options, mail.WithSSLPort(false))
	case "none":
		options = append(options, mail.WithTLSPortPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPortPolicy(mail.TLSMandatory))
	}
	if m.Port != 0 {
		options = append(options, mail.WithPort(m.Port))
	}
	if m.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.Username), mail.WithPassword(m.Password))
	}
	return mail.NewClient(m.Host, options...)
}

func (m *Mail) tls() *tls.Config {
	if m.TLS != nil {
		return m.TLS
	}
	return &tls.Config{ServerName: m.Host, MinVersion: tls.VersionTLS12}
}

// IsAddress reports whether s is an e-mail address that letters can come from, with or without a name.
func IsAddress(s string) bool {
	_, err := netmail.ParseAddress(s)
	return err == nil && !strings.ContainsAny(s, "\r\n")
}

func domain(address string) string {
	_, domain, _ := strings.Cut(strings.TrimSuffix(address, ">"), "@")
	return domain
}

// letter puts an event into words.
func (n *Notify) letter(ctx context.Context, e Event) (subject, text string) {
	var b strings.Builder
	switch e.Kind {
	case KindAlert:
		var a hearth.AlertEvent
		_ = json.Unmarshal(e.Body, &a) // it is ours
		subject = headline(e.HomeName, a)
		n.tellAlert(ctx, &b, e.HomeName, a)
	case KindSummary:
		var s Summary
		_ = json.Unmarshal(e.Body, &s)
		subject = fmt.Sprintf("%d events during the quiet hours", s.Count)
		for _, event := range s.Events {
			var a hearth.AlertEvent
			line := event.Kind + " " + event.HomeName
			if event.Kind == KindAlert && json.Unmarshal(event.Body, &a) == nil {
				line = headline(event.HomeName, a) + ": " + a.Detail
			}
			fmt.Fprintf(&b, "%s  %s\n", event.Time.UTC().Format("2006-01-02 15:04 UTC"), line)
		}
	case KindTest:
		subject = "A test"
		b.WriteString("Somebody wanted to know whether this address receives what Hearth has to say. It does.\n")
	default:
		subject = strings.TrimSpace(e.HomeName + " " + e.Kind)
		fmt.Fprintf(&b, "%s\n", e.Body)
	}
	if n.o.Mail.Pages != "" {
		fmt.Fprintf(&b, "\n%s/alerts\n", n.o.Mail.Pages)
	}
	return "[Hearth] " + subject, b.String()
}

// headline is an alert in a few words.
func headline(home string, a hearth.AlertEvent) string {
	where := home
	switch {
	case a.Kind == hearth.AlertOutage:
		where = fmt.Sprintf("%d homes", a.Count)
	case a.Home == "":
		where = "The receiver"
	}
	words := where + ": " + strings.ReplaceAll(a.Kind, "_", " ")
	switch {
	case a.Change == hearth.AlertCleared:
		return words + " is over"
	case a.Severity == hearth.SeverityCritical:
		return "CRITICAL " + words
	}
	return words
}

func (n *Notify) tellAlert(ctx context.Context, b *strings.Builder, home string, a hearth.AlertEvent) {
	fmt.Fprintf(b, "%s\n\n", a.Detail)
	if home != "" {
		fmt.Fprintf(b, "Home:     %s (%s)\n", home, a.Home)
	}
	if a.About != "" {
		fmt.Fprintf(b, "About:    %s\n", a.About)
	}
	fmt.Fprintf(b, "Severity: %s\nSince:    %s\n", a.Severity, a.Raised.UTC().Format(time.RFC1123))
	if !a.Cleared.IsZero() {
		fmt.Fprintf(b, "Until:    %s\n", a.Cleared.UTC().Format(time.RFC1123))
	}
	if a.Times > 1 {
		fmt.Fprintf(b, "It has come and gone %d times.\n", a.Times)
	}
	if len(a.Homes) == 0 {
		return
	}
	b.WriteString("\nAway still:\n")
	for i, id := range a.Homes {
		if i == mailHomes {
			fmt.Fprintf(b, "  and %d more\n", len(a.Homes)-i)
			return
		}
		name := id
		if h, err := n.o.Accounts.Home(ctx, id); err == nil {
			name = h.Name + " (" + id + ")"
		}
		fmt.Fprintf(b, "  %s\n", name)
	}
}
