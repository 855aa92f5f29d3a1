package hap

import (
	"context"
	"maps"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brutella/dnssd"
	"github.com/miekg/dns"
)

func TestText(t *testing.T) {
	w := start(t, 2, func(o *Options) { o.Model = "Gateway" })
	id := w.s.keep.identity().DeviceID
	want := map[string]string{"c#": "1", "ff": "0", "id": id, "md": "Gateway", "pv": "1.1", "s#": "1", "sf": "1", "ci": "2", "sh": setupHash("SWZ1", id)}
	if got := w.s.text(); !maps.Equal(got, want) {
		t.Errorf("%v\n%v", got, want)
	}
	if got := ownName(strings.Repeat("é", 60), "AA:BB:CC:DD:EE:FF"); len(got) > 63 || !strings.HasSuffix(got, "é EEFF") {
		t.Errorf("%q", got)
	}
	if got := serviceName(strings.Repeat("é", 60)); len(got) > 63 || !strings.HasPrefix(got, "éé") {
		t.Errorf("%q", got)
	}
}

// TestAnnounce runs TestAnnounceInside in a network of its own.
func TestAnnounce(t *testing.T) {
	unshare, err := exec.LookPath("unshare")
	if err != nil || os.Getuid() != 0 {
		t.Skip("SKIPPED: a network of its own needs root and unshare")
	}
	cmd := exec.Command(unshare, "-n", os.Args[0], "-test.run", "^TestAnnounceInside$", "-test.v")
	cmd.Env = append(os.Environ(), "HAP_ANNOUNCE=1")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
}

// heard is what a browser by mDNS knows.
type heard struct {
	mu   sync.Mutex
	last map[string]dnssd.BrowseEntry // interface → entry
	gone int
}

func (h *heard) browse(ctx context.Context) {
	dnssd.LookupType(ctx, "_hap._tcp.local.", func(e dnssd.BrowseEntry) {
		if e.Text["id"] == "rival" {
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.last[e.IfaceName] = e
	}, func(dnssd.BrowseEntry) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.gone++
	})
}

func (h *heard) at(iface string) dnssd.BrowseEntry {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last[iface]
}

func TestAnnounceInside(t *testing.T) {
	if os.Getenv("HAP_ANNOUNCE") == "" {
		t.Skip("TestAnnounce runs it")
	}
	w := start(t, 2, nil)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.s.Announce(ctx, 4711) }()
	time.Sleep(200 * time.Millisecond) // it begins without any network
	ip(t, "link set lo up")
	ip(t, "link set lo multicast on")
	ip(t, "route add 224.0.0.0/4 dev lo")
	await := func(what, iface string, is func(dnssd.BrowseEntry) bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
			h := &heard{last: make(map[string]dnssd.BrowseEntry)}
			browsing, stop := context.WithTimeout(context.Background(), time.Second)
			h.browse(browsing)
			stop()
			if e := h.at(iface); e.Name != "" && is(e) {
				return
			}
		}
		t.Fatalf("not announced: %s", what)
	}
	await("unpaired", "lo", func(e dnssd.BrowseEntry) bool {
		return e.Name == "Test" && e.Port == 4711 && e.Text["sf"] == "1" && e.Text["id"] == w.s.keep.identity().DeviceID
	})
	k := w.pair("phone")
	await("paired", "lo", func(e dnssd.BrowseEntry) bool { return e.Text["sf"] == "0" })
	if err := w.s.Publish(home(3)); err != nil {
		t.Fatal(err)
	}
	await("another configuration", "lo", func(e dnssd.BrowseEntry) bool { return e.Text["c#"] == "2" })
	findNames(ctx, t)
	rival, err := newResponder(ctx, announcement{name: "Rival", id: "00:00:00:00:00:01", port: 9, text: map[string]string{"id": "rival"}})
	if err != nil {
		t.Fatal(err)
	}
	stolen := *rival.service.Load() // as when two networks become one: nobody asked
	stolen.Name = "Test"
	rival.service.Store(&stolen)
	rival.announce()
	await("another name, since somebody else has ours", "lo", func(e dnssd.BrowseEntry) bool {
		return e.Name == ownName("Test", w.s.keep.identity().DeviceID) && e.Port == 4711
	})
	rival.stop()
	ip(t, "link add here type veth peer name there")
	ip(t, "addr add 10.9.8.7/24 dev here")
	ip(t, "link set here up")
	ip(t, "link set there up")
	await("an interface that came later", "here", func(e dnssd.BrowseEntry) bool { return e.Text["c#"] == "2" })
	ip(t, "link del here")
	if err := w.s.Reset(); err != nil {
		t.Fatal(err)
	}
	await("reset", "lo", func(e dnssd.BrowseEntry) bool {
		return e.Text["sf"] == "1" && e.Text["id"] == w.s.keep.identity().DeviceID && e.Text["id"] != k.device
	})
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Announce does not end")
	}
	time.Sleep(2 * time.Second) // what the browsers above leave behind, stays
	announceLeavesNothing(t, w)
}

// announceLeavesNothing announces and changes what is announced, with nobody listening but itself.
func announceLeavesNothing(t *testing.T, w *world) {
	before, _ := goroutines()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.s.Announce(ctx, 4711) }()
	for range 3 {
		time.Sleep(2500 * time.Millisecond)
		if err := w.s.Reset(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if after, stacks := goroutines(); after > before {
		t.Errorf("goroutines: %d → %d\n%s", before, after, stacks)
	}
}

// goroutines counts those that run.
func goroutines() (n int, stacks string) {
	b := make([]byte, 1<<20)
	return runtime.NumGoroutine(), string(b[:runtime.Stack(b, true)])
}

func TestReply(t *testing.T) {
	service, err := dnssd.NewService(dnssd.Config{Name: "Küche 'oben'", Type: "_hap._tcp", Host: "hap-1", Port: 1, Text: map[string]string{"c#": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(name string, kind, class uint16) *dns.Msg {
		m := new(dns.Msg)
		m.Question = []dns.Question{{Name: name, Qtype: kind, Qclass: class}}
		text, err := m.Pack()
		if err != nil || m.Unpack(text) != nil {
			t.Fatal(err)
		}
		return m
	}
	instance := service.EscapedServiceInstanceName()
	for _, test := range []struct {
		name          string
		kind, class   uint16
		answers       int
		alone, shared bool
	}{
		{"_HAP._tcp.local.", dns.TypePTR, 1, 1, false, true},
		{"_hap._tcp.local.", dns.TypePTR, 1 | flush, 1, true, true},
		{"_hap._tcp.local.", dns.TypeA, 1, 0, false, false},
		{"_services._dns-sd._udp.local.", dns.TypePTR, 1, 1, false, true},
		{instance, dns.TypeANY, 1, 2, false, false},
		{instance, dns.TypeTXT, 1, 1, false, false},
		{"other._hap._tcp.local.", dns.TypeANY, 1, 0, false, false},
		{"_http._tcp.local.", dns.TypePTR, 1, 0, false, false},
	} {
		m, alone, shared := reply(ask(test.name, test.kind, test.class), service, &net.Interface{Name: "none"})
		answers := 0
		if m != nil {
			answers = len(m.Answer)
		}
		if answers != test.answers || alone != test.alone || shared != test.shared {
			t.Errorf("%+v: %v %v %v", test, m, alone, shared)
		}
	}
	query := ask("_hap._tcp.local.", dns.TypePTR, 1)
	query.Answer = []dns.RR{dnssd.PTR(service)}
	if m, _, _ := reply(query, service, &net.Interface{}); m != nil {
		t.Errorf("a known answer is given: %v", m)
	}
}

func TestDisputed(t *testing.T) {
	ours := dnssd.Config{Name: "Küche", Type: "_hap._tcp", Host: "hap-1", Port: 1}
	other, port := ours, ours
	other.Host, port.Port = "hap-2", 2
	stranger := other
	stranger.Name = "Bad"
	for _, test := range []struct {
		config dnssd.Config
		ttl    uint32
		want   bool
	}{{ours, 120, false}, {other, 120, true}, {port, 120, true}, {other, 0, false}, {stranger, 120, false}} {
		mine, err1 := dnssd.NewService(ours)
		theirs, err2 := dnssd.NewService(test.config)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		srv := dnssd.SRV(theirs)
		srv.Hdr.Ttl = test.ttl
		m := new(dns.Msg)
		m.Response, m.Answer = true, []dns.RR{dnssd.PTR(theirs), srv}
		text, err := m.Pack()
		if err != nil || m.Unpack(text) != nil {
			t.Fatal(err)
		}
		if got := disputed(m, mine); got != test.want {
			t.Errorf("%+v with a TTL of %d: %v", test.config, test.ttl, got)
		}
	}
}

// No packet makes the responder fall over, and every answer can be written.
func FuzzReply(f *testing.F) {
	service, err := dnssd.NewService(dnssd.Config{Name: "Küche", Type: "_hap._tcp", Host: "hap-1", Port: 1})
	if err != nil {
		f.Fatal(err)
	}
	m := new(dns.Msg)
	m.Question = []dns.Question{{Name: "_hap._tcp.local.", Qtype: dns.TypePTR, Qclass: 1}, {Name: "hap-1.local.", Qtype: dns.TypeANY, Qclass: 1}}
	text, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		query := new(dns.Msg)
		if query.Unpack(text) != nil {
			return
		}
		disputed(query, service)
		hostTaken(query, service)
		goesFirst(query, service)
		if answer, _, _ := reply(query, service, &net.Interface{Name: "none"}); answer != nil {
			if _, err := answer.Pack(); err != nil {
				t.Fatal(err)
			}
			legacy(answer, query)
		}
	})
}
