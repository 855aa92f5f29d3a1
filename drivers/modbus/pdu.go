package modbus

import (
	"encoding/binary"
	"fmt"
)

// function is a Modbus function code (Application Protocol V1.1b3, chapter 6).
type function byte

const (
	readCoils      function = 1
	readDiscrete   function = 2
	readHolding    function = 3
	readInput      function = 4
	writeCoil      function = 5
	writeRegister  function = 6
	writeCoils     function = 15
	writeRegisters function = 16

	failedBit = 0x80 // set in the function code of an exception
)

// The limits of one request (chapter 6.1, 6.3, 6.11, 6.12).
const (
	maxReadRegisters  = 125
	maxReadBits       = 2000
	maxWriteRegisters = 123
	maxPDU            = 253
)

// A request is one question to one unit. Bits travel in values as 0 and 1, one each.
type request struct {
	unit     byte
	function function
	address  uint16
	count    int      // what to read
	values   []uint16 // what to write
}

// writes reports whether the request changes something.
func (r request) writes() bool { return r.function >= writeCoil }

// bits reports whether it is about coils or discrete inputs rather than registers.
func (r request) bits() bool {
	switch r.function {
	case readCoils, readDiscrete, writeCoil, writeCoils:
		return true
	}
	return false
}

// pdu returns the request's bytes, the function code first.
func (r request) pdu() []byte {
	b := binary.BigEndian.AppendUint16([]byte{byte(r.function)}, r.address)
	switch r.function {
	case writeCoil:
		if r.values[0] != 0 {
			return append(b, 0xff, 0)
		}
		return append(b, 0, 0)
	case writeRegister:
		return binary.BigEndian.AppendUint16(b, r.values[0])
	case writeCoils:
		b = binary.BigEndian.AppendUint16(b, uint16(len(r.values)))
		packed := make([]byte, (len(r.values)+7)/8)
		for i, v := range r.values {
			if v != 0 {
				packed[i/8] |= 1 << (i % 8)
			}
		}
		return append(append(b, byte(len(packed))), packed...)
	case writeRegisters:
		b = binary.BigEndian.AppendUint16(b, uint16(len(r.values)))
		b = append(b, byte(2*len(r.values)))
		for _, v := range r.values {
			b = binary.BigEndian.AppendUint16(b, v)
		}
		return b
	}
	return binary.BigEndian.AppendUint16(b, uint16(r.count))
}

// answerLength returns how many bytes the PDU of the answer has whose function code is given.
func (r request) answerLength(code byte) (int, bool) {
	switch {
	case code == byte(r.function)|failedBit:
		return 2, true
	case code != byte(r.function):
		return 0, false
	case r.writes():
		return 5, true
	case r.bits():
		return 2 + (r.count+7)/8, true
	}
	return 2 + 2*r.count, true
}

// parse reads the PDU of an answer: the registers or bits that were asked for, none for a write. The error is an
// exception if the unit sent one.
func (r request) parse(pdu []byte) ([]uint16, error) {
	if len(pdu) == 0 {
		return nil, fmt.Errorf("an empty answer")
	}
	length, ours := r.answerLength(pdu[0])
	switch {
	case !ours:
		return nil, fmt.Errorf("an answer to function %d, not %d", pdu[0], r.function)
	case len(pdu) != length:
		return nil, fmt.Errorf("an answer of %d bytes, not %d", len(pdu), length)
	case pdu[0]&failedBit != 0:
		return nil, exception(pdu[1])
	case r.writes():
		return nil, r.acknowledged(pdu)
	case int(pdu[1]) != length-2:
		return nil, fmt.Errorf("an answer that counts %d bytes, not %d", pdu[1], length-2)
	}
	values := make([]uint16, r.count)
	for i := range values {
		if r.bits() {
			values[i] = uint16(pdu[2+i/8]>>(i%8)) & 1
		} else {
			values[i] = binary.BigEndian.Uint16(pdu[2+2*i:])
		}
	}
	return values, nil
}

// acknowledged checks that a write's answer repeats the address and the value, or how many there were.
func (r request) acknowledged(pdu []byte) error {
	if question := r.pdu(); string(pdu) != string(question[:5]) {
		return fmt.Errorf("an acknowledgement of something else (%x for %x)", pdu, question[:5])
	}
	return nil
}

// An exception is a unit's refusal (chapter 7).
type exception byte

const (
	illegalFunction   exception = 1
	illegalAddress    exception = 2
	illegalValue      exception = 3
	acknowledge       exception = 5
	deviceBusy        exception = 6
	gatewayNoPath     exception = 10
	gatewayNoResponse exception = 11
)

// Error says it in words.
func (e exception) Error() string {
	words := map[exception]string{
		illegalFunction:   "it does not know this function: the wrong table or model?",
		illegalAddress:    "it has no such register",
		illegalValue:      "it refuses this value or this many registers at once",
		4:                 "it failed while doing so",
		acknowledge:       "it needs longer for this",
		deviceBusy:        "it is busy with something else",
		7:                 "it cannot do so now",
		8:                 "its memory has a parity error",
		gatewayNoPath:     "the Modbus gateway has no path to it",
		gatewayNoResponse: "the Modbus gateway gets no answer from it: is it switched on?",
	}
	text, known := words[e]
	if !known {
		text = "it gives a reason of its own"
	}
	return fmt.Sprintf("%s (exception %d)", text, byte(e))
}
