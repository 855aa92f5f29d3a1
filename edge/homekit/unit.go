package homekit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/brutella/hap/accessory"

	"hearth/edge/homekit/hap"
)

// A unit is one HomeKit bridge: up to 149 devices, with an identity and pairings of its own.
type unit struct {
	n      int
	name   string
	server *hap.Server
	a      *accessory.A // the bridge itself

	// Guarded by Bridge.mu.
	published map[*accessory.A]*thing
	address   string // where it listens, "" while it does not
	announced bool
	failed    error // why it does not listen
	told      bool  // how to pair it
}

// addUnit makes one more bridge.
func (b *Bridge) addUnit() error {
	b.mu.Lock()
	n := len(b.units)
	b.mu.Unlock()
	u := &unit{n: n, name: cleanName(b.o.Name, "Hearth"), published: map[*accessory.A]*thing{}}
	if n > 0 {
		u.name = cleanName(b.o.Name+" "+strconv.Itoa(n+1), "Hearth "+strconv.Itoa(n+1))
	}
	own := part{b.o.Store, "bridge/" + strconv.Itoa(n) + "/"}
	setupID, err := kept(b.o.Store, "setup/"+strconv.Itoa(n), hap.NewSetupID)
	if err != nil {
		return err
	}
	u.a = bridgeAccessory(u.name, "HEARTH-"+setupID, b.o.Version)
	u.server, err = hap.New(hap.Options{
		Name: u.name, Model: model, PIN: b.pin, SetupID: setupID, Store: own, Handler: door{b, u}, Log: b.log.With("bridge", u.name),
	})
	if err != nil {
		return fmt.Errorf("making HomeKit bridge %d: %w", n+1, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.units = append(b.units, u)
	return nil
}

// publish gives every bridge that has changed its accessories, and starts those that are new.
func (r *run) publish() error {
	b := r.b
	b.ids.Lock()
	want := b.numbers.bridges()
	b.ids.Unlock()
	for {
		b.mu.Lock()
		have := len(b.units)
		b.mu.Unlock()
		if have >= want {
			break
		}
		if err := b.addUnit(); err != nil {
			return err
		}
	}
	b.mu.Lock()
	units := slices.Clone(b.units)
	b.mu.Unlock()
	for _, u := range units {
		if !r.changed[u.n] && r.running[u] {
			continue
		}
		if err := b.publishUnit(u); err != nil {
			return err
		}
		if !r.running[u] {
			r.running[u] = true
			r.all.Go(func() { r.serve(u) })
		}
	}
	clear(r.changed)
	return nil
}

// publishUnit shows a bridge's accessories as they are now.
func (b *Bridge) publishUnit(u *unit) error {
	b.mu.Lock()
	next := map[*accessory.A]*thing{}
	for _, t := range b.things {
		if t.bridge == u.n {
			next[t.a] = t
		}
	}
	list := slices.SortedFunc(maps.Keys(next), func(x, y *accessory.A) int { return cmp.Compare(x.Id, y.Id) })
	both := maps.Clone(next)
	maps.Copy(both, u.published)
	u.published = both // who asks meanwhile may still see the old ones
	b.mu.Unlock()
	if err := u.server.Publish(append([]*accessory.A{u.a}, list...)); err != nil {
		return fmt.Errorf("publishing HomeKit bridge %d: %w", u.n+1, err)
	}
	b.mu.Lock()
	u.published = next
	b.mu.Unlock()
	for _, t := range next {
		t.publish()
	}
	return nil
}

var errEnded = errors.New("homekit: a bridge stopped serving")

// serve runs one bridge. One that cannot listen tries again by itself: the others have nothing to do with it.
func (r *run) serve(u *unit) {
	for pause := listenPause; ; pause = min(2*pause, listenPauseMost) {
		err := r.b.listen(r.ctx, u)
		if r.ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errEnded
		}
		r.b.mu.Lock()
		said := u.failed != nil && u.failed.Error() == err.Error()
		u.failed = err
		r.b.mu.Unlock()
		if !said {
			r.b.log.Error("a HomeKit bridge cannot be reached; it will be tried again", "bridge", u.name, "error", err)
		}
		select {
		case <-time.After(pause):
		case <-r.ctx.Done():
			return
		}
	}
}

// Pauses between tries to listen.
const (
	listenPause     = time.Second
	listenPauseMost = 30 * time.Second
)

// listen serves one bridge and announces it, unless nobody else could reach it.
func (b *Bridge) listen(ctx context.Context, u *unit) error {
	address, err := b.address(u.n)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("homekit.listen: %w: choose another address, or stop what uses this one", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	at, _ := l.Addr().(*net.TCPAddr)
	reachable := at != nil && !at.IP.IsLoopback()
	b.mu.Lock()
	u.address, u.announced, u.failed = l.Addr().String(), reachable, nil
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		u.address, u.announced = "", false
		b.mu.Unlock()
	}()
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		if !reachable {
			return
		}
		if err := u.server.Announce(ctx, at.Port); err != nil {
			b.log.Error("the bridge is not announced in the network", "bridge", u.name, "error", err)
		}
	}()
	err = u.server.Serve(ctx, l)
	cancel()
	<-announced
	return err
}
