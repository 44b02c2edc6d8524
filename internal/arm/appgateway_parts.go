package arm

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// gatewayLink is a property of one part of an application gateway that holds the
// ID of another part, and the property under which the other shows where it is
// used. The service keeps the second by itself (Azure/azure-cli recordings,
// test_network_ag_*): what clients send of it is dropped, so that a document
// which was read, lost a part and is written back refers to nothing that is
// gone.
type gatewayLink struct {
	from, property string // list, and property of its elements; lists of IDs, too
	to, back       string // list, and property of its elements
}

var gatewayLinks = []gatewayLink{
	{"httpListeners", "frontendIPConfiguration", "frontendIPConfigurations", "httpListeners"},
	{"httpListeners", "frontendPort", "frontendPorts", "httpListeners"},
	{"httpListeners", "sslCertificate", "sslCertificates", "httpListeners"},
	{"listeners", "frontendIPConfiguration", "frontendIPConfigurations", "listeners"},
	{"listeners", "frontendPort", "frontendPorts", "listeners"},
	{"listeners", "sslCertificate", "sslCertificates", "listeners"},
	{"requestRoutingRules", "httpListener", "httpListeners", "requestRoutingRules"},
	{"requestRoutingRules", "backendAddressPool", "backendAddressPools", "requestRoutingRules"},
	{"requestRoutingRules", "backendHttpSettings", "backendHttpSettingsCollection", "requestRoutingRules"},
	{"requestRoutingRules", "redirectConfiguration", "redirectConfigurations", "requestRoutingRules"},
	{"requestRoutingRules", "rewriteRuleSet", "rewriteRuleSets", "requestRoutingRules"},
	{"routingRules", "listener", "listeners", "routingRules"},
	{"routingRules", "backendAddressPool", "backendAddressPools", "routingRules"},
	{"routingRules", "backendSettings", "backendSettingsCollection", "routingRules"},
	{"urlPathMaps", "defaultBackendAddressPool", "backendAddressPools", "urlPathMaps"},
	{"urlPathMaps", "defaultBackendHttpSettings", "backendHttpSettingsCollection", "urlPathMaps"},
	{"urlPathMaps", "defaultRedirectConfiguration", "redirectConfigurations", "urlPathMaps"},
	{"urlPathMaps", "defaultRewriteRuleSet", "rewriteRuleSets", "urlPathMaps"},
	{"pathRules", "backendAddressPool", "backendAddressPools", "pathRules"},
	{"pathRules", "backendHttpSettings", "backendHttpSettingsCollection", "pathRules"},
	{"pathRules", "redirectConfiguration", "redirectConfigurations", "pathRules"},
	{"pathRules", "rewriteRuleSet", "rewriteRuleSets", "pathRules"},
	{"redirectConfigurations", "targetListener", "httpListeners", "redirectConfiguration"}, // a list all the same
	{"backendHttpSettingsCollection", "authenticationCertificates", "authenticationCertificates", "backendHttpSettings"},
	{"backendHttpSettingsCollection", "trustedRootCertificates", "trustedRootCertificates", "backendHttpSettings"},
	{"frontendIPConfigurations", "privateLinkConfiguration", "privateLinkConfigurations", "frontendIpConfigurations"},
}

// gatewayNested are the lists within parts, by the list that the parts are in.
var gatewayNested = map[string]string{"urlPathMaps": "pathRules", "privateLinkConfigurations": "ipConfigurations"}

// gatewayLists of a gateway of the first generation and of the second: what it
// has none of is an empty list, and those of the other generation are not there.
var (
	gatewayListsV1 = []string{"authenticationCertificates"}
	gatewayListsV2 = []string{
		"backendSettingsCollection", "listeners", "loadDistributionPolicies", "privateLinkConfigurations", "routingRules",
		"sslProfiles", "trustedClientCertificates", "trustedRootCertificates",
	}
)

// firstGeneration reports whether a gateway is of version 1: Standard_Small to
// WAF_Large. Azure creates none any more; templates still name them.
func firstGeneration(p map[string]any) bool {
	sku := strings.ToLower(text(object(p, "sku"), "name"))
	return !strings.HasSuffix(sku, "_v2") && (strings.HasPrefix(sku, "standard_") || strings.HasPrefix(sku, "waf_"))
}

// gatewayPartsOf returns the parts in a list, those of nested lists by the name
// of the nested list.
func gatewayPartsOf(p map[string]any, list string) []map[string]any {
	for outer, inner := range gatewayNested {
		if inner != list {
			continue
		}
		var out []map[string]any
		for _, o := range objects(p, outer) {
			out = append(out, objects(object(o, "properties"), inner)...)
		}
		return out
	}
	return objects(p, list)
}

// dropBackReferences takes out of a gateway's parts what the service adds.
func dropBackReferences(p map[string]any) {
	for _, l := range gatewayLinks {
		for _, part := range objects(p, l.to) {
			q := object(part, "properties")
			for name := range q {
				if strings.EqualFold(name, l.back) {
					delete(q, name)
				}
			}
		}
	}
}

// showApplicationGateway shows which parts use which, hides the keys of
// certificates, and has the endpoints that lead to the gateway.
func showApplicationGateway(r *reading, p map[string]any) {
	uses := map[string]map[string][]any{} // lower-case ID of a part, property
	for _, l := range gatewayLinks {
		for _, part := range gatewayPartsOf(p, l.from) {
			q := object(part, "properties")
			for _, to := range append(objects(q, l.property), object(q, l.property)) {
				id := strings.ToLower(text(to, "id"))
				if id == "" {
					continue
				}
				if uses[id] == nil {
					uses[id] = map[string][]any{}
				}
				uses[id][l.back] = append(uses[id][l.back], map[string]any{"id": part["id"]})
			}
		}
	}
	for _, list := range gatewayParts {
		parts := objects(p, list)
		shown := make([]any, len(parts))
		for i, part := range parts {
			back := uses[strings.ToLower(text(part, "id"))]
			shown[i] = part
			if back == nil && list != "sslCertificates" {
				continue
			}
			part = shallow(part)
			q := shallow(object(part, "properties"))
			for name, users := range back {
				q[name] = users
			}
			if list == "sslCertificates" {
				delete(q, "data")
				delete(q, "password")
			}
			part["properties"] = q
			shown[i] = part
		}
		if len(parts) > 0 {
			p[list] = shown
		}
	}
	if !firstGeneration(p) {
		r.showConnections(p)
	}
}

// gatewayLinkResources tells which of a gateway's frontends private endpoints
// may lead to: those with a private link configuration.
func gatewayLinkResources(q *question) (any, *Fault) {
	list := []any{}
	for _, front := range objects(q.on.Properties(), "frontendIPConfigurations") {
		if refID(object(front, "properties"), "privateLinkConfiguration") == "" {
			continue
		}
		name := text(front, "name")
		list = append(list, map[string]any{
			"id": q.on.ID.Child("privateLinkResources", name).String(), "name": name, "type": typeAppGateway + "/privateLinkResources",
			"properties": map[string]any{"groupId": name, "requiredMembers": []any{name}, "requiredZoneNames": []any{}},
		})
	}
	return map[string]any{"value": list}, nil
}

// completeGatewayParts gives every part its head, its nested parts theirs, and
// returns the IDs of all.
func (c *change) completeGatewayParts() (map[string]bool, *Fault) {
	known := map[string]bool{}
	for _, list := range gatewayParts {
		if f := c.completeParts(c.id, c.props(), list, known); f != nil {
			return nil, f
		}
		inner := gatewayNested[list]
		if inner == "" {
			continue
		}
		for _, o := range objects(c.props(), list) {
			if f := c.completeParts(model.MustParseID(text(o, "id")), object(o, "properties"), inner, known); f != nil {
				return nil, f
			}
		}
	}
	return known, nil
}
