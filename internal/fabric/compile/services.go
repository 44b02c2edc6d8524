package compile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// service is the public side of a platform service: a storage account, an SQL
// server or a key vault.
type service struct {
	res  *model.Resource
	key  string // lower-case ID
	kind *serviceKind
	port *port
	addr netip.Addr
	// access is publicNetworkAccess; acls the firewall of accounts and vaults.
	access string
	acls   *wire.NetworkACLs
}

// serviceKind is what services of one type have in common.
type serviceKind struct {
	tag    string // service tag
	what   string // for people
	groups []serviceName
}

// serviceName is a public name of a service: of one of its sub-resources.
type serviceName struct {
	group           string // sub-resource, in lower case
	suffix, private string // of the public name, and of the name behind it for private endpoints
}

// The names are those of "Azure Private Endpoint private DNS zone values".
var (
	storageKind = serviceKind{"Storage", "storage account", []serviceName{
		{"blob", "blob.core.windows.net", "privatelink.blob.core.windows.net"},
		{"table", "table.core.windows.net", "privatelink.table.core.windows.net"},
		{"queue", "queue.core.windows.net", "privatelink.queue.core.windows.net"},
		{"file", "file.core.windows.net", "privatelink.file.core.windows.net"},
		{"dfs", "dfs.core.windows.net", "privatelink.dfs.core.windows.net"},
	}}
	sqlKind = serviceKind{"Sql", "SQL server", []serviceName{
		{"sqlserver", "database.windows.net", "privatelink.database.windows.net"},
	}}
	vaultKind = serviceKind{"AzureKeyVault", "key vault", []serviceName{
		{"vault", "vault.azure.net", "privatelink.vaultcore.azure.net"},
	}}
)

// platformIn returns the place of ports that lie in no virtual network, in the
// region of a resource: one segment of one space for the whole platform.
func (c *compiler) platformIn(r *model.Resource) *subnet {
	region := ""
	if r != nil {
		region = r.Location()
	}
	if s, ok := c.platforms[region]; ok {
		return s
	}
	if len(c.platforms) == 0 {
		const name = "platform services"
		c.platformSpace, c.platformSegment = fabric.SpaceID(len(c.img.Spaces)), fabric.SegmentID(len(c.img.Segments))
		c.img.Spaces = append(c.img.Spaces, fabric.Space{Name: name, Region: fabric.None})
		c.img.Segments = append(c.img.Segments, fabric.Segment{Name: name, Space: c.platformSpace})
	}
	s := &subnet{
		vnet: &vnet{space: c.platformSpace, region: region}, segment: c.platformSegment, name: "platform services",
		view: &wire.Subnet{}, used: map[netip.Addr]fabric.PortID{},
	}
	c.platforms[region] = s
	return s
}

// platformTable is the table of what lies on the internet's side.
func (c *compiler) platformTable() fabric.TableID {
	key := tableKey{}
	if id, ok := c.tables[key]; ok {
		return id
	}
	t := fabric.Table{Name: "platform services"}
	for _, p := range []string{"0.0.0.0/0", "::/0"} {
		t.Routes = append(t.Routes, fabric.Route{
			Prefix: netip.MustParsePrefix(p), Hop: fabric.Hop{Kind: fabric.HopInternet}, Source: sourceDefault, Kind: routeInternet,
		})
	}
	id := fabric.TableID(len(c.img.Tables))
	c.img.Tables = append(c.img.Tables, t)
	c.tables[key] = id
	return id
}

// platformServices makes the ports of platform services, in order of ID. A
// service has one address, chosen by its name from the prefixes of its service
// tag in its region; the addresses that Azure uses are shared and not published
// for single services. Two names with one choice take the next free address in
// order of ID.
func (c *compiler) platformServices() {
	taken := map[netip.Addr]bool{}
	for _, it := range c.docs.publicIPs.list {
		if a, err := netip.ParseAddr(it.view.Properties.IPAddress); err == nil {
			taken[a] = true
		}
	}
	for _, it := range c.docs.accounts.list {
		p := &it.view.Properties
		c.services = append(c.services, &service{res: it.res, key: it.key, kind: &storageKind, access: p.PublicNetworkAccess, acls: p.NetworkACLs})
	}
	for _, it := range c.docs.sqlServers.list {
		c.services = append(c.services, &service{res: it.res, key: it.key, kind: &sqlKind, access: it.view.Properties.PublicNetworkAccess})
	}
	for _, it := range c.docs.vaults.list {
		p := &it.view.Properties
		c.services = append(c.services, &service{res: it.res, key: it.key, kind: &vaultKind, access: p.PublicNetworkAccess, acls: p.NetworkACLs})
	}
	slices.SortFunc(c.services, func(a, b *service) int { return strings.Compare(a.key, b.key) })
	for _, s := range c.services {
		if _, ok := catalog.Region(s.res.Location()); !ok {
			c.problem(s.res, "/location", fmt.Sprintf("%q is not an Azure region", s.res.Location()), "use a name from \"az account list-locations\"")
			continue
		}
		var ok bool
		if s.addr, ok = c.serviceAddr(s, taken); !ok {
			continue
		}
		taken[s.addr] = true
		if s.kind == &storageKind {
			c.storageRegions[s.res.Location()] = true
		}
		s.port = c.newPort(c.platformIn(s.res), fabric.PortService, s.res.ID.Name(), origin(s.res, "", ""))
		s.port.service = s
		s.port.addrs = []portAddr{{addr: s.addr, config: &wire.IPConfiguration{}}}
	}
}

// serviceAddr chooses a service's address: one of its tag in its region; if all
// are taken, one of its tag elsewhere.
func (c *compiler) serviceAddr(s *service, taken map[netip.Addr]bool) (netip.Addr, bool) {
	for _, tag := range []string{s.kind.tag + "." + s.res.Location(), s.kind.tag} {
		prefixes, _ := catalog.ServiceTag(tag)
		prefixes = slices.DeleteFunc(prefixes, func(p netip.Prefix) bool { return !p.Addr().Is4() })
		if a, ok := pickAddr(fabric.PrefixSet(prefixes...), s.res.ID.Name(), taken); ok {
			return a, true
		}
		c.note(s.res, "", "", fmt.Sprintf("the service tag %s has no address left to stand for it; rules that name the tag may not hold for it", tag))
	}
	c.problem(s.res, "", fmt.Sprintf("the service tag %s has fewer addresses than there are services", s.kind.tag), "split the network")
	return netip.Addr{}, false
}

// pickAddr returns the free address of a set that a name hashes to (FNV-1a over
// its lower case), or the next.
func pickAddr(set fabric.Set, name string, taken map[netip.Addr]bool) (netip.Addr, bool) {
	size := uint64(0)
	for _, r := range set {
		size += r.Hi.Lo - r.Lo.Lo + 1
	}
	h := uint64(14695981039346656037)
	for _, b := range []byte(strings.ToLower(name)) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	for n := range size {
		rest := (h%size + n) % size
		for _, r := range set {
			if length := r.Hi.Lo - r.Lo.Lo + 1; rest >= length {
				rest -= length
				continue
			}
			v := fabric.Value{Hi: r.Lo.Hi, Lo: r.Lo.Lo + rest}
			if a := v.Addr(); !taken[a] {
				return a, true
			}
			break
		}
	}
	return netip.Addr{}, false
}

// outbound is how a service answers to the internet: as itself.
func (s *service) outbound() *fabric.Outbound {
	return &fabric.Outbound{Origin: origin(s.res, "", ""), What: "public address", Pairs: []fabric.Pair{{Private: s.addr, Public: s.addr}}}
}

// public is the entry of a service's address.
func (s *service) public() fabric.Public {
	return fabric.Public{Addr: s.addr, Origin: origin(s.res, "", ""), Port: s.port.id, Private: s.addr}
}

// serviceFirewalls compiles what each service lets in: networkAcls of storage
// accounts and key vaults, firewall and virtual network rules of SQL servers
// ("Configure Azure Storage firewalls and virtual networks", "Configure network
// security for Azure Key Vault", "Azure SQL Database and Azure Synapse IP
// firewall rules"). Private endpoints lead past all of it: they deliver by
// themselves.
func (c *compiler) serviceFirewalls() {
	near := map[string]fabric.Set{} // public addresses of clients by region
	sqlRules := map[string][]*item[wire.SQLFirewallRule]{}
	for _, it := range c.docs.sqlRules.list {
		parent := it.res.ID.Parent().Key()
		c.ofServer(it.res, parent)
		sqlRules[parent] = append(sqlRules[parent], it)
	}
	sqlNetworks := map[string][]*item[wire.SQLNetworkRule]{}
	for _, it := range c.docs.sqlNetworks.list {
		parent := it.res.ID.Parent().Key()
		c.ofServer(it.res, parent)
		sqlNetworks[parent] = append(sqlNetworks[parent], it)
	}
	for _, s := range c.services {
		if s.port == nil {
			continue
		}
		out := &c.img.Ports[s.port.id]
		at := origin(s.res, "", "")
		if a := strings.ToLower(s.access); a == "disabled" || a == "securedbyperimeter" {
			if a == "securedbyperimeter" {
				c.note(s.res, "/properties/publicNetworkAccess", "", "network security perimeters are not modelled; what comes by the public address is unknown")
				out.Ingress = c.fixed(fabric.Unknown, origin(s.res, "/properties/publicNetworkAccess", ""), "publicNetworkAccess "+s.access)
			} else {
				out.Ingress = c.fixed(fabric.Drop, origin(s.res, "/properties/publicNetworkAccess", ""), "publicNetworkAccess "+s.access)
			}
			continue
		}
		f := fabric.Filter{Name: s.res.ID.Name() + " firewall", Origin: at, Stage: fabric.StagePort, Default: fabric.Drop}
		switch {
		case s.kind == &sqlKind:
			for _, it := range sqlRules[s.key] {
				c.sqlRule(&f, it)
			}
			for _, it := range sqlNetworks[s.key] {
				c.admit(out, it.view.Properties.VirtualNetworkSubnetID, origin(it.res, "", it.res.ID.Name()))
			}
		case s.acls == nil || !strings.EqualFold(s.acls.DefaultAction, "Deny"):
			f.Default = fabric.Pass
		default:
			region := s.res.Location()
			if _, ok := near[region]; !ok {
				near[region] = c.publicsIn(region)
			}
			c.aclRules(&f, s, near[region])
			for i, r := range s.acls.VirtualNetworkRules {
				if r.State == "" || strings.EqualFold(r.State, "Succeeded") {
					c.admit(out, r.ID, origin(s.res, fmt.Sprintf("/properties/networkAcls/virtualNetworkRules/%d", i), "virtualNetworkRules "+lastSegment(r.ID)))
				}
			}
		}
		out.Ingress = []fabric.FilterID{fabric.FilterID(len(c.img.Filters))}
		c.img.Filters = append(c.img.Filters, f)
	}
}

// ofServer reports a rule whose SQL server is not declared.
func (c *compiler) ofServer(r *model.Resource, parent string) {
	if _, ok := c.docs.sqlServers.get(parent); !ok {
		c.problem(r, "", fmt.Sprintf("rule %q belongs to an SQL server that does not exist", r.ID.Name()), "declare the server")
	}
}

// admit lets a subnet in by its service endpoint. One that is not among the
// resources sends nothing.
func (c *compiler) admit(to *fabric.Port, subnet string, at fabric.Origin) {
	if s, ok := c.subnetBy[strings.ToLower(subnet)]; ok {
		if _, again := to.AdmitOf(s.segment); !again {
			to.Admits = append(to.Admits, fabric.Admit{Segment: s.segment, Origin: at})
		}
	}
}

// aclRules adds the IP rules of a storage account or key vault. Those of a
// storage account have no effect on clients of its own region, which reach it
// by addresses that are not public.
func (c *compiler) aclRules(f *fabric.Filter, s *service, near fabric.Set) {
	if s.kind != &storageKind || !storageIPRulesSkipOwnRegion {
		near = nil
	}
	for i, r := range s.acls.IPRules {
		pointer := fmt.Sprintf("/properties/networkAcls/ipRules/%d", i)
		in, ok := parseRange(r.Value)
		if !ok {
			c.problem(s.res, pointer+"/value", fmt.Sprintf("%q is not an address or prefix", r.Value), "write it like 203.0.113.0/24")
			continue
		}
		set := fabric.NewSet(in)
		if local := set.Intersect(near); !local.IsEmpty() {
			out := fabric.Rule{Action: fabric.Drop, Origin: origin(s.res, pointer, "ipRules "+r.Value+" has no effect within its region")}
			out.Match[fabric.Src] = c.sets.id(local)
			f.Rules = append(f.Rules, out)
		}
		out := fabric.Rule{Action: fabric.Pass, Origin: origin(s.res, pointer, "ipRules "+r.Value)}
		out.Match[fabric.Src] = c.sets.id(set)
		f.Rules = append(f.Rules, out)
	}
	if len(s.acls.ResourceAccessRules) > 0 {
		c.note(s.res, "/properties/networkAcls/resourceAccessRules", "", "access for instances of other services goes by their identity, which packets do not show; it is not part of what is let in")
	}
}

// publicsIn returns the addresses by which clients of a region reach the
// internet.
func (c *compiler) publicsIn(region string) fabric.Set {
	var addrs []netip.Addr
	for _, p := range c.ports {
		o := c.img.Ports[p.id].Outbound
		if o == nil || p.service != nil || p.subnet.vnet.region != region {
			continue
		}
		addrs = append(addrs, o.Pool...)
		for _, pair := range o.Pairs {
			addrs = append(addrs, pair.Public)
		}
	}
	return fabric.AddrSet(addrs...)
}

// sqlRule adds a firewall rule of an SQL server. From 0.0.0.0 to 0.0.0.0 means
// every address of Azure's: the service tag AzureCloud and every public address
// of the image.
func (c *compiler) sqlRule(f *fabric.Filter, it *item[wire.SQLFirewallRule]) {
	p := &it.view.Properties
	in, ok := parseRange(p.StartIPAddress + "-" + p.EndIPAddress)
	if !ok || !in.Lo.Addr().Is4() {
		c.problem(it.res, "/properties", fmt.Sprintf("rule %q is not a range of IPv4 addresses: %q to %q", it.res.ID.Name(), p.StartIPAddress, p.EndIPAddress), "give the first and the last address")
		return
	}
	set := fabric.NewSet(in)
	if any4 := fabric.AddrSet(netip.IPv4Unspecified()); set.Equal(any4) {
		cloud, _ := catalog.ServiceTag("AzureCloud")
		own := make([]netip.Addr, len(c.img.Publics))
		for i := range c.img.Publics {
			own[i] = c.img.Publics[i].Addr
		}
		set = fabric.PrefixSet(cloud...).Union(fabric.AddrSet(own...))
	}
	r := fabric.Rule{Action: fabric.Pass, Origin: origin(it.res, "", it.res.ID.Name())}
	r.Match[fabric.Src] = c.sets.id(set)
	f.Rules = append(f.Rules, r)
}
