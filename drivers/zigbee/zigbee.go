// Package zigbee speaks with Zigbee devices through a coordinator stick: it decides about the network, lets devices
// join, finds out what they are, has them report, and carries out commands. What runs on the stick is hidden behind
// radio.Radio; what clusters and models mean is told by expose and quirks.
//
// One lock, driver.mu, guards everything that changes: the session, the devices, the network that is kept. It is held
// for moments only, never while something is waited for; home's methods and those of traffic that do not wait are called
// with it held. What comes from the radio is worked off under it in the order of the line, in the radio's own goroutine;
// whatever has to wait (questions to devices, the disk) runs in goroutines of the session, which end before Run returns.
package zigbee

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"hearth"
	"hearth/drivers/serial"
	"hearth/drivers/zigbee/ezsp"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/znp"
)

// New makes the driver of one stick. It reads the device definitions, a person's own without the files that are wrong,
// and does not touch the port.
func New(env hearth.Env, cfg Config) (hearth.Driver, error) {
	d := &driver{
		env: env, cfg: cfg, log: env.Log,
		devices: map[radio.IEEE]*device{}, byNWK: map[radio.NWK]*device{}, banned: map[radio.IEEE]bool{}, removed: map[radio.IEEE]bool{},
		again: make(chan struct{}), firmware: newFirmware(env, cfg), dumping: make(chan struct{}, dumpsAtOnce),
		groups: newGroupBook(), bindings: newBindingBook(),
	}
	d.http = d.handler()
	d.dial = d.dialPort
	var err error
	if d.definitions, err = loadDefinitions(cfg); err != nil {
		return nil, err
	}
	if wrong := d.definitions.wrong; wrong != nil {
		d.log.Error("something in the definitions cannot be used; all else goes on", "folder", d.definitions.folder, "error", wrong)
	}
	return d, nil
}

// driver is one stick. What is kept over a break of the line is here, what belongs to one line is in session.
type driver struct {
	env  hearth.Env
	cfg  Config
	log  *slog.Logger
	dial func(ctx context.Context, adapter string) (radio.Radio, io.Closer, error)

	mu          sync.Mutex
	loaded      bool // what the Store keeps
	network     *network
	devices     map[radio.IEEE]*device
	byNWK       map[radio.NWK]*device
	banned      map[radio.IEEE]bool
	removed     map[radio.IEEE]bool // that have not heard of it yet
	definitions *definitions
	groups      *groupBook
	bindings    *bindingBook
	mesh        mapState
	session     *session // nil without Run
	trouble     error    // why Run ended last; nil while the network is up
	word        word
	again       chan struct{} // closed when there is another word
	past        counts        // of the sessions before this one
	backedUp    *backupFacts  // nil until a backup is read or made

	backing  sync.Mutex // one backup at a time; not to be taken with mu held
	firmware *firmware
	dumping  chan struct{} // a place for each dump that goes on
	http     http.Handler
}

// dialPort opens the port and puts the radio of that adapter onto it.
func (d *driver) dialPort(ctx context.Context, adapter string) (radio.Radio, io.Closer, error) {
	line := d.cfg.line(adapter)
	line.Port = d.currentPort()
	port, err := serial.Open(ctx, line)
	if err != nil {
		return nil, nil, err
	}
	d.rememberPort(line.Port)
	if adapter == adapterEZSP {
		return ezsp.New(port, d.log), port, nil
	}
	return znp.New(port, d.log), port, nil
}

// Run implements hearth.Driver.
func (d *driver) Run(ctx context.Context, home hearth.Home) error {
	if err := d.load(); err != nil {
		return err
	}
	s := newSession(ctx, d, home)
	d.begin(s)
	err := s.run()
	d.end(s)
	if ctx.Err() != nil {
		d.firmware.server.Close()
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trouble = err
	return err
}

// begin makes s the session that commands go to.
func (d *driver) begin(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session = s
	for _, dev := range d.devices {
		dev.revive()
	}
}

// end stops all that s has started; nothing is told to home after that.
func (d *driver) end(s *session) {
	s.cancel()
	s.traffic.End()
	s.tasks.end()
	s.keepDirty()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.past = d.counts()
	d.session = nil
}

// Do implements hearth.Driver. It returns when the device has acknowledged all of it. While the radio is away or
// recovers, and while a device sleeps, it waits for as long as ctx allows.
func (d *driver) Do(ctx context.Context, cmd hearth.Command) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	s := d.session
	dev, group := d.deviceByID(cmd.Device), d.groupByID(cmd.Device)
	coordinator := d.network != nil && d.network.id(d.env) == cmd.Device
	d.mu.Unlock()
	switch {
	case s == nil:
		return hearth.Errorf(hearth.CodeOffline, "the radio %s is not connected", d.env.Name)
	case coordinator:
		return s.doCoordinator(ctx, cmd)
	case group != nil:
		return s.doGroup(ctx, group, cmd)
	case dev == nil:
		return hearth.Errorf(hearth.CodeNoDevice, "there is no device %s in this network", cmd.Device)
	}
	return s.do(ctx, dev, cmd)
}

// deviceByID returns a device, nil if there is none; d.mu is held.
func (d *driver) deviceByID(id hearth.ID) *device {
	ieee, err := radio.ParseIEEE(id.Address())
	if err != nil || id.Driver() != d.env.Name {
		return nil
	}
	return d.devices[ieee]
}

// now returns the gateway's clock.
func (d *driver) now() time.Time {
	now, _ := d.env.Now()
	return now
}
