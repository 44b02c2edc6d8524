package azure

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// defaultVersion is the api-version of Microsoft.Network.
const defaultVersion = "2025-01-01"

// versions are the api-versions of resource types that do not follow
// Microsoft.Network, by lower-case type or namespace; the longest match counts.
var versions = map[string]string{
	"microsoft.resources":               "2021-04-01",
	"microsoft.authorization":           "2023-04-01",
	"microsoft.compute":                 "2024-07-01",
	"microsoft.network/privatednszones": "2024-06-01",
	"microsoft.network/dnsresolvers":    "2022-07-01",
	"microsoft.network/dnszones":        "2018-05-01",

	"microsoft.network/dnsforwardingrulesets": "2022-07-01",

	"microsoft.storage":         "2023-05-01",
	"microsoft.keyvault":        "2023-07-01",
	"microsoft.managedidentity": "2023-01-31",
}

// versionOf returns the api-version for a resource type; its children have the
// same.
func versionOf(resourceType string) string {
	for t := strings.ToLower(resourceType); t != ""; {
		if v, ok := versions[t]; ok {
			return v
		}
		t = t[:max(0, strings.LastIndexByte(t, '/'))]
	}
	return defaultVersion
}

// known reports whether resources of a type can be read without having been
// declared: others in an owned group are left alone.
func known(resourceType string) bool {
	t := strings.ToLower(resourceType)
	return strings.HasPrefix(t, "microsoft.network/") || versionOf(t) != defaultVersion
}

// childCollections are the collections below a resource that are read when the
// resource is found, by lower-case type. A collection that the parent shows
// inline (a network's peerings) is not asked for again.
var childCollections = map[string][]childCollection{
	strings.ToLower(model.TypeVirtualNetwork): {{name: "virtualNetworkPeerings", inline: true}},
	strings.ToLower(model.TypeFirewallPolicy): {{name: "ruleCollectionGroups", counted: true}},
	strings.ToLower(model.TypePrivateZone):    {{name: "ALL"}, {name: "virtualNetworkLinks"}},
	strings.ToLower(model.TypeNetworkManager): {
		{name: "networkGroups"},
		{name: "connectivityConfigurations"},
		{name: "securityAdminConfigurations"},
		{name: "routingConfigurations"},
	},
	"microsoft.network/virtualhubs":                  {{name: "hubVirtualNetworkConnections"}, {name: "ipConfigurations"}, {name: "bgpConnections"}},
	strings.ToLower(model.TypePrivateEndpoint):       {{name: "privateDnsZoneGroups"}},
	strings.ToLower(model.TypeSQLServer):             {{name: "firewallRules"}, {name: "virtualNetworkRules"}},
	"microsoft.network/dnsresolvers":                 {{name: "inboundEndpoints"}, {name: "outboundEndpoints"}},
	"microsoft.network/dnsforwardingrulesets":        {{name: "forwardingRules"}, {name: "virtualNetworkLinks"}},
	strings.ToLower(model.TypeNetworkGroup):          {{name: "staticMembers"}},
	strings.ToLower(model.TypeSecurityAdminConfig):   {{name: "ruleCollections"}},
	strings.ToLower(model.TypeAdminRuleCollection):   {{name: "rules"}},
	strings.ToLower(model.TypeRoutingConfig):         {{name: "ruleCollections"}},
	strings.ToLower(model.TypeRoutingRuleCollection): {{name: "rules"}},
}

// childCollection is one collection below a resource.
type childCollection struct {
	name string
	// inline marks a collection whose whole documents the parent shows under
	// the same name.
	inline bool
	// counted marks one the parent shows the IDs of: none shown, none to read.
	counted bool
}
