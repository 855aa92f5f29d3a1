package zcl

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
)

// A vector is one foundation command: as it is written, its bytes by the tables of ZCL 2.5, and as it is read.
type vector struct {
	frame Frame
	bytes string
	read  func(b []byte) (any, error)
	want  any
}

// reader makes a vector's read of a parser.
func reader[T any](parse func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) {
		v, err := parse(b)
		return v, err
	}
}

// pair is what parsers give that return two things.
type pair struct{ A, B any }

func pairReader[A, B any](parse func([]byte) (A, B, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) {
		one, other, err := parse(b)
		return pair{one, other}, err
	}
}

// vectors are all foundation commands.
func vectors() map[string]vector {
	all := attributeVectors()
	maps.Copy(all, reportingVectors())
	maps.Copy(all, discoveryVectors())
	return all
}

func attributeVectors() map[string]vector {
	writes := []Attribute{{0x4003, UintOf(Enum8, 0xff)}, {0x0011, IntOf(Int16, 2150)}}
	return map[string]vector{
		"read attributes": {
			ReadAttributes(4, 5, 0x4000), "00 00 00 0400 0500 0040",
			reader(ParseReadAttributes), []uint16{4, 5, 0x4000},
		},
		"read attributes response": {
			ReadAttributesResponse(
				AttributeResult{ID: 4, Value: TextOf("IKEA")},
				AttributeResult{ID: 0x4000, Status: UnsupportedAttribute},
				AttributeResult{ID: 7, Value: UintOf(Enum8, 3)},
			),
			"18 00 01 0400 00 42 04 494b4541 0040 86 0700 00 30 03",
			reader(ParseReadAttributesResponse),
			[]AttributeResult{{4, Success, TextOf("IKEA")}, {ID: 0x4000, Status: UnsupportedAttribute}, {7, Success, UintOf(Enum8, 3)}},
		},
		"write attributes": {
			WriteAttributes(writes...), "00 00 02 0340 30 ff 1100 29 6608",
			reader(ParseWriteAttributes), writes,
		},
		"write attributes undivided": {
			WriteAttributesUndivided(writes...), "00 00 03 0340 30 ff 1100 29 6608",
			reader(ParseWriteAttributes), writes,
		},
		"write attributes no response": {
			WriteAttributesNoResponse(writes[0]), "00 00 05 0340 30 ff",
			reader(ParseWriteAttributes), writes[:1],
		},
		"write attributes response, all well": {
			WriteAttributesResponse(AttributeStatus{ID: 1}, AttributeStatus{ID: 2}), "18 00 04 00",
			reader(ParseWriteAttributesResponse), []AttributeStatus(nil),
		},
		"write attributes response, not all well": {
			WriteAttributesResponse(AttributeStatus{1, ReadOnly}, AttributeStatus{2, Success}, AttributeStatus{3, InvalidValue}),
			"18 00 04 88 0100 87 0300",
			reader(ParseWriteAttributesResponse), []AttributeStatus{{1, ReadOnly}, {3, InvalidValue}},
		},
		"report attributes": {
			ReportAttributes(Attribute{0, IntOf(Int16, 2137)}), "08 00 0a 0000 29 5908",
			reader(ParseReport), []Attribute{{0, IntOf(Int16, 2137)}},
		},
		"default response": {
			DefaultResponse(0x02, UnsupportedClusterCommand), "18 00 0b 02 81",
			pairReader(ParseDefaultResponse), pair{uint8(2), UnsupportedClusterCommand},
		},
	}
}

func reportingVectors() map[string]vector {
	records := []ReportingRecord{
		{ID: 0x0000, Type: Bool, Min: 0, Max: 3600},
		{ID: 0x0000, Type: Int16, Min: 10, Max: 0xfffe, Change: IntOf(Int16, 50)},
		{ID: 0x0055, Type: Float32, Min: 1, Max: 300, Change: FloatOf(Float32, 0.5)},
		{ID: 0x0021, Received: true, Timeout: 7200},
	}
	recordBytes := "00 0000 10 0000 100e" + "00 0000 29 0a00 feff 3200" + "00 5500 39 0100 2c01 0000003f" + "01 2100 201c"
	return map[string]vector{
		"configure reporting": {
			ConfigureReporting(records...), "00 00 06" + recordBytes,
			reader(ParseConfigureReporting), records,
		},
		"configure reporting response, all well": {
			ConfigureReportingResponse(), "18 00 07 00",
			reader(ParseConfigureReportingResponse), []ReportingStatus(nil),
		},
		"configure reporting response, not all well": {
			ConfigureReportingResponse(ReportingStatus{ID: 0x21, Status: InsufficientSpace}, ReportingStatus{5, UnreportableAttribute, true}),
			"18 00 07 89 00 2100 8c 01 0500",
			reader(ParseConfigureReportingResponse),
			[]ReportingStatus{{ID: 0x21, Status: InsufficientSpace}, {5, UnreportableAttribute, true}},
		},
		"read reporting": {
			ReadReporting(ReportingRef{ID: 0x21}, ReportingRef{5, true}), "00 00 08 00 2100 01 0500",
			reader(ParseReadReporting), []ReportingRef{{ID: 0x21}, {5, true}},
		},
		"read reporting response": {
			ReadReportingResponse(
				ReportingResult{ReportingRecord: records[1]},
				ReportingResult{Status: NotFound, ReportingRecord: ReportingRecord{ID: 9}},
				ReportingResult{ReportingRecord: records[3]},
			),
			"18 00 09 00 00 0000 29 0a00 feff 3200" + "8b 00 0900" + "00 01 2100 201c",
			reader(ParseReadReportingResponse),
			[]ReportingResult{{Success, records[1]}, {NotFound, ReportingRecord{ID: 9}}, {Success, records[3]}},
		},
	}
}

func discoveryVectors() map[string]vector {
	infos := []AttributeInfo{{ID: 0x0000, Type: Bool}, {ID: 0x4003, Type: Enum8}}
	accessed := []AttributeInfo{{0x0000, Bool, Readable | Reportable}, {0x4003, Enum8, Readable | Writable}}
	return map[string]vector{
		"discover attributes": {
			DiscoverAttributes(0x0100, 20), "00 00 0c 0001 14",
			pairReader(ParseDiscoverAttributes), pair{uint16(0x100), uint8(20)},
		},
		"discover attributes response": {
			DiscoverAttributesResponse(true, infos...), "18 00 0d 01 0000 10 0340 30",
			pairReader(ParseDiscoverAttributesResponse), pair{infos, true},
		},
		"discover attributes extended": {
			DiscoverAttributesExtended(0, 255), "00 00 15 0000 ff",
			pairReader(ParseDiscoverAttributes), pair{uint16(0), uint8(255)},
		},
		"discover attributes extended response": {
			DiscoverAttributesExtendedResponse(false, accessed...), "18 00 16 00 0000 10 05 0340 30 03",
			pairReader(ParseDiscoverAttributesExtendedResponse), pair{accessed, false},
		},
		"discover commands received": {
			DiscoverCommandsReceived(0x40, 10), "00 00 11 40 0a",
			pairReader(ParseDiscoverCommands), pair{uint8(0x40), uint8(10)},
		},
		"discover commands received response": {
			DiscoverCommandsReceivedResponse(true, 0, 1, 2, 0x40), "18 00 12 01 00 01 02 40",
			pairReader(ParseDiscoverCommandsResponse), pair{[]uint8{0, 1, 2, 0x40}, true},
		},
		"discover commands generated": {
			DiscoverCommandsGenerated(0, 10), "00 00 13 00 0a",
			pairReader(ParseDiscoverCommands), pair{uint8(0), uint8(10)},
		},
		"discover commands generated response": {
			DiscoverCommandsGeneratedResponse(false, 3), "18 00 14 00 03",
			pairReader(ParseDiscoverCommandsResponse), pair{[]uint8{3}, false},
		},
	}
}

func TestFoundation(t *testing.T) {
	for name, v := range vectors() {
		t.Run(name, func(t *testing.T) {
			want := unhex(t, v.bytes)
			if got := v.frame.Append(nil); !bytes.Equal(got, want) {
				t.Errorf("written %x, want %x", got, want)
			}
			frame, err := ParseFrame(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.read(frame.Payload)
			if err != nil || !reflect.DeepEqual(got, v.want) {
				t.Errorf("read %+v, %v, want %+v", got, err, v.want)
			}
		})
	}
}

// TestFoundationCutOff cuts every command everywhere: no reader panics, and one that lacks part of a record says so.
func TestFoundationCutOff(t *testing.T) {
	whole := map[string][]int{ // lengths that are right too: a record less, or nothing at all
		"read attributes":                            {0, 2, 4},
		"read attributes response":                   {0, 9, 12},
		"write attributes":                           {0, 4},
		"write attributes undivided":                 {0, 4},
		"write attributes no response":               {0},
		"write attributes response, all well":        {0},
		"write attributes response, not all well":    {0, 1, 3},
		"configure reporting":                        {0, 8, 18, 30},
		"configure reporting response, all well":     {0},
		"configure reporting response, not all well": {0, 1, 4},
		"read reporting":                             {0, 3},
		"read reporting response":                    {0, 11, 15},
		"report attributes":                          {0},
		"discover attributes response":               {1, 4},
		"discover attributes extended response":      {1, 5},
		"discover commands received response":        {1, 2, 3, 4},
		"discover commands generated response":       {1},
	}
	for name, v := range vectors() {
		payload := unhex(t, v.bytes)[3:]
		allowed := fmt.Sprint(" ", strings.Trim(fmt.Sprint(whole[name]), "[]"), " ")
		for length := range payload {
			_, err := v.read(payload[:length:length])
			if right := strings.Contains(allowed, fmt.Sprint(" ", length, " ")); right != (err == nil) {
				t.Errorf("%s, %d of %d bytes: %v", name, length, len(payload), err)
			}
		}
	}
}

func TestWhatCouldBeRead(t *testing.T) {
	good := "0000 29 5908 2100 20 c8"
	want := []Attribute{{0, IntOf(Int16, 2137)}, {0x21, UintOf(Uint8, 200)}}
	for name, broken := range map[string]string{
		"half an id":         "05",
		"no type":            "0500",
		"no value":           "0500 21",
		"half a value":       "0500 21 01",
		"a type nobody has":  "0500 77 01",
		"a text too long":    "0500 42 09 6162",
		"a struct too short": "01ff 4c 0600 1001",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseReport(unhex(t, good+broken))
			if err == nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	results, err := ParseReadAttributesResponse(unhex(t, "0400 00 42 02 6162 0500 00 42 20 6162"))
	if err == nil || len(results) != 1 || results[0].Value.Text() != "ab" {
		t.Errorf("read response: %+v, %v", results, err)
	}
	records, err := ParseConfigureReporting(unhex(t, "00 0000 10 0000 100e 00 0000 29 0a00"))
	if err == nil || len(records) != 1 || records[0].Max != 3600 {
		t.Errorf("configure reporting: %+v, %v", records, err)
	}
	reporting, err := ParseReadReportingResponse(unhex(t, "8b 00 0900 00 00 0000 29"))
	if err == nil || len(reporting) != 1 || reporting[0].Status != NotFound {
		t.Errorf("read reporting response: %+v, %v", reporting, err)
	}
}

// TestDeviceHabits are frames as devices send them that do not keep to the letter.
func TestDeviceHabits(t *testing.T) {
	t.Run("a text of the invalid length", func(t *testing.T) {
		got, err := ParseReport(unhex(t, "0500 42 ff 0700 30 03"))
		if err != nil || len(got) != 2 || got[0].Value.Valid() || got[0].Value.Text() != "" || got[1].Value.Uint() != 3 {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("Xiaomi's struct in a text", func(t *testing.T) {
		got, err := ParseReport(unhex(t, "0500 42 12 6c756d692e73656e736f725f6d61676e6574 01ff 42 0a 0121e50b 0328 19 0521 01"))
		if err != nil || len(got) != 2 || got[0].Value.Text() != "lumi.sensor_magnet" {
			t.Fatalf("%+v, %v", got, err)
		}
		if raw := got[1].Value.Bytes(); got[1].ID != 0xff01 || !bytes.Equal(raw, unhex(t, "0121e50b 0328 19 0521 01")) {
			t.Errorf("%x", raw)
		}
	})
	t.Run("Xiaomi's struct", func(t *testing.T) {
		got, err := ParseReport(unhex(t, "02ff 4c 0600 10 00 21 bd0b 21 a813 24 0000000000 21 2900 20 62"))
		if err != nil || len(got) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		members := got[0].Value.Members()
		if len(members) != 6 || members[1].Uint() != 3005 || members[3].Type != Uint40 || members[5].Uint() != 98 {
			t.Errorf("%s", got[0].Value)
		}
	})
	t.Run("one status for a whole write", func(t *testing.T) {
		got, err := ParseWriteAttributesResponse([]byte{byte(NotAuthorized)})
		if err != nil || !reflect.DeepEqual(got, []AttributeStatus{{AllAttributes, NotAuthorized}}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("success told of each attribute", func(t *testing.T) {
		written, err := ParseWriteAttributesResponse(unhex(t, "00 1000"))
		if err != nil || !reflect.DeepEqual(written, []AttributeStatus{{0x10, Success}}) {
			t.Errorf("%+v, %v", written, err)
		}
		configured, err := ParseConfigureReportingResponse(unhex(t, "00 00 2100"))
		if err != nil || !reflect.DeepEqual(configured, []ReportingStatus{{ID: 0x21}}) {
			t.Errorf("%+v, %v", configured, err)
		}
	})
	t.Run("one status for a whole configuration", func(t *testing.T) {
		got, err := ParseConfigureReportingResponse([]byte{byte(UnsupportedCluster)})
		if err != nil || !reflect.DeepEqual(got, []ReportingStatus{{ID: AllAttributes, Status: UnsupportedCluster}}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("a default response with more behind it", func(t *testing.T) {
		if command, status, err := ParseDefaultResponse([]byte{2, 0x86, 0}); err != nil || command != 2 || status != UnsupportedAttribute {
			t.Errorf("%d, %s, %v", command, status, err)
		}
	})
}

func TestReportingChangeOfAnotherType(t *testing.T) {
	f := ConfigureReporting(
		ReportingRecord{ID: 0x0b, Type: Int24, Min: 1, Max: 2, Change: FloatOf(Float64, 5)},
		ReportingRecord{ID: 0x0c, Type: Uint48, Min: 1, Max: 2},
		ReportingRecord{ID: 0x0d, Type: Enum8, Min: 1, Max: 2, Change: UintOf(Uint8, 3)},
	)
	want := unhex(t, "00 0b00 2a 0100 0200 050000"+"00 0c00 25 0100 0200 000000000000"+"00 0d00 30 0100 0200")
	if !bytes.Equal(f.Payload, want) {
		t.Errorf("%x, want %x", f.Payload, want)
	}
}

func TestStatusNames(t *testing.T) {
	for status, want := range map[Status]string{
		Success: "success", Failure: "failure", NotAuthorized: "not authorized", MalformedCommand: "malformed command",
		UnsupportedAttribute: "unsupported attribute", InsufficientSpace: "insufficient space", NotFound: "not found",
		UnreportableAttribute: "unreportable attribute", TimedOut: "timeout", NotificationPending: "notification pending",
		HardwareFailure: "hardware failure", CalibrationError: "calibration error", UnsupportedCluster: "unsupported cluster",
		LimitReached: "limit reached", SoftwareFailure: "software failure", 0x02: "status 0x02", 0x9b: "status 0x9b", 0xff: "status 0xff",
	} {
		if status.String() != want {
			t.Errorf("0x%02x is %q, want %q", uint8(status), status, want)
		}
	}
}

// FuzzFoundation reads what it is given as every command, and what could be read once more after writing it.
func FuzzFoundation(f *testing.F) {
	for _, v := range vectors() {
		frame := v.frame.Append(nil)
		f.Add(frame[2:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		first, ok := refoundation(b[0], b[1:])
		if !ok {
			return
		}
		if second, ok := refoundation(b[0], first.Payload); !ok || !bytes.Equal(first.Payload, second.Payload) {
			t.Errorf("command 0x%02x: %x is written as %x, then as %x", b[0], b[1:], first.Payload, second.Payload)
		}
	})
}

// refoundation reads a command and writes it again.
func refoundation(command uint8, b []byte) (Frame, bool) {
	switch command {
	case CommandReadAttributes:
		ids, err := ParseReadAttributes(b)
		return ReadAttributes(ids...), err == nil
	case CommandReadAttributesResponse:
		results, err := ParseReadAttributesResponse(b)
		return ReadAttributesResponse(results...), err == nil
	case CommandWriteAttributes, CommandWriteAttributesUndivided, CommandWriteAttributesNoResponse:
		attributes, err := ParseWriteAttributes(b)
		return WriteAttributes(attributes...), err == nil
	case CommandWriteAttributesResponse:
		statuses, err := ParseWriteAttributesResponse(b)
		return WriteAttributesResponse(statuses...), err == nil
	case CommandConfigureReporting:
		records, err := ParseConfigureReporting(b)
		return ConfigureReporting(records...), err == nil
	case CommandConfigureReportingResponse:
		statuses, err := ParseConfigureReportingResponse(b)
		return ConfigureReportingResponse(statuses...), err == nil
	case CommandReadReportingConfiguration:
		refs, err := ParseReadReporting(b)
		return ReadReporting(refs...), err == nil
	case CommandReadReportingConfigurationResponse:
		results, err := ParseReadReportingResponse(b)
		return ReadReportingResponse(results...), err == nil
	case CommandReportAttributes:
		attributes, err := ParseReport(b)
		return ReportAttributes(attributes...), err == nil
	case CommandDefaultResponse:
		answered, status, err := ParseDefaultResponse(b)
		return DefaultResponse(answered, status), err == nil
	case CommandDiscoverAttributesResponse:
		infos, complete, err := ParseDiscoverAttributesResponse(b)
		return DiscoverAttributesResponse(complete, infos...), err == nil
	case CommandDiscoverAttributesExtendedResponse:
		infos, complete, err := ParseDiscoverAttributesExtendedResponse(b)
		return DiscoverAttributesExtendedResponse(complete, infos...), err == nil
	case CommandDiscoverCommandsReceivedResponse:
		commands, complete, err := ParseDiscoverCommandsResponse(b)
		return DiscoverCommandsReceivedResponse(complete, commands...), err == nil
	}
	return Frame{}, false
}

func BenchmarkParseReport(b *testing.B) {
	power := ReportAttributes(
		Attribute{AttrElectricalMeasurementActivePower, IntOf(Int16, 230)},
		Attribute{AttrElectricalMeasurementRMSVoltage, UintOf(Uint16, 2301)},
		Attribute{AttrElectricalMeasurementRMSCurrent, UintOf(Uint16, 100)},
	).Payload
	b.ReportAllocs()
	for b.Loop() {
		attributes, err := ParseReport(power)
		if err != nil || len(attributes) != 3 {
			b.Fatal(attributes, err)
		}
	}
}

// TestReportAllocations: a report of numbers costs its slice and nothing else, and reading the numbers costs nothing.
func TestReportAllocations(t *testing.T) {
	for name, attributes := range map[string][]Attribute{
		"one":         {{0, IntOf(Int16, 230)}},
		"three":       {{0, IntOf(Int16, 230)}, {0x55, FloatOf(Float32, 230.2)}, {1, BoolOf(true)}},
		"eight small": {{0, BoolOf(true)}, {1, BoolOf(true)}, {2, BoolOf(true)}, {3, BoolOf(true)}, {4, UintOf(Uint8, 1)}, {5, UintOf(Enum8, 1)}, {6, UintOf(Bitmap8, 1)}, {7, IntOf(Int8, 1)}},
	} {
		payload := ReportAttributes(attributes...).Payload
		sum := 0.0
		allocations := testing.AllocsPerRun(100, func() {
			read, _ := ParseReport(payload)
			for _, a := range read {
				n, _ := a.Value.Number()
				sum += n
			}
		})
		if allocations != 1 || sum == 0 {
			t.Errorf("%s: %v allocations", name, allocations)
		}
	}
}
