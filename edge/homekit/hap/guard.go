package hap

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
)

// guarded is a Handler whose panics harm one accessory only: it is out of reach, and everything else goes on.
type guarded struct{ s *Server }

func (s *Server) asks() guarded { return guarded{s} }

// Read implements Handler.
func (g guarded) Read(ctx context.Context, a *accessory.A, c *characteristic.C) (status Status) {
	status = OutOfReach
	defer g.caught("read", a)
	return g.s.handler.Read(ctx, a, c)
}

// Write implements Handler. No statuses at all mean out of reach.
func (g guarded) Write(ctx context.Context, a *accessory.A, writes []Write) []Status {
	defer g.caught("write", a)
	return g.s.handler.Write(ctx, a, writes)
}

// Identify implements Handler.
func (g guarded) Identify(a *accessory.A) {
	defer g.caught("identify", a)
	g.s.handler.Identify(a)
}

func (g guarded) caught(doing string, a *accessory.A) {
	p := recover()
	if p == nil {
		return
	}
	var aid uint64
	if a != nil {
		aid = a.Id
	}
	g.s.log.Error("homekit: panic", "doing", doing, "aid", aid, "error", fmt.Sprint(p), "stack", string(debug.Stack()))
}
