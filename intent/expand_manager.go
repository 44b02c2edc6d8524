package intent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// managerID is the one network manager of the network.
func (b *builder) managerID() model.ID {
	return b.globalGroup().Resource(model.TypeNetworkManager, b.name+"-manager")
}

// emitGroups makes the network manager and its groups, the regional parts
// included that connectivity and routing need.
func (b *builder) emitGroups() {
	d := b.doc
	for _, c := range d.Connectivity {
		for _, g := range b.groupsNamed(c.HubAndSpoke, "connectivity "+c.Name.Value) {
			for _, region := range b.partRegions(g) {
				b.inRegion(g, region)
			}
		}
		b.groupsNamed(c.Mesh, "connectivity "+c.Name.Value)
	}
	if len(b.groups) == 0 && len(d.Connectivity) == 0 && len(d.SecurityAdmin) == 0 && len(d.Routing) == 0 {
		return
	}
	manager := wire.NetworkManager{Head: wire.Head{Location: b.home()}}
	manager.Properties.Scopes.Subscriptions = []string{model.SubscriptionID(b.subscription).String()}
	manager.Properties.ScopeAccesses = []string{"Connectivity", "SecurityAdmin", "Routing"}
	b.emit(b.managerID(), manager, b.doc.Network.Pos, nil)
	for _, g := range b.groups {
		view := wire.NetworkGroup{Properties: wire.NetworkGroupProperties{MemberType: "VirtualNetwork"}}
		b.emit(g.id, view, g.pos, nil)
		if g.dynamic() {
			b.emitGroupPolicy(g)
			continue
		}
		for _, v := range g.members {
			pos := g.pos
			for _, t := range g.spec.Members {
				if strings.EqualFold(t.Value, v.name) {
					pos = t.Pos
				}
			}
			b.emit(g.id.Child("staticMembers", v.name), wire.StaticMember{Properties: wire.StaticMemberProperties{ResourceID: v.id.String()}}, pos, nil)
		}
	}
}

// emitGroupPolicy makes the policy whose condition fills a dynamic group.
func (b *builder) emitGroupPolicy(g *group) {
	equals := func(field, value string) wire.Condition { return wire.Condition{Field: field, Equals: &value} }
	all := []wire.Condition{equals("type", model.TypeVirtualNetwork)}
	for _, e := range g.spec.Where {
		all = append(all, equals("tags['"+e.Key.Value+"']", e.Value.Value))
	}
	switch {
	case g.region != "":
		all = append(all, equals("location", g.region))
	case len(g.spec.Regions) > 0:
		var in []string
		for _, t := range g.spec.Regions {
			in = append(in, model.NormalizeLocation(t.Value))
		}
		all = append(all, wire.Condition{Field: "location", In: in})
	}
	scope := model.SubscriptionID(b.subscription)
	name := b.name + "-" + g.name
	definition := wire.PolicyDefinition{Properties: wire.PolicyDefinitionProperties{
		PolicyType: "Custom", Mode: "Microsoft.Network.Data", DisplayName: "Members of network group " + g.name,
		PolicyRule: wire.PolicyRule{
			If:   wire.Condition{AllOf: all},
			Then: wire.PolicyEffect{Effect: "addToNetworkGroup", Details: wire.PolicyEffectDetails{NetworkGroupID: g.id.String()}},
		},
	}}
	id := scope.Resource(model.TypePolicyDefinition, name)
	b.emit(id, definition, g.pos, nil)
	b.emit(scope.Resource(model.TypePolicyAssignment, name), wire.PolicyAssignment{Properties: wire.PolicyAssignmentProperties{
		PolicyDefinitionID: id.String(), EnforcementMode: "Default",
	}}, g.pos, nil)
}

// partRegions returns the regions for which a group needs a part: those of its
// members and, since a dynamic group may gain members anywhere, of every hub.
func (b *builder) partRegions(g *group) []string {
	var out []string
	for _, region := range b.regions {
		if slices.ContainsFunc(g.members, func(v *vnet) bool { return v.region == region }) ||
			g.dynamic() && slices.ContainsFunc(b.vnets, func(v *vnet) bool { return v.role == roleHub && v.region == region }) {
			out = append(out, region)
		}
	}
	return out
}

// emitConfigurations makes the configurations of the network manager and the
// commits that put them into force, region by region.
func (b *builder) emitConfigurations() {
	commits := newCommits()
	b.emitConnectivity(commits)
	b.emitAdminRules(commits)
	b.emitRouting(commits)
	for _, kind := range []string{"Connectivity", "SecurityAdmin", "Routing"} {
		for _, region := range b.regions {
			c, ok := commits.of[kind+"."+region]
			if !ok {
				continue
			}
			view := wire.Commit{Properties: wire.CommitProperties{CommitType: kind, TargetLocation: region, ConfigurationIDs: c.ids}}
			b.emit(b.managerID().Child("commits", kind+"."+region), view, c.pos, nil)
		}
	}
}

// commits collects which configurations each region needs.
type commits struct{ of map[string]*commit }

type commit struct {
	ids []string
	pos model.Pos
}

func newCommits() *commits { return &commits{map[string]*commit{}} }

func (c *commits) add(kind, region string, id model.ID, pos model.Pos) {
	key := kind + "." + region
	if c.of[key] == nil {
		c.of[key] = &commit{pos: pos}
	}
	if !slices.Contains(c.of[key].ids, id.String()) {
		c.of[key].ids = append(c.of[key].ids, id.String())
	}
}

func boolText(v bool) string {
	if v {
		return "True"
	}
	return "False"
}

func (b *builder) emitConnectivity(commits *commits) {
	for i, c := range b.doc.Connectivity {
		name := c.Name.Or(fmt.Sprintf("connectivity-%d", i+1), c.Pos)
		b.checkName(name, "a connectivity configuration")
		switch {
		case len(c.Mesh) > 0 && len(c.HubAndSpoke) > 0:
			b.problem(c.Pos, "make them two configurations", "%s is both a mesh and hub and spoke", name.Value)
		case len(c.Mesh) > 0:
			b.emitMesh(c, name, commits)
		case len(c.HubAndSpoke) > 0:
			b.emitHubAndSpoke(c, name, commits)
		default:
			b.problem(c.Pos, "add mesh: GROUP or hub-and-spoke: [GROUP]", "%s connects nothing", name.Value)
		}
	}
}

func (b *builder) emitMesh(c Connectivity, name Text, commits *commits) {
	global := boolText(c.Global.Or(true))
	view := wire.ConnectivityConfig{Properties: wire.ConnectivityConfigProperties{
		ConnectivityTopology: "Mesh", IsGlobal: global, DeleteExistingPeering: "False",
		AppliesToGroups: []wire.ConnectivityItem{},
	}}
	id := b.managerID().Child("connectivityConfigurations", name.Value)
	for _, t := range c.Mesh {
		g := b.groupName[strings.ToLower(t.Value)]
		if g == nil {
			continue // reported by emitGroups
		}
		view.Properties.AppliesToGroups = append(view.Properties.AppliesToGroups,
			wire.ConnectivityItem{NetworkGroupID: g.id.String(), GroupConnectivity: "DirectlyConnected", UseHubGateway: "False", IsGlobal: global})
		if n := len(g.members); n > catalog.MaxVNetsPerMesh {
			b.warn(t.Pos, "ask Azure for more, or use hub and spoke", "a mesh of %d virtual networks is larger than Azure's %d", n, catalog.MaxVNetsPerMesh)
		}
		for _, v := range g.members {
			commits.add("Connectivity", v.region, id, c.Pos)
		}
		b.connected = append(b.connected, link{g.members, t.Pos})
	}
	if c.UseHubGateway.Or(false) {
		b.problem(c.UseHubGateway.Pos, "use it with hub-and-spoke", "a mesh has no hub gateway")
	}
	b.emit(id, view, c.Pos, nil)
}

func (b *builder) emitHubAndSpoke(c Connectivity, name Text, commits *commits) {
	var groups []*group
	for _, t := range c.HubAndSpoke {
		if g := b.groupName[strings.ToLower(t.Value)]; g != nil && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	for _, region := range b.regions {
		var parts []*group
		members := false
		for _, g := range groups {
			if slices.Contains(b.partRegions(g), region) {
				part := b.inRegion(g, region)
				parts = append(parts, part)
				members = members || len(part.members) > 0
			}
		}
		if len(parts) == 0 {
			continue
		}
		hub := b.hubOf(c, region, parts, members)
		if hub == nil {
			continue
		}
		if c.UseHubGateway.Or(false) && !b.hasGateway(hub) {
			b.problem(c.UseHubGateway.Pos, "declare one under gateways or route-servers", "hub %s has no gateway for its spokes to use", hub.name)
		}
		view := wire.ConnectivityConfig{Properties: wire.ConnectivityConfigProperties{
			ConnectivityTopology: "HubAndSpoke", IsGlobal: "False", DeleteExistingPeering: "False",
			Hubs: []wire.Hub{{ResourceID: hub.id.String(), ResourceType: model.TypeVirtualNetwork}},
		}}
		id := b.managerID().Child("connectivityConfigurations", name.Value+"-"+region)
		for _, part := range parts {
			if part.has(hub) {
				b.problem(c.Pos, "exclude it from the group", "hub %s is a spoke of its own: group %s holds it", hub.name, part.name)
				continue
			}
			how := "None"
			if c.DirectlyConnected.Or(false) {
				how = "DirectlyConnected"
			}
			view.Properties.AppliesToGroups = append(view.Properties.AppliesToGroups,
				wire.ConnectivityItem{NetworkGroupID: part.id.String(), GroupConnectivity: how, UseHubGateway: boolText(c.UseHubGateway.Or(false)), IsGlobal: "False"})
			b.connected = append(b.connected, link{append([]*vnet{hub}, part.members...), c.Pos})
		}
		commits.add("Connectivity", region, id, c.Pos)
		if hub.region != region {
			commits.add("Connectivity", hub.region, id, c.Pos)
		}
		b.emit(id, view, c.Pos, nil)
	}
}

// hubOf returns the hub that serves a region's spokes.
func (b *builder) hubOf(c Connectivity, region string, parts []*group, members bool) *vnet {
	if c.Hub.IsSet() {
		v, ok := b.vnetNamed[strings.ToLower(c.Hub.Value)]
		if !ok {
			b.problem(c.Hub.Pos, suggestion(c.Hub.Value, b.vnetNames(), "name a virtual network of the network"), "there is no virtual network %q", c.Hub.Value)
			return nil
		}
		return v
	}
	var hubs []*vnet
	for _, v := range b.vnets {
		if v.role == roleHub && v.region == region {
			hubs = append(hubs, v)
		}
	}
	switch {
	case len(hubs) == 1:
		return hubs[0]
	case len(hubs) > 1:
		b.problem(c.Pos, "add hub: "+hubs[0].name+" or hub: "+hubs[1].name, "region %s has several hubs", region)
	case members:
		for _, part := range parts {
			for _, v := range part.members {
				b.problem(v.pos, "add a hub in "+region+", or hub: NAME to the configuration", "spoke %s has no hub: there is none in %s", v.name, region)
			}
		}
	}
	return nil
}

// adminConfig is the name of the security admin configuration: Azure allows one
// per region and network manager.
const adminConfig = "security-admin"

func (b *builder) emitAdminRules(commits *commits) {
	if len(b.doc.SecurityAdmin) == 0 {
		return
	}
	id := b.managerID().Child("securityAdminConfigurations", adminConfig)
	b.emit(id, wire.SecurityAdminConfig{}, b.doc.SecurityAdmin[0].Pos, nil)
	byDirection := map[string]*numbers{
		"Inbound":  newNumbers(catalog.MinAdminRulePriority, catalog.MaxAdminRulePriority),
		"Outbound": newNumbers(catalog.MinAdminRulePriority, catalog.MaxAdminRulePriority),
	}
	for _, c := range b.doc.SecurityAdmin {
		for _, r := range c.Rules {
			for _, d := range b.adminDirections(r) {
				byDirection[d].reserve(b, r.Priority)
			}
		}
	}
	for i, c := range b.doc.SecurityAdmin {
		name := c.Name.Or(fmt.Sprintf("rules-%d", i+1), c.Pos)
		b.checkName(name, "a rule collection")
		view := wire.AdminRuleCollection{}
		view.Properties.AppliesToGroups = []wire.GroupItem{}
		if len(c.AppliesTo) == 0 {
			b.problem(c.Pos, "add applies-to: [GROUP]", "security admin rules %s apply to nothing", name.Value)
		}
		for _, g := range b.groupsNamed(c.AppliesTo, "security admin rules "+name.Value) {
			view.Properties.AppliesToGroups = append(view.Properties.AppliesToGroups, wire.GroupItem{NetworkGroupID: g.id.String()})
			for _, region := range b.partRegions(g) {
				commits.add("SecurityAdmin", region, id, c.Pos)
			}
		}
		collection := id.Child("ruleCollections", name.Value)
		b.emit(collection, view, c.Pos, nil)
		for j, r := range c.Rules {
			b.emitAdminRule(collection, r, j, byDirection)
		}
	}
}

// adminDirections returns the directions a rule is made for: both, unless one
// side is the internet or the rule says which.
func (b *builder) adminDirections(r AdminRule) []string {
	switch strings.ToLower(r.Direction.Value) {
	case "":
	case "inbound":
		return []string{"Inbound"}
	case "outbound":
		return []string{"Outbound"}
	default:
		b.problem(r.Direction.Pos, "write inbound or outbound", "%q is not a direction", r.Direction.Value)
	}
	for _, t := range []Text{r.Deny, r.Allow, r.AlwaysAllow} {
		if s, c := parseSentence(t.Value); t.IsSet() && c == nil && !s.both {
			switch {
			case strings.EqualFold(s.from, "internet"):
				return []string{"Inbound"}
			case strings.EqualFold(s.to, "internet"):
				return []string{"Outbound"}
			}
		}
	}
	return []string{"Inbound", "Outbound"}
}

func (b *builder) emitAdminRule(collection model.ID, r AdminRule, i int, byDirection map[string]*numbers) {
	verb, t, ok := b.ruleText(r.Pos, map[string]Text{"deny": r.Deny, "allow": r.Allow, "always-allow": r.AlwaysAllow})
	if !ok {
		return
	}
	s, from, to, ok := b.ruleSides(t)
	if !ok {
		return
	}
	traffic := s.traffic
	if len(traffic) == 0 {
		traffic = []model.Traffic{{}}
	}
	base := r.Name.Or(fmt.Sprintf("%s-%d", verb, i+1), t.Pos)
	b.checkName(base, "a rule")
	sides := [][2]side{{from, to}}
	if s.both {
		sides = append(sides, [2]side{to, from})
	}
	directions := b.adminDirections(r)
	for _, d := range directions {
		n := 0
		for k, pair := range sides {
			for j, tr := range traffic {
				protocol, known := ruleProtocol(tr.Protocol, "Any")
				if !known {
					b.problem(t.Pos, "use tcp, udp, icmp, esp or ah", "a security admin rule cannot match the protocol of %q", t.Value)
				}
				view := wire.AdminRule{Kind: "Custom", Properties: wire.AdminRuleProperties{
					Description: t.Value, Access: title(verb), Direction: d, Protocol: protocol,
					Priority: byDirection[d].take(b, r.Priority, n, t.Pos),
					Sources:  addressItems(pair[0]), Destinations: addressItems(pair[1]),
					SourcePortRanges: []string{"0-65535"}, DestinationPortRanges: adminPorts(tr),
				}}
				name := base.Value
				if k > 0 {
					name += "-reverse"
				}
				if len(directions) > 1 {
					name += "-" + strings.ToLower(d)
				}
				if j > 0 {
					name += fmt.Sprintf("-%d", j+1)
				}
				b.emit(collection.Child("rules", name), view, t.Pos, nil)
				n++
			}
		}
	}
}

// adminPorts returns ports as security admin rules write them: they have no
// star, everything is 0-65535.
func adminPorts(t model.Traffic) []string {
	if len(t.Ports) == 0 {
		return []string{"0-65535"}
	}
	return portStrings(t)
}

func addressItems(s side) []wire.AddressItem {
	switch {
	case s.any:
		return []wire.AddressItem{{AddressPrefix: "*", AddressPrefixType: "IPPrefix"}}
	case s.tag != "":
		return []wire.AddressItem{{AddressPrefix: s.tag, AddressPrefixType: "ServiceTag"}}
	case s.group != nil:
		return []wire.AddressItem{{AddressPrefix: s.group.id.String(), AddressPrefixType: "NetworkGroup"}}
	}
	var out []wire.AddressItem
	for _, p := range s.prefixes {
		out = append(out, wire.AddressItem{AddressPrefix: p.String(), AddressPrefixType: "IPPrefix"})
	}
	return out
}

// regionPrefixes returns what is in a region: its block, and its virtual
// networks outside of the block.
func (b *builder) regionPrefixes(region string) []netip.Prefix {
	var out []netip.Prefix
	block := b.blocks[region]
	if block.IsValid() {
		out = append(out, block)
	}
	for _, v := range b.vnets {
		for _, p := range v.prefixes {
			if v.region == region && (!block.IsValid() || !block.Overlaps(p) || p.Bits() < block.Bits()) {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, comparePrefix)
	return slices.Compact(out)
}
