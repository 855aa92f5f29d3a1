package accounts

import (
	"context"
	"database/sql/driver"
	"errors"
)

// mostStatements is how many prepared statements a connection keeps; those of this program are fewer.
const mostStatements = 200

// A connector opens SQLite connections that keep their statements prepared: to parse one takes longer than to run it.
type connector struct {
	driver.Connector
	steady bool // a statement that has begun goes on when its context ends: what is stopped rolls back what others share the transaction with
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	opened, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	able, ok := opened.(ableConn)
	if !ok {
		return nil, errors.Join(errors.New("SQLite's driver has changed"), opened.Close())
	}
	return &conn{ableConn: able, steady: c.steady, idle: map[string]ableStatement{}}, nil
}

// An ableConn is what SQLite's driver makes.
type ableConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type ableStatement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// A conn is used by one goroutine at a time, as database/sql does.
type conn struct {
	ableConn
	steady bool
	idle   map[string]ableStatement
}

func (c *conn) context(ctx context.Context) context.Context {
	if c.steady {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// statement takes out one that is idle, or prepares it.
func (c *conn) statement(ctx context.Context, query string) (ableStatement, error) {
	if s := c.idle[query]; s != nil {
		delete(c.idle, query)
		return s, nil
	}
	prepared, err := c.ableConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s, ok := prepared.(ableStatement)
	if !ok {
		return nil, errors.Join(errors.New("SQLite's driver has changed"), prepared.Close())
	}
	return s, nil
}

// keep makes a statement idle again.
func (c *conn) keep(query string, s ableStatement) error {
	if c.idle[query] != nil || len(c.idle) >= mostStatements {
		return s.Close()
	}
	c.idle[query] = s
	return nil
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	ctx = c.context(ctx)
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := s.ExecContext(ctx, args)
	return result, errors.Join(err, c.keep(query, s))
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	ctx = c.context(ctx)
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	found, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, c.keep(query, s))
	}
	return &rows{Rows: found, done: func() error { return c.keep(query, s) }}, nil
}

// Close implements driver.Conn.
func (c *conn) Close() error {
	var err error
	for _, s := range c.idle {
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, c.ableConn.Close())
}

// rows give their statement back when they are closed.
type rows struct {
	driver.Rows
	done func() error
}

// Close implements driver.Rows.
func (r *rows) Close() error {
	err := r.Rows.Close()
	if r.done != nil {
		err = errors.Join(err, r.done())
		r.done = nil
	}
	return err
}
