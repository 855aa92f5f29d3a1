package hap

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
)

// The vectors of the specification (section 5.5.2) as Apple's kit has them.
func TestSRPVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/srp.json")
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]string
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	bytesOf := func(name string) []byte {
		b, err := hex.DecodeString(v[name])
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	verifier := srpVerifier(v["user"], v["password"], bytesOf("salt"))
	if hex.EncodeToString(verifier.Bytes()) != v["v"] {
		t.Error("v")
	}
	s := srpWithSecret(v["user"], bytesOf("salt"), verifier, new(big.Int).SetBytes(bytesOf("b")))
	if hex.EncodeToString(pad(s.public)) != v["B"] {
		t.Error("B")
	}
	key, ours, ok := s.verify(bytesOf("A"), bytesOf("m1"))
	if !ok || hex.EncodeToString(key) != v["k"] || hex.EncodeToString(ours) != v["m2"] {
		t.Errorf("proof: %v\n%x\n%x", ok, key, ours)
	}
}

// Leading zeros of A and S are left out by some controllers, and not by others. Both have to pair.
func TestSRPLeadingZeros(t *testing.T) {
	salt := make([]byte, srpSalt)
	v := srpVerifier(srpUser, testPIN, salt)
	x := new(big.Int).SetBytes(hash(salt, hash([]byte(srpUser+":"+testPIN))))
	k := new(big.Int).SetBytes(hash(pad(srpGroup.Prime), pad(srpGroup.Generator)))
	group := new(big.Int).Xor(new(big.Int).SetBytes(hash(srpGroup.Prime.Bytes())), new(big.Int).SetBytes(hash(srpGroup.Generator.Bytes()))).Bytes()
	zerosA, zerosS := 0, 0
	for n := int64(1); zerosA == 0 || zerosS == 0; n++ {
		server := srpWithSecret(srpUser, salt, v, big.NewInt(1<<40+n))
		a := big.NewInt(1<<41 + n)
		public := new(big.Int).Exp(srpGroup.Generator, a, srpGroup.Prime)
		u := new(big.Int).SetBytes(hash(pad(public), pad(server.public)))
		base := new(big.Int).Sub(server.public, new(big.Int).Mul(k, v))
		base.Mod(base, srpGroup.Prime)
		s := new(big.Int).Exp(base, new(big.Int).Add(a, u.Mul(u, x)), srpGroup.Prime)
		short := func(n *big.Int) bool { return len(n.Bytes()) < srpSize }
		if !short(public) && !short(s) || short(server.public) {
			continue
		}
		if short(public) {
			zerosA++
		}
		if short(s) {
			zerosS++
		}
		for _, form := range []func(*big.Int) []byte{(*big.Int).Bytes, pad} {
			key := hash(form(s))
			proof := hash(group, hash([]byte(srpUser)), salt, form(public), pad(server.public), key)
			if got, _, ok := server.verify(form(public), proof); !ok || string(got) != string(key) {
				t.Fatalf("try %d: not accepted", n)
			}
		}
	}
}

func TestSRPRefuses(t *testing.T) {
	server := newSRP(srpUser, make([]byte, srpSalt), srpVerifier(srpUser, testPIN, make([]byte, srpSalt)))
	twice := new(big.Int).Mul(srpGroup.Prime, big.NewInt(2))
	for name, public := range map[string][]byte{
		"none": nil, "zero": make([]byte, srpSize), "N": srpGroup.Prime.Bytes(), "2N": twice.Bytes(), "long": make([]byte, 4000),
	} {
		key := hash(nil)
		proof := hash([]byte{}, key)
		if _, _, ok := server.verify(public, proof); ok {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestPairAndVerify(t *testing.T) {
	w := start(t, 2, nil)
	if w.s.Paired() || w.s.text()["sf"] != "1" {
		t.Fatal("paired from the start")
	}
	k := w.pair("phone")
	if !w.s.Paired() || w.s.text()["sf"] != "0" || len(w.s.Pairings()) != 1 || !w.s.Pairings()[0].Admin {
		t.Fatal("not paired")
	}
	c := w.session(k)
	if got := c.do(200, "GET", "/accessories", ""); !json.Valid(got.body) {
		t.Fatalf("not JSON: %s", got.body)
	}
	if m, err := c.try("POST", "/pair-verify", string(tlv(nil).state(1).with(tlvPublicKey, make([]byte, 32)).bytes())); err != nil || m.status != 400 {
		t.Errorf("pair-verify within a session: %v %v", m, err)
	}
}

// Pairing without the setup code was possible in the server this one replaces: M5 without M3.
func TestNoPairingWithoutProof(t *testing.T) {
	w := start(t, 1, nil)
	k := newController("thief")
	for name, key := range map[string][]byte{"no key": nil, "zeros": make([]byte, 64)} {
		c := w.dial()
		if _, err := c.exchange("/pair-setup", k.message5(key)); err == nil {
			t.Errorf("%s: M5 first was accepted", name)
		}
		if _, err := c.exchange("/pair-setup", tlv(nil).state(1).with(tlvMethod, []byte{0})); err != nil {
			t.Fatal(err)
		}
		if _, err := c.exchange("/pair-setup", k.message5(key)); err == nil {
			t.Errorf("%s: M5 after M1 was accepted", name)
		}
	}
	c := w.dial()
	if _, err := c.pairSetup1to3("111-22-334"); !errors.Is(err, pairFailure(errAuthentication)) {
		t.Errorf("wrong setup code: %v", err)
	}
	if _, err := c.exchange("/pair-setup", k.message5(nil)); err == nil {
		t.Error("M5 after a wrong proof was accepted")
	}
	key, err := c.pairSetup1to3(testPIN)
	if err != nil {
		t.Fatal(err)
	}
	other := k.message5(make([]byte, 64))
	if _, err := c.exchange("/pair-setup", other); !errors.Is(err, pairFailure(errAuthentication)) {
		t.Errorf("M5 with another key: %v", err)
	}
	if _, err := c.exchange("/pair-setup", k.message5(key)); err == nil {
		t.Error("a session that failed went on")
	}
	if w.s.Paired() {
		t.Fatal("paired without a proof")
	}
}

func TestPairingTwice(t *testing.T) {
	w := start(t, 1, nil)
	first, second := w.dial(), w.dial()
	key1, err := first.pairSetup1to3(testPIN)
	if err != nil {
		t.Fatal(err)
	}
	key2, err := second.pairSetup1to3(testPIN) // a session that is half open blocks nobody
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.exchange("/pair-setup", newController("quick").message5(key2)); err != nil {
		t.Fatal(err)
	}
	if _, err := first.exchange("/pair-setup", newController("slow").message5(key1)); !errors.Is(err, pairFailure(errUnavailable)) {
		t.Errorf("a second first pairing: %v", err)
	}
	if err := w.dial().pairSetup(newController("late"), testPIN); !errors.Is(err, pairFailure(errUnavailable)) {
		t.Errorf("pairing with a paired server: %v", err)
	}
	if got := w.s.Pairings(); len(got) != 1 || got[0].ID != "quick" {
		t.Errorf("pairings: %v", got)
	}
}

func TestTriesAreCounted(t *testing.T) {
	w := start(t, 1, nil)
	for n := range 60 {
		if _, err := w.dial().pairSetup1to3("111-22-333"); !errors.Is(err, pairFailure(errAuthentication)) {
			t.Fatalf("try %d: %v", n, err)
		}
	}
	w.stop()
	w = startWith(t, w.store, w.all, nil) // the count outlives the program
	open := w.dial()
	if _, err := open.exchange("/pair-setup", tlv(nil).state(1).with(tlvMethod, []byte{0})); err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		if _, err := w.dial().pairSetup1to3("111-22-333"); !errors.Is(err, pairFailure(errAuthentication)) {
			t.Fatalf("try %d: %v", n, err)
		}
	}
	for range 3 {
		if _, err := w.dial().pairSetup1to3(testPIN); !errors.Is(err, pairFailure(errMaxTries)) {
			t.Fatalf("after a hundred: %v", err)
		}
	}
	m := tlv(nil).state(3).with(tlvPublicKey, []byte{2}).with(tlvProof, make([]byte, 64))
	if _, err := open.exchange("/pair-setup", m); !errors.Is(err, pairFailure(errMaxTries)) {
		t.Errorf("a session from before: %v", err)
	}
	device := w.s.keep.identity().DeviceID
	if err := w.s.Reset(); err != nil {
		t.Fatal(err)
	}
	if w.s.keep.identity().DeviceID == device {
		t.Error("a reset keeps the identity")
	}
	w.pair("phone")
}

func TestTriesThatCannotBeKept(t *testing.T) {
	w := start(t, 1, nil)
	w.store.fail = func(verb, key string) error {
		if verb == "put" {
			return errors.New("disk full")
		}
		return nil
	}
	if _, err := w.dial().pairSetup1to3("111-22-333"); !errors.Is(err, pairFailure(errUnknown)) {
		t.Errorf("%v", err)
	}
	if err := w.dial().pairSetup(newController("phone"), testPIN); !errors.Is(err, pairFailure(errUnknown)) || w.s.Paired() {
		t.Errorf("paired without keeping it: %v", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	w := start(t, 1, nil)
	k := w.pair("phone")
	stranger := newController("stranger")
	impostor := newController("phone")
	for name, who := range map[string]*controller{"stranger": stranger, "impostor": impostor} {
		c := w.dial()
		if err := c.pairVerify(who); !errors.Is(err, pairFailure(errAuthentication)) {
			t.Errorf("%s: %v", name, err)
		}
		if m := c.do(470, "GET", "/accessories", ""); !strings.Contains(string(m.body), "-70401") {
			t.Errorf("%s: %s", name, m.body)
		}
	}
	c, d := w.dial(), w.dial()
	m3, _, err := c.pairVerifyMessage3(k)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.exchange("/pair-verify", m3); err == nil {
		t.Error("M3 without M1 was accepted")
	}
	if _, _, err := d.pairVerifyMessage3(k); err != nil {
		t.Fatal(err)
	}
	if _, err := d.exchange("/pair-verify", m3); !errors.Is(err, pairFailure(errAuthentication)) {
		t.Errorf("M3 of another connection: %v", err)
	}
	if m, err := c.try("POST", "/pair-verify", string(tlv(nil).state(1).with(tlvPublicKey, make([]byte, 32)).bytes())); err != nil || string(m.body) != string(tlv(nil).state(2).failed(errAuthentication).bytes()) {
		t.Errorf("a key that makes the secret known: %v %v", m, err)
	}
	if _, err := c.exchange("/pair-verify", m3); err == nil {
		t.Error("M3 counted after another M1")
	}
}

func TestPairings(t *testing.T) {
	w := start(t, 2, nil)
	admin := w.pair("admin")
	guest := newController("guest")
	c := w.session(admin)
	add := func(k *controller, rights byte) tlv {
		return tlv(nil).state(1).with(tlvMethod, []byte{methodAdd}).with(tlvIdentifier, []byte(k.id)).with(tlvPublicKey, k.public()).with(tlvPermissions, []byte{rights})
	}
	remove := func(id string) tlv {
		return tlv(nil).state(1).with(tlvMethod, []byte{methodRemove}).with(tlvIdentifier, []byte(id))
	}
	list := tlv(nil).state(1).with(tlvMethod, []byte{methodList})
	if _, err := c.exchange("/pairings", add(guest, 0)); err != nil {
		t.Fatal(err)
	}
	guest.device, guest.theirs = admin.device, admin.theirs
	if _, err := c.exchange("/pairings", add(newController("guest"), 0)); !errors.Is(err, pairFailure(errUnknown)) {
		t.Errorf("another key under a known id: %v", err)
	}
	got, err := c.exchange("/pairings", list)
	want := tlv(nil).state(2).with(tlvIdentifier, []byte("admin")).with(tlvPublicKey, admin.public()).with(tlvPermissions, []byte{1}).
		with(tlvSeparator, nil).with(tlvIdentifier, []byte("guest")).with(tlvPublicKey, guest.public()).with(tlvPermissions, []byte{0})
	if err != nil || string(got.bytes()) != string(want.bytes()) {
		t.Errorf("list: %v %v", got, err)
	}
	g := w.session(guest)
	for _, m := range []tlv{list, add(newController("x"), 1), remove("admin")} {
		if got, err := g.exchange("/pairings", m); !errors.Is(err, pairFailure(errAuthentication)) || got.get(tlvState)[0] != 2 {
			t.Errorf("a guest: %v %v", got, err)
		}
	}
	if _, err := c.exchange("/pairings", remove("nobody")); err != nil {
		t.Errorf("removing nobody: %v", err)
	}
	if _, err := c.exchange("/pairings", remove("guest")); err != nil {
		t.Fatal(err)
	}
	g.closed()
	if err := w.dial().pairVerify(guest); !errors.Is(err, pairFailure(errAuthentication)) {
		t.Errorf("a removed guest: %v", err)
	}
	for n := range mostPairings - 1 {
		if _, err := c.exchange("/pairings", add(newController("many"+string(rune('a'+n))), 0)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.exchange("/pairings", add(newController("more"), 0)); !errors.Is(err, pairFailure(errMaxPeers)) {
		t.Errorf("too many: %v", err)
	}
}

// The last administrator takes all others along, and gets its answer before its connection is closed.
func TestLastAdmin(t *testing.T) {
	for _, how := range []string{"remove", "demote", "Remove"} {
		w := start(t, 2, nil)
		admin, guest := w.pair("admin"), newController("guest")
		c := w.session(admin)
		add := tlv(nil).state(1).with(tlvMethod, []byte{methodAdd})
		if _, err := c.exchange("/pairings", add.with(tlvIdentifier, []byte("guest")).with(tlvPublicKey, guest.public()).with(tlvPermissions, []byte{0})); err != nil {
			t.Fatal(err)
		}
		g := w.session(guest)
		m := tlv(nil).state(1).with(tlvMethod, []byte{methodRemove}).with(tlvIdentifier, []byte("admin"))
		if how == "demote" {
			m = add.with(tlvIdentifier, []byte("admin")).with(tlvPublicKey, admin.public()).with(tlvPermissions, []byte{0})
		}
		if how == "Remove" {
			if err := w.s.Remove("admin"); err != nil {
				t.Fatal(err)
			}
		} else if got, err := c.exchange("/pairings", m); err != nil || string(got.bytes()) != string(tlv(nil).state(2).bytes()) {
			t.Errorf("%s: %v %v", how, got, err)
		}
		c.closed()
		g.closed()
		if w.s.Paired() || w.s.text()["sf"] != "1" {
			t.Errorf("%s: still paired", how)
		}
		w.pair("next")
	}
}

func TestRestartKeepsPairings(t *testing.T) {
	w := start(t, 3, nil)
	k := w.pair("phone")
	text := w.s.text()
	w.stop()
	w = startWith(t, w.store, home(3), nil)
	if got := w.s.text(); got["id"] != text["id"] || got["c#"] != text["c#"] || got["sf"] != "0" {
		t.Errorf("%v became %v", text, got)
	}
	w.session(k).do(200, "GET", "/accessories", "")
}

func TestStoreThatCannotBeRead(t *testing.T) {
	w := start(t, 1, nil)
	w.pair("phone")
	w.stop()
	o := Options{Name: "Test", PIN: testPIN, SetupID: "SWZ1", Handler: w.h, Store: w.store}
	damaged := errors.New("damaged")
	for _, verb := range []string{"get", "each"} {
		w.store.fail = func(v, _ string) error {
			if v == verb {
				return damaged
			}
			return nil
		}
		if _, err := New(o); !errors.Is(err, damaged) {
			t.Errorf("%s fails: %v", verb, err)
		}
	}
	w.store.fail = nil
	for key, was := range w.store.m {
		for _, bad := range []string{"{", `{"x":1}`, `"text"`} {
			w.store.m[key] = []byte(bad)
			if _, err := New(o); err == nil && !(key == keyConfig && bad == `{"x":1}`) {
				t.Errorf("%s = %s is read", key, bad)
			}
		}
		w.store.m[key] = was
	}
	delete(w.store.m, keyIdentity)
	if _, err := New(o); err == nil {
		t.Error("pairings without an identity are read")
	}
}

func TestSetupCodes(t *testing.T) {
	for _, bad := range []string{"", "00000000", "111-11-111", "99999999", "12345678", "876-54-321", "1234567", "0314515a", "031451540"} {
		if _, err := parsePIN(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if pin, err := parsePIN("03145154"); pin != testPIN || err != nil {
		t.Errorf("%q %v", pin, err)
	}
	for range 100 {
		if _, err := parsePIN(NewPIN()); err != nil {
			t.Error(err)
		}
		if err := checkSetupID(NewSetupID()); err != nil {
			t.Error(err)
		}
	}
	if err := checkSetupID("abcd"); err == nil {
		t.Error("small letters in a setup id")
	}
	if got := setupURI(2, testPIN, "SWZ1"); got != "X-HM://0023ISYWYSWZ1" {
		t.Errorf("setup URI %s", got)
	}
}

func TestIdentifyUnpaired(t *testing.T) {
	w := start(t, 2, nil)
	c := w.dial()
	c.do(204, "POST", "/identify", "")
	if len(w.h.identified) != 1 || w.h.identified[0] != nil {
		t.Fatalf("%v", w.h.identified)
	}
	k := w.pair("phone")
	c.do(400, "POST", "/identify", "")
	s := w.session(k)
	for range 3 { // each time, not only the first
		s.put(204, `{"characteristics":[{"aid":2,"iid":%d,"value":true}]}`, iidIdentify)
	}
	if len(w.h.identified) != 4 || w.h.identified[3] != w.all[1] {
		t.Errorf("%v", w.h.identified)
	}
}

func TestHandshakeLimits(t *testing.T) {
	w := start(t, 1, nil)
	c := w.dial()
	c.raw(request("POST", "/pair-setup", contentTLV, make([]byte, pairingMost+1)))
	if m, err := c.response(); err != nil || m.status != 413 {
		t.Errorf("a long body: %v %v", m, err)
	}
	c.closed()
	c = w.dial()
	c.raw([]byte("GET / HTTP/1.1\r\nX: " + strings.Repeat("x", headerMost+bufferSize)))
	if m, err := c.response(); err != nil || m.status != 400 {
		t.Errorf("a long header: %v %v", m, err)
	}
	c.closed()
	for _, text := range []string{"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"} {
		c = w.dial()
		c.raw([]byte(text))
		c.next(5 * time.Second)
		c.closed()
	}
}
