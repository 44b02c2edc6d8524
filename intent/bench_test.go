package intent

import (
	"fmt"
	"strings"
	"testing"
)

// bigNetwork is a network of n spokes in ten regions, each written on its own
// lines, with hosts, groups and a routing configuration.
func bigNetwork(n int) []File {
	regions := []string{"eastus", "westus", "northeurope", "westeurope", "southeastasia", "australiaeast", "southafricanorth", "uksouth", "japaneast", "brazilsouth"}
	var text strings.Builder
	fmt.Fprintf(&text, `network: big
addresses: {region: 12, hub: 22, spoke: 22, subnet: 24}
regions: [%s]
hubs:
  - {each: region, name: "hub-{region}", tags: {role: hub}, firewall: {policy: p}}
groups:
  hubs: {where: {role: hub}}
  prod: {where: {env: prod}}
connectivity:
  - {name: mesh, mesh: hubs}
  - {name: spokes, hub-and-spoke: prod}
routing:
  - {for: prod, route: 0.0.0.0/0 -> firewall}
  - {for: hubs, route: other regions -> firewall}
firewall-policies: {p: {rules: [{allow: prod -> prod tcp/443}]}}
nsgs: {app: {inbound: [{allow: VirtualNetwork -> any tcp/443}]}}
spokes:
`, strings.Join(regions, ", "))
	for i := range n {
		fmt.Fprintf(&text, `  - name: spoke-%d
    region: %s
    tags: {env: prod}
    subnets:
      app: {nsg: app, hosts: {web-%d: {serves: https/443}}}
      data: {nsg: app, hosts: {db-%d: {serves: tcp/5432}}}
`, i, regions[i%len(regions)], i, i)
	}
	return []File{{Name: "network.yaml", Data: []byte(text.String())}}
}

// A long file is not a deep one.
func TestLongNetwork(t *testing.T) {
	d := mustParse(t, bigNetwork(100), nil)
	if n := len(d.Network.Hosts); n != 200 {
		t.Errorf("%d hosts, want 200", n)
	}
	if again := mustParse(t, bigNetwork(100), d.Lock); again.LockChanged {
		t.Error("its own lock changes")
	}
	// 50 more spokes: the first 100 stay.
	kept(t, d.Lock, mustParse(t, bigNetwork(150), d.Lock).Lock, "")
}

func BenchmarkParse(b *testing.B) {
	files := bigNetwork(1000)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := Parse(files, nil, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
