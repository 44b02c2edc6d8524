package arm

import (
	"slices"
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// balancersOfNIC and nicsOfBalancer list each other's resources whole ("Network
// Interface Load Balancers - List" and "Load Balancer Network Interfaces -
// List" of Microsoft's REST reference).
var (
	balancersOfNIC = verb{name: "loadBalancers", get: true, answer: func(q *question) (any, *Fault) {
		var ids []model.ID
		for _, cfg := range objects(q.on.Properties(), "ipConfigurations") {
			p := object(cfg, "properties")
			for _, list := range []string{"loadBalancerBackendAddressPools", "loadBalancerInboundNatRules"} {
				for _, to := range objects(p, list) {
					if id, err := model.ParseID(text(to, "id")); err == nil {
						ids = append(ids, id.Parent())
					}
				}
			}
		}
		return q.listed(ids, model.TypeLoadBalancer), nil
	}}
	nicsOfBalancer = verb{name: "networkInterfaces", get: true, answer: func(q *question) (any, *Fault) {
		var ids []model.ID
		for _, list := range []string{"backendAddressPools", "inboundNatRules"} {
			for _, part := range objects(q.on.Properties(), list) {
				id, err := model.ParseID(text(part, "id"))
				if err != nil {
					continue
				}
				for _, u := range usersOf(q.s.kinds, q.view, id, nil) {
					if user, err := model.ParseID(u); err == nil && user.Is(typeNICConfig) {
						ids = append(ids, user.Parent())
					}
				}
			}
		}
		return q.listed(ids, model.TypeNIC), nil
	}}
)

// listed shows the resources of one type among ids, each once, by ID.
func (q *question) listed(ids []model.ID, resourceType string) map[string]any {
	slices.SortFunc(ids, func(a, b model.ID) int { return strings.Compare(a.Key(), b.Key()) })
	ids = slices.CompactFunc(ids, model.ID.Equal)
	value := []any{}
	for _, id := range ids {
		if e, ok := q.view.Get(id); ok && id.Is(resourceType) {
			value = append(value, (&call{s: q.s}).shown(q.s.kinds[strings.ToLower(resourceType)], e.Resource))
		}
	}
	return map[string]any{"value": value}
}
