package hap

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
)

// verifySession is one controller's way through pair-verify (section 5.7). It lives in its connection.
type verifySession struct {
	theirs, ours []byte // public keys, for this session only
	shared       []byte
	key          [32]byte
}

// pairVerify answers POST /pair-verify.
func (c *conn) pairVerify(body []byte) response {
	message, err := parseTLV(body)
	state, ok := message.number(tlvState)
	if err != nil || !ok || c.controller != "" { // an encrypted session does not change its keys
		return badRequest
	}
	session := c.verify
	c.verify = nil
	switch {
	case state == 1:
		return c.pairVerify1(message)
	case state == 3 && session != nil:
		return c.pairVerify3(session, message)
	}
	return pairing(http.StatusBadRequest, tlv(nil).state(byte(state)+1).failed(errUnknown))
}

// pairVerify1 proves who we are: M1 to M2.
func (c *conn) pairVerify1(message tlv) response {
	theirs, err := ecdh.X25519().NewPublicKey(message.get(tlvPublicKey))
	if err != nil {
		return badRequest
	}
	secret, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return response{status: http.StatusInternalServerError}
	}
	shared, err := secret.ECDH(theirs)
	if err != nil { // a point that makes the secret known
		return pairing(http.StatusOK, tlv(nil).state(2).failed(errAuthentication))
	}
	session := &verifySession{theirs: theirs.Bytes(), ours: secret.PublicKey().Bytes(), shared: shared}
	session.key = derive(shared, "Pair-Verify-Encrypt-Salt", "Pair-Verify-Encrypt-Info")
	us := c.s.keep.identity()
	signature := ed25519.Sign(us.key(), join(session.ours, []byte(us.DeviceID), session.theirs))
	sealed := sealMessage(session.key, "PV-Msg02", tlv(nil).with(tlvIdentifier, []byte(us.DeviceID)).with(tlvSignature, signature))
	c.verify = session
	return pairing(http.StatusOK, tlv(nil).state(2).with(tlvPublicKey, session.ours).with(tlvEncrypted, sealed))
}

// pairVerify3 checks who the controller is, and makes the session encrypted after the answer: M3 to M4.
func (c *conn) pairVerify3(session *verifySession, message tlv) response {
	answer := tlv(nil).state(4)
	inner, ok := openMessage(session.key, "PV-Msg03", message.get(tlvEncrypted))
	if !ok {
		return pairing(http.StatusOK, answer.failed(errAuthentication))
	}
	id := inner.get(tlvIdentifier)
	p, known := c.s.keep.pairing(string(id))
	if !known || !ed25519.Verify(p.PublicKey, join(session.theirs, id, session.ours), inner.get(tlvSignature)) {
		return pairing(http.StatusOK, answer.failed(errAuthentication))
	}
	c.s.mu.Lock()
	c.proven = true // before the controller knows: from then on it relies on the connection
	c.s.mu.Unlock()
	r := pairing(http.StatusOK, answer)
	r.upgrade = &upgrade{
		controller: p.ID,
		read:       derive(session.shared, "Control-Salt", "Control-Write-Encryption-Key"), // the controller's point of view
		write:      derive(session.shared, "Control-Salt", "Control-Read-Encryption-Key"),
	}
	return r
}
