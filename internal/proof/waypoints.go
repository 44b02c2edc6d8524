package proof

import (
	"slices"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
)

// waypointLabel returns the kind of label that a named waypoint's ports carry;
// false for the kinds that name a region's firewalls.
func waypointLabel(way *model.Waypoint) (model.LabelKind, bool) {
	switch way.Kind {
	case model.NamedFirewall:
		return model.LabelFirewall, true
	case model.NamedHost:
		return model.LabelHost, true
	case model.NamedGateway:
		return model.LabelGateway, true
	case model.NamedBalancer:
		return model.LabelBalancer, true
	default:
		return "", false
	}
}

// isWaypoint reports whether a port is a named waypoint.
func (p *Prover) isWaypoint(way *model.Waypoint, q fabric.PortID) bool {
	kind, _ := waypointLabel(way)
	return p.img.Ports[q].Has(fabric.Label{Kind: string(kind), Name: way.Name})
}

// missing returns the first named waypoint of a claim that no port is.
func (p *Prover) missing(e *model.Expectation) (model.Waypoint, bool) {
	for _, list := range [2][]model.Waypoint{e.Through, e.NotThrough} {
		for i := range list {
			way := &list[i]
			if _, named := waypointLabel(way); !named {
				continue
			}
			found := false
			for q := range p.img.Ports {
				found = found || p.isWaypoint(way, fabric.PortID(q))
			}
			if !found {
				return *way, true
			}
		}
	}
	return model.Waypoint{}, false
}

// bothWays reports whether replies must pass a waypoint too. The targets of a
// balancer answer without it.
func bothWays(way *model.Waypoint) bool { return way.Kind != model.NamedBalancer }

// evades returns the part of a leaf whose packets, or replies, do not pass a
// waypoint that they must.
func (j *judge) evades(l *leaf, way *model.Waypoint) (leaf, bool) {
	ways := []pathID{l.mid}
	if bothWays(way) {
		ways = append(ways, l.back)
	}
	_, out, _, missed := j.crossing(l, way, ways, true)
	rest := *l
	rest.state = out
	return rest, missed
}

// meets returns the part of a leaf whose packets, or replies if they are
// followed, pass a waypoint.
func (j *judge) meets(l *leaf, way *model.Waypoint) (leaf, bool) {
	in, _, met, _ := j.crossing(l, way, []pathID{l.mid, l.back}, false)
	hit := *l
	hit.state = in
	return hit, met
}

// crossing divides a leaf by whether its packets pass a waypoint on all of some
// ways, or on any.
func (j *judge) crossing(l *leaf, way *model.Waypoint, ways []pathID, all bool) (in, out state, hasIn, hasOut bool) {
	if _, named := waypointLabel(way); named {
		hit := all
		for _, id := range ways {
			if j.any(id, func(q fabric.PortID) bool { return j.p.isWaypoint(way, q) }) != all {
				hit = !all
				break
			}
		}
		return l.state, l.state, hit, !hit
	}
	// The regions whose firewalls are on the ways.
	regions := j.regions(ways[0])
	for _, id := range ways[1:] {
		more := j.regions(id)
		if all {
			regions = slices.DeleteFunc(regions, func(r fabric.RegionID) bool { return !slices.Contains(more, r) })
		} else {
			regions = append(regions, more...)
		}
	}
	at, arrived := l.from, emptySet
	if way.Kind == model.DestinationFirewall {
		at, arrived = l.arrival()
	}
	if q, ok := at.port(); ok {
		hit := slices.Contains(regions, j.p.img.Ports[q].Region)
		return l.state, l.state, hit, !hit
	}
	set := emptySet
	for _, r := range regions {
		set = j.a.union(set, j.w.regionSet(int32(at.place), r))
	}
	if at.by == byDst && arrived != emptySet {
		hit := j.a.intersect(arrived, set) != emptySet
		return l.state, l.state, hit, !hit
	}
	return j.w.split(l.state, condition{some: true, field: fabric.Field(at.by), set: set})
}

// regions returns the regions of the firewalls on a way.
func (j *judge) regions(id pathID) []fabric.RegionID {
	var out []fabric.RegionID
	for ; id != 0; id = j.w.paths.list[id].before {
		if q := j.w.paths.list[id].port; j.isWall(q) && !slices.Contains(out, j.p.img.Ports[q].Region) {
			out = append(out, j.p.img.Ports[q].Region)
		}
	}
	return out
}

// regionSet returns the addresses of a layer's ports in a region.
func (w *walk) regionSet(number int32, region fabric.RegionID) setID {
	k := [2]int32{number, int32(region)}
	if id, ok := w.regions[k]; ok {
		return id
	}
	var s fabric.Set
	for _, o := range w.p.layers[number].owners {
		if w.p.img.Ports[o.Port].Region == region {
			s = appendRange(s, o.Range)
		}
	}
	id := w.a.intern(s)
	w.regions[k] = id
	return id
}

func (j *judge) any(id pathID, is func(fabric.PortID) bool) bool {
	for ; id != 0; id = j.w.paths.list[id].before {
		if is(j.w.paths.list[id].port) {
			return true
		}
	}
	return false
}

// isWall reports whether a port is an Azure Firewall's.
func isWall(port *fabric.Port) bool {
	return slices.ContainsFunc(port.Labels, func(l fabric.Label) bool { return l.Kind == string(model.LabelFirewall) })
}

func (j *judge) isWall(q fabric.PortID) bool { return slices.Contains(j.walls, q) }

// passes reports whether a connection passes a waypoint as it must.
func (j *judge) passes(way *model.Waypoint, c *fabric.Connection) bool {
	return j.crosses(way, c, c.Forward.Path) && (!bothWays(way) || j.crosses(way, c, c.Reply.Path))
}

// crosses reports whether one way of a connection passes a waypoint.
func (j *judge) crosses(way *model.Waypoint, c *fabric.Connection, path []fabric.PortID) bool {
	region := j.p.img.Ports[c.Forward.From].Region
	if way.Kind == model.DestinationFirewall {
		region = j.p.img.Ports[c.Forward.End()].Region
	}
	_, named := waypointLabel(way)
	return slices.ContainsFunc(inside(path), func(q fabric.PortID) bool {
		if named {
			return j.p.isWaypoint(way, q)
		}
		return j.isWall(q) && j.p.img.Ports[q].Region == region
	})
}

// inside returns the ports between the first and the last of a path.
func inside(path []fabric.PortID) []fabric.PortID {
	if len(path) < 3 {
		return nil
	}
	return path[1 : len(path)-1]
}

// mirrored reports whether the stateful forwarders of one path are those of the
// other in reverse.
func (p *Prover) mirrored(forward, back []fabric.PortID) bool {
	f, b := p.stateful(forward), p.stateful(back)
	if len(f) != len(b) {
		return false
	}
	for i := range f {
		if f[i] != b[len(b)-1-i] {
			return false
		}
	}
	return true
}

func (p *Prover) stateful(path []fabric.PortID) []fabric.PortID {
	var out []fabric.PortID
	for _, q := range path {
		if f := p.img.Ports[q].Forward; f != nil && f.Stateful {
			out = append(out, q)
		}
	}
	return out
}

func waypointText(w *model.Waypoint) string {
	switch w.Kind {
	case model.SourceFirewall:
		return "the source's firewall"
	case model.DestinationFirewall:
		return "the destination's firewall"
	case model.NamedBalancer:
		return "load balancer " + quoted(w.Name)
	default:
		return string(w.Kind) + " " + quoted(w.Name)
	}
}
