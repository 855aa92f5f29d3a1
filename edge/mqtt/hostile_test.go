package mqtt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"hearth"
)

// raw is a connection that says what it likes.
func (r *rig) raw() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

func connectPacket(user, secret string) []byte {
	var b bytes.Buffer
	pk := packets.Packet{ProtocolVersion: 4, FixedHeader: packets.FixedHeader{Type: packets.Connect}, Connect: packets.ConnectParams{
		ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 60, ClientIdentifier: "raw",
		UsernameFlag: true, Username: []byte(user), PasswordFlag: true, Password: []byte(secret),
	}}
	if err := pk.ConnectEncode(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func publishPacket(topic string, payload []byte, retain bool) []byte {
	var b bytes.Buffer
	pk := packets.Packet{ProtocolVersion: 4, FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: retain}, TopicName: topic, Payload: payload}
	if err := pk.PublishEncode(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// closed waits until the broker hangs up.
func closed(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(15 * time.Second))
	var timeout net.Error
	if _, err := io.Copy(io.Discard, conn); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection is still open")
	}
}

func TestHostile(t *testing.T) {
	r := newRig(t)
	r.driver.Announce(lamp(id))
	r.start(nil)
	greeting := connectPacket("node-red", "c")
	bad := "a/\xff\xfe"
	for name, said := range map[string][]byte{
		"HTTP":                       []byte("GET / HTTP/1.1\r\n\r\n"),
		"a first packet of 256 MB":   {0x10, 0xff, 0xff, 0xff, 0x7f, 0, 4},
		"a length without an end":    {0x10, 0xff, 0xff, 0xff, 0xff, 0xff},
		"publishing as a stranger":   publishPacket("tele/x", []byte("x"), false),
		"a packet of 256 MB":         append(bytes.Clone(greeting), 0x30, 0xff, 0xff, 0xff, 0x7f),
		"a topic that is no UTF-8":   append(bytes.Clone(greeting), publishPacket(bad, []byte("x"), true)...),
		"connecting twice":           append(bytes.Clone(greeting), greeting...),
		"a packet of no kind":        append(bytes.Clone(greeting), 0x00, 0x00),
		"garbage after the greeting": append(bytes.Clone(greeting), bytes.Repeat([]byte{0xf7}, 100)...),
	} {
		t.Run(name, func(t *testing.T) {
			conn := r.raw()
			conn.Write(said)
			closed(t, conn)
		})
	}
	deep := r.dial("node-red", "c")
	deep.paho.Publish(strings.Repeat("a/", 30000), 0, true, "x").Wait()
	ears := r.dial("reader", "r", "#")
	deep.publish("tele/still", "here", false)
	ears.wants("tele/still", "here")
	for _, m := range ears.all {
		if len(m.topic) > maxTopic || strings.Contains(m.topic, "\xff") {
			t.Errorf("a topic of %d bytes came through", len(m.topic))
		}
	}
}

// TestStrangersAreBounded opens connections that say nothing.
func TestStrangersAreBounded(t *testing.T) {
	r := newRig(t)
	r.start(nil)
	var all []net.Conn
	for range 4 * maxFrom {
		all = append(all, r.raw())
	}
	open := 0
	for _, conn := range all {
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		var timeout net.Error
		if _, err := conn.Read(make([]byte, 1)); errors.As(err, &timeout) && timeout.Timeout() {
			open++
		}
		conn.Close()
	}
	if open > maxFrom {
		t.Errorf("%d strangers from one address", open)
	}
	eventually(t, "room for others", func() bool {
		c := newClient(r.options("reader", "r"))
		defer c.Disconnect(0)
		token := c.Connect()
		return token.Wait() && token.Error() == nil
	})
}

func TestGuessing(t *testing.T) {
	g := newGuesses()
	now := time.Unix(1800000000, 0)
	for i := range mistakes {
		if pause := g.pause("10.0.0.1", now); pause != mistakeTime {
			t.Errorf("mistake %d waits %s", i, pause)
		}
	}
	if pause := g.pause("10.0.0.1", now); pause != guessTime {
		t.Errorf("a guess waits %s", pause)
	}
	if pause := g.pause("10.0.0.2", now); pause != mistakeTime {
		t.Errorf("another waits %s", pause)
	}
	if pause := g.pause("10.0.0.1", now.Add(2*guessWindow)); pause != mistakeTime {
		t.Errorf("later: %s", pause)
	}
	for i := range 3 * maxGuessers {
		g.pause(fmt.Sprint(i), now)
	}
	if len(g.by) > maxGuessers {
		t.Errorf("%d guessers are remembered", len(g.by))
	}
}

func TestRetainedIsBounded(t *testing.T) {
	r := newRetained(newNotices(New(Options{}).o.Log))
	for i := range maxRetained {
		if keep, _ := r.take(fmt.Sprint(i), 10); !keep {
			t.Fatalf("message %d is not kept", i)
		}
	}
	if keep, _ := r.take("one more", 10); keep {
		t.Error("one too many is kept")
	}
	if keep, n := r.take("5", 20); !keep || n != maxRetained {
		t.Errorf("another on a topic that is there: %v, %d", keep, n)
	}
	if _, n := r.take("5", 0); n != maxRetained-1 {
		t.Errorf("taken away, %d are left", n)
	}
	if keep, _ := r.take("big", maxRetainedBytes); keep {
		t.Error("more bytes than fit are kept")
	}
	if keep, _ := r.take("small", 10); !keep {
		t.Error("there is room again")
	}
	if keep, n := r.take("small", maxRetainedBytes); keep || n != maxRetained || r.sizes["small"] == 0 {
		t.Errorf("what is not replaced is still there: %v %d", keep, n)
	}
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000, 5000)
		if pause := b.take(5000); pause != 0 {
			t.Errorf("the burst waits %s", pause)
		}
		if pause := b.take(500); pause != 500*time.Millisecond {
			t.Errorf("what is not saved up waits %s", pause)
		}
		time.Sleep(time.Hour)
		if pause := b.take(6000); pause != time.Second {
			t.Errorf("more than the burst waits %s", pause)
		}
	})
}

// TestFlood has clients publish as fast as they can to one that does not read: memory stays bounded, and the others are
// served.
func TestFlood(t *testing.T) {
	r := newRig(t)
	r.driver.Announce(lamp(id))
	r.start(nil)
	deaf := r.raw() // subscribes to everything and reads nothing
	var sub bytes.Buffer
	subscribe := packets.Packet{ProtocolVersion: 4, PacketID: 1, FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, Filters: packets.Subscriptions{{Filter: "#"}}}
	if err := subscribe.SubscribeEncode(&sub); err != nil {
		t.Fatal(err)
	}
	deaf.Write(append(connectPacket("boss", "a"), sub.Bytes()...))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	stop := make(chan struct{})
	var floods sync.WaitGroup
	for i := range 4 {
		conn := r.raw()
		hello := connectPacket("node-red", "c")
		floods.Go(func() {
			conn.Write(bytes.Replace(hello, []byte("raw"), []byte("f"+fmt.Sprintf("%02d", i)), 1))
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				conn.SetWriteDeadline(time.Now().Add(time.Second))
				conn.Write(publishPacket(fmt.Sprintf("flood/%d/%d", i, n), bytes.Repeat([]byte("x"), 10000), true))
			}
		})
	}
	ears := r.dial("reader", "r", "hearth/#")
	c := r.dial("node-red", "c")
	for i := range 10 {
		start := time.Now()
		c.publish(setTopic, fmt.Sprintf(`{"brightness":%d}`, i), false)
		ears.wants(stateTopic, fmt.Sprintf(`{"brightness":%d}`, i))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("a command beside a flood took %s", took)
		}
	}
	time.AfterFunc(3*time.Second, func() { close(stop) })
	floods.Wait()
	runtime.ReadMemStats(&after)
	t.Logf("heap %d MiB before, %d MiB after; %d messages of others retained", before.HeapInuse>>20, after.HeapInuse>>20, r.face.Stats().Retained)
	if after.HeapInuse > before.HeapInuse+200<<20 {
		t.Error("the flood is in memory")
	}
	if n := r.face.Stats().Retained; n > maxRetained {
		t.Errorf("%d messages are retained", n)
	}
}

// TestRevoked ends the session of a token that was removed.
func TestRevoked(t *testing.T) {
	r := newRig(t)
	var mu sync.Mutex
	gone := false
	r.start(func(o *Options) {
		o.Tokens = func(secret string) (hearth.Token, bool) {
			mu.Lock()
			defer mu.Unlock()
			if gone {
				return hearth.Token{}, false
			}
			return find(secret)
		}
	})
	c := r.dial("node-red", "c")
	mu.Lock()
	gone = true
	mu.Unlock()
	eventually(t, "the session ends", func() bool {
		c.paho.Publish("tele/x", 0, false, "x")
		return !c.paho.IsConnected()
	})
}

// FuzzSet has payloads of commands read: nothing panics, and what is taken says the same when it is written again.
func FuzzSet(f *testing.F) {
	for _, seed := range []string{`{"on":true,"brightness":40.5,"text":"\u0000é"}`, `{`, `[]`, `{"a":{}}`, `{"a":1,"a":2}`, "{\"\xff\":1}", `{"a":1e400}`, ` {} `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		set, err := parseSet(payload)
		if err != nil {
			if hearth.ErrorOf(err).Code != hearth.CodeBadValue || len(err.Error()) > 1000 {
				t.Errorf("%v", err)
			}
			return
		}
		data, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseSet(data)
		if err != nil || len(again) != len(set) {
			t.Fatalf("%s became %s: %v", payload, data, err)
		}
		for name, value := range set {
			if again[name] != value {
				t.Errorf("%q: %v became %v", name, value, again[name])
			}
		}
	})
}

// FuzzAnnounce has devices with any names announced: the result is JSON, and its topic one.
func FuzzAnnounce(f *testing.F) {
	f.Add("toy:lamp", "Lamp", "on", "°C")
	f.Add("a_b:c.d", "\x00\xff\"{{", "x_1", "\"")
	f.Fuzz(func(t *testing.T, device, name, property, unit string) {
		p, _ := hearth.Word(property)
		p.Unit = unit
		if p.Check() != nil || hearth.ID(device).Check() != nil {
			return
		}
		d := hearth.DeviceView{ID: hearth.ID(device), Name: name, Properties: []hearth.PropertyView{{Property: p}}}
		payload := announce(newVocabulary(), topics{"ha"}, &d, "").payload(nil)
		if !json.Valid(payload) || strings.ContainsAny(topics{"ha"}.config(d.ID), "+#\x00 ") {
			t.Errorf("%s", payload)
		}
		if !json.Valid(stateOf(newVocabulary(), &d)) {
			t.Error("the state is no JSON")
		}
	})
}
