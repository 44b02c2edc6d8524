package node

import (
	"fmt"
	"slices"
	"strings"
)

// gateway makes an application gateway, in a subnet that is then its own.
func (n *randomNetwork) gateway() {
	if len(n.subnets) < 2 || n.one(2) {
		return
	}
	i := n.rng.IntN(len(n.subnets))
	sub := n.subnets[i]
	n.subnets = slices.Delete(n.subnets, i, i+1)
	self := randomScope + "Microsoft.Network/applicationGateways/agw"
	var fronts, listeners, rules []string
	front := func(name, properties string, ports ...int) {
		fronts = append(fronts, fmt.Sprintf(`{"name":%q,"properties":{%s}}`, name, properties))
		for _, port := range ports {
			l := fmt.Sprintf("%s-%d", name, port)
			listeners = append(listeners, fmt.Sprintf(`{"name":%q,"properties":{%s,%s,"protocol":"Http"}}`, l,
				link("frontendIPConfiguration", self+"/frontendIPConfigurations/"+name), link("frontendPort", fmt.Sprintf("%s/frontendPorts/p%d", self, port))))
			if n.one(6) {
				continue // a listener without a rule takes nothing
			}
			rules = append(rules, fmt.Sprintf(`{"name":%q,"properties":{"ruleType":"Basic","priority":%d,%s,%s,%s}}`, "rule-"+l, 100+len(rules),
				link("httpListener", self+"/httpListeners/"+l), link("backendAddressPool", self+"/backendAddressPools/"+n.pick("pool", "named")),
				link("backendHttpSettings", self+"/backendHttpSettingsCollection/"+n.pick("web", "tls"))))
		}
	}
	if n.one(2) {
		front("private", fmt.Sprintf(`"privateIPAddress":"%s200","privateIPAllocationMethod":"Static",%s`, n.prefix[sub], link("subnet", sub)), 80, 443)
	}
	if len(fronts) == 0 || n.one(2) {
		front("public", link("publicIPAddress", n.standard(n.region[sub], "agw-ip")), 443)
	}
	probe, probes := "", ""
	if n.one(2) {
		probe = "," + link("probe", self+"/probes/probe")
		probes = fmt.Sprintf(`{"name":"probe","properties":{"protocol":"Http","path":"/","port":%s}}`, n.pick("80", "1433"))
	}
	p := fmt.Sprintf(`"sku":{"name":"Standard_v2","tier":"Standard_v2","capacity":%s},"gatewayIPConfigurations":[{"name":"own","properties":{%s}}],`,
		n.pick("1", "2", "3"), link("subnet", sub))
	p += `"frontendPorts":[{"name":"p80","properties":{"port":80}},{"name":"p443","properties":{"port":443}}],`
	p += fmt.Sprintf(`"frontendIPConfigurations":[%s],"httpListeners":[%s],"requestRoutingRules":[%s],"probes":[%s],`, strings.Join(fronts, ","), strings.Join(listeners, ","), strings.Join(rules, ","), probes)
	p += fmt.Sprintf(`"backendAddressPools":[{"name":"pool","properties":{"backendAddresses":[{"ipAddress":%q},{"ipAddress":%q}]}},{"name":"named","properties":{"backendAddresses":[{"fqdn":"a.example"}]}}],`,
		n.pick("10.0.0.4", "10.0.0.5", "10.1.0.4"), n.pick("10.0.1.4", "10.1.1.4", "203.0.113.200"))
	p += fmt.Sprintf(`"backendHttpSettingsCollection":[{"name":"web","properties":{"port":80,"protocol":"Http"%s}},{"name":"tls","properties":{"port":443,"protocol":"Https"}}]`, probe)
	n.addIn(n.region[sub], "Microsoft.Network/applicationGateways", "agw", p)
}
