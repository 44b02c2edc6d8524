package audit

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/internal/fabric"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// Rules of hosts that share public addresses. A host needs a source port for
// each connection to one destination: with fewer ports than hosts, not even one
// connection of each finds a port.
const (
	// RuleNATPorts is a NAT gateway with hardly more ports than hosts.
	RuleNATPorts = "hosts-per-nat-gateway-port"
	// RuleFirewallPorts is an Azure Firewall with hardly more ports than hosts.
	RuleFirewallPorts = "hosts-per-firewall-port"
)

// outboundHosts counts the hosts that leave for the internet by a NAT gateway
// or, on the route of their subnet, by a firewall, and holds them against the
// ports there are.
func (t *tally) outboundHosts(img *fabric.Image) {
	hosts := map[string]int{} // by lower-case ID of the gateway or firewall
	walls := map[string]bool{}
	hops := map[fabric.TableID]*fabric.Port{}
	for i := range img.Ports {
		p := &img.Ports[i]
		if p.Kind != fabric.PortHost || p.Routes == fabric.None || p.Forward != nil {
			continue
		}
		hop, ok := hops[p.Routes]
		if !ok {
			hop = outside(img, &img.Tables[p.Routes])
			hops[p.Routes] = hop
		}
		o := p.Outbound
		if hop != nil {
			o = hop.Outbound
		}
		if o == nil || o.What != "NAT gateway" && o.What != "firewall" {
			continue
		}
		key := strings.ToLower(o.Origin.Resource)
		if o.What == "firewall" {
			// A NAT gateway of the firewall's subnet serves it instead.
			if nat := t.nat[strings.ToLower(img.Segments[hop.Segment].Origin.Resource)]; nat != "" {
				key = nat
			} else {
				walls[key] = true
			}
		}
		for _, r := range img.Sets[p.Addrs] {
			if r.Lo.Addr().Is4() {
				hosts[key] += int(r.Hi.Lo-r.Lo.Lo) + 1
			}
		}
	}
	for key, n := range hosts {
		if walls[key] {
			t.walled(key, n)
			continue
		}
		addresses := t.of("addresses-per-nat-gateway", key).used()
		t.ports(RuleNATPorts, key, n, addresses, catalog.NATGatewayPortsPerIP, "NAT gateway")
	}
}

// outside is the firewall that a table leads the internet's addresses to, nil
// if to none.
func outside(img *fabric.Image, table *fabric.Table) *fabric.Port {
	i, ok := table.Lookup(outsider)
	if !ok || table.Routes[i].Hop.Kind != fabric.HopPort {
		return nil
	}
	return &img.Ports[table.Routes[i].Hop.Port]
}

func (t *tally) walled(key string, hosts int) {
	for _, w := range t.walls {
		if w.resource.ID.Key() == key {
			t.ports(RuleFirewallPorts, key, hosts, w.addresses, catalog.FirewallPortsPerIP*catalog.FirewallInstances, "firewall")
		}
	}
}

// ports adds a finding if hosts use up a share of the ports that is worth one.
// How many ports an address has is not confirmed: it only warns.
func (t *tally) ports(rule, key string, hosts, addresses, each int, what string) {
	limit := addresses * each
	if limit == 0 || hosts*100 < limit*nearPercent {
		return // without addresses there is no way out: no limit, a black hole
	}
	f := Finding{
		Severity: Note, Rule: rule, Resource: key, Used: hosts, Limit: limit,
		What: fmt.Sprintf("%d addresses of hosts leave by this %s, which has %d ports (unconfirmed): hardly one for each", hosts, what, limit),
		Fix:  "add public addresses, or give some subnets a way out of their own",
	}
	if hosts > limit {
		f.Severity = Warning
	}
	if r := t.byID[key]; r != nil {
		f.Resource, f.Pos = r.ID.String(), r.Pos
	}
	t.found = append(t.found, f)
}
