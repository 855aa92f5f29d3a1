package series

import (
	"encoding/binary"
	"fmt"

	"hearth"
)

const (
	recordVersion = 1
	maxEpochs     = 64   // past epochs that are remembered; older ones are folded into base, and would count anew
	keptSeqs      = 8192 // seqs behind the last whose rows are known one by one
)

// homeRecord is what a home's key holds. It is written with every batch.
type homeRecord struct {
	number     uint32 // 0: nothing was ever written
	nextSeries uint32
	nextEpoch  uint32
	nextWrite  uint64 // numbers blocks and gaps; never used twice
	asOf       int64  // unix ms of the last write
	base       Counts // plain writes, duplicates, and epochs no longer remembered
	epoch      epochRecord
}

func (r *homeRecord) append(dst []byte) []byte {
	dst = append(dst, recordVersion)
	for _, n := range []uint64{uint64(r.number), uint64(r.nextSeries), uint64(r.nextEpoch), r.nextWrite} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = binary.AppendVarint(dst, r.asOf)
	dst = r.base.append(dst)
	return r.epoch.append(dst)
}

func parseHomeRecord(data []byte) (homeRecord, error) {
	r := reader{data: data}
	if version := r.byte(); version != recordVersion {
		return homeRecord{}, fmt.Errorf("record of version %d: %w", version, errCorrupt)
	}
	record := homeRecord{number: uint32(r.uvarint()), nextSeries: uint32(r.uvarint()), nextEpoch: uint32(r.uvarint()), nextWrite: r.uvarint()}
	record.asOf = r.varint()
	record.base = r.counts()
	record.epoch = r.epoch()
	if r.bad || len(r.data) > 0 || record.number == 0 {
		return homeRecord{}, errCorrupt
	}
	return record, nil
}

func (e *epochRecord) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.name)))
	dst = append(dst, e.name...)
	reported := uint64(0)
	if e.reported {
		reported = 1
	}
	for _, n := range []uint64{uint64(e.index), e.durable, e.good, e.bad, e.gaps, reported, e.snapshot.Produced,
		e.snapshot.Dropped, e.snapshot.Backlog, e.snapshot.Durable, e.goodAtK, e.badAtK, e.untold} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func (r *reader) epoch() epochRecord {
	e := epochRecord{name: string(r.bytes(r.uvarint()))}
	e.index, e.durable, e.good, e.bad, e.gaps = uint32(r.uvarint()), r.uvarint(), r.uvarint(), r.uvarint(), r.uvarint()
	e.reported = r.uvarint() == 1
	e.snapshot = hearth.Ledger{Produced: r.uvarint(), Dropped: r.uvarint(), Backlog: r.uvarint(), Durable: r.uvarint()}
	e.goodAtK, e.badAtK, e.untold = r.uvarint(), r.uvarint(), r.uvarint()
	return e
}

func appendEpochs(dst []byte, past []epochRecord) []byte {
	for i := range past {
		dst = past[i].append(dst)
	}
	return dst
}

func parseEpochs(data []byte) ([]epochRecord, error) {
	var past []epochRecord
	r := reader{data: data}
	for len(r.data) > 0 {
		past = append(past, r.epoch())
	}
	if r.bad {
		return nil, errCorrupt
	}
	return past, nil
}

func (c Counts) append(dst []byte) []byte {
	for _, n := range []int64{c.Produced, c.Received, c.Duplicate, c.Dropped, c.OnGateway, c.Unexplained} {
		dst = binary.AppendVarint(dst, n)
	}
	return dst
}

func (r *reader) counts() Counts {
	return Counts{Produced: r.varint(), Received: r.varint(), Duplicate: r.varint(), Dropped: r.varint(), OnGateway: r.varint(), Unexplained: r.varint()}
}

func parseCounts(data []byte) (Counts, error) {
	r := reader{data: data}
	c := r.counts()
	if r.bad || len(r.data) > 0 {
		return Counts{}, errCorrupt
	}
	return c, nil
}

// A gap is kept as from, to (unix ns), count and reason.
func appendGapRecord(dst []byte, g hearth.Gap) []byte {
	dst = binary.AppendVarint(dst, g.From.UnixNano())
	dst = binary.AppendVarint(dst, g.To.UnixNano())
	dst = binary.AppendVarint(dst, g.Count)
	return append(dst, g.Reason...)
}

func parseGapRecord(data []byte) (hearth.Gap, error) {
	r := reader{data: data}
	g := hearth.Gap{From: timeOf(r.varint()), To: timeOf(r.varint()), Count: r.varint()}
	if r.bad {
		return hearth.Gap{}, errCorrupt
	}
	g.Reason = string(r.data)
	return g, nil
}
