package geo

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is how the copy of a database at a secondary is (replicationState of
// "Databases - Replication Links").
type State string

// The states of a copy.
const (
	Pending   State = "PENDING" // it is to be seeded
	Seeding   State = "SEEDING"
	CatchUp   State = "CATCH_UP" // it gets commits as they come
	Suspended State = "SUSPENDED"
)

// World is what of the world works, as of now.
type World interface {
	// Up reports whether a server runs.
	Up(server string) bool
	// Delay is how long data take from one server to another; false if nothing
	// gets there.
	Delay(from, to string) (time.Duration, bool)
}

// Policy says who fails over when the primary is away.
type Policy struct {
	Automatic bool
	// Grace is how long the primary may be away before data are given up for
	// it.
	Grace time.Duration
}

// Commit is a transaction that the primary acknowledged. Forced failovers begin
// another era, whose numbers go on where the new primary was.
type Commit struct {
	Era, Number uint64
	At          time.Time
	Payload     any // what its maker knows it by
}

// Loss is what a forced failover lost of a database: the commits that had not
// arrived.
type Loss struct {
	Database    string
	First, Last uint64   // their numbers
	Commits     []Commit // oldest first; of very many the newest only
}

// What is what an event is.
type What string

// The events.
const (
	// Applied: a commit of a database is at a server now.
	Applied What = "applied"
	// Seeds: what the primary has is on its way to a server, whole.
	Seeds What = "seeds"
	// Seeded: it has arrived; the server has what the primary had then.
	Seeded What = "seeded"
	// Outage: the primary is away. Returned: it is back, and nothing happened.
	Outage, Returned What = "outage", "returned"
	// Moved: the roles are others; Server is the primary now, From was it.
	Moved What = "moved"
	// Abandoned: a planned failover cannot be completed; nothing changed.
	Abandoned What = "abandoned"
)

// Event is something to do, or to tell.
type Event struct {
	What     What
	At       time.Time
	Database string
	Server   string
	From     string
	Commit   Commit
	Forced   bool
	Since    time.Time // of a forced failover: when the primary went away, if it did
	Lost     []Loss
	Why      string
}

// Errors of commits and failovers.
var (
	ErrReadOnly  = errors.New("the server is a secondary")
	ErrSwitching = errors.New("the roles are being changed")
	ErrAway      = errors.New("the server is away")
)

// maxTail bounds the commits that are kept for secondaries out of reach; one
// that missed more is seeded anew.
const maxTail = 10_000

// Group is a failover group. Its servers are known by names; the methods are not
// for several goroutines at once.
type Group struct {
	servers   []string
	primary   int
	policy    Policy
	era       uint64
	databases []*database
	switching int // the server that is to be the primary; none
	outage    time.Time
}

const none = -1

// database is one of the group.
type database struct {
	name string
	last uint64   // commit at the primary
	tail []Commit // that some secondary has not, oldest first; up to last
	// copies are by server; that of the primary means nothing.
	copies []replica
}

// replica is the copy of a database at a secondary.
type replica struct {
	state   State
	applied uint64
	flying  []flight // in order
	seed    *flight
}

// flight is something on its way.
type flight struct {
	commit Commit
	at     time.Time // of its arrival
}

// New returns a group whose first server is the primary.
func New(servers []string, policy Policy) *Group {
	return &Group{servers: slices.Clone(servers), policy: policy, switching: none, era: 1}
}

// Primary returns the server that takes commits.
func (g *Group) Primary() string { return g.servers[g.primary] }

// Servers returns the servers, the primary first.
func (g *Group) Servers() []string {
	out := []string{g.Primary()}
	for i, s := range g.servers {
		if i != g.primary {
			out = append(out, s)
		}
	}
	return out
}

// Policy returns the policy in force.
func (g *Group) Policy() Policy { return g.policy }

// SetPolicy changes it, also for an outage under way.
func (g *Group) SetPolicy(p Policy) { g.policy = p }

// Databases returns the names of the databases.
func (g *Group) Databases() []string {
	out := make([]string, len(g.databases))
	for i, d := range g.databases {
		out[i] = d.name
	}
	return out
}

// Add puts a database into the group: its secondaries are to be seeded.
func (g *Group) Add(name string) {
	if g.database(name) != nil {
		return
	}
	d := &database{name: name, copies: make([]replica, len(g.servers))}
	for i := range d.copies {
		d.copies[i].state = Pending
	}
	g.databases = append(g.databases, d)
}

// Remove takes a database out of it: its copies stay where they are.
func (g *Group) Remove(name string) {
	g.databases = slices.DeleteFunc(g.databases, func(d *database) bool { return strings.EqualFold(d.name, name) })
}

func (g *Group) database(name string) *database {
	for _, d := range g.databases {
		if strings.EqualFold(d.name, name) {
			return d
		}
	}
	return nil
}

func (g *Group) server(name string) int {
	return slices.IndexFunc(g.servers, func(s string) bool { return strings.EqualFold(s, name) })
}

// Ready says why a server may not commit, nil if it may.
func (g *Group) Ready(server string, w World) error {
	switch {
	case g.server(server) != g.primary:
		return ErrReadOnly
	case g.switching != none:
		return ErrSwitching
	case !w.Up(server):
		return ErrAway
	}
	return nil
}

// Commit numbers a commit of a database at a server and sends it to the
// secondaries. It is acknowledged when it returns: replication does not hold it
// up.
func (g *Group) Commit(now time.Time, w World, server, name string, payload any) (Commit, error) {
	if err := g.Ready(server, w); err != nil {
		return Commit{}, err
	}
	d := g.database(name)
	if d == nil {
		return Commit{}, fmt.Errorf("the group has no database %s", name)
	}
	d.last++
	c := Commit{g.era, d.last, now, payload}
	d.tail = append(d.tail, c)
	for i := range d.copies {
		if r := &d.copies[i]; i != g.primary && r.state == CatchUp {
			if delay, ok := w.Delay(g.Primary(), g.servers[i]); ok {
				r.fly(c, now.Add(delay))
			}
		}
	}
	g.trim(d)
	return c, nil
}

// fly sends a commit after those that are under way.
func (r *replica) fly(c Commit, at time.Time) {
	if n := len(r.flying); n > 0 && r.flying[n-1].at.After(at) {
		at = r.flying[n-1].at
	}
	r.flying = append(r.flying, flight{c, at})
}

// trim forgets the commits that every secondary has, or that are too many.
func (g *Group) trim(d *database) {
	least := d.last
	for i := range d.copies {
		r := &d.copies[i]
		switch {
		case i == g.primary:
		case r.seed != nil:
			least = min(least, r.seed.commit.Number)
		case r.state == CatchUp || r.state == Suspended:
			least = min(least, r.applied)
		}
	}
	n := 0
	for n < len(d.tail) && (d.tail[n].Number <= least || len(d.tail)-n > maxTail) {
		n++
	}
	d.tail = d.tail[n:]
	if len(d.tail) == 0 {
		d.tail = nil // what it was can go
	}
}

// has reports whether the tail has everything after a number.
func (d *database) has(after uint64) bool {
	return after == d.last || len(d.tail) > 0 && d.tail[0].Number <= after+1
}

// Lag is how far a copy is behind: commits, and the age of the oldest of them.
type Lag struct {
	State   State
	Applied uint64
	Commits uint64
	Age     time.Duration
}

// Lag returns how far the copy of a database at a secondary is behind.
func (g *Group) Lag(now time.Time, name, server string) (Lag, bool) {
	d, i := g.database(name), g.server(server)
	if d == nil || i < 0 || i == g.primary {
		return Lag{}, false
	}
	r := &d.copies[i]
	l := Lag{State: r.state, Applied: r.applied, Commits: d.last - min(r.applied, d.last)}
	for _, c := range d.tail {
		if c.Number > r.applied {
			l.Age = max(now.Sub(c.At), 0)
			break
		}
	}
	return l, true
}

// Last returns the number of the last commit of a database.
func (g *Group) Last(name string) uint64 {
	if d := g.database(name); d != nil {
		return d.last
	}
	return 0
}

// Outage returns since when the primary is away; zero if it is not.
func (g *Group) Outage() time.Time { return g.outage }

// Switching returns the server that a planned failover is under way to.
func (g *Group) Switching() string {
	if g.switching == none {
		return ""
	}
	return g.servers[g.switching]
}
