package fake

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func fromHex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestASHFrames has the examples of UG101, in both directions, less two misprinted checksums.
func TestASHFrames(t *testing.T) {
	for _, c := range []struct {
		name, line, control, data string
		kind                      ashKind
	}{
		{"RST", "c0 38 bc 7e", "c0", "", ashKindRST},
		{"RSTACK", "c1 02 02 9b 7b 7e", "c1", "02 02", ashKindRSTACK},
		{"RSTACK, software", "c1 02 0b 0a 52 7e", "c1", "02 0b", ashKindRSTACK},
		{"ERROR", "c2 02 51 a8 bd 7e", "c2", "02 51", ashKindERROR},
		{"ACK 1", "81 60 59 7e", "81", "", ashKindACK},
		{"ACK 6, not ready", "8e 91 b6 7e", "8e", "", ashKindACK},
		{"NAK 6", "a6 34 dc 7e", "a6", "", ashKindNAK},
		{"NAK 5, not ready", "ad 85 b7 7e", "ad", "", ashKindNAK},
		{"version", "25 42 21 a8 56 a6 09 7e", "25", "00 00 00 02", ashKindData},
		{"version's answer", "53 42 a1 a8 56 28 04 82 03 2a 7e", "53", "00 80 00 02 02 11 30", ashKindData},
	} {
		t.Run(c.name, func(t *testing.T) {
			frame, data := fromHex(t, c.control), fromHex(t, c.data)
			if c.kind == ashKindData {
				ashRandomize(data)
			}
			frame = append(frame, data...)
			if got := ashEncode(frame); !bytes.Equal(got, fromHex(t, c.line)) {
				t.Errorf("encoded: % x", got)
			}
			got, ends := decodeASH(fromHex(t, c.line))
			if len(got) != 1 || !bytes.Equal(got[0], frame) || ends != 1 || ashKindOf(got[0]) != c.kind {
				t.Errorf("decoded: % x, %d ends", got, ends)
			}
		})
	}
}

// decodeASH returns the whole frames in b, and how many ended there, whole or not.
func decodeASH(b []byte) (frames [][]byte, ends int) {
	var d ashDecoder
	for _, c := range b {
		frame, whole, end := d.push(c)
		if end {
			ends++
		}
		if whole {
			frames = append(frames, bytes.Clone(frame))
		}
	}
	return frames, ends
}

func TestASHDecoder(t *testing.T) {
	ack := "81 60 59 7e"
	long := strings.Repeat("55", 300)
	for _, c := range []struct {
		name, line   string
		frames, ends int
	}{
		{"flags alone", "7e 7e 7e", 0, 0},
		{"a frame after flags", "7e 7e" + ack, 1, 1},
		{"cancelled start", "12 34 56 1a" + ack, 1, 1},
		{"substituted byte", "81 18 60 59 7e" + ack, 1, 2},
		{"XON and XOFF in between", "81 11 60 13 59 7e", 1, 1},
		{"escaped", "7d a1 60 59 7e", 1, 1},
		{"escape before the flag", "81 60 59 7d 7e" + ack, 1, 2},
		{"wrong CRC", "81 60 5a 7e" + ack, 1, 2},
		{"too short", "81 7e" + ack, 1, 2},
		{"endless", long + "7e" + ack, 1, 2},
	} {
		if frames, ends := decodeASH(fromHex(t, c.line)); len(frames) != c.frames || ends != c.ends {
			t.Errorf("%s: %d frames, %d ends; want %d, %d", c.name, len(frames), ends, c.frames, c.ends)
		}
	}
}

func FuzzASHDecoder(f *testing.F) {
	for _, line := range []string{"1ac038bc7e", "2542 21a8 56a6 097e", "81606 07d7e18117e"} {
		b, _ := hex.DecodeString(strings.ReplaceAll(line, " ", ""))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frames, _ := decodeASH(b)
		for _, frame := range frames {
			if again, _ := decodeASH(ashEncode(frame)); len(again) != 1 || !bytes.Equal(again[0], frame) {
				t.Errorf("% x came back as % x", frame, again)
			}
		}
	})
}

// An ashPeer is the host's end for tests: it keeps what it hears, and does what the test says.
type ashPeer struct {
	t         *testing.T
	time      timeline
	link      ashLink
	heard     []string // what came from the firmware, in short
	delivered []string // what came to the firmware
	restarts  int
}

func newASHPeer(t *testing.T) *ashPeer {
	p := &ashPeer{t: t}
	p.link = ashLink{
		time:    &p.time,
		deliver: func(data []byte) { p.delivered = append(p.delivered, string(data)) },
		restart: func() {
			p.restarts++
			p.link.start(ResetSoftware)
		},
		out: func(kind ashKind, b []byte) {
			frames, _ := decodeASH(b)
			if len(frames) != 1 || ashKindOf(frames[0]) != kind {
				t.Errorf("said % x as %v", b, kind)
				return
			}
			p.heard = append(p.heard, describeASH(frames[0]))
		},
	}
	t.Cleanup(p.time.close)
	return p
}

func describeASH(frame []byte) string {
	control := frame[0]
	switch ashKindOf(frame) {
	case ashKindData:
		data := bytes.Clone(frame[1:])
		ashRandomize(data)
		again := ""
		if control&ashResent != 0 {
			again = " again"
		}
		return fmt.Sprintf("DATA %d,%d%s %s", control>>4&7, control&7, again, data)
	case ashKindACK:
		return fmt.Sprintf("ACK %d", control&7)
	case ashKindNAK:
		return fmt.Sprintf("NAK %d", control&7)
	case ashKindRSTACK:
		return fmt.Sprintf("RSTACK %d %02x", frame[1], frame[2])
	case ashKindERROR:
		return fmt.Sprintf("ERROR %d %02x", frame[1], frame[2])
	}
	return fmt.Sprintf("% x", frame)
}

// say gives frames to the firmware.
func (p *ashPeer) say(frames ...[]byte) {
	p.time.do(func() {
		for _, frame := range frames {
			p.link.input(ashEncode(frame))
		}
	})
}

func (p *ashPeer) send(callback bool, data ...string) (room int) {
	p.time.do(func() {
		for _, d := range data {
			if p.link.send([]byte(d), callback) {
				room++
			}
		}
	})
	return room
}

// want compares what was heard since the last call.
func (p *ashPeer) want(heard ...string) {
	p.t.Helper()
	p.time.do(func() {
		if !slices.Equal(p.heard, heard) {
			p.t.Errorf("heard %q\nwant  %q", p.heard, heard)
		}
		p.heard = nil
	})
}

// took is what the firmware has taken from the host, in one line.
func (p *ashPeer) took() (all string) {
	p.time.do(func() { all = strings.Join(p.delivered, " ") })
	return all
}

func ashDataFrame(control byte, data string) []byte {
	b := []byte(data)
	ashRandomize(b)
	return append([]byte{control}, b...)
}

// connect resets the firmware, as every host does first.
func (p *ashPeer) connect() {
	p.t.Helper()
	p.say([]byte{ashRST})
	p.want("RSTACK 2 0b")
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestASHConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newASHPeer(t)
		p.say([]byte{0x81}) // before power
		p.want()
		p.connect()

		p.say(ashDataFrame(0x00, "one"))
		pass(19 * time.Millisecond)
		p.want()
		pass(2 * time.Millisecond)
		p.want("ACK 1")

		p.say(ashDataFrame(0x10, "two"))
		p.send(false, "answer")
		p.want("DATA 0,2 answer")
		pass(100 * time.Millisecond)
		p.want() // the answer has acknowledged it
		p.say([]byte{ashACK | 1})
		pass(time.Minute)
		p.want()
		if got := p.took(); got != "one two" {
			t.Errorf("delivered %s", got)
		}
	})
}

func TestASHDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newASHPeer(t)
		p.connect()
		bad := ashEncode(ashDataFrame(0x00, "one"))
		bad[2] ^= 0x40
		p.time.do(func() {
			p.link.input(bad)
			p.link.input(bad)
			p.link.input(ashEncode(ashDataFrame(0x10, "two"))) // out of sequence
		})
		p.want("NAK 0")
		p.say(ashDataFrame(0x08, "one")) // again
		pass(0)
		p.want("ACK 1")
		p.say(ashDataFrame(0x08, "one")) // it has missed the ACK
		pass(0)
		p.want("ACK 1")
		p.say(ashDataFrame(0x10, "two"), ashDataFrame(0x20, "three"), ashDataFrame(0x50, "six"))
		pass(30 * time.Millisecond)
		p.want("NAK 3")
		p.say([]byte{ashACK | 4}) // of a frame that was never sent: rejected, but a NAK is out already
		p.want()
		if got := p.took(); got != "one two three" {
			t.Errorf("delivered %s", got)
		}
	})
}

func TestASHWindowAndBuffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newASHPeer(t)
		p.connect()
		var many []string
		for i := range 80 {
			many = append(many, fmt.Sprintf("callback %d", i))
		}
		if room := p.send(true, many...); room != ashWindow+ashBuffers {
			t.Errorf("room for %d, want %d", room, ashWindow+ashBuffers)
		}
		p.want("DATA 0,0 callback 0", "DATA 1,0 callback 1", "DATA 2,0 callback 2", "DATA 3,0 callback 3", "DATA 4,0 callback 4")
		p.time.do(func() {
			if !p.link.overflowed() || p.link.overflowed() {
				t.Error("an overflow is to be told, once")
			}
		})
		p.send(false, "answer")
		p.want()
		p.say([]byte{ashACK | 2})
		p.want("DATA 5,0 answer", "DATA 6,0 callback 5")
		p.say([]byte{ashNAK | 3})
		p.want("DATA 3,0 again callback 3", "DATA 4,0 again callback 4", "DATA 5,0 again answer", "DATA 6,0 again callback 5", "DATA 7,0 callback 6")
		p.connect()
		pass(time.Minute)
		p.want() // a reset forgets all of it
	})
}

func TestASHHostNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newASHPeer(t)
		p.connect()
		p.say([]byte{ashACK | ashNotReady})
		p.send(true, "later")
		p.send(false, "now")
		p.want("DATA 0,0 now")
		p.say([]byte{ashACK | ashNotReady | 1})
		pass(999 * time.Millisecond)
		p.want()
		pass(time.Millisecond)
		p.want("DATA 1,0 later")
		p.say([]byte{ashACK | ashNotReady | 2})
		p.send(true, "when ready")
		p.say([]byte{ashACK | 2})
		p.want("DATA 2,0 when ready")
	})
}

// TestASHFailure is a host that does not acknowledge: bellows#124 and the like.
func TestASHFailure(t *testing.T) {
	for _, mute := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newASHPeer(t)
			p.link.muteWhenFailed = mute
			p.connect()
			p.send(true, "callback")
			p.want("DATA 0,0 callback")
			for _, wait := range []time.Duration{1600, 3200, 3200} {
				pass(wait*time.Millisecond - 1)
				p.want()
				pass(1)
				p.want("DATA 0,0 again callback")
			}
			pass(3200 * time.Millisecond)
			p.want("ERROR 2 51")
			if p.send(false, "answer") != 0 {
				t.Error("a failed link takes nothing")
			}
			p.say(ashDataFrame(0x00, "one"))
			if mute {
				p.want()
			} else {
				p.want("ERROR 2 51")
			}
			p.connect()
			p.say(ashDataFrame(0x00, "one"))
			pass(20 * time.Millisecond)
			p.want("ACK 1")
			if got := p.took(); got != "one" {
				t.Errorf("delivered %s", got)
			}
		})
	}
}

// TestASHPatience: a host that answers quickly is asked again sooner.
func TestASHPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newASHPeer(t)
		p.connect()
		for i := range 20 {
			p.send(false, "xyz")
			pass(10 * time.Millisecond)
			p.say([]byte{ashACK | byte(i+1)&7})
		}
		p.time.do(func() { p.heard = nil })
		p.send(false, "slow")
		p.want("DATA 4,0 slow")
		pass(399 * time.Millisecond)
		p.want()
		pass(time.Millisecond)
		p.want("DATA 4,0 again slow")
	})
}
