package engine

import "github.com/ceruleannet/cerulean/internal/fabric"

// Swap puts another image in force. It forgets no established flow whose ports
// still exist: the next packet of each direction composes its action anew.
// Ports are recognised by kind, name and origin, so positions may change.
func (e *Engine) Swap(img *fabric.Image) {
	old := e.prog.img
	e.prog = newProgram(img, e.opts.Choose)
	e.epoch++
	if to, same := renumber(old, img); !same {
		e.move(to)
	}
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
		f.ways[forward].move(from)
		f.ways[backward].move(end)
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

func (w *way) move(at fabric.PortID) {
	w.key = w.key.moved(at)
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
