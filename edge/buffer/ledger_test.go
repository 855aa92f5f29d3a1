package buffer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hearth"
)

// A receiver is what hearth-cloud is to the buffer: it takes contiguous seqs, and may have more than it managed to say.
type receiver struct {
	t      testing.TB
	unpack *unpacker
	blocks []content // by seq-1
}

type content struct {
	values []float64
	gap    uint64
}

func newReceiver(t testing.TB) *receiver {
	u, err := newUnpacker()
	if err != nil {
		t.Fatal(err)
	}
	return &receiver{t: t, unpack: u}
}

func (r *receiver) durable() uint64 { return uint64(len(r.blocks)) }

func (r *receiver) take(b Block) {
	if b.Seq <= r.durable() {
		return // a duplicate
	}
	if b.Seq != r.durable()+1 {
		r.t.Fatalf("seq %d after %d", b.Seq, r.durable())
	}
	var c content
	if b.Body != nil {
		body, err := r.unpack.zstd.DecodeAll(b.Body, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		err = hearth.DecodeLines(body, "ms", time.Time{}, func(l *hearth.Line) {
			if g, is := l.Gap(); is {
				c.gap += uint64(g.Count)
			}
			for _, reading := range l.Readings(nil) {
				c.values = append(c.values, reading.Value.Number())
			}
		}, func(n int, err error) { r.t.Errorf("line %d: %v", n, err) })
		if err != nil {
			r.t.Fatal(err)
		}
	}
	r.blocks = append(r.blocks, c)
}

func (r *receiver) total() (rows, gaps uint64, twice int) {
	seen := make(map[float64]bool)
	for _, c := range r.blocks {
		gaps += c.gap
		for _, v := range c.values {
			rows++
			if seen[v] {
				twice++
			}
			seen[v] = true
		}
	}
	return rows, gaps, twice
}

// sync is what the uplink does on every start and reconnect.
func (r *receiver) sync(b *Buffer, target string) {
	r.t.Helper()
	err := error(nil)
	if durable := r.durable(); durable < b.Ledger(target).Durable {
		err = b.Rewind(target, durable)
	} else {
		err = b.Acknowledge(target, durable)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// copyDir copies a directory as it is, which is what a kill leaves behind.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(to, lockName)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestLedgerAddsUp does everything that can happen to a buffer in a random order. The ledger adds up after each step,
// and in the end each target has, of every row produced, either the row, once, or a gap that counts it.
func TestLedgerAddsUp(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { ledgerRun(t, seed, 400) })
	}
}

type ledgerWorld struct {
	*testing.T
	random    *rand.Rand
	o         Options
	b         *Buffer
	cloud     *receiver
	influx    *receiver
	value     float64
	committed uint64
}

func ledgerRun(t *testing.T, seed uint64, steps int) {
	w := &ledgerWorld{T: t, random: newRandom(seed), cloud: newReceiver(t), influx: newReceiver(t)}
	w.o = Options{Dir: t.TempDir(), Cap: 1 << 20, Targets: []string{"cloud", "influx"}}
	w.b = open(t, w.o)
	for range steps {
		w.step()
		balanced(t, w.b, "cloud", "influx")
		if got := w.b.Stats().Produced; got != w.committed {
			t.Fatalf("produced %d rows, not %d", got, w.committed)
		}
	}
	for name, r := range map[string]*receiver{"cloud": w.cloud, "influx": w.influx} {
		r.sync(w.b, name)
		w.send(name, r, 1<<30, false)
		rows, gaps, twice := r.total()
		l, s := w.b.Ledger(name), w.b.Target(name)
		if rows != s.Acknowledged || gaps != l.Dropped || l.Backlog != 0 || rows+gaps != l.Produced || twice > 0 {
			t.Errorf("%s has %d rows, gaps of %d, %d twice; ledger %v, %+v", name, rows, gaps, twice, l, s)
		}
	}
}

func (w *ledgerWorld) step() {
	switch w.random.IntN(20) {
	case 0, 1, 2, 3, 4, 5:
		w.noise(1 + w.random.IntN(1500))
	case 6, 7, 8, 9, 10:
		w.send("cloud", w.cloud, 1+w.random.IntN(20), false)
	case 11, 12:
		w.send("influx", w.influx, 1+w.random.IntN(40), false)
	case 13:
		w.send("cloud", w.cloud, 1+w.random.IntN(20), true) // the answer is lost; the uplink connects again
		if w.random.IntN(2) == 0 {
			w.reopen()
		}
		w.cloud.sync(w.b, "cloud")
	case 14:
		if w.random.IntN(4) == 0 { // a receiver restored from a backup
			w.cloud.blocks = w.cloud.blocks[:w.random.IntN(len(w.cloud.blocks)+1)]
			w.cloud.sync(w.b, "cloud")
		}
	case 15, 16:
		w.reopen()
	case 17:
		w.b.keep()
	}
}

// noise commits readings that do not pack well, so that the cap is reached.
func (w *ledgerWorld) noise(n int) {
	w.Helper()
	for range n {
		w.value++
		r := number(w.random.IntN(50), fmt.Sprintf("p%d", w.random.IntN(1<<20)), w.value, start.Add(time.Duration(w.value)*time.Millisecond))
		if err := w.b.Append(r); err != nil {
			w.Fatal(err)
		}
	}
	if err := w.b.Flush(); err != nil {
		w.Fatal(err)
	}
	w.committed += uint64(n)
}

func (w *ledgerWorld) send(name string, r *receiver, n int, lose bool) {
	w.Helper()
	after := w.b.Ledger(name).Durable
	for n > 0 {
		blocks, err := w.b.Peek(name, after, min(n, 1+w.random.IntN(8)))
		if err != nil {
			w.Fatal(err)
		}
		if len(blocks) == 0 {
			return
		}
		for _, b := range blocks {
			r.take(b)
			after, n = b.Seq, n-1
		}
		if !lose {
			if err := w.b.Acknowledge(name, after); err != nil {
				w.Fatal(err)
			}
		}
	}
}

// reopen closes the buffer and opens it again, or leaves it as a kill would.
func (w *ledgerWorld) reopen() {
	if w.random.IntN(2) == 0 {
		w.o.Dir = copyDir(w.T, w.o.Dir)
	} else if err := w.b.Close(); err != nil {
		w.Fatal(err)
	}
	w.b = open(w.T, w.o)
	w.cloud.sync(w.b, "cloud")
	w.influx.sync(w.b, "influx") // a database cannot say what it has; here, its rows are to be counted once
}
