package uplink

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"hearth"
)

// CheckURL says why cloudURL cannot be a receiver's address. Without TLS a token would travel readable for everybody
// on the way, so http:// is only taken to this machine itself, or when insecure says so.
func CheckURL(cloudURL string, insecure bool) error {
	u, err := url.Parse(cloudURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return hearth.Errorf(hearth.CodeBadValue, "%q is no receiver's address: want https://host, with a port or path where it has one", clip(cloudURL))
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		if insecure || loopback(u.Hostname()) {
			return nil
		}
		return hearth.Errorf(hearth.CodeBadValue, "http:// to %s would send the token unencrypted: use https://, or say -insecure", u.Hostname())
	}
	return hearth.Errorf(hearth.CodeBadValue, "%q: want an address that begins with https://", clip(cloudURL))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Claim joins this gateway to a home of the receiver at cloudURL with a code that works once. The claim holds the
// token: keep it where nobody else can read it. Errors are for a person.
func Claim(ctx context.Context, cloudURL, code string, insecure bool) (hearth.Claim, error) {
	return claim(ctx, &Options{}, cloudURL, code, insecure)
}

func claim(ctx context.Context, o *Options, cloudURL, code string, insecure bool) (hearth.Claim, error) {
	if err := CheckURL(cloudURL, insecure); err != nil {
		return hearth.Claim{}, err
	}
	body, err := json.Marshal(map[string]string{"code": strings.TrimSpace(code)})
	if err != nil {
		return hearth.Claim{}, fmt.Errorf("writing the claim: %w", err)
	}
	c := newClient(o, cloudURL, "", "")
	defer c.close()
	r, err := c.do(ctx, http.MethodPost, "/api/v1/claim", body, maxReply, "Content-Type", "application/json")
	if err != nil {
		return hearth.Claim{}, fmt.Errorf("claiming a home: %w", err)
	}
	switch {
	case r.status == http.StatusOK || r.status == http.StatusCreated:
	case r.status == http.StatusTooManyRequests:
		return hearth.Claim{}, hearth.Errorf(hearth.CodeBusy, "too many codes were tried: wait a minute and try again")
	case r.status >= 400 && r.status < 500:
		return hearth.Claim{}, hearth.Errorf(hearth.CodeDenied, "the receiver does not take this code (%d%s): a code works once and not for ever, make a new one with `hearth-cloud home add` or on its page", r.status, r.message())
	default:
		return hearth.Claim{}, fmt.Errorf("claiming a home: %w", r.fault())
	}
	var got hearth.Claim
	if err := json.Unmarshal(r.body, &got); err != nil || got.Home == "" || got.Token == "" {
		return hearth.Claim{}, fmt.Errorf("%s does not answer like a receiver: check the address", clip(cloudURL))
	}
	if err := checkHome(got.Home); err != nil {
		return hearth.Claim{}, err
	}
	return got, nil
}

// checkHome refuses an id that would mean something in a path or a topic.
func checkHome(id string) error {
	if id == "" || len(id) > hearth.MaxID || strings.ContainsAny(id, "/+#?% \x00") {
		return hearth.Errorf(hearth.CodeBadValue, "the receiver named a home id that cannot be one: %q", clip(id))
	}
	return nil
}

// brokerURL returns where the link goes: the broker that the receiver named, or its own at /mqtt. One without TLS is
// taken where the receiver itself is reached without, or as CheckURL takes http://.
func brokerURL(c *Cloud, named string) (*url.URL, error) {
	if named == "" {
		named = strings.TrimRight(c.URL, "/") + "/mqtt"
		named = "ws" + strings.TrimPrefix(named, "http")
	}
	u, err := url.Parse(named)
	if err != nil || u.Host == "" {
		return nil, hearth.Errorf(hearth.CodeBadValue, "the broker %q is no address: want mqtts://host:port or wss://host/path", clip(named))
	}
	u.User = nil
	plain := u.Scheme == "mqtt" || u.Scheme == "ws"
	switch {
	case plain && !c.Insecure && !strings.HasPrefix(c.URL, "http://") && !loopback(u.Hostname()):
		return nil, hearth.Errorf(hearth.CodeBadValue, "the broker %s would see the token unencrypted: it must be mqtts:// or wss://", u.Host)
	case plain, u.Scheme == "mqtts", u.Scheme == "wss":
	default:
		return nil, hearth.Errorf(hearth.CodeBadValue, "the broker %q: want mqtts:// or wss://", clip(named))
	}
	if u.Port() == "" {
		switch u.Scheme {
		case "mqtt":
			u.Host = net.JoinHostPort(u.Hostname(), "1883")
		case "mqtts":
			u.Host = net.JoinHostPort(u.Hostname(), "8883")
		}
	}
	return u, nil
}
