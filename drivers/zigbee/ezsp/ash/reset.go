package ash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrForeign says that what answers speaks another protocol, that of a Texas Instruments stick.
var ErrForeign = errors.New("what answers speaks another protocol")

const (
	resetAgain  = 1500 * time.Millisecond // a stick needs up to a second to restart
	errorPause  = 100 * time.Millisecond  // after the error of a stick that has failed
	greetPause  = 300 * time.Millisecond  // for a second greeting, that to our own reset
	bootPause   = time.Second             // for the application to start
	maxMenus    = 3                       // that often a bootloader is asked to start the application
	maxListened = 512
)

const softwareReset = 0x0b

// Reset has the stick restart and waits until it is ready to exchange data, as long as ctx allows. What has come before
// is forgotten. It finds out when something else answers, and gets a bootloader to start its application.
func (l *Link) Reset(ctx context.Context) error {
	l.mu.Lock()
	l.state = resetting
	l.out = newOutbox()
	l.inbox, l.busy = nil, false
	l.greeting = greeting{reset: true}
	l.mu.Unlock()
	kick(l.work)
	again := time.Now().Add(resetAgain)
	for {
		done, next, err := l.greeted(again)
		if done || err != nil {
			return err
		}
		again = next
		timer := time.NewTimer(time.Until(again))
		select {
		case <-l.news:
		case <-timer.C:
		case <-l.ended:
			timer.Stop()
			return ErrDown
		case <-ctx.Done():
			timer.Stop()
			return l.unanswered(ctx.Err())
		}
		timer.Stop()
	}
}

// greeted looks at what has come, and asks again when it is time.
func (l *Link) greeted(again time.Time) (done bool, next time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g, now := &l.greeting, time.Now()
	if l.state == connected {
		return true, again, nil
	}
	if l.state == idle { // Run has ended
		return false, again, ErrDown
	}
	switch {
	case g.version != 0:
		return false, again, fmt.Errorf("the stick speaks ASH version %d: only 2 is known", g.version)
	case g.foreign():
		return false, again, ErrForeign
	case g.menu() && now.Before(g.booting): // it shows its menu for every byte it does not know
		g.listened = nil
	case g.menu():
		if g.menus++; g.menus > maxMenus {
			return false, again, errors.New("the stick stays in its bootloader: it has no application that runs, flash its firmware anew")
		}
		l.log.Warn("the stick was in its bootloader; its application is started")
		g.raw, g.listened = "2\r\n", nil
		g.booting = now.Add(bootPause)
		again = g.booting
	case !g.restarted.IsZero():
		if ready := g.restarted.Add(greetPause); now.Before(ready) {
			return false, earlier(again, ready), nil
		}
		l.connect(now)
		return true, again, nil
	case g.failed:
		g.failed = false
		again = earlier(again, now.Add(errorPause))
	case !now.Before(again):
		if g.resets++; g.resets == 1 {
			g.raw = unpiPing
		}
		g.reset = true
		again = now.Add(resetAgain)
	}
	kick(l.work)
	return false, again, nil
}

// unanswered says what a person can do about a stick that does not answer.
func (l *Link) unanswered(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == resetting {
		l.state = idle
	}
	switch g := &l.greeting; {
	case g.code != 0:
		return fmt.Errorf("the stick has failed (%s) and does not restart: unplug it and plug it in again: %w", resetReason(g.code), cause)
	case g.total > 0:
		return fmt.Errorf("what the stick says cannot be read (%d bytes): is the speed right (115200, 230400 or 460800, see its maker), and its firmware EmberZNet NCP? %w",
			g.total, cause)
	}
	return fmt.Errorf("the stick does not answer: is it the right port, is the flow control right, and is its firmware EmberZNet NCP? %w", cause)
}

// A greeting is what goes to and fro until the stick has restarted.
type greeting struct {
	reset  bool   // to be sent
	raw    string // to be sent, before that
	resets int

	good      bool      // it greeted in answer to our reset
	restarted time.Time // it greeted, but after a reset of another kind
	failed    bool
	code      byte // of its failure
	version   byte // if it is not ours

	listened []byte // what came last
	total    int
	menus    int
	booting  time.Time // until then the bootloader is busy with our wish
}

// compose writes what is due behind b.
func (g *greeting) compose(b []byte) []byte {
	if g.raw != "" {
		b = append(b, g.raw...)
		g.raw = ""
		return b
	}
	if g.reset {
		g.reset = false
		return frame{control: controlRst}.append(append(b, cancel))
	}
	return b
}

func (g *greeting) frame(f frame, now time.Time) {
	if f.control != controlRstack && f.control != controlError {
		return // left over from before
	}
	version, code := f.code()
	switch {
	case version != 2:
		g.version = version
	case f.control == controlError:
		g.failed, g.code = true, code
	case code == softwareReset:
		g.good = true
	default:
		g.restarted = now
	}
}

// listen keeps what comes, to recognise what is no ASH.
func (g *greeting) listen(b []byte) {
	g.total += len(b)
	g.listened = append(g.listened, b...)
	if extra := len(g.listened) - maxListened; extra > 0 {
		g.listened = g.listened[extra:]
	}
}

// menu reports whether a Gecko bootloader has shown its menu.
func (g *greeting) menu() bool {
	return bytes.Contains(g.listened, []byte("BL >")) || bytes.Contains(g.listened, []byte("BL>"))
}

// unpiPing is a SYS_PING in the protocol of Texas Instruments, which says nothing of its own accord.
const unpiPing = "\xfe\x00\x21\x01\x20"

// foreign reports whether a frame of that protocol was heard: FE, length, two bytes of command, data, checksum.
func (g *greeting) foreign() bool {
	const answers, events, systems = 3, 2, 0x16
	b := g.listened
	for at := range b {
		if b[at] != 0xfe || at+4 >= len(b) {
			continue
		}
		end := at + 4 + int(b[at+1])
		if kind, system := b[at+2]>>5, b[at+2]&0x1f; end >= len(b) || kind != answers && kind != events || system == 0 || system >= systems {
			continue
		}
		sum := byte(0)
		for _, c := range b[at+1 : end] {
			sum ^= c
		}
		if sum == b[end] {
			return true
		}
	}
	return false
}

// resetReason puts the code of a greeting or an error into words (UG101 3.5).
func resetReason(code byte) string {
	reasons := map[byte]string{
		0x00: "unknown reason", 0x01: "external reset", 0x02: "power on", 0x03: "watchdog", 0x06: "assertion failed",
		0x09: "bootloader", 0x0b: "software reset", 0x51: "it got no acknowledgements",
	}
	if s, ok := reasons[code]; ok {
		return fmt.Sprintf("%s (0x%02x)", s, code)
	}
	return fmt.Sprintf("code 0x%02x", code)
}
