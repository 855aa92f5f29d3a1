package hap

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"testing"
	"testing/iotest"
	"time"
)

// loop is a connection to nowhere: what is written to it is kept.
type loop struct {
	net.Conn
	out bytes.Buffer
}

func (l *loop) Write(p []byte) (int, error)      { return l.out.Write(p) }
func (l *loop) Close() error                     { return nil }
func (l *loop) SetReadDeadline(time.Time) error  { return nil }
func (l *loop) SetWriteDeadline(time.Time) error { return nil }
func (l *loop) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// fuzzServer is a server without a network.
func fuzzServer(f *testing.F) *Server {
	s, err := New(Options{Name: "Fuzz", PIN: testPIN, SetupID: "SWZ1", Store: newMemory(), Handler: &hands{write: nil}})
	if err != nil {
		f.Fatal(err)
	}
	if err := s.Publish(home(4)); err != nil {
		f.Fatal(err)
	}
	return s
}

// However the frames are cut and however they come, the plain text is the same; with a byte changed there is an error,
// and never other text.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("GET /accessories HTTP/1.1\r\n\r\n"), uint16(5), uint16(3), false)
	f.Add(make([]byte, 5000), uint16(1024), uint16(1000), true)
	f.Add(make([]byte, 2048), uint16(0), uint16(0), true)
	f.Fuzz(func(t *testing.T, text []byte, cut, early uint16, bytewise bool) {
		var k [32]byte
		s := &sealer{aead: newAEAD(k[:])}
		var sealed []byte
		for rest := text; len(rest) > 0; {
			n := min(len(rest), int(cut)%2000+1)
			sealed = append(sealed, s.seal(rest[:n])...)
			rest = rest[n:]
		}
		open := func(sealed []byte) ([]byte, error) {
			n := min(len(sealed), int(early))
			var src io.Reader = bytes.NewReader(sealed[n:])
			if bytewise {
				src = iotest.OneByteReader(src)
			}
			w := &wire{src: src, budget: 1 << 40}
			w.upgrade(k, sealed[:n])
			return io.ReadAll(w)
		}
		if got, err := open(sealed); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%d bytes became %d: %v", len(text), len(got), err)
		}
		if len(sealed) > 0 {
			bad := bytes.Clone(sealed)
			bad[int(cut)%len(bad)] ^= 1
			if got, _ := open(bad); !bytes.HasPrefix(text, got) || len(got) == len(text) {
				t.Fatalf("changed bytes were taken for %q", got)
			}
		}
		if got, _ := open(text); len(got) > 0 {
			t.Fatalf("%q is taken for frames", text)
		}
	})
}

func FuzzTLV(f *testing.F) {
	f.Add([]byte{6, 1, 1, 0, 1, 0})
	f.Add(tlv(nil).state(1).with(3, make([]byte, 600)).with(0xff, nil).bytes())
	f.Fuzz(func(t *testing.T, body []byte) {
		items, err := parseTLV(body)
		if err != nil {
			return
		}
		again, err := parseTLV(items.bytes())
		if err != nil || !bytes.Equal(again.bytes(), items.bytes()) {
			t.Fatalf("%x became %x", items.bytes(), again.bytes())
		}
	})
}

// No body of pair-setup or pair-verify pairs, verifies or makes the server fall over.
func FuzzPairing(f *testing.F) {
	s := fuzzServer(f)
	f.Add(tlv(nil).state(1).with(tlvMethod, []byte{0}).bytes(), tlv(nil).state(3).with(tlvPublicKey, []byte{2}).with(tlvProof, make([]byte, 64)).bytes())
	f.Add(tlv(nil).state(1).with(tlvPublicKey, make([]byte, 32)).bytes(), tlv(nil).state(3).with(tlvEncrypted, make([]byte, 40)).bytes())
	f.Add(tlv(nil).state(5).with(tlvEncrypted, nil).bytes(), []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s.keep.tries = 0
		c := newConn(s, &loop{})
		for _, body := range [][]byte{first, second, first} {
			if r := c.pairSetup(body); r.upgrade != nil {
				t.Fatal("pair-setup ends in a session")
			}
			if r := c.pairVerify(body); r.upgrade != nil {
				t.Fatal("verified")
			}
			c.pairings(body)
		}
		if s.Paired() {
			t.Fatal("paired")
		}
	})
}

// Whatever a verified controller sends: every answer is a whole response, and the database stays one of valid values.
func FuzzRequests(f *testing.F) {
	s := fuzzServer(f)
	f.Add([]byte("PUT /characteristics HTTP/1.1\r\nContent-Length: 63\r\n\r\n" + `{"characteristics":[{"aid":2,"iid":11,"value":true,"r":true}]}`))
	f.Add([]byte("GET /characteristics?id=2.11,2.12&meta=1 HTTP/1.1\r\n\r\nGET /accessories HTTP/1.1\r\n\r\n"))
	f.Add([]byte("POST /pair-setup HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\x06\x01\x01\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l := &loop{}
		c := newConn(s, l)
		c.controller = "fuzz"
		c.wire.src = bytes.NewReader(text)
		c.serve(context.Background())
		checkResponses(t, l.out.Bytes())
		checkDatabase(t, s)
	})
}

func FuzzWrites(f *testing.F) {
	s := fuzzServer(f)
	f.Add([]byte(`{"characteristics":[{"aid":2,"iid":11,"value":true,"ev":true}],"pid":1}`), []byte(`{"ttl":1000,"pid":1}`))
	f.Add([]byte(`{"characteristics":[{"aid":2,"iid":12,"value":1e2,"r":1},{"aid":2,"iid":43,"value":"AAA="}]}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, body, prepare []byte) {
		c := newConn(s, &loop{})
		c.controller = "fuzz"
		for _, r := range []response{c.prepare(prepare), c.writeValues(context.Background(), body)} {
			if len(r.body) > 0 && !json.Valid(r.body) {
				t.Fatalf("%d %s", r.status, r.body)
			}
		}
		checkDatabase(t, s)
		s.mu.Lock()
		s.forget(c)
		s.mu.Unlock()
	})
}

func checkResponses(t *testing.T, out []byte) {
	for len(out) > 0 {
		head, rest, ok := bytes.Cut(out, []byte("\r\n\r\n"))
		if !ok || !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) {
			t.Fatalf("not a response: %q", out)
		}
		n := 0
		for line := range bytes.Lines(head) {
			if length, is := bytes.CutPrefix(line, []byte("Content-Length: ")); is {
				json.Unmarshal(bytes.TrimSpace(length), &n)
			}
		}
		if n > len(rest) {
			t.Fatalf("a response of %d bytes has %d", n, len(rest))
		}
		out = rest[n:]
	}
}

func checkDatabase(t *testing.T, s *Server) {
	text := s.accessories()
	if !json.Valid(text) {
		t.Fatalf("the database is not JSON: %s", text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, i := range s.db.items {
		if i.limits.fit(i.value) != i.value {
			t.Fatalf("%v has the value %v", k, i.value)
		}
	}
}
