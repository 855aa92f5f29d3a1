package hap

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// A session's bytes travel in frames (section 6.5.2): a length of two bytes that is authenticated, up to 1024 bytes that
// are encrypted, a tag of sixteen. The nonce counts the frames of one direction.
const (
	frameMost = 1024
	frameHead = 2
	frameTag  = chacha20poly1305.Overhead
	frameSize = frameHead + frameMost + frameTag
)

var (
	errFrame  = errors.New("a frame that is too long or does not decrypt")
	errTooBig = errors.New("a request that is too long")
)

func nonce(n uint64) []byte {
	var b [chacha20poly1305.NonceSize]byte
	binary.LittleEndian.PutUint64(b[4:], n)
	return b[:]
}

// wire is the reading side of a connection: plain at first, frames after upgrade. It is for one goroutine.
type wire struct {
	src    io.Reader
	budget int // bytes that may still be read: the bound of a request

	aead   cipher.AEAD // nil: plain
	frames uint64
	raw    []byte // ciphertext, of which in[start:] was not used yet
	start  int
	plain  []byte // decrypted and not read yet; in raw
}

// upgrade makes the wire decrypt. early is what was read already and belongs to the first frame.
func (w *wire) upgrade(key [32]byte, early []byte) {
	w.aead = newAEAD(key[:])
	w.raw = append(make([]byte, 0, 4*frameSize), early...)
}

// Read never loses a byte: what a read brought beyond the frame in hand is there for the next one.
func (w *wire) Read(p []byte) (int, error) {
	if w.budget <= 0 {
		return 0, errTooBig
	}
	p = p[:min(len(p), w.budget)]
	if w.aead == nil {
		n, err := w.src.Read(p)
		w.budget -= n
		return n, err
	}
	for len(w.plain) == 0 {
		if ok, err := w.open(); err != nil {
			return 0, err
		} else if ok {
			continue
		}
		if err := w.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.plain)
	w.plain = w.plain[n:]
	w.budget -= n
	return n, nil
}

// open decrypts the next frame in place, if all of it is there.
func (w *wire) open() (bool, error) {
	in := w.raw[w.start:]
	if len(in) < frameHead {
		return false, nil
	}
	size := int(binary.LittleEndian.Uint16(in))
	if size > frameMost {
		return false, errFrame
	}
	whole := frameHead + size + frameTag
	if len(in) < whole {
		return false, nil
	}
	sealed := in[frameHead:whole]
	plain, err := w.aead.Open(sealed[:0], nonce(w.frames), sealed, in[:frameHead])
	if err != nil {
		return false, errFrame
	}
	w.frames++
	w.plain = plain
	w.start += whole
	return true, nil
}

// fill reads more ciphertext. Nothing is left in plain when it is called, so the buffer's front is free.
func (w *wire) fill() error {
	if w.start > 0 {
		w.raw = w.raw[:copy(w.raw, w.raw[w.start:])]
		w.start = 0
	}
	if len(w.raw) == cap(w.raw) { // early bytes filled it
		w.raw = append(w.raw, make([]byte, frameSize)...)[:len(w.raw)]
	}
	n, err := w.src.Read(w.raw[len(w.raw):cap(w.raw)])
	w.raw = w.raw[:len(w.raw)+n]
	if n > 0 {
		return nil
	}
	return err
}

// sealer is the writing side of an encrypted connection.
type sealer struct {
	aead   cipher.AEAD
	frames uint64
}

// seal returns message as frames.
func (s *sealer) seal(message []byte) []byte {
	count := (len(message) + frameMost - 1) / frameMost
	out := make([]byte, 0, len(message)+count*(frameHead+frameTag))
	for len(message) > 0 {
		n := min(len(message), frameMost)
		head := len(out)
		out = binary.LittleEndian.AppendUint16(out, uint16(n))
		out = s.aead.Seal(out, nonce(s.frames), message[:n], out[head:head+frameHead])
		s.frames++
		message = message[n:]
	}
	return out
}

func newAEAD(key []byte) cipher.AEAD {
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		panic("hap: a key that has not 32 bytes")
	}
	return aead
}
