package replica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

const (
	beatEvery = 5 * time.Second
	trimEvery = 10 * time.Minute
	trimPart  = 1000            // groups deleted at once
	aliveFor  = 24 * time.Hour  // a receiver that was there so recently is waited for
	otherFor  = 4 * beatEvery   // and counts as there
	beatTime  = 5 * time.Second // how long one beat may take
	lastTime  = 1500 * time.Millisecond
)

// listen hears from PostgreSQL that others put something into the log, until ctx ends. Without it, it takes a second.
func (r *Replica) listen(ctx context.Context) {
	for {
		err := r.listenOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		r.o.Log.Warn("PostgreSQL does not tell of writes of other receivers: it is asked once a second meanwhile", "err", err)
		if !pause(ctx, 5*time.Second) {
			return
		}
	}
}

func (r *Replica) listenOnce(ctx context.Context) error {
	conn, err := r.log.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(driver any) error {
		direct, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a connection of type %T", driver)
		}
		if _, err := direct.Conn().Exec(ctx, "LISTEN "+notifyChannel); err != nil {
			return err
		}
		for {
			n, err := direct.Conn().WaitForNotification(ctx)
			if err != nil {
				// The connection is done for: it would bring notifications to whoever got it next.
				return errors.Join(err, direct.Conn().Close(context.WithoutCancel(ctx)))
			}
			if n.Payload != r.id {
				r.poke()
			}
		}
	})
}

// keep tells the others how far this receiver is, makes sure that the log is still the one it takes part in, and trims
// what nobody needs, until ctx ends.
func (r *Replica) keep(ctx context.Context) error {
	beat, trim := time.NewTicker(beatEvery), time.NewTicker(trimEvery)
	defer beat.Stop()
	defer trim.Stop()
	err := r.beat(ctx)
	for {
		var lost *strayed
		if errors.As(err, &lost) {
			return fmt.Errorf("going on with the other receivers: %w", err)
		}
		if err != nil && ctx.Err() == nil {
			r.o.Log.Error("keeping the log of writes: it is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			err = r.beat(ctx)
		case <-trim.C:
			err = r.trim(ctx)
		}
	}
}

// beat registers what is on this receiver's disk for certain.
func (r *Replica) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beatTime)
	defer cancel()
	at, _ := r.at()
	if err := r.store.Flush(); err != nil {
		return err
	}
	head, err := r.log.head(ctx)
	if err != nil {
		return err
	}
	r.count.head.Store(head.n)
	if head.n < at.n || head.n == at.n && head.mark != at.mark {
		return &strayed{fmt.Sprintf("the log of writes in PostgreSQL ends at %d, but this receiver took part in one up to %d: the database was set back", head.n, at.n)}
	}
	now, others := r.millis(), int64(0)
	err = r.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO receivers (id, n, seen) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET n = excluded.n, seen = excluded.seen`, r.id, at.n, now)
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM receivers WHERE id <> $1 AND seen > $2`, r.id, now-otherFor.Milliseconds()).Scan(&others)
	})
	if err != nil {
		return fmt.Errorf("registering this receiver: %w", err)
	}
	r.count.others.Store(others)
	return nil
}

// unregister says that this receiver is no longer there. What it has yet to apply when it comes back, the log keeps for
// as long as it does for anybody.
func (r *Replica) unregister() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastTime)
	defer cancel()
	_, err := r.log.db.ExecContext(ctx, `UPDATE receivers SET seen = $1 WHERE id = $2 AND seen > $1`, r.millis()-otherFor.Milliseconds()-1, r.id)
	if err != nil {
		r.o.Log.Warn("the other receivers could not be told that this one stops", "err", err)
	}
	return nil
}

// trim deletes groups that are older than the log goes back and that every receiver has that was there lately. The last
// one stays.
func (r *Replica) trim(ctx context.Context) error {
	now := r.millis()
	for ctx.Err() == nil {
		gone := int64(0)
		err := r.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `DELETE FROM receivers WHERE seen < $1`, now-aliveFor.Milliseconds()); err != nil {
				return err
			}
			result, err := tx.ExecContext(ctx, `DELETE FROM write_log WHERE n IN (SELECT n FROM write_log
				WHERE time < $1 AND n < (SELECT min(n) FROM receivers) AND n < (SELECT n FROM write_head) ORDER BY n LIMIT $2)`,
				now-r.o.Keep.Milliseconds(), trimPart)
			if err != nil {
				return err
			}
			gone, err = result.RowsAffected()
			return err
		})
		if err != nil {
			return fmt.Errorf("trimming the log of writes: %w", err)
		}
		if gone < trimPart {
			return nil
		}
	}
	return nil
}
