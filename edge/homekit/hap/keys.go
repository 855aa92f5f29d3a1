package hap

import (
	"crypto/hkdf"
	"crypto/sha512"
)

// derive is the key derivation of all of HAP: HKDF-SHA-512 to 32 bytes.
func derive(secret []byte, salt, info string) (key [32]byte) {
	out, err := hkdf.Key(sha512.New, secret, []byte(salt), info, len(key))
	if err != nil {
		panic("hap: " + err.Error()) // only for lengths
	}
	copy(key[:], out)
	return key
}

// sealMessage encrypts the inner part of a pairing message; the nonce is its name, e.g. PS-Msg06.
func sealMessage(key [32]byte, name string, inner tlv) []byte {
	return newAEAD(key[:]).Seal(nil, messageNonce(name), inner.bytes(), nil)
}

// openMessage decrypts the inner part of a pairing message.
func openMessage(key [32]byte, name string, sealed []byte) (tlv, bool) {
	plain, err := newAEAD(key[:]).Open(nil, messageNonce(name), sealed, nil)
	if err != nil {
		return nil, false
	}
	inner, err := parseTLV(plain)
	return inner, err == nil
}

func messageNonce(name string) []byte { return append(make([]byte, 4, 12), name...) }
