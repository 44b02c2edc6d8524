package compile

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// l7 writes an application rule for HTTPS "name src fqdns", or with more
// properties.
func l7(s string, more ...string) string {
	f := strings.Fields(s)
	return fmt.Sprintf(`{"ruleType":"ApplicationRule","name":%q,"sourceAddresses":[%q],"targetFqdns":["%s"],"protocols":[{"protocolType":"Https","port":443}]%s}`,
		f[0], f[1], strings.ReplaceAll(f[2], ",", `","`), strings.Join(append([]string{""}, more...), ","))
}

// Names in rules ("Azure Firewall rule processing logic", "Use FQDN filtering in
// network rules"): "*" is every name, a name of the network's zones is its
// addresses, and whether another matches is unknown, for allow and for deny.
func TestFirewallNames(t *testing.T) {
	net := func(action, fqdn string) string {
		return collection("x 100 "+action, fmt.Sprintf(`{"ruleType":"NetworkRule","name":"r","ipProtocols":["TCP"],"sourceAddresses":["*"],"destinationFqdns":[%q],"destinationPorts":["443"]}`, fqdn))
	}
	for _, tt := range []struct{ name, rules, b, other, internet string }{
		{"every name", collection("x 100 Allow", l7("r * *")), "allow", "allow", "allow"},
		{"no name", collection("x 100 Deny", l7("r * *")), "deny", "deny", "deny"},
		{"a private name", collection("x 100 Allow", l7("r * web.corp.test")), "allow", "deny", "deny"},
		{"a private name denied", collection("x 100 Deny", l7("r * web.corp.test")) + "," + collection("y 200 Allow", l7("s * *")), "deny", "allow", "allow"},
		{"a public name", collection("x 100 Allow", l7("r * www.example.com")), "unknown", "unknown", "unknown"},
		{"a public name denied", collection("x 100 Deny", l7("r * www.example.com")) + "," + collection("y 200 Allow", l7("s * *")), "unknown", "unknown", "unknown"},
		{"both", collection("x 100 Allow", l7("r * web.corp.test,www.example.com")), "allow", "unknown", "unknown"},
		{"a wildcard", collection("x 100 Allow", l7("r * *.corp.test")), "unknown", "unknown", "unknown"},
		{"a name the zone lacks", collection("x 100 Allow", l7("r * no.corp.test")), "unknown", "unknown", "unknown"},
		{"a tag", collection("x 100 Allow", `{"ruleType":"ApplicationRule","name":"r","sourceAddresses":["*"],"fqdnTags":["WindowsUpdate"]}`), "unknown", "unknown", "unknown"},
		{"a category", collection("x 100 Deny", l7("r * web.corp.test", `"webCategories":["gambling"]`)), "deny", "unknown", "unknown"},
		{"with addresses", collection("x 100 Allow", l7("r * *", `"destinationAddresses":["10.0.2.0/25"]`)), "allow", "deny", "deny"},
		{"a name with addresses", collection("x 100 Allow", l7("r * www.example.com", `"destinationAddresses":["10.0.2.0/25"]`)), "unknown", "deny", "deny"},
		{"other sources", collection("x 100 Allow", l7("r 10.9.0.0/16 *")), "deny", "deny", "deny"},
		{"network rule", net("Allow", "web.corp.test"), "allow", "deny", "deny"},
		{"network rule of a public name", net("Allow", "www.example.com"), "unknown", "unknown", "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := walled(t).zoned().add("fwp/own", `{"properties":{}}`).ruleGroup("own", "g", 100, tt.rules)
			n.nic("c", "net/b", "10.0.2.200")
			img := n.compile()
			for dst, want := range map[string]string{"10.0.2.4": tt.b, "10.0.2.200": tt.other, "9.9.9.9": tt.internet} {
				c := flow(t, img, "a", "tcp 10.0.1.4 "+dst+":443")
				if v, r := c.Verdict(); v.String() != want {
					t.Errorf("%s: %s %s, want %s", dst, v, r.Code, want)
				}
			}
		})
	}
	// With DNS servers of its own the policy knows other names.
	n := walled(t).zoned().add("fwp/own", `{"properties":{"dnsSettings":{"servers":["10.0.9.9"]}}}`).ruleGroup("own", "g", 100, net("Allow", "web.corp.test"))
	expect(t, n.compile(), "a: tcp 10.0.1.4 10.0.2.4:443 = unknown rule r: a > fw")
}

// Application rules always proxy ("Azure Firewall SNAT private IP address
// ranges"): what they let pass comes from the firewall, within the private
// ranges too.
func TestApplicationRulesMasquerade(t *testing.T) {
	n := walled(t).add("fwp/own", `{"properties":{}}`).ruleGroup("own", "g", 100, collection("x 100 Allow", l7("r * *")), collection("y 200 Allow", l4("yes TCP * * 80")))
	img := n.compile()
	for port, want := range map[string]string{"443": "10.0.0.4", "80": "10.0.1.4"} {
		c := flow(t, img, "a", "tcp 10.0.1.4 10.0.2.4:"+port)
		if got := c.Forward.Steps[len(c.Forward.Steps)-1].Packet.Src.String(); got != want {
			t.Errorf("port %s arrives from %s, want %s", port, got, want)
		}
	}
}

// Azure Firewall has no IPv6 (unconfirmed: firewallsDropIPv6).
func TestFirewallDropsIPv6(t *testing.T) {
	n := walled(t).add("fwp/own", `{"properties":{}}`).ruleGroup("own", "g", 100, collection("x 100 Allow", l4("yes TCP * * *")))
	n.vnet("six", "fd00::/48", "s fd00::/64")
	expect(t, n.compile(), "a: tcp 10.0.1.4 10.0.2.4:80 = allow delivered: a > fw > b")
	img := n.compile()
	f := &img.Filters[img.Ports[portOf(t, img, "fw")].Forward.Policy[0]]
	if r := f.Rules[0]; r.Origin.Name != "IPv6" || !img.Sets[r.Match[0]].Contains(flowAddr("fd00::4")) || img.Sets[r.Match[0]].Contains(flowAddr("10.0.1.4")) {
		t.Errorf("first rule %+v", r)
	}
}

func flowAddr(s string) fabric.Value { return fabric.AddrValue(netip.MustParseAddr(s)) }
