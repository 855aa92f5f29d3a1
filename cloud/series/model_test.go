package series

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"hearth"
)

// model is what a store ought to hold of one home.
type model map[seriesName]map[int64]hearth.Value

func (m model) take(points []Point) {
	for _, p := range points {
		name := seriesName{p.Series, p.Field}
		if m[name] == nil {
			m[name] = make(map[int64]hearth.Value)
		}
		m[name][p.Time] = p.Value
	}
}

func (m model) points(name seriesName, from, to int64) []sample {
	var points []sample
	for t, v := range m[name] {
		if t >= from && t < to {
			points = append(points, sample{t, v})
		}
	}
	slices.SortFunc(points, func(a, b sample) int { return cmp.Compare(a.t, b.t) })
	return points
}

func storedPoints(t *testing.T, s *Store, home string, name seriesName, from, to int64) []sample {
	t.Helper()
	var points []sample
	err := s.Points(home, name.series, name.field, time.Unix(0, from), time.Unix(0, to), func(t int64, v hearth.Value) bool {
		points = append(points, sample{t, v})
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return points
}

func (m model) check(t *testing.T, s *Store, random *rand.Rand) {
	t.Helper()
	last, err := s.Last("h")
	if err != nil || len(last) != len(m) {
		t.Fatalf("%d last values of %d series, %v", len(last), len(m), err)
	}
	for _, p := range last {
		all := m.points(seriesName{p.Series, p.Field}, math.MinInt64, math.MaxInt64)
		if want := all[len(all)-1]; want != (sample{p.Time, p.Value}) {
			t.Fatalf("last of %s is %v at %d, want %v at %d", p.Series, p.Value, p.Time, want.v, want.t)
		}
	}
	for name := range m {
		from := testDay + random.Int64N(4*dayLength) - dayLength
		to := from + random.Int64N(2*dayLength)
		want := m.points(name, from, to)
		if got := storedPoints(t, s, "h", name, from, to); !slices.Equal(got, want) {
			t.Fatalf("%s: %d points, want %d", name.series, len(got), len(want))
		}
		checkHistory(t, s, name, from, to, 1+random.IntN(500), want)
	}
}

func checkHistory(t *testing.T, s *Store, name seriesName, from, to int64, buckets int, want []sample) {
	t.Helper()
	if from >= to {
		return
	}
	history, err := s.History("h", name.series, name.field, time.Unix(0, from), time.Unix(0, to), buckets)
	if err != nil {
		t.Fatal(err)
	}
	down := hearth.NewDownsampler(time.Unix(0, from), time.Unix(0, to), buckets)
	for _, p := range want {
		down.Add(time.Unix(0, p.t), p.v)
	}
	if !slices.EqualFunc(history.Points, down.Points(), func(a, b hearth.Bucket) bool {
		return a.Start.Equal(b.Start) && a.Min == b.Min && a.Max == b.Max && a.Count == b.Count &&
			math.Abs(a.Mean-b.Mean) <= 1e-300+1e-9*max(math.Abs(a.Min), math.Abs(a.Max))
	}) {
		t.Fatalf("%s in %d buckets: other buckets than the model's", name.series, buckets)
	}
}

// somePoints draws a batch: mostly going on in time, sometimes days late, often the same times again.
func somePoints(random *rand.Rand, step int) []Point {
	points := make([]Point, random.IntN(400))
	start := testDay + int64(step)*200e9
	if random.IntN(5) == 0 {
		start = testDay + random.Int64N(2*dayLength)
	}
	values := someValues(random, len(points))
	for i := range points {
		one := random.IntN(6)
		points[i] = Point{Series: "hearth,device=d:" + strconv.Itoa(one), Field: "f", Time: start + int64(random.IntN(600))*1e9, Value: values[i]}
	}
	return points
}

func TestAgainstModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { runModel(t, rand.New(rand.NewPCG(seed, 3))) })
	}
}

func runModel(t *testing.T, random *rand.Rand) {
	dir, seq := t.TempDir(), uint64(0)
	s, m := open(t, dir, Options{}), make(model)
	everything := func(*dirtyDay) bool { return true }
	for step := range 400 {
		points := somePoints(random, step)
		write := Write{Home: "h", Points: points}
		if random.IntN(2) == 0 {
			seq++
			write.Batch = &hearth.BatchID{Epoch: "e", Seq: seq}
		}
		if o := mustWrite(t, s, write); o.Duplicate || o.Ahead || write.Batch != nil && o.Durable != *write.Batch {
			t.Fatalf("%+v of seq %d", o, seq)
		}
		m.take(points)
		switch random.IntN(16) {
		case 0:
			if err := s.mergeAll(t.Context(), everything); err != nil {
				t.Fatal(err)
			}
		case 1:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, Options{})
		case 2:
			s.homes.forget(s.homes.named["h"])
		case 3:
			if seq > 0 {
				old := Write{Home: "h", Points: somePoints(random, step), Batch: &hearth.BatchID{Epoch: "e", Seq: 1 + random.Uint64N(seq)}}
				if o := mustWrite(t, s, old); !o.Duplicate || o.Durable.Seq != seq {
					t.Fatalf("sent again: %+v, at %d", o, seq)
				}
			}
		}
		if step%20 == 19 {
			m.check(t, s, random)
		}
	}
	if err := s.mergeAll(t.Context(), everything); err != nil {
		t.Fatal(err)
	}
	m.check(t, s, random)
	checkDisjoint(t, s)
}

// checkDisjoint: after the merge there are no blocks, and no two chunks of one series and day overlap.
func checkDisjoint(t *testing.T, s *Store) {
	t.Helper()
	ends := make(map[string]int64)
	err := s.each([]byte{kindData}, func(key, value []byte) error {
		day, _, id, start, _ := parseDataKey(key)
		head, err := readSummaryOf(value, int64(day)*dayLength)
		series := string(key[:dataKeyLength-8])
		if err != nil || id == 0 || head.first != int64(day)*dayLength+int64(start) || head.first <= ends[series] || head.count > maxChunk {
			t.Errorf("chunk of series %d: %+v, %v, after one that ends at %d", id, head, err, ends[series])
		}
		ends[series] = head.last
		return nil
	})
	if err != nil || len(ends) == 0 {
		t.Fatal(len(ends), err)
	}
}
