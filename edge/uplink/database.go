package uplink

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"hearth/edge/buffer"
)

const (
	maxLines = 5000
	maxText  = 4 << 20 // bytes of one request, unpacked
	maxPeek  = 64      // blocks read at once
	samples  = 8       // lines that are tried alone when everything seems to be refused
)

// database is the target influx: somebody else's database, which knows lines and no batches. Its 204 means stored.
// Sending a line twice is harmless there: the same series and time overwrites.
type database struct {
	opt    *Options
	status status
	http   *client
	wait   pace
	unpack *zstd.Decoder
	zip    *gzip.Writer
	zipped bytes.Buffer

	numbersOnly bool // it keeps no texts
	proven      bool // it has stored lines since the start, so a refusal is about the lines
	asked       bool // CREATE DATABASE was tried
	largest     int  // bytes of one request; smaller after a 413

	batch *batch // under way; what of it is answered is not asked again after a fault
	ping  time.Time
}

func newDatabase(o *Options) *database {
	in := *o.Influx
	in.Home = tagValue(in.Home)
	o.Influx = &in
	return &database{
		opt: o, http: newClient(o, o.Influx.URL, o.Influx.Token, "influx"),
		unpack: newUnpacker(), zip: gzip.NewWriter(nil), numbersOnly: o.Influx.NumbersOnly, largest: maxText,
	}
}

// tagValue makes a home's name one that line protocol can carry.
func tagValue(name string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "")), `\`)
}

func (d *database) run(ctx context.Context) {
	defer d.http.close()
	for {
		err := d.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if d.status.failed(err) {
			d.opt.Log.Warn("the database cannot be served now; everything is kept", "error", err)
		}
		d.http.close()
		if !sleep(ctx, d.wait.next(err)) {
			return
		}
	}
}

func (d *database) session(ctx context.Context) error {
	if err := d.probe(ctx); err != nil {
		return err
	}
	d.asked = false
	for {
		committed := d.opt.Buffer.Committed()
		if d.batch == nil {
			next, err := d.collect()
			if err != nil {
				return err
			}
			d.batch = next
		}
		if d.batch == nil {
			if err := d.idle(ctx, committed); err != nil {
				return err
			}
			continue
		}
		if err := d.flush(ctx); err != nil {
			return err
		}
		d.wait.reset()
		if d.status.set(stateConnected, "") {
			d.opt.Log.Info("the database takes readings")
		}
	}
}

// idle waits for the next commit. While the clock is not trusted the database is asked now and then, for its time.
func (d *database) idle(ctx context.Context, committed <-chan struct{}) error {
	every := askIdle
	if _, trusted := d.opt.Now(); trusted {
		d.wait.reset()
		d.status.set(stateIdle, "")
	} else {
		every = askUntrusted
		d.status.set(stateWaiting, "the clock is not trusted yet: readings wait until their time is known")
	}
	timer := time.NewTimer(time.Until(d.ping.Add(every)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-committed:
		return nil
	case <-timer.C:
		return d.probe(ctx)
	}
}

// probe asks whether anybody is there, and what it is.
func (d *database) probe(ctx context.Context) error {
	r, err := d.http.do(ctx, http.MethodGet, "/ping", nil, maxReply)
	if err != nil {
		return err
	}
	d.ping = time.Now()
	switch {
	case r.header.Get("X-Influxdb-Build") != "":
		return nil
	case r.header.Get("X-Server-Hostname") != "":
		d.foundVictoria()
		return nil
	case d.numbersOnly:
		return nil
	}
	if r, err = d.http.do(ctx, http.MethodGet, "/", nil, maxReply); err != nil {
		return err
	}
	if bytes.Contains(r.body, []byte("VictoriaMetrics")) {
		d.foundVictoria()
	}
	return nil
}

// foundVictoria sends numbers only from now on: a VictoriaMetrics takes a text and stores the number 0.
func (d *database) foundVictoria() {
	d.numbersOnly = true
	const note = "this is a VictoriaMetrics, which keeps numbers only: texts with options are sent as their index, other texts are counted as dropped"
	if d.status.setNote(note) {
		d.opt.Log.Info(note)
	}
}

// collect puts the next blocks together; nil: nothing to send.
func (d *database) collect() (*batch, error) {
	cursor := d.opt.Buffer.Ledger(TargetInflux).Durable
	blocks, err := d.opt.Buffer.Peek(TargetInflux, cursor, maxPeek)
	if err != nil {
		return nil, fmt.Errorf("reading the buffer: %w", err)
	}
	if len(blocks) == 0 {
		return nil, nil
	}
	b := &batch{opt: d.opt, numbers: d.numbersOnly, unpack: d.unpack}
	for _, block := range blocks {
		b.add(block)
		if len(b.lines) >= maxLines || len(b.text) >= d.largest {
			break
		}
	}
	b.split(maxLines, d.largest)
	return b, nil
}

// flush sends what is not answered yet of the batch under way, and acknowledges it when nothing is left.
func (d *database) flush(ctx context.Context) error {
	b := d.batch
	for len(b.todo) > 0 {
		part := b.todo[len(b.todo)-1]
		r, err := d.write(ctx, b.slice(part))
		if err != nil {
			return err
		}
		switch {
		case stored(r):
			b.todo = b.todo[:len(b.todo)-1]
			d.proven = true
		case r.status == http.StatusBadRequest, r.status == http.StatusUnprocessableEntity:
			if err := d.prove(ctx, b, r); err != nil {
				d.batch = nil // made anew with what has come by then
				return err
			}
			d.narrow(b, part, r)
		case r.status == http.StatusRequestEntityTooLarge:
			d.narrow(b, part, r)
		case r.status == http.StatusNotFound && d.canCreate(r):
			if err := d.create(ctx); err != nil {
				return err
			}
		default:
			return r.fault()
		}
	}
	if err := d.tellGaps(ctx, b.refused); err != nil {
		return err
	}
	if err := d.opt.Buffer.Acknowledge(TargetInflux, b.last, b.refused...); err != nil {
		return fmt.Errorf("noting what the database has: %w", err)
	}
	d.batch = nil
	return nil
}

// prove makes sure that a refusal is about lines and not about the request: a wrong organisation, too, is a 400 to
// every line there is. Where the words do not tell, the database has to take one of a few lines.
func (d *database) prove(ctx context.Context, b *batch, refusal reply) error {
	if d.proven || aboutLines(refusal.message()) {
		return nil
	}
	for range samples {
		i := rand.IntN(len(b.lines))
		r, err := d.write(ctx, b.slice(span{i, i + 1}))
		if err != nil {
			return err
		}
		if d.proven = stored(r); d.proven {
			return nil
		}
		if r.status != refusal.status {
			return r.fault()
		}
	}
	return &fault{refused: true, err: fmt.Errorf("the database refuses everything (%d%s): check database, org, bucket and token in influx; everything is kept meanwhile", refusal.status, refusal.message())}
}

// tellGaps writes down what is missing, one gap for each block. What the database says to it changes nothing.
func (d *database) tellGaps(ctx context.Context, refused []buffer.Rejected) error {
	text := gapLines(refused, d.opt.Influx.Home, d.numbersOnly)
	if len(text) == 0 {
		return nil
	}
	r, err := d.write(ctx, text)
	if err == nil && (r.status >= 500 || r.status == http.StatusTooManyRequests) {
		err = r.fault()
	}
	return err
}

// stored reports whether r is a database's word that everything is stored, and not a page of a captive portal.
func stored(r reply) bool {
	return r.status == http.StatusNoContent || r.status == http.StatusOK && !strings.HasPrefix(r.header.Get("Content-Type"), "text/html")
}

// narrow halves a refused part, down to the line that is at fault.
func (d *database) narrow(b *batch, part span, r reply) {
	b.todo = b.todo[:len(b.todo)-1]
	if part.to-part.from > 1 {
		if r.status == http.StatusRequestEntityTooLarge {
			d.largest = max(len(b.slice(part))/2, 4<<10)
		}
		middle := (part.from + part.to) / 2
		b.todo = append(b.todo, span{middle, part.to}, span{part.from, middle})
		return
	}
	refused := b.rejected(part.from, fmt.Sprintf("%d%s", r.status, r.message()))
	d.opt.Log.Warn("the database refused a line; it is parked and counted as dropped", "line", clip(refused.Line), "reason", refused.Reason)
	b.refused = append(b.refused, refused)
}

// aboutLines reports whether a refusal speaks of lines.
func aboutLines(message string) bool {
	for _, words := range []string{"partial write", "unable to parse", "cannot parse", "field type conflict", "retention policy", "line protocol", "max-values"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

func (d *database) write(ctx context.Context, text []byte) (reply, error) {
	in := d.opt.Influx
	path := "/write?" + url.Values{"db": {in.Database}, "precision": {"ms"}}.Encode()
	if in.Bucket != "" {
		path = "/api/v2/write?" + url.Values{"org": {in.Org}, "bucket": {in.Bucket}, "precision": {"ms"}}.Encode()
	}
	body, err := d.packed(text)
	if err != nil {
		return reply{}, err
	}
	r, err := d.http.do(ctx, http.MethodPost, path, body, maxReply,
		"Content-Encoding", "gzip", "Content-Type", "text/plain; charset=utf-8")
	if err == nil {
		d.ping = time.Now()
		if r.header.Get("X-Server-Hostname") != "" {
			d.foundVictoria()
		}
	}
	return r, err
}

// packed returns text as gzip.
func (d *database) packed(text []byte) ([]byte, error) {
	d.zipped.Reset()
	d.zip.Reset(&d.zipped)
	if _, err := d.zip.Write(text); err != nil {
		return nil, fmt.Errorf("packing lines: %w", err)
	}
	if err := d.zip.Close(); err != nil {
		return nil, fmt.Errorf("packing lines: %w", err)
	}
	return bytes.Clone(d.zipped.Bytes()), nil // a request that timed out may still be reading the last one
}

// canCreate reports whether a 404 may be helped by making the database, which is tried once a session.
func (d *database) canCreate(r reply) bool {
	return !d.asked && d.opt.Influx.Bucket == "" && strings.Contains(r.message(), "database not found")
}

func (d *database) create(ctx context.Context) error {
	d.asked = true
	name := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(d.opt.Influx.Database)
	form := url.Values{"q": {`CREATE DATABASE "` + name + `"`}}.Encode()
	r, err := d.http.do(ctx, http.MethodPost, "/query", []byte(form), maxReply, "Content-Type", "application/x-www-form-urlencoded")
	if err != nil {
		return err
	}
	if r.status != http.StatusOK {
		return r.fault()
	}
	d.opt.Log.Info("made the database", "database", d.opt.Influx.Database)
	return nil
}
