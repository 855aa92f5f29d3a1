package ash

import "time"

// maxDoubts is how often a stick may not keep to the numbers before it is taken for one that has restarted and whose
// greeting was lost. It begins to count anew then, and refuses what we send until a reset.
const maxDoubts = 3

// doubts are the signs that a stick counts otherwise than we do. Both ends agreeing on a single frame takes them away.
type doubts struct {
	count int
	odd   bool  // a frame has come that is not its turn:
	first uint8 // its number, of the first such
	gap   bool  // it was not sent before, so it is none that we had already
}

// sees notes a new frame that is not its turn. Losing one makes those behind it so.
func (d *doubts) sees(number uint8) {
	if !d.gap {
		d.odd, d.first, d.gap = true, number, true
	}
}

// impossible takes a frame that acknowledges what was never sent; l.mu is held. What is under way is sent again at once,
// which shows soon enough whether that was noise.
func (l *Link) impossible(f frame, now time.Time) {
	if f.isData() {
		l.reject(now)
	}
	l.out.refuse()
	l.doubt()
}

// repeats takes a repeated frame that is not its turn; l.mu is held. Mostly an acknowledgement of ours was lost. But one
// that follows a gap is to be refused again, and the same one over and over fits no numbers of ours.
func (l *Link) repeats(number uint8) {
	d := &l.doubts
	switch {
	case !d.odd:
		d.odd, d.first = true, number
	case d.first == number:
		if d.gap {
			l.ackDue, l.nakDue = false, true
		}
		l.doubt()
	}
}

// unheard notes that nobody has acknowledged in time; l.mu is held. By itself it says little.
func (l *Link) unheard() {
	if l.doubts.count > 0 {
		l.out.patience = leastPatience
		l.doubt()
	}
}

func (l *Link) doubt() {
	if l.doubts.count++; l.doubts.count >= maxDoubts {
		l.lose("its frames do not fit what went before: it has restarted without a word")
	}
}
