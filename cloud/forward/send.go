package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	maxReply   = 64 << 10 // bytes of an answer that are looked at
	maxLife    = 4 << 20  // … of /metrics
	askTime    = 60 * time.Second
	maxLines   = 20_000 // of one request
	maxRequest = 4 << 20
	minRequest = 4 << 10
	samples    = 8 // lines that are tried alone when everything seems to be refused
)

// A peer is the other database, as one speaks HTTP with it.
type peer struct {
	Target
	agent string
	http  *http.Client

	zip    *gzip.Writer
	zipped bytes.Buffer
}

// reply is an answer, its body cut.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func newPeer(t Target, version string) *peer {
	t.URL = strings.TrimRight(t.URL, "/")
	return &peer{Target: t, agent: "hearth-cloud/" + version, zip: gzip.NewWriter(nil), http: &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: askTime, IdleConnTimeout: 90 * time.Second,
			MaxIdleConnsPerHost: 2, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		},
		// A redirect would turn a write into a read that succeeds.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (p *peer) do(ctx context.Context, method, address string, body []byte, limit int64, header ...string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	resp, err := p.open(ctx, method, address, body, header...)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if err != nil {
		return reply{}, fmt.Errorf("reading the answer: %w", withoutURL(err))
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 256<<10) // so that the connection can be used again
	if resp.Header.Get("X-Server-Hostname") != "" { // only a VictoriaMetrics says that
		p.NumbersOnly = true
	}
	return reply{status: resp.StatusCode, header: resp.Header, body: answer}, nil
}

// open sends a request and leaves the body to be read.
func (p *peer) open(ctx context.Context, method, address string, body []byte, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header.Set("User-Agent", p.agent)
	switch {
	case p.Token != "":
		req.Header.Set("Authorization", "Token "+p.Token)
	case p.Username != "":
		req.SetBasicAuth(p.Username, p.Password)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	return resp, nil
}

// withoutURL takes the address, which may have secrets in it, out of an error of net/http.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// write sends lines. Their times are nanoseconds.
func (p *peer) write(ctx context.Context, lines []byte) (reply, error) {
	address := p.URL + "/write?" + url.Values{"db": {p.Database}, "precision": {"ns"}}.Encode()
	if p.Bucket != "" {
		address = p.URL + "/api/v2/write?" + url.Values{"org": {p.Org}, "bucket": {p.Bucket}, "precision": {"ns"}}.Encode()
	}
	p.zipped.Reset()
	p.zip.Reset(&p.zipped)
	if _, err := p.zip.Write(lines); err != nil {
		return reply{}, fmt.Errorf("packing lines: %w", err)
	}
	if err := p.zip.Close(); err != nil {
		return reply{}, fmt.Errorf("packing lines: %w", err)
	}
	body := bytes.Clone(p.zipped.Bytes()) // a request that timed out may still be reading the last one
	r, err := p.do(ctx, http.MethodPost, address, body, maxReply, "Content-Encoding", "gzip", "Content-Type", "text/plain; charset=utf-8")
	if err != nil {
		return r, fmt.Errorf("sending lines: %w", err)
	}
	return r, nil
}

// create makes an InfluxDB's database.
func (p *peer) create(ctx context.Context) error {
	name := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p.Database)
	form := url.Values{"q": {`CREATE DATABASE "` + name + `"`}}.Encode()
	r, err := p.do(ctx, http.MethodPost, p.URL+"/query", []byte(form), maxReply, "Content-Type", "application/x-www-form-urlencoded")
	if err != nil {
		return fmt.Errorf("making the database %s: %w", p.Database, err)
	}
	if r.status != http.StatusOK {
		return fmt.Errorf("making the database %s: %w", p.Database, r.fault())
	}
	return nil
}

// life asks a VictoriaMetrics since when it runs; "" where that cannot be told. It keeps what it acknowledged in memory
// for seconds, so one that was started anew may lack some. Of a cluster, who takes the lines is not who keeps them.
func (p *peer) life(ctx context.Context) (string, error) {
	path := "/metrics"
	if strings.Contains(p.URL, "/insert/") {
		path = "/ping"
	}
	r, err := p.do(ctx, http.MethodGet, p.URL+path, nil, maxLife)
	if err != nil {
		return "", fmt.Errorf("asking whether it is there: %w", err)
	}
	if r.status != http.StatusOK || path == "/ping" {
		return "", nil
	}
	for line := range bytes.Lines(r.body) {
		if rest, ok := bytes.CutPrefix(line, []byte("vm_app_start_timestamp ")); ok {
			return string(bytes.TrimSpace(rest)), nil
		}
	}
	return "", nil
}

// stored reports whether r is a database's word that everything is stored, and not a page of somebody in between.
func (r *reply) stored() bool {
	return r.status == http.StatusNoContent || r.status == http.StatusOK && !strings.HasPrefix(r.header.Get("Content-Type"), "text/html")
}

// message is what a database says is wrong, in either of InfluxDB's forms, or the beginning of what there is.
func (r *reply) message() string {
	var said struct{ Error, Message string }
	text := string(r.body)
	if json.Unmarshal(r.body, &said) == nil && said.Error+said.Message != "" {
		text = said.Error + said.Message
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
	return text[:min(len(text), 300)]
}

func (r *reply) fault() error { return fmt.Errorf("it answers %d %s", r.status, r.message()) }

// aboutLines reports whether a refusal speaks of lines.
func (r *reply) aboutLines() bool {
	message := r.message()
	for _, words := range []string{"partial write", "unable to parse", "cannot parse", "field type conflict", "retention policy", "line protocol", "max-values"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// A parcel is a text on its way to a peer.
type parcel struct {
	*text
	todo    []span // what is not answered yet, the next one last
	refused []refused
}

type refused struct{ line, reason string }

// deliver sends what is left of the parcel. After an error it may be called again.
func (t *target) deliver(ctx context.Context, p *parcel) error {
	created := false
	for len(p.todo) > 0 {
		part := p.todo[len(p.todo)-1]
		r, err := t.peer.write(ctx, p.slice(part))
		if err != nil {
			return err
		}
		switch {
		case r.stored():
			p.todo = p.todo[:len(p.todo)-1]
			t.proven = true
		case r.status == http.StatusBadRequest, r.status == http.StatusUnprocessableEntity:
			if err := t.prove(ctx, p, &r); err != nil {
				return err
			}
			t.narrow(p, part, &r)
		case r.status == http.StatusRequestEntityTooLarge:
			t.narrow(p, part, &r)
		case r.status == http.StatusNotFound && !created && t.peer.Bucket == "" && strings.Contains(r.message(), "database not found"):
			created = true
			if err := t.peer.create(ctx); err != nil {
				return err
			}
		default:
			return r.fault()
		}
	}
	return nil
}

// prove makes sure that a refusal is about lines and not about the request: a wrong organisation, too, is a 400 to
// every line there is. Where the words do not tell, the database has to take one of a few lines.
func (t *target) prove(ctx context.Context, p *parcel, refusal *reply) error {
	if t.proven || refusal.aboutLines() {
		return nil
	}
	for range samples {
		i := rand.IntN(len(p.ends))
		r, err := t.peer.write(ctx, p.slice(span{i, i + 1}))
		if err != nil {
			return err
		}
		if t.proven = r.stored(); t.proven {
			return nil
		}
		if r.status != refusal.status {
			return r.fault()
		}
	}
	return fmt.Errorf("it refuses everything (%d %s): check database, org, bucket and the password or token in series.forward", refusal.status, refusal.message())
}

// narrow halves a refused part, down to the line that is at fault, which is parked.
func (t *target) narrow(p *parcel, part span, r *reply) {
	p.todo = p.todo[:len(p.todo)-1]
	if part.to-part.from > 1 {
		if r.status == http.StatusRequestEntityTooLarge {
			t.largest = max(len(p.slice(part))/2, minRequest)
		}
		middle := (part.from + part.to) / 2
		p.todo = append(p.todo, span{middle, part.to}, span{part.from, middle})
		return
	}
	p.refused = append(p.refused, refused{strings.TrimSpace(string(p.slice(part))), fmt.Sprintf("%d %s", r.status, r.message())})
}
