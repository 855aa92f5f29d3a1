package uplink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"hearth"
)

const (
	maxReply    = 64 << 10 // bytes of an answer that are looked at
	maxDrain    = 256 << 10
	dialTime    = 10 * time.Second
	headerTime  = 30 * time.Second
	slowestLink = 4 << 10 // bytes a second that a request's time limit allows for
)

// client speaks HTTP with one target. It follows no redirects: one would turn a write into a read that succeeds.
type client struct {
	base   string // without a slash at the end
	token  string
	agent  string
	http   *http.Client
	source string
	offer  func(source string, t time.Time, uncertainty time.Duration) // may be nil
}

// reply is an answer, its body cut to maxReply.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func newClient(o *Options, base, token, source string) *client {
	dial, proxy := o.dial, (func(*http.Request) (*url.URL, error))(nil)
	if dial == nil {
		dial, proxy = (&net.Dialer{Timeout: dialTime, KeepAlive: 30 * time.Second}).DialContext, http.ProxyFromEnvironment
	}
	transport := &http.Transport{
		Proxy:                  proxy,
		DialContext:            dial,
		TLSHandshakeTimeout:    dialTime,
		ResponseHeaderTimeout:  headerTime,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    2,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	return &client{
		base: strings.TrimRight(base, "/"), token: token, agent: "hearth-edge/" + o.Version,
		source: source, offer: o.Offer,
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// close gives the connections back, so that the next try looks the name up again.
func (c *client) close() { c.http.CloseIdleConnections() }

// do sends one request and returns the answer, whatever its status. header is pairs of name and value. limit is how
// much of the body is returned.
func (c *client) do(ctx context.Context, method, path string, body []byte, limit int64, header ...string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, headerTime+time.Duration(len(body)/slowestLink)*time.Second)
	defer cancel()
	var sent atomic.Int64
	start := time.Now()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(int64(time.Since(start))) },
	})
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, fmt.Errorf("asking %s: %w", c.base, inWords(err))
	}
	req.Header.Set("User-Agent", c.agent)
	if c.token != "" {
		req.Header.Set("Authorization", "Token "+c.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, fmt.Errorf("asking %s: %w", req.URL.Host, inWords(err))
	}
	defer resp.Body.Close()
	c.learnTime(resp.Header, time.Since(start)-time.Duration(sent.Load()))
	answer, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return reply{}, fmt.Errorf("reading the answer of %s: %w", req.URL.Host, inWords(err))
	}
	if int64(len(answer)) > limit {
		if resp.StatusCode < 300 && limit > maxReply {
			return reply{}, fmt.Errorf("the answer of %s to %s is longer than %d bytes", req.URL.Host, req.URL.Path, limit)
		}
		answer = answer[:limit]
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain) // so that the connection can be used again
	}
	return reply{status: resp.StatusCode, header: resp.Header, body: answer}, nil
}

// learnTime offers the clock of who answered: it stood at the served time somewhere within the round trip.
func (c *client) learnTime(header http.Header, roundTrip time.Duration) {
	if c.offer == nil {
		return
	}
	if t, uncertainty, ok := clockOf(header); ok {
		c.offer(c.source, t.Add(roundTrip/2), uncertainty+roundTrip/2)
	}
}

// clockOf reads Hearth-Time, else Date, which is cut to whole seconds.
func clockOf(header http.Header) (t time.Time, uncertainty time.Duration, ok bool) {
	if ms, err := strconv.ParseInt(header.Get(hearth.HeaderTime), 10, 64); err == nil && ms > 0 {
		return time.UnixMilli(ms), time.Millisecond, true
	}
	if t, err := http.ParseTime(header.Get("Date")); err == nil {
		return t.Add(500 * time.Millisecond), time.Second, true
	}
	return time.Time{}, 0, false
}

// getJSON asks for path and reads the answer into v.
func (c *client) getJSON(ctx context.Context, path string, limit int64, v any) error {
	_, err := c.ask(ctx, path, limit, v)
	return err
}

// ask is getJSON with the answer's header.
func (c *client) ask(ctx context.Context, path string, limit int64, v any) (http.Header, error) {
	r, err := c.do(ctx, http.MethodGet, path, nil, limit, "Accept", "application/json")
	if err != nil {
		return nil, err
	}
	if r.status != http.StatusOK {
		return nil, r.fault()
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		return nil, fmt.Errorf("the answer to %s is none of a receiver's: is something in between? %w", path, err)
	}
	return r.header, nil
}

// fault says what an answer that is no success means and what a person can do about it.
func (r reply) fault() *fault {
	f := &fault{after: retryAfter(r.header)}
	said := r.message()
	switch {
	case r.status == http.StatusUnauthorized:
		f.refused = true
		f.err = fmt.Errorf("the token is not known there (401%s): claim this gateway again, or put a valid token into token_file; everything is kept meanwhile", said)
	case r.status == http.StatusForbidden:
		f.refused = true
		f.err = fmt.Errorf("the token may not do this (403%s): make one with the right scope; everything is kept meanwhile", said)
	case r.status == http.StatusNotFound:
		f.refused = true
		f.err = fmt.Errorf("there is no such thing there (404%s): check the url and the name of the database, or claim this gateway again if its home was deleted; everything is kept meanwhile", said)
	case r.status >= 300 && r.status < 400:
		f.refused = true
		f.err = fmt.Errorf("the answer is a redirect to %q (%d): put that address into url, or log in to the network if it asks for it", clip(r.header.Get("Location")), r.status)
	case r.status == http.StatusTooManyRequests:
		f.err = fmt.Errorf("it asks for a pause (429%s)", said)
	case r.status >= 500:
		f.err = fmt.Errorf("it is in trouble (%d%s)", r.status, said)
	case r.status < 300:
		f.err = fmt.Errorf("it answered %d, which is none of a receiver's answers: is something in between?", r.status)
	default:
		f.err = fmt.Errorf("it refuses the request (%d%s)", r.status, said)
	}
	return f
}

// message returns what the answer says in words, with ": " before it.
func (r reply) message() string {
	var said struct{ Detail, Title, Message, Error string }
	text := r.header.Get("X-Influxdb-Error")
	if text == "" && json.Unmarshal(r.body, &said) == nil {
		for _, s := range []string{said.Detail, said.Message, said.Error, said.Title} {
			if s != "" {
				text = s
				break
			}
		}
	}
	if text == "" {
		return ""
	}
	return ": " + clip(text)
}

// inWords takes the address, which may hold a password, out of err and names what a person can act on.
func inWords(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return fmt.Errorf("the name cannot be found, is the internet there? %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer in time: %w", err)
	}
	return err
}

// clip makes foreign text fit for a log line.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
