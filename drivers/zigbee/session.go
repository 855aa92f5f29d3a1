package zigbee

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/traffic"
)

// session is one life of the line to the stick, from Run to its end. The stick may restart within it.
type session struct {
	d       *driver
	home    hearth.Home
	log     *slog.Logger
	ctx     context.Context
	cancel  context.CancelFunc
	traffic *traffic.Traffic
	tasks   tasks
	radio   atomic.Pointer[radio.Radio] // nil until the network is up for the first time
	resets  chan string
	keeping sync.Mutex // one write of the devices at a time

	interviews chan struct{} // one place for each that goes on

	again <-chan struct{} // closed when a person has decided about the network; run's own

	broadcasts atomic.Uint32 // numbers of ZDO broadcasts
	seed       maphash.Seed  // of the prints of frames

	// guarded by driver.mu
	up        bool
	ups       chan struct{} // closed while the network is up
	started   time.Time
	firmware  string
	restarts  int
	pairing   pairing
	strangers map[radio.NWK]*stranger
	losses    losses
	gone      []radio.IEEE // devices to be deleted from the Store
	changed   time.Time    // when the devices last changed; zero when all is written
	opened    bool         // the network was up in this session
	backup    backupState
	looked    time.Time // when the definitions were looked at
	pinged    time.Time // when a device was last asked for a sign of life
}

func newSession(ctx context.Context, d *driver, home hearth.Home) *session {
	s := &session{
		d: d, home: home, log: d.log, resets: make(chan string, 1),
		interviews: make(chan struct{}, maxInterviews), strangers: map[radio.NWK]*stranger{}, started: time.Now(),
		seed: maphash.MakeSeed(), ups: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.traffic = traffic.New(traffic.Options{Sender: s, Lost: s.lost, Log: d.log})
	return s
}

// run finds the stick, brings the network up and looks after both until the line breaks or ctx ends.
func (s *session) run() error {
	st, err := s.d.find(s.ctx, s.handle)
	if err != nil {
		return err
	}
	defer st.close()
	s.log.Info("the stick answers", "adapter", st.adapter, "firmware", st.info.Firmware, "ieee", st.info.IEEE)
	s.forgetResets()
	if err := s.bringUp(s.ctx, st.radio, st.info); err != nil {
		return s.cause(st, err)
	}
	s.tasks.start(s.care)
	s.tasks.start(s.refreshFirmware)
	for {
		select {
		case <-s.ctx.Done():
			return nil
		case <-st.done:
			return st.broken()
		case <-s.again:
			return &refusal{error: errDecided, again: s.again}
		case reason := <-s.resets:
			if err := s.recover(st, reason); err != nil {
				return s.cause(st, err)
			}
		}
	}
}

// cause returns why the line broke where it did, which tells more than what failed for it.
func (s *session) cause(st *stick, err error) error {
	select {
	case <-st.done:
		return st.broken()
	default:
		return err
	}
}

const upTime = 90 * time.Second // forming takes a stick up to a minute

// bringUp gets the network up as it should be, and lets go what waits for it.
func (s *session) bringUp(ctx context.Context, r radio.Radio, info radio.Info) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, upTime)
	defer cancel()
	s.d.mu.Lock()
	kept := s.d.network
	s.d.mu.Unlock()
	backup, err := s.d.readBackup()
	if err != nil {
		return err
	}
	word, again := s.d.spoken()
	s.again = again
	ours, err := s.d.formed(info)
	if err != nil {
		return err
	}
	if ours == nil {
		ours = kept
	}
	cfg := word.in(s.d.cfg)
	choice, err := choose(cfg, ours, backup, info, s.d.now())
	if err != nil {
		return refused(err, info, again)
	}
	choice.plan.BurnAddress = cfg.Network.BurnAddress
	if choice.says != "" {
		s.log.Warn(choice.says)
	}
	if info.Network != nil && (choice.plan.Form != nil || choice.plan.Restore != nil) {
		s.saveFound(ctx, r, info.Network)
	}
	if s.d.cfg.Power != nil {
		power := int8(*s.d.cfg.Power)
		choice.plan.Power = &power
	}
	if n := choice.plan.Form; n != nil {
		if err := s.d.put(formingKey, forming{n.Extended, info.IEEE}); err != nil {
			return err
		}
	}
	s.d.mu.Lock()
	if !s.opened { // from here on devices may speak
		s.announceAll()
	}
	s.d.mu.Unlock()
	now, err := r.Up(ctx, choice.plan)
	if err != nil {
		return fmt.Errorf("bringing the network up: %w", err)
	}
	s.radio.Store(&r)
	if err := s.settle(kept, backup, choice, now, info); err != nil {
		return err
	}
	s.complain("keeping the network", s.d.env.Store.Delete(formingKey))
	if err := s.d.heed(word); err != nil {
		return err
	}
	s.log.Info("the network is up", "channel", now.Channel, "pan_id", fmt.Sprintf("0x%04x", now.PAN),
		"extended_pan_id", now.Extended, "coordinator", now.Coordinator, "after", time.Since(began).Round(time.Millisecond))
	s.reopen(ctx, r)
	s.traffic.Go()
	s.tasks.start(s.hearGroups)
	return nil
}

// settle keeps what the network is now and tells of it.
func (s *session) settle(kept *network, backup *radio.Backup, c choice, now radio.Network, info radio.Info) error {
	if now.Coordinator == 0 {
		now.Coordinator = info.IEEE
	}
	next := network{Network: now, Address: now.Coordinator}
	next.Key = radio.Key{}
	another := kept != nil && kept.Extended != now.Extended
	switch {
	case kept != nil:
		next.Address = kept.Address
	case c.plan.Restore != nil && c.plan.Restore.Coordinator != 0:
		next.Address = c.plan.Restore.Coordinator
	}
	if kept != nil && !another && kept.PAN != now.PAN {
		s.log.Warn("the network's PAN id has changed: another network nearby has the old one", "from", kept.PAN, "to", now.PAN)
	}
	if kept == nil || *kept != next {
		if err := s.d.keepNetwork(next); err != nil {
			return err
		}
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if another {
		s.forgetAddresses()
	}
	s.setUp(true)
	s.d.trouble = nil
	if !s.opened {
		s.opened = true
		s.d.past.opened++
	}
	s.firmware = info.Firmware
	s.backup.wanted(c.says != "" || kept == nil || kept.Coordinator != now.Coordinator ||
		backup == nil || s.d.now().Sub(backup.Made) > backupEvery || s.d.lacks(backup))
	if c.plan.Restore != nil {
		s.backup.urgent()
	}
	s.announceCoordinator()
	s.resumeDevices(kept == nil && c.plan.Form == nil || c.says != "" && c.plan.Form == nil)
	return nil
}

// Attempts to get a stick going again that has restarted, before the line is opened anew.
const (
	recoverTries = 3
	recoverTime  = 10 * time.Second
	recoverPause = 300 * time.Millisecond
	answerLimit  = 4 * time.Second // for a stick to answer again; some do so only on a line that is opened anew
)

// recover brings the network up again after the stick has restarted. What is asked of devices waits meanwhile.
func (s *session) recover(st *stick, reason string) error {
	s.d.mu.Lock()
	s.restarts++
	restarts := s.restarts
	s.d.mu.Unlock()
	s.log.Warn("the stick has restarted by itself", "reason", reason, "times", restarts)
	var err error
	for try := range recoverTries {
		if try > 0 && !pause(s.ctx, recoverPause) {
			return s.ctx.Err()
		}
		s.forgetResets()
		if err = s.restart(st.radio); err == nil {
			return nil
		}
		select {
		case <-st.done:
			return st.broken()
		case <-s.ctx.Done():
			return s.ctx.Err()
		default:
			s.log.Warn("the network did not come up after a restart of the stick", "error", err)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			break // it is silent: opening the line anew may help, and says so
		}
	}
	return fmt.Errorf("after a restart of the stick: %w", err)
}

func (s *session) restart(r radio.Radio) error {
	ctx, cancel := context.WithTimeout(s.ctx, recoverTime)
	defer cancel()
	asking, enough := context.WithTimeout(ctx, answerLimit)
	defer enough()
	info, err := r.Connect(asking)
	if err != nil {
		return err
	}
	return s.bringUp(ctx, r, info)
}

// forgetResets drops the news of a restart that is being looked after.
func (s *session) forgetResets() {
	select {
	case <-s.resets:
	default:
	}
}

// wentDown notes that the stick has restarted; d.mu is not held.
func (s *session) wentDown(reason string) {
	s.traffic.Hold()
	s.d.mu.Lock()
	s.setUp(false)
	s.d.mu.Unlock()
	select {
	case s.resets <- reason:
	default:
	}
}

// Send implements traffic.Sender: one try, by the radio that there is now.
func (s *session) Send(ctx context.Context, m radio.Message) error {
	r := s.radio.Load()
	if r == nil {
		return &radio.Failure{Class: radio.Down, Doing: "sending"}
	}
	return (*r).Send(ctx, m)
}

// setUp notes whether the network is up; d.mu is held.
func (s *session) setUp(up bool) {
	switch {
	case up && !s.up:
		close(s.ups)
	case !up && s.up:
		s.ups = make(chan struct{})
	}
	s.up = up
}

// ready returns the radio when the network is up.
func (s *session) ready(ctx context.Context) (radio.Radio, error) {
	s.d.mu.Lock()
	ups := s.ups
	s.d.mu.Unlock()
	select {
	case <-ups:
		return *s.radio.Load(), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the radio: %w", ctx.Err())
	case <-s.ctx.Done():
		return nil, hearth.Errorf(hearth.CodeOffline, "the radio %s is not connected", s.d.env.Name)
	}
}

// sequence numbers ZDO broadcasts, whose answers nobody waits for.
func (s *session) sequence() uint8 { return uint8(s.broadcasts.Add(1)) }

// The home is told with d.mu held, so that nothing is said after the session's end.

func (s *session) report(readings ...hearth.Reading) {
	if s.d.session == s && len(readings) > 0 {
		s.home.Report(readings...)
	}
}

func (s *session) announce(d hearth.Device) {
	if s.d.session == s {
		s.home.Announce(d)
	}
}

// pause waits and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tasks are the goroutines of a session.
type tasks struct {
	mu    sync.Mutex
	all   sync.WaitGroup
	n     int
	ended bool
}

// maxTasks bounds what goes on beside the reading of the line; one more is not started, and what it would have done is
// left out: an answer to a device, a read of what it may have changed. Devices repeat themselves.
const maxTasks = 512

// start runs fn unless the session has ended or there are too many.
func (t *tasks) start(fn func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || t.n >= maxTasks {
		return false
	}
	t.n++
	t.all.Go(func() {
		fn()
		t.mu.Lock()
		defer t.mu.Unlock()
		t.n--
	})
	return true
}

// end waits for all that was started; nothing is started any more.
func (t *tasks) end() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.all.Wait()
}
