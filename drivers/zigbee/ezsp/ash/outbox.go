package ash

import "time"

const (
	// window is how many frames may be on their way at once. More than the three of Silicon Labs' own host gain nothing:
	// the stick works off one command at a time.
	window = 3

	maxTries    = 6 // in vain, one after the other: then the line is taken for dead
	maxSilences = 4 // the same without a word of refusal

	firstPatience = 800 * time.Millisecond
	leastPatience = 400 * time.Millisecond
	mostPatience  = 1600 * time.Millisecond // so that what is lost is repeated before its answer is given up above
)

// An outbox is what the stick shall get, in order and once. It numbers the frames, and sends again from the oldest that
// is not acknowledged when the stick refuses one or says nothing for too long (UG101 5). It knows nothing of the line.
type outbox struct {
	waiting [][]byte
	flight  [][]byte // sent, not yet acknowledged
	oldest  uint8    // the number of flight[0]
	resend  int      // flight[resend:] is to be sent again

	since    time.Time // when the wait for an acknowledgement began, zero if none is waited for
	patience time.Duration
	tries    int
	silences int
	repeated bool // of what is in flight something was sent twice: how long it takes says nothing
}

func newOutbox() outbox { return outbox{patience: firstPatience} }

func (o *outbox) empty() bool { return len(o.flight) == 0 && len(o.waiting) == 0 }

// put adds a frame; there is no limit here, see Link.Send.
func (o *outbox) put(data []byte) { o.waiting = append(o.waiting, data) }

// next returns what is to be sent now.
func (o *outbox) next(now time.Time) (data []byte, number uint8, again, ok bool) {
	switch {
	case o.resend < len(o.flight):
		again = true
	case len(o.waiting) > 0 && len(o.flight) < window:
		o.flight = append(o.flight, o.waiting[0])
		o.waiting = o.waiting[1:]
	default:
		return nil, 0, false, false
	}
	at := o.resend
	o.resend++
	if o.since.IsZero() {
		o.since = now
	}
	return o.flight[at], (o.oldest + uint8(at)) & 7, again, true
}

// acknowledge takes what the stick expects next. It reports whether that can be.
func (o *outbox) acknowledge(next uint8, now time.Time) bool {
	n := int((next - o.oldest) & 7)
	if n > len(o.flight) {
		return false
	}
	if n == 0 {
		return true
	}
	if !o.repeated && !o.since.IsZero() {
		o.patience = clampPatience(o.patience*7/8 + now.Sub(o.since)/2)
	}
	o.flight = o.flight[n:]
	o.oldest = next
	o.resend = max(0, o.resend-n)
	o.tries, o.silences = 0, 0
	o.since = time.Time{}
	if len(o.flight) == 0 {
		o.flight, o.repeated = nil, false
	} else if o.resend > 0 {
		o.since = now
	}
	return true
}

// refuse is called when the stick misses a frame.
func (o *outbox) refuse() {
	if o.resend == len(o.flight) { // else it is being sent again already
		o.repeat()
	}
}

// expire sends again what has waited for too long, and reports whether there was such.
func (o *outbox) expire(now time.Time) bool {
	due := o.due()
	if due.IsZero() || now.Before(due) {
		return false
	}
	o.patience = clampPatience(2 * o.patience)
	o.silences++
	o.repeat()
	return true
}

// hopeless reports whether it was all in vain.
func (o *outbox) hopeless() bool { return o.tries >= maxTries || o.silences >= maxSilences }

// due returns when expire will find something, zero for never.
func (o *outbox) due() time.Time {
	if o.since.IsZero() {
		return time.Time{}
	}
	return o.since.Add(o.patience)
}

func (o *outbox) repeat() {
	if len(o.flight) > 0 {
		o.resend, o.since, o.repeated = 0, time.Time{}, true
		o.tries++
	}
}

// renumber begins the numbers anew; what is not acknowledged goes first, as if it had never been sent.
func (o *outbox) renumber() {
	waiting := append(o.flight, o.waiting...)
	*o = newOutbox()
	o.waiting = waiting
}

func clampPatience(d time.Duration) time.Duration { return min(max(d, leastPatience), mostPatience) }
