package accounts

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"hearth"
)

func TestPasswordsAreKeptAsPHC(t *testing.T) {
	k, ctx := newKeeper(), t.Context()
	stored, err := k.hash(ctx, "a horse on the balcony")
	if err != nil || !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%s, %v", stored, err)
	}
	again, err := k.hash(ctx, "a horse on the balcony")
	if err != nil || again == stored {
		t.Errorf("the same hash twice: no salt; %v", err)
	}
	for password, want := range map[string]bool{"a horse on the balcony": true, "A horse on the balcony": false, "": false} {
		if right, cheap, err := k.check(ctx, stored, password); right != want || cheap || err != nil {
			t.Errorf("%q: %v, %v, %v", password, right, cheap, err)
		}
	}
	if right, _, err := k.check(ctx, "", ""); right || err != nil {
		t.Errorf("nobody's password is empty: %v, %v", right, err)
	}
}

// A hash of other parameters, as another program or an earlier version would have written it.
func TestForeignHashesAreUnderstoodAndRenewed(t *testing.T) {
	now := time.Now()
	a := open(t, Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	ctx := t.Context()
	cheap := cost{memory: 4096, passes: 3, threads: 1}
	old := phc(cheap, []byte("somesalt"), argon2.IDKey([]byte("a password here"), []byte("somesalt"), 3, 4096, 1, 32))
	if _, err := a.Invite(ctx, "ada@example.org", hearth.ScopeRead, "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := a.DB().Exec(`UPDATE users SET password = $1`, old); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Login(ctx, "ada@example.org", "another one here"); codeOf(err) != hearth.CodeUnknownToken {
		t.Error(err)
	}
	stored := func() (s string) {
		if err := a.DB().QueryRow(`SELECT password FROM users`).Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if stored() != old {
		t.Error("a wrong password renewed the hash")
	}
	if _, err := a.Login(ctx, "ada@example.org", "a password here"); err != nil {
		t.Fatal(err)
	}
	if got := stored(); !strings.Contains(got, "m=19456,t=2,p=1") {
		t.Errorf("still %s", got)
	}
	if _, err := a.Login(ctx, "ada@example.org", "a password here"); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoHash(t *testing.T) {
	good := phc(presentCost(), make([]byte, 16), make([]byte, 32))
	if _, _, _, err := parsePHC(good); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "$", "plain", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=19456", "m=99999999", 1), strings.Replace(good, "m=19456", "m=-1", 1), strings.Replace(good, "t=2", "t=0", 1),
		strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "p=1", "p=300", 1), good + "$x", good + "=", strings.TrimRight(good, "A"), strings.Repeat(good, 10),
	} {
		if c, _, _, err := parsePHC(bad); err == nil {
			t.Errorf("%q is taken: %+v", bad, c)
		}
	}
}

func FuzzPHC(f *testing.F) {
	f.Add(phc(presentCost(), make([]byte, 16), make([]byte, 32)))
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		c, salt, hash, err := parsePHC(s)
		if err != nil {
			return
		}
		again, salt2, hash2, err := parsePHC(phc(c, salt, hash))
		if err != nil || again != c || string(salt2) != string(salt) || string(hash2) != string(hash) {
			t.Errorf("%q is not what it was: %+v, %v", s, again, err)
		}
	})
}

func TestWhatCannotBeAPassword(t *testing.T) {
	for password, want := range map[string]string{
		"a horse on the balcony": "", "ÄÖÜäöüßßßé": "", "correct horse battery staple": "", "aB3$kd0-Zx": "",
		"short": hearth.CodeBadValue, "ÄÖÜäöü123": hearth.CodeBadValue, strings.Repeat("x y", 200): hearth.CodeBadValue, "\xff\xfe\xfd1234567": hearth.CodeBadValue,
		"ada.lovelace@example.org": hearth.CodeBadValue, "ADA.Lovelace": hearth.CodeBadValue, " ada.lovelace ": hearth.CodeBadValue,
		"1234567890": hearth.CodeBadValue, "0987654321": hearth.CodeBadValue, "Password123": hearth.CodeBadValue, "qwertyuiop": hearth.CodeBadValue,
		"aaaaaaaaaaaa": hearth.CodeBadValue, "abcabcabcabc": hearth.CodeBadValue, "1q2w3e4r5t": hearth.CodeBadValue, "abcdefghij": hearth.CodeBadValue,
	} {
		if err := checkPassword(password, "ada.lovelace@example.org"); codeOf(err) != want {
			t.Errorf("%.40q: %v, want %q", password, err, want)
		}
	}
}

// Two hashes are computed at once, some wait, and who comes then is told so instead of queueing up.
func TestHashingIsBounded(t *testing.T) {
	k := newKeeper()
	ctx, cancel := context.WithCancel(t.Context())
	var leaves []func()
	for range mostHashing {
		leave, err := k.enter(ctx)
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	var waiting sync.WaitGroup
	for range mostWaiting - mostHashing {
		waiting.Go(func() {
			if leave, err := k.enter(ctx); err == nil {
				leave()
			}
		})
	}
	for k.waiting.Load() < mostWaiting {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("they do not come")
		}
	}
	if _, err := k.enter(ctx); codeOf(err) != hearth.CodeBusy {
		t.Errorf("one more is told %v", err)
	}
	cancel()
	waiting.Wait()
	for _, leave := range leaves {
		leave()
	}
	if n := k.waiting.Load(); n != 0 {
		t.Errorf("%d still wait", n)
	}
	leave, err := k.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leave()
}

// Who is not there takes as long to refuse as who is: within what two hashes of the same cost differ by.
func TestNobodyTakesAsLong(t *testing.T) {
	k, ctx := newKeeper(), t.Context()
	stored, err := k.hash(ctx, "a horse on the balcony")
	if err != nil {
		t.Fatal(err)
	}
	took := func(stored string) time.Duration {
		best := time.Hour
		for range 5 {
			began := time.Now()
			if _, _, err := k.check(ctx, stored, "wrong password"); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(began))
		}
		return best
	}
	there, nobody := took(stored), took("")
	if nobody < there/3 || there < nobody/3 {
		t.Errorf("%v for somebody, %v for nobody", there, nobody)
	}
	t.Logf("%v a hash", there)
}
