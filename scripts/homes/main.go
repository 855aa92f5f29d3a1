// Command homes is a load generator: it joins many homes to a receiver, keeps all of them connected at once, has each
// send batches and answer commands, and says what that cost the receiver.
//
//	go run ./scripts/homes -url http://127.0.0.1:8480 -token ADMIN -pid $(pgrep hearth-cloud) -homes 1000 -for 30s
//
// It sends nothing but to the URL given, and that has to be on loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

type options struct {
	url, token string
	pid        int
	homes      int
	rows       int
	every      time.Duration
	length     time.Duration
	commands   int
}

func main() {
	var o options
	flag.StringVar(&o.url, "url", "http://127.0.0.1:8480", "the receiver, on loopback")
	flag.StringVar(&o.token, "token", "", "an admin token of the receiver")
	flag.IntVar(&o.pid, "pid", 0, "the receiver's process, to measure its memory and processor time")
	flag.IntVar(&o.homes, "homes", 1000, "how many homes")
	flag.IntVar(&o.rows, "rows", 200, "rows in a batch")
	flag.DurationVar(&o.every, "every", 10*time.Second, "how often each home sends a batch")
	flag.DurationVar(&o.length, "for", 30*time.Second, "how long")
	flag.IntVar(&o.commands, "commands", 100, "commands a second, over all homes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "homes:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if err := onLoopback(o.url); err != nil {
		return err
	}
	before := usageOf(o.pid)
	began := time.Now()
	homes, err := join(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		for _, h := range homes {
			h.leave()
		}
	}()
	connected := usageOf(o.pid)
	fmt.Printf("%d homes joined and connected in %.1f s\n", len(homes), time.Since(began).Seconds())
	fmt.Printf("memory   %.1f MB, %.1f KB per home\n", connected.rss/1e6, (connected.rss-before.rss)/1e3/float64(len(homes)))

	ctx, cancel := context.WithTimeout(ctx, o.length)
	defer cancel()
	var sent, refused atomic.Int64
	var group errgroup.Group
	for i, h := range homes {
		group.Go(func() error {
			offset := time.Duration(i) * o.every / time.Duration(len(homes))
			return h.send(ctx, offset, &sent, &refused)
		})
	}
	trips, lost := command(ctx, o, homes)
	if err := group.Wait(); err != nil {
		return err
	}
	loaded := usageOf(o.pid)
	seconds := o.length.Seconds()
	cpu := loaded.cpu - connected.cpu
	fmt.Printf("rows     %d durable in %.0f s: %.0f a second, %.0f per processor second; %d batches put off\n", sent.Load(), seconds, float64(sent.Load())/seconds, float64(sent.Load())/cpu.Seconds(), refused.Load())
	fmt.Printf("commands %d answered, %d not; round trip p50 %s, p99 %s\n", len(trips), lost, percentile(trips, 50), percentile(trips, 99))
	fmt.Printf("memory   %.1f MB under load; processor %.0f %% of one core\n", loaded.rss/1e6, 100*cpu.Seconds()/seconds)
	return nil
}

// onLoopback keeps the load away from machines that did not ask for it.
func onLoopback(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil || !ip.IsLoopback() {
		return errors.New("the receiver has to be given by a loopback address such as http://127.0.0.1:8480")
	}
	return nil
}

func percentile(trips []time.Duration, p int) time.Duration {
	if len(trips) == 0 {
		return 0
	}
	slices.Sort(trips)
	return trips[min(len(trips)-1, len(trips)*p/100)].Round(10 * time.Microsecond)
}

type usage struct {
	rss float64 // bytes
	cpu time.Duration
}

// usageOf reads a process's memory and processor time from proc(5); zero without a process.
func usageOf(pid int) (u usage) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kib, _ := strconv.ParseFloat(fields[1], 64)
			u.rss = kib * 1024
		}
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	if fields := strings.Fields(rest); len(fields) > 12 {
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		u.cpu = time.Duration(user+system) * time.Second / 100
	}
	return u
}
