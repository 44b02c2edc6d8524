package proof

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// cause is what counterexamples have in common.
type cause struct {
	code   fabric.Code
	reply  bool
	origin fabric.Origin // of the rule, filter, route or table that decided
	what   string        // for causes that are no reason of a packet's end
}

// example is the counterexamples of one cause: the best leaf to show, and who
// is concerned.
type example struct {
	group Group
	best  leaf
	score int
	holds func(*fabric.Connection) bool
	pairs map[[2]fabric.PortID]bool
	shown bool
}

// tally groups counterexamples by cause.
type tally struct {
	index   map[cause]int
	list    []*example
	omitted map[cause]bool
}

func newTally() tally { return tally{index: map[cause]int{}, omitted: map[cause]bool{}} }

// add notes a leaf. It must be called during the walk that found it.
func (t *tally) add(j *judge, l leaf, c cause, holds func(*fabric.Connection) bool) {
	if c.what == "" {
		c.origin = j.p.origin(&l)
	}
	score, ok := j.w.score(&l.state)
	if !ok {
		return // nothing but what a host sends to itself
	}
	i, known := t.index[c]
	if !known {
		if len(t.list) == MaxGroups {
			t.omitted[c] = true
			return
		}
		i = len(t.list)
		t.index[c] = i
		t.list = append(t.list, &example{score: -1, pairs: map[[2]fabric.PortID]bool{}, group: Group{Cause: c.what}})
	}
	e := t.list[i]
	j.w.count(&l, e)
	if score > e.score {
		e.best, e.score, e.holds = l, score, holds
	}
}

// score says how telling a box's packets are: hosts at both ends are best.
func (w *walk) score(s *state) (int, bool) {
	from, p, ok := w.pick(s)
	if !ok {
		return 0, false
	}
	n := 0
	if w.p.img.Ports[from].Kind != fabric.PortVacant {
		n++
	}
	if w.a.contains(w.hosts(), fabric.AddrValue(p.Dst)) {
		n++
	}
	return n, true
}

// count adds the pairs of ports that a leaf concerns.
func (w *walk) count(l *leaf, e *example) {
	if len(e.pairs) >= maxPairs {
		e.group.More = true
		return
	}
	srcs := w.portsOf(l.from, l.cube[fabric.Src])
	dsts := []fabric.PortID{fabric.None}
	at, arrived := l.arrival()
	if !l.reply && l.verdict != fabric.VerdictAllow {
		at = site{place(0), byDst, fabric.None}
	}
	if arrived == emptySet {
		arrived = l.cube[fabric.Dst]
	}
	if found := w.portsOf(at, arrived); len(found) > 0 {
		dsts = found
	}
	for _, s := range srcs {
		for _, d := range dsts {
			if s == d && w.p.img.Ports[s].Kind == fabric.PortHost {
				continue
			}
			if len(e.pairs) >= maxPairs {
				e.group.More = true
				return
			}
			e.pairs[[2]fabric.PortID{s, d}] = true
		}
	}
}

// portsOf returns the ports a site stands for, given the addresses.
func (w *walk) portsOf(at site, set setID) []fabric.PortID {
	if q, ok := at.port(); ok {
		return []fabric.PortID{q}
	}
	l := &w.p.layers[at.place]
	var out []fabric.PortID
	seen := map[fabric.PortID]bool{}
	for _, r := range w.a.get(set) {
		for i := l.from(r.Lo); i < len(l.owners) && !r.Hi.Less(l.owners[i].Range.Lo); i++ {
			if q := l.owners[i].Port; !seen[q] {
				seen[q] = true
				out = append(out, q)
			}
		}
	}
	return out
}

// show makes the best leaf of every cause concrete.
func (t *tally) show(j *judge) {
	for _, e := range t.list {
		if e.shown {
			continue
		}
		e.shown = true
		wit, ok, err := j.w.show(&e.best, e.holds)
		switch {
		case err != nil:
			j.f.Internal = err
		case ok:
			e.group.Witness = wit
			if e.group.Cause == "" {
				e.group.Cause = wit.Reason
			}
		}
	}
}

// groups returns what was found, for people.
func (t *tally) groups() []Group {
	var out []Group
	for _, e := range t.list {
		if e.group.Witness == nil {
			continue
		}
		g := e.group
		g.Pairs = len(e.pairs)
		out = append(out, g)
	}
	return out
}

// conclude turns what was found into a finding.
func (j *judge) conclude() {
	f, e := j.f, &j.f.Expectation
	f.Groups, f.Omitted = j.broken.groups(), len(j.broken.omitted)
	switch {
	case j.f.Internal != nil:
		f.Status, f.Why = Unknown, j.f.Internal.Error()+" (a defect of Cerulean; please report it)"
	case j.pairs != nil && j.pairs.asked > 0 && j.nobody == "" && j.pairs.mayWork:
		j.concludeAny()
	case len(f.Groups) > 0:
		f.Status, f.Witness = Broken, f.Groups[0].Witness
		f.Why = j.brokenText(f.Witness)
		if j.pairs != nil {
			f.Why = "no pair works; for example " + f.Why
		}
	case j.pairs != nil && j.pairs.asked > 0 && j.nobody == "":
		f.Status, f.Why = Broken, "there is no pair of two ports"
	case j.nobody != "" && e.Verb == model.Allow:
		f.Status, f.Why = Broken, j.nobody
	case j.nobody != "":
		f.Status, f.Why = Unknown, j.nobody+", so nothing was checked"
	case len(j.unknown.list) > 0:
		f.Groups, f.Omitted = j.unknown.groups(), len(j.unknown.omitted)
		f.Status = Unknown
		f.Why = "some packets depend on what is not modelled"
		if len(f.Groups) > 0 {
			f.Witness = f.Groups[0].Witness
			f.Why = fmt.Sprintf("whether %s from %s passes is unknown: %s", f.Witness.Packet, f.Witness.FromName, f.Witness.Reason)
		}
	case j.stopped:
		f.Status, f.Why = Unknown, fmt.Sprintf("not decided within %d steps", j.budget)
	default:
		f.Status, f.Why = Holds, j.holdsText()
	}
}

func (j *judge) holdsText() string {
	c := j.f.Counts
	who := fmt.Sprintf("%s to %s", plural(c.Sources, "source"), plural(c.Destinations, "destination"))
	if j.f.Expectation.Both {
		who += ", and back"
	}
	switch j.f.Expectation.Verb {
	case model.Deny:
		if len(j.f.Expectation.NotThrough) > 0 {
			return "no packet gets through by way of what it must not: " + who
		}
		return "no packet gets through: " + who
	case model.Allow:
		switch e := &j.f.Expectation; {
		case len(e.Through) > 0 && len(e.NotThrough) > 0:
			return "every connection works, passes what it must and nothing it must not: " + who
		case len(e.Through) > 0:
			return "every connection works and passes what it must, both ways: " + who
		case len(e.NotThrough) > 0:
			return "every connection works and passes nothing it must not, neither way: " + who
		}
		return "every connection works, replies included: " + who
	default:
		return "every reply passes the same stateful devices: " + who
	}
}

func (j *judge) brokenText(wit *Witness) string {
	to := ""
	if wit.ToName != "" {
		to = " to " + wit.ToName
	}
	flow := fmt.Sprintf("%s from %s%s", wit.Packet, wit.FromName, to)
	switch verdict, _ := wit.Conn.Verdict(); {
	case j.f.Expectation.Verb == model.Deny:
		if way := j.strays(wit, false); way != nil {
			return fmt.Sprintf("%s is delivered by way of %s", flow, waypointText(way))
		}
		return flow + " is delivered"
	case verdict == fabric.VerdictAllow && j.f.Expectation.Verb == model.Symmetric:
		return flow + " comes back another way: " + j.p.waysText(&wit.Conn)
	case verdict == fabric.VerdictAllow:
		for i := range j.f.Expectation.Through {
			if way := &j.f.Expectation.Through[i]; !j.passes(way, &wit.Conn) {
				return fmt.Sprintf("%s works, but %s is not on the way: %s", flow, waypointText(way), j.p.waysText(&wit.Conn))
			}
		}
		if way := j.strays(wit, true); way != nil {
			return fmt.Sprintf("%s works, but %s is on the way: %s", flow, waypointText(way), j.p.waysText(&wit.Conn))
		}
		if len(wit.Conn.Forward.Choices) > 0 {
			return flow + " is handed to another port"
		}
		return flow + " is taken by another port with the same address"
	default:
		return flow + " fails: " + wit.Reason
	}
}

// strays returns the first waypoint that a witness passes and must not, its
// reply included where that counts.
func (j *judge) strays(wit *Witness, replies bool) *model.Waypoint {
	for i := range j.f.Expectation.NotThrough {
		way := &j.f.Expectation.NotThrough[i]
		if j.crosses(way, &wit.Conn, wit.Conn.Forward.Path) || replies && j.crosses(way, &wit.Conn, wit.Conn.Reply.Path) {
			return way
		}
	}
	return nil
}

// concludeAny ends a claim about "any" that is not known to be false.
func (j *judge) concludeAny() {
	f := j.f
	switch {
	case j.stopped:
		f.Groups, f.Omitted = nil, 0
		f.Why = fmt.Sprintf("not decided within %d steps", j.budget)
	case j.pairs.works:
		f.Groups, f.Omitted = nil, 0
		f.Status, f.Why = Holds, j.pairs.text
	default:
		f.Groups, f.Omitted = j.unknown.groups(), len(j.unknown.omitted)
		f.Why = "no pair is known to work, and of some it depends on what is not modelled"
		if len(f.Groups) > 0 {
			f.Witness = f.Groups[0].Witness
		}
	}
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
