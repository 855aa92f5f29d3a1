package serial

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"hearth"
)

func TestRefused(t *testing.T) {
	tests := map[string]struct {
		err    error
		want   string
		wanted error
	}{
		"permission": {&os.PathError{Err: syscall.EACCES}, "add the user to group", os.ErrPermission},
		"missing":    {&os.PathError{Err: syscall.ENOENT}, "is it plugged in?", os.ErrNotExist},
		"busy":       {syscall.EBUSY, "only one program can have it", ErrBusy},
		"empty":      {syscall.EIO, "nothing behind", syscall.EIO},
		"no tty":     {syscall.ENOTTY, "cannot be set up", syscall.ENOTTY},
		"other":      {syscall.ENOMEM, "opening /dev/null", syscall.ENOMEM},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := refused("/dev/null", 0, tt.err)
			if !strings.Contains(err.Error(), tt.want) || !errors.Is(err, tt.wanted) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if code := hearth.ErrorOf(err).Code; code != hearth.CodeOffline && code != hearth.CodeFailed {
				t.Errorf("code %s", code)
			}
		})
	}
}

func TestHolders(t *testing.T) {
	proc := t.TempDir()
	port := filepath.Join(t.TempDir(), "ttyUSB0")
	write(t, port, "")
	link(t, port, filepath.Join(proc, "71/fd/3"))
	write(t, filepath.Join(proc, "71/comm"), "minicom\n")
	link(t, "/elsewhere", filepath.Join(proc, "72/fd/3"))
	if got := holders(proc, port, 0); got != "minicom (process 71)" {
		t.Errorf("got %q", got)
	}
	link(t, port, filepath.Join(proc, strconv.Itoa(os.Getpid()), "fd/9"))
	if got := holders(proc, port, 1); strings.Contains(got, "itself") {
		t.Errorf("the failed attempt is named as the holder: %q", got)
	}
	if got := holders(proc, port, 0); !strings.Contains(got, "itself") {
		t.Errorf("this program is not named: %q", got)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.Symlink(target, path)); err != nil {
		t.Fatal(err)
	}
}

// usbTTY makes the files that a kernel shows of a USB device with one tty.
func usbTTY(t *testing.T, root, tty, at, vendor, product, manufacturer, description, serial, byID string) {
	t.Helper()
	device := filepath.Join(root, "sys/devices/usb1", at)
	for name, text := range map[string]string{"idVendor": vendor, "idProduct": product, "manufacturer": manufacturer, "product": description, "serial": serial} {
		write(t, filepath.Join(device, name), text+"\n")
	}
	write(t, filepath.Join(device, at+":1.0", tty, "port_number"), "0\n")
	class := filepath.Join(root, "sys/class/tty", tty)
	link(t, filepath.Join(device, at+":1.0", tty), filepath.Join(class, "device"))
	if byID != "" {
		link(t, "../../"+tty, filepath.Join(root, "dev/serial/by-id", byID))
	}
}

func TestList(t *testing.T) {
	root := t.TempDir()
	usbTTY(t, root, "ttyUSB0", "1-1", "10c4", "ea60", "Itead", "Sonoff Zigbee 3.0 USB Dongle Plus V2", "a6ee", "usb-Itead_Sonoff_Zigbee_3.0_USB_Dongle_Plus_V2_a6ee-if00-port0")
	usbTTY(t, root, "ttyUSB1", "1-2", "10c4", "ea60", "Silicon Labs", "Sonoff Zigbee 3.0 USB Dongle Plus", "0111", "usb-Silicon_Labs_Sonoff_Zigbee_3.0_USB_Dongle_Plus_0111-if00-port0")
	usbTTY(t, root, "ttyACM0", "1-3", "1cf1", "0030", "dresden elektronik", "ConBee II", "DE21", "usb-dresden_elektronik_ConBee_II_DE21-if00")
	usbTTY(t, root, "ttyUSB2", "1-4", "0403", "6001", "FTDI", "P1 Converter Cable", "P11S", "usb-FTDI_P1_Converter_Cable_P11S-if00-port0")
	usbTTY(t, root, "ttyUSB3", "1-5", "1a86", "7523", "", "USB Serial", "", "")
	usbTTY(t, root, "ttyUSB4", "1-6", "0403", "6001", "FTDI", "USB-RS485 Cable", "FT1\x1b[2J", "usb-FTDI_USB-RS485_Cable_FT1-if00-port0")
	usbTTY(t, root, "ttyACM1", "1-7", "ffff", "0001", "Someone", "Something", "1", "")
	write(t, filepath.Join(root, "sys/class/tty/ttyS0/type"), "0\n")
	write(t, filepath.Join(root, "sys/class/tty/ttyS0/device/driver"), "")
	write(t, filepath.Join(root, "sys/class/tty/ttyAMA0/device/driver"), "")
	write(t, filepath.Join(root, "sys/class/tty/tty1/active"), "")
	ports, err := list(root)
	if err != nil {
		t.Fatal(err)
	}
	byDevice := map[string]Info{}
	for _, p := range ports {
		byDevice[p.Device] = p
	}
	wants := map[string]struct{ name, what, driver, adapter string }{
		"/dev/ttyUSB0": {"/dev/serial/by-id/usb-Itead_Sonoff_Zigbee_3.0_USB_Dongle_Plus_V2_a6ee-if00-port0", "dongle E", "zigbee", "ezsp"},
		"/dev/ttyUSB1": {"/dev/serial/by-id/usb-Silicon_Labs_Sonoff_Zigbee_3.0_USB_Dongle_Plus_0111-if00-port0", "dongle P", "zigbee", "znp"},
		"/dev/ttyACM0": {"/dev/serial/by-id/usb-dresden_elektronik_ConBee_II_DE21-if00", "ConBee II", "", ""},
		"/dev/ttyUSB2": {"/dev/serial/by-id/usb-FTDI_P1_Converter_Cable_P11S-if00-port0", "P1 cable", "dsmr", ""},
		"/dev/ttyUSB3": {"/dev/ttyUSB3", "CH340", "modbus", ""},
		"/dev/ttyUSB4": {"/dev/serial/by-id/usb-FTDI_USB-RS485_Cable_FT1-if00-port0", "RS485", "modbus", ""},
		"/dev/ttyACM1": {"/dev/ttyACM1", "", "", ""},
		"/dev/ttyAMA0": {"/dev/ttyAMA0", "this board", "modbus", ""},
	}
	if len(ports) != len(wants) || !slices.IsSortedFunc(ports, func(a, b Info) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("got %d ports, want %d, sorted: %+v", len(ports), len(wants), ports)
	}
	for device, want := range wants {
		got := byDevice[device]
		driver := append(got.Drivers, "")[0]
		if got.Name != want.name || !strings.Contains(got.What, want.what) || driver != want.driver || got.Adapter != want.adapter {
			t.Errorf("%s: got %+v, want %+v", device, got, want)
		}
	}
	if got := byDevice["/dev/ttyUSB4"]; got.Vendor != 0x0403 || got.Product != 0x6001 || got.Serial != "FT1[2J" {
		t.Errorf("USB ids of ttyUSB4: %+v", got)
	}
}

func TestStableName(t *testing.T) {
	root := t.TempDir()
	const name = "/dev/serial/by-id/usb-Itead_Sonoff_a6ee-if00-port0"
	link(t, "../../ttyUSB3", filepath.Join(root, name))
	write(t, filepath.Join(root, "dev/ttyUSB3"), "")
	write(t, filepath.Join(root, "dev/ttyUSB4"), "")
	for port, want := range map[string]string{"/dev/ttyUSB3": name, name: name, "/dev/ttyUSB4": "/dev/ttyUSB4", "/dev/gone": "/dev/gone"} {
		if got := stableName(root, port); got != want {
			t.Errorf("%s: got %s, want %s", port, got, want)
		}
	}
}

func TestListHere(t *testing.T) {
	if _, err := List(); err != nil {
		t.Error(err)
	}
}
