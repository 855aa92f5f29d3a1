package ingest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// errUnpacked says that a body is too large once it is unpacked.
var errUnpacked = errors.New("unpacked too large")

// firstPart is how many bytes of a body memory is held for at first.
const firstPart = 64 << 10

// mostGzip is how many times larger than itself gzip can unpack.
const mostGzip = 1040

// body reads and unpacks a request's body of at most limit bytes, before and after, and charges the home for it. release
// gives its memory back and is never nil.
func (in *Ingest) body(w http.ResponseWriter, r *http.Request, q *quota, limit int64) (body []byte, release func(), refused *refusal) {
	release = func() {}
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "request too large", "the body is larger than %d bytes, as it is or unpacked", limit)
	if r.ContentLength > limit {
		return nil, release, tooLarge
	}
	encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
	held := int64(0)
	packed, room := in.buffers.Get().(*bytes.Buffer), in.buffers.Get().(*bytes.Buffer)
	release = func() {
		in.keep(packed)
		in.keep(room)
		in.memory.Release(held)
	}
	hold := func(n int64) error {
		if refused := in.acquire(r.Context(), n); refused != nil {
			return refused
		}
		held += n
		return nil
	}
	err := readAll(packed, http.MaxBytesReader(w, r.Body, limit), r.ContentLength, limit, hold)
	if err == nil {
		err = hold(unpackedWeight(encoding, packed.Len(), limit))
	}
	if err == nil {
		body, err = in.unpack(room, encoding, packed.Bytes(), limit)
	}
	q.charge(in.o.Now(), max(packed.Len(), room.Len())) // to read what comes to nothing took as much
	var bytesError *http.MaxBytesError
	switch {
	case err == nil:
		return body, release, nil
	case errors.Is(err, errUnpacked), errors.As(err, &bytesError):
		return nil, release, tooLarge
	case errors.As(err, &refused):
		return nil, release, refused
	}
	return nil, release, refuse(http.StatusBadRequest, "invalid", "the body broke off: %v", err)
}

// keep keeps a buffer for the next request, unless it is large.
func (in *Ingest) keep(b *bytes.Buffer) {
	if b.Cap() <= keptBody {
		b.Reset()
		in.buffers.Put(b)
	}
}

// readAll reads a body and holds memory for what has come of it, in parts that grow: a sender that is slow, or says that
// it sends much and does not, keeps others from no more than it has sent.
func readAll(b *bytes.Buffer, r io.Reader, length, limit int64, hold func(int64) error) error {
	if length > 0 && length <= 1<<20 { // a claim of more is believed as it arrives
		b.Grow(int(length) + bytes.MinRead)
	}
	if length < 0 || length > limit {
		length = limit
	}
	for part := int64(firstPart); ; part *= 2 {
		part = max(1, min(part, length+1-int64(b.Len()))) // one more than there should be, to see the end
		if err := hold(part); err != nil {
			return err
		}
		if _, err := io.CopyN(b, r, part); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

// unpackedWeight is how much memory a body may take once it is unpacked.
func unpackedWeight(encoding string, packed int, limit int64) int64 {
	switch encoding {
	case "", "identity":
		return 0
	case "gzip":
		return min(limit, mostGzip*int64(packed))
	}
	return limit
}

func (in *Ingest) unpack(room *bytes.Buffer, encoding string, packed []byte, limit int64) ([]byte, error) {
	switch encoding {
	case "", "identity":
		return packed, nil
	case "gzip":
		r, ok := in.gzips.Get().(*gzip.Reader)
		if !ok {
			r = new(gzip.Reader)
		}
		defer in.gzips.Put(r)
		if err := r.Reset(bytes.NewReader(packed)); err != nil {
			return nil, refuse(http.StatusBadRequest, "invalid", "the body is not gzip: %v", err)
		}
		return unpackFrom(room, r, "gzip", limit)
	case "zstd":
		return in.unpackZstd(room, packed, limit)
	}
	return nil, refuse(http.StatusBadRequest, "invalid", "Content-Encoding %s: want gzip, zstd or identity", clip(encoding))
}

// unpackZstd unpacks what a batch may hold in one go, and more as a stream. The window is what a frame may keep in memory.
func (in *Ingest) unpackZstd(room *bytes.Buffer, packed []byte, limit int64) ([]byte, error) {
	options := []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8 << 20)}
	whole, ok := in.zstds.Get().(*zstd.Decoder)
	if !ok {
		var err error
		if whole, err = zstd.NewReader(nil, append(options, zstd.WithDecoderMaxMemory(maxBatch))...); err != nil {
			return nil, err
		}
	}
	body, err := whole.DecodeAll(packed, room.AvailableBuffer())
	in.zstds.Put(whole)
	switch {
	case err == nil:
		*room = *bytes.NewBuffer(body) // it may have grown
		return body, nil
	case !wantsMore(err):
		return nil, refuse(http.StatusBadRequest, "invalid", "the body is not zstd: %v", err)
	case limit <= maxBatch:
		return nil, errUnpacked
	}
	stream, err := zstd.NewReader(bytes.NewReader(packed), options...)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid", "the body is not zstd: %v", err)
	}
	defer stream.Close()
	return unpackFrom(room, stream, "zstd", limit)
}

// wantsMore reports whether a zstd frame asks for more memory than it may.
func wantsMore(err error) bool {
	return errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded)
}

func unpackFrom(room *bytes.Buffer, r io.Reader, name string, limit int64) ([]byte, error) {
	n, err := room.ReadFrom(io.LimitReader(r, limit+1))
	switch {
	case n > limit, wantsMore(err):
		return nil, errUnpacked
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "invalid", "the body is not %s: %v", name, err)
	}
	return room.Bytes(), nil
}
