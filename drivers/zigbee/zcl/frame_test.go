package zcl

import (
	"bytes"
	"reflect"
	"testing"
)

func TestFrames(t *testing.T) {
	tests := map[string]struct {
		frame Frame
		bytes string
	}{
		"toggle":             {Frame{Sequence: 0x21, Command: CmdOnOffToggle}, "01 21 02"},
		"read the model":     {Frame{Global: true, Sequence: 7, Command: CommandReadAttributes, Payload: []byte{5, 0}}, "00 07 00 0500"},
		"report":             {Frame{Global: true, ToClient: true, Sequence: 0xff, Command: CommandReportAttributes}, "08 ff 0a"},
		"report, no default": {Frame{Global: true, ToClient: true, NoDefaultResponse: true, Sequence: 1, Command: CommandReportAttributes}, "18 01 0a"},
		"a manufacturer's":   {Frame{Global: true, Manufacturer: 0x115f, Sequence: 3, Command: CommandWriteAttributes, Payload: []byte{9}}, "04 5f11 03 02 09"},
		"Hue's button":       {Frame{Manufacturer: 0x100b, ToClient: true, NoDefaultResponse: true, Sequence: 4, Command: 0, Payload: []byte{1, 0, 0, 0x30}}, "1d 0b10 04 00 01000030"},
		"zone status":        {Frame{ToClient: true, Sequence: 5, Command: CmdIASZoneStatusChangeNotification, Payload: []byte{1, 0, 0, 0, 0, 0}}, "09 05 00 0100 00 00 0000"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want := unhex(t, test.bytes)
			if got := test.frame.Append([]byte{0xee}); !bytes.Equal(got[1:], want) || got[0] != 0xee {
				t.Errorf("written %x, want %x", got, want)
			}
			got, err := ParseFrame(want)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Payload) == 0 {
				got.Payload = nil
			}
			if !reflect.DeepEqual(got, test.frame) {
				t.Errorf("read %+v, want %+v", got, test.frame)
			}
		})
	}
	for _, bad := range []string{"", "00", "00 01", "04 5f11 01", "02 01 00", "03 01 00"} {
		if f, err := ParseFrame(unhex(t, bad)); err == nil {
			t.Errorf("%q is %+v", bad, f)
		}
	}
}

func TestInReplyTo(t *testing.T) {
	request := Frame{Global: true, Manufacturer: 0x115f, Sequence: 9, Command: CommandReadAttributes}
	answer := ReadAttributesResponse(AttributeResult{ID: 1, Status: UnsupportedAttribute}).InReplyTo(request)
	if want := unhex(t, "1c 5f11 09 01 0100 86"); !bytes.Equal(answer.Append(nil), want) {
		t.Errorf("%x, want %x", answer.Append(nil), want)
	}
	request = Frame{ToClient: true, Sequence: 8, Command: CmdPollControlCheckIn}
	answer = ClusterCommand(CmdPollControlCheckInResponse, 0, 0, 0).InReplyTo(request)
	if want := unhex(t, "01 08 00 00 0000"); !bytes.Equal(answer.Append(nil), want) {
		t.Errorf("%x, want %x", answer.Append(nil), want)
	}
	answer = ClusterResponse(CmdGroupsAddResponse, 0, 1, 0).InReplyTo(Frame{Sequence: 7, Command: CmdGroupsAdd})
	if want := unhex(t, "19 07 00 00 0100"); !bytes.Equal(answer.Append(nil), want) {
		t.Errorf("%x, want %x", answer.Append(nil), want)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte{0x01, 0x21, 0x02})
	f.Add([]byte{0x1c, 0x5f, 0x11, 9, 1, 1, 0, 0x86})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := ParseFrame(b)
		if err != nil {
			return
		}
		again, err := ParseFrame(frame.Append(nil))
		if err != nil || !reflect.DeepEqual(again, frame) {
			t.Errorf("%x is %+v, then %+v, %v", b, frame, again, err)
		}
	})
}
