package tasmota

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"hearth/drivers/mqtt/dialect"
)

// Limits on what an announcement may list. The firmware has at most 32 relays, 28 switches and 32 buttons.
const (
	maxRelays   = 64
	maxShutters = 16
)

// What a relay is for.
const (
	isRelay   = 1
	isLight   = 2
	isShutter = 3
)

// Light subtypes.
const (
	single   = 1
	coldWarm = 2
	rgb      = 3
	rgbw     = 4
	rgbcw    = 5
)

// The SetOptions that matter.
const (
	soResponse  = "4"   // a command is answered under its own name, not under RESULT
	soSwap      = "11"  // a single press counts as double, and the other way around
	soOnlyOne   = "13"  // a button knows single presses only
	soChannels  = "68"  // each channel is a light of its own
	soButtons   = "73"  // buttons are told instead of switching the relay
	soSmallCT   = "82"  // 200 to 380 mired instead of 153 to 500
	soSwitches  = "114" // switches are told instead of switching the relay
	soFixedFade = "117" // a fade takes the same time however far it goes
)

// A config is what discovery says of one device.
type config struct {
	Name        string             `json:"dn"`
	Friendly    []*string          `json:"fn"`
	Host        string             `json:"hn"`
	MAC         string             `json:"mac"`
	Module      string             `json:"md"`
	Tuya        float64            `json:"ty"`
	Fan         float64            `json:"if"`
	Offline     string             `json:"ofln"`
	Online      string             `json:"onln"`
	States      []string           `json:"state"` // the texts for off, on, toggle and hold
	Version     string             `json:"sw"`
	Topic       string             `json:"t"`
	FullTopic   string             `json:"ft"`
	Prefixes    []string           `json:"tp"` // cmnd, stat, tele
	Relays      []float64          `json:"rl"`
	Switches    []float64          `json:"swc"`
	SwitchNames []*string          `json:"swn"`
	Buttons     []float64          `json:"btn"`
	Options     map[string]float64 `json:"so"`
	Linked      float64            `json:"lk"` // colour and white are one light
	Light       float64            `json:"lt_st"`
	Battery     float64            `json:"bat"`
	Sleeps      float64            `json:"dslp"`
	Shutters    []float64          `json:"sho"` // bit 0: inverted
	Tilts       [][]float64        `json:"sht"` // lowest, highest, duration

	command, stat, tele string // topics, with their last slash
}

// parseConfig reads an announcement and works out the topics.
func parseConfig(mac string, payload []byte) (*config, error) {
	c := &config{Offline: "Offline", Online: "Online", FullTopic: "%prefix%/%topic%/", Prefixes: []string{"cmnd", "stat", "tele"}}
	if err := dialect.ReadJSON(payload, c); err != nil {
		return nil, err
	}
	switch {
	case !strings.EqualFold(c.MAC, mac):
		return nil, fmt.Errorf("it is of %q, and announced under another name", dialect.Clip(c.MAC, 40))
	case len(c.Relays) > maxRelays || len(c.Switches) > maxRelays || len(c.Buttons) > maxRelays || len(c.Shutters) > maxRelays:
		return nil, fmt.Errorf("it lists more than %d relays, switches, buttons or shutters", maxRelays)
	case len(c.Prefixes) != 3:
		return nil, fmt.Errorf("it has %d prefixes, want three (cmnd, stat, tele)", len(c.Prefixes))
	case !strings.Contains(c.FullTopic, "%prefix%") || !strings.Contains(c.FullTopic, "%topic%"):
		return nil, fmt.Errorf("its FullTopic %q has no %%prefix%% or no %%topic%%", dialect.Clip(c.FullTopic, 80))
	}
	if len(c.States) < 2 || c.States[0] == "" || c.States[1] == "" {
		c.States = []string{"OFF", "ON", "TOGGLE", "HOLD"}
	}
	c.command, c.stat, c.tele = c.topic(c.Prefixes[0]), c.topic(c.Prefixes[1]), c.topic(c.Prefixes[2])
	for _, base := range []string{c.command, c.stat, c.tele} {
		if err := dialect.CheckTopic(base + "RESULT"); err != nil {
			return nil, err
		}
	}
	if c.command == c.stat || c.command == c.tele {
		return nil, fmt.Errorf("it takes commands where it says its state (%q): give it other prefixes", dialect.Clip(c.command, 80))
	}
	return c, nil
}

func (c *config) topic(prefix string) string {
	id := c.MAC[max(0, len(c.MAC)-6):]
	topic := strings.NewReplacer("%prefix%", prefix, "%topic%", c.Topic, "%hostname%", c.Host, "%id%", id).Replace(c.FullTopic)
	return strings.TrimSuffix(topic, "/") + "/"
}

// bases are where the device speaks.
func (c *config) bases() []string {
	if c.stat == c.tele {
		return []string{c.stat}
	}
	return []string{c.stat, c.tele}
}

// filters are what to subscribe to.
func (c *config) filters() []string {
	list := []string{c.tele + "LWT", c.tele + "STATE", c.tele + "SENSOR"}
	if c.option(soResponse) {
		return append(list, c.stat+"+")
	}
	list = append(list, c.stat+"RESULT", c.stat+"STATUS8", c.stat+"STATUS10", c.stat+"STATUS11")
	for i, kind := range c.Relays {
		if kind == isRelay || kind == isLight {
			list = append(list, c.stat+"POWER"+strconv.Itoa(i+1))
			if i == 0 {
				list = append(list, c.stat+"POWER")
			}
		}
	}
	return list
}

func (c *config) option(number string) bool { return c.Options[number] != 0 }

// switchName is the key under which switch i is told.
func (c *config) switchName(i int) string {
	if i < len(c.SwitchNames) && c.SwitchNames[i] != nil && *c.SwitchNames[i] != "" {
		return *c.SwitchNames[i]
	}
	return "Switch" + strconv.Itoa(i+1)
}

// firstLight is the first relay that is a light, -1 if there is none.
func (c *config) firstLight() int { return slices.Index(c.Relays, isLight) }

// span is the lamp's colour temperatures in kelvin.
func (c *config) span() (low, high float64) {
	if c.option(soSmallCT) {
		return math.Floor(1e6 / 380), math.Ceil(1e6 / 200)
	}
	return math.Floor(1e6 / 500), math.Ceil(1e6 / 153)
}

// mired turns kelvin into what the lamp takes.
func (c *config) mired(kelvin float64) float64 {
	warm, cold := 500.0, 153.0
	if c.option(soSmallCT) {
		warm, cold = 380, 200
	}
	return min(max(dialect.Mired().Out(kelvin), cold), warm)
}
