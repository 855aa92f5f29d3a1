package fake

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hearth/drivers/zigbee/zcl"
	"hearth/settings"
)

// Tuya is a model whose values are data points of cluster 0xef00.
type Tuya struct {
	Points  map[uint8]Point `yaml:"points"`
	Magic   bool            `yaml:"magic"`   // says nothing of its points before somebody read the attributes of Basic that Tuya's own hub reads
	Time    bool            `yaml:"time"`    // asks for the time when it has joined
	Packed  bool            `yaml:"packed"`  // puts several points into one frame
	Version uint8           `yaml:"version"` // of its microcontroller
}

// A Point is one data point: "bool true", "value 215", "enum 1", "string abc", "raw 01 02", "bitmap 4".
type Point struct {
	Value   string `yaml:"value"`
	Becomes uint8  `yaml:"becomes"` // this other point follows when it is set
}

// Check reads the points once.
func (t *Tuya) Check() error {
	for id, p := range t.Points {
		if _, _, err := p.bytes(); err != nil {
			return settings.At(fmt.Sprintf("points.%d", id), "%v", err)
		}
	}
	return nil
}

// pointTypes are the words of a Point's value; their places are the types on the air.
var pointTypes = [...]string{"raw", "bool", "value", "string", "enum", "bitmap"}

func (p Point) bytes() (kind uint8, b []byte, err error) {
	word, text, _ := strings.Cut(p.Value, " ")
	i := slices.Index(pointTypes[:], word)
	if i < 0 {
		return 0, nil, fmt.Errorf("want bool, value, enum, string, raw or bitmap before the value, not %q", word)
	}
	kind = uint8(i)
	switch word {
	case "raw":
		b, err = hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		return kind, b, err
	case "string":
		return kind, []byte(text), nil
	case "bool":
		on, err := strconv.ParseBool(text)
		if on {
			return kind, []byte{1}, err
		}
		return kind, []byte{0}, err
	}
	n, err := strconv.ParseInt(text, 0, 64)
	if word == "value" {
		return kind, binary.BigEndian.AppendUint32(nil, uint32(n)), err
	}
	return kind, []byte{byte(n)}, err
}

// A tuya device keeps its points as they go over the air.
type tuya struct {
	device *Device
	model  *Tuya
	points map[uint8]tuyaPoint
	number uint16 // of its next message
	spoken bool   // the magic words have been said
	clock  uint32 // the UTC time that it was told
}

type tuyaPoint struct {
	kind uint8
	b    []byte
}

func newTuya(d *Device, m *Tuya) *tuya {
	t := &tuya{device: d, model: m, points: map[uint8]tuyaPoint{}, spoken: !m.Magic}
	for id, p := range m.Points {
		if kind, b, err := p.bytes(); err == nil {
			t.points[id] = tuyaPoint{kind, b}
		}
	}
	return t
}

// joined asks for the time, as the thermostats and meters with a clock do.
func (t *tuya) joined() {
	if t.model.Time {
		t.device.mesh.after(5*t.device.mesh.hop(), func() { t.say(zcl.CmdTuyaTimeRequest) })
	}
}

// say sends one of the cluster's own commands, its message number first.
func (t *tuya) say(command uint8, payload ...byte) {
	t.number++
	t.answer(command, t.number, payload...)
}

func (t *tuya) answer(command uint8, number uint16, payload ...byte) {
	if t.device.member == nil {
		return
	}
	f := zcl.ClusterResponse(command, append(binary.BigEndian.AppendUint16(nil, number), payload...)...)
	t.device.say(t.device.endpoints[0].model.ID, 1, zcl.ClusterTuya, f)
}

func (t *tuya) hear(e *endpoint, cluster uint16, f zcl.Frame) bool {
	if cluster == zcl.ClusterBasic && f.Global && f.Command == zcl.CommandReadAttributes {
		ids, _ := zcl.ParseReadAttributes(f.Payload)
		if slices.Contains(ids, 0xfffe) && !t.spoken {
			t.spoken = true
			t.tellAll()
		}
		return false
	}
	if cluster != zcl.ClusterTuya || f.Global {
		return false
	}
	e.device.mesh.after(0, func() { t.command(f) })
	return f.NoDefaultResponse
}

func (t *tuya) command(f zcl.Frame) {
	a := arguments{b: f.Payload}
	number := uint16(0)
	if len(a.b) >= 2 {
		number = binary.BigEndian.Uint16(a.take(2))
	}
	switch f.Command {
	case zcl.CmdTuyaDataRequest, zcl.CmdTuyaSendData:
		for len(a.b) >= 4 {
			t.assign(number, &a)
		}
	case zcl.CmdTuyaDataQuery:
		t.tellAll()
	case zcl.CmdTuyaMCUVersionRequest:
		t.answer(zcl.CmdTuyaMCUVersionResponse, number, max(t.model.Version, 0x40))
	case zcl.CmdTuyaSetTime:
		if len(a.b) >= 8 {
			t.clock = binary.BigEndian.Uint32(a.b)
		}
	}
}

// assign sets one point as the host wants, if the device has it and takes that type, and tells so.
func (t *tuya) assign(number uint16, a *arguments) {
	id, kind := a.uint8(), a.uint8()
	b := slices.Clone(a.take(int(binary.BigEndian.Uint16(a.take(2)))))
	old, has := t.points[id]
	if a.short || !has || old.kind != kind {
		return
	}
	t.points[id] = tuyaPoint{kind, b}
	t.tell(zcl.CmdTuyaDataResponse, number, id)
	if other := t.model.Points[id].Becomes; other != 0 {
		if p, ok := t.points[other]; ok && p.kind == kind {
			t.points[other] = tuyaPoint{kind, b}
			t.number++
			t.tell(zcl.CmdTuyaDataReport, t.number, other)
		}
	}
}

// tell sends points with their values.
func (t *tuya) tell(command uint8, number uint16, ids ...uint8) {
	if !t.spoken {
		return
	}
	var b []byte
	for _, id := range ids {
		p := t.points[id]
		b = binary.BigEndian.AppendUint16(append(b, id, p.kind), uint16(len(p.b)))
		b = append(b, p.b...)
	}
	t.answer(command, number, b...)
}

func (t *tuya) tellAll() {
	ids := make([]uint8, 0, len(t.points))
	for id := range t.points {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	at := 1
	if t.model.Packed {
		at = 4
	}
	for part := range slices.Chunk(ids, at) {
		t.number++
		t.tell(zcl.CmdTuyaDataReport, t.number, part...)
	}
}

func (d *Device) tuya() *tuya {
	for _, x := range d.extras {
		if t, ok := x.(*tuya); ok {
			return t
		}
	}
	return nil
}

// SetPoint changes a data point of a Tuya device, as a person at it would, and the device tells of it.
func (d *Device) SetPoint(id uint8, value string) (err error) {
	kind, b, err := Point{Value: value}.bytes()
	if err != nil {
		return err
	}
	d.mesh.do(func() {
		t := d.tuya()
		if t == nil {
			err = fmt.Errorf("%s has no data points", d.name)
			return
		}
		t.points[id] = tuyaPoint{kind, b}
		t.number++
		t.tell(zcl.CmdTuyaDataReport, t.number, id)
	})
	return err
}

// Point is a data point's bytes, as they go over the air.
func (d *Device) Point(id uint8) (b []byte) {
	d.mesh.do(func() {
		if t := d.tuya(); t != nil {
			b = slices.Clone(t.points[id].b)
		}
	})
	return b
}

// Clock is the time that a Tuya device was told, in seconds since 1970; 0 if it was told none.
func (d *Device) Clock() (utc uint32) {
	d.mesh.do(func() {
		if t := d.tuya(); t != nil {
			utc = t.clock
		}
	})
	return utc
}
