package intent

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// resolves reads a claim about names.
func (b *builder) resolves(e *model.Expectation, spec Expectation) {
	e.Verb, e.Pos = model.Resolves, spec.Resolves[0].Pos
	e.Text = "resolves " + spec.Resolves.Join()
	e.From = b.selector(spec.From.Or("any", e.Pos))
	e.To = model.Selector{Text: "any", Any: true, Pos: e.Pos}
	if spec.From.IsSet() {
		e.Text += " from " + spec.From.Value
	}
	if e.From.Internet {
		b.problem(spec.From.Pos, "name something of the network", "the internet does not use private DNS zones")
	}
	if len(spec.To) > 0 {
		e.Text += " to " + spec.To.Join()
		e.Answers = b.answers(spec.To)
	}
	for _, t := range spec.Resolves {
		regions := []string{""}
		if strings.Contains(t.Value, "{region}") {
			regions = b.regions
		}
		for _, region := range regions {
			name := strings.TrimSuffix(strings.ToLower(strings.ReplaceAll(t.Value, "{region}", region)), ".")
			if !validDomain(name) {
				b.problem(t.Pos, "write a name such as db.example.com", "%q is not a domain name", t.Value)
				break
			}
			e.Names = append(e.Names, name)
		}
	}
}

// answers are the addresses that names may have: of everything that is named. What
// has both a private and a public address may be found at either.
func (b *builder) answers(to Texts) []netip.Addr {
	var out []netip.Addr
	add := func(a netip.Addr) {
		if a.IsValid() && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	for _, t := range to {
		if a, err := netip.ParseAddr(t.Value); err == nil {
			add(a)
			continue
		}
		before := len(out)
		found, known := b.addressesOf(t.Value, map[string]bool{})
		for _, a := range found {
			add(a)
		}
		if len(out) == before && len(found) == 0 {
			b.problem(t.Pos, suggestion(t.Value, known, "write an address, or the name of something that has one"), "nothing called %q has an address", t.Value)
		}
	}
	return out
}

// addressesOf returns the private and public addresses of a name: of a host, a
// private endpoint, a load balancer, a gateway, of all that a Traffic Manager
// profile may answer, of a front door, of a host of the internet. known are the
// names there are.
func (b *builder) addressesOf(name string, seen map[string]bool) (out []netip.Addr, known []string) {
	if seen[strings.ToLower(name)] {
		return nil, nil // the circle is told where the network is compiled
	}
	seen[strings.ToLower(name)] = true
	h, known := b.holderNamed(name)
	if h != nil {
		out = append(out, h.addr)
	}
	known = append(known, b.publicHolders()...)
	if public := b.publicCalled(name); public != nil {
		text, _ := public.Properties()["ipAddress"].(string)
		if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, a)
		}
	}
	for _, m := range b.managers {
		dns := m.spec.DNS.Or(m.name, m.spec.Pos).Value + managerDomain
		if known = append(known, m.name); !strings.EqualFold(m.name, name) && !strings.EqualFold(dns, strings.TrimSuffix(name, ".")) {
			continue
		}
		for _, e := range m.spec.Endpoints {
			for _, t := range []Text{e.Value.Target, e.Value.Address, e.Value.Profile} {
				if a, err := netip.ParseAddr(t.Value); err == nil {
					out = append(out, a)
				} else if t.IsSet() {
					more, _ := b.addressesOf(t.Value, seen)
					out = append(out, more...)
				}
			}
		}
	}
	for _, d := range b.frontDoors {
		if known = append(known, d.name); strings.EqualFold(d.name, name) {
			out = append(out, catalog.FrontDoorAddress(d.id.Key()))
		}
	}
	for _, e := range b.doc.Internet {
		known = append(known, e.Key.Value)
		if !slices.ContainsFunc(append(Texts{e.Key}, e.Value.Names...), func(t Text) bool { return strings.EqualFold(t.Value, name) }) {
			continue
		}
		for _, t := range e.Value.Address {
			if a, err := netip.ParseAddr(t.Value); err == nil {
				out = append(out, a)
			}
		}
	}
	return out, known
}
