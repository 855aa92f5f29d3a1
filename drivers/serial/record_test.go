package serial_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/serial"
	"hearth/drivers/serial/serialtest"
)

func TestRecordAndReplay(t *testing.T) {
	device := serialtest.New(t)
	path := filepath.Join(t.TempDir(), "recording")
	p := open(t, serial.Config{Port: device.Path, Record: path})
	talk := func(p io.ReadWriter, answer func()) {
		t.Helper()
		if _, err := p.Write([]byte{1, 4, 0, 0}); err != nil {
			t.Fatal(err)
		}
		answer()
		got := make([]byte, 3)
		if _, err := io.ReadFull(p, got); err != nil || !bytes.Equal(got, []byte{1, 4, 2}) {
			t.Fatalf("read %x, %v", got, err)
		}
	}
	talk(p, func() {
		if _, err := device.Write([]byte{1, 4, 2}); err != nil {
			t.Fatal(err)
		}
	})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	recording, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	replay, err := serial.NewReplay(bytes.NewReader(recording))
	if err != nil {
		t.Fatal(err)
	}
	talk(replay, func() {})
	if _, err := replay.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("at the end: %v, want EOF", err)
	}
	if write, read := replay.Rest(); write != 0 || read != 0 {
		t.Errorf("%d bytes to write and %d to read are left", write, read)
	}
}

func TestReplayWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replay, err := serial.NewReplay(strings.NewReader("# a stick\n0.0 > 01\n0.1 < 02\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := replay.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := replay.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("read before the question: %v after %v", err, time.Since(began))
		}
		if err := replay.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		read := make(chan error)
		go func() { _, err := replay.Read(make([]byte, 1)); read <- err }()
		synctest.Wait()
		if _, err := replay.Write([]byte{9}); err == nil {
			t.Error("bytes that are not in the recording were taken")
		}
		if _, err := replay.Write([]byte{1}); err != nil {
			t.Error(err)
		}
		if err := <-read; err != nil {
			t.Error(err)
		}
		replay.Close()
		if _, err := replay.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func FuzzReplay(f *testing.F) {
	f.Add("# /dev/ttyUSB0\n0.1 > 0104\n0.2 < 01040200\n")
	f.Add("0 < zz\n")
	f.Fuzz(func(t *testing.T, recording string) {
		replay, err := serial.NewReplay(strings.NewReader(recording))
		if err != nil {
			return
		}
		if err := replay.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		_, before := replay.Rest()
		got := 0
		for range 100 {
			n, err := replay.Read(make([]byte, 64))
			got += n
			if err != nil {
				break
			}
		}
		if _, after := replay.Rest(); got+after != before {
			t.Errorf("%d bytes read of %d, %d left", got, before, after)
		}
	})
}
