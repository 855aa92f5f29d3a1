package fake

import (
	"bytes"
	"testing"
)

// FuzzEZSP gives the firmware of each dialect any commands: it must stand them, and its own frames must be readable.
func FuzzEZSP(f *testing.F) {
	f.Add(uint8(0), []byte{0x01, 0x00, 0x01, 0x1e, 0x00, 0x77})
	f.Add(uint8(3), []byte{0x01, 0x00, 0x01, 0x34, 0x00, 0x00, 0x34, 0x12})
	f.Add(uint8(5), []byte{0x01, 0x00, 0x01, 0x14, 0x01, 0x02})
	firmwares := []string{"6.10.3", "7.2.0", "7.3.1", "7.4.4", "8.0.2", "9.1.0"}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		if header, params, ok := parseEZSPHeader(data); ok {
			again, rest, ok := parseEZSPHeader(append(header.append(nil, 0), params...))
			if !ok || again != header || !bytes.Equal(rest, params) {
				t.Errorf("%+v came back as %+v", header, again)
			}
		}
		m := NewMesh(MeshOptions{})
		defer m.Close()
		s, err := NewStick(m, StickOptions{Protocol: EZSP, Firmware: firmwares[int(which)%len(firmwares)]})
		if err != nil {
			t.Fatal(err)
		}
		e := s.firmware.(*ezsp)
		m.do(func() {
			e.link.start(ResetSoftware)
			e.command([]byte{0, 0, 0, e.version})
			e.command([]byte{1, 0, ezspExtended, 0x68, 0})
			e.command(append([]byte{2, 0, ezspExtended, 0x1e, 0}, bytes.Repeat([]byte{15}, 20)...))
			e.command(data)
			for _, frame := range append(e.link.responses, e.link.callbacks...) {
				if _, _, ok := parseEZSPHeader(frame); !ok || len(frame) > ashMaxData {
					t.Errorf("said % x", frame)
				}
			}
		})
	})
}
