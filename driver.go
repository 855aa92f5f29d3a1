package hearth

import (
	"context"
	"log/slog"
	"time"
)

// A Driver speaks with the devices behind one port, bus or broker. One that has more to say than properties can hold
// is also an http.Handler, mounted at /api/v1/drivers/{name}/.
type Driver interface {
	// Run opens the connection and serves it until ctx is done, then returns nil; or it returns why the
	// connection broke, and is run again after a pause. A Driver never retries by itself. An error that has a method
	// Again() <-chan struct{} is for a cause that somebody can remove: when that is closed, the pause is over.
	Run(ctx context.Context, home Home) error

	// Do carries out one command and returns when the device has acknowledged it. The command has already been
	// checked against the announced properties. It may be called at any time, by several goroutines. An error
	// with a code (Errorf) tells what kind of failure it was; without Run it answers CodeOffline.
	Do(ctx context.Context, cmd Command) error
}

// Home is all that a driver sees of the gateway. Its methods are quick and safe for several goroutines.
// A driver's first word after the start of Run says that its connection stands; one that has nothing to say is taken to
// be connected when it has run for two seconds.
type Home interface {
	Announce(Device)   // a device is here, or is now known better
	Report(...Reading) // a device said something
	Forget(ID)         // a device has left for good
}

// A Patient is a Home that need not guess whether a driver is connected. One whose connecting may take longer than two
// seconds calls Connecting when Run begins, and what that returns when its connection stands.
type Patient interface {
	Connecting() (connected func())
}

// Env is what a driver is made with, beside its configuration.
type Env struct {
	Name  string // its configured name: the first part of its devices' ids
	Dir   string // a directory of its own in the data directory; not made until the driver makes it
	Log   *slog.Logger
	Store Store
	Now   func() (now time.Time, trusted bool) // the gateway's clock
}

// ID returns the id of the driver's device at that address.
func (e Env) ID(address string) ID { return ID(e.Name + ":" + address) }

// A Store is a small durable map. What Put and Delete were given is on disk when they return.
type Store interface {
	Get(key string) ([]byte, error) // nil, nil where there is none
	Put(key string, value []byte) error
	Delete(key string) error
	Each(func(key string, value []byte) error) error // in the order of keys
}
