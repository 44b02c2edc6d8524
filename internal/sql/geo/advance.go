package geo

import (
	"fmt"
	"time"
)

// Advance brings the group to a time and to what works then. It is to be called
// whenever the world changes, and at [Group.Next].
func (g *Group) Advance(now time.Time, w World) []Event {
	var out []Event
	for _, d := range g.databases {
		for i := range d.copies {
			if i != g.primary {
				out = d.copies[i].arrive(out, now, d.name, g.servers[i])
			}
		}
	}
	for _, d := range g.databases {
		for i := range d.copies {
			if i != g.primary {
				out = g.connect(out, now, w, d, i)
			}
		}
		g.trim(d)
	}
	out = g.complete(out, now, w)
	return g.watch(out, now, w)
}

// arrive takes what has arrived by now.
func (r *replica) arrive(out []Event, now time.Time, database, server string) []Event {
	if r.seed != nil && !r.seed.at.After(now) {
		r.applied, r.state = r.seed.commit.Number, CatchUp
		out = append(out, Event{What: Seeded, At: r.seed.at, Database: database, Server: server, Commit: r.seed.commit})
		r.seed = nil
	}
	for len(r.flying) > 0 && r.state == CatchUp && !r.flying[0].at.After(now) {
		f := r.flying[0]
		r.flying = r.flying[1:]
		r.applied = f.commit.Number
		out = append(out, Event{What: Applied, At: f.at, Database: database, Server: server, Commit: f.commit})
	}
	return out
}

// connect suspends a copy that cannot be reached, and resumes one that can be
// again. What is under way between two that lose each other is lost; the primary
// has it still.
func (g *Group) connect(out []Event, now time.Time, w World, d *database, i int) []Event {
	r, primary, server := &d.copies[i], g.Primary(), g.servers[i]
	delay, linked := w.Delay(primary, server)
	if !linked || !w.Up(primary) || !w.Up(server) {
		r.flying = nil
		switch r.state {
		case Seeding:
			r.seed, r.state = nil, Pending
		case CatchUp:
			r.state = Suspended
		}
		return out
	}
	if r.state == Suspended {
		r.state = Pending
		if d.has(r.applied) {
			r.state = CatchUp
			for _, c := range d.tail {
				if c.Number > r.applied {
					r.fly(c, now.Add(delay))
				}
			}
		}
	}
	if r.state == Pending {
		r.state, r.flying = Seeding, nil
		r.seed = &flight{Commit{Era: g.era, Number: d.last, At: now}, now.Add(delay)}
		out = append(out, Event{What: Seeds, At: now, Database: d.name, Server: server, From: primary, Commit: r.seed.commit})
	}
	if delay == 0 {
		out = r.arrive(out, now, d.name, server)
		// What was committed since the seed set out follows it.
	}
	if r.state == CatchUp && len(r.flying) == 0 && r.applied < d.last {
		if !d.has(r.applied) {
			r.state = Pending
			return g.connect(out, now, w, d, i)
		}
		for _, c := range d.tail {
			if c.Number > r.applied {
				r.fly(c, now.Add(delay))
			}
		}
		if delay == 0 {
			out = r.arrive(out, now, d.name, server)
		}
	}
	return out
}

// Next returns when [Group.Advance] has something to do at the latest; zero if
// only the world can change something.
func (g *Group) Next() time.Time {
	var next time.Time
	soonest := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, d := range g.databases {
		for i := range d.copies {
			r := &d.copies[i]
			if i == g.primary {
				continue
			}
			if r.seed != nil {
				soonest(r.seed.at)
			} else if len(r.flying) > 0 {
				soonest(r.flying[0].at)
			}
		}
	}
	if !g.outage.IsZero() && g.policy.Automatic {
		soonest(g.outage.Add(g.policy.Grace))
	}
	return next
}

// Plan begins a planned failover to a server: from now on nothing is committed,
// and [Group.Advance] changes the roles once the server has everything.
func (g *Group) Plan(w World, to string) error {
	i := g.server(to)
	if err := g.candidate(i, to); err != nil {
		return err
	}
	if i == g.primary {
		return nil
	}
	if !w.Up(g.Primary()) {
		return fmt.Errorf("%w: the primary %s; force the failover, and give up what has not arrived", ErrAway, g.Primary())
	}
	if !w.Up(to) {
		return fmt.Errorf("%w: %s", ErrAway, to)
	}
	for _, d := range g.databases {
		if s := d.copies[i].state; s != CatchUp {
			return fmt.Errorf("database %s at %s is %s, and a planned failover needs CATCH_UP; wait, or force the failover", d.name, to, s)
		}
	}
	g.switching = i
	return nil
}

func (g *Group) candidate(i int, to string) error {
	switch {
	case i < 0:
		return fmt.Errorf("the group has no server %q", to)
	case g.switching != none && g.switching != i:
		return ErrSwitching
	}
	return nil
}

// Cancel ends a planned failover that is not completed; commits go on.
func (g *Group) Cancel() { g.switching = none }

// complete ends a planned failover when the new primary has everything, or
// cannot get it.
func (g *Group) complete(out []Event, now time.Time, w World) []Event {
	if g.switching == none {
		return out
	}
	to, from := g.switching, g.Primary()
	for _, d := range g.databases {
		r := &d.copies[to]
		if r.state != CatchUp || !w.Up(from) {
			g.switching = none
			return append(out, Event{
				What: Abandoned, At: now, Server: g.servers[to], From: from,
				Why: fmt.Sprintf("%s lost the primary before it had every commit of %s", g.servers[to], d.name),
			})
		}
		if r.applied < d.last {
			return out
		}
	}
	was := g.primary
	g.switching, g.primary = none, to
	for _, d := range g.databases {
		d.copies[was] = replica{state: CatchUp, applied: d.last}
		for i := range d.copies {
			if r := &d.copies[i]; i != to && i != was && r.state != CatchUp {
				*r = replica{state: Pending}
			}
		}
	}
	g.outage = time.Time{}
	return append(out, Event{What: Moved, At: now, Server: g.Primary(), From: from})
}

// Force makes a server the primary at once. What has not arrived there is lost;
// every other server is seeded anew when it can be reached.
func (g *Group) Force(now time.Time, w World, to string) (Event, error) {
	i := g.server(to)
	if i < 0 {
		return Event{}, fmt.Errorf("the group has no server %q", to)
	}
	if i == g.primary {
		return Event{What: Moved, At: now, Server: to, From: to, Forced: true}, nil
	}
	if !w.Up(to) {
		return Event{}, fmt.Errorf("%w: %s", ErrAway, to)
	}
	for _, d := range g.databases {
		if r := &d.copies[i]; r.state == Pending && r.applied == 0 || r.state == Seeding {
			return Event{}, fmt.Errorf("database %s was not yet copied to %s: it is %s", d.name, to, r.state)
		}
	}
	e := Event{What: Moved, At: now, Server: g.servers[i], From: g.Primary(), Forced: true, Since: g.outage}
	g.switching, g.primary, g.outage = none, i, time.Time{}
	g.era++
	for _, d := range g.databases {
		applied := d.copies[i].applied
		lost := Loss{Database: d.name, First: applied + 1, Last: d.last}
		for _, c := range d.tail {
			if c.Number > applied {
				lost.Commits = append(lost.Commits, c)
			}
		}
		if lost.Last > applied {
			e.Lost = append(e.Lost, lost)
		}
		d.last, d.tail = applied, nil
		for j := range d.copies {
			d.copies[j] = replica{state: Pending}
		}
	}
	return e, nil
}

// watch notices that the primary is away, and fails over when the policy says
// so.
func (g *Group) watch(out []Event, now time.Time, w World) []Event {
	if w.Up(g.Primary()) {
		if !g.outage.IsZero() {
			g.outage = time.Time{}
			out = append(out, Event{What: Returned, At: now, Server: g.Primary()})
		}
		return out
	}
	if g.outage.IsZero() {
		g.outage = now
		out = append(out, Event{What: Outage, At: now, Server: g.Primary()})
	}
	if !g.policy.Automatic || now.Before(g.outage.Add(g.policy.Grace)) {
		return out
	}
	for _, s := range g.Servers()[1:] {
		if e, err := g.Force(now, w, s); err == nil {
			return append(out, e)
		}
	}
	return out
}
