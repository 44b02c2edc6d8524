package template

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// resourceFunctions are those of "Resource functions" and "Deployment
// functions", but for reference() and list*().
func resourceFunctions() map[string]function {
	return map[string]function{
		"resourceid": {2, -1, func(s *scope, a []any) (any, error) {
			parts, err := texts(a)
			if err != nil {
				return nil, err
			}
			sub, group := s.o.Subscription, s.o.Group
			for len(parts) > 0 && !strings.Contains(parts[0], "/") {
				if len(parts) > 1 && !strings.Contains(parts[1], "/") {
					sub, parts = parts[0], parts[1:]
				}
				group, parts = parts[0], parts[1:]
				if len(parts) > 0 && !strings.Contains(parts[0], "/") {
					return nil, faultf(InvalidTemplate, "the type of the resource is missing")
				}
			}
			if group == "" {
				return nil, faultf(InvalidTemplate, "there is no resource group here: use subscriptionResourceId()")
			}
			return idOf("/subscriptions/"+sub+"/resourceGroups/"+group, parts)
		}},
		"subscriptionresourceid": {2, -1, func(s *scope, a []any) (any, error) {
			parts, err := texts(a)
			if err != nil {
				return nil, err
			}
			sub := s.o.Subscription
			if !strings.Contains(parts[0], "/") {
				sub, parts = parts[0], parts[1:]
			}
			return idOf("/subscriptions/"+sub, parts)
		}},
		"tenantresourceid": {2, -1, func(_ *scope, a []any) (any, error) {
			parts, err := texts(a)
			if err != nil {
				return nil, err
			}
			return idOf("", parts)
		}},
		"managementgroupresourceid": {2, -1, func(_ *scope, a []any) (any, error) {
			parts, err := texts(a)
			if err != nil {
				return nil, err
			}
			if strings.Contains(parts[0], "/") {
				return nil, faultf(InvalidTemplate, "the deployment is not to a management group: name one before the type")
			}
			return idOf("/providers/Microsoft.Management/managementGroups/"+parts[0], parts[1:])
		}},
		"managementgroup": {0, 0, func(s *scope, _ []any) (any, error) {
			at := "the subscription"
			if s.o.Group != "" {
				at = "a resource group"
			}
			return nil, faultf(InvalidTemplate, "there is no management group: the deployment is to %s", at)
		}},
		"providers": {1, 2, func(s *scope, a []any) (any, error) {
			parts, err := texts(a)
			if err != nil {
				return nil, err
			}
			if s.o.Provider == nil {
				return nil, inCloud("what the provider %s offers is known only in a cloud", parts[0])
			}
			provider, ok := s.o.Provider(parts[0])
			if !ok {
				return nil, faultf(InvalidTemplate, "there is no provider '%s'", parts[0])
			}
			if len(parts) == 1 {
				return provider, nil
			}
			types, _ := provider["resourceTypes"].([]any)
			for _, v := range types {
				o, _ := v.(map[string]any)
				if name, _ := o["resourceType"].(string); strings.EqualFold(name, parts[1]) {
					return o, nil
				}
			}
			return nil, faultf(InvalidTemplate, "the provider '%s' has no type '%s'", parts[0], parts[1])
		}},
		"extensionresourceid": {3, -1, func(_ *scope, a []any) (any, error) {
			parts, err := texts(a)
			if err != nil {
				return nil, err
			}
			return idOf(strings.TrimSuffix(parts[0], "/"), parts[1:])
		}},
		"resourcegroup": {0, 0, func(s *scope, _ []any) (any, error) {
			if s.o.Group == "" {
				return nil, faultf(InvalidTemplate, "there is no resource group: the deployment is to the subscription")
			}
			tags := s.o.GroupTags
			if tags == nil {
				tags = map[string]any{}
			}
			return map[string]any{
				"id": "/subscriptions/" + s.o.Subscription + "/resourceGroups/" + s.o.Group, "name": s.o.Group, "type": "Microsoft.Resources/resourceGroups",
				"location": s.o.Location, "tags": tags, "managedBy": nil, "properties": map[string]any{"provisioningState": "Succeeded"},
			}, nil
		}},
		"subscription": {0, 0, func(s *scope, _ []any) (any, error) {
			return map[string]any{
				"id": "/subscriptions/" + s.o.Subscription, "subscriptionId": s.o.Subscription, "tenantId": s.o.Tenant, "displayName": s.o.Subscription,
			}, nil
		}},
		"tenant": {0, 0, func(s *scope, _ []any) (any, error) {
			return map[string]any{"tenantId": s.o.Tenant, "displayName": "Cerulean", "countryCode": nil}, nil
		}},
		"deployment": {0, 0, func(s *scope, _ []any) (any, error) {
			out := map[string]any{
				"name": s.o.Name,
				"properties": map[string]any{
					"template":          map[string]any{"contentVersion": s.t.ContentVersion(), "$schema": s.t.root["$schema"]},
					"templateHash":      fmt.Sprintf("%d", hashOf(s.t.doc.data)),
					"parameters":        map[string]any{},
					"mode":              "Incremental",
					"provisioningState": "Accepted",
				},
			}
			if s.o.Group == "" {
				out["location"] = s.o.Location
			}
			return out, nil
		}},
		"environment": {0, 0, func(s *scope, _ []any) (any, error) {
			return map[string]any{
				"name": "AzureCloud", "portal": "https://portal.azure.com", "resourceManager": strings.TrimSuffix(s.o.Endpoint, "/") + "/",
				"authentication": map[string]any{"loginEndpoint": strings.TrimSuffix(s.o.Endpoint, "/") + "/", "audiences": []any{s.o.Endpoint}, "tenant": "common", "identityProvider": "AAD"},
				"suffixes": map[string]any{
					"storage": "core.windows.net", "keyvaultDns": ".vault.azure.net", "sqlServerHostname": ".database.windows.net",
					"acrLoginServer": ".azurecr.io", "azureFrontDoorEndpointSuffix": "azurefd.net",
				},
			}, nil
		}},
		"pickzones": {3, 5, func(_ *scope, a []any) (any, error) {
			n, skip := int64(1), int64(0)
			var err error
			if len(a) > 3 {
				if n, err = asInt(a[3]); err != nil {
					return nil, err
				}
			}
			if len(a) > 4 {
				if skip, err = asInt(a[4]); err != nil {
					return nil, err
				}
			}
			if n < 1 || skip < 0 || n+skip > 3 {
				return nil, faultf(InvalidTemplate, "a region has 3 zones: %d from %d are not possible", n, skip)
			}
			out := []any{}
			for z := skip + 1; z <= skip+n; z++ {
				out = append(out, fmt.Sprint(z))
			}
			return out, nil
		}},
	}
}

func hashOf(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return h.Sum64()
}

// idOf puts a type and names behind a scope: .../providers/A/b/NAME/c/NAME.
func idOf(scope string, parts []string) (string, error) {
	if len(parts) == 0 {
		return "", faultf(InvalidTemplate, "the type of the resource is missing")
	}
	kinds := strings.Split(strings.Trim(parts[0], "/"), "/")
	var names []string
	for _, n := range parts[1:] {
		names = append(names, strings.Split(n, "/")...)
	}
	if len(kinds) < 2 || len(kinds)-1 != len(names) {
		return "", faultf(InvalidTemplate, "the type '%s' has %d parts after its provider, and there are %d names: %s", parts[0], max(0, len(kinds)-1), len(names), strings.Join(names, ", "))
	}
	if strings.EqualFold(parts[0], model.TypeResourceGroup) {
		return scope + "/resourceGroups/" + names[0], nil
	}
	var b strings.Builder
	b.WriteString(scope + "/providers/" + kinds[0])
	for i, n := range names {
		b.WriteString("/" + kinds[i+1] + "/" + n)
	}
	return b.String(), nil
}

// reference is reference(): the state of a resource while the deployment runs;
// references() is that of all of a loop.
func (s *scope) reference(n *node) (any, error) {
	if len(n.args) < 1 || len(n.args) > 3 {
		return nil, faultf(InvalidTemplate, "the function '%s' takes 1 to 3 arguments, not %d", n.text, len(n.args))
	}
	a, err := s.evalAll(n.args)
	if err != nil {
		return nil, err
	}
	args, err := texts(a)
	if err != nil {
		return nil, err
	}
	if s.runtime == nil || s.resources == nil {
		return nil, errRuntime
	}
	full := len(args) > 1 && strings.EqualFold(args[len(args)-1], "Full")
	version := ""
	if len(args) > 1 && !(full && len(args) == 2) {
		version = args[1]
	}
	read := func(id model.ID, version string) (any, error) {
		doc, err := s.runtime.Reference(id, version)
		if err != nil {
			return nil, err
		}
		doc, _ = plain(doc).(map[string]any)
		if full {
			return doc, nil
		}
		p, _ := lookup(doc, "properties")
		if p == nil {
			p = map[string]any{}
		}
		return p, nil
	}
	if strings.EqualFold(n.text, "references") {
		out := []any{}
		for _, r := range s.resources.ofLoop(args[0]) {
			v, err := read(r.ID, r.APIVersion)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	}
	id, r, err := s.resources.target(args[0])
	if err != nil {
		return nil, err
	}
	if r != nil {
		if r.off {
			return nil, faultf(InvalidTemplate, "'%s' is not deployed: its condition is false", args[0])
		}
		if version == "" {
			version = r.APIVersion
		}
	}
	return read(id, version)
}

// list is a function whose name begins with "list": an action of a resource.
func (s *scope) list(n *node) (any, error) {
	if len(n.args) < 1 || len(n.args) > 3 {
		return nil, faultf(InvalidTemplate, "the function '%s' takes 1 to 3 arguments, not %d", n.text, len(n.args))
	}
	a, err := s.evalAll(n.args)
	if err != nil {
		return nil, err
	}
	name, err := asText(a[0])
	if err != nil {
		return nil, err
	}
	if s.runtime == nil || s.resources == nil {
		return nil, errRuntime
	}
	id, r, err := s.resources.target(name)
	if err != nil {
		return nil, err
	}
	version := ""
	if len(a) > 1 {
		if version, err = asText(a[1]); err != nil {
			return nil, err
		}
	} else if r != nil {
		version = r.APIVersion
	}
	var body any
	if len(a) > 2 {
		body = a[2]
	}
	v, err := s.runtime.List(id, n.text, version, body)
	return plain(v), err
}
