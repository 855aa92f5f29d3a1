package series

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hearth"
)

const testDay = int64(20_000) * dayLength

func at(ms int64, v hearth.Value) sample { return sample{t: testDay + ms*1e6, v: v} }

// The bytes are a promise to the stores that exist: a change of them needs another version.
func TestChunkVectors(t *testing.T) {
	number, boolean, text := hearth.NumberOf, hearth.BoolOf, hearth.TextOf
	for _, c := range []struct {
		name    string
		samples []sample
		hex     string
	}{
		{"one number", []sample{at(1000, number(21.5))}, "0217" + "01" + "ae03"},
		{"one float", []sample{at(1, number(math.Pi))}, "020a" + "01" + "182d4454fb210940"},
		{"one text", []sample{at(1000, text("on"))}, "020f" + "01" + "6f6e"},
		{"one bool", []sample{at(1000, boolean(true))}, "0207" + "01"},
		{"steady decimals", []sample{at(0, number(1)), at(500, number(1.5)), at(1000, number(-2))},
			"01030200e80703e8070002" + "0301" + "271e0a" + "140a45"},
		{"bools", []sample{at(1000, boolean(true)), at(2000, boolean(false)), at(3500, boolean(true))},
			"010302e807c41304d00fe807" + "010302" + "05"},
		{"texts", []sample{at(0, text("on")), at(1000, text("off")), at(2000, text("on"))},
			"01030300020202" + "00" + "040302" + "026f6e" + "036f6666" + "000100"},
		{"floats", []sample{at(0, number(math.Pi)), at(1000, number(math.Pi)), at(2000, number(math.Copysign(0, -1)))},
			"0103030002020200" + "0303" + "0000000000000080" + "182d4454fb210940" + "182d4454fb211940" +
				"00" + "182d4454fb210940" + "80" + "00" + "182d4454fb2109c0"},
		{"kinds in turn", []sample{at(0, number(7)), at(1000, text("x")), at(2000, boolean(false))},
			"01030300020202" + "00" + "0201000e0e0e0e" + "0401010178" + "00" + "01010000"},
		{"nanoseconds", []sample{{testDay + 1, number(0)}, {testDay + dayLength - 1, number(0)}},
			"0102" + "00" + "01" + "feffbb8ac9d213" + "07" + "fcfff79492a527" + "020200" + "000000" + "0000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			encoded := new(packer).appendChunk(nil, c.samples, testDay)
			if got := hex.EncodeToString(encoded); got != c.hex {
				t.Errorf("encoded %s, want %s", got, c.hex)
			}
			data, err := hex.DecodeString(c.hex)
			if err != nil {
				t.Fatal(err)
			}
			decoded, err := decodeChunk(nil, data, testDay)
			if err != nil || !slices.Equal(decoded, c.samples) {
				t.Errorf("decoded %v, %v, want %v", decoded, err, c.samples)
			}
		})
	}
}

// Stores that exist hold single points in the form of several.
func TestOneNumberInTheFormerForm(t *testing.T) {
	data, err := hex.DecodeString("0101030100000201" + "01ae03ae03ae03ae03")
	if err != nil {
		t.Fatal(err)
	}
	want := []sample{at(1000, hearth.NumberOf(21.5))}
	if decoded, err := decodeChunk(nil, data, testDay); err != nil || !slices.Equal(decoded, want) {
		t.Errorf("decoded %v, %v, want %v", decoded, err, want)
	}
}

// someValues draws values of the shapes that a home has.
func someValues(random *rand.Rand, n int) []hearth.Value {
	values := make([]hearth.Value, n)
	shape, level := random.IntN(7), 0.0
	for i := range values {
		level += math.Round(random.NormFloat64()*30) / 10
		switch shape {
		case 0:
			values[i] = hearth.NumberOf(math.Round(level*100) / 100)
		case 1:
			values[i] = hearth.NumberOf(random.NormFloat64() * math.Pow(10, float64(random.IntN(40)-20)))
		case 2:
			values[i] = hearth.BoolOf(random.IntN(2) == 0)
		case 3:
			values[i] = hearth.TextOf(strings.Repeat("é", random.IntN(40)))
		case 4:
			values[i] = hearth.NumberOf(float64(random.Int64()))
		case 5:
			values[i] = hearth.NumberOf(math.Float64frombits(uint64(random.IntN(3))))
		default:
			values[i] = someValues(random, 1)[0]
		}
		if values[i].IsZero() {
			values[i] = hearth.NumberOf(0)
		}
	}
	return values
}

// someTimes draws n different times of the test day, ascending.
func someTimes(random *rand.Rand, n int) []int64 {
	unit := timeUnit(byte(random.IntN(4)))
	if unit == 1e9 {
		n = min(n, 20_000)
	}
	times := make([]int64, n)
	for i := range times {
		times[i] = testDay + random.Int64N(dayLength/unit)*unit
		if random.IntN(2) == 0 { // steady, with jitter
			times[i] = testDay + (int64(i)*dayLength/int64(n)+random.Int64N(1e9))/unit*unit
			times[i] = min(times[i], testDay+dayLength-unit)
		}
	}
	slices.Sort(times)
	return slices.Compact(times)
}

func TestChunkRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		times := someTimes(random, 1+random.IntN(1+random.IntN(3000)))
		samples := make([]sample, len(times))
		for i, v := range someValues(random, len(times)) {
			samples[i] = sample{times[i], v}
		}
		encoded := new(packer).appendChunk([]byte("before"), samples, testDay)[6:]
		decoded, err := decodeChunk(nil, encoded, testDay)
		if err != nil || !slices.Equal(decoded, samples) {
			t.Fatalf("%d samples came back otherwise, %v", len(samples), err)
		}
		checkSummary(t, encoded, samples)
	}
}

func checkSummary(t *testing.T, encoded []byte, samples []sample) {
	t.Helper()
	head, err := readSummaryOf(encoded, testDay)
	if err != nil || head.count != len(samples) || head.first != samples[0].t || head.last != samples[len(samples)-1].t {
		t.Fatalf("summary %+v, %v of %d samples", head, err, len(samples))
	}
	if !head.numeric {
		return
	}
	low, high, sum, size := math.Inf(1), math.Inf(-1), 0.0, 0.0
	for _, p := range samples {
		low, high = min(low, p.v.Number()), max(high, p.v.Number())
		sum, size = sum+p.v.Number(), size+math.Abs(p.v.Number())
	}
	if head.min != low || head.max != high || math.Abs(head.sum-sum) > 1e-9*size {
		t.Fatalf("summary says %g to %g, sum %g; they are %g to %g, %g", head.min, head.max, head.sum, low, high, sum)
	}
}

// Every cut and every flipped bit is either noticed or gives samples that could have been.
func TestDamagedChunks(t *testing.T) {
	samples := []sample{at(0, hearth.NumberOf(1)), at(700, hearth.BoolOf(true)), at(900, hearth.TextOf("on")), at(901, hearth.NumberOf(math.Pi))}
	whole := new(packer).appendChunk(nil, samples, testDay)
	for cut := range whole {
		if got, err := decodeChunk(nil, whole[:cut], testDay); err == nil || len(got) > 0 {
			t.Errorf("cut at %d: %v, %v", cut, got, err)
		}
	}
	for bit := range len(whole) * 8 {
		flipped := slices.Clone(whole)
		flipped[bit/8] ^= 1 << (bit % 8)
		got, err := decodeChunk(samples[:1:1], flipped, testDay)
		if err != nil && len(got) != 1 {
			t.Errorf("bit %d: an error and %d samples", bit, len(got)-1)
		}
		checkPossible(t, got[1:])
	}
}

func checkPossible(t *testing.T, samples []sample) {
	t.Helper()
	for i, p := range samples {
		if p.v.IsZero() || p.t < testDay || p.t >= testDay+dayLength || i > 0 && p.t <= samples[i-1].t {
			t.Fatalf("sample %d cannot be: %v", i, p)
		}
	}
}

// What decodes is possible, and comes back when it is encoded anew.
func FuzzChunk(f *testing.F) {
	random := rand.New(rand.NewPCG(2, 2))
	for range 40 {
		times := someTimes(random, 1+random.IntN(30))
		samples := make([]sample, len(times))
		for i, v := range someValues(random, len(times)) {
			samples[i] = sample{times[i], v}
		}
		f.Add(new(packer).appendChunk(nil, samples, testDay))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		samples, err := decodeChunk(nil, data, testDay)
		if err != nil {
			return
		}
		checkPossible(t, samples)
		again, err := decodeChunk(nil, new(packer).appendChunk(nil, samples, testDay), testDay)
		if err != nil || !slices.Equal(again, samples) {
			t.Fatalf("%v came back as %v, %v", samples, again, err)
		}
	})
}

func FuzzBlock(f *testing.F) {
	chunk := new(packer).appendChunk(nil, []sample{at(0, hearth.NumberOf(1)), at(5, hearth.TextOf("a"))}, testDay)
	f.Add(appendToBlock(appendToBlock([]byte{blockVersion}, 1, chunk), 300, chunk))
	f.Fuzz(func(t *testing.T, data []byte) {
		again := []byte{blockVersion}
		err := eachInBlock(data, func(id uint32, chunk []byte) {
			if id == 0 {
				t.Fatal("series 0")
			}
			again = appendToBlock(again, id, chunk)
		})
		if err == nil && len(again) > len(data) {
			t.Fatalf("%d bytes became %d", len(data), len(again))
		}
	})
}

func FuzzRecords(f *testing.F) {
	record := homeRecord{number: 7, nextSeries: 9, nextWrite: 12, asOf: 5, base: Counts{Unexplained: -3}, epoch: epochRecord{name: "4f9a", durable: 4, reported: true}}
	f.Add(record.append(nil))
	f.Add(appendEpochs(nil, []epochRecord{record.epoch, record.epoch}))
	f.Add(appendLast(nil, at(3, hearth.TextOf("on"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		if record, err := parseHomeRecord(data); err == nil {
			if again, err := parseHomeRecord(record.append(nil)); err != nil || again != record {
				t.Fatalf("%+v came back as %+v, %v", record, again, err)
			}
		}
		if past, err := parseEpochs(data); err == nil {
			if again, err := parseEpochs(appendEpochs(nil, past)); err != nil || !slices.Equal(again, past) {
				t.Fatalf("%+v came back as %+v, %v", past, again, err)
			}
		}
		if counts, err := parseCounts(data); err == nil {
			if again, err := parseCounts(counts.append(nil)); err != nil || again != counts {
				t.Fatalf("%+v came back as %+v, %v", counts, again, err)
			}
		}
		if last, err := parseLast(data); err == nil && last.v.IsZero() {
			t.Fatal("a last value without a value")
		}
		if gap, err := parseGapRecord(data); err == nil {
			if again, err := parseGapRecord(appendGapRecord(nil, gap)); err != nil || again != gap {
				t.Fatalf("%+v came back as %+v, %v", gap, again, err)
			}
		}
	})
}
