package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
	"github.com/ceruleannet/cerulean/model/wire"
)

// RuleSubnetSize is a subnet of the platform's that is smaller than its service
// asks for.
const RuleSubnetSize = "reserved-subnet-size"

// resolverService is what the subnets of a DNS resolver are delegated to.
const resolverService = "Microsoft.Network/dnsResolvers"

// child looks at a subnet that is a resource of its own, if it has anything to
// look at.
func (t *tally) child(r *model.Resource) {
	p := r.Properties()
	if p["natGateway"] == nil && p["delegations"] == nil && !reserved(r.ID.Name()) {
		return
	}
	var v wire.Subnet
	if t.view(r, &v) {
		v.Name = r.ID.Name()
		t.subnet(r, "", r.ID.String(), &v)
	}
}

// subnet notes a subnet's NAT gateway and looks at its size, once for each ID.
// Sizes that are not confirmed only warn.
func (t *tally) subnet(r *model.Resource, pointer, id string, s *wire.Subnet) {
	p, key := &s.Properties, strings.ToLower(id)
	if p.NATGateway != nil {
		t.nat[key] = strings.ToLower(p.NATGateway.ID)
	}
	bits, severity, name := 0, Warning, ""
	if info, ok := catalog.ReservedSubnet(s.Name); ok {
		bits, name = info.MaxBits, info.Name
		if info.AdvisedBits > 0 {
			bits = info.AdvisedBits
		}
		if info.Name == "AzureFirewallSubnet" { // the one that is documented as a must
			severity = Error
		}
	} else if slices.ContainsFunc(p.Delegations, func(d wire.Delegation) bool {
		return strings.EqualFold(d.Properties.ServiceName, resolverService)
	}) {
		bits, name = catalog.ResolverSubnetBits, "a DNS resolver's subnet"
	}
	if bits == 0 || t.sized[key] {
		return
	}
	// A subnet of several prefixes is as large as its largest.
	largest := 33
	for _, text := range p.Prefixes() {
		if q, err := netip.ParsePrefix(text); err == nil && q.Addr().Is4() {
			largest = min(largest, q.Bits())
		}
	}
	if largest == 33 {
		return
	}
	t.sized[key] = true
	if largest <= bits {
		return
	}
	doubt := ""
	if severity != Error {
		doubt = " (unconfirmed)"
	}
	t.found = append(t.found, Finding{
		Severity: severity, Rule: RuleSubnetSize, Resource: id, Pos: r.PosOf(pointer),
		What: fmt.Sprintf("%s is a /%d: the service asks for a /%d or larger%s", name, largest, bits, doubt),
		Fix:  fmt.Sprintf("give it a /%d: a subnet in use cannot be resized", bits),
	})
}
