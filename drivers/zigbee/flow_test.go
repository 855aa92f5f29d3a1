package zigbee

import (
	"bytes"
	"context"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth/drivers/drivertest"
	"hearth/drivers/serial"
	"hearth/drivers/serial/serialtest"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/radio"
)

// TestFlowControl brings a network up over a tty of the kernel with each kind of flow control. The stick strews XON and
// XOFF between all its bytes, as those with software flow control may.
func TestFlowControl(t *testing.T) {
	for flow, tt := range map[string]struct {
		hardware, strews bool
	}{
		"":                  {false, true}, // what sticks of this kind have mostly
		serial.FlowSoftware: {false, true},
		serial.FlowHardware: {true, false},
		serial.FlowNone:     {false, false},
	} {
		t.Run("flow "+flow, func(t *testing.T) {
			m := fake.NewMesh(fake.MeshOptions{Seed: 7, Delay: time.Millisecond})
			defer m.Close()
			stick, err := fake.NewStick(m, fake.StickOptions{Protocol: fake.EZSP, IEEE: 0x00124b0000000001})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			tty := serialtest.New(t)
			line := &flowing{Port: tty, strews: tt.strews}
			served := make(chan error, 1)
			go func() { served <- stick.Serve(ctx, line) }()
			defer func() { <-served }() // before the mesh is closed
			defer cancel()

			cfg := Config{Adapter: adapterEZSP, Config: serial.Config{Port: tty.Path, Flow: flow}}
			made, err := New(drivertest.NewEnv(t, "radio"), cfg)
			if err != nil {
				t.Fatal(err)
			}
			r, port, err := made.(*driver).dialPort(ctx, adapterEZSP)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx, func(radio.Event) {}) }()
			wantFlags(t, tty.Path, tt.hardware)
			limited, stop := context.WithTimeout(ctx, 20*time.Second)
			defer stop()
			if _, err := r.Connect(limited); err != nil {
				t.Fatal(err)
			}
			// Ids and a key that are nothing but flow control and what else is escaped.
			n := radio.Network{PAN: 0x1311, Extended: 0x1113117e7d1a1813, Channel: 0x11, Key: radio.Key(bytes.Repeat([]byte{0x11, 0x13}, 8))}
			got, err := r.Up(limited, radio.Plan{Form: &n})
			n.Coordinator = 0x00124b0000000001
			if err != nil || got != n {
				t.Errorf("got %+v, %v; want %+v", got, err, n)
			}
			if b, err := r.Backup(limited); err != nil || b.Network != n {
				t.Errorf("the backup has %+v, %v", b.Network, err)
			}
			if bare := line.bare.Load(); bare > 0 {
				t.Errorf("the driver has sent %d bytes of flow control", bare)
			}
			wantFlags(t, tty.Path, tt.hardware)
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			_ = port.Close() // it has ended with ctx
		})
	}
}

// wantFlags reads the line's settings back: RTS and CTS as wanted, and never the kernel's own XON and XOFF, which noise would
// stop for good.
func wantFlags(t *testing.T, path string, hardware bool) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if got.Cflag&unix.CRTSCTS != 0 != hardware || got.Iflag&(unix.IXON|unix.IXOFF|unix.IXANY) != 0 {
		t.Errorf("flags %#x, of the input %#x", got.Cflag, got.Iflag)
	}
}

// flowing is the stick's end of a line with flow control.
type flowing struct {
	*serialtest.Port
	strews bool
	bare   atomic.Int32 // bytes of flow control that came from the host
}

func (l *flowing) Read(b []byte) (int, error) {
	n, err := l.Port.Read(b)
	l.bare.Add(int32(bytes.Count(b[:n], []byte{0x11}) + bytes.Count(b[:n], []byte{0x13})))
	return n, err
}

func (l *flowing) Write(b []byte) (int, error) {
	if !l.strews {
		return l.Port.Write(b)
	}
	var strewn []byte
	for _, c := range b {
		strewn = append(strewn, 0x13, 0x11, c)
	}
	_, err := io.Copy(l.Port, bytes.NewReader(append(strewn, 0x11)))
	return len(b), err
}

func (l *flowing) Close() error {
	l.Unplug()
	return nil
}
