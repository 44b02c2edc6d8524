package arm

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

func (c *call) getOnly() *Fault {
	if c.r.Method != http.MethodGet {
		return methodNotAllowed(c.r.Method, http.MethodGet)
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
	body := map[string]any{
		"id": "/subscriptions/" + name, "subscriptionId": name, "tenantId": c.s.identity.TenantID,
		"displayName": name, "state": "Enabled", "authorizationSource": "RoleBased",
		"subscriptionPolicies": map[string]any{"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
	}
	if r, _ := tagged(c.s.store.View(), model.SubscriptionID(name)); r.Doc["tags"] != nil {
		body["tags"] = r.Doc["tags"]
	}
	return body
}

// subscriptionNames are the configured subscriptions, or the identity's own and
// those that hold resource groups or are in a management group, in order.
func (s *Server) subscriptionNames(v *state.View) []string {
	names := map[string]string{}
	add := func(name string) {
		if _, ok := names[strings.ToLower(name)]; !ok && name != "" {
			names[strings.ToLower(name)] = name
		}
	}
	if s.subscriptions != nil {
		names = s.subscriptions
	} else {
		add(s.identity.SubscriptionID)
		for _, e := range findExact(v, termType+strings.ToLower(model.TypeResourceGroup)) {
			add(e.Resource.ID.Subscription())
		}
		for _, e := range findExact(v, termType+strings.ToLower(typeManaged)) {
			add(e.Resource.ID.Name())
		}
	}
	out := make([]string, 0, len(names))
	for _, k := range slices.Sorted(maps.Keys(names)) {
		out = append(out, names[k])
	}
	return out
}

// knownSubscription refuses a subscription that is not there.
func (c *call) knownSubscription(name string) *Fault {
	if _, ok := c.s.subscriptions[strings.ToLower(name)]; c.s.subscriptions != nil && !ok {
		return fault(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", name)
	}
	return nil
}

// listSubscriptions lists the subscriptions the caller may see.
func (c *call) listSubscriptions() *Fault {
	if f := c.getOnly(); f != nil {
		return f
	}
	value := []any{}
	for _, name := range c.s.subscriptionNames(c.s.store.View()) {
		if c.rights().in(model.SubscriptionID(name)) {
			value = append(value, c.subscriptionBody(name))
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
		return methodNotAllowed(c.r.Method, method)
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

// providerInfo is what templates are told of a provider ("providers" of the
// template functions): its types, without what registers them.
func (c *call) providerInfo(namespace string) (map[string]any, bool) {
	var types []string
	spelled := ""
	for _, k := range c.s.kinds {
		if ns, rest, _ := strings.Cut(k.Type, "/"); strings.EqualFold(ns, namespace) {
			types, spelled = append(types, rest), ns
		}
	}
	if spelled == "" {
		return nil, false
	}
	body := c.providerBody(spelled, types)
	out := []any{}
	for _, v := range body["resourceTypes"].([]any) {
		o := v.(map[string]any)
		out = append(out, map[string]any{"resourceType": o["resourceType"], "locations": anyList(o["locations"].([]string)), "apiVersions": anyList(shownVersions)})
	}
	return map[string]any{"id": body["id"], "namespace": spelled, "resourceTypes": out}, true
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
	more, f := c.expand(c.r.URL.Query().Get("$expand"))
	if f != nil {
		return f
	}
	p, f := c.newPage()
	if f != nil {
		return f
	}
	c.collectTracked(v, scope, match, more, p)
	return c.answerPage(p)
}

func (c *call) collectTracked(v *state.View, scope model.ID, match func(*model.Resource) bool, more expansion, p *page) {
	p.byKey = true
	for e := range v.List(scope.Key()+"/", p.after) {
		r := e.Resource
		k := c.s.kinds[strings.ToLower(r.Type())]
		if k == nil || !k.tracked() || !match(r) {
			continue
		}
		if !p.add(r.ID, func() any { return more.add(r, trackedBody(r)) }) {
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
