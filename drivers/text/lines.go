package text

import "bytes"

// maxLine is how long a line may be. A longer one is dropped whole.
const maxLine = 64 << 10

// splitter cuts a stream of bytes into lines that end with LF, CR or both. It holds one line at the most.
type splitter struct {
	line []byte
	skip bool // what comes up to the next end of a line is none: its beginning is missing, or it is too long
}

// feed calls each for every line that the chunk completes, without its end and only if there is something in it;
// tooLong once for every line that is dropped. The line is valid until each returns.
func (s *splitter) feed(chunk []byte, each func(line []byte), tooLong func()) {
	for len(chunk) > 0 {
		end := bytes.IndexAny(chunk, "\r\n")
		part := chunk
		if end >= 0 {
			part = chunk[:end]
		}
		if !s.skip && len(s.line)+len(part) > maxLine {
			s.skip, s.line = true, nil
			tooLong()
		}
		if !s.skip {
			s.line = append(s.line, part...)
		}
		if end < 0 {
			return
		}
		if len(s.line) > 0 {
			each(s.line)
		}
		s.line, s.skip = s.line[:0], false
		chunk = chunk[end+1:]
	}
}
