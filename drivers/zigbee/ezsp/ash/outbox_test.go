package ash

import (
	"testing"
	"time"
)

// drain returns the numbers of what is to be sent now, those that are sent again negative and less one.
func drain(o *outbox, now time.Time) (numbers []int) {
	for {
		_, number, again, ok := o.next(now)
		if !ok {
			return numbers
		}
		n := int(number)
		if again {
			n = -n - 1
		}
		numbers = append(numbers, n)
	}
}

func equal(t *testing.T, what string, got []int, want ...int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: sent %v, want %v", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: sent %v, want %v", what, got, want)
		}
	}
}

func filled(n int) outbox {
	o := newOutbox()
	for i := range n {
		o.put([]byte{byte(i)})
	}
	return o
}

func TestWindow(t *testing.T) {
	now := time.Now()
	o := filled(10)
	equal(t, "at first", drain(&o, now), 0, 1, 2)
	if !o.acknowledge(0, now) {
		t.Error("an acknowledgement of nothing is refused")
	}
	equal(t, "nothing acknowledged", drain(&o, now))
	if o.acknowledge(4, now) || o.acknowledge(7, now) {
		t.Error("what was not sent can be acknowledged")
	}
	o.acknowledge(2, now)
	equal(t, "two acknowledged", drain(&o, now), 3, 4)
	o.acknowledge(5, now)
	equal(t, "all acknowledged", drain(&o, now), 5, 6, 7)
	o.acknowledge(0, now) // 8 modulo 8
	equal(t, "over the end of the numbers", drain(&o, now), 0, 1)
	o.acknowledge(2, now)
	if !o.due().IsZero() || len(o.flight) != 0 {
		t.Error("something is still waited for")
	}
}

func TestRefused(t *testing.T) {
	now := time.Now()
	o := filled(4)
	equal(t, "at first", drain(&o, now), 0, 1, 2)
	o.acknowledge(1, now)
	o.refuse()
	equal(t, "again from the first that is missing", drain(&o, now), -2, -3, 3)
	o.refuse()
	_, number, again, _ := o.next(now)
	o.refuse() // in the middle of sending again: no news
	if number != 1 || !again {
		t.Errorf("sent %d again %t", number, again)
	}
	equal(t, "the rest", drain(&o, now), -3, -4)
	o.refuse()
	o.acknowledge(3, now) // while it waits to be sent again
	equal(t, "what is left", drain(&o, now), -4)
}

func TestExpires(t *testing.T) {
	now := time.Now()
	o := filled(1)
	drain(&o, now)
	var waits []time.Duration
	for {
		wait := o.due().Sub(now)
		now = o.due()
		if o.expire(now.Add(-time.Millisecond)) || len(drain(&o, now)) != 0 {
			t.Fatal("it expires too early")
		}
		waits = append(waits, wait)
		if !o.expire(now) {
			t.Fatal("it does not expire")
		}
		if o.hopeless() {
			break
		}
		equal(t, "expired", drain(&o, now), -1)
	}
	want := []time.Duration{800, 1600, 1600, 1600}
	for i := range want {
		if len(waits) != len(want) || waits[i] != want[i]*time.Millisecond {
			t.Fatalf("waited %v, want %v ms", waits, want)
		}
	}
}

func TestPatienceAdapts(t *testing.T) {
	now := time.Now()
	o := newOutbox()
	for n := range 20 {
		o.put([]byte("frame"))
		equal(t, "one by one", drain(&o, now), n%8)
		now = now.Add(10 * time.Millisecond)
		o.acknowledge(uint8(n+1)&7, now)
	}
	if o.patience != leastPatience {
		t.Errorf("after quick answers it waits %v", o.patience)
	}
	o = filled(1)
	drain(&o, now)
	o.acknowledge(1, now.Add(700*time.Millisecond))
	if want := 700*time.Millisecond + 350*time.Millisecond; o.patience != want {
		t.Errorf("after a slow answer it waits %v, want %v", o.patience, want)
	}
	o = filled(1)
	drain(&o, now)
	o.expire(now.Add(firstPatience))
	drain(&o, now)
	o.acknowledge(1, now.Add(time.Millisecond))
	if o.patience != 2*firstPatience {
		t.Errorf("an answer to a repeated frame changed the patience to %v", o.patience)
	}
}

func TestRenumber(t *testing.T) {
	now := time.Now()
	o := filled(5)
	drain(&o, now)
	o.acknowledge(2, now)
	o.renumber()
	data, number, again, _ := o.next(now)
	if data[0] != 2 || number != 0 || again {
		t.Errorf("the first is %d as number %d, again %t", data[0], number, again)
	}
	equal(t, "the rest", drain(&o, now), 1, 2)
}
