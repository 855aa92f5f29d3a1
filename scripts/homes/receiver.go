package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A receiver is the program under load.
type receiver struct {
	o    *options
	data string
	cmd  *exec.Cmd
}

// newReceiver starts it and puts an administrator's token into o.
func newReceiver(ctx context.Context, o *options) (*receiver, error) {
	r := &receiver{o: o, data: filepath.Dir(o.config)}
	token, err := exec.CommandContext(ctx, o.program, "token", "add", "-config", o.config, "-name", "load", "-scope", "admin").Output()
	if err != nil {
		return nil, fmt.Errorf("making a token: %w", err)
	}
	o.token = strings.TrimSpace(string(token))
	return r, r.start(ctx)
}

// start returns once the receiver says that it is ready. What else it says goes to a file beside its configuration.
func (r *receiver) start(ctx context.Context) error {
	log, err := os.Create(filepath.Join(r.data, "log"))
	if err != nil {
		return err
	}
	r.cmd = exec.CommandContext(ctx, r.o.program, "run", "-config", r.o.config)
	out, err := r.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := r.cmd.Start(); err != nil {
		return err
	}
	ready := make(chan bool, 1)
	go func() {
		defer log.Close()
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == "ready" {
				ready <- true
			}
			fmt.Fprintln(log, lines.Text())
		}
		ready <- false
	}()
	select {
	case ok := <-ready:
		if !ok {
			return fmt.Errorf("the receiver did not start: see %s", log.Name())
		}
		return nil
	case <-time.After(time.Minute):
		return errors.New("the receiver was not ready within a minute")
	}
}

func (r *receiver) kill() {
	_ = r.cmd.Process.Kill() // it may have ended already
	_ = r.cmd.Wait()
}

type usage struct {
	rss float64 // bytes
	cpu time.Duration
}

// usage reads the receiver's memory and processor time from proc(5).
func (r *receiver) usage() (u usage) {
	dir := fmt.Sprintf("/proc/%d/", r.cmd.Process.Pid)
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return usage{}
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kib, _ := strconv.ParseFloat(fields[1], 64)
			u.rss = kib * 1024
		}
	}
	stat, err := os.ReadFile(dir + "stat")
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

// raiseOpenFiles lets this program, and the receiver that it starts, have so many connections.
func raiseOpenFiles(want uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Max < want {
		return fmt.Errorf("%d open files are allowed, %d are needed: raise it with ulimit -n, or ask for fewer homes", limit.Max, want)
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// fsyncs says how long the disk alone takes for as much as a commit writes: no command can be quicker than two of them.
func fsyncs(ctx context.Context, dir string) ([]time.Duration, error) {
	f, err := os.CreateTemp(dir, "fsync")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var took []time.Duration
	for pause(ctx, 50*time.Millisecond) == nil {
		began := time.Now()
		if _, err := f.WriteAt(make([]byte, 16<<10), 0); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

func percentile(trips []time.Duration, p int) time.Duration {
	if len(trips) == 0 {
		return 0
	}
	slices.Sort(trips)
	return trips[min(len(trips)-1, len(trips)*p/100)].Round(10 * time.Microsecond)
}
