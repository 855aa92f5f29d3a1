package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"hearth"
)

// sending is what came of sending batches.
type sending struct {
	mu      sync.Mutex
	rows    int
	refused int // batches that the receiver asked to send later
	trips   []time.Duration
}

func (s *sending) note(rows int, stored bool, trip time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trips = append(s.trips, trip)
	if stored {
		s.rows += rows
	} else {
		s.refused++
	}
}

// sendAll has every home post a batch every so often until ctx ends, spread over the time between two.
func sendAll(ctx context.Context, o options, homes []*member, sent *sending) error {
	var group errgroup.Group
	for i, h := range homes {
		group.Go(func() error {
			for wait := time.Duration(i) * o.every / time.Duration(len(homes)); pause(ctx, wait) == nil; wait = o.every {
				began := time.Now()
				stored, err := h.post(ctx)
				if ctx.Err() != nil {
					return nil
				}
				if err != nil {
					return err
				}
				sent.note(o.rows, stored, time.Since(began))
			}
			return nil
		})
	}
	return group.Wait()
}

// post sends the next batch; false means that the receiver asked to come again later.
func (m *member) post(ctx context.Context) (stored bool, err error) {
	readings := make([]hearth.Reading, 0, m.o.rows)
	now := time.Now()
	for round := 0; len(readings) < m.o.rows; round++ {
		at := now.Add(time.Duration(round-m.o.rows) * time.Millisecond)
		for _, d := range m.owned {
			for i, p := range d.Properties {
				value := hearth.NumberOf(float64(50 + (uint64(round*7+i)+m.seq)%50)) // batteries, too: no alert is a part of this load
				if p.Kind == hearth.Bool {
					value = hearth.BoolOf(round%2 == 0)
				}
				readings = append(readings, hearth.Reading{Device: d.ID, Property: p.Name, Value: value, Time: at})
			}
		}
	}
	return m.postReadings(ctx, readings[:m.o.rows])
}

func (m *member) postReadings(ctx context.Context, readings []hearth.Reading) (stored bool, err error) {
	lines, err := hearth.AppendLines(nil, readings, "")
	if err != nil {
		return false, err
	}
	rows := uint64(len(readings))
	req, err := http.NewRequestWithContext(ctx, "POST", m.o.url+"/api/v2/write?precision=ms", bytes.NewReader(m.zstd.EncodeAll(lines, nil)))
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "Token "+m.Token)
	req.Header.Set("Content-Encoding", "zstd")
	req.Header["Idempotency-Key"] = nil // not sent: a batch may be sent again where a connection turns out to have ended
	req.Header.Set(hearth.HeaderBatch, hearth.BatchID{Epoch: m.epoch, Seq: m.seq + 1}.String())
	req.Header.Set(hearth.HeaderLedger, hearth.Ledger{Produced: m.rows + rows, Backlog: rows, Durable: m.seq}.String())
	resp, err := m.http.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
	switch resp.StatusCode {
	case http.StatusNoContent:
		m.seq++
		m.rows += rows
		return true, nil
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return false, nil
	}
	return false, fmt.Errorf("the receiver answered %s: %s", resp.Status, text)
}

// command switches lamps through the receiver at the rate asked for, and measures from when each should have begun until
// it is confirmed.
func command(ctx context.Context, o options, homes []*member) (trips []time.Duration, lost int) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(2000)
	limit := rate.NewLimiter(rate.Limit(o.commands), max(1, o.commands/100))
	for i := 0; o.commands > 0 && limit.Wait(ctx) == nil; i++ {
		home, began := homes[i%len(homes)], time.Now()
		group.Go(func() error {
			path := home.path("/devices/" + url.PathEscape(string(lamp)) + "/properties/on")
			var rec hearth.Record
			err := home.call(context.WithoutCancel(ctx), o.token, "PUT", path, map[string]bool{"value": i%2 == 0}, &rec)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || rec.State != hearth.Confirmed {
				lost++
			} else {
				trips = append(trips, time.Since(began))
			}
			return nil
		})
	}
	_ = group.Wait()
	return trips, lost
}
