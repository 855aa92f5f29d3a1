package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"hearth"
)

// attack does one of the things that a gateway in bad hands could do, again and again until ctx ends. What the receiver
// answers does not matter.
func (m *member) attack(ctx context.Context, n int) {
	for i := 0; ctx.Err() == nil; i++ {
		switch n % 5 {
		case 0:
			m.explode(ctx, n, i)
		case 1:
			_ = m.plain(ctx, strings.NewReader(strings.Repeat("x", 5_000_000)))
		case 2:
			_ = m.plain(ctx, &drip{ctx: ctx})
		case 3:
			_ = m.plain(ctx, strings.NewReader(strings.Repeat("hearth,device=load:lamp mode=\""+strings.Repeat("y", hearth.MaxText)+"\"\n", 1000)))
		case 4:
			m.inventory(ctx, i)
		}
	}
}

// explode writes rows of series that were never there before.
func (m *member) explode(ctx context.Context, n, i int) {
	var lines strings.Builder
	for k := range 5000 {
		fmt.Fprintf(&lines, "hearth,device=load:x%d-%d-%d value=%d\n", n, i, k, k)
	}
	_ = m.plain(ctx, strings.NewReader(lines.String()))
}

// inventory says that it has more devices than anybody.
func (m *member) inventory(ctx context.Context, i int) {
	on, _ := hearth.Word("on")
	views := make([]hearth.DeviceView, 2000)
	for k := range views {
		views[k] = hearth.DeviceView{ID: hearth.ID(fmt.Sprintf("load:y%d-%d", i, k)), Name: strings.Repeat("n", 200), Properties: []hearth.PropertyView{{Property: on.AsWritable()}}}
	}
	_ = m.call(ctx, m.Token, "PUT", m.path("/devices"), views, nil)
}

func (m *member) plain(ctx context.Context, body io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, "POST", m.o.url+"/write?precision=ms", body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Token "+m.Token)
	resp, err := m.http.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close()
}

// A drip is a body that comes a byte at a time.
type drip struct{ ctx context.Context }

// Read implements io.Reader.
func (d *drip) Read(p []byte) (int, error) {
	if err := pause(d.ctx, 100*time.Millisecond); err != nil {
		return 0, err
	}
	p[0] = 'x'
	return 1, nil
}
