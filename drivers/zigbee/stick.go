package zigbee

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/serial"
	"hearth/drivers/zigbee/radio"
)

// How long a stick may take to say what it is. One that is alone with its protocol gets the time that a slow one needs
// to boot.
const (
	connectTime = 20 * time.Second
	probeTime   = 6 * time.Second
)

// A stick is a radio that has been found at the end of a line. Its Run ends with close.
type stick struct {
	radio   radio.Radio
	adapter string
	info    radio.Info
	line    io.Closer
	cancel  context.CancelFunc
	done    chan struct{} // closed when the radio's Run has ended
	err     error         // why, to be read after done
}

func (st *stick) close() {
	st.cancel()
	_ = st.line.Close() // whatever it says, the line is gone
	<-st.done
}

// broken returns why the radio's Run has ended.
func (st *stick) broken() error {
	if st.err != nil {
		return st.err
	}
	return hearth.Errorf(hearth.CodeOffline, "the radio has ended by itself")
}

// find opens the line and finds out what is there: the adapter that is configured, or each that can be. Every try has
// the line to itself, opened afresh.
func (d *driver) find(ctx context.Context, handle func(radio.Event)) (*stick, error) {
	adapters := d.adapters()
	limit := connectTime
	if len(adapters) > 1 {
		limit = probeTime
	}
	var problems []error
	for _, adapter := range adapters {
		st, err := d.try(ctx, adapter, limit, handle)
		if err == nil {
			d.rememberAdapter(adapter)
			return st, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) || errors.Is(err, serial.ErrBusy) {
			return nil, err // it is the same for every adapter
		}
		problems = append(problems, fmt.Errorf("as %s: %w", adapter, err))
	}
	return nil, hearth.Errorf(hearth.CodeOffline, "no coordinator answers at %s (%v): is it the right port, and its firmware that of a Zigbee coordinator?",
		d.cfg.Port, errors.Join(problems...))
}

func (d *driver) try(ctx context.Context, adapter string, limit time.Duration, handle func(radio.Event)) (*stick, error) {
	r, line, err := d.dial(ctx, adapter)
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(ctx)
	st := &stick{radio: r, adapter: adapter, line: line, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(st.done)
		st.err = r.Run(running, handle)
	}()
	asking, enough := context.WithTimeout(ctx, limit)
	defer enough()
	st.info, err = r.Connect(asking)
	if err == nil {
		return st, nil
	}
	st.close()
	if st.err != nil && ctx.Err() == nil {
		return nil, st.err
	}
	return nil, err
}

// adapters lists the firmwares that may be on the stick, the likeliest first.
func (d *driver) adapters() []string {
	if d.cfg.Adapter == adapterZNP || d.cfg.Adapter == adapterEZSP {
		return []string{d.cfg.Adapter}
	}
	likely := ""
	if known, ok := d.knownStick(); ok {
		likely = known.Adapter
	} else if ports, err := serial.List(); err == nil {
		for _, p := range ports {
			if p.Name == d.cfg.Port || p.Device == d.cfg.Port {
				likely = p.Adapter
			}
		}
	}
	all := []string{adapterZNP, adapterEZSP}
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(rank(a, likely), rank(b, likely)) })
	return all
}

func rank(adapter, likely string) int {
	if adapter == likely {
		return 0
	}
	return 1
}

// knownStick returns what was last found at the configured port.
func (d *driver) knownStick() (stickRecord, bool) {
	var known stickRecord
	found, err := d.get(stickKey, &known)
	return known, found && err == nil && known.Port == d.cfg.Port
}

// currentPort returns the port to open: a stick that comes back as another ttyUSB is found by its stable name.
func (d *driver) currentPort() string {
	known, ok := d.knownStick()
	if !ok || known.Stable == "" {
		return d.cfg.Port
	}
	if _, err := os.Stat(known.Stable); err != nil {
		return d.cfg.Port
	}
	return known.Stable
}

func (d *driver) rememberPort(opened string) {
	known, _ := d.knownStick()
	known.Port, known.Stable = d.cfg.Port, ""
	if stable := serial.StableName(opened); stable != d.cfg.Port {
		known.Stable = stable
	}
	d.rememberStick(known)
}

func (d *driver) rememberAdapter(adapter string) {
	known, _ := d.knownStick()
	known.Port, known.Adapter = d.cfg.Port, adapter
	d.rememberStick(known)
}

func (d *driver) rememberStick(known stickRecord) {
	if err := d.put(stickKey, known); err != nil {
		d.log.Error("keeping what the stick is", "error", err)
	}
}
