package audit

import (
	"fmt"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

// The sizes that the platform's services ask of their subnets: /26 for Azure
// Firewall ("Azure Firewall FAQ"), the others unconfirmed.
func TestSubnetSizes(t *testing.T) {
	for _, tt := range []struct {
		subnet   string
		bits     int // the smallest that is silent
		severity Severity
	}{
		{"GatewaySubnet", 27, Warning},
		{"gatewaysubnet", 27, Warning},
		{"AzureFirewallSubnet", 26, Error},
		{"AzureFirewallManagementSubnet", 26, Warning},
		{"AzureBastionSubnet", 26, Warning},
		{"RouteServerSubnet", 27, Warning},
		{"resolver", 28, Warning},
		{"app", 29, ""},
	} {
		more := ""
		if tt.subnet == "resolver" {
			more = `,"delegations":[{"name":"d","properties":{"serviceName":"microsoft.network/dnsResolvers"}}]`
		}
		vnet := testGroup.Resource(model.TypeVirtualNetwork, "v")
		for _, bits := range []int{tt.bits - 1, tt.bits, tt.bits + 1} {
			props := fmt.Sprintf(`{"addressPrefixes":["10.0.0.0/%d","2001:db8::/64"]%s}`, bits, more)
			inline := resource(t, vnet, fmt.Sprintf(`{"properties":{"subnets":[{"name":%q,"properties":%s}]}}`, tt.subnet, props))
			child := resource(t, vnet.Child("subnets", tt.subnet), `{"properties":`+props+`}`)
			for name, rs := range map[string][]*model.Resource{"inline": {inline}, "child": {child}, "both": {inline, child}} {
				var fs []Finding
				for _, f := range Limits(rs, nil) {
					if f.Rule == RuleSubnetSize {
						fs = append(fs, f)
					}
				}
				want := tt.severity != "" && bits > tt.bits
				if len(fs) > 1 || (len(fs) == 1) != want || want && (fs[0].Severity != tt.severity || fs[0].Pos.Line == 0) {
					t.Errorf("%s /%d %s: %v, want one: %v", tt.subnet, bits, name, lines(fs), want)
				}
			}
		}
	}
}

// A subnet of several prefixes is as large as its largest.
func TestSubnetSizeOfMany(t *testing.T) {
	r := resource(t, testGroup.Resource(model.TypeVirtualNetwork, "v").Child("subnets", "GatewaySubnet"),
		`{"properties":{"addressPrefixes":["10.0.0.0/28","10.0.1.0/27"]}}`)
	if f := find(Limits([]*model.Resource{r}, nil), RuleSubnetSize); f != nil {
		t.Error(f)
	}
}
