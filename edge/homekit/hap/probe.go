package hap

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/brutella/dnssd"
	"github.com/miekg/dns"
)

const (
	probes     = 3
	probeEvery = 250 * time.Millisecond
	yielding   = time.Second     // how long the other is let go first (RFC 6762, 8.2)
	fewTries   = 15              // names; then more slowly (8.1)
	slowly     = 5 * time.Second // each
)

// probe finds names that nobody else has, and makes them ours (RFC 6762, 8.1): they are asked for three times, and who
// answers has them.
func (r *responder) probe(ctx context.Context, a announcement) error {
	r.probing.Store(true)
	defer r.probing.Store(false)
	pause := rand.N(probeEvery)
	for n := 0; ; {
		service, err := a.service(n)
		if err != nil {
			return err
		}
		r.service.Store(&service)
		if n == 0 {
			r.read()
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		taken, lost, err := r.ask(ctx)
		switch {
		case err != nil:
			return err
		case lost:
			pause = yielding
		case !taken:
			return nil
		default:
			if n++; n >= fewTries {
				pause = slowly
			} else {
				pause = probeEvery
			}
		}
	}
}

// ask asks for the names until somebody has them, or goes first, or nobody does.
func (r *responder) ask(ctx context.Context) (taken, lost bool, err error) {
	for _, before := range []chan struct{}{r.dispute, r.lost} { // what was said before the first question does not count
		select {
		case <-before:
		default:
		}
	}
	for range probes {
		r.all(question)
		if err := sleep(ctx, probeEvery); err != nil {
			return false, false, err
		}
		select {
		case <-r.dispute:
			return true, false, nil
		case <-r.lost:
			return false, true, nil
		default:
		}
	}
	return false, false, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// service is the n-th that is tried: under the name that a person gave, under one with a part of the id, and so on.
func (a announcement) service(n int) (dnssd.Service, error) {
	name, host := a.name, hostName(a.id)
	if n > 0 {
		name, host = ownName(a.name, a.id), fmt.Sprintf("%s-%d", host, n)
	}
	if n > 1 {
		name = ownName(fmt.Sprintf("%s %d", a.name, n), a.id)
	}
	return dnssd.NewService(dnssd.Config{Name: name, Type: "_hap._tcp", Domain: "local", Host: host, Text: a.text, Port: a.port})
}

// question asks whether somebody has our names, and says what we mean to give them. The answer is for everybody: of
// several programs that listen for multicast DNS on one machine only one would get another.
func question(i *net.Interface, s dnssd.Service) *dns.Msg {
	m := new(dns.Msg)
	for _, name := range []string{s.EscapedServiceInstanceName(), s.Hostname()} {
		m.Question = append(m.Question, dns.Question{Name: name, Qtype: dns.TypeANY, Qclass: dns.ClassINET})
	}
	m.Ns = append(proposed(s), addresses(s, i)...)
	return m
}

// proposed are the records of the service's name.
func proposed(s dnssd.Service) []dns.RR { return []dns.RR{dnssd.SRV(s), dnssd.TXT(s)} }

// hostTaken reports whether a response gives our host's name to an address that this machine does not have.
func hostTaken(response *dns.Msg, s dnssd.Service) bool {
	ours, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(response.Answer, func(record dns.RR) bool {
		var ip net.IP
		switch record := record.(type) {
		case *dns.A:
			ip = record.A
		case *dns.AAAA:
			ip = record.AAAA
		}
		return ip != nil && record.Header().Ttl > 0 && sameName(record.Header().Name, s.Hostname()) && !slices.ContainsFunc(ours, func(a net.Addr) bool {
			n, ok := a.(*net.IPNet)
			return ok && n.IP.Equal(ip)
		})
	})
}

// goesFirst reports whether somebody asks for our name as we do, with records that are lexicographically later
// (RFC 6762, 8.2.1). Our own questions come back to us; they are the same.
func goesFirst(query *dns.Msg, s dnssd.Service) bool {
	var theirs [][]byte
	for _, record := range query.Ns {
		if sameName(record.Header().Name, s.EscapedServiceInstanceName()) {
			theirs = append(theirs, sortable(record))
		}
	}
	var ours [][]byte
	for _, record := range proposed(s) {
		ours = append(ours, sortable(record))
	}
	slices.SortFunc(theirs, bytes.Compare)
	slices.SortFunc(ours, bytes.Compare)
	return len(theirs) > 0 && slices.CompareFunc(theirs, ours, bytes.Compare) > 0
}

// sortable is a record as it is compared: its class without the flag, its type, and its data in plain bytes.
func sortable(record dns.RR) []byte {
	h := *record.Header()
	text := make([]byte, dns.Len(record)+len(h.Name)+16)
	n, err := dns.PackRR(record, text, 0, nil, false)
	name := make([]byte, 256)
	head, bad := dns.PackDomainName(h.Name, name, 0, nil, false)
	const fixed = 10 // type, class, TTL, length
	if err != nil || bad != nil || n < head+fixed {
		return nil
	}
	class := h.Class &^ flush
	return append([]byte{byte(class >> 8), byte(class), byte(h.Rrtype >> 8), byte(h.Rrtype)}, text[head+fixed:n]...)
}
