package sql

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/sql/tds"
	"github.com/ceruleannet/cerulean/model"
)

// maxRequest bounds a request, in bytes.
const maxRequest = 16 << 20

// idleTransaction is how long a session may say nothing while its transaction
// holds a database: its client may be gone without a word.
const idleTransaction = 2 * time.Minute

// maxPrepared bounds the statements that a session keeps prepared.
const maxPrepared = 1000

// session is one connection of a client.
type session struct {
	owner   *Servers
	at      model.ID
	from    netip.Addr
	refused bool
	raw     net.Conn // what is closed to end it
	conn    net.Conn // what it speaks over: TLS
	packet  int
	number  int

	mu       sync.Mutex
	database string
	cancel   context.CancelFunc // of the request under way

	environment environment
	tx          *transaction
	prepared    map[int64]prepared
	handles     int64
}

// prepared is a statement that a client keeps at the server.
type prepared struct {
	text  string
	names []string
}

// Client is where a connection comes from.
type Client struct {
	Addr netip.Addr
	// Refused says that the server's own firewall does not let it in: the answer
	// is its refusal.
	Refused bool
}

// Serve answers one connection to a server until it ends. config has the
// server's certificate.
func (s *Servers) Serve(conn net.Conn, at model.ID, client Client, config *tls.Config) {
	defer conn.Close()
	x := &session{owner: s, at: at, from: client.Addr, refused: client.Refused, raw: conn, conn: conn, packet: tds.DefaultPacket, prepared: map[int64]prepared{}}
	if s.enter(x) != nil {
		return
	}
	defer s.leave(x)
	_ = conn.SetDeadline(time.Now().Add(loginPatience))
	secure, err := greet(conn, config)
	if err != nil {
		return
	}
	x.conn = secure
	if !x.login() {
		return
	}
	_ = conn.SetDeadline(time.Time{})
	x.serve()
}

// in returns the name of the session's database.
func (x *session) in() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.database
}

func (x *session) enter(database string) {
	x.mu.Lock()
	x.database = database
	x.mu.Unlock()
	x.environment.database = database
}

// serve answers requests. They are read while one is executed: the next may be
// the wish to stop it.
func (x *session) serve() {
	requests := make(chan tds.Message)
	ctx, end := context.WithCancel(x.owner.running)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer x.raw.Close()
	defer end()
	defer x.abandon()
	reading.Go(func() {
		defer close(requests)
		for {
			m, err := tds.ReadMessage(x.conn, maxRequest)
			if err != nil || m.Kind == tds.KindAttention {
				x.stop()
			}
			if err != nil {
				return
			}
			select {
			case requests <- m:
			case <-ctx.Done():
				return
			}
		}
	})
	for m := range requests {
		_ = x.raw.SetReadDeadline(time.Time{})
		if x.request(ctx, m) != nil {
			return
		}
		if x.tx != nil && x.tx.engine != nil {
			_ = x.raw.SetReadDeadline(time.Now().Add(idleTransaction))
		}
	}
}

// stop cancels the request under way.
func (x *session) stop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cancel != nil {
		x.cancel()
	}
}

// request executes one message and answers it. Its error ends the session.
func (x *session) request(ctx context.Context, m tds.Message) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x.mu.Lock()
	x.cancel = cancel
	x.mu.Unlock()
	r := &tds.Reply{}
	if m.Reset {
		if !m.Keep {
			x.abandon()
		}
		x.environment.rows, x.environment.hasIdentity = 0, false
		clear(x.prepared)
		r.WasReset()
	}
	var fatal bool
	switch m.Kind {
	case tds.KindBatch:
		text, err := tds.ParseBatch(m.Data)
		if err != nil {
			return err
		}
		fatal = x.batch(ctx, r, text, nil, tds.End{})
	case tds.KindRPC:
		c, err := tds.ParseCall(m.Data)
		if err != nil {
			x.fail(r, unsupported(1, "This request ("+err.Error()+")", "Send the value in another type."))
			r.End(tds.End{Failed: true})
			break
		}
		fatal = x.call(ctx, r, c)
	case tds.KindTransaction:
		t, err := tds.ParseTransaction(m.Data)
		if err != nil {
			return err
		}
		fatal = x.transact(r, t)
	case tds.KindAttention:
		r.Open = x.tx != nil
		r.End(tds.End{Attention: true})
	case tds.KindBulk:
		x.fail(r, unsupported(1, "Bulk load", "Send INSERT statements."))
		r.End(tds.End{Failed: true})
	default:
		return errors.New("an unexpected message")
	}
	if err := tds.WriteMessage(x.conn, tds.KindReply, x.packet, r.Bytes()); err != nil {
		return err
	}
	if fatal {
		return errors.New("the session ended")
	}
	return nil
}

func (x *session) fail(r *tds.Reply, p *problem) {
	p.Server = x.at.Name()
	r.Error(p)
}

// systemProcedures are those that clients run statements by, by their names.
var systemProcedures = map[string]uint16{
	"sp_executesql": tds.ProcExecuteSQL, "sp_prepare": tds.ProcPrepare, "sp_execute": tds.ProcExecute,
	"sp_prepexec": tds.ProcPrepExec, "sp_unprepare": tds.ProcUnprepare,
}

// call executes a remote procedure: those by which clients run statements with
// parameters.
func (x *session) call(ctx context.Context, r *tds.Reply, c tds.Call) (fatal bool) {
	end := tds.End{Procedure: true}
	refuse := func(p *problem) bool {
		x.fail(r, p)
		r.Open = x.tx != nil
		end.Failed = true
		r.End(end)
		return false
	}
	if c.Proc == 0 {
		if c.Proc = systemProcedures[strings.ToLower(c.Name)]; c.Proc == 0 {
			return refuse(newProblem(numberNoProcedure, 16, 1, "Could not find stored procedure '%s'. This server has none.", clip(c.Name)))
		}
	}
	arg := func(i int) string {
		if i < len(c.Parameters) {
			s, _ := c.Parameters[i].Value.(string)
			return s
		}
		return ""
	}
	// The first parameter of a preparation is what its handle is returned in.
	told := func() {
		name := ""
		if len(c.Parameters) > 0 {
			name = c.Parameters[0].Name
		}
		r.ReturnInt(name, x.handles)
	}
	handle := func() int64 {
		if len(c.Parameters) > 0 {
			n, _ := c.Parameters[0].Value.(int64)
			return n
		}
		return 0
	}
	var run prepared
	var values []tds.Parameter
	switch c.Proc {
	case tds.ProcExecuteSQL:
		run = prepared{text: arg(0), names: names(arg(1))}
		values = c.Parameters[min(2, len(c.Parameters)):]
	case tds.ProcPrepare, tds.ProcPrepExec:
		if len(x.prepared) >= maxPrepared {
			return refuse(newProblem(numberOther, 16, 1, "The session has %d prepared statements; unprepare some.", maxPrepared))
		}
		run = prepared{text: arg(2), names: names(arg(1))}
		x.handles++
		x.prepared[x.handles] = run
		if c.Proc == tds.ProcPrepare {
			r.ReturnStatus(0)
			told()
			r.End(end)
			return false
		}
		values = c.Parameters[min(3, len(c.Parameters)):]
	case tds.ProcExecute:
		var ok bool
		if run, ok = x.prepared[handle()]; !ok {
			return refuse(newProblem(8179, 16, 1, "Could not find prepared statement with handle %d.", handle()))
		}
		values = c.Parameters[1:]
	case tds.ProcUnprepare:
		delete(x.prepared, handle())
		r.ReturnStatus(0)
		r.End(end)
		return false
	default:
		return refuse(unsupported(1, "This system procedure", "Send the statement itself, or sp_executesql."))
	}
	for i := range values {
		if values[i].Name == "" && i < len(run.names) {
			values[i].Name = run.names[i]
		}
	}
	fatal = x.batch(ctx, r, run.text, values, tds.End{Statement: true, More: true})
	r.ReturnStatus(0)
	if c.Proc == tds.ProcPrepExec {
		told()
	}
	r.End(end)
	return fatal
}

// names are those of declared parameters: "@p1 bigint, @p2 nvarchar(10)".
func names(declaration string) []string {
	tokens, p := lex(declaration)
	if p != nil {
		return nil
	}
	var out []string
	depth, first := 0, true
	for _, t := range tokens {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case t.is(",") && depth == 0:
			first = true
			continue
		case t.kind == tokenVariable && first:
			out = append(out, t.text)
		}
		first = false
	}
	return out
}
