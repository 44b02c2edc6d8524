package intent

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// group is a network group, or the part of one that is in one region.
type group struct {
	name    string
	spec    Group
	region  string // set: only this region's part
	members []*vnet
	id      model.ID
	pos     model.Pos
}

// dynamic reports whether the group's members follow from their tags.
func (g *group) dynamic() bool { return len(g.spec.Members) == 0 }

func (g *group) has(v *vnet) bool { return slices.Contains(g.members, v) }

// declareGroups makes the network groups and finds their members.
func (b *builder) declareGroups() {
	for _, e := range b.doc.Groups {
		g := &group{name: e.Key.Value, spec: e.Value, pos: e.Key.Pos}
		if !b.checkName(e.Key, "a group") {
			continue
		}
		if first, dup := b.groupName[strings.ToLower(g.name)]; dup {
			b.problem(g.pos, "it is already at "+first.pos.String()+"; rename one", "duplicate group %q", g.name)
			continue
		}
		sp := g.spec
		switch {
		case len(sp.Members) == 0 && len(sp.Where) == 0 && len(sp.Regions) == 0:
			b.problem(g.pos, "add where: {TAG: VALUE} or members: [NAME]", "group %s says nothing about its members", g.name)
			continue
		case len(sp.Members) > 0 && (len(sp.Where) > 0 || len(sp.Regions) > 0):
			b.problem(g.pos, "keep where or members", "group %s has both a condition and a list of members", g.name)
			continue
		}
		regions := b.regionsOf(sp.Regions)
		for _, t := range sp.Members {
			v, ok := b.vnetNamed[strings.ToLower(t.Value)]
			if !ok {
				b.problem(t.Pos, suggestion(t.Value, b.vnetNames(), "name a virtual network of the network"), "group %s: there is no virtual network %q", g.name, t.Value)
				continue
			}
			if !g.has(v) {
				g.members = append(g.members, v)
			}
		}
		if g.dynamic() {
			for _, v := range b.vnets {
				if matches(sp.Where, v.tags) && (len(regions) == 0 || slices.Contains(regions, v.region)) {
					g.members = append(g.members, v)
				}
			}
		}
		if len(g.members) == 0 {
			b.warn(g.pos, "tag a virtual network, or correct the condition", "group %s has no members", g.name)
		}
		g.id = b.managerID().Child("networkGroups", g.name)
		b.groups = append(b.groups, g)
		b.groupName[strings.ToLower(g.name)] = g
	}
}

// matches evaluates a group's condition as Azure Policy does: tag names and
// values compare without regard to case.
func matches(where Map[Text], tags map[string]string) bool {
	for _, e := range where {
		found := false
		for k, v := range tags {
			found = found || strings.EqualFold(k, e.Key.Value) && strings.EqualFold(v, e.Value.Value)
		}
		if !found {
			return false
		}
	}
	return true
}

func (b *builder) vnetNames() []string {
	var out []string
	for _, v := range b.vnets {
		out = append(out, v.name)
	}
	return out
}

func (b *builder) groupNames() []string {
	var out []string
	for _, g := range b.groups {
		if g.region == "" {
			out = append(out, g.name)
		}
	}
	return out
}

// groupsNamed resolves a list of group names.
func (b *builder) groupsNamed(ts Texts, what string) []*group {
	var out []*group
	for _, t := range ts {
		g, ok := b.groupName[strings.ToLower(t.Value)]
		if !ok {
			b.problem(t.Pos, suggestion(t.Value, b.groupNames(), "declare it under groups"), "%s: there is no group %q", what, t.Value)
			continue
		}
		if !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}

// inRegion returns the part of a group that is in one region, as a group of
// its own: configurations that differ between regions apply to those.
func (b *builder) inRegion(g *group, region string) *group {
	name := g.name + "-" + region
	if part, ok := b.groupName[strings.ToLower(name)]; ok {
		if part.region == "" {
			b.problem(part.pos, "rename it", "group %s takes the name of the part of %s in %s", part.name, g.name, region)
		}
		return part
	}
	part := &group{name: name, spec: g.spec, region: region, pos: g.pos, id: b.managerID().Child("networkGroups", name)}
	for _, v := range g.members {
		if v.region == region {
			part.members = append(part.members, v)
		}
	}
	b.groups = append(b.groups, part)
	b.groupName[strings.ToLower(name)] = part
	return part
}

// covers reports whether any part of a virtual network, or of its subnet or
// host, carries every label of a selector.
func (b *builder) carries(labels []model.Label, v *vnet, s *subnet, h *host) bool {
	for _, l := range labels {
		ok := false
		switch l.Kind {
		case model.LabelVNet:
			ok = strings.EqualFold(v.name, l.Name)
		case model.LabelRegion:
			ok = v.region == l.Name
		case model.LabelGroup:
			g := b.groupName[l.Name]
			ok = g != nil && g.has(v)
		case model.LabelTag:
			ok = hasTag(v.tags, l.Name) || h != nil && hasTag(tagMap(h.spec.Tags), l.Name)
		case model.LabelSubnet:
			ok = s != nil && strings.EqualFold(s.name, l.Name)
		case model.LabelHost:
			ok = h != nil && strings.EqualFold(h.name, l.Name)
		case model.LabelASG:
			ok = h != nil && slices.ContainsFunc(h.spec.ASGs, func(t Text) bool { return strings.EqualFold(t.Value, l.Name) })
		}
		if !ok {
			return false
		}
	}
	return true
}

func hasTag(tags map[string]string, want string) bool {
	for k, v := range tags {
		if strings.ToLower(k+"="+v) == want {
			return true
		}
	}
	return false
}

// prefixesOf returns the addresses a selector stands for, sorted: whole
// networks where they match, else subnets, else hosts.
func (b *builder) prefixesOf(sel model.Selector) []netip.Prefix {
	if len(sel.All) == 0 && !sel.OnPrem {
		return sel.Prefixes
	}
	out := b.nounPrefixes(sel)
	for _, l := range sel.All {
		if l.Kind == model.LabelFirewall {
			for _, f := range b.firewalls {
				if strings.EqualFold(f.name, l.Name) && f.addr.IsValid() {
					out = append(out, netip.PrefixFrom(f.addr, f.addr.BitLen()))
				}
			}
		}
	}
	for _, v := range b.vnets {
		if sel.OnPrem {
			break
		}
		if b.carries(sel.All, v, nil, nil) {
			out = append(out, v.prefixes...)
			continue
		}
		for _, s := range v.subnets {
			if b.carries(sel.All, v, s, nil) {
				if s.prefix.IsValid() {
					out = append(out, s.prefix)
				}
				continue
			}
			for _, h := range s.hosts {
				if h.addr.IsValid() && b.carries(sel.All, v, s, h) {
					out = append(out, netip.PrefixFrom(h.addr, h.addr.BitLen()))
				}
			}
		}
	}
	if len(sel.Prefixes) > 0 {
		out = narrowed(out, sel.Prefixes)
	}
	slices.SortFunc(out, comparePrefix)
	return slices.Compact(out)
}

// nounPrefixes returns the addresses of what a selector names besides virtual
// networks and what is in them: sites, private endpoints, and the internal
// frontends of load balancers. Of an application gateway it is the subnet.
func (b *builder) nounPrefixes(sel model.Selector) []netip.Prefix {
	var out []netip.Prefix
	is := func(kind model.LabelKind, name string) bool {
		return len(sel.All) == 1 && sel.All[0].Kind == kind && strings.EqualFold(sel.All[0].Name, name)
	}
	held := func(h *holder) {
		if h != nil && h.addr.IsValid() {
			out = append(out, netip.PrefixFrom(h.addr, h.addr.BitLen()))
		}
	}
	for _, s := range b.sites {
		if sel.OnPrem || is(model.LabelSite, s.name) {
			out = append(out, s.prefixes...)
		}
	}
	for _, r := range b.raw {
		if (r.ID.Is(typeSite) || r.ID.Is(typeCircuit)) && (sel.OnPrem || is(model.LabelSite, r.ID.Name())) {
			out = append(out, rawSitePrefixes(r)...)
		}
	}
	for _, e := range b.endpoints {
		if is(model.LabelEndpoint, e.name) {
			held(e.holder)
		}
	}
	for _, g := range b.appGateways {
		// Its instances have any address of the subnet, which is its own.
		if is(model.LabelAppGateway, g.name) && g.subnet.prefix.IsValid() {
			out = append(out, g.subnet.prefix)
		}
	}
	for _, l := range b.balancers {
		for _, f := range l.frontends {
			if is(model.LabelBalancer, l.name) {
				held(f.holder)
			}
		}
	}
	return out
}

// narrowed returns what the prefixes of two lists have in common.
func narrowed(a, b []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range a {
		for _, q := range b {
			switch {
			case !p.Overlaps(q):
			case p.Bits() >= q.Bits():
				out = append(out, p)
			default:
				out = append(out, q)
			}
		}
	}
	return out
}

func comparePrefix(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}
