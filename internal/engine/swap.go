package engine

import (
	"slices"
	"time"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// Swap puts another image in force. It forgets no established flow whose ports
// still exist: the next packet of each direction composes its action anew.
// Ports are recognised by kind, name and origin, so positions may change. What
// was compiled of filters and tables that the images share is kept, and with it
// the counters of rules: an image with other health is swapped in about the time
// it takes to compare the names of its ports.
func (e *Engine) Swap(img *fabric.Image) {
	old := e.prog
	e.prog = newProgram(img, e.opts.Choose)
	e.prog.keep(old)
	e.epoch++
	if to, same := renumber(old.img, img); !same {
		e.move(to)
	}
	e.drain()
}

// keep takes over what an older program compiled, where the images share it.
func (p *program) keep(old *program) {
	if len(p.img.Sets) == 0 || len(old.img.Sets) == 0 || &p.img.Sets[0] != &old.img.Sets[0] {
		return
	}
	for i := range min(len(p.filters), len(old.filters)) {
		a, b := &p.img.Filters[i], &old.img.Filters[i]
		if len(a.Rules) == len(b.Rules) && (len(a.Rules) == 0 || &a.Rules[0] == &b.Rules[0]) {
			p.filters[i] = old.filters[i]
		}
	}
	for i := range min(len(p.tables), len(old.tables)) {
		a, b := p.img.Tables[i].Routes, old.img.Tables[i].Routes
		if len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) {
			p.tables[i] = old.tables[i]
		}
	}
	if p.chooser != nil && old.chooser != nil {
		p.chooser = old.chooser.For(p.img)
		p.choose = p.chooser.Pick
	}
}

// drain gives the TCP flows of targets that were taken out, or down by hand, the
// time that their redirect gives them; it takes it from those whose target is
// back.
func (e *Engine) drain() {
	drains := func(in *fabric.Inward) bool {
		return in != nil && slices.ContainsFunc(in.Redirects, func(r fabric.Redirect) bool { return r.Drain > 0 })
	}
	if !slices.ContainsFunc(e.prog.img.Ports, func(p fabric.Port) bool { return drains(p.Inward) }) {
		return
	}
	for n := range uint32(len(e.table.chunks) * chunk) {
		f := e.table.flow(n)
		if f.gen&1 == 0 || f.limits.drain == 0 || f.ways[forward].key.proto() != fabric.ProtoTCP {
			continue
		}
		switch period := e.leaves(f); {
		case period == 0:
			f.state &^= draining
		case f.state&draining == 0:
			f.state |= draining
			f.until = e.now + period
			e.plan(n, f, f.until)
		}
	}
}

// leaves returns how long a flow has because a target of its was taken out; 0 if
// none was, or the redirect gives it no time.
func (e *Engine) leaves(f *flow) time.Duration {
	for i := range f.pins {
		have := &f.pins[i]
		in := e.prog.img.Ports[have.at].Inward
		if in == nil {
			continue
		}
		for n := range in.Redirects {
			r := &in.Redirects[n]
			if r.Drain == 0 || f.pinned(e.epoch, have.at, int32(n), r.Name) != have {
				continue
			}
			if k, ok := have.in(r); !ok || r.Targets[k].Down != "" && r.Targets[k].Probe == nil {
				return r.Drain
			}
		}
	}
	return 0
}

// renumber returns the new position of each old port, None for those that are
// gone or cannot be told apart, and whether nothing moved.
func renumber(old, img *fabric.Image) (to []fabric.PortID, same bool) {
	type identity struct {
		kind   fabric.PortKind
		name   string
		origin fabric.Origin
	}
	of := func(p *fabric.Port) identity {
		origin := p.Origin
		origin.Place = "" // a line moved is no other port
		return identity{p.Kind, p.Name, origin}
	}
	if len(old.Ports) == len(img.Ports) {
		same = true
		for i := 0; same && i < len(img.Ports); i++ {
			same = of(&old.Ports[i]) == of(&img.Ports[i])
		}
		if same {
			return nil, true
		}
	}
	index := func(img *fabric.Image) map[identity]fabric.PortID {
		m := make(map[identity]fabric.PortID, len(img.Ports))
		for i := range img.Ports {
			k := of(&img.Ports[i])
			if _, twice := m[k]; twice {
				m[k] = fabric.None
				continue
			}
			m[k] = fabric.PortID(i)
		}
		return m
	}
	before, after := index(old), index(img)
	to, same = make([]fabric.PortID, len(old.Ports)), true
	for i := range old.Ports {
		k := of(&old.Ports[i])
		to[i] = fabric.None
		if next, ok := after[k]; ok && before[k] != fabric.None {
			to[i] = next
		}
		same = same && to[i] == fabric.PortID(i)
	}
	return to, same
}

// move rewrites every flow for new port positions and indexes it again.
func (e *Engine) move(to []fabric.PortID) {
	t := &e.table
	for n := range uint32(len(t.chunks) * chunk) {
		f := t.flow(n)
		if f.gen&1 == 0 {
			continue
		}
		from, end := to[f.ways[forward].key.at()], fabric.PortID(fabric.None)
		if f.state&delivered != 0 {
			end = to[f.ways[backward].key.at()]
		}
		if from == fabric.None || end == fabric.None {
			e.forget(e.now, n, EndSwap) // denied flows go too: they would be walked again anyway
			continue
		}
		f.ways[forward].move(from, to)
		f.ways[backward].move(end, to)
		f.passed = movedHops(f.passed, to)
		f.changes = movedChanges(f.changes, to)
		f.pins = movedPins(f.pins, to)
	}
	e.pools = e.pools.moved(to)
	clear(t.slots)
	t.used = 0
	for n := range uint32(len(t.chunks) * chunk) {
		f := t.flow(n)
		for dir := range f.ways {
			if f.gen&1 == 1 && f.ways[dir].indexed {
				t.index(n, dir, f.ways[dir].key)
			}
		}
	}
}

func (w *way) move(at fabric.PortID, to []fabric.PortID) {
	w.key = w.key.moved(at)
	if w.out >= 0 {
		w.out = to[w.out]
	}
	w.path, w.reason = nil, fabric.At(fabric.CodeNone, fabric.None)
}

func movedHops(hops []hop, to []fabric.PortID) []hop {
	out := hops[:0]
	for _, h := range hops {
		if h.at = to[h.at]; h.at != fabric.None {
			out = append(out, h)
		}
	}
	return out
}

func movedChanges(changes []change, to []fabric.PortID) []change {
	out := changes[:0]
	for _, c := range changes {
		if c.at = to[c.at]; c.at != fabric.None {
			out = append(out, c)
		}
	}
	return out
}

// gone is the port of a pin whose target no image has any more: no target is
// there.
const gone fabric.PortID = fabric.None - 1

func movedPins(pins []pin, to []fabric.PortID) []pin {
	out := pins[:0]
	for _, p := range pins {
		if p.at = to[p.at]; p.at == fabric.None {
			continue
		}
		if p.target.Port >= 0 {
			if p.target.Port = to[p.target.Port]; p.target.Port == fabric.None {
				p.target.Port = gone
			}
		}
		out = append(out, p)
	}
	return out
}
