package modbus

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vectors are the examples of the Modbus specification (application protocol, chapter 6), and of a meter's manual.
func vectors() map[string]struct {
	request  request
	question string
	answer   string
	values   []uint16
} {
	return map[string]struct {
		request  request
		question string
		answer   string
		values   []uint16
	}{
		"coils":     {request{unit: 1, function: readCoils, address: 0x13, count: 19}, "01 0013 0013", "01 03 cd6b05", []uint16{1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1}},
		"discrete":  {request{unit: 1, function: readDiscrete, address: 0xc4, count: 22}, "02 00c4 0016", "02 03 acdb35", []uint16{0, 0, 1, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1}},
		"holding":   {request{unit: 1, function: readHolding, address: 0x6b, count: 3}, "03 006b 0003", "03 06 022b 0000 0064", []uint16{0x22b, 0, 0x64}},
		"input":     {request{unit: 1, function: readInput, address: 8, count: 1}, "04 0008 0001", "04 02 000a", []uint16{10}},
		"coil on":   {request{unit: 1, function: writeCoil, address: 0xac, values: []uint16{1}}, "05 00ac ff00", "05 00ac ff00", nil},
		"coil off":  {request{unit: 1, function: writeCoil, address: 0xac, values: []uint16{0}}, "05 00ac 0000", "05 00ac 0000", nil},
		"register":  {request{unit: 1, function: writeRegister, address: 1, values: []uint16{3}}, "06 0001 0003", "06 0001 0003", nil},
		"coils on":  {request{unit: 1, function: writeCoils, address: 0x13, values: []uint16{1, 0, 1, 1, 0, 0, 1, 1, 1, 0}}, "0f 0013 000a 02 cd01", "0f 0013 000a", nil},
		"registers": {request{unit: 1, function: writeRegisters, address: 1, values: []uint16{10, 0x102}}, "10 0001 0002 04 000a 0102", "10 0001 0002", nil},
		"SDM120":    {request{unit: 1, function: readInput, address: 0, count: 2}, "04 0000 0002", "04 04 4366 3334", []uint16{0x4366, 0x3334}},
	}
}

func TestVectors(t *testing.T) {
	for name, v := range vectors() {
		t.Run(name, func(t *testing.T) {
			question := unhex(t, v.question)
			if got := v.request.pdu(); !bytes.Equal(got, question) {
				t.Errorf("question %x, want %x", got, question)
			}
			back, ok := parseRequest(v.request.unit, question)
			if !ok || back.function != v.request.function || back.address != v.request.address || back.count != v.request.count || !slices.Equal(back.values, v.request.values) {
				t.Errorf("read back as %+v", back)
			}
			values, err := v.request.parse(unhex(t, v.answer))
			if err != nil || !slices.Equal(values, v.values) {
				t.Errorf("answer %v, %v, want %v", values, err, v.values)
			}
		})
	}
}

func TestRTUFrames(t *testing.T) {
	// From the manual of the SDM120: volts, as asked and as answered.
	if got, want := rtuFrame(1, unhex(t, "04 0000 0002")), unhex(t, "01 04 0000 0002 71cb"); !bytes.Equal(got, want) {
		t.Errorf("question %x, want %x", got, want)
	}
	if got, want := rtuFrame(1, unhex(t, "04 04 4366 3334")), unhex(t, "01 04 04 4366 3334 1b38"); !bytes.Equal(got, want) {
		t.Errorf("answer %x, want %x", got, want)
	}
}

func TestFindRTU(t *testing.T) {
	ask := request{unit: 1, function: readInput, address: 0, count: 2}
	good := unhex(t, "01 04 04 4366 3334 1b38")
	set := request{unit: 1, function: writeRegister, address: 7, values: []uint16{9}}
	tests := map[string]struct {
		request  request
		received []byte
		found    bool
	}{
		"clean":                       {ask, good, true},
		"empty":                       {ask, nil, false},
		"cut off":                     {ask, good[:8], false},
		"noise before":                {ask, append(unhex(t, "00 ff 01 04 f8"), good...), true},
		"noise after":                 {ask, append(slices.Clone(good), 0xff, 0), true},
		"wrong checksum":              {ask, unhex(t, "01 04 04 4366 3334 1b39"), false},
		"wrong checksum, then right":  {ask, append(unhex(t, "01 04 04 4366 3334 1b39"), good...), true},
		"another unit":                {ask, rtuFrame(2, unhex(t, "04 04 4366 3334")), false},
		"another unit first":          {ask, append(rtuFrame(2, unhex(t, "04 04 0000 0000")), good...), true},
		"another function":            {ask, rtuFrame(1, unhex(t, "03 04 4366 3334")), false},
		"another length":              {ask, rtuFrame(1, unhex(t, "04 02 4366")), false},
		"exception":                   {ask, rtuFrame(1, unhex(t, "84 02")), true},
		"another function's refusal":  {ask, rtuFrame(1, unhex(t, "83 02")), false},
		"echo before":                 {ask, append(rtuFrame(1, ask.pdu()), good...), true},
		"echo alone":                  {ask, rtuFrame(1, ask.pdu()), false},
		"acknowledged":                {set, rtuFrame(1, set.pdu()), true},
		"acknowledges something else": {set, rtuFrame(1, unhex(t, "06 0007 0008")), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pdu, found := findRTU(tt.request, tt.received)
			if found != tt.found {
				t.Errorf("found %v (%x), want %v", found, pdu, tt.found)
			}
		})
	}
}

func TestExceptions(t *testing.T) {
	r := request{unit: 1, function: readInput, count: 1}
	for code, want := range map[byte]string{2: "no such register", 6: "busy", 11: "gateway gets no answer", 99: "exception 99"} {
		_, err := r.parse([]byte{0x84, code})
		var refused exception
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("exception %d: %v, want %q", code, err, want)
		}
	}
}

func TestCutTCP(t *testing.T) {
	frame := tcpFrame(7, 1, unhex(t, "04 02 000a"))
	if want := unhex(t, "0007 0000 0005 01 04 02 000a"); !bytes.Equal(frame, want) {
		t.Fatalf("frame %x, want %x", frame, want)
	}
	for n := range frame {
		if a, rest, err := cutTCP(frame[:n]); a != nil || len(rest) != n || err != nil {
			t.Errorf("%d bytes: %v, %d left, %v", n, a, len(rest), err)
		}
	}
	a, rest, err := cutTCP(append(slices.Clone(frame), 1, 2))
	if err != nil || a == nil || a.transaction != 7 || a.unit != 1 || !bytes.Equal(a.pdu, unhex(t, "04 02 000a")) || len(rest) != 2 {
		t.Errorf("got %+v, %x, %v", a, rest, err)
	}
	for name, bad := range map[string]string{"protocol": "0007 0001 0005 01 04", "too short": "0007 0000 0001 01 04", "too long": "0007 0000 00ff 01 04", "RTU": "01 04 02 000a 38f7"} {
		if _, _, err := cutTCP(unhex(t, bad)); err == nil {
			t.Errorf("%s was taken for Modbus TCP", name)
		}
	}
}

func FuzzRTU(f *testing.F) {
	f.Add(byte(4), uint16(0), byte(2), []byte("\x01\x04\x04\x43\x66\x33\x34\x1b\x38"))
	f.Add(byte(6), uint16(7), byte(9), []byte("\x01\x06\x00\x07\x00\x09"))
	f.Fuzz(func(t *testing.T, code byte, address uint16, n byte, noise []byte) {
		r, ok := fuzzRequest(code, address, n)
		if !ok {
			return
		}
		if pdu, found := findRTU(r, noise); found {
			if _, err := r.parse(pdu); err != nil && !errors.As(err, new(exception)) {
				t.Errorf("found an answer that is none: %v", err)
			}
		}
		if len(noise) > maxHeard {
			return
		}
		// A good answer is found whatever stands before it, unless the noise is an answer itself.
		answer := goodAnswer(r)
		if _, found := findRTU(r, append(slices.Clone(noise), rtuFrame(r.unit, answer)...)); !found {
			t.Errorf("the answer %x was not found behind %x", answer, noise)
		}
	})
}

func fuzzRequest(code byte, address uint16, n byte) (request, bool) {
	r := request{unit: 1, function: function(code), address: address}
	switch r.function {
	case readCoils, readDiscrete, readHolding, readInput:
		r.count = 1 + int(n)%maxReadRegisters
	case writeCoil, writeRegister:
		r.values = []uint16{uint16(n) & 1}
	case writeCoils, writeRegisters:
		r.values = make([]uint16, 1+int(n)%maxWriteRegisters)
	default:
		return r, false
	}
	return r, true
}

func goodAnswer(r request) []byte {
	if r.writes() {
		return r.pdu()[:5]
	}
	length, _ := r.answerLength(byte(r.function))
	answer := make([]byte, length)
	answer[0], answer[1] = byte(r.function), byte(length-2)
	return answer
}

func FuzzTCP(f *testing.F) {
	f.Add([]byte("\x00\x07\x00\x00\x00\x05\x01\x04\x02\x00\x0a"))
	f.Fuzz(func(t *testing.T, received []byte) {
		total := len(received)
		for {
			answer, rest, err := cutTCP(received)
			if err != nil || answer == nil {
				return
			}
			if len(rest) >= len(received) || len(answer.pdu) == 0 || len(answer.pdu) > maxPDU {
				t.Fatalf("took %d bytes with a PDU of %d from %d", len(received)-len(rest), len(answer.pdu), total)
			}
			if again := tcpFrame(answer.transaction, answer.unit, answer.pdu); !bytes.Equal(again, received[:len(again)]) {
				t.Fatalf("%x became %x", received[:len(again)], again)
			}
			r := request{unit: answer.unit, function: readInput, count: 2}
			if _, err := r.parse(answer.pdu); err == nil && len(answer.pdu) != 6 {
				t.Errorf("%x was taken for two registers", answer.pdu)
			}
			received = rest
		}
	})
}
