package replica

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"hearth"
)

// The log is the table write_log, a row for each group, and write_head, one row that says how far it goes. Whoever
// appends counts up write_head, whose row stays locked until that is committed: numbers appear in their order and
// without a gap, so a reader that goes by them misses none. Each group has a random mark and names the mark of the one
// before: a database that was set back, or one that lost its end when another server took over, is not mistaken for
// the one that a store goes on from.
type writeLog struct {
	db     *sql.DB
	packer *packer
}

// A position is a group's place in the log.
type position struct {
	n    uint64
	mark string
	prev string // the mark of the one before
}

// A place is where a store stands: it has everything up to group n, and so many entries of the next one.
type place struct {
	n    uint64
	mark string
	part int
}

func (p place) String() string { return fmt.Sprintf("1 %d %d %s", p.n, p.part, p.mark) }

func parsePlace(data []byte) (place, error) {
	parts := strings.Split(string(data), " ")
	if len(parts) != 4 || parts[0] != "1" {
		return place{}, fmt.Errorf("the store's place in the log of writes is %.100q, which only a newer hearth-cloud understands", data)
	}
	n, err := strconv.ParseUint(parts[1], 10, 63)
	part, partErr := strconv.ParseUint(parts[2], 10, 31)
	if err := errors.Join(err, partErr); err != nil {
		return place{}, fmt.Errorf("the store's place in the log of writes: %w", err)
	}
	return place{n: n, part: int(part), mark: parts[3]}, nil
}

func newMark() string { return strings.ToLower(rand.Text()[:16]) }

// notifyChannel is where PostgreSQL tells that there is more; the payload names the process that put it there.
const notifyChannel = "hearth_writes"

// check makes sure that what PostgreSQL has acknowledged is on its disk.
func (l *writeLog) check(ctx context.Context) error {
	value := ""
	if err := l.db.QueryRowContext(ctx, `SHOW synchronous_commit`).Scan(&value); err != nil {
		return fmt.Errorf("asking PostgreSQL for synchronous_commit: %w", err)
	}
	if value == "off" {
		return hearth.Errorf(hearth.CodeBadValue, "PostgreSQL has synchronous_commit = off, so readings that were acknowledged could be lost with it: set it to on for this database")
	}
	return nil
}

// head returns the last group; the zero position before the first.
func (l *writeLog) head(ctx context.Context) (p position, err error) {
	err = l.db.QueryRowContext(ctx, `SELECT n, mark, prev FROM write_head`).Scan(&p.n, &p.mark, &p.prev)
	if err != nil {
		return p, fmt.Errorf("reading the end of the log of writes: %w", err)
	}
	return p, nil
}

// append puts a group into the log. After an error it may be there.
func (l *writeLog) append(ctx context.Context, process, mark string, now int64, body []byte) (position, error) {
	p, told := position{mark: mark}, ""
	err := l.db.QueryRowContext(ctx, `WITH head AS (UPDATE write_head SET n = n + 1, prev = mark, mark = $1 RETURNING n, prev)
		INSERT INTO write_log (n, mark, prev, time, body) SELECT n, $1, prev, $2::bigint, $3::bytea FROM head
		RETURNING n, prev, pg_notify('`+notifyChannel+`', $4::text)::text`, mark, now, body, process).Scan(&p.n, &p.prev, &told)
	if err != nil {
		return p, fmt.Errorf("putting writes into the log: %w", err)
	}
	return p, nil
}

// begin puts the first group into the log; false if somebody else did.
func (l *writeLog) begin(ctx context.Context, mark string, now int64, body []byte) (bool, error) {
	n := uint64(0)
	err := l.db.QueryRowContext(ctx, `WITH head AS (UPDATE write_head SET n = 1, prev = '', mark = $1 WHERE n = 0 RETURNING n)
		INSERT INTO write_log (n, mark, prev, time, body) SELECT n, $1, '', $2::bigint, $3::bytea FROM head RETURNING n`, mark, now, body).Scan(&n)
	if isNone(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("beginning the log of writes: %w", err)
	}
	return true, nil
}

// A logged group is one out of the log.
type logged struct {
	position
	time int64 // unix ms
	body []byte
}

const (
	readAtOnce = 64       // groups that are in memory while they are applied …
	readBytes  = 16 << 20 // … and about so many bytes, packed
	maxNumber  = 1 << 62
)

// read returns the groups from number from to number to, but only the first few of many.
func (l *writeLog) read(ctx context.Context, from, to uint64) ([]logged, error) {
	// A row comes into memory as a whole, so which of them are small enough together is found out before.
	rows, err := l.db.QueryContext(ctx, `SELECT n, mark, prev, time, body FROM write_log JOIN (
			SELECT n AS number, sum(length(body)) OVER (ORDER BY n) - length(body) AS before FROM (
				SELECT n, body FROM write_log WHERE n >= $1 AND n <= $2 ORDER BY n LIMIT $3) AS next) AS sizes ON number = n
		WHERE before < $4 ORDER BY n`, int64(from), int64(min(to, maxNumber)), readAtOnce, readBytes)
	if err != nil {
		return nil, fmt.Errorf("reading the log of writes: %w", err)
	}
	defer rows.Close()
	var groups []logged
	for rows.Next() {
		var g logged
		if err := rows.Scan(&g.n, &g.mark, &g.prev, &g.time, &g.body); err != nil {
			return nil, fmt.Errorf("reading the log of writes: %w", err)
		}
		groups = append(groups, g)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the log of writes: %w", err)
	}
	return groups, nil
}
