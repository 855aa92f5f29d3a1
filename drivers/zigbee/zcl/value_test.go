package zcl

import (
	"bytes"
	"encoding/hex"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A valueVector is a value with its bytes (ZCL 2.6.2).
type valueVector struct {
	value  Value
	bytes  string
	number float64 // NaN: none
	says   string
}

func wholeNumbers() map[string]valueVector {
	return map[string]valueVector{
		"no data":              {Value{Type: NoData}, "", math.NaN(), "0x"},
		"data8":                {UintOf(Data8, 0xff), "ff", 255, "0xff"},
		"data24":               {UintOf(Data24, 0x010203), "030201", 0x010203, "0x010203"},
		"data64":               {UintOf(Data64, 0x0102030405060708), "0807060504030201", 0x0102030405060708, "0x0102030405060708"},
		"bool":                 {BoolOf(true), "01", 1, "true"},
		"bool false":           {BoolOf(false), "00", 0, "false"},
		"bool of a bad device": {UintOf(Bool, 2), "02", 1, "true"},
		"bool invalid":         {InvalidOf(Bool), "ff", math.NaN(), "invalid"},
		"bitmap8 all set":      {UintOf(Bitmap8, 0xff), "ff", 255, "0xff"},
		"bitmap16":             {UintOf(Bitmap16, 0x0021), "2100", 0x21, "0x0021"},
		"bitmap64":             {UintOf(Bitmap64, 1<<63), "0000000000000080", 1 << 63, "0x8000000000000000"},
		"uint8":                {UintOf(Uint8, 254), "fe", 254, "254"},
		"uint8 invalid":        {InvalidOf(Uint8), "ff", math.NaN(), "invalid"},
		"uint16":               {UintOf(Uint16, 0x1234), "3412", 0x1234, "4660"},
		"uint16 invalid":       {InvalidOf(Uint16), "ffff", math.NaN(), "invalid"},
		"uint24":               {UintOf(Uint24, 0x010203), "030201", 66051, "66051"},
		"uint24 invalid":       {InvalidOf(Uint24), "ffffff", math.NaN(), "invalid"},
		"uint32":               {UintOf(Uint32, 0x01020304), "04030201", 0x01020304, "16909060"},
		"uint40":               {UintOf(Uint40, 0x0102030405), "0504030201", 0x0102030405, "4328719365"},
		"uint48":               {UintOf(Uint48, 0x010203040506), "060504030201", 0x010203040506, "1108152157446"},
		"uint48 invalid":       {InvalidOf(Uint48), "ffffffffffff", math.NaN(), "invalid"},
		"uint56":               {UintOf(Uint56, 0x01020304050607), "07060504030201", 0x01020304050607, "283686952306183"},
		"uint64":               {UintOf(Uint64, 1), "0100000000000000", 1, "1"},
		"uint64 invalid":       {InvalidOf(Uint64), "ffffffffffffffff", math.NaN(), "invalid"},
		"int8":                 {IntOf(Int8, -1), "ff", -1, "-1"},
		"int8 invalid":         {InvalidOf(Int8), "80", math.NaN(), "invalid"},
		"int16":                {IntOf(Int16, -550), "dafd", -550, "-550"},
		"int16 largest":        {IntOf(Int16, 32767), "ff7f", 32767, "32767"},
		"int16 invalid":        {InvalidOf(Int16), "0080", math.NaN(), "invalid"},
		"int24":                {IntOf(Int24, -2), "feffff", -2, "-2"},
		"int24 invalid":        {InvalidOf(Int24), "000080", math.NaN(), "invalid"},
		"int32":                {IntOf(Int32, -70000), "90eefeff", -70000, "-70000"},
		"int40":                {IntOf(Int40, -3), "fdffffffff", -3, "-3"},
		"int48":                {IntOf(Int48, -1<<46), "0000000000c0", -1 << 46, "-70368744177664"},
		"int48 invalid":        {InvalidOf(Int48), "000000000080", math.NaN(), "invalid"},
		"int56":                {IntOf(Int56, -4), "fcffffffffffff", -4, "-4"},
		"int64":                {IntOf(Int64, -5), "fbffffffffffffff", -5, "-5"},
		"int64 invalid":        {InvalidOf(Int64), "0000000000000080", math.NaN(), "invalid"},
		"enum8":                {UintOf(Enum8, 3), "03", 3, "3"},
		"enum8 invalid":        {InvalidOf(Enum8), "ff", math.NaN(), "invalid"},
		"enum16":               {UintOf(Enum16, 0x0115), "1501", 0x115, "277"},
		"enum16 invalid":       {InvalidOf(Enum16), "ffff", math.NaN(), "invalid"},
	}
}

func otherValues() map[string]valueVector {
	return map[string]valueVector{
		"float16":             {FloatOf(Float16, -1.5), "00be", -1.5, "-1.5"},
		"float16 NaN":         {InvalidOf(Float16), "007e", math.NaN(), "invalid"},
		"float32":             {FloatOf(Float32, 230.2), "33336643", 230.2, "230.2"},
		"float32 NaN":         {InvalidOf(Float32), "0000c07f", math.NaN(), "invalid"},
		"float32 other NaN":   {UintOf(Float32, 0xffc00001), "0100c0ff", math.NaN(), "invalid"},
		"float64":             {FloatOf(Float64, 0.1), "9a9999999999b93f", 0.1, "0.1"},
		"float64 NaN":         {InvalidOf(Float64), "000000000000f87f", math.NaN(), "invalid"},
		"octets":              {BytesOf([]byte{1, 2, 0}), "03 010200", math.NaN(), "010200"},
		"octets invalid":      {InvalidOf(OctetString), "ff", math.NaN(), "invalid"},
		"text":                {TextOf("TS0601"), "06 545330363031", math.NaN(), `"TS0601"`},
		"text empty":          {TextOf(""), "00", math.NaN(), `""`},
		"text invalid":        {InvalidOf(CharString), "ff", math.NaN(), "invalid"},
		"long octets":         {Value{Type: LongOctetString, text: "\x01\x02"}, "0200 0102", math.NaN(), "0102"},
		"long octets invalid": {InvalidOf(LongOctetString), "ffff", math.NaN(), "invalid"},
		"long text":           {Value{Type: LongCharString, text: "ab"}, "0200 6162", math.NaN(), `"ab"`},
		"long text invalid":   {InvalidOf(LongCharString), "ffff", math.NaN(), "invalid"},
		"array":               {ArrayOf(Array, Uint16, UintOf(Uint16, 1), UintOf(Uint16, 2)), "21 0200 0100 0200", math.NaN(), "[1, 2]"},
		"array empty":         {ArrayOf(Array, Uint8), "20 0000", math.NaN(), "[]"},
		"array invalid":       {Value{Type: Array, element: Uint8, unknown: true}, "20 ffff", math.NaN(), "invalid"},
		"set":                 {ArrayOf(Set, CharString, TextOf("a"), TextOf("bc")), "42 0200 0161 026263", math.NaN(), `["a", "bc"]`},
		"bag":                 {ArrayOf(Bag, Enum8, UintOf(Enum8, 1), UintOf(Enum8, 1)), "30 0200 01 01", math.NaN(), "[1, 1]"},
		"struct":              {StructOf(BoolOf(true), IntOf(Int16, -2)), "0200 1001 29feff", math.NaN(), "[true, -2]"},
		"struct invalid":      {InvalidOf(Struct), "ffff", math.NaN(), "invalid"},
		"struct in struct":    {StructOf(StructOf(UintOf(Uint8, 7))), "0100 4c 0100 2007", math.NaN(), "[[7]]"},
		"array of arrays":     {ArrayOf(Array, Array, ArrayOf(Array, Uint8, UintOf(Uint8, 7))), "48 0100 20 0100 07", math.NaN(), "[[7]]"},
		"time of day":         {UintOf(TimeOfDay, 0x0c_3b_1e_17), "171e3b0c", math.NaN(), "23:30:59.12"},
		"time of day in part": {UintOf(TimeOfDay, 0xff_ff_1e_17), "171effff", math.NaN(), "23:30:?.?"},
		"date":                {UintOf(Date, 0x01_16_0b_7e), "7e0b1601", math.NaN(), "2026-11-22"},
		"date in part":        {UintOf(Date, 0xff_16_0b_ff), "ff0b16ff", math.NaN(), "?-11-22"},
		"date invalid":        {InvalidOf(Date), "ffffffff", math.NaN(), "invalid"},
		"UTC time":            {UTCOf(time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)), "70309632", (26*365+7+325)*86400 + 23*3600, "2026-11-22T23:00:00Z"},
		"UTC time invalid":    {InvalidOf(UTCTime), "ffffffff", math.NaN(), "invalid"},
		"cluster":             {UintOf(ClusterID, 0x0006), "0600", 6, "0x0006"},
		"attribute":           {UintOf(AttributeID, 0x4003), "0340", 0x4003, "0x4003"},
		"BACnet object":       {UintOf(BACnetOID, 0x01020304), "04030201", 0x01020304, "0x01020304"},
		"address":             {UintOf(IEEEAddress, 0x00158d0001a2b3c4), "c4b3a201008d1500", math.NaN(), "0x00158d0001a2b3c4"},
		"address invalid":     {InvalidOf(IEEEAddress), "ffffffffffffffff", math.NaN(), "invalid"},
		"key":                 {Value{Type: Key128, text: "0123456789abcdef"}, "30313233343536373839616263646566", math.NaN(), "(key)"},
	}
}

// TestValues holds every type's bytes against its value, both ways.
func TestValues(t *testing.T) {
	tests := wholeNumbers()
	maps.Copy(tests, otherValues())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want := unhex(t, test.bytes)
			if got := test.value.Append(nil); !bytes.Equal(got, want) {
				t.Errorf("written %x, want %x", got, want)
			}
			got, rest, err := ReadValue(append(want[:len(want):len(want)], 0xee), test.value.Type)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(rest, []byte{0xee}) {
				t.Errorf("%x is left", rest)
			}
			if len(got.members) == 0 {
				got.members = nil
			}
			if !reflect.DeepEqual(got, test.value) {
				t.Errorf("read %#v, want %#v", got, test.value)
			}
			if n, ok := got.Number(); ok == math.IsNaN(test.number) || ok && n != test.number {
				t.Errorf("number %v, %v, want %v", n, ok, test.number)
			}
			if got.String() != test.says {
				t.Errorf("says %s, want %s", got, test.says)
			}
			if got.Valid() != (test.says != "invalid") {
				t.Errorf("valid: %v", got.Valid())
			}
			if len(want) > 0 {
				if v, _, err := ReadValue(want[:len(want)-1], test.value.Type); err == nil {
					t.Errorf("with a byte less it is %s", v)
				}
			}
		})
	}
}

func TestEveryTypeIsHeld(t *testing.T) {
	for _, dt := range []DataType{0x07, 0x11, 0x17, 0x32, 0x37, 0x3b, 0x40, 0x45, 0x49, 0x4d, 0x52, 0xe3, 0xe7, 0xeb, 0xf2, UnknownType} {
		if v, _, err := ReadValue(make([]byte, 64), dt); err == nil {
			t.Errorf("%s is read as %s", dt, v)
		}
		if b := (Value{Type: dt}).Append(nil); len(b) != 0 {
			t.Errorf("%s is written as %x", dt, b)
		}
	}
	named := 0
	for n := range 256 {
		dt := DataType(n)
		if strings.HasPrefix(dt.String(), "type 0x") {
			continue
		}
		named++
		if back, ok := TypeNamed(dt.String()); !ok || back != dt {
			t.Errorf("%s is not found by its name", dt)
		}
		if v := InvalidOf(dt); dt != UnknownType && v.Valid() && dt != NoData && dt != Key128 && (dt < Data8 || dt > Data64) && (dt < Bitmap8 || dt > Bitmap64) {
			t.Errorf("%s has no invalid value", dt)
		}
	}
	if named != 56 {
		t.Errorf("%d types", named)
	}
	if dt, ok := TypeNamed("uint9"); ok {
		t.Errorf("uint9 is %s", dt)
	}
}

func TestAnalog(t *testing.T) {
	analog := []DataType{
		Uint8, Uint16, Uint24, Uint32, Uint40, Uint48, Uint56, Uint64, Int8, Int16, Int24, Int32, Int40, Int48, Int56, Int64,
		Float16, Float32, Float64, TimeOfDay, Date, UTCTime,
	}
	count := 0
	for n := range 256 {
		if DataType(n).Analog() {
			count++
		}
	}
	for _, dt := range analog {
		if !dt.Analog() {
			t.Errorf("%s is not", dt)
		}
	}
	if count != len(analog) {
		t.Errorf("%d types, want %d", count, len(analog))
	}
}

func TestBrokenValues(t *testing.T) {
	tests := map[string]struct {
		kind  DataType
		bytes string
	}{
		"text longer than the rest":   {CharString, "05 616263"},
		"long text longer":            {LongCharString, "0500 616263"},
		"long text's length cut":      {LongCharString, "05"},
		"array longer than the rest":  {Array, "20 0500 0102"},
		"array of nothing":            {Array, "00 0200 0102"},
		"array of what does not fit":  {Array, "21 0200 010203"},
		"array of unknown":            {Array, "ff 0100 0102"},
		"struct longer than the rest": {Struct, "0300 2001"},
		"struct cut in a member":      {Struct, "0200 2001 21"},
		"struct cut before a member":  {Struct, "0200 2001"},
		"struct of unknown":           {Struct, "0100 ff01"},
		"too deep":                    {Struct, strings.Repeat("0100 4c", maxDepth) + "0100 2001"},
		"array too deep":              {Array, strings.Repeat("48 0100", maxDepth) + "20 0100 07"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if v, _, err := ReadValue(unhex(t, test.bytes), test.kind); err == nil {
				t.Errorf("read as %s", v)
			}
		})
	}
	if _, _, err := ReadValue(unhex(t, strings.Repeat("0100 4c", maxDepth-1)+"0100 2001"), Struct); err != nil {
		t.Errorf("as deep as allowed: %v", err)
	}
}

func TestFloatOf(t *testing.T) {
	tests := []struct {
		kind DataType
		f    float64
		want uint64
	}{
		{Uint8, 1.5, 2},
		{Uint8, -1, 0},
		{Uint8, 1000, 0xfe},
		{Uint8, math.NaN(), 0xff},
		{Bitmap8, 1000, 0xff},
		{Uint64, math.Inf(1), math.MaxUint64 - 1},
		{Uint48, 1e300, 0xfffffffffffe},
		{Int8, -1000, 0x81},
		{Int8, 1000, 0x7f},
		{Int16, -5.5, 0xfffa},
		{Int16, math.NaN(), 0x8000},
		{Int64, math.Inf(-1), 1<<63 + 1},
		{Int64, math.Inf(1), math.MaxInt64},
		{Float16, 65504, 0x7bff},
		{Float16, 65519.9, 0x7bff},
		{Float16, 65520, 0x7c00},
		{Float16, -1e9, 0xfc00},
		{Float16, 0x1p-14, 0x0400},
		{Float16, 0x1p-24, 0x0001},
		{Float16, 0x1p-26, 0x0000},
		{Float16, 1.0009765625, 0x3c01},
		{Float16, 2047.5, 0x6800}, // up, into the next power of two
		{Float16, math.NaN(), 0x7e00},
		{Float32, 1, 0x3f800000},
		{Float32, math.Inf(1), 0x7f800000},
		{Float64, 1, 0x3ff0000000000000},
	}
	for _, test := range tests {
		if got := FloatOf(test.kind, test.f); got.Uint() != test.want || got.Type != test.kind {
			t.Errorf("%s of %v is %x, want %x", test.kind, test.f, got.Uint(), test.want)
		}
	}
	for bits := range 1 << 16 { // every half float and back
		f := halfFloat(uint16(bits))
		if math.IsNaN(f) {
			continue
		}
		if back := halfBits(f); back != uint16(bits) {
			t.Fatalf("%04x is %v is %04x", bits, f, back)
		}
	}
}

func TestInt(t *testing.T) {
	tests := map[int64]Value{
		-1:             IntOf(Int24, -1),
		200:            UintOf(Uint8, 200),
		-3:             FloatOf(Float32, -3.7),
		0:              FloatOf(Float64, math.NaN()),
		5:              UintOf(Enum16, 5),
		math.MinInt64:  InvalidOf(Int64),
		math.MaxInt32:  UintOf(Uint32, math.MaxInt32),
		-(1 << 47) + 1: IntOf(Int48, -(1<<47)+1),
	}
	for want, v := range tests {
		if v.Int() != want {
			t.Errorf("%s is %d, want %d", v.Type, v.Int(), want)
		}
	}
	if n := FloatOf(Float64, math.Inf(1)).Int(); n != 0 {
		t.Errorf("infinity is %d", n)
	}
}

func TestText(t *testing.T) {
	tests := map[string]struct {
		bytes string
		kind  DataType
		want  string
	}{
		"plain":               {"03 616263", CharString, "abc"},
		"filled up with null": {"05 6162630000", CharString, "abc"},
		"no UTF-8":            {"03 61ff62", CharString, "a\ufffdb"},
		"octets":              {"02 6162", OctetString, "ab"},
		"invalid":             {"ff", CharString, ""},
		"no string":           {"61", Uint8, ""},
	}
	for name, test := range tests {
		v, _, err := ReadValue(unhex(t, test.bytes), test.kind)
		if err != nil || v.Text() != test.want {
			t.Errorf("%s: %q, %v, want %q", name, v.Text(), err, test.want)
		}
	}
	raw, _, err := ReadValue(unhex(t, "05 0121e40b00"), CharString)
	if err != nil || !bytes.Equal(raw.Bytes(), unhex(t, "0121e40b00")) {
		t.Errorf("a struct in a text is %x, %v", raw.Bytes(), err)
	}
	if v := TextOf(strings.Repeat("x", 254)); v.Type != CharString || len(v.Append(nil)) != 255 {
		t.Errorf("254 bytes: %s, %d bytes", v.Type, len(v.Append(nil)))
	}
	if v := TextOf(strings.Repeat("x", 255)); v.Type != LongCharString || len(v.Append(nil)) != 257 {
		t.Errorf("255 bytes: %s, %d bytes", v.Type, len(v.Append(nil)))
	}
	if v := BytesOf(make([]byte, 300)); v.Type != LongOctetString || len(v.Append(nil)) != 302 {
		t.Errorf("300 bytes: %s, %d bytes", v.Type, len(v.Append(nil)))
	}
	if v := BytesOf(make([]byte, 70000)); len(v.Append(nil)) != 2+65534 {
		t.Errorf("70000 bytes: %d bytes", len(v.Append(nil)))
	}
}

func TestTime(t *testing.T) {
	at := time.Date(2026, 3, 29, 2, 0, 0, 0, time.FixedZone("CEST", 7200))
	if got, ok := UTCOf(at).Time(); !ok || !got.Equal(at) {
		t.Errorf("%v, %v", got, ok)
	}
	if got, ok := InvalidOf(UTCTime).Time(); ok {
		t.Errorf("the invalid time is %v", got)
	}
	if got, ok := UintOf(Uint32, 5).Time(); ok {
		t.Errorf("a number is the time %v", got)
	}
}

func FuzzValue(f *testing.F) {
	f.Add(byte(Struct), []byte{2, 0, 0x10, 1, 0x29, 0xfe, 0xff})
	f.Add(byte(Array), []byte{0x42, 2, 0, 1, 'a', 2, 'b', 'c'})
	f.Add(byte(CharString), []byte{3, 'a', 0, 0xff})
	f.Add(byte(Float16), []byte{0, 0x7e})
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		v, rest, err := ReadValue(b, DataType(kind))
		if err != nil {
			return
		}
		written := v.Append(nil)
		if !bytes.Equal(append(written, rest...), b) {
			t.Fatalf("%s of %x is written as %x", v, b, written)
		}
		_, _, _, _ = v.String(), v.Text(), v.Int(), v.Bool()
		if n, ok := v.Number(); ok && math.IsNaN(n) {
			t.Errorf("%s of %x is NaN", DataType(kind), b)
		}
	})
}
