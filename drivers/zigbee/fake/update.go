package fake

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"hearth/drivers/zigbee/zcl"
)

// An Update is a model that fetches its firmware (ZCL 11): what it runs, and how it asks.
type Update struct {
	ImageType uint16 `yaml:"image_type"`
	Version   uint32 `yaml:"version"`
	Hardware  uint16 `yaml:"hardware"`
	Block     uint8  `yaml:"block"` // bytes that it asks for at once; 0: 48
	Page      uint16 `yaml:"page"`  // 0: it asks for every block; else for so many bytes at once
}

// A client asks again for a block that does not come; after some times it rests, and begins with the query again.
const (
	otaRetry = 5 * time.Second
	otaTries = 10
	otaRest  = 5 * time.Minute
)

// An update is the client that does it.
type update struct {
	device  *Device
	model   *Update
	version uint32
	to      uint8 // the server's endpoint

	target  uint32 // the version under way
	size    int
	image   []byte
	until   int // how much of it was asked for
	waiting *event
	fails   int
}

func newUpdate(d *Device, m *Update) *update {
	return &update{device: d, model: m, version: m.Version, to: 1}
}

func (u *update) joined() {}

func (u *update) endpoint() *endpoint {
	for _, e := range u.device.endpoints {
		if slices.Contains(e.model.Out, Cluster(zcl.ClusterOTA)) {
			return e
		}
	}
	return u.device.endpoints[0]
}

// say asks the server something; the maker and the image type go first, behind what is before them.
func (u *update) say(command uint8, before []byte, version uint32, behind ...byte) {
	b := binary.LittleEndian.AppendUint16(before, u.device.model.Manufacturer)
	b = binary.LittleEndian.AppendUint16(b, u.model.ImageType)
	b = binary.LittleEndian.AppendUint32(b, version)
	u.device.say(u.endpoint().model.ID, u.to, zcl.ClusterOTA, zcl.ClusterCommand(command, append(b, behind...)...))
}

func (u *update) query() {
	u.say(zcl.CmdOTAQueryNextImage, []byte{1}, u.version, byte(u.model.Hardware), byte(u.model.Hardware>>8))
}

// hear takes what the server says: that there may be something, what there is, its blocks, and when to begin with it.
func (u *update) hear(e *endpoint, cluster uint16, f zcl.Frame) bool {
	if cluster != zcl.ClusterOTA || !f.ToClient {
		return false
	}
	if f.Global {
		return u.attributes(e, f)
	}
	p := f.Payload
	switch {
	case f.Command == zcl.CmdOTAImageNotify:
		u.device.mesh.after(u.device.mesh.hop(), u.query)
	case f.Command == zcl.CmdOTAQueryNextImageResponse && len(p) >= 13 && p[0] == byte(zcl.Success):
		u.begin(binary.LittleEndian.Uint32(p[5:]), int(binary.LittleEndian.Uint32(p[9:])))
	case f.Command == zcl.CmdOTAImageBlockResponse && len(p) > 0:
		u.block(p)
	case f.Command == zcl.CmdOTAUpgradeEndResponse && len(p) >= 16:
		now, at := binary.LittleEndian.Uint32(p[8:]), binary.LittleEndian.Uint32(p[12:])
		if at != 0xffffffff && u.target != 0 {
			u.device.mesh.after(time.Duration(max(at, now)-now)*time.Second, u.apply)
		}
	}
	return true
}

// attributes answers a read of the client's own attributes.
func (u *update) attributes(e *endpoint, f zcl.Frame) bool {
	if f.Command != zcl.CommandReadAttributes {
		return false
	}
	ids, _ := zcl.ParseReadAttributes(f.Payload)
	var results []zcl.AttributeResult
	for _, id := range ids {
		r := zcl.AttributeResult{ID: id}
		switch id {
		case zcl.AttrOTACurrentFileVersion:
			r.Value = zcl.UintOf(zcl.Uint32, uint64(u.version))
		case zcl.AttrOTAManufacturerID:
			r.Value = zcl.UintOf(zcl.Uint16, uint64(u.device.model.Manufacturer))
		case zcl.AttrOTAImageTypeID:
			r.Value = zcl.UintOf(zcl.Uint16, uint64(u.model.ImageType))
		default:
			r.Status = zcl.UnsupportedAttribute
		}
		results = append(results, r)
	}
	answer := zcl.ReadAttributesResponse(results...).InReplyTo(f)
	u.device.transmit(packet{from: e.model.ID, to: u.to, profile: e.model.Profile, cluster: zcl.ClusterOTA, data: answer.Append(nil)})
	return true
}

func (u *update) begin(version uint32, size int) {
	if version == u.version || size < 56 || size > 4<<20 {
		return
	}
	if u.target != version || u.size != size {
		u.target, u.size, u.image, u.fails = version, size, nil, 0
	}
	u.next()
}

// next asks for what is missing, and again if no answer comes.
func (u *update) next() {
	m := u.device.mesh
	m.stop(u.waiting)
	if u.device.member == nil || u.target == 0 {
		return
	}
	if len(u.image) >= u.size {
		u.finish()
		return
	}
	most := u.model.Block
	if most == 0 {
		most = 48
	}
	at := binary.LittleEndian.AppendUint32(nil, uint32(len(u.image)))
	if u.model.Page > 0 {
		at = binary.LittleEndian.AppendUint16(append(at, most), u.model.Page)
		u.say(zcl.CmdOTAImagePage, []byte{0}, u.target, append(at, 0, 0)...)
	} else {
		u.say(zcl.CmdOTAImageBlock, []byte{0}, u.target, append(at, most)...)
	}
	u.until = min(len(u.image)+int(max(u.model.Page, uint16(most))), u.size)
	u.awake(otaRetry)
	u.waiting = m.after(otaRetry, func() {
		if u.fails++; u.fails < otaTries {
			u.next()
			return
		}
		u.fails = 0
		u.waiting = m.after(otaRest, u.query)
	})
}

// awake keeps a device that sleeps from doing so while it waits for something.
func (u *update) awake(d time.Duration) {
	if until := time.Now().Add(d); until.After(u.device.awakeUntil) {
		u.device.awakeUntil = until
	}
}

func (u *update) block(p []byte) {
	m := u.device.mesh
	switch status := zcl.Status(p[0]); {
	case status == zcl.Success && len(p) >= 14:
		offset, size := int(binary.LittleEndian.Uint32(p[9:])), int(p[13])
		if binary.LittleEndian.Uint32(p[5:]) != u.target || offset != len(u.image) || len(p) < 14+size || size == 0 {
			return
		}
		u.image, u.fails = append(u.image, p[14:14+size]...), 0
		u.awake(otaRetry)
		if u.model.Page == 0 || len(u.image) >= u.until {
			m.stop(u.waiting)
			u.waiting = m.after(m.hop(), u.next)
		}
	case status == zcl.WaitForData && len(p) >= 9:
		u.fails = 0
		now, at := binary.LittleEndian.Uint32(p[1:]), binary.LittleEndian.Uint32(p[5:])
		m.stop(u.waiting)
		u.waiting = m.after(time.Duration(max(at, now)-now)*time.Second, u.next)
	case status == zcl.Abort:
		m.stop(u.waiting)
		u.target, u.image = 0, nil
	}
}

// finish verifies the image and tells the server how that went.
func (u *update) finish() {
	status := zcl.Success
	if err := verify(u.image, u.device.model.Manufacturer, u.model.ImageType, u.target); err != nil {
		u.device.mesh.log.Warn("the firmware image is no good", "device", u.device.name, "error", err)
		status = zcl.InvalidImage
	}
	u.say(zcl.CmdOTAUpgradeEnd, []byte{byte(status)}, u.target)
	if status != zcl.Success {
		u.target, u.image = 0, nil
	}
}

// verify checks an image's header and that its elements fill it (ZCL 11.4).
func verify(image []byte, maker, kind uint16, version uint32) error {
	if len(image) < 56 || !bytes.Equal(image[:4], []byte{0x1e, 0xf1, 0xee, 0x0b}) {
		return fmt.Errorf("it is no upgrade file")
	}
	header, total := int(binary.LittleEndian.Uint16(image[6:])), int(binary.LittleEndian.Uint32(image[52:]))
	switch {
	case binary.LittleEndian.Uint16(image[10:]) != maker, binary.LittleEndian.Uint16(image[12:]) != kind:
		return fmt.Errorf("it is for another device")
	case binary.LittleEndian.Uint32(image[14:]) != version:
		return fmt.Errorf("it is another version")
	case total != len(image) || header > len(image):
		return fmt.Errorf("it has %d bytes and says %d", len(image), total)
	}
	rest := image[header:]
	for len(rest) >= 6 {
		n := int(binary.LittleEndian.Uint32(rest[2:]))
		if n > len(rest)-6 {
			return fmt.Errorf("an element is longer than the file")
		}
		rest = rest[6+n:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("%d bytes too many at its end", len(rest))
	}
	return nil
}

// apply restarts the device with the new firmware.
func (u *update) apply() {
	u.version, u.target, u.image = u.target, 0, nil
	d := u.device
	for _, e := range d.endpoints {
		if a := e.attribute(zcl.ClusterBasic, 0, zcl.AttrBasicSWBuildID); a != nil {
			a.value = zcl.TextOf(fmt.Sprintf("%d.%d.%d", u.version>>24, u.version>>16&0xff, u.version&0xffff))
		}
	}
	d.announce()
}

// FirmwareVersion is the file version that a device with an OTA client runs.
func (d *Device) FirmwareVersion() (version uint32) {
	d.mesh.do(func() {
		for _, x := range d.extras {
			if u, ok := x.(*update); ok {
				version = u.version
			}
		}
	})
	return version
}

// QueryImage makes a device with an OTA client ask for firmware of its own accord.
func (d *Device) QueryImage() {
	d.mesh.do(func() {
		for _, x := range d.extras {
			if u, ok := x.(*update); ok {
				u.query()
			}
		}
	})
}
