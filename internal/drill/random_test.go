package drill

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/live"
)

// random makes a network: web servers in zones behind load balancers, in one or
// two regions, with appliances between them or without, and a database that is
// alone.
func random(rng *rand.Rand) string {
	var b strings.Builder
	regions := []string{"westeurope", "northeurope"}[:1+rng.IntN(2)]
	fmt.Fprintf(&b, "network: random\nregions: [%s]\nnetworks:\n", strings.Join(regions, ", "))
	appliances := rng.IntN(3)
	var members [2][]string
	for i, region := range regions {
		fmt.Fprintf(&b, "  - name: net-%d\n    region: %s\n    address: 10.%d.0.0/16\n    subnets:\n", i, region, i)
		fmt.Fprintf(&b, "      desks:\n        address: 10.%d.0.0/24\n", i)
		if appliances > 0 && i == 0 {
			fmt.Fprint(&b, "        route-table: inspected\n")
		}
		fmt.Fprintf(&b, "        hosts: {client-%d: {}}\n", i)
		fmt.Fprintf(&b, "      web:\n        address: 10.%d.1.0/24\n        hosts:\n", i)
		for j := range 1 + rng.IntN(3) {
			zone := ""
			if rng.IntN(3) > 0 {
				zone = fmt.Sprintf(", zone: %d", 1+rng.IntN(3))
			}
			name := fmt.Sprintf("web-%d-%d", i, j)
			members[i] = append(members[i], name)
			fmt.Fprintf(&b, "          %s: {serves: [tcp/80, udp/53]%s}\n", name, zone)
		}
		if i == 0 {
			fmt.Fprintf(&b, "      data:\n        address: 10.0.2.0/24\n        hosts: {db: {serves: tcp/5432}}\n")
			if appliances > 0 {
				fmt.Fprintf(&b, "      nva:\n        address: 10.0.3.0/24\n        hosts:\n")
				for j := range appliances {
					fmt.Fprintf(&b, "          nva-%d: {ip-forwarding: true, snat: true, serves: tcp/22, zone: %d}\n", j, j+1)
				}
			}
		}
	}
	if len(regions) == 2 {
		fmt.Fprint(&b, "peerings: [{between: [net-0, net-1]}]\n")
	}
	fmt.Fprint(&b, "load-balancers:\n")
	for i := range regions {
		kind := []string{"{port: 80, interval: 5}", "{port: 80, interval: 10}"}[rng.IntN(2)]
		fmt.Fprintf(&b, "  - name: front-%d\n    frontends: {in: {subnet: web in net-%d}}\n    members: [%s]\n    probes: {alive: %s}\n    rules: [{traffic: tcp/80}, {traffic: udp/53}]\n",
			i, i, strings.Join(members[i], ", "), kind)
	}
	if appliances > 0 {
		fmt.Fprint(&b, "  - name: nvas\n    frontends: {inside: {subnet: nva}}\n    members: [")
		for j := range appliances {
			fmt.Fprintf(&b, "nva-%d, ", j)
		}
		fmt.Fprint(&b, "]\n    probes: {ssh: {port: 22, interval: 5}}\n    ha-ports: true\nroute-tables:\n  inspected: [{to: 10.0.2.0/24, via: nvas}]\n")
	}
	fmt.Fprint(&b, "expectations:\n  - allow: client-0 -> front-0 tcp/80 udp/53\n  - allow: client-0 -> db tcp/5432\n")
	if len(regions) == 2 {
		fmt.Fprint(&b, "  - allow: client-0 -> front-1 tcp/80\n  - allow: client-1 -> web in net-1 tcp/80\n")
	}
	return b.String()
}

// FuzzDrill takes one thing down in a random network: the running network never
// does worse than the proof predicts.
func FuzzDrill(f *testing.F) {
	for _, seed := range []uint64{0, 1, 2, 3, 13} { // 13: a frontend in a subnet that a claim names
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		t.Parallel()
		rng := rand.New(rand.NewPCG(seed, 5))
		yaml := random(rng)
		n, declared := start(t, yaml, live.Options{Pace: 200})
		all := All(n.Declared())
		target := all[rng.IntN(len(all))]
		r := kept(t, n, declared, target, Options{
			Grace: 300 * time.Millisecond, Steady: live.SteadyOptions{Every: 20 * time.Millisecond, Patience: time.Second, Pairs: 2, Streams: 2},
		})
		var b strings.Builder
		_ = r.WriteText(&b)
		if !r.OK() {
			t.Errorf("seed %d\n%s\n%s", seed, yaml, b.String())
		}
		if testing.Verbose() {
			t.Log(b.String())
		}
	})
}
