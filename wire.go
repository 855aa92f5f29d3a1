package hearth

import (
	"fmt"
	"strconv"
	"strings"
)

// Commands and results travel between receiver and gateway as JSON over MQTT (QoS 1, never retained): a Command on
// hearth/<home>/do, a Result on hearth/<home>/done.

// A Result is what a gateway says about a command of the receiver's: one for every change of state.
type Result struct {
	ID      string `json:"id"`
	State   State  `json:"state"`
	Final   bool   `json:"final"`
	Error   *Error `json:"error,omitempty"`
	History []Step `json:"history"`
}

// ResultOf returns what to say of a record.
func ResultOf(r Record) Result {
	return Result{ID: r.ID, State: r.State, Final: r.Final, Error: r.Error, History: r.History}
}

// A LiveReading is the payload of hearth/<home>/reading/<device>/<property>. Time is null while the gateway's clock is
// not trusted.
type LiveReading struct {
	Value Value `json:"value"`
	Time  Time  `json:"time"`
}

// Topics of a home.
func TopicDo(home string) string     { return "hearth/" + home + "/do" }
func TopicDone(home string) string   { return "hearth/" + home + "/done" }
func TopicOnline(home string) string { return "hearth/" + home + "/online" }

// TopicReading names the topic of one property. IDs and property names hold no character that means something in MQTT.
func TopicReading(home string, device ID, property string) string {
	return "hearth/" + home + "/reading/" + string(device) + "/" + property
}

// TopicEvent names the topic of device, command or alert events.
func TopicEvent(home, kind string) string { return "hearth/" + home + "/event/" + kind }

// TopicTenantEvent names the topic of an event that concerns a tenant as a whole. No home is called tenant.
func TopicTenantEvent(tenant, kind string) string {
	return "hearth/tenant/" + tenant + "/event/" + kind
}

// TopicCommand is where applications give a home's commands.
func TopicCommand(home string) string { return "hearth/" + home + "/command" }

// TopicDirect is where a device without a gateway speaks for itself: kind is announce or report. What of it was refused
// comes back with kind refused.
func TopicDirect(home, address, kind string) string {
	return "hearth/" + home + "/direct/" + address + "/" + kind
}

// ParseTopic takes a topic apart: kind is do, done, online, reading, event, command or direct, rest what follows it.
func ParseTopic(topic string) (home, kind, rest string, ok bool) {
	parts := strings.SplitN(topic, "/", 4)
	if len(parts) < 3 || parts[0] != "hearth" {
		return "", "", "", false
	}
	if len(parts) == 4 {
		rest = parts[3]
	}
	return parts[1], parts[2], rest, true
}

// Headers of the batch protocol.
const (
	HeaderBatch    = "Hearth-Batch"    // request: <epoch>/<seq>
	HeaderLedger   = "Hearth-Ledger"   // request: produced=N,dropped=N,backlog=N,durable=SEQ
	HeaderDurable  = "Hearth-Durable"  // reply: <epoch>/<seq>
	HeaderRejected = "Hearth-Rejected" // reply: N lines of the batch were bad
	HeaderTime     = "Hearth-Time"     // reply: the receiver's clock, unix milliseconds
	HeaderDrain    = "Hearth-Drain"    // reply: bytes of bodies a second at which a backlog is to be sent; none: as fast as it goes
)

// A BatchID names a committed block: Seq counts from 1 without a gap within an Epoch, one life of a buffer.
type BatchID struct {
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

func (b BatchID) String() string { return b.Epoch + "/" + strconv.FormatUint(b.Seq, 10) }

// ParseBatchID reads what String writes.
func ParseBatchID(s string) (BatchID, error) {
	epoch, number, ok := strings.Cut(s, "/")
	seq, err := strconv.ParseUint(number, 10, 63)
	if !ok || err != nil || epoch == "" || len(epoch) > 64 {
		return BatchID{}, Errorf(CodeBadValue, "%q: want epoch/seq, as in 4f9a/12", clip(s))
	}
	return BatchID{Epoch: epoch, Seq: seq}, nil
}

// A Ledger is one snapshot of a gateway's account with one target, in rows (Durable: a seq). At every moment
// Produced = acknowledged + Backlog + Dropped.
type Ledger struct {
	Produced, Dropped, Backlog, Durable uint64
}

func (l Ledger) String() string {
	return fmt.Sprintf("produced=%d,dropped=%d,backlog=%d,durable=%d", l.Produced, l.Dropped, l.Backlog, l.Durable)
}

// ParseLedger reads what String writes; further keys are ignored.
func ParseLedger(s string) (Ledger, error) {
	var l Ledger
	fields := map[string]*uint64{"produced": &l.Produced, "dropped": &l.Dropped, "backlog": &l.Backlog, "durable": &l.Durable}
	for _, pair := range strings.Split(s, ",") {
		key, text, _ := strings.Cut(strings.TrimSpace(pair), "=")
		field, known := fields[key]
		if !known {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return Ledger{}, Errorf(CodeBadValue, "ledger %q: %s is no count", clip(s), clip(key))
		}
		*field = n
		delete(fields, key)
	}
	if len(fields) > 0 {
		return Ledger{}, Errorf(CodeBadValue, "ledger %q: want produced=N,dropped=N,backlog=N,durable=SEQ", clip(s))
	}
	return l, nil
}

// Sync is the answer to GET /api/v1/homes/{home}/sync.
type Sync struct {
	Epoch   string `json:"epoch"`
	Durable uint64 `json:"durable"`
}

// A Claim is the answer to POST /api/v1/claim.
type Claim struct {
	Home      string `json:"home"`
	Name      string `json:"name"`
	Token     string `json:"token"`
	TokenName string `json:"token_name"`
	MQTT      string `json:"mqtt"` // the broker's URL; "" means the receiver's own, at /mqtt
}

// Whoami is the answer to GET /api/v1/whoami.
type Whoami struct {
	Home      string `json:"home"`
	Name      string `json:"name"`
	TokenName string `json:"token_name"`
	Scope     Scope  `json:"scope"`
	MQTT      string `json:"mqtt"`
}
