// Package hap is a HomeKit Accessory Protocol server over IP: pairing, encrypted sessions, characteristics, events and the
// announcement by mDNS. Accessories, services and characteristics are those of github.com/brutella/hap; its server is not
// used. Sections named in comments are those of the HomeKit Accessory Protocol Specification, Non-Commercial Version, R2.
//
// A Server is made by New, given its accessories by Publish (at any time, also again), and run by Serve and Announce.
package hap

import (
	"context"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
)

// Store keeps what must outlive the program: the identity, the pairings, the configuration number, the failed tries. Put
// returns when the value is on disk.
type Store interface {
	Get(key string) ([]byte, error) // nil, nil: there is none
	Put(key string, value []byte) error
	Delete(key string) error
	Each(func(key string, value []byte) error) error
}

// Handler is whoever knows the devices behind the accessories. Its methods are called by several goroutines. One that
// panics is answered for with OutOfReach.
type Handler interface {
	// Read says whether the value a characteristic has in the server's cache is worth anything: OK, or OutOfReach where the
	// accessory is. It answers from memory: a controller is waiting.
	Read(ctx context.Context, a *accessory.A, c *characteristic.C) Status
	// Write is given all values that one request writes to one accessory, in one call, and returns a status for each, in
	// order. A value whose status is OK goes into the cache and to the other controllers as if by Server.Changed, unless
	// Changed was called for it in the meantime. ctx ends after nine seconds; a handler that has not returned a little
	// later is answered for with TimedOut.
	Write(ctx context.Context, a *accessory.A, writes []Write) []Status
	// Identify lets a device show which one it is; nil is the bridge itself before it is paired. It returns at once.
	Identify(a *accessory.A)
}

// Write is one value that a controller writes: already of the characteristic's type (bool, int, uint64, float64 or
// string) and within its limits.
type Write struct {
	Characteristic *characteristic.C
	Value          any
	Timed          bool   // came after /prepare, in its time
	Controller     string // the id of the pairing; give it to Changed as origin
}

// Status is what became of one item of a request (table 6-11).
type Status int

// The statuses.
const (
	OK            Status = 0
	NotAuthorized Status = -70401 // insufficient privileges
	OutOfReach    Status = -70402 // the device does not answer
	Busy          Status = -70403
	ReadOnly      Status = -70404
	WriteOnly     Status = -70405
	NoEvents      Status = -70406 // no notifications for this characteristic
	NoResources   Status = -70407
	TimedOut      Status = -70408
	NotFound      Status = -70409 // no such accessory or characteristic
	Invalid       Status = -70410 // a value out of range or of another type, or a timed write that was not prepared
)
