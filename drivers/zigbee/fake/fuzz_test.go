package fake

import (
	"bytes"
	"testing"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// FuzzZNPHost is a host that says anything to the stick: the stick stays up, and every frame of its is whole.
func FuzzZNPHost(f *testing.F) {
	f.Add(mtFrame(mtSREQ|mtSYS, 0x01))
	f.Add(bytes.Join([][]byte{
		mtFrame(mtSREQ|mtSYS, 0x09, 3, 0, 0, 1, 3), mtFrame(mtAREQ|mtSYS, 0, 1), mtFrame(mtSREQ|mtAppCNF, 5, 4),
		mtFrame(mtSREQ|mtAF, 0, 1, 4, 1, 5, 0, 0, 0, 0, 0), mtFrame(mtSREQ|mtZDO, 0x36, 2, 0xfc, 0xff, 60, 0),
		mtFrame(mtSREQ|mtAF, 2, 15, 0xfd, 0xff, 0, 0, 0, 0, 0, 0, 255, 0, 0, 1, 0, 0, 7, 0, 30, 3, 0, 0, 1, 0),
	}, nil))
	f.Add([]byte{0xfe, 0xff, 0xfe, 0x05})
	lamp := familyModel(f, "light-dimmable")
	f.Fuzz(func(t *testing.T, data []byte) {
		m := NewMesh(MeshOptions{Seed: 1})
		defer m.Close()
		s, err := NewStick(m, StickOptions{Protocol: ZNP})
		if err != nil {
			t.Fatal(err)
		}
		d, err := m.Add("lamp", lamp)
		if err != nil {
			t.Fatal(err)
		}
		m.do(func() {
			z := s.firmware.(*znp)
			s.line = newLine()
			z.form()
			z.stick.allow(60)
			d.search(d.polled)
			z.host(data)
			for rest := data; len(rest) > 2; { // and the same without having to guess checksums
				n := min(int(rest[2]), len(rest)-3)
				z.request(rest[0], rest[1], rest[3:3+n])
				rest = rest[3+n:]
			}
		})
		m.do(func() {
			for out := s.line.take(lineRoom); len(out) > 0; {
				if len(out) < 5 || out[0] != mtStart || len(out) < 5+int(out[1]) || checksum(out[1:5+int(out[1])]) != 0 {
					t.Fatalf("said % x", out)
				}
				out = out[5+int(out[1]):]
			}
		})
	})
}

// FuzzDevices is a network that says anything to every device of the family: what they answer can be read.
func FuzzDevices(f *testing.F) {
	f.Add(uint8(1), uint16(profileHome), zcl.ClusterOnOff, []byte{1, 1, 2})
	f.Add(uint8(1), uint16(profileHome), zcl.ClusterBasic, []byte{0, 1, 0, 4, 0, 5, 0})
	f.Add(uint8(1), uint16(profileHome), zcl.ClusterScenes, []byte{1, 1, 0, 0, 0, 1, 5, 0, 0, 6, 0, 1, 1})
	f.Add(uint8(1), uint16(profileHome), zcl.ClusterTuya, []byte{1, 1, 0, 0, 0, 1, 1, 0, 1, 1})
	f.Add(uint8(1), uint16(profileHome), zcl.ClusterOTA, []byte{9, 1, 2, 0, 0x7c, 0x11, 0x0f, 0x11, 1, 0, 0, 2, 0, 1, 0, 0})
	f.Add(uint8(0), uint16(0), zdo.ClusterBindRequest, []byte{1, 2, 3})
	f.Add(uint8(0), uint16(0), zdo.ClusterNeighborTableRequest, []byte{1, 200})
	models, err := Models()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, endpoint uint8, profile, cluster uint16, data []byte) {
		m := NewMesh(MeshOptions{Seed: 1})
		defer m.Close()
		e := &ear{t: nil, mesh: m}
		e.plug(earNetwork(), 0)
		e.allow(255)
		for _, model := range models {
			d, err := m.Add(model.Name, model)
			if err != nil {
				t.Fatal(err)
			}
			d.Pair(0)
			m.do(func() { e.heard = nil })
			to := endpoint
			if to == 1 {
				to = model.Endpoints[0].ID
			}
			e.message(radio.Message{Address: d.NWK(), Local: 1, Remote: to, Profile: profile, Cluster: cluster, Data: data})
			for _, said := range e.heard {
				if said.Profile == 0 {
					continue
				}
				if _, err := zcl.ParseFrame(said.Data); err != nil {
					t.Errorf("%s says % x: %v", model.Name, said.Data, err)
				}
			}
		}
	})
}

// FuzzLiterals reads any text as a value.
func FuzzLiterals(f *testing.F) {
	for _, text := range []string{"uint16 153", "-5.5", "true", "octet_string 01 ff", "invalid", "no_data", "enum8 3 w"} {
		f.Add(uint16(zcl.ClusterTemperatureMeasurement), text)
	}
	f.Fuzz(func(t *testing.T, cluster uint16, text string) {
		value, err := valueOf(cluster, 0, text)
		if err != nil {
			return
		}
		again, rest, err := zcl.ReadValue(value.Append(nil), value.Type)
		if err != nil || len(rest) > 0 || !bytes.Equal(again.Append(nil), value.Append(nil)) {
			t.Errorf("%q is %v, then %v, %v", text, value, again, err)
		}
	})
}

// FuzzImages verifies any bytes as firmware.
func FuzzImages(f *testing.F) {
	f.Add(otaImage(1, 2, 3, 100))
	f.Fuzz(func(t *testing.T, image []byte) {
		if err := verify(image, 1, 2, 3); err == nil && len(image) < 56 {
			t.Errorf("% x is an image", image)
		}
	})
}
