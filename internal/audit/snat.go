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

// outbound is what outbound rules say of ports.
type outbound struct {
	Properties struct {
		Frontends []wire.FrontendIPConfiguration `json:"frontendIPConfigurations"`
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
	prefixes := map[string]bool{}
	for _, f := range v.Properties.Frontends {
		prefixes[strings.ToLower(f.Name)] = f.Properties.PublicIPPrefix != nil
	}
	var findings []Finding
	for i, rule := range v.Properties.Rules {
		p := &rule.Properties
		if p.Pool == nil || p.Allocated == 0 {
			continue
		}
		f := Finding{Resource: r.ID.String(), Pos: r.PosOf(fmt.Sprintf("/properties/outboundRules/%d", i))}
		known := true
		for _, ref := range p.Frontends {
			known = known && !prefixes[strings.ToLower(ref.ID[strings.LastIndexByte(ref.ID, '/')+1:])]
		}
		if !known {
			f.Severity, f.Rule = Note, RuleUncounted
			f.What = fmt.Sprintf("outbound rule %s has a frontend of a public IP prefix: its ports are not counted", rule.Name)
			f.Fix = "compare allocatedOutboundPorts times members with 64,000 ports an address"
			findings = append(findings, f)
			continue
		}
		members := t.pool(p.Pool.ID).used()
		f.Used, f.Limit = p.Allocated*members, len(p.Frontends)*catalog.LoadBalancerPortsPerIP
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
