package arm

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric/avnm"
	"github.com/ceruleannet/cerulean/internal/state"
	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// managerVerbs are the actions of a network manager.
func managerVerbs() []verb {
	return []verb{
		{name: "commit", act: (*call).commit},
		{name: "listDeploymentStatus", act: (*call).deploymentStatus},
		{name: "listActiveConnectivityConfigurations", body: maybeBody, answer: activeConnectivity},
		{name: "listActiveSecurityAdminRules", body: maybeBody, answer: activeAdminRules},
	}
}

// inForce is one commit with its snapshot.
type inForce struct {
	region, time string
	docs         []map[string]any
}

// commits returns the commits of a type: of one manager, or of all for nil.
func commits(v *state.View, manager *model.ID, commitType string) ([]inForce, *Fault) {
	var out []inForce
	for _, e := range findExact(v, termType+strings.ToLower(model.TypeCommit)) {
		if manager != nil && !e.Resource.ID.Parent().Equal(*manager) {
			continue
		}
		var c wire.Commit
		if err := e.Resource.Decode(&c); err != nil {
			return nil, fault(http.StatusInternalServerError, "InternalServerError", "%v", err)
		}
		if p := &c.Properties; p.CommitType == commitType {
			out = append(out, inForce{p.TargetLocation, p.CommitTime, p.Configurations})
		}
	}
	return out, nil
}

// of returns the documents of a type, below a parent unless it is "".
func (c *inForce) of(resourceType, parent string) []map[string]any {
	var out []map[string]any
	for _, d := range c.docs {
		id, err := model.ParseID(text(d, "id"))
		if err == nil && id.Is(resourceType) && (parent == "" || strings.EqualFold(id.Parent().String(), parent)) {
			out = append(out, d)
		}
	}
	return out
}

// groupItems returns the groups that a document applies to, as ConfigurationGroup
// of the API; keep chooses among them, nil keeps all.
func (q *question) groupItems(doc map[string]any, keep func(string) bool) []any {
	out := []any{}
	for _, g := range objects(object(doc, "properties"), "appliesToGroups") {
		id := text(g, "networkGroupId")
		if keep != nil && !keep(id) {
			continue
		}
		item := map[string]any{"id": id}
		if r := q.document(id); r != nil {
			item["id"], item["properties"] = r.ID.String(), r.Properties()
		}
		out = append(out, item)
	}
	return out
}

// activeConnectivity answers the connectivity configurations in force, region by
// region (ActiveConnectivityConfiguration of the API).
func activeConnectivity(q *question) (any, *Fault) {
	regions, f := stringList(q.on.ID, q.body, "regions", "")
	if f != nil {
		return nil, f
	}
	all, f := commits(q.view, &q.on.ID, "Connectivity")
	if f != nil {
		return nil, f
	}
	list := []any{}
	for _, c := range all {
		if !filtered(regions, c.region) {
			continue
		}
		for _, d := range c.of(model.TypeConnectivityConfig, "") {
			list = append(list, map[string]any{
				"id": d["id"], "commitTime": c.time, "region": c.region, "properties": d["properties"], "configurationGroups": q.groupItems(d, nil),
			})
		}
	}
	return q.skipped(list)
}

// activeAdminRules answers the security admin rules in force, region by region
// (ActiveSecurityAdminRule of the API).
func activeAdminRules(q *question) (any, *Fault) {
	regions, f := stringList(q.on.ID, q.body, "regions", "")
	if f != nil {
		return nil, f
	}
	all, f := commits(q.view, &q.on.ID, "SecurityAdmin")
	if f != nil {
		return nil, f
	}
	list := []any{}
	for _, c := range all {
		if !filtered(regions, c.region) {
			continue
		}
		for _, config := range c.of(model.TypeSecurityAdminConfig, "") {
			for _, collection := range c.of(model.TypeAdminRuleCollection, text(config, "id")) {
				for _, rule := range c.of(model.TypeAdminRule, text(collection, "id")) {
					item := q.adminRuleItem(config, collection, rule, nil)
					item["commitTime"], item["region"] = c.time, c.region
					list = append(list, item)
				}
			}
		}
	}
	return q.skipped(list)
}

// adminRuleItem is EffectiveSecurityAdminRule of the API.
func (q *question) adminRuleItem(config, collection, rule map[string]any, keep func(string) bool) map[string]any {
	applies := object(collection, "properties")["appliesToGroups"]
	if applies == nil {
		applies = []any{}
	}
	return map[string]any{
		"id": rule["id"], "kind": rule["kind"], "properties": rule["properties"],
		"configurationDescription": text(object(config, "properties"), "description"), "ruleCollectionDescription": text(object(collection, "properties"), "description"),
		"ruleCollectionAppliesToGroups": applies, "ruleGroups": q.groupItems(collection, keep),
	}
}

// networkVerbs are the actions of a virtual network.
func networkVerbs() []verb {
	return []verb{
		{name: "listNetworkManagerEffectiveConnectivityConfigurations", body: maybeBody, answer: effectiveConnectivity},
		{name: "listNetworkManagerEffectiveSecurityAdminRules", body: maybeBody, answer: effectiveAdminRules},
		{name: "usages", get: true, answer: networkUsages},
		ddosOfNetwork,
		{name: "CheckIPAddressAvailability", get: true, answer: checkAddress},
	}
}

// expand returns what the network managers do, and the place of the virtual
// network asked about.
func (q *question) expand() (*avnm.Effect, int, *Fault) {
	effect, networks, err := q.s.kinds.expandManagers(q.view)
	if err != nil {
		return nil, 0, fault(http.StatusConflict, "NetworkNotCompiled", "The network managers as stored do not make sense, so there is no answer. Correct what follows and ask again. %s", err)
	}
	return effect, slices.IndexFunc(networks, func(n avnm.VNet) bool { return n.ID.Equal(q.on.ID) }), nil
}

// expandManagers returns what the network managers do, and the virtual networks
// they do it to.
func (ks kindSet) expandManagers(v *state.View) (*avnm.Effect, []avnm.VNet, error) {
	var networks []avnm.VNet
	for _, e := range findExact(v, termType+strings.ToLower(model.TypeVirtualNetwork)) {
		r := e.Resource
		n := avnm.VNet{ID: r.ID, Region: r.Location(), Tags: r.Tags(), Prefixes: spaceOf(r.Doc)}
		for _, s := range objects(r.Properties(), "subnets") {
			n.Subnets = append(n.Subnets, r.ID.Child("subnets", text(s, "name")))
		}
		networks = append(networks, n)
	}
	var owned []*model.Resource
	for _, r := range ks.normalForm(v) {
		if avnm.Owns(r.Type()) && !aside(r.ID) {
			owned = append(owned, r)
		}
	}
	effect, problems := avnm.Expand(owned, networks)
	return effect, networks, problems.Err()
}

// memberOf tells the groups that hold a virtual network or a subnet of it.
func memberOf(effect *avnm.Effect, at int, network model.ID) func(string) bool {
	groups := map[string]bool{}
	for _, g := range effect.Groups {
		member := slices.Contains(g.VNets, at)
		for _, s := range g.Subnets {
			member = member || s.Parent().Equal(network)
		}
		if member {
			groups[g.ID.Key()] = true
		}
	}
	return func(id string) bool { return groups[strings.ToLower(id)] }
}

// effectiveConnectivity answers the connectivity configurations in force at a
// virtual network: as the hub, or as a member of a group
// (EffectiveConnectivityConfiguration of the API).
func effectiveConnectivity(q *question) (any, *Fault) {
	effect, at, f := q.expand()
	if f != nil {
		return nil, f
	}
	keep := memberOf(effect, at, q.on.ID)
	all, f := commits(q.view, nil, "Connectivity")
	if f != nil {
		return nil, f
	}
	list := []any{}
	for _, c := range all {
		if c.region != q.on.Location() {
			continue
		}
		for _, d := range c.of(model.TypeConnectivityConfig, "") {
			groups := q.groupItems(d, keep)
			hub := slices.ContainsFunc(objects(object(d, "properties"), "hubs"), func(h map[string]any) bool {
				return strings.EqualFold(text(h, "resourceId"), q.on.ID.String())
			})
			if len(groups) > 0 || hub {
				list = append(list, map[string]any{"id": d["id"], "properties": d["properties"], "configurationGroups": groups})
			}
		}
	}
	return q.skipped(list)
}

// effectiveAdminRules answers the admin rules in force at a virtual network, in
// the order they are evaluated.
func effectiveAdminRules(q *question) (any, *Fault) {
	effect, at, f := q.expand()
	if f != nil {
		return nil, f
	}
	keep := memberOf(effect, at, q.on.ID)
	all, f := commits(q.view, nil, "SecurityAdmin")
	if f != nil {
		return nil, f
	}
	docs := map[string]map[string]any{}
	for _, c := range all {
		if c.region == q.on.Location() {
			for _, d := range c.docs {
				docs[strings.ToLower(text(d, "id"))] = d
			}
		}
	}
	list := []any{}
	if at >= 0 && effect.Admin[at] != nil {
		for _, r := range effect.Admin[at].Rules {
			id := r.Source.Resource.ID
			rule := docs[id.Key()]
			if rule == nil {
				rule = r.Source.Resource.Doc
			}
			list = append(list, q.adminRuleItem(docs[id.Parent().Parent().Key()], docs[id.Parent().Key()], rule, keep))
		}
	}
	return q.skipped(list)
}

// skipped answers a part of a list: at most $top, from where the last answer's
// skipToken says.
func (q *question) skipped(list []any) (any, *Fault) {
	from, size := 0, len(list)
	if t := text(q.body, "skipToken"); t != "" {
		b, err := base64.RawURLEncoding.DecodeString(t)
		n, bad := strconv.Atoi(string(b))
		if err != nil || bad != nil || n < 0 {
			return nil, badRequest("InvalidSkipToken", "The value of skipToken is invalid; use it as it was given.")
		}
		from = min(n, len(list))
	}
	if t := q.query.Get("$top"); t != "" {
		n, err := strconv.Atoi(t)
		if err != nil || n < 1 {
			return nil, badRequest("InvalidQueryParameter", "The value '%s' of $top is not a positive number.", t)
		}
		size = n
	}
	to := min(from+size, len(list))
	out := map[string]any{"value": list[from:to]}
	if to < len(list) {
		out["skipToken"] = base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(to)))
	}
	return out, nil
}
