package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/ceruleannet/cerulean/internal/sql/geo"
	"github.com/ceruleannet/cerulean/internal/sql/tds"
)

// transaction is one of a session that is open. It has no engine until its first
// statement.
type transaction struct {
	id     uint64
	depth  int
	store  *store
	group  *group
	engine *engine
}

// batch executes statements one after the other and adds what they answer, each
// with an end like the given one, the last without More unless that has it. The
// first that fails is the last. It reports whether the session must end.
func (x *session) batch(ctx context.Context, r *tds.Reply, text string, values []tds.Parameter, end tds.End) (fatal bool) {
	more := end.More
	parts, p := split(text)
	var parameters []driver.NamedValue
	if p == nil {
		parameters, p = bound(values)
	}
	if p != nil || len(parts) == 0 {
		r.Open = x.tx != nil
		if p != nil {
			x.fail(r, p)
			end.Failed = true
		}
		r.End(end)
		return false
	}
	for i, part := range parts {
		done, p := x.statement(ctx, r, part, parameters)
		r.Open = x.tx != nil
		end.Failed = p != nil
		end.More = more || i+1 < len(parts) && p == nil
		end.Counted, end.Rows, end.Select = done.counted, done.rows, done.asked
		if p != nil {
			x.fail(r, p)
			fatal = p.Class >= 20
		}
		r.End(end)
		if p != nil {
			return fatal
		}
	}
	return false
}

// outcome is what a statement did, as its end tells.
type outcome struct {
	counted, asked bool
	rows           int64
}

// statement executes one.
func (x *session) statement(ctx context.Context, r *tds.Reply, tokens []token, parameters []driver.NamedValue) (outcome, *problem) {
	at, p := x.place()
	if p != nil {
		return outcome{}, p
	}
	x.environment.updateable = at.group == nil || at.group.isPrimary(x.at.Key())
	x.environment.transactions = 0
	if x.tx != nil {
		x.environment.transactions = x.tx.depth
	}
	s, p := translate(tokens, &x.environment)
	if p != nil {
		return outcome{}, p
	}
	used := parameters[:0:0]
	for _, v := range parameters {
		if strings.Contains(strings.ToLower(s.text), "@"+strings.ToLower(v.Name)) {
			used = append(used, v)
		}
	}
	var done *result
	switch s.act {
	case actNothing:
		return outcome{}, nil
	case actPrint:
		r.Info(&problem{Class: 0, State: 1, Text: s.name, Server: x.at.Name(), Line: s.line})
		return outcome{}, nil
	case actUse:
		if !strings.EqualFold(s.name, x.in()) {
			return outcome{}, newProblem(numberUse, 16, s.line, "USE statement is not supported to switch between databases. Use a new connection to connect to a different database.")
		}
		return outcome{}, nil
	case actBegin, actCommit, actRollback, actSave, actRestore:
		return outcome{}, x.control(r, s)
	case actSelect:
		done, p = x.query(ctx, at, s, used)
	default:
		done, p = x.change(ctx, at, s, used)
	}
	if p != nil {
		return outcome{}, p
	}
	x.environment.rows = done.changed
	if s.act == actWrite && tokens[0].is("INSERT") && done.changed > 0 {
		x.environment.identity, x.environment.hasIdentity = done.identity, true
	}
	if s.act == actSelect || s.rows {
		r.Columns(done.columns)
		for _, row := range done.rows {
			r.Row(row)
		}
	}
	return outcome{counted: s.act != actDefine, asked: s.act == actSelect, rows: done.changed}, nil
}

// place is the session's database as it is now.
func (x *session) place() (place, *problem) {
	at, ok := x.owner.find(x.at, x.in())
	if !ok {
		return place{}, newProblem(numberNoDatabase, 20, 1, "The database %s does not exist any more.", x.in())
	}
	return at, nil
}

func (g *group) isPrimary(server string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.core.Primary() == server
}

// query executes a statement that only reads: in the session's transaction, else
// on what is committed.
func (x *session) query(ctx context.Context, at place, s statement, parameters []driver.NamedValue) (*result, *problem) {
	var done *result
	read := func(e *engine) (err error) {
		done, err = e.run(ctx, s.text, parameters, true)
		return err
	}
	var err error
	switch primary := at.group == nil || at.group.isPrimary(x.at.Key()); {
	case x.tx != nil && primary:
		var e *engine
		if e, err = x.begin(ctx, at); err == nil {
			err = read(e)
			x.interrupted(ctx)
		}
	case primary:
		var free bool
		if free, err = at.store.idle(read); !free {
			err = at.store.read(read)
		}
	default:
		err = at.store.read(read)
	}
	if err != nil {
		return nil, x.explain(err, s.line)
	}
	return done, nil
}

// change executes a statement that changes the database.
func (x *session) change(ctx context.Context, at place, s statement, parameters []driver.NamedValue) (*result, *problem) {
	alone := x.tx == nil
	if alone {
		x.tx = &transaction{depth: 1}
	}
	e, err := x.begin(ctx, at)
	if err == nil {
		var done *result
		done, err = e.run(ctx, s.text, parameters, s.rows)
		if err == nil && s.rows {
			done.identity = e.lastIdentity()
		}
		if err == nil && alone {
			err = x.commit()
		}
		if err == nil {
			return done, nil
		}
	}
	if alone {
		x.abandon()
	}
	x.interrupted(ctx)
	return nil, x.explain(err, s.line)
}

// interrupted gives up a transaction of which a statement was stopped: its engine
// has rolled it back.
func (x *session) interrupted(ctx context.Context) {
	if ctx.Err() != nil {
		x.abandon()
	}
}

// begin returns the engine of the session's transaction, which has the right to
// write.
func (x *session) begin(ctx context.Context, at place) (*engine, error) {
	t := x.tx
	if t.engine != nil {
		return t.engine, nil
	}
	if at.group != nil {
		at.group.mu.Lock()
		err := at.group.ready(x.at.Key())
		at.group.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	e, err := at.store.acquire(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.control("BEGIN IMMEDIATE"); err != nil {
		at.store.release()
		return nil, err
	}
	t.store, t.group, t.engine = at.store, at.group, e
	return e, nil
}

// commit ends the session's transaction with its changes.
func (x *session) commit() error {
	t := x.tx
	x.tx = nil
	if t.engine == nil {
		return nil
	}
	defer t.store.release()
	if t.group != nil {
		return t.group.commit(x.at.Key(), t.store, t.engine)
	}
	if err := t.engine.control("COMMIT"); err != nil {
		_ = t.engine.control("ROLLBACK")
		return err
	}
	_, err := t.store.committed()
	return err
}

// abandon ends the session's transaction without its changes.
func (x *session) abandon() {
	t := x.tx
	x.tx = nil
	if t == nil || t.engine == nil {
		return
	}
	_ = t.engine.control("ROLLBACK") // there may be none left to roll back
	t.store.release()
}

// explain says an error in SQL Server's form.
func (x *session) explain(err error, line int32) *problem {
	switch {
	case errors.Is(err, geo.ErrReadOnly):
		return readOnly(x.in())
	case errors.Is(err, geo.ErrSwitching), errors.Is(err, geo.ErrAway):
		return unavailable(x.in(), x.at.Name())
	case errors.Is(err, errBusy):
		return newProblem(numberLockTimeout, 16, line, "Lock request time out period exceeded: %v.", err)
	case errors.Is(err, context.Canceled):
		return newProblem(0, 11, line, "Operation cancelled by user.")
	}
	return failed(err, line)
}

// control changes the session's transaction by a statement.
func (x *session) control(r *tds.Reply, s statement) *problem {
	switch s.act {
	case actBegin:
		return x.start(r)
	case actCommit:
		return x.finish(r)
	case actRollback:
		if x.tx == nil {
			return newProblem(numberNoRollback, 16, s.line, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.")
		}
		id := x.tx.id
		x.abandon()
		r.RolledBack(id)
		return nil
	}
	if x.tx == nil || x.tx.engine == nil {
		return newProblem(628, 16, s.line, "A savepoint needs a transaction that has changed or read something.")
	}
	text := map[act]string{actSave: "SAVEPOINT ", actRestore: "ROLLBACK TO "}[s.act] + `"` + strings.ReplaceAll(s.name, `"`, `""`) + `"`
	if err := x.tx.engine.control(text); err != nil {
		return failed(err, s.line)
	}
	return nil
}

// start begins a transaction, or counts one within another.
func (x *session) start(r *tds.Reply) *problem {
	if x.tx != nil {
		x.tx.depth++
		return nil
	}
	x.handles++
	x.tx = &transaction{id: uint64(x.number)<<32 | uint64(x.handles), depth: 1}
	r.Began(x.tx.id)
	return nil
}

// finish commits the transaction, if it is the outermost.
func (x *session) finish(r *tds.Reply) *problem {
	if x.tx == nil {
		return newProblem(numberNoTransaction, 16, 1, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.")
	}
	if x.tx.depth > 1 {
		x.tx.depth--
		return nil
	}
	id := x.tx.id
	if err := x.commit(); err != nil {
		r.RolledBack(id)
		return x.explain(err, 1)
	}
	r.Committed(id)
	return nil
}

// transact executes a request of the transaction manager.
func (x *session) transact(r *tds.Reply, t tds.Transaction) (fatal bool) {
	var p *problem
	switch t.What {
	case tds.TransactionBegin:
		p = x.start(r)
	case tds.TransactionCommit:
		p = x.finish(r)
	case tds.TransactionRollback:
		if x.tx != nil {
			p = x.control(r, statement{act: actRollback})
		}
	case tds.TransactionSave:
		p = x.control(r, statement{act: actSave, name: t.Name})
	}
	if p == nil && t.Again {
		p = x.start(r)
	}
	if p != nil {
		x.fail(r, p)
		fatal = p.Class >= 20
	}
	r.Open = x.tx != nil
	r.End(tds.End{Failed: p != nil})
	return fatal
}
