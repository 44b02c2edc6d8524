package arm

import (
	"maps"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// catalogueVerbs are the published facts about a region, asked by GET of
// .../providers/Microsoft.Network/locations/REGION/NAME.
func catalogueVerbs() []verb {
	list := func(name string, items func() []string, show func(id model.ID, item string) map[string]any) verb {
		return verb{name: name, get: true, answer: func(q *question) (any, *Fault) {
			if f := q.inRegion(); f != nil {
				return nil, f
			}
			value := []any{}
			for _, item := range items() {
				value = append(value, show(q.on.ID, item))
			}
			return map[string]any{"value": value}, nil
		}}
	}
	return []verb{
		list("availableDelegations", catalog.Delegations, func(on model.ID, service string) map[string]any {
			name := strings.ReplaceAll(service, "/", ".")
			return map[string]any{
				"name": name, "id": networkFact(on, "availableDelegations", name), "type": "Microsoft.Network/availableDelegations",
				"serviceName": service, "actions": delegationActions(service),
			}
		}),
		list("virtualNetworkAvailableEndpointServices", catalog.EndpointServices, func(on model.ID, service string) map[string]any {
			return map[string]any{
				"name": service, "id": networkFact(on, "virtualNetworkEndpointServices", service),
				"type": "Microsoft.Network/virtualNetworkEndpointServices",
			}
		}),
		list("availableServiceAliases", serviceAliases, func(on model.ID, alias string) map[string]any {
			name := strings.ReplaceAll(strings.TrimPrefix(alias, "/"), "/", "-")
			return map[string]any{
				"name": name, "id": networkFact(on, "availableServiceAliases", name),
				"type": "Microsoft.Network/availableServiceAliases", "resourceName": alias,
			}
		}),
		{name: "serviceTags", get: true, answer: serviceTags},
		{name: "serviceTagDetails", get: true, answer: serviceTagDetails},
	}
}

// inRegion refuses questions about a region that Azure has not.
func (q *question) inRegion() *Fault {
	if _, known := catalog.Region(q.on.ID.Name()); !known {
		return badRequest("LocationNotAvailableForResourceType", "The provided location '%.100s' is not a region. See /subscriptions/{subscription}/locations for those that are.", q.on.ID.Name())
	}
	return nil
}

// serviceAliases are the names that service endpoint policies have for the
// services of others (Microsoft Learn, "Virtual network service endpoint
// policies").
func serviceAliases() []string {
	return []string{
		"/services/Azure", "/services/Azure/Batch", "/services/Azure/DataFactory", "/services/Azure/Databricks",
		"/services/Azure/MachineLearning", "/services/Azure/ManagedInstance", "/services/Azure/WebPI",
	}
}

// networkFact is the ID of a published fact of the region on.
func networkFact(on model.ID, kind, name string) string {
	below := "/subscriptions/" + on.Subscription()
	if g := on.ResourceGroup(); g != "" {
		below += "/resourceGroup/" + g // the service's spelling
	}
	return below + "/providers/Microsoft.Network/" + kind + "/" + name
}

// serviceTags answers "Service Tags - List" of Microsoft's REST reference: the
// tags of the whole cloud, whichever region is asked.
func serviceTags(q *question) (any, *Fault) {
	if f := q.inRegion(); f != nil {
		return nil, f
	}
	return map[string]any{
		"name": "Public", "id": networkFact(q.on.ID, "serviceTags", "Public"), "type": "Microsoft.Network/serviceTags",
		"changeNumber": catalog.ServiceTagsChange, "cloud": "Public", "values": tagValues(catalog.ServiceTags(), true),
	}, nil
}

// serviceTagDetails answers "Service Tag Information - List": one tag, or all,
// with or without their prefixes.
func serviceTagDetails(q *question) (any, *Fault) {
	if f := q.inRegion(); f != nil {
		return nil, f
	}
	names := catalog.ServiceTags()
	if tag := q.query.Get("tagName"); tag != "" {
		names = slices.DeleteFunc(names, func(n string) bool { return !strings.EqualFold(n, tag) })
	}
	return map[string]any{"value": tagValues(names, !strings.EqualFold(q.query.Get("noAddressPrefixes"), "true"))}, nil
}

// tagParts are what follows the dot in names of tags where that is no region, as
// in AzureFrontDoor.Backend: those tags are of all regions, as published.
var tagParts = []string{"Frontend", "Backend", "FirstParty", "MicrosoftSecurity", "ServiceEndpoint", "Core"}

func tagValues(names []string, withPrefixes bool) []any {
	values := make([]any, len(names))
	for i, name := range names {
		service, region, _ := strings.Cut(name, ".")
		if slices.Contains(tagParts, region) {
			region = ""
		}
		p := map[string]any{"changeNumber": catalog.ServiceTagsChange, "region": strings.ToLower(region), "systemService": service, "state": "GA"}
		if withPrefixes {
			prefixes, _ := catalog.ServiceTag(name)
			shown := make([]any, len(prefixes))
			for j, x := range prefixes {
				shown[j] = x.String()
			}
			p["addressPrefixes"] = shown
		}
		values[i] = map[string]any{"name": name, "id": name, "serviceTagChangeNumber": catalog.ServiceTagsChange, "properties": p}
	}
	return values
}

// published are the facts that are listed below a subscription and never written,
// by lower-case type.
var published = map[string]func(scope model.ID) map[string]any{
	strings.ToLower(typeFirewallTag):          firewallTags,
	"microsoft.network/bgpservicecommunities": bgpCommunities,
	"microsoft.network/azurewebcategories":    webCategories,
}

// bgpCommunities answers "Bgp Service Communities - List".
func bgpCommunities(scope model.ID) map[string]any {
	var order []string
	byService := map[string][]any{}
	for _, c := range catalog.BGPCommunities() {
		if byService[c.Service] == nil {
			order = append(order, c.Service)
		}
		region := c.Region
		if region == "" {
			region = "Global"
		}
		byService[c.Service] = append(byService[c.Service], map[string]any{
			"serviceSupportedRegion": region, "communityName": strings.TrimSpace(c.Service + " " + c.Region), "communityValue": c.Value,
			"communityPrefixes": []any{}, "isAuthorizedToUse": true, "serviceGroup": c.Service,
		})
	}
	value := []any{}
	for _, service := range order {
		value = append(value, map[string]any{
			"name": service, "id": networkFact(scope, "bgpServiceCommunities", service), "type": "Microsoft.Network/bgpServiceCommunities",
			"properties": map[string]any{"serviceName": service, "bgpCommunities": byService[service]},
		})
	}
	return map[string]any{"value": value}
}

// webCategories answers "Web Categories - List By Subscription".
func webCategories(scope model.ID) map[string]any {
	groups := catalog.WebCategories()
	value := []any{}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		for _, name := range groups[group] {
			value = append(value, map[string]any{
				"name": name, "id": networkFact(scope, "azureWebCategories", name), "type": "Microsoft.Network/azureWebCategories",
				"etag": `W/"0"`, "properties": map[string]any{"group": group},
			})
		}
	}
	return map[string]any{"value": value}
}

// typeFirewallTag is the names that stand for those of a service in a firewall's
// rules: published, listed below a subscription, and never written.
const typeFirewallTag = "Microsoft.Network/azureFirewallFqdnTags"

// firewallTags answers "Azure Firewall Fqdn Tags - List All".
func firewallTags(scope model.ID) map[string]any {
	value := []any{}
	for _, name := range catalog.FirewallTags() {
		value = append(value, map[string]any{
			"name": name, "id": networkFact(scope, "azureFirewallFqdnTags", name), "type": typeFirewallTag,
			"properties": map[string]any{"fqdnTagName": name, "provisioningState": "Succeeded"},
		})
	}
	return map[string]any{"value": value}
}
