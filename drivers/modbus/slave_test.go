package modbus

import (
	"encoding/binary"
	"io"
	"math"
	"slices"
	"sync"

	"hearth/drivers/serial"
)

// slave is a bus full of units, as bytes: what the driver speaks with in the tests.
type slave struct {
	mu     sync.Mutex
	units  map[byte]*fakeUnit
	heard  []request // all that were understood, in order
	mangle func(r request, question, answer []byte) []byte
}

// fakeUnit is one unit's registers. What is not in a table does not exist; coils and discrete inputs are registers of 0
// and 1.
type fakeUnit struct {
	tables  map[string]map[uint16]uint16
	dead    bool
	longest int               // registers at once; 0: no limit
	refuses map[function]bool // unknown functions
}

func newSlave(units ...byte) *slave {
	s := &slave{units: map[byte]*fakeUnit{}}
	for _, n := range units {
		s.units[n] = &fakeUnit{tables: map[string]map[uint16]uint16{"input": {}, "holding": {}, "coil": {}, "discrete": {}}}
	}
	return s
}

// with changes the slave while it runs.
func (s *slave) with(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *slave) register(unit byte, table string, address uint16) uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.units[unit].tables[table][address]
}

func (s *slave) requests(unit byte) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.heard {
		if r.unit == unit {
			n++
		}
	}
	return n
}

// float puts a float32 into two registers.
func (u *fakeUnit) float(table string, address uint16, f float32) {
	bits := math.Float32bits(f)
	u.tables[table][address], u.tables[table][address+1] = uint16(bits>>16), uint16(bits)
}

// parseRequest is the other side of request.pdu.
func parseRequest(unit byte, pdu []byte) (request, bool) {
	if len(pdu) < 5 {
		return request{}, false
	}
	r := request{unit: unit, function: function(pdu[0]), address: binary.BigEndian.Uint16(pdu[1:])}
	last := binary.BigEndian.Uint16(pdu[3:])
	switch r.function {
	case readCoils, readDiscrete, readHolding, readInput:
		r.count = int(last)
	case writeCoil:
		r.values = []uint16{last >> 15}
	case writeRegister:
		r.values = []uint16{last}
	case writeCoils, writeRegisters:
		if len(pdu) < 6 || len(pdu) != 6+int(pdu[5]) {
			return request{}, false
		}
		for i := range int(last) {
			if r.function == writeCoils {
				r.values = append(r.values, uint16(pdu[6+i/8]>>(i%8))&1)
			} else {
				r.values = append(r.values, binary.BigEndian.Uint16(pdu[6+2*i:]))
			}
		}
		return r, true
	default:
		return request{}, false
	}
	return r, len(pdu) == 5
}

// answer returns the PDU of a unit's answer; nil for none.
func (s *slave) answer(r request) []byte {
	s.heard = append(s.heard, r)
	u := s.units[r.unit]
	if u == nil || u.dead {
		return nil
	}
	refuse := func(why exception) []byte { return []byte{byte(r.function) | failedBit, byte(why)} }
	if u.refuses[r.function] {
		return refuse(illegalFunction)
	}
	table := u.tables[map[function]string{
		readCoils: "coil", readDiscrete: "discrete", readHolding: "holding", readInput: "input",
		writeCoil: "coil", writeCoils: "coil", writeRegister: "holding", writeRegisters: "holding",
	}[r.function]]
	if u.longest > 0 && r.count > u.longest {
		return refuse(illegalValue)
	}
	for i := range max(r.count, len(r.values)) {
		if _, exists := table[r.address+uint16(i)]; !exists {
			return refuse(illegalAddress)
		}
	}
	if r.writes() {
		for i, v := range r.values {
			table[r.address+uint16(i)] = v
		}
		return slices.Clone(r.pdu()[:5])
	}
	answer := []byte{byte(r.function), 0}
	var packed byte
	for i := range r.count {
		v := table[r.address+uint16(i)]
		if !r.bits() {
			answer = binary.BigEndian.AppendUint16(answer, v)
			continue
		}
		packed |= byte(v) << (i % 8)
		if i%8 == 7 || i == r.count-1 {
			answer, packed = append(answer, packed), 0
		}
	}
	answer[1] = byte(len(answer) - 2)
	return answer
}

// reply answers one question through mangle.
func (s *slave) reply(r request, question []byte, frame func(pdu []byte) []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var answer []byte
	if pdu := s.answer(r); pdu != nil {
		answer = frame(pdu)
	}
	if s.mangle != nil {
		answer = s.mangle(r, question, answer)
	}
	return answer
}

// serveRTU answers until rw fails.
func (s *slave) serveRTU(rw io.ReadWriter) {
	var heard []byte
	chunk := make([]byte, 300)
	for {
		n, err := rw.Read(chunk)
		if err != nil {
			return
		}
		heard = append(heard, chunk[:n]...)
		for {
			r, length, ok := cutRequest(heard)
			if !ok {
				break
			}
			answer := s.reply(r, heard[:length], func(pdu []byte) []byte { return rtuFrame(r.unit, pdu) })
			heard = heard[length:]
			if len(answer) > 0 {
				if _, err := rw.Write(answer); err != nil {
					return
				}
			}
		}
	}
}

// cutRequest finds a question at the beginning of what was heard; the driver makes no noise.
func cutRequest(heard []byte) (request, int, bool) {
	if len(heard) < 8 {
		return request{}, 0, false
	}
	length := 8
	if f := function(heard[1]); f == writeCoils || f == writeRegisters {
		length = 9 + int(heard[6])
	}
	if len(heard) < length || binary.LittleEndian.Uint16(heard[length-2:]) != crc16(heard[:length-2]) {
		return request{}, 0, false
	}
	r, ok := parseRequest(heard[0], heard[1:length-2])
	return r, length, ok
}

// serveTCP answers until rw fails.
func (s *slave) serveTCP(rw io.ReadWriter) {
	var heard []byte
	chunk := make([]byte, 300)
	for {
		n, err := rw.Read(chunk)
		if err != nil {
			return
		}
		heard = append(heard, chunk[:n]...)
		for {
			q, rest, err := cutTCP(heard)
			if err != nil || q == nil {
				break
			}
			heard = rest
			r, ok := parseRequest(q.unit, q.pdu)
			if !ok {
				continue
			}
			answer := s.reply(r, q.pdu, func(pdu []byte) []byte { return tcpFrame(q.transaction, q.unit, pdu) })
			if len(answer) > 0 {
				if _, err := rw.Write(answer); err != nil {
					return
				}
			}
		}
	}
}

func serialConfig(baud int) serial.Config { return serial.Config{Port: "/dev/null", Baud: baud} }
