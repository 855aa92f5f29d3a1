package znp

import "sync"

// Other sticks speak ASH, the framing of Silicon Labs' EZSP: frames that end with a flag byte and carry a CRC.
const (
	ashFlag      = 0x7e
	ashEscape    = 0x7d
	ashCancel    = 0x1a
	ashRestarted = 0xc1
	ashError     = 0xc2
	longestOther = 140 // an ASH frame has at most 131 bytes before stuffing
)

// askOther is what makes a stick with ASH restart its protocol and say so; Z-Stack takes it for noise.
func askOther() []byte { return []byte{ashCancel, 0xc0, 0x38, 0xbc, ashFlag} }

// A foreignWatch looks for frames of another protocol while nobody knows yet what is on the other end.
type foreignWatch struct {
	mu    sync.Mutex
	seen  chan struct{} // closed when there was one; nil: not looking
	frame []byte
}

func newForeignWatch() *foreignWatch { return &foreignWatch{} }

// begin starts looking; what it returns is closed when another protocol was heard.
func (w *foreignWatch) begin() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.frame = make(chan struct{}), nil
	return w.seen
}

func (w *foreignWatch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = nil
}

func (w *foreignWatch) see(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		return
	}
	for _, v := range b {
		switch {
		case v == ashFlag && isASH(w.frame):
			close(w.seen)
			w.seen = nil
			return
		case v == ashFlag, v == ashCancel, len(w.frame) >= longestOther:
			w.frame = w.frame[:0]
		default:
			w.frame = append(w.frame, v)
		}
	}
}

// isASH reports whether b is what an RSTACK or ERROR frame of ASH version 2 has before its flag.
func isASH(b []byte) bool {
	plain := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		v := b[i]
		if v == ashEscape && i+1 < len(b) {
			i++
			v = b[i] ^ 0x20
		}
		plain = append(plain, v)
	}
	return len(plain) == 5 && (plain[0] == ashRestarted || plain[0] == ashError) && plain[1] == 2 && crcCCITT(plain) == 0
}

// crcCCITT is the CRC of ASH; over a frame with its CRC it is zero.
func crcCCITT(b []byte) uint16 {
	crc := uint16(0xffff)
	for _, v := range b {
		crc ^= uint16(v) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
