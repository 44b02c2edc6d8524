package node

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof"
	"github.com/ceruleannet/cerulean/model"
)

// Isolation is a generated network of hubs and spokes, half of the spokes prod
// and half nonprod, in which nothing of prod is to reach nonprod.
//
// Every hub guards its nonprod spokes in one of three ways and leaves the other
// two open: by the security groups of their subnets, by security admin rules, or
// by the policy of its firewall. Faults are planted, each a different way to
// lose the isolation.
type Isolation struct {
	Resources []*model.Resource
	VNets     int
	Subnets   int
	Rules     int // of security groups, without the default rules
	Planted   []Planted
	// Spare is the ID of a security group that guards a subnet without a fault,
	// and Tagged that of a virtual network: for measuring changes.
	Spare, Tagged model.ID
	// Claim is the expectation that the faults break.
	Claim model.Expectation
}

// Planted is one planted fault.
type Planted struct {
	Kind string `json:"kind"`
	// To are the origins of the ports that can be reached because of it: network
	// interfaces, and subnets for their unassigned addresses.
	To []string `json:"to"`
}

const (
	spokesPerHub   = 250 // half of what Azure allows to peer with one network
	subnetsPerVNet = 10
	groupsPerVNet  = 4
	rulesInbound   = 15 // a security group
	rulesOutbound  = 10
)

// The ways in which a hub's nonprod spokes are guarded.
const (
	byGroups = iota
	byAdmin
	byFirewall
	guardKinds
)

// The sizes, in virtual networks, that fit the address plan and have room for
// the faults.
const (
	MinIsolation = 24
	MaxIsolation = 60 * (spokesPerHub + 1)
)

// GenerateIsolation makes a network of a number of virtual networks with ten
// subnets and a hundred rules each, with faults or without: the same for the
// same seed.
func GenerateIsolation(vnets int, seed uint64, faults bool) (*Isolation, error) {
	if vnets < MinIsolation || vnets > MaxIsolation {
		return nil, fmt.Errorf("%d virtual networks: from %d to %d fit the generated address plan", vnets, MinIsolation, MaxIsolation)
	}
	g := &isolation{
		rng: rand.New(rand.NewPCG(seed, 1)), out: &Isolation{VNets: vnets, Subnets: vnets * subnetsPerVNet},
		group: "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/isolation",
	}
	hubs := max(guardKinds, (vnets+spokesPerHub)/(spokesPerHub+1))
	for h := range hubs {
		// Spokes are dealt out evenly; every hub has at least one of each side.
		n := (vnets - hubs) / hubs
		if h < (vnets-hubs)%hubs {
			n++
		}
		g.hubs = append(g.hubs, g.newHub(h, n))
	}
	if faults {
		g.plant(1 + vnets/5000)
	}
	g.manager()
	g.tables()
	g.policies()
	for _, h := range g.hubs {
		g.emitHub(h)
		for _, s := range h.spokes {
			g.emitSpoke(s)
		}
	}
	label := func(name string) model.Selector {
		return model.Selector{Text: name, All: []model.Label{{Kind: model.LabelGroup, Name: name}}}
	}
	g.out.Claim = model.Expectation{
		Name: "prod never reaches nonprod", Text: "prod -> nonprod", Verb: model.Deny, From: label("prod"), To: label("nonprod"),
	}
	return g.out, nil
}

type isolation struct {
	rng   *rand.Rand
	out   *Isolation
	group string // resource group's ID
	hubs  []*hubPlan
}

// hubPlan is a hub with its block of addresses, a /14.
type hubPlan struct {
	number int
	guard  int
	vnet   vnetPlan
	spokes []*spokePlan
	holes  [][2]string // prefixes that the firewall wrongly joins
	egress bool        // the firewall lets everybody out to port 443
}

type vnetPlan struct {
	name   string
	region string
	base   uint32 // its /22
}

// spokePlan is a spoke with what is wrong in it.
type spokePlan struct {
	vnetPlan
	hub      *hubPlan
	prod     bool
	strict   bool // guarded by its security groups whatever the hub does
	untagged bool // lacks the tag that admin rules go by
	peer     *spokePlan
	holes    map[int][]any // by number of the security group: rules let in
	bare     map[int]bool  // subnets without their security group
	small    bool          // the last subnet is guarded at its interfaces, of which one has a hole
	public   bool          // the host has a public address
}

func (g *isolation) newHub(h, spokes int) *hubPlan {
	base := uint32(10)<<24 | uint32(h)<<18
	hub := &hubPlan{number: h, guard: h % guardKinds}
	hub.vnet = vnetPlan{fmt.Sprintf("hub-%02d", h), generatedRegions[h%len(generatedRegions)], base}
	for i := range spokes {
		s := &spokePlan{
			vnetPlan: vnetPlan{fmt.Sprintf("spoke-%02d-%03d", h, i), hub.vnet.region, base + uint32(i+1)<<10},
			hub:      hub, prod: i%2 == 0, holes: map[int][]any{}, bare: map[int]bool{},
		}
		s.strict = hub.guard == byGroups
		hub.spokes = append(hub.spokes, s)
	}
	return hub
}

func cidr(base uint32, bits int) string {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(base >> 24), byte(base >> 16), byte(base >> 8), byte(base)}), bits).String()
}

func dotted(a uint32) string { return strings.TrimSuffix(cidr(a, 32), "/32") }

func (v *vnetPlan) prefix() string { return cidr(v.base, 22) }

func (v *vnetPlan) subnet(i int) string { return cidr(v.base+uint32(i)<<6, 26) }

// id returns the ID of a resource of the network.
func (g *isolation) id(kind, name string) string {
	return g.group + "/providers/Microsoft.Network/" + kind + "/" + name
}

func (g *isolation) vnetID(v *vnetPlan) string { return g.id("virtualNetworks", v.name) }

func (g *isolation) subnetID(v *vnetPlan, i int) string {
	return fmt.Sprintf("%s/subnets/s%d", g.vnetID(v), i)
}

func (g *isolation) nicID(s *spokePlan, n int) string {
	return g.id("networkInterfaces", fmt.Sprintf("%s-nic-%d", s.name, n))
}

func (g *isolation) nsgID(v *vnetPlan, n int) string {
	return g.id("networkSecurityGroups", fmt.Sprintf("%s-nsg-%d", v.name, n))
}

// whole are the origins of the ports of a spoke's subnet.
func (g *isolation) whole(s *spokePlan, i int) []string {
	to := []string{g.subnetID(&s.vnetPlan, i)}
	if i == 0 {
		to = append(to, g.nicID(s, 0))
	}
	return to
}

// plant decides on the faults, each kind so many times.
func (g *isolation) plant(copies int) {
	pick := func(guard int, prod bool) *spokePlan {
		for {
			h := g.hubs[g.rng.IntN(len(g.hubs))]
			s := h.spokes[g.rng.IntN(len(h.spokes))]
			if h.guard == guard && s.prod == prod {
				return s
			}
		}
	}
	// A place of a nonprod spoke that no fault uses yet.
	used := map[string]bool{}
	place := func(guard int, where int) *spokePlan {
		for {
			s := pick(guard, false)
			if k := fmt.Sprint(s.name, " ", where); !used[k] && !used[s.name] {
				used[k] = true
				return s
			}
			if copies++; copies > 10_000 {
				panic("node: no room for the planted faults")
			}
		}
	}
	add := func(kind string, to ...string) { g.out.Planted = append(g.out.Planted, Planted{kind, to}) }
	for range copies {
		// The subnets of security group n are n, n+4 and n+8.
		s := place(byGroups, 1)
		from := pick(byGroups, true)
		s.holes[1] = append(s.holes[1], ruleDoc("hole", 150, true, true, "Tcp", from.subnet(3), s.subnet(1), "22"))
		add("a rule of a security group for one subnet", g.subnetID(&s.vnetPlan, 1))

		s = place(byGroups, 2)
		s.holes[2] = append(s.holes[2], ruleDoc("everybody", 150, true, true, "Tcp", "10.0.0.0/8", "*", "8080"))
		add("a rule of a security group for everybody", g.subnetID(&s.vnetPlan, 2), g.subnetID(&s.vnetPlan, 6))

		s = place(byGroups, 3)
		s.bare[3] = true
		add("a subnet without a security group", g.subnetID(&s.vnetPlan, 3))

		s = place(byGroups, 9)
		s.small = true
		add("a rule of an interface's security group", g.nicID(s, 2))

		s = place(byGroups, 0)
		s.public, pick(byGroups, true).hub.egress = true, true
		s.holes[0] = append(s.holes[0], ruleDoc("public", 150, true, true, "Tcp", "Internet", s.subnet(0), "443"))
		add("a public address, reached with the firewall's source", g.nicID(s, 0))

		s = place(byAdmin, 4)
		s.strict = true // an allow rule of the manager would not do
		s.holes[-1] = append(s.holes[-1], nil)
		add("an admin rule that always allows", g.subnetID(&s.vnetPlan, 4))

		s = place(byFirewall, 5)
		from = pick(byFirewall, true)
		s.hub.holes = append(s.hub.holes, [2]string{from.subnet(2), s.subnet(5)})
		if from.hub != s.hub {
			from.hub.holes = append(from.hub.holes, [2]string{from.subnet(2), s.subnet(5)})
		}
		add("a rule of the firewalls", g.subnetID(&s.vnetPlan, 5))
	}
	for range copies {
		s := place(byAdmin, 100)
		for s.strict {
			s = place(byAdmin, 100)
		}
		used[s.name], s.untagged = true, true
		add("a network that no admin rules apply to", g.all(s)...)

		s = place(byFirewall, 100)
		for s.peer != nil {
			s = place(byFirewall, 100)
		}
		from := pick(byFirewall, true)
		for from.peer != nil || from.hub != s.hub {
			from = pick(byFirewall, true)
		}
		s.peer, from.peer = from, s
		add("a peering past the firewall", g.all(s)...)
	}
}

// all are the origins of all ports of a spoke.
func (g *isolation) all(s *spokePlan) []string {
	var to []string
	for i := range subnetsPerVNet {
		to = append(to, g.whole(s, i)...)
	}
	return to
}

func (g *isolation) add(id string, doc map[string]any) {
	parsed := model.MustParseID(id)
	doc["id"], doc["name"], doc["type"] = id, parsed.Name(), parsed.Type()
	g.out.Resources = append(g.out.Resources, &model.Resource{ID: parsed, Doc: doc})
}

type object = map[string]any

func refTo(id string) object { return object{"id": id} }

// manager makes the network manager: the groups, and the rules that guard a
// third of the nonprod spokes.
func (g *isolation) manager() {
	subscription := model.SubscriptionID("00000000-0000-0000-0000-000000000001")
	manager := g.id("networkManagers", "manager")
	g.add(manager, object{"location": generatedRegions[0], "properties": object{
		"networkManagerScopes":        object{"subscriptions": []any{subscription.String()}},
		"networkManagerScopeAccesses": []any{"Connectivity", "SecurityAdmin"},
	}})
	group := func(name string, tags ...string) string {
		id := manager + "/networkGroups/" + name
		g.add(id, object{"properties": object{"memberType": "VirtualNetwork"}})
		all := []any{object{"field": "type", "equals": model.TypeVirtualNetwork}}
		for i := 0; i < len(tags); i += 2 {
			all = append(all, object{"field": "tags['" + tags[i] + "']", "equals": tags[i+1]})
		}
		definition := subscription.Resource(model.TypePolicyDefinition, name).String()
		g.add(definition, object{"properties": object{"mode": "Microsoft.Network.Data", "policyRule": object{
			"if":   object{"allOf": all},
			"then": object{"effect": "addToNetworkGroup", "details": object{"networkGroupId": id}},
		}}})
		g.add(subscription.Resource(model.TypePolicyAssignment, name).String(), object{"properties": object{"policyDefinitionId": definition}})
		return id
	}
	prod := group("prod", "env", "prod")
	group("nonprod", "env", "nonprod")
	guarded := group("guarded", "env", "nonprod", "guard", "admin")
	config := manager + "/securityAdminConfigurations/isolation"
	g.add(config, object{"properties": object{}})
	collection := config + "/ruleCollections/guarded"
	g.add(collection, object{"properties": object{"appliesToGroups": []any{object{"networkGroupId": guarded}}}})
	rule := func(name, access string, priority int, src, dst []any, ports ...any) {
		g.add(collection+"/rules/"+name, object{"kind": "Custom", "properties": object{
			"access": access, "direction": "Inbound", "priority": priority, "protocol": "Tcp",
			"sources": src, "destinations": dst, "sourcePortRanges": []any{"0-65535"}, "destinationPortRanges": ports,
		}})
	}
	prefix := func(p string) []any { return []any{object{"addressPrefix": p, "addressPrefixType": "IPPrefix"}} }
	n := 0
	for _, h := range g.hubs {
		for _, s := range h.spokes {
			for range s.holes[-1] {
				rule(fmt.Sprintf("backup-%d", n), "AlwaysAllow", 10+n, prefix(g.hubs[0].spokes[0].subnet(0)), prefix(s.subnet(4)), "8443")
				n++
			}
		}
	}
	g.add(collection+"/rules/isolate", object{"kind": "Custom", "properties": object{
		"access": "Deny", "direction": "Inbound", "priority": 100, "protocol": "Any",
		"sources":      []any{object{"addressPrefix": prod, "addressPrefixType": "NetworkGroup"}},
		"destinations": prefix("*"), "sourcePortRanges": []any{"0-65535"}, "destinationPortRanges": []any{"0-65535"},
	}})
	for _, region := range generatedRegions {
		g.add(manager+"/commits/SecurityAdmin."+region, object{"properties": object{
			"commitType": "SecurityAdmin", "targetLocation": region, "configurationIds": []any{config},
		}})
	}
}

func (h *hubPlan) firewallAddr() string { return dotted(h.vnet.base + 4) }

// tables makes two route tables a hub: spokes send everything to the firewall,
// firewalls send the blocks of other hubs to theirs.
func (g *isolation) tables() {
	route := func(name, prefix, via string) any {
		return object{"name": name, "properties": object{"addressPrefix": prefix, "nextHopType": "VirtualAppliance", "nextHopIpAddress": via}}
	}
	for _, h := range g.hubs {
		g.add(g.id("routeTables", h.vnet.name+"-spokes"), object{"location": h.vnet.region, "properties": object{
			"routes": []any{route("default", "0.0.0.0/0", h.firewallAddr())},
		}})
		var others []any
		for _, o := range g.hubs {
			if o != h {
				others = append(others, route(o.vnet.name, cidr(o.vnet.base, 14), o.firewallAddr()))
			}
		}
		g.add(g.id("routeTables", h.vnet.name+"-firewall"), object{"location": h.vnet.region, "properties": object{"routes": others}})
	}
}

// policies makes the firewalls' policies: those that guard keep the two sides
// apart, the others let everything pass inside.
func (g *isolation) policies() {
	var sides [2][]any
	for _, h := range g.hubs {
		for _, s := range h.spokes {
			if s.prod {
				sides[0] = append(sides[0], s.prefix())
			} else {
				sides[1] = append(sides[1], s.prefix())
			}
		}
	}
	var groups [2]string
	for i, name := range []string{"prod", "nonprod"} {
		groups[i] = g.id("ipGroups", name)
		g.add(groups[i], object{"location": generatedRegions[0], "properties": object{"ipAddresses": sides[i]}})
	}
	for _, h := range g.hubs {
		policy := g.id("firewallPolicies", h.vnet.name)
		g.add(policy, object{"location": h.vnet.region, "properties": object{}})
		var rules []any
		rule := func(name string, protocol string, ports string, side object) {
			r := object{"ruleType": "NetworkRule", "name": name, "ipProtocols": []any{protocol}, "destinationPorts": []any{ports}}
			for k, v := range side {
				r[k] = v
			}
			rules = append(rules, r)
		}
		for i, hole := range h.holes {
			rule(fmt.Sprintf("migration-%d", i), "TCP", "8443", object{"sourceAddresses": []any{hole[0]}, "destinationAddresses": []any{hole[1]}})
		}
		if h.guard == byFirewall {
			for i, name := range []string{"prod", "nonprod"} {
				rule(name, "Any", "*", object{"sourceIpGroups": []any{groups[i]}, "destinationIpGroups": []any{groups[i]}})
			}
		} else {
			rule("inside", "Any", "*", object{"sourceAddresses": []any{"10.0.0.0/8"}, "destinationAddresses": []any{"10.0.0.0/8"}})
		}
		if h.egress {
			rule("web", "TCP", "443", object{"sourceAddresses": []any{"10.0.0.0/8"}, "destinationAddresses": []any{"*"}})
		}
		g.add(policy+"/ruleCollectionGroups/rules", object{"properties": object{"priority": 200, "ruleCollections": []any{object{
			"ruleCollectionType": "FirewallPolicyFilterRuleCollection", "name": "allow", "priority": 200,
			"action": object{"type": "Allow"}, "rules": rules,
		}}}})
	}
}

func (g *isolation) peering(from, to *vnetPlan) any {
	return object{"name": "to-" + to.name, "properties": object{
		"remoteVirtualNetwork": refTo(g.vnetID(to)), "allowVirtualNetworkAccess": true, "allowForwardedTraffic": true,
	}}
}

func (g *isolation) publicIP(name, region, addr string) string {
	id := g.id("publicIPAddresses", name)
	g.add(id, object{"location": region, "sku": object{"name": "Standard"}, "properties": object{"ipAddress": addr}})
	return id
}

func (g *isolation) emitHub(h *hubPlan) {
	v := &h.vnet
	subnets := []any{object{"name": "AzureFirewallSubnet", "properties": object{
		"addressPrefix": v.subnet(0), "routeTable": refTo(g.id("routeTables", v.name+"-firewall")),
	}}}
	for i := 1; i < subnetsPerVNet; i++ {
		subnets = append(subnets, object{"name": fmt.Sprintf("s%d", i), "properties": object{
			"addressPrefix": v.subnet(i), "networkSecurityGroup": refTo(g.nsgID(v, i%groupsPerVNet)),
		}})
	}
	var peerings []any
	for _, o := range g.hubs {
		if o != h {
			peerings = append(peerings, g.peering(v, &o.vnet))
		}
	}
	for _, s := range h.spokes {
		peerings = append(peerings, g.peering(v, &s.vnetPlan))
	}
	g.add(g.vnetID(v), object{"location": v.region, "tags": object{"role": "hub"}, "properties": object{
		"addressSpace": object{"addressPrefixes": []any{v.prefix()}}, "subnets": subnets, "virtualNetworkPeerings": peerings,
	}})
	for n := range groupsPerVNet {
		g.emitNSG(v, n, false, nil, "10.0.0.0/8")
	}
	public := g.publicIP(v.name+"-firewall", v.region, fmt.Sprintf("51.1.%d.%d", h.number/200, 1+h.number%200))
	g.add(g.id("azureFirewalls", v.name), object{"location": v.region, "properties": object{
		"firewallPolicy": refTo(g.id("firewallPolicies", v.name)),
		"ipConfigurations": []any{object{"name": "config", "properties": object{
			"privateIPAddress": h.firewallAddr(), "subnet": refTo(g.vnetID(v) + "/subnets/AzureFirewallSubnet"), "publicIPAddress": refTo(public),
		}}},
	}})
}

func (g *isolation) emitSpoke(s *spokePlan) {
	v := &s.vnetPlan
	table := refTo(g.id("routeTables", s.hub.vnet.name+"-spokes"))
	var subnets []any
	for i := range subnetsPerVNet {
		p := object{"addressPrefix": v.subnet(i), "routeTable": table}
		switch {
		case s.small && i == subnetsPerVNet-1:
			p["addressPrefix"] = cidr(v.base+uint32(i)<<6, 29)
		case !s.bare[i]:
			p["networkSecurityGroup"] = refTo(g.nsgID(v, i%groupsPerVNet))
		}
		subnets = append(subnets, object{"name": fmt.Sprintf("s%d", i), "properties": p})
	}
	peerings := []any{g.peering(v, &s.hub.vnet)}
	if s.peer != nil {
		peerings = append(peerings, g.peering(v, &s.peer.vnetPlan))
	}
	tags := object{"env": "nonprod"}
	if s.prod {
		tags["env"] = "prod"
	} else if s.hub.guard == byAdmin && !s.untagged {
		tags["guard"] = "admin"
	}
	g.add(g.vnetID(v), object{"location": v.region, "tags": tags, "properties": object{
		"addressSpace": object{"addressPrefixes": []any{v.prefix()}}, "subnets": subnets, "virtualNetworkPeerings": peerings,
	}})
	for n := range groupsPerVNet {
		g.emitNSG(v, n, s.strict, s.holes[n], s.hub.side(s.prod))
	}
	if s.strict && !s.prod && len(s.holes) == 0 && g.out.Spare.IsZero() {
		g.out.Spare, g.out.Tagged = model.MustParseID(g.nsgID(v, 2)), model.MustParseID(g.vnetID(v))
	}
	nic := func(n, subnet int, addr uint32, more object) {
		p := object{"privateIPAddress": dotted(addr), "subnet": refTo(g.subnetID(v, subnet))}
		doc := object{}
		for k, x := range more {
			if k == "publicIPAddress" {
				p[k] = x
			} else {
				doc[k] = x
			}
		}
		doc["ipConfigurations"] = []any{object{"name": "config", "properties": p}}
		g.add(g.nicID(s, n), object{"location": v.region, "properties": doc})
	}
	more := object{}
	if s.public {
		more["publicIPAddress"] = refTo(g.publicIP(v.name+"-host", v.region, fmt.Sprintf("51.2.%d.%d", s.hub.number, (v.base>>10)&255)))
	}
	nic(0, 0, v.base+4, more)
	if s.small {
		// Three interfaces leave no address of the /29 unassigned.
		for n := 1; n <= 3; n++ {
			number := groupsPerVNet + n
			var holes []any
			if n == 2 {
				holes = []any{ruleDoc("hole", 150, true, true, "Tcp", "10.0.0.0/8", "*", "5432")}
			}
			g.emitNSG(v, number, true, holes, s.hub.side(s.prod))
			nic(n, subnetsPerVNet-1, v.base+uint32(subnetsPerVNet-1)<<6+3+uint32(n), object{"networkSecurityGroup": refTo(g.nsgID(v, number))})
		}
	}
}

// side is a prefix of a spoke of the same side, at random enough.
func (h *hubPlan) side(prod bool) string {
	for i := len(h.spokes) - 1; i >= 0; i-- {
		if h.spokes[i].prod == prod {
			return h.spokes[i].prefix()
		}
	}
	return h.vnet.prefix()
}

// emitNSG makes a security group. A strict one lets in what it names and
// denies the rest; the others let in everything of the private networks.
func (g *isolation) emitNSG(v *vnetPlan, n int, strict bool, holes []any, side string) {
	rules := make([]any, 0, rulesInbound+rulesOutbound+len(holes))
	rules = append(rules, holes...)
	port := func() string { return portTexts[g.rng.IntN(len(portTexts))] }
	protocol := func() string { return [...]string{"Tcp", "Tcp", "Tcp", "Udp", "*"}[g.rng.IntN(5)] }
	for i := range rulesInbound - 1 {
		src := side
		switch i % 5 {
		case 0:
			src = v.prefix()
		case 1:
			src = v.subnet(g.rng.IntN(subnetsPerVNet))
		case 2:
			src = "AzureLoadBalancer"
		case 3:
			src = cidr(v.base&^(1<<18-1), 22) // the hub
		}
		// A few rules deny again what the last one denies anyway.
		allow := g.rng.IntN(6) > 0
		rules = append(rules, ruleDoc(inboundNames[i], 200+10*i, true, allow, protocol(), src, "*", port()))
	}
	if strict {
		rules = append(rules, ruleDoc("deny-rest", 4096, true, false, "*", "*", "*", "*"))
	} else {
		rules = append(rules, ruleDoc("allow-private", 4096, true, true, "*", "10.0.0.0/8", "*", "*"))
	}
	for i := range rulesOutbound {
		dst, allow := "10.0.0.0/8", true
		switch i % 4 {
		case 0:
			dst = v.prefix()
		case 1:
			dst = "Internet"
		case 2:
			dst, allow = fmt.Sprintf("192.168.%d.0/24", g.rng.IntN(250)), false
		}
		rules = append(rules, ruleDoc(outboundNames[i], 200+10*i, false, allow, protocol(), "*", dst, port()))
	}
	g.out.Rules += len(rules)
	g.add(g.nsgID(v, n), object{"location": v.region, "properties": object{"securityRules": rules}})
}

var (
	portTexts     = texts(40, func(i int) string { return fmt.Sprint([...]int{22, 80, 443, 1433, 5432, 8000, 9000, 11000}[i%8] + i/8) })
	inboundNames  = texts(rulesInbound, func(i int) string { return fmt.Sprintf("in-%d", i) })
	outboundNames = texts(rulesOutbound, func(i int) string { return fmt.Sprintf("out-%d", i) })
)

func texts(n int, f func(int) string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

// ruleDoc is the document of one rule of a security group.
func ruleDoc(name string, priority int, inbound, allow bool, protocol, src, dst, port string) any {
	direction, access := "Outbound", "Deny"
	if inbound {
		direction = "Inbound"
	}
	if allow {
		access = "Allow"
	}
	return object{"name": name, "properties": object{
		"priority": priority, "direction": direction, "access": access, "protocol": protocol,
		"sourceAddressPrefix": src, "sourcePortRange": "*", "destinationAddressPrefix": dst, "destinationPortRange": port,
	}}
}

// Judge compares the ports that were found to be reached with what was planted:
// faults that were missed, by kind, and ports that no fault opens.
func (d *Isolation) Judge(img *fabric.Image, reached []proof.Reached) (missed, wrong []string) {
	got := map[string]bool{}
	for _, r := range reached {
		got[img.Ports[r.To].Origin.Resource] = true
	}
	for _, p := range d.Planted {
		for _, to := range p.To {
			if !got[to] {
				missed = append(missed, p.Kind+": "+to)
			}
			delete(got, to)
		}
	}
	for to := range got {
		wrong = append(wrong, to)
	}
	slices.Sort(wrong)
	return missed, wrong
}
