package audit

import (
	"fmt"
	"strings"
	"testing"
)

// behind builds n spokes with a host each behind an appliance; they have one
// security group with the rules given, or each its own.
func behind(t *testing.T, n int, own bool, rules string) *net {
	w := &net{t: t}
	w.table("all", "", "10.0.0.0/8 10.0.0.4").vnet("hub", "10.0.0.0/16", "s 10.0.0.0/24").nic("nva", "hub/s", "10.0.0.4")
	for i := 1; i <= n; i++ {
		name, group := fmt.Sprintf("v%d", i), "nsg"
		if own {
			group = fmt.Sprintf("nsg%d", i)
		}
		if own || i == 1 {
			w.add("nsg/"+group, `{"properties":{"securityRules":[`+rules+`]}}`)
		}
		w.add("vnet/"+name, fmt.Sprintf(`{"properties":{"addressSpace":{"addressPrefixes":["10.%d.0.0/16"]},"subnets":[{"name":"s","properties":{
			"addressPrefix":"10.%d.0.0/24","routeTable":{"id":"~rt/all"},"networkSecurityGroup":{"id":"~nsg/%s"}}}]}}`, i, i, group))
		w.peer("hub", name, false).nic("h"+name, name+"/s", fmt.Sprintf("10.%d.0.4", i))
	}
	return w
}

// What the search leaves out it tells, and nothing if it leaves nothing out.
func TestAsymmetryLeftOut(t *testing.T) {
	passes := func(n int) string {
		rules := make([]string, n)
		for i := range rules {
			rules[i] = fmt.Sprintf(`{"name":"r%d","properties":{"priority":%d,"direction":"Inbound","access":"Allow","protocol":"Tcp",
				"sourceAddressPrefix":"192.168.0.0/16","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"%d"}}`, i, 100+i, 9000+i)
		}
		rules = append(rules, `{"name":"no","properties":{"priority":4096,"direction":"Inbound","access":"Deny","protocol":"*",
			"sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"*"}}`)
		return strings.Join(rules, ",")
	}
	balanced := func(appliances int) *net {
		n := &net{t: t}
		n.table("via", "", "10.0.0.0/8 10.0.9.9")
		n.vnet("hub", "10.0.0.0/16", "nva 10.0.9.0/24").vnet("a", "10.1.0.0/16", "s 10.1.0.0/24 via").vnet("b", "10.2.0.0/16", "s 10.2.0.0/24 via")
		n.peer("hub", "a", false).peer("hub", "b", false).nic("a", "a/s", "10.1.0.4").nic("b", "b/s", "10.2.0.4")
		n.add("lb/ha", `{"sku":{"name":"Standard"},"properties":{
			"frontendIPConfigurations":[{"name":"f","properties":{"privateIPAddress":"10.0.9.9","privateIPAllocationMethod":"Static","subnet":{"id":"~vnet/hub/subnets/nva"}}}],
			"backendAddressPools":[{"name":"p"}],
			"loadBalancingRules":[{"name":"every","properties":{"protocol":"All","frontendPort":0,"backendPort":0,
				"frontendIPConfiguration":{"id":"~lb/ha/frontendIPConfigurations/f"},"backendAddressPool":{"id":"~lb/ha/backendAddressPools/p"}}}]}}`)
		for i := range appliances {
			n.nic(fmt.Sprintf("nva%d", i), "hub/nva", fmt.Sprintf("10.0.9.%d", 10+i), `"loadBalancerBackendAddressPools":[{"id":"~lb/ha/backendAddressPools/p"}]`)
		}
		return n
	}
	for _, tt := range []struct {
		name  string
		net   *net
		pairs int // cap of pairs, 0 for the usual
		want  string
	}{
		{"all pairs", behind(t, 3, false, ""), 0, ""},
		{"two pairs too many", behind(t, 3, false, ""), 4, "between 4 pairs of ends; 2 more were left out: hv"},
		{"few of many alike", behind(t, 9, false, ""), 0, ""},
		// The network whose table stands for the others is a class of its own.
		{"as many groups as tried ends", behind(t, 1+perClass, true, ""), 0, ""},
		{"as many more as are tried for their rules", behind(t, 1+perClass+maxRuled, true, ""), 0, ""},
		{"more groups", behind(t, 1+perClass+maxRuled+2, true, ""), 0, "ends with other rules than theirs were left out, 2 in all: hv"},
		{"more groups than are named", behind(t, 1+perClass+maxRuled+7, true, ""), 0, "and 2 more"},
		{"as many ports as are tried", behind(t, 2, false, passes(maxServices-6)), 0, ""},
		{"more ports", behind(t, 2, false, passes(maxServices-4)), 0, "2 more ports that rules speak of were left out: 9026, 9027"},
		{"three appliances", balanced(maxChoices), 0, ""},
		{"four appliances", balanced(maxChoices + 1), 0, "there are more at every"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSearch(tt.net.resources, tt.net.compile())
			if tt.pairs > 0 {
				s.maxPairs = tt.pairs
			}
			var got []string
			for _, f := range s.run() {
				if f.Rule == RuleAsymmetrySearch {
					got = append(got, f.What)
				}
			}
			if (len(got) == 1) != (tt.want != "") || len(got) > 1 || tt.want != "" && !strings.Contains(got[0], tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
