package homekit

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"

	"hearth"
	"hearth/edge/homekit/hap"
)

// A mistake in the mapping of one device is its own affair: nothing else stops, and no lock stays held.
func TestAPanicOverOneDevice(t *testing.T) {
	r := start(t, &disk{}, bulb(), device("other", "switch", "on!"))
	r.report("toy:lamp", "on", false)
	r.shows("toy:lamp", "43", "25", false)
	lamp := r.thing("toy:lamp")
	lamp.mu.Lock()
	on := lamp.fields[lamp.find("43", "25")]
	read, write := on.read, on.write
	on.read = func(*knowledge) (any, bool) { panic("reading") }
	on.write = func(*wish, any) hap.Status { panic("writing") }
	lamp.mu.Unlock()
	r.report("toy:lamp", "on", true)
	r.report("toy:other", "on", true)
	r.shows("toy:other", "49", "25", true)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the write did not panic") // package hap answers for it
			}
		}()
		r.write("toy:lamp", "43", put{"25", true})
	}()
	lamp.mu.Lock() // free
	on.read, on.write = read, write
	lamp.mu.Unlock()
	r.report("toy:lamp", "on", false)
	r.report("toy:lamp", "on", true)
	r.shows("toy:lamp", "43", "25", true)
	if got := r.write("toy:lamp", "43", put{"25", false}); got[0] != hap.OK {
		t.Errorf("writing is answered %v afterwards", got)
	}
}

// The second bridge's port is taken: the first one's devices do not suffer, and it comes when the port is free.
func TestABridgeThatCannotListen(t *testing.T) {
	b, err := New(Options{Store: &disk{}, Name: "Cabin", Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	host := fmt.Sprintf("127.77.%d.%d", os.Getpid()>>8&0xff, os.Getpid()&0xff) // where another copy of this test has no port
	taken, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	port := taken.Addr().(*net.TCPAddr).Port
	b.o.Listen = net.JoinHostPort(host, strconv.Itoa(port-1))
	if err := b.addUnit(); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t}
	ctx, cancel := context.WithCancel(t.Context())
	running := &run{b: b, ctx: ctx}
	defer running.all.Wait()
	defer cancel()
	for _, u := range b.all() {
		running.all.Go(func() { running.serve(u) })
	}
	r.until("the first listens, the second says why not", func() bool {
		s := b.State()
		return s.Bridges[0].Address != "" && s.Bridges[1].Address == "" && s.Error != ""
	})
	taken.Close()
	r.until("the second came", func() bool { s := b.State(); return s.Bridges[1].Address != "" && s.Error == "" })
}

// Between a device's new shape and its publication phones see the old one: its buttons work.
func TestPressWhileRepublishing(t *testing.T) {
	remote := device("remote", "button", "button")
	r := start(t, &disk{}, remote)
	before := r.thing("toy:remote")
	remote.Name = "Another name"
	r.toy.Announce(remote)
	r.until("the new shape", func() bool { return r.thing("toy:remote") != before })
	r.b.mu.Lock()
	seen := r.b.seen(r.b.things[hearth.ID("toy:remote")])
	r.b.mu.Unlock()
	if seen != before {
		t.Error("the press goes to what nobody sees yet")
	}
	r.until("published", func() bool {
		r.b.mu.Lock()
		defer r.b.mu.Unlock()
		return r.b.seen(r.b.things["toy:remote"]) != before
	})
}

// What the specification lets controllers write can be written, also where there is nothing to choose.
func TestThermostatWithoutModes(t *testing.T) {
	r := start(t, &disk{}, device("trv", "thermostat", "target_temperature!", "temperature"))
	r.report("toy:trv", "target_temperature", 21)
	r.shows("toy:trv", "4A", "35", 21.0)
	for _, p := range []put{{"33", modeHeat}, {"36", fahrenheit}} {
		if c := r.thing("toy:trv").find("4A", p.typ); !c.IsWritable() {
			t.Errorf("%s cannot be written", p.typ)
		}
		if got := r.write("toy:trv", "4A", p); got[0] != hap.OK {
			t.Errorf("%s is answered %v", p.typ, got)
		}
	}
}
