// Command homes is a load generator: it starts a receiver, joins many homes to it, keeps all of them connected at once,
// has each send batches and answer commands, kills the receiver and counts the homes back, lets one home attack it, and
// says what all that cost.
//
//	go run ./scripts/homes -receiver .bin/hearth-cloud -config cloud.yaml -homes 1000 -for 30s
//
// The receiver has to listen on loopback: nothing is sent elsewhere.
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
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

type options struct {
	url, token string
	program    string
	config     string
	homes      int
	rows       int
	every      time.Duration
	length     time.Duration
	commands   int
	attackers  int
	restart    bool
	lamps      int
	rate       int
}

func main() {
	var o options
	flag.StringVar(&o.url, "url", "http://127.0.0.1:8480", "the receiver, on loopback")
	flag.StringVar(&o.program, "receiver", ".bin/hearth-cloud", "the receiver's program")
	flag.StringVar(&o.config, "config", "", "its configuration")
	flag.IntVar(&o.homes, "homes", 1000, "how many homes")
	flag.IntVar(&o.rows, "rows", 200, "rows in a batch")
	flag.DurationVar(&o.every, "every", 10*time.Second, "how often each home sends a batch")
	flag.DurationVar(&o.length, "for", 30*time.Second, "how long each part of the load lasts")
	flag.IntVar(&o.commands, "commands", 100, "commands a second, over all homes")
	flag.IntVar(&o.attackers, "attackers", 20, "at how many things at once a hostile home tries; 0: there is none")
	flag.BoolVar(&o.restart, "restart", true, "kill the receiver and count the homes back")
	flag.IntVar(&o.lamps, "lamps", 1, "how many lamps each home has")
	flag.IntVar(&o.rate, "job", 0, "only switch all lamps by one job, at so many commands a second")
	flag.Parse()
	debug.SetGCPercent(400) // what runs beside the receiver takes as little of the processor as it can
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
	if err := raiseOpenFiles(uint64(o.homes) + 2000); err != nil {
		return err
	}
	r, err := newReceiver(ctx, &o)
	if err != nil {
		return err
	}
	defer r.kill()
	before, began := r.usage(), time.Now()
	homes, err := join(ctx, o)
	if err != nil {
		return err
	}
	defer leave(homes)
	fmt.Printf("%d homes joined and connected in %.1f s\n", len(homes), time.Since(began).Seconds())
	if err := pause(ctx, 10*time.Second); err != nil {
		return err
	}
	quiet := r.usage()
	fmt.Printf("memory      %.1f MB, %.1f KB per home (limit 60)\n", quiet.rss/1e6, (quiet.rss-before.rss)/1e3/float64(len(homes)))
	if o.rate > 0 {
		return job(ctx, o, r, homes)
	}
	if err := load(ctx, o, r, homes); err != nil {
		return err
	}
	if o.restart {
		if err := restart(ctx, r, homes); err != nil {
			return err
		}
	}
	if o.attackers == 0 {
		return nil
	}
	return attacked(ctx, o, r, homes)
}

// load has all homes send batches, and commands go to them, for a while.
func load(ctx context.Context, o options, r *receiver, homes []*member) error {
	ctx, cancel := context.WithTimeout(ctx, o.length)
	defer cancel()
	before := r.usage()
	var group errgroup.Group
	var disk []time.Duration
	group.Go(func() (err error) { disk, err = fsyncs(ctx, r.data); return err })
	var sent sending
	group.Go(func() error { return sendAll(ctx, o, homes, &sent) })
	trips, lost := command(ctx, o, homes)
	if err := group.Wait(); err != nil {
		return err
	}
	after, seconds := r.usage(), o.length.Seconds()
	cpu := (after.cpu - before.cpu).Seconds()
	fmt.Printf("rows        %d durable in %.0f s: %.0f a second; %d batches put off; a batch's p50 %s, p99 %s\n",
		sent.rows, seconds, float64(sent.rows)/seconds, sent.refused, percentile(sent.trips, 50), percentile(sent.trips, 99))
	fmt.Printf("commands    %d answered, %d not; round trip p50 %s, p99 %s (limit 100ms at 1000 a second)\n", len(trips), lost, percentile(trips, 50), percentile(trips, 99))
	fmt.Printf("the disk    alone, meanwhile: fsync p50 %s, p99 %s\n", percentile(disk, 50), percentile(disk, 99))
	fmt.Printf("under load  %.1f MB, %.1f KB per home; processor %.0f %% of one core\n", after.rss/1e6, after.rss/1e3/float64(len(homes)), 100*cpu/seconds)
	return nil
}

// restart kills the receiver while nobody expects it, starts it again, and waits until every home is back as its
// gateway would come back, with everything that was acknowledged still there.
func restart(ctx context.Context, r *receiver, homes []*member) error {
	const limit = 2 * time.Minute
	r.kill()
	killed := time.Now()
	if err := r.start(ctx); err != nil {
		return err
	}
	ready := time.Since(killed)
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	defer cancel()
	var mu sync.Mutex
	var back []time.Duration
	var group errgroup.Group
	for _, h := range homes {
		group.Go(func() error {
			if err := h.comeBack(ctx); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			back = append(back, time.Since(killed))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	usage := r.usage()
	fmt.Printf("restart     after kill -9 ready in %s; half of the homes back in %s, all in %s (limit %s), %.1f s of processor, %.1f MB\n",
		ready.Round(time.Millisecond), percentile(back, 50).Round(time.Millisecond), percentile(back, 100).Round(time.Millisecond), limit, usage.cpu.Seconds(), usage.rss/1e6)
	return nil
}

// attacked measures what neighbours of a hostile home feel of it.
func attacked(ctx context.Context, o options, r *receiver, homes []*member) error {
	neighbours := homes[1:min(len(homes), 201)]
	o.every = time.Second
	feel := func(attackers int) (*sending, error) {
		ctx, cancel := context.WithTimeout(ctx, o.length)
		defer cancel()
		sent := &sending{}
		var group errgroup.Group
		group.Go(func() error { return sendAll(ctx, o, neighbours, sent) })
		for n := range attackers {
			group.Go(func() error { homes[0].attack(ctx, n); return nil })
		}
		return sent, group.Wait()
	}
	alone, err := feel(0)
	if err != nil {
		return err
	}
	beside, err := feel(o.attackers)
	if err != nil {
		return err
	}
	usage := r.usage()
	fmt.Printf("neighbours  a batch's p50 %s, p99 %s, %d put off; beside a hostile home p50 %s, p99 %s, %d put off; %.1f MB\n",
		percentile(alone.trips, 50), percentile(alone.trips, 99), alone.refused, percentile(beside.trips, 50), percentile(beside.trips, 99), beside.refused, usage.rss/1e6)
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

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
