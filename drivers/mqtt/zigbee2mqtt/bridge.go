package zigbee2mqtt

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// An instance is one Zigbee2MQTT; d.mu guards it.
type instance struct {
	d    *Dialect
	base string

	online, known bool // what bridge/state says, if it has
	remembered    bool // it was there in an earlier life
	coordinator   *device
	members       map[hearth.ID]*device // its devices and groups
	inventory     [sha256.Size]byte     // of bridge/devices as it was last read
	grouping      [sha256.Size]byte
	groups        []groupInfo
	kept          map[string][sha256.Size]byte // what the Store has
}

// usualBase is the base topic that nobody has changed.
const usualBase = "zigbee2mqtt"

func (in *instance) handle(word string, m dialect.Message) {
	var err error
	switch word {
	case "info":
		err = in.info(m.Payload)
	case "state":
		in.state(m.Payload)
	case "devices":
		err = in.devices(m.Payload)
	case "groups":
		err = in.groupList(m.Payload)
	case "event":
		if !m.Retained {
			err = in.event(m.Payload)
		}
	case "logging":
		if !m.Retained {
			err = in.logging(m.Payload)
		}
	default:
		if request, ok := strings.CutPrefix(word, "response/"); ok && !m.Retained {
			err = in.response(request, m.Payload)
		}
	}
	if err != nil {
		in.d.once.Warn(in.d.env.Log, "unreadable "+in.base+word, "a message of Zigbee2MQTT cannot be read (said once)", "topic", dialect.Clip(m.Topic, 120), "error", err)
	}
}

// bridgeInfo is what bridge/info says that matters here.
type bridgeInfo struct {
	Version     string `json:"version"`
	Coordinator struct {
		IEEE string `json:"ieee_address"`
		Type string `json:"type"`
	} `json:"coordinator"`
	PermitJoin    bool  `json:"permit_join"`
	PermitJoinEnd int64 `json:"permit_join_end"` // unix milliseconds
}

func (in *instance) info(payload []byte) error {
	if len(payload) == 0 {
		return nil
	}
	var info bridgeInfo
	if err := dialect.ReadJSON(payload, &info); err != nil {
		return err
	}
	address, ok := ieee(info.Coordinator.IEEE)
	if !ok {
		return errors.New("it names no coordinator")
	}
	d := in.d
	name := "Zigbee2MQTT"
	if in.base != usualBase {
		name += " " + in.base
	}
	pairing := word("pairing").AsWritable()
	dev := &device{
		instance: in, kind: coordinatorKind, values: map[string]held{},
		Device: hearth.Device{
			ID: d.env.ID(address), Name: dialect.Name(name), Type: "coordinator", Vendor: "Zigbee2MQTT", Model: dialect.Name(info.Coordinator.Type),
			Firmware: dialect.Name(info.Version), Properties: []hearth.Property{pairing},
		},
	}
	if old := in.coordinator; old != nil && old.ID == dev.ID {
		dev.values = old.values
	}
	if !d.admit(dev) {
		return nil
	}
	in.coordinator = dev
	d.env.Bus.Announce(dev.Device)
	plain := info
	plain.PermitJoin, plain.PermitJoinEnd = false, 0
	if kept, err := json.Marshal(plain); err == nil {
		in.keep("info", kept)
	}
	left := 0.0
	if info.PermitJoin {
		left = 254
		if info.PermitJoinEnd > 0 {
			now, _ := d.env.Now()
			left = min(254, max(1, math.Round(time.UnixMilli(info.PermitJoinEnd).Sub(now).Seconds())))
		}
		if dev.values["pairing"].value.Number() > 0 {
			return nil // the response has said it better
		}
	}
	dev.tell(in.reach(), hearth.Reading{Device: dev.ID, Property: "pairing", Value: hearth.NumberOf(left)})
	return nil
}

// reach is what the bridge's own state says of the coordinator; nil if it has said nothing.
func (in *instance) reach() *bool {
	if !in.known {
		return nil
	}
	return &in.online
}

// state takes in bridge/state, which is {"state":"online"}, or the bare word.
func (in *instance) state(payload []byte) {
	there, ok := presence(payload)
	if !ok {
		return
	}
	was := in.known && in.online
	in.online, in.known = there, true
	if in.coordinator != nil {
		in.coordinator.reach(there)
	}
	for _, dev := range in.members {
		if there != was {
			dev.reach(there && !dev.offline())
		}
		if there && !was {
			dev.asked = false
		}
	}
	if there {
		in.d.look()
	} else {
		for id := range in.members {
			in.d.waiter.Refused(id, hearth.Errorf(hearth.CodeUnknownOutcome, "Zigbee2MQTT (%s) was stopped before it answered", in.base))
		}
	}
}

// presence reads online or offline, plain or as an object with a state.
func presence(payload []byte) (there, ok bool) {
	word := strings.TrimSpace(string(payload[:min(len(payload), 256)]))
	if dialect.IsObject(payload) {
		var said struct {
			State string `json:"state"`
		}
		if dialect.ReadJSON(payload, &said) != nil {
			return false, false
		}
		word = said.State
	}
	return word == "online", word == "online" || word == "offline"
}

// deviceInfo is what bridge/devices says of one.
type deviceInfo struct {
	IEEE        string `json:"ieee_address"`
	Type        string `json:"type"`
	Friendly    string `json:"friendly_name"`
	Disabled    bool   `json:"disabled"`
	PowerSource string `json:"power_source"`
	Vendor      string `json:"manufacturer"`
	Model       string `json:"model_id"`
	Firmware    string `json:"software_build_id"`
	Interview   string `json:"interview_state"`
	Completed   bool   `json:"interview_completed"`
	Interviews  bool   `json:"interviewing"`
	Definition  *struct {
		Vendor      string   `json:"vendor"`
		Model       string   `json:"model"`
		Description string   `json:"description"`
		Exposes     []expose `json:"exposes"`
	} `json:"definition"`

	address string // 16 hex digits
}

func (in *instance) devices(payload []byte) error {
	if len(payload) == 0 {
		return nil
	}
	sum := sha256.Sum256(payload)
	if sum == in.inventory {
		return nil
	}
	if len(payload) > maxInventory {
		return errors.New("it is too large")
	}
	var list []json.RawMessage
	if err := json.Unmarshal(payload, &list); err != nil {
		return err
	}
	in.inventory = sum
	infos, unread := readDevices(list)
	if unread == nil && len(list) > 0 { // first, so that there is room for the new ones
		there := map[hearth.ID]bool{}
		for _, info := range infos {
			there[in.d.env.ID(info.address)] = true
		}
		for id, dev := range in.members {
			if dev.kind == deviceKind && !there[id] {
				in.forget(dev)
			}
		}
	}
	seen := map[hearth.ID]bool{}
	for _, info := range infos {
		if id := in.d.env.ID(info.address); !seen[id] && in.device(id, info) {
			seen[id] = true
		}
	}
	in.keep("devices", payload)
	in.regroup()
	in.d.look()
	return unread
}

// readDevices reads what can be read of an inventory, and says why something cannot.
func readDevices(list []json.RawMessage) (infos []deviceInfo, unread error) {
	for _, raw := range list {
		var info deviceInfo
		if err := dialect.ReadJSON(raw, &info); err != nil {
			unread = err
			continue
		}
		var ok bool
		if info.address, ok = ieee(info.IEEE); ok && info.Type != "Coordinator" {
			infos = append(infos, info)
		}
	}
	return infos, unread
}

// ieee turns 0x00158d0001a2b3c4 into the address of a device.
func ieee(text string) (string, bool) {
	digits, ok := strings.CutPrefix(strings.ToLower(text), "0x")
	return digits, ok && len(digits) == 16 && strings.Trim(digits, "0123456789abcdef") == ""
}

// groupInfo is what bridge/groups says of one.
type groupInfo struct {
	ID       int    `json:"id"`
	Friendly string `json:"friendly_name"`
	Members  []struct {
		IEEE string `json:"ieee_address"`
	} `json:"members"`
}

func (in *instance) groupList(payload []byte) error {
	if len(payload) == 0 {
		return nil
	}
	sum := sha256.Sum256(payload)
	if sum == in.grouping {
		return nil
	}
	var list []groupInfo
	if err := dialect.ReadJSON(payload, &list); err != nil {
		return err
	}
	in.grouping, in.groups = sum, list
	in.keep("groups", payload)
	in.regroup()
	return nil
}

// regroup makes devices of the groups: what their members have. It waits for the devices.
func (in *instance) regroup() {
	if in.inventory == [sha256.Size]byte{} || in.grouping == [sha256.Size]byte{} {
		return
	}
	seen := map[hearth.ID]bool{}
	for _, g := range in.groups {
		if g.ID < 0 || g.ID > 0xffff {
			continue
		}
		address := "group_" + strconv.Itoa(g.ID)
		if in.base != usualBase {
			address = in.base + "_" + address
		}
		id := in.d.env.ID(in.d.env.Address(address))
		if !seen[id] && in.group(id, g) {
			seen[id] = true
		}
	}
	for id, dev := range in.members {
		if dev.kind == groupKind && !seen[id] {
			in.forget(dev)
		}
	}
}

// event takes in joins, interviews and leaves; what they change in the inventory comes with bridge/devices.
func (in *instance) event(payload []byte) error {
	var event struct {
		Type string `json:"type"`
		Data struct {
			IEEE     string `json:"ieee_address"`
			Friendly string `json:"friendly_name"`
			Status   string `json:"status"`
		} `json:"data"`
	}
	if err := dialect.ReadJSON(payload, &event); err != nil {
		return err
	}
	address, ok := ieee(event.Data.IEEE)
	if !ok {
		return nil
	}
	dev := in.members[in.d.env.ID(address)]
	switch {
	case dev == nil || dev.kind != deviceKind:
	case event.Type == "device_leave":
		in.forget(dev)
		in.inventory = [sha256.Size]byte{} // it may come back as it was
	case event.Type == "device_interview":
		dev.setInterview(map[string]string{"started": interviewRunning, "successful": interviewDone, "failed": interviewFailed}[event.Data.Status])
	}
	return nil
}

// logging takes in what went wrong with a command: Publish 'set' 'state' to 'lamp' failed: 'Error: …', and No converter
// available for 'state' on 'lamp': ….
func (in *instance) logging(payload []byte) error {
	var line struct {
		Level   string `json:"level"`
		Message string `json:"message"`
	}
	if err := dialect.ReadJSON(payload, &line); err != nil {
		return err
	}
	key, name, why := complaint(line.Message)
	if key == "" || line.Level != "error" {
		return nil
	}
	dev := in.d.topics[in.base+"/"+name]
	if dev == nil {
		return nil
	}
	var properties []string
	for _, f := range dev.fields {
		if f.path[0] == key {
			properties = append(properties, f.Name)
		}
	}
	if len(properties) > 0 {
		in.d.waiter.Refused(dev.ID, hearth.Errorf(hearth.CodeFailed, "Zigbee2MQTT: %s", dialect.Name(why)), properties...)
	}
	return nil
}

// complaint takes an error message apart: the key that was set, the name of the device, and what is wrong.
func complaint(message string) (key, name, why string) {
	message = strings.TrimPrefix(message, "z2m: ")
	between := " to '"
	rest, ok := strings.CutPrefix(message, "Publish 'set' '")
	if !ok {
		between = " on '"
		if rest, ok = strings.CutPrefix(message, "No converter available for '"); !ok {
			return "", "", ""
		}
	}
	key, rest, ok = strings.Cut(rest, "'"+between)
	if !ok {
		return "", "", ""
	}
	for _, end := range []string{"' failed: ", "': "} {
		if name, why, ok := strings.Cut(rest, end); ok {
			why = strings.TrimPrefix(strings.Trim(why, "'"), "Error: ")
			if end == "': " {
				why = "it takes no " + key
			}
			return key, name, dialect.Clip(why, 200)
		}
	}
	return "", "", ""
}

// response takes in the answer to a request, of ours or somebody else's.
func (in *instance) response(request string, payload []byte) error {
	var answer struct {
		Status      string `json:"status"`
		Error       string `json:"error"`
		Transaction string `json:"transaction"`
		Data        struct {
			Time *float64 `json:"time"`
		} `json:"data"`
	}
	if err := dialect.ReadJSON(payload, &answer); err != nil {
		if request != "permit_join" && len(payload) <= dialect.MaxPayload {
			return nil // data may be of any form
		}
		return err
	}
	if request == "permit_join" && answer.Status == "ok" && answer.Data.Time != nil && in.coordinator != nil {
		in.coordinator.tell(nil, hearth.Reading{Device: in.coordinator.ID, Property: "pairing", Value: hearth.NumberOf(min(254, max(0, *answer.Data.Time)))})
	}
	waits := hearth.ID("request:" + answer.Transaction)
	if answer.Status == "ok" {
		in.d.waiter.Heard(waits)
	} else {
		in.d.waiter.Refused(waits, hearth.Errorf(hearth.CodeFailed, "Zigbee2MQTT: %s", dialect.Name(answer.Error)))
	}
	return nil
}
