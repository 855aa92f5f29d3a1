package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hearth"
)

// executed counts by home and device which commands came, each once however often it did.
type executed struct {
	mu   sync.Mutex
	seen map[string]map[string]bool
}

func (e *executed) note(home string, cmd hearth.Command) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seen == nil {
		e.seen = map[string]map[string]bool{}
	}
	key := home + " " + string(cmd.Device)
	if e.seen[key] == nil {
		e.seen[key] = map[string]bool{}
	}
	e.seen[key][cmd.ID] = true
}

// job switches all lamps of all homes by one job, and says how long that took and what came of it.
func job(ctx context.Context, o options, r *receiver, homes []*member) error {
	all := &executed{}
	ids := make([]string, 0, len(homes))
	for _, h := range homes {
		h.executed.Store(all)
		ids = append(ids, h.Home)
	}
	wish := map[string]any{"set": map[string]bool{"on": true}, "select": map[string]any{"homes": ids, "type": "light"}, "rate": o.rate}
	var view struct {
		ID     string         `json:"id"`
		Total  int            `json:"total"`
		Open   int            `json:"open"`
		States map[string]int `json:"states"`
		Ended  hearth.Time    `json:"ended"`
	}
	const path = "/api/v1/tenants/main/jobs"
	began, before := time.Now(), r.usage()
	if err := homes[0].call(ctx, o.token, "POST", path, wish, &view); err != nil {
		return err
	}
	fmt.Printf("job      %s: %d commands, accepted after %s\n", view.ID, view.Total, time.Since(began).Round(time.Millisecond))
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for view.Ended.IsZero() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
		view.States = nil
		if err := homes[0].call(ctx, o.token, "GET", path+"/"+view.ID, nil, &view); err != nil {
			return err
		}
	}
	took, cpu := time.Since(began), r.usage().cpu-before.cpu
	once, more := 0, 0
	all.mu.Lock()
	for _, ids := range all.seen {
		if once++; len(ids) > 1 {
			more++
		}
	}
	all.mu.Unlock()
	fmt.Printf("         %v after %s, %.0f a second; %d devices got one command, %d more than one; processor %.1f s\n",
		view.States, took.Round(time.Millisecond), float64(view.Total)/took.Seconds(), once-more, more, cpu.Seconds())
	return nil
}
