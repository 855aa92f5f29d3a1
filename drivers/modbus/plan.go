package modbus

import (
	"cmp"
	"slices"
)

// A span is one read request: registers of one table that lie close together.
type span struct {
	registers []*Register // sorted by address
}

func (s span) first() int { return int(s.registers[0].Address) }

func (s span) count() int {
	end := 0
	for _, r := range s.registers {
		end = max(end, int(r.Address)+r.size())
	}
	return end - s.first()
}

func (s span) request(unit byte) request {
	return request{unit: unit, function: readFunction(s.registers[0].Table), address: s.registers[0].Address, count: s.count()}
}

func readFunction(table string) function {
	return map[string]function{"coil": readCoils, "discrete": readDiscrete, "holding": readHolding, "input": readInput}[table]
}

// words returns the registers (or the bit) of r among the values that a read of the span gave.
func (s span) words(r *Register, values []uint16) []uint16 {
	at := int(r.Address) - s.first()
	return values[at : at+r.size()]
}

// plan puts registers into as few reads as possible: those with at most gap unused ones between them together, and no
// read larger than limit registers. Bits are sixteen times as small.
func plan(all []*Register, gap, limit int) []span {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b *Register) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Address, b.Address))
	})
	var spans []span
	for _, r := range sorted {
		if len(spans) > 0 {
			last := &spans[len(spans)-1]
			joined := span{append(last.registers[:len(last.registers):len(last.registers)], r)}
			if last.registers[0].Table == r.Table && joined.fits(gap, limit) {
				*last = joined
				continue
			}
		}
		spans = append(spans, span{[]*Register{r}})
	}
	return spans
}

// fits looks at the newest register of the span: is it near enough, and does all fit into one read?
func (s span) fits(gap, limit int) bool {
	before := span{s.registers[:len(s.registers)-1]}
	if s.registers[0].bits() {
		gap, limit = gap*16, min(limit*16, maxReadBits)
	}
	next := int(s.registers[len(s.registers)-1].Address)
	return next-(before.first()+before.count()) <= gap && s.count() <= limit
}

// split halves a span that the device has refused, at its widest gap if it has one. A single register cannot be split.
func (s span) split() []span {
	if len(s.registers) < 2 {
		return nil
	}
	cut, widest := len(s.registers)/2, 0
	end := s.first()
	for i, r := range s.registers {
		if gap := int(r.Address) - end; i > 0 && gap > widest {
			cut, widest = i, gap
		}
		end = max(end, int(r.Address)+r.size())
	}
	return []span{{s.registers[:cut]}, {s.registers[cut:]}}
}
