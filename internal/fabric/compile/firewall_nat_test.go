package compile

import (
	"fmt"
	"strings"
	"testing"
)

// NAT rules at the firewall's private address ("Azure Firewall private IP
// DNAT": Standard and Premium, for overlapping and unroutable networks): what
// none of them takes ends there, but for names where the firewall is a proxy
// for them ("Azure Firewall DNS settings").
func TestTranslationAtPrivateAddress(t *testing.T) {
	const (
		unknown = "whom NAT rule web is for is unknown"
		basic   = "NAT rule web is for the private address of a Basic firewall, which translates there only in Standard and Premium"
		proxied = "a: udp 10.0.1.4 10.0.0.4:53 = allow delivered: a > fw > fw"
	)
	proxy := func(n *network) { n.change("firewallPolicies/own", "dnsSettings", map[string]any{"enableProxy": true}) }
	for _, tt := range []struct {
		name, rule string
		change     func(*network)
		flows      []string
	}{
		{"translates", "web TCP * 10.0.0.4 443 10.0.2.4 8443", nil, []string{
			"a: tcp 10.0.1.4 10.0.0.4:443 = allow delivered: a > fw > b",
			"a: tcp 10.0.1.4 10.0.0.4:444 = deny no-redirect: a > fw",
			"a: udp 10.0.1.4 10.0.0.4:443 = deny no-redirect: a > fw",
			"a: icmp 10.0.1.4 10.0.0.4 = deny no-redirect: a > fw",
			"b: tcp 10.0.2.4 10.0.0.4:443 = allow delivered: b > fw > b",
			"internet: tcp 8.8.8.8 52.0.0.4:443 = deny no-redirect: internet > fw",
		}},
		{"other sources", "web TCP 10.0.2.0/24 10.0.0.4 443 10.0.2.4 443", nil, []string{
			"a: tcp 10.0.1.4 10.0.0.4:443 = deny no-redirect: a > fw",
		}},
		{"unknown sources", "web TCP NoSuchTag 10.0.0.4 443 10.0.2.4 443", nil, []string{
			"a: tcp 10.0.1.4 10.0.0.4:443 = unknown rule " + unknown + ": a > fw > " + unknown,
			"a: tcp 10.0.1.4 10.0.0.4:444 = deny no-redirect: a > fw",
		}},
		{"every address", "web TCP * * 443 10.0.2.4 443", nil, []string{
			"a: tcp 10.0.1.4 10.0.0.4:443 = allow delivered: a > fw > b",
			"internet: tcp 8.8.8.8 52.0.0.4:443 = allow delivered: internet > fw > b",
		}},
		{"Basic", "web TCP * * 443 10.0.2.4 443", func(n *network) {
			n.change("azureFirewalls/fw", "sku", map[string]any{"name": "AZFW_VNet", "tier": "Basic"})
		}, []string{
			"a: tcp 10.0.1.4 10.0.0.4:443 = unknown rule " + basic + ": a > fw > " + basic,
			"internet: tcp 8.8.8.8 52.0.0.4:443 = allow delivered: internet > fw > b",
		}},
		{"no NAT rule", "", nil, []string{
			"a: tcp 10.0.1.4 10.0.0.4:443 = deny no-redirect: a > fw",
			"a: udp 10.0.1.4 10.0.0.4:53 = deny no-redirect: a > fw",
			"internet: tcp 8.8.8.8 52.0.0.4:443 = deny no-translation: internet",
		}},
		{"a proxy for names", "", proxy, []string{
			proxied,
			"a: udp 10.0.1.4 10.0.0.4:54 = deny no-redirect: a > fw",
		}},
		{"a proxy for names as the parent says", "", func(n *network) {
			n.add("fwp/base", `{"properties":{"dnsSettings":{"enableProxy":true}}}`)
			n.change("firewallPolicies/own", "basePolicy", map[string]any{"id": n.resources[len(n.resources)-1].ID.String()})
		}, []string{proxied}},
		{"a proxy for names without a policy", "", func(n *network) {
			n.change("azureFirewalls/fw", "firewallPolicy", nil)
			n.change("azureFirewalls/fw", "additionalProperties", map[string]any{"Network.DNS.EnableProxy": "true"})
		}, []string{proxied}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := walled(t).add("fwp/own", `{"properties":{}}`)
			// A network rule that lets everything pass does not let it in.
			collections := []string{collection("x 200 Allow", l4("yes Any * * *"))}
			if tt.rule != "" {
				collections = append(collections, natRules("n 300", tt.rule))
			}
			n.ruleGroup("own", "g", 100, collections...)
			if tt.change != nil {
				tt.change(n)
			}
			expect(t, n.compile(), tt.flows...)
		})
	}
}

// What is unknown is noted with its rule.
func TestTranslationNotes(t *testing.T) {
	n := walled(t).add("fwp/own", `{"properties":{}}`)
	n.change("azureFirewalls/fw", "sku", map[string]any{"name": "AZFW_VNet", "tier": "Basic"})
	n.ruleGroup("own", "g", 100, natRules("n 300", "web TCP * 10.0.0.4 443 10.0.2.4 443"))
	for _, note := range n.compile().Notes {
		if note.Origin.Name == "web" && strings.Contains(note.What, "private address of a Basic firewall") {
			return
		}
	}
	t.Error("nothing is said of the rule that Basic does not have")
}

// Threat intelligence in mode Deny is noted wherever a firewall has it from
// ("Azure Firewall Manager policy overview": the mode is inherited and may only
// become stricter).
func TestThreatIntelligence(t *testing.T) {
	for _, tt := range []struct{ name, classic, own, base, at, inherited string }{
		{"off", "Off", "Alert", "Off", "", ""},
		{"alert", "", "Alert", "Alert", "", ""},
		{"of the policy", "", "Deny", "", "/firewallPolicies/own", ""},
		{"inherited", "", "", "Deny", "/firewallPolicies/own", `from policy "base"`},
		{"inherited, laxer below", "", "Alert", "deny", "/firewallPolicies/own", `from policy "base"`},
		{"without a policy", "Deny", "", "", "/azureFirewalls/fw", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := walled(t)
			n.add("fwp/base", fmt.Sprintf(`{"properties":{"threatIntelMode":%q}}`, tt.base))
			n.add("fwp/own", fmt.Sprintf(`{"properties":{"basePolicy":{"id":"~fwp/base"},"threatIntelMode":%q}}`, tt.own))
			if tt.classic != "" {
				n.change("azureFirewalls/fw", "firewallPolicy", nil)
				n.change("azureFirewalls/fw", "threatIntelMode", tt.classic)
			}
			got, place := 0, false
			for _, note := range n.compile().Notes {
				if !strings.Contains(note.What, "threat intelligence") {
					continue
				}
				switch {
				case tt.at == "":
					t.Errorf("noted: %+v", note)
				case strings.HasSuffix(note.Origin.Resource, tt.at) && strings.HasSuffix(note.What, tt.inherited):
					got, place = got+1, note.Origin.Place != ""
				}
			}
			if tt.at != "" && (got != 1 || !place) {
				t.Errorf("noted %d times, place %v", got, place)
			}
		})
	}
}

// change sets a property of the resource whose ID ends in a type and name, or
// removes it.
func (n *network) change(end, property string, value any) {
	n.t.Helper()
	for _, r := range n.resources {
		if !strings.HasSuffix(r.ID.String(), "/"+end) {
			continue
		}
		if value == nil {
			delete(r.Properties(), property)
		} else {
			r.Properties()[property] = value
		}
		return
	}
	n.t.Fatalf("no resource %q", end)
}
