package ash

// A decoder finds frames in the bytes of a line.
type decoder struct {
	bytes   []byte // of the frame that is coming
	escaped bool
	broken  bool // what comes up to the next flag is lost
	long    bool // more has come than a frame can have: bytes are the last of it
	frame   frame
}

// A find is what a byte has brought.
type find int

const (
	nothing find = iota
	whole        // decoder.frame is one
	garbled      // there was one, but it cannot be read
	stop         // the stick wants us to pause
	resume
)

// take looks at the next byte. It keeps at most one frame, whatever comes.
func (d *decoder) take(c byte) find {
	switch c {
	case flag:
		return d.end()
	case cancel:
		d.restart()
	case substitute:
		d.broken = true
	case xoff: // a flow control byte may stand anywhere, also behind an escape
		return stop
	case xon:
		return resume
	case escape:
		d.escaped = true
	default:
		if c == wake && len(d.bytes) == 0 && !d.escaped {
			return nothing
		}
		if d.escaped {
			c ^= flip
			d.escaped = false
		}
		if len(d.bytes) == longest {
			d.long = true
			d.bytes = append(d.bytes[:0], d.bytes[1:]...)
		}
		d.bytes = append(d.bytes, c)
	}
	return nothing
}

func (d *decoder) restart() { d.bytes, d.escaped, d.broken, d.long = d.bytes[:0], false, false, false }

func (d *decoder) end() find {
	defer d.restart()
	if d.broken {
		return garbled
	}
	if len(d.bytes) == 0 {
		return nothing // flags may follow each other
	}
	if d.long {
		return d.greeting()
	}
	f, err := parseFrame(d.bytes)
	if err != nil {
		return d.greeting()
	}
	d.frame = f
	return whole
}

// greeting finds that of a stick which has just started behind what it has said before, as bootloaders do: text that no
// flag ends.
func (d *decoder) greeting() find {
	const length = 1 + 2 + lenCRC
	if len(d.bytes) <= length {
		return garbled
	}
	f, err := parseFrame(d.bytes[len(d.bytes)-length:])
	if err != nil || f.control != controlRstack {
		return garbled
	}
	d.frame = f
	return whole
}
