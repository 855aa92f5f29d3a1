package zigbee

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/zcl"
)

// text is the beginning of a definition file: it can be read as it is, and what a person has to decide about stands in
// comments; driver.mu is held.
func (j *dump) text(why error) string {
	t := &dumpText{dev: j.dev}
	t.head(why)
	t.match()
	t.standard()
	t.attributes(j.clusters)
	t.tags(j.clusters)
	t.tuya()
	t.commands()
	return t.String()
}

// dumpText is a text in the making.
type dumpText struct {
	strings.Builder
	dev *device
}

func (t *dumpText) say(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

func (t *dumpText) head(why error) {
	dev := t.dev
	t.say("# What %s says of itself, %s.", dev.id, dev.driver.now().UTC().Format(time.RFC3339))
	t.say("#")
	t.say("# This is the beginning of a definition: keep it as a file in the folder that definitions: names in the")
	t.say("# configuration, take the number sign off the lines that are to be properties, and write in which. A property's name")
	t.say("# is one of the house's words, as temperature, or one of your own.")
	if why != nil {
		t.say("#")
		t.say("# It is not all: %s.", oneLine(why.Error()))
	}
	t.say("#")
	t.say("# firmware %s, date code %s, power source %d, manufacturer code %s", quoted(dev.Firmware), quoted(dev.DateCode), dev.Power, hexID(dev.Description.Manufacturer))
	if n := dev.Node; n != nil {
		t.say("# node: %s, mains %t, awake %t, specification revision %d, buffer %d bytes", n.Type, n.Mains, n.Awake, n.Revision, n.MaxBuffer)
	}
	if d := dev.definition; d != nil {
		t.say("# the definition in use: %s, from %s", quoted(definitionName(d)), d.Source)
	} else {
		t.say("# there is no definition of this model: it is as the standard has it")
	}
	t.say("")
}

// match names the model. What the device does not say is left out; without any name it must not fit every device there is.
func (t *dumpText) match() {
	vendor, model := t.dev.Vendor, t.dev.Model
	keys := make([]string, 0, 2)
	if vendor != "" || model == "" {
		keys = append(keys, "vendor: "+quoted(cmp.Or(vendor, unnamed)))
	}
	if model != "" {
		keys = append(keys, "model: "+quoted(model))
	}
	t.say("- match: {%s}", strings.Join(keys, ", "))
	t.say("  vendor: %s", quoted(cmp.Or(vendor, unnamed)))
	t.say("  model: %s", quoted(cmp.Or(model, unnamed)))
	t.say("  # type: %s", t.dev.told.Type)
	t.say("  # power: %s", t.dev.powered())
}

// unnamed stands for a name that the device does not say.
const unnamed = "unknown"

// standard lists the endpoints, and what is made of them without a word of a person.
func (t *dumpText) standard() {
	t.say("")
	for _, e := range t.dev.Endpoints {
		t.say("  # endpoint %d: profile %s, device %s", e.ID, hexID(e.Profile), hexID(e.Device))
		t.say("  #   serves %s", clusterList(e.In))
		t.say("  #   uses %s", clusterList(e.Out))
	}
	var names []string
	for _, p := range t.dev.told.Properties {
		names = append(names, p.Name)
	}
	t.say("  # properties so far: %s", strings.Join(names, ", "))
}

func clusterList(ids []uint16) string {
	if len(ids) == 0 {
		return "none"
	}
	var names []string
	for _, id := range ids {
		name := zcl.ClusterName(id)
		if name != hexID(id) {
			name += " " + hexID(id)
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func (t *dumpText) attributes(clusters []dumped) {
	t.say("")
	t.say("  # attributes:")
	for _, c := range clusters {
		if len(c.attributes) == 0 {
			t.say("  #   # endpoint %d, %s: tells of no attribute", c.endpoint, zcl.ClusterName(c.cluster))
		}
		for _, a := range c.attributes {
			keys := fmt.Sprintf(`property: "", endpoint: %d, cluster: %s, attribute: %s`, c.endpoint, zcl.ClusterName(c.cluster), attributeName(c.attributePlace, a.ID))
			if c.manufacturer != 0 {
				keys += ", manufacturer: " + hexID(c.manufacturer)
			}
			if _, known := zcl.TypeNamed(a.Type.String()); known {
				keys += ", type: " + a.Type.String()
			}
			t.say("  #   - {%s} # %s", keys, a.remark())
		}
	}
}

// remark is what a person reads of an attribute: its value, and what may be done with it.
func (a dumpedAttribute) remark() string {
	text := "no value"
	if a.value.Type != zcl.UnknownType {
		text = oneLine(a.value.String())
	}
	for _, may := range []struct {
		bit  zcl.Access
		word string
	}{{zcl.Writable, "writable"}, {zcl.Reportable, "reportable"}} {
		if a.Access&may.bit != 0 {
			text += ", " + may.word
		}
	}
	return text
}

// tags lists what Aqara's devices have put together into one attribute.
func (t *dumpText) tags(clusters []dumped) {
	var lines []string
	seen := map[string]bool{}
	note := func(cluster, attribute uint16, v zcl.Value) {
		tags, list := quirks.Tagged(cluster, attribute, v)
		for _, tag := range tags {
			key := fmt.Sprintf("tag: 0x%02x", tag.Tag)
			if list {
				key += ", list: true"
			}
			if !seen[key] {
				seen[key] = true
				lines = append(lines, fmt.Sprintf(`  #   - {%s, property: ""} # %s %s`, key, tag.Value.Type, oneLine(tag.Value.String())))
			}
		}
	}
	for _, c := range clusters {
		for _, a := range c.attributes {
			note(c.cluster, a.ID, a.value)
		}
	}
	for _, a := range t.dev.said.attributes() {
		note(a.cluster, a.ID, a.Value)
	}
	t.list("aqara", lines)
}

func (t *dumpText) list(key string, lines []string) {
	if len(lines) == 0 {
		return
	}
	t.say("")
	t.say("  # %s:", key)
	for _, line := range lines {
		t.say("%s", line)
	}
}

func (t *dumpText) tuya() {
	points := t.dev.said.points()
	if len(points) == 0 {
		return
	}
	t.say("")
	t.say("  # tuya:")
	t.say("  #   points:")
	for _, p := range points {
		t.say(`  #     - {dp: %d, type: %s, property: ""} # %v`, p.ID, p.Type, plainPoint(p.Point))
	}
}

func (t *dumpText) commands() {
	var lines []string
	for _, c := range t.dev.said.commands() {
		keys := fmt.Sprintf(`property: "", value: "", endpoint: %d, cluster: %s, command: %s`, c.endpoint, zcl.ClusterName(c.cluster), zcl.CommandName(c.cluster, c.toClient, c.command))
		if c.manufacturer != 0 {
			keys += ", manufacturer: " + hexID(c.manufacturer)
		}
		if c.toClient {
			keys += ", from_server: true"
		}
		remark := "without a payload"
		if len(c.payload) > 0 {
			remark = "payload " + oneLine(hex.EncodeToString(c.payload))
		}
		lines = append(lines, fmt.Sprintf("  #   - {%s} # %s", keys, remark))
	}
	t.list("commands", lines)
}

// quoted is a text as YAML takes it.
func quoted(text string) string { return strconv.Quote(text) }

const longestRemark = 160

// oneLine is what others have said as it fits behind a number sign.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > longestRemark {
		text = strings.ToValidUTF8(text[:longestRemark], "") + "…"
	}
	return text
}
