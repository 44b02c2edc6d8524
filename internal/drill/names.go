package drill

import (
	"context"
	"sync"
	"time"

	"github.com/ceruleannet/cerulean/internal/live"
)

// NameReport is a Traffic Manager name whose answer changed in a region.
type NameReport struct {
	Name, Region  string
	Before, While string        // what it led to; empty: to nothing
	Moved, Back   time.Duration // after the failure, after the restoration; negative: not
	// Within is the longest that it may take to move: until probes notice, and the
	// TTL that resolvers keep an answer.
	Within time.Duration
}

// nameWatch notes what names lead to while a drill runs.
type nameWatch struct {
	net  *live.Network
	stop context.CancelFunc
	done chan struct{}

	mu   sync.Mutex
	seen map[live.NameAnswer][]nameSpell // by name and region
}

type nameSpell struct {
	to   string
	from time.Time
}

// watchNames begins to look, often.
func watchNames(n *live.Network) *nameWatch {
	ctx, stop := context.WithCancel(context.Background())
	w := &nameWatch{net: n, stop: stop, done: make(chan struct{}), seen: map[live.NameAnswer][]nameSpell{}}
	go func() {
		defer close(w.done)
		for {
			w.look(time.Now())
			if pause(ctx, look) != nil {
				return
			}
		}
	}()
	return w
}

func (w *nameWatch) look(now time.Time) {
	answers := w.net.NameAnswers(now)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range answers {
		key := live.NameAnswer{Name: a.Name, Region: a.Region}
		spells := w.seen[key]
		if len(spells) == 0 || spells[len(spells)-1].to != a.To {
			w.seen[key] = append(spells, nameSpell{a.To, now})
		}
	}
}

// end stops looking.
func (w *nameWatch) end() {
	w.stop()
	<-w.done
}

// back reports whether every name leads again to where it led before the failure.
func (w *nameWatch) back(m Moments) bool {
	now := time.Now()
	w.look(now)
	m.Ended = now
	for _, r := range w.report(m) {
		if r.Back == never {
			return false
		}
	}
	return true
}

// report says which names moved, in the order of the network's profiles.
func (w *nameWatch) report(m Moments) []NameReport {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []NameReport
	for _, a := range w.net.NameAnswers(m.Ended) {
		spells := w.seen[live.NameAnswer{Name: a.Name, Region: a.Region}]
		if r, moved := readName(spells, m); moved && !a.Chance {
			r.Name, r.Region, r.Within = a.Name, a.Region, a.Within
			out = append(out, r)
		}
	}
	return out
}

// readName reads when a name moved and came back.
func readName(spells []nameSpell, m Moments) (r NameReport, moved bool) {
	r.Moved, r.Back = never, never
	for _, s := range spells {
		switch {
		case s.from.Before(m.Failed):
			r.Before = s.to
		case s.from.Before(m.Restored):
			if s.to != r.Before && r.Moved == never {
				r.Moved = s.from.Sub(m.Failed)
			}
			r.While = s.to
		case s.to == r.Before && r.Moved != never && r.Back == never:
			r.Back = s.from.Sub(m.Restored)
		}
	}
	return r, r.Moved != never
}
