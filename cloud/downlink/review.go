package downlink

import (
	"context"
	"maps"
	"slices"
	"time"
)

// reviewEvery is how long a connection may outlive its token.
const reviewEvery = 10 * time.Second

// review ends the connections of tokens that were taken away, every reviewEvery until ctx ends: of a gateway, say, whose
// place another has claimed.
func (e *embedded) review(ctx context.Context) {
	tick := time.NewTicker(reviewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			e.endGone(ctx)
		}
	}
}

func (e *embedded) endGone(ctx context.Context) {
	gone, err := e.accounts.Gone(ctx, e.tokens())
	if err != nil {
		if ctx.Err() == nil {
			e.log.Error("whose tokens were taken away could not be found out; connections stay", "err", err)
		}
		return
	}
	ends := make(map[string]bool, len(gone))
	for _, hash := range gone {
		ends[hash] = true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for s := range e.sessions {
		if s.admitted && ends[s.token.Hash] {
			e.log.Info("an MQTT connection was ended: its token is no more", "client", s.name(), "remote", s.RemoteAddr().String())
			s.Conn.Close()
		}
	}
}

// tokens are the hashes of those whose connections are open.
func (e *embedded) tokens() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Keys(e.perToken))
}
