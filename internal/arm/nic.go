package arm

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// checkIPConfigurations checks what NICs and firewalls have in common and
// completes the configurations' heads.
func checkIPConfigurations(c *change, leafType string) ([]map[string]any, *Fault) {
	list, _ := c.props()["ipConfigurations"].([]any)
	seen := map[string]bool{}
	out := make([]map[string]any, 0, len(list))
	for i, e := range list {
		cfg, ok := e.(map[string]any)
		if !ok || text(cfg, "name") == "" {
			return nil, invalidProperty(c.id, fmt.Sprintf("properties.ipConfigurations[%d]", i), e, "it must be an object with a name")
		}
		name := text(cfg, "name")
		if seen[strings.ToLower(name)] {
			return nil, badRequest("DuplicateResourceName", "Cannot parse the request. Resource %s has two IP configurations named %s.", c.id, name)
		}
		seen[strings.ToLower(name)] = true
		p := object(cfg, "properties")
		if p == nil {
			p = map[string]any{}
			cfg["properties"] = p
		}
		cfg["id"] = c.id.Child("ipConfigurations", name).String()
		cfg["type"] = c.kind.Type + "/" + leafType
		cfg["etag"] = c.etag
		p["provisioningState"] = "Succeeded"
		out = append(out, cfg)
	}
	return out, nil
}

func checkNIC(c *change) *Fault {
	configs, f := checkIPConfigurations(c, "ipConfigurations")
	if f != nil {
		return f
	}
	if len(configs) == 0 {
		return badRequest("NetworkInterfaceMustHaveAtLeastOneIpConfiguration", "Network interface %s must have at least one IP configuration.", c.id) // code unconfirmed
	}
	network, primaries := "", 0
	first := object(object(configs[0], "properties"), "subnet")
	for i, cfg := range configs {
		p := object(cfg, "properties")
		if i > 0 && p["primary"] != true && len(objects(p, "applicationGatewayBackendAddressPools")) > 0 {
			return badRequest("ApplicationGatewayLoadBalancingNotSupportedOnSecondaryIpConfigurations", "Network Interface with Id: %s has a secondary IpConfigurations %s is using ApplicationGatewayAddressPools. ApplicationGateway loadbalancing is not supported for secondary IpConfigurations.", c.id, text(cfg, "name"))
		}
		setDefault(p, "privateIPAllocationMethod", "Dynamic")
		setDefault(p, "privateIPAddressVersion", "IPv4")
		id := model.MustParseID(text(cfg, "id"))
		if f := oneOf(id, "properties.privateIPAllocationMethod", p["privateIPAllocationMethod"], "Static", "Dynamic"); f != nil {
			return f
		}
		if f := oneOf(id, "properties.privateIPAddressVersion", p["privateIPAddressVersion"], "IPv4", "IPv6"); f != nil {
			return f
		}
		// A further configuration of IPv6 may be in no subnet, and has no address then.
		if i > 0 && p["subnet"] == nil && strings.EqualFold(text(p, "privateIPAddressVersion"), "IPv6") && p["primary"] != true {
			continue
		}
		// One of IPv4 is in the subnet of the first.
		if i > 0 && p["subnet"] == nil && first != nil {
			p["subnet"] = map[string]any{"id": first["id"]}
		}
		subnet, err := model.ParseID(refID(p, "subnet"))
		if err != nil {
			return invalidProperty(id, "properties.subnet.id", refID(p, "subnet"), "an IP configuration needs a subnet")
		}
		if strings.EqualFold(subnet.Name(), "GatewaySubnet") {
			return badRequest("GatewaySubnet", "Network interface %s cannot be placed in the subnet GatewaySubnet; it is for gateways only.", c.id)
		}
		if f := c.checkPlacement(subnet); f != nil {
			return f
		}
		if v := subnet.Parent().Key(); network == "" {
			network = v
		} else if network != v {
			return badRequest("NicMultipleIpConfigurationsDifferentVnets", "The IP configurations of network interface %s are in different virtual networks.", c.id) // code unconfirmed
		}
		if strings.EqualFold(text(p, "privateIPAllocationMethod"), "Static") && text(p, "privateIPAddress") == "" {
			return invalidProperty(id, "properties.privateIPAddress", p["privateIPAddress"], "allocation method Static needs an address")
		}
		if p["primary"] == true {
			primaries++
		}
	}
	if primaries == 0 {
		object(configs[0], "properties")["primary"] = true
	}
	if primaries > 1 {
		return badRequest("NicHasMoreThanOnePrimaryIpConfiguration", "Network interface %s has %d primary IP configurations; one is allowed.", c.id, primaries) // code unconfirmed
	}
	return checkPublicIPUse(c)
}

// checkPublicIPUse refuses public addresses another resource has.
func checkPublicIPUse(c *change) *Fault {
	var found *Fault
	for _, r := range c.kind.refs {
		if r.to != model.TypePublicIP {
			continue
		}
		r.path.each(c.doc, func(target string) {
			id, err := model.ParseID(target)
			if err != nil || found != nil {
				return
			}
			if users := usersOf(c.kinds, c.tx.View, id, c.id.Equal); len(users) > 0 {
				found = badRequest(codePublicIPInUse, "Resource %s is referencing public IP address %s that is already allocated to resource %s.", c.id, id, users[0])
			}
		})
	}
	return found
}

func fillNIC(c *change) *Fault {
	p := c.props()
	mac := text(c.oldProps(), "macAddress")
	if mac == "" {
		// 00-0D-3A is one of Microsoft's own prefixes; the rest follows from the
		// resource's identity, which no other NIC has.
		h := fnv.New32a()
		h.Write([]byte(text(p, "resourceGuid")))
		n := h.Sum32()
		mac = fmt.Sprintf("00-0D-3A-%02X-%02X-%02X", byte(n>>16), byte(n>>8), byte(n))
	}
	p["macAddress"] = mac
	delete(object(p, "dnsSettings"), "internalDomainNameSuffix")
	delete(object(p, "dnsSettings"), "internalFqdn")
	c.doc["kind"] = "Regular"
	return c.assignAddresses("ipConfigurations")
}

func showNIC(r *reading, p map[string]any) {
	// An interface has its hardware address from the machine it is in, and the
	// service's names besides.
	if refID(p, "privateEndpoint") != "" {
		p["macAddress"] = ""
		return
	}
	showInternalNames(p)
	if u := r.users(model.TypeVM); len(u) > 0 {
		p["virtualMachine"] = u[0]
		setDefault(p, "primary", true)
		return
	}
	delete(p, "macAddress")
}

// showInternalNames shows the names that Azure gives interfaces in their network
// ("Azure-provided name resolution").
func showInternalNames(p map[string]any) {
	configs := objects(p, "ipConfigurations")
	if len(configs) == 0 {
		return
	}
	subnet, err := model.ParseID(refID(object(configs[0], "properties"), "subnet"))
	if err != nil {
		return
	}
	dns := shallow(object(p, "dnsSettings"))
	p["dnsSettings"] = dns
	suffix := model.InternalDomain(subnet.Parent())
	dns["internalDomainNameSuffix"] = suffix
	if label := text(dns, "internalDnsNameLabel"); label != "" {
		dns["internalFqdn"] = label + "." + suffix
	}
}

func checkPublicIP(c *change) *Fault {
	p := c.props()
	if f := oneOf(c.id, "properties.publicIPAddressVersion", p["publicIPAddressVersion"], "IPv4", "IPv6"); f != nil {
		return f
	}
	if f := oneOf(c.id, "properties.publicIPAllocationMethod", p["publicIPAllocationMethod"], "Static", "Dynamic"); f != nil {
		return f
	}
	if c.old != nil && strings.EqualFold(text(c.oldProps(), "publicIPAllocationMethod"), "Static") && strings.EqualFold(text(p, "publicIPAllocationMethod"), "Dynamic") {
		if users := usersOf(c.kinds, c.tx.View, c.id, nil); len(users) > 0 {
			return badRequest("PublicIPAddressInUseCannotUpdateToDynamic", "Public IP address %s is in use by ipconfig %s and cannot be updated to dynamic.", c.id, users[0])
		}
	}
	fillPublicSKU(c.doc)
	sku := skuName(c.doc)
	if strings.EqualFold(text(object(c.doc, "sku"), "tier"), "Global") && isBasic(c.doc) {
		return badRequest("GlobalPublicIPAddressNotSupportedForBasicPublicIpAddress", "Global publicIP addresses are only supported for standard SKU public IP addresses. Public IP address %s is not standard SKU.", c.id)
	}
	if strings.HasPrefix(strings.ToLower(sku), "standard") && strings.EqualFold(text(p, "publicIPAllocationMethod"), "Dynamic") {
		return badRequest("StandardSkuPublicIPAddressesCannotHaveDynamicAllocation", "Standard sku publicIp %s must have AllocationMethod set to Static.", c.id)
	}
	return nil
}

func showPublicIP(r *reading, p map[string]any) {
	for _, u := range usersOf(r.kinds, r.view, r.id, nil) {
		property := "ipConfiguration"
		if id, err := model.ParseID(u); err == nil && id.Is(model.TypeNATGateway) {
			property = "natGateway"
		}
		p[property] = map[string]any{"id": u}
	}
	// A dynamic address is there once something has it ("Public IP addresses",
	// IP address assignment).
	if p["ipConfiguration"] == nil && strings.EqualFold(text(p, "publicIPAllocationMethod"), "Dynamic") {
		delete(p, "ipAddress")
	}
}

func showNATGateway(r *reading, p map[string]any) { r.setUsers(p, "subnets", model.TypeSubnet) }

// checkPlacement refuses interfaces in subnets that belong to a service: one
// delegated to it, or an application gateway's.
func (c *change) checkPlacement(subnet model.ID) *Fault {
	doc, ok := lookup(c.tx, c.kinds[strings.ToLower(model.TypeSubnet)], subnet)
	if !ok {
		return nil
	}
	for _, d := range objects(object(doc, "properties"), "delegations") {
		return badRequest("ResourceNotPermittedOnDelegatedSubnet", "Network interface %s cannot be created in the subnet %s: it is delegated to %s.", c.id, subnet, text(object(d, "properties"), "serviceName"))
	}
	for _, e := range findExact(c.tx.View, termRef+subnet.Key()) {
		if e.Resource.ID.Is(typeAppGateway) && c.old == nil {
			return badRequest("ApplicationGatewaySubnetCannotBeUsedByOtherResources", "Subnet %s cannot be used by network interface %s: application gateway %s is in it.", subnet, c.id, e.Resource.ID)
		}
	}
	return nil
}
