package buffer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hearth"
)

// damaged fills a buffer with several segments, has wreck damage its files, and checks that it opens, alarms, serves
// nothing that was not appended, and accounts for the rest.
type damageCase struct {
	name     string
	lossless bool // nothing is lost
	wreck    func(t *testing.T, dir string)
}

const damageRows = 6300

func segmentFiles(t testing.TB, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil || len(list) < 3 {
		t.Fatalf("segments %v, %v", list, err)
	}
	return list
}

// prepare returns a directory with damageRows rows in several segments, as a kill leaves it, and what is in it.
func prepare(t testing.TB) (dir string, committed uint64) {
	t.Helper()
	b := open(t, Options{Dir: t.TempDir(), Cap: 512 << 10, Targets: []string{"cloud"}})
	random := rand.New(rand.NewPCG(7, 7))
	for i := range damageRows {
		r := number(i%20, fmt.Sprintf("p%d", random.IntN(1<<20)), float64(i+1), start.Add(time.Duration(i)*time.Millisecond))
		if err := b.Append(r); err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 {
			if err := b.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if l := b.Ledger("cloud"); l.Dropped > 0 {
		t.Fatalf("the cap is too small for this test: %v", l)
	}
	b.keep()
	return copyDir(t, b.o.Dir), b.Stats().Produced
}

// checkDamaged opens the directory and checks everything that must hold of it.
func checkDamaged(t *testing.T, dir string, lossless bool) {
	t.Helper()
	o := Options{Dir: dir, Cap: 1 << 20, Targets: []string{"cloud"}}
	b := open(t, o)
	balanced(t, b, "cloud")
	fill(t, b, 1_000_000, 150) // it goes on, before anybody reads
	values, gaps := drain(t, b, "cloud")
	balanced(t, b, "cloud")
	seen, late := make(map[float64]bool), 0
	for _, v := range values {
		if seen[v] {
			t.Fatalf("value %v twice", v)
		}
		seen[v] = true
		if v >= 1_000_000 {
			late++
		} else if v < 1 || v > damageRows {
			t.Fatalf("value %v was never appended", v)
		}
	}
	if late != 150 {
		t.Errorf("%d of 150 later readings", late)
	}
	lost := 0
	for _, g := range gaps {
		lost += int(g.Count)
	}
	l := b.Ledger("cloud")
	if l.Backlog != 0 || uint64(lost) != l.Dropped || l.Produced != uint64(len(values)+lost) {
		t.Errorf("%d values, gaps of %d, ledger %v", len(values), lost, l)
	}
	damaged := b.Stats().Damaged
	if damaged == 0 {
		t.Error("no alarm")
	}
	if lossless && len(values) != damageRows+150 {
		t.Errorf("%d values of %d", len(values), damageRows+150)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	again := open(t, o)
	if got := again.Ledger("cloud"); got != l {
		t.Errorf("after another start the ledger is %v, was %v", got, l)
	}
	if got := again.Stats().Damaged; got != damaged {
		t.Errorf("after another start, %d alarms became %d", damaged, got)
	}
}

func wreckFile(t testing.TB, path string, wreck func(data []byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, wreck(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func zeroPage(n int) func([]byte) []byte {
	return func(data []byte) []byte {
		clear(data[n*pageSize : (n+1)*pageSize])
		return data
	}
}

// zeroBlock zeroes the page that a block in the middle is on, and every other copy of it.
func zeroBlock(t *testing.T, path string) {
	all, err := search(path)
	if err != nil {
		t.Fatal(err)
	}
	chain := slices.Clone(all.chain(0, 0))
	victim := chain[len(chain)/2].seq
	wreckFile(t, path, func(data []byte) []byte {
		for _, f := range all.blocks {
			if f.seq == victim {
				page := int(f.offset) / pageSize
				clear(data[page*pageSize : (page+1)*pageSize])
			}
		}
		return data
	})
}

func inSegment(which int, wreck func([]byte) []byte) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		list := segmentFiles(t, dir)
		wreckFile(t, list[(which+len(list))%len(list)], wreck)
	}
}

func truncated(to int) func([]byte) []byte {
	return func(data []byte) []byte { return data[:min(to, len(data))] }
}

func damageCases() []damageCase {
	cases := []damageCase{
		{"state missing and last segment missing", false, func(t *testing.T, dir string) {
			list := segmentFiles(t, dir)
			if err := errors.Join(os.Remove(filepath.Join(dir, stateName)), os.Remove(list[len(list)-1])); err != nil {
				t.Fatal(err)
			}
			inSegment(0, zeroPage(5))(t, dir) // without it there would be nothing to notice
		}},
		{"state is garbage", true, func(t *testing.T, dir string) {
			wreckFile(t, filepath.Join(dir, stateName), func(data []byte) []byte {
				random := rand.New(rand.NewPCG(1, 1))
				for i := range data {
					data[i] = byte(random.Uint32())
				}
				return data
			})
		}},
		{"state is empty", true, func(t *testing.T, dir string) { wreckFile(t, filepath.Join(dir, stateName), truncated(0)) }},
		{"state is truncated", true, func(t *testing.T, dir string) { wreckFile(t, filepath.Join(dir, stateName), truncated(9000)) }},
	}
	for name, which := range map[string]int{"first": 0, "middle": 1, "last": -1} {
		cases = append(cases,
			damageCase{name + " is missing", false, func(t *testing.T, dir string) {
				list := segmentFiles(t, dir)
				if err := os.Remove(list[(which+len(list))%len(list)]); err != nil {
					t.Fatal(err)
				}
			}},
			damageCase{name + " is empty", false, inSegment(which, truncated(0))},
			damageCase{name + " is text", false, inSegment(which, func([]byte) []byte { return []byte("not a database\n") })},
			damageCase{name + " lost a meta page", true, inSegment(which, zeroPage(0))},
			damageCase{name + " lost the other meta page", true, inSegment(which, zeroPage(1))},
			damageCase{name + " lost a page", false, func(t *testing.T, dir string) {
				list := segmentFiles(t, dir)
				zeroBlock(t, list[(which+len(list))%len(list)])
			}},
		)
		for _, to := range []int{100, pageSize, 2 * pageSize, 4 * pageSize, 6*pageSize + 77, 30000} {
			cases = append(cases, damageCase{fmt.Sprintf("%s truncated to %d", name, to), false, inSegment(which, truncated(to))})
		}
	}
	return cases
}

func TestSurvivesDamage(t *testing.T) {
	original, committed := prepare(t)
	if committed != damageRows {
		t.Fatal(committed)
	}
	cases := damageCases()
	slices.SortFunc(cases, func(a, b damageCase) int { return len(a.name) - len(b.name) })
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := copyPlain(t, original)
			c.wreck(t, dir)
			checkDamaged(t, dir, c.lossless)
		})
	}
}

// What a target acknowledged stays acknowledged when the blocks it was in are lost along with those after them: the
// cursor knows how many rows those were.
func TestDamageAroundTheCursor(t *testing.T) {
	o := Options{Dir: t.TempDir(), Targets: []string{"cloud"}}
	b := open(t, o)
	for i, rows := range []int{100, 100, 3, 2, 1, 1, 1} {
		fill(t, b, 1000*i, rows)
	}
	seq := b.Ledger("cloud").Durable + 2
	if err := b.Acknowledge("cloud", seq); err != nil {
		t.Fatal(err)
	}
	before := b.Target("cloud")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(o.Dir, "*"+segmentSuffix))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		wreckFile(t, path, func(data []byte) []byte { clear(data); return data })
	}
	for range 2 {
		b = open(t, o)
		after, l := b.Target("cloud"), b.Ledger("cloud")
		if after.Acknowledged != before.Acknowledged || after.Acknowledged != 200 || l.Durable != seq || l.Dropped != 8 || l.Produced != 208 {
			t.Errorf("%+v became %+v, ledger %v", before, after, l)
		}
		balanced(t, b, "cloud")
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b = open(t, o)
	_, gaps := drain(t, b, "cloud")
	if len(gaps) != 1 || gaps[0].Count != 8 {
		t.Errorf("gaps %v", gaps)
	}
	balanced(t, b, "cloud")
}

func copyPlain(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestNeverServesFlippedBits flips bits in a random file at random places: whatever comes out was put in.
func TestNeverServesFlippedBits(t *testing.T) {
	original, _ := prepare(t)
	for seed := range uint64(60) {
		dir := copyPlain(t, original)
		random := rand.New(rand.NewPCG(seed, 3))
		list := append(segmentFiles(t, dir), filepath.Join(dir, stateName))
		wreckFile(t, list[random.IntN(len(list))], func(data []byte) []byte {
			for range 1 + random.IntN(40) {
				data[random.IntN(len(data))] ^= 1 << random.IntN(8)
			}
			return data
		})
		b := open(t, Options{Dir: dir, Cap: 1 << 20, Targets: []string{"cloud"}})
		fill(t, b, 1_000_000, 20)
		values, gaps := drain(t, b, "cloud")
		balanced(t, b, "cloud")
		rows := len(values)
		for _, g := range gaps {
			rows += int(g.Count)
		}
		if l := b.Ledger("cloud"); uint64(rows) != l.Produced || l.Backlog != 0 || l.Produced != damageRows+20 {
			t.Errorf("seed %d: %d values, gaps %v, ledger %v", seed, len(values), gaps, l)
		}
		for _, v := range values {
			if v != float64(int(v)) || v < 0 || v > damageRows && v < 1_000_000 || v > 1_000_100 {
				t.Fatalf("seed %d: value %v", seed, v)
			}
		}
	}
}

// TestSurvivesTruncationWhileRunning truncates the file that bbolt has mapped.
func TestSurvivesTruncationWhileRunning(t *testing.T) {
	for _, to := range []int64{0, 3 * pageSize, 20000} {
		b := open(t, Options{Targets: []string{"cloud"}})
		fill(t, b, 1, 3000)
		list := b.list()
		if err := os.Truncate(list[len(list)-1].path, to); err != nil {
			t.Fatal(err)
		}
		fill(t, b, 3001, 500)
		values, gaps := drain(t, b, "cloud")
		balanced(t, b, "cloud")
		lost := 0
		for _, g := range gaps {
			if g.Reason != hearth.GapDamaged {
				t.Errorf("gap %+v", g)
			}
			lost += int(g.Count)
		}
		if len(values)+lost != 3500 || len(values) < 500 || b.Stats().Damaged == 0 {
			t.Errorf("truncated to %d: %d values, gaps %v, %+v", to, len(values), gaps, b.Stats())
		}
	}
}
