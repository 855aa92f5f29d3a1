// Package zcl reads and writes what endpoints say to each other: frames, values and foundation commands of the Zigbee
// Cluster Library (document 07-5123, "the ZCL"), and knows its clusters by name. It does no I/O.
package zcl

import "fmt"

// A DataType says how a value travels (ZCL 2.6.2).
type DataType uint8

// The data types.
const (
	NoData          DataType = 0x00
	Data8           DataType = 0x08
	Data16          DataType = 0x09
	Data24          DataType = 0x0a
	Data32          DataType = 0x0b
	Data40          DataType = 0x0c
	Data48          DataType = 0x0d
	Data56          DataType = 0x0e
	Data64          DataType = 0x0f
	Bool            DataType = 0x10
	Bitmap8         DataType = 0x18
	Bitmap16        DataType = 0x19
	Bitmap24        DataType = 0x1a
	Bitmap32        DataType = 0x1b
	Bitmap40        DataType = 0x1c
	Bitmap48        DataType = 0x1d
	Bitmap56        DataType = 0x1e
	Bitmap64        DataType = 0x1f
	Uint8           DataType = 0x20
	Uint16          DataType = 0x21
	Uint24          DataType = 0x22
	Uint32          DataType = 0x23
	Uint40          DataType = 0x24
	Uint48          DataType = 0x25
	Uint56          DataType = 0x26
	Uint64          DataType = 0x27
	Int8            DataType = 0x28
	Int16           DataType = 0x29
	Int24           DataType = 0x2a
	Int32           DataType = 0x2b
	Int40           DataType = 0x2c
	Int48           DataType = 0x2d
	Int56           DataType = 0x2e
	Int64           DataType = 0x2f
	Enum8           DataType = 0x30
	Enum16          DataType = 0x31
	Float16         DataType = 0x38 // semi precision
	Float32         DataType = 0x39 // single precision
	Float64         DataType = 0x3a // double precision
	OctetString     DataType = 0x41
	CharString      DataType = 0x42
	LongOctetString DataType = 0x43
	LongCharString  DataType = 0x44
	Array           DataType = 0x48
	Struct          DataType = 0x4c
	Set             DataType = 0x50
	Bag             DataType = 0x51
	TimeOfDay       DataType = 0xe0
	Date            DataType = 0xe1
	UTCTime         DataType = 0xe2 // seconds since the year 2000
	ClusterID       DataType = 0xe8
	AttributeID     DataType = 0xe9
	BACnetOID       DataType = 0xea
	IEEEAddress     DataType = 0xf0
	Key128          DataType = 0xf1
	UnknownType     DataType = 0xff
)

var typeNames = [256]string{
	NoData: "no_data", Data8: "data8", Data16: "data16", Data24: "data24", Data32: "data32", Data40: "data40", Data48: "data48",
	Data56: "data56", Data64: "data64", Bool: "bool", Bitmap8: "bitmap8", Bitmap16: "bitmap16", Bitmap24: "bitmap24",
	Bitmap32: "bitmap32", Bitmap40: "bitmap40", Bitmap48: "bitmap48", Bitmap56: "bitmap56", Bitmap64: "bitmap64",
	Uint8: "uint8", Uint16: "uint16", Uint24: "uint24", Uint32: "uint32", Uint40: "uint40", Uint48: "uint48",
	Uint56: "uint56", Uint64: "uint64", Int8: "int8", Int16: "int16", Int24: "int24", Int32: "int32", Int40: "int40",
	Int48: "int48", Int56: "int56", Int64: "int64", Enum8: "enum8", Enum16: "enum16", Float16: "float16",
	Float32: "float32", Float64: "float64", OctetString: "octet_string", CharString: "char_string",
	LongOctetString: "long_octet_string", LongCharString: "long_char_string", Array: "array", Struct: "struct",
	Set: "set", Bag: "bag", TimeOfDay: "time_of_day", Date: "date", UTCTime: "utc_time", ClusterID: "cluster_id",
	AttributeID: "attribute_id", BACnetOID: "bacnet_oid", IEEEAddress: "ieee_address", Key128: "key128",
	UnknownType: "unknown",
}

func (t DataType) String() string {
	if name := typeNames[t]; name != "" {
		return name
	}
	return fmt.Sprintf("type 0x%02x", uint8(t))
}

// TypeNamed returns the type that prints as name.
func TypeNamed(name string) (DataType, bool) {
	for t, n := range typeNames {
		if n == name && name != "" {
			return DataType(t), true
		}
	}
	return UnknownType, false
}

// Size returns how many bytes a value of the type takes; false for strings, collections and what is no known type.
func (t DataType) Size() (int, bool) {
	switch {
	case t == NoData:
		return 0, true
	case t >= Data8 && t <= Data64, t >= Bitmap8 && t <= Int64:
		return int(t&7) + 1, true
	}
	switch t {
	case Bool, Enum8:
		return 1, true
	case Enum16, Float16, ClusterID, AttributeID:
		return 2, true
	case Float32, TimeOfDay, Date, UTCTime, BACnetOID:
		return 4, true
	case Float64, IEEEAddress:
		return 8, true
	case Key128:
		return 16, true
	}
	return 0, false
}

// Analog reports whether values of the type can be subtracted: only their reporting has a least change (ZCL 2.6.2).
func (t DataType) Analog() bool {
	switch t {
	case Float16, Float32, Float64, TimeOfDay, Date, UTCTime:
		return true
	}
	return t >= Uint8 && t <= Int64
}

func (t DataType) signed() bool { return t >= Int8 && t <= Int64 }

func (t DataType) float() bool { return t >= Float16 && t <= Float64 }

// number reports whether a value of the type counts, measures or picks something, and is held in at most 8 bytes.
func (t DataType) number() bool {
	switch t {
	case Bool, Enum8, Enum16, Float16, Float32, Float64, UTCTime, ClusterID, AttributeID, BACnetOID:
		return true
	}
	return t >= Data8 && t <= Data64 || t >= Bitmap8 && t <= Int64
}

// lengthSize returns how many bytes the length of a string takes, 0 for what is no string.
func (t DataType) lengthSize() int {
	switch t {
	case OctetString, CharString:
		return 1
	case LongOctetString, LongCharString:
		return 2
	}
	return 0
}

// invalid returns the bits that stand for "not known" in the type, false where there are none (ZCL 2.6.2, table 2-11).
// Floats have more than one: see Value.Valid.
func (t DataType) invalid() (uint64, bool) {
	switch {
	case t.signed():
		return 1 << (8*(t&7) + 7), true
	case t == Float16:
		return 0x7e00, true
	case t == Float32:
		return 0x7fc00000, true
	case t == Float64:
		return 0x7ff8000000000000, true
	case t == Bool, t >= Uint8 && t <= Uint64, t == Enum8, t == Enum16, t >= TimeOfDay && t <= BACnetOID, t == IEEEAddress:
		return t.mask(), true
	}
	return 0, false
}

// mask has the bits set that the type holds.
func (t DataType) mask() uint64 {
	size, _ := t.Size()
	if size >= 8 {
		return ^uint64(0)
	}
	return 1<<(8*size) - 1
}
