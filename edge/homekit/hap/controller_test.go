package hap

import (
	"bufio"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tadglines/go-pkgs/crypto/srp"
)

// controller is a phone: its id and key, and the accessory's.
type controller struct {
	id     string
	key    ed25519.PrivateKey
	device string
	theirs ed25519.PublicKey
}

func newController(id string) *controller {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return &controller{id: id, key: key}
}

func (k *controller) public() []byte { return k.key.Public().(ed25519.PublicKey) }

// pair makes the first controller of the server.
func (w *world) pair(id string) *controller {
	w.t.Helper()
	k := newController(id)
	c := w.dial()
	defer c.nc.Close()
	if err := c.pairSetup(k, testPIN); err != nil {
		w.t.Fatal(err)
	}
	return k
}

// session is a verified connection of a controller.
func (w *world) session(k *controller) *client {
	w.t.Helper()
	c := w.dial()
	if err := c.pairVerify(k); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// client is a connection of a controller.
type client struct {
	t      testing.TB
	nc     net.Conn
	wire   *wire
	in     *bufio.Reader
	seal   *sealer
	events []message
}

func (w *world) dial() *client {
	w.t.Helper()
	c := w.open()
	nc := c.nc
	w.t.Cleanup(func() { nc.Close() })
	return c
}

// open dials without closing the connection at the end of the test.
func (w *world) open() *client {
	w.t.Helper()
	nc, err := net.Dial("tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	c := &client{t: w.t, nc: nc, wire: &wire{src: nc, budget: 1 << 60}}
	c.in = bufio.NewReader(c.wire)
	return c
}

// message is a response or an event.
type message struct {
	proto  string
	status int
	header textproto.MIMEHeader
	body   []byte
}

func (m message) String() string { return fmt.Sprintf("%s %d %s", m.proto, m.status, m.body) }

// item is one characteristic of a message.
type gotItem struct {
	AID, IID uint64
	Value    any
	Status   *int
	Ev       *bool
	Format   string
	Perms    []string
	Type     string
	MaxValue any
}

func (m message) items(t testing.TB) []gotItem {
	t.Helper()
	var body struct{ Characteristics []gotItem }
	if err := json.Unmarshal(m.body, &body); err != nil {
		t.Fatalf("%v: %v", m, err)
	}
	return body.Characteristics
}

// next reads one message.
func (c *client) next(within time.Duration) (message, error) {
	c.nc.SetReadDeadline(time.Now().Add(within))
	r := textproto.NewReader(c.in)
	line, err := r.ReadLine()
	if err != nil {
		return message{}, err
	}
	proto, rest, _ := strings.Cut(line, " ")
	number, _, _ := strings.Cut(rest, " ")
	m := message{proto: proto}
	if m.status, err = strconv.Atoi(number); err != nil || proto != "HTTP/1.1" && proto != "EVENT/1.0" {
		return m, fmt.Errorf("not a message: %q", line)
	}
	if m.header, err = r.ReadMIMEHeader(); err != nil {
		return m, err
	}
	if length := m.header.Get("Content-Length"); length != "" {
		n, err := strconv.Atoi(length)
		if err != nil {
			return m, err
		}
		m.body = make([]byte, n)
		if _, err := io.ReadFull(c.in, m.body); err != nil {
			return m, err
		}
	}
	if m.header.Get("Transfer-Encoding") == "chunked" { // the peer of the benchmark
		if m.body, err = io.ReadAll(httputil.NewChunkedReader(c.in)); err == nil {
			_, err = r.ReadLine()
		}
	}
	return m, err
}

// response reads until a response comes and keeps the events before it.
func (c *client) response() (message, error) {
	for {
		m, err := c.next(10 * time.Second)
		if err != nil || m.proto == "HTTP/1.1" {
			return m, err
		}
		c.events = append(c.events, m)
	}
}

// event returns the next event.
func (c *client) event(within time.Duration) (message, error) {
	if len(c.events) > 0 {
		m := c.events[0]
		c.events = c.events[1:]
		return m, nil
	}
	return c.next(within)
}

func (c *client) wantEvent(within time.Duration) message {
	c.t.Helper()
	m, err := c.event(within)
	if err != nil || m.proto != "EVENT/1.0" {
		c.t.Fatalf("no event: %v %v", m, err)
	}
	return m
}

// silent checks that nothing comes.
func (c *client) silent(d time.Duration) {
	c.t.Helper()
	m, err := c.event(d)
	var timeout net.Error
	if err == nil || !errors.As(err, &timeout) || !timeout.Timeout() {
		c.t.Fatalf("not silent: %v %v", m, err)
	}
}

// closed checks that the server closes the connection.
func (c *client) closed() {
	c.t.Helper()
	m, err := c.next(5 * time.Second)
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Fatalf("the connection is not closed: %v %v", m, err)
	}
}

func (c *client) raw(text []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(text); err != nil {
		c.t.Fatal(err)
	}
}

func request(method, path, kind string, body []byte) []byte {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: test\r\n", method, path)
	if body != nil {
		head += fmt.Sprintf("Content-Type: %s\r\nContent-Length: %d\r\n", kind, len(body))
	}
	return append([]byte(head+"\r\n"), body...)
}

func (c *client) write(text []byte) error {
	if c.seal != nil {
		text = c.seal.seal(text)
	}
	_, err := c.nc.Write(text)
	return err
}

func (c *client) try(method, path string, body string) (message, error) {
	var content []byte
	if body != "" {
		content = []byte(body)
	}
	kind := contentJSON
	if strings.HasPrefix(path, "/pair") {
		kind = contentTLV
	}
	if err := c.write(request(method, path, kind, content)); err != nil {
		return message{}, err
	}
	return c.response()
}

func (c *client) do(status int, method, path string, body string) message {
	c.t.Helper()
	m, err := c.try(method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	if m.status != status {
		c.t.Fatalf("%s %s: %v, not %d", method, path, m, status)
	}
	return m
}

func (c *client) put(status int, body string, args ...any) message {
	c.t.Helper()
	return c.do(status, "PUT", "/characteristics", fmt.Sprintf(body, args...))
}

func (c *client) subscribe(aid, iid uint64) {
	c.t.Helper()
	c.put(204, `{"characteristics":[{"aid":%d,"iid":%d,"ev":true}]}`, aid, iid)
}

func (c *client) read(ids string) []gotItem {
	c.t.Helper()
	m, err := c.try("GET", "/characteristics?id="+ids, "")
	if err != nil {
		c.t.Fatal(err)
	}
	return m.items(c.t)
}

// exchange sends one pairing message and returns the answer.
func (c *client) exchange(path string, m tlv) (tlv, error) {
	answer, err := c.try("POST", path, string(m.bytes()))
	if err != nil {
		return nil, err
	}
	items, err := parseTLV(answer.body)
	if err != nil {
		return nil, err
	}
	if e := items.get(tlvError); len(e) > 0 {
		return items, pairFailure(e[0])
	}
	if answer.status != 200 {
		return items, fmt.Errorf("status %d", answer.status)
	}
	return items, nil
}

type pairFailure byte

func (f pairFailure) Error() string { return fmt.Sprintf("pairing error %d", byte(f)) }

// srpClient is another author's SRP.
func srpClient(user, pin string) *srp.ClientSession {
	s, err := srp.NewSRP("rfc5054.3072", sha512.New, func(salt, password []byte) []byte {
		return hash(salt, hash([]byte(user+":"), password))
	})
	if err != nil {
		panic(err)
	}
	for {
		if c := s.NewClientSession([]byte(user), []byte(pin)); len(c.GetA()) == srpSize {
			return c
		}
	}
}

// pairSetup1to3 goes as far as the proof.
func (c *client) pairSetup1to3(pin string) (key []byte, err error) {
	m2, err := c.exchange("/pair-setup", tlv(nil).state(1).with(tlvMethod, []byte{0}))
	if err != nil {
		return nil, err
	}
	client := srpClient(srpUser, pin)
	key, err = client.ComputeKey(m2.get(tlvSalt), m2.get(tlvPublicKey))
	if err != nil {
		return nil, err
	}
	m4, err := c.exchange("/pair-setup", tlv(nil).state(3).with(tlvPublicKey, client.GetA()).with(tlvProof, client.ComputeAuthenticator()))
	if err != nil {
		return nil, err
	}
	if !client.VerifyServerAuthenticator(m4.get(tlvProof)) {
		return nil, errors.New("the server does not know the setup code")
	}
	return key, nil
}

func (k *controller) message5(key []byte) tlv {
	x := derive(key, "Pair-Setup-Controller-Sign-Salt", "Pair-Setup-Controller-Sign-Info")
	signature := ed25519.Sign(k.key, join(x[:], []byte(k.id), k.public()))
	inner := tlv(nil).with(tlvIdentifier, []byte(k.id)).with(tlvPublicKey, k.public()).with(tlvSignature, signature)
	return tlv(nil).state(5).with(tlvEncrypted, sealMessage(derive(key, "Pair-Setup-Encrypt-Salt", "Pair-Setup-Encrypt-Info"), "PS-Msg05", inner))
}

func (c *client) pairSetup(k *controller, pin string) error {
	key, err := c.pairSetup1to3(pin)
	if err != nil {
		return err
	}
	m6, err := c.exchange("/pair-setup", k.message5(key))
	if err != nil {
		return err
	}
	inner, ok := openMessage(derive(key, "Pair-Setup-Encrypt-Salt", "Pair-Setup-Encrypt-Info"), "PS-Msg06", m6.get(tlvEncrypted))
	if !ok {
		return errors.New("M6 does not decrypt")
	}
	k.device, k.theirs = string(inner.get(tlvIdentifier)), inner.get(tlvPublicKey)
	x := derive(key, "Pair-Setup-Accessory-Sign-Salt", "Pair-Setup-Accessory-Sign-Info")
	if !ed25519.Verify(k.theirs, join(x[:], []byte(k.device), k.theirs), inner.get(tlvSignature)) {
		return errors.New("M6 is not signed")
	}
	return nil
}

// pairVerifyMessage3 goes as far as M3, which it returns with the key of the session.
func (c *client) pairVerifyMessage3(k *controller) (m3 tlv, shared []byte, err error) {
	secret, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	ours := secret.PublicKey().Bytes()
	m2, err := c.exchange("/pair-verify", tlv(nil).state(1).with(tlvPublicKey, ours))
	if err != nil {
		return nil, nil, err
	}
	theirs, err := ecdh.X25519().NewPublicKey(m2.get(tlvPublicKey))
	if err != nil {
		return nil, nil, err
	}
	if shared, err = secret.ECDH(theirs); err != nil {
		return nil, nil, err
	}
	key := derive(shared, "Pair-Verify-Encrypt-Salt", "Pair-Verify-Encrypt-Info")
	inner, ok := openMessage(key, "PV-Msg02", m2.get(tlvEncrypted))
	if !ok || k.theirs != nil && !ed25519.Verify(k.theirs, join(theirs.Bytes(), []byte(k.device), ours), inner.get(tlvSignature)) {
		return nil, nil, errors.New("M2 is not from the accessory")
	}
	signature := ed25519.Sign(k.key, join(ours, []byte(k.id), theirs.Bytes()))
	sealed := sealMessage(key, "PV-Msg03", tlv(nil).with(tlvIdentifier, []byte(k.id)).with(tlvSignature, signature))
	return tlv(nil).state(3).with(tlvEncrypted, sealed), shared, nil
}

func (c *client) pairVerify(k *controller) error {
	m3, shared, err := c.pairVerifyMessage3(k)
	if err != nil {
		return err
	}
	if _, err := c.exchange("/pair-verify", m3); err != nil {
		return err
	}
	c.encrypt(shared)
	return nil
}

func (c *client) encrypt(shared []byte) {
	write := derive(shared, "Control-Salt", "Control-Write-Encryption-Key")
	c.seal = &sealer{aead: newAEAD(write[:])}
	early, _ := c.in.Peek(c.in.Buffered())
	c.wire.upgrade(derive(shared, "Control-Salt", "Control-Read-Encryption-Key"), early)
	c.in.Reset(c.wire)
}
