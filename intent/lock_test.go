package intent

import (
	"bytes"
	"maps"
	"net/netip"
	"strings"
	"testing"
)

// shape is a network of hubs and two kinds of spoke; regions and extra lines
// are what the tests change.
func shape(regions, spokes string) []File {
	return []File{{Name: "network.yaml", Data: []byte(`network: t
regions: [` + regions + `]
hubs:
  - each: region
    name: hub-{region}
    firewall: {policy: p}
firewall-policies: {p: {}}
spokes:
  - each: region
    name: prod-{region}
    subnets:
      app:
        hosts:
          shop-{region}: {public-ip: true}
          shop-2-{region}: {}
      data: {hosts: {"db-{region}": {}}}
` + spokes)}}
}

func mustParse(t *testing.T, files []File, lock *Lock) *Declared {
	t.Helper()
	d, err := Parse(files, lock, Options{})
	if err != nil {
		t.Fatalf("Parse:\n%v", err)
	}
	return d
}

// kept fails for every assignment of before that after has differently.
func kept(t *testing.T, before, after *Lock, gone string) {
	t.Helper()
	same(t, before.Regions, after.Regions, gone)
	same(t, before.Networks, after.Networks, gone)
	same(t, before.Subnets, after.Subnets, gone)
	same(t, before.Hosts, after.Hosts, gone)
	same(t, before.Public, after.Public, gone)
}

func same[V comparable](t *testing.T, before, after map[string]V, gone string) {
	t.Helper()
	for k, v := range before {
		w, ok := after[k]
		switch {
		case gone != "" && strings.Contains(k, gone):
			if ok {
				t.Errorf("%s is gone but still locked", k)
			}
		case w != v:
			t.Errorf("%s moved from %v to %v", k, v, w)
		}
	}
}

func TestAddressesAreStable(t *testing.T) {
	const three = "eastus, westeurope, westus"
	before := mustParse(t, shape(three, ""), nil).Lock
	tests := []struct{ name, regions, spokes, gone string }{
		{"nothing", three, "", ""},
		{"region first", "northeurope, " + three, "", ""},
		{"region in the middle", "eastus, northeurope, westeurope, westus", "", ""},
		{"regions reversed", "westus, westeurope, eastus", "", ""},
		{"region removed", "eastus, westus", "", "westeurope"},
		{"region replaced", "eastus, northeurope, westus", "", "westeurope"},
		{"spoke added", three, "  - {name: extra, region: eastus, subnets: {app: {}}}\n", ""},
		{"explicit spoke added", three, "  - {name: extra, region: eastus, address: 10.1.0.0/20, subnets: {app: {}}}\n", ""},
		{"spokes for all added", three, "  - {name: \"dev-{region}\", each: region, subnets: {app: {}}}\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := mustParse(t, shape(tt.regions, tt.spokes), before)
			kept(t, before, d.Lock, tt.gone)
			if changed := !d.Lock.Equal(before); changed != d.LockChanged {
				t.Errorf("LockChanged = %t, want %t", d.LockChanged, changed)
			}
			// What was assigned once is assigned again.
			again := mustParse(t, shape(tt.regions, tt.spokes), d.Lock)
			if again.LockChanged {
				t.Errorf("a second run changes the lock:\n%s\n%s", d.Lock.Marshal(), again.Lock.Marshal())
			}
		})
	}
}

func TestHostsAndSubnetsAreStable(t *testing.T) {
	network := func(body string) []File {
		return []File{{Name: "n.yaml", Data: []byte("network: t\nregions: [westeurope]\nspokes:\n  - name: a\n    subnets:\n" + body)}}
	}
	before := mustParse(t, network("      b: {hosts: {h1: {}, h3: {}}}\n      d: {}\n"), nil).Lock
	for name, body := range map[string]string{
		"before":   "      a: {hosts: {h0: {}}}\n      b: {hosts: {h0a: {}, h1: {}, h2: {}, h3: {}}}\n      c: {}\n      d: {}\n",
		"explicit": "      b: {hosts: {h2: {address: 10.0.0.9}, h1: {}, h3: {}}}\n      c: {address: 10.0.9.0/24}\n      d: {}\n",
		"length":   "      b: {hosts: {h1: {}, h3: {}}}\n      d: {}\n      e: {length: 26}\n",
	} {
		t.Run(name, func(t *testing.T) {
			kept(t, before, mustParse(t, network(body), before).Lock, "")
		})
	}
	// What is given up is free again in the change after: until it is deleted
	// Azure refuses it to another (PrivateIPAddressIsAllocated,
	// NetcfgSubnetRangesOverlap).
	t.Run("removed and reused later", func(t *testing.T) {
		after := mustParse(t, network("      b: {hosts: {h3: {}, h4: {}}}\n      e: {}\n"), before).Lock
		if after.Hosts["h3"] != before.Hosts["h3"] || after.Hosts["h4"] == before.Hosts["h1"] || after.Subnets["a/e"] == before.Subnets["a/d"] {
			t.Errorf("hosts = %v, had %v; subnets = %v, had %v", after.Hosts, before.Hosts, after.Subnets, before.Subnets)
		}
		last := mustParse(t, network("      b: {hosts: {h3: {}, h4: {}, h5: {}}}\n      e: {}\n      f: {}\n"), after).Lock
		if last.Hosts["h5"] != before.Hosts["h1"] || last.Subnets["a/f"] != before.Subnets["a/d"] {
			t.Errorf("hosts = %v, had %v; subnets = %v, had %v", last.Hosts, before.Hosts, last.Subnets, before.Subnets)
		}
	})
	t.Run("swapped", func(t *testing.T) {
		first := mustParse(t, network("      b: {hosts: {x: {}}}\n      d: {hosts: {y: {}}}\n"), nil).Lock
		after := mustParse(t, network("      b: {hosts: {y: {}}}\n      d: {hosts: {x: {}}}\n"), first).Lock
		if after.Hosts["x"] == first.Hosts["y"] || after.Hosts["y"] == first.Hosts["x"] {
			t.Errorf("hosts = %v, had %v", after.Hosts, first.Hosts)
		}
	})
	t.Run("no other room", func(t *testing.T) {
		tiny := func(hosts string) []File { return network("      b: {length: 29, hosts: {" + hosts + "}}\n") }
		full := mustParse(t, tiny("h1: {}, h2: {}, h3: {}"), nil).Lock
		after := mustParse(t, tiny("h1: {}, h4: {}, h3: {}"), full).Lock
		if after.Hosts["h4"] != full.Hosts["h2"] {
			t.Errorf("hosts = %v, had %v", after.Hosts, full.Hosts)
		}
	})
}

// Azure moves no resource to another region, so what belongs to no region stays
// where it was first made, whatever regions come and go.
func TestHomeIsStable(t *testing.T) {
	before := mustParse(t, shape("eastus, westus", ""), nil).Lock
	for _, regions := range []string{"japaneast, eastus, westus", "westus", "westus, eastus"} {
		d := mustParse(t, shape(regions, ""), before)
		policy := find(t, d, "firewallPolicies/p")
		if got := policy.Location(); got != "eastus" || d.Lock.Home != "eastus" {
			t.Errorf("with regions %s the policy is in %s and home is %s", regions, got, d.Lock.Home)
		}
	}
}

// A new pool is the one change that moves everything: nothing locked fits.
func TestNewPoolMovesEverything(t *testing.T) {
	files := shape("eastus", "")
	before := mustParse(t, files, nil).Lock
	files[0].Data = append(files[0].Data, "addresses: {pool: 172.16.0.0/12}\n"...)
	after := mustParse(t, files, before).Lock
	pool := netip.MustParsePrefix("172.16.0.0/12")
	for k, p := range after.Networks {
		if !pool.Overlaps(p) {
			t.Errorf("%s stays at %s", k, p)
		}
	}
}

// Blocks of regions never hold an explicit network of another region: routes
// between regions follow the blocks.
func TestBlocksAvoidOtherRegions(t *testing.T) {
	d := mustParse(t, shape("eastus, westus", "  - {name: far, region: westus, address: 10.0.0.0/16, subnets: {app: {}}}\n"), nil)
	if got := d.Lock.Regions["eastus"]; got.Overlaps(netip.MustParsePrefix("10.0.0.0/16")) {
		t.Errorf("eastus has %s", got)
	}
	if got := d.Lock.Regions["westus"]; got != netip.MustParsePrefix("10.0.0.0/14") {
		t.Errorf("westus has %s, want the first block", got)
	}
	if p := d.Lock.Networks["prod-westus"]; p.Overlaps(netip.MustParsePrefix("10.0.0.0/16")) {
		t.Errorf("prod-westus got %s, inside the explicit network", p)
	}
}

func TestLockRoundTrip(t *testing.T) {
	lock := mustParse(t, shape("eastus, westeurope", ""), nil).Lock
	lock.Networks["true"] = netip.MustParsePrefix("10.9.0.0/16") // needs quotes in YAML
	text := lock.Marshal()
	got, err := ParseLock(LockName, text)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Equal(lock) || !bytes.Equal(got.Marshal(), text) {
		t.Errorf("the lock reads back as\n%s\nwas\n%s", got.Marshal(), text)
	}
	if !bytes.HasPrefix(text, []byte("# ")) {
		t.Error("the lock lacks its head line")
	}
}

func TestExplicitIsNotLocked(t *testing.T) {
	d := mustParse(t, []File{{Name: "n.yaml", Data: []byte(`network: t
regions: [westeurope]
spokes:
  - name: a
    address: 10.5.0.0/16
    subnets:
      app: {address: 10.5.7.0/24, hosts: {h: {address: 10.5.7.9, public-ip: {address: 20.1.2.3}}}}
`)}}, nil)
	want := NewLock()
	want.Home = "westeurope"
	if !d.Lock.Equal(want) {
		t.Errorf("explicit addresses are locked:\n%s", d.Lock.Marshal())
	}
	nic := find(t, d, "networkInterfaces/h-nic")
	got := at(t, nic.Doc, "properties/ipConfigurations/0/properties/privateIPAddress")
	if got != "10.5.7.9" {
		t.Errorf("h has %v", got)
	}
	if got := at(t, find(t, d, "publicIPAddresses/h-ip").Doc, "properties/ipAddress"); got != "20.1.2.3" {
		t.Errorf("h-ip has %v", got)
	}
}

func TestSpaceFirstFit(t *testing.T) {
	p := netip.MustParsePrefix
	s := newSpace(p("10.0.0.0/24"))
	s.take(p("10.0.0.0/28"))
	s.take(p("10.0.0.64/26"))
	s.take(p("10.0.0.64/27")) // inside what is taken
	for _, tt := range []struct {
		bits int
		want string
	}{{27, "10.0.0.32/27"}, {28, "10.0.0.16/28"}, {25, "10.0.0.128/25"}, {28, ""}} {
		got, ok := s.assign(tt.bits)
		if ok != (tt.want != "") || ok && got != p(tt.want) {
			t.Errorf("assign(%d) = %s, %t, want %q", tt.bits, got, ok, tt.want)
		}
	}
	if s := newSpace(p("0.0.0.0/0")); func() bool { _, ok := s.assign(1); return !ok }() {
		t.Error("no /1 in 0.0.0.0/0")
	}
	if keys := maps.Clone(s.from); len(keys) == 0 {
		t.Error("the cursors are not kept")
	}
}
