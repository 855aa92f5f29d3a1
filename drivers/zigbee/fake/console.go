package fake

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Console carries out commands of one line each on a mesh and its stick, for scripts and for people. Help lists them.
type Console struct {
	Mesh  *Mesh
	Stick *Stick
}

// A verb is a command: what must follow it, and what it does.
type verb struct {
	usage string
	do    func(c *Console, words []string) error
}

// verbs are all commands. Optional words are in brackets.
func verbs() map[string]verb {
	return map[string]verb{
		"reset":    {"", func(c *Console, _ []string) error { c.Stick.Reset(Watchdog); return nil }},
		"unplug":   {"", func(c *Console, _ []string) error { c.Stick.Unplug(); return nil }},
		"plug":     {"[PATH]", (*Console).plug},
		"hang":     {"TIME", (*Console).hang},
		"starve":   {"TIME", (*Console).starve},
		"junk":     {"BYTES", (*Console).junk},
		"noise":    {"BYTES", (*Console).noise},
		"corrupt":  {"TIMES", (*Console).corrupt},
		"lose":     {"answers|confirms|indications TIMES", (*Console).lose},
		"delay":    {"answers|confirms TIME TIMES", (*Console).delay},
		"fail":     {"DEVICE|any busy|noack|noroute|channel|expired|noaps TIMES", (*Console).fail},
		"pair":     {"DEVICE|all [TIME]", (*Console).pair},
		"leave":    {"DEVICE", each((*Device).Leave)},
		"rejoin":   {"DEVICE", each(func(d *Device) { d.Rejoin(false) })},
		"readdr":   {"DEVICE", each(func(d *Device) { d.Rejoin(true) })},
		"move":     {"DEVICE", each((*Device).Move)},
		"mute":     {"DEVICE", each((*Device).Mute)},
		"stay":     {"DEVICE", each((*Device).Stay)},
		"route":    {"DEVICE", each((*Device).LoseRoute)},
		"echo":     {"DEVICE", each(func(d *Device) { d.Echo(1) })},
		"wake":     {"DEVICE", each((*Device).Wake)},
		"tell":     {"DEVICE", each((*Device).Tell)},
		"on":       {"DEVICE", each(func(d *Device) { d.Power(true) })},
		"off":      {"DEVICE", each(func(d *Device) { d.Power(false) })},
		"attach":   {"DEVICE ROUTER|coordinator", (*Console).attach},
		"press":    {"DEVICE BUTTON", (*Console).press},
		"set":      {"DEVICE ENDPOINT CLUSTER ATTRIBUTE VALUE", (*Console).set},
		"point":    {"DEVICE ID TYPE VALUE", (*Console).point},
		"say":      {"DEVICE ENDPOINT CLUSTER BYTES", (*Console).say},
		"neighbor": {"PAN EXTENDED CHANNEL", (*Console).neighbor},
	}
}

// Help is one line for each command.
func (c *Console) Help() string {
	var b strings.Builder
	all := verbs()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s %s\n", name, all[name].usage)
	}
	return b.String() + "wait TIME\n"
}

// Do carries out one command. An empty line and one that begins with # do nothing.
func (c *Console) Do(line string) error {
	words := strings.Fields(line)
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return nil
	}
	v, known := verbs()[words[0]]
	if !known {
		return fmt.Errorf("there is no command %q", words[0])
	}
	words = words[1:]
	least := 0
	for _, w := range strings.Fields(v.usage) {
		if w[0] != '[' {
			least++
		}
	}
	if len(words) < least {
		return fmt.Errorf("want %s", v.usage)
	}
	return v.do(c, words)
}

// Run carries out the lines of a script one after the other. "wait TIME" waits.
func (c *Console) Run(ctx context.Context, script io.Reader) error {
	lines := bufio.NewScanner(script)
	for n := 1; lines.Scan(); n++ {
		err := c.wait(ctx, lines.Text())
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

func (c *Console) wait(ctx context.Context, line string) error {
	after, waits := strings.CutPrefix(strings.TrimSpace(line), "wait ")
	if !waits {
		return c.Do(line)
	}
	d, err := time.ParseDuration(strings.TrimSpace(after))
	if err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return nil
}

func (c *Console) device(name string) (*Device, error) {
	if d := c.Mesh.Device(name); d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("there is no device %q", name)
}

// each is a command that does something to one device.
func each(do func(*Device)) func(*Console, []string) error {
	return func(c *Console, words []string) error {
		d, err := c.device(words[0])
		if err == nil {
			do(d)
		}
		return err
	}
}

func (c *Console) plug(words []string) error {
	if len(words) > 0 {
		c.Stick.Rename(words[0])
	}
	c.Stick.Plug()
	return nil
}

func (c *Console) hang(words []string) error {
	d, err := time.ParseDuration(words[0])
	if err == nil {
		c.Stick.Hang(d)
	}
	return err
}

func (c *Console) starve(words []string) error {
	d, err := time.ParseDuration(words[0])
	if err == nil {
		c.Stick.Starve(d)
	}
	return err
}

func (c *Console) junk(words []string) error {
	b, err := hex.DecodeString(strings.Join(words, ""))
	if err == nil {
		c.Stick.Junk(b)
	}
	return err
}

func (c *Console) noise(words []string) error {
	b, err := hex.DecodeString(strings.Join(words, ""))
	if err == nil {
		c.Stick.Noise(b)
	}
	return err
}

func (c *Console) corrupt(words []string) error {
	n, err := strconv.Atoi(words[0])
	if err == nil {
		c.Stick.Corrupt(n)
	}
	return err
}

func kindNamed(word string) (kind, error) {
	i := slices.Index([]string{"answers", "confirms", "indications"}, word)
	if i < 0 {
		return 0, fmt.Errorf("want answers, confirms or indications, not %q", word)
	}
	return kind(i), nil
}

func (c *Console) lose(words []string) error {
	k, err := kindNamed(words[0])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(words[1])
	if err == nil {
		c.Stick.lose(k, n)
	}
	return err
}

func (c *Console) delay(words []string) error {
	k, err := kindNamed(words[0])
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(words[1])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(words[2])
	if err == nil {
		c.Stick.delay(k, d, n)
	}
	return err
}

func (c *Console) fail(words []string) error {
	outcome, known := map[string]Outcome{
		"busy": BufferFull, "noack": NoAck, "noroute": NoRoute, "channel": ChannelAccess, "expired": Expired, "noaps": NoAPSAck,
	}[words[1]]
	if !known {
		return fmt.Errorf("want busy, noack, noroute, channel, expired or noaps, not %q", words[1])
	}
	n, err := strconv.Atoi(words[2])
	if err != nil {
		return err
	}
	var d *Device
	if words[0] != "any" {
		if d, err = c.device(words[0]); err != nil {
			return err
		}
	}
	c.Stick.Fail(d, outcome, n)
	return nil
}

func (c *Console) pair(words []string) error {
	search := time.Duration(0)
	if len(words) > 1 {
		var err error
		if search, err = time.ParseDuration(words[1]); err != nil {
			return err
		}
	}
	if words[0] == "all" {
		for _, d := range c.Mesh.Devices() {
			d.Pair(search)
		}
		return nil
	}
	return each(func(d *Device) { d.Pair(search) })(c, words)
}

func (c *Console) attach(words []string) error {
	d, err := c.device(words[0])
	if err != nil {
		return err
	}
	var parent *Device
	if words[1] != "coordinator" {
		if parent, err = c.device(words[1]); err != nil {
			return err
		}
	}
	d.Attach(parent)
	return nil
}

func (c *Console) press(words []string) error {
	d, err := c.device(words[0])
	if err != nil {
		return err
	}
	return d.Press(words[1])
}

func (c *Console) set(words []string) error {
	d, err := c.device(words[0])
	if err != nil {
		return err
	}
	endpoint, err := strconv.ParseUint(words[1], 0, 8)
	if err != nil {
		return err
	}
	var cluster Cluster
	if err := cluster.UnmarshalText([]byte(words[2])); err != nil {
		return err
	}
	attribute, err := attributeOf(cluster, words[3])
	if err != nil {
		return err
	}
	value, err := valueOf(uint16(cluster), attribute, strings.Join(words[4:], " "))
	if err != nil {
		return err
	}
	return d.Set(uint8(endpoint), uint16(cluster), attribute, value)
}

func (c *Console) point(words []string) error {
	d, err := c.device(words[0])
	if err != nil {
		return err
	}
	id, err := strconv.ParseUint(words[1], 0, 8)
	if err != nil {
		return err
	}
	return d.SetPoint(uint8(id), strings.Join(words[2:], " "))
}

func (c *Console) say(words []string) error {
	d, err := c.device(words[0])
	if err != nil {
		return err
	}
	endpoint, err := strconv.ParseUint(words[1], 0, 8)
	if err != nil {
		return err
	}
	var cluster Cluster
	if err := cluster.UnmarshalText([]byte(words[2])); err != nil {
		return err
	}
	b, err := hex.DecodeString(strings.Join(words[3:], ""))
	if err == nil {
		d.SayRaw(uint8(endpoint), uint16(cluster), b)
	}
	return err
}

func (c *Console) neighbor(words []string) error {
	pan, err := strconv.ParseUint(words[0], 0, 16)
	if err != nil {
		return err
	}
	f := Foreign{PAN: uint16(pan)}
	if err := f.Extended.UnmarshalText([]byte(words[1])); err != nil {
		return err
	}
	channel, err := strconv.ParseUint(words[2], 0, 8)
	f.Channel = uint8(channel)
	if err == nil {
		c.Mesh.Neighbour(f)
	}
	return err
}
