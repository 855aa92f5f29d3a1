package series

import "encoding/binary"

// The keys, and what is kept under them. Numbers are big endian, so that keys sort as their numbers do; a day is
// shifted so that those before 1970 come first.
//
//	n                                  the number the next new home gets
//	h <name>                           a home: homeRecord
//	e <home>                           its past epochs: a list of epochRecord
//	q <home> <epoch> <seq>             rows of the epoch up to that seq: good, bad
//	u <home> <hour>                    the ledger of one hour of receipt
//	s <home> <series>                  name of a series: length of the series key, series key, field
//	l <home> <series>                  its last value, as of the last merge: a chunk of one point
//	g <home> <to> <n>                  a gap record
//	m <home> <day>                     the day has blocks that wait for the merge; the home's name
//	d <day> <home> 0 <n>               a block: what one Write brought for that day, every series of it
//	d <day> <home> <series> <start>    a merged chunk, by the nanosecond of the day it begins at
//	x <the former key>                 what did not decode, set aside
//	p                                  where in a log of writes the store is (see Write.Place)
//	f <n>                              a Write that is still to be sent on (see Recent)
const (
	kindCounter = 'n'
	kindHome    = 'h'
	kindEpochs  = 'e'
	kindSeq     = 'q'
	kindHour    = 'u'
	kindSeries  = 's'
	kindLast    = 'l'
	kindGap     = 'g'
	kindDirty   = 'm'
	kindData    = 'd'
	kindAside   = 'x'
	kindPlace   = 'p'
	kindRecent  = 'f'
)

// ofHome lists the kinds whose keys begin with the number of a home.
func ofHome() []byte {
	return []byte{kindEpochs, kindSeq, kindHour, kindSeries, kindLast, kindGap, kindDirty}
}

const (
	dataKeyLength  = 1 + 4 + 4 + 4 + 8
	dirtyKeyLength = 1 + 4 + 4
	homeKeyLength  = 1 + 4
)

func nameKey(name string) []byte { return append([]byte{kindHome}, name...) }

func homeKey(kind byte, home uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, home)
}

func seriesKey(kind byte, home, id uint32) []byte {
	return binary.BigEndian.AppendUint32(homeKey(kind, home), id)
}

func seqKey(home, epoch uint32, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(seriesKey(kindSeq, home, epoch), seq)
}

func hourKey(home uint32, hour int64) []byte {
	return binary.BigEndian.AppendUint64(homeKey(kindHour, home), orderly(hour))
}

func gapKey(home uint32, to int64, n uint64) []byte {
	key := binary.BigEndian.AppendUint64(homeKey(kindGap, home), orderly(to))
	return binary.BigEndian.AppendUint64(key, n)
}

func dirtyKey(home uint32, day int32) []byte {
	return binary.BigEndian.AppendUint32(homeKey(kindDirty, home), orderlyDay(day))
}

func dayKey(day int32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kindData}, orderlyDay(day))
}

func dataPrefix(day int32, home uint32) []byte {
	return binary.BigEndian.AppendUint32(dayKey(day), home)
}

// dataKey names a block (id 0, n its number) or a chunk (n the nanosecond of the day it begins at).
func dataKey(day int32, home, id uint32, n uint64) []byte {
	key := make([]byte, 0, dataKeyLength)
	key = append(key, kindData)
	key = binary.BigEndian.AppendUint32(key, orderlyDay(day))
	key = binary.BigEndian.AppendUint32(key, home)
	key = binary.BigEndian.AppendUint32(key, id)
	return binary.BigEndian.AppendUint64(key, n)
}

// parseDataKey takes apart what dataKey put together.
func parseDataKey(key []byte) (day int32, home, id uint32, n uint64, ok bool) {
	if len(key) != dataKeyLength || key[0] != kindData {
		return 0, 0, 0, 0, false
	}
	day = parseDay(key[1:])
	home = binary.BigEndian.Uint32(key[5:])
	id = binary.BigEndian.Uint32(key[9:])
	return day, home, id, binary.BigEndian.Uint64(key[13:]), true
}

func parseDay(b []byte) int32 { return int32(binary.BigEndian.Uint32(b) ^ 1<<31) }

func orderly(n int64) uint64 { return uint64(n) ^ 1<<63 }

func orderlyDay(day int32) uint32 { return uint32(day) ^ 1<<31 }

// after returns the first key behind every key that begins with prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
