// Package people is the HTTP of who may do what: tenants, people and their roles, sessions and passwords, tokens, and
// who did what. The rules are those of package accounts.
package people

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

const (
	sweepEvery  = time.Hour
	mostMails   = 64 // that wait to be sent; who asks for more is told to come again
	mailTimeout = time.Minute
)

// Options are what a People is made with.
type Options struct {
	Accounts *accounts.Accounts
	Auth     *api.Auth
	Address  func(*http.Request) string // who is asking, for the throttles and the audit

	// Erase removes what others keep of a home that is being deleted. Nil: nobody keeps anything.
	Erase func(ctx context.Context, home string) error

	// Changed is told what became of a home, one of the words of package hearth. Nil: nobody is.
	Changed func(home accounts.Home, change string)

	// Readings writes all readings of a home as line protocol, for its export. Nil: the export has none.
	Readings func(ctx context.Context, home string, w io.Writer) error

	// Mail sends a mail. Nil: there are no mails, and administrators hand links over themselves.
	Mail func(ctx context.Context, to, subject, text string) error

	// URL is where people reach the pages, as in https://hearth.example. A mail never takes it from a request: who asks
	// for somebody else's link could have it lead to a place of their own. Without it there are no mails.
	URL string

	Now func() time.Time // nil: time.Now
	Log *slog.Logger
}

// A People serves its routes as soon as it is made; Run sends its mails and removes what is over.
type People struct {
	o     Options
	guess *guesses
	mails chan letter
}

// A letter is a mail that waits. Without a link it is for who forgot a password: whether there is somebody of that
// address is looked up later, so that the answer takes as long either way.
type letter struct {
	to, link string
	expires  hearth.Time
	invited  bool
}

// New returns a People.
func New(o Options) *People {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Erase == nil {
		o.Erase = func(context.Context, string) error { return nil }
	}
	if o.Changed == nil {
		o.Changed = func(accounts.Home, string) {}
	}
	return &People{o: o, guess: newGuesses(o.Now), mails: make(chan letter, mostMails)}
}

// Routes returns the routes for the receiver's table.
func (p *People) Routes() []api.Route {
	return slices.Concat(p.signInRoutes(), p.sessionRoutes(), p.userRoutes(), p.grantRoutes(), p.tokenRoutes(), p.tenantRoutes(), p.homeRoutes(), p.auditRoutes())
}

// Run sends mails and sweeps until ctx ends.
func (p *People) Run(ctx context.Context) error {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case l := <-p.mails:
			p.send(ctx, l)
		case <-sweep.C:
			if err := p.o.Accounts.Sweep(ctx); err != nil && ctx.Err() == nil {
				p.o.Log.Error("what is over could not be removed", "err", err)
			}
		}
	}
}

// asker is who makes a request.
func asker(r *http.Request) hearth.Token { return api.TokenOf(r.Context()) }

// about tells the audit what a request was about and, as its path does not say, where: those who administer that place
// read of it.
func about(r *http.Request, tenant, home, words string) {
	if tenant != "" {
		r.SetPathValue("tenant", tenant)
	}
	if home != "" {
		r.SetPathValue("home", home)
	}
	api.Note(r.Context(), words)
}

// audit keeps what the table does not: what nobody who is let in by a token does.
func (p *People) audit(r *http.Request, e accounts.AuditEntry) {
	e.Address = p.o.Address(r)
	if err := p.o.Accounts.Audit(context.WithoutCancel(r.Context()), e); err != nil {
		p.o.Log.Error("who did it could not be kept", "action", e.Action, "who", e.Who, "err", err)
	}
}

// CanMail reports whether people get mails from here.
func (p *People) CanMail() bool { return p.o.Mail != nil && p.o.URL != "" }

// post has a letter sent; false if too many wait.
func (p *People) post(l letter) bool {
	select {
	case p.mails <- l:
		return true
	default:
		return false
	}
}

func (p *People) send(ctx context.Context, l letter) {
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	if l.link == "" {
		user, link, err := p.o.Accounts.Forgotten(ctx, l.to)
		if err != nil {
			if hearth.ErrorOf(err).Code != hearth.CodeNotFound {
				p.o.Log.Error("a link for a forgotten password could not be made", "err", err)
			}
			return
		}
		l = letter{to: user.Email, link: p.o.URL + accounts.LinkPath + link.Secret, expires: link.Expires, invited: user.Invited}
	}
	subject, first := "A new password for Hearth", "Somebody, most likely you, asked for a new password for Hearth. If it was not you, do nothing: the old one stays."
	if l.invited {
		subject, first = "You are invited to Hearth", "You are invited to Hearth."
	}
	text := first + "\n\nChoose your password here:\n\n" + l.link + "\n\nThe link works once, until " + l.expires.UTC().Format("2 January 2006 15:04") + " UTC.\n"
	if err := p.o.Mail(ctx, l.to, subject, text); err != nil {
		p.o.Log.Error("a mail could not be sent", "err", err)
	}
}

// linkTo is a link's address for who asked for it.
func (p *People) linkTo(r *http.Request, link accounts.Link) string {
	base := p.o.URL
	if base == "" {
		scheme := "http"
		if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
			scheme = "https"
		}
		base = scheme + "://" + r.Host
	}
	return strings.TrimSuffix(base, "/") + accounts.LinkPath + link.Secret
}
