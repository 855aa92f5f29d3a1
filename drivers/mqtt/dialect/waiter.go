package dialect

import (
	"context"
	"slices"
	"sync"
	"time"

	"hearth"
)

// A Waiter lets Do wait for what a device says after its command was sent. The zero Waiter is ready.
//
//	wait := w.Begin(cmd.Device, "on", "brightness")   // before anything is sent
//	defer wait.End()
//	err := bus.Publish(…)
//	heard, err := wait.For(ctx, 2*time.Second)
//
// and in Handle: w.Heard(device, "on"), or w.Refused(device, err, "on").
type Waiter struct {
	mu    sync.Mutex
	waits map[hearth.ID][]*Wait
}

// A Wait is one for a state of a device that holds one of some properties, or for the device's refusal.
type Wait struct {
	waiter     *Waiter
	device     hearth.ID
	properties []string // none: any
	answer     chan error
}

// Begin starts to listen. Whatever is heard from now on counts. Without properties any of them do.
func (w *Waiter) Begin(device hearth.ID, properties ...string) *Wait {
	wait := &Wait{waiter: w, device: device, properties: slices.Clone(properties), answer: make(chan error, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waits == nil {
		w.waits = map[hearth.ID][]*Wait{}
	}
	w.waits[device] = append(w.waits[device], wait)
	return wait
}

// End stops to listen. It must be called once for each Begin.
func (wait *Wait) End() {
	w := wait.waiter
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := slices.DeleteFunc(w.waits[wait.device], func(other *Wait) bool { return other == wait })
	if len(rest) == 0 {
		delete(w.waits, wait.device)
	} else {
		w.waits[wait.device] = rest
	}
}

// For waits until the device was heard (true, nil), refused, or the broker is gone (the error), limit has passed
// (false, nil: nobody said anything), or ctx has ended (its error). A limit of 0 leaves it to ctx.
func (wait *Wait) For(ctx context.Context, limit time.Duration) (heard bool, err error) {
	var late <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case err := <-wait.answer:
		return err == nil, err
	case <-late:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// Heard says that the device has told these properties.
func (w *Waiter) Heard(device hearth.ID, properties ...string) { w.tell(device, nil, properties) }

// Refused says that the device has refused to be set these properties, or, without properties, anything.
func (w *Waiter) Refused(device hearth.ID, err error, properties ...string) {
	w.tell(device, err, properties)
}

func (w *Waiter) tell(device hearth.ID, err error, properties []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wait := range w.waits[device] {
		if (err != nil && len(properties) == 0) || wait.concerns(properties) {
			wait.take(err)
		}
	}
}

// Fail ends every wait with err: the broker is gone.
func (w *Waiter) Fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, waits := range w.waits {
		for _, wait := range waits {
			wait.take(err)
		}
	}
}

// Waiting returns how many waits there are.
func (w *Waiter) Waiting() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, waits := range w.waits {
		n += len(waits)
	}
	return n
}

func (wait *Wait) concerns(properties []string) bool {
	if len(wait.properties) == 0 {
		return true
	}
	return slices.ContainsFunc(properties, func(p string) bool { return slices.Contains(wait.properties, p) })
}

// take keeps the first answer.
func (wait *Wait) take(err error) {
	select {
	case wait.answer <- err:
	default:
	}
}

// Offline is what a command gets that cannot be sent, because the broker is gone.
func Offline() error {
	return hearth.Errorf(hearth.CodeOffline, "the MQTT broker is gone")
}

// Lost is what a command gets that was sent, and then the broker went away.
func Lost() error {
	return hearth.Errorf(hearth.CodeUnknownOutcome, "the MQTT broker went away before the device has answered: it may have obeyed")
}
