package arm_test

import (
	"encoding/json"
	"testing"
)

func parsed(t *testing.T, raw []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return v
}

// The metadata of a cloud in its three shapes (what go-azure-sdk, the Kubernetes
// cloud provider and msrestazure read), and OAuth 2.0 as they use it.
var expectSignIn = []expectation{
	{says: "newer metadata is one object with all endpoints non-empty", method: "GET", path: "/metadata/endpoints?api-version=2022-09-01", status: 200, headers: []string{"Authorization: "}, has: map[string]string{
		"name": "*", "resourceManager": "{base}", "microsoftGraphResourceId": "*", "authentication.loginEndpoint": "{base}", "authentication.audiences.0": "{base}",
		"authentication.tenant": "*", "authentication.identityProvider": "AAD", "suffixes.storage": "*", "suffixes.keyVaultDns": "*", "suffixes.sqlServerHostname": "*", "graph": "*",
	}},
	{says: "the login endpoint does not end in a slash", method: "GET", path: "/metadata/endpoints?api-version=2022-09-01", status: 200, has: map[string]string{"authentication.loginEndpoint": "~[^/]$"}},
	{says: "metadata of 2019 is an array of clouds", method: "GET", path: "/metadata/endpoints?api-version=2019-05-01", status: 200, has: map[string]string{"0.name": "*", "0.resourceManager": "{base}"}},
	{says: "metadata of 2015 is Azure Stack's", method: "GET", path: "/metadata/endpoints?api-version=2015-01-01", status: 200, has: map[string]string{
		"galleryEndpoint": "*", "graphEndpoint": "*", "portalEndpoint": "*", "authentication.loginEndpoint": "*", "authentication.audiences.0": "{base}",
	}},
	{says: "OpenID discovery of a tenant", method: "GET", path: "/{tenant}/v2.0/.well-known/openid-configuration?x=", status: 200, has: map[string]string{
		"authorization_endpoint": "~^https://", "token_endpoint": "{base}/{tenant}/oauth2/v2.0/token", "issuer": "*", "jwks_uri": "~^https://",
	}},
	{says: "OpenID discovery of the authority that needs no public discovery", method: "GET", path: "/adfs/.well-known/openid-configuration?x=", status: 200, has: map[string]string{"token_endpoint": "{base}/adfs/oauth2/token"}},
	{says: "the keys that tokens are signed with", method: "GET", path: "/{tenant}/discovery/v2.0/keys?x=", status: 200, has: map[string]string{"keys.0.kid": "*", "keys.0.kty": "EC"}},
	{says: "instance discovery", method: "GET", path: "/common/discovery/instance?api-version=1.1&authorization_endpoint={base}/common/oauth2/v2.0/authorize", status: 200, has: map[string]string{"tenant_discovery_endpoint": "*"}},
	{says: "a request without a token is told where to get one", method: "GET", path: "{sub}", headers: []string{"Authorization: "}, status: 401, code: "AuthenticationFailed", header: map[string]string{"WWW-Authenticate": "~^Bearer .*authorization_uri="}},
	{says: "a token that is none is refused", method: "GET", path: "{sub}", headers: []string{"Authorization: Bearer a.b.c"}, status: 401, code: "InvalidAuthenticationToken"},
}

// What tools ask of a subscription before they write anything.
var expectGroups = []expectation{
	{says: "subscriptions", method: "GET", path: "/subscriptions", status: 200, has: map[string]string{"value.0.subscriptionId": "*", "value.0.tenantId": "{tenant}", "value.0.state": "Enabled"}},
	{says: "one subscription", method: "GET", path: "{sub}", status: 200, has: map[string]string{"id": "{sub}", "subscriptionId": "*", "displayName": "*"}},
	{says: "tenants", method: "GET", path: "/tenants", status: 200, has: map[string]string{"value.0.tenantId": "{tenant}"}},
	{says: "locations, normalized", method: "GET", path: "{sub}/locations", status: 200, has: map[string]string{"value.0.name": "~^[a-z0-9]+$", "value.0.displayName": "*"}},
	{says: "providers are registered", method: "GET", path: "{sub}/providers/Microsoft.Network", status: 200, has: map[string]string{"namespace": "Microsoft.Network", "registrationState": "Registered", "resourceTypes.0.apiVersions.0": "*", "resourceTypes.0.locations.0": "*"}},
	{says: "a provider can be registered again", method: "POST", path: "{sub}/providers/Microsoft.Network/register", status: 200, has: map[string]string{"registrationState": "Registered"}},
	{says: "a new group is 201 and ready", method: "PUT", path: "{sub}/resourcegroups/G2", body: `{"location":"West Europe","tags":{"a":"b"}}`, status: 201, has: map[string]string{
		"id": "{sub}/resourceGroups/G2", "name": "G2", "type": "Microsoft.Resources/resourceGroups", "location": "westeurope", "properties.provisioningState": "Succeeded", "tags.a": "b",
	}},
	{says: "a group again is 200 and keeps the first spelling", method: "PUT", path: "{sub}/resourceGroups/g2", body: `{"location":"westeurope"}`, status: 200, has: map[string]string{"id": "{sub}/resourceGroups/G2", "name": "G2"}},
	{says: "HEAD of a group that is there", method: "HEAD", path: "{sub}/resourceGroups/G2", status: 204},
	{says: "HEAD of one that is not", method: "HEAD", path: "{sub}/resourceGroups/none", status: 404},
	{says: "PATCH of a group sets its tags", method: "PATCH", path: "{sub}/resourceGroups/G2", body: `{"tags":{"c":"d"}}`, status: 200, has: map[string]string{"tags.c": "d", "tags.a": "-"}},
	{says: "a group keeps its location", method: "PUT", path: "{sub}/resourceGroups/G2", body: `{"location":"northeurope"}`, status: 409, code: "InvalidResourceGroupLocation"},
	{says: "listings have pages, the next at an absolute URL", method: "PUT", path: "{sub}/resourceGroups/G3", body: `{"location":"westeurope"}`, status: 201},
	{says: "first page", method: "GET", path: "{sub}/resourcegroups", status: 200, has: map[string]string{"value": "#2", "nextLink": "~^https://.*[$%]"}, keep: map[string]string{"next": "nextLink"}},
	{says: "second page", method: "GET", path: "{next}", status: 200, has: map[string]string{"value": "#1", "nextLink": "-"}},
	{says: "the resources of a group", method: "GET", path: "{group}/resources", status: 200, has: map[string]string{"value": "#0"}},
	{says: "deletion of a group is 202 with a Location and no Azure-AsyncOperation", method: "DELETE", path: "{sub}/resourceGroups/G2", status: 202, header: map[string]string{"Location": "~^https://.*/operationresults/", "Azure-AsyncOperation": "-", "Retry-After": "*"}, keep: map[string]string{"gone": "header Location"}},
	{says: "which ends with 200", method: "GET", path: "{gone}", status: 200},
	{says: "and the group is gone", method: "GET", path: "{sub}/resourceGroups/G2", status: 404, code: "ResourceGroupNotFound"},
}

// Paths, their case, and api-versions.
var expectPaths = []expectation{
	{says: "names keep their creator's case", method: "PUT", path: "@/virtualNetworks/Vnet", body: vnetBody, status: 201, has: map[string]string{"id": "@/virtualNetworks/Vnet", "name": "Vnet", "type": "Microsoft.Network/virtualNetworks", "location": "westeurope"}},
	{says: "keys, types and names are found in any case", method: "GET", path: "{sub}/RESOURCEGROUPS/nEt/Providers/microsoft.network/VIRTUALNETWORKS/vNET", status: 200, has: map[string]string{"id": "@/virtualNetworks/Vnet", "name": "Vnet"}},
	{says: "so are children", method: "GET", path: "@/virtualnetworks/VNET/SUBNETS/data", status: 200, has: map[string]string{"id": "@/virtualNetworks/Vnet/subnets/Data", "name": "Data"}},
	{says: "a write in another case is the same resource", method: "PUT", path: "@/VirtualNetworks/VNET", body: vnetBody, status: 200, has: map[string]string{"name": "Vnet"}},
	{says: "old versions", method: "GET", path: "@/virtualNetworks/Vnet?api-version=2018-11-01", status: 200},
	{says: "versions of a preview", method: "GET", path: "@/virtualNetworks/Vnet?api-version=2022-04-01-preview", status: 200},
	{says: "the newest versions", method: "GET", path: "@/virtualNetworks/Vnet?api-version=2025-05-01", status: 200},
	{says: "the version's own name in any case", method: "GET", path: "@/virtualNetworks/Vnet?API-Version=2025-05-01", status: 200},
	{says: "no version", method: "GET", path: "@/virtualNetworks/Vnet?x=y", status: 400, code: "MissingApiVersionParameter"},
	{says: "a version that is none", method: "GET", path: "@/virtualNetworks/Vnet?api-version=latest", status: 400, code: "InvalidApiVersionParameter"},
	{says: "what a client sent and no type knows is kept, null and [] too", method: "GET", path: "@/virtualNetworks/Vnet", status: 200, has: map[string]string{"properties.custom.y": "#0", "tags.env": "prod"}},
	{says: "a listing of a group", method: "GET", path: "@/virtualNetworks", status: 200, has: map[string]string{"value": "#1", "value.0.name": "Vnet"}},
	{says: "a listing of a subscription", method: "GET", path: "{sub}/providers/Microsoft.Network/virtualNetworks", status: 200, has: map[string]string{"value": "#1"}},
	{says: "a listing of children", method: "GET", path: "@/virtualNetworks/Vnet/subnets", status: 200, has: map[string]string{"value": "#2"}},
	{says: "requests are numbered, and keep the client's number", method: "GET", path: "@/virtualNetworks/Vnet", headers: []string{"X-Ms-Client-Request-Id: 6f8b1f3e-2f0a-4a5e-9d5b-0c9d8e7f6a5b"}, status: 200, header: map[string]string{"X-Ms-Request-Id": "*", "X-Ms-Correlation-Request-Id": "*", "X-Ms-Client-Request-Id": "6f8b1f3e-2f0a-4a5e-9d5b-0c9d8e7f6a5b"}},
}

// Writes are long-running operations.
var expectWrites = []expectation{
	{says: "a creation is 201 and Updating, with an operation at an absolute URL", method: "PUT", path: "@/virtualNetworks/v", body: vnetBody, status: 201, has: map[string]string{"properties.provisioningState": "Updating", "etag": "~^W/"}, header: map[string]string{
		"Azure-AsyncOperation": "~^https://.*/providers/Microsoft.Network/locations/westeurope/operations/[0-9a-f-]{36}\\?api-version=", "Azure-AsyncNotification": "Enabled", "Retry-After": "*",
	}, keep: map[string]string{"operation": "header Azure-AsyncOperation"}},
	{says: "the operation says Succeeded", method: "GET", path: "{operation}", status: 200, has: map[string]string{"status": "Succeeded"}, header: map[string]string{"Content-Type": "~application/json"}},
	{says: "the resource then is Succeeded, with its etag as a header", method: "GET", path: "@/virtualNetworks/v", status: 200, has: map[string]string{"properties.provisioningState": "Succeeded", "etag": "~^W/"}, header: map[string]string{"ETag": "~^W/"}, keep: map[string]string{"etag": "etag"}},
	{says: "a write that changes nothing is 200, Succeeded and keeps the etag", method: "PUT", path: "@/virtualNetworks/v", body: vnetBody, status: 200, has: map[string]string{"properties.provisioningState": "Succeeded", "etag": "{etag}"}, header: map[string]string{"Azure-AsyncOperation": "-"}},
	{says: "a change is 200 with an operation", method: "PUT", path: "@/virtualNetworks/v", body: `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16","10.9.0.0/16"]}}}`, status: 200, has: map[string]string{"properties.provisioningState": "Updating"}, header: map[string]string{"Azure-AsyncOperation": "*"}},
	{says: "PATCH sets all tags at once", method: "PATCH", path: "@/virtualNetworks/v", body: `{"tags":{"x":"y"}}`, status: 200, has: map[string]string{"tags.x": "y", "tags.env": "-"}, header: map[string]string{"Azure-AsyncOperation": "-"}},
	{says: "and leaves the rest", method: "GET", path: "@/virtualNetworks/v", status: 200, has: map[string]string{"properties.addressSpace.addressPrefixes": "#2"}},
	{says: "an unknown operation", method: "GET", path: "{sub}/providers/Microsoft.Network/locations/westeurope/operations/6f8b1f3e-2f0a-4a5e-9d5b-0c9d8e7f6a5b", status: 404, code: "OperationNotFound"},
	{says: "a deletion is 202 with both headers", method: "DELETE", path: "@/virtualNetworks/v", status: 202, header: map[string]string{"Azure-AsyncOperation": "~/operations/", "Location": "~/operationResults/", "Retry-After": "*"}, keep: map[string]string{"operation": "header Azure-AsyncOperation", "result": "header Location"}},
	{says: "its operation says Succeeded", method: "GET", path: "{operation}", status: 200, has: map[string]string{"status": "Succeeded"}},
	{says: "its result is 204", method: "GET", path: "{result}", status: 204},
	{says: "a deletion of what is not there is 204", method: "DELETE", path: "@/virtualNetworks/v", status: 204},
	{says: "zones of names are written at once", method: "PUT", path: "@/dnsZones/example.org", body: `{"location":"global"}`, status: 201, header: map[string]string{"Azure-AsyncOperation": "-"}},
	{says: "Traffic Manager has a PATCH that merges", method: "PUT", path: "@/trafficManagerProfiles/tm", body: `{"location":"global","properties":{"trafficRoutingMethod":"Performance","dnsConfig":{"relativeName":"expect-tm","ttl":30},"monitorConfig":{"protocol":"HTTP","port":80,"path":"/"}}}`, status: 201},
	{says: "of single properties", method: "PATCH", path: "@/trafficManagerProfiles/tm", body: `{"properties":{"trafficRoutingMethod":"Weighted"}}`, status: 200, has: map[string]string{"properties.trafficRoutingMethod": "Weighted", "properties.dnsConfig.ttl": "30"}},
}

// Conditional requests (RFC 9110 section 13) as the network provider answers them.
var expectConditions = []expectation{
	{says: "create only", method: "PUT", path: "@/virtualNetworks/v", body: vnetBody, headers: []string{"If-None-Match: *"}, status: 201, keep: map[string]string{"etag": "etag"}},
	{says: "not again", method: "PUT", path: "@/virtualNetworks/v", body: vnetBody, headers: []string{"If-None-Match: *"}, status: 412, code: "PreconditionFailed"},
	{says: "of a child", method: "PUT", path: "@/virtualNetworks/v/subnets/app", body: `{"properties":{"addressPrefix":"10.0.1.0/24"}}`, headers: []string{"If-None-Match: *"}, status: 412, code: "PreconditionFailed"},
	{says: "another etag is 412 with the reason nested", method: "PUT", path: "@/virtualNetworks/v", body: vnetBody, headers: []string{`If-Match: W/"invalid"`}, status: 412, code: "PreconditionFailed", has: map[string]string{
		"error.message": "Precondition failed.", "error.details.0.code": "PreconditionFailedEtagMismatch", "error.details.0.message": `~^Etag provided in if-match header W/"invalid" does not match etag .* of resource /subscriptions/.*/virtualNetworks/v in NRP data store\.$`,
	}},
	{says: "the resource's etag passes", method: "PUT", path: "@/virtualNetworks/v", body: vnetBody, headers: []string{"If-Match: {etag}"}, status: 200},
	{says: "any etag passes", method: "PUT", path: "@/virtualNetworks/v", body: vnetBody, headers: []string{"If-Match: *"}, status: 200},
	{says: "not where there is nothing", method: "PUT", path: "@/virtualNetworks/none", body: vnetBody, headers: []string{"If-Match: *"}, status: 412, code: "PreconditionFailed"},
	{says: "deletions, too", method: "DELETE", path: "@/virtualNetworks/v", headers: []string{`If-Match: W/"invalid"`}, status: 412, code: "PreconditionFailed"},
}

// The forms of errors.
var expectErrors = []expectation{
	{says: "no such group", method: "GET", path: "{sub}/resourceGroups/none", status: 404, code: "ResourceGroupNotFound", has: map[string]string{"error.message": "Resource group 'none' could not be found."}},
	{says: "no such group above", method: "PUT", path: "{sub}/resourceGroups/none/providers/Microsoft.Network/virtualNetworks/v", body: vnetBody, status: 404, code: "ResourceGroupNotFound"},
	{says: "no such resource, in Resource Manager's words", method: "GET", path: "@/networkSecurityGroups/x", status: 404, code: "ResourceNotFound", has: map[string]string{"error.message": "The Resource 'Microsoft.Network/networkSecurityGroups/x' under resource group 'Net' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"}},
	{says: "a network", method: "PUT", path: "@/virtualNetworks/v", body: vnetBody, status: 201},
	{says: "no such child, in the network provider's words", method: "GET", path: "@/virtualNetworks/v/subnets/x", status: 404, code: "NotFound", has: map[string]string{"error.message": "Resource @/virtualNetworks/v/subnets/x not found.", "error.details": "#0"}},
	{says: "a child below nothing", method: "PUT", path: "@/virtualNetworks/none/subnets/x", body: `{"properties":{"addressPrefix":"10.0.9.0/24"}}`, status: 404, code: "ParentResourceNotFound"},
	{says: "no such type", method: "GET", path: "@/teapots/x", status: 404, code: "InvalidResourceType"},
	{says: "no such namespace", method: "GET", path: "{group}/providers/Microsoft.Teapots/pots/x", status: 404, code: "InvalidResourceNamespace"},
	{says: "a reference that leads nowhere", method: "PUT", path: "@/networkInterfaces/n", body: `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"a","properties":{"subnet":{"id":"@/virtualNetworks/v/subnets/x"}}}]}}`, status: 400, code: "InvalidResourceReference", has: map[string]string{"error.message": "~referenced by resource @/networkInterfaces/n was not found"}},
	{says: "a location is needed", method: "PUT", path: "@/routeTables/r", body: `{}`, status: 400, code: "LocationRequired"},
	{says: "a location stays", method: "PUT", path: "@/virtualNetworks/v", body: `{"location":"eastus","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`, status: 409, code: "InvalidResourceLocation"},
	{says: "a body that is no JSON", method: "PUT", path: "@/routeTables/r", body: `{"location"`, status: 400, code: "InvalidRequestContent"},
	{says: "no body", method: "PUT", path: "@/routeTables/r", status: 400, code: "MissingRequestBody"},
	{says: "a lock", method: "PUT", path: "@/virtualNetworks/v/providers/Microsoft.Authorization/locks/l", body: `{"properties":{"level":"CanNotDelete"}}`, status: 201},
	{says: "keeps it from deletion", method: "DELETE", path: "@/virtualNetworks/v", status: 409, code: "ScopeLocked"},
	{says: "and all above it", method: "DELETE", path: "{group}", status: 409, code: "ScopeLocked"},
}
