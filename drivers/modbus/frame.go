package modbus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// crc16 is the checksum of RTU frames (Modbus over Serial Line V1.02, chapter 6.2.2): reflected 0x8005, begun with ones.
func crc16(data []byte) uint16 {
	crc := uint16(0xffff)
	for _, b := range data {
		crc ^= uint16(b)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xa001
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

// rtuFrame returns unit, PDU and checksum, which is the only number of Modbus that travels low byte first.
func rtuFrame(unit byte, pdu []byte) []byte {
	frame := append([]byte{unit}, pdu...)
	return binary.LittleEndian.AppendUint16(frame, crc16(frame))
}

// findRTU looks for the answer to r among the received bytes and returns its PDU. Whatever stands before it is noise:
// a bus that was switched, a late answer, another unit's.
func findRTU(r request, received []byte) (pdu []byte, found bool) {
	for at := range received {
		rest := received[at:]
		if rest[0] != r.unit || len(rest) < 2 {
			continue
		}
		length, ours := r.answerLength(rest[1])
		if !ours || len(rest) < length+3 {
			continue
		}
		body := rest[:length+1]
		if binary.LittleEndian.Uint16(rest[length+1:]) != crc16(body) {
			continue
		}
		if _, err := r.parse(body[1:]); err == nil || errors.As(err, new(exception)) {
			return body[1:], true
		}
	}
	return nil, false
}

// cutEcho returns what was received after the echo of the question, if it is there: adapters whose receiver stays on
// while they send hear themselves.
func cutEcho(question, received []byte) (rest []byte, found bool) {
	if at := bytes.Index(received, question); at >= 0 {
		return received[at+len(question):], true
	}
	return received, false
}

// mbapLength is the header of Modbus TCP: transaction, protocol, length, unit (Messaging on TCP/IP V1.0b, chapter 3.1.3).
const mbapLength = 7

func tcpFrame(transaction uint16, unit byte, pdu []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, transaction)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(pdu)+1))
	return append(append(b, unit), pdu...)
}

type tcpAnswer struct {
	transaction uint16
	unit        byte
	pdu         []byte
}

// cutTCP takes the first frame off what was received; none if it is not complete. After an error nothing that follows
// can be understood.
func cutTCP(received []byte) (answer *tcpAnswer, rest []byte, err error) {
	if len(received) < mbapLength {
		return nil, received, nil
	}
	length := int(binary.BigEndian.Uint16(received[4:]))
	if protocol := binary.BigEndian.Uint16(received[2:]); protocol != 0 || length < 2 || length > maxPDU+1 {
		return nil, received, fmt.Errorf("what answers does not speak Modbus TCP (%x…): for an RS485 gateway that passes bytes on, set mode: rtu", received[:mbapLength])
	}
	if len(received) < 6+length {
		return nil, received, nil
	}
	return &tcpAnswer{
		transaction: binary.BigEndian.Uint16(received),
		unit:        received[6],
		pdu:         received[mbapLength : 6+length],
	}, received[6+length:], nil
}
