package compile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// privateRoutes are the routes to single private endpoints: of the network
// itself and of those it reaches directly, not transitively ("Manage network
// policies for private endpoints"). They beat user routes of shorter prefixes,
// unless the endpoint's subnet has the policy for route tables switched on and
// the user route's prefix is at least as long as that of the endpoint's address
// space: then the endpoint's route is invalid. A default route never does that.
func (c *compiler) privateRoutes(all []ranked, v *vnet, users *userRoutes) []ranked {
	all = c.privateRoutesTo(all, v, v.prefixes, users)
	for i := range v.reach {
		r := &v.reach[i]
		if r.to == nil || r.unknown || r.kind == routeConnectedGroup && !connectedGroupsReachEndpoints {
			continue
		}
		all = c.privateRoutesTo(all, r.to, r.prefixes, users)
	}
	return all
}

func (c *compiler) privateRoutesTo(all []ranked, v *vnet, prefixes []netip.Prefix, users *userRoutes) []ranked {
	for _, e := range c.endpointsOf[v] {
		if !e.approved() {
			continue
		}
		for _, a := range e.port.addrs {
			if !a.addr.IsValid() || !holds(prefixes, a.addr) {
				continue
			}
			overridden := endpointPolicy(e.port.subnet, "RouteTableEnabled") && slices.ContainsFunc(users.routes, func(u userRoute) bool {
				return u.prefix.Contains(a.addr) && slices.ContainsFunc(v.prefixes, func(p netip.Prefix) bool {
					return p.Contains(a.addr) && u.prefix.Bits() >= p.Bits() && u.prefix.Bits() > 0
				})
			})
			all = append(all, ranked{fabric.Route{
				Prefix: netip.PrefixFrom(a.addr, a.addr.BitLen()), Hop: fabric.Hop{Kind: fabric.HopSpace, Space: v.space},
				Source: sourceDefault, Kind: routeInterfaceEndpoint, Inactive: overridden, Origin: origin(e.res, "", ""),
			}, rankEndpoint})
		}
	}
	return all
}

// systemTable is the table of a subnet without user routes: replies of private
// endpoints go straight back ("Use Azure Firewall to inspect traffic destined to
// a private endpoint"). It has no service endpoints either.
func (c *compiler) systemTable(s *subnet) fabric.TableID {
	if s.vnet.item == nil {
		return c.platformTable()
	}
	plain, view := *s, *s.view
	view.Properties.ServiceEndpoints, view.Properties.ServiceEndpointPolicies = nil, nil
	view.Properties.DefaultOutboundAccess = nil
	plain.table, plain.routing, plain.view = nil, nil, &view
	return c.table(&plain, false)
}

// portTable returns the table of a port.
func (c *compiler) portTable(p *port) fabric.TableID {
	switch {
	case p.gateway != nil:
		return c.gatewayTable(p.gateway)
	case p.site != nil:
		return c.siteTable(p.site)
	case c.announces(p):
		return c.ownTable(p)
	}
	if p.endpoint != nil || p.balancer != nil || p.service != nil || p.appGateway != nil && p == p.appGateway.front {
		return c.systemTable(p.subnet)
	}
	return c.table(p.subnet, p.chained)
}

// endpointTag names the service tag whose prefixes a service endpoint reaches
// ("Virtual network service endpoints").
func endpointTag(service string) string {
	return map[string]string{
		"microsoft.storage":              "Storage",
		"microsoft.storage.global":       "Storage",
		"microsoft.sql":                  "Sql",
		"microsoft.web":                  "AppService",
		"microsoft.keyvault":             "AzureKeyVault",
		"microsoft.azurecosmosdb":        "AzureCosmosDB",
		"microsoft.eventhub":             "EventHub",
		"microsoft.servicebus":           "ServiceBus",
		"microsoft.containerregistry":    "AzureContainerRegistry",
		"microsoft.azureactivedirectory": "AzureActiveDirectory",
	}[service]
}

// serviceEndpoint is a service endpoint of a subnet.
type serviceEndpoint struct {
	service   string   // in lower case
	locations []string // normalised, sorted; empty means every region
}

// serviceEndpoints reads the service endpoints of a subnet. Where Azure would
// fill in the locations: those for storage reach the network's region and its
// pair, those for SQL the network's region, others every region ("Virtual
// network service endpoints").
func serviceEndpoints(s *subnet) []serviceEndpoint {
	var out []serviceEndpoint
	for _, e := range s.view.Properties.ServiceEndpoints {
		ep := serviceEndpoint{service: strings.ToLower(e.Service)}
		for _, l := range e.Locations {
			if l == "*" {
				ep.locations = nil
				break
			}
			if info, ok := catalog.Region(l); ok {
				l = info.Name
			}
			ep.locations = append(ep.locations, strings.ToLower(l))
		}
		if len(e.Locations) == 0 {
			switch ep.service {
			case "microsoft.storage":
				ep.locations = []string{s.vnet.region}
				if info, ok := catalog.Region(s.vnet.region); ok && info.Paired != "" {
					ep.locations = append(ep.locations, info.Paired)
				}
			case "microsoft.sql":
				ep.locations = []string{s.vnet.region}
			}
		}
		if ep.service == "microsoft.storage.global" {
			ep.locations = nil
		}
		slices.Sort(ep.locations)
		out = append(out, ep)
	}
	slices.SortFunc(out, func(a, b serviceEndpoint) int {
		return cmp.Or(strings.Compare(a.service, b.service), slices.Compare(a.locations, b.locations))
	})
	return out
}

// serviceRoutes lead from a subnet straight to a service, past every user route
// of the same or a shorter prefix and past what gateways learn. The service sees the private
// address and knows the subnet.
func (c *compiler) serviceRoutes(all []ranked, s *subnet) []ranked {
	for _, e := range serviceEndpoints(s) {
		at := s.pointer + "/properties/serviceEndpoints"
		prefixes, ok := c.endpointPrefixes(&e)
		if !ok {
			c.note(s.res, at, s.name, fmt.Sprintf("the prefixes of service endpoint %s are not known; its traffic is taken for any other to the internet", e.service))
			continue
		}
		hop := fabric.Hop{Kind: fabric.HopService, Segment: s.segment}
		from := origin(s.res, at, e.service)
		if e.service == "microsoft.storage" || e.service == "microsoft.storage.global" {
			if allowed, ok := c.endpointPolicies(s); ok {
				all, hop, from = c.policyRoutes(all, s, allowed, prefixes, from)
			}
		}
		for _, p := range prefixes {
			all = append(all, ranked{fabric.Route{
				Prefix: p, Hop: hop, Source: sourceDefault, Kind: routeServiceEndpoint, Origin: from,
			}, rankService})
		}
	}
	return all
}

// nearStorage reports whether a subnet is private and has storage accounts in
// its region.
func (c *compiler) nearStorage(s *subnet) bool {
	allowed := s.view.Properties.DefaultOutboundAccess
	return allowed != nil && !*allowed && c.storageRegions[s.vnet.region]
}

// near reports whether a service is a storage account in a subnet's region.
func (x *service) near(s *subnet) bool {
	return x.port != nil && x.kind == &storageKind && x.res.Location() == s.vnet.region
}

// nearRoutes lead from a private subnet to the storage accounts of its region,
// which need no way out ("Default outbound access in Azure"). They stand where
// the default route to the internet would: any user route that holds the
// address and leads elsewhere comes first, and so does a service endpoint, with
// its policies. No virtual network rule knows the subnet by these routes.
func (c *compiler) nearRoutes(all []ranked, s *subnet, users *userRoutes) []ranked {
	if !c.nearStorage(s) {
		return all
	}
	for _, x := range c.services {
		if !x.near(s) || c.byEndpoint(s, x) || slices.ContainsFunc(users.routes, func(u userRoute) bool { return u.kind != routeInternet && u.prefix.Contains(x.addr) }) {
			continue
		}
		all = append(all, ranked{fabric.Route{
			Prefix: netip.PrefixFrom(x.addr, x.addr.BitLen()), Hop: fabric.Hop{Kind: fabric.HopService, Segment: c.platformSegment},
			Source: sourceDefault, Kind: routeInternet, Origin: s.vnet.origin,
		}, rankSystem})
	}
	return all
}

// byEndpoint reports whether a service endpoint of a subnet leads to a service.
func (c *compiler) byEndpoint(s *subnet, x *service) bool {
	return slices.ContainsFunc(serviceEndpoints(s), func(e serviceEndpoint) bool {
		if endpointTag(e.service) != x.kind.tag {
			return false
		}
		prefixes, _ := c.endpointPrefixes(&e)
		return holds(prefixes, x.addr)
	})
}

// endpointPrefixes returns the IPv4 prefixes of an endpoint's service in its
// regions; service endpoints know no other family.
func (c *compiler) endpointPrefixes(e *serviceEndpoint) ([]netip.Prefix, bool) {
	key := e.service + " " + strings.Join(e.locations, " ")
	if p, ok := c.servicePrefixes[key]; ok {
		return p, len(p) > 0
	}
	tag := endpointTag(e.service)
	var out []netip.Prefix
	for _, region := range e.locations {
		list, _ := catalog.ServiceTag(tag + "." + region)
		out = append(out, list...)
	}
	if len(out) == 0 {
		// No regional tag is asked for or published: the whole tag holds it.
		out, _ = catalog.ServiceTag(tag)
	}
	out = slices.DeleteFunc(out, func(p netip.Prefix) bool { return !p.Addr().Is4() })
	for _, s := range c.services {
		if s.port != nil && s.kind.tag == tag && e.reaches(s.res.Location()) && !holds(out, s.addr) {
			out = append(out, netip.PrefixFrom(s.addr, s.addr.BitLen())) // its region's tag was full
		}
	}
	for i := range out {
		out[i] = out[i].Masked()
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	out = slices.Compact(out)
	c.servicePrefixes[key] = out
	return out, len(out) > 0
}

// reaches reports whether an endpoint is for a region.
func (e *serviceEndpoint) reaches(region string) bool {
	return len(e.locations) == 0 || slices.Contains(e.locations, region)
}

// allowList is what the service endpoint policies of a subnet let through.
type allowList struct {
	ids    []string // lower-case IDs of accounts, groups and subscriptions
	origin fabric.Origin
	vague  bool // something outside the resources is listed
	absent bool // a policy is not among the resources
}

// endpointPolicies joins the service endpoint policies of a subnet ("Virtual
// network service endpoint policies for Azure Storage": what is not listed is
// denied). It reports false if the subnet has none for storage.
func (c *compiler) endpointPolicies(s *subnet) (allowList, bool) {
	var out allowList
	found := false
	for i, ref := range s.view.Properties.ServiceEndpointPolicies {
		it, ok := c.docs.endpointPolicies.get(ref.ID)
		if !ok {
			c.note(s.res, fmt.Sprintf("%s/properties/serviceEndpointPolicies/%d", s.pointer, i), s.name, "service endpoint policy "+ref.ID+" is not among the resources; what it lets through is unknown")
			out.absent, found = true, true
			continue
		}
		for _, d := range it.view.Properties.Definitions {
			name := strings.ToLower(d.Properties.Service)
			if name != "microsoft.storage" && name != "global" {
				continue
			}
			if !found || out.origin == (fabric.Origin{}) {
				out.origin = origin(it.res, "", d.Name)
			}
			found = true
			for _, id := range d.Properties.ServiceResources {
				id = strings.ToLower(id)
				out.ids = append(out.ids, id)
				// A listed account of ours is decided by its own route; anything
				// else may have any address of the service.
				out.vague = out.vague || !slices.ContainsFunc(c.services, func(x *service) bool { return x.key == id })
			}
		}
	}
	return out, found
}

// policyRoutes adds a route for each storage account of ours within the
// prefixes: to it if the policies list it, else it is dropped. It returns what
// becomes of all other addresses.
func (c *compiler) policyRoutes(all []ranked, s *subnet, allowed allowList, prefixes []netip.Prefix, from fabric.Origin) ([]ranked, fabric.Hop, fabric.Origin) {
	unlisted, others := fabric.Hop{Kind: fabric.HopDrop}, fabric.Hop{Kind: fabric.HopDrop}
	if allowed.absent {
		unlisted.Kind = fabric.HopUnknown
	}
	if allowed.absent || allowed.vague {
		others.Kind = fabric.HopUnknown
	}
	at := allowed.origin
	if at == (fabric.Origin{}) {
		at = from
	}
	for _, x := range c.services {
		if x.kind != &storageKind || !holds(prefixes, x.addr) {
			continue
		}
		r := fabric.Route{
			Prefix: netip.PrefixFrom(x.addr, x.addr.BitLen()), Hop: unlisted,
			Source: sourceDefault, Kind: routeServiceEndpoint, Origin: at,
		}
		if slices.ContainsFunc(allowed.ids, func(id string) bool { return x.key == id || strings.HasPrefix(x.key, id+"/") }) {
			r.Hop = fabric.Hop{Kind: fabric.HopService, Segment: s.segment}
		}
		all = append(all, ranked{r, rankService})
	}
	return all, others, at
}
