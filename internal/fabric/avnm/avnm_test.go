package avnm

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

// world is a set of virtual networks and the documents of a manager.
type world struct {
	t         testing.TB
	manager   model.ID
	vnets     []VNet
	resources []*model.Resource
}

var (
	rg             = model.GroupID("s", "g")
	defaultManager = rg.Resource(model.TypeNetworkManager, "nm")
)

// newWorld has virtual networks "name region prefix tag=value".
func newWorld(t testing.TB, vnets ...string) *world {
	w := &world{t: t, manager: defaultManager}
	for _, v := range vnets {
		f := strings.Fields(v)
		n := VNet{
			ID: vnetID(f[0]), Region: f[1], Prefixes: []netip.Prefix{netip.MustParsePrefix(f[2])}, Tags: map[string]string{},
			Subnets: []model.ID{vnetID(f[0]).Child("subnets", "app"), vnetID(f[0]).Child("subnets", "data")},
		}
		for _, tag := range f[3:] {
			k, v, _ := strings.Cut(tag, "=")
			n.Tags[k] = v
		}
		w.vnets = append(w.vnets, n)
	}
	w.add(w.manager, `{"properties":{"networkManagerScopes":{"subscriptions":["/subscriptions/s"]}}}`)
	return w
}

func vnetID(name string) model.ID { return rg.Resource(model.TypeVirtualNetwork, name) }

func (w *world) add(id model.ID, doc string) {
	w.t.Helper()
	// $g/NAME is a group's ID, $v/NAME a virtual network's, $m the manager's.
	doc = strings.NewReplacer("$g/", w.manager.String()+"/networkGroups/", "$v/", vnetID("x").Parent().String()+"/providers/"+model.TypeVirtualNetwork+"/", "$m", w.manager.String()).Replace(doc)
	d, err := model.ParseJSON([]byte(doc))
	if err != nil {
		w.t.Fatalf("%s: %v", id, err)
	}
	w.resources = append(w.resources, &model.Resource{ID: id, Doc: d, Pos: model.Pos{File: "m.yaml", Line: len(w.resources) + 1}})
}

// child adds a document below the manager by its path.
func (w *world) child(path, doc string) {
	w.add(model.MustParseID(w.manager.String()+"/"+path), doc)
}

// static declares a group of named virtual networks.
func (w *world) static(name string, members ...string) {
	w.child("networkGroups/"+name, `{"properties":{}}`)
	for _, m := range members {
		w.child("networkGroups/"+name+"/staticMembers/"+m, fmt.Sprintf(`{"properties":{"resourceId":"$v/%s"}}`, m))
	}
}

func (w *world) commit(kind, region string, configs ...string) {
	var ids []string
	for _, c := range configs {
		ids = append(ids, fmt.Sprintf("%q", "$m/"+c))
	}
	w.child("commits/"+kind+"."+region, fmt.Sprintf(`{"properties":{"commitType":%q,"targetLocation":%q,"configurationIds":[%s]}}`, kind, region, strings.Join(ids, ",")))
}

func (w *world) expand() *Effect {
	w.t.Helper()
	e, problems := Expand(w.resources, w.vnets)
	if len(problems) > 0 {
		w.t.Fatal(problems.Error())
	}
	return e
}

func (w *world) names(vnets []int) string {
	var out []string
	for _, v := range vnets {
		out = append(out, w.vnets[v].ID.Name())
	}
	return strings.Join(out, " ")
}

func (w *world) peerings(e *Effect) string {
	var out []string
	for _, p := range e.Peerings {
		s := w.vnets[p.From].ID.Name() + ">" + w.vnets[p.To].ID.Name()
		if p.AllowGatewayTransit {
			s += " transit"
		}
		if p.UseRemoteGateways {
			s += " remote"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func (w *world) connected(e *Effect) string {
	var out []string
	for _, g := range e.Connected {
		var members []string
		for _, m := range g.Members {
			members = append(members, fmt.Sprint(w.vnets[m.VNet].ID.Name(), len(m.Prefixes)))
		}
		out = append(out, g.Name+": "+strings.Join(members, " "))
	}
	return strings.Join(out, "; ")
}

// Dynamic membership by Azure Policy ("Configure Azure Policy with network
// groups"): conditions ignore case.
func TestDynamicMembers(t *testing.T) {
	for _, tt := range []struct{ condition, want string }{
		{`{"field":"tags['env']","equals":"prod"}`, "a b"},
		{`{"field":"tags[env]","equals":"PROD"}`, "a b"},
		{`{"field":"tags.ENV","notEquals":"prod"}`, "c d"},
		{`{"field":"tags['env']","exists":"false"}`, "d"},
		{`{"field":"tags['env']","exists":true}`, "a b c"},
		{`{"field":"name","in":["A","d"]}`, "a d"},
		{`{"field":"name","notIn":["A","d"]}`, "b c"},
		{`{"field":"location","equals":"westus"}`, "b"},
		{`{"field":"id","contains":"/virtualnetworks/c"}`, "c"},
		{`{"field":"name","notContains":"A"}`, "b c d"},
		{`{"field":"id","like":"*/c"}`, "c"},
		{`{"field":"type","equals":"microsoft.network/virtualnetworks"}`, "a b c d"},
		{`{"allOf":[{"field":"tags['env']","equals":"prod"},{"not":{"field":"location","equals":"westus"}}]}`, "a"},
		{`{"anyOf":[{"field":"name","equals":"c"},{"field":"name","equals":"d"}]}`, "c d"},
	} {
		w := newWorld(t, "a eastus 10.0.0.0/16 env=prod", "b westus 10.1.0.0/16 Env=Prod", "c eastus 10.2.0.0/16 env=test", "d eastus 10.3.0.0/16")
		w.static("g")
		w.policy("p", tt.condition, "Default")
		if got := w.names(w.expand().Groups[0].VNets); got != tt.want {
			t.Errorf("%s holds for %q, want %q", tt.condition, got, tt.want)
		}
	}
}

func (w *world) policy(name, condition, mode string) {
	def := rg.Resource(model.TypePolicyDefinition, name)
	w.add(def, `{"properties":{"mode":"Microsoft.Network.Data","policyRule":{"if":`+condition+`,"then":{"effect":"addToNetworkGroup","details":{"networkGroupId":"$g/g"}}}}}`)
	w.add(rg.Resource(model.TypePolicyAssignment, name), fmt.Sprintf(`{"properties":{"policyDefinitionId":%q,"enforcementMode":%q}}`, def, mode))
}

func TestAssignmentsInForce(t *testing.T) {
	everything := `{"field":"type","equals":"Microsoft.Network/virtualNetworks"}`
	w := newWorld(t, "a eastus 10.0.0.0/16")
	w.static("g")
	w.policy("p", everything, "DoNotEnforce")
	if got := w.names(w.expand().Groups[0].VNets); got != "" {
		t.Errorf("an assignment that is not enforced adds %q", got)
	}
	// An assignment speaks of what lies below its scope.
	w = newWorld(t, "a eastus 10.0.0.0/16")
	w.static("g")
	w.policy("p", everything, "Default")
	elsewhere := model.GroupID("s", "other").Resource(model.TypePolicyAssignment, "p")
	w.resources[len(w.resources)-1].ID = elsewhere
	if got := w.names(w.expand().Groups[0].VNets); got != "" {
		t.Errorf("an assignment to another resource group adds %q", got)
	}
}

// Nothing has an effect before it is committed to the network's own region.
func TestCommitsAreRegional(t *testing.T) {
	const hubs = `{"properties":{"connectivityTopology":"HubAndSpoke","hubs":[{"resourceId":"$v/hub"}],"appliesToGroups":[{"networkGroupId":"$g/g","groupConnectivity":"None","useHubGateway":"True"}]}}`
	build := func(regions ...string) *world {
		w := newWorld(t, "hub eastus 10.0.0.0/16", "one eastus 10.1.0.0/16", "two westus 10.2.0.0/16")
		w.static("g", "one", "two")
		w.child("connectivityConfigurations/c", hubs)
		for _, r := range regions {
			w.commit("Connectivity", r, "connectivityConfigurations/c")
		}
		return w
	}
	for _, tt := range []struct {
		regions []string
		want    string
	}{
		{nil, ""},
		{[]string{"eastus"}, "one>hub remote, hub>one transit, hub>two transit"},
		{[]string{"westus"}, "two>hub remote"},
		{[]string{"eastus", "westus"}, "one>hub remote, hub>one transit, hub>two transit, two>hub remote"},
	} {
		w := build(tt.regions...)
		if got := w.peerings(w.expand()); got != tt.want {
			t.Errorf("committed to %v: %q, want %q", tt.regions, got, tt.want)
		}
	}
}

// A mesh stays within regions unless it is global, and loses the prefixes that
// overlap ("Connectivity configuration in Azure Virtual Network Manager").
func TestConnectedGroups(t *testing.T) {
	for _, tt := range []struct{ name, config, want string }{
		{"regional", `"connectivityTopology":"Mesh","appliesToGroups":[{"networkGroupId":"$g/g","groupConnectivity":"None"}]`, "c: a1 b1; c: w1 x1"},
		{"global", `"connectivityTopology":"Mesh","isGlobal":"True","appliesToGroups":[{"networkGroupId":"$g/g","groupConnectivity":"None"}]`, "c: a1 b0 w1 x0"},
		{"directly connected spokes", `"connectivityTopology":"HubAndSpoke","hubs":[{"resourceId":"$v/a"}],"appliesToGroups":[{"networkGroupId":"$g/g","groupConnectivity":"DirectlyConnected","isGlobal":"True"},{"networkGroupId":"$g/h","groupConnectivity":"None"}]`, "c: a1 b0 w1 x0"},
	} {
		w := newWorld(t, "a eastus 10.0.0.0/16", "b eastus 10.1.0.0/16", "w westus 10.2.0.0/16", "x westus 10.1.128.0/24")
		w.static("g", "a", "b", "w", "x")
		w.static("h", "b")
		w.child("connectivityConfigurations/c", `{"properties":{`+tt.config+`}}`)
		w.commit("Connectivity", "eastus", "connectivityConfigurations/c")
		w.commit("Connectivity", "westus", "connectivityConfigurations/c")
		if got := w.connected(w.expand()); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func (w *world) adminRule(collection, name string, priority int) {
	w.child("securityAdminConfigurations/s/ruleCollections/"+collection+"/rules/"+name,
		fmt.Sprintf(`{"kind":"Custom","properties":{"access":"Deny","direction":"Inbound","priority":%d,"protocol":"Any"}}`, priority))
}

// Admin rules come in order of priority over all collections; equal lists are
// one list.
func TestAdminRules(t *testing.T) {
	w := newWorld(t, "a eastus 10.0.0.0/16", "b eastus 10.1.0.0/16", "c eastus 10.2.0.0/16", "d westus 10.3.0.0/16")
	w.static("all", "a", "b", "c", "d")
	w.static("some", "a", "b")
	w.child("securityAdminConfigurations/s", `{"properties":{}}`)
	for _, g := range []string{"all", "some"} {
		w.child("securityAdminConfigurations/s/ruleCollections/"+g, fmt.Sprintf(`{"properties":{"appliesToGroups":[{"networkGroupId":"$g/%s"}]}}`, g))
	}
	w.adminRule("all", "last", 100)
	w.adminRule("all", "first", 10)
	w.adminRule("some", "middle", 50)
	w.commit("SecurityAdmin", "eastus", "securityAdminConfigurations/s")
	e := w.expand()
	for i, want := range []string{"first middle last", "first middle last", "first last", ""} {
		var got []string
		if e.Admin[i] != nil {
			for _, r := range e.Admin[i].Rules {
				got = append(got, r.Source.Resource.ID.Name())
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has %q, want %q", w.vnets[i].ID.Name(), got, want)
		}
	}
	if e.Admin[0] != e.Admin[1] || e.Admin[0] == e.Admin[2] {
		t.Error("networks share their lists wrongly")
	}
}

// The manager with the higher scope wins a conflict ("Network manager scope").
func TestHigherScopeWins(t *testing.T) {
	w := newWorld(t, "a eastus 10.0.0.0/16")
	for name, scope := range map[string]string{
		"aa": `"subscriptions":["/subscriptions/s"]`,
		"zz": `"managementGroups":["/providers/Microsoft.Management/managementGroups/root"]`,
	} {
		w.manager = rg.Resource(model.TypeNetworkManager, name)
		w.add(w.manager, `{"properties":{"networkManagerScopes":{`+scope+`}}}`)
		w.static("all", "a")
		w.child("securityAdminConfigurations/s", `{"properties":{}}`)
		w.child("securityAdminConfigurations/s/ruleCollections/c", `{"properties":{"appliesToGroups":[{"networkGroupId":"$g/all"}]}}`)
		w.adminRule("c", "of-"+name, 10)
		w.commit("SecurityAdmin", "eastus", "securityAdminConfigurations/s")
	}
	rules := w.expand().Admin[0].Rules
	if len(rules) != 2 || rules[0].Source.Resource.ID.Name() != "of-zz" {
		t.Errorf("in force: %+v", rules)
	}
}

// A commit with a snapshot stays as it was: later edits wait for the next one.
func TestSnapshot(t *testing.T) {
	w := newWorld(t, "a eastus 10.0.0.0/16")
	w.static("all", "a")
	w.child("securityAdminConfigurations/s", `{"properties":{}}`)
	w.child("securityAdminConfigurations/s/ruleCollections/c", `{"properties":{"appliesToGroups":[{"networkGroupId":"$g/all"}]}}`)
	w.adminRule("c", "now", 10)
	w.child("commits/SecurityAdmin.eastus", `{"properties":{"commitType":"SecurityAdmin","targetLocation":"East US","configurationIds":["$m/securityAdminConfigurations/s"],"configurations":[
		{"id":"$m/securityAdminConfigurations/s","properties":{}},
		{"id":"$m/securityAdminConfigurations/s/ruleCollections/c","properties":{"appliesToGroups":[{"networkGroupId":"$g/all"}]}},
		{"id":"$m/securityAdminConfigurations/s/ruleCollections/c/rules/then","properties":{"priority":20,"access":"Deny","direction":"Inbound","protocol":"Any"}}]}}`)
	rules := w.expand().Admin[0].Rules
	if len(rules) != 1 || rules[0].Source.Resource.ID.Name() != "then" {
		t.Errorf("in force: %+v", rules)
	}
}

// Routing rules apply to networks and, through groups of subnets, to subnets.
func TestRouting(t *testing.T) {
	w := newWorld(t, "a eastus 10.0.0.0/16", "b eastus 10.1.0.0/16")
	w.static("nets", "a")
	w.child("networkGroups/subs", `{"properties":{"memberType":"Subnet"}}`)
	w.child("networkGroups/subs/staticMembers/m", `{"properties":{"resourceId":"$v/b/subnets/data"}}`)
	w.child("routingConfigurations/r", `{"properties":{}}`)
	for g, dst := range map[string]string{"nets": "0.0.0.0/0", "subs": "10.9.0.0/16"} {
		w.child("routingConfigurations/r/ruleCollections/"+g, fmt.Sprintf(`{"properties":{"appliesTo":[{"networkGroupId":"$g/%s"}],"disableBgpRoutePropagation":"True"}}`, g))
		w.child("routingConfigurations/r/ruleCollections/"+g+"/rules/x", fmt.Sprintf(`{"properties":{"destination":{"type":"AddressPrefix","destinationAddress":%q},"nextHop":{"nextHopType":"NoNextHop"}}}`, dst))
	}
	w.commit("Routing", "eastus", "routingConfigurations/r")
	e := w.expand()
	if e.Routing[0] == nil || len(e.Routing[0].Rules) != 1 || !e.Routing[0].Rules[0].DisableBGPRoutePropagation {
		t.Errorf("a's rules: %+v", e.Routing[0])
	}
	if e.Routing[1] != nil {
		t.Errorf("b's rules: %+v", e.Routing[1])
	}
	data := e.SubnetRouting[vnetID("b").Child("subnets", "data").Key()]
	if len(e.SubnetRouting) != 1 || data == nil || data.Rules[0].Properties.Destination.DestinationAddress != "10.9.0.0/16" {
		t.Errorf("subnets' rules: %+v", e.SubnetRouting)
	}
}

func TestProblems(t *testing.T) {
	w := newWorld(t, "a eastus 10.0.0.0/16")
	w.static("g", "gone")
	w.policy("fields", `{"field":"sku","equals":"x"}`, "Default")
	w.policy("twice", `{"field":"name","equals":"x","like":"y"}`, "Default")
	w.policy("stars", `{"field":"name","like":"*x*"}`, "Default")
	w.child("connectivityConfigurations/ring", `{"properties":{"connectivityTopology":"Ring","appliesToGroups":[]}}`)
	w.child("connectivityConfigurations/hub", `{"properties":{"connectivityTopology":"HubAndSpoke","hubs":[{"resourceId":"$v/nohub"}],"appliesToGroups":[]}}`)
	w.child("connectivityConfigurations/mesh", `{"properties":{"connectivityTopology":"Mesh","appliesToGroups":[{"networkGroupId":"$g/nogroup"}]}}`)
	w.commit("Connectivity", "eastus", "connectivityConfigurations/ring", "connectivityConfigurations/hub", "connectivityConfigurations/mesh", "connectivityConfigurations/none")
	w.commit("Firewalling", "eastus")
	w.commit("SecurityAdmin", "eastus", "securityAdminConfigurations/a", "securityAdminConfigurations/b")
	w.add(rg.Resource(model.TypePolicyAssignment, "lost"), `{"properties":{"policyDefinitionId":"/nowhere"}}`)
	_, problems := Expand(w.resources, w.vnets)
	text := problems.Error()
	for _, want := range []string{
		"virtualNetworks/gone does not exist", `field "sku" is not known`, `field "name" needs exactly one of`, `pattern "*x*" has more than one *`,
		`connectivity topology "Ring"`, `nohub" does not exist`, `networkGroups/nogroup" does not exist`, `connectivityConfigurations/none" does not exist`,
		`commit type "Firewalling"`, "2 security admin configurations", `policy definition "/nowhere" does not exist`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %q in\n%s", want, text)
		}
	}
	for _, p := range problems {
		if p.Pos.IsZero() || p.Fix == "" || p.Resource == "" {
			t.Errorf("a problem lacks its place, fix or resource: %+v", p)
		}
	}
}

// A manager governs only its scope.
func TestScope(t *testing.T) {
	w := newWorld(t, "a eastus 10.0.0.0/16")
	w.resources = nil
	w.add(w.manager, `{"properties":{"networkManagerScopes":{"subscriptions":["/subscriptions/another"]}}}`)
	w.static("g", "a")
	_, problems := Expand(w.resources, w.vnets)
	if len(problems) != 1 || !strings.Contains(problems.Error(), `outside the scope of network manager "nm"`) {
		t.Errorf("problems: %v", problems)
	}
}

// A manager of a management group governs the subscriptions below it; of two,
// the one higher up wins ("Network manager scope").
func TestManagementGroupScope(t *testing.T) {
	const groups = "/providers/Microsoft.Management/managementGroups/"
	for _, tt := range []struct {
		scope    string
		governed bool
		level    int
	}{
		{"corp", true, 1},
		{"PROD", true, 2},
		{"other", false, 1},
		{"root", true, 0},
	} {
		w := newWorld(t, "a eastus 10.0.0.0/16")
		w.resources = nil
		for id, parent := range map[string]string{"corp": "root", "Prod": "corp", "other": "root"} {
			w.add(model.MustParseID(groups+id), `{"properties":{"details":{"parent":{"id":"`+groups+parent+`"}}}}`)
		}
		w.add(model.MustParseID(groups+"Prod/subscriptions/S"), `{}`)
		w.add(w.manager, `{"properties":{"networkManagerScopes":{"managementGroups":["`+groups+tt.scope+`"]}}}`)
		w.static("g", "a")
		x := newExpansion(w.resources, w.vnets)
		m := x.managerOf(w.manager)
		if m.level != tt.level || m.governs(w.vnets[0].ID.Key()) != tt.governed {
			t.Errorf("%s: level %d, scope %v", tt.scope, m.level, m.scope)
		}
	}
}

func FuzzTagName(f *testing.F) {
	for _, s := range []string{"tags['env']", "tags[env]", "tags.env", "tags[''", "tags[", "tags.", "tags", "tags['a'b']"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, ok := tagName(s); ok && !strings.Contains(s, name) {
			t.Errorf("tagName(%q) = %q", s, name)
		}
	})
}
