package audit

import (
	"fmt"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// RuleOutboundPorts is an outbound rule that promises the members of its pool
// more ports than its frontends have. Azure refuses it with
// SpecifiedAllocatedOutboundPortsForOutboundRuleExceedsTotalNumberOfAvailablePorts.
// It only warns: that a frontend address has 64,000 ports is unconfirmed.
const RuleOutboundPorts = "outbound-ports-exceed-frontends"

// RuleDefaultPorts is a pool whose members have outbound ports by its size, and
// whose size is near the next step down.
const RuleDefaultPorts = "default-outbound-ports"

// outbound is what outbound and load-balancing rules say of ports.
type outbound struct {
	Properties struct {
		Frontends []wire.FrontendIPConfiguration `json:"frontendIPConfigurations"`
		Balancing []wire.LoadBalancingRule       `json:"loadBalancingRules"`
		Rules     []struct {
			Name       string `json:"name"`
			Properties struct {
				Frontends []wire.Ref `json:"frontendIPConfigurations"`
				Pool      *wire.Ref  `json:"backendAddressPool"`
				Allocated int        `json:"allocatedOutboundPorts"` // a member's; 0 means by the size of the pool
			} `json:"properties"`
		} `json:"outboundRules"`
	} `json:"properties"`
}

// outboundPorts checks the outbound rules of a load balancer. The members of
// its pools must have been counted.
func (t *tally) outboundPorts(r *model.Resource) []Finding {
	var v outbound
	if wire.Decode(r.Doc, &v) != nil {
		// tally.balancer reports what it cannot read; these properties are ours.
		return []Finding{{
			Severity: Warning, Rule: RuleUnreadable, Resource: r.ID.String(), Pos: r.PosOf("/properties/outboundRules"),
			What: "the ports of the outbound rules cannot be read", Fix: "write allocatedOutboundPorts as a whole number",
		}}
	}
	addresses := map[string]int{} // of each frontend; -1 if not known
	for _, f := range v.Properties.Frontends {
		n := 1
		if prefix := f.Properties.PublicIPPrefix; prefix != nil {
			var ok bool
			if n, ok = t.prefixSize(prefix.ID); !ok {
				n = -1
			}
		}
		addresses[strings.ToLower(f.Name)] = n
	}
	findings := t.defaultPorts(r, &v)
	for i, rule := range v.Properties.Rules {
		p := &rule.Properties
		if p.Pool == nil || p.Allocated == 0 {
			continue
		}
		f := Finding{Resource: r.ID.String(), Pos: r.PosOf(fmt.Sprintf("/properties/outboundRules/%d", i))}
		known, ips := true, 0
		for _, ref := range p.Frontends {
			n, ok := addresses[nameOf(ref.ID)]
			if !ok {
				n = 1 // the compiler says that there is no such frontend
			}
			known, ips = known && n >= 0, ips+n
		}
		if !known {
			f.Severity, f.Rule = Note, RuleUncounted
			f.What = fmt.Sprintf("outbound rule %s has a frontend of a public IP prefix whose size is not known: its ports are not counted", rule.Name)
			f.Fix = "declare the public IP prefix with its prefixLength"
			findings = append(findings, f)
			continue
		}
		members := t.pool(p.Pool.ID).used()
		f.Used, f.Limit = p.Allocated*members, ips*catalog.LoadBalancerPortsPerIP
		// Sharing out all ports is what the documents advise: using them up is
		// not worth a finding, promising more is.
		if f.Used <= f.Limit {
			continue
		}
		f.Severity, f.Rule = Warning, RuleOutboundPorts
		f.What = fmt.Sprintf("outbound rule %s gives %d ports to each of %d members: %d in all, its frontends have %d", rule.Name, p.Allocated, members, f.Used, f.Limit)
		f.Fix = "allocate fewer ports, or add frontend addresses"
		findings = append(findings, f)
	}
	return findings
}

// nameOf is the last part of an ID, lower case.
func nameOf(id string) string { return strings.ToLower(id[strings.LastIndexByte(id, '/')+1:]) }

// defaultPorts looks at the pools that leave by a load balancer without a rule
// that allocates ports: each step of the table halves what every member has,
// and beyond the table there is none.
func (t *tally) defaultPorts(r *model.Resource, v *outbound) []Finding {
	public, allocated, use := map[string]bool{}, map[string]bool{}, map[string]string{}
	for _, f := range v.Properties.Frontends {
		public[strings.ToLower(f.Name)] = f.Properties.PublicIPAddress != nil || f.Properties.PublicIPPrefix != nil
	}
	for i, rule := range v.Properties.Rules {
		if p := &rule.Properties; p.Pool != nil {
			allocated[strings.ToLower(p.Pool.ID)] = p.Allocated > 0
			if p.Allocated == 0 {
				use[strings.ToLower(p.Pool.ID)] = fmt.Sprintf("/properties/outboundRules/%d", i)
			}
		}
	}
	for i := range v.Properties.Balancing {
		p := &v.Properties.Balancing[i].Properties
		if p.DisableOutboundSNAT || p.FrontendIPConfiguration == nil || !public[nameOf(p.FrontendIPConfiguration.ID)] {
			continue
		}
		pools := p.BackendAddressPools
		if p.BackendAddressPool != nil {
			pools = append(pools, *p.BackendAddressPool)
		}
		for _, pool := range pools {
			if key := strings.ToLower(pool.ID); use[key] == "" {
				use[key] = fmt.Sprintf("/properties/loadBalancingRules/%d", i)
			}
		}
	}
	var findings []Finding
	for pool, at := range use {
		if allocated[pool] {
			continue
		}
		members := t.pool(pool).used()
		ports, upTo := catalog.DefaultOutboundPorts(members)
		f := Finding{
			Severity: Note, Rule: RuleDefaultPorts, Resource: r.ID.String(), Pos: r.PosOf(at), Used: members, Limit: upTo,
			Fix: "allocate ports with an outbound rule (allocatedOutboundPorts), or use a NAT gateway",
		}
		switch {
		case ports == 0:
			f.Severity, f.Limit = Warning, catalog.MaxDefaultOutboundMembers
			f.What = fmt.Sprintf("pool %s has %d members and no rule allocates outbound ports: the default is documented up to %d", nameOf(pool), members, f.Limit)
		case members*100 >= upTo*nearPercent:
			next := "there is no default any more"
			if n, _ := catalog.DefaultOutboundPorts(upTo + 1); n > 0 {
				next = fmt.Sprintf("each has %d", n)
			}
			f.What = fmt.Sprintf("each of the %d members of pool %s has %d outbound ports by default; with more than %d, %s", members, nameOf(pool), ports, upTo, next)
		default:
			continue
		}
		findings = append(findings, f)
	}
	return findings
}
