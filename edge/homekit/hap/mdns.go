package hap

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brutella/dnssd"
	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// responder answers multicast DNS (RFC 6762) for one service. The records are brutella/dnssd's. Its responder is not
// used: one of them serves the interfaces that were there when it was made, a change of the TXT record races with its
// answers, and each one that ends leaves a thread behind that waits for netlink; nor its probing, which leaves another.
type responder struct {
	v4      *ipv4.PacketConn // either may be nil
	v6      *ipv6.PacketConn
	service atomic.Pointer[dnssd.Service]
	probing atomic.Bool   // the names are not ours yet
	dispute chan struct{} // capacity 1: somebody else has our name
	lost    chan struct{} // capacity 1: somebody else is about to take it, and goes first
	readers sync.WaitGroup
}

const (
	flush       = 1 << 15 // of a class: in a record, forget others; in a question, answer to me alone
	legacyTTL   = 10
	goodbyeTime = 100 * time.Millisecond
)

var (
	group4 = &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}
	group6 = &net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: 5353}
)

// newResponder finds a name that nobody else on the network has, and announces it.
func newResponder(ctx context.Context, a announcement) (*responder, error) {
	r := &responder{dispute: make(chan struct{}, 1), lost: make(chan struct{}, 1)}
	if err := r.listen(); err != nil {
		r.close()
		return nil, err
	}
	if err := r.probe(ctx, a); err != nil {
		r.close()
		return nil, err
	}
	r.announce()
	return r, nil
}

// listen opens the sockets; one for either kind of address is enough.
func (r *responder) listen() error {
	conn4, err4 := net.ListenUDP("udp4", group4)
	if err4 == nil {
		r.v4 = ipv4.NewPacketConn(conn4)
		err4 = errors.Join(r.v4.SetControlMessage(ipv4.FlagInterface, true), r.v4.SetMulticastTTL(255), r.v4.SetTTL(255), r.v4.SetMulticastLoopback(true))
	}
	conn6, err6 := net.ListenUDP("udp6", group6)
	if err6 == nil {
		r.v6 = ipv6.NewPacketConn(conn6)
		err6 = errors.Join(r.v6.SetControlMessage(ipv6.FlagInterface, true), r.v6.SetMulticastHopLimit(255), r.v6.SetHopLimit(255), r.v6.SetMulticastLoopback(true))
	}
	if err4 != nil && err6 != nil {
		return errors.Join(err4, err6)
	}
	r.join()
	return nil
}

// read begins to take in what is said, until close.
func (r *responder) read() {
	if r.v4 != nil {
		r.readers.Go(r.read4)
	}
	if r.v6 != nil {
		r.readers.Go(r.read6)
	}
}

// update takes another TXT record, or other interfaces, and announces.
func (r *responder) update(a announcement) {
	next := *r.service.Load()
	next.Text = a.text
	r.service.Store(&next)
	r.join()
	r.announce()
}

// join listens on every interface; where it does already, that is an error nobody needs.
func (r *responder) join() {
	for _, i := range dnssd.MulticastInterfaces() {
		if r.v4 != nil {
			r.v4.JoinGroup(i, group4)
		}
		if r.v6 != nil {
			r.v6.JoinGroup(i, group6)
		}
	}
}

// stop says goodbye (RFC 6762, 10.1). A nil responder has nothing to say.
func (r *responder) stop() {
	if r == nil {
		return
	}
	for range 2 {
		r.all(func(_ *net.Interface, s dnssd.Service) *dns.Msg {
			gone := dnssd.PTR(s)
			gone.Hdr.Ttl = 0
			return said(gone)
		})
		time.Sleep(goodbyeTime)
	}
	r.close()
}

func (r *responder) close() {
	if r.v4 != nil {
		r.v4.Close()
	}
	if r.v6 != nil {
		r.v6.Close()
	}
	r.readers.Wait()
}

func (r *responder) announce() {
	if r == nil {
		return
	}
	r.all(func(i *net.Interface, s dnssd.Service) *dns.Msg {
		return said(append([]dns.RR{dnssd.PTR(s)}, unique(append([]dns.RR{dnssd.SRV(s), dnssd.TXT(s)}, addresses(s, i)...)...)...)...)
	})
}

// said is a message that nobody asked for.
func said(records ...dns.RR) *dns.Msg {
	m := new(dns.Msg)
	m.Response, m.Authoritative = true, true
	m.Answer = records
	return m
}

// all sends each interface a message of its own.
func (r *responder) all(message func(*net.Interface, dnssd.Service) *dns.Msg) {
	service := *r.service.Load()
	for _, i := range dnssd.MulticastInterfaces() {
		r.send(message(i, service), i.Index, nil)
	}
}

// addresses are the host's on one interface, and no others: they could not be reached from there.
func addresses(s dnssd.Service, i *net.Interface) (records []dns.RR) {
	for _, a := range dnssd.A(s, i) {
		records = append(records, a)
	}
	for _, a := range dnssd.AAAA(s, i) {
		records = append(records, a)
	}
	return records
}

// unique marks records that nobody else has.
func unique(records ...dns.RR) []dns.RR {
	for _, record := range records {
		record.Header().Class |= flush
	}
	return records
}

// send writes a message to one interface, or to one address there.
func (r *responder) send(m *dns.Msg, index int, to *net.UDPAddr) {
	m.Compress = true
	text, err := m.Pack()
	if err != nil {
		return
	}
	if r.v4 != nil && (to == nil || to.IP.To4() != nil) {
		r.v4.SetWriteDeadline(time.Now().Add(time.Second))
		r.v4.WriteTo(text, &ipv4.ControlMessage{IfIndex: index}, address(to, group4))
	}
	if r.v6 != nil && (to == nil || to.IP.To4() == nil) {
		r.v6.SetWriteDeadline(time.Now().Add(time.Second))
		r.v6.WriteTo(text, &ipv6.ControlMessage{IfIndex: index}, address(to, group6))
	}
}

func address(to, group *net.UDPAddr) net.Addr {
	if to == nil {
		return group
	}
	return to
}

func (r *responder) read4() {
	buffer := make([]byte, 9000) // RFC 6762, 17
	for {
		n, control, from, err := r.v4.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && control != nil {
			r.heard(buffer[:n], control.IfIndex, from)
		}
	}
}

func (r *responder) read6() {
	buffer := make([]byte, 9000)
	for {
		n, control, from, err := r.v6.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && control != nil {
			r.heard(buffer[:n], control.IfIndex, from)
		}
	}
}

// heard answers a query.
func (r *responder) heard(text []byte, index int, from net.Addr) {
	query := new(dns.Msg)
	who, ok := from.(*net.UDPAddr)
	if !ok || query.Unpack(text) != nil || query.Opcode != dns.OpcodeQuery || len(query.Question) == 0 && !query.Response {
		return
	}
	service := *r.service.Load()
	switch {
	case query.Response && (disputed(query, service) || r.probing.Load() && hostTaken(query, service)):
		signal(r.dispute)
	case !query.Response && r.probing.Load() && goesFirst(query, service):
		signal(r.lost)
	}
	if query.Response || r.probing.Load() {
		return
	}
	i, err := net.InterfaceByIndex(index)
	if err != nil {
		return
	}
	answer, alone, shared := reply(query, service, i)
	if answer == nil {
		return
	}
	if who.Port != group4.Port { // a plain resolver (6.7)
		legacy(answer, query)
		r.send(answer, index, who)
		return
	}
	if !alone {
		who = nil
	}
	if shared && who == nil { // others may answer, too (6)
		delay := 20*time.Millisecond + rand.N(100*time.Millisecond)
		time.AfterFunc(delay, func() { r.send(answer, index, nil) })
		return
	}
	r.send(answer, index, who)
}

// disputed reports whether a response gives our name to another service (RFC 6762, 9). Our own come back to us, too.
func disputed(response *dns.Msg, s dnssd.Service) bool {
	for _, record := range response.Answer {
		srv, ok := record.(*dns.SRV)
		if ok && srv.Hdr.Ttl > 0 && sameName(srv.Hdr.Name, s.EscapedServiceInstanceName()) && (!sameName(srv.Target, s.Hostname()) || int(srv.Port) != s.Port) {
			return true
		}
	}
	return false
}

// reply is the answer to a query; nil: there is none. alone: only the one who asks wants it. shared: others may have an
// answer, too.
func reply(query *dns.Msg, s dnssd.Service, i *net.Interface) (m *dns.Msg, alone, shared bool) {
	m = new(dns.Msg)
	m.Response, m.Authoritative = true, true
	alone = true
	for _, q := range query.Question {
		wants := func(kind uint16) bool { return q.Qtype == kind || q.Qtype == dns.TypeANY }
		before := len(m.Answer)
		switch {
		case sameName(q.Name, s.ServiceName()) && wants(dns.TypePTR):
			if known(query, dnssd.PTR(s)) {
				continue
			}
			shared = true
			m.Answer = append(m.Answer, dnssd.PTR(s))
			m.Extra = append(m.Extra, unique(append([]dns.RR{dnssd.SRV(s), dnssd.TXT(s)}, addresses(s, i)...)...)...)
		case sameName(q.Name, s.ServicesMetaQueryName()) && wants(dns.TypePTR):
			shared = true
			m.Answer = append(m.Answer, dnssd.DNSSDServicesPTR(s))
		case sameName(q.Name, s.EscapedServiceInstanceName()):
			if wants(dns.TypeSRV) {
				m.Answer = append(m.Answer, unique(dnssd.SRV(s))...)
				m.Extra = append(m.Extra, unique(addresses(s, i)...)...)
			}
			if wants(dns.TypeTXT) {
				m.Answer = append(m.Answer, unique(dnssd.TXT(s))...)
			}
		case sameName(q.Name, s.Hostname()):
			for _, a := range unique(addresses(s, i)...) {
				if wants(a.Header().Rrtype) {
					m.Answer = append(m.Answer, a)
				}
			}
		}
		if len(m.Answer) > before && q.Qclass&flush == 0 {
			alone = false
		}
	}
	if len(m.Answer) == 0 {
		return nil, false, false
	}
	return m, alone, shared
}

// known tells an answer that the one who asks has already (7.1).
func known(query *dns.Msg, ptr *dns.PTR) bool {
	for _, record := range query.Answer {
		if has, ok := record.(*dns.PTR); ok && sameName(has.Hdr.Name, ptr.Hdr.Name) && sameName(has.Ptr, ptr.Ptr) && has.Hdr.Ttl > ptr.Hdr.Ttl/2 {
			return true
		}
	}
	return false
}

// sameName compares names as they are on the wire: letters of all kinds are escaped differently by those who write them.
func sameName(a, b string) bool {
	var x, y [256]byte
	n, err1 := dns.PackDomainName(dns.Fqdn(a), x[:], 0, nil, false)
	k, err2 := dns.PackDomainName(dns.Fqdn(b), y[:], 0, nil, false)
	return err1 == nil && err2 == nil && bytes.EqualFold(x[:n], y[:k])
}

// legacy makes an answer one of plain DNS.
func legacy(answer, query *dns.Msg) {
	answer.Id, answer.Question = query.Id, query.Question
	for _, record := range append(answer.Answer[:len(answer.Answer):len(answer.Answer)], answer.Extra...) {
		record.Header().Class &^= flush
		record.Header().Ttl = min(record.Header().Ttl, legacyTTL)
	}
}
