package hap

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/brutella/dnssd"
	"github.com/miekg/dns"
)

// findNames has several look for a name in a network where Test is taken: who comes later gets another, and of two that
// come at the same time one does.
func findNames(ctx context.Context, t *testing.T) {
	t.Helper()
	find := func(name, id string, port int) *responder {
		r, err := newResponder(ctx, announcement{name: name, id: id, port: port, text: map[string]string{"id": "rival"}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	late := find("Test", "00:00:00:00:00:02", 9)
	later := find("Test", "00:00:00:00:00:02", 10) // has the same id, so even the second name is taken
	for r, want := range map[*responder]string{late: "Test 0002", later: "Test 2 0002"} {
		if got := r.service.Load().Name; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		r.stop()
	}
	var names []string
	for range 5 { // where there is no time to listen both may believe that it is theirs: Announce finds out
		var one, two *responder
		var both sync.WaitGroup
		both.Go(func() { one = find("Twin", "00:00:00:00:00:03", 20) })
		both.Go(func() { two = find("Twin", "00:00:00:00:00:04", 30) })
		both.Wait()
		names = []string{one.service.Load().Name, two.service.Load().Name}
		one.stop()
		two.stop()
		if names[0] != names[1] {
			break
		}
	}
	if !slices.Equal(names, []string{"Twin 0003", "Twin"}) && !slices.Equal(names, []string{"Twin", "Twin 0004"}) {
		t.Errorf("two that look for the same name at the same time get %q", names)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := newResponder(ended, announcement{name: "Nobody", id: "00:00:00:00:00:05", port: 9}); err == nil {
		t.Error("a name is found after the end")
	}
}

func TestGoesFirst(t *testing.T) {
	service := func(name string, port int, text string) dnssd.Service {
		s, err := dnssd.NewService(dnssd.Config{Name: name, Type: "_hap._tcp", Domain: "local", Host: "hap-1", Port: port, Text: map[string]string{"id": text}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	ours := service("Küche 'oben'", 500, "b")
	sent := func(s dnssd.Service) *dns.Msg {
		m := question(&net.Interface{Name: "none"}, s)
		text, err := m.Pack()
		if err != nil || m.Unpack(text) != nil {
			t.Fatal(err)
		}
		return m
	}
	fewer := sent(service("Küche 'oben'", 500, "b"))
	fewer.Ns = fewer.Ns[:1]
	more := sent(ours)
	more.Ns = append(more.Ns, more.Ns[0])
	flagged := sent(ours)
	for _, record := range flagged.Ns {
		record.Header().Class |= flush
	}
	for name, test := range map[string]struct {
		query *dns.Msg
		want  bool
	}{
		"our own": {sent(ours), false}, "our own, flagged": {flagged, false}, "a higher port": {sent(service("Küche 'oben'", 501, "b")), true},
		"a port whose bytes are more, as numbers": {sent(service("Küche 'oben'", 255, "b")), false}, "a later text": {sent(service("Küche 'oben'", 500, "c")), true},
		"an earlier text": {sent(service("Küche 'oben'", 501, "a")), false}, "another name": {sent(service("Bad", 501, "c")), false}, "letters of another size": {sent(service("küche 'OBEN'", 501, "c")), true},
		"fewer records": {fewer, true}, "more records": {more, true}, "a mere question": {&dns.Msg{Question: fewer.Question}, false},
	} {
		if got := goesFirst(test.query, ours); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestHostTaken(t *testing.T) {
	s, err := dnssd.NewService(dnssd.Config{Name: "Test", Type: "_hap._tcp", Domain: "local", Host: "hap-1", Port: 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, ip string
		ttl      uint32
		want     bool
	}{{"hap-1.local.", "192.0.2.9", 120, true}, {"HAP-1.local.", "192.0.2.9", 120, true}, {"hap-1.local.", "192.0.2.9", 0, false}, {"hap-1.local.", "127.0.0.1", 120, false}, {"hap-2.local.", "192.0.2.9", 120, false}} {
		m := new(dns.Msg)
		m.Response = true
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: test.name, Rrtype: dns.TypeA, Class: dns.ClassINET | flush, Ttl: test.ttl}, A: net.ParseIP(test.ip)}}
		if got := hostTaken(m, s); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
