package ingest

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	"hearth"
)

// A draining home is a gateway that keeps to the rate it is told.
type draining struct {
	name string
	left int64
	next time.Time
	done time.Time
}

type byTime []*draining

func (b byTime) Len() int           { return len(b) }
func (b byTime) Less(i, j int) bool { return b[i].next.Before(b[j].next) }
func (b byTime) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b *byTime) Push(x any)        { *b = append(*b, x.(*draining)) }
func (b *byTime) Pop() any {
	last := (*b)[len(*b)-1]
	*b = (*b)[:len(*b)-1]
	return last
}

// After an outage 200 homes return within a minute. All of them together keep to the rate, each has its share, and who
// has little is done first.
func TestDrainIsSharedFairly(t *testing.T) {
	const (
		total = 1_000_000
		homes = 200
	)
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	now := start
	d := newDrainer(total, func() time.Time { return now })
	var queue byTime
	var all []*draining
	backlog := int64(0)
	for i := range homes {
		h := &draining{name: fmt.Sprint("home", i), left: 8 << 20, next: start.Add(time.Duration(random.Int64N(int64(time.Minute))))}
		if i >= homes/2 {
			h.left = 16 << 20
		}
		backlog += h.left
		all = append(all, h)
		heap.Push(&queue, h)
	}
	perMinute := map[int]int64{}
	perHome := map[string]int64{} // in the third minute, when all are there
	for queue.Len() > 0 {
		h := heap.Pop(&queue).(*draining)
		now = h.next
		n := min(h.left, 1000+random.Int64N(3000))
		h.left -= n
		minute := int(now.Sub(start) / time.Minute)
		perMinute[minute] += n
		if minute == 2 {
			perHome[h.name] += n
		}
		share := d.share(h.name, uint64(h.left), n)
		if h.left == 0 {
			h.done = now
			continue
		}
		if share <= 0 {
			t.Fatalf("%s is told no rate", h.name)
		}
		h.next = now.Add(time.Duration(n) * time.Second / time.Duration(share))
		heap.Push(&queue, h)
	}
	last := int(now.Sub(start) / time.Minute)
	for minute := 1; minute < last; minute++ {
		if rate := perMinute[minute] / 60; rate < total*90/100 || rate > total*110/100 {
			t.Errorf("minute %d: %d bytes a second, want %d", minute, rate, total)
		}
	}
	mean := float64(perMinute[2]) / homes
	for _, h := range all {
		if got := float64(perHome[h.name]); got < mean*0.8 || got > mean*1.2 {
			t.Errorf("%s sent %.0f bytes in a minute, the mean is %.0f", h.name, got, mean)
		}
	}
	if took, least := now.Sub(start), time.Duration(backlog)*time.Second/total; took > least*115/100 {
		t.Errorf("it took %s, %s is the least", took, least)
	}
	if all[0].done.After(all[homes-1].done) {
		t.Error("who had little was not done first")
	}
	if n := d.count(); n != 0 {
		t.Errorf("%d homes still count", n)
	}
}

func TestDrainForgetsWhoIsSilent(t *testing.T) {
	now := time.Unix(0, 0)
	d := newDrainer(100_000, func() time.Time { return now })
	if got := d.share("a", 10, 1000); got != 100_000 {
		t.Errorf("alone: %d", got)
	}
	if got := d.offer("a"); got != 0 {
		t.Errorf("who is alone is offered %d", got)
	}
	if got := d.offer("b"); got != 50_000 {
		t.Errorf("the second is offered %d", got)
	}
	if got := d.share("b", 10, 1000); got != 50_000 {
		t.Errorf("the second: %d", got)
	}
	for i := range 1000 {
		d.share(fmt.Sprint(i), 10, 1000)
	}
	if got := d.share("b", 10, 1000); got != leastShare {
		t.Errorf("among a thousand: %d", got)
	}
	now = now.Add(time.Minute)
	if got := d.share("b", 10, 1000); got != 100_000 {
		t.Errorf("after the others went silent: %d", got)
	}
	if got := d.share("b", 0, 1000); got != 0 || d.count() != 0 {
		t.Errorf("with nothing left: %d of %d", got, d.count())
	}
}

func TestDrainIsToldInAnswers(t *testing.T) {
	r := newRig(t)
	rate := func(h http.Header) string { return h.Get(hearth.HeaderDrain) }
	if got := rate(r.batch("e/1", "produced=9,dropped=0,backlog=9,durable=0", "hearth,device=a:1 on=true 1").Header()); got != "" {
		t.Errorf("without a limit: %s", got)
	}
	r.in.drain = newDrainer(10_000, time.Now)
	if got := rate(r.batch("e/2", "produced=9,dropped=0,backlog=8,durable=1", "hearth,device=a:1 on=true 2").Header()); got != strconv.Itoa(10_000) {
		t.Errorf("with a backlog: %s", got)
	}
	if n := r.in.Draining(); n != 1 {
		t.Errorf("%d homes drain", n)
	}
	header := http.Header{}
	if r.in.Pace(r.other.ID, header); rate(header) != "5000" {
		t.Errorf("the next one: %s", rate(header))
	}
	if got := rate(r.batch("e/3", "produced=3,dropped=0,backlog=1,durable=2", "hearth,device=a:1 on=true 3").Header()); got != "" {
		t.Errorf("without a backlog: %s", got)
	}
}
