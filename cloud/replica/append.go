package replica

import (
	"context"
	"slices"
)

// appendAll puts pending writes into the log, as many at once as came while the ones before were committed: that is what
// makes many homes share an fsync.
func (r *Replica) appendAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-r.in:
			r.append(ctx, r.gather(first))
		}
	}
}

// gather takes what waits beside the first one.
func (r *Replica) gather(first *pending) []*pending {
	group, bytes := []*pending{first}, len(first.body)
	for len(group) < groupEntries && bytes < groupBytes {
		select {
		case p := <-r.in:
			group = append(group, p)
			bytes += len(p.body)
		default:
			return group
		}
	}
	return group
}

// append commits one group. It is known by its mark before: it may be read back before append learns of its number.
func (r *Replica) append(ctx context.Context, group []*pending) {
	// Those that nobody waits for any more will be sent again, and would be there twice.
	if group = slices.DeleteFunc(group, func(p *pending) bool { return p.taken.Load() }); len(group) == 0 {
		return
	}
	body := r.log.packer.pack(func(yield func(byte, []byte) bool) {
		for _, p := range group {
			if !yield(p.kind, p.body) {
				return
			}
		}
	}, len(group))
	mark := newMark()
	r.mu.Lock()
	r.own[mark] = group
	r.mu.Unlock()
	asked, cancel := withTimeout(ctx, appendIn)
	defer cancel()
	at, err := r.log.append(asked, r.id, mark, r.millis(), body)
	if err != nil {
		r.count.failed.Add(1)
		for _, p := range r.takeOwn(mark) {
			if p.taken.CompareAndSwap(false, true) {
				p.done <- result{err: err}
			}
		}
		r.poke()
		return
	}
	r.count.groups.Add(1)
	r.count.appended.Add(uint64(len(group)))
	select {
	case r.mine <- at:
	case <-ctx.Done():
	}
}

// takeOwn returns the writes of a group that this process put into the log, once.
func (r *Replica) takeOwn(mark string) []*pending {
	r.mu.Lock()
	defer r.mu.Unlock()
	group := r.own[mark]
	delete(r.own, mark)
	return group
}

// poke has the log looked at.
func (r *Replica) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
