package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A process is the plugin's program and whatever it starts: one process group that dies as a whole, also with us.
type process struct {
	cmd                   *exec.Cmd
	stdin, stdout, stderr *os.File // our ends
	exited                chan struct{}

	mu     sync.Mutex
	reaped bool  // its number may by now be somebody else's
	err    error // of Wait, once exited
}

// start makes the state directory and starts the program in it.
func start(dir string, cfg Config) (*process, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the plugin's directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the plugin's directory: %w", err)
	}
	path, err := program(cfg.Command[0])
	if err != nil {
		return nil, startError(cfg.Command[0], err)
	}
	p := &process{cmd: exec.Command(path, cfg.Command[1:]...), exited: make(chan struct{})}
	p.cmd.Args[0] = cfg.Command[0]
	p.cmd.Dir = dir
	p.cmd.Env = environment(dir, cfg.Env)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.launch(); err != nil {
		return nil, startError(cfg.Command[0], err)
	}
	// If memory runs short, the kernel is to take the plugin and not the gateway; it is no loss where it cannot.
	_ = os.WriteFile("/proc/"+strconv.Itoa(p.cmd.Process.Pid)+"/oom_score_adj", []byte("500"), 0)
	return p, nil
}

// environment is all that the program sees of ours: no secret of the gateway's is among it.
func environment(dir string, more map[string]string) []string {
	path := os.Getenv("PATH")
	if path == "" {
		path = defaultPath
	}
	env := []string{"PATH=" + path, "HOME=" + dir, "LANG=C.UTF-8"}
	for name, value := range more {
		env = append(env, name+"="+value)
	}
	return env
}

func startError(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("starting plugin %s: there is no such program (or interpreter): check command: %w", name, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("starting plugin %s: it may not be run: chmod +x it, and check who owns it: %w", name, err)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("starting plugin %s: it is no program; does its first line name one, as in #!/usr/bin/env python3? %w", name, err)
	}
	return fmt.Errorf("starting plugin %s: %w", name, err)
}

// launch starts the program and watches for its end. One thread does both, because Pdeathsig comes when the thread that
// started the program ends.
func (p *process) launch() error {
	theirs, err := p.pipes()
	defer closeAll(theirs)
	if err != nil {
		return err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.await()
		}
	}()
	if err = <-started; err != nil {
		p.close()
	}
	return err
}

// pipes connects the program and returns its ends, to be closed once it has them.
func (p *process) pipes() (theirs []*os.File, err error) {
	var ends [6]*os.File
	for i := 0; i < len(ends) && err == nil; i += 2 {
		ends[i], ends[i+1], err = os.Pipe()
	}
	if err != nil {
		closeAll(ends[:])
		return nil, err
	}
	p.stdin, p.stdout, p.stderr = ends[1], ends[2], ends[4]
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = ends[0], ends[3], ends[5]
	return []*os.File{ends[0], ends[3], ends[5]}, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// close closes our ends.
func (p *process) close() { closeAll([]*os.File{p.stdin, p.stdout, p.stderr}) }

// await waits for the program's end and ends what it left running. It is reaped last: until then its group's number is
// nobody else's.
func (p *process) await() {
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL)
	p.reaped = true
	p.err = p.cmd.Wait()
	close(p.exited)
}

// signal sends sig to the whole group, if it is still there.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = unix.Kill(-p.cmd.Process.Pid, sig)
	}
}

// ending says how the program ended, once exited.
func (p *process) ending() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}

// memory returns how many bytes the program itself holds; whole says to add all of its group, which is dearer to find.
func (p *process) memory(whole bool) int64 {
	if !whole {
		data, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/statm")
		if err != nil {
			return 0
		}
		fields := strings.Fields(string(data))
		if len(fields) < 2 {
			return 0
		}
		pages, _ := strconv.ParseInt(fields[1], 10, 64)
		return pages * int64(os.Getpagesize())
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	var total int64
	for _, entry := range entries {
		if name := entry.Name(); name[0] >= '0' && name[0] <= '9' {
			total += groupMember(name, p.cmd.Process.Pid)
		}
	}
	return total
}

// groupMember returns the memory of a process that belongs to the group, 0 for others: proc(5), /proc/pid/stat.
func groupMember(pid string, group int) int64 {
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0
	}
	stat := string(data)
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // from field 3 on; the name may hold anything
	if len(fields) < 22 || fields[2] != strconv.Itoa(group) {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[21], 10, 64)
	return pages * int64(os.Getpagesize())
}
