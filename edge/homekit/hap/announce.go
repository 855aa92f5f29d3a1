package hap

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brutella/dnssd"
)

const lookAround = 5 * time.Second // how often the interfaces are looked at

// announcement is what the network is told, and where.
type announcement struct {
	name, id   string
	port       int
	text       map[string]string
	interfaces []string // those that are up, with their IPv4 addresses
}

func (a announcement) equal(b announcement) bool {
	return a.name == b.name && a.id == b.id && a.port == b.port && maps.Equal(a.text, b.text) && slices.Equal(a.interfaces, b.interfaces)
}

// text is the TXT record (table 6-7).
func (s *Server) text() map[string]string {
	category := s.category()
	id := s.keep.identity().DeviceID
	unpaired := "1"
	if s.keep.paired() {
		unpaired = "0"
	}
	s.mu.Lock()
	number := s.config.Number
	s.mu.Unlock()
	return map[string]string{
		"c#": strconv.Itoa(int(max(number, 1))), "ff": "0", "id": id, "md": s.model, "pv": "1.1", "s#": "1",
		"sf": unpaired, "ci": strconv.Itoa(int(category)), "sh": setupHash(s.setupID, id),
	}
}

// Announce tells the network about the server, which listens on port, by mDNS until ctx ends: on every interface, also on
// those that come later. Whether it can be reached there is the caller's to know.
func (s *Server) Announce(ctx context.Context, port int) error {
	changed := make(chan struct{}, 1)
	s.mu.Lock()
	s.watch[changed] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.watch, changed)
		s.mu.Unlock()
	}()
	look := time.NewTicker(lookAround)
	defer look.Stop()
	again := time.NewTimer(0) // everything is announced twice (RFC 6762, 8.3)
	defer again.Stop()
	var r *responder
	defer func() { r.stop() }()
	var last announcement
	taken := false // somebody else has the name
	for {
		now := s.announcement(port)
		if taken {
			now.name = ownName(s.name, now.id)
		}
		if r != nil && (now.id != last.id || now.name != last.name) {
			r.stop()
			r = nil
		}
		switch {
		case r == nil && len(now.interfaces) > 0:
			var err error
			if r, err = newResponder(ctx, now); err != nil && ctx.Err() == nil {
				s.log.Warn("homekit: it cannot be announced", "error", err)
			}
			again.Reset(time.Second)
		case r != nil && !now.equal(last):
			r.update(now)
			again.Reset(time.Second)
		}
		last = now
		var dispute <-chan struct{}
		if r != nil && !taken { // the second name has the id in it: who disputes that is not to be believed
			dispute = r.dispute
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		case <-changed:
		case <-again.C:
			r.announce()
		case <-dispute:
			taken = true
			s.log.Warn("homekit: something else in the network has this name; another one is announced", "name", now.name)
			r.close() // without a goodbye: the name is the other's, too
			r = nil
		}
	}
}

func (s *Server) announcement(port int) announcement {
	a := announcement{name: serviceName(s.name), port: port, text: s.text()}
	a.id = a.text["id"]
	for _, i := range dnssd.MulticastInterfaces() {
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		where := fmt.Sprint(i.Index, i.Name)
		for _, address := range addresses {
			if n, ok := address.(*net.IPNet); ok && n.IP.To4() != nil { // those of IPv6 come and go by themselves; they are read for every answer
				where += " " + n.String()
			}
		}
		a.interfaces = append(a.interfaces, where)
	}
	return a
}

// ownName is a name that nobody else has: a part of the id makes it so.
func ownName(name, id string) string {
	digits := strings.ReplaceAll(id, ":", "")
	own := " " + digits[max(0, len(digits)-4):]
	for len(name) > mostName-len(own) {
		r := []rune(name)
		name = string(r[:len(r)-1])
	}
	return serviceName(name + own)
}

const mostName = 63 // bytes of a label

// serviceName is a name that fits into one label.
func serviceName(name string) string {
	for len(name) > mostName {
		r := []rune(name)
		name = string(r[:len(r)-1])
	}
	return strings.TrimSpace(strings.ReplaceAll(name, ".", " "))
}

// hostName is a host name of our own: with the machine's, we would dispute it with the machine's own responder.
func hostName(id string) string { return "hap-" + strings.ReplaceAll(id, ":", "") }
