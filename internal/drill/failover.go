package drill

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/live"
	"github.com/ceruleannet/cerulean/internal/sql"
	"github.com/ceruleannet/cerulean/internal/sql/tds"
)

// Databases are the failover groups of a network, as a drill takes part in them.
type Databases interface {
	Status() []sql.GroupStatus
	// SetGrace makes automatic groups wait another time for their primary.
	SetGrace(time.Duration) (restore func())
	Failover(ctx context.Context, group, to string, mode sql.Mode) (sql.Failover, error)
	// DrillPassword is that of [sql.DrillUser].
	DrillPassword() string
}

// DefaultGroupGrace is the grace period of failover groups in a drill: none of
// the hour that Azure has at least, so that a drill takes no hour.
const DefaultGroupGrace = 5 * time.Second

// Times of the writers.
const (
	writePatience = 2 * time.Second      // for a connection, and for an answer
	writePause    = 2 * time.Millisecond // between two commits
	listenerTTL   = 30 * time.Second     // of the name of a failover group
	// drillTable is where writers write, for as long as the drill takes.
	drillTable = "cerulean_drill"
)

// groupsDrill is what a drill does with failover groups: it writes through their
// names while something fails.
type groupsDrill struct {
	net    *live.Network
	of     Databases
	ctx    context.Context
	stop   context.CancelFunc
	group  sync.WaitGroup
	groups []*groupDrill
}

// groupDrill is one failover group in a drill.
type groupDrill struct {
	before   sql.GroupStatus
	declared time.Duration // grace
	listener string
	database string
	hit      bool // the failure takes its primary
	copied   bool // no server of it that could take over fails as well
	writers  []*writer
	names    []nameSpell // what the listener led to, as the writer outside resolves it
	mu       sync.Mutex
}

// writer commits one row after the other from a host, through the listener's
// name.
type writer struct {
	host *live.Host
	base int64 // of its numbers
	lost bool  // it fails itself: it tells of what was acknowledged, not of recovery

	mu   sync.Mutex
	acks []ack
	why  string // the last try that failed
}

// ack is a commit that a writer knows of.
type ack struct {
	n  int64
	at time.Time
}

// drillGroups begins to write, and waits until every writer has written.
func drillGroups(ctx context.Context, n *live.Network, of Databases, f *fabric.Failure, grace time.Duration) *groupsDrill {
	d := &groupsDrill{net: n, of: of}
	d.ctx, d.stop = context.WithCancel(context.WithoutCancel(ctx))
	if of == nil {
		return d
	}
	img := n.Declared()
	down := map[string]bool{}
	for i := range img.Ports {
		if p := &img.Ports[i]; p.Kind == fabric.PortService && slices.Contains(f.Ports, fabric.PortID(i)) {
			id := p.Origin.Resource
			down[keyOf(id)] = true
		}
	}
	for _, g := range of.Status() {
		if len(g.Servers[0].Databases) == 0 {
			continue
		}
		x := &groupDrill{before: g, declared: g.Grace, listener: g.Name + "." + sql.Domain, database: g.Servers[0].Databases[0].Name, hit: down[g.Servers[0].ID.Key()]}
		for _, v := range g.Servers[1:] {
			x.copied = x.copied || !down[v.ID.Key()]
		}
		if g.Automatic {
			x.before.Grace = grace
		}
		d.groups = append(d.groups, x)
	}
	for _, g := range d.groups {
		g.recruit(d, img, f)
	}
	for _, g := range d.groups {
		if len(g.writers) == 0 {
			continue
		}
		g.prepare(ctx, d)
		for _, w := range g.writers {
			d.group.Go(func() { w.write(d, g) })
		}
		d.group.Go(func() { g.watch(d.ctx, g.writers[len(g.writers)-1].host) })
	}
	limit := time.Now().Add(settleLimit / 3)
	for time.Now().Before(limit) && ctx.Err() == nil && slices.ContainsFunc(d.groups, func(g *groupDrill) bool {
		return slices.ContainsFunc(g.writers, func(w *writer) bool { return len(w.told()) == 0 })
	}) {
		_ = pause(ctx, look) // the loop looks at the context
	}
	return d
}

// prepare makes the table. After a failover a moment ago the name may still lead to
// a server that takes no writes.
func (g *groupDrill) prepare(ctx context.Context, d *groupsDrill) {
	for limit := time.Now().Add(listenerTTL + writePatience); ; {
		err := g.run(ctx, g.writers[len(g.writers)-1], d, "CREATE TABLE IF NOT EXISTS "+drillTable+" (n BIGINT NOT NULL PRIMARY KEY)")
		if err == nil || time.Now().After(limit) || pause(ctx, time.Second) != nil {
			return // writers say why not
		}
	}
}

// recruit finds who writes: a host beside the primary, whose commits are
// acknowledged long before they are elsewhere, and one of another place that
// survives.
func (g *groupDrill) recruit(d *groupsDrill, img *fabric.Image, f *fabric.Failure) {
	var beside, outside *writer
	for _, h := range d.net.Hosts() {
		at := h.Port()
		if at == fabric.None {
			continue
		}
		near := img.Ports[at].Region != fabric.None && img.Regions[img.Ports[at].Region] == g.before.Servers[0].Region
		dies := slices.Contains(f.Ports, at)
		if near && beside != nil || !near && (outside != nil || dies) {
			continue
		}
		w := &writer{host: h, lost: dies}
		if g.run(d.ctx, w, d, "") != nil {
			continue // it may not, or cannot
		}
		if near {
			beside = w
		} else {
			outside = w
		}
	}
	for i, w := range []*writer{beside, outside} {
		if w != nil {
			w.base = int64(i+1) * 1_000_000_000
			g.writers = append(g.writers, w)
		}
	}
}

// open logs in through the listener's name, resolved anew.
func (g *groupDrill) open(ctx context.Context, w *writer, d *groupsDrill) (*tds.Client, net.Conn, error) {
	ctx, cancel := live.WithPatience(ctx, writePatience)
	defer cancel()
	c, err := w.host.DialContext(ctx, "tcp", fmt.Sprintf("%s:%d", g.listener, sql.Port))
	if err != nil {
		return nil, nil, err
	}
	_ = c.SetDeadline(time.Now().Add(writePatience))
	config := d.net.TLS()
	config.ServerName = g.listener
	client, err := tds.Connect(c, config, tds.Login{Host: w.host.Name, App: "cerulean drill", Server: g.listener, User: sql.DrillUser, Password: d.of.DrillPassword(), Database: g.database})
	return client, c, err
}

// run executes statements in a session of their own.
func (g *groupDrill) run(ctx context.Context, w *writer, d *groupsDrill, statements string) error {
	client, _, err := g.open(ctx, w, d)
	if err != nil {
		return err
	}
	defer client.Close()
	if statements == "" {
		return nil
	}
	_, err = client.Run(statements)
	return err
}

// write commits until the drill ends. What is interrupted is not tried again: its
// outcome is not known.
func (w *writer) write(d *groupsDrill, g *groupDrill) {
	for n := w.base; d.ctx.Err() == nil; {
		client, conn, err := g.open(d.ctx, w, d)
		stop := func() bool { return true }
		if err == nil {
			stop = context.AfterFunc(d.ctx, func() { conn.Close() })
		}
		for err == nil && d.ctx.Err() == nil {
			n++
			_ = conn.SetDeadline(time.Now().Add(writePatience))
			if _, err = client.Run(fmt.Sprintf("INSERT INTO %s (n) VALUES (%d)", drillTable, n)); err == nil {
				w.mu.Lock()
				w.acks = append(w.acks, ack{n, time.Now()})
				w.mu.Unlock()
				_ = pause(d.ctx, writePause) // the loop looks at the context
			}
		}
		stop()
		if client != nil {
			client.Close()
		}
		if d.ctx.Err() != nil {
			return
		}
		w.mu.Lock()
		w.why = err.Error()
		w.mu.Unlock()
		if pause(d.ctx, look) != nil {
			return
		}
	}
}

func (w *writer) told() []ack {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.acks)
}

// watch notes what the listener's name leads to at a host.
func (g *groupDrill) watch(ctx context.Context, h *live.Host) {
	for {
		if addrs, err := h.LookupHost(ctx, g.listener); err == nil {
			to := fmt.Sprint(addrs)
			g.mu.Lock()
			if n := len(g.names); n == 0 || g.names[n-1].to != to {
				g.names = append(g.names, nameSpell{to, time.Now()})
			}
			g.mu.Unlock()
		}
		if pause(ctx, look) != nil {
			return
		}
	}
}

// holding is how long the failure must last for groups that it hits to be back.
func (d *groupsDrill) holding() time.Duration {
	var most time.Duration
	for _, g := range d.groups {
		if g.hit && g.copied && g.before.Automatic {
			most = max(most, g.before.Grace+d.ttl()+2*writePatience)
		}
	}
	return most
}

// ttl is how long resolvers keep the listeners' names.
func (d *groupsDrill) ttl() time.Duration {
	return time.Duration(float64(listenerTTL) / d.net.NamePace())
}

// finish lets every secondary catch up, moves roles back to where they were, and
// reports. Writers have written until then.
func (d *groupsDrill) finish(ctx context.Context, m Moments) []GroupReport {
	defer d.end()
	var out []GroupReport
	for _, g := range d.groups {
		r := g.report(d, m)
		r.back(ctx, d, g)
		out = append(out, r)
	}
	d.end()
	for i, g := range d.groups {
		g.count(d, &out[i], m)
		out[i].judge()
	}
	return out
}

// end stops the writers.
func (d *groupsDrill) end() {
	d.stop()
	d.group.Wait()
}

// back moves the primary role back by a planned failover, once the old primary
// has caught up.
func (r *GroupReport) back(ctx context.Context, d *groupsDrill, g *groupDrill) {
	r.Back = never
	if r.To == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
	defer cancel()
	for {
		f, err := d.of.Failover(ctx, g.before.Name, g.before.Servers[0].ID.Name(), sql.Planned)
		if err == nil {
			r.Back = f.At.Sub(f.Began)
			return
		}
		r.BackWhy = err.Error()
		if pause(ctx, look) != nil {
			return
		}
	}
}

// count compares what was acknowledged with what is there.
func (g *groupDrill) count(d *groupsDrill, r *GroupReport, m Moments) {
	if len(g.writers) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	w := g.writers[len(g.writers)-1]
	var rows [][]any
	err := errors.New("nothing was tried")
	for err != nil {
		var client *tds.Client
		if client, _, err = g.open(ctx, w, d); err == nil {
			rows, err = client.Run("SELECT n FROM " + drillTable)
			if err == nil {
				_, err = client.Run("DROP TABLE " + drillTable)
			}
			client.Close()
		}
		if err != nil && pause(ctx, look) != nil {
			r.Uncounted = err.Error()
			return
		}
	}
	there := map[int64]bool{}
	for _, row := range rows {
		if n, ok := row[0].(int64); ok {
			there[n] = true
		}
	}
	for _, w := range g.writers {
		for _, a := range w.told() {
			r.Acknowledged++
			if !there[a.n] {
				r.Lost++
				r.Oldest = max(r.Oldest, m.Failed.Sub(a.at))
			}
		}
	}
}

// report reads the timeline of a group.
func (g *groupDrill) report(d *groupsDrill, m Moments) GroupReport {
	r := GroupReport{
		Group: g.before.Name, From: g.before.Servers[0].ID.Name(), Automatic: g.before.Automatic, Grace: g.before.Grace, Declared: g.declared,
		Hit: g.hit, FailedOver: never, NameMoved: never, Recovered: never, TTL: d.ttl(),
	}
	if len(g.before.Servers) > 1 {
		r.LossAtMost, _ = d.net.Between(g.before.Servers[0].Region, g.before.Servers[1].Region)
	}
	r.AtMost = r.Grace + r.TTL + 2*writePatience
	for _, now := range d.of.Status() {
		if now.Name != g.before.Name {
			continue
		}
		for _, f := range now.Failovers {
			if f.At.After(m.Failed) && f.Forced {
				r.To, r.FailedOver = f.To.Name(), f.At.Sub(m.Failed)
				for _, l := range f.Lost {
					if l.Database == g.database {
						r.First, r.Last = l.First, l.Last
					}
				}
			}
		}
	}
	g.mu.Lock()
	names := slices.Clone(g.names)
	g.mu.Unlock()
	if name, moved := readName(names, m); moved {
		r.NameMoved = name.Moved
	}
	for _, w := range g.writers {
		if w.lost {
			continue
		}
		r.Writer = w.host.Name
		acks := w.told()
		i := slices.IndexFunc(acks, func(a ack) bool { return a.at.After(m.Failed.Add(r.settled())) })
		if i >= 0 {
			r.Recovered = acks[i].at.Sub(m.Failed)
		}
		r.Why = w.why
	}
	return r
}

// settled is when writing again means that the group is back: at once, unless it
// failed over.
func (r *GroupReport) settled() time.Duration { return max(r.FailedOver, 0) }

var _ Databases = (*sql.Servers)(nil)
