package intent

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// NetworkTag is the tag of every resource group of a network; its value is the
// network's name.
const NetworkTag = "cerulean-network"

// emit adds a resource made of a typed view. At holds the places of its parts.
func (b *builder) emit(id model.ID, view any, pos model.Pos, at map[string]model.Pos) {
	r, err := model.NewResource(id, view, pos)
	if err != nil {
		b.problem(pos, "", "%v", err)
		return
	}
	r.At = at
	b.add(r)
}

func (b *builder) add(r *model.Resource) {
	if first, dup := b.byKey[r.ID.Key()]; dup {
		b.problem(r.Pos, fmt.Sprintf("it is already at %s; rename one", first.Pos), "duplicate %s %q", r.Type(), r.ID.Name())
		return
	}
	b.byKey[r.ID.Key()] = r
	b.resources = append(b.resources, r)
}

// none is the word for the deliberate absence of a reference.
const none = "none"

// reference resolves the name of something that exists once in each region
// where it is used: one of the document's, or one given in its Resource
// Manager shape.
func (b *builder) reference(t Text, region, resourceType, what string, declared []string) *wire.Ref {
	if !t.IsSet() || t.Value == none {
		return nil
	}
	if slices.Contains(declared, t.Value) {
		id := b.groupOf(region).Resource(resourceType, t.Value)
		b.use(id, t.Value, region)
		return &wire.Ref{ID: id.String()}
	}
	for _, r := range b.raw {
		if r.ID.Is(resourceType) && strings.EqualFold(r.ID.Name(), t.Value) && (r.Location() == region || r.Location() == "") {
			return &wire.Ref{ID: r.ID.String()}
		}
	}
	candidates := slices.Clone(declared)
	for _, r := range b.raw {
		if r.ID.Is(resourceType) {
			candidates = append(candidates, r.ID.Name())
		}
	}
	b.problem(t.Pos, suggestion(t.Value, candidates, "declare it, or write none"), "there is no %s %q", what, t.Value)
	return nil
}

// use notes that a security group, route table or the like is needed in a
// region.
func (b *builder) use(id model.ID, name, region string) {
	if slices.ContainsFunc(b.uses, func(u usage) bool { return u.id.Equal(id) }) {
		return
	}
	b.uses = append(b.uses, usage{id, name, region})
}

// usage is a thing declared once and made in each region that uses it.
type usage struct {
	id           model.ID
	name, region string
}

// emitPlaces makes the virtual networks, hosts, firewalls and public IPs.
func (b *builder) emitPlaces() {
	for _, v := range b.vnets {
		if v.raw {
			continue
		}
		b.emitVNet(v)
	}
	for _, f := range b.firewalls {
		b.emitFirewall(f)
	}
	b.emitNouns()
	for _, h := range b.hosts {
		b.emitHost(h)
	}
	b.emitManagers()
	b.emitFrontDoors()
}

func (b *builder) emitVNet(v *vnet) {
	at := map[string]model.Pos{}
	view := wire.VirtualNetwork{Head: wire.Head{Location: v.region, Tags: v.tags}}
	view.Properties.AddressSpace.AddressPrefixes = []string{}
	for _, p := range v.prefixes {
		view.Properties.AddressSpace.AddressPrefixes = append(view.Properties.AddressSpace.AddressPrefixes, p.String())
	}
	if len(v.spec.Address) > 0 {
		at["/properties/addressSpace"] = v.spec.Address[0].Pos
	}
	for _, e := range v.spec.Tags {
		at["/tags/"+escapePointer(e.Key.Value)] = e.Key.Pos
	}
	if len(v.spec.DNSServers) > 0 {
		view.Properties.DHCPOptions = &wire.DHCPOptions{}
		for _, t := range v.spec.DNSServers {
			if _, err := netip.ParseAddr(t.Value); err != nil {
				b.problem(t.Pos, "write the server's address", "%q is not an address", t.Value)
				continue
			}
			view.Properties.DHCPOptions.DNSServers = append(view.Properties.DHCPOptions.DNSServers, t.Value)
		}
	}
	for i, s := range v.subnets {
		sub := wire.Subnet{Name: s.name}
		if s.prefix.IsValid() {
			sub.Properties.AddressPrefix = s.prefix.String()
		}
		sub.Properties.NetworkSecurityGroup = b.reference(s.spec.NSG, v.region, model.TypeNSG, "network security group", b.doc.NSGs.Keys())
		sub.Properties.RouteTable = b.reference(s.spec.RouteTable, v.region, model.TypeRouteTable, "route table", b.doc.RouteTables.Keys())
		if f := v.firewall; f != nil && f.subnet == s && len(b.firewallRoutes[f]) > 0 {
			sub.Properties.RouteTable = &wire.Ref{ID: b.firewallTable(f).String()}
		}
		sub.Properties.NATGateway = b.natGatewayOf(s)
		sub.Properties.ServiceEndpoints = b.endpointsOf(s)
		sub.Properties.PrivateEndpointNetworkPolicies = b.endpointPolicies(s)
		if out := s.spec.DefaultOutboundAccess.Or(false); s.name != firewallSubnet && s.name != gatewaySubnet && s.name != routeServerSubnet {
			sub.Properties.DefaultOutboundAccess = &out
		}
		pointer := "/properties/subnets/" + strconv.Itoa(i)
		at[pointer] = s.pos
		for suffix, t := range map[string]Text{"addressPrefix": s.spec.Address, "networkSecurityGroup": s.spec.NSG, "routeTable": s.spec.RouteTable, "natGateway": s.spec.NATGateway, "privateEndpointNetworkPolicies": s.spec.PrivateEndpointPolicies} {
			if t.IsSet() {
				at[pointer+"/properties/"+suffix] = t.Pos
			}
		}
		view.Properties.Subnets = append(view.Properties.Subnets, sub)
	}
	b.emit(v.id, view, v.pos, at)
}

func (b *builder) emitFirewall(f *firewall) {
	yes := true
	public := b.emitPublicIP(f.vnet.region, f.name, "Standard", f.public, f.spec.PublicIP.Pos, f.pos)
	ip := wire.IPConfiguration{Name: "ipconfig1"}
	ip.Properties = wire.IPConfigurationProperties{
		Subnet: &wire.Ref{ID: f.subnet.id.String()}, PublicIPAddress: &wire.Ref{ID: public.String()},
		PrivateIPAllocationMethod: "Dynamic", Primary: &yes,
	}
	if f.addr.IsValid() {
		ip.Properties.PrivateIPAddress = f.addr.String()
	}
	tier := f.spec.Tier.Or("Standard", f.pos)
	if !slices.Contains([]string{"Basic", "Standard", "Premium"}, tier.Value) {
		b.problem(tier.Pos, suggestion(tier.Value, []string{"Basic", "Standard", "Premium"}, ""), "%q is not a tier of Azure Firewall", tier.Value)
	}
	view := wire.Firewall{Head: wire.Head{Location: f.vnet.region}}
	view.Properties.SKU = &wire.SKU{Name: "AZFW_VNet", Tier: tier.Value}
	view.Properties.IPConfigurations = []wire.IPConfiguration{ip}
	at := map[string]model.Pos{}
	if t := f.spec.Policy; t.IsSet() {
		at["/properties/firewallPolicy"] = t.Pos
		if id, ok := b.policyFor(t, f.vnet.region); ok {
			view.Properties.FirewallPolicy = &wire.Ref{ID: id.String()}
		}
	} else {
		b.problem(f.pos, "add policy: NAME", "firewall %s has no policy", f.name)
	}
	b.emit(f.id, view, f.pos, at)
}

// emitPublicIP makes the public IP of an owner and returns its ID.
func (b *builder) emitPublicIP(region, owner, sku string, addr netip.Addr, given, pos model.Pos) model.ID {
	return b.emitPublicIPOf("Regional", region, owner, sku, addr, given, pos)
}

// emitPublicIPOf emits a public address of a tier: Regional or Global.
func (b *builder) emitPublicIPOf(tier, region, owner, sku string, addr netip.Addr, given, pos model.Pos) model.ID {
	id := b.groupOf(region).Resource(model.TypePublicIP, owner+publicSuffix)
	view := wire.PublicIP{Head: wire.Head{Location: region}, SKU: &wire.SKU{Name: sku, Tier: tier}}
	view.Properties = wire.PublicIPProperties{PublicIPAllocationMethod: "Static", PublicIPAddressVersion: "IPv4"}
	if addr.IsValid() {
		view.Properties.IPAddress = addr.String()
		if addr.Is6() {
			view.Properties.PublicIPAddressVersion = "IPv6"
		}
	}
	b.emit(id, view, placeOr(given, pos), nil)
	return id
}

func (b *builder) nicID(h *host) model.ID {
	return b.groupOf(h.subnet.vnet.region).Resource(model.TypeNIC, h.name+"-nic")
}

func (b *builder) vmID(h *host) model.ID {
	return b.groupOf(h.subnet.vnet.region).Resource(model.TypeVM, h.name)
}

func (b *builder) emitHost(h *host) {
	region := h.subnet.vnet.region
	yes := true
	ip := wire.IPConfiguration{Name: "ipconfig1"}
	ip.Properties = wire.IPConfigurationProperties{
		PrivateIPAllocationMethod: "Static", PrivateIPAddressVersion: "IPv4", Primary: &yes,
		Subnet:   &wire.Ref{ID: h.subnet.id.String()},
		Balanced: wire.Balanced{BackendAddressPools: h.pools, InboundNATRules: h.natRules},
	}
	at := map[string]model.Pos{}
	if h.addr.IsValid() {
		ip.Properties.PrivateIPAddress = h.addr.String()
		if h.addr.Is6() {
			ip.Properties.PrivateIPAddressVersion = "IPv6"
		}
	}
	if h.spec.PublicIP.Wanted {
		id := b.emitPublicIP(region, h.name, "Standard", h.public, h.spec.PublicIP.Pos, h.pos)
		ip.Properties.PublicIPAddress = &wire.Ref{ID: id.String()}
		at["/properties/ipConfigurations/0/properties/publicIPAddress"] = h.spec.PublicIP.Pos
	}
	for _, t := range h.spec.ASGs {
		if !b.checkName(t, "an application security group") {
			continue
		}
		id := b.groupOf(region).Resource(model.TypeASG, t.Value)
		ip.Properties.ApplicationSecurityGroups = append(ip.Properties.ApplicationSecurityGroups, wire.Ref{ID: id.String()})
		if b.byKey[id.Key()] == nil {
			b.emit(id, wireASG{Head: wire.Head{Location: region}}, t.Pos, nil)
		}
	}
	tags := tagMap(h.spec.Tags)
	for k, v := range b.applianceTags(h) {
		tags[k] = v
	}
	nic := wire.NIC{Head: wire.Head{Location: region, Tags: tags}}
	nic.Properties = wire.NICProperties{
		IPConfigurations:     []wire.IPConfiguration{ip},
		EnableIPForwarding:   h.spec.IPForwarding.Or(false),
		NetworkSecurityGroup: b.reference(h.spec.NSG, region, model.TypeNSG, "network security group", b.doc.NSGs.Keys()),
	}
	if h.spec.IPForwarding.IsSet() {
		at["/properties/enableIPForwarding"] = h.spec.IPForwarding.Pos
	}
	if h.spec.NSG.IsSet() {
		at["/properties/networkSecurityGroup"] = h.spec.NSG.Pos
	}
	b.emit(b.nicID(h), nic, h.pos, at)
	vmAt := map[string]model.Pos{}
	vm := wire.VM{Head: wire.Head{Location: region, Tags: tagMap(h.spec.Tags)}}
	if h.spec.Zone.IsSet() {
		vm.Zones = []string{strconv.Itoa(b.zoneOf(h))}
		vmAt["/zones"] = h.spec.Zone.Pos
	}
	vm.Properties.HardwareProfile = &wire.HardwareProfile{VMSize: "Standard_B2s"}
	vm.Properties.NetworkProfile.NetworkInterfaces = []wire.Ref{{ID: b.nicID(h).String()}}
	if identity := b.oneOf("identity", h.spec.Identity, identityOf(h.spec), map[string]string{"system": "SystemAssigned", "none": "None"}); identity != "None" {
		vm.Identity = &wire.Identity{Type: identity}
		vmAt["/identity"] = h.spec.Identity.Pos
		if !h.spec.Identity.IsSet() {
			vmAt["/identity"] = h.spec.Roles[0].Pos
		}
	} else if len(h.spec.Roles) > 0 {
		b.problem(h.spec.Identity.Pos, "write identity: system, or remove its roles", "host %s has roles and no managed identity to have them", h.name)
	}
	b.emit(b.vmID(h), vm, h.pos, vmAt)
}

// identityOf is the managed identity of a host that says nothing of it.
func identityOf(h Host) string {
	if len(h.Roles) > 0 {
		return "system"
	}
	return none
}

// wireASG is Microsoft.Network/applicationSecurityGroups, which has no
// properties to set.
type wireASG struct {
	wire.Head
	Properties struct{} `json:"properties"`
}

// emitHosts returns the hosts with what they serve.
func (b *builder) emitHosts() []model.Host {
	var out []model.Host
	for _, h := range b.hosts {
		host := model.Host{Name: h.name, VM: b.vmID(h), NICs: []model.ID{b.nicID(h)}, Pos: h.pos}
		host.Services = b.servicesOf("host "+h.name, h.spec.Serves)
		host.Service = b.discovered(h, len(host.Services) > 0)
		host.Run = b.runOf(h)
		out = append(out, host)
	}
	out = append(out, b.rawHosts(out)...)
	slices.SortFunc(out, func(x, y model.Host) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// servicesOf reads what somebody listens on.
func (b *builder) servicesOf(who string, serves Texts) []model.Service {
	var out []model.Service
	for _, t := range serves {
		for text := range strings.SplitSeq(t.Value, ",") {
			s, c := parseService(strings.TrimSpace(text))
			if c != nil {
				b.problem(t.Pos, c.fix, "%s: %s", who, c.what)
				continue
			}
			s.Pos = t.Pos
			if slices.ContainsFunc(out, func(o model.Service) bool {
				both := o.Kind == model.ServiceDNS || s.Kind == model.ServiceDNS
				return o.Port == s.Port && (both || (o.Kind == model.ServiceUDP) == (s.Kind == model.ServiceUDP))
			}) {
				b.problem(t.Pos, "use another port", "%s serves port %d twice", who, s.Port)
				continue
			}
			out = append(out, s)
		}
	}
	return out
}

// rawHosts returns the virtual machines given in their Resource Manager shape:
// hosts that serve nothing, but send, and answer that a port is closed.
func (b *builder) rawHosts(declared []model.Host) []model.Host {
	var out []model.Host
	for _, r := range b.raw {
		var vm wire.VM
		taken := func(h model.Host) bool { return strings.EqualFold(h.Name, r.ID.Name()) }
		if !r.ID.Is(model.TypeVM) || wire.Decode(r.Doc, &vm) != nil || slices.ContainsFunc(declared, taken) || slices.ContainsFunc(out, taken) {
			continue // a document that is wrong is reported by the compiler
		}
		host := model.Host{Name: r.ID.Name(), VM: r.ID, Pos: r.Pos}
		for _, ref := range vm.Properties.NetworkProfile.NetworkInterfaces {
			if id, err := model.ParseID(ref.ID); err == nil {
				host.NICs = append(host.NICs, id)
			}
		}
		if len(host.NICs) > 0 {
			out = append(out, host)
		}
	}
	return out
}

// parseService reads what a host listens on.
func parseService(text string) (model.Service, *complaint) {
	kind, port, hasPort := strings.Cut(strings.ToLower(text), "/")
	s := model.Service{Kind: model.ServiceKind(kind)}
	kinds := []string{"tcp", "udp", "http", "https", "whoami", "dns"}
	if !slices.Contains(kinds, kind) {
		return s, complain(suggestion(kind, kinds, "write https/443, http/80, tcp/5432 or udp/53"), "%q is not a service", text)
	}
	if !hasPort {
		switch s.Kind {
		case model.ServiceHTTP, model.ServiceWhoAmI:
			s.Port = 80
		case model.ServiceDNS:
			s.Port = 53
		case model.ServiceHTTPS:
			s.Port = 443
		default:
			return s, complain("write "+kind+"/PORT", "service %q has no port", text)
		}
		return s, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return s, complain("write a number from 1 to 65535", "service %q: %q is not a port", text, port)
	}
	s.Port = uint16(n)
	return s, nil
}

// emitResourceGroups makes the resource groups that the resources are in.
func (b *builder) emitResourceGroups() {
	locations := map[string]string{strings.ToLower(b.globalGroup().String()): b.home()}
	for _, r := range b.regions {
		locations[b.groupOf(r).Key()] = r
	}
	made := map[string]bool{}
	for _, r := range slices.Clone(b.resources) {
		g := r.ID.ResourceGroup()
		if g == "" || r.ID.Is(model.TypeResourceGroup) || !strings.EqualFold(r.ID.Subscription(), b.subscription) {
			continue
		}
		id := model.GroupID(b.subscription, g)
		if made[id.Key()] || b.byKey[id.Key()] != nil {
			continue
		}
		made[id.Key()] = true
		location, pos := locations[id.Key()], b.regionPos[locations[id.Key()]]
		if location == "" {
			location, pos = b.home(), r.Pos
			if l := r.Location(); l != "" && l != "global" {
				location = l
			}
		}
		if id.Equal(b.globalGroup()) {
			pos = b.doc.Network.Pos
		}
		b.emit(id, wire.Head{Location: location, Tags: map[string]string{NetworkTag: b.name}}, pos, nil)
	}
}

// home is the location of what belongs to no region: the first region when the
// network was first declared. Azure moves no resource, so it stays even if other
// regions come before it or it is none of the network's any more.
func (b *builder) home() string { return b.lock.Home }
