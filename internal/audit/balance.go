package audit

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/wire"
)

// pool returns the count of a backend pool's members, placed at its balancer.
func (t *tally) pool(id string) *count {
	balancer := id
	if i := strings.LastIndex(strings.ToLower(id), "/backendaddresspools/"); i >= 0 {
		balancer = id[:i]
	}
	var pos model.Pos
	if r := t.byID[strings.ToLower(balancer)]; r != nil {
		balancer, pos = r.ID.String(), r.Pos
	}
	return t.holder("members-per-pool", balancer, id, pos)
}

func (t *tally) balancer(r *model.Resource) {
	var v wire.LoadBalancer
	if !t.view(r, &v) {
		return
	}
	id, p := r.ID.String(), &v.Properties
	t.of("frontends-per-load-balancer", id).more = len(p.FrontendIPConfigurations)
	t.of("outbound-rules-per-load-balancer", id).more = len(p.OutboundRules)
	for _, rule := range p.LoadBalancingRules {
		t.of("rules-per-load-balancer", id).add("rule " + rule.Name)
	}
	for _, rule := range p.InboundNATRules {
		t.of("rules-per-load-balancer", id).add("nat " + rule.Name)
	}
	for _, pool := range p.BackendAddressPools {
		t.members(id+"/backendAddressPools/"+pool.Name, &pool.Properties)
	}
}

// members counts what a pool names itself; interfaces that name the pool are
// counted with them.
func (t *tally) members(pool string, p *wire.BackendAddressPoolProperties) {
	c := t.pool(pool)
	for _, config := range p.BackendIPConfigurations {
		c.add(config.ID)
	}
	for _, a := range p.BackendAddresses {
		if config := a.Properties.NetworkInterfaceIPConfiguration; config != nil {
			c.add(config.ID)
		} else {
			c.add("address " + a.Name)
		}
	}
}

// natGateway counts public addresses; those of a prefix are known only in the
// prefix's own document.
func (t *tally) natGateway(r *model.Resource) {
	var v struct {
		Properties struct {
			PublicIPAddresses []wire.Ref `json:"publicIpAddresses"`
			PublicIPPrefixes  []wire.Ref `json:"publicIpPrefixes"`
		} `json:"properties"`
	}
	if !t.view(r, &v) {
		return
	}
	c := t.of("addresses-per-nat-gateway", r.ID.String())
	for _, a := range v.Properties.PublicIPAddresses {
		c.add(a.ID)
	}
	for i, ref := range v.Properties.PublicIPPrefixes {
		var prefix struct {
			Properties struct {
				PrefixLength int `json:"prefixLength"`
			} `json:"properties"`
		}
		doc := t.byID[strings.ToLower(ref.ID)]
		if doc != nil && t.view(doc, &prefix) && prefix.Properties.PrefixLength >= 8 && prefix.Properties.PrefixLength <= 32 {
			c.more += 1 << (32 - prefix.Properties.PrefixLength)
			continue
		}
		t.unknown = append(t.unknown, Finding{
			Severity: Note, Rule: RuleUncounted, Resource: r.ID.String(), Pos: r.PosOf(fmt.Sprintf("/properties/publicIpPrefixes/%d", i)),
			What: fmt.Sprintf("the number of addresses of %s is not known: the gateway's addresses are counted without it", ref.ID),
			Fix:  "declare the public IP prefix with its prefixLength",
		})
	}
}

// adminRule counts a security admin rule at its network manager.
func (t *tally) adminRule(r *model.Resource) {
	var v wire.AdminRule
	if !t.view(r, &v) {
		return
	}
	manager := r.ID.Parent().Parent().Parent().String()
	t.of("admin-rules-per-manager", manager).add(r.ID.String())
	for _, items := range [][]wire.AddressItem{v.Properties.Sources, v.Properties.Destinations} {
		for _, a := range items {
			if strings.EqualFold(a.AddressPrefixType, "IPPrefix") {
				t.of("admin-prefixes-per-manager", manager).add(a.AddressPrefix)
			}
		}
	}
}

// acls counts the firewall rules of a storage account or key vault.
func (t *tally) acls(r *model.Resource, addresses, networks string) {
	var v struct {
		Properties struct {
			NetworkACLs struct {
				IPRules             []any `json:"ipRules"`
				VirtualNetworkRules []any `json:"virtualNetworkRules"`
			} `json:"networkAcls"`
		} `json:"properties"`
	}
	if !t.view(r, &v) {
		return
	}
	at := r.PosOf("/properties/networkAcls")
	t.holder(addresses, r.ID.String(), "", at).more = len(v.Properties.NetworkACLs.IPRules)
	t.holder(networks, r.ID.String(), "", at).more = len(v.Properties.NetworkACLs.VirtualNetworkRules)
}
