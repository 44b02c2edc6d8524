package intent

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Numbers of what a firewall policy is made of. Azure requires numbers and runs
// lower ones first; a parent's collections precede its child's whatever the
// numbers ("Azure Firewall rule processing logic").
const (
	ruleGroupName      = "rules"
	ruleGroupPriority  = 200
	collectionStart    = 100
	collectionInterval = 10
)

func (b *builder) policyID(name string) model.ID {
	return b.globalGroup().Resource(model.TypeFirewallPolicy, name)
}

// policyFor returns the policy in force on a region's firewall that names t:
// t itself, or its descendant for the region.
func (b *builder) policyFor(t Text, region string) (model.ID, bool) {
	if _, ok := b.doc.FirewallPolicies.Get(t.Value); !ok {
		for _, r := range b.raw {
			if r.ID.Is(model.TypeFirewallPolicy) && strings.EqualFold(r.ID.Name(), t.Value) {
				return r.ID, true
			}
		}
		b.problem(t.Pos, suggestion(t.Value, b.doc.FirewallPolicies.Keys(), "declare it under firewall-policies"), "there is no firewall policy %q", t.Value)
		return model.ID{}, false
	}
	name := t.Value
	for range b.doc.FirewallPolicies {
		next := ""
		for _, e := range b.doc.FirewallPolicies {
			if e.Value.Parent.Value == name && slices.ContainsFunc(e.Value.Regions, func(r Text) bool { return model.NormalizeLocation(r.Value) == region }) {
				if next != "" {
					b.problem(e.Key.Pos, "keep the region in one of them", "both %s and %s take the place of %s in %s", next, e.Key.Value, name, region)
				}
				next = e.Key.Value
			}
		}
		if next == "" {
			break
		}
		name = next
	}
	return b.policyID(name), true
}

// emitPolicies makes the firewall policies and their rules.
func (b *builder) emitPolicies() {
	names := b.doc.FirewallPolicies.Keys()
	for _, e := range b.doc.FirewallPolicies {
		if !b.checkName(e.Key, "a firewall policy") {
			continue
		}
		p := e.Value
		view := wire.FirewallPolicy{Head: wire.Head{Location: b.home()}}
		view.Properties.SKU = &wire.SKU{Tier: "Standard"}
		view.Properties.ThreatIntelMode = "Off"
		at := map[string]model.Pos{}
		if p.Parent.IsSet() {
			at["/properties/basePolicy"] = p.Parent.Pos
			switch {
			case !slices.Contains(names, p.Parent.Value):
				b.problem(p.Parent.Pos, suggestion(p.Parent.Value, names, "declare it under firewall-policies"), "there is no firewall policy %q", p.Parent.Value)
			case b.ownAncestor(e.Key.Value):
				b.problem(p.Parent.Pos, "remove one parent", "firewall policy %s is its own ancestor", e.Key.Value)
			default:
				view.Properties.BasePolicy = &wire.Ref{ID: b.policyID(p.Parent.Value).String()}
			}
		} else if len(p.Regions) > 0 {
			b.problem(p.Regions[0].Pos, "add parent: NAME", "firewall policy %s takes no other's place: it has no parent", e.Key.Value)
		}
		for _, t := range p.Regions {
			b.region(t)
		}
		if len(p.PrivateRanges) > 0 {
			at["/properties/snat"] = p.PrivateRanges[0].Pos
			view.Properties.SNAT = &wire.FirewallSNAT{}
		}
		for _, t := range p.PrivateRanges {
			if r, ok := b.prefix(t); ok {
				view.Properties.SNAT.PrivateRanges = append(view.Properties.SNAT.PrivateRanges, r.String())
			}
		}
		b.emit(b.policyID(e.Key.Value), view, e.Key.Pos, at)
		b.emitPolicyRules(e.Key, p)
	}
}

func (b *builder) ownAncestor(name string) bool {
	at := name
	for range b.doc.FirewallPolicies {
		p, _ := b.doc.FirewallPolicies.Get(at)
		if at = p.Parent.Value; at == "" {
			return false
		}
		if at == name {
			return true
		}
	}
	return true
}

// firewallSide returns a side as addresses or, if it stands for names with
// several prefixes, as an IP group.
func (b *builder) firewallSide(s side, pos model.Pos) (addresses, groups []string) {
	switch {
	case s.any:
		return []string{"*"}, nil
	case s.tag == "Internet":
		// Azure Firewall has no tag for the internet.
		return nil, []string{b.ipGroup("internet", publicPrefixes(), pos).String()}
	case s.tag != "":
		return []string{s.tag}, nil
	case s.group == nil && (len(s.prefixes) == 1 || isPrefixList(s.text)):
		return s.strings(), nil
	default:
		return nil, []string{b.ipGroup(s.text, s.prefixes, pos).String()}
	}
}

func isPrefixList(text string) bool {
	first, _, _ := strings.Cut(text, ",")
	_, isPrefix, _ := sidePrefix(strings.TrimSpace(first))
	return isPrefix
}

// ipGroup returns the IP group of what a text stands for, made at first use.
func (b *builder) ipGroup(text string, prefixes []netip.Prefix, pos model.Pos) model.ID {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, strings.Join(strings.Fields(text), "-"))
	key := strings.ToLower(strings.Join(strings.Fields(text), " "))
	if id, ok := b.ipGroups[key]; ok {
		return id
	}
	// Different texts may give one name: the tag env=prod and the group env-prod.
	id := b.globalGroup().Resource(model.TypeIPGroup, name)
	for i := 2; b.byKey[id.Key()] != nil; i++ {
		id = b.globalGroup().Resource(model.TypeIPGroup, name+"-"+strconv.Itoa(i))
	}
	b.ipGroups[key] = id
	view := wire.IPGroup{Head: wire.Head{Location: b.home()}}
	view.Properties.IPAddresses = []string{}
	for _, p := range prefixes {
		view.Properties.IPAddresses = append(view.Properties.IPAddresses, p.String())
	}
	b.emit(id, view, pos, nil)
	return id
}

// publicPrefixes is the IPv4 internet: everything but the ranges that Azure
// routes nowhere by default and those no packet may have as a destination.
func publicPrefixes() []netip.Prefix {
	free := newSpace(netip.MustParsePrefix("0.0.0.0/0"))
	for _, p := range append(append(catalog.ReservedRoutes(), catalog.ForbiddenVNetRanges()...),
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("240.0.0.0/4")) {
		free.take(p)
	}
	var out []netip.Prefix
	for bits := 1; bits <= 32; bits++ {
		for {
			p, ok := free.assign(bits)
			if !ok {
				break
			}
			out = append(out, p)
		}
	}
	slices.SortFunc(out, comparePrefix)
	return out
}
