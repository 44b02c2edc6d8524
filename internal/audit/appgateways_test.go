package audit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/internal/fabric/compile"
	"github.com/ceruleannet/cerulean/model"
)

// "Application Gateway infrastructure configuration": GatewayManager at
// 65200-65535, no default route to an appliance before a public gateway.
func TestAppGateways(t *testing.T) {
	allow := `{"name":"manager","properties":{"priority":100,"direction":"Inbound","access":"Allow","protocol":"Tcp","sourceAddressPrefix":"GatewayManager","sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"%s"}}`
	for _, c := range []struct {
		name, rules, prefix, table, capacity string
		want                                 []string
	}{
		{"fine", fmt.Sprintf(allow, "65200-65535"), "10.0.1.0/24", "", "2", nil},
		{"no rule", "", "10.0.1.0/24", "", "2", []string{RuleGatewayManager}},
		{"too few ports", fmt.Sprintf(allow, "65200-65300"), "10.0.1.0/24", "", "2", []string{RuleGatewayManager}},
		{"default route", fmt.Sprintf(allow, "65200-65535"), "10.0.1.0/24", ` forced`, "2", []string{RuleGatewayDefaultRoute}},
		{"small", fmt.Sprintf(allow, "65200-65535"), "10.0.1.0/29", "", "20", []string{RuleGatewaySubnet}},
	} {
		n := &net{t: t}
		n.table("forced", "", "0.0.0.0/0 10.0.0.4")
		n.vnet("v", "10.0.0.0/16", "app 10.0.0.0/24", "edge "+c.prefix+c.table)
		vnet := n.resources[len(n.resources)-1]
		edge := vnet.Properties()["subnets"].([]any)[1].(map[string]any)["properties"].(map[string]any)
		edge["networkSecurityGroup"] = map[string]any{"id": testGroup.Resource(model.TypeNSG, "edge").String()}
		n.add("nsg/edge", `{"properties":{"securityRules":[`+c.rules+`]}}`)
		n.add("pip/shop", `{"sku":{"name":"Standard"},"properties":{"ipAddress":"203.0.113.7"}}`)
		n.add("agw/shop", `{"properties":{"sku":{"tier":"Standard_v2","capacity":`+c.capacity+`},
			"gatewayIPConfigurations":[{"name":"own","properties":{"subnet":{"id":"~vnet/v/subnets/edge"}}}],
			"frontendIPConfigurations":[{"name":"public","properties":{"publicIPAddress":{"id":"~pip/shop"}}}]}}`)
		img, err := compile.Compile(n.resources, compile.Options{})
		if err != nil {
			t.Fatal(c.name, err)
		}
		var got []string
		for _, f := range AppGateways(n.resources, img) {
			got = append(got, f.Rule)
			if Describe(f.Rule) == "" || f.Fix == "" {
				t.Errorf("%s: %+v", c.name, f)
			}
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
