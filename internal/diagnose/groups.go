package diagnose

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// Reference is SubResource of the API.
type Reference struct {
	ID string `json:"id"`
}

// EffectiveGroup is EffectiveNetworkSecurityGroup of the API. TagMap is a JSON
// object as a string, as the API declares it.
type EffectiveGroup struct {
	Group       *Reference      `json:"networkSecurityGroup,omitempty"`
	Association Association     `json:"association"`
	Rules       []EffectiveRule `json:"effectiveSecurityRules"`
	TagMap      string          `json:"tagMap,omitempty"`
}

// Association is EffectiveNetworkSecurityGroupAssociation of the API: one of the
// three is set.
type Association struct {
	Interface *Reference `json:"networkInterface,omitempty"`
	Subnet    *Reference `json:"subnet,omitempty"`
	Manager   *Reference `json:"networkManager,omitempty"`
}

// EffectiveRule is EffectiveNetworkSecurityRule of the API.
type EffectiveRule struct {
	Name           string   `json:"name"`
	Protocol       string   `json:"protocol"`
	SourcePort     string   `json:"sourcePortRange,omitempty"`
	DestPort       string   `json:"destinationPortRange,omitempty"`
	SourcePorts    []string `json:"sourcePortRanges"`
	DestPorts      []string `json:"destinationPortRanges"`
	Source         string   `json:"sourceAddressPrefix,omitempty"`
	Destination    string   `json:"destinationAddressPrefix,omitempty"`
	Sources        []string `json:"sourceAddressPrefixes"`
	Destinations   []string `json:"destinationAddressPrefixes"`
	ExpandedSource []string `json:"expandedSourceAddressPrefix,omitempty"`
	ExpandedDest   []string `json:"expandedDestinationAddressPrefix,omitempty"`
	Access         string   `json:"access"`
	Priority       int32    `json:"priority"`
	Direction      string   `json:"direction"`
}

// Documents returns the document of a resource, or nil.
type Documents func(id string) *model.Resource

// EffectiveGroups answers effectiveNetworkSecurityGroups: the security groups of
// a port, that of its subnet first, and the admin rules that come before them.
// Rules are as they were declared, with what their tags and groups mean at this
// port.
func EffectiveGroups(img *fabric.Image, at fabric.PortID, doc Documents) ([]EffectiveGroup, error) {
	port := &img.Ports[at]
	out := []EffectiveGroup{}
	for _, stage := range []fabric.Stage{fabric.StageAdmin, fabric.StageSegment, fabric.StagePort} {
		in, egress := staged(img, port.Ingress, stage), staged(img, port.Egress, stage)
		if in == nil && egress == nil {
			continue
		}
		if stage == fabric.StageAdmin {
			out = append(out, adminGroups(img, in, egress)...)
			continue
		}
		any := in
		if any == nil {
			any = egress
		}
		g := EffectiveGroup{Group: &Reference{any.Origin.Resource}, Rules: []EffectiveRule{}}
		if stage == fabric.StagePort {
			g.Association.Interface = &Reference{port.Origin.Resource}
		} else {
			g.Association.Subnet = &Reference{img.Segments[port.Segment].Origin.Resource}
		}
		w := ruleWriter{img: img, tags: map[string][]string{}}
		if err := w.group(&g, doc(any.Origin.Resource), in, egress); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

// staged returns the filter of a stage, or nil.
func staged(img *fabric.Image, filters []fabric.FilterID, stage fabric.Stage) *fabric.Filter {
	for _, id := range filters {
		if img.Filters[id].Stage == stage {
			return &img.Filters[id]
		}
	}
	return nil
}

type ruleWriter struct {
	img  *fabric.Image
	tags map[string][]string
}

// group writes the rules of a security group, the declared ones in order of
// priority before the default ones.
func (w *ruleWriter) group(g *EffectiveGroup, r *model.Resource, in, out *fabric.Filter) error {
	var nsg wire.NSG
	if r != nil {
		if err := r.Decode(&nsg); err != nil {
			return err
		}
	}
	rules := slices.Clone(nsg.Properties.SecurityRules)
	slices.SortStableFunc(rules, func(a, b wire.SecurityRule) int { return a.Properties.Priority - b.Properties.Priority })
	for i := range rules {
		p := &rules[i].Properties
		filter := out
		if strings.EqualFold(p.Direction, "Inbound") {
			filter = in
		}
		g.Rules = append(g.Rules, w.rule("securityRules/"+rules[i].Name, p, compiled(filter, rules[i].Name)))
	}
	for _, d := range catalog.DefaultRules() {
		p := wire.SecurityRuleProperties{
			Access: "Deny", Direction: "Outbound", Priority: d.Priority, Protocol: "*", SourcePortRange: "*", DestinationPortRange: "*",
			SourceAddressPrefix: d.Source, DestinationAddressPrefix: d.Destination,
		}
		filter := out
		if d.Inbound {
			p.Direction, filter = "Inbound", in
		}
		if d.Allow {
			p.Access = "Allow"
		}
		g.Rules = append(g.Rules, w.rule("defaultSecurityRules/"+d.Name, &p, compiled(filter, d.Name)))
	}
	if len(w.tags) > 0 {
		b, err := json.Marshal(w.tags)
		if err != nil {
			return err
		}
		g.TagMap = string(b)
	}
	return nil
}

// compiled returns the rule of a name as compiled, or nil.
func compiled(f *fabric.Filter, name string) *fabric.Rule {
	if f == nil {
		return nil
	}
	for i := range f.Rules {
		if strings.EqualFold(f.Rules[i].Origin.Name, name) {
			return &f.Rules[i]
		}
	}
	return nil
}

// rule writes a declared rule; c is the same rule compiled, or nil.
func (w *ruleWriter) rule(name string, p *wire.SecurityRuleProperties, c *fabric.Rule) EffectiveRule {
	e := EffectiveRule{
		Name: name, Protocol: effectiveProtocol(p.Protocol), Access: p.Access, Priority: int32(p.Priority), Direction: p.Direction,
		SourcePorts: portTexts(p.SourcePortRange, p.SourcePortRanges), DestPorts: portTexts(p.DestinationPortRange, p.DestinationPortRanges),
	}
	e.SourcePort, e.DestPort = single(e.SourcePorts), single(e.DestPorts)
	var src, dst fabric.Set
	if c != nil {
		src, dst = w.img.Sets[c.Match[fabric.Src]], w.img.Sets[c.Match[fabric.Dst]]
	}
	e.Sources, e.ExpandedSource = w.side(p.SourceAddressPrefix, p.SourceAddressPrefixes, len(p.SourceApplicationSecurityGroups) > 0, src)
	e.Destinations, e.ExpandedDest = w.side(p.DestinationAddressPrefix, p.DestinationAddressPrefixes, len(p.DestinationApplicationSecurityGroups) > 0, dst)
	e.Source, e.Destination = single(e.Sources), single(e.Destinations)
	return e
}

// side writes one side of a rule: "*" as a prefix, a tag by its name with its
// prefixes beside it, application security groups by the addresses of their
// members.
func (w *ruleWriter) side(one string, many []string, groups bool, set fabric.Set) (texts, expanded []string) {
	texts = []string{}
	if one != "" {
		many = append([]string{one}, many...)
	}
	tags := groups
	for _, s := range many {
		switch {
		case s == "*":
			s = "0.0.0.0/0"
		case !prefixText(s):
			tags = true
			if _, known := w.tags[s]; !known {
				w.tags[s] = tagPrefixes(s, len(many) == 1, set)
			}
		case !strings.Contains(s, "/"):
			s += "/32"
			if strings.Contains(s, ":") {
				s = strings.TrimSuffix(s, "/32") + "/128"
			}
		}
		texts = append(texts, s)
	}
	if tags {
		expanded = setTexts(set)
	}
	return texts, expanded
}

// tagPrefixes returns the prefixes of a tag: the published ones, or for tags that
// Azure computes per network what the rule was compiled to, if the tag is all it
// has.
func tagPrefixes(tag string, alone bool, set fabric.Set) []string {
	if list, ok := catalog.ServiceTag(tag); ok {
		out := make([]string, len(list))
		for i, p := range list {
			out[i] = p.String()
		}
		return out
	}
	if alone {
		return setTexts(set)
	}
	return []string{}
}

func prefixText(s string) bool {
	if _, err := netip.ParsePrefix(s); err == nil {
		return true
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

func setTexts(s fabric.Set) []string {
	list := s.Prefixes()
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.String()
	}
	return out
}

// single returns the only text, or "".
func single(texts []string) string {
	if len(texts) == 1 {
		return texts[0]
	}
	return ""
}

// effectiveProtocol writes a protocol as EffectiveSecurityRuleProtocol.
func effectiveProtocol(s string) string {
	if s == "*" || s == "" || strings.EqualFold(s, "any") {
		return "All"
	}
	return strings.ToUpper(s[:1]) + strings.ToLower(s[1:])
}

// portTexts writes ranges of ports as "443-443".
func portTexts(one string, many []string) []string {
	if one != "" {
		many = append([]string{one}, many...)
	}
	out := []string{}
	for _, s := range many {
		switch {
		case s == "*":
			s = "0-65535"
		case !strings.Contains(s, "-"):
			s += "-" + s
		}
		out = append(out, s)
	}
	return out
}

// adminGroups writes the admin rules at a port, by network manager.
func adminGroups(img *fabric.Image, filters ...*fabric.Filter) []EffectiveGroup {
	var out []EffectiveGroup
	for i, f := range filters {
		if f == nil {
			continue
		}
		direction := "Outbound"
		if i == 0 {
			direction = "Inbound"
		}
		for j := range f.Rules {
			r := &f.Rules[j]
			manager := managerOf(r.Origin.Resource)
			k := slices.IndexFunc(out, func(g EffectiveGroup) bool { return g.Association.Manager.ID == manager })
			if k < 0 {
				k = len(out)
				out = append(out, EffectiveGroup{Association: Association{Manager: &Reference{manager}}})
			}
			out[k].Rules = append(out[k].Rules, adminRule(img, f, int32(j), direction))
		}
	}
	return out
}

// adminRule writes an admin rule by what it was compiled to.
func adminRule(img *fabric.Image, f *fabric.Filter, i int32, direction string) EffectiveRule {
	r := &f.Rules[i]
	set := func(field fabric.Field) fabric.Set { return img.Sets[r.Match[field]] }
	addresses := func(s fabric.Set) []string {
		if s.IsAll() {
			return []string{"0.0.0.0/0"}
		}
		return setTexts(s)
	}
	e := EffectiveRule{
		Name: ruleName(f, i), Access: access(r.Action), Priority: r.Priority, Direction: direction, Protocol: "All",
		Sources: addresses(set(fabric.Src)), Destinations: addresses(set(fabric.Dst)),
		SourcePorts: rangeTexts(set(fabric.SrcPort)), DestPorts: rangeTexts(set(fabric.DstPort)),
	}
	if p := set(fabric.Proto); len(p) == 1 && p[0].Lo == p[0].Hi {
		name := fabric.ProtoName(uint8(p[0].Lo.Lo))
		e.Protocol = effectiveProtocol(name)
	}
	e.Source, e.Destination = single(e.Sources), single(e.Destinations)
	e.SourcePort, e.DestPort = single(e.SourcePorts), single(e.DestPorts)
	return e
}

func rangeTexts(s fabric.Set) []string {
	if s.IsAll() {
		return []string{"0-65535"}
	}
	out := make([]string, len(s))
	for i, r := range s {
		out[i] = strconv.FormatUint(r.Lo.Lo, 10) + "-" + strconv.FormatUint(min(r.Hi.Lo, 65535), 10)
	}
	return out
}

// managerOf returns the network manager that a resource belongs to.
func managerOf(resource string) string {
	id, err := model.ParseID(resource)
	for err == nil && !id.IsZero() && !id.Is(model.TypeNetworkManager) {
		id = id.Parent()
	}
	if err != nil || id.IsZero() {
		return resource
	}
	return id.String()
}

// ComputedTag returns what a tag that Azure computes per network means at a
// port, as its default rules have it: VirtualNetwork, Internet or
// AzureLoadBalancer. It reports false for other names, and where no security
// group tells.
func ComputedTag(img *fabric.Image, at fabric.PortID, tag string) (fabric.Set, bool) {
	port := &img.Ports[at]
	for _, d := range catalog.DefaultRules() {
		field, filters := fabric.Src, port.Ingress
		switch {
		case !d.Inbound && strings.EqualFold(d.Destination, tag):
			field, filters = fabric.Dst, port.Egress
		case !d.Inbound || !strings.EqualFold(d.Source, tag):
			continue
		}
		for _, id := range filters {
			if r := compiled(&img.Filters[id], d.Name); r != nil {
				return img.Sets[r.Match[field]], true
			}
		}
	}
	return nil, false
}
