// Package mqtt is the gateway's own MQTT face: every device as plain JSON topics, announced to Home Assistant, and a
// topic that takes commands; on a broker of the gateway's own, or on one that is there already.
package mqtt

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"hearth"
	"hearth/edge/home"
)

// Options are what a Face is made of. Either Listen or Broker is set.
type Options struct {
	Home  *home.Home
	Store hearth.Store // of its own: what it has left on brokers

	Listen string                                   // the address of the gateway's own broker
	Tokens func(secret string) (hearth.Token, bool) // who may use it

	Broker   string // the URL of an existing one
	Username string
	Password func() (string, error) // nil: none

	Discovery string // the prefix under which Home Assistant looks for devices; "" announces nothing
	Version   string // of the program
	Log       *slog.Logger
}

// Limits of what waits inside.
const (
	events  = 4096 // of the home, not yet looked at; beyond it everything is published anew
	answers = 256  // to refused commands; further ones are dropped, and counted
)

// A Face is the gateway on one broker.
type Face struct {
	o       Options
	topics  topics
	words   vocabulary
	answers chan message  // to commands that have no record
	reborn  chan struct{} // somebody wants to hear everything again
	said    *notices

	mu    sync.Mutex
	stats Stats
}

// Stats are counts since the start, for metrics and tests.
type Stats struct {
	Connected bool   // the broker is there
	Clients   int    // of the gateway's own broker
	Published uint64 // messages
	Commands  uint64 // taken
	Refused   uint64 // commands that were none, or not allowed
	Retained  int    // messages of others that the gateway's own broker keeps
}

// New returns a Face; Run serves it.
func New(o Options) *Face {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Face{
		o: o, topics: topics{discovery: strings.Trim(o.Discovery, "/")}, words: newVocabulary(),
		answers: make(chan message, answers), reborn: make(chan struct{}, 1), said: newNotices(o.Log),
	}
}

// Run serves until ctx ends; or it returns why the broker cannot be used, and may be called again. A broker elsewhere
// that does not answer is an error of code offline.
func (f *Face) Run(ctx context.Context) error {
	left, err := readLeft(f.o.Store)
	if err != nil {
		return err
	}
	l, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	heard := f.o.Home.Subscribe(events) // from now on: a press of before is over
	defer heard.Close()
	f.count(func(s *Stats) { s.Connected = true })
	defer f.count(func(s *Stats) { s.Connected = false })
	return newPublisher(f, l, left).run(ctx, heard)
}

func (f *Face) open(ctx context.Context) (link, error) {
	if f.o.Listen != "" {
		return listen(f)
	}
	return connect(ctx, f)
}

// Stats returns the counts so far.
func (f *Face) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

func (f *Face) count(change func(*Stats)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.stats)
}

// A message is what is published.
type message struct {
	topic   string
	payload []byte
	retain  bool
}

// A link is a connection to a broker for as long as it lasts.
type link interface {
	// publish hands a message over, and may wait for the broker, but not for long. An error means that the link is lost.
	publish(message) error
	// lost tells why the link is gone.
	lost() <-chan error
	// close says goodbye: the gateway is offline from then on.
	close()
}

// What is said of availability, of the gateway as of a device.
const (
	online  = "online"
	offline = "offline"
)

// topics are the names under which things are found.
type topics struct{ discovery string }

const (
	root         = "hearth/"
	deviceRoot   = root + "device/"
	gatewayTopic = root + "gateway/available"
)

func (topics) state(id hearth.ID) string     { return deviceRoot + string(id) + "/state" }
func (topics) available(id hearth.ID) string { return deviceRoot + string(id) + "/available" }
func (topics) command(id hearth.ID) string   { return deviceRoot + string(id) + "/command" }
func (topics) set(id hearth.ID) string       { return deviceRoot + string(id) + "/set" }

func (topics) event(id hearth.ID, property string) string {
	return deviceRoot + string(id) + "/event/" + property
}

// config is where a device is announced; "" where nothing is.
func (t topics) config(id hearth.ID) string {
	if t.discovery == "" {
		return ""
	}
	return t.discovery + "/device/" + objectOf(id) + "/config"
}

// birth is where Home Assistant says that it has started.
func (t topics) birth() string {
	if t.discovery == "" {
		return ""
	}
	return t.discovery + "/status"
}

// settable returns the device that a topic wants to set.
func settable(topic string) (hearth.ID, bool) {
	rest, ours := strings.CutPrefix(topic, deviceRoot)
	id, set := strings.CutSuffix(rest, "/set")
	return hearth.ID(id), ours && set && hearth.ID(id).Check() == nil
}

// isSet reports whether a topic has the form of a command's, whatever it names.
func isSet(topic string) bool {
	return strings.HasPrefix(topic, deviceRoot) && strings.HasSuffix(topic, "/set")
}

// notices logs what may come again and again once. They are bounded.
type notices struct {
	log  *slog.Logger
	mu   sync.Mutex
	said map[string]bool
}

const maxNotices = 1000

func newNotices(log *slog.Logger) *notices { return &notices{log: log, said: map[string]bool{}} }

func (n *notices) warn(what, about, text string, args ...any) {
	n.mu.Lock()
	key := what + " " + about
	fresh := !n.said[key] && len(n.said) < maxNotices
	n.said[key] = n.said[key] || fresh
	n.mu.Unlock()
	if fresh {
		n.log.Warn(text+" (said once)", args...)
	}
}

// over forgets that something was said: it is news when it comes again.
func (n *notices) over(what, about string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.said, what+" "+about)
}
