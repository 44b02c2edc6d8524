package balance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Member is one of a group among which a [Balancer] chooses.
type Member[M comparable] struct {
	// Value is what the caller knows the member by: an address, a connection.
	Value M
	// Weight is the member's share beside the others', 1..1000; 0 means 1.
	Weight int
	// Zone is where the member stands; empty is nowhere in particular.
	Zone string
}

// maxWeight is the largest weight of a member, Azure Front Door's.
const maxWeight = 1000

// ErrNoMember means that no member may be chosen.
var ErrNoMember = errors.New("no healthy member")

// Options configure a [Balancer]. The zero value has no extras: members are well
// until [Balancer.SetHealth] says otherwise, and picks fail when none is.
type Options[M comparable] struct {
	// Name is what a member is known by to consistent hashing, which must stay
	// the same from process to process; nil means fmt.Sprint.
	Name func(M) string
	// Panic is the share of well members, 0..1, below which all are chosen from:
	// half a fleet that does all the work falls over, and a probe that marks
	// everything down is often itself at fault. 0 never panics.
	Panic float64
	// SlowStart is how long a member that joins, or recovers, takes to get its
	// whole share; it begins with a tenth. 0 is at once. Members that are there at
	// the first Update have theirs.
	SlowStart time.Duration
	// Zone, if set, is preferred: members of it are chosen from while at least
	// ZoneShare of them are well, all others otherwise.
	Zone string
	// ZoneShare is 0..1; 0 means one member is enough.
	ZoneShare float64
	// Outliers ejects members that fail again and again; nil ejects none.
	Outliers *Outliers
}

// Balancer chooses a member for each request. It is safe for concurrent use; a
// pick takes no lock and allocates nothing.
type Balancer[M comparable] struct {
	strategy Strategy
	options  Options[M]

	mu      sync.Mutex // for everything that makes a new view
	members []*member[M]
	began   bool
	view    atomic.Pointer[view[M]]
}

// New returns a balancer without members. It panics if an option is out of its
// range: options are the program's, not its input.
func New[M comparable](s Strategy, o Options[M]) *Balancer[M] {
	if !(o.Panic >= 0 && o.Panic <= 1) || !(o.ZoneShare >= 0 && o.ZoneShare <= 1) || o.SlowStart < 0 {
		panic(fmt.Sprintf("balance: options out of range: %+v", o))
	}
	if o.Outliers != nil {
		filled := o.Outliers.withDefaults()
		o.Outliers = &filled
	}
	if o.Name == nil {
		o.Name = func(m M) string { return fmt.Sprint(m) }
	}
	b := &Balancer[M]{strategy: s, options: o}
	b.view.Store(&view[M]{chooser: s.prepare(nil, nil, 0)})
	return b
}

// member is what is known of one, across updates.
type member[M comparable] struct {
	value M
	zone  string
	load  Load
	// The rest is guarded by Balancer.mu.
	down    bool
	since   time.Time // of being well; zero means since ever
	ejected time.Time // until when; zero means not
	times   int       // ejections in a row
}

// view is what picks read: immutable but for the loads.
type view[M comparable] struct {
	members  []*member[M] // those that may be chosen
	warming  []time.Time  // when each was well again; nil if all have their share
	warm     time.Time    // when the last of them has it
	review   time.Time    // when an ejected member comes back; zero if none is ejected
	panicked bool
	chooser  chooser
}

// Update replaces the group. Members that stay keep their state. Weights out of
// range, or a value that occurs twice, are an error, and nothing changes.
func (b *Balancer[M]) Update(group []Member[M]) error {
	seen := make(map[M]bool, len(group))
	for _, m := range group {
		switch {
		case m.Weight < 0 || m.Weight > maxWeight:
			return fmt.Errorf("member %v has weight %d; use 1 to %d", m.Value, m.Weight, maxWeight)
		case seen[m.Value]:
			return fmt.Errorf("member %v is there twice", m.Value)
		}
		seen[m.Value] = true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	old := make(map[M]*member[M], len(b.members))
	for _, m := range b.members {
		old[m.value] = m
	}
	b.members = make([]*member[M], 0, len(group))
	for _, g := range group {
		m := old[g.Value]
		if m == nil {
			m = &member[M]{value: g.Value}
			if b.began {
				m.since = now
			}
		}
		m.zone = g.Zone
		m.load.weight.Store(int64(max(g.Weight, 1)))
		b.members = append(b.members, m)
	}
	b.began = b.began || len(group) > 0
	b.look(now)
	return nil
}

// SetHealth says whether a member is well, as a health check found. It reports
// false if there is no such member.
func (b *Balancer[M]) SetHealth(value M, well bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.members {
		if m.value != value {
			continue
		}
		if m.down == well {
			m.down = !well
			now := time.Now()
			if well {
				m.since = now
			}
			b.look(now)
		}
		return true
	}
	return false
}

// look makes the view of now. The caller holds mu.
func (b *Balancer[M]) look(now time.Time) {
	v := &view[M]{}
	var well []*member[M]
	here, wellHere := 0, 0
	for _, m := range b.members {
		if !m.ejected.IsZero() && !now.Before(m.ejected) {
			m.ejected, m.since = time.Time{}, now
		}
		local := b.options.Zone != "" && m.zone == b.options.Zone
		if local {
			here++
		}
		switch {
		case m.down:
		case !m.ejected.IsZero():
			if v.review.IsZero() || m.ejected.Before(v.review) {
				v.review = m.ejected
			}
		default:
			well = append(well, m)
			if local {
				wellHere++
			}
		}
	}
	switch {
	case len(b.members) > 0 && float64(len(well)) < b.options.Panic*float64(len(b.members)):
		v.members, v.panicked = b.members, true
	case wellHere > 0 && float64(wellHere) >= b.options.ZoneShare*float64(here):
		for _, m := range well {
			if m.zone == b.options.Zone {
				v.members = append(v.members, m)
			}
		}
	default:
		v.members = well
	}
	b.warm(v, now)
	loads := make([]*Load, len(v.members))
	names := make([]string, len(v.members))
	for i, m := range v.members {
		loads[i] = &m.load
		if b.strategy.named {
			names[i] = b.options.Name(m.value)
		}
	}
	v.chooser = b.strategy.prepare(loads, names, len(b.members))
	b.view.Store(v)
}

// warm notes which members of a view have not got their whole share yet.
func (b *Balancer[M]) warm(v *view[M], now time.Time) {
	if b.options.SlowStart == 0 || v.panicked {
		return
	}
	for i, m := range v.members {
		if m.since.IsZero() || now.Sub(m.since) >= b.options.SlowStart {
			continue
		}
		if v.warming == nil {
			v.warming = make([]time.Time, len(v.members))
		}
		v.warming[i] = m.since
		if end := m.since.Add(b.options.SlowStart); end.After(v.warm) {
			v.warm = end
		}
	}
}

// Pick is a member that was chosen for a request.
type Pick[M comparable] struct {
	Member M
	from   *Balancer[M]
	chosen *member[M]
	start  time.Time
}

// Pick chooses a member; key matters to [ConsistentHash] only. Call Done when
// the request has ended. The error is the context's, or [ErrNoMember].
func (b *Balancer[M]) Pick(ctx context.Context, key uint64) (Pick[M], error) {
	if err := ctx.Err(); err != nil {
		return Pick[M]{}, err
	}
	v := b.current()
	if len(v.members) == 0 {
		return Pick[M]{}, ErrNoMember
	}
	i := v.chooser.choose(key)
	if v.warming != nil {
		i = b.accept(v, key, i)
	}
	m := v.members[i]
	m.load.active.Add(1)
	p := Pick[M]{Member: m.value, from: b, chosen: m}
	if b.strategy.timed {
		p.start = time.Now()
	}
	return p, nil
}

// PickWhere chooses the first member that may be chosen and that want accepts,
// for requests that belong to a certain one. It reports false if there is none.
func (b *Balancer[M]) PickWhere(want func(M) bool) (Pick[M], bool) {
	for _, m := range b.current().members {
		if !want(m.value) {
			continue
		}
		m.load.active.Add(1)
		p := Pick[M]{Member: m.value, from: b, chosen: m}
		if b.strategy.timed {
			p.start = time.Now()
		}
		return p, true
	}
	return Pick[M]{}, false
}

// current returns the view in force, a new one if an ejection has ended or the
// last member has warmed up.
func (b *Balancer[M]) current() *view[M] {
	v := b.view.Load()
	if v.review.IsZero() && v.warming == nil {
		return v
	}
	now := time.Now()
	if (v.review.IsZero() || now.Before(v.review)) && (v.warming == nil || now.Before(v.warm)) {
		return v
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.view.Load() == v {
		b.look(now)
	}
	return b.view.Load()
}

// accept lets a member that warms up take a part of its share only: the rest
// goes to others that have all of theirs, if there are any.
func (b *Balancer[M]) accept(v *view[M], key uint64, i int) int {
	now := time.Now()
	for try := range 3 {
		since := v.warming[i]
		if since.IsZero() {
			return i
		}
		if part := max(float64(now.Sub(since))/float64(b.options.SlowStart), 0.1); rand.Float64() < part {
			return i
		}
		i = v.chooser.choose(Mix(key, uint64(try)+1))
	}
	return i
}

// Done ends a request. err is what became of it; nil is success. Calling it on a
// zero Pick does nothing; calling it twice is a mistake.
func (p Pick[M]) Done(err error) {
	if p.chosen == nil {
		return
	}
	p.chosen.load.active.Add(-1)
	if p.from.strategy.timed && err == nil {
		p.chosen.load.observe(time.Now(), p.start)
	}
	if p.from.options.Outliers != nil {
		p.from.judge(p.chosen, err)
	}
}

// State is what a balancer knows of a member.
type State[M comparable] struct {
	Member[M]
	Healthy bool      // as SetHealth said
	Ejected time.Time // until when; zero means not
	Active  int       // requests under way
	// Latency is the peak-sensitive average of successful requests, with
	// strategies that measure it.
	Latency time.Duration
}

// Members returns the state of every member, in the order of the last Update,
// and whether so few are well that all are chosen from.
func (b *Balancer[M]) Members() (states []State[M], panicked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for _, m := range b.members {
		s := State[M]{
			Member:  Member[M]{Value: m.value, Weight: int(m.load.weight.Load()), Zone: m.zone},
			Healthy: !m.down, Active: int(m.load.active.Load()), Latency: m.load.latency(),
		}
		if now.Before(m.ejected) {
			s.Ejected = m.ejected
		}
		states = append(states, s)
	}
	return states, b.view.Load().panicked
}
