package ota

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// How an image goes over the air. A piece fits one frame; the pause between pieces leaves the network to the rest.
const (
	pieceSize = 50
	pause     = 150 * time.Millisecond
	patience  = 5 * time.Minute // without a request for the next piece
	lowest    = 70.0            // percent of the battery that an upgrade needs
	waitTime  = 60              // seconds that a device waits while another is served
	maxPage   = 2048            // bytes of pieces that one request may bring
)

// States of an upgrade.
const (
	Fetching    = "fetching" // the image is on its way to us
	Offered     = "offered"  // the device was told and has not come yet
	Waiting     = "waiting"  // another device is served
	Downloading = "downloading"
	Restarting  = "restarting" // it has all, and starts the new firmware
	Done        = "done"
	Aborted     = "aborted"
	Failed      = "failed"
)

// An Upgrade is one device's way to another firmware.
type Upgrade struct {
	Device  radio.IEEE  `json:"device"`
	From    uint32      `json:"from"`
	To      uint32      `json:"to"`
	State   string      `json:"state"`
	Bytes   uint32      `json:"bytes"` // that the device has asked for
	Size    uint32      `json:"size"`
	Error   string      `json:"error,omitempty"`
	Started hearth.Time `json:"started"`
	Heard   hearth.Time `json:"heard"` // when the device asked last
}

// A Device is one that asks.
type Device struct {
	IEEE          radio.IEEE
	Vendor, Model string
}

// A Reply is a frame for the device that asked, to be sent that much later.
type Reply struct {
	Frame zcl.Frame
	After time.Duration
}

// A Server answers devices. Only devices that Approve names get an image; what others say of their firmware is remembered.
// It is safe for several goroutines.
type Server struct {
	library *Library
	now     func() time.Time
	log     *slog.Logger

	mu       sync.Mutex
	queries  map[radio.IEEE]asked
	upgrades map[radio.IEEE]*upgrade
}

type asked struct {
	Query
	vendor, model string
}

type upgrade struct {
	Upgrade
	image Image
	file  *os.File
}

// NewServer returns a Server that offers the library's images.
func NewServer(library *Library, now func() time.Time, log *slog.Logger) *Server {
	return &Server{library: library, now: now, log: log, queries: map[radio.IEEE]asked{}, upgrades: map[radio.IEEE]*upgrade{}}
}

// Known says what a device said of its firmware, and the image that would suit it, if there is one.
func (s *Server) Known(device radio.IEEE) (q Query, newer *Image, ok bool) {
	s.mu.Lock()
	a, ok := s.queries[device]
	s.mu.Unlock()
	if image, found := s.library.Find(a.Query, a.vendor, a.model); ok && found {
		newer = &image
	}
	return a.Query, newer, ok
}

// Approve begins an upgrade of a device to that image, which Library.Fetch shall bring now: Offer or Fail must follow.
// battery is the device's charge in percent, nil for a device without one, of unknown charge, or one that a person vouches
// for.
func (s *Server) Approve(device radio.IEEE, image Image, battery *float64) error {
	if battery != nil && *battery < lowest {
		return hearth.Errorf(hearth.CodeFailed, "the battery is at %.0f %%: an upgrade wants at least %.0f %%, one that breaks off can leave the device dead", *battery, lowest)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.upgrades[device]; u != nil && u.Under() {
		return hearth.Errorf(hearth.CodeConflict, "an upgrade of this device is under way (%s)", u.State)
	}
	now := hearth.Time{Time: s.now()}
	s.upgrades[device] = &upgrade{
		Upgrade: Upgrade{Device: device, From: s.queries[device].Version, To: image.Version, State: Fetching, Size: image.Size, Started: now, Heard: now},
	}
	return nil
}

// Offer goes on with an approved upgrade and the image that Library.Fetch returned for it; Notify makes the device come
// for it.
func (s *Server) Offer(device radio.IEEE, image Image) error {
	f, err := os.Open(image.path)
	if err != nil {
		return fmt.Errorf("opening the firmware: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.upgrades[device]
	if u == nil || u.State != Fetching {
		return errors.Join(hearth.Errorf(hearth.CodeConflict, "the upgrade was ended while its image was fetched"), f.Close())
	}
	u.State, u.Size, u.Heard, u.image, u.file = Offered, image.Size, hearth.Time{Time: s.now()}, image, f
	return nil
}

// Notify is the frame that makes a device ask which image there is for it, whatever it has (ZCL 11.13.3).
func Notify() zcl.Frame {
	return zcl.Frame{ToClient: true, NoDefaultResponse: true, Command: zcl.CmdOTAImageNotify, Payload: notify()}
}

// Fail ends an approved upgrade whose image could not be fetched, or whose device could not be told.
func (s *Server) Fail(device radio.IEEE, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.upgrades[device]; u != nil && (u.State == Fetching || u.State == Offered) {
		u.finish(Failed, why.Error())
	}
}

// Abort ends an upgrade: the device is told at its next request. It reports whether there was one.
func (s *Server) Abort(device radio.IEEE) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.upgrades[device]
	if u == nil || !u.Under() {
		return false
	}
	u.finish(Aborted, "somebody ended it")
	return true
}

// Upgrade returns the last upgrade of a device, false if there was none since the start.
func (s *Server) Upgrade(device radio.IEEE) (Upgrade, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.upgrades[device]; u != nil {
		return u.Upgrade, true
	}
	return Upgrade{}, false
}

// Upgrades lists the upgrades since the start, those under way first.
func (s *Server) Upgrades() []Upgrade {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Upgrade, 0, len(s.upgrades))
	for _, u := range s.upgrades {
		all = append(all, u.Upgrade)
	}
	slices.SortFunc(all, func(a, b Upgrade) int { return cmp.Or(b.Heard.Compare(a.Heard.Time), cmp.Compare(a.Device, b.Device)) })
	return all
}

// Sweep fails upgrades whose device is silent for too long.
func (s *Server) Sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.upgrades {
		if u.Under() && u.State != Fetching && u.State != Offered && s.now().Sub(u.Heard.Time) > patience {
			u.finish(Failed, "the device stopped asking for the image")
		}
	}
}

// Close ends every upgrade; devices resume by themselves when they are offered the same image again.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.upgrades {
		if u.Under() {
			u.finish(Aborted, "the driver stopped")
		}
	}
}

// Handle answers a command of a device to the OTA cluster; none for what wants no answer.
func (s *Server) Handle(d Device, f zcl.Frame) ([]Reply, error) {
	if f.Global || f.ToClient {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f.Command {
	case zcl.CmdOTAQueryNextImage:
		q, err := parseQuery(f.Payload)
		if err != nil {
			return nil, err
		}
		s.queries[d.IEEE] = asked{q, d.Vendor, d.Model}
		return answer(f, zcl.CmdOTAQueryNextImageResponse, s.offer(d, q)), nil
	case zcl.CmdOTAImageBlock, zcl.CmdOTAImagePage:
		r, err := parseBlock(f.Payload, f.Command == zcl.CmdOTAImagePage)
		if err != nil {
			return nil, err
		}
		return s.pieces(d, f, r), nil
	case zcl.CmdOTAUpgradeEnd:
		status, q, err := parseEnd(f.Payload)
		if err != nil {
			return nil, err
		}
		return s.end(d, f, status, q), nil
	}
	return nil, nil
}

func answer(f zcl.Frame, command uint8, payload []byte) []Reply {
	return []Reply{{Frame: zcl.Frame{ToClient: true, NoDefaultResponse: true, Manufacturer: f.Manufacturer, Sequence: f.Sequence, Command: command, Payload: payload}}}
}

// offer answers a query. Having the version of a running upgrade means that it has worked.
func (s *Server) offer(d Device, q Query) []byte {
	u := s.upgrades[d.IEEE]
	switch {
	case u == nil || !u.Under() || u.State == Fetching:
		return []byte{byte(zcl.NoImageAvailable)}
	case q.Version == u.To && u.From != u.To:
		u.finish(Done, "")
		return []byte{byte(zcl.NoImageAvailable)}
	case q.Manufacturer != u.image.Manufacturer || q.ImageType != u.image.ImageType:
		u.finish(Failed, fmt.Sprintf("the device wants images of type %04x:%04x, this one is %04x:%04x", q.Manufacturer, q.ImageType, u.image.Manufacturer, u.image.ImageType))
		return []byte{byte(zcl.NoImageAvailable)}
	}
	u.From, u.Heard = q.Version, hearth.Time{Time: s.now()}
	return imageResponse(u.image)
}

// pieces answers a request for a piece or a page. One device is served at a time.
func (s *Server) pieces(d Device, f zcl.Frame, r blockRequest) []Reply {
	u := s.upgrades[d.IEEE]
	if u == nil || !u.Under() || u.State == Fetching || r.Version != u.To {
		return answer(f, zcl.CmdOTAImageBlockResponse, []byte{byte(zcl.Abort)})
	}
	u.Heard = hearth.Time{Time: s.now()}
	if s.otherServed(d.IEEE) {
		u.State = Waiting
		return answer(f, zcl.CmdOTAImageBlockResponse, waitResponse(waitTime, uint16(pause.Milliseconds())))
	}
	u.State = Downloading
	spacing := max(pause, time.Duration(r.spacing)*time.Millisecond)
	var replies []Reply
	for at, sent := r.offset, uint32(0); ; {
		data, err := u.read(at, min(int(r.max), pieceSize))
		if err != nil {
			u.finish(Failed, err.Error())
			return answer(f, zcl.CmdOTAImageBlockResponse, []byte{byte(zcl.Abort)})
		}
		reply := answer(f, zcl.CmdOTAImageBlockResponse, blockResponse(r.Query, at, data))
		reply[0].After = pause + time.Duration(len(replies))*spacing
		replies = append(replies, reply...)
		at, sent = at+uint32(len(data)), sent+uint32(len(data))
		u.Bytes = max(u.Bytes, at)
		if sent >= min(uint32(r.page), maxPage) || at >= u.Size {
			return replies
		}
	}
}

func (s *Server) otherServed(device radio.IEEE) bool {
	for other, u := range s.upgrades {
		if other != device && u.State == Downloading && s.now().Sub(u.Heard.Time) < patience {
			return true
		}
	}
	return false
}

// end answers a device that has everything, or gives up.
func (s *Server) end(d Device, f zcl.Frame, status zcl.Status, q Query) []Reply {
	u := s.upgrades[d.IEEE]
	if u == nil || !u.Under() || u.State == Fetching {
		return nil
	}
	u.Heard = hearth.Time{Time: s.now()}
	if status != zcl.Success {
		u.finish(Failed, fmt.Sprintf("the device does not take the image: %s", status))
		return []Reply{{Frame: zcl.Frame{Global: true, ToClient: true, NoDefaultResponse: true, Sequence: f.Sequence, Command: zcl.CommandDefaultResponse, Payload: []byte{f.Command, byte(zcl.Success)}}}}
	}
	u.State, u.Bytes = Restarting, u.Size
	s.log.Info("a device has its new firmware and restarts", "device", d.IEEE, "version", fmt.Sprintf("0x%08x", u.To))
	return answer(f, zcl.CmdOTAUpgradeEndResponse, endResponse(q))
}

// Restarted says that a device came back after it had everything, and with which version, if it said so.
func (s *Server) Restarted(device radio.IEEE, version *uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, known := s.queries[device]; known && version != nil {
		a.Version = *version
		s.queries[device] = a
	}
	u := s.upgrades[device]
	switch {
	case u == nil || u.State != Restarting:
	case version != nil && *version != u.To:
		u.finish(Failed, fmt.Sprintf("the device came back with version 0x%08x", *version))
	case version != nil:
		u.finish(Done, "")
	}
}

// Under reports whether the upgrade goes on.
func (u Upgrade) Under() bool {
	switch u.State {
	case Fetching, Offered, Waiting, Downloading, Restarting:
		return true
	}
	return false
}

func (u *upgrade) finish(state, why string) {
	u.State, u.Error = state, why
	if u.file != nil {
		_ = u.file.Close() // it was only read
	}
}

func (u *upgrade) read(at uint32, n int) ([]byte, error) {
	if at >= u.Size || n < 1 {
		return nil, fmt.Errorf("the device asks for %d bytes at %d of an image of %d", n, at, u.Size)
	}
	data := make([]byte, min(n, int(u.Size-at)))
	if _, err := u.file.ReadAt(data, u.image.offset+int64(at)); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the firmware: %w", err)
	}
	return data, nil
}
