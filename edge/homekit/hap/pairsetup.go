package hap

import (
	"crypto/ed25519"
	"crypto/rand"
	"math/big"
	"net/http"
	"sync"
	"unicode/utf8"
)

// setupSession is one controller's way through pair-setup (section 5.6). It lives in its connection and is dropped at the
// first thing that goes wrong.
type setupSession struct {
	srp    *srpServer
	proven bool   // M3 was right: only then M5
	key    []byte // the SRP session key
}

// code is the setup code as SRP keeps it. It is computed once: it takes a small board some time.
type code struct {
	pin  string
	once sync.Once
	salt []byte
	v    *big.Int
}

func (c *code) verifier() ([]byte, *big.Int) {
	c.once.Do(func() {
		c.salt = make([]byte, srpSalt)
		rand.Read(c.salt) // never fails
		c.v = srpVerifier(srpUser, c.pin, c.salt)
	})
	return c.salt, c.v
}

// pairSetup answers POST /pair-setup.
func (c *conn) pairSetup(body []byte) response {
	message, err := parseTLV(body)
	state, ok := message.number(tlvState)
	if err != nil || !ok {
		return badRequest
	}
	switch {
	case state == 1:
		return c.pairSetup1(message)
	case state == 3 && c.setup != nil && !c.setup.proven:
		return c.pairSetup3(message)
	case state == 5 && c.setup != nil && c.setup.proven:
		return c.pairSetup5(message)
	}
	c.setup = nil
	return pairing(http.StatusBadRequest, tlv(nil).state(byte(state)+1).failed(errUnknown))
}

// pairSetup1 begins: M1 to M2.
func (c *conn) pairSetup1(message tlv) response {
	c.setup = nil
	answer := tlv(nil).state(2)
	method, _ := message.number(tlvMethod)
	switch {
	case method > 1: // 0: pair setup, 1: with an authentication chip, which controllers send to any accessory
		return pairing(http.StatusOK, answer.failed(errUnknown))
	case c.s.keep.paired():
		return pairing(http.StatusOK, answer.failed(errUnavailable))
	case c.s.keep.exhausted():
		c.s.log.Warn("homekit: the setup code was wrong too often; only a reset allows more tries", "remote", c.remote())
		return pairing(http.StatusOK, answer.failed(errMaxTries))
	}
	c.s.slow.Lock()
	salt, v := c.s.code.verifier()
	c.setup = &setupSession{srp: newSRP(srpUser, salt, v)}
	c.s.slow.Unlock()
	return pairing(http.StatusOK, answer.with(tlvPublicKey, pad(c.setup.srp.public)).with(tlvSalt, salt))
}

// pairSetup3 checks the proof that the controller knows the setup code: M3 to M4.
func (c *conn) pairSetup3(message tlv) response {
	setup, answer := c.setup, tlv(nil).state(4)
	var ours []byte
	failed := c.s.keep.try(func() (ok bool) {
		setup.key, ours, ok = setup.srp.verify(message.get(tlvPublicKey), message.get(tlvProof))
		return ok
	})
	if failed != 0 {
		c.setup = nil
		c.s.log.Warn("homekit: a wrong setup code", "remote", c.remote())
		return pairing(http.StatusOK, answer.failed(failed))
	}
	setup.proven = true
	return pairing(http.StatusOK, answer.with(tlvProof, ours))
}

// pairSetup5 exchanges the long-term keys: M5 to M6.
func (c *conn) pairSetup5(message tlv) response {
	setup, answer := c.setup, tlv(nil).state(6)
	c.setup = nil
	key := derive(setup.key, "Pair-Setup-Encrypt-Salt", "Pair-Setup-Encrypt-Info")
	inner, ok := openMessage(key, "PS-Msg05", message.get(tlvEncrypted))
	if !ok {
		return pairing(http.StatusOK, answer.failed(errAuthentication))
	}
	id, public := inner.get(tlvIdentifier), inner.get(tlvPublicKey)
	x := derive(setup.key, "Pair-Setup-Controller-Sign-Salt", "Pair-Setup-Controller-Sign-Info")
	if !validController(id, public) || !ed25519.Verify(public, join(x[:], id, public), inner.get(tlvSignature)) {
		return pairing(http.StatusOK, answer.failed(errAuthentication))
	}
	first, err := c.s.keep.first(Pairing{ID: string(id), PublicKey: append([]byte(nil), public...), Admin: true})
	switch {
	case err != nil:
		c.s.log.Error("homekit: the pairing cannot be kept", "error", err)
		return pairing(http.StatusOK, answer.failed(errUnknown))
	case !first:
		return pairing(http.StatusOK, answer.failed(errUnavailable))
	}
	c.s.log.Info("homekit: paired", "controller", string(id), "remote", c.remote())
	c.s.tell()
	us := c.s.keep.identity()
	x = derive(setup.key, "Pair-Setup-Accessory-Sign-Salt", "Pair-Setup-Accessory-Sign-Info")
	ours := us.key().Public().(ed25519.PublicKey)
	signature := ed25519.Sign(us.key(), join(x[:], []byte(us.DeviceID), ours))
	sealed := sealMessage(key, "PS-Msg06", tlv(nil).with(tlvIdentifier, []byte(us.DeviceID)).with(tlvPublicKey, ours).with(tlvSignature, signature))
	return pairing(http.StatusOK, answer.with(tlvEncrypted, sealed))
}

// validController bounds what is kept of a controller.
func validController(id, public []byte) bool {
	return len(id) > 0 && len(id) <= mostIDLength && utf8.Valid(id) && len(public) == ed25519.PublicKeySize
}

func join(parts ...[]byte) (all []byte) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}
