package series

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"hearth"
)

// gateway keeps its account as edge/buffer does, with replies that get lost, a cap, and receivers that go back in time.
type gateway struct {
	random *rand.Rand
	epoch  string
	blocks []block // by seq-1
	acked  uint64  // the last seq it knows to be durable

	produced, dropped uint64
}

// block is one seq. rows are those of its content, bad of them are refused.
type block struct {
	rows, bad uint64
	held      bool // its content is still in the buffer
	counted   bool // its rows are in dropped, less those refused
	told      bool // its refused rows are in dropped
}

func (g *gateway) commit() {
	b := block{rows: uint64(1 + g.random.IntN(9)), held: true}
	if g.random.IntN(3) == 0 {
		b.bad = g.random.Uint64N(b.rows + 1)
	}
	g.produced += b.rows
	g.blocks = append(g.blocks, b)
}

func (g *gateway) ledger() *hearth.Ledger {
	l := &hearth.Ledger{Produced: g.produced, Dropped: g.dropped, Durable: g.acked}
	for _, b := range g.blocks[g.acked:] {
		if !b.counted {
			l.Backlog += b.rows
		}
	}
	return l
}

// cap drops the content of some of the oldest blocks that wait, or of delivered ones, which costs nothing.
func (g *gateway) cap() {
	last := min(len(g.blocks), int(g.acked)+g.random.IntN(3))
	for i := range g.blocks[:last] {
		b := &g.blocks[i]
		if b.held && i >= int(g.acked) {
			b.counted = true
			g.dropped += b.rows
		}
		b.held = false
	}
}

// learn: everything up to seq is durable. What it had given up and now hears to have arrived is not dropped.
func (g *gateway) learn(seq uint64) {
	for i := g.acked; i < seq; i++ {
		if b := &g.blocks[i]; b.counted && !b.told {
			b.counted = false
			g.dropped -= b.rows
		}
	}
	g.acked = seq
}

// rewind: the receiver is back at seq. What it lost and is no longer held is dropped.
func (g *gateway) rewind(seq uint64) {
	for i := seq; i < g.acked; i++ {
		b := &g.blocks[i]
		if b.told {
			b.told = false
			g.dropped -= b.bad
		}
		if !b.held && !b.counted {
			b.counted = true
			g.dropped += b.rows
		}
	}
	g.acked = seq
}

// world is a gateway, a receiver, and what truly arrived.
type world struct {
	*gateway
	t        *testing.T
	dir      string
	store    *Store
	now      time.Time
	clock    int64
	sent     map[uint64]block // as they were when the receiver took them
	backup   string
	restored map[uint64]block // sent at the time of the backup
}

// next sends the next batch; the reply may be lost.
func (w *world) next() {
	if int(w.acked) == len(w.blocks) {
		return
	}
	seq := w.acked + 1
	b := &w.blocks[seq-1]
	write := Write{Home: "h", Batch: &hearth.BatchID{Epoch: w.epoch, Seq: seq}, Ledger: w.ledger()}
	content := *b
	if !b.held {
		content.rows, content.bad = 0, 0
	}
	write.Bad = content.bad
	for range content.rows - content.bad {
		w.clock++
		write.Points = append(write.Points, onePoint(w.clock)...)
	}
	o := mustWrite(w.t, w.store, write)
	if o.Ahead {
		w.rewind(o.Durable.Seq)
		return
	}
	if !o.Duplicate {
		w.sent[seq] = content
		b.counted = !b.held // a tombstone stays dropped
		if w.random.IntN(3) == 0 {
			return // the reply is lost
		}
	} else if w.random.IntN(3) == 0 {
		return
	}
	if w.sent[seq].rows == 0 && b.counted {
		w.acked = seq // the receiver knows the tombstone
		return
	}
	w.learn(seq)
	if o.Bad != w.sent[seq].bad {
		w.t.Fatalf("seq %d: %d bad rows, want %d", seq, o.Bad, w.sent[seq].bad)
	}
	b.told = o.Bad > 0
	w.dropped += o.Bad
}

// sync asks where to go on, as after every start of the gateway.
func (w *world) sync() {
	got, err := w.store.Sync("h")
	if err != nil {
		w.t.Fatal(err)
	}
	switch {
	case got.Epoch != w.epoch:
		w.rewind(0)
	case got.Durable < w.acked:
		w.rewind(got.Durable)
	default:
		for seq := w.acked + 1; seq <= got.Durable; seq++ {
			if b := w.blocks[seq-1]; b.counted && w.sent[seq].rows == 0 {
				w.acked = seq
				continue
			}
			w.learn(seq)
		}
	}
}

func (w *world) restart() {
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.store = open(w.t, w.dir, Options{Now: func() time.Time { return w.now }})
}

func (w *world) keep() {
	w.backup = filepath.Join(w.t.TempDir(), "backup")
	if err := w.store.Backup(w.backup); err != nil {
		w.t.Fatal(err)
	}
	w.restored = make(map[uint64]block, len(w.sent))
	for seq, b := range w.sent {
		w.restored[seq] = b
	}
}

// restore puts the receiver back to its backup; the gateway hears of it when it asks or sends.
func (w *world) restore() {
	if w.backup == "" {
		return
	}
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	dir := filepath.Join(w.t.TempDir(), "restored")
	if err := os.Rename(w.backup, dir); err != nil {
		w.t.Fatal(err)
	}
	w.dir, w.sent, w.backup = dir, w.restored, ""
	w.store = open(w.t, dir, Options{Now: func() time.Time { return w.now }})
	if w.random.IntN(2) == 0 {
		w.sync()
	}
}

func (w *world) check(step int) {
	report, err := w.store.Ledger("h", time.Time{}, time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	total := report.Total
	received := int64(0)
	for _, b := range w.sent {
		received += int64(b.rows - b.bad)
	}
	if total.Unexplained != 0 || total.Received != received {
		w.t.Fatalf("step %d: %+v; %d rows arrived", step, total, received)
	}
	if total.Produced != total.Received+total.Dropped+total.OnGateway {
		w.t.Fatalf("step %d: does not add up: %+v", step, total)
	}
	sum := Counts{}
	for _, hour := range report.Hours {
		sum = sum.plus(hour.Counts, 1)
	}
	if sum != total {
		w.t.Fatalf("step %d: the hours add up to %+v, the total is %+v", step, sum, total)
	}
}

// An honest gateway never has anything unexplained, whatever gets lost on the way.
func TestLedgerOfAnHonestGateway(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 9))
			w := &world{gateway: &gateway{random: random, epoch: "4f9a"}, t: t, dir: t.TempDir(), now: time.Unix(1_800_000_000, 0), sent: map[uint64]block{}}
			w.store = open(t, w.dir, Options{Now: func() time.Time { return w.now }})
			for step := range 600 {
				w.now = w.now.Add(time.Duration(random.IntN(300)) * time.Second)
				switch n := random.IntN(40); {
				case n < 14:
					w.commit()
				case n < 34:
					w.next()
				case n < 36:
					w.sync()
				case n == 36:
					w.cap()
				case n == 37 && step%5 == 0:
					w.restart()
				case n == 38 && step%5 == 0:
					w.keep()
				case n == 39:
					w.restore()
				}
				w.check(step)
			}
			for int(w.acked) < len(w.blocks) {
				w.next()
			}
			w.commit()
			w.next()
			w.check(-1)
		})
	}
}

// Each lie is told in the snapshot of the third batch of ten rows.
func TestLedgerOfALyingGateway(t *testing.T) {
	honest := hearth.Ledger{Produced: 30, Backlog: 10, Durable: 2}
	for _, c := range []struct {
		name string
		lie  func(*hearth.Ledger)
		want int64
	}{
		{"honest", func(*hearth.Ledger) {}, 0},
		{"5 rows vanished from its buffer", func(l *hearth.Ledger) { l.Backlog -= 5 }, 5},
		{"produced more than it owns up to", func(l *hearth.Ledger) { l.Produced -= 3 }, -3},
		{"dropped what it delivered", func(l *hearth.Ledger) { l.Dropped += 4 }, -4},
		{"knows more to be durable than there is", func(l *hearth.Ledger) { l.Durable = 9; l.Backlog = 0; l.Produced = 37 }, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, t.TempDir(), Options{})
			for seq := range uint64(3) {
				l := hearth.Ledger{Produced: 10 * (seq + 1), Backlog: 10, Durable: seq}
				if seq == 2 {
					l = honest
					c.lie(&l)
				}
				points := make([]Point, 0, 10)
				for i := range int64(10) {
					points = append(points, onePoint(int64(seq)*10+i)...)
				}
				mustWrite(t, s, Write{Home: "h", Batch: &hearth.BatchID{Epoch: "e", Seq: seq + 1}, Ledger: &l, Points: points})
			}
			report, err := s.Ledger("h", time.Time{}, time.Time{})
			if err != nil || report.Total.Unexplained != c.want || report.Total.Received != 30 {
				t.Errorf("%+v, %v, want %d unexplained", report.Total, err, c.want)
			}
		})
	}
}

// An overtaken snapshot changes nothing.
func TestLateSnapshot(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	first := Write{Home: "h", Batch: &hearth.BatchID{Epoch: "e", Seq: 1}, Ledger: &hearth.Ledger{Produced: 1, Backlog: 1}, Points: onePoint(1)}
	mustWrite(t, s, first)
	mustWrite(t, s, Write{Home: "h", Batch: &hearth.BatchID{Epoch: "e", Seq: 2}, Ledger: &hearth.Ledger{Produced: 5, Backlog: 4, Durable: 1}, Points: onePoint(2)})
	mustWrite(t, s, first)
	want := Counts{Produced: 5, Received: 2, Duplicate: 1, OnGateway: 3}
	if report, err := s.Ledger("h", time.Time{}, time.Time{}); err != nil || report.Total != want {
		t.Errorf("%+v, %v, want %+v", report.Total, err, want)
	}
}

// A buffer that was lost leaves its backlog unexplained, until a gap record tells of it or it comes back.
func TestLostBuffer(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	send := func(epoch string, seq uint64, l hearth.Ledger, gaps ...hearth.Gap) Counts {
		t.Helper()
		mustWrite(t, s, Write{Home: "h", Batch: &hearth.BatchID{Epoch: epoch, Seq: seq}, Ledger: &l, Points: onePoint(int64(l.Produced)), Gaps: gaps})
		report, err := s.Ledger("h", time.Time{}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return report.Total
	}
	for i, c := range []struct{ got, want Counts }{
		{send("old", 1, hearth.Ledger{Produced: 8, Backlog: 8}), Counts{Produced: 8, Received: 1, OnGateway: 7}},
		{send("new", 1, hearth.Ledger{Produced: 1, Backlog: 1}), Counts{Produced: 9, Received: 2, Unexplained: 7}},
		{send("new", 2, hearth.Ledger{Produced: 2, Backlog: 1, Durable: 1}, hearth.Gap{Count: 5, Reason: hearth.GapDamaged}),
			Counts{Produced: 10, Received: 3, Dropped: 5, Unexplained: 2}},
		{send("new", 3, hearth.Ledger{Produced: 6, Backlog: 1, Dropped: 3, Durable: 2}, hearth.Gap{Count: 3, Reason: hearth.GapCap}),
			Counts{Produced: 14, Received: 4, Dropped: 8, Unexplained: 2}},
		{send("old", 2, hearth.Ledger{Produced: 8, Backlog: 7, Durable: 1}), Counts{Produced: 14, Received: 5, Dropped: 3, OnGateway: 6}},
	} {
		if c.got != c.want {
			t.Errorf("step %d: %+v, want %+v", i, c.got, c.want)
		}
	}
}

func TestPlainWritesAndHours(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	s := open(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	for range 3 {
		mustWrite(t, s, Write{Home: "h", Points: onePoint(1), Bad: 2})
		now = now.Add(time.Hour)
	}
	hour := func(h int) time.Time { return time.Date(2026, 11, 22, h, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		from, to time.Time
		hours    int
	}{
		{time.Time{}, time.Time{}, 3},
		{hour(10), hour(12), 2},
		{hour(10).Add(45 * time.Minute), hour(10).Add(50 * time.Minute), 1},
		{hour(11), time.Time{}, 2},
		{time.Time{}, hour(11), 1},
		{hour(12), hour(10), 0},
	} {
		report, err := s.Ledger("h", c.from, c.to)
		n := int64(c.hours)
		if err != nil || len(report.Hours) != c.hours || report.Total != (Counts{Produced: 3 * n, Received: n, Dropped: 2 * n}) {
			t.Errorf("%v to %v: %+v, %v", c.from, c.to, report, err)
		}
		if !report.AsOf.Time.Equal(now.Add(-time.Hour)) {
			t.Errorf("as of %v", report.AsOf)
		}
	}
	if report, err := s.Ledger("other", time.Time{}, time.Time{}); err != nil || len(report.Hours) != 0 || !report.AsOf.IsZero() || report.Total != (Counts{}) {
		t.Errorf("a home never written to: %+v, %v", report, err)
	}
}

// A gateway with several batches on their way knows less to be durable than there is, by any number of seqs.
func TestLaggingSnapshots(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	dir := t.TempDir()
	s := open(t, dir, Options{})
	type rows struct{ good, bad uint64 }
	upTo := []rows{{}}
	known := uint64(0)
	for seq := uint64(1); seq <= 300; seq++ {
		b := rows{good: random.Uint64N(5), bad: random.Uint64N(2)}
		before := upTo[seq-1]
		upTo = append(upTo, rows{before.good + b.good, before.bad + b.bad})
		known += random.Uint64N(min(seq-known, 12))
		k, all := upTo[known], upTo[seq]
		write := Write{Home: "h", Bad: b.bad, Batch: &hearth.BatchID{Epoch: "e", Seq: seq}, Ledger: &hearth.Ledger{
			Produced: all.good + all.bad, Dropped: k.bad, Backlog: all.good + all.bad - k.good - k.bad, Durable: known}}
		for i := range int64(b.good) {
			write.Points = append(write.Points, onePoint(i)...)
		}
		mustWrite(t, s, write)
		report, err := s.Ledger("h", time.Time{}, time.Time{})
		want := Counts{Produced: int64(all.good + all.bad), Received: int64(all.good), Dropped: int64(all.bad)}
		if err != nil || report.Total != want {
			t.Fatalf("seq %d, %d known: %+v, %v, want %+v", seq, known, report.Total, err, want)
		}
		s.homes.forget(s.homes.named["h"])
	}
	for seq := uint64(1); seq <= 300; seq++ {
		o := mustWrite(t, s, Write{Home: "h", Batch: &hearth.BatchID{Epoch: "e", Seq: seq}})
		if !o.Duplicate || o.Bad != upTo[seq].bad-upTo[seq-1].bad {
			t.Fatalf("seq %d again: %+v", seq, o)
		}
	}
}
