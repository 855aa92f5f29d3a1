package influxql

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/influxdata/influxql"
)

// columns tell of the rows that follow.
type columns struct {
	names []string
	zone  *time.Location // the first column is the row's time, in this zone; nil: there is no time
	whole bool           // InfluxDB sends series of this kind in one piece, chunked=true or not
}

// A sink takes the answer of a statement.
type sink interface {
	columns(c columns)

	// row is one row of a series; rows of one series follow each other. False ends the reading.
	row(name string, tags []tag, t int64, vals []datum) bool

	// warn adds a message.
	warn(text string)
}

// execute answers one statement. database is what the request named.
func (r *run) execute(stmt influxql.Statement, database string, writable bool, out sink) error {
	if r.check(); r.err != nil {
		return r.err
	}
	if err := r.normalize(stmt, database); err != nil {
		return err
	}
	switch stmt := stmt.(type) {
	case *influxql.SelectStatement:
		return r.selectFrom(stmt, out)
	case *influxql.CreateDatabaseStatement:
		if !writable {
			out.warn(fmt.Sprintf("deprecated use of '%s' in a read only context, please use a POST request instead", stmt))
		}
		return nil
	case *influxql.ShowDatabasesStatement:
		return r.showDatabases(out)
	case *influxql.ShowRetentionPoliciesStatement:
		return r.showRetentionPolicies(orDefault(stmt.Database, database), out)
	case *influxql.ShowMeasurementsStatement:
		return r.showMeasurements(stmt, orDefault(stmt.Database, database), out)
	case *influxql.ShowTagKeysStatement:
		return r.showTagKeys(stmt, orDefault(stmt.Database, database), out)
	case *influxql.ShowTagValuesStatement:
		return r.showTagValues(stmt, orDefault(stmt.Database, database), out)
	case *influxql.ShowFieldKeysStatement:
		return r.showFieldKeys(stmt, orDefault(stmt.Database, database), out)
	case *influxql.ShowSeriesStatement:
		return r.showSeries(stmt, orDefault(stmt.Database, database), out)
	}
	if count, ok := cardinalityOf(stmt); ok {
		return r.showCardinality(count, orDefault(count.database, database), out)
	}
	return notHere(stmt)
}

// notHere refuses a statement that has no place in a home's readings.
func notHere(stmt influxql.Statement) error {
	words := strings.Fields(stmt.String())
	return fmt.Errorf("%s is not available here: this answers SELECT, SHOW of what there is, and CREATE DATABASE", strings.Join(words[:min(2, len(words))], " "))
}

func orDefault(database, otherwise string) string {
	if database == "" {
		return otherwise
	}
	return database
}

// normalize puts the request's database where a source names none, and refuses what would write.
func (r *run) normalize(stmt influxql.Statement, database string) error {
	var err error
	influxql.WalkFunc(stmt, func(n influxql.Node) {
		switch n := n.(type) {
		case *influxql.Target:
			if n != nil {
				err = errors.New("SELECT INTO is not available here: write through /write")
			}
		case *influxql.Measurement:
			switch {
			case n.IsTarget, err != nil:
			case n.Name == "" && n.Regex == nil:
				err = errors.New("invalid measurement")
			case n.Database == "":
				n.Database = database
			}
		}
	})
	return err
}

// selectFrom answers a SELECT.
func (r *run) selectFrom(stmt *influxql.SelectStatement, out sink) error {
	p, err := r.plan(stmt)
	if err != nil {
		return err
	}
	zone := p.stmt.Location
	if zone == nil {
		zone = time.UTC
	}
	out.columns(columns{names: p.stmt.ColumnNames(), zone: zone})
	return newSelection(r, p).rows(out.row)
}
