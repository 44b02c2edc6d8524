package proof

import (
	"fmt"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// Fate is one thing that becomes of a part of the traffic between two
// selections, and why.
type Fate struct {
	Level   Level  `json:"level"`
	Because string `json:"because,omitempty"` // what decided, unless it works
	// Resource and Place are those of the rule or route that decided.
	Resource string   `json:"resource,omitempty"`
	Place    string   `json:"place,omitempty"`
	From     []string `json:"from"`
	To       []string `json:"to"`
	Pairs    int      `json:"pairs"`
	More     bool     `json:"more,omitempty"`
	Traffic  string   `json:"traffic"`
	Witness  *Witness `json:"witness"`
}

// Fates follows all packets of some traffic between two selections and groups
// them by what becomes of them: one witness each, what works first.
func (p *Prover) Fates(from, to model.Selector, traffic []model.Traffic) ([]Fate, error) {
	w := p.newWalk(newArena(p.img), DefaultBudget)
	w.replies = true
	q := w.ask(&from, &to, model.AnyPair, traffic, true)
	if q.nobody != "" {
		q = w.ask(&from, &to, model.AnyPair, traffic, false)
	}
	if q.nobody != "" {
		return nil, fmt.Errorf("%s", q.nobody)
	}
	type key struct {
		level   Level
		because string
		origin  fabric.Origin
	}
	index := map[key]int{}
	var list []*growing
	var failed error
	w.leaf = func(l leaf) {
		k := key{level: levelOf(&l)}
		if l.verdict != fabric.VerdictAllow {
			k.because, k.origin = w.whyNot(&l), p.origin(&l)
		}
		score, ok := w.score(&l.state)
		if !ok {
			return // nothing but what a host sends to itself
		}
		i, known := index[k]
		if !known {
			i = len(list)
			index[k] = i
			g := newGrowing()
			g.After, g.Because, g.Resource, g.Place = k.level, k.because, k.origin.Resource, k.origin.Place
			list = append(list, g)
		}
		g := list[i]
		var ends []fabric.PortID
		if l.verdict == fabric.VerdictAllow || l.reply {
			at, arrived := ended(&l)
			if arrived == emptySet {
				arrived = l.cube[fabric.Dst]
			}
			ends = w.portsOf(at, arrived)
		} else {
			ends = w.meant(q, &l)
		}
		g.count(p, w.portsOf(l.from, l.cube[fabric.Src]), ends)
		g.see(w, &l)
		if score <= g.score {
			return
		}
		wit, ok, err := w.show(&l, nil)
		if err != nil {
			failed = err
		}
		if ok && err == nil {
			g.score, g.Witness = score, wit
		}
	}
	switch complete := w.run(q.begin); {
	case failed != nil:
		return nil, failed
	case !complete:
		return nil, fmt.Errorf("%w of %d steps", ErrBudget, DefaultBudget)
	}
	var changes []Change
	for _, g := range list {
		g.finish(&changes)
	}
	var out []Fate
	for level := LevelWorks; ; level-- {
		for i := range changes {
			if c := &changes[i]; c.After == level {
				out = append(out, Fate{
					Level: level, Because: c.Because, Resource: c.Resource, Place: c.Place, From: c.From, To: c.To,
					Pairs: c.Pairs, More: c.More, Traffic: c.Traffic, Witness: c.Witness,
				})
			}
		}
		if level == LevelDenied {
			return out, nil
		}
	}
}

// meant returns the ports of a question that packets which did not get there
// were for, as far as their addresses say.
func (w *walk) meant(q *question, l *leaf) []fabric.PortID {
	dst := w.a.get(l.cube[fabric.Dst])
	var out []fabric.PortID
	for _, x := range q.to {
		if w.a.get(x.addrs).Overlaps(dst) {
			out = append(out, x.port)
		}
	}
	return out
}
