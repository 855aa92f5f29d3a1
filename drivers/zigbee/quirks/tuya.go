package quirks

import "time"

// A Tuya says what the data points of a device with Tuya's cluster 0xEF00 mean.
type Tuya struct {
	Endpoint uint8         `yaml:"endpoint"`    // 0: 1
	Time     Clock         `yaml:"time"`        // how the time is told when the device asks for it
	NoMagic  bool          `yaml:"no_magic"`    // it does without the read of Basic that others have to be woken with
	NoQuery  bool          `yaml:"no_query"`    // it is not to be asked for all of its points when it is set up
	Every    time.Duration `yaml:"query_every"` // it has to be asked for them again and again
	Version  bool          `yaml:"version"`     // it has to be asked for its MCU's version when it is set up
	Send     bool          `yaml:"send"`        // it takes points by command 0x04, not 0x00
	Points   []DataPoint   `yaml:"points"`
}

// A Clock is the form in which Tuya's devices want the time.
type Clock string

// The clocks. Both numbers are seconds: UTC and local time.
const (
	ClockUnix  Clock = ""      // since 1970
	Clock2000  Clock = "2000"  // since 2000
	ClockLocal Clock = "local" // since 1970, local time in both
	ClockNone  Clock = "none"  // not answered
)

// A DataPoint is a data point, or a part of one, as a property.
type DataPoint struct {
	Meaning `yaml:",inline"`
	DP      uint8     `yaml:"dp"`
	Type    PointType `yaml:"type"`     // what is written; what comes says itself what it is
	WriteDP uint8     `yaml:"write_dp"` // where another point takes what this one tells
	Slice   `yaml:",inline"`
}

// A Slice is a part of some bytes: a number, the most significant byte first unless Little.
type Slice struct {
	At     int  `yaml:"at"`
	Length int  `yaml:"length"` // 0: 1 byte in a command; all in a data point
	Little bool `yaml:"little"`
	Signed bool `yaml:"signed"`
}
