package downlink

import (
	"strings"
	"testing"
	"time"

	"hearth"
)

// A command that a receiver stored as sent and never published reaches a gateway that stays connected, once; what is
// older than another command for the same device, or answered, does not.
func TestUnansweredIsPublishedAgain(t *testing.T) {
	r := newRig(t)
	r.end()
	start := time.Now()
	r.setClock(start)
	r.d.session(t.Context(), r.home.ID, true)
	older, lost := r.do(`{"on":true}`), r.do(`{"brightness":40}`)
	again := &published{transport: r.d.via}
	r.d.via = again
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{answerTime - time.Second, 0}, {answerTime, 1}, {answerTime + time.Second, 1}, {2 * lookBack, 1}} {
		r.setClock(start.Add(step.after))
		r.must(r.d.publishAgain(t.Context()))
		if len(again.topics) != step.want {
			t.Errorf("%s after it was sent, it was published again %d times, want %d", step.after, len(again.topics), step.want)
		}
	}
	if len(again.topics) != 1 || again.topics[0] != hearth.TopicDo(r.home.ID) || !strings.Contains(again.payloads[0], lost.ID) {
		t.Errorf("%s was to come again, and not %s: %v", lost.ID, older.ID, again.payloads)
	}

	answered := r.do(`{"on":false}`)
	r.must(r.d.done(t.Context(), r.home.ID, []byte(`{"id":"`+answered.ID+`","state":"applied"}`)))
	r.setClock(start.Add(2*lookBack + answerTime))
	r.must(r.d.publishAgain(t.Context()))
	if len(again.topics) != 2 { // the answered command's own publish
		t.Errorf("an answered command came again: %v", again.payloads)
	}
}

// published records what is published instead of sending it.
type published struct {
	transport
	topics, payloads []string
}

func (p *published) publish(topic string, payload []byte) error {
	p.topics, p.payloads = append(p.topics, topic), append(p.payloads, string(payload))
	return nil
}
