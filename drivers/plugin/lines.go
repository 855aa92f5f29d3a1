package plugin

import (
	"bufio"
	"errors"
	"io"
)

var errTooLong = errors.New("the line is too long")

// A lineReader reads lines of at most limit bytes and holds no more than that in memory.
type lineReader struct {
	in    *bufio.Reader
	limit int
	line  []byte
}

func newLineReader(in io.Reader, limit int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, min(limit, 16<<10)), limit: limit}
}

// next returns the next line without its end, valid until the next call; errTooLong for one that was passed over. The
// last line needs no end. After another error there is nothing more.
func (r *lineReader) next() ([]byte, error) {
	if cap(r.line) > 64<<10 { // one long line is no reason to keep so much for good
		r.line = nil
	}
	r.line = r.line[:0]
	long := false
	for {
		part, err := r.in.ReadSlice('\n')
		if long = long || len(r.line)+len(part) > r.limit+1; !long {
			r.line = append(r.line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case long && (err == nil || err == io.EOF):
			return nil, errTooLong
		case err == nil, err == io.EOF && len(r.line) > 0:
			return trimEnd(r.line), nil
		}
		return nil, err
	}
}

func trimEnd(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line
}
