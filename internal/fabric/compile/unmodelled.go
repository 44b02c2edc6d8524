package compile

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// isInert reports whether resources of a type, given in lower case, cannot
// move, filter or attract packets.
func isInert(kind string) bool {
	for _, prefix := range []string{
		"microsoft.resources/", "microsoft.authorization/", "microsoft.managedidentity/",
		"microsoft.insights/", "microsoft.operationalinsights/", "microsoft.management/",
		"microsoft.compute/disks", "microsoft.compute/images", "microsoft.compute/availabilitysets",
		"microsoft.compute/sshpublickeys", "microsoft.compute/proximityplacementgroups",
		"microsoft.compute/virtualmachines/extensions",
		"microsoft.network/networkwatchers", "microsoft.network/ddosprotectionplans",
		"microsoft.network/privatednszones/", "microsoft.network/publicipprefixes",
		"microsoft.network/applicationgatewaywebapplicationfirewallpolicies",
		"microsoft.cdn/", "microsoft.network/frontdoorwebapplicationfirewallpolicies",
		"microsoft.network/networkintentpolicies", "microsoft.network/networkmanagerconnections",
		"microsoft.storage/storageaccounts/", "microsoft.sql/servers/", "microsoft.keyvault/vaults/",
	} {
		if strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return false
}

// opaque is something in a subnet whose behaviour is not modelled: a gateway
// load balancer's frontend, an application gateway, a scale set. It gets a port
// that owns its address and whose rules are unknown.
type opaque struct {
	item *item[struct{}]
	// addr is invalid if the document gives none.
	addr   netip.Addr
	subnet *subnet
	// sends reports whether it may start flows: gateways do, frontends do not.
	sends bool
}

// claims is what the documents of unmodelled resources refer to.
type claims struct {
	opaques  []*opaque
	publics  map[string]*item[struct{}] // public IPs by lower-case ID
	gateways map[*vnet]*item[struct{}]  // virtual networks with a gateway, or attached to a virtual hub
	resolves map[*vnet]*item[struct{}]  // virtual networks whose names a forwarding ruleset may answer
	noAdmin  map[*subnet]bool           // subnets where admin rules do not apply
	pools    map[string][]string        // pools of load balancers by the member's ID, all in lower case
}

// silent are the types that never start a flow by themselves.
func silent(kind string) bool { return kind == "microsoft.network/loadbalancers" }

// forwardsNames reports whether resources of a type change what names mean in
// the virtual networks they refer to.
func forwardsNames(kind string) bool {
	return strings.HasPrefix(kind, "microsoft.network/dnsforwardingrulesets") || strings.HasPrefix(kind, "microsoft.network/dnsresolvers")
}

// attach records what a resource that refers to a whole virtual network may do
// to it: a virtual hub's connection brings routes as a gateway does, a
// forwarding ruleset answers names.
func (cl *claims) attach(kind string, v *vnet, it *item[struct{}]) {
	switch {
	case forwardsNames(kind):
		cl.resolves[v] = it
	case !silent(kind):
		cl.gateways[v] = it
	}
}

// unmodelled notes every resource that is not modelled and finds the
// addresses it uses by the references in its document.
func (c *compiler) unmodelled() claims {
	cl := claims{publics: map[string]*item[struct{}]{}, gateways: map[*vnet]*item[struct{}]{}, resolves: map[*vnet]*item[struct{}]{}, noAdmin: map[*subnet]bool{}, pools: map[string][]string{}}
	things := slices.Clone(c.docs.unmodelled)
	for _, it := range c.docs.balancers.list {
		if isGateway(it) {
			things = append(things, &item[struct{}]{res: it.res, key: it.key})
		}
	}
	for _, it := range c.docs.appGateways.list {
		if !isAppGateway2(it) {
			things = append(things, &item[struct{}]{res: it.res, key: it.key})
		}
	}
	for _, it := range c.docs.hubs.list {
		if inWAN(it) {
			things = append(things, &item[struct{}]{res: it.res, key: it.key})
		}
	}
	for _, it := range things {
		kind := kindOf(it.key)
		if kind == "microsoft.network/loadbalancers" {
			c.note(it.res, "", "", "gateway load balancers are not modelled; what passes them is unknown")
		} else if kind == "microsoft.network/applicationgateways" {
			c.note(it.res, "/properties/sku", "", "application gateways of other tiers than Standard_v2 and WAF_v2 are not modelled; what passes them is unknown")
		} else {
			c.note(it.res, "", "", "resources of type "+it.res.Type()+" are not modelled; what passes them is unknown")
		}
		found := map[*subnet]bool{}
		walk(it.res.Doc, func(object map[string]any) {
			if id, ok := refIn(object, "publicIPAddress"); ok {
				cl.publics[strings.ToLower(id)] = it
			}
			for _, name := range []string{"loadBalancerBackendAddressPools", "loadBalancerInboundNatPools"} {
				refs, _ := object[name].([]any)
				for _, ref := range refs {
					ref, _ := ref.(map[string]any)
					if id, _ := ref["id"].(string); !slices.Contains(cl.pools[it.key], strings.ToLower(id)) {
						cl.pools[it.key] = append(cl.pools[it.key], strings.ToLower(id))
					}
				}
			}
			if id, _ := object["id"].(string); c.vnetByKey[strings.ToLower(id)] != nil {
				cl.attach(kind, c.vnetByKey[strings.ToLower(id)], it)
			}
			text, _ := object["privateIPAddress"].(string)
			addr, _ := netip.ParseAddr(text)
			for _, id := range subnetsIn(object) {
				if s, ok := c.subnetBy[strings.ToLower(id)]; ok {
					found[s] = true
					cl.opaques = append(cl.opaques, &opaque{item: it, addr: addr, subnet: s, sends: !silent(kind)})
				}
			}
		})
		for s := range found {
			if kind == "microsoft.network/applicationgateways" {
				cl.noAdmin[s] = true
			}
		}
	}
	// Maps are walked in no particular order.
	slices.SortStableFunc(cl.opaques, func(a, b *opaque) int {
		if x := strings.Compare(a.item.key, b.item.key); x != 0 {
			return x
		}
		if x := a.addr.Compare(b.addr); x != 0 {
			return x
		}
		return strings.Compare(a.subnet.key, b.subnet.key)
	})
	return cl
}

// walk calls f for every object in a document.
func walk(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
		for _, e := range v {
			walk(e, f)
		}
	case []any:
		for _, e := range v {
			walk(e, f)
		}
	}
}

// subnetsIn returns the IDs of subnets an object names: "subnet": {"id": ...},
// and strings under keys such as vnetSubnetID or virtualNetworkSubnetId.
func subnetsIn(object map[string]any) []string {
	var ids []string
	if id, ok := refIn(object, "subnet"); ok {
		ids = append(ids, id)
	}
	for key, v := range object {
		if id, ok := v.(string); ok && strings.HasSuffix(strings.ToLower(key), "subnetid") {
			ids = append(ids, id)
		}
	}
	return ids
}

// refIn returns the ID in object[name].id.
func refIn(object map[string]any, name string) (string, bool) {
	ref, _ := object[name].(map[string]any)
	id, _ := ref["id"].(string)
	return id, id != ""
}

// has reports whether a resource's properties hold a list or object that is
// not empty under a name no view has.
func has(r *model.Resource, name string) bool {
	switch v := r.Properties()[name].(type) {
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	default:
		return false
	}
}
