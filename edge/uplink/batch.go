package uplink

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"hearth"
	"hearth/edge/buffer"
)

// batch is the lines of several blocks on their way to a foreign database.
type batch struct {
	opt     *Options
	numbers bool // texts are turned into numbers or left out
	unpack  *zstd.Decoder

	last    uint64 // the seq up to which it goes
	text    []byte
	lines   []line
	todo    []span            // what is not answered yet, the next one last
	refused []buffer.Rejected // what will be counted as dropped
}

// line is one line of a batch.
type line struct {
	end  int // in text
	seq  uint64
	rows int
	at   time.Time
}

// span is the lines from (inclusive) to (exclusive).
type span struct{ from, to int }

const maxUnpacked = 8 << 20

func newUnpacker() *zstd.Decoder {
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
	if err != nil {
		panic(err) // the options are constant
	}
	return unpack
}

// add appends the lines of a block. Rows that cannot be sent are refused here, so that every row is accounted for.
func (b *batch) add(block buffer.Block) {
	b.last = block.Seq
	if len(block.Body) == 0 {
		return
	}
	text, err := b.unpack.DecodeAll(block.Body, nil)
	if err != nil {
		b.refuse(block, block.Rows, "unreadable: "+err.Error())
		return
	}
	rows, texts := 0, 0
	each := func(l *hearth.Line) {
		sent, left := b.append(l, block.Seq)
		rows, texts = rows+sent, texts+left
	}
	if err := hearth.DecodeLines(text, "ms", block.First, each, func(int, error) {}); err != nil {
		b.refuse(block, block.Rows, "unreadable: "+err.Error())
		return
	}
	b.refuse(block, texts, "a text, and this database keeps numbers only")
	b.refuse(block, block.Rows-rows-texts, "unreadable in the buffer")
}

func (b *batch) refuse(block buffer.Block, rows int, reason string) {
	if rows > 0 {
		b.refused = append(b.refused, buffer.Rejected{Seq: block.Seq, Rows: rows, First: block.First, Last: block.Last, Reason: reason})
	}
}

// append adds one line and returns how many of its rows are in it and how many texts had to be left out.
func (b *batch) append(l *hearth.Line, seq uint64) (sent, left int) {
	at := time.Unix(0, l.Time).UTC()
	before, text := len(b.text), b.text
	var err error
	if gap, ok := l.Gap(); ok && b.numbers {
		text = appendGapNumbers(text, gap, b.opt.Influx.Home)
	} else if ok {
		text = hearth.AppendGap(text, gap, b.opt.Influx.Home)
	} else {
		readings := l.Readings(nil)
		sent = len(readings)
		if b.numbers {
			readings = numbersOf(readings, b.opt.Home)
			left, sent = sent-len(readings), len(readings)
			readings = markRepaired(readings)
		}
		if sent == 0 {
			return 0, left
		}
		text, err = hearth.AppendLines(text, readings, b.opt.Influx.Home)
	}
	if err != nil {
		b.text = b.text[:before]
		return 0, left
	}
	b.text = text
	b.lines = append(b.lines, line{end: len(b.text), seq: seq, rows: sent, at: at})
	return sent, left
}

// split makes the spans that are sent first.
func (b *batch) split(maxLines, maxText int) {
	b.todo = nil
	for from := 0; from < len(b.lines); {
		to := from + 1
		for to < len(b.lines) && to-from < maxLines && b.lines[to].end-b.start(from) <= maxText {
			to++
		}
		b.todo = append(b.todo, span{from, to})
		from = to
	}
	slices.Reverse(b.todo)
}

func (b *batch) start(i int) int {
	if i == 0 {
		return 0
	}
	return b.lines[i-1].end
}

func (b *batch) slice(s span) []byte { return b.text[b.start(s.from):b.lines[s.to-1].end] }

// rejected is what the buffer is told of line i.
func (b *batch) rejected(i int, reason string) buffer.Rejected {
	l := b.lines[i]
	return buffer.Rejected{
		Seq: l.seq, Rows: l.rows, First: l.at, Last: l.at,
		Line: strings.TrimSuffix(string(b.text[b.start(i):l.end]), "\n"), Reason: reason,
	}
}

// gapLines returns the lines that say what of each block was refused.
func gapLines(refused []buffer.Rejected, home string, numbers bool) []byte {
	refused = slices.SortedStableFunc(slices.Values(refused), func(x, y buffer.Rejected) int { return cmp.Compare(x.Seq, y.Seq) })
	var text []byte
	for i := 0; i < len(refused); {
		first := refused[i]
		gap := hearth.Gap{From: hearth.Time{Time: first.First}, To: hearth.Time{Time: first.Last}, Reason: hearth.GapRejected}
		for ; i < len(refused) && refused[i].Seq == first.Seq; i++ {
			gap.Count += int64(refused[i].Rows)
			if refused[i].First.Before(gap.From.Time) {
				gap.From.Time = refused[i].First
			}
			if refused[i].Last.After(gap.To.Time) {
				gap.To.Time = refused[i].Last
			}
		}
		switch {
		case gap.Count == 0: // a gap record was refused: there is nothing to say of it
		case numbers:
			text = appendGapNumbers(text, gap, home)
		default:
			text = hearth.AppendGap(text, gap, home)
		}
	}
	return text
}
