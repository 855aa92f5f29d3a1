package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
)

// watcher is one client of a hub, without a network between.
type watcher struct {
	*httptest.ResponseRecorder
	mu    sync.Mutex
	leave context.CancelFunc
	err   error
}

func (w *watcher) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ResponseRecorder.Write(b)
}

// said is what came so far, and forgets it.
func (w *watcher) said() string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.Body.Reset()
	return w.Body.String()
}

func watch(t *testing.T, h *Hub, s Stream, target, last string) *watcher {
	ctx, leave := context.WithCancel(t.Context())
	w := &watcher{ResponseRecorder: httptest.NewRecorder(), leave: leave}
	r := httptest.NewRequest("GET", target, nil).WithContext(ctx)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	go func() { w.err = h.Serve(w, r, s) }()
	synctest.Wait()
	return w
}

func number(n int) Event {
	return Event{Kind: EventReading, Device: hearth.ID(fmt.Sprintf("d:%d", n%2)), Body: fmt.Append(nil, n)}
}

// events takes a stream apart into kind:body, and returns the last id as well.
func events(stream string) (list []string, last string) {
	for block := range strings.SplitSeq(stream, "\n\n") {
		kind, data := "", ""
		for line := range strings.SplitSeq(block, "\n") {
			switch field, value, _ := strings.Cut(line, ": "); field {
			case "event":
				kind = value
			case "data":
				data = value
			case "id":
				last = value
			}
		}
		if data != "" {
			list = append(list, kind+":"+data)
		}
	}
	return list, last
}

func wantEvents(t *testing.T, what, stream, want string) string {
	t.Helper()
	list, last := events(stream)
	if got := strings.Join(list, " "); got != want {
		t.Errorf("%s: got %s\nwant %s", what, got, want)
	}
	return last
}

func TestHubSendsAndResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(HubOptions{Ring: 8})
		h.Publish(number(0))
		w := watch(t, h, Stream{}, "/", "")
		start := wantEvents(t, "a new client", w.said(), "")
		h.Publish(number(1))
		h.Publish(number(2))
		after2 := wantEvents(t, "live", w.said(), "reading:1 reading:2")
		w.leave()
		synctest.Wait()
		if w.err != nil || h.Clients() != 0 {
			t.Errorf("left with %v, %d clients", w.err, h.Clients())
		}
		h.Publish(number(3))
		wantEvents(t, "resumed", watch(t, h, Stream{}, "/", after2).said(), "reading:3")
		wantEvents(t, "resumed from before any event", watch(t, h, Stream{}, "/", start).said(), "reading:1 reading:2 reading:3")
		h.Close()
	})
}

func TestHubGivesASnapshotToWhomItCannotResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, other := NewHub(HubOptions{Ring: 4}), NewHub(HubOptions{})
		all := Stream{Snapshot: func() []Event { return []Event{{Kind: EventDevice, Body: []byte("all")}} }}
		for n := range 10 {
			h.Publish(number(n))
		}
		for name, last := range map[string]string{
			"too old": h.id(firstNumber), "before the first": h.id(0), "not yet": h.id(99), "another epoch": other.id(9), "garbage": "x", "no number": h.epoch + "-x", "negative": h.epoch + "--1",
		} {
			w := watch(t, h, all, "/", last)
			id := wantEvents(t, name, w.said(), "snapshot:{} device:all")
			h.Publish(number(5))
			wantEvents(t, name+", then", w.said(), "reading:5")
			wantEvents(t, name+", again", watch(t, h, all, "/", id).said(), "reading:5")
		}
		wantEvents(t, "asked for", watch(t, h, all, "/?snapshot=1", "").said(), "snapshot:{} device:all")
		h.Close()
	})
}

func TestHubResetGivesEverybodyASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(HubOptions{})
		all := Stream{Snapshot: func() []Event { return []Event{{Kind: EventDevice, Body: []byte("all")}} }}
		w := watch(t, h, all, "/", "")
		h.Publish(number(1))
		before := wantEvents(t, "before", w.said(), "reading:1")
		h.Reset()
		wantEvents(t, "at once", w.said(), "snapshot:{} device:all")
		h.Publish(number(2))
		wantEvents(t, "after", w.said(), "reading:2")
		wantEvents(t, "one who comes back", watch(t, h, all, "/", before).said(), "snapshot:{} device:all")
		h.Close()
	})
}

func TestHubFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(HubOptions{Ring: 16})
		odd := Stream{Match: func(e Event) bool { return e.Device == "d:1" }}
		w := watch(t, h, odd, "/", "")
		for n := range 6 {
			h.Publish(number(n))
		}
		wantEvents(t, "filtered", w.said(), "reading:1 reading:3 reading:5")
		for range 40 {
			h.Publish(number(0))
			synctest.Wait()
		}
		last := wantEvents(t, "nothing for it", w.said(), "")
		wantEvents(t, "and still it can resume", watch(t, h, odd, "/", last).said(), "")
		h.Close()
	})
}

func TestHubIsBoundedAndBeatsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(HubOptions{Clients: 2})
		var good atomic.Bool
		good.Store(true)
		a, b := watch(t, h, Stream{Still: good.Load}, "/", ""), watch(t, h, Stream{}, "/", "")
		refused := watch(t, h, Stream{}, "/", "")
		if err := refused.err; hearth.ErrorOf(orNone(err)).Code != hearth.CodeBusy || refused.said() != "" {
			t.Errorf("a third client: %v", err)
		}
		_, _ = a.said(), b.said()
		time.Sleep(16 * time.Second)
		if beat := a.said(); beat != ": still here\n\n" {
			t.Errorf("a heartbeat is %q", beat)
		}
		good.Store(false)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if n := h.Clients(); n != 1 {
			t.Errorf("%d clients after a token was removed", n)
		}
		h.Close()
		h.Close()
		synctest.Wait()
		if n := h.Clients(); n != 0 {
			t.Errorf("%d clients after the end", n)
		}
		if late := watch(t, h, Stream{}, "/", ""); late.err == nil {
			t.Error("a client after the end is let in")
		}
	})
}

// stuck is a client that takes nothing more after its headers.
type stuck struct {
	http.ResponseWriter
	full     chan struct{}
	deadline time.Time
}

func (s *stuck) SetWriteDeadline(at time.Time) error { s.deadline = at; return nil }

func (s *stuck) Write([]byte) (int, error) {
	select {
	case <-s.full:
		time.Sleep(time.Until(s.deadline))
		return 0, errors.New("i/o timeout")
	default:
		return 0, nil
	}
}

func (s *stuck) FlushError() error { return nil }

func TestASlowClientIsCutOffAndHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(HubOptions{Ring: 4})
		slow := &stuck{ResponseWriter: httptest.NewRecorder(), full: make(chan struct{})}
		go func() { _ = h.Serve(slow, httptest.NewRequest("GET", "/", nil).WithContext(t.Context()), Stream{}) }()
		quick := watch(t, h, Stream{}, "/", "")
		_ = quick.said()
		close(slow.full)
		for n := range 10 {
			h.Publish(number(n))
			wantEvents(t, "the quick one", quick.said(), fmt.Sprintf("reading:%d", n))
		}
		if h.Clients() != 2 {
			t.Errorf("%d clients while the slow one has time", h.Clients())
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if h.Clients() != 1 {
			t.Errorf("%d clients after the slow one had its time", h.Clients())
		}
		h.Close()
	})
}

func TestHubOverTheNetwork(t *testing.T) {
	h := NewHub(HubOptions{})
	server := httptest.NewServer(Guard(logOf(t.Context()), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.Serve(w, r, Stream{}); err != nil {
			Fail(w, r, err)
		}
	})))
	defer server.Close()
	defer h.Close()
	reply, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if mime := reply.Header.Get("Content-Type"); mime != "text/event-stream" {
		t.Errorf("media type %s", mime)
	}
	h.Publish(NewEvent(EventCommand, "", "a:b", map[string]string{"text": "two\nlines"}))
	lines := bufio.NewScanner(reply.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if text != `{"text":"two\nlines"}` {
				t.Errorf("data %s", text)
			}
			return
		}
	}
	t.Errorf("no event: %v", lines.Err())
}

func TestAStreamOutlivesTheServersLimits(t *testing.T) {
	h := NewHub(HubOptions{Heartbeat: 100 * time.Millisecond})
	server := httptest.NewUnstartedServer(Guard(logOf(t.Context()), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = h.Serve(w, r, Stream{}) })))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	server.Start()
	defer server.Close()
	defer h.Close()
	reply, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	beats := 0
	for lines := bufio.NewScanner(reply.Body); beats < 3 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), ":") {
			beats++
		}
	}
	if beats < 3 {
		t.Errorf("the stream ended after %d heartbeats", beats)
	}
}

func FuzzLastEventID(f *testing.F) {
	h := NewHub(HubOptions{Ring: 4})
	for n := range 10 {
		h.Publish(number(n))
	}
	for _, seed := range []string{"", "x-1", h.id(0), h.id(11), h.epoch + "-18446744073709551615", h.epoch + "-"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		last := h.number(id)
		found, next, held := h.since(last, batch, nil)
		if held && (next != h.next-1 || len(found) > 4) || !held && (found != nil || next != h.next-1) {
			t.Errorf("%q: %d events up to %d, held %v", id, len(found), next, held)
		}
	})
}

func BenchmarkPublish(b *testing.B) {
	h := NewHub(HubOptions{})
	e := number(1)
	for b.Loop() {
		h.Publish(e)
	}
}
