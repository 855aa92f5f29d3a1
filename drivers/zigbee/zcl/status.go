package zcl

import "fmt"

// A Status says how a command went (ZCL 2.6.3).
type Status uint8

// The statuses.
const (
	Success                   Status = 0x00
	Failure                   Status = 0x01
	NotAuthorized             Status = 0x7e
	MalformedCommand          Status = 0x80
	UnsupportedClusterCommand Status = 0x81
	UnsupportedGeneralCommand Status = 0x82
	UnsupportedMakerCommand   Status = 0x83 // a manufacturer's own, of the cluster
	UnsupportedMakerGeneral   Status = 0x84 // a manufacturer's own, global
	InvalidField              Status = 0x85
	UnsupportedAttribute      Status = 0x86
	InvalidValue              Status = 0x87
	ReadOnly                  Status = 0x88
	InsufficientSpace         Status = 0x89
	DuplicateExists           Status = 0x8a
	NotFound                  Status = 0x8b
	UnreportableAttribute     Status = 0x8c
	InvalidDataType           Status = 0x8d
	InvalidSelector           Status = 0x8e
	WriteOnly                 Status = 0x8f
	InconsistentStartupState  Status = 0x90
	DefinedOutOfBand          Status = 0x91
	Inconsistent              Status = 0x92
	ActionDenied              Status = 0x93
	TimedOut                  Status = 0x94
	Abort                     Status = 0x95
	InvalidImage              Status = 0x96
	WaitForData               Status = 0x97
	NoImageAvailable          Status = 0x98
	RequireMoreImage          Status = 0x99
	NotificationPending       Status = 0x9a
	HardwareFailure           Status = 0xc0
	SoftwareFailure           Status = 0xc1
	CalibrationError          Status = 0xc2
	UnsupportedCluster        Status = 0xc3
	LimitReached              Status = 0xc4
)

func (s Status) String() string {
	if name := s.name(); name != "" {
		return name
	}
	return fmt.Sprintf("status 0x%02x", uint8(s))
}

func (s Status) name() string {
	switch s {
	case Success, Failure:
		return [...]string{"success", "failure"}[s]
	case NotAuthorized:
		return "not authorized"
	case HardwareFailure:
		return "hardware failure"
	case SoftwareFailure:
		return "software failure"
	case CalibrationError:
		return "calibration error"
	case UnsupportedCluster:
		return "unsupported cluster"
	case LimitReached:
		return "limit reached"
	}
	if s < MalformedCommand || s > NotificationPending {
		return ""
	}
	return [...]string{
		"malformed command", "unsupported cluster command", "unsupported general command",
		"unsupported manufacturer's cluster command", "unsupported manufacturer's general command", "invalid field",
		"unsupported attribute", "invalid value", "read only", "insufficient space", "duplicate exists", "not found",
		"unreportable attribute", "invalid data type", "invalid selector", "write only", "inconsistent startup state",
		"defined out of band", "inconsistent", "action denied", "timeout", "abort", "invalid image", "wait for data",
		"no image available", "require more image", "notification pending",
	}[s-MalformedCommand]
}
