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

// body reads and unpacks a request's body of at most limit bytes, before and after. release gives its memory back and
// is never nil.
func (in *Ingest) body(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, release func(), refused *refusal) {
	release = func() {}
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "request too large", "the body is larger than %d bytes, as it is or unpacked", limit)
	if r.ContentLength > limit {
		return nil, release, tooLarge
	}
	encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
	weight := r.ContentLength
	if weight < 0 {
		weight = limit
	}
	if encoding != "" && encoding != "identity" {
		weight += limit
	}
	if err := in.acquire(r.Context(), weight); err != nil {
		return nil, release, err
	}
	release = func() { in.memory.Release(weight) }
	packed, err := readAll(http.MaxBytesReader(w, r.Body, limit), r.ContentLength)
	if err == nil {
		body, err = unpack(encoding, packed, limit)
	}
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

func readAll(r io.Reader, length int64) ([]byte, error) {
	var b bytes.Buffer
	if length > 0 && length <= 1<<20 { // a claim of more is believed as it arrives
		b.Grow(int(length) + bytes.MinRead)
	}
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

func unpack(encoding string, packed []byte, limit int64) ([]byte, error) {
	switch encoding {
	case "", "identity":
		return packed, nil
	case "gzip":
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "invalid", "the body is not gzip: %v", err)
		}
		return unpackFrom(r, "gzip", limit)
	case "zstd":
		// One that is made for each request costs little and shares nothing. The window is what it may keep in memory.
		r, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "invalid", "the body is not zstd: %v", err)
		}
		defer r.Close()
		return unpackFrom(r, "zstd", limit)
	}
	return nil, refuse(http.StatusBadRequest, "invalid", "Content-Encoding %s: want gzip, zstd or identity", clip(encoding))
}

func unpackFrom(r io.Reader, name string, limit int64) ([]byte, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, limit+1))
	switch {
	case n > limit:
		return nil, errUnpacked
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, errUnpacked
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "invalid", "the body is not %s: %v", name, err)
	}
	return b.Bytes(), nil
}
