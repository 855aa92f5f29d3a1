package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"hearth"
	"hearth/edge/home"
)

const (
	maxPayload  = 64 << 10 // bytes of one command
	maxIncoming = 256      // commands waiting for the dispatcher; more are fetched again once it has caught up
	clockWait   = 30 * time.Second
	maxEvents   = 1024
)

// order is one command as the receiver gave it.
type order struct {
	hearth.Command
	state hearth.State // the receiver's, of a listed one
}

// listing is what the receiver answered to "which of your commands have I not answered?"
type listing struct {
	orders []order
	mark   uint64 // the outbox before it was asked
}

// told is how much of a command's life the receiver has been told.
type told struct {
	steps int
	final bool
}

// dispatcher hands the receiver's commands to the home and queues every change of their states as answers. It lives as
// long as the uplink, with or without a link.
type dispatcher struct {
	r       *receiver
	box     *outbox
	devices *inventory
	orders  chan order
	lists   chan listing
	again   chan struct{} // orders were dropped: fetch the list

	// The dispatcher's goroutine only.
	mine   map[string]told // the receiver's commands under way
	waited time.Duration   // for the clock
}

func newDispatcher(r *receiver, box *outbox, devices *inventory) *dispatcher {
	return &dispatcher{
		r: r, box: box, devices: devices,
		orders: make(chan order, maxIncoming), lists: make(chan listing), again: make(chan struct{}, 1),
		mine: map[string]told{},
	}
}

func (d *dispatcher) run(ctx context.Context) {
	events := d.r.opt.Home.Subscribe(maxEvents)
	defer events.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-d.orders:
			d.awaitClock(ctx)
			d.carry(o)
		case l := <-d.lists:
			d.awaitClock(ctx)
			d.settle(l)
		case e := <-events.C():
			switch e.Kind {
			case home.KindCommand:
				d.changed(e.Command)
			case home.KindDevice:
				d.devices.look()
			}
		}
		if events.Lost() {
			d.lookAtAll()
		}
	}
}

// accept takes a message from hearth/<home>/do. It never blocks; what does not fit is fetched later.
func (d *dispatcher) accept(payload []byte, retained bool) {
	log := d.r.opt.Log
	if retained {
		log.Warn("a retained command is not carried out: commands are never retained")
		return
	}
	cmd, err := parseCommand(payload)
	if err != nil {
		log.Warn("a message that is no command was ignored", "bytes", len(payload), "error", err)
		return
	}
	select {
	case d.orders <- order{Command: cmd}:
	default:
		d.fetchAgain()
	}
}

// fetchAgain has the link ask for the list.
func (d *dispatcher) fetchAgain() {
	select {
	case d.again <- struct{}{}:
	default:
	}
}

func parseCommand(payload []byte) (hearth.Command, error) {
	if len(payload) > maxPayload {
		return hearth.Command{}, hearth.Errorf(hearth.CodeBadValue, "longer than %d bytes", maxPayload)
	}
	var cmd hearth.Command
	if err := json.Unmarshal(payload, &cmd); err != nil {
		return hearth.Command{}, err
	}
	if cmd.ID == "" || len(cmd.ID) > hearth.MaxID || cmd.Device == "" {
		return hearth.Command{}, hearth.Errorf(hearth.CodeBadValue, "no id or no device")
	}
	return cmd, nil
}

// awaitClock gives the clock a moment to be trusted, once: deadlines cannot be judged before, and the receiver's own
// answers carry its time.
func (d *dispatcher) awaitClock(ctx context.Context) {
	for ; d.waited < clockWait; d.waited += time.Second {
		if _, trusted := d.r.opt.Now(); trusted || !sleep(ctx, time.Second) {
			return
		}
	}
}

// carry gives one command to the home, which knows by its id whether it is new, and answers.
func (d *dispatcher) carry(o order) {
	if refusal, ok := d.box.known(o.ID); ok {
		d.say(refusal, true)
		return
	}
	if o.state == hearth.Applied {
		if _, ok := d.r.opt.Home.Command(o.ID); !ok {
			d.refuse(o.ID, hearth.Failed, &hearth.Error{Code: hearth.CodeUnknownOutcome, Message: "it was carried out, and the gateway has lost its record since"})
			return
		}
	}
	record, err := d.r.opt.Home.Do(o.Command)
	var coded *hearth.Error
	switch {
	case err == nil:
		d.mine[record.ID] = told{}
		d.changed(record)
	case !errors.As(err, &coded):
		d.r.opt.Log.Error("a command could not be stored; the receiver will be asked for it again", "command", o.ID, "error", err)
		d.fetchAgain()
	case d.ours(o.ID):
		d.r.opt.Log.Warn("a command under way came again with other content and was ignored", "command", o.ID)
	default:
		d.refuse(o.ID, hearth.Rejected, coded)
	}
}

func (d *dispatcher) ours(id string) bool { _, ok := d.mine[id]; return ok }

// refuse ends a command that the home keeps no record of.
func (d *dispatcher) refuse(id string, state hearth.State, why *hearth.Error) {
	now, _ := d.r.opt.Now()
	d.say(hearth.Result{ID: id, State: state, Final: true, Error: why, History: []hearth.Step{{State: state, Time: hearth.Time{Time: now}}}}, true)
}

// changed tells the receiver of a command of its own.
func (d *dispatcher) changed(record hearth.Record) {
	before, ok := d.mine[record.ID]
	now := told{steps: len(record.History), final: record.Final}
	if !ok || now == before || now.steps < before.steps {
		return
	}
	d.mine[record.ID] = now
	if record.Final {
		delete(d.mine, record.ID)
	}
	d.say(hearth.ResultOf(record), false)
}

func (d *dispatcher) say(result hearth.Result, refused bool) {
	if _, trusted := d.r.opt.Now(); !trusted {
		result.History = slices.Clone(result.History)
		for i := range result.History {
			result.History[i].Time = hearth.Time{}
		}
	}
	if err := d.box.say(result, refused); err != nil {
		d.r.opt.Log.Error("an answer to the receiver is not safe from a power cut", "error", err)
	}
}

// lookAtAll makes up for events that were lost.
func (d *dispatcher) lookAtAll() {
	d.devices.look()
	for id := range d.mine {
		if record, ok := d.r.opt.Home.Command(id); ok {
			d.changed(record)
		}
	}
}

// settle takes the receiver's list: what is listed is carried out or answered again, what is no longer listed has
// arrived.
func (d *dispatcher) settle(l listing) {
	listed := make(map[string]bool, len(l.orders))
	for _, o := range l.orders {
		listed[o.ID] = true
	}
	if err := d.box.settle(listed, l.mark); err != nil {
		d.r.opt.Log.Error("forgetting answers that have arrived", "error", err)
	}
	for _, o := range l.orders {
		if !d.box.holds(o.ID) {
			delete(d.mine, o.ID) // so that where it stands is said again
			d.carry(o)
		}
	}
}
