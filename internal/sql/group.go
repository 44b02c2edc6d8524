package sql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/sql/geo"
	"github.com/ceruleannet/cerulean/model"
)

// group is a failover group at work: a [geo.Group], the databases it is about,
// and a goroutine that does what it says in time.
type group struct {
	owner *Servers
	name  string
	ids   map[string]model.ID // of its servers, by key
	wake  chan struct{}
	ctx   context.Context
	end   context.CancelFunc

	mu        sync.Mutex
	core      *geo.Group
	declared  geo.Policy
	override  *geo.Policy
	seeds     map[copyKey][]byte // images on their way
	failovers []Failover         // the last ones, oldest first
	begun     Failover           // a planned failover under way
	commits   map[string]uint64  // acknowledged since the start, by database
	tally     Tally
	waiting   []chan geo.Event // for the end of a planned failover
}

// copyKey is a database at a server.
type copyKey struct{ server, database string }

// maxFailovers bounds the failovers that are remembered.
const maxFailovers = 20

func newGroup(s *Servers, d Group) *group {
	g := &group{
		owner: s, name: d.Name, ids: map[string]model.ID{}, wake: make(chan struct{}, 1),
		declared: d.Policy, seeds: map[copyKey][]byte{}, commits: map[string]uint64{},
	}
	g.ctx, g.end = context.WithCancel(s.running)
	var keys []string
	for _, id := range d.Servers {
		g.ids[id.Key()] = id
		keys = append(keys, id.Key())
	}
	g.core = geo.New(keys, d.Policy)
	for _, name := range d.Databases {
		g.core.Add(name)
	}
	return g
}

// same reports whether a declared group has the servers of this one.
func (g *group) same(d Group) bool {
	if len(d.Servers) != len(g.ids) {
		return false
	}
	for _, id := range d.Servers {
		if _, ok := g.ids[id.Key()]; !ok {
			return false
		}
	}
	return true
}

// adopt takes the databases and the policy of a declared group.
func (g *group) adopt(d Group) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.declared = d.Policy
	if g.override == nil {
		g.core.SetPolicy(d.Policy)
	}
	for _, name := range d.Databases {
		g.core.Add(name)
	}
	for _, name := range g.core.Databases() {
		if !slices.Contains(d.Databases, name) {
			g.core.Remove(name)
		}
	}
}

func (g *group) close() { g.end() }

// poke makes the group look at the time and the world.
func (g *group) poke() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

func (g *group) has(database string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.core.Databases(), func(d string) bool { return strings.EqualFold(d, database) })
}

// world returns the world as it is.
func (s *Servers) worldNow() geo.World {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.world
}

// run works until the group ends.
func (g *group) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-g.wake:
		case <-timer.C:
		}
		if next := g.advance(); !next.IsZero() {
			timer.Reset(time.Until(next))
		} else {
			timer.Stop()
		}
	}
}

// advance brings the group to the present and returns when to do so again.
func (g *group) advance() time.Time {
	w := g.owner.worldNow()
	g.mu.Lock()
	events := g.core.Advance(time.Now(), w)
	moved := g.take(events)
	next := g.core.Next()
	g.mu.Unlock()
	g.tell(moved)
	// Who waits for a failover goes on when everybody has heard of it.
	g.answer(events)
	return next
}

// take does what events say. The caller holds mu.
func (g *group) take(events []geo.Event) (moved []Failover) {
	for _, e := range events {
		key := copyKey{e.Server, e.Database}
		switch e.What {
		case geo.Applied:
			if s := g.store(e.Server, e.Database); s != nil {
				s.arrive(e.Commit.Payload.(*delta))
			}
		case geo.Seeds:
			if s := g.store(e.From, e.Database); s != nil {
				g.seeds[key] = s.image()
			}
		case geo.Seeded:
			if s := g.store(e.Server, e.Database); s != nil {
				s.seed(g.seeds[key])
			}
			delete(g.seeds, key)
		case geo.Moved:
			moved = append(moved, g.remember(e))
		}
	}
	return moved
}

// answer tells those who wait for the end of a planned failover.
func (g *group) answer(events []geo.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range events {
		if e.What != geo.Moved && e.What != geo.Abandoned {
			continue
		}
		for _, c := range g.waiting {
			c <- e // one place is kept for it
		}
		g.waiting = nil
	}
}

func (g *group) store(server, database string) *store {
	g.owner.mu.Lock()
	defer g.owner.mu.Unlock()
	if v := g.owner.servers[server]; v != nil {
		return v.stores[strings.ToLower(database)]
	}
	return nil
}

// Failover is a change of roles.
type Failover struct {
	Group    string
	From, To model.ID // servers
	Forced   bool
	At       time.Time // when the roles changed
	// Began is when it was asked for, or when the primary went away.
	Began time.Time
	Lost  []Lost
}

// Lost is what of a database was acknowledged and is gone.
type Lost struct {
	Database    string
	First, Last uint64 // numbers of the commits
	// Oldest is how long before [Failover.Began] the first of them was
	// acknowledged.
	Oldest time.Duration
}

// Commits is how many there are.
func (l Lost) Commits() uint64 { return l.Last - l.First + 1 }

// remember notes a change of roles. The caller holds mu.
func (g *group) remember(e geo.Event) Failover {
	f := Failover{Group: g.name, From: g.ids[e.From], To: g.ids[e.Server], Forced: e.Forced, At: e.At, Began: e.At}
	if !g.begun.Began.IsZero() {
		f.Began = g.begun.Began
	}
	if !e.Since.IsZero() {
		f.Began = e.Since
	}
	g.begun = Failover{}
	for _, l := range e.Lost {
		x := Lost{Database: l.Database, First: l.First, Last: l.Last}
		if len(l.Commits) > 0 {
			x.Oldest = f.Began.Sub(l.Commits[0].At)
		}
		f.Lost = append(f.Lost, x)
	}
	if f.Forced {
		g.tally.Forced++
	} else {
		g.tally.Planned++
	}
	for _, l := range f.Lost {
		g.tally.Lost += l.Commits()
	}
	g.failovers = append(g.failovers, f)
	if len(g.failovers) > maxFailovers {
		g.failovers = g.failovers[1:]
	}
	return f
}

// tell says that roles changed: sessions in the group's databases end, as in
// Azure, and who listens hears of it.
func (g *group) tell(moved []Failover) {
	for _, f := range moved {
		g.mu.Lock()
		databases := g.core.Databases()
		g.mu.Unlock()
		g.owner.drop(g.ids, databases)
		g.owner.mu.Lock()
		hear := g.owner.moved
		g.owner.mu.Unlock()
		if hear != nil {
			hear(f)
		}
	}
}

// ready says why a database may not be changed at a server now. The caller holds
// mu.
func (g *group) ready(server string) error { return g.core.Ready(server, g.owner.worldNow()) }

// commit makes the writer's transaction at a server one of the group's.
func (g *group) commit(server string, s *store, e *engine) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.ready(server); err != nil {
		_ = e.control("ROLLBACK")
		return err
	}
	before := s.image()
	if err := e.control("COMMIT"); err != nil {
		_ = e.control("ROLLBACK")
		return err
	}
	d, err := s.committed()
	if err != nil {
		return err
	}
	if len(d.pages) == 0 && d.size == len(before) {
		return nil // nothing was changed
	}
	if _, err := g.core.Commit(time.Now(), g.owner.worldNow(), server, s.name, d); err != nil {
		return err
	}
	g.commits[s.name]++
	g.poke()
	return nil
}

// Mode is how a failover treats what has not arrived.
type Mode string

// The modes ("Failover Groups - Failover", "- Force Failover Allow Data Loss",
// "- Try Planned Before Forced Failover").
const (
	Planned  Mode = "planned"
	Forced   Mode = "forced"
	TryFirst Mode = "try-planned"
)

// plannedPatience is how long a planned failover may take before it is given
// up, or forced where that was asked for.
const plannedPatience = 30 * time.Second

// ErrNoGroup is the error of a name that no failover group has.
var ErrNoGroup = errors.New("no failover group has this name")

// Failover moves the primary role of a group to a server by its name or ID; ""
// is its first secondary. It returns when the roles have moved and who listens
// has heard of it; to the primary itself it is no failover, and nothing happens.
func (s *Servers) Failover(ctx context.Context, name, to string, mode Mode) (Failover, error) {
	s.mu.Lock()
	g := s.groups[strings.ToLower(name)]
	s.mu.Unlock()
	if g == nil {
		return Failover{}, fmt.Errorf("%w: %q; %s", ErrNoGroup, name, s.have())
	}
	key, err := g.target(to)
	if err != nil {
		return Failover{}, err
	}
	g.advance()
	if mode != Forced {
		f, err := g.plan(ctx, key)
		if err == nil || mode == Planned || ctx.Err() != nil {
			return f, err
		}
	}
	return g.force(key)
}

// have says which groups there are.
func (s *Servers) have() string {
	var names []string
	for _, g := range s.all() {
		names = append(names, g.name)
	}
	if len(names) == 0 {
		return "the network has none; declare failover-groups"
	}
	return "there is " + strings.Join(names, ", ")
}

// target returns the key of a server of the group.
func (g *group) target(to string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	servers := g.core.Servers()
	if to == "" {
		return servers[1], nil
	}
	var names []string
	for _, key := range servers {
		if strings.EqualFold(g.ids[key].Name(), to) || strings.EqualFold(g.ids[key].String(), to) {
			return key, nil
		}
		names = append(names, g.ids[key].Name())
	}
	return "", fmt.Errorf("failover group %s has no server %q; it has %s", g.name, to, strings.Join(names, ", "))
}

// plan completes a planned failover, or changes nothing.
func (g *group) plan(ctx context.Context, to string) (Failover, error) {
	w := g.owner.worldNow()
	done := make(chan geo.Event, 1)
	g.mu.Lock()
	if to == g.core.Primary() {
		g.mu.Unlock()
		return Failover{Group: g.name, From: g.ids[to], To: g.ids[to]}, nil
	}
	if err := g.core.Plan(w, to); err != nil {
		g.mu.Unlock()
		return Failover{}, fmt.Errorf("planned failover of %s: %w", g.name, err)
	}
	g.begun.Began = time.Now()
	g.waiting = append(g.waiting, done)
	g.mu.Unlock()
	g.poke()
	timer := time.NewTimer(plannedPatience)
	defer timer.Stop()
	why := ""
	select {
	case e := <-done:
		if e.What == geo.Moved {
			return g.last(), nil
		}
		why = e.Why
	case <-timer.C:
		why = fmt.Sprintf("not every commit arrived within %s", plannedPatience)
	case <-ctx.Done():
		why = context.Cause(ctx).Error()
	case <-g.ctx.Done():
		why = "the group ended"
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.core.Primary() == to { // at the last moment
		return g.failovers[len(g.failovers)-1], nil
	}
	g.waiting = slices.DeleteFunc(g.waiting, func(c chan geo.Event) bool { return c == done })
	g.core.Cancel()
	g.begun = Failover{}
	return Failover{}, fmt.Errorf("planned failover of %s: %s; nothing was changed", g.name, why)
}

func (g *group) last() Failover {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failovers[len(g.failovers)-1]
}

// force moves the role at once.
func (g *group) force(to string) (Failover, error) {
	w := g.owner.worldNow()
	g.mu.Lock()
	if to == g.core.Primary() {
		g.mu.Unlock()
		return Failover{Group: g.name, From: g.ids[to], To: g.ids[to], Forced: true}, nil
	}
	e, err := g.core.Force(time.Now(), w, to)
	if err != nil {
		g.mu.Unlock()
		return Failover{}, fmt.Errorf("forced failover of %s: %w", g.name, err)
	}
	f := g.remember(e)
	g.mu.Unlock()
	g.tell([]Failover{f})
	g.answer([]geo.Event{e})
	g.poke()
	return f, nil
}

// SetGrace makes every group fail over by itself when its primary is away for a
// time, whatever it declares, until restore is called: for drills.
func (s *Servers) SetGrace(grace time.Duration) (restore func()) {
	groups := s.all()
	p := geo.Policy{Automatic: true, Grace: grace}
	for _, g := range groups {
		g.mu.Lock()
		if g.declared.Automatic {
			g.override = &p
			g.core.SetPolicy(p)
		}
		g.mu.Unlock()
		g.poke()
	}
	return func() {
		for _, g := range groups {
			g.mu.Lock()
			if g.override == &p {
				g.override = nil
				g.core.SetPolicy(g.declared)
			}
			g.mu.Unlock()
			g.poke()
		}
	}
}
