package plan

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// fact says how one property of a type behaves beyond the common rule, which
// is: compare what the declared document has, leave the rest alone.
type fact struct {
	// at is the property below the document; "*" stands for the elements of an
	// array, for example "properties/subnets/*/properties/routeTable".
	at string
	// absent lists the values that mean the same as leaving the property out.
	// A declared document without it restores the first of them when the
	// observed value is none of them. Without this rule a property that was
	// taken out of the declaration would stay in the cloud.
	absent []any
	// link marks a reference that is taken out when it is no longer declared
	// but points to a resource the network owns. A reference to somebody
	// else's resource (an NSG attached by a policy, a route table of a network
	// manager) is left alone.
	link bool
	// whole marks a value whose parts exclude each other: it is compared and
	// sent as one.
	whole bool
	// filled marks what the server fills in: it is never sent back unless it
	// was declared, and its references do not order anything.
	filled bool
}

func absent(at string, values ...any) fact { return fact{at: at, absent: values} }
func link(at string) fact                  { return fact{at: at, link: true} }
func filled(at string) fact                { return fact{at: at, filled: true} }

func none() []any { return []any{} }

// facts are the properties that need more than the common rule, by lower-case
// type. Names and defaults are those of Microsoft.Network 2025-01-01.
var facts = index(map[string][]fact{
	model.TypeVirtualNetwork: {
		absent("properties/subnets", none()),
		absent("properties/dhcpOptions/dnsServers", none()),
		filled("properties/virtualNetworkPeerings"),
		filled("properties/subnets/*/properties/ipConfigurations"),
		filled("properties/subnets/*/properties/privateEndpoints"),
		filled("properties/subnets/*/properties/serviceAssociationLinks"),
		filled("properties/subnets/*/properties/resourceNavigationLinks"),
		filled("properties/subnets/*/properties/purpose"),
		link("properties/subnets/*/properties/networkSecurityGroup"),
		link("properties/subnets/*/properties/routeTable"),
		link("properties/subnets/*/properties/natGateway"),
		absent("properties/subnets/*/properties/serviceEndpoints", none()),
		absent("properties/subnets/*/properties/delegations", none()),
	},
	model.TypeSubnet: {
		link("properties/networkSecurityGroup"),
		link("properties/routeTable"),
		link("properties/natGateway"),
		filled("properties/ipConfigurations"),
		filled("properties/privateEndpoints"),
		absent("properties/serviceEndpoints", none()),
		absent("properties/delegations", none()),
	},
	model.TypePeering: {
		absent("properties/allowVirtualNetworkAccess", true),
		absent("properties/allowForwardedTraffic", false),
		absent("properties/allowGatewayTransit", false),
		absent("properties/useRemoteGateways", false),
		filled("properties/peeringState"),
		filled("properties/peeringSyncLevel"),
		filled("properties/remoteAddressSpace"),
		filled("properties/remoteVirtualNetworkAddressSpace"),
	},
	model.TypeNSG: append([]fact{
		absent("properties/securityRules", none()),
		filled("properties/defaultSecurityRules"),
		filled("properties/subnets"),
		filled("properties/networkInterfaces"),
	}, securityRule("properties/securityRules/*/")...),
	model.TypeSecurityRule: securityRule(""),
	model.TypeRouteTable: {
		absent("properties/routes", none()),
		absent("properties/disableBgpRoutePropagation", false),
		absent("properties/routes/*/properties/nextHopIpAddress", ""),
		filled("properties/subnets"),
	},
	model.TypeRoute: {absent("properties/nextHopIpAddress", "")},
	model.TypeNIC: {
		absent("properties/enableIPForwarding", false),
		absent("properties/dnsSettings/dnsServers", none()),
		absent("properties/ipConfigurations/*/properties/applicationSecurityGroups", none()),
		link("properties/networkSecurityGroup"),
		link("properties/ipConfigurations/*/properties/publicIPAddress"),
		filled("properties/virtualMachine"),
		filled("properties/privateEndpoint"),
		filled("properties/macAddress"),
		filled("properties/primary"),
	},
	model.TypeLoadBalancer: {
		filled("properties/frontendIPConfigurations/*/properties/loadBalancingRules"),
		filled("properties/frontendIPConfigurations/*/properties/inboundNatRules"),
		filled("properties/frontendIPConfigurations/*/properties/outboundRules"),
		filled("properties/frontendIPConfigurations/*/properties/privateLinkServices"),
		filled("properties/backendAddressPools/*/properties/loadBalancingRules"),
		filled("properties/backendAddressPools/*/properties/inboundNatRules"),
		filled("properties/backendAddressPools/*/properties/outboundRules"),
		filled("properties/backendAddressPools/*/properties/backendIPConfigurations"),
		filled("properties/probes/*/properties/loadBalancingRules"),
		filled("properties/inboundNatRules/*/properties/backendIPConfiguration"),
	},
	model.TypePrivateEndpoint: {
		filled("properties/networkInterfaces"),
		filled("properties/customDnsConfigs"),
	},
	"Microsoft.Network/virtualHubs": {
		filled("properties/ipConfigurations"),
		filled("properties/bgpConnections"),
		filled("properties/virtualRouterIps"),
		filled("properties/routingState"),
	},
	model.TypeEndpointPolicy: {filled("properties/subnets")},
	"Microsoft.Network/publicIPPrefixes": {
		filled("properties/publicIPAddresses"),
		filled("properties/loadBalancerFrontendIpConfiguration"),
	},
	"Microsoft.Network/ddosProtectionPlans": {
		filled("properties/virtualNetworks"),
		filled("properties/publicIPAddresses"),
	},
	"Microsoft.Network/applicationGatewayWebApplicationFirewallPolicies": {
		filled("properties/applicationGateways"),
		filled("properties/httpListeners"),
	},
	model.TypePublicIP: {
		filled("properties/ipConfiguration"),
		filled("properties/natGateway"),
	},
	model.TypeNATGateway: {
		absent("properties/publicIpAddresses", none()),
		filled("properties/subnets"),
	},
	model.TypeFirewall: {
		link("properties/firewallPolicy"),
	},
	model.TypeFirewallPolicy: {
		link("properties/basePolicy"),
		filled("properties/firewalls"),
		filled("properties/childPolicies"),
		filled("properties/ruleCollectionGroups"),
	},
	model.TypeRuleCollectionGroup: {
		absent("properties/ruleCollections", none()),
		absent("properties/ruleCollections/*/rules", none()),
		absent("properties/ruleCollections/*/rules/*/ipProtocols", none()),
		absent("properties/ruleCollections/*/rules/*/sourceAddresses", none()),
		absent("properties/ruleCollections/*/rules/*/sourceIpGroups", none()),
		absent("properties/ruleCollections/*/rules/*/destinationAddresses", none()),
		absent("properties/ruleCollections/*/rules/*/destinationIpGroups", none()),
		absent("properties/ruleCollections/*/rules/*/destinationFqdns", none()),
		absent("properties/ruleCollections/*/rules/*/destinationPorts", none()),
		absent("properties/ruleCollections/*/rules/*/protocols", none()),
		absent("properties/ruleCollections/*/rules/*/targetFqdns", none()),
		absent("properties/ruleCollections/*/rules/*/translatedAddress", ""),
		absent("properties/ruleCollections/*/rules/*/translatedPort", ""),
	},
	model.TypeIPGroup: {
		filled("properties/firewalls"),
		filled("properties/firewallPolicies"),
	},
	model.TypePolicyDefinition: {
		{at: "properties/policyRule", whole: true},
	},
	model.TypeConnectivityConfig: {
		absent("properties/hubs", none()),
		absent("properties/isGlobal", "False"),
		absent("properties/deleteExistingPeering", "False"),
		absent("properties/appliesToGroups/*/isGlobal", "False"),
		absent("properties/appliesToGroups/*/useHubGateway", "False"),
	},
	model.TypeAdminRule: {
		absent("properties/description", ""),
		absent("properties/sources", none()),
		absent("properties/destinations", none()),
		absent("properties/sourcePortRanges", none(), allPorts(), []any{"*"}),
		absent("properties/destinationPortRanges", none(), allPorts(), []any{"*"}),
	},
	model.TypeRoutingRuleCollection: {
		absent("properties/disableBgpRoutePropagation", "False"),
	},
	model.TypeRoutingRule: {
		absent("properties/nextHop/nextHopAddress", ""),
	},
	model.TypeVM: {
		filled("properties/vmId"),
		filled("properties/instanceView"),
	},
})

// allPorts is what Azure fills in for an admin rule without ports.
func allPorts() []any { return []any{"0-65535"} }

func securityRule(at string) []fact {
	at += "properties/"
	return []fact{
		absent(at+"description", ""),
		absent(at+"sourceApplicationSecurityGroups", none()),
		absent(at+"destinationApplicationSecurityGroups", none()),
	}
}

// everywhere is filled in by the server at any depth of a document.
func everywhere(key string) bool {
	switch key {
	case "etag", "provisioningState", "resourceGuid", "systemData", "privateEndpointConnections":
		return true
	}
	return false
}

// forms are properties Azure accepts in a singular and a plural form of which
// a document may use one; the service may answer with the other.
var forms = []struct{ one, many string }{
	{"addressPrefix", "addressPrefixes"},
	{"sourceAddressPrefix", "sourceAddressPrefixes"},
	{"destinationAddressPrefix", "destinationAddressPrefixes"},
	{"sourcePortRange", "sourcePortRanges"},
	{"destinationPortRange", "destinationPortRanges"},
}

// unordered names the arrays of scalars whose order means nothing to Azure.
// Every other array of scalars is a sequence: of DNS servers the order is the
// order in which they are asked, and of an array we do not know we assume the
// same.
var unordered = set(
	"addressPrefixes", "sourceAddressPrefixes", "destinationAddressPrefixes",
	"sourcePortRanges", "destinationPortRanges", "ipProtocols",
	"sourceAddresses", "sourceIpGroups", "destinationAddresses", "destinationIpGroups",
	"destinationFqdns", "destinationPorts", "targetFqdns", "ipAddresses", "privateRanges",
	"networkManagerScopeAccesses", "subscriptions", "managementGroups",
	"locations", "zones", "configurationIds",
)

// elementKeys names the properties that tell the elements of an array apart,
// for arrays whose elements have no "name" and no "id".
var elementKeys = map[string][]string{
	"hubs":             {"resourceId"},
	"appliesToGroups":  {"networkGroupId"},
	"appliesTo":        {"networkGroupId"},
	"sources":          {"addressPrefixType", "addressPrefix"},
	"destinations":     {"addressPrefixType", "addressPrefix"},
	"aRecords":         {"ipv4Address"},
	"aaaaRecords":      {"ipv6Address"},
	"serviceEndpoints": {"service"},
	"protocols":        {"protocolType", "port"},
}

// folded names the properties whose values are enumerations: Azure reads them
// in any case and answers in its own.
var folded = set("protocol", "protocolType", "direction", "access", "nextHopType", "ipProtocols",
	"isGlobal", "deleteExistingPeering", "useHubGateway", "groupConnectivity",
	"privateIPAllocationMethod", "publicIPAllocationMethod", "threatIntelMode")

// inlineChildren are child resources whose whole document is an element of an
// array of their parent, by lower-case child type. The parent is responsible
// for them unless they are declared by themselves.
var inlineChildren = map[string]string{
	strings.ToLower(model.TypeSubnet):       "subnets",
	strings.ToLower(model.TypeSecurityRule): "securityRules",
	strings.ToLower(model.TypeRoute):        "routes",
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// node is one level of a type's facts.
type node struct {
	fact
	children map[string]*node
}

// child returns the facts of a property or, with "*", of array elements. It
// may be nil, and a nil node has no facts.
func (n *node) child(name string) *node {
	if n == nil {
		return nil
	}
	return n.children[name]
}

func (n *node) isWhole() bool  { return n != nil && n.whole }
func (n *node) isFilled() bool { return n != nil && n.filled }

// otherwise returns the value that leaving the property out stands for.
func (n *node) otherwise() any {
	if n == nil || len(n.absent) == 0 {
		return nil
	}
	return n.absent[0]
}

func index(table map[string][]fact) map[string]*node {
	out := make(map[string]*node, len(table))
	for resourceType, list := range table {
		root := &node{}
		for _, f := range list {
			at := root
			for _, part := range strings.Split(f.at, "/") {
				next := at.children[part]
				if next == nil {
					next = &node{}
					if at.children == nil {
						at.children = map[string]*node{}
					}
					at.children[part] = next
				}
				at = next
			}
			at.fact = f
		}
		out[strings.ToLower(resourceType)] = root
	}
	return out
}

// factsOf returns the facts of a resource type, nil if there are none.
func factsOf(id model.ID) *node { return facts[strings.ToLower(id.Type())] }
