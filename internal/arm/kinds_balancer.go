package arm

import (
	"encoding/json"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// Types of a load balancer's parts that have no documents of their own.
const (
	typeFrontend     = "Microsoft.Network/loadBalancers/frontendIPConfigurations"
	typeBalancerRule = "Microsoft.Network/loadBalancers/loadBalancingRules"
	typeProbe        = "Microsoft.Network/loadBalancers/probes"
	typeOutboundRule = "Microsoft.Network/loadBalancers/outboundRules"
	typeNATPool      = "Microsoft.Network/loadBalancers/inboundNatPools"
	typeNICConfig    = "Microsoft.Network/networkInterfaces/ipConfigurations"
)

// balancerKinds are load balancers. Pools and inbound NAT rules can be written
// by themselves; the other parts only with the whole document.
func balancerKinds() []*kind {
	part := func(t, inline string, k kind) *kind {
		k.Type, k.Inline, k.Name, k.State = t, inline, networkName, true
		k.ReadOnly = t != model.TypeBackendPool && t != model.TypeInboundNATRule
		return &k
	}
	frontend := func(at string) reference { return ref(typeFrontend, at) }
	pool := func(at string) reference { return ref(model.TypeBackendPool, at) }
	return []*kind{
		{
			Type: model.TypeLoadBalancer, Place: inGroup, Location: locationRequired, Name: networkName, State: true, GUID: true,
			InUse: inUse(codeResourceInUse, "Load balancer %s is in use by %s and cannot be deleted."),
			Check: checkLoadBalancer, Fill: fillLoadBalancer, Terms: frontendTerms, Show: showLoadBalancer, Verbs: []verb{nicsOfBalancer},
		},
		part(typeFrontend, "frontendIPConfigurations", kind{
			Computed: []string{"loadBalancingRules", "inboundNatRules", "outboundRules", "inboundNatPools"},
			Refs: []reference{
				regionalSubnetRef("properties.subnet.id"),
				regionalRef(model.TypePublicIP, "properties.publicIPAddress.id"),
				ref(typePublicPrefix, "properties.publicIPPrefix.id"),
			},
			InUse: inUse(codeResourceInUse, "Frontend %s is in use by %s and cannot be deleted."),
			Show: showBack(
				back{"loadBalancingRules", typeBalancerRule}, back{"inboundNatRules", model.TypeInboundNATRule}, back{"inboundNatPools", typeNATPool},
				back{"outboundRules", typeOutboundRule}, back{"privateLinkServices", model.TypePrivateLinkService}),
		}),
		part(model.TypeBackendPool, "backendAddressPools", kind{
			Computed: []string{"loadBalancingRules", "outboundRules", "inboundNatRules", "backendIPConfigurations", "outboundRule"},
			Refs: []reference{
				looseRef(model.TypeVirtualNetwork, "properties.virtualNetwork.id"),
				looseRef(model.TypeVirtualNetwork, "properties.loadBalancerBackendAddresses.*.properties.virtualNetwork.id"),
			},
			InUse: inUse(codeResourceInUse, "Backend address pool %s is in use by %s and cannot be deleted."),
			Verbs: []verb{{name: "queryInboundNatRulePortMapping", body: withBody, long: true, network: true, answer: portMappings}},
			Show: showBack(
				back{"loadBalancingRules", typeBalancerRule}, back{"outboundRules", typeOutboundRule},
				back{"inboundNatRules", model.TypeInboundNATRule}, back{"backendIPConfigurations", typeNICConfig}),
		}),
		part(typeBalancerRule, "loadBalancingRules", kind{
			Defaults: []setting{
				{"idleTimeoutInMinutes", json.Number("4")},
				{"enableFloatingIP", false},
				{"enableTcpReset", false},
				{"loadDistribution", "Default"},
				{"enableConnectionTracking", false},
				{"allowBackendPortConflict", false},
				{"enableDestinationServiceEndpoint", false},
			},
			Since: []since{{"enableConnectionTracking", "2024-07-01"}},
			Refs: []reference{
				frontend("properties.frontendIPConfiguration.id"), pool("properties.backendAddressPool.id"),
				pool("properties.backendAddressPools.*.id"), ref(typeProbe, "properties.probe.id"),
			},
		}),
		part(typeProbe, "probes", kind{
			Computed: []string{"loadBalancingRules"},
			Defaults: []setting{{"intervalInSeconds", json.Number("15")}, {"numberOfProbes", json.Number("2")}, {"probeThreshold", json.Number("1")}},
			Show:     showBack(back{"loadBalancingRules", typeBalancerRule}),
		}),
		part(model.TypeInboundNATRule, "inboundNatRules", kind{
			Computed: []string{"backendIPConfiguration"},
			Defaults: natDefaults(),
			Refs:     []reference{frontend("properties.frontendIPConfiguration.id"), pool("properties.backendAddressPool.id")},
			InUse:    inUse(codeResourceInUse, "Inbound NAT rule %s is in use by %s and cannot be deleted."),
			Show:     showNATRule,
		}),
		part(typeNATPool, "inboundNatPools", kind{
			Defaults: natDefaults(),
			Refs:     []reference{frontend("properties.frontendIPConfiguration.id")},
		}),
		part(typeOutboundRule, "outboundRules", kind{
			Defaults: []setting{
				{"idleTimeoutInMinutes", json.Number("4")},
				{"enableTcpReset", false},
				{"allocatedOutboundPorts", json.Number("0")},
				{"allocationPolicy.onDemandAllocation", false},
				{"allocationPolicy.portReuse", "FirstAvailable"},
			},
			Refs: []reference{frontend("properties.frontendIPConfigurations.*.id"), pool("properties.backendAddressPool.id")},
		}),
	}
}

// natDefaults are what inbound NAT rules and pools of them have unless they say
// otherwise.
func natDefaults() []setting {
	return []setting{
		{"idleTimeoutInMinutes", json.Number("4")},
		{"enableFloatingIP", false},
		{"enableTcpReset", false},
		{"allowBackendPortConflict", false},
		{"enableDestinationServiceEndpoint", false},
	}
}

// back is a property that lists what refers to a resource, by the holder's type.
type back struct{ property, holder string }

// showBack makes the function that shows back-references.
func showBack(list ...back) func(*reading, map[string]any) {
	return func(r *reading, p map[string]any) {
		for _, b := range list {
			r.setUsers(p, b.property, b.holder)
		}
	}
}

func showNATRule(r *reading, p map[string]any) {
	setDefault(p, "frontendPort", json.Number("0")) // a rule of a pool has a range of ports
	if u := r.users(typeNICConfig); len(u) > 0 {
		p["backendIPConfiguration"] = u[0]
	}
}

func showLoadBalancer(r *reading, p map[string]any) {
	e, _ := r.view.Get(r.id)
	basic := e.Resource != nil && isBasic(e.Resource.Doc)
	for _, in := range r.kinds[strings.ToLower(model.TypeLoadBalancer)].inlined() {
		switch list := objects(p, in.Inline); {
		case basic && in.Type == typeOutboundRule && len(list) == 0:
			delete(p, in.Inline) // Basic has none ("Outbound rules Azure Load Balancer")
		case len(list) == 0:
			p[in.Inline] = []any{}
		case in.Show != nil:
			p[in.Inline] = r.showEach(in.Type, list)
		}
	}
}

// checkLoadBalancer checks frontends and what two rules may not share.
func checkLoadBalancer(c *change) *Fault {
	c.fillBalancerSKU()
	if f := oneOf(c.id, "sku.name", object(c.doc, "sku")["name"], skuBasic, skuStandard, "Gateway"); f != nil {
		return f
	}
	for _, o := range objects(c.props(), "frontendIPConfigurations") {
		p := object(o, "properties")
		id := model.MustParseID(text(o, "id"))
		given := 0
		for _, name := range []string{"subnet", "publicIPAddress", "publicIPPrefix", "gatewayLoadBalancer"} {
			if refID(p, name) != "" && name != "gatewayLoadBalancer" {
				given++
			}
		}
		fillFrontend(p)
		if given != 1 {
			return badRequest(codeFrontendSource, "Frontend %s must refer to exactly one of a subnet, a public IP address and a public IP prefix, not %d.", id, given)
		}
		if refID(p, "subnet") == "" {
			continue
		}
		if f := oneOf(id, "properties.privateIPAllocationMethod", p["privateIPAllocationMethod"], "Static", "Dynamic"); f != nil {
			return f
		}
		if strings.EqualFold(text(p, "privateIPAllocationMethod"), "Static") && text(p, "privateIPAddress") == "" {
			return invalidProperty(id, "properties.privateIPAddress", p["privateIPAddress"], "allocation method Static needs an address")
		}
	}
	if f := c.checkBalancerRules(); f != nil {
		return f
	}
	if f := c.checkBackendPorts(); f != nil {
		return f
	}
	if f := c.checkFrontendSKUs(); f != nil {
		return f
	}
	return checkPublicIPUse(c)
}

// fillFrontend completes a frontend: one that is not in a subnet has no private
// address, and one of a public address has its version.
func fillFrontend(p map[string]any) {
	setDefault(p, "privateIPAllocationMethod", "Dynamic")
	if refID(p, "subnet") == "" {
		delete(p, "privateIPAddress")
	}
	if refID(p, "publicIPAddress") == "" {
		setDefault(p, "privateIPAddressVersion", "IPv4")
	} else if strings.EqualFold(text(p, "privateIPAddressVersion"), "IPv4") {
		delete(p, "privateIPAddressVersion")
	}
}

func (c *change) checkBalancerRules() *Fault {
	seen := map[string]string{} // frontend, protocol and port: rule
	for _, list := range []string{"loadBalancingRules", "inboundNatRules"} {
		for _, o := range objects(c.props(), list) {
			p := object(o, "properties")
			id := model.MustParseID(text(o, "id"))
			if f := oneOf(id, "properties.protocol", p["protocol"], "Tcp", "Udp", "All"); f != nil {
				return f
			}
			for _, name := range []string{"frontendPort", "backendPort", "frontendPortRangeStart", "frontendPortRangeEnd"} {
				if v, ok := p[name]; ok && v != nil {
					if n, ok := whole(v); !ok || n < 0 || n > 65535 {
						return invalidProperty(id, "properties."+name, v, "it must be a port, 0 to 65535")
					}
				}
			}
			port, ok := whole(p["frontendPort"])
			// Packets that keep their destination address keep its port ("Azure Load
			// Balancer Floating IP configuration").
			// A NAT rule of a pool has a range of ports, and 0 here.
			if behind, given := whole(p["backendPort"]); ok && port != 0 && given && p["enableFloatingIP"] == true && behind != port {
				return badRequest(codeFloatingPort, "Rule %s of load balancer %s has floating IP enabled, so its backend port %d must be its frontend port %d.", text(o, "name"), c.id, behind, port)
			}
			if !ok || refID(p, "frontendIPConfiguration") == "" {
				continue // a NAT rule of a pool has a range of ports
			}
			key, _ := json.Marshal([]any{strings.ToLower(refID(p, "frontendIPConfiguration")), strings.ToLower(text(p, "protocol")), port})
			if other := seen[string(key)]; other != "" && port != 0 {
				return badRequest(codeFrontendPort, "Rules %s and %s of load balancer %s use the same frontend, protocol and port %d.", other, text(o, "name"), c.id, port)
			}
			seen[string(key)] = text(o, "name")
		}
	}
	for _, o := range objects(c.props(), "probes") {
		p := object(o, "properties")
		id := model.MustParseID(text(o, "id"))
		if f := oneOf(id, "properties.protocol", p["protocol"], "Tcp", "Http", "Https"); f != nil {
			return f
		}
		if n, ok := whole(p["port"]); !ok || n < 1 || n > 65535 {
			return invalidProperty(id, "properties.port", p["port"], "it must be a port, 1 to 65535")
		}
	}
	return nil
}

func fillLoadBalancer(c *change) *Fault {
	basic := isBasic(c.doc)
	for _, o := range objects(c.props(), "loadBalancingRules") {
		fillPools(object(o, "properties"))
		if !basic {
			setDefault(object(o, "properties"), "disableOutboundSnat", false)
		}
	}
	for _, o := range objects(c.props(), "backendAddressPools") {
		c.fillBackendPool(model.MustParseID(text(o, "id")), object(o, "properties"), basic)
	}
	return c.assignAddresses("frontendIPConfigurations")
}

// fillPools gives a rule its pool in both forms: a rule of one pool shows it as
// backendAddressPool and in backendAddressPools.
func fillPools(rule map[string]any) {
	list, one := objects(rule, "backendAddressPools"), refID(rule, "backendAddressPool")
	switch {
	case one != "" && len(list) == 0:
		rule["backendAddressPools"] = []any{map[string]any{"id": one}}
	case one == "" && len(list) == 1:
		rule["backendAddressPool"] = map[string]any{"id": text(list[0], "id")}
	}
}

// checkBackendPorts refuses two rules that lead to one port of one pool, which
// only floating IP tells apart.
func (c *change) checkBackendPorts() *Fault {
	type target struct {
		pool, protocol string
		port           int
	}
	seen := map[target]string{}
	for _, o := range objects(c.props(), "loadBalancingRules") {
		p := object(o, "properties")
		port, ok := whole(p["backendPort"])
		if !ok || port == 0 || p["enableFloatingIP"] == true {
			continue
		}
		pools := []string{refID(p, "backendAddressPool")}
		for _, b := range objects(p, "backendAddressPools") {
			pools = append(pools, text(b, "id"))
		}
		for _, pool := range pools {
			at := target{strings.ToLower(pool), strings.ToLower(text(p, "protocol")), port}
			if other := seen[at]; pool != "" && other != "" && other != text(o, "id") {
				return badRequest("RulesUseSameBackendPortProtocolAndPool", "Load balancing rules %s and %s with floating IP disabled use the same protocol %s and backend port %d, and must not be used with the same backend address pool %s.",
					other, text(o, "id"), text(p, "protocol"), port, pool)
			}
			seen[at] = text(o, "id")
		}
	}
	return nil
}

// checkFrontendSKUs refuses public addresses of another SKU than the balancer's.
func (c *change) checkFrontendSKUs() *Fault {
	mine := skuName(c.doc)
	for _, o := range objects(c.props(), "frontendIPConfigurations") {
		id, err := model.ParseID(refID(object(o, "properties"), "publicIPAddress"))
		if err != nil {
			continue
		}
		e, ok := c.tx.Get(id)
		if !ok {
			continue
		}
		if theirs := skuName(e.Resource.Doc); theirs != "" && !strings.EqualFold(theirs, mine) {
			return badRequest("PublicIPAndLBSkuDoNotMatch", "%s sku load balancer %s cannot reference %s sku publicIP %s.", mine, c.id, theirs, id)
		}
	}
	return nil
}
