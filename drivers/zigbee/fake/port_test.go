package fake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ping asks the stick on a line whether it is there.
func ping(t *testing.T, line io.ReadWriter) {
	t.Helper()
	if _, err := line.Write(mtFrame(mtSREQ|mtSYS, 0x01)); err != nil {
		t.Fatal(err)
	}
	want := mtFrame(mtSRSP|mtSYS, 0x01, 0x59, 0x06)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(line, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got % x, %v, want % x", got, err, want)
	}
}

// openTTY opens a terminal as hosts do, once it is there.
func openTTY(t *testing.T, path string) *os.File {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err == nil {
			if err := f.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			return f
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestTTY(t *testing.T) {
	m := NewMesh(MeshOptions{Seed: 1})
	defer m.Close()
	s, err := NewStick(m, StickOptions{Protocol: ZNP, Baud: 115200})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	path := filepath.Join(t.TempDir(), "stick")
	go func() { served <- s.ServeTTY(ctx, path) }()

	first := openTTY(t, path)
	ping(t, first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := openTTY(t, path)
	ping(t, second)

	s.Unplug()
	if n, err := second.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("unplugged: read %d, %v", n, err)
	}
	_ = second.Close()
	for {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	other := path + "-again"
	s.Rename(other)
	s.Plug()
	third := openTTY(t, other)
	defer third.Close()
	ping(t, third)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there under its old name too: %v", err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its name stays behind: %v", err)
	}
}

func TestTCP(t *testing.T) {
	m := NewMesh(MeshOptions{Seed: 1})
	defer m.Close()
	s, err := NewStick(m, StickOptions{Protocol: ZNP})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.ServeTCP(ctx, l) }()
	for range 2 {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ping(t, conn)
		if err := s.Serve(ctx, conn); err == nil {
			t.Error("a second host at the same time was served")
		}
		_ = conn.Close()
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestHostThatPauses is a host that reads nothing for a while: what finds no room is lost, the rest is whole.
func TestHostThatPauses(t *testing.T) {
	l := newLine()
	frame := bytes.Repeat([]byte{7}, 1000)
	taken := 0
	for l.put(frame) {
		taken++
	}
	if taken != lineRoom/1000 {
		t.Errorf("room for %d frames", taken)
	}
	l.end(nil)
	l.end(io.ErrUnexpectedEOF)
	var got bytes.Buffer
	if err := l.write(&got, 0); err != nil || got.Len() != taken*1000 || l.why != nil {
		t.Errorf("%d bytes came, %v, %v", got.Len(), err, l.why)
	}
}
