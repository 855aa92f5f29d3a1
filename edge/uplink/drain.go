package uplink

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"

	"hearth"
	"hearth/edge/buffer"
)

const (
	askUntrusted = 10 * time.Second // how often the receiver is asked while its time is needed
	askIdle      = 10 * time.Minute // … and while there is nothing else to say
	isolateAfter = 3                // refusals of one block before it goes without its content
	calmAfter    = 20               // as many more if without its content it was refused, too: it is not for that
)

// drain sends the buffer's blocks to the receiver, one at a time and in order.
type drain struct {
	r    *receiver
	home string
	pack *zstd.Encoder
	wait pace
	gate valve
	ask  time.Time // when the receiver is asked next if nothing is sent

	refusedSeq   uint64 // the block that was refused last …
	refusedTimes int    // … and how often in a row
}

func newDrain(r *receiver, me hearth.Whoami) *drain {
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		panic(err) // the options are constant
	}
	return &drain{r: r, home: me.Home, pack: pack}
}

func (d *drain) run(ctx context.Context) {
	for {
		err := d.session(ctx)
		if ctx.Err() != nil {
			return
		}
		d.r.failed("sending readings", err)
		d.r.writes.close()
		if !sleep(ctx, d.wait.next(err)) {
			return
		}
	}
}

// session asks how far the receiver is and sends from there until something goes wrong.
func (d *drain) session(ctx context.Context) error {
	if err := d.sync(ctx); err != nil {
		return err
	}
	for {
		if !d.gate.wait(ctx) { // before a block is taken: what waits in the buffer may still be dropped by its cap
			return ctx.Err()
		}
		committed := d.r.opt.Buffer.Committed()
		block, ok, err := d.r.opt.Buffer.Next(TargetCloud)
		if err != nil {
			return fmt.Errorf("reading the buffer: %w", err)
		}
		if !ok {
			if err := d.idle(ctx, committed); err != nil {
				return err
			}
			continue
		}
		began := time.Now()
		if err := d.send(ctx, block); err != nil {
			return err
		}
		d.gate.passed(began, len(block.Body))
		d.heard()
	}
}

// heard notes that the receiver has answered well.
func (d *drain) heard() {
	d.wait.reset()
	d.refusedSeq, d.refusedTimes = 0, 0
	if d.r.status.set(stateConnected, "") {
		d.r.opt.Log.Info("the receiver takes readings")
	}
	d.ask = time.Now().Add(askIdle)
}

// idle waits for the next commit, and asks the receiver now and then: for its time while ours is not trusted, else to
// notice that it was restored from a backup.
func (d *drain) idle(ctx context.Context, committed <-chan struct{}) error {
	_, trusted := d.r.opt.Now()
	if trusted {
		d.wait.reset()
		d.r.status.set(stateIdle, "")
	} else {
		d.r.status.set(stateWaiting, "the clock is not trusted yet: readings wait until their time is known")
		if soon := time.Now().Add(askUntrusted); d.ask.After(soon) {
			d.ask = soon
		}
	}
	timer := time.NewTimer(time.Until(d.ask))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-committed:
		return nil
	case <-timer.C:
		return d.sync(ctx)
	}
}

// sync asks what the receiver has and goes on from there.
func (d *drain) sync(ctx context.Context) error {
	var s hearth.Sync
	header, err := d.r.writes.ask(ctx, homePath(d.home, "/sync"), maxReply, &s)
	if err != nil {
		return err
	}
	d.gate.set(header)
	d.ask = time.Now().Add(askIdle)
	if s.Epoch != d.r.opt.Buffer.Epoch() {
		s.Durable = 0 // it knows an earlier buffer, or none: of this one it has nothing
	}
	return d.goTo(s.Durable)
}

// goTo moves the cursor to where the receiver is: forward when an answer was lost, back when the receiver was restored.
func (d *drain) goTo(durable uint64) error {
	cursor := d.r.opt.Buffer.Ledger(TargetCloud).Durable
	switch {
	case durable > cursor:
		if err := d.r.opt.Buffer.Acknowledge(TargetCloud, durable); err != nil {
			return fmt.Errorf("going on from where the receiver is: %w", err)
		}
	case durable < cursor:
		d.r.opt.Log.Warn("the receiver has less than it had: it was restored or replaced; sending again", "from", durable, "had", cursor)
		if err := d.r.opt.Buffer.Rewind(TargetCloud, durable); err != nil {
			return fmt.Errorf("going back to where the receiver is: %w", err)
		}
	}
	return nil
}

// send posts one block and acts on the answer. It returns nil when the cursor moved.
func (d *drain) send(ctx context.Context, block buffer.Block) error {
	var parked []buffer.Rejected
	if d.refusedSeq == block.Seq && d.refusedTimes >= isolateAfter {
		parked = append(parked, buffer.Rejected{
			Seq: block.Seq, Rows: block.Rows, First: block.First, Last: block.Last, Reason: "the receiver refuses this block",
		})
		block.Body = d.insteadOf(block)
	}
	ledger := d.r.opt.Buffer.Ledger(TargetCloud)
	header := []string{
		hearth.HeaderBatch, hearth.BatchID{Epoch: d.r.opt.Buffer.Epoch(), Seq: block.Seq}.String(),
		hearth.HeaderLedger, ledger.String(),
		"Content-Type", "text/plain; charset=utf-8",
	}
	if len(block.Body) > 0 {
		header = append(header, "Content-Encoding", "zstd")
	}
	r, err := d.r.writes.do(ctx, http.MethodPost, "/api/v2/write?precision=ms", block.Body, maxReply, header...)
	if err != nil {
		return err
	}
	switch r.status {
	case http.StatusOK, http.StatusNoContent:
		return d.stored(r, block, ledger, parked)
	case http.StatusConflict:
		return d.redirected(r, ledger)
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return d.refused(r, block)
	}
	return r.fault()
}

// insteadOf returns what goes out for a block that is refused: the gap, and nothing at all when that is refused, too.
func (d *drain) insteadOf(block buffer.Block) []byte {
	if block.Rows == 0 || d.refusedTimes > isolateAfter {
		return nil
	}
	return d.pack.EncodeAll(hearth.AppendGap(nil, hearth.Gap{
		From: hearth.Time{Time: block.First}, To: hearth.Time{Time: block.Last}, Count: int64(block.Rows), Reason: hearth.GapRejected,
	}, ""), nil)
}

// stored acknowledges what the receiver says is on its disk.
func (d *drain) stored(r reply, block buffer.Block, ledger hearth.Ledger, parked []buffer.Rejected) error {
	d.gate.set(r.header)
	durable, err := d.durable(r)
	if err != nil {
		return err
	}
	if durable < block.Seq {
		if err := d.goTo(durable); err != nil {
			return err
		}
		return fmt.Errorf("the receiver has seq %d but only %d on its disk", block.Seq, durable)
	}
	if bad, err := strconv.ParseUint(r.header.Get(hearth.HeaderRejected), 10, 31); err == nil && bad > 0 {
		parked = append(parked, buffer.Rejected{
			Seq: block.Seq, Rows: min(int(bad), block.Rows), First: block.First, Last: block.Last,
			Reason: "the receiver refused lines of this block; its log names them",
		})
	}
	if err := d.r.opt.Buffer.Acknowledge(TargetCloud, durable, parked...); err != nil {
		return fmt.Errorf("noting what the receiver has: %w", err)
	}
	return nil
}

// redirected goes where a 409 says. It is no progress if that is where we are.
func (d *drain) redirected(r reply, ledger hearth.Ledger) error {
	durable, err := d.durable(r)
	if err != nil {
		return err
	}
	if durable == ledger.Durable {
		return errors.New("the receiver refuses the seq that it says comes next (409)")
	}
	return d.goTo(durable)
}

// refused counts the refusals of a block. After a few, with a good answer to sync before each, a gap goes out in its
// place and its rows are counted as dropped, so that one block never stops the others for ever. Who refuses the gap as
// well refuses everything: then the block is tried again as it is.
func (d *drain) refused(r reply, block buffer.Block) error {
	if d.refusedSeq != block.Seq {
		d.refusedSeq, d.refusedTimes = block.Seq, 0
	}
	d.refusedTimes++
	f := r.fault()
	if d.refusedTimes == isolateAfter {
		d.r.opt.Log.Error("the receiver refuses a block: sending a gap in its place and counting its rows as dropped", "seq", block.Seq, "rows", block.Rows, "error", f)
	}
	if d.refusedTimes == isolateAfter+2 { // the gap and even nothing at all: it is not for what is in the block
		d.refusedTimes = -calmAfter
	}
	return f
}

// durable reads up to which seq of this buffer the receiver's disk holds everything.
func (d *drain) durable(r reply) (uint64, error) {
	id, err := hearth.ParseBatchID(r.header.Get(hearth.HeaderDurable))
	if err != nil {
		return 0, fmt.Errorf("it answered %d without a %s header, so nothing is known to be stored: is something in between?", r.status, hearth.HeaderDurable)
	}
	if id.Epoch != d.r.opt.Buffer.Epoch() {
		return 0, nil
	}
	return id.Seq, nil
}
