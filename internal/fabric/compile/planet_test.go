package compile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

var planetRegions = []string{"eastus", "westus", "northeurope", "westeurope", "southeastasia", "australiaeast", "southafricanorth"}

// planet is a global network: per region a hub with a firewall and spokes that
// alternate between prod and nonprod, all of it arranged by a network manager.
// Region r, spoke i has the prefix 10.(32r + i/256... ): every region owns a
// /11 of 10.0.0.0/8, the hub its first /24, spoke i the /24 after it.
func planet(t testing.TB, regions, spokes int) *network {
	n := &network{t: t}
	n.add("nm/global", `{"location":"eastus","properties":{"networkManagerScopes":{"subscriptions":["/subscriptions/s"]},
		"networkManagerScopeAccesses":["Connectivity","SecurityAdmin","Routing"]}}`)
	for _, g := range [][3]string{{"global-hubs", "network_role", "hub"}, {"all-prod-spokes", "env", "prod"}, {"all-nonprod-spokes", "env", "nonprod"}} {
		n.dynamicGroup(g[0], g[1], g[2], "")
	}
	n.add("fwp/global", `{"location":"eastus","properties":{}}`)
	n.add("fwp/global/ruleCollectionGroups/net", `{"properties":{"priority":200,"ruleCollections":[
		{"ruleCollectionType":"FirewallPolicyFilterRuleCollection","name":"allow","priority":200,"action":{"type":"Allow"},"rules":[
			{"ruleType":"NetworkRule","name":"sql","ipProtocols":["TCP"],"sourceAddresses":["10.0.0.0/8"],"destinationAddresses":["10.0.0.0/8"],"destinationPorts":["5432","443"]}]}]}}`)
	n.add("zone/globojava.com", `{"location":"global","properties":{}}`)
	mesh := `{"properties":{"connectivityTopology":"Mesh","isGlobal":"True","appliesToGroups":[{"networkGroupId":"~nm/global/networkGroups/global-hubs","groupConnectivity":"None"}]}}`
	n.add("nm/global/connectivityConfigurations/hub-mesh", mesh)
	n.planetAdmin()
	n.add("nm/global/routingConfigurations/through-firewall", `{"properties":{}}`)
	for r := range regions {
		n.planetRegion(r, regions, spokes)
	}
	return n
}

// dynamicGroup declares a network group filled by a tag, and in one region if
// region is not empty.
func (n *network) dynamicGroup(name, tag, value, region string) {
	n.add("nm/global/networkGroups/"+name, `{"properties":{}}`)
	where := fmt.Sprintf(`{"field":"type","equals":"Microsoft.Network/virtualNetworks"},{"field":"tags['%s']","equals":%q}`, tag, value)
	if region != "" {
		where += fmt.Sprintf(`,{"field":"location","equals":%q}`, region)
	}
	n.add("policy/"+name, fmt.Sprintf(`{"properties":{"mode":"Microsoft.Network.Data","policyRule":{"if":{"allOf":[%s]},
		"then":{"effect":"addToNetworkGroup","details":{"networkGroupId":"~nm/global/networkGroups/%s"}}}}}`, where, name))
	n.add("assign/"+name, fmt.Sprintf(`{"properties":{"policyDefinitionId":"~policy/%s"}}`, name))
}

func (n *network) planetAdmin() {
	const config = "nm/global/securityAdminConfigurations/separate"
	n.add(config, `{"properties":{}}`)
	for _, side := range [][2]string{{"prod", "nonprod"}, {"nonprod", "prod"}} {
		c := config + "/ruleCollections/" + side[0]
		n.add(c, fmt.Sprintf(`{"properties":{"appliesToGroups":[{"networkGroupId":"~nm/global/networkGroups/all-%s-spokes"}]}}`, side[0]))
		for i, dir := range [][2]string{{"Outbound", "destinations"}, {"Inbound", "sources"}} {
			n.add(fmt.Sprintf("%s/rules/no-%s-%s", c, side[1], strings.ToLower(dir[0])), fmt.Sprintf(`{"kind":"Custom","properties":{"access":"Deny","direction":%q,"priority":%d,
				"protocol":"Any",%q:[{"addressPrefixType":"NetworkGroup","addressPrefix":"~nm/global/networkGroups/all-%s-spokes"}]}}`, dir[0], 10+i, dir[1], side[1]))
		}
		n.add(c+"/rules/no-management", `{"kind":"Custom","properties":{"access":"Deny","direction":"Inbound","priority":20,"protocol":"Tcp",
			"sources":[{"addressPrefixType":"ServiceTag","addressPrefix":"Internet"}],"destinationPortRanges":["22","3389","5985-5986"]}}`)
	}
}

func (n *network) planetRegion(r, regions, spokes int) {
	region := planetRegions[r]
	hub := "hub-" + region
	base := 32 * r
	n.dynamicGroup("spokes-"+region, "network_role", "spoke", region)
	var remote []string
	for o := range regions {
		if o != r {
			remote = append(remote, fmt.Sprintf(`{"name":"to-%s","properties":{"addressPrefix":"10.%d.0.0/11","nextHopType":"VirtualAppliance","nextHopIpAddress":"10.%d.0.4"}}`,
				planetRegions[o], 32*o, 32*o))
		}
	}
	n.add("rt/"+hub, fmt.Sprintf(`{"location":%q,"properties":{"routes":[%s]}}`, region, strings.Join(remote, ",")))
	n.vnetIn(region, hub, fmt.Sprintf("10.%d.0.0/24", base), `{"network_role":"hub"}`,
		fmt.Sprintf(`AzureFirewallSubnet 10.%d.0.0/26 "routeTable":{"id":"~rt/%s"}`, base, hub))
	n.add("pip/fw-"+region, fmt.Sprintf(`{"location":%q,"sku":{"name":"Standard"},"properties":{}}`, region))
	n.add("fw/fw-"+region, fmt.Sprintf(`{"location":%q,"properties":{"firewallPolicy":{"id":"~fwp/global"},"ipConfigurations":[
		{"name":"ip","properties":{"subnet":{"id":"~vnet/%s/subnets/AzureFirewallSubnet"},"publicIPAddress":{"id":"~pip/fw-%s"}}}]}}`, region, hub, region))
	n.add("nm/global/connectivityConfigurations/spokes-"+region, fmt.Sprintf(`{"properties":{"connectivityTopology":"HubAndSpoke",
		"hubs":[{"resourceId":"~vnet/%s","resourceType":"Microsoft.Network/virtualNetworks"}],
		"appliesToGroups":[{"networkGroupId":"~nm/global/networkGroups/spokes-%s","groupConnectivity":"None"}]}}`, hub, region))
	c := "nm/global/routingConfigurations/through-firewall/ruleCollections/" + region
	n.add(c, fmt.Sprintf(`{"properties":{"appliesTo":[{"networkGroupId":"~nm/global/networkGroups/spokes-%s"}]}}`, region))
	n.add(c+"/rules/default", fmt.Sprintf(`{"properties":{"destination":{"type":"AddressPrefix","destinationAddress":"0.0.0.0/0"},
		"nextHop":{"nextHopType":"VirtualAppliance","nextHopAddress":"10.%d.0.4"}}}`, base))
	for kind, ids := range map[string]string{
		"Connectivity":  fmt.Sprintf(`"~nm/global/connectivityConfigurations/hub-mesh","~nm/global/connectivityConfigurations/spokes-%s"`, region),
		"SecurityAdmin": `"~nm/global/securityAdminConfigurations/separate"`,
		"Routing":       `"~nm/global/routingConfigurations/through-firewall"`,
	} {
		n.add("nm/global/commits/"+kind+"."+region, fmt.Sprintf(`{"properties":{"commitType":%q,"targetLocation":%q,"configurationIds":[%s]}}`, kind, region, ids))
	}
	for i := range spokes {
		n.planetSpoke(region, base, i)
	}
}

func (n *network) planetSpoke(region string, base, i int) {
	env := []string{"prod", "nonprod"}[i%2]
	name := fmt.Sprintf("%s-%s-%d", env, region, i)
	net := fmt.Sprintf("10.%d.%d", base+(i+1)/256, (i+1)%256)
	n.add("nsg/app-"+name, fmt.Sprintf(`{"location":%q,"properties":{"securityRules":[
		{"name":"web","properties":{"priority":100,"direction":"Inbound","access":"Allow","protocol":"Tcp","sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"443"}}]}}`, region))
	n.add("nsg/data-"+name, fmt.Sprintf(`{"location":%q,"properties":{"securityRules":[
		{"name":"sql","properties":{"priority":100,"direction":"Inbound","access":"Allow","protocol":"Tcp","sourceAddressPrefix":"10.0.0.0/8","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"5432"}},
		{"name":"rest","properties":{"priority":4000,"direction":"Inbound","access":"Deny","protocol":"*","sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"*"}}]}}`, region))
	n.vnetIn(region, name, net+".0/24", fmt.Sprintf(`{"network_role":"spoke","env":%q}`, env),
		fmt.Sprintf(`app %s.0/26 "networkSecurityGroup":{"id":"~nsg/app-%s"}`, net, name),
		fmt.Sprintf(`data %s.64/26 "networkSecurityGroup":{"id":"~nsg/data-%s"}`, net, name))
	n.nic("app-"+name, name+"/app", "").nic("data-"+name, name+"/data", "")
	n.add("zone/globojava.com/virtualNetworkLinks/"+name, fmt.Sprintf(`{"location":"global","properties":{"virtualNetwork":{"id":"~vnet/%s"},"registrationEnabled":false}}`, name))
	n.add("zone/globojava.com/A/database."+name, fmt.Sprintf(`{"properties":{"ttl":300,"aRecords":[{"ipv4Address":"%s.68"}]}}`, net))
}

func TestPlanet(t *testing.T) {
	img := planet(t, 3, 4).compile()
	expect(t, img,
		"app-prod-eastus-0: tcp 10.0.1.4 10.0.1.68:5432 = allow delivered: app-prod-eastus-0 > data-prod-eastus-0",
		"app-prod-eastus-0: tcp 10.0.1.4 10.0.3.68:5432 = allow delivered: app-prod-eastus-0 > fw-eastus > data-prod-eastus-2",
		// Across regions both firewalls are passed, and the same two on the way back.
		"app-prod-eastus-0: tcp 10.0.1.4 10.64.1.68:5432 = allow delivered: app-prod-eastus-0 > fw-eastus > fw-northeurope > data-prod-northeurope-0",
		"app-prod-eastus-0: tcp 10.0.1.4 10.0.2.68:5432 = deny rule no-nonprod-outbound: app-prod-eastus-0",
		"app-nonprod-westus-1: tcp 10.32.2.4 10.64.1.68:443 = deny rule no-prod-outbound: app-nonprod-westus-1",
		"app-prod-eastus-0: tcp 10.0.1.4 10.64.1.68:22 = deny filter-default global: app-prod-eastus-0 > fw-eastus",
	)
	if a := img.Spaces[img.Ports[portOf(t, img, "app-prod-eastus-0")].Space].View.Resolve("database.prod-northeurope-0.globojava.com"); a.Verdict != fabric.VerdictAllow || a.Addrs[0].String() != "10.64.1.68" {
		t.Errorf("the database's name resolves to %+v", a)
	}
	if d := img.Delay[0][1].Milliseconds(); img.Regions[0] != "eastus" || d < 30 || d > 60 {
		t.Errorf("one way from %s to %s takes %d ms", img.Regions[0], img.Regions[1], d)
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, spokes := range []int{2, 143} {
		n := planet(b, len(planetRegions), spokes)
		b.Run(fmt.Sprintf("spokes=%d", len(planetRegions)*spokes), func(b *testing.B) {
			b.ReportAllocs()
			var img *fabric.Image
			for b.Loop() {
				var err error
				if img, err = Compile(n.resources, Options{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(n.resources)), "resources")
			b.ReportMetric(float64(len(img.Ports)), "ports")
			b.ReportMetric(float64(len(img.Filters)), "filters")
			b.ReportMetric(float64(len(img.Sets)), "sets")
			b.ReportMetric(float64(len(img.Tables)), "tables")
		})
	}
}
