package audit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
)

// A frontend address has 64,000 ports for all members together
// (catalog.LoadBalancerPortsPerIP, unconfirmed).
func TestOutboundPorts(t *testing.T) {
	id := testGroup.Resource(model.TypeLoadBalancer, "lb")
	for _, tt := range []struct {
		name      string
		allocated int
		frontend  string
		want      string
	}{
		{"just enough", 6400, `{"name":"f","properties":{"publicIPAddress":{"id":"/p"}}}`, ""},
		{"a block too many", 6408, `{"name":"f","properties":{"publicIPAddress":{"id":"/p"}}}`, RuleOutboundPorts},
		{"by the size of the pool", 0, `{"name":"f","properties":{"publicIPAddress":{"id":"/p"}}}`, ""},
		{"a prefix", 6408, `{"name":"f","properties":{"publicIPPrefix":{"id":"/p"}}}`, RuleUncounted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := fmt.Sprintf(`{"properties":{"frontendIPConfigurations":[%s],"backendAddressPools":[{"name":"p"}],"outboundRules":[{"name":"o","properties":{"allocatedOutboundPorts":%d,"backendAddressPool":{"id":"%s/backendAddressPools/p"},"frontendIPConfigurations":[{"id":"%s/frontendIPConfigurations/F"}]}}]}}`,
				tt.frontend, tt.allocated, id, id)
			rs := []*model.Resource{resource(t, id, doc)}
			nic := `{"properties":{"ipConfigurations":` + list(10, `{"name":"c%[1]d","properties":{"loadBalancerBackendAddressPools":[{"id":"POOL"}]}}`) + `}}`
			nic = strings.ReplaceAll(nic, "POOL", id.String()+"/backendAddressPools/P")
			rs = append(rs, resource(t, testGroup.Resource(model.TypeNIC, "n"), nic))
			got := ""
			if fs := Limits(rs, nil); len(fs) > 0 {
				got = fs[0].Rule
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
