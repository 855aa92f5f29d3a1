package zcl

import (
	"encoding/binary"
	"fmt"
)

// NeverReport as the Max of a ReportingRecord turns the reporting off (ZCL 2.5.7.1.6).
const NeverReport uint16 = 0xffff

// A ReportingRecord says when an attribute is reported: at the latest every Max seconds (0: only when it changes), at the
// earliest after Min, and in between when it has changed by Change.
type ReportingRecord struct {
	ID       uint16
	Type     DataType
	Min, Max uint16
	Change   Value // only of analog types

	// Received turns the direction: the other side is told that reports will come to it, Timeout seconds apart at most.
	// Of the rest only ID counts then.
	Received bool
	Timeout  uint16
}

// A ReportingStatus is how the configuration of one attribute's reporting went.
type ReportingStatus struct {
	ID       uint16
	Status   Status
	Received bool
}

// A ReportingRef names the attribute whose reporting is asked for.
type ReportingRef struct {
	ID       uint16
	Received bool
}

// A ReportingResult is how an attribute is reported. On trouble only ID and Received of the record are set.
type ReportingResult struct {
	Status Status
	ReportingRecord
}

func direction(received bool) byte {
	if received {
		return 1
	}
	return 0
}

// ConfigureReporting sets when attributes are reported.
func ConfigureReporting(records ...ReportingRecord) Frame {
	var b []byte
	for _, r := range records {
		b = r.append(append(b, direction(r.Received)))
	}
	return request(CommandConfigureReporting, b)
}

// ParseConfigureReporting returns what it could read before the error.
func ParseConfigureReporting(b []byte) ([]ReportingRecord, error) {
	records := make([]ReportingRecord, 0, 1+len(b)/9)
	for len(b) >= 3 {
		r, rest, err := readRecord(b)
		if err != nil {
			return records, fmt.Errorf("configure reporting: attribute 0x%04x: %w", r.ID, err)
		}
		records, b = append(records, r), rest
	}
	return records, leftOver("configure reporting", b)
}

// append writes all of the record but its direction.
func (r ReportingRecord) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, r.ID)
	if r.Received {
		return binary.LittleEndian.AppendUint16(b, r.Timeout)
	}
	b = append(b, byte(r.Type))
	b = binary.LittleEndian.AppendUint16(b, r.Min)
	b = binary.LittleEndian.AppendUint16(b, r.Max)
	if !r.Type.Analog() {
		return b
	}
	change := r.Change
	if change.Type != r.Type {
		n, _ := change.Number()
		change = FloatOf(r.Type, n)
	}
	return change.Append(b)
}

// readRecord reads a record with its direction and returns what is behind it; of a broken one the attribute, if that is
// there.
func readRecord(b []byte) (ReportingRecord, []byte, error) {
	if len(b) < 3 {
		return ReportingRecord{}, nil, errShort
	}
	r := ReportingRecord{ID: binary.LittleEndian.Uint16(b[1:]), Received: b[0]&1 != 0}
	b = b[3:]
	if r.Received {
		if len(b) < 2 {
			return r, nil, errShort
		}
		r.Timeout = binary.LittleEndian.Uint16(b)
		return r, b[2:], nil
	}
	if len(b) < 5 {
		return r, nil, errShort
	}
	r.Type = DataType(b[0])
	r.Min, r.Max = binary.LittleEndian.Uint16(b[1:]), binary.LittleEndian.Uint16(b[3:])
	b = b[5:]
	if !r.Type.Analog() {
		return r, b, nil
	}
	change, rest, err := ReadValue(b, r.Type)
	r.Change = change
	return r, rest, err
}

// ConfigureReportingResponse answers ConfigureReporting: with nothing but success if all went well (ZCL 2.5.8).
func ConfigureReportingResponse(statuses ...ReportingStatus) Frame {
	var b []byte
	for _, s := range statuses {
		if s.Status != Success {
			b = append(b, byte(s.Status), direction(s.Received))
			b = binary.LittleEndian.AppendUint16(b, s.ID)
		}
	}
	if b == nil {
		b = []byte{byte(Success)}
	}
	return response(CommandConfigureReportingResponse, b)
}

// ParseConfigureReportingResponse returns what did not go well, and what did where the device says so. A status for the
// whole request other than success comes as that of AllAttributes.
func ParseConfigureReportingResponse(b []byte) ([]ReportingStatus, error) {
	if len(b) == 1 {
		if Status(b[0]) == Success {
			return nil, nil
		}
		return []ReportingStatus{{ID: AllAttributes, Status: Status(b[0])}}, nil
	}
	statuses := make([]ReportingStatus, 0, len(b)/4)
	for ; len(b) >= 4; b = b[4:] {
		statuses = append(statuses, ReportingStatus{
			ID: binary.LittleEndian.Uint16(b[2:]), Status: Status(b[0]), Received: b[1]&1 != 0,
		})
	}
	return statuses, leftOver("configure reporting response", b)
}

// ReadReporting asks how attributes are reported.
func ReadReporting(refs ...ReportingRef) Frame {
	b := make([]byte, 0, 3*len(refs))
	for _, r := range refs {
		b = binary.LittleEndian.AppendUint16(append(b, direction(r.Received)), r.ID)
	}
	return request(CommandReadReportingConfiguration, b)
}

// ParseReadReporting returns what is asked for.
func ParseReadReporting(b []byte) ([]ReportingRef, error) {
	refs := make([]ReportingRef, 0, len(b)/3)
	for ; len(b) >= 3; b = b[3:] {
		refs = append(refs, ReportingRef{ID: binary.LittleEndian.Uint16(b[1:]), Received: b[0]&1 != 0})
	}
	return refs, leftOver("read reporting", b)
}

// ReadReportingResponse answers ReadReporting.
func ReadReportingResponse(results ...ReportingResult) Frame {
	var b []byte
	for _, r := range results {
		b = append(b, byte(r.Status), direction(r.Received))
		if r.Status == Success {
			b = r.append(b)
		} else {
			b = binary.LittleEndian.AppendUint16(b, r.ID)
		}
	}
	return response(CommandReadReportingConfigurationResponse, b)
}

// ParseReadReportingResponse returns what it could read before the error.
func ParseReadReportingResponse(b []byte) ([]ReportingResult, error) {
	results := make([]ReportingResult, 0, 1+len(b)/10)
	for len(b) >= 4 {
		result := ReportingResult{Status: Status(b[0])}
		b = b[1:]
		if result.Status == Success {
			record, rest, err := readRecord(b)
			if err != nil {
				return results, fmt.Errorf("read reporting response: attribute 0x%04x: %w", record.ID, err)
			}
			result.ReportingRecord, b = record, rest
		} else {
			result.ReportingRecord = ReportingRecord{ID: binary.LittleEndian.Uint16(b[1:]), Received: b[0]&1 != 0}
			b = b[3:]
		}
		results = append(results, result)
	}
	return results, leftOver("read reporting response", b)
}
