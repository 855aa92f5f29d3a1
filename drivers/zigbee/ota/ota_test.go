package ota

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// firmware makes an image file by the layout of ZCL 11.4: header, one element.
func firmware(manufacturer, imageType uint16, version uint32, hardware []uint16, content string) []byte {
	header := make([]byte, headerSize)
	binary.LittleEndian.PutUint32(header, magic)
	binary.LittleEndian.PutUint16(header[4:], 0x0100)
	binary.LittleEndian.PutUint16(header[10:], manufacturer)
	binary.LittleEndian.PutUint16(header[12:], imageType)
	binary.LittleEndian.PutUint32(header[14:], version)
	binary.LittleEndian.PutUint16(header[18:], 2)
	copy(header[20:], "A lamp's firmware")
	if hardware != nil {
		binary.LittleEndian.PutUint16(header[8:], hasHardware)
		header = binary.LittleEndian.AppendUint16(header, hardware[0])
		header = binary.LittleEndian.AppendUint16(header, hardware[1])
	}
	binary.LittleEndian.PutUint16(header[6:], uint16(len(header)))
	body := binary.LittleEndian.AppendUint32([]byte{0, 0}, uint32(len(content)))
	body = append(body, content...)
	binary.LittleEndian.PutUint32(header[52:], uint32(len(header)+len(body)))
	return append(header, body...)
}

func TestReadHeader(t *testing.T) {
	plain := firmware(0x117c, 0x2101, 0x23, nil, "content")
	wrapped := append([]byte("a vendor's signature"), plain...)
	tests := map[string]struct {
		file   []byte
		offset int64
		fails  string
	}{
		"plain":      {plain, 0, ""},
		"wrapped":    {wrapped, 20, ""},
		"trailing":   {append(bytes.Clone(plain), "signature"...), 0, ""},
		"empty":      {nil, 0, "no Zigbee image"},
		"a picture":  {bytes.Repeat([]byte("PNG"), 4000), 0, "no Zigbee image"},
		"cut header": {plain[:40], 0, "cut off"},
		"cut":        {plain[:len(plain)-1], 0, "cut off"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, offset, err := ReadHeader(bytes.NewReader(tt.file), int64(len(tt.file)))
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("got %v, want %q", err, tt.fails)
				}
				return
			}
			want := Header{Manufacturer: 0x117c, ImageType: 0x2101, Version: 0x23, Description: "A lamp's firmware", Size: uint32(len(plain))}
			if err != nil || h != want || offset != tt.offset {
				t.Errorf("%+v at %d, %v", h, offset, err)
			}
		})
	}
	restricted := firmware(1, 2, 3, []uint16{4, 5}, "content")
	h, _, err := ReadHeader(bytes.NewReader(restricted), int64(len(restricted)))
	if err != nil || !h.Hardware || h.MinHardware != 4 || h.MaxHardware != 5 {
		t.Errorf("%+v, %v", h, err)
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add(firmware(1, 2, 3, nil, "content"))
	f.Add(firmware(1, 2, 3, []uint16{4, 5}, "content"))
	f.Fuzz(func(t *testing.T, file []byte) {
		h, offset, err := ReadHeader(bytes.NewReader(file), int64(len(file)))
		if err == nil && offset+int64(h.Size) > int64(len(file)) {
			t.Errorf("an image of %d bytes at %d in a file of %d", h.Size, offset, len(file))
		}
	})
}

func FuzzCommands(f *testing.F) {
	f.Add([]byte{1, 2, 0, 3, 0, 4, 0, 0, 0, 5, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseQuery(b)
		_, _ = parseBlock(b, false)
		_, _ = parseBlock(b, true)
		_, _, _ = parseEnd(b)
	})
}

// library writes the files into a folder and returns a Library of it.
func library(t *testing.T, index string, files map[string][]byte) (*Library, string) {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return NewLibrary(Source{Dir: dir, Index: index}, slog.New(slog.DiscardHandler)), dir
}

func TestFind(t *testing.T) {
	l, _ := library(t, "", map[string][]byte{
		"old.ota":   firmware(1, 2, 10, nil, "ten"),
		"new.ota":   firmware(1, 2, 20, nil, "twenty"),
		"hw.ota":    firmware(1, 2, 30, []uint16{5, 6}, "for hardware five and six"),
		"other.ota": firmware(1, 3, 40, nil, "another type"),
		"readme":    []byte("no image"),
	})
	if err := l.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "readme") {
		t.Errorf("a file that is no image: %v", err)
	}
	five, nine := uint16(5), uint16(9)
	tests := []struct {
		query Query
		want  uint32
	}{
		{Query{1, 2, 1, &nine}, 20}, {Query{1, 2, 10, &nine}, 20}, {Query{1, 2, 20, &nine}, 0}, {Query{1, 2, 1, &five}, 30},
		{Query{1, 9, 1, nil}, 0}, {Query{2, 2, 1, nil}, 0}, {Query{1, 3, 39, nil}, 40},
	}
	for _, tt := range tests {
		if image, found := l.Find(tt.query, "", ""); image.Version != tt.want || found != (tt.want != 0) {
			t.Errorf("%+v: got %d, want %d", tt.query, image.Version, tt.want)
		}
	}
}

func TestIndex(t *testing.T) {
	image := firmware(1, 2, 10, nil, "ten")
	sum := sha512.Sum512(image)
	served := image
	entry := map[string]any{"imageType": 2, "manufacturerCode": 1, "fileVersion": 10, "fileSize": len(image), "sha512": hex.EncodeToString(sum[:]), "modelId": "lamp"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/image" {
			_, _ = w.Write(served)
			return
		}
		_ = json.NewEncoder(w).Encode([]any{entry, map[string]any{"imageType": 9, "manufacturerCode": 1, "fileVersion": 1, "url": "/etc/passwd", "sha512": "00"}})
	}))
	defer server.Close()
	entry["url"] = server.URL + "/image"
	l, dir := library(t, server.URL, nil)
	if err := l.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, found := l.Find(Query{Manufacturer: 1, ImageType: 9}, "", ""); found {
		t.Error("an index from outside named a file of this machine")
	}
	if _, found := l.Find(Query{Manufacturer: 1, ImageType: 2, Version: 1}, "", "plug"); found {
		t.Error("an image for another model was offered")
	}
	found, ok := l.Find(Query{Manufacturer: 1, ImageType: 2, Version: 1}, "", "lamp")
	if !ok {
		t.Fatal("the image of the index is not offered")
	}
	served = []byte("something else")
	if _, err := l.Fetch(t.Context(), found); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a wrong file: %v", err)
	}
	served = image
	have, err := l.Fetch(t.Context(), found)
	if err != nil || !strings.HasPrefix(have.path, dir) {
		t.Fatalf("%+v, %v", have, err)
	}
	served = nil // it is kept
	if err := l.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again, ok := l.Find(Query{Manufacturer: 1, ImageType: 2, Version: 1}, "", "lamp"); !ok || again.path == "" {
		t.Errorf("what was fetched is offered as %+v", again)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Refresh(ctx); err == nil {
		t.Error("an index that cannot be had was no error")
	}
	if _, ok := l.Find(Query{Manufacturer: 1, ImageType: 2, Version: 1}, "", "lamp"); !ok {
		t.Error("the images of the folder are gone while the index cannot be had")
	}
}

// A trial is a server with one image and a device that asks.
type trial struct {
	*Server
	t     *testing.T
	clock time.Time
	image Image
	file  []byte
	lamp  Device
}

func newTrial(t *testing.T) *trial {
	tr := &trial{t: t, clock: time.Unix(1e9, 0), file: firmware(1, 2, 20, nil, strings.Repeat("firmware ", 40)), lamp: Device{IEEE: 0x1122, Model: "lamp"}}
	l, _ := library(t, "", map[string][]byte{"new.ota": tr.file})
	if err := l.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	tr.Server = NewServer(l, func() time.Time { return tr.clock }, slog.New(slog.DiscardHandler))
	t.Cleanup(tr.Close)
	tr.image, _ = l.Find(Query{Manufacturer: 1, ImageType: 2, Version: 10}, "", "lamp")
	return tr
}

// start approves an upgrade and offers it.
func (tr *trial) start(device radio.IEEE, image Image, battery *float64) error {
	if err := tr.Approve(device, image, battery); err != nil {
		return err
	}
	return tr.Offer(device, image)
}

func (tr *trial) say(d Device, command uint8, payload []byte) []Reply {
	tr.t.Helper()
	replies, err := tr.Handle(d, zcl.Frame{Command: command, Sequence: 7, Payload: payload})
	if err != nil {
		tr.t.Fatal(err)
	}
	for _, r := range replies {
		if r.Frame.Sequence != 7 || !r.Frame.ToClient {
			tr.t.Errorf("the answer is %+v", r.Frame)
		}
	}
	return replies
}

func (tr *trial) query(d Device, version uint32) []byte {
	tr.t.Helper()
	return tr.say(d, zcl.CmdOTAQueryNextImage, Query{1, 2, version, nil}.append([]byte{0}))[0].Frame.Payload
}

func block(version, offset uint32, page uint16) []byte {
	b := Query{1, 2, version, nil}.append([]byte{0})
	b = append(binary.LittleEndian.AppendUint32(b, offset), 64)
	if page > 0 {
		b = binary.LittleEndian.AppendUint16(b, page)
		b = binary.LittleEndian.AppendUint16(b, 200)
	}
	return b
}

func (tr *trial) state() Upgrade {
	tr.t.Helper()
	all := tr.Upgrades()
	if len(all) == 0 {
		tr.t.Fatal("there is no upgrade")
	}
	return all[0]
}

func TestUpgrade(t *testing.T) {
	for name, page := range map[string]uint16{"pieces": 0, "pages": 150} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t)
			if got := tr.query(tr.lamp, 10); zcl.Status(got[0]) != zcl.NoImageAvailable {
				t.Fatalf("a device that nobody named gets %x", got)
			}
			if q, newer, ok := tr.Known(tr.lamp.IEEE); !ok || q.Version != 10 || newer == nil || newer.Version != 20 {
				t.Errorf("known: %+v, %+v, %t", q, newer, ok)
			}
			if err := tr.start(tr.lamp.IEEE, tr.image, nil); err != nil {
				t.Fatal(err)
			}
			if f := Notify(); f.Command != zcl.CmdOTAImageNotify || f.Global || !f.ToClient || !bytes.Equal(f.Payload, []byte{0, 100}) {
				t.Errorf("the device is told %+v", f)
			}
			want := append([]byte{0, 1, 0, 2, 0, 20, 0, 0, 0}, binary.LittleEndian.AppendUint32(nil, uint32(len(tr.file)))...)
			if got := tr.query(tr.lamp, 10); !bytes.Equal(got, want) {
				t.Fatalf("offered %x, want %x", got, want)
			}
			command := zcl.CmdOTAImageBlock
			if page > 0 {
				command = zcl.CmdOTAImagePage
			}
			var got []byte
			for len(got) < len(tr.file) {
				var last time.Duration
				for _, r := range tr.say(tr.lamp, command, block(20, uint32(len(got)), page)) {
					p := r.Frame.Payload
					if r.Frame.Command != zcl.CmdOTAImageBlockResponse || p[0] != 0 || binary.LittleEndian.Uint32(p[9:]) != uint32(len(got)) || int(p[13]) != len(p)-14 || r.After <= last {
						t.Fatalf("piece %x after %s", p, r.After)
					}
					got, last = append(got, p[14:]...), r.After
				}
			}
			if !bytes.Equal(got, tr.file) {
				t.Error("the device got something else than the file")
			}
			if u := tr.state(); u.State != Downloading || u.Bytes != u.Size || u.From != 10 || u.To != 20 {
				t.Errorf("%+v", u)
			}
			end := tr.say(tr.lamp, zcl.CmdOTAUpgradeEnd, Query{1, 2, 20, nil}.append([]byte{0}))[0].Frame
			if end.Command != zcl.CmdOTAUpgradeEndResponse || len(end.Payload) != 16 || tr.state().State != Restarting {
				t.Errorf("%+v, %+v", end, tr.state())
			}
			tr.query(tr.lamp, 20)
			if tr.state().State != Done {
				t.Errorf("%+v", tr.state())
			}
		})
	}
}

func TestUpgradesThatFail(t *testing.T) {
	low := 42.0
	tests := map[string]struct {
		then  func(tr *trial)
		state string
		why   string
	}{
		"aborted": {func(tr *trial) {
			if !tr.Abort(tr.lamp.IEEE) || tr.Abort(tr.lamp.IEEE) {
				tr.t.Error("aborting once and twice")
			}
			if got := tr.say(tr.lamp, zcl.CmdOTAImageBlock, block(20, 50, 0))[0].Frame.Payload; !bytes.Equal(got, []byte{byte(zcl.Abort)}) {
				tr.t.Errorf("the device is told %x", got)
			}
		}, Aborted, "somebody"},
		"silent": {func(tr *trial) { tr.clock = tr.clock.Add(time.Hour); tr.Sweep() }, Failed, "stopped asking"},
		"bad image": {func(tr *trial) {
			tr.say(tr.lamp, zcl.CmdOTAUpgradeEnd, []byte{byte(zcl.InvalidImage)})
		}, Failed, "does not take"},
		"beyond the end": {func(tr *trial) {
			tr.say(tr.lamp, zcl.CmdOTAImageBlock, block(20, 1<<20, 0))
		}, Failed, "asks for"},
		"comes back old": {func(tr *trial) {
			tr.say(tr.lamp, zcl.CmdOTAUpgradeEnd, Query{1, 2, 20, nil}.append([]byte{0}))
			old := uint32(11)
			tr.Restarted(tr.lamp.IEEE, &old)
			if q, _, _ := tr.Known(tr.lamp.IEEE); q.Version != old {
				tr.t.Errorf("it is known to have %d", q.Version)
			}
		}, Failed, "came back with version 0x0000000b"},
		"battery": {func(tr *trial) {
			tr.Abort(tr.lamp.IEEE)
			if err := tr.start(tr.lamp.IEEE, tr.image, &low); err == nil || !strings.Contains(err.Error(), "42 %") {
				tr.t.Errorf("with a low battery: %v", err)
			}
		}, Aborted, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t)
			if err := tr.start(tr.lamp.IEEE, tr.image, nil); err != nil {
				t.Fatal(err)
			}
			if err := tr.start(tr.lamp.IEEE, tr.image, nil); err == nil {
				t.Error("a second upgrade of the same device was begun")
			}
			tr.query(tr.lamp, 10)
			tr.say(tr.lamp, zcl.CmdOTAImageBlock, block(20, 0, 0))
			tt.then(tr)
			if u := tr.state(); u.State != tt.state || !strings.Contains(u.Error, tt.why) {
				t.Errorf("%+v", u)
			}
		})
	}
}

// One device downloads at a time; the other is told to wait and is served afterwards.
func TestOneAtATime(t *testing.T) {
	tr := newTrial(t)
	other := Device{IEEE: 0x3344}
	for _, d := range []Device{tr.lamp, other} {
		if err := tr.start(d.IEEE, tr.image, nil); err != nil {
			t.Fatal(err)
		}
		tr.query(d, 10)
	}
	tr.say(tr.lamp, zcl.CmdOTAImageBlock, block(20, 0, 0))
	if got := tr.say(other, zcl.CmdOTAImageBlock, block(20, 0, 0))[0].Frame.Payload; zcl.Status(got[0]) != zcl.WaitForData || binary.LittleEndian.Uint32(got[5:]) != waitTime {
		t.Errorf("the second is told %x", got)
	}
	tr.Abort(tr.lamp.IEEE)
	if got := tr.say(other, zcl.CmdOTAImageBlock, block(20, 0, 0))[0].Frame.Payload; got[0] != 0 {
		t.Errorf("after the first the second is told %x", got)
	}
}

// While its image is fetched an upgrade can be ended, and the device gets nothing.
func TestFetching(t *testing.T) {
	tr := newTrial(t)
	tr.query(tr.lamp, 10)
	if err := tr.Approve(tr.lamp.IEEE, tr.image, nil); err != nil {
		t.Fatal(err)
	}
	if u, ok := tr.Upgrade(tr.lamp.IEEE); !ok || u.State != Fetching || u.From != 10 || u.To != 20 {
		t.Errorf("%+v, %t", u, ok)
	}
	if got := tr.query(tr.lamp, 10); zcl.Status(got[0]) != zcl.NoImageAvailable {
		t.Errorf("a device whose image is not here yet gets %x", got)
	}
	if got := tr.say(tr.lamp, zcl.CmdOTAImageBlock, block(20, 0, 0))[0].Frame.Payload; !bytes.Equal(got, []byte{byte(zcl.Abort)}) {
		t.Errorf("and, asking for a piece, %x", got)
	}
	tr.clock = tr.clock.Add(time.Hour)
	tr.Sweep()
	if !tr.Abort(tr.lamp.IEEE) {
		t.Error("it was swept away, or cannot be ended")
	}
	if err := tr.Offer(tr.lamp.IEEE, tr.image); err == nil {
		t.Error("it goes on though it was ended")
	}
	if err := tr.Approve(tr.lamp.IEEE, tr.image, nil); err != nil {
		t.Fatal(err)
	}
	tr.Fail(tr.lamp.IEEE, errors.New("no way to the server"))
	if u := tr.state(); u.State != Failed || u.Error != "no way to the server" {
		t.Errorf("%+v", u)
	}
}
