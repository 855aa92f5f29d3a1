package traffic

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// A device is a Peer.
type device struct {
	mu      sync.Mutex
	address radio.NWK
	sleepy  bool
}

func (d *device) Address() radio.NWK { d.mu.Lock(); defer d.mu.Unlock(); return d.address }
func (d *device) Sleepy() bool       { return d.sleepy }
func (d *device) move(to radio.NWK)  { d.mu.Lock(); defer d.mu.Unlock(); d.address = to }

// An air is a Sender that fails as told and hands on what was delivered.
type air struct {
	mu        sync.Mutex
	fails     []radio.Class
	sent      []radio.Message
	at        []time.Duration
	began     time.Time
	took      time.Duration
	delivered func(radio.Message)
}

func (a *air) Send(ctx context.Context, m radio.Message) error {
	select {
	case <-time.After(a.took):
	case <-ctx.Done():
		return ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent, a.at = append(a.sent, m), append(a.at, time.Since(a.began))
	if len(a.fails) > 0 {
		class := a.fails[0]
		a.fails = a.fails[1:]
		if class >= 0 {
			return &radio.Failure{Class: class, Doing: "sending"}
		}
	}
	if a.delivered != nil {
		go a.delivered(m)
	}
	return nil
}

// delivers stands for no failure in air.fails.
const delivers radio.Class = -1

func setUp(lost func(Peer), fails ...radio.Class) (*Traffic, *air) {
	a := &air{fails: fails, began: time.Now()}
	t := New(Options{Sender: a, Lost: lost, Log: slog.New(slog.DiscardHandler)})
	t.Go()
	return t, a
}

// answering makes every device answer with a default response of that status.
func (a *air) answering(t *Traffic, status zcl.Status) {
	a.delivered = func(m radio.Message) {
		f, err := zcl.ParseFrame(m.Data)
		if err != nil {
			panic(err)
		}
		reply := zcl.Frame{Global: true, ToClient: true, Sequence: f.Sequence, Command: zcl.CommandDefaultResponse, Payload: []byte{f.Command, byte(status)}}
		t.Heard(radio.Message{Address: m.Address, Profile: m.Profile, Cluster: m.Cluster, Remote: m.Remote, Data: reply.Append(nil)})
	}
}

var toggle = zcl.Frame{Command: 2}

func TestTroubles(t *testing.T) {
	type result struct {
		sends    int
		took     time.Duration
		code     string
		discover int
	}
	repeat := func(c radio.Class, n int) []radio.Class { return slices.Repeat([]radio.Class{c}, n) }
	tests := map[string]struct {
		fails []radio.Class
		want  result
	}{
		"none":            {nil, result{sends: 1}},
		"busy":            {repeat(radio.Busy, 3), result{sends: 4, took: 1750 * time.Millisecond}},
		"always busy":     {repeat(radio.Busy, 99), result{sends: 8, took: 15750 * time.Millisecond, code: hearth.CodeOffline}},
		"channel":         {repeat(radio.ChannelAccess, 2), result{sends: 3, took: 600 * time.Millisecond}},
		"no route":        {repeat(radio.NoRoute, 1), result{sends: 2, took: 500 * time.Millisecond, discover: 1}},
		"nobody there":    {repeat(radio.NoAck, 99), result{sends: 3, took: 1500 * time.Millisecond, discover: 1, code: hearth.CodeOffline}},
		"stick is silent": {repeat(radio.Timeout, 1), result{sends: 2, took: 100 * time.Millisecond}},
		"refused":         {repeat(radio.Refused, 1), result{sends: 1, code: hearth.CodeOffline}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				traffic, air := setUp(nil, tt.fails...)
				err := traffic.Tell(t.Context(), &device{address: 7}, Target{Remote: 1, Cluster: 6}, toggle)
				got := result{sends: len(air.sent), took: time.Since(air.began)}
				for _, m := range air.sent {
					if m.Discover {
						got.discover++
					}
					if m.Data[1] != air.sent[0].Data[1] {
						t.Error("a message got another number when it was sent again: the device would do it twice")
					}
				}
				if err != nil {
					got.code = hearth.ErrorOf(err).Code
				}
				if got != tt.want {
					t.Errorf("got %+v, want %+v: %v", got, tt.want, err)
				}
				if traffic.Waiting() != 0 {
					t.Error("something was left waiting")
				}
				counted := Stats{Retried: uint64(got.sends) - 1}
				if err == nil {
					counted.Sent = 1
				} else {
					counted.Failed = 1
				}
				if stats := traffic.Stats(); stats != counted {
					t.Errorf("counted %+v, want %+v", stats, counted)
				}
			})
		})
	}
}

func TestRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traffic, air := setUp(nil)
		air.answering(traffic, zcl.Success)
		lamp := &device{address: 7}
		if reply, err := traffic.Request(t.Context(), lamp, Target{Remote: 1, Cluster: 6}, toggle); err != nil || reply.Command != zcl.CommandDefaultResponse {
			t.Errorf("%+v, %v", reply, err)
		}
		air.answering(traffic, zcl.UnsupportedClusterCommand)
		var refused *StatusError
		if _, err := traffic.Request(t.Context(), lamp, Target{Remote: 1, Cluster: 6}, toggle); !errors.As(err, &refused) || refused.Status != zcl.UnsupportedClusterCommand || hearth.ErrorOf(err).Code != hearth.CodeFailed {
			t.Errorf("%v", err)
		}
		air.delivered = nil
		began := time.Now()
		var silent *SilenceError
		if _, err := traffic.Request(t.Context(), lamp, Target{Remote: 1, Cluster: 6}, toggle); !errors.As(err, &silent) || !silent.Delivered || hearth.ErrorOf(err).Code != hearth.CodeOffline {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took != 2*answerTime || len(air.sent) != 4 || air.sent[2].Acked || !air.sent[3].Acked {
			t.Errorf("silence took %s and %d messages", took, len(air.sent))
		}
	})
}

// What merely looks like an answer is none.
func TestHeard(t *testing.T) {
	frame := func(f zcl.Frame) radio.Message {
		return radio.Message{Address: 7, Profile: profileHA, Cluster: 6, Remote: 1, Data: f.Append(nil)}
	}
	answer := zcl.Frame{Global: true, ToClient: true, Sequence: 1, Command: zcl.CommandDefaultResponse, Payload: []byte{2, 0}}
	tests := map[string]struct {
		change   func(*radio.Message, *zcl.Frame)
		answers  bool
		consumed bool
	}{
		"the answer":         {func(*radio.Message, *zcl.Frame) {}, true, true},
		"of another device":  {func(m *radio.Message, _ *zcl.Frame) { m.Address = 8 }, false, false},
		"of another cluster": {func(m *radio.Message, _ *zcl.Frame) { m.Cluster = 8 }, false, false},
		"with other number":  {func(_ *radio.Message, f *zcl.Frame) { f.Sequence = 9 }, false, false},
		"to other command":   {func(_ *radio.Message, f *zcl.Frame) { f.Payload = []byte{1, 0} }, false, false},
		"a report":           {func(_ *radio.Message, f *zcl.Frame) { f.Command = zcl.CommandReportAttributes }, false, false},
		"a cluster response": {func(_ *radio.Message, f *zcl.Frame) { f.Global, f.Command = false, 0 }, true, false},
		"a cluster command":  {func(_ *radio.Message, f *zcl.Frame) { f.Global, f.Command, f.ToClient = false, 0, false }, false, false},
		"from elsewhere":     {func(m *radio.Message, _ *zcl.Frame) { m.Remote = 2 }, true, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				traffic, _ := setUp(nil)
				done := make(chan error, 1)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				go func() {
					_, err := traffic.Request(ctx, &device{address: 7}, Target{Remote: 1, Cluster: 6}, toggle)
					done <- err
				}()
				synctest.Wait()
				f := answer
				m := frame(f)
				tt.change(&m, &f)
				m.Data = f.Append(nil)
				if consumed := traffic.Heard(m); consumed != tt.consumed {
					t.Errorf("consumed: %t", consumed)
				}
				if err := <-done; (err == nil) != tt.answers {
					t.Errorf("answered: %v", err)
				}
			})
		})
	}
}

func TestZDO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traffic, air := setUp(nil)
		air.delivered = func(m radio.Message) {
			traffic.Heard(radio.Message{Address: 99, Cluster: zdo.ClusterActiveEndpointsRequest | zdo.Response, Data: []byte{m.Data[0], 0, 42}})
		}
		data, err := traffic.ZDO(t.Context(), &device{address: 7}, zdo.ClusterActiveEndpointsRequest, func(sequence uint8) []byte { return []byte{sequence, 7, 0} })
		if err != nil || len(data) != 3 || data[2] != 42 {
			t.Errorf("%x, %v", data, err)
		}
	})
}

// Requests to one device go in their order, one after the other; another device does not wait for them.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traffic, air := setUp(nil)
		air.took = 50 * time.Millisecond
		slow, other := &device{address: 7}, &device{address: 8}
		var all sync.WaitGroup
		for i := range uint8(5) {
			all.Go(func() {
				_ = traffic.Tell(t.Context(), slow, Target{Remote: 1, Cluster: 6}, zcl.Frame{Command: i})
			})
			synctest.Wait()
		}
		all.Go(func() { _ = traffic.Tell(t.Context(), other, Target{Remote: 1, Cluster: 6}, zcl.Frame{Command: 9}) })
		all.Wait()
		var order []byte
		for i, m := range air.sent {
			if m.Address == 8 {
				if air.at[i] > 60*time.Millisecond {
					t.Error("the other device waited")
				}
				continue
			}
			order = append(order, m.Data[2])
		}
		if string(order) != "\x00\x01\x02\x03\x04" || air.at[len(air.at)-1] != 250*time.Millisecond {
			t.Errorf("order %v at %v", order, air.at)
		}
	})
}

func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traffic, air := setUp(nil)
		traffic.Hold()
		lamp := &device{address: 7}
		results := make(chan error, 100)
		for range maxWaiting + 3 {
			go func() { results <- traffic.Tell(t.Context(), lamp, Target{Remote: 1, Cluster: 6}, toggle) }()
		}
		synctest.Wait()
		for range 2 {
			if err := <-results; hearth.ErrorOf(err).Code != hearth.CodeBusy {
				t.Errorf("beyond the limit: %v", err)
			}
		}
		traffic.Go()
		for range maxWaiting + 1 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if len(air.sent) != maxWaiting+1 {
			t.Errorf("%d sent", len(air.sent))
		}
	})
}

// A message to a device that sleeps goes when it speaks, and now and then while it does not.
func TestSleepy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traffic, air := setUp(nil, radio.Expired, radio.NoAck, delivers)
		sensor := &device{address: 7, sleepy: true}
		done := make(chan error, 1)
		go func() { done <- traffic.Tell(t.Context(), sensor, Target{Remote: 1, Cluster: 6}, toggle) }()
		for range 3 {
			synctest.Wait()
			time.Sleep(time.Second)
			traffic.Awake(sensor)
		}
		if err := <-done; err != nil || len(air.sent) != 3 || air.at[2] != 2*time.Second {
			t.Errorf("%v at %v", err, air.at)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		traffic, air := setUp(nil, slices.Repeat([]radio.Class{radio.Expired}, 8)...)
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		err := traffic.Tell(ctx, &device{address: 7, sleepy: true}, Target{Remote: 1, Cluster: 6}, toggle)
		if hearth.ErrorOf(err).Code != hearth.CodeOffline || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one that does not wake: %v", err)
		}
		var at []float64
		for _, d := range air.at {
			at = append(at, d.Seconds())
		}
		if want := []float64{0, 2, 6, 14, 30, 62, 122, 182}; !slices.Equal(at, want) {
			t.Errorf("tried at %v, want %v", at, want)
		}
	})
}

// A device that has moved silently is looked for, and the message goes to its new address.
func TestMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lamp := &device{address: 7}
		traffic, air := setUp(func(p Peer) {
			go func() { time.Sleep(time.Second); p.(*device).move(8) }()
		}, radio.NoAck, radio.NoAck, radio.NoAck)
		air.answering(traffic, zcl.Success)
		_, err := traffic.Request(t.Context(), lamp, Target{Remote: 1, Cluster: 6}, toggle)
		if err != nil || len(air.sent) != 4 || air.sent[3].Address != 8 {
			t.Errorf("%v, %d sent", err, len(air.sent))
		}
	})
}

// An answer counts although the stick never says what became of the question.
func TestAnswerBeforeConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traffic, air := setUp(nil)
		air.took = time.Minute
		began := time.Now()
		done := make(chan error, 1)
		go func() {
			_, err := traffic.Request(t.Context(), &device{address: 7}, Target{Remote: 1, Cluster: 6}, toggle)
			done <- err
		}()
		synctest.Wait()
		reply := zcl.DefaultResponse(toggle.Command, zcl.Success)
		reply.Sequence = 1
		traffic.Heard(radio.Message{Address: 7, Profile: profileHA, Cluster: 6, Remote: 1, Data: reply.Append(nil)})
		if err := <-done; err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// What is asked while the network is down goes when it is up again; what waits for an answer is asked again.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traffic, air := setUp(nil)
		done := make(chan error, 2)
		go func() {
			_, err := traffic.Request(t.Context(), &device{address: 7}, Target{Remote: 1, Cluster: 6}, toggle)
			done <- err
		}()
		synctest.Wait()
		traffic.Hold()
		go func() { done <- traffic.Tell(t.Context(), &device{address: 8}, Target{Remote: 1, Cluster: 6}, toggle) }()
		time.Sleep(2 * time.Second)
		air.mu.Lock()
		if len(air.sent) != 1 {
			t.Errorf("%d sent while the network is down", len(air.sent))
		}
		air.mu.Unlock()
		air.answering(traffic, zcl.Success)
		traffic.Go()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traffic, _ := setUp(nil, radio.Expired)
		done := make(chan error, 3)
		go func() {
			done <- traffic.Tell(t.Context(), &device{address: 8, sleepy: true}, Target{Remote: 1, Cluster: 6}, toggle)
		}()
		synctest.Wait()
		go func() {
			_, err := traffic.Request(t.Context(), &device{address: 7}, Target{Remote: 1, Cluster: 6}, toggle)
			done <- err
		}()
		synctest.Wait()
		traffic.End()
		traffic.End()
		go func() { done <- traffic.Send(t.Context(), radio.Message{Address: radio.BroadcastAll}) }()
		for range 3 {
			if err := <-done; hearth.ErrorOf(err).Code != hearth.CodeOffline {
				t.Errorf("%v", err)
			}
		}
	})
}
