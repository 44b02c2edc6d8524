package fabric

import "slices"

// Failure is what is out of order in a network: data, from which the image of
// the network with the failure follows. The zero value is a network in order.
type Failure struct {
	// Name says what failed, for people: "region westeurope".
	Name string
	// Ports are dead: no packet enters, leaves or passes them.
	Ports []PortID
	// Probes get no answer although their members are well.
	Probes []Asked
	// Places are down: with them what translates there ([Outbound.Place]).
	Places []Label
	// Cuts are links that carry nothing.
	Cuts []Cut
}

// Cut is a link between two places that carries no packet, either way: those
// between a port with the one label and the next with the other.
type Cut struct{ A, B Label }

// None reports whether nothing failed.
func (f *Failure) None() bool { return len(f.Ports)+len(f.Probes)+len(f.Places)+len(f.Cuts) == 0 }

// Stops reports whether the failure takes an outbound translation down.
func (f *Failure) Stops(o *Outbound) bool {
	return o != nil && o.Place != Label{} && slices.Contains(f.Places, o.Place)
}

// Broken returns the cut between two ports that follow each other on a packet's
// path, if there is one.
func (f *Failure) Broken(img *Image, from, to PortID) (Cut, bool) {
	for _, c := range f.Cuts {
		if a, b := &img.Ports[from], &img.Ports[to]; a.At(img, c.A) && b.At(img, c.B) || a.At(img, c.B) && b.At(img, c.A) {
			return c, true
		}
	}
	return Cut{}, false
}

// At reports whether the port is at a place, which a label names: of the kind
// "region" the port's region counts, labelled or not, and "internet" is the
// edge.
func (p *Port) At(img *Image, place Label) bool {
	switch place.Kind {
	case "region":
		return p.Region != None && img.Regions[p.Region] == place.Name
	case "internet":
		return p.Kind == PortEdge
	default:
		return p.Has(place)
	}
}

// Anywhere reports whether the port stands in no place of its own: it is the
// frontend of a global balancer, whose address is announced everywhere. A packet
// goes from the port before it to the one after it, over what lies between those.
func (p *Port) Anywhere() bool { return p.Kind == PortBalancer && p.Region == None }

// Places returns the ports of a path without those that are anywhere: each two in
// a row are what a packet travels between.
func (img *Image) Places(path []PortID) []PortID {
	anywhere := func(at PortID) bool { return img.Ports[at].Anywhere() }
	if !slices.ContainsFunc(path, anywhere) {
		return path
	}
	return slices.DeleteFunc(slices.Clone(path), anywhere)
}

// WithFailure returns the image of the network at the moment of a failure: the
// dead ports drop everything, established flows included, and nobody has
// noticed. Links and probes are no part of an image; see [Image.Noticed] for
// what follows. It shares everything else with the image, and the epoch stays.
func (img *Image) WithFailure(f *Failure) *Image {
	stops := func(p Port) bool { return f.Stops(p.Outbound) }
	if len(f.Ports) == 0 && !slices.ContainsFunc(img.Ports, stops) {
		return img
	}
	out := *img
	out.Filters = append(slices.Clip(slices.Clone(img.Filters)), Filter{
		Name: f.Name, Origin: Origin{Name: f.Name}, Stage: StageFailure, Default: Drop,
	})
	dead := []FilterID{FilterID(len(out.Filters) - 1)}
	out.Ports = slices.Clone(img.Ports)
	for i := range out.Ports {
		if p := &out.Ports[i]; f.Stops(p.Outbound) {
			dark := *p.Outbound
			dark.What, dark.Pairs, dark.Pool, dark.Ports = p.Outbound.What+" that is down ("+f.Name+")", nil, nil, nil
			p.Outbound = &dark
		}
	}
	for _, id := range f.Ports {
		p := &out.Ports[id]
		p.Egress, p.Ingress = dead, dead
		p.Admits = nil // what came past the filters meets this one
		if p.Forward != nil {
			forward := *p.Forward
			forward.Policy = dead
			p.Forward = &forward
		}
	}
	return &out
}

// Noticed returns what the probes of balancers find out about a failure once
// each had the time: the probes of dead ports fail, and those that the failure
// names.
func (f *Failure) Noticed(img *Image) Health {
	h := Health{}
	for _, a := range f.Probes {
		h[a] = f.Name
	}
	dead := make(map[PortID]bool, len(f.Ports))
	for _, id := range f.Ports {
		dead[id] = true
	}
	for i := range img.Ports {
		if img.Ports[i].Inward == nil {
			continue
		}
		for j := range img.Ports[i].Inward.Redirects {
			r := &img.Ports[i].Inward.Redirects[j]
			for k := range r.Targets {
				if asked, ok := r.Targets[k].Asked(); ok && dead[asked.Port] {
					h[asked] = f.Name
				}
			}
		}
	}
	return h
}

// WhatIf returns the image of the network after a failure, when probes have
// noticed it: what a proof runs on to predict what works. Cuts are no part of
// it: follow a packet's path and ask [Failure.Broken].
func (img *Image) WhatIf(f *Failure) *Image {
	return img.WithFailure(f).WithHealth(f.Noticed(img))
}
