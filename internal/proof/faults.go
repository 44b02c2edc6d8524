package proof

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// faulty are the ways to lose a packet that no rule denies, the worst first.
var faulty = [...]struct {
	code fabric.Code
	name string
	// owned leaves out packets for addresses that no port has: that a route drops
	// those is how networks are built.
	owned bool
}{
	{fabric.CodeLoop, "packets loop", false},
	{fabric.CodeNextHopMissing, "a route leads to an appliance that is not there", false},
	{fabric.CodeRouteDrop, "a route drops packets for an address that exists", true},
	{fabric.CodeNoRoute, "no route leads to an address that exists", true},
}

// Faults finds the packets that hosts send, or that are replies to them, and
// that the network loses without a rule that denies them: loops and black
// holes. There is one finding for each way to lose them that occurs, the causes
// (routes) in its groups, each with a witness; and one more of unknown status if
// the search was given up. The findings claim nothing: their expectations have
// a name and no verb.
func (p *Prover) Faults() []Finding {
	a := newArena(p.img)
	w := p.newWalk(a, DefaultBudget)
	w.replies = true
	j := newJudge(p, a, &Finding{}, DefaultBudget)
	j.w = w
	owned := w.existing()
	found := make([]tally, len(faulty))
	for i := range found {
		found[i] = newTally()
	}
	leaves := 0
	w.leaf = func(l leaf) {
		leaves++
		for i := range faulty {
			if l.code != faulty[i].code {
				continue
			}
			if faulty[i].owned {
				var ok bool
				if l.state, ok = w.narrow(l.state, fabric.Dst, owned); !ok {
					return
				}
			}
			found[i].add(j, l, cause{code: l.code, reply: l.reply}, nil)
		}
	}
	q := Query{From: []fabric.PortID{}}
	for i := range p.img.Ports {
		if x := &p.img.Ports[i]; x.Kind == fabric.PortHost && !x.Silent {
			q.From = append(q.From, fabric.PortID(i))
		}
	}
	complete := w.run(w.begin(&q))
	counts := Counts{Sources: len(q.From), Leaves: leaves, Steps: w.steps}
	var out []Finding
	for i := range found {
		f := Finding{Expectation: model.Expectation{Name: faulty[i].name}, Status: Broken, Counts: counts}
		j.f = &f
		found[i].show(j)
		f.Groups, f.Omitted = found[i].groups(), len(found[i].omitted)
		switch {
		case f.Internal != nil:
			f.Status, f.Why = Unknown, f.Internal.Error()
		case len(f.Groups) == 0:
			continue
		default:
			f.Witness = f.Groups[0].Witness
			f.Why = fmt.Sprintf("%s from %s is lost: %s", f.Witness.Packet, f.Witness.FromName, f.Witness.Reason)
		}
		out = append(out, f)
	}
	if !complete {
		why := fmt.Sprintf("loops and black holes: not decided within %d steps", DefaultBudget)
		out = append(out, Finding{Expectation: model.Expectation{Name: "loops and black holes"}, Why: why, Counts: counts})
	}
	return out
}

// existing returns the addresses that ports of the image have, the internet's
// left out.
func (w *walk) existing() setID {
	var sets []setID
	for i := range w.p.img.Ports {
		if x := &w.p.img.Ports[i]; x.Kind != fabric.PortEdge && x.Kind != fabric.PortVacant {
			sets = append(sets, w.a.of(x.Addrs))
		}
	}
	if len(sets) == 0 {
		return emptySet
	}
	return w.a.union(sets...)
}
