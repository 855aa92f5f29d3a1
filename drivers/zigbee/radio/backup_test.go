package radio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// samples are files in testdata, written by hand after the published schema, and what is in them.
func samples() map[string]Backup {
	return map[string]Backup{
		"testdata/zstack.json": {
			Network: Network{
				PAN: 0x00a4, Extended: 0xdd11223344556677, Channel: 15, UpdateID: 3, KeySequence: 1, Coordinator: 0x00124b0014d9aabb,
				Key: Key{1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13},
			},
			SecurityLevel: 5, ChannelMask: 1<<11 | 1<<15 | 1<<26, FrameCounter: 0xffffffff,
			Devices: []KnownDevice{
				{NWK: 0x06cb, IEEE: 0x00158d0001a2b3c4, Child: true},
				{
					NWK: 0xfffd, IEEE: 0x680ae2fffe000001, RxCounter: 7, TxCounter: 60010,
					LinkKey: &Key{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf},
				},
			},
			Source: "zigbee-herdsman@10.9.0", Made: time.Date(2026, 11, 2, 7, 8, 9, 123e6, time.UTC),
			Seed: &Key{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
		},
		"testdata/ezsp.json": {
			Network: Network{
				PAN: 0x1a62, Extended: 0xfedcba9876543210, Channel: 11, KeySequence: 255, Coordinator: 0xec1bbdfffe010203,
				Key: Key{0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00},
			},
			SecurityLevel: 5,
			Devices:       []KnownDevice{{NWK: Unknown, IEEE: 0x00124b0000000009, Child: true}},
			Source:        "bellows@0.49.0", Made: time.Date(2026, 10, 1, 10, 0, 0, 5e8, time.UTC),
			EZSP: 13, Hashed: &Key{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
		},
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestBackupsOfOthers(t *testing.T) {
	for name, want := range samples() {
		t.Run(name, func(t *testing.T) {
			got, err := ParseBackup(read(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("read %#v, want %#v", plain(t, got), plain(t, want))
			}
		})
	}
}

// plain shows a backup with its keys.
func plain(t testing.TB, b Backup) string {
	t.Helper()
	data, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestBackupRoundTrip(t *testing.T) {
	for name, want := range samples() {
		t.Run(name, func(t *testing.T) {
			want.Source = "hearth-edge@1.2.3"
			data, err := json.MarshalIndent(want, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			checkSchema(t, data)
			got, err := ParseBackup(data)
			if err != nil {
				t.Fatal(err)
			}
			if want.ChannelMask == 0 {
				want.ChannelMask = 1 << want.Channel
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("read back %s, want %s", plain(t, got), plain(t, want))
			}
		})
	}
}

// TestBackupBytes holds the order of bytes: everything in the file has its most significant digit first.
func TestBackupBytes(t *testing.T) {
	b := samples()["testdata/zstack.json"]
	text := plain(t, b)
	for _, want := range []string{
		`"pan_id":"00a4"`, `"extended_pan_id":"dd11223344556677"`, `"coordinator_ieee":"00124b0014d9aabb"`,
		`"nwk_address":"06cb"`, `"ieee_address":"00158d0001a2b3c4"`, `"channel_mask":[11,15,26]`, `"is_child":false`,
		`"key":"01030507090b0d0f00020406080a0c0d"`, `"tclk_seed":"00112233445566778899aabbccddeeff"`,
		`"frame_counter":4294967295`, `"date":"2026-11-02T07:08:09.123Z"`, `"format":"zigpy/open-coordinator-backup"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(text, "ezsp") {
		t.Errorf("a stack that it is not of is in %s", text)
	}
	b.Devices, b.Made = []KnownDevice{{NWK: Unknown}}, time.Time{}
	if text = plain(t, b); !strings.Contains(text, `"nwk_address":null`) || strings.Contains(text, `"date"`) {
		t.Errorf("an unknown address or date is written: %s", text)
	}
	b.Devices = nil
	if text = plain(t, b); !strings.Contains(text, `"devices":[]`) {
		t.Errorf("no devices are no list: %s", text)
	}
}

// checkSchema holds a file against what the published schema (draft 7) demands.
func checkSchema(t *testing.T, data []byte) {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	object := func(from map[string]any, field string) map[string]any {
		t.Helper()
		o, ok := from[field].(map[string]any)
		if !ok {
			t.Fatalf("%s is %v, no object", field, from[field])
		}
		return o
	}
	text := func(from map[string]any, field, pattern string) {
		t.Helper()
		if s, ok := from[field].(string); !ok || !regexp.MustCompile("^(?:"+pattern+")$").MatchString(s) {
			t.Errorf("%s is %v, want %s", field, from[field], pattern)
		}
	}
	number := func(from map[string]any, field string, low, high float64) {
		t.Helper()
		if n, ok := from[field].(float64); !ok || n < low || n > high || n != float64(int64(n)) {
			t.Errorf("%s is %v, want %v to %v", field, from[field], low, high)
		}
	}
	metadata := object(file, "metadata")
	text(metadata, "format", "zigpy/open-coordinator-backup")
	text(metadata, "source", ".+@.+")
	number(metadata, "version", 1, 1)
	object(metadata, "internal")
	object(file, "stack_specific")
	text(file, "coordinator_ieee", "[a-fA-F0-9]{16}")
	text(file, "pan_id", "[a-fA-F0-9]{4}")
	text(file, "extended_pan_id", "[a-fA-F0-9]{16}")
	number(file, "nwk_update_id", 0, 255)
	number(file, "security_level", 0, 7)
	number(file, "channel", 11, 26)
	for _, channel := range file["channel_mask"].([]any) {
		number(map[string]any{"channel_mask": channel}, "channel_mask", 11, 26)
	}
	key := object(file, "network_key")
	text(key, "key", "[a-fA-F0-9]{32}")
	number(key, "sequence_number", 0, 255)
	number(key, "frame_counter", 0, 4294967295)
	for _, entry := range file["devices"].([]any) {
		device := entry.(map[string]any)
		if nwk, there := device["nwk_address"]; !there || nwk != nil {
			text(device, "nwk_address", "[a-fA-F0-9]{4}")
		}
		text(device, "ieee_address", "[a-fA-F0-9]{16}")
		if device["link_key"] != nil {
			link := object(device, "link_key")
			text(link, "key", "[a-fA-F0-9]{32}")
			number(link, "rx_counter", 0, 4294967295)
			number(link, "tx_counter", 0, 4294967295)
		}
	}
}

func TestBadBackups(t *testing.T) {
	good := string(read(t, "testdata/zstack.json"))
	change := func(old, new string) string {
		t.Helper()
		if strings.Count(good, old) != 1 {
			t.Fatalf("%q is there %d times", old, strings.Count(good, old))
		}
		return strings.Replace(good, old, new, 1)
	}
	tests := map[string]struct{ file, says string }{
		"empty":              {"", "unexpected end"},
		"cut off":            {good[:200], "unexpected end"},
		"no object":          {"[]", "right kind"},
		"null":               {"null", "metadata is missing"},
		"other file":         {`{"adapterType":"zStack","data":{}}`, "metadata is missing"},
		"other format":       {change("zigpy/open-coordinator-backup", "zigpy/other"), "metadata.format"},
		"later version":      {change(`"version": 1`, `"version": 2`), "metadata.version"},
		"no version":         {change(`"version": 1,`, ``), "metadata.version"},
		"no PAN id":          {change(`"pan_id": "a4",`, ``), "pan_id: it is missing"},
		"PAN id of all":      {change(`"pan_id": "a4"`, `"pan_id": "FFFF"`), "pan_id: ffff"},
		"PAN id too long":    {change(`"pan_id": "a4"`, `"pan_id": "0000a4"`), "pan_id: want 4 hex digits"},
		"PAN id empty":       {change(`"pan_id": "a4"`, `"pan_id": ""`), "pan_id: want 4 hex digits"},
		"PAN id a number":    {change(`"pan_id": "a4"`, `"pan_id": 164`), "pan_id is not of the right kind"},
		"extended id zero":   {change("dd11223344556677", "0000000000000000"), "extended_pan_id"},
		"extended id short":  {change("dd11223344556677", "dd1122334455667"), "extended_pan_id: want 16 hex digits, there are 15"},
		"stick's address":    {change("00124b0014d9aabb", "00124b0014d9aabx"), "coordinator_ieee: want 16 hex digits"},
		"channel":            {change(`"channel": 15`, `"channel": 27`), "channel: want 11 to 26"},
		"channel as text":    {change(`"channel": 15`, `"channel": "15"`), "channel is not of the right kind"},
		"mask":               {change("[11, 15, 26]", "[11, 10]"), "channel_mask[1]: want 11 to 26"},
		"mask as a number":   {change("[11, 15, 26]", "2048"), "channel_mask is not of the right kind"},
		"mask missing":       {change(`"channel_mask": [11, 15, 26],`, ""), "channel_mask: it is missing"},
		"security":           {change(`"security_level": 5`, `"security_level": 8`), "security_level: want 0 to 7"},
		"update id":          {change(`"nwk_update_id": 3`, `"nwk_update_id": 256`), "nwk_update_id: want 0 to 255"},
		"key short":          {change("01030507090b0d0f00020406080a0c0d", "01030507"), "network_key.key: want 32 hex digits, there are 8"},
		"key no hex":         {change("01030507090b0d0f00020406080a0c0d", "g1030507090b0d0f00020406080a0c0d"), "network_key.key: want 32 hex digits"},
		"key zero":           {change("01030507090b0d0f00020406080a0c0d", strings.Repeat("0", 32)), "network_key.key: it is nothing but zeros"},
		"key a number":       {change(`"01030507090b0d0f00020406080a0c0d"`, "1234567890123"), "network_key.key is not of the right kind"},
		"counter negative":   {change("4294967295", "-1"), "network_key.frame_counter: want 0 to 4294967295"},
		"counter too much":   {change("4294967295", "4294967296"), "network_key.frame_counter"},
		"no network key":     {change(`"network_key"`, `"netwerk_key"`), "network_key: it is missing"},
		"no devices":         {change(`"devices"`, `"device"`), "devices: it is missing"},
		"device's address":   {change("680ae2fffe000001", "680a"), "devices[1].ieee_address: want 16 hex digits, there are 4"},
		"device's nwk":       {change(`"6cb"`, `"0x6cb"`), "devices[0].nwk_address: want 4 hex digits"},
		"link key":           {change("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", "a0"), "devices[1].link_key.key: want 32"},
		"link key's counter": {change(`"rx_counter": 7,`, ``), "devices[1].link_key.rx_counter: it is missing"},
		"seed":               {change("00112233445566778899aabbccddeeff", "0"), "stack_specific.zstack.tclk_seed: want 32"},
		"too big":            {good + strings.Repeat(" ", maxBackup), "more than one can have"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseBackup([]byte(test.file))
			if err == nil {
				t.Fatal("taken")
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q does not say %q", err, test.says)
			}
			for _, secret := range []string{"0103", "g103", "a0a1", "1234567890123"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%q shows a key", err)
				}
			}
		})
	}
	_, err := ParseBackup([]byte(strings.NewReplacer(`"channel": 15`, `"channel": 1`, `"pan_id": "a4",`, "").Replace(good)))
	if err == nil || !strings.Contains(err.Error(), "channel: ") || !strings.Contains(err.Error(), "pan_id: ") {
		t.Errorf("not both faults are in %v", err)
	}
}

func TestBackupWithoutKeyIsNotWritten(t *testing.T) {
	b := samples()["testdata/zstack.json"]
	b.Key = Key{}
	if data, err := json.Marshal(b); err == nil {
		t.Errorf("written: %s", data)
	}
}

func TestBackupNeverPrints(t *testing.T) {
	b := samples()["testdata/zstack.json"]
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("saved", "backup", b, "key", b.Key, "network", b.Network)
	slog.New(slog.NewTextHandler(&log, nil)).Info("saved", "backup", b, "key", b.Key, "network", b.Network)
	shown := log.String() + fmt.Sprintf("%v %+v %#v %x", b, b, b, b.Key)
	for _, secret := range []string{"01030507", "1 3 5 7", "[1,3,5", "0x1, 0x3", "00112233", "a0a1a2"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is in %s", secret, shown)
		}
	}
}

func FuzzBackup(f *testing.F) {
	for name := range samples() {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ParseBackup(data)
		if err != nil {
			return
		}
		written, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseBackup(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if b.ChannelMask == 0 {
			b.ChannelMask = 1 << b.Channel
		}
		if !reflect.DeepEqual(again, b) {
			t.Errorf("read again %s, want %s", plain(t, again), plain(t, b))
		}
	})
}
