// Package dialect is what lies between a connection to an MQTT broker and the many ways in which devices speak there.
// A dialect does no I/O of its own: messages come in by Handle, calls go out by a Bus.
package dialect

import (
	"context"
	"time"

	"hearth"
)

// Limits on what may come from a broker. Who publishes there is not known.
const (
	MaxPayload = 1 << 20 // bytes of one message
	MaxDevices = 2000    // of one dialect
	MaxTopic   = 1024    // bytes
)

// A Message is one that was published. Its Payload is only valid during the call that brings it.
type Message struct {
	Topic    string
	Payload  []byte
	Retained bool      // it was kept by the broker: state perhaps, but no press of a button and no command
	Time     time.Time // of its arrival, by the gateway's clock
}

// A Bus is what a dialect may do. Its methods are quick, but for Publish, and safe for several goroutines.
type Bus interface {
	// Publish sends with QoS 1 and returns when the broker has it: hearth.CodeOffline if the broker is gone by then.
	Publish(ctx context.Context, topic string, payload []byte, retain bool) error

	// Subscribe asks for what matches filter, now and after each reconnect, until Unsubscribe. A second time for the
	// same filter does nothing; each dialect has its own. What the broker keeps retained comes once for each
	// subscription that is new to the connection.
	Subscribe(filter string)
	Unsubscribe(filter string)

	hearth.Home // ids are made with Env.ID
}

// Env is what a dialect is made with. The keys of its Store are its own: the driver gives each dialect a prefix.
type Env struct {
	hearth.Env
	Bus Bus
}

// A Dialect is one way in which devices speak. Handle, Connected and Silence are called by one goroutine at a time; Do by
// any number, at any time between Connected and Silence.
type Dialect interface {
	// Connected says that the broker is there, or there again. Nothing of what was said before is known to be so any
	// more: subscriptions stand, retained messages come again, and every device is announced again. ctx ends
	// when the broker is gone.
	Connected(ctx context.Context)

	// Handle takes in one message that matches a subscription, in the order in which they came. It must not wait, so it
	// does not Publish: what is to be asked, it asks in a goroutine that ends with Connected's ctx (see Asker).
	Handle(m Message)

	// Do returns when the device has acknowledged the command; hearth.CodeNoDevice if it is none of its devices.
	Do(ctx context.Context, cmd hearth.Command) error

	// Silence says that the broker is gone: whether a device is there is not known any more, and whoever waits for an
	// answer is told so. Nothing is reported from then on, until Connected.
	Silence()
}
