package hap

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http/httputil"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"
	"github.com/tadglines/go-pkgs/crypto/srp"
)

const testPIN = "031-45-154"

// memory is a Store that can fail.
type memory struct {
	mu   sync.Mutex
	m    map[string][]byte
	fail func(verb, key string) error
}

func newMemory() *memory { return &memory{m: make(map[string][]byte)} }

func (m *memory) broken(verb, key string) error {
	if m.fail == nil {
		return nil
	}
	return m.fail(verb, key)
}

func (m *memory) Get(key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.m[key], m.broken("get", key)
}

func (m *memory) Put(key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.broken("put", key); err != nil {
		return err
	}
	m.m[key] = bytes.Clone(value)
	return nil
}

func (m *memory) Delete(key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.broken("delete", key); err != nil {
		return err
	}
	delete(m.m, key)
	return nil
}

func (m *memory) Each(f func(string, []byte) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.broken("each", ""); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(m.m)) {
		if err := f(key, m.m[key]); err != nil {
			return err
		}
	}
	return nil
}

// hands is a Handler that keeps what it was asked.
type hands struct {
	mu         sync.Mutex
	writes     []Write
	identified []*accessory.A
	calls      int
	write      func(ctx context.Context, a *accessory.A, writes []Write) []Status
	read       func(a *accessory.A, c *characteristic.C) Status
}

func (h *hands) Read(_ context.Context, a *accessory.A, c *characteristic.C) Status {
	if h.read != nil {
		return h.read(a, c)
	}
	return OK
}

func (h *hands) Write(ctx context.Context, a *accessory.A, writes []Write) []Status {
	h.mu.Lock()
	h.writes = append(h.writes, writes...)
	h.calls++
	h.mu.Unlock()
	if h.write != nil {
		return h.write(ctx, a, writes)
	}
	return make([]Status, len(writes))
}

func (h *hands) Identify(a *accessory.A) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.identified = append(h.identified, a)
}

// Instance ids of the test accessories.
const (
	iidIdentify   = 2
	iidOn         = 11
	iidBrightness = 12
	iidTemp       = 13
	iidButton     = 21
	iidLock       = 31
	iidSecret     = 41 // write only
	iidNote       = 42 // string
	iidControl    = 43 // write response
)

func info(a *accessory.A) {
	a.Info.Id = 1
	for n, c := range a.Info.Cs {
		c.Id = uint64(2 + n)
	}
}

// lamp is an accessory with one of everything.
func lamp(aid uint64) *accessory.A {
	a := accessory.New(accessory.Info{Name: fmt.Sprintf("Lamp %d", aid), SerialNumber: "00" + strconv.Itoa(int(aid)), Manufacturer: "Us", Model: "L", Firmware: "1.0.0"}, accessory.TypeLightbulb)
	a.Id = aid
	info(a)
	bulb := service.New(service.TypeLightbulb)
	bulb.Id = 10
	on, brightness, temperature := characteristic.NewOn(), characteristic.NewBrightness(), characteristic.NewCurrentTemperature()
	on.Id, brightness.Id, temperature.Id = iidOn, iidBrightness, iidTemp
	bulb.Cs = append(bulb.Cs, on.C, brightness.C, temperature.C)
	button := service.New(service.TypeStatelessProgrammableSwitch)
	button.Id = 20
	press := characteristic.NewProgrammableSwitchEvent()
	press.Id = iidButton
	button.Cs = append(button.Cs, press.C)
	lock := service.New(service.TypeLockMechanism)
	lock.Id = 30
	target := characteristic.NewLockTargetState()
	target.Id = iidLock
	target.Permissions = append(target.Permissions, "tw")
	lock.Cs = append(lock.Cs, target.C)
	odd := service.New("49")
	odd.Id = 40
	secret := &characteristic.C{Id: iidSecret, Type: "E0", Format: "uint8", Permissions: []string{"pw"}}
	note := &characteristic.C{Id: iidNote, Type: "E1", Format: "string", Permissions: []string{"pr", "pw"}, MaxLen: 8}
	control := &characteristic.C{Id: iidControl, Type: "E2", Format: "tlv8", Permissions: []string{"pr", "pw", "wr"}}
	odd.Cs = append(odd.Cs, secret, note, control)
	a.Ss = append(a.Ss, bulb, button, lock, odd)
	return a
}

func bridge() *accessory.A {
	a := accessory.NewBridge(accessory.Info{Name: "Bridge", SerialNumber: "001", Manufacturer: "Us", Model: "B", Firmware: "1.0.0"}).A
	a.Id = 1
	info(a)
	return a
}

// home is a bridge and n-1 lamps.
func home(n int) []*accessory.A {
	all := []*accessory.A{bridge()}
	for i := 2; i <= n; i++ {
		all = append(all, lamp(uint64(i)))
	}
	return all
}

func find(all []*accessory.A, aid, iid uint64) (*accessory.A, *characteristic.C) {
	for _, a := range all {
		for _, s := range a.Ss {
			for _, c := range s.Cs {
				if a.Id == aid && c.Id == iid {
					return a, c
				}
			}
		}
	}
	panic("no such characteristic")
}

// world is a running server with accessories.
type world struct {
	t       testing.TB
	s       *Server
	h       *hands
	store   *memory
	all     []*accessory.A
	address string
	stop    func()
}

func start(t testing.TB, accessories int, change func(*Options)) *world {
	return startWith(t, newMemory(), home(accessories), change)
}

func startWith(t testing.TB, store *memory, all []*accessory.A, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, h: &hands{}, store: store, all: all}
	o := Options{Name: "Test", PIN: testPIN, SetupID: "SWZ1", Store: store, Handler: w.h, Coalesce: 50 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(all); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	w.s, w.address = s, l.Addr().String()
	w.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("Serve does not end")
		}
	})
	t.Cleanup(w.stop)
	return w
}

func (w *world) changed(aid, iid uint64, value any) {
	a, c := find(w.all, aid, iid)
	w.s.Changed(a, c, value, "")
}

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

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("it did not come: %s", what)
}
