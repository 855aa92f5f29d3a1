package serial

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// An Info is one port of this machine.
type Info struct {
	Name         string // the name to configure: the one in /dev/serial/by-id where there is one, it survives replugging
	Device       string // /dev/ttyUSB0
	Vendor       uint16 // USB ids, 0 for a port that is not on USB
	Product      uint16
	Manufacturer string // what the device says of itself
	Description  string
	Serial       string

	What    string   // what it is, in words; "" if it is not known
	Drivers []string // types of drivers that would fit, the likeliest first; none if no driver here speaks with it
	Adapter string   // for the Zigbee driver: znp or ezsp
}

// List returns the serial ports of this machine, sorted by Name. It opens none of them.
func List() ([]Info, error) { return list("/") }

// StableName returns the name in /dev/serial/by-id of the tty that port is or leads to, port itself if it has none. A
// driver that keeps it finds its stick again when it comes back as another ttyUSB.
func StableName(port string) string { return stableName("/", port) }

func stableName(root, port string) string {
	device, err := filepath.EvalSymlinks(filepath.Join(root, port))
	if err != nil {
		return port
	}
	return cmp.Or(stableNames(root)[filepath.Base(device)], port)
}

func list(root string) ([]Info, error) {
	ttys, err := os.ReadDir(filepath.Join(root, "sys/class/tty"))
	if err != nil {
		return nil, fmt.Errorf("listing the serial ports: %w", err)
	}
	stable := stableNames(root)
	var ports []Info
	for _, tty := range ttys {
		class := filepath.Join(root, "sys/class/tty", tty.Name())
		if !hardware(class, tty.Name()) {
			continue
		}
		port := Info{Device: "/dev/" + tty.Name()}
		port.Name = cmp.Or(stable[tty.Name()], port.Device)
		port.usb(filepath.Join(class, "device"))
		port.recognise()
		ports = append(ports, port)
	}
	slices.SortFunc(ports, func(a, b Info) int { return cmp.Compare(a.Name, b.Name) })
	return ports, nil
}

// hardware reports whether hardware stands behind the tty: consoles have no device, and of the sixteen ttyS that a kernel
// makes, those without a chip are of type 0.
func hardware(class, name string) bool {
	if _, err := os.Stat(filepath.Join(class, "device")); err != nil || strings.HasPrefix(name, "hvc") {
		return false
	}
	kind, err := os.ReadFile(filepath.Join(class, "type"))
	return err != nil || strings.TrimSpace(string(kind)) != "0"
}

// stableNames maps ttyUSB0 to its name in /dev/serial/by-id.
func stableNames(root string) map[string]string {
	names := map[string]string{}
	const folder = "dev/serial/by-id"
	links, _ := os.ReadDir(filepath.Join(root, folder))
	for _, link := range links {
		if target, err := os.Readlink(filepath.Join(root, folder, link.Name())); err == nil {
			names[filepath.Base(target)] = "/" + folder + "/" + link.Name()
		}
	}
	return names
}

// usb walks up from the tty's device to the USB device it belongs to, if it does.
func (p *Info) usb(device string) {
	at, err := filepath.EvalSymlinks(device)
	if err != nil {
		return
	}
	for range 6 {
		if vendor, ok := hexFile(filepath.Join(at, "idVendor")); ok {
			p.Vendor = vendor
			p.Product, _ = hexFile(filepath.Join(at, "idProduct"))
			p.Manufacturer = textFile(filepath.Join(at, "manufacturer"))
			p.Description = textFile(filepath.Join(at, "product"))
			p.Serial = textFile(filepath.Join(at, "serial"))
			return
		}
		at = filepath.Dir(at)
	}
}

func hexFile(path string) (uint16, bool) {
	n, err := strconv.ParseUint(textFile(path), 16, 16)
	return uint16(n), err == nil
}

// textFile returns what a USB device says of itself, without what could disturb a terminal.
func textFile(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(data), "?")))
}

// recognise fills in what is known of such a device.
func (p *Info) recognise() {
	says := strings.ToLower(p.Manufacturer + " " + p.Description + " " + filepath.Base(p.Name))
	says = strings.NewReplacer("_", " ", "-", " ").Replace(says)
	for _, k := range known() {
		if k.vendor == p.Vendor && (k.product == 0 || k.product == p.Product) && containsAll(says, k.says) {
			p.What, p.Drivers, p.Adapter = k.what, k.drivers, k.adapter
			return
		}
	}
	if p.Vendor == 0 {
		p.What, p.Drivers = "a port of this board", converter()
	}
}

func containsAll(text, words string) bool {
	for _, word := range strings.Fields(words) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
