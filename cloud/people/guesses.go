package people

import (
	"sync"
	"time"
)

// How guessing passwords is slowed down. Beyond a few free tries each takes twice as long to wait for as the one before.
const (
	addressTries = 30 // free ones of an address, for whichever accounts: a proxy or a school is one address
	accountTries = 5  // free ones of an address for one account
	hotTries     = 1  // the same while the account is under attack, from wherever
	hotAccount   = 20 // failures of an account, from everywhere, until that is an attack
	mostWait     = 15 * time.Minute
	guessMemory  = time.Hour // without a try, until it is forgotten
	mostGuessers = 20_000    // remembered; when it is full, one of a few that come first to hand is forgotten
)

// guesses counts tries at passwords: per address, per account and address, and per account. The last one alone keeps
// nobody out: who knows the password gets in from an address that has not failed at it, however many others guess.
type guesses struct {
	now func() time.Time

	mu   sync.Mutex
	seen map[string]tries
}

type tries struct {
	n     int
	last  time.Time
	until time.Time // when the next one may come
}

func newGuesses(now func() time.Time) *guesses { return &guesses{now: now, seen: map[string]tries{}} }

func addressKey(address string) string { return "address " + address }

func accountKey(account string) string { return "account " + account }

func pairKey(account, address string) string { return "pair " + address + " " + account }

// begin counts a try that is taken for a failure until right or never says otherwise, or returns how long to wait for it.
func (g *guesses) begin(account, address string) (wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, free := g.now(), accountTries
	if g.of(accountKey(account), now).n >= hotAccount {
		free = hotTries
	}
	for _, key := range []string{addressKey(address), pairKey(account, address)} {
		wait = max(wait, g.of(key, now).until.Sub(now))
	}
	if wait > 0 {
		return wait
	}
	g.count(addressKey(address), addressTries, now)
	g.count(pairKey(account, address), free, now)
	g.count(accountKey(account), hotAccount, now)
	return 0
}

// right takes a try back that was none, and forgets the failures before it of that address for that account.
func (g *guesses) right(account, address string) {
	g.never(account, address)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.seen, pairKey(account, address))
}

// never takes back a try that came to nothing, whether right or wrong.
func (g *guesses) never(account, address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range []string{addressKey(address), accountKey(account), pairKey(account, address)} {
		if t, ok := g.seen[key]; ok {
			t.n, t.until = max(0, t.n-1), time.Time{}
			g.seen[key] = t
		}
	}
}

// of returns the tries under a key that are not forgotten yet; g.mu is held.
func (g *guesses) of(key string, now time.Time) tries {
	t := g.seen[key]
	if now.Sub(t.last) >= guessMemory {
		return tries{}
	}
	return t
}

func (g *guesses) count(key string, free int, now time.Time) {
	t := g.of(key, now)
	t.n, t.last = t.n+1, now
	if over := t.n - free; over >= 0 {
		t.until = now.Add(min(mostWait, time.Second<<min(over, 10)))
	}
	if _, known := g.seen[key]; !known && len(g.seen) >= mostGuessers {
		g.makeRoom(now)
	}
	g.seen[key] = t
}

// makeRoom forgets one key out of a few that a map happens to name first: looking at all of them would make a flood of
// addresses dear.
func (g *guesses) makeRoom(now time.Time) {
	victim, looked := "", 0
	for key, t := range g.seen {
		looked++
		old := now.Sub(t.last) >= guessMemory
		if victim == "" || old || t.n < g.seen[victim].n {
			victim = key
		}
		if old || looked == 16 {
			break
		}
	}
	delete(g.seen, victim)
}
