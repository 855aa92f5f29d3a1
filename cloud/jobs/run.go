package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"time"

	"hearth"
)

// A run is a job that this receiver carries out.
type run struct {
	last      int       // number of the member that was given last, or found to be given
	allowance float64   // commands that may be given now
	filled    time.Time // when the allowance was
	all       bool      // every member was given
	looked    time.Time // when progress was counted last, and
	pause     time.Duration
	told      map[string]int
}

// Run carries jobs out until ctx ends. Of several receivers on one database one does; the next one takes them up where
// it stopped.
func (j *Jobs) Run(ctx context.Context) error {
	beat := time.NewTicker(tick)
	defer beat.Stop()
	for {
		nudged := false
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		case <-j.wake:
			nudged = true
		}
		if err := j.step(ctx, nudged); err != nil && ctx.Err() == nil {
			j.o.Log.Error("the jobs could not be carried out; it is tried again", "err", err)
			select { // a database that is away is not asked five times a second
			case <-ctx.Done():
			case <-time.After(lookEvery):
			}
		}
	}
}

func (j *Jobs) step(ctx context.Context, nudged bool) error {
	now := j.o.Now()
	if now.Sub(j.asked) >= leaseEvery {
		leads, err := j.o.Accounts.Lease(ctx, "jobs", lease)
		if err != nil {
			return err
		}
		if !leads {
			clear(j.running)
		}
		j.leading, j.asked = leads, now
	}
	if !j.leading {
		return nil
	}
	if now.Sub(j.pruned) >= time.Hour {
		if err := j.prune(ctx); err != nil {
			return fmt.Errorf("forgetting old jobs: %w", err)
		}
		j.pruned = now
	}
	if !nudged && now.Sub(j.looked) < lookEvery && !j.anyGiving() {
		return nil
	}
	j.looked = now
	due, err := j.list(ctx, `ended = 0 AND due <= $1 ORDER BY due, id`, now.UnixMilli())
	if err != nil {
		return err
	}
	there := map[string]*run{}
	for _, s := range due {
		r := j.running[s.key()]
		if r == nil {
			r = &run{filled: now.Add(-lookEvery)} // nobody waits for the first second's
		}
		there[s.key()] = r
	}
	j.running = there
	for _, s := range due {
		if err := j.carry(ctx, s, there[s.key()]); err != nil {
			return fmt.Errorf("job %s: %w", s.key(), err)
		}
	}
	return nil
}

func (j *Jobs) anyGiving() bool {
	for _, r := range j.running {
		if !r.all {
			return true
		}
	}
	return false
}

// carry takes a job a step further.
func (j *Jobs) carry(ctx context.Context, s *stored, r *run) error {
	if !s.Resolved && s.Cancelled == "" {
		var err error
		if s, err = j.begin(ctx, s); err != nil {
			return err
		}
	}
	if s.Cancelled != "" && !r.all {
		r.all = true
		if err := j.settle(ctx, s); err != nil {
			return err
		}
	}
	now := j.o.Now()
	if !r.all {
		rate := float64(s.Rate)
		r.allowance = min(r.allowance+rate*now.Sub(r.filled).Seconds(), rate, atOnce)
		r.filled = now
		if r.allowance >= 1 {
			if err := j.give(ctx, s, r); err != nil {
				return err
			}
		}
	}
	if now.Sub(r.looked) < max(lookEvery, r.pause) {
		return nil
	}
	return j.follow(ctx, s, r)
}

// settle finds out of a cancelled job what was given of that which was under way when this process, or another one, ended.
func (j *Jobs) settle(ctx context.Context, s *stored) error {
	_, err := j.change(ctx, s.key(), func(tx *sql.Tx, s *stored) error {
		_, err := tx.ExecContext(ctx, `UPDATE job_members SET state = CASE WHEN EXISTS (
				SELECT 1 FROM commands c WHERE c.home = job_members.home AND c.job = job_members.job AND c.id = $1 || '.' || CAST(job_members.n AS TEXT))
			THEN '`+given+`' ELSE '`+Called+`' END WHERE job = $2 AND state = $3`, s.ID, s.key(), giving)
		return err
	})
	if err != nil {
		return err
	}
	return j.o.Commands.Cancel(ctx, s.ID, s.key(), s.Cancelled)
}

// begin finds out whom a job means, now that its time has come, and stores it.
func (j *Jobs) begin(ctx context.Context, s *stored) (*stored, error) {
	list, err := j.later(ctx, s)
	if err != nil {
		return nil, err
	}
	return j.change(ctx, s.key(), func(tx *sql.Tx, s *stored) error {
		if s.Resolved || s.Cancelled != "" {
			return nil // another receiver, or somebody who called it off, was quicker
		}
		s.Resolved = true
		return insertMembers(ctx, tx, s.key(), list)
	})
}

// give gives the next commands of a job. They are marked before and after: what is in between when this process ends is
// given again, under the same ids, which makes it the same commands.
func (j *Jobs) give(ctx context.Context, s *stored, r *run) error {
	numbers, orders, err := j.claim(ctx, s, r)
	if err != nil {
		return err
	}
	if len(orders) == 0 {
		r.all = true
		return nil
	}
	refused, err := j.o.Commands.Give(ctx, orders)
	if err != nil {
		return err
	}
	after, err := j.change(ctx, s.key(), func(tx *sql.Tx, _ *stored) error {
		first, last := numbers[0], numbers[len(numbers)-1]
		for i, why := range refused {
			if why == nil {
				continue
			}
			reason := hearth.ErrorOf(why)
			if _, err := tx.ExecContext(ctx, `UPDATE job_members SET state = $1, code = $2, reason = $3 WHERE job = $4 AND n = $5`,
				Refused, reason.Code, reason.Message, s.key(), numbers[i]); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE job_members SET state = $1 WHERE job = $2 AND n >= $3 AND n <= $4 AND state = $5`, given, s.key(), first, last, giving)
		return err
	})
	if err != nil {
		return err
	}
	r.allowance -= float64(len(orders))
	r.last = numbers[len(numbers)-1]
	if after.Cancelled != "" { // while these were given
		return j.o.Commands.Cancel(ctx, s.ID, s.key(), after.Cancelled)
	}
	return nil
}

// claim marks the next members as being given and returns what they are to get.
func (j *Jobs) claim(ctx context.Context, s *stored, r *run) (numbers []int, orders []Order, err error) {
	_, err = j.change(ctx, s.key(), func(tx *sql.Tx, _ *stored) error {
		rows, err := tx.QueryContext(ctx, `SELECT n, home, device FROM job_members WHERE job = $1 AND n > $2 AND state IN ($3, $4) ORDER BY n LIMIT $5`,
			s.key(), r.last, Pending, giving, int(r.allowance))
		if err != nil {
			return err
		}
		defer rows.Close()
		numbers, orders = nil, nil
		deadline := s.Deadline
		if deadline.IsZero() {
			deadline = hearth.Time{Time: j.o.Now().Add(s.within()).UTC()}
		}
		for rows.Next() {
			var n int
			var device hearth.ID
			o := Order{Job: s.ID, Key: s.key()}
			if err := rows.Scan(&n, &o.Home, &device); err != nil {
				return err
			}
			o.Command = hearth.Command{ID: fmt.Sprintf("%s.%d", s.ID, n), Device: device, Set: s.Set, By: s.Asker.Name, Deadline: deadline}
			numbers, orders = append(numbers, n), append(orders, o)
		}
		if rows.Err() != nil || len(numbers) == 0 {
			return rows.Err()
		}
		_, err = tx.ExecContext(ctx, `UPDATE job_members SET state = $1 WHERE job = $2 AND n >= $3 AND n <= $4 AND state = $5`,
			giving, s.key(), numbers[0], numbers[len(numbers)-1], Pending)
		return err
	})
	return numbers, orders, err
}

// follow counts how far a job is, tells of it where that changed, and ends it when nothing is open.
func (j *Jobs) follow(ctx context.Context, s *stored, r *run) error {
	began := j.o.Now()
	view, err := j.view(ctx, s)
	if err != nil {
		return err
	}
	r.looked = j.o.Now()
	r.pause = 20 * r.looked.Sub(began) // a large job that lasts for days is not counted all the time
	if r.all && view.Open == 0 {
		s, err = j.change(ctx, s.key(), func(tx *sql.Tx, s *stored) error {
			states, open, err := j.tally(ctx, tx, s)
			if err == nil && open == 0 && s.ended == 0 {
				s.ended, s.Final = j.o.Now().UnixMilli(), states
			}
			return err
		})
		if err != nil {
			return err
		}
		if view, err = j.view(ctx, s); err != nil {
			return err
		}
	}
	if !reflect.DeepEqual(view.States, r.told) || s.ended > 0 {
		r.told = view.States
		j.o.Emit(s.tenant, view)
	}
	return nil
}

// cancel calls a job off in somebody's name: what was not given is not, and what was not sent ends. Code conflict if it
// has ended already.
func (j *Jobs) cancel(ctx context.Context, key, by string) (*stored, error) {
	s, err := j.change(ctx, key, func(tx *sql.Tx, s *stored) error {
		if s.ended > 0 {
			return hearth.Errorf(hearth.CodeConflict, "the job has ended already")
		}
		if s.Cancelled != "" {
			return nil
		}
		s.Cancelled = by
		if _, err := tx.ExecContext(ctx, `UPDATE job_members SET state = $1 WHERE job = $2 AND state = $3`, Called, key, Pending); err != nil {
			return err
		}
		var open int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM job_members WHERE job = $1 AND state IN ($2, $3)`, key, giving, given).Scan(&open); err != nil {
			return err
		}
		if open == 0 {
			states, _, err := j.tally(ctx, tx, s)
			s.ended, s.Final = j.o.Now().UnixMilli(), states
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := j.o.Commands.Cancel(ctx, s.ID, key, by); err != nil {
		return nil, err
	}
	j.nudge()
	return s, nil
}
