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

// poolRules are the rules that lead to the members of a pool.
type poolRules struct{ ids map[string]bool }

func (t *tally) poolRule(pool, rule string) {
	key := strings.ToLower(pool)
	if t.pools[key] == nil {
		t.pools[key] = &poolRules{map[string]bool{}}
	}
	t.pools[key].ids[strings.ToLower(rule)] = true
}

// inboundRule counts an inbound NAT rule at the interface it leads to, or at
// those of its pool.
func (t *tally) inboundRule(id string, p *wire.InboundNATRuleProperties) {
	if p.BackendAddressPool != nil {
		t.poolRule(p.BackendAddressPool.ID, id)
	}
	if p.BackendIPConfiguration != nil {
		if nic, ok := interfaceOf(p.BackendIPConfiguration.ID); ok {
			t.of("balancer-rules-per-interface", nic).add("nat " + id)
		}
	}
}

// balanced counts the rules of pools at the interfaces that are members. The
// members of all pools must have been counted.
func (t *tally) balanced() {
	pools := map[string][]*poolRules{} // by interface, each pool once
	for id, rules := range t.pools {
		of := map[string]bool{}
		for member := range t.pool(id).members {
			if nic, ok := interfaceOf(member); ok && !of[nic] {
				of[nic] = true
				pools[nic] = append(pools[nic], rules)
			}
		}
	}
	for nic, list := range pools {
		c := t.of("balancer-rules-per-interface", nic)
		if len(list) == 1 {
			c.more += len(list[0].ids)
			continue
		}
		for _, rules := range list {
			for id := range rules.ids {
				c.add(id)
			}
		}
	}
}

// interfaceOf cuts an IP configuration's ID to its interface's.
func interfaceOf(config string) (string, bool) {
	i := strings.Index(strings.ToLower(config), "/ipconfigurations/")
	return config[:max(i, 0)], i >= 0
}

func (t *tally) balancer(r *model.Resource) {
	var v wire.LoadBalancer
	if !t.view(r, &v) {
		return
	}
	id, p := r.ID.String(), &v.Properties
	t.of("frontends-per-load-balancer", id).more = len(p.FrontendIPConfigurations)
	t.of("outbound-rules-per-load-balancer", id).more = len(p.OutboundRules)
	for i := range p.LoadBalancingRules {
		rule := &p.LoadBalancingRules[i]
		t.of("rules-per-load-balancer", id).add("rule " + rule.Name)
		if ref := rule.Properties.BackendAddressPool; ref != nil {
			t.poolRule(ref.ID, id+"/loadBalancingRules/"+rule.Name)
		}
		for _, ref := range rule.Properties.BackendAddressPools {
			t.poolRule(ref.ID, id+"/loadBalancingRules/"+rule.Name)
		}
	}
	for i := range p.InboundNATRules {
		rule := &p.InboundNATRules[i]
		t.of("rules-per-load-balancer", id).add("nat " + rule.Name)
		t.inboundRule(id+"/inboundNatRules/"+rule.Name, &rule.Properties)
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
		if n, ok := t.prefixSize(ref.ID); ok {
			c.more += n
			continue
		}
		t.found = append(t.found, Finding{
			Severity: Note, Rule: RuleUncounted, Resource: r.ID.String(), Pos: r.PosOf(fmt.Sprintf("/properties/publicIpPrefixes/%d", i)),
			What: fmt.Sprintf("the number of addresses of %s is not known: the gateway's addresses are counted without it", ref.ID),
			Fix:  "declare the public IP prefix with its prefixLength",
		})
	}
}

// prefixSize returns how many addresses a public IP prefix has; false if its
// document does not say.
func (t *tally) prefixSize(id string) (int, bool) {
	var v struct {
		Properties struct {
			PrefixLength int `json:"prefixLength"`
		} `json:"properties"`
	}
	r := t.byID[strings.ToLower(id)]
	if r == nil || !t.view(r, &v) || v.Properties.PrefixLength < 8 || v.Properties.PrefixLength > 32 {
		return 0, false
	}
	return 1 << (32 - v.Properties.PrefixLength), true
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
