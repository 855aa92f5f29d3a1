package quirks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// A PointType is the type of a Tuya data point.
type PointType uint8

// The types. Numbers have their most significant byte first.
const (
	PointRaw    PointType = 0x00
	PointBool   PointType = 0x01
	PointValue  PointType = 0x02 // 4 bytes, with a sign
	PointString PointType = 0x03
	PointEnum   PointType = 0x04 // 1 byte
	PointBitmap PointType = 0x05 // 1, 2 or 4 bytes
)

var pointTypes = [...]string{"raw", "bool", "value", "string", "enum", "bitmap"}

func (t PointType) String() string {
	if int(t) < len(pointTypes) {
		return pointTypes[t]
	}
	return fmt.Sprintf("type 0x%02x", uint8(t))
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *PointType) UnmarshalText(text []byte) error {
	i := slices.Index(pointTypes[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q is no type of a data point: want bool, value, enum, bitmap, string or raw", text)
	}
	*t = PointType(i)
	return nil
}

// A Point is a Tuya data point as it travels.
type Point struct {
	ID   uint8
	Type PointType
	Data []byte
}

// NumberPoint returns a data point of a type that is a number.
func NumberPoint(id uint8, t PointType, n float64) Point {
	whole := uint32(int64(min(max(math.Round(n), math.MinInt32), math.MaxUint32)))
	if t == PointBool || t == PointEnum || t == PointBitmap && whole <= math.MaxUint8 {
		return Point{id, t, []byte{byte(whole)}}
	}
	if t == PointBitmap && whole <= math.MaxUint16 {
		return Point{id, t, binary.BigEndian.AppendUint16(nil, uint16(whole))}
	}
	return Point{id, t, binary.BigEndian.AppendUint32(nil, whole)}
}

// Number returns the number of a bool, a value, an enum or a bitmap.
func (p Point) Number() (float64, bool) {
	if p.Type == PointRaw || p.Type == PointString {
		return 0, false
	}
	return Slice{Signed: p.Type == PointValue}.of(p.Data)
}

// of returns the number that the slice of b is; false if there is none, or it is longer than 8 bytes.
func (s Slice) of(b []byte) (float64, bool) {
	if s.At > len(b) || s.At+s.Length > len(b) {
		return 0, false
	}
	b = b[s.At:]
	if s.Length > 0 {
		b = b[:s.Length]
	}
	if len(b) == 0 || len(b) > 8 {
		return 0, false
	}
	var n uint64
	for i := range b {
		if s.Little {
			n |= uint64(b[i]) << (8 * i)
		} else {
			n = n<<8 | uint64(b[i])
		}
	}
	if unused := 64 - 8*len(b); s.Signed {
		return float64(int64(n<<unused) >> unused), true
	}
	return float64(n), true
}

var errShort = errors.New("it breaks off")

// ParsePoints reads the payload of Tuya's data commands: 0x00, 0x01, 0x02, 0x04, 0x05 and 0x06 of cluster 0xEF00. It
// returns what it could read before the error. The points share b's memory.
func ParsePoints(b []byte) (sequence uint16, points []Point, err error) {
	if len(b) < 2 {
		return 0, nil, fmt.Errorf("reading Tuya data of %d bytes: %w", len(b), errShort)
	}
	sequence, b = binary.BigEndian.Uint16(b), b[2:]
	for len(b) >= 4 {
		p := Point{ID: b[0], Type: PointType(b[1])}
		length := int(binary.BigEndian.Uint16(b[2:]))
		if b = b[4:]; length > len(b) {
			return sequence, points, fmt.Errorf("reading Tuya data point %d: %d bytes of %d: %w", p.ID, len(b), length, errShort)
		}
		p.Data, b = b[:length], b[length:]
		points = append(points, p)
	}
	if len(b) > 0 {
		return sequence, points, fmt.Errorf("reading Tuya data: %d bytes after the last point", len(b))
	}
	return sequence, points, nil
}

// AppendPoints writes behind b what ParsePoints reads.
func AppendPoints(b []byte, sequence uint16, points ...Point) []byte {
	b = binary.BigEndian.AppendUint16(b, sequence)
	for _, p := range points {
		data := p.Data[:min(len(p.Data), math.MaxUint16)]
		b = binary.BigEndian.AppendUint16(append(b, p.ID, byte(p.Type)), uint16(len(data)))
		b = append(b, data...)
	}
	return b
}

// Command returns the frame that sets data points. Tuya's devices answer by reporting them, and a default response would
// only keep them busy.
func (t *Tuya) Command(sequence uint16, points ...Point) zcl.Frame {
	f := zcl.ClusterCommand(zcl.CmdTuyaDataRequest, AppendPoints(nil, sequence, points...)...)
	if t.Send {
		f.Command = zcl.CmdTuyaSendData
	}
	f.NoDefaultResponse = true
	return f
}

// TimeAnswer returns the answer to a device that asks for the time, false if it is to have none. t may be nil; now is in
// the zone of the house.
func (t *Tuya) TimeAnswer(now time.Time) (zcl.Frame, bool) {
	clock := ClockUnix
	if t != nil {
		clock = t.Time
	}
	_, zone := now.Zone()
	utc := now.Unix()
	local := utc + int64(zone)
	switch clock {
	case ClockNone:
		return zcl.Frame{}, false
	case Clock2000:
		utc, local = utc-secondsTo2000, local-secondsTo2000
	case ClockLocal:
		utc = local
	}
	return zcl.ClusterCommand(zcl.CmdTuyaSetTime, timePayload(uint32(utc), uint32(local))...), true
}

// timePayload tells a Tuya device the time.
func timePayload(utc, local uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{8, 0}, utc), local)
}

const secondsTo2000 = 946684800

// ParseTime reads the payload by which a Tuya device is told the time; what the numbers count from is the device's affair.
func ParseTime(payload []byte) (utc, local uint32, err error) {
	if len(payload) < 10 {
		return 0, 0, fmt.Errorf("reading a Tuya time of %d bytes: %w", len(payload), errShort)
	}
	return binary.BigEndian.Uint32(payload[2:]), binary.BigEndian.Uint32(payload[6:]), nil
}

// ConnectedAnswer is the answer to a device that asks whether its gateway is connected: it is. Some show or do nothing
// without it.
func ConnectedAnswer() zcl.Frame {
	return zcl.ClusterCommand(zcl.CmdTuyaGatewayConnectionStatus, 1, 0, 1)
}

// VersionRequest asks for the version of the device's MCU.
func VersionRequest() zcl.Frame { return zcl.ClusterCommand(zcl.CmdTuyaMCUVersionRequest, 0, 2) }

// ParseVersion reads the answer to VersionRequest: a version such as 1.0.5.
func ParseVersion(payload []byte) (string, error) {
	if len(payload) < 3 {
		return "", fmt.Errorf("reading a Tuya version of %d bytes: %w", len(payload), errShort)
	}
	v := payload[2]
	return fmt.Sprintf("%d.%d.%d", v>>6, v>>4&3, v&15), nil
}

// QueryRequest asks for all data points.
func QueryRequest() zcl.Frame { return zcl.ClusterCommand(zcl.CmdTuyaDataQuery) }

// MagicRead is the read of Basic without which many of Tuya's devices stay silent, or behave as their factory left them.
func MagicRead() zcl.Frame {
	return zcl.ReadAttributes(zcl.AttrBasicManufacturerName, zcl.AttrBasicZCLVersion, zcl.AttrBasicApplicationVersion,
		zcl.AttrBasicModelIdentifier, zcl.AttrBasicPowerSource, zcl.AttrAttributeReportingStatus)
}

// Value returns what a point that has come means; the zero Value if that is nothing.
func (d *DataPoint) Value(p Point) hearth.Value {
	switch {
	case p.ID != d.DP:
		return hearth.Value{}
	case d.Slice != (Slice{}):
		if n, ok := d.Slice.of(p.Data); ok {
			return d.OfNumber(n)
		}
		return hearth.Value{}
	case p.Type == PointString || p.Type == PointRaw && d.Type == PointString:
		return d.OfText(string(p.Data))
	}
	if n, ok := p.Number(); ok {
		return d.OfNumber(n)
	}
	if n, ok := (Slice{}).of(p.Data); ok { // raw, where another firmware sends a number
		return d.OfNumber(n)
	}
	return hearth.Value{}
}

// Point returns the data point that sets the property.
func (d *DataPoint) Point(v hearth.Value) (Point, error) {
	id := d.DP
	if d.WriteDP != 0 {
		id = d.WriteDP
	}
	if d.Type == PointString {
		return Point{id, PointString, []byte(v.Text())}, nil
	}
	n, err := d.Raw(v)
	if err != nil {
		return Point{}, err
	}
	return NumberPoint(id, d.Type, n), nil
}
