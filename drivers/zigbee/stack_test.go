package zigbee

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/ezsp"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/znp"
)

// These tests go through the bytes: driver, radio, the stick of package fake and its devices.

// stack is a driver on a fake stick, in the time of synctest.
type stack struct {
	*house
	mesh  *fake.Mesh
	stick *fake.Stick
}

func eachStick(t *testing.T, test func(t *testing.T, protocol fake.Protocol)) {
	for _, protocol := range []fake.Protocol{fake.ZNP, fake.EZSP} {
		t.Run(string(protocol), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, protocol) })
		})
	}
}

func newStack(t *testing.T, protocol fake.Protocol) *stack {
	t.Helper()
	return newStackOf(t, fake.StickOptions{Protocol: protocol})
}

func newStackOf(t *testing.T, o fake.StickOptions) *stack {
	t.Helper()
	m := fake.NewMesh(fake.MeshOptions{Seed: 7, Delay: 5 * time.Millisecond})
	o.IEEE = 0x00124b0000000001
	stick, err := fake.NewStick(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return &stack{mesh: m, stick: stick}
}

// dial is the stick's port.
func (s *stack) dial(ctx context.Context, adapter string, env hearth.Env) (radio.Radio, io.Closer, error) {
	ours, theirs := net.Pipe()
	line := stackLine{ours, make(chan struct{})}
	go func() {
		defer close(line.free)
		_ = s.stick.Serve(ctx, theirs) // it ends with the line
		theirs.Close()
	}()
	if adapter == adapterEZSP {
		return ezsp.New(ours, env.Log), line, nil
	}
	return znp.New(ours, env.Log), line, nil
}

// A stackLine is free for the next host once it is closed, as a port is.
type stackLine struct {
	net.Conn
	free chan struct{}
}

func (l stackLine) Close() error {
	err := l.Conn.Close()
	<-l.free
	return err
}

func (s *stack) open(t *testing.T, env hearth.Env, adapter string) {
	t.Helper()
	s.house = &house{driver: s.newDriver(t, env, adapter)}
	s.house.open(t)
	s.home.Wait(t, "the network", func() bool {
		_, ok := s.home.Last(s.coordinator(), "channel")
		return ok
	})
}

func (s *stack) newDriver(t *testing.T, env hearth.Env, adapter string) *driver {
	t.Helper()
	cfg := Config{Adapter: adapter}
	cfg.Port = "/dev/null"
	made, err := New(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	d := made.(*driver)
	d.dial = func(ctx context.Context, adapter string) (radio.Radio, io.Closer, error) {
		return s.dial(ctx, adapter, env)
	}
	return d
}

// pair lets a device of that model in and waits until it is ready.
func (s *stack) pair(t *testing.T, name string, model *fake.Model) (*fake.Device, hearth.ID) {
	t.Helper()
	if err := s.set(s.coordinator(), "pairing", hearth.NumberOf(60)); err != nil {
		t.Fatalf("opening the network: %v", err)
	}
	d, err := s.mesh.Add(name, model)
	if err != nil {
		t.Fatal(err)
	}
	d.Pair(10 * time.Second)
	id := hearth.ID("radio:" + d.IEEE().String())
	began := time.Now()
	s.home.Await(t, 2*time.Minute, name+" to be ready", func() bool { return s.last(id, "interview") == hearth.TextOf("done") })
	t.Logf("%s was ready after %v", name, time.Since(began))
	return d, id
}

func bulb() *fake.Model {
	return &fake.Model{
		Name: "bulb", Vendor: "Lights & Co", Product: "LAMP-1", Prefix: 0x00158d, Type: fake.Router, Firmware: "2.1", Revision: 21,
		Endpoints: []fake.EndpointModel{{ID: 1, Device: 0x0100, In: clusters(zcl.ClusterBasic, zcl.ClusterIdentify, zcl.ClusterGroups, zcl.ClusterOnOff)}},
	}
}

func sensor() *fake.Model {
	return &fake.Model{
		Name: "sensor", Vendor: "Weather", Product: "T-1", Prefix: 0x00158d, Type: fake.Sleeper, Poll: 5 * time.Second,
		Endpoints: []fake.EndpointModel{{ID: 1, Device: 0x0302, In: clusters(zcl.ClusterBasic, zcl.ClusterPowerConfiguration, zcl.ClusterTemperatureMeasurement)}},
	}
}

func clusters(ids ...uint16) (all []fake.ClusterModel) {
	for _, id := range ids {
		all = append(all, fake.ClusterModel{Cluster: fake.Cluster(id)})
	}
	return all
}

func TestStack(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s, env := newStack(t, protocol), drivertest.NewEnv(t, "radio")
		defer s.mesh.Close()
		s.open(t, env, string(protocol))
		lamp, lampID := s.pair(t, "bulb", bulb())
		thermometer, sensorID := s.pair(t, "sensor", sensor())
		if err := s.set(lampID, "on", on); err != nil {
			t.Errorf("switching the lamp on: %v", err)
		}
		s.home.WaitFor(t, lampID, "on", on)
		if err := lamp.Set(1, zcl.ClusterOnOff, zcl.AttrOnOffOnOff, zcl.BoolOf(false)); err != nil {
			t.Fatal(err)
		}
		s.home.WaitFor(t, lampID, "on", off)
		if err := thermometer.SetNumber(1, zcl.ClusterTemperatureMeasurement, 0, 1875); err != nil {
			t.Fatal(err)
		}
		s.home.Await(t, 10*time.Minute, "the temperature", func() bool { return s.last(sensorID, "temperature") == hearth.NumberOf(18.75) })

		s.stick.Reset(fake.Watchdog)
		began := time.Now()
		if err := s.set(lampID, "on", on); err != nil {
			t.Errorf("a command after the stick's restart: %v", err)
		}
		t.Logf("carried out %v after the stick's restart", time.Since(began))
		s.home.WaitFor(t, lampID, "on", on)
		thermometer.Leave()
		s.home.Wait(t, "the sensor's leaving", func() bool { return len(s.home.Forgotten()) == 1 })
		wait(10 * time.Second)
		s.close(t)

		began = time.Now()
		s.open(t, env, "auto")
		t.Logf("up again after %v", time.Since(began))
		if err := s.set(lampID, "on", off); err != nil {
			t.Errorf("after a restart: %v", err)
		}
		s.stick.Unplug()
		if err := <-s.done; err == nil {
			t.Error("Run does not say that the stick was unplugged")
		}
		s.stick.Plug()
		s.house.open(t)
		if err := s.set(lampID, "on", on); err != nil {
			t.Errorf("after replugging: %v", err)
		}
		s.close(t)
	})
}

// A stick that is there and does not answer is given up in time.
func TestDeadStick(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s, env := newStack(t, protocol), drivertest.NewEnv(t, "radio")
		defer s.mesh.Close()
		s.stick.Hang(time.Hour)
		for _, adapter := range []string{string(protocol), "auto"} {
			began := time.Now()
			s.house = &house{driver: s.newDriver(t, env, adapter)}
			s.house.open(t)
			err := <-s.done
			if hearth.ErrorOf(errorOr(err)).Code != hearth.CodeOffline || time.Since(began) > connectTime+5*time.Second {
				t.Errorf("as %s: Run returned %v after %v", adapter, err, time.Since(began))
			}
		}
	})
}

// A stick with somebody else's network is left as it is, until the configuration says otherwise; what is overwritten then
// is saved.
func TestForeignStick(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s := newStack(t, protocol)
		defer s.mesh.Close()
		s.open(t, drivertest.NewEnv(t, "radio"), string(protocol))
		found, _ := s.stick.Network()
		s.close(t)

		env := drivertest.NewEnv(t, "radio")
		d := s.newDriver(t, env, string(protocol))
		err := d.Run(t.Context(), drivertest.NewRecorder("radio"))
		if err == nil || !strings.Contains(err.Error(), found.Extended.String()) {
			t.Fatalf("Run returned %v", err)
		}
		synctest.Wait()
		d = s.newDriver(t, env, string(protocol))
		d.cfg.Network.Replace = found.Extended.String()
		s.house = &house{driver: d}
		s.house.open(t)
		wait(5 * time.Second)
		if now, up := s.stick.Network(); !up || now.Extended == found.Extended || now.Key == found.Key {
			t.Errorf("the network was not replaced: %+v", now)
		}
		s.close(t)
		data, err := os.ReadFile(filepath.Join(env.Dir, "network-"+found.Extended.String()+".json"))
		if err != nil {
			t.Fatalf("the network that was overwritten is not saved: %v", err)
		}
		if b, err := radio.ParseBackup(data); err != nil || b.Key != found.Key {
			t.Errorf("what is saved is another network, or nothing (%v)", err)
		}
	})
}

// The drill: the stick dies, and its backup goes onto a blank one of either make.
func TestRestoreDrill(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		for _, next := range []fake.Protocol{fake.ZNP, fake.EZSP} {
			s, env := newStack(t, protocol), drivertest.NewEnv(t, "radio")
			s.open(t, env, string(protocol))
			_, id := s.pair(t, "bulb", bulb())
			wait(20 * time.Second)
			before, _ := s.stick.Network()
			s.close(t)
			s.stick.Unplug()

			blank, err := fake.NewStick(s.mesh, fake.StickOptions{Protocol: next, IEEE: 0x00124b00000000ff})
			if err != nil {
				t.Fatal(err)
			}
			s.stick = blank
			s.open(t, env, string(next))
			after, up := s.stick.Network()
			if !up || after.Extended != before.Extended || after.PAN != before.PAN || after.Channel != before.Channel || after.Key != before.Key {
				t.Errorf("%s to %s: the network was %+v and is %+v", protocol, next, before, after)
			}
			if err := s.set(id, "on", on); err != nil {
				t.Errorf("%s to %s: a command after the restore: %v", protocol, next, err)
			}
			s.home.WaitFor(t, id, "on", on)
			s.close(t)
			s.mesh.Close()
		}
	})
}

// A stick that hangs for a while is back in use soon after, and a lost answer is hardly noticed.
func TestHungStick(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s, env := newStack(t, protocol), drivertest.NewEnv(t, "radio")
		defer s.mesh.Close()
		s.open(t, env, string(protocol))
		_, id := s.pair(t, "bulb", bulb())
		s.stick.LoseAnswers(1)
		if err := s.set(id, "on", on); err != nil {
			t.Errorf("a command whose answer from the stick was lost: %v", err)
		}
		for _, hung := range []time.Duration{8 * time.Second, 25 * time.Second, 3 * time.Minute} {
			wait(5 * time.Minute)
			s.stick.Hang(hung)
			began := time.Now()
			for time.Since(began) < hung {
				select {
				case err := <-s.done:
					t.Logf("after %v: %v", time.Since(began), err)
					time.Sleep(5 * time.Second) // as supervise would
					s.house.open(t)
				case <-time.After(time.Second):
				}
			}
			for s.set(id, "on", on) != nil {
				select {
				case <-s.done:
					time.Sleep(5 * time.Second)
					s.house.open(t)
				default:
				}
			}
			if after := time.Since(began) - hung; after > 10*time.Second {
				t.Errorf("back %v after %v of silence", after, hung)
			}
		}
		s.close(t)
	})
}

func TestConformance(t *testing.T) {
	for _, protocol := range []fake.Protocol{fake.ZNP, fake.EZSP} {
		t.Run(string(protocol), func(t *testing.T) {
			id := new(hearth.ID)
			subject := drivertest.Subject{Name: "radio", Patience: 30 * time.Second}
			subject.New = func(t *testing.T, env hearth.Env) drivertest.Rig {
				s := newStack(t, protocol)
				t.Cleanup(s.mesh.Close)
				s.paired(t, env, string(protocol), id)
				return drivertest.Rig{Driver: s.newDriver(t, env, string(protocol)), Break: s.stick.Unplug, Mend: s.stick.Plug}
			}
			// The mesh's seed gives the device the same address in every trial.
			subject.New(t, drivertest.NewEnv(t, "radio"))
			subject.Devices = []hearth.ID{*id, "radio:00124b0000000001"}
			subject.Command = hearth.Command{Device: *id, Set: map[string]hearth.Value{"on": on}}
			drivertest.Run(t, subject)
		})
	}
}

// paired lets a device in, in the time of this world, and stops again.
func (s *stack) paired(t *testing.T, env hearth.Env, adapter string, id *hearth.ID) {
	t.Helper()
	d, home := s.newDriver(t, env, adapter), drivertest.NewRecorder("radio")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx, home) }()
	const coordinator = hearth.ID("radio:00124b0000000001")
	home.Wait(t, "the network", func() bool { _, ok := home.Last(coordinator, "channel"); return ok })
	if err := d.Do(ctx, hearth.Command{Device: coordinator, Set: map[string]hearth.Value{"pairing": hearth.NumberOf(60)}}); err != nil {
		t.Fatal(err)
	}
	lamp, err := s.mesh.Add("bulb", bulb())
	if err != nil {
		t.Fatal(err)
	}
	lamp.Pair(10 * time.Second)
	*id = hearth.ID("radio:" + lamp.IEEE().String())
	home.WaitFor(t, *id, "interview", hearth.TextOf("done"))
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
