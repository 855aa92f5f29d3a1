package accounts

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"hearth"
)

// What a password may be. There are no rules of what characters it has: they make passwords worse.
const (
	PasswordLeast = 10  // characters
	PasswordMost  = 500 // bytes
)

// A cost is what computing an argon2id hash takes.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// presentCost is what OWASP's cheat sheet on storing passwords advises as a minimum: 19 MiB, two passes.
func presentCost() cost { return cost{memory: 19 << 10, passes: 2, threads: 1} }

const (
	saltSize = 16
	hashSize = 32

	mostHashing = 2  // at once: each takes 19 MiB and a core
	mostWaiting = 32 // for their turn, those at work included; more are told to come again
)

// A keeper computes and checks password hashes, a few at a time.
type keeper struct {
	running chan struct{}
	waiting atomic.Int32
	nobody  string // the hash of a password that nobody knows, for people who are not there
}

func newKeeper() *keeper {
	k := &keeper{running: make(chan struct{}, mostHashing)}
	c := presentCost()
	k.nobody = phc(c, []byte(rand.Text())[:saltSize], []byte(rand.Text() + rand.Text())[:hashSize])
	return k
}

// enter waits for a turn. Code busy: too many wait already.
func (k *keeper) enter(ctx context.Context) (leave func(), err error) {
	if k.waiting.Add(1) > mostWaiting {
		k.waiting.Add(-1)
		return nil, hearth.Errorf(hearth.CodeBusy, "too many people are signing in at once: try again in a moment")
	}
	select {
	case k.running <- struct{}{}:
		return func() { <-k.running; k.waiting.Add(-1) }, nil
	case <-ctx.Done():
		k.waiting.Add(-1)
		return nil, ctx.Err()
	}
}

// hash returns password's hash in PHC form.
func (k *keeper) hash(ctx context.Context, password string) (string, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	c, salt := presentCost(), make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	return phc(c, salt, argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.threads, hashSize)), nil
}

// check reports whether password is the one of stored, and whether stored was computed more cheaply than is usual now.
// An empty stored is nobody's, and takes as long to find wrong.
func (k *keeper) check(ctx context.Context, stored, password string) (right, cheap bool, err error) {
	known := stored != ""
	if !known {
		stored = k.nobody
	}
	c, salt, want, err := parsePHC(stored)
	if err != nil {
		return false, false, err
	}
	leave, err := k.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer leave()
	got := argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.threads, uint32(len(want)))
	right = subtle.ConstantTimeCompare(got, want) == 1 && known
	now := presentCost()
	return right, c.memory < now.memory || c.passes < now.passes, nil
}

// phc writes a hash as the PHC string format has it.
func phc(c cost, salt, hash []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.memory, c.passes, c.threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(hash))
}

// The most that a stored hash may ask for, so that a damaged one does not take the machine with it.
const (
	mostMemory = 1 << 20 // KiB
	mostPasses = 100
)

// parsePHC reads what phc writes.
func parsePHC(s string) (c cost, salt, hash []byte, err error) {
	bad := fmt.Errorf("a stored password is no argon2id hash")
	parts := strings.Split(s, "$")
	if len(s) > 500 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return cost{}, nil, nil, bad
	}
	if n, scanErr := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.passes, &c.threads); n != 3 || scanErr != nil {
		return cost{}, nil, nil, bad
	}
	if c.threads < 1 || c.passes < 1 || c.passes > mostPasses || c.memory < 8*uint32(c.threads) || c.memory > mostMemory {
		return cost{}, nil, nil, bad
	}
	salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	if err != nil || len(salt) < 8 || len(salt) > 64 {
		return cost{}, nil, nil, bad
	}
	hash, err = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err != nil || len(hash) < 16 || len(hash) > 64 {
		return cost{}, nil, nil, bad
	}
	return c, salt, hash, nil
}

// checkPassword says why something cannot be the password of who has that address.
func checkPassword(password, email string) error {
	plain := strings.ToLower(strings.TrimSpace(password))
	local, _, _ := strings.Cut(email, "@")
	switch {
	case len(password) > PasswordMost || !utf8.ValidString(password):
		return hearth.Errorf(hearth.CodeBadValue, "a password has at most %d bytes of UTF-8", PasswordMost)
	case utf8.RuneCountInString(password) < PasswordLeast:
		return hearth.Errorf(hearth.CodeBadValue, "a password has at least %d characters; a few words are easier to remember than one with signs in it", PasswordLeast)
	case plain == email || plain == local || email != "" && plain == local+local:
		return hearth.Errorf(hearth.CodeBadValue, "the e-mail address is no password: it is the first that others try")
	case common(plain):
		return hearth.Errorf(hearth.CodeBadValue, "this is one of the passwords that others try first: choose another")
	}
	return nil
}

// common reports whether a password of at least ten characters is among those that are guessed first, or is one short
// thing again and again, or letters and figures in the order of the keyboard.
func common(plain string) bool {
	for n := 1; n <= 4; n++ {
		if len(plain) > 0 && strings.Repeat(plain[:min(n, len(plain))], len(plain)/n+1)[:len(plain)] == plain {
			return true
		}
	}
	rows := []string{"01234567890123456789", "98765432109876543210", "qwertyuiop[]asdfghjkl;'zxcvbnm,./", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn", "abcdefghijklmnopqrstuvwxyz", "1qaz2wsx3edc4rfv5tgb6yhn", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0"}
	for _, row := range rows {
		if strings.Contains(row, plain) {
			return true
		}
	}
	const guessed = " password12 password123 password1234 password12345 password123456 passw0rd123 p@ssw0rd123 p@ssword123 password01 password11 password!1 password1! passwordpassword " +
		"qwerty12345 qwerty123456 qwertyuiop1 qwertyuiop123 qwerty1234 1234qwerasdf 123456qwerty 12345qwert 1234567890q 123456789a 123456789q 1234567891 1234567899 987654321a a123456789 q123456789 " +
		"iloveyou12 iloveyou123 iloveyou1234 iloveyou!! letmein123 letmein1234 letmeinnow welcome123 welcome1234 welcome12345 administrator admin12345 admin123456 adminadmin admin1234567 changeme123 changeme1234 " +
		"football123 baseball123 basketball superman123 batman12345 dragon12345 monkey12345 sunshine123 princess123 princess12 michael123 jennifer123 charlie123 liverpool1 manchester chocolate1 butterfly1 " +
		"abcd123456 abcd12345678 abc1234567 abc123456789 abcdef1234 abcdefg123 asdfghjkl1 asdf123456 asdfasdf12 zxcvbnm123 zaq12wsxcde zaq1zaq1zaq1 computer123 internet123 samsung123 trustno1trustno1 " +
		"correcthorsebatterystaple qazwsxedcrfv qazwsxedc1 1q2w3e4r5t6y7u 0987654321a hearth12345 hearth-cloud hearthcloud secret1234 secret12345 mypassword mypassword1 mypassword123 default123 temppassword temp123456 test123456 testtest12 testing123 guest12345 root123456 raspberry1 raspberrypi homeassistant "
	return !strings.Contains(plain, " ") && strings.Contains(guessed, " "+plain+" ")
}
