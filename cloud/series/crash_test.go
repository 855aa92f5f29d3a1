package series

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
)

// childOf names the directory in which this process is to be the child of TestKilled.
const childOf = "HEARTH_SERIES_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childOf); dir != "" {
		if err := child(dir); err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const childHomes = 8

// child writes to all homes at once for ever, merges beside it, and prints each batch once it is acknowledged.
func child(dir string) error {
	s, err := Open(dir, Options{MemTable: 1 << 20})
	if err != nil {
		return err
	}
	failed := make(chan error, childHomes+1)
	var print sync.Mutex
	for home := range childHomes {
		go func() {
			name := fmt.Sprintf("h%d", home)
			at, err := s.Sync(name)
			for seq := at.Durable + 1; err == nil; seq++ {
				_, err = s.Write(Write{
					Home: name, Points: childPoints(seq), Batch: &hearth.BatchID{Epoch: "e", Seq: seq},
					Ledger: &hearth.Ledger{Produced: seq * childRows, Backlog: childRows, Durable: seq - 1},
				})
				print.Lock()
				fmt.Println(name, seq)
				print.Unlock()
			}
			failed <- err
		}()
	}
	go func() {
		for {
			if err := s.mergeAll(context.Background(), func(*dirtyDay) bool { return true }); err != nil {
				failed <- err
				return
			}
		}
	}()
	return <-failed
}

const childRows = 40

func childPoints(seq uint64) []Point {
	points := make([]Point, childRows)
	for i := range points {
		points[i] = Point{Series: fmt.Sprintf("m%d", i%4), Field: "f", Time: testDay + int64(seq)*10e9 + int64(i), Value: hearth.NumberOf(float64(seq))}
	}
	return points
}

// What was acknowledged is there after kill -9, and nothing is there by half.
func TestKilled(t *testing.T) {
	dir, random := t.TempDir(), rand.New(rand.NewPCG(1, 7))
	acknowledged := make(map[string]uint64)
	for kill := range 20 {
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), childOf+"="+dir)
		output, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		readUntilKilled(t, command, output, 1+random.IntN(1500), acknowledged)
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatalf("after kill %d: %v", kill, err)
		}
		for home, seq := range acknowledged {
			checkSurvived(t, s, home, seq, kill == 19)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// readUntilKilled reads that many acknowledgements, kills the child, and reads what it had still said.
func readUntilKilled(t *testing.T, command *exec.Cmd, output io.Reader, lines int, acknowledged map[string]uint64) {
	t.Helper()
	scanner := bufio.NewScanner(output)
	for n := 0; scanner.Scan(); n++ {
		var home string
		var seq uint64
		if _, err := fmt.Sscan(scanner.Text(), &home, &seq); err != nil || strings.HasPrefix(scanner.Text(), "failed") {
			t.Fatalf("the child says %q", scanner.Text())
		}
		acknowledged[home] = max(acknowledged[home], seq)
		if n == lines {
			if err := command.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := command.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
}

func checkSurvived(t *testing.T, s *Store, home string, seq uint64, every bool) {
	t.Helper()
	got, err := s.Sync(home)
	if err != nil || got.Durable < seq {
		t.Fatalf("%s: acknowledged up to %d, after the kill %+v, %v", home, seq, got, err)
	}
	report, err := s.Ledger(home, time.Time{}, time.Time{})
	if err != nil || report.Total.Received != int64(got.Durable*childRows) || report.Total.Unexplained != 0 {
		t.Fatalf("%s: at %d the ledger is %+v, %v", home, got.Durable, report.Total, err)
	}
	from := max(1, int64(got.Durable)-100)
	if every {
		from = 1
	}
	count := int64(0)
	for i := range 4 {
		points := storedPoints(t, s, home, seriesName{fmt.Sprintf("m%d", i), "f"}, testDay+from*10e9, math.MaxInt64)
		count += int64(len(points))
		for _, p := range points {
			if want := (p.t - testDay) / 10e9; p.v.Number() != float64(want) {
				t.Fatalf("%s: %v at batch %d", home, p.v, want)
			}
		}
	}
	if want := (int64(got.Durable) - from + 1) * childRows; count != want {
		t.Fatalf("%s: %d points since batch %d, want %d", home, count, from, want)
	}
}

// Everything at once, for the race detector; and each home's ledger is right in the end.
func TestTogether(t *testing.T) {
	s := open(t, t.TempDir(), Options{MemTable: 1 << 20})
	done, stop := context.WithCancel(t.Context())
	var beside, writers sync.WaitGroup
	beside.Go(func() {
		if err := s.Run(done); err != nil {
			t.Error(err)
		}
	})
	for _, work := range []func() error{
		func() error { return s.mergeAll(done, (*dirtyDay).full) },
		func() error { _, err := s.Last("h1"); return err },
		func() error { _, err := s.Ledger("h2", time.Time{}, time.Time{}); return err },
		func() error {
			_, err := s.History("h1", "m1", "f", time.Unix(0, testDay), time.Unix(0, testDay+dayLength), 50)
			return err
		},
		func() error { return s.DeleteHome("doomed") },
		func() error { s.Stats(); return nil },
	} {
		beside.Go(func() {
			for done.Err() == nil {
				if err := work(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	const seqs = 60
	for i := range 6 { // two writers for each home, who both send every batch
		writers.Go(func() {
			home := fmt.Sprintf("h%d", i/2)
			for seq := uint64(1); seq <= seqs; {
				o, err := s.Write(Write{Home: home, Points: childPoints(seq), Batch: &hearth.BatchID{Epoch: "e", Seq: seq},
					Ledger: &hearth.Ledger{Produced: seq * childRows, Backlog: childRows, Durable: seq - 1}})
				if err != nil {
					t.Error(err)
					return
				}
				seq = o.Durable.Seq + 1
				if _, err := s.Write(Write{Home: "doomed", Points: onePoint(int64(seq))}); err != nil && !errors.Is(err, errClosed) {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	stop()
	beside.Wait()
	for i := range 3 {
		home := fmt.Sprintf("h%d", i)
		checkSurvived(t, s, home, seqs, true)
	}
}
