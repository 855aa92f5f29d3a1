package hap

import (
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"math/big"
	"slices"

	"github.com/tadglines/go-pkgs/crypto/srp"
)

// The server's half of SRP-6a with the 3072-bit group of RFC 5054 and SHA-512 (section 5.5). The group comes from
// tadglines/go-pkgs; its server is not used, because it leaves leading zeros out of every number: with one in 256 public
// keys and secrets it disagrees with controllers that do not. Apple's own kit hashes S without leading zeros, other
// people's with them, so a proof counts in either form.
const (
	srpUser = "Pair-Setup"
	srpSize = 384
	srpSalt = 16
)

var srpGroup = func() *srp.SRPGroup {
	group, err := srp.GetGroup("rfc5054.3072")
	if err != nil {
		panic(err)
	}
	return group
}()

func hash(parts ...[]byte) []byte {
	h := sha512.New()
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}

func pad(n *big.Int) []byte { return n.FillBytes(make([]byte, srpSize)) }

// srpVerifier is what a server knows of a password: v = g^H(salt | H(user:password)).
func srpVerifier(user, password string, salt []byte) *big.Int {
	x := new(big.Int).SetBytes(hash(salt, hash([]byte(user+":"+password))))
	return new(big.Int).Exp(srpGroup.Generator, x, srpGroup.Prime)
}

// srpServer is one try of one controller.
type srpServer struct {
	user   string
	salt   []byte
	v, b   *big.Int
	public *big.Int // B
}

func newSRP(user string, salt []byte, v *big.Int) *srpServer {
	for {
		secret := make([]byte, 32)
		rand.Read(secret) // never fails
		s := srpWithSecret(user, salt, v, new(big.Int).SetBytes(secret))
		if s.public.BitLen() > 8*(srpSize-1) { // no leading zeros, so that nobody can disagree about them
			return s
		}
	}
}

// srpWithSecret computes B = kv + g^b.
func srpWithSecret(user string, salt []byte, v, b *big.Int) *srpServer {
	k := new(big.Int).SetBytes(hash(pad(srpGroup.Prime), pad(srpGroup.Generator)))
	public := new(big.Int).Exp(srpGroup.Generator, b, srpGroup.Prime)
	public.Add(public, k.Mul(k, v)).Mod(public, srpGroup.Prime)
	return &srpServer{user: user, salt: salt, v: v, b: b, public: public}
}

// secret computes S = (A v^u)^b; false for an A that would make it known without the password.
func (s *srpServer) secret(a *big.Int) (*big.Int, bool) {
	if a.BitLen() > 8*srpSize || new(big.Int).Mod(a, srpGroup.Prime).Sign() == 0 {
		return nil, false
	}
	u := new(big.Int).SetBytes(hash(pad(a), pad(s.public)))
	if u.Sign() == 0 {
		return nil, false
	}
	secret := u.Exp(s.v, u, srpGroup.Prime)
	secret.Mul(secret, a).Mod(secret, srpGroup.Prime)
	return secret.Exp(secret, s.b, srpGroup.Prime), true
}

// verify checks a controller's proof, and returns the session key and our own proof.
func (s *srpServer) verify(public, proof []byte) (key, ours []byte, ok bool) {
	a := new(big.Int).SetBytes(public)
	if len(public) > srpSize {
		return nil, nil, false
	}
	secret, ok := s.secret(a)
	if !ok {
		return nil, nil, false
	}
	group := hash(srpGroup.Prime.Bytes())
	subtle.XORBytes(group, group, hash(srpGroup.Generator.Bytes()))
	for _, k := range bothForms(secret) {
		k = hash(k)
		for _, a := range bothForms(a) {
			want := hash(group, hash([]byte(s.user)), s.salt, a, s.public.Bytes(), k)
			if subtle.ConstantTimeCompare(want, proof) == 1 {
				return k, hash(public, proof, k), true
			}
		}
	}
	return nil, nil, false
}

// bothForms returns a number without and with leading zeros; once where there are none.
func bothForms(n *big.Int) [][]byte {
	return slices.CompactFunc([][]byte{n.Bytes(), pad(n)}, slices.Equal[[]byte])
}
