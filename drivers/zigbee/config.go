package zigbee

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"hearth/drivers/serial"
	"hearth/drivers/zigbee/radio"
	"hearth/settings"
)

// A Config is one stick and its network.
type Config struct {
	serial.Config `yaml:",inline"`

	Adapter     string         `yaml:"adapter"` // znp, ezsp or auto; "" means auto
	Network     NetworkConfig  `yaml:"network"`
	Power       *int           `yaml:"power"`       // transmit power in dBm; none: as the firmware has it
	Definitions string         `yaml:"definitions"` // a folder of a person's own device definitions
	Firmware    FirmwareConfig `yaml:"firmware"`

	Dir string `yaml:"-"` // where relative paths begin: the folder of the configuration file
}

// A NetworkConfig says what a new network shall be like, and what to do when the stick has another one than the driver
// keeps. What it does not name is chosen at random. A network that is kept does not change with it.
type NetworkConfig struct {
	Channel  uint8     `yaml:"channel"`         // 11 to 26; 0: a quiet one is chosen
	PAN      hexNumber `yaml:"pan_id"`          // 0x0001 to 0xfffe
	Extended string    `yaml:"extended_pan_id"` // 16 hex digits
	KeyFile  string    `yaml:"key_file"`        // holds the network key: 32 hex digits

	Adopt   string `yaml:"adopt"`   // the extended PAN id of the network on the stick, to go on with it
	Replace string `yaml:"replace"` // the extended PAN id of the network to be given up

	BurnAddress bool `yaml:"burn_address"` // a restore may use up the one address that some sticks can be given in their life
}

// A FirmwareConfig says where the images are that devices are updated with.
type FirmwareConfig struct {
	Dir   string `yaml:"dir"`   // a folder of image files; "": firmware in the driver's own directory
	Index string `yaml:"index"` // a file or https:// address that lists more, in the form of the zigbee-OTA project; "": none
}

// The adapters: which firmware the stick runs.
const (
	adapterAuto = "auto"
	adapterZNP  = "znp"
	adapterEZSP = "ezsp"
)

// Check says what is wrong with the settings alone.
func (c Config) Check() error {
	var problems []error
	say := func(path, format string, args ...any) {
		problems = append(problems, settings.At(path, format, args...))
	}
	switch c.Adapter {
	case "", adapterAuto, adapterZNP, adapterEZSP:
	default:
		say("adapter", "want znp (Texas Instruments), ezsp (Silicon Labs) or auto, not %q", c.Adapter)
	}
	if c.Power != nil && (*c.Power < -30 || *c.Power > 30) {
		say("power", "want -30 to 30 dBm, not %d", *c.Power)
	}
	n := c.Network
	if n.Channel != 0 && (n.Channel < 11 || n.Channel > 26) {
		say("network.channel", "want 11 to 26, not %d", n.Channel)
	}
	if n.PAN.set && (n.PAN.n == 0 || n.PAN.n >= 0xffff) {
		say("network.pan_id", "want 0x0001 to 0xfffe, not 0x%x", n.PAN.n)
	}
	for path, id := range map[string]string{
		"network.extended_pan_id": n.Extended, "network.adopt": n.Adopt, "network.replace": n.Replace,
	} {
		if id == "" {
			continue
		}
		if x, err := radio.ParseIEEE(id); err != nil || x == 0 || x == ^radio.IEEE(0) {
			say(path, "want an extended PAN id, 16 hex digits in quotes as in \"dd00112233445566\", not %q", id)
		}
	}
	if n.Adopt != "" && n.Adopt == n.Replace {
		say("network.adopt", "says to go on with network %s, and replace to give it up: which?", n.Adopt)
	}
	return errors.Join(problems...)
}

// line returns the settings of the port with the defaults of that adapter.
func (c Config) line(adapter string) serial.Config {
	defaults := serial.Config{Baud: 115200, Parity: serial.ParityNone, DataBits: 8, StopBits: 1, Flow: serial.FlowNone}
	if adapter == adapterEZSP {
		defaults.Flow = serial.FlowSoftware
	}
	return c.Or(defaults)
}

// path returns where a relative path of the configuration leads.
func (c Config) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.Dir, name)
}

// key reads the network key that a person has chosen; nil if none.
func (c Config) key() (*radio.Key, error) {
	if c.Network.KeyFile == "" {
		return nil, nil
	}
	data, err := os.ReadFile(c.path(c.Network.KeyFile))
	if err != nil {
		return nil, fmt.Errorf("reading the network key: %w", err)
	}
	text := strings.TrimSpace(string(data))
	var key radio.Key
	if len(text) != 2*len(key) {
		return nil, fmt.Errorf("reading the network key: %s must hold 32 hex digits and nothing else", c.Network.KeyFile)
	}
	for i := range key {
		b, err := strconv.ParseUint(text[2*i:2*i+2], 16, 8)
		if err != nil {
			return nil, fmt.Errorf("reading the network key: %s must hold 32 hex digits and nothing else", c.Network.KeyFile)
		}
		key[i] = byte(b)
	}
	return &key, nil
}

// A hexNumber is written as 0x1a62, 1a62 would be ambiguous, or as 6754.
type hexNumber struct {
	n   uint64
	set bool
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *hexNumber) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 0, 32)
	if err != nil {
		return fmt.Errorf("want a number as 0x1a62 or 6754, not %q", text)
	}
	*h = hexNumber{n, true}
	return nil
}
