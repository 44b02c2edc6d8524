package audit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ceruleannet/cerulean/model"
	"github.com/ceruleannet/cerulean/model/catalog"
)

// nested returns the ID of a resource whose parents, if any, are named p.
func nested(kind, name string) model.ID {
	types := strings.Split(kind, "/")
	if len(types) == 2 {
		return testGroup.Resource(kind, name)
	}
	id := testGroup.Resource(types[0]+"/"+types[1], "p")
	for _, t := range types[2 : len(types)-1] {
		id = id.Child(t, "p")
	}
	return id.Child(types[len(types)-1], name)
}

// Limits that several resources use up together, or other parts of a document:
// silent just below 80 %, told from there, and broken above the value.
func TestLimitsOfMany(t *testing.T) {
	limits := map[string]catalog.Limit{}
	for _, l := range catalog.Limits() {
		limits[l.Name] = l
	}
	of := func(kind, doc string) func(*testing.T, int) []*model.Resource {
		return func(t *testing.T, n int) []*model.Resource {
			out := make([]*model.Resource, n)
			for i := range out {
				out[i] = resource(t, nested(kind, fmt.Sprintf("x%d", i)), doc)
			}
			return out
		}
	}
	one := func(kind string, doc func(int) string) func(*testing.T, int) []*model.Resource {
		return func(t *testing.T, n int) []*model.Resource {
			return []*model.Resource{resource(t, testGroup.Resource(kind, "x"), doc(n))}
		}
	}
	const here = `{"location":"westeurope"}`
	for limit, build := range map[string]func(*testing.T, int) []*model.Resource{
		"virtual-networks-per-region":           of(model.TypeVirtualNetwork, here),
		"security-groups-per-region":            of(model.TypeNSG, here),
		"route-tables-per-region":               of(model.TypeRouteTable, here),
		"application-groups-per-region":         of(model.TypeASG, here),
		"load-balancers-per-region":             of(model.TypeLoadBalancer, here),
		"private-endpoints-per-virtual-network": of(model.TypePrivateEndpoint, `{"properties":{"subnet":{"id":"/v/subnets/s"}}}`),
		"peers-per-route-server":                of(typeBGPConnection, `{}`),
		"sql-network-rules":                     of(model.TypeSQLNetworkRule, `{}`),
		"admin-rules-per-manager":               of(model.TypeAdminRule, `{}`),
		"rules-per-load-balancer": one(model.TypeLoadBalancer, func(n int) string {
			return `{"properties":{"loadBalancingRules":` + list(n, `{"name":"r%[1]d"}`) + `}}`
		}),
		"outbound-rules-per-load-balancer": one(model.TypeLoadBalancer, func(n int) string {
			return `{"properties":{"outboundRules":` + list(n, `{"name":"r%[1]d"}`) + `}}`
		}),
		"storage-network-rules": one(model.TypeStorageAccount, func(n int) string {
			return `{"properties":{"networkAcls":{"virtualNetworkRules":` + list(n, `{"id":"/s%[1]d"}`) + `}}}`
		}),
		"key-vault-address-rules": one(model.TypeKeyVault, func(n int) string {
			return `{"properties":{"networkAcls":{"ipRules":` + list(n, `{"value":"%[1]d"}`) + `}}}`
		}),
		"key-vault-network-rules": one(model.TypeKeyVault, func(n int) string {
			return `{"properties":{"networkAcls":{"virtualNetworkRules":` + list(n, `{"id":"/s%[1]d"}`) + `}}}`
		}),
		"application-groups-per-ip-configuration": one(model.TypeNIC, func(n int) string {
			return `{"properties":{"ipConfigurations":[{"name":"c","properties":{"applicationSecurityGroups":` + list(n, `{"id":"/a%[1]d"}`) + `}}]}}`
		}),
		"admin-prefixes-per-manager": func(t *testing.T, n int) []*model.Resource {
			return []*model.Resource{resource(t, nested(model.TypeAdminRule, "x"), `{"properties":{"sources":`+list(n, `{"addressPrefix":"p%[1]d","addressPrefixType":"IPPrefix"}`)+`}}`)}
		},
	} {
		t.Run(limit, func(t *testing.T) {
			l, ok := limits[limit]
			if !ok {
				t.Fatal("not in the catalogue")
			}
			near, broken := Warning, Error
			if !l.Confirmed {
				near, broken = Note, Warning
			}
			first := (l.Value*nearPercent + 99) / 100
			for _, tt := range []struct {
				used int
				want Severity
			}{{first - 1, ""}, {first, near}, {l.Value + 1, broken}} {
				f := find(Limits(build(t, tt.used), nil), limit)
				switch {
				case f == nil && tt.want != "":
					t.Errorf("%d used: no finding, want %s", tt.used, tt.want)
				case f != nil && (f.Severity != tt.want || f.Used != tt.used):
					t.Errorf("%d used: %+v, want %q", tt.used, *f, tt.want)
				}
			}
		})
	}
}
