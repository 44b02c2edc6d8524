package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"modernc.org/sqlite"

	"github.com/ceruleannet/cerulean/internal/sql/tds"
)

// Bounds of a database and of a result, in bytes.
const (
	pageSize  = 4096
	maxPages  = 64 << 20 / pageSize
	maxResult = 64 << 20
)

// engine executes statements on one database in memory. It is for one goroutine
// at a time. It takes what translate made, and nothing else: statements of SQLite
// that open files or change settings begin with words that translate refuses.
type engine struct{ c connection }

// connection is what the engine asks of a connection of SQLite.
type connection interface {
	driver.Conn
	driver.QueryerContext
	driver.ExecerContext
	Serialize() ([]byte, error)
	Deserialize([]byte) error
}

// openEngine opens a database with the content of an image, or an empty one.
func openEngine(image []byte, writable bool) (*engine, error) {
	opened, err := new(sqlite.Driver).Open(":memory:")
	if err != nil {
		return nil, fmt.Errorf("database in memory: %w", err)
	}
	c, ok := opened.(connection)
	if !ok {
		opened.Close()
		return nil, errors.New("database in memory: the SQL engine cannot be copied")
	}
	e := &engine{c}
	begin := []string{fmt.Sprintf("PRAGMA page_size=%d", pageSize), "PRAGMA application_id=1433"}
	if image != nil {
		begin = nil
		err = c.Deserialize(image)
	}
	begin = append(begin, fmt.Sprintf("PRAGMA max_page_count=%d", maxPages), "PRAGMA foreign_keys=ON", "PRAGMA temp_store=MEMORY")
	if !writable {
		begin = append(begin, "PRAGMA query_only=ON")
	}
	for _, s := range begin {
		if err == nil {
			_, err = c.ExecContext(context.Background(), s, nil)
		}
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("database in memory: %w", err)
	}
	return e, nil
}

func (e *engine) close() {
	if e != nil {
		_ = e.c.Close() // it is in memory: nothing is lost but the memory
	}
}

// image returns the committed content.
func (e *engine) image() ([]byte, error) { return e.c.Serialize() }

// control executes what has no parameters and no rows.
func (e *engine) control(text string) error {
	_, err := e.c.ExecContext(context.Background(), text, nil)
	return err
}

// result is what a statement did.
type result struct {
	columns  []tds.Column
	rows     [][]any
	changed  int64
	identity int64
}

// run executes one statement with parameters by their names. With rows the
// statement answers some.
func (e *engine) run(ctx context.Context, text string, parameters []driver.NamedValue, rows bool) (*result, error) {
	if !rows {
		done, err := e.c.ExecContext(ctx, text, parameters)
		if err != nil {
			return nil, err
		}
		r := &result{}
		if r.changed, err = done.RowsAffected(); err != nil {
			return nil, err
		}
		r.identity, err = done.LastInsertId()
		return r, err
	}
	answer, err := e.c.QueryContext(ctx, text, parameters)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	names := answer.Columns()
	declared := make([]string, len(names))
	if typed, ok := answer.(driver.RowsColumnTypeDatabaseTypeName); ok {
		for i := range names {
			declared[i] = typed.ColumnTypeDatabaseTypeName(i)
		}
	}
	r := &result{}
	size := 0
	for {
		row := make([]driver.Value, len(names))
		if err := answer.Next(row); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		values := make([]any, len(row))
		for i, v := range row {
			values[i] = v
			switch v := v.(type) {
			case string:
				size += 2 * len(v)
			case []byte:
				size += len(v)
			}
			size += 16
		}
		if size > maxResult {
			return nil, errTooMuch
		}
		r.rows = append(r.rows, values)
	}
	r.columns = shape(names, declared, r.rows)
	r.changed = int64(len(r.rows))
	return r, nil
}

// errTooMuch is the error of a result beyond its bound.
var errTooMuch = fmt.Errorf("the result has more than %d MiB; ask for fewer rows", maxResult>>20)

// lastIdentity returns the number that the last insertion gave its row.
func (e *engine) lastIdentity() int64 {
	r, err := e.run(context.Background(), "SELECT last_insert_rowid()", nil, true)
	if err != nil || len(r.rows) != 1 {
		return 0
	}
	n, _ := r.rows[0][0].(int64)
	return n
}

// failures are the errors of SQLite as SQL Server says them: the pattern, the
// number, and the text with the first group of the pattern in it.
var failures = []struct {
	pattern *regexp.Regexp
	number  int32
	text    string
}{
	{regexp.MustCompile(`no such table: (?:main\.)?(\S+)`), numberNoObject, "Invalid object name '%s'."},
	{regexp.MustCompile(`no such column: (\S+)`), numberNoColumn, "Invalid column name '%s'."},
	{regexp.MustCompile(`has no column named (\S+)`), numberNoColumn, "Invalid column name '%s'."},
	{regexp.MustCompile(`UNIQUE constraint failed: ([^(]+?) \(`), numberDuplicate, "Violation of UNIQUE KEY constraint. Cannot insert duplicate key in '%s'. The statement has been terminated."},
	{regexp.MustCompile(`NOT NULL constraint failed: ([^(]+?) \(`), numberNull, "Cannot insert the value NULL into column '%s'; column does not allow nulls. The statement has been terminated."},
	{regexp.MustCompile(`(FOREIGN KEY) constraint failed`), numberConstraint, "The statement conflicted with a %s constraint. The statement has been terminated."},
	{regexp.MustCompile(`CHECK constraint failed: ([^(]+?) \(`), numberConstraint, "The statement conflicted with the CHECK constraint %q. The statement has been terminated."},
	{regexp.MustCompile(`(?:table|view|index) (\S+) already exists`), numberThere, "There is already an object named '%s' in the database."},
	{regexp.MustCompile(`near "((?:[^"]|"")*)": syntax error`), numberSyntax, "Incorrect syntax near '%s'. Statements are those that SQLite has, each ended by a semicolon."},
	{regexp.MustCompile(`missing (?:named )?argument "?([^"]*)"?`), 137, "Must declare the scalar variable \"@%s\"."},
	{regexp.MustCompile(`no such function: (\S+)`), 195, "'%s' is not a recognized built-in function name of this server."},
	{regexp.MustCompile(`(database or disk is full)`), numberQuota, "The database has reached its size quota (%s). Delete data or drop indexes."},
	{regexp.MustCompile(`(interrupted|context canceled)`), -2, "The statement was cancelled (%s)."},
	{regexp.MustCompile(`(not authorized|authorization denied)`), 229, "The permission was denied (%s)."},
	{regexp.MustCompile(`attempt to write a (readonly) database`), numberReadOnly, "The database is read-only (%s)."},
}

// failed says an error of the engine in SQL Server's form.
func failed(err error, line int32) *problem {
	for _, f := range failures {
		if m := f.pattern.FindStringSubmatch(err.Error()); m != nil {
			return newProblem(f.number, 16, line, f.text, m[1])
		}
	}
	return newProblem(numberOther, 16, line, "%s", strings.TrimPrefix(err.Error(), "SQL logic error: "))
}
