package catalog

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestRegions(t *testing.T) {
	all := Regions()
	if len(all) != 62 {
		t.Errorf("%d regions, want 62", len(all))
	}
	if !slices.IsSortedFunc(all, func(a, b RegionInfo) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	}) {
		t.Error("regions are not sorted by name")
	}
	for _, name := range []string{"westeurope", "West Europe", "WESTEUROPE"} {
		r, ok := Region(name)
		if !ok || r.Name != "westeurope" || r.Paired != "northeurope" || r.Zones != 3 || r.PhysicalLocation != "Netherlands" {
			t.Errorf("Region(%q) = %+v, %v", name, r, ok)
		}
	}
	if r, ok := Region("westeurop"); ok {
		t.Errorf("an unknown name gave %+v", r)
	}
	// The list returned is the caller's own.
	all[0].Name = "changed"
	if Regions()[0].Name == "changed" {
		t.Error("Regions shares its memory")
	}
}

func TestRTT(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		want     time.Duration
		ok       bool
	}{
		{"eastus", "westeurope", 83 * time.Millisecond, true},
		{"West Europe", "East US", 85 * time.Millisecond, true},
		{"southeastasia", "brazilsouth", 330 * time.Millisecond, true},
		{"uksouth", "uksouth", IntraRegionRTT, true},
		{"westeurope", "chilecentral", 0, false}, // not in the published table
		{"westeurope", "atlantis", 0, false},
	} {
		if got, ok := RTT(tt.from, tt.to); got != tt.want || ok != tt.ok {
			t.Errorf("RTT(%s, %s) = %v, %v; want %v, %v", tt.from, tt.to, got, ok, tt.want, tt.ok)
		}
	}
}

// Every published pair has its opposite, and the two differ little.
func TestRTTBothWays(t *testing.T) {
	if n := len(latencyData()); n != 2862 {
		t.Errorf("%d pairs, want 2862", n)
	}
	for p, d := range latencyData() {
		back, ok := latencyData()[pair{p.to, p.from}]
		if !ok {
			t.Errorf("%s to %s has a value, the opposite has none", p.from, p.to)
		}
		if diff := (d - back).Abs(); diff > 40*time.Millisecond {
			t.Errorf("%s to %s takes %v, back %v", p.from, p.to, d, back)
		}
		if _, ok := Region(p.from); !ok {
			t.Errorf("%s is not a region", p.from)
		}
	}
}

// The estimate is as often too high as too low on the pairs whose value is
// known.
func TestEstimateIsCalibrated(t *testing.T) {
	low := 0
	for p, d := range latencyData() {
		e, ok := EstimateRTT(p.from, p.to)
		if !ok {
			t.Fatalf("no estimate for %s to %s", p.from, p.to)
		}
		if e < d {
			low++
		}
	}
	if share := float64(low) / float64(len(latencyData())); share < 0.45 || share > 0.55 {
		t.Errorf("the estimate is below the published value for %.0f%% of pairs", share*100)
	}
	if d, ok := EstimateRTT("westeurope", "chilecentral"); !ok || d < 100*time.Millisecond || d > 400*time.Millisecond {
		t.Errorf("Amsterdam to Santiago is estimated at %v, %v", d, ok)
	}
}

func TestServiceTags(t *testing.T) {
	names := ServiceTags()
	if len(names) != 2967 {
		t.Errorf("%d tags, want 2967", len(names))
	}
	total := 0
	for _, n := range names {
		p, ok := ServiceTag(n)
		if !ok {
			t.Errorf("%s is listed and not found", n)
		}
		total += len(p)
	}
	if total != 90493 {
		t.Errorf("%d prefixes, want 90493", total)
	}
	for _, tt := range []struct {
		name  string
		count int
		has   string
	}{
		{"Storage", 571, "13.65.107.32/28"},
		{"Sql.EastUS", 68, "20.42.65.64/29"},
		{"sql.eastus", 68, "20.42.65.64/29"},
		{"AzureCloud.eastus", 503, "4.156.0.0/15"},
		{"AzureKeyVault.EastUS", 12, "20.42.64.44/30"},
	} {
		p, ok := ServiceTag(tt.name)
		if !ok || len(p) != tt.count || !slices.Contains(p, netip.MustParsePrefix(tt.has)) {
			t.Errorf("ServiceTag(%s): %d prefixes, %v", tt.name, len(p), ok)
		}
	}
	for _, name := range []string{"VirtualNetwork", "Internet", "AzureLoadBalancer", "Storag", ""} {
		if _, ok := ServiceTag(name); ok {
			t.Errorf("ServiceTag(%q) is not published and was found", name)
		}
	}
}

// The table of "Use Source Network Address Translation (SNAT) for outbound
// connections".
func TestDefaultOutboundPorts(t *testing.T) {
	for _, tt := range []struct{ members, ports, upTo int }{
		{1, 1024, 50}, {50, 1024, 50}, {51, 512, 100}, {101, 256, 200}, {201, 128, 400}, {401, 64, 800}, {801, 32, 1000}, {1000, 32, 1000}, {1001, 0, 0},
	} {
		if ports, upTo := DefaultOutboundPorts(tt.members); ports != tt.ports || upTo != tt.upTo {
			t.Errorf("%d members: %d ports up to %d, want %d and %d", tt.members, ports, upTo, tt.ports, tt.upTo)
		}
	}
}

func TestReservedSubnet(t *testing.T) {
	for _, tt := range []struct {
		name string
		bits int
		ok   bool
	}{
		{"AzureFirewallSubnet", 26, true},
		{"gatewaysubnet", 29, true},
		{"app", 0, false},
	} {
		if got, ok := ReservedSubnet(tt.name); got.MaxBits != tt.bits || ok != tt.ok {
			t.Errorf("ReservedSubnet(%s) = %+v, %v", tt.name, got, ok)
		}
	}
	if s, _ := ReservedSubnet("AzureFirewallSubnet"); s.AdminRules || s.NSG {
		t.Error("AzureFirewallSubnet takes neither admin rules nor an NSG")
	}
}

func TestDefaultRules(t *testing.T) {
	in, out := 0, 0
	for _, r := range DefaultRules() {
		if r.Inbound {
			in++
		} else {
			out++
		}
		if r.Allow == (r.Priority == 65500) {
			t.Errorf("%s at %d: allow is %v", r.Name, r.Priority, r.Allow)
		}
	}
	if in != 3 || out != 3 {
		t.Errorf("%d inbound and %d outbound rules, want 3 and 3", in, out)
	}
}

func BenchmarkServiceTag(b *testing.B) {
	ServiceTag("Storage")
	b.ReportAllocs()
	for b.Loop() {
		ServiceTag("Storage")
	}
}
