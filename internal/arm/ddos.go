package arm

import (
	"strings"

	"github.com/ceruleannet/cerulean/model"
)

// ddosOfNetwork answers "Virtual Networks - List DDoS Protection Status": the
// public addresses that stand in a network, and whether they are protected.
var ddosOfNetwork = verb{name: "ddosProtectionStatus", body: maybeBody, long: true, answer: func(q *question) (any, *Fault) {
	value := []any{}
	for _, e := range findExact(q.view, termType+strings.ToLower(model.TypePublicIP)) {
		if network, ok := q.networkOfPublic(e.Resource.ID); ok && network.ID.Equal(q.on.ID) {
			value = append(value, ddosStatus(e.Resource, network))
		}
	}
	return map[string]any{"value": value}, nil
}}

// ddosOfPublic answers "Public IP Addresses - DDoS Protection Status".
var ddosOfPublic = verb{name: "ddosProtectionStatus", body: maybeBody, long: true, answer: func(q *question) (any, *Fault) {
	network, _ := q.networkOfPublic(q.on.ID)
	return ddosStatus(q.on, network), nil
}}

// networkOfPublic returns the virtual network in which a public address stands:
// that of the subnet beside which a configuration names it.
func (q *question) networkOfPublic(id model.ID) (*model.Resource, bool) {
	for _, e := range findExact(q.view, termRef+id.Key()) {
		k := q.s.kinds[strings.ToLower(e.Resource.Type())]
		if k == nil {
			continue
		}
		for _, r := range k.refs {
			if r.to != model.TypeSubnet {
				continue
			}
			var found *model.Resource
			r.path.each(e.Resource.Doc, func(target string) {
				if subnet, err := model.ParseID(target); err == nil && found == nil {
					if n, ok := q.view.Get(subnet.Parent()); ok {
						found = n.Resource
					}
				}
			})
			if found != nil {
				return found, true
			}
		}
	}
	return nil, false
}

// ddosStatus tells whether a public address is protected: by itself, or with its
// network ("Azure DDoS Protection tiers").
func ddosStatus(pip, network *model.Resource) map[string]any {
	p := pip.Properties()
	out := map[string]any{"publicIpAddressId": pip.ID.String(), "publicIpAddress": text(p, "ipAddress"), "isWorkloadProtected": "False"}
	settings := object(p, "ddosSettings")
	switch mode := text(settings, "protectionMode"); {
	case strings.EqualFold(mode, "Enabled"):
		out["isWorkloadProtected"] = "True"
		if plan := refID(settings, "ddosProtectionPlan"); plan != "" {
			out["ddosProtectionPlanId"] = plan
		}
	case strings.EqualFold(mode, "Disabled") || network == nil:
	case network.Properties()["enableDdosProtection"] == true:
		out["isWorkloadProtected"], out["ddosProtectionPlanId"] = "True", refID(network.Properties(), "ddosProtectionPlan")
	}
	return out
}
