package arm

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

func (c *call) getOnly() *Fault {
	if c.r.Method != http.MethodGet {
		return methodNotAllowed(c.r.Method)
	}
	return nil
}

// tenants answers the one tenant of the installation.
func (c *call) tenants() *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	id := c.s.identity.TenantID
	writeJSON(c.w, http.StatusOK, map[string]any{"value": []any{map[string]any{
		"id": "/tenants/" + id, "tenantId": id, "displayName": cloudName, "tenantCategory": "Home",
	}}})
	return nil
}

func (c *call) subscriptionBody(name string) map[string]any {
	return map[string]any{
		"id": "/subscriptions/" + name, "subscriptionId": name, "tenantId": c.s.identity.TenantID,
		"displayName": name, "state": "Enabled", "authorizationSource": "RoleBased",
		"subscriptionPolicies": map[string]any{"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
	}
}

// listSubscriptions shows the configured subscriptions, or the identity's own
// and those that hold resource groups.
func (c *call) listSubscriptions() *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	names := map[string]string{}
	if c.s.subscriptions != nil {
		names = c.s.subscriptions
	} else {
		names[strings.ToLower(c.s.identity.SubscriptionID)] = c.s.identity.SubscriptionID
		for _, e := range findExact(c.s.store.View(), termType+strings.ToLower(model.TypeResourceGroup)) {
			s := e.Resource.ID.Subscription()
			if _, ok := names[strings.ToLower(s)]; !ok {
				names[strings.ToLower(s)] = s
			}
		}
	}
	keys := make([]string, 0, len(names))
	for k := range names {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	value := []any{}
	for _, k := range keys {
		if c.rights().in(model.SubscriptionID(names[k])) {
			value = append(value, c.subscriptionBody(names[k]))
		}
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"value": value, "count": map[string]any{"type": "Total", "value": len(value)}})
	return nil
}

func (c *call) getSubscription() *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	if f := c.permitIn("Microsoft.Resources/subscriptions/read", model.SubscriptionID(c.subscription)); f != nil {
		return f
	}
	writeJSON(c.w, http.StatusOK, c.subscriptionBody(c.subscription))
	return nil
}

func (c *call) locations() *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	if f := c.permitIn("Microsoft.Resources/subscriptions/locations/read", model.SubscriptionID(c.subscription)); f != nil {
		return f
	}
	value := []any{}
	for _, r := range catalog.Regions() {
		meta := map[string]any{
			"regionType": "Physical", "regionCategory": "Other", "geography": r.Geography, "geographyGroup": r.GeographyGroup,
			"physicalLocation": r.PhysicalLocation, "latitude": fmt.Sprint(r.Latitude), "longitude": fmt.Sprint(r.Longitude),
			"pairedRegion": []any{},
		}
		if r.Recommended {
			meta["regionCategory"] = "Recommended"
		}
		if r.Paired != "" {
			meta["pairedRegion"] = []any{map[string]any{"name": r.Paired, "id": "/subscriptions/" + c.subscription + "/locations/" + r.Paired}}
		}
		value = append(value, map[string]any{
			"id": "/subscriptions/" + c.subscription + "/locations/" + r.Name, "name": r.Name, "type": "Region",
			"displayName": r.DisplayName, "regionalDisplayName": "(" + r.GeographyGroup + ") " + r.DisplayName, "metadata": meta,
		})
	}
	if strings.EqualFold(c.r.URL.Query().Get("includeExtendedLocations"), "true") {
		for _, z := range catalog.ExtendedZones() {
			value = append(value, map[string]any{
				"id": "/subscriptions/" + c.subscription + "/locations/" + z.Name, "name": z.Name, "type": "EdgeZone",
				"displayName": z.DisplayName, "regionalDisplayName": z.DisplayName,
				"metadata": map[string]any{"regionType": "Physical", "homeLocation": z.Home},
			})
		}
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"value": value})
	return nil
}

// shownVersions are the api-versions providers list; any date is accepted.
var shownVersions = []string{"2025-05-01", "2025-01-01", "2024-07-01", "2023-09-01", "2022-05-01", "2021-04-01"}

// providers answers .../providers, .../providers/NS and
// .../providers/NS/register: every provider is registered.
func (c *call) providers(path []string) *Fault {
	method := http.MethodGet
	if len(path) == 2 {
		method = http.MethodPost
	}
	if c.r.Method != method {
		return methodNotAllowed(c.r.Method)
	}
	me := model.SubscriptionID(c.subscription)
	f := c.permitIn("Microsoft.Resources/subscriptions/providers/read", me)
	if method == http.MethodPost {
		f = c.permitAction(path[0]+"/register/action", me)
	}
	if f != nil {
		return f
	}
	types := map[string][]string{}
	for _, k := range c.s.kinds {
		ns, rest, _ := strings.Cut(k.Type, "/")
		types[ns] = append(types[ns], rest)
	}
	var names []string
	for ns := range types {
		if len(path) == 0 || strings.EqualFold(path[0], ns) {
			names = append(names, ns)
		}
	}
	if len(names) == 0 {
		return fault(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", path[0])
	}
	slices.Sort(names)
	value := make([]any, len(names))
	for i, ns := range names {
		value[i] = c.providerBody(ns, types[ns])
	}
	if len(path) > 0 {
		writeJSON(c.w, http.StatusOK, value[0])
		return nil
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"value": value})
	return nil
}

func (c *call) providerBody(ns string, types []string) map[string]any {
	locations := []string{}
	for _, r := range catalog.Regions() {
		locations = append(locations, r.DisplayName)
	}
	slices.Sort(types)
	out := make([]any, len(types))
	for i, t := range types {
		out[i] = map[string]any{"resourceType": t, "locations": locations, "apiVersions": shownVersions, "capabilities": "SupportsTags, SupportsLocation"}
	}
	return map[string]any{
		"id": "/subscriptions/" + c.subscription + "/providers/" + ns, "namespace": ns,
		"registrationState": "Registered", "registrationPolicy": "RegistrationRequired", "resourceTypes": out,
	}
}

// listResources lists the top-level resources of a subscription or a resource
// group, without their properties.
func (c *call) listResources(scope model.ID) *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	if f := c.permitIn("Microsoft.Resources/subscriptions/resources/read", scope); f != nil {
		return f
	}
	v := c.s.store.View()
	if g := scope.ResourceGroup(); g != "" && !has(v, scope) {
		return notFound(scope, false)
	}
	match, f := parseFilter(c.r.URL.Query().Get("$filter"))
	if f != nil {
		return f
	}
	p, f := c.newPage()
	if f != nil {
		return f
	}
	c.collectTracked(v, scope, match, p)
	return c.answerPage(p)
}

func (c *call) collectTracked(v *state.View, scope model.ID, match func(*model.Resource) bool, p *page) {
	p.byKey = true
	for e := range v.List(scope.Key()+"/", p.after) {
		r := e.Resource
		k := c.s.kinds[strings.ToLower(r.Type())]
		if k == nil || k.child() || k.Place&inGroup == 0 || k.Place&onResource != 0 || !match(r) {
			continue
		}
		if !p.add(r.ID, func() any { return trackedBody(r) }) {
			return
		}
	}
}

// trackedBody is a resource as Resource Manager lists it.
func trackedBody(r *model.Resource) map[string]any {
	out := map[string]any{}
	for _, name := range []string{"id", "name", "type", "kind", "location", "tags", "sku", "identity", "zones"} {
		if v, ok := r.Doc[name]; ok {
			out[name] = v
		}
	}
	return out
}

// parseFilter reads the part of OData that listings of resources take: "NAME
// eq 'VALUE'" with resourceType, resourceGroup, name, location, tagName or
// tagValue, joined by "and" or by "or".
func parseFilter(s string) (func(*model.Resource) bool, *Fault) {
	if strings.TrimSpace(s) == "" {
		return func(*model.Resource) bool { return true }, nil
	}
	bad := badRequest("InvalidFilterInQueryString", "Invalid $filter '%.300s' specified in the query string. Use resourceType, resourceGroup, name, location, tagName or tagValue with eq and a quoted value, joined by and, or by or.", s)
	type term struct{ name, value string }
	var terms []term
	joint := ""
	for rest := strings.TrimSpace(s); ; {
		name, after, ok := strings.Cut(rest, " ")
		op, after, ok2 := strings.Cut(strings.TrimSpace(after), " ")
		after = strings.TrimSpace(after)
		if !ok || !ok2 || !strings.EqualFold(op, "eq") || !strings.HasPrefix(after, "'") {
			return nil, bad
		}
		value, after, ok := quoted(after)
		if !ok {
			return nil, bad
		}
		switch strings.ToLower(name) {
		case "resourcetype", "resourcegroup", "name", "location", "tagname", "tagvalue":
			terms = append(terms, term{strings.ToLower(name), value})
		default:
			return nil, bad
		}
		rest = strings.TrimSpace(after)
		if rest == "" {
			break
		}
		word, next, _ := strings.Cut(rest, " ")
		word = strings.ToLower(word)
		if word != "and" && word != "or" || joint != "" && word != joint {
			return nil, bad
		}
		joint, rest = word, strings.TrimSpace(next)
	}
	return func(r *model.Resource) bool {
		for _, t := range terms {
			if matchTerm(r, t.name, t.value) == (joint == "or") {
				return joint == "or"
			}
		}
		return joint != "or"
	}, nil
}

// quoted reads a string in single quotes; a doubled quote stands for one.
func quoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), s[i+1:], true
	}
	return "", "", false
}

func matchTerm(r *model.Resource, name, value string) bool {
	switch name {
	case "resourcetype":
		return r.ID.Is(value)
	case "resourcegroup":
		return strings.EqualFold(r.ID.ResourceGroup(), value)
	case "name":
		return strings.EqualFold(r.ID.Name(), value)
	case "location":
		return r.Location() == model.NormalizeLocation(value)
	}
	for k, v := range r.Tags() {
		if name == "tagname" && strings.EqualFold(k, value) || name == "tagvalue" && v == value {
			return true
		}
	}
	return false
}
