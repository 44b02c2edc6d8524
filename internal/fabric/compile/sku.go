package compile

import (
	"strings"

	"github.com/ceruleannet/cerulean/model/wire"
)

// SKUs of public addresses and load balancers. What names none is Standard,
// unless only Basic can be what it asks for: addresses of Standard are static,
// and a balancer has the SKU of its addresses ("Public IP addresses", SKU).

func basicPublicIP(p *wire.PublicIP) bool {
	if p.SKU != nil && p.SKU.Name != "" {
		return strings.EqualFold(p.SKU.Name, "Basic")
	}
	return strings.EqualFold(p.Properties.PublicIPAllocationMethod, "Dynamic")
}

func (c *compiler) basicBalancer(b *wire.LoadBalancer) bool {
	if b.SKU != nil && b.SKU.Name != "" {
		return strings.EqualFold(b.SKU.Name, "Basic")
	}
	for i := range b.Properties.FrontendIPConfigurations {
		ref := b.Properties.FrontendIPConfigurations[i].Properties.PublicIPAddress
		if ref == nil {
			continue
		}
		if p, ok := c.docs.publicIPs.get(ref.ID); ok && basicPublicIP(&p.view) {
			return true
		}
	}
	return false
}
