package hearth

import (
	"slices"
	"time"
)

// A Severity says how much something that is wrong matters.
type Severity string

// The severities, least first. What is critical is told in quiet hours, too.
const (
	SeverityInfo     Severity = "info"
	SeverityWarning  Severity = "warning"
	SeverityCritical Severity = "critical"
)

// Severities lists them, least first.
var Severities = []Severity{SeverityInfo, SeverityWarning, SeverityCritical}

// AtLeast reports whether s matters as much as the other; what is no severity matters least.
func (s Severity) AtLeast(other Severity) bool {
	return slices.Index(Severities, s) >= slices.Index(Severities, other)
}

// Kinds of alerts.
const (
	AlertGatewayDark    = "gateway_dark"    // the gateway has been away; hides everything else of its home
	AlertOutage         = "outage"          // the gateways of many homes went away together
	AlertDriverDown     = "driver_down"     // hides that its devices are silent
	AlertDeviceSilent   = "device_silent"   // a device does not answer, or says nothing though it always did
	AlertBatteryLow     = "battery_low"     // a battery wants changing soon
	AlertBacklog        = "backlog"         // readings wait on the gateway and do not get fewer
	AlertGap            = "gap"             // readings were lost
	AlertClockUntrusted = "clock_untrusted" // readings wait for the gateway's clock
	AlertDiskWear       = "disk_wear"       // the gateway writes more than its disk bears for long
	AlertLedger         = "ledger"          // the account of readings does not add up
	AlertGateway        = "gateway_alarm"   // what the gateway itself says a person should know
	AlertThreshold      = "threshold"       // a value that a person wanted to be told of
	AlertReceiver       = "receiver"        // the receiver itself: its disk, its certificate
)

// A Condition is something that is wrong, as it shows just now. An alert is made of it once it has lasted.
type Condition struct {
	Kind     string
	About    string // the driver's name, the device's id, …: with Kind, what tells it from others of its home
	Detail   string
	Severity Severity
	Since    time.Time     // known to be so since then; zero: since it was first seen
	For      time.Duration // how long it has to last
	Keeps    bool          // enough to keep an alert, not to raise one: the stretch between two thresholds
}

// An Alert is one thing that is wrong.
type Alert struct {
	ID       string   `json:"id,omitempty"`
	Tenant   string   `json:"tenant,omitempty"` // "" is the receiver's own
	Home     string   `json:"home,omitempty"`   // "" concerns many homes, or none
	Kind     string   `json:"kind"`
	About    string   `json:"about,omitempty"` // the driver's name, the device's id, …
	Detail   string   `json:"detail"`
	Severity Severity `json:"severity,omitempty"`
	Times    int      `json:"times,omitempty"`    // how often it came, where it came and went
	Raised   Time     `json:"raised,omitzero"`    // for the first time
	Acked    Time     `json:"acked,omitzero"`     // when somebody said that they know
	AckedBy  string   `json:"acked_by,omitempty"` // and who
	Cleared  Time     `json:"cleared,omitzero"`
	Homes    []string `json:"homes,omitempty"` // of an outage: those that are away still
	Count    int      `json:"count,omitempty"` // of an outage: how many went away
}

// What happened to an alert, as events tell it.
const (
	AlertRaised       = "raised"
	AlertUpdated      = "updated" // an outage has grown
	AlertAcknowledged = "acknowledged"
	AlertCleared      = "cleared"
)

// An AlertEvent says what happened to an alert.
type AlertEvent struct {
	Change string `json:"change"` // raised, updated, acknowledged or cleared
	Alert
}

// An OnlineEvent says that a home's gateway has come or gone.
type OnlineEvent struct {
	Online bool `json:"online"`
	Time   Time `json:"time"`
}
