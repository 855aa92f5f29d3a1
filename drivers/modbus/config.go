package modbus

import (
	"errors"
	"fmt"
	"time"

	"hearth/drivers/serial"
	"hearth/settings"
)

// A Config is one bus and the devices on it.
type Config struct {
	serial.Config `yaml:",inline"`

	Mode    string         `yaml:"mode"`    // rtu or tcp; "" means tcp for a tcp:// port, rtu for a tty
	Poll    time.Duration  `yaml:"poll"`    // how often each device is read; 0 means 10 s, or what its profile says
	Timeout time.Duration  `yaml:"timeout"` // how long an answer may take to begin; 0 means 500 ms, over TCP 1 s
	Pause   time.Duration  `yaml:"pause"`   // silence before each request on an RTU line; 0 means 3.5 characters, at least 5 ms
	Devices []DeviceConfig `yaml:"devices"`

	Dir string `yaml:"-"` // where relative paths of profiles begin: the folder of the configuration file
}

// A DeviceConfig is one device on the bus.
type DeviceConfig struct {
	Address int           `yaml:"address"` // its unit number
	Profile string        `yaml:"profile"` // a built-in one by its name, or a file by its path
	Name    string        `yaml:"name"`    // what a person calls it, until the person says otherwise
	Poll    time.Duration `yaml:"poll"`    // instead of the bus's
}

const (
	modeRTU = "rtu"
	modeTCP = "tcp"

	defaultPoll = 10 * time.Second
)

// Check says what is wrong with the settings; profiles are looked at by New.
func (c Config) Check() error {
	var problems []error
	say := func(path, format string, args ...any) {
		problems = append(problems, settings.At(path, format, args...))
	}
	_, tcp := c.TCP()
	switch {
	case c.Mode != "" && c.Mode != modeRTU && c.Mode != modeTCP:
		say("mode", "want rtu or tcp, not %q", c.Mode)
	case c.Mode == modeTCP && !tcp:
		say("mode", "Modbus TCP needs a port such as tcp://192.168.1.20:502")
	}
	if len(c.Devices) == 0 {
		say("devices", "there are none: name at least one, as in [{address: 1, profile: eastron-sdm120}]")
	}
	for key, d := range map[string]time.Duration{"poll": c.Poll, "timeout": c.Timeout} {
		if d != 0 && d < 10*time.Millisecond {
			say(key, "want at least 10ms, not %v", d)
		}
	}
	if c.Timeout > time.Minute {
		say("timeout", "want at most a minute: every dead device would hold up the others for so long")
	}
	if c.Pause > time.Second {
		say("pause", "want at most 1s, not %v", c.Pause)
	}
	low, high := 1, 247
	if !c.rtu() {
		low, high = 0, 255
	}
	seen := map[int]bool{}
	for i, d := range c.Devices {
		at := fmt.Sprintf("devices[%d].", i)
		switch {
		case d.Address < low || d.Address > high:
			say(at+"address", "want %d to %d, not %d", low, high, d.Address)
		case seen[d.Address]:
			say(at+"address", "%d is there twice", d.Address)
		}
		seen[d.Address] = true
		if d.Profile == "" {
			say(at+"profile", "is missing: which kind of device is it?")
		}
		if d.Poll != 0 && d.Poll < minInterval {
			say(at+"poll", "want at least %v", minInterval)
		}
	}
	return errors.Join(problems...)
}

// rtu reports which framing is spoken.
func (c Config) rtu() bool {
	_, tcp := c.TCP()
	return c.Mode == modeRTU || c.Mode == "" && !tcp
}

// line returns the settings of the port with the defaults of meters.
func (c Config) line() serial.Config {
	return c.Or(serial.Config{Baud: 9600, Parity: serial.ParityNone, DataBits: 8, StopBits: 1})
}

func (c Config) timeout() time.Duration {
	_, tcp := c.TCP()
	switch {
	case c.Timeout != 0:
		return c.Timeout
	case tcp:
		return time.Second
	}
	return 500 * time.Millisecond
}

// character is how long one takes on the line: eleven bits, by the standard. Behind a gateway the line's speed is known
// only if the configuration says it.
func (c Config) character() time.Duration {
	if _, tcp := c.TCP(); !c.rtu() || tcp && c.Baud == 0 {
		return 0
	}
	return 11 * time.Second / time.Duration(c.line().Baud)
}

func (c Config) pause() time.Duration {
	if c.Pause != 0 {
		return c.Pause
	}
	return max(c.character()*7/2, 5*time.Millisecond)
}
