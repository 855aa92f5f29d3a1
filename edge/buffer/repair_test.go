package buffer

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hearth"
)

// A clock is what edge/clock tells the buffer.
type clock struct {
	boot    string
	anchor  time.Time
	trusted bool
}

func (c *clock) tell() (string, time.Time, bool) { return c.boot, c.anchor, c.trusted }

func untrusted(device int, value float64, at time.Time) hearth.Reading {
	r := number(device, "temperature", value, at)
	r.Untrusted = true
	return r
}

func fillUntrusted(t testing.TB, b *Buffer, first, n int, from time.Time) {
	t.Helper()
	for i := range n {
		if err := b.Append(untrusted(i%7, float64(first+i), from.Add(time.Duration(i)*time.Second))); err != nil {
			t.Fatal(err)
		}
		if i%50 == 49 {
			if err := b.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
}

// replayed returns all readings that are held, by value.
func replayed(t testing.TB, b *Buffer) map[float64]hearth.Reading {
	t.Helper()
	all := make(map[float64]hearth.Reading)
	if err := b.Replay(time.Time{}, func(r hearth.Reading) {
		if _, twice := all[r.Value.Number()]; twice {
			t.Fatalf("%v twice", r)
		}
		all[r.Value.Number()] = r
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

var provisional, trueAnchor = start.Add(-400 * 24 * time.Hour), start.Add(-time.Hour)

func TestRepairsUntrustedBlocks(t *testing.T) {
	c := &clock{boot: "boot-1", anchor: provisional}
	b := open(t, Options{Targets: []string{"cloud"}, Boot: c.tell})
	fillUntrusted(t, b, 0, 20_000, provisional) // 400 blocks: more than one transaction
	if _, ok, err := b.Next("cloud"); ok || err != nil {
		t.Fatalf("an untrusted block was handed out (%v)", err)
	}
	if l := b.Ledger("cloud"); l.Produced != 20_000 || l.Backlog != 20_000 {
		t.Errorf("untrusted rows are produced and waiting: %v", l)
	}
	if h, err := b.History("sim:0001", "temperature", provisional, provisional.Add(time.Hour), 60); err != nil || len(h.Points) == 0 {
		t.Errorf("untrusted rows are history at their provisional time: %v %v", h, err)
	}
	if err := b.Append(untrusted(3, 20_000, provisional.Add(20_000*time.Second))); err != nil { // still queued
		t.Fatal(err)
	}
	c.anchor, c.trusted = trueAnchor, true
	committed := b.Committed()
	if err := b.Repair("boot-1", trueAnchor); err != nil {
		t.Fatal(err)
	}
	select {
	case <-committed:
	default:
		t.Error("nobody was told")
	}
	if err := b.Append(untrusted(4, 20_001, provisional.Add(20_001*time.Second))); err != nil { // taken before, said after
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	all := replayed(t, b)
	for v := range 20_002 {
		r := all[float64(v)]
		if want := trueAnchor.Add(time.Duration(v) * time.Second); !r.Time.Equal(want) || !r.Repaired || r.Untrusted {
			t.Fatalf("reading %d is %+v, want time %v", v, r, want)
		}
	}
	values, gaps := drain(t, b, "cloud")
	if len(values) != 20_002 || len(gaps) > 0 {
		t.Errorf("%d values, gaps %v", len(values), gaps)
	}
	balanced(t, b, "cloud")
	if h, err := b.History("sim:0001", "temperature", provisional, provisional.Add(time.Hour), 60); err != nil || len(h.Points) > 0 {
		t.Errorf("there is still something at the provisional time: %v %v", h, err)
	}
}

// TestRepairGoesOn cuts repairs short after each of their transactions, as a kill would, and starts again.
func TestRepairGoesOn(t *testing.T) {
	c := &clock{boot: "boot-1", anchor: provisional}
	o := Options{Dir: t.TempDir(), Targets: []string{"cloud"}, Boot: c.tell}
	b := open(t, o)
	fillUntrusted(t, b, 0, 30_000, provisional) // 600 blocks
	for cut := range 3 {
		unpack, err := newUnpacker()
		if err != nil {
			t.Fatal(err)
		}
		r := repair{Buffer: b, boot: "boot-1", anchor: trueAnchor, unpack: unpack}
		if _, err := r.batch(b.list()[0]); err != nil {
			t.Fatal(err)
		}
		o.Dir = copyDir(t, o.Dir)
		b = open(t, o)
		repaired := 0
		for v, reading := range replayed(t, b) {
			if want := trueAnchor.Add(time.Duration(v) * time.Second); reading.Repaired && !reading.Time.Equal(want) {
				t.Fatalf("reading %v was repaired to %v", v, reading.Time)
			} else if reading.Repaired {
				repaired++
			}
		}
		if want := min((cut+1)*maxRepair*50, 30_000); repaired != want {
			t.Errorf("after %d transactions %d are repaired, want %d", cut+1, repaired, want)
		}
	}
	if err := b.Repair("boot-1", trueAnchor); err != nil {
		t.Fatal(err)
	}
	if values, gaps := drain(t, b, "cloud"); len(values) != 30_000 || len(gaps) > 0 {
		t.Errorf("%d values, gaps %v", len(values), gaps)
	}
}

func TestEarlierBootsBecomeGaps(t *testing.T) {
	c := &clock{boot: "boot-1", anchor: start, trusted: true}
	o := Options{Dir: t.TempDir(), Targets: []string{"cloud", "influx"}, Boot: c.tell}
	b := open(t, o)
	fill(t, b, 0, 100)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for i := 2; i <= 3; i++ { // two boots that never learned the time
		*c = clock{boot: fmt.Sprintf("boot-%d", i), anchor: provisional}
		b = open(t, o)
		fillUntrusted(t, b, i*1000, 300, provisional)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	*c = clock{boot: "boot-4", anchor: provisional}
	b = open(t, o)
	fillUntrusted(t, b, 9000, 200, provisional)
	c.anchor, c.trusted = start.Add(time.Hour), true
	if err := b.Repair("boot-4", c.anchor); err != nil {
		t.Fatal(err)
	}
	fill(t, b, 20_000, 50)
	for _, target := range o.Targets {
		values, gaps := drain(t, b, target)
		balanced(t, b, target)
		if len(values) != 350 || len(gaps) != 1 || gaps[0].Count != 600 || gaps[0].Reason != hearth.GapClock {
			t.Fatalf("%s: %d values, gaps %+v", target, len(values), gaps)
		}
		if from, to := gaps[0].From.Time, gaps[0].To.Time; !from.Equal(start.Add(99*time.Millisecond)) || to.After(start.Add(2*time.Hour)) || to.Before(from) {
			t.Errorf("the gap is from %v to %v", from, to)
		}
	}
	l := b.Ledger("cloud")
	if l.Dropped != 600 || l.Backlog != 0 {
		t.Errorf("ledger %v", l)
	}
	if err := b.Repair("boot-4", c.anchor); err != nil { // once more changes nothing
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, o)
	if got := b.Ledger("cloud"); got != l {
		t.Errorf("after a restart %v, before %v", got, l)
	}
	if len(replayed(t, b)) != 350 {
		t.Errorf("%d readings are held", len(replayed(t, b)))
	}
}

// TestSalvageKeepsRepairedBlocks: a repaired block is found in the file twice, with its provisional and its true time.
func TestSalvageKeepsRepairedBlocks(t *testing.T) {
	c := &clock{boot: "boot-1", anchor: provisional}
	o := Options{Dir: t.TempDir(), Targets: []string{"cloud"}, Boot: c.tell}
	b := open(t, o)
	fillUntrusted(t, b, 0, 1000, provisional)
	c.anchor, c.trusted = trueAnchor, true
	if err := b.Repair("boot-1", trueAnchor); err != nil {
		t.Fatal(err)
	}
	fill(t, b, 5000, 100)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	wreckFile(t, b.list()[0].path, zeroPage(0))
	b = open(t, o)
	if b.Stats().Damaged != 1 {
		t.Errorf("%+v", b.Stats())
	}
	all := replayed(t, b)
	if len(all) != 1100 {
		t.Fatalf("%d readings", len(all))
	}
	for v := range 1000 {
		if r := all[float64(v)]; !r.Repaired || !r.Time.Equal(trueAnchor.Add(time.Duration(v)*time.Second)) {
			t.Fatalf("%+v", r)
		}
	}
}

func TestMovesReadingsOfTheSameMillisecondOn(t *testing.T) {
	b := open(t, Options{Targets: []string{"cloud"}})
	var want []time.Time
	for i := range 5 { // a chain at one time, among others of the same line
		if err := b.Append(number(1, "power", float64(i), start), number(1, "energy", float64(100+i), start.Add(time.Duration(i)*time.Second))); err != nil {
			t.Fatal(err)
		}
		want = append(want, start.Add(time.Duration(i)*time.Millisecond))
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	// and over the boundary of a commit, with one that comes late
	for i, at := range []time.Time{start.Add(2 * time.Millisecond), start.Add(500 * time.Microsecond), start.Add(-time.Second), start.Add(-time.Second)} {
		if err := b.Append(number(1, "power", float64(5+i), at)); err != nil {
			t.Fatal(err)
		}
	}
	want = append(want, start.Add(5*time.Millisecond), start.Add(6*time.Millisecond), start.Add(-time.Second), start.Add(-999*time.Millisecond))
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	all := replayed(t, b)
	for i, at := range want {
		if got := all[float64(i)].Time; !got.Equal(at) {
			t.Errorf("reading %d is at %v, want %v", i, got, at)
		}
	}
}

func TestTimesNeverGivesOneTwice(t *testing.T) {
	for _, c := range [][]int64{
		{10, 10, 10, 9, 9, 12, 13, 10, 14, 11},
		{1, 3, 5, 7, 9, 11, 13, 15, 17, 2, 4, 6, 17, 17, 8},
		{5, 4, 3, 2, 1, 5, 1},
	} {
		all := newTimes()
		var got []int64
		for _, ms := range c {
			at := all.take("sim:1", "power", ms)
			if at < ms {
				t.Errorf("%d moved back to %d", ms, at)
			}
			got = append(got, at)
		}
		slices.Sort(got)
		if len(slices.Compact(got)) != len(c) {
			t.Errorf("%v became %v", c, got)
		}
		moved := newTimes()
		moved.take("sim:1", "power", 10)
		moved.move(all, 0)
		if at := moved.take("sim:1", "power", got[len(got)-1]); slices.Contains(got, at) {
			t.Errorf("%d twice after a move", at)
		}
	}
}
