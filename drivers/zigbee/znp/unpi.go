package znp

import "bytes"

// A frame on the line (Unified Network Processor Interface): FE, the data's length, two command bytes, the data, and the
// exclusive or of all but the first.
const (
	startOfFrame = 0xfe
	frameAround  = 5   // bytes of a frame that are not data
	maxData      = 250 // of a frame: more is not one
)

// The kinds of frames: the upper three bits of the first command byte.
const (
	kindRequest         = 0x20 // SREQ
	kindIndication      = 0x40 // AREQ
	kindAnswer          = 0x60 // SRSP
	kindMask       byte = 0xe0
)

type frame struct {
	kind    byte
	command command
	data    []byte
}

// appendFrame writes a frame of at most maxData bytes of data behind b.
func appendFrame(b []byte, kind byte, c command, data []byte) []byte {
	at := len(b)
	b = append(b, startOfFrame, byte(len(data)), kind|byte(c>>8), byte(c))
	b = append(b, data...)
	return append(b, check(b[at+1:]))
}

func check(b []byte) (sum byte) {
	for _, v := range b {
		sum ^= v
	}
	return sum
}

// A scanner finds a stick's frames in what comes over the line. A start byte that turns out to be none costs nothing but
// itself: the search goes on right behind it.
type scanner struct {
	buffer     [4096]byte
	start, end int
	passed     int // bytes before start, ever
	junk       int // bytes that were in no frame, ever
}

// space returns where to read to. What next returned is not valid any more.
func (s *scanner) space() []byte {
	s.end = copy(s.buffer[:], s.buffer[s.start:s.end])
	s.start = 0
	return s.buffer[s.end:]
}

// filled says that n bytes were read into space.
func (s *scanner) filled(n int) { s.end += n }

// next returns the next frame that is complete.
func (s *scanner) next() (frame, bool) {
	for {
		at := bytes.IndexByte(s.buffer[s.start:s.end], startOfFrame)
		if at < 0 {
			s.drop(s.end - s.start)
			return frame{}, false
		}
		s.drop(at)
		b := s.buffer[s.start:s.end]
		if !plausible(b) {
			s.drop(1)
			continue
		}
		if len(b) < 2 || len(b) < int(b[1])+frameAround {
			return frame{}, false
		}
		length := int(b[1]) + frameAround
		if check(b[1:length-1]) != b[length-1] {
			s.drop(1)
			continue
		}
		s.advance(length)
		return frame{b[2] & kindMask, command(b[2]&^kindMask)<<8 | command(b[3]), b[4 : length-1]}, true
	}
}

// plausible reports whether a stick's frame may begin like b.
func plausible(b []byte) bool {
	if len(b) >= 2 && b[1] > maxData {
		return false
	}
	return len(b) < 3 || b[2]&kindMask == kindAnswer || b[2]&kindMask == kindIndication
}

// partial returns where the frame begins whose rest is missing, counted from the beginning of all.
func (s *scanner) partial() (at int, ok bool) { return s.passed, s.start < s.end }

// giveUp takes the start byte whose frame did not become complete for none.
func (s *scanner) giveUp() { s.drop(min(1, s.end-s.start)) }

func (s *scanner) drop(n int) {
	s.junk += n
	s.advance(n)
}

func (s *scanner) advance(n int) {
	s.start += n
	s.passed += n
}
