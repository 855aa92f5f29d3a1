package modbus

import (
	"context"
	"net"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/serial"
)

// profiles of the tests: a meter as the real ones are, and a relay board.
func testProfiles() fstest.MapFS {
	return fstest.MapFS{
		"meter.yaml": {Data: []byte(`
vendor: Test
model: Meter
type: meter
registers:
  - {property: voltage, table: input, address: 0, type: float32}
  - {property: power, table: input, address: 12, type: float32}
`)},
		"board.yaml": {Data: []byte(`
type: outlet
registers:
  - {property: "on", table: coil, address: 0, writable: true}
  - {property: target_temperature, table: holding, address: 1, type: int16, scale: 0.1, writable: true}
  - {property: stage, table: holding, address: 3, type: uint16, mask: 0x00F0, min: 0, max: 15, writable: true}
  - {property: limit, table: holding, address: 4, type: uint32, min: 0, max: 100000, writable: true}
  - {property: identify, table: coil, address: 9, writable: true}
`)},
		"button.yaml": {Data: []byte(`
registers:
  - {property: identify, table: coil, address: 9, writable: true}
`)},
	}
}

func newMeters(units ...byte) *slave {
	s := newSlave(units...)
	for i, n := range units {
		s.units[n].float("input", 0, 230+float32(i))
		s.units[n].float("input", 12, 1000*float32(n))
		for a := uint16(2); a < 12; a++ {
			s.units[n].tables["input"][a] = 0
		}
	}
	return s
}

func newBoard() *slave {
	s := newSlave(1)
	s.units[1].tables["coil"] = map[uint16]uint16{0: 0, 9: 0}
	s.units[1].tables["holding"] = map[uint16]uint16{1: 200, 2: 0, 3: 0xab0c, 4: 0, 5: 7}
	return s
}

// bus is a driver and its slave on a line that exists in memory only, in the time of synctest.
type bus struct {
	*slave
	*driver
	home   *drivertest.Recorder
	unplug func()
	stop   func()
	done   chan error
}

func startBus(t *testing.T, s *slave, cfg Config) *bus {
	t.Helper()
	cfg.Port = "/dev/null"
	made, err := New(drivertest.NewEnv(t, "bus"), cfg, testProfiles())
	if err != nil {
		t.Fatal(err)
	}
	b := &bus{slave: s, driver: made.(*driver), home: drivertest.NewRecorder("bus"), done: make(chan error, 1)}
	b.open = func(ctx context.Context, _ serial.Config) (serial.Port, error) {
		ours, theirs := net.Pipe()
		b.unplug = func() { theirs.Close() }
		context.AfterFunc(ctx, func() { ours.Close() })
		if cfg.rtu() {
			go s.serveRTU(theirs)
		} else {
			go s.serveTCP(theirs)
		}
		return ours, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.stop = cancel
	go func() { b.done <- b.Run(ctx, b.home) }()
	return b
}

// close stops the bus and reports what it did wrong.
func (b *bus) close(t *testing.T) {
	t.Helper()
	b.stop()
	if err := <-b.done; err != nil {
		t.Errorf("Run returned %v", err)
	}
	b.unplug()
	for _, fault := range b.home.Faults() {
		t.Error(fault)
	}
}

func (b *bus) set(property string, v hearth.Value) error {
	return b.do(context.Background(), map[string]hearth.Value{property: v})
}

func (b *bus) do(ctx context.Context, set map[string]hearth.Value) error {
	return b.Do(ctx, hearth.Command{Device: "bus:1", Set: set})
}

func (b *bus) last(property string) hearth.Value {
	r, _ := b.home.Last("bus:1", property)
	return r.Value
}

func meters(units ...int) Config {
	var c Config
	for _, n := range units {
		c.Devices = append(c.Devices, DeviceConfig{Address: n, Profile: "meter"})
	}
	return c
}

func board() Config { return Config{Devices: []DeviceConfig{{Address: 1, Profile: "board"}}} }

// wait lets the bus work for so long.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
