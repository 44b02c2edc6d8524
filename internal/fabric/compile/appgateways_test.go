package compile

import (
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric"
)

// gatewayDoc is an application gateway with a public listener at 443, a private
// one at 80, and a pool of an interface and an address.
const gatewayDoc = `{"location":"westeurope","properties":{
	"sku":{"name":"Standard_v2","tier":"Standard_v2","capacity":2},
	"gatewayIPConfigurations":[{"name":"own","properties":{"subnet":{"id":"~vnet/v/subnets/edge"}}}],
	"frontendIPConfigurations":[
		{"name":"public","properties":{"publicIPAddress":{"id":"~pip/shop"}}},
		{"name":"private","properties":{"subnet":{"id":"~vnet/v/subnets/edge"},"privateIPAddress":"10.0.1.10"}}],
	"frontendPorts":[{"name":"443","properties":{"port":443}},{"name":"80","properties":{"port":80}},{"name":"9","properties":{"port":9000}}],
	"httpListeners":[
		{"name":"web","properties":{"frontendIPConfiguration":{"id":"~agw/shop/frontendIPConfigurations/public"},"frontendPort":{"id":"~agw/shop/frontendPorts/443"},"protocol":"Https"}},
		{"name":"inner","properties":{"frontendIPConfiguration":{"id":"~agw/shop/frontendIPConfigurations/private"},"frontendPort":{"id":"~agw/shop/frontendPorts/80"},"protocol":"Http"}},
		{"name":"idle","properties":{"frontendIPConfiguration":{"id":"~agw/shop/frontendIPConfigurations/public"},"frontendPort":{"id":"~agw/shop/frontendPorts/9"},"protocol":"Http"}}],
	"backendAddressPools":[{"name":"web","properties":{"backendAddresses":[{"ipAddress":"10.0.0.5"}]}},{"name":"named","properties":{"backendAddresses":[{"fqdn":"api.example"}]}}],
	"probes":[{"name":"p","properties":{"protocol":"Http","path":"/","port":8081}}],
	"backendHttpSettingsCollection":[{"name":"plain","properties":{"port":8080,"protocol":"Http","probe":{"id":"~agw/shop/probes/p"}}},{"name":"tls","properties":{"port":443,"protocol":"Https"}}],
	"requestRoutingRules":[
		{"name":"web","properties":{"ruleType":"Basic","priority":100,"httpListener":{"id":"~agw/shop/httpListeners/web"},"backendAddressPool":{"id":"~agw/shop/backendAddressPools/web"},"backendHttpSettings":{"id":"~agw/shop/backendHttpSettingsCollection/plain"}}},
		{"name":"inner","properties":{"ruleType":"Basic","priority":200,"httpListener":{"id":"~agw/shop/httpListeners/inner"},"backendAddressPool":{"id":"~agw/shop/backendAddressPools/named"},"backendHttpSettings":{"id":"~agw/shop/backendHttpSettingsCollection/tls"}}}]
}}`

func shopNetwork(t *testing.T, edge string, change func(string) string) *network {
	n := (&network{t: t}).vnet("v", "10.0.0.0/16", "app 10.0.0.0/24", "edge 10.0.1.0/24"+edge)
	n.nic("web-1", "v/app", "10.0.0.4").nic("web-2", "v/app", "10.0.0.5").nic("client", "v/app", "10.0.0.6")
	n.add("pip/shop", `{"location":"westeurope","sku":{"name":"Standard"},"properties":{"ipAddress":"203.0.113.7"}}`)
	doc := gatewayDoc
	if change != nil {
		doc = change(doc)
	}
	return n.add("agw/shop", doc)
}

// "How an application gateway works": a connection ends at a listener, another
// begins at an instance.
func TestAppGateway(t *testing.T) {
	img := shopNetwork(t, "", nil).compile()
	if len(img.Notes) != 0 {
		t.Errorf("notes %v", img.Notes)
	}
	expect(
		t, img,
		"internet: tcp 198.51.100.1 203.0.113.7:443 = allow delivered: internet > shop > shop (instances)",
		"internet: tcp 198.51.100.1 203.0.113.7:80 = deny no-redirect: internet > shop",
		"internet: tcp 198.51.100.1 203.0.113.7:9000 = deny no-redirect: internet > shop", // a listener without a rule
		"client: tcp 10.0.0.6 10.0.1.10:80 = allow delivered: client > shop > shop (instances)",
		"client: tcp 10.0.0.6 10.0.1.10:443 = deny no-redirect: client > shop",
		"client: tcp 10.0.0.6 10.0.1.4:80 = deny rule no listener: client > shop (instances)",
		"shop (instances): tcp 10.0.1.4 10.0.0.5:8080 = allow delivered: shop (instances) > web-2",
		"shop (instances): tcp 10.0.1.5 10.0.0.5:8081 = allow delivered: shop (instances) > web-2", // the probe's port
		"shop (instances): tcp 10.0.1.4 10.0.0.5:22 = deny rule no member: shop (instances)",
		"shop (instances): tcp 10.0.1.4 10.0.0.4:8080 = deny rule no member: shop (instances)",
		"shop (instances): tcp 10.0.1.4 10.0.0.4:443 = allow delivered: shop (instances) > web-1", // a name may mean it
		"shop: tcp 10.0.1.10 10.0.0.5:8080 = deny rule never starts a flow: shop",
	)
	if at := portOf(t, img, "shop (instances)"); len(img.Sets[img.Ports[at].Addrs]) != 1 || img.Sets[img.Ports[at].Addrs][0].Hi.Addr().String() != "10.0.1.5" {
		t.Errorf("two instances have %v", img.Sets[img.Ports[at].Addrs])
	}
}

// The subnet's security group is met where a packet comes to an instance, with
// the instance's address behind a public frontend.
func TestAppGatewaySecurityGroup(t *testing.T) {
	n := shopNetwork(t, ` "networkSecurityGroup":{"id":"~nsg/edge"}`, nil)
	n.add("nsg/edge", `{"location":"westeurope","properties":{"securityRules":[
		{"name":"web","properties":{"priority":100,"direction":"Inbound","access":"Allow","protocol":"Tcp","sourceAddressPrefix":"198.51.100.0/24","sourcePortRange":"*","destinationAddressPrefix":"10.0.1.0/24","destinationPortRange":"443"}},
		{"name":"inner","properties":{"priority":110,"direction":"Inbound","access":"Deny","protocol":"Tcp","sourceAddressPrefix":"*","sourcePortRange":"*","destinationAddressPrefix":"10.0.1.10","destinationPortRange":"80"}}]}}`)
	img := n.compile()
	expect(
		t, img,
		"internet: tcp 198.51.100.1 203.0.113.7:443 = allow delivered: internet > shop > shop (instances)",
		"internet: tcp 192.0.2.1 203.0.113.7:443 = deny rule DenyAllInBound: internet > shop > shop (instances)",
		"client: tcp 10.0.0.6 10.0.1.10:80 = deny rule inner: client > shop > shop (instances)",
	)
}

// An interface may name the pool.
func TestAppGatewayPoolOfInterfaces(t *testing.T) {
	n := shopNetwork(t, "", nil)
	n.add("nic/web-3", `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"ip","properties":{"privateIPAddress":"10.0.0.9","subnet":{"id":"~vnet/v/subnets/app"},
		"applicationGatewayBackendAddressPools":[{"id":"~agw/shop/backendAddressPools/web"}]}}]}}`)
	expect(t, n.compile(), "shop (instances): tcp 10.0.1.4 10.0.0.9:8080 = allow delivered: shop (instances) > web-3")
}

// What Azure refuses, or nobody knows.
func TestAppGatewayProblems(t *testing.T) {
	for name, c := range map[string]struct {
		change func(string) string
		more   func(*network)
		want   string
	}{
		"another subnet": {func(s string) string {
			return strings.Replace(s, `"subnet":{"id":"~vnet/v/subnets/edge"},"privateIPAddress":"10.0.1.10"`, `"subnet":{"id":"~vnet/v/subnets/app"}`, 1)
		}, nil, `is in subnet "app", the gateway in "edge"`},
		"not alone": {nil, func(n *network) { n.nic("stray", "v/edge", "10.0.1.20") }, `has host "stray" in it, too`},
		"no pool": {func(s string) string {
			return strings.Replace(s, `"backendAddressPool":{"id":"~agw/shop/backendAddressPools/web"}`, `"backendAddressPool":{"id":"~agw/shop/backendAddressPools/x"}`, 1)
		}, nil, `"web" names no backend pool`},
		"no port": {func(s string) string {
			return strings.Replace(s, `"frontendPort":{"id":"~agw/shop/frontendPorts/443"}`, `"frontendPort":{"id":"~agw/shop/frontendPorts/x"}`, 1)
		}, nil, `listener "web" has no frontend port`},
	} {
		n := shopNetwork(t, "", c.change)
		if c.more != nil {
			c.more(n)
		}
		if _, err := Compile(n.resources, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %s", name, err, c.want)
		}
	}
	old := shopNetwork(t, "", func(s string) string { return strings.ReplaceAll(s, "Standard_v2", "Standard_Small") }).compile()
	c := flow(t, old, "internet", "tcp 198.51.100.1 203.0.113.7:443")
	if v, _ := c.Verdict(); v != fabric.VerdictUnknown {
		t.Errorf("a gateway of version 1 is %s", v)
	}
	stopped := shopNetwork(t, "", func(s string) string {
		return strings.Replace(s, `"properties":{`, `"properties":{"operationalState":"Stopped",`, 1)
	}).compile()
	expect(t, stopped, "internet: tcp 198.51.100.1 203.0.113.7:443 = deny no-redirect: internet > shop")
}
