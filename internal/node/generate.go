package node

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/intent"
)

// generatedRegions are where a generated network lives.
var generatedRegions = []string{
	"eastus", "westus", "northeurope", "westeurope", "southeastasia", "australiaeast", "southafricanorth",
}

// Generate declares a network of the shape of examples/globojava with the given
// number of spokes spread over seven regions, every other one prod; the same
// for the same number. Benchmarks use it.
func Generate(spokes int) []intent.File {
	var b strings.Builder
	b.WriteString(`network: generated
addresses: {pool: 10.0.0.0/8, region: 13, hub: 22, spoke: 22, subnet: 24}
regions: [` + strings.Join(generatedRegions, ", ") + `]
hubs:
  - each: region
    name: hub-{region}
    tags: {network_role: hub}
    firewall: {policy: global}
groups:
  global-hubs: {where: {network_role: hub}}
  all-prod-spokes: {where: {env: prod}}
  all-nonprod-spokes: {where: {env: nonprod}}
connectivity:
  - {name: hub-mesh, mesh: global-hubs}
  - {name: spokes, hub-and-spoke: [all-prod-spokes, all-nonprod-spokes]}
security-admin:
  - name: isolate
    applies-to: [all-prod-spokes, all-nonprod-spokes, global-hubs]
    rules:
      - {name: no-prod-nonprod, deny: all-prod-spokes <-> all-nonprod-spokes}
      - {name: no-management-from-internet, deny: "internet -> any tcp/22,3389,5985-5986"}
routing:
  - {for: [all-prod-spokes, all-nonprod-spokes], route: 0.0.0.0/0 -> firewall}
  - {for: global-hubs, route: other regions -> firewall}
firewall-policies:
  global:
    rules:
      - {name: prod, allow: "all-prod-spokes -> all-prod-spokes tcp/443,5432"}
      - {name: nonprod, allow: "all-nonprod-spokes -> all-nonprod-spokes tcp/443,5432"}
nsgs:
  app:
    inbound:
      - {name: https, allow: "10.0.0.0/8 -> any tcp/443"}
      - {name: rest, deny: any -> any}
  data:
    inbound:
      - {name: database, allow: "10.0.0.0/8 -> any tcp/5432"}
      - {name: rest, deny: any -> any}
dns:
  globojava.com:
    link: all
    records: {database.westeurope: db-3}
expectations:
  - {name: prod and nonprod never talk, deny: all-prod-spokes <-> all-nonprod-spokes}
  - {name: prod apps reach every prod database, allow: app in all-prod-spokes -> data in all-prod-spokes tcp/5432}
  - name: across regions through both firewalls
    allow: app in all-prod-spokes -> data in all-prod-spokes tcp/5432
    pairs: other-region
    through: [source firewall, destination firewall]
  - {name: no management from the internet, deny: "internet -> any tcp/22,3389,5985-5986"}
  - {name: names are private, resolves: database.westeurope.globojava.com, from: any}
  - {name: symmetric, symmetric: all-prod-spokes -> all-prod-spokes}
spokes:
`)
	for i := range spokes {
		env := "prod"
		if (i/len(generatedRegions))%2 == 1 {
			env = "nonprod"
		}
		fmt.Fprintf(&b, `  - name: spoke-%d
    region: %s
    tags: {env: %s}
    subnets:
      app: {nsg: app, hosts: {shop-%d: {serves: https/443}}}
      data: {nsg: data, hosts: {db-%d: {serves: tcp/5432}}}
`, i, generatedRegions[i%len(generatedRegions)], env, i, i)
	}
	return []intent.File{{Name: "generated.yaml", Data: []byte(b.String())}}
}
