package arm

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// SKUs of load balancers and public addresses. Basic is retired (September
// 2025): what names no SKU is Standard, unless only Basic can be what it asks
// for, as templates of before do.
const (
	skuBasic    = "Basic"
	skuStandard = "Standard"
)

// skuName is the SKU of a document, "" if it has none.
func skuName(doc map[string]any) string { return text(object(doc, "sku"), "name") }

// isBasic reports whether a document is of the SKU Basic.
func isBasic(doc map[string]any) bool { return strings.EqualFold(skuName(doc), skuBasic) }

// fillPublicSKU gives a public address its SKU: one that is to be dynamic is
// Basic, as Standard ones are static.
func fillPublicSKU(doc map[string]any) {
	name := skuStandard
	if strings.EqualFold(text(object(doc, "properties"), "publicIPAllocationMethod"), "Dynamic") {
		name = skuBasic
	}
	setDefault(doc, "sku.name", name)
	setDefault(doc, "sku.tier", "Regional")
}

// fillBalancerSKU gives a load balancer its SKU: that of its public addresses,
// which is the only one they go with.
func (c *change) fillBalancerSKU() {
	name := skuStandard
	for _, o := range objects(c.props(), "frontendIPConfigurations") {
		id, err := model.ParseID(refID(object(o, "properties"), "publicIPAddress"))
		if err != nil {
			continue
		}
		if e, ok := c.tx.Get(id); ok && isBasic(e.Resource.Doc) {
			name = skuBasic
		}
	}
	setDefault(c.doc, "sku.name", name)
	setDefault(c.doc, "sku.tier", "Regional")
}

// fillBackendPool completes a backend pool. Pools of Basic have no list of addresses,
// and a tunnel of a gateway load balancer has the port that is its default
// ("Gateway Load Balancer", Components).
func (c *change) fillBackendPool(id model.ID, p map[string]any, basic bool) {
	c.fillParts(p, "loadBalancerBackendAddresses", id, model.TypeBackendPool)
	if p == nil || basic {
		return
	}
	setDefault(p, "loadBalancerBackendAddresses", []any{})
	for _, t := range objects(p, "tunnelInterfaces") {
		if port, ok := whole(t["port"]); ok && port != 0 {
			continue
		}
		t["port"] = number(tunnelPortInternal)
		if strings.EqualFold(text(t, "type"), "External") {
			t["port"] = number(tunnelPortExternal)
		}
	}
}

// Ports of VXLAN tunnels that name none.
const (
	tunnelPortInternal = 10800
	tunnelPortExternal = 10801
)
