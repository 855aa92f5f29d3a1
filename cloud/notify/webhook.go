package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"hearth"
)

const (
	postTime  = 15 * time.Second // one attempt, answer included
	dialTime  = 5 * time.Second
	maxAnswer = 4 << 10 // bytes of an answer that is read, so that the connection can be used again
	maxHeader = 32 << 10
)

// Headers of a webhook's request.
const (
	HeaderSignature = "Hearth-Signature" // t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>" under the target's secret>
	HeaderEvent     = "Hearth-Event"     // the event's id
	HeaderSequence  = "Hearth-Sequence"  // counts the target's deliveries
)

// webhooks posts events.
type webhooks struct {
	client  *http.Client
	agent   string
	now     func() time.Time
	private bool
}

func newWebhooks(o Options) *webhooks {
	dialer := &net.Dialer{Timeout: dialTime, Control: func(_, address string, _ syscall.RawConn) error { return guard(address, o.Private) }}
	return &webhooks{
		agent: "hearth-cloud/" + o.Version, now: o.Now, private: o.Private,
		client: &http.Client{
			Timeout:       postTime,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{ // no proxy: what it could reach nobody has looked at
				DialContext: dialer.DialContext, TLSClientConfig: o.TLS, TLSHandshakeTimeout: dialTime,
				ResponseHeaderTimeout: postTime, MaxResponseHeaderBytes: maxHeader, ForceAttemptHTTP2: true,
				MaxIdleConns: 100, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
			},
		},
	}
}

// post sends one event. An answer of 2xx is a delivery, whatever becomes of its body.
func (w *webhooks) post(ctx context.Context, t *Target, number int64, e Event) error {
	if err := checkURL(t.URL, w.private); err != nil {
		return err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address cannot be asked")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", w.agent)
	r.Header.Set(HeaderSignature, Sign(t.secret, w.now(), body))
	r.Header.Set(HeaderEvent, e.ID)
	r.Header.Set(HeaderSequence, strconv.FormatInt(number, 10))
	answer, err := w.client.Do(r)
	if err != nil {
		return plainly(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		if answer.ContentLength <= maxAnswer && answer.ContentLength >= 0 {
			_, _ = io.Copy(io.Discard, answer.Body) // it has the event, whether or not it says more
		}
		return nil
	}
	return refusalOf(answer)
}

// refusalOf says why an answer is none. Its body is not looked at: it may be something that nobody here should see.
func refusalOf(answer *http.Response) error {
	r := &refusal{error: fmt.Errorf("it answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode)), gone: answer.StatusCode == http.StatusGone}
	if answer.StatusCode >= 300 && answer.StatusCode < 400 {
		r.error = fmt.Errorf("it answered %d, a redirect, which is not followed: put the address it leads to into url", answer.StatusCode)
	}
	text := answer.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		r.after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		r.after = max(0, time.Until(at))
	}
	return r
}

// plainly takes the address, which may hold a secret, out of an error, and what is this machine's own affair.
func plainly(err error) error {
	var lookup *net.DNSError
	if errors.As(err, &lookup) {
		return fmt.Errorf("looking up %s: %s", lookup.Name, lookup.Err)
	}
	if errors.Is(err, errInside) {
		return errInside // where names lead is this machine's own affair, too
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		if asked.Timeout() {
			return fmt.Errorf("it did not answer within %s", postTime)
		}
		return asked.Err
	}
	return err
}

// Sign returns the signature of a body: what the receiver computes, too, to know who sent it and when.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// checkURL says why a webhook cannot be there.
func checkURL(text string, private bool) error {
	bad := func(format string, args ...any) error { return hearth.Errorf(hearth.CodeBadValue, format, args...) }
	u, err := url.Parse(text)
	switch {
	case len(text) > maxURL:
		return bad("url: it has at most %d bytes", maxURL)
	case err != nil || u.Host == "" || u.Opaque != "" || u.Fragment != "":
		return bad("url: want an address such as https://example.org/hook")
	case u.User != nil:
		return bad("url: a name and a password do not belong into it; each request is signed")
	case u.Scheme != "https" && !(private && u.Scheme == "http"):
		return bad("url: want https://")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !private && !public(ip) {
		return bad("url: %s is no public address", ip)
	}
	return nil
}

var errInside = errors.New("where it leads is no public address: webhooks do not go there")

// guard refuses connections to where no webhook has any business, whatever name led there.
func guard(address string, private bool) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("the address %q cannot be read", address)
	}
	if !private && !public(at.Addr()) {
		return errInside
	}
	return nil
}

// inside are the networks that are not the internet, beside those that netip knows (RFC 6890 and its successors). Those
// that carry an IPv4 address inside of an IPv6 one are here as a whole.
func inside() []string {
	return []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	}
}

func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return false
	}
	for _, network := range inside() {
		if netip.MustParsePrefix(network).Contains(ip.WithZone("")) {
			return false
		}
	}
	return true
}
