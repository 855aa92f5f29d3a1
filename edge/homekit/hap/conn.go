package hap

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// How long a controller may take, and how much it may send.
const (
	idleUnverified = 30 * time.Second // to begin the next request, before pair-verify
	idleSetup      = 3 * time.Minute  // while a person types the setup code
	requestTime    = 15 * time.Second // from the first byte of a request to its last
	responseTime   = 10 * time.Second // to take a response
	eventTime      = 500 * time.Millisecond
	keepAlive      = 30 * time.Second // a phone that left without a word is gone after about three of these,
	vanished       = 2 * time.Minute  // and after this where it owes us an acknowledgement

	headerMost  = 32 << 10
	bodyMost    = 256 << 10
	bufferSize  = 4096
	writeBuffer = 128 << 10
	pairingMost = 4 << 10 // of a pairing message
)

// conn is one controller's connection. Its requests are handled one after the other by one goroutine, which has the
// sessions of pair-setup and pair-verify to itself; events are written by another.
type conn struct {
	s    *Server
	nc   net.Conn
	wire *wire
	in   *bufio.Reader
	done chan struct{} // closed with the connection

	setup      *setupSession
	verify     *verifySession
	prepared   prepared
	controller string // whose encrypted session this is; "" before. Written once, under Server.mu and by the request goroutine

	write sync.Mutex // one writer: a response or an event, whole
	seal  *sealer    // nil: plain

	queue   queue          // events, guarded by Server.mu
	heard   time.Time      // when the last request was read, guarded by Server.mu
	proven  bool           // pair-verify succeeded: the connection stays when others are put out, guarded by Server.mu
	telling sync.WaitGroup // the goroutine of the events
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, wire: &wire{src: nc}, done: make(chan struct{}), heard: time.Now()}
	c.in = bufio.NewReaderSize(c.wire, bufferSize)
	c.queue.wake = make(chan struct{}, 1)
	return c
}

func (c *conn) remote() string { return c.nc.RemoteAddr().String() }

// serve handles requests until the connection or ctx ends.
func (c *conn) serve(ctx context.Context) {
	for {
		r, err := c.request(ctx)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				c.s.log.Debug("homekit: connection lost", "remote", c.remote(), "controller", c.controller, "error", err)
			}
			return
		}
		if c.respond(r) != nil || r.last {
			return
		}
		if r.upgrade != nil && !c.upgrade(ctx, r.upgrade) {
			return
		}
	}
}

// request reads one request and returns its response.
func (c *conn) request(ctx context.Context) (response, error) {
	c.wire.budget = headerMost
	if err := c.nc.SetReadDeadline(c.patience()); err != nil {
		return response{}, err
	}
	if _, err := c.in.Peek(1); err != nil {
		return response{}, err
	}
	c.nc.SetReadDeadline(time.Now().Add(requestTime))
	req, err := http.ReadRequest(c.in)
	if err != nil {
		if err = notHTTP(err); errors.Is(err, errNotHTTP) {
			return badRequest.andClose(), nil
		}
		return response{}, err
	}
	if req.ProtoMajor != 1 {
		return badRequest.andClose(), nil
	}
	most := int64(bodyMost)
	if c.controller == "" {
		most = pairingMost
	}
	if req.ContentLength > most {
		return response{status: http.StatusRequestEntityTooLarge, last: true}, nil
	}
	c.wire.budget = 2 * bodyMost // chunked bodies carry more than their bytes
	body, err := io.ReadAll(io.LimitReader(req.Body, most+1))
	switch {
	case int64(len(body)) > most:
		return response{status: http.StatusRequestEntityTooLarge, last: true}, nil
	case err != nil:
		return response{}, err
	}
	c.s.mu.Lock()
	c.heard = time.Now()
	c.s.mu.Unlock()
	r := c.route(ctx, req, body)
	r.last = r.last || req.Close
	return r, nil
}

// patience is until when the next request has to begin.
func (c *conn) patience() time.Time {
	switch {
	case c.controller != "":
		return time.Time{} // hours; TCP asks whether the controller is still there
	case c.setup != nil:
		return time.Now().Add(idleSetup)
	}
	return time.Now().Add(idleUnverified)
}

var errNotHTTP = errors.New("not a request")

// notHTTP tells what a controller wrote wrongly from a connection that broke.
func notHTTP(err error) error {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errFrame) || errors.Is(err, net.ErrClosed) {
		return err
	}
	return errNotHTTP
}

// send writes one message, a response or an event, as a whole. After an error the connection is closed: the other side
// could not find the next message.
func (c *conn) send(message []byte, within time.Duration) error {
	c.write.Lock()
	defer c.write.Unlock()
	return c.sendLocked(message, within)
}

func (c *conn) sendLocked(message []byte, within time.Duration) error {
	if c.seal != nil {
		message = c.seal.seal(message)
	}
	c.nc.SetWriteDeadline(time.Now().Add(within))
	_, err := c.nc.Write(message)
	if err != nil {
		c.nc.Close()
	}
	return err
}

// upgrade is what pair-verify ends with: everything after its response is encrypted.
type upgrade struct {
	controller  string
	read, write [32]byte
}

// upgrade switches both directions and begins to send events. Bytes of the first encrypted request that came early are
// handed over.
func (c *conn) upgrade(ctx context.Context, u *upgrade) bool {
	early, _ := c.in.Peek(c.in.Buffered())
	c.wire.upgrade(u.read, early)
	c.in.Reset(c.wire)
	c.write.Lock()
	c.seal = &sealer{aead: newAEAD(u.write[:])}
	c.write.Unlock()
	c.s.mu.Lock()
	c.controller = u.controller
	c.setup = nil
	c.s.mu.Unlock()
	if _, still := c.s.keep.pairing(u.controller); !still { // removed in the meantime
		return false
	}
	c.telling.Go(func() { c.events(ctx) })
	return true
}

// response is an answer to a request.
type response struct {
	status  int
	kind    string // of the content
	body    []byte
	last    bool // close the connection after it
	upgrade *upgrade
}

var badRequest = response{status: http.StatusBadRequest, kind: contentJSON, body: []byte(`{"status":-70410}`)}

const (
	contentJSON = "application/hap+json"
	contentTLV  = "application/pairing+tlv8"

	statusUnverified = 470
)

func (r response) andClose() response {
	r.last = true
	return r
}

func pairing(status int, message tlv) response {
	return response{status: status, kind: contentTLV, body: message.bytes()}
}

func (c *conn) respond(r response) error {
	text := http.StatusText(r.status)
	if r.status == statusUnverified {
		text = "Connection Authorization Required"
	}
	out := make([]byte, 0, 160+len(r.body))
	out = append(out, "HTTP/1.1 "+strconv.Itoa(r.status)+" "+text+"\r\n"...)
	if r.last {
		out = append(out, "Connection: close\r\n"...)
	}
	return c.send(appendBody(out, r), responseTime)
}

// appendBody ends a message: the header of the content, and the content.
func appendBody(out []byte, r response) []byte {
	if r.status == http.StatusNoContent {
		return append(out, "\r\n"...)
	}
	if len(r.body) > 0 {
		out = append(out, "Content-Type: "+r.kind+"\r\n"...)
	}
	out = append(out, "Content-Length: "+strconv.Itoa(len(r.body))+"\r\n\r\n"...)
	return append(out, r.body...)
}

// route finds what a request asks for (table 5-1, table 6-1).
func (c *conn) route(ctx context.Context, req *http.Request, body []byte) response {
	path := req.URL.Path
	method, known := map[string]string{
		"/pair-setup": "POST", "/pair-verify": "POST", "/identify": "POST", "/pairings": "POST", "/resource": "POST",
		"/accessories": "GET", "/characteristics": "GET", "/prepare": "PUT",
	}[path]
	switch {
	case !known:
		return response{status: http.StatusNotFound}
	case req.Method != method && !(path == "/characteristics" && req.Method == "PUT"):
		return response{status: http.StatusMethodNotAllowed}
	}
	switch path {
	case "/pair-setup":
		return c.pairSetup(body)
	case "/pair-verify":
		return c.pairVerify(body)
	case "/identify":
		return c.identify()
	}
	if c.controller == "" {
		return response{status: statusUnverified, kind: contentJSON, body: []byte(`{"status":-70401}`)}
	}
	switch path {
	case "/pairings":
		return c.pairings(body)
	case "/accessories":
		return response{status: http.StatusOK, kind: contentJSON, body: c.s.accessories()}
	case "/prepare":
		return c.prepare(body)
	case "/characteristics":
		if req.Method == "PUT" {
			return c.writeValues(ctx, body)
		}
		return c.readValues(ctx, req.URL.Query())
	}
	return response{status: http.StatusNotFound} // no cameras: nothing at /resource
}

// identify shows an accessory that nobody has paired yet (section 6.7.6).
func (c *conn) identify() response {
	if c.s.keep.paired() {
		return response{status: http.StatusBadRequest, kind: contentJSON, body: []byte(`{"status":-70401}`)}
	}
	c.s.asks().Identify(nil)
	return response{status: http.StatusNoContent}
}
