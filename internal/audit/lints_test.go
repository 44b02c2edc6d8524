package audit

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/internal/proof"
)

// A next hop must be reachable, forward, and be outside of the subnets that use
// it ("Virtual network traffic routing", virtual appliance).
func TestRoutes(t *testing.T) {
	for _, tt := range []struct {
		name, route string
		want        []string
	}{
		{"an appliance of its own subnet", "10.9.0.0/16 10.0.1.4", nil},
		{"an appliance in the table's subnet", "10.9.0.0/16 10.0.0.9", []string{RuleOwnSubnet}},
		{"an address nobody has", "10.9.0.0/16 10.0.1.99", []string{RuleNoNextHop}},
		{"an address out of reach", "10.9.0.0/16 10.77.0.1", []string{RuleNoNextHop}},
		{"a machine that does not forward", "10.9.0.0/16 10.0.1.5", []string{RuleNotForwarding}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &net{t: t}
			n.table("r", "", tt.route).vnet("hub", "10.0.0.0/16", "s 10.0.0.0/24 r", "nva 10.0.1.0/24")
			n.nic("a", "hub/s", "10.0.0.4").nic("nva-in", "hub/s", "10.0.0.9").nic("nva-out", "hub/nva", "10.0.1.4").nic("b", "hub/nva", "10.0.1.5")
			var got []string
			for _, f := range Routes(n.resources, n.compile()) {
				got = append(got, f.Rule)
				if f.Resource == "" || f.Pos.Line == 0 || f.Severity != Warning {
					t.Errorf("%+v", f)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// A user route that is invalid in every table that applies is never used; one
// that is active in any is.
func TestUnusedRoute(t *testing.T) {
	route := fabric.Route{Prefix: netip.MustParsePrefix("10.9.0.0/16"), Source: "User", Inactive: true, Origin: fabric.Origin{Resource: "/t", Name: "r"}}
	active := route
	active.Inactive = false
	img := &fabric.Image{
		Ports:  []fabric.Port{{Kind: fabric.PortHost, Routes: 0}, {Kind: fabric.PortHost, Routes: 1}},
		Tables: []fabric.Table{{Routes: []fabric.Route{route}}, {Routes: []fabric.Route{route}}},
	}
	if fs := Routes(nil, img); len(fs) != 1 || fs[0].Rule != RuleUnusedRoute || fs[0].Severity != Note {
		t.Errorf("got %v", lines(fs))
	}
	img.Tables[1].Routes[0] = active
	if fs := Routes(nil, img); len(fs) != 0 {
		t.Errorf("used in one table: %v", lines(fs))
	}
}

// Every rule says what it finds.
func TestDescribe(t *testing.T) {
	rules := []string{
		"routes-per-table", RuleUnreadable, RuleUncounted, RuleOutboundPorts, RuleUnattached, RuleOwnSubnet, RuleNoNextHop,
		RuleNotForwarding, RuleUnusedRoute, RuleAsymmetrySearch, RuleLoop, RuleBlackHole, RuleLostSearch, RuleSubnetFull,
	}
	for _, a := range asymmetries() {
		rules = append(rules, a.rule)
	}
	for _, r := range rules {
		if Describe(r) == r {
			t.Errorf("%s has no description", r)
		}
	}
}

// A loop is shown by a packet that goes round; without the route there is none.
func TestLost(t *testing.T) {
	for _, route := range []string{"10.9.0.0/16 10.0.0.9", "10.9.0.0/16 10.0.1.4"} {
		n := &net{t: t}
		n.table("r", "", route).vnet("hub", "10.0.0.0/16", "s 10.0.0.0/24 r", "nva 10.0.1.0/24")
		n.nic("a", "hub/s", "10.0.0.4").nic("nva-in", "hub/s", "10.0.0.9").nic("nva-out", "hub/nva", "10.0.1.4")
		img := n.compile()
		fs := Lost(n.resources, img, proof.New(img).Faults())
		f, loops := find(fs, RuleLoop), strings.HasSuffix(route, ".0.9")
		if (f != nil) != loops {
			t.Errorf("%s: got %v", route, lines(fs))
		}
		if f != nil && (f.Pos.Line == 0 || len(f.Shown.Forward) < 3 || f.Shown.Outcome != "loop") {
			t.Errorf("%+v %+v", f, f.Shown)
		}
	}
}
