package intent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// find returns the one resource whose ID ends in a suffix.
func find(t *testing.T, d *Declared, suffix string) *model.Resource {
	t.Helper()
	var found *model.Resource
	for _, r := range d.Network.Resources {
		if strings.HasSuffix(r.ID.String(), "/"+suffix) {
			if found != nil {
				t.Fatalf("both %s and %s end in %s", found.ID, r.ID, suffix)
			}
			found = r
		}
	}
	if found == nil {
		t.Fatalf("no resource ends in %s", suffix)
	}
	return found
}

// at returns a value of a document by a path such as "properties/routes/0".
func at(t *testing.T, v any, path string) any {
	t.Helper()
	for key := range strings.SplitSeq(path, "/") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(x) {
				t.Fatalf("%s: no element %s", path, key)
			}
			v = x[i]
		default:
			t.Fatalf("%s: nothing at %s", path, key)
		}
	}
	return v
}

func loadExample(t *testing.T, name string) *Declared {
	t.Helper()
	d, err := Load("../examples/"+name, Options{})
	if err != nil {
		t.Fatalf("%s:\n%v", name, err)
	}
	return d
}

func TestExamplesLoad(t *testing.T) {
	for _, name := range []string{"globojava", "three-tier", "broken", "landing-zone"} {
		d := loadExample(t, name)
		if d.LockChanged {
			t.Errorf("%s: the committed lock is not what is assigned", name)
		}
		if len(d.Warnings) > 0 {
			t.Errorf("%s: warnings:\n%v", name, d.Warnings)
		}
		if len(d.Network.Expectations) == 0 || len(d.Network.Hosts) == 0 {
			t.Errorf("%s: %d expectations, %d hosts", name, len(d.Network.Expectations), len(d.Network.Hosts))
		}
		if !slices.IsSortedFunc(d.Network.Resources, func(a, b *model.Resource) int { return strings.Compare(a.ID.Key(), b.ID.Key()) }) {
			t.Errorf("%s: resources are not sorted", name)
		}
		for _, r := range d.Network.Resources {
			if r.Pos.IsZero() {
				t.Errorf("%s: %s has no place", name, r.ID)
			}
		}
	}
}

func TestGlobojavaShape(t *testing.T) {
	d := loadExample(t, "globojava")
	count := map[string]int{}
	for _, r := range d.Network.Resources {
		count[strings.TrimPrefix(r.Type(), "Microsoft.Network/")]++
	}
	want := map[string]int{
		"virtualNetworks": 21, "azureFirewalls": 7, "publicIPAddresses": 8, "networkInterfaces": 29,
		"networkSecurityGroups": 15, "routeTables": 7, "firewallPolicies": 2, "ipGroups": 2,
		"privateDnsZones": 1, "privateDnsZones/A": 14, "privateDnsZones/virtualNetworkLinks": 21,
		"networkManagers": 1, "networkManagers/networkGroups": 3 + 14, "networkManagers/commits": 21,
		"networkManagers/connectivityConfigurations":                  8,
		"networkManagers/securityAdminConfigurations":                 1,
		"networkManagers/routingConfigurations":                       1,
		"networkManagers/routingConfigurations/ruleCollections":       7,
		"networkManagers/routingConfigurations/ruleCollections/rules": 7,
		"Microsoft.Resources/resourceGroups":                          8,
		"Microsoft.Authorization/policyDefinitions":                   17,
		"Microsoft.Authorization/policyAssignments":                   17,
	}
	for k, n := range want {
		if count[k] != n {
			t.Errorf("%d %s, want %d", count[k], k, n)
		}
	}
	// The regional child policy takes the place of its parent.
	if got := at(t, find(t, d, "azureFirewalls/hub-westeurope-firewall").Doc, "properties/firewallPolicy/id"); !strings.HasSuffix(got.(string), "/westeurope") {
		t.Errorf("westeurope's firewall has policy %v", got)
	}
	if got := at(t, find(t, d, "azureFirewalls/hub-eastus-firewall").Doc, "properties/firewallPolicy/id"); !strings.HasSuffix(got.(string), "/global") {
		t.Errorf("eastus's firewall has policy %v", got)
	}
	// Each other region's block goes to its firewall, the rest to the internet.
	var table wire.RouteTable
	if err := find(t, d, "routeTables/hub-eastus-firewall-routes").Decode(&table); err != nil {
		t.Fatal(err)
	}
	routes := table.Properties.Routes
	if len(routes) != 7 || routes[0].Properties.NextHopType != "Internet" {
		t.Fatalf("routes of eastus's firewall: %+v", routes)
	}
	wantRoute := wire.Route{Name: "to-westus", Properties: wire.RouteProperties{
		AddressPrefix: "10.4.0.0/14", NextHopType: "VirtualAppliance", NextHopIPAddress: "10.4.0.4",
	}}
	if diff := cmp.Diff(wantRoute, routes[1]); diff != "" {
		t.Error(diff)
	}
	// A rule points at its line.
	nsg := find(t, d, "globojava-westeurope/providers/Microsoft.Network/networkSecurityGroups/dmz")
	text, err := os.ReadFile("../examples/globojava/network.yaml")
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Split(string(text), "\n")[nsg.PosOf("/properties/securityRules/1").Line-1]
	if !strings.Contains(line, "internet -> any tcp/22") {
		t.Errorf("the rule's line is %q", line)
	}
}

// A spoke needs only its own lines: the README's example changes nobody else.
func TestGlobojavaAddSpoke(t *testing.T) {
	before := loadExample(t, "globojava")
	readme, err := os.ReadFile("../examples/globojava/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```yaml\n")
	spoke, _, _ := strings.Cut(rest, "```")
	network, err := os.ReadFile("../examples/globojava/network.yaml")
	if err != nil {
		t.Fatal(err)
	}
	expectations, err := os.ReadFile("../examples/globojava/expectations.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files := []File{
		{Name: "expectations.yaml", Data: expectations},
		{Name: "network.yaml", Data: []byte(strings.Replace(string(network), "\nspokes:\n", "\nspokes:\n"+spoke, 1))},
	}
	after := mustParse(t, files, before.Lock)
	kept(t, before.Lock, after.Lock, "")
	if got := after.Lock.Networks["prod-loyalty-westeurope"].String(); !strings.Contains(string(readme), "+  prod-loyalty-westeurope: "+got+"\n") {
		t.Errorf("the README shows another address than %s", got)
	}
	var group wire.IPGroup
	if err := find(t, after, "ipGroups/all-prod-spokes").Decode(&group); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(group.Properties.IPAddresses, "10.12.48.0/20") {
		t.Errorf("the IP group holds %v", group.Properties.IPAddresses)
	}
}

func TestDeterministic(t *testing.T) {
	a, b := loadExample(t, "globojava"), loadExample(t, "globojava")
	if diff := cmp.Diff(a.Network, b.Network, cmp.Comparer(func(x, y model.ID) bool { return x == y }), cmp.Comparer(func(x, y *model.Resource) bool {
		return cmp.Equal(x.Doc, y.Doc) && x.ID == y.ID && x.Pos == y.Pos && cmp.Equal(x.At, y.At)
	}), cmp.Transformer("prefix", func(s model.Selector) string { return s.Text })); diff != "" {
		t.Error(diff)
	}
}

func TestExpandedIsYAML(t *testing.T) {
	d := loadExample(t, "broken")
	text, err := d.Expanded()
	if err != nil {
		t.Fatal(err)
	}
	var docs []map[string]any
	if err := yaml.Unmarshal(text, &docs); err != nil {
		t.Fatal(err)
	}
	if len(docs) != len(d.Network.Resources) {
		t.Errorf("%d documents for %d resources", len(docs), len(d.Network.Resources))
	}
	if want := "# " + filepath.Join("..", "examples", "broken", "network.yaml") + ":"; strings.Count(string(text), want) != len(docs) {
		t.Errorf("not every document has its place")
	}
	if b, err := d.ExpandedJSON(); err != nil || !strings.Contains(string(b), `"/properties/securityRules/0": "`) {
		t.Errorf("ExpandedJSON: %v", err)
	}
}

// Rules without a priority count 100, 110 and so on around explicit ones; a
// sentence with several protocols becomes several rules.
func TestNSGRules(t *testing.T) {
	d := mustParse(t, []File{{Name: "n.yaml", Data: []byte(`network: t
regions: [westeurope]
spokes:
  - {name: a, subnets: {app: {nsg: n, hosts: {h: {}}}, data: {}}}
nsgs:
  n:
    inbound:
      - allow: app -> any tcp/443,8000-8010 udp/53
      - {name: fixed, allow: AzureLoadBalancer -> any, priority: 120}
      - {name: host, allow: "h -> data tcp"}
      - {name: two, allow: "10.1.0.0/16, 10.2.0.0/16 -> any icmp"}
      - {name: rest, deny: any -> any}
`)}}, nil)
	var nsg wire.NSG
	if err := find(t, d, "networkSecurityGroups/n").Decode(&nsg); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range nsg.Properties.SecurityRules {
		p := r.Properties
		got = append(got, strings.Join(strings.Fields(strings.Join([]string{
			r.Name, strconv.Itoa(p.Priority), p.Access, p.Protocol,
			p.SourceAddressPrefix, strings.Join(p.SourceAddressPrefixes, ","),
			p.DestinationAddressPrefix, p.DestinationPortRange, strings.Join(p.DestinationPortRanges, ","),
		}, " ")), " "))
	}
	want := []string{
		"inbound-allow-1 100 Allow Tcp 10.0.0.0/24 * 443,8000-8010",
		"inbound-allow-1-2 110 Allow Udp 10.0.0.0/24 * 53",
		"fixed 120 Allow * AzureLoadBalancer * *",
		"host 130 Allow Tcp 10.0.0.4/32 10.0.1.0/24 *",
		"two 140 Allow Icmp 10.1.0.0/16,10.2.0.0/16 * *",
		"rest 150 Deny * * * *",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A resource in its Resource Manager shape keeps every property, takes part in
// groups and names, and may write IDs without subscription and group.
func TestRawResources(t *testing.T) {
	d := mustParse(t, []File{{Name: "n.yaml", Data: []byte(`network: t
regions: [westeurope, eastus]
groups: {all: {where: {env: prod}}}
resources:
  - type: Microsoft.Network/virtualNetworks
    name: legacy
    location: West Europe
    tags: {env: prod}
    properties:
      addressSpace: {addressPrefixes: [10.9.0.0/16]}
      flowTimeoutInMinutes: 7
      subnets:
        - name: old
          properties:
            addressPrefix: 10.9.1.0/24
            natGateway: {id: "Microsoft.Network/natGateways/nat-westeurope"}
  - each: region
    type: Microsoft.Network/natGateways
    name: nat-{region}
    location: "{region}"
    properties: {idleTimeoutInMinutes: 4}
  - type: Microsoft.Network/virtualNetworks/virtualNetworkPeerings
    name: legacy/elsewhere
    properties:
      remoteVirtualNetwork: {id: /subscriptions/other/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v}
expectations:
  - deny: old in all -> internet
`)}}, nil)
	v := find(t, d, "virtualNetworks/legacy")
	if got := v.ID.ResourceGroup(); got != "t-westeurope" {
		t.Errorf("resource group %s", got)
	}
	if got := at(t, v.Doc, "properties/flowTimeoutInMinutes"); got == nil {
		t.Error("an unknown property is lost")
	}
	if got := at(t, v.Doc, "properties/subnets/0/properties/natGateway/id"); got != find(t, d, "natGateways/nat-westeurope").ID.String() {
		t.Errorf("natGateway is %v", got)
	}
	if got := find(t, d, "virtualNetworkPeerings/elsewhere").ID.ResourceGroup(); got != "t-westeurope" {
		t.Errorf("the child is in %s", got)
	}
	if got := v.PosOf("/properties/subnets/0/properties/natGateway"); got.Line != 16 {
		t.Errorf("natGateway is at %s", got)
	}
}

// A rule about a group without members would match nothing, and Azure takes
// none without addresses: it is left out, and said so once.
func TestRuleAboutNobody(t *testing.T) {
	d := mustParse(t, []File{{Name: "n.yaml", Data: []byte(`network: t
regions: [westeurope, eastus]
networks:
  - {name: "v-{region}", each: region, subnets: {a: {nsg: n}}}
groups: {nobody: {where: {no: tag}}}
nsgs:
  n:
    inbound:
      - {name: first, allow: nobody -> any tcp/80}
      - {name: second, deny: any -> any}
`)}}, nil)
	nsg := find(t, d, "t-eastus/providers/Microsoft.Network/networkSecurityGroups/n")
	if name, priority := at(t, nsg.Doc, "properties/securityRules/0/name"), at(t, nsg.Doc, "properties/securityRules/0/properties/priority"); name != "second" || fmt.Sprint(priority) != "100" {
		t.Errorf("the first rule is %v with priority %v", name, priority)
	}
	n := 0
	for _, w := range d.Warnings {
		if strings.Contains(w.What, "rule first is left out: group nobody has no members") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d warnings: %v", n, d.Warnings)
	}
}

// An IP group belongs to what its text stands for: two texts that give one name
// do not share it.
func TestIPGroupsAreNotShared(t *testing.T) {
	d := mustParse(t, []File{{Name: "n.yaml", Data: []byte(`network: t
regions: [westeurope]
hubs: [{name: hub, firewall: {policy: p}}]
spokes:
  - {name: a, address: 10.1.0.0/16, tags: {env: prod}}
  - {name: b, address: 10.2.0.0/16, tags: {env: prod}}
  - {name: c, address: 10.3.0.0/16, tags: {x: y}}
groups: {env-prod: {where: {x: y}}}
firewall-policies:
  p:
    rules:
      - {name: tag, allow: env=prod -> any tcp/1}
      - {name: group, allow: env-prod -> any tcp/2}
      - {name: again, allow: ENV=prod -> any tcp/3}
`)}}, nil)
	var got []string
	for _, r := range d.Network.Resources {
		if r.ID.Is(model.TypeIPGroup) {
			got = append(got, fmt.Sprint(r.ID.Name(), r.Properties()["ipAddresses"]))
		}
	}
	if want := []string{"env-prod[10.1.0.0/16 10.2.0.0/16]", "env-prod-2[10.3.0.0/16]"}; !slices.Equal(got, want) {
		t.Errorf("IP groups %v, want %v", got, want)
	}
}
