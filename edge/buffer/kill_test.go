package buffer

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

const childDir = "BUFFER_TEST_CHILD_DIR" // set in the process that is killed

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		childMain(dir)
		return
	}
	os.Exit(m.Run())
}

// childMain appends for ever, and says what is flushed, until it is killed. Its first reading's value is an argument.
func childMain(dir string) {
	first, err := strconv.Atoi(os.Getenv(childDir + "_FIRST"))
	if err != nil {
		panic(err)
	}
	b, err := Open(Options{Dir: dir, Cap: 4 << 20, Targets: []string{"cloud"}})
	if err != nil {
		panic(err)
	}
	for value := first; ; {
		for range 1 + value%700 {
			if err := b.Append(number(value%9, "energy", float64(value), start.Add(time.Duration(value)*time.Millisecond))); err != nil {
				panic(err)
			}
			value++
		}
		if err := b.Flush(); err != nil {
			panic(err)
		}
		fmt.Println(value)
	}
}

// TestKilledAgainAndAgain kills a process that writes, 25 times in the same directory. Everything it said was flushed
// is there, once, in order.
func TestKilledAgainAndAgain(t *testing.T) {
	dir, next := t.TempDir(), 0
	flushed := make(map[float64]bool)
	for round := range 25 {
		for v, n := next, next+killed(t, dir, next, 3+round*2); v < n; v++ {
			flushed[float64(v)] = true
		}
		next += 900_000 // what was appended and not flushed is not expected; nor may it be taken for something else
	}
	b := open(t, Options{Dir: dir, Cap: 512 << 20, Targets: []string{"cloud"}})
	if s := b.Stats(); s.Damaged != 0 {
		t.Errorf("a kill is no damage: %+v", s)
	}
	values, gaps := drain(t, b, "cloud")
	balanced(t, b, "cloud")
	if len(gaps) > 0 {
		t.Errorf("gaps %v", gaps)
	}
	seen, last := make(map[float64]bool), make(map[int]float64)
	for _, v := range values {
		if seen[v] {
			t.Fatalf("value %v twice", v)
		}
		if device := int(v) % 9; v < last[device] {
			t.Fatalf("value %v of device %d after %v", v, device, last[device])
		} else {
			last[device] = v
		}
		seen[v] = true
	}
	missing := 0
	for v := range flushed {
		if !seen[v] {
			missing++
		}
	}
	if missing > 0 || len(flushed) == 0 {
		t.Errorf("%d of %d flushed readings are missing", missing, len(flushed))
	}
}

// killed starts the child, lets it flush a number of times, kills it, and returns how many readings it flushed.
func killed(t *testing.T, dir string, next, flushes int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir, childDir+"_FIRST="+strconv.Itoa(next))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines, upto := bufio.NewScanner(out), next
	for range flushes {
		if !lines.Scan() {
			t.Fatal("the child ended by itself")
		}
		if upto, err = strconv.Atoi(strings.TrimSpace(lines.Text())); err != nil {
			t.Fatal(err)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what it still said before it died
		if n, err := strconv.Atoi(strings.TrimSpace(lines.Text())); err == nil {
			upto = n
		}
	}
	_ = child.Wait() // killed
	return upto - next
}
